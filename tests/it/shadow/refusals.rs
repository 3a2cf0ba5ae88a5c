//! Every refusal passes in shadow, and says what it would be.

use std::time::Duration;

use axum::extract::FromRequestParts;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::Full;
use tower_jverify::{
    Action, CheckKind, Class, ClientIp, Coding, Decision, ForeignBackend, Guards, HandOn, JVerifyLayer, Level, Limit,
    Mode, Phone, Policy, Rate, Rule, Verified, VerifiedRejection, captcha, number,
};

use super::{Records, decision, guarded, watched, would_be_denied};
use crate::support::{Guarded, LOGIN, post_json};

fn of_type(media: &str, body: &'static str) -> Request<Full<Bytes>> {
    Request::post("/login").header("content-type", media).body(Full::from(body)).unwrap()
}

#[tokio::test]
async fn a_request_that_cannot_be_read_passes_as_it_came() {
    let records = Records::default();
    let shadow = guarded(Class::Passed, |it| it.rule(watched()).on_decision(records.listen()));
    let bare = |method: &str| Request::builder().method(method).uri("/login");
    let large: Bytes = vec![b'x'; 70_000].into();
    let json = |body: &'static str| post_json("/login", body);
    let long = post_json("/login", large);
    let cases = [
        (bare("POST").body(Full::default()).unwrap(), "proof_missing"),
        (json(r#"{"phone":"13812345678"}"#), "proof_missing"),
        (json(r#"{"token":"t"}"#), "proof_missing"),
        (json(r#"{"token":1,"phone":"13812345678"}"#), "proof_malformed"),
        (json(r#"{"token":"t","phone":"1","phone":"2"}"#), "proof_malformed"),
        (json("{"), "body_malformed"),
        (json(""), "body_malformed"),
        (of_type("application/xml", "<login/>"), "unsupported_media_type"),
        (long, "body_too_large"),
        (
            Request::post("/login?phone=13812345678")
                .header("content-type", "application/json")
                .body(Full::from(LOGIN))
                .unwrap(),
            "proof_malformed",
        ),
        (
            Request::post("/login")
                .header("content-type", "application/json")
                .header("content-encoding", "gzip")
                .body(Full::from(LOGIN))
                .unwrap(),
            "unsupported_encoding",
        ),
        (
            Request::post("/login")
                .header("content-type", "application/json")
                .header("upgrade", "websocket")
                .body(Full::from(LOGIN))
                .unwrap(),
            "upgrade_refused",
        ),
        (Request::post("/login%2F").body(Full::from(LOGIN)).unwrap(), "path_ambiguous"),
        (Request::post("/login%00").body(Full::default()).unwrap(), "path_ambiguous"),
    ];
    for (request, reason) in cases {
        let what = format!("{request:?}");
        would_be_denied(&shadow, request, reason, &what).await;
        assert_eq!(records.take(), [format!("shadow would-deny {reason}")], "{what}");
    }
    assert_eq!(shadow.verifier.calls(), 0);

    let any = guarded(Class::Passed, |it| it.rule(Rule::any_method("/login", number()).mode(Mode::Shadow)));
    would_be_denied(&any, bare("CONNECT").body(Full::default()).unwrap(), "upgrade_refused", "CONNECT").await;
    let preflight = bare("OPTIONS").header("origin", "https://x").header("access-control-request-method", "POST");
    would_be_denied(&any, preflight.body(Full::default()).unwrap(), "preflight_refused", "a preflight").await;
}

#[tokio::test]
async fn each_verdict_passes_and_says_what_it_would_be() {
    let records = Records::default();
    for (class, reason) in [
        (Class::Rejected, "rejected"),
        (Class::Stale, "stale"),
        (Class::Invalid, "invalid"),
        (Class::Throttled, "throttled"),
        (Class::Quota, "quota"),
        (Class::Unavailable, "unavailable"),
        (Class::Unknown, "unknown"),
    ] {
        let shadow = guarded(class, |it| it.rule(watched()).on_decision(records.listen()));
        let seen = would_be_denied(&shadow, post_json("/login", LOGIN), reason, reason).await;
        assert_eq!(seen.parts.headers["x-jverify-checks"], "number");
        assert_eq!(records.take(), [format!("shadow would-deny {reason}")]);
        let decision = decision(&shadow.application);
        assert_eq!((decision.verdicts().len(), decision.action()), (1, Action::Deny));
    }
}

#[tokio::test]
async fn a_request_that_passes_has_the_usual_headers_and_is_verified() {
    let records = Records::default();
    let shadow = guarded(Class::Passed, |it| it.rule(watched().forward_phone(true)).on_decision(records.listen()));
    assert_eq!(shadow.send(post_json("/login", LOGIN)).await.status(), 200);
    let decision = decision(&shadow.application);
    assert!(decision.is_verified() && decision.is_shadow() && decision.would_deny().is_none());
    assert_eq!(decision.phone(), Some(Phone::parse("13812345678").unwrap()));
    let header = |name: &str| shadow.application.header(name);
    assert_eq!(header("x-jverify-decision").as_deref(), Some("allow"));
    assert_eq!(header("x-jverify-mode").as_deref(), Some("shadow"));
    assert_eq!(header("x-jverify-phone").as_deref(), Some("13812345678"));
    assert_eq!(records.take(), ["shadow allow verified"]);

    let enforced = guarded(Class::Passed, |it| it.rule(Rule::post("/login", number())));
    assert_eq!(enforced.send(post_json("/login", LOGIN)).await.status(), 200);
    assert_eq!(enforced.application.header("x-jverify-mode"), None, "a rule without a mode has no such header");
}

#[tokio::test]
async fn a_risk_that_the_policy_refuses_passes_with_its_score() {
    let policy = Policy::empty().band(0, Level::High, Action::Deny);
    let shadow = guarded(Class::Passed, |it| it.rule(watched().policy(policy)));
    let seen = would_be_denied(&shadow, post_json("/login", LOGIN), "risk_too_high", "risk").await;
    assert_eq!(
        (&seen.parts.headers["x-jverify-risk-level"], &seen.parts.headers["x-jverify-risk-score"]),
        (&"high".parse().unwrap(), &"0".parse().unwrap())
    );
}

#[tokio::test]
async fn what_the_guards_refuse_is_not_asked_and_passes() {
    let phone = |number: u32| format!(r#"{{"token":"t{number}","phone":"138{number:08}"}}"#);
    let send = |shadow: &Guarded, number| (post_json("/login", phone(number)), shadow.verifier.calls());
    let with = |guards: Guards, rule: Rule| {
        Guarded::with(|verifier| JVerifyLayer::builder(verifier.clone()).guards(&guards).rule(rule).build().unwrap())
    };
    let local = ClientIp::from_fn(|_| Some([192, 0, 2, 1].into()));

    // The same proof again.
    let shadow = with(Guards::default(), watched());
    assert_eq!(shadow.send(post_json("/login", phone(1))).await.status(), 200);
    would_be_denied(&shadow, post_json("/login", phone(1)), "replayed", "a proof again").await;
    assert_eq!(shadow.verifier.calls(), 1);

    // The account's day is used up.
    let guards = Guards::builder().daily_budget(1).build().unwrap();
    let shadow = with(guards, watched());
    assert_eq!(shadow.send(send(&shadow, 1).0).await.status(), 200);
    would_be_denied(&shadow, send(&shadow, 2).0, "budget", "the budget").await;
    assert_eq!(shadow.verifier.calls(), 1);

    // A limit of the rule.
    let rule = watched().client_ip(local.clone()).limit(Limit::per_client(Rate::new(1, Duration::from_secs(60))));
    let shadow = with(Guards::default(), rule);
    assert_eq!(shadow.send(send(&shadow, 1).0).await.status(), 200);
    would_be_denied(&shadow, send(&shadow, 2).0, "rate_limited", "a limit").await;
    assert_eq!(shadow.verifier.calls(), 1);
}

#[tokio::test]
async fn the_body_stays_as_it_came_when_the_request_passes() {
    let spaced = "  {\"token\" : \"t\", \"phone\" : 13812345678}  ";
    for rule in [watched().canonical_body(true), watched().pin_phone(true)] {
        let shadow = guarded(Class::Passed, |it| it.rule(rule));
        assert_eq!(shadow.send(post_json("/login", spaced)).await.status(), 200);
        assert_eq!(shadow.application.last().body.unwrap(), spaced);
        assert!(decision(&shadow.application).is_verified());
        let refused = guarded(Class::Rejected, |it| it.rule(watched().canonical_body(true)));
        would_be_denied(&refused, post_json("/login", spaced), "rejected", "canonical").await;
    }
    let shadow = guarded(Class::Passed, |it| it.rule(watched().decode([Coding::Gzip], HandOn::Decoded)));
    let request = Request::post("/login")
        .header("content-type", "application/json")
        .header("content-encoding", "gzip")
        .body(Full::from("not gzip"))
        .unwrap();
    would_be_denied(&shadow, request, "body_malformed", "no gzip").await;
}

#[tokio::test]
async fn what_foreign_backend_refuses_passes_and_what_it_removes_is_removed() {
    let shadow = guarded(Class::Passed, |it| it.rule(watched()).foreign_backend(ForeignBackend::any()));
    let cases: [(&str, &str, &'static str, &str); 5] = [
        ("PUT", "/login", LOGIN, "method_not_allowed"),
        ("GET", "/login?phone=13812345678&token=x", "", "proof_malformed"),
        ("POST", "/?s=/login", "", "path_ambiguous"),
        ("POST", "/login.php", "", "path_ambiguous"),
        (
            "POST",
            "/login",
            "{\"token\":\"t\",\"phone\":\"13812345678\",\"x\":\"&phone=13900000000\"}",
            "proof_malformed",
        ),
    ];
    for (method, uri, body, reason) in cases {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("content-type", "application/json")
            .body(Full::from(body))
            .unwrap();
        would_be_denied(&shadow, request, reason, uri).await;
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("content-type", "application/json")
            .header("x-original-url", "/login")
            .header("cookie", "a=1; phone=13900000000")
            .body(Full::from(body))
            .unwrap();
        assert_eq!(shadow.send(request).await.status(), 200, "{uri}");
        let head = shadow.application.last().parts.headers;
        assert!(!head.contains_key("x-original-url"), "{uri}");
        assert_eq!(head["cookie"], "a=1", "{uri}");
    }
}

#[tokio::test]
async fn shadow_unasked_sends_no_check_and_passes_as_not_asked() {
    let records = Records::default();
    let rule = Rule::post("/login", captcha().then(number())).mode(Mode::Shadow).shadow_unasked(true);
    let shadow = Guarded::with(|verifier| {
        let guards = Guards::builder().daily_budget(1).build().unwrap();
        let layer = JVerifyLayer::builder(verifier.clone()).guards(&guards);
        layer.rule(rule).on_decision(records.listen()).build().unwrap()
    });
    let body = r#"{"captchaContent":"c","token":"t","phone":"13812345678"}"#;
    for _ in 0..3 {
        assert_eq!(shadow.send(post_json("/login", body)).await.status(), 200);
        let decision = decision(&shadow.application);
        assert!(!decision.is_verified() && decision.is_shadow() && decision.would_deny().is_none());
        // And not with the advice to take `Prove`, of which a rule in shadow has none.
        let refused = Verified::from_request_parts(&mut shadow.application.last().parts, &()).await;
        assert_eq!(refused.unwrap_err(), VerifiedRejection::Unverified);
        assert_eq!(shadow.application.header("x-jverify-decision").as_deref(), Some("not-asked"));
        assert_eq!(shadow.application.header("x-jverify-mode").as_deref(), Some("shadow"));
    }
    assert_eq!(records.take(), vec!["shadow not-asked not_asked"; 3]);
    would_be_denied(&shadow, post_json("/login", "{}"), "proof_missing", "no proof").await;
    assert_eq!(shadow.verifier.calls(), 0);
}

#[tokio::test]
async fn would_deny_is_read_from_trusted_headers_and_never_verified() {
    let shadow = guarded(Class::Rejected, |it| it.rule(watched()));
    would_be_denied(&shadow, post_json("/login", LOGIN), "rejected", "rejected").await;
    let headers = shadow.application.last().parts.headers;
    let read = Decision::from_trusted_headers(&headers, "x-jverify").unwrap();
    assert_eq!(read.would_deny().unwrap().as_str(), "rejected");
    assert!(!read.is_verified() && read.is_shadow() && !read.passed(CheckKind::Number));

    let change = |name: &'static str, value: &str| {
        let mut headers: HeaderMap = headers.clone();
        headers.insert(name, value.parse().unwrap());
        Decision::from_trusted_headers(&headers, "x-jverify").map(|decision| decision.is_verified())
    };
    for (name, value) in [
        ("x-jverify-mode", "enforce"),
        ("x-jverify-mode", "on"),
        ("x-jverify-phone", "13812345678"),
        ("x-jverify-reason", "verified"),
        ("x-jverify-decision", "allow"),
    ] {
        assert!(change(name, value).is_err(), "{name}: {value}");
    }
    let mut headers = headers.clone();
    headers.remove("x-jverify-reason");
    let read = Decision::from_trusted_headers(&headers, "x-jverify").unwrap();
    assert_eq!(read.would_deny().unwrap().as_str(), "unknown");
}

#[tokio::test]
async fn a_forged_decision_never_arrives() {
    let shadow = guarded(Class::Rejected, |it| it.rule(watched()));
    for (name, value) in [
        ("x-jverify-decision", "allow"),
        ("X_Jverify_Decision", "allow"),
        ("x-jverify-mode", "enforce"),
        ("x.jverify.mode", "enforce"),
        ("x-jverify-phone", "13812345678"),
    ] {
        let mut request = post_json("/login", LOGIN);
        request.headers_mut().append(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
        let seen = would_be_denied(&shadow, request, "rejected", name).await;
        let ours = seen.parts.headers.keys().filter(|name| name.as_str().contains("jverify"));
        let mut ours: Vec<_> = ours.map(http::HeaderName::as_str).collect();
        ours.sort_unstable();
        assert_eq!(
            ours,
            [
                "x-jverify-checks",
                "x-jverify-decision",
                "x-jverify-id",
                "x-jverify-mode",
                "x-jverify-reason",
                "x-jverify-risk-level",
                "x-jverify-risk-score",
            ]
        );
    }
}
