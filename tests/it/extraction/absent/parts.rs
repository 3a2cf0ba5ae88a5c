//! Parts of a proof.

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::Full;
use tower_jverify::{
    Ask, Check, CheckKind, Class, Decision, Field, Media, Phone, Policy, Rule, Verdict, captcha, number, one_tap,
};

use super::{NOTHING, SOMETHING, asked, by, json, parts};
use crate::extraction::post_form;
use crate::support::{Guarded, Verifier, builder, code, post_json};

#[tokio::test]
async fn a_captcha_that_is_null_or_empty_is_not_there() {
    for ask in [Ask::from(captcha().or(number())), number().into(), number().or(captcha()).or(one_tap()).into()] {
        let guarded = by(ask);
        for nothing in NOTHING {
            let request = json(&format!(r#""token":"t","phone":"13800000012","captchaContent":{nothing}"#));
            assert_eq!(asked(&guarded, request, nothing).await, [CheckKind::Number], "{nothing}");
        }
    }
}

#[tokio::test]
async fn every_proof_of_a_choice_may_be_null_or_empty_but_one() {
    let guarded = by(captcha().or(number()).or(one_tap()));
    for nothing in NOTHING {
        let all = |token: &str, login: &str, captcha: &str, phone: &str| {
            json(&format!(r#""token":{token},"loginToken":{login},"captchaContent":{captcha},"phone":{phone}"#))
        };
        let (t, phone) = (r#""t""#, r#""13812345678""#);
        let seen =
            guarded.verifies(all(nothing, nothing, t, phone), "a captcha, and a phone that stays unproven").await;
        assert_eq!(seen.parts.extensions.get::<Decision>().unwrap().phone(), None, "{nothing}");
        assert_eq!(asked(&guarded, all(nothing, nothing, t, nothing), nothing).await, [CheckKind::Captcha]);
        assert_eq!(asked(&guarded, all(t, nothing, nothing, phone), nothing).await, [CheckKind::Number]);
        // A phone alone proves nothing, and a token without a phone is half a proof.
        guarded.refuses(all(nothing, nothing, nothing, phone), "proof_missing", nothing).await;
        guarded.refuses(all(nothing, nothing, nothing, nothing), "proof_missing", nothing).await;
        guarded.refuses(all(t, nothing, nothing, nothing), "proof_missing", nothing).await;
        guarded.refuses(all(t, nothing, t, nothing), "proof_missing", nothing).await;
    }
}

#[tokio::test]
async fn a_required_part_that_is_null_or_empty_is_missing() {
    for nothing in NOTHING {
        for (ask, members) in [
            (Ask::from(number()), format!(r#""token":"t","phone":{nothing}"#)),
            (number().into(), format!(r#""token":{nothing},"phone":"13812345678""#)),
            (captcha().into(), format!(r#""captchaContent":{nothing}"#)),
            (one_tap().into(), format!(r#""loginToken":{nothing},"phone":"13812345678""#)),
            (captcha().then(number()), format!(r#""captchaContent":{nothing},"token":"t","phone":"13812345678""#)),
            (captcha().then(number()), format!(r#""captchaContent":"c","token":{nothing},"phone":"13812345678""#)),
            (captcha().then(number()), format!(r#""captchaContent":"c","token":"t","phone":{nothing}"#)),
        ] {
            by(ask).refuses(json(&members), "proof_missing", &members).await;
        }
    }
    let guarded = Guarded::by([Rule::post("/login", number()).accept([Media::Form, Media::Multipart])]);
    for body in
        ["token=t&phone=", "token=t&phone", "token=&phone=13812345678", "token&phone=13812345678", "token&phone"]
    {
        guarded.refuses(post_form(body), "proof_missing", body).await;
    }
    for (token, phone) in [("t", ""), ("", "13812345678"), ("", "")] {
        guarded.refuses(parts(&[("token", token), ("phone", phone)]), "proof_missing", "multipart").await;
    }
}

#[tokio::test]
async fn a_required_part_of_the_head_that_is_empty_is_missing() {
    let guarded = by(number().token(Field::header("x-token")).phone(Field::query("phone")));
    for (query, token) in [("?phone=", "t"), ("?phone", "t"), ("?a&phone=&b", "t"), ("?phone=13812345678", "")] {
        let request = Request::post(format!("/login{query}")).header("x-token", token);
        guarded.refuses(request.body(Full::<Bytes>::default()).unwrap(), "proof_missing", query).await;
    }
}

#[tokio::test]
async fn a_one_tap_login_with_a_phone_that_is_null_or_empty_claims_none() {
    let answer = |check: &Check| {
        Some(Verdict::new(check.kind(), Class::Passed).with_phone(Phone::parse("13812345678").unwrap()))
    };
    let guarded = Guarded::asking(Verifier::answering(answer), |verifier| {
        let rule = Rule::post("/login", one_tap()).accept([Media::Json, Media::Form, Media::Multipart]);
        builder(verifier).rule(rule).build().unwrap()
    });
    let mut requests: Vec<_> =
        NOTHING.iter().map(|nothing| json(&format!(r#""loginToken":"l","phone":{nothing}"#))).collect();
    requests.extend(["loginToken=l&phone=", "phone&loginToken=l"].map(post_form));
    requests.push(parts(&[("phone", ""), ("loginToken", "l")]));
    for request in requests {
        let seen = guarded.verifies(request, "no claim").await;
        assert_eq!(seen.parts.extensions.get::<Decision>().unwrap().phone(), Phone::parse("13812345678"));
    }
}

#[tokio::test]
async fn a_country_code_that_is_null_or_empty_is_absent() {
    let guarded = Guarded::by([Rule::post("/login", number().country_code(Field::body("/cc"))).accept([
        Media::Json,
        Media::Form,
        Media::Multipart,
    ])]);
    for nothing in NOTHING {
        guarded.verifies(json(&format!(r#""token":"t","phone":"13812345678","cc":{nothing}"#)), nothing).await;
    }
    guarded.verifies(post_form("token=t&phone=13812345678&cc="), "a form").await;
    guarded.verifies(parts(&[("cc", ""), ("token", "t"), ("phone", "13812345678")]), "multipart").await;
    let in_head = by(number().country_code(Field::header("x-cc")));
    let mut request = json(r#""token":"t","phone":"13812345678""#);
    request.headers_mut().insert("x-cc", HeaderValue::from_static(""));
    in_head.verifies(request, "a header").await;
}

#[tokio::test]
async fn a_when_value_that_is_null_or_empty_names_no_rule() {
    let kind = || Field::body("/type");
    let with_rest = Guarded::by([Rule::post("/login", captcha()), Rule::post("/login", number()).when(kind(), "sms")]);
    let without = Guarded::by([Rule::post("/login", number()).when(kind(), "sms")]);
    let passing = Guarded::by([Rule::post("/login", number()).when(kind(), "sms").otherwise_pass()]);
    for nothing in NOTHING {
        let request = || json(&format!(r#""type":{nothing},"captchaContent":"c","token":"t","phone":"13812345678""#));
        assert_eq!(asked(&with_rest, request(), nothing).await, [CheckKind::Captcha]);
        without.refuses(request(), "proof_missing", nothing).await;
        assert_eq!(asked(&passing, request(), nothing).await, []);
    }
    for something in SOMETHING {
        for guarded in [&with_rest, &without, &passing] {
            let members = format!(r#""type":{something},"captchaContent":"c","token":"t","phone":"13812345678""#);
            guarded.refuses(json(&members), "proof_malformed", something).await;
        }
    }
    let by_head = Guarded::by([Rule::post("/login", captcha()).when(Field::header("x-type"), "sms").otherwise_pass()]);
    let mut request = json("");
    request.headers_mut().insert("x-type", HeaderValue::from_static(""));
    assert_eq!(asked(&by_head, request, "an empty header").await, []);
    let by_query = Guarded::by([Rule::post("/login", captcha()).when(Field::query("type"), "sms").otherwise_pass()]);
    for uri in ["/login?type=", "/login?type"] {
        assert_eq!(asked(&by_query, post_json(uri, "{}"), uri).await, []);
    }
}

#[tokio::test]
async fn a_captcha_for_a_risk_that_is_null_or_empty_is_still_asked_for() {
    let answer = |check: &Check| {
        let verdict = Verdict::new(check.kind(), Class::Passed);
        Some(verdict.with_risk(tower_jverify::Risk::from_score(600, Vec::new())))
    };
    let policy = || {
        Policy::empty().band(0, tower_jverify::Level::Low, tower_jverify::Action::Allow).band(
            500,
            tower_jverify::Level::High,
            tower_jverify::Action::StepUp,
        )
    };
    let guarded = Guarded::asking(Verifier::answering(answer), |verifier| {
        builder(verifier).rule(Rule::post("/login", number()).policy(policy())).build().unwrap()
    });
    for nothing in NOTHING {
        let request = json(&format!(r#""token":"t","phone":"13812345678","captchaContent":{nothing}"#));
        let response = guarded.send(request).await;
        assert_eq!((response.status().as_u16(), code(&response).as_str()), (403, "captcha_required"), "{nothing}");
    }
}
