//! Phones: one SIM, one spelling.

use http::Method;
use tower_jverify::{Check, Decision, Field, PhoneGrammar, Question, Rule, number};

use super::post_form;
use crate::support::{Guarded, post_json};

fn body(phone: &str) -> String {
    format!(r#"{{"token":"tok-canary-7f3a","phone":{phone}}}"#)
}

/// The token and the phone that JPush was asked about last.
fn asked(guarded: &Guarded) -> (String, String) {
    match guarded.verifier.asked().last().map(Check::question) {
        Some(Question::Number { token, phone, .. }) => (token.expose().to_owned(), phone.as_str().to_owned()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_phone_as_an_integer_is_the_same_phone() {
    let guarded = Guarded::login();
    for phone in [r#""15813554612""#, "15813554612", r#""\u00315813554612""#] {
        let seen = guarded.verifies(post_json("/login", body(phone)), phone).await;
        assert_eq!(asked(&guarded), ("tok-canary-7f3a".to_owned(), "15813554612".to_owned()), "{phone}");
        let exposed = seen.parts.extensions.get::<Decision>().unwrap().phone().unwrap();
        assert_eq!(exposed.as_str(), "15813554612", "{phone}");
        assert_eq!(seen.body.unwrap(), body(phone), "the body is the client's");
    }
}

#[tokio::test]
async fn every_other_spelling_of_a_phone_is_refused() {
    let guarded = Guarded::login();
    for phone in [
        "1.5813554612e10",
        "15813554612.0",
        "15813554612e0",
        "-15813554612",
        r#""+8615813554612""#,
        r#""008615813554612""#,
        r#""8615813554612""#,
        "8615813554612",
        r#""158 1355 4612""#,
        r#""158-1355-4612""#,
        r#"" 15813554612""#,
        r#""15813554612 ""#,
        r#""１５８１３５５４６１２""#,
        r#""1581355461２""#,
        r#""١٥٨١٣٥٥٤٦١٢""#,
        r#""1581355461""#,
        r#""158135546120""#,
        r#""12813554612""#,
        r#""25813554612""#,
        r#""05813554612""#,
        r#""1581355461x""#,
        r#""15813554612\u200b""#,
        r#""""#,
        "null",
        "true",
        r#"["15813554612"]"#,
        r#"{"a":"15813554612"}"#,
        "0",
        "18446744073709551616",
        "99999999999999999999999999",
    ] {
        guarded.refuses(post_json("/login", body(phone)), "proof_malformed", phone).await;
    }
}

#[tokio::test]
async fn a_grammar_with_country_codes_knows_one_phone_in_four_spellings() {
    let rule = Rule::post("/login", number()).phone_grammar(PhoneGrammar::CountryCode);
    let guarded = Guarded::by([rule]);
    for phone in [
        r#""15813554612""#,
        r#""+8615813554612""#,
        r#""008615813554612""#,
        r#""8615813554612""#,
        "8615813554612",
        "15813554612",
    ] {
        let seen = guarded.verifies(post_json("/login", body(phone)), phone).await;
        assert_eq!(asked(&guarded).1, "15813554612", "{phone}");
        let exposed = seen.parts.extensions.get::<Decision>().unwrap().phone().unwrap();
        assert_eq!(exposed.as_str(), "15813554612", "sent is not exposed: {phone}");
        assert_eq!(seen.body.unwrap(), body(phone));
    }
    for phone in [
        r#""+868615813554612""#,
        r#""+86 15813554612""#,
        r#""+8515813554612""#,
        r#""+15813554612""#,
        r#""+0086 15813554612""#,
        r#""00 86 15813554612""#,
        r#""861581355461""#,
        r#""+86１５８１３５５４６１２""#,
    ] {
        guarded.refuses(post_json("/login", body(phone)), "proof_malformed", phone).await;
    }
}

#[tokio::test]
async fn the_grammar_of_a_layer_holds_where_a_rule_has_none() {
    let guarded = Guarded::with(|verifier| {
        crate::support::builder(verifier)
            .phone_grammar(PhoneGrammar::CountryCode)
            .rule(Rule::post("/login", number()))
            .rule(Rule::post("/strict", number()).phone_grammar(PhoneGrammar::Canonical))
            .build()
            .unwrap()
    });
    let phone = r#""+8615813554612""#;
    guarded.verifies(post_json("/login", body(phone)), "the layer's").await;
    guarded.refuses(post_json("/strict", body(phone)), "proof_malformed", "the rule's own").await;
}

#[tokio::test]
async fn a_phone_from_everywhere_is_held_to_the_same_grammar() {
    let ask = number().token(Field::header("x-token")).phone(Field::query("phone"));
    let query = Guarded::by([Rule::method(Method::GET, "/login", ask)]);
    let form = Guarded::login();
    for (phone, fine) in
        [("15813554612", true), ("%2B8615813554612", false), ("+15813554612", false), ("15813554612+", false)]
    {
        let get = http::Request::get(format!("/login?phone={phone}")).header("x-token", "t");
        let get = get.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
        let post = post_form(format!("token=t&phone={phone}"));
        if fine {
            query.verifies(get, phone).await;
            form.verifies(post, phone).await;
        } else {
            query.refuses(get, "proof_malformed", phone).await;
            form.refuses(post, "proof_malformed", phone).await;
        }
    }
}
