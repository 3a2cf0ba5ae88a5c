//! A shared path (`/rpc`, GraphQL): calls that are not logins pass, whatever they contain, and only calls that are shown to be one
//! of those pass.

mod logins;
mod other_calls;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower_jverify::{Ask, Denial, Field, ForeignBackend, JVerifyBuilder, Rule, number};

use crate::support::{Guarded, Verifier, builder, code, post_json};

const FORM: &str = "application/x-www-form-urlencoded";
const LOGIN: &str = r#"{"method":"login","params":{"token":"t","phone":"13812345678"}}"#;

fn in_params() -> Ask {
    number().token(Field::body("/params/token")).phone(Field::body("/params/phone")).into()
}

fn rule(when: Field) -> Rule {
    Rule::post("/rpc", in_params()).when(when, "login").otherwise_pass()
}

fn set(rule: Rule, set: impl FnOnce(JVerifyBuilder<Verifier>) -> JVerifyBuilder<Verifier>) -> Guarded {
    Guarded::with(|verifier| set(builder(verifier)).rule(rule).build().unwrap())
}

fn by_method() -> Field {
    Field::body("/method")
}

/// The rule with each of the settings that look at more of a body.
fn guards() -> [(&'static str, Guarded); 4] {
    let any = ForeignBackend::any;
    [
        ("plain", Guarded::by([rule(by_method())])),
        ("foreign", set(rule(by_method()), |it| it.foreign_backend(any()))),
        ("canonical", set(rule(by_method()), |it| it.canonical_body(true))),
        ("both", set(rule(by_method()), |it| it.foreign_backend(any()).canonical_body(true).pin_phone(true))),
    ]
}

fn rpc(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    post_json("/rpc", body)
}

fn typed(content_type: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let mut request = rpc(body);
    request.headers_mut().insert("content-type", content_type.parse().unwrap());
    request
}

fn at(mut request: Request<Full<Bytes>>, uri: &str) -> Request<Full<Bytes>> {
    *request.uri_mut() = uri.parse().unwrap();
    request
}

async fn refused(
    guarded: &Guarded,
    request: Request<Full<Bytes>>,
    expected: &str,
    detail: &[&str],
    what: &str,
) -> Denial {
    let before = (guarded.verifier.calls(), guarded.application.runs());
    let response = guarded.send(request).await;
    assert_eq!(code(&response), expected, "{what}");
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), before, "{what}");
    let denial = response.extensions().get::<Denial>().unwrap().clone();
    let said = denial.detail().unwrap_or_else(|| panic!("{what}: no detail"));
    assert!(detail.iter().all(|part| said.contains(part)), "{what}: {said:?} wants {detail:?}");
    denial
}
