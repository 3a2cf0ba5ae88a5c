//! Checks that an attacker's requests are refused. The subjects are in `tests/`.

mod forms;
mod heads;
mod hidden;
mod json;
mod plans;
mod protobuf;
mod types;

use super::*;

/// A plan for `/token` and `/phone`.
fn login() -> Plan {
    plan(&[Field::body("/token"), Field::body("/phone")])
}

fn plan(fields: &[Field]) -> Plan {
    Plan::compile(fields, false).unwrap()
}

/// What a body gives, field by field: `text`, `#integer` or nothing.
#[allow(clippy::needless_pass_by_value, reason = "tests name a type")]
fn read(plan: &Plan, media: Media, body: &[u8]) -> Result<Vec<Option<String>>, Unreadable> {
    let mut values = plan.values();
    plan.read_body(&media, &http::HeaderMap::new(), body, &mut values)?;
    Ok(shown(&values))
}

fn read_head(plan: &Plan, request: http::request::Builder) -> Result<Vec<Option<String>>, Unreadable> {
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let mut values = plan.values();
    plan.read_head(&parts, &mut values)?;
    Ok(shown(&values))
}

fn shown(values: &Values<'_>) -> Vec<Option<String>> {
    let show = |value: &Value<'_>| match value {
        Value::Text(text) => text.to_string(),
        Value::Integer(integer) => format!("#{integer}"),
    };
    // Past the last field there is nothing: two are enough for all tests but one.
    (0..2).map(|index| values.get(index).map(show)).collect()
}

#[allow(clippy::unnecessary_wraps, reason = "to compare with what is read")]
fn some(token: &str, phone: &str) -> Result<Vec<Option<String>>, Unreadable> {
    Ok(vec![Some(token.into()), Some(phone.into())])
}

#[track_caller]
fn refused_as_body(outcome: &Result<Vec<Option<String>>, Unreadable>, input: &str) {
    assert!(matches!(outcome, Err(Unreadable::BodyMalformed(_))), "{input:.80}: {outcome:?}");
}

#[track_caller]
fn refused_as_proof(outcome: &Result<Vec<Option<String>>, Unreadable>, input: &str) {
    assert!(matches!(outcome, Err(Unreadable::ProofMalformed(_))), "{input:.80}: {outcome:?}");
}
