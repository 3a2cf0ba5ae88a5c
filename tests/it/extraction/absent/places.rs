//! Places and names: an absent value still counts as an occurrence of its name.

use std::fmt::Write;

use http::{HeaderName, HeaderValue};
use tower_jverify::{CheckKind, Denial, Field, ForeignBackend, JVerifyBuilder, Media, Rule, captcha, number, one_tap};

use super::{NOTHING, SOMETHING, asked, by, json, parts};
use crate::extraction::{post_form, refuses_each};
use crate::support::{Guarded, Verifier, builder, post_json};

#[tokio::test]
async fn null_on_the_way_to_a_field_means_that_the_field_is_absent() {
    let nested = || number().token(Field::body("/sim/login/token")).phone(Field::body("/sim/phone"));
    let guarded = by(captcha().or(nested()));
    for nothing in NOTHING {
        let members = format!(r#""sim":{nothing},"captchaContent":"c""#);
        assert_eq!(asked(&guarded, json(&members), nothing).await, [CheckKind::Captcha]);
        let members = format!(r#""sim":{{"phone":"13812345678","login":{nothing}}},"captchaContent":"c""#);
        assert_eq!(asked(&guarded, json(&members), nothing).await, [CheckKind::Captcha]);
        by(nested()).refuses(json(&format!(r#""sim":{nothing}"#)), "proof_missing", nothing).await;
        // The name still counts.
        for twice in [
            format!(r#""sim":{nothing},"sim":{{"phone":"13812345678","login":{{"token":"t"}}}}"#),
            format!(r#""sim":{{"phone":"13812345678","login":{{"token":"t"}}}},"sim":{nothing}"#),
            format!(r#""sim":{{"phone":"13812345678","login":{{"token":"t"}},"login":{nothing}}}"#),
            format!(r#""sim":{nothing},"Sim":{{"phone":"13812345678","login":{{"token":"t"}}}}"#),
        ] {
            by(nested()).refuses(json(&twice), "proof_malformed", &twice).await;
        }
    }
    for something in SOMETHING.into_iter().filter(|value| *value != "{}").chain(["0", r#""x""#]) {
        let members = format!(r#""sim":{something},"captchaContent":"c""#);
        guarded.refuses(json(&members), "proof_malformed", something).await;
    }
}

#[tokio::test]
async fn an_empty_place_of_a_field_leaves_it_to_the_others() {
    let token =
        Field::header("x-token").or(Field::query("token")).or(Field::body("/token")).or(Field::body("/a/token"));
    let guarded = by(number().token(token));
    for (header, query, members) in [
        (Some("t"), "?token=", r#""token":null,"a":null"#),
        (Some("t"), "?token", r#""token":"","a":{"token":null}"#),
        (Some(""), "?token=t", r#""token":null,"a":{"token":""}"#),
        (Some(""), "?token=", r#""token":"t","a":null"#),
        (None, "?token=", r#""token":null,"a":{"token":"t"}"#),
        (Some("t"), "?token=t", r#""token":"t","a":{"token":null}"#),
    ] {
        let mut request = post_json(&format!("/login{query}"), format!(r#"{{"phone":"13812345678",{members}}}"#));
        if let Some(header) = header {
            request.headers_mut().insert("x-token", HeaderValue::from_static(header));
        }
        guarded.verifies(request, members).await;
        let asked = guarded.verifier.asked();
        let tower_jverify::Question::Number { token, .. } = asked.last().unwrap().question() else { panic!() };
        assert_eq!(token.expose(), "t", "{members}");
    }
    let mut nowhere = post_json("/login?token=", r#"{"phone":"13812345678","token":null,"a":""}"#);
    nowhere.headers_mut().insert("x-token", HeaderValue::from_static(""));
    guarded.refuses(nowhere, "proof_missing", "nowhere").await;
}

#[tokio::test]
async fn a_name_counts_once_whatever_its_value() {
    let guarded = Guarded::by([Rule::post("/login", captcha().or(number())).accept([
        Media::Json,
        Media::Form,
        Media::Multipart,
    ])]);
    let good = r#""token":"t","phone":"13812345678""#;
    for nothing in NOTHING {
        for members in [
            format!(r#""phone":{nothing},{good}"#),
            format!(r#"{good},"phone":{nothing}"#),
            format!(r#""phone":{nothing},"phone":{nothing},"captchaContent":"c""#),
            format!(r#"{good},"Phone":{nothing}"#),
            format!(r#"{good},"PHONE":{nothing},"x":1"#),
            format!(r#"{good},"ph_one":{nothing}"#),
            format!(r#"{good},"\u0070hone":{nothing}"#),
            format!(r#"{good},"captchaContent":{nothing},"captchaContent":"c""#),
            format!(r#"{good},"captcha_content":{nothing}"#),
            format!(r#""Phone":{nothing},"captchaContent":"c""#),
        ] {
            guarded.refuses(json(&members), "proof_malformed", &members).await;
        }
    }
    for body in [
        "phone=&token=t&phone=13812345678",
        "token=t&phone=13812345678&phone=",
        "token=t&phone=13812345678&phone",
        "phone&phone&captchaContent=c",
        "token=t&phone=13812345678&Phone=",
        "token=t&phone=13812345678&phone[]=",
        "token=t&phone=13812345678&captchaContent&captchaContent=c",
    ] {
        guarded.refuses(post_form(body), "proof_malformed", body).await;
    }
    for name in ["phone", "Phone", "phone[]", "ph%6fne"] {
        let fields = [("token", "t"), ("phone", "13812345678"), (name, "")];
        guarded.refuses(parts(&fields), "proof_malformed", name).await;
    }
    for query in ["?phone=", "?phone", "?Phone=", "?a=1&phone[]=", "?captchaContent="] {
        let request = post_json(&format!("/login{query}"), format!("{{{good}}}"));
        guarded.refuses(request, "proof_malformed", query).await;
        let request = post_json(&format!("/login{query}"), r#"{"captchaContent":"c","phone":null}"#);
        guarded.refuses(request, "proof_malformed", query).await;
    }
}

#[tokio::test]
async fn an_empty_header_next_to_a_full_one_is_refused() {
    let guarded = by(number().token(Field::header("x-token").or(Field::body("/token"))));
    for (name, [one, other]) in [
        ("x-token", ["", "t"]),
        ("x-token", ["t", ""]),
        ("x-token", ["", ""]),
        ("x_token", ["", "t"]),
        ("x_token", ["t", ""]),
        ("X.Token", ["", ""]),
    ] {
        for token in ["", r#","token":"t""#, r#","token":null"#] {
            let mut request = json(&format!(r#""phone":"13812345678"{token}"#));
            request.headers_mut().insert("x-token", HeaderValue::from_static(one));
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(name, HeaderValue::from_static(other));
            guarded.refuses(request, "proof_malformed", &format!("{one:?} {other:?} {token}")).await;
        }
    }
}

#[tokio::test]
async fn a_name_that_belongs_into_another_place_counts_there_without_a_value() {
    let guarded = by(captcha().or(number().phone(Field::query("phone"))));
    let bodies = [
        r#"{"captchaContent":"c","phone":null}"#,
        r#"{"captchaContent":"c","phone":""}"#,
        r#"{"token":"t","phone":null}"#,
    ];
    let login = |body: &'static str| post_json("/login?phone=13812345678", body);
    refuses_each(&guarded, login, bodies.map(|body| ("proof_malformed", body))).await;
}

#[tokio::test]
async fn lists_objects_booleans_and_blanks_stay_refused() {
    let guarded = by(captcha().or(number().country_code(Field::body("/cc"))).or(one_tap()));
    for something in SOMETHING {
        for name in ["token", "phone", "cc", "captchaContent", "loginToken"] {
            let others = [("token", r#""t""#), ("phone", r#""13812345678""#), ("captchaContent", r#""c""#)];
            let mut members = format!(r#""{name}":{something}"#);
            for (other, value) in others.into_iter().filter(|(other, _)| *other != name) {
                write!(members, r#","{other}":{value}"#).unwrap();
            }
            guarded.refuses(json(&members), "proof_malformed", &members).await;
        }
    }
    for body in ["captchaContent=c&phone=+", "captchaContent=%20%20", "token=+&phone=13812345678", "loginToken=%C2%A0"]
    {
        guarded.refuses(post_form(body), "proof_malformed", body).await;
    }
}

#[tokio::test]
async fn with_foreign_backend_nothing_changes_about_the_edges() {
    let set = |set: fn(JVerifyBuilder<Verifier>) -> JVerifyBuilder<Verifier>| {
        Guarded::with(|verifier| {
            let rule = Rule::post("/login", captcha().or(number())).other_phones(["/emergency/phone"]);
            set(builder(verifier).foreign_backend(ForeignBackend::any()).rule(rule)).build().unwrap()
        })
    };
    for guarded in [set(|builder| builder), set(|builder| builder.canonical_body(true)), set(|it| it.pin_phone(true))] {
        let with_null = r#""token":"t","phone":"13812345678","captchaContent":null"#;
        guarded.verifies(json(with_null), "a null").await;
        guarded.verifies(json(r#""captchaContent":"c","phone":null"#), "a null phone").await;
        guarded.verifies(json(&format!(r#"{with_null},"emergency":{{"phone":null}}"#)), "a place that is listed").await;
        for members in [
            r#""captchaContent":"c","phone":null,"user":{"phone":"13999998888"}"#,
            r#""captchaContent":"c","phone":null,"user":{"phone":null}"#,
            r#""captchaContent":"c","phone":"","a":[{"Phone":"13999998888"}]"#,
            r#""captchaContent":"c","phone":null,"emergency":[{"phone":"13999998888"}]"#,
        ] {
            guarded.refuses(json(members), "proof_malformed", members).await;
        }
        for body in ["captchaContent=c&phone=&user.phone=13999998888", "captchaContent=c&phone=&user[phone]="] {
            guarded.refuses(post_form(body), "proof_malformed", body).await;
        }
    }
    let set = set(|builder| builder);
    let hidden = r#""captchaContent":"c","phone":null,"x":"&phone=""#;
    let response = set.send(json(hidden)).await;
    assert_eq!(response.extensions().get::<Denial>().unwrap().code(), "proof_malformed", "{hidden}");
}

#[tokio::test]
async fn what_is_handed_on_says_nothing_in_the_same_words() {
    let verifies = async |guarded: &Guarded, body: &'static str, reached: &'static str| {
        let seen = guarded.verifies(post_json("/login", body), body).await;
        assert_eq!(seen.body.unwrap(), reached);
    };
    let pinned = Guarded::by([Rule::post(
        "/login",
        captcha().or(number().phone(Field::body("/phone").or(Field::body("/mobile")))),
    )
    .phone_grammar(tower_jverify::PhoneGrammar::CountryCode)
    .pin_phone(true)]);
    let body = r#"{"token":"t","phone":null,"mobile":"+8613812345678"}"#;
    verifies(&pinned, body, r#"{"token":"t","phone":null,"mobile":"13812345678"}"#).await;
    let body = r#"{"captchaContent":"c","phone":"","mobile":null}"#;
    verifies(&pinned, body, body).await;
    let canonical = Guarded::by([Rule::post("/login", captcha().or(number())).canonical_body(true)]);
    verifies(&canonical, r#"{ "captchaContent": "c", "phone" : null }"#, r#"{"captchaContent":"c","phone":null}"#)
        .await;
    let seen = canonical.verifies(post_form("captchaContent=c&phone&token="), "a form").await;
    assert_eq!(seen.body.unwrap(), "captchaContent=c&phone=&token=");
}
