//! `pin_phone(true)`: the application reads the proven phone.

use http::{HeaderMap, HeaderValue, Request};
use http_body_util::Full;
use tower_jverify::{CheckKind, Class, Field, Media, Phone, PhoneGrammar, Rule, Verdict, captcha, number, one_tap};

use crate::support::{Application, LOGIN, Verifier, builder, post_json, send};

const FORM: &str = "application/x-www-form-urlencoded";

/// What reaches the application of a body.
async fn pinned(media: &str, body: &str) -> (String, HeaderMap) {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let rule = Rule::post("/login", number()).pin_phone(true).phone_grammar(PhoneGrammar::CountryCode);
    let layer = builder(&verifier).rule(rule).build().unwrap();
    let request = Request::post("/login")
        .header("content-type", media)
        .header("content-length", body.len())
        .body(Full::from(body.to_owned()))
        .unwrap();
    assert_eq!(send(&layer, &application, request).await.status(), 200, "{body}");
    let seen = application.last();
    (String::from_utf8(seen.body.unwrap().to_vec()).unwrap(), seen.parts.headers)
}

#[tokio::test]
async fn the_canonical_phone_replaces_the_clients_and_nothing_else_changes() {
    for (media, came, reached) in [
        (
            "application/json",
            r#"{ "a": [1, {"phone": "+8613800000000"}], "token":"t", "phone" : "+8613812345678" , "z":"\u0041" }"#,
            r#"{ "a": [1, {"phone": "+8613800000000"}], "token":"t", "phone" : "13812345678" , "z":"\u0041" }"#,
        ),
        ("application/json", r#"{"phone": 8613812345678 ,"token":"t"}"#, r#"{"phone": 13812345678 ,"token":"t"}"#),
        (
            "application/json",
            r#"{"phone":"\u0031381234567\u0038","token":"t"}"#,
            r#"{"phone":"13812345678","token":"t"}"#,
        ),
        (FORM, "a=1&phone=%2B8613812345678&token=t&b=+", "a=1&phone=13812345678&token=t&b=+"),
        (FORM, "token=t&phone=008613812345678", "token=t&phone=13812345678"),
    ] {
        let (body, headers) = pinned(media, came).await;
        assert_eq!(body, reached);
        assert_eq!(headers["content-length"], HeaderValue::from(reached.len()), "{came}");
    }
}

#[tokio::test]
async fn a_phone_that_is_canonical_already_is_not_touched() {
    for (media, body) in [("application/json", LOGIN), (FORM, "token=t&phone=13812345678")] {
        let (reached, headers) = pinned(media, body).await;
        assert_eq!(reached, body);
        assert_eq!(headers["content-length"], HeaderValue::from(body.len()));
    }
}

#[tokio::test]
async fn a_phone_that_was_not_proven_is_left_as_it_came() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let rule = Rule::post("/signin", captcha().or(number())).pin_phone(true).phone_grammar(PhoneGrammar::CountryCode);
    let layer = builder(&verifier).rule(rule).build().unwrap();
    let body = r#"{"captchaContent":"c","phone":"+8613812345678"}"#;
    assert_eq!(send(&layer, &application, post_json("/signin", body)).await.status(), 200);
    assert_eq!(application.last().body.unwrap(), body);
}

#[tokio::test]
async fn every_place_of_the_phone_is_pinned() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let phone = Field::body("/user/phone").or(Field::body("/phone"));
    let rule = Rule::post("/login", number().phone(phone)).pin_phone(true).phone_grammar(PhoneGrammar::CountryCode);
    let layer = builder(&verifier).rule(rule).build().unwrap();
    let body = r#"{"phone":"8613812345678","token":"t","user":{"phone":8613812345678}}"#;
    assert_eq!(send(&layer, &application, post_json("/login", body)).await.status(), 200);
    let reached = r#"{"phone":"13812345678","token":"t","user":{"phone":13812345678}}"#;
    assert_eq!(application.last().body.unwrap(), reached);
}

#[tokio::test]
async fn two_proofs_may_share_the_phone() {
    let verifier = Verifier::answering(|check| {
        let phone = Phone::parse("13812345678").unwrap();
        Some(Verdict::new(check.kind(), Class::Passed).with_phone(phone))
    });
    let application = Application::default();
    let rule = Rule::post("/login", number().or(one_tap())).pin_phone(true).phone_grammar(PhoneGrammar::CountryCode);
    let layer = builder(&verifier).rule(rule).build().unwrap();
    let body = r#"{"token":"t","loginToken":"l","phone":"+8613812345678"}"#;
    assert_eq!(send(&layer, &application, post_json("/login", body)).await.status(), 200);
    let reached = r#"{"token":"t","loginToken":"l","phone":"13812345678"}"#;
    assert_eq!(application.last().body.unwrap(), reached);
}

#[tokio::test]
async fn two_proofs_of_two_phones_are_no_proof() {
    let application = Application::default();
    for (proven, status) in [("13812345678", 200), ("13912345678", 403)] {
        let verifier = Verifier::answering(move |check| {
            let verdict = Verdict::new(check.kind(), Class::Passed);
            let one_tap = check.kind() == CheckKind::OneTap;
            Some(if one_tap { verdict.with_phone(Phone::parse(proven).unwrap()) } else { verdict })
        });
        let rule = Rule::post("/login", number().or(one_tap().phone(Field::body("/mobile"))));
        let layer = builder(&verifier).rule(rule).build().unwrap();
        let body = r#"{"token":"t","phone":"13812345678","loginToken":"l"}"#;
        assert_eq!(send(&layer, &application, post_json("/login", body)).await.status(), status, "{proven}");
    }
    assert_eq!(application.runs(), 1);
}

#[tokio::test]
async fn the_phone_of_a_proof_that_is_not_there_is_left_as_it_came() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let rule = Rule::post("/login", number().or(one_tap().phone(Field::body("/mobile")))).pin_phone(true);
    let layer = builder(&verifier).rule(rule.phone_grammar(PhoneGrammar::CountryCode)).build().unwrap();
    let body = r#"{"token":"t","phone":"13812345678","mobile":"+8613912345678"}"#;
    assert_eq!(send(&layer, &application, post_json("/login", body)).await.status(), 200);
    assert_eq!(application.last().body.unwrap(), body);
}

#[tokio::test]
async fn a_phone_without_a_value_is_refused_before_it_is_pinned() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let layer = builder(&verifier).rule(Rule::post("/login", number()).pin_phone(true)).build().unwrap();
    for body in ["token=t&phone", "phone&token=t", "token=t&phone="] {
        let request = Request::post("/login").header("content-type", FORM).body(Full::from(body)).unwrap();
        assert_eq!(send(&layer, &application, request).await.status(), 400, "{body}");
    }
    assert_eq!((verifier.calls(), application.runs()), (0, 0));
}

#[test]
fn what_cannot_be_pinned_is_an_error_at_start() {
    let verifier = Verifier::of_class(Class::Passed);
    let rule = Rule::post("/login", number()).accept([Media::Json, Media::Multipart]).pin_phone(true);
    assert_eq!(builder(&verifier).rule(rule).build().unwrap_err().setting(), "pin_phone");
}
