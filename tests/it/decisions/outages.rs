//! `Fallback::Open` applies only during an outage, and its requests are always marked.

use std::time::Duration;

use axum::extract::FromRequestParts;
use bytes::Bytes;
use http_body_util::Full;
use serde_json::json;
use tokio::net::TcpListener;
use tower_jverify::{
    Action, CallError, Check, CheckKind, Class, Credentials, Decision, DecisionReason, DenialReason, Fallback, JPush,
    Policy, Rule, Sandbox, Verdict, Verified, VerifiedRejection, captcha, number, sandbox::Fault,
};

use super::PHONE;
use crate::support::{Application, Sandboxed, Verifier, builder, code, denial, noticing, post_json, send};

fn open() -> Policy {
    Policy::default().on(Class::Unavailable, Fallback::Open)
}

async fn verified(application: &Application) -> Result<Verified, VerifiedRejection> {
    Verified::from_request_parts(&mut application.last().parts, &()).await
}

#[tokio::test]
async fn an_outage_is_a_503_unless_a_policy_opens_for_it() {
    for fault in [Fault::Refuse, Fault::Reset] {
        let desk = Sandboxed::noticing(Rule::post("/login", number()));
        desk.sandbox.fault(fault.clone());
        let response = desk.login(&json!({"token": "sandbox-9000", "phone": PHONE})).await;
        assert_eq!((response.status().as_u16(), desk.application.runs()), (503, 0), "{fault:?}");
        assert_eq!(code(&response), "verification_unavailable", "{fault:?}");
        assert_eq!(denial(&response).reason(), DenialReason::Verdict(Class::Unavailable), "{fault:?}");
    }
}

#[tokio::test]
async fn a_real_client_without_an_answer_is_a_503() {
    let nobody = JPush::builder(Credentials::new("key", "secret").unwrap()).base_url("http://127.0.0.1:1");
    let layer = noticing(nobody.build().unwrap()).rule(Rule::post("/login", number())).build().unwrap();
    let application = Application::default();
    let login = json!({"token": "t", "phone": PHONE}).to_string();
    let response = send(&layer, &application, post_json("/login", login)).await;
    assert_eq!((response.status().as_u16(), application.runs()), (503, 0));
}

#[tokio::test]
async fn a_reply_that_cannot_be_read_opens_nothing() {
    // A firewall in front of JPush may answer so to what a client put into its token.
    for fault in [Fault::Html, Fault::Redirect, Fault::Truncated, Fault::Status(http::StatusCode::BAD_GATEWAY)] {
        let desk = Sandboxed::noticing(Rule::post("/login", number()).policy(open()));
        desk.sandbox.fault(fault.clone());
        let response = desk.login(&json!({"token": "sandbox-9000", "phone": PHONE})).await;
        assert_eq!((response.status().as_u16(), desk.application.runs()), (503, 0), "{fault:?}");
    }
}

#[tokio::test]
async fn what_is_opened_is_marked_and_no_verified_handler_takes_it() {
    for fault in [Fault::Refuse] {
        let desk = Sandboxed::noticing(Rule::post("/login", number()).policy(open()).forward_phone(true));
        desk.sandbox.fault(fault.clone());
        let response = desk.login(&json!({"token": "sandbox-9000", "phone": PHONE})).await;
        assert_eq!(response.status(), 200, "{fault:?}");
        let header = |name: &str| desk.application.header(name);
        assert_eq!(header("x-jverify-decision").as_deref(), Some("unverified"), "{fault:?}");
        assert_eq!(header("x-jverify-reason").as_deref(), Some("unavailable"), "{fault:?}");
        assert_eq!(header("x-jverify-phone"), None, "{fault:?}: nobody proved it");
        let decision = desk.decision();
        assert!(!decision.is_verified() && decision.phone().is_none(), "{fault:?}");
        assert_eq!((decision.action(), decision.reason()), (Action::Flag, DecisionReason::Unavailable), "{fault:?}");
        assert_eq!(verified(&desk.application).await.unwrap_err(), VerifiedRejection::Unverified, "{fault:?}");
    }
}

#[tokio::test]
async fn a_jpush_that_cannot_be_connected_to_is_opened() {
    // Refused, and a handshake that is not answered in time.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("https://{}", silent.local_addr().unwrap());
    for base_url in ["http://127.0.0.1:1", &silent] {
        let jpush = JPush::builder(Credentials::new("key", "secret").unwrap())
            .base_url(base_url)
            .connect_timeout(Duration::from_millis(100));
        let rule = Rule::post("/login", number()).policy(open());
        let layer = noticing(jpush.build().unwrap()).rule(rule).build().unwrap();
        let application = Application::default();
        let response = send(&layer, &application, post_json("/login", crate::support::LOGIN)).await;
        assert_eq!((response.status().as_u16(), application.runs()), (200, 1), "{base_url}");
        assert_eq!(application.header("x-jverify-decision").as_deref(), Some("unverified"), "{base_url}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_after_the_check_was_sent_is_not_opened() {
    // The codes of the vendor's own outages among them: a client may find what brings them about.
    for token in ["sandbox-9099", "sandbox-2000", "sandbox-reset-9000", "sandbox-hang-9000", "sandbox-status-502-9000"]
    {
        let desk = Sandboxed::noticing(Rule::post("/login", number()).policy(open()));
        let response = desk.login(&json!({"token": token, "phone": PHONE})).await;
        assert_eq!((response.status().as_u16(), desk.application.runs()), (503, 0), "{token}");
        assert_eq!(denial(&response).reason(), DenialReason::Verdict(Class::Unavailable), "{token}");
    }
}

#[tokio::test(start_paused = true)]
async fn too_little_time_left_for_a_check_is_not_opened() {
    let ask = captcha().then(number());
    let desk = Sandboxed::noticing(Rule::post("/login", ask).policy(open()).deadline(Duration::from_secs(3)));
    let body = json!({"captchaContent": "sandbox-delay-2500-pass", "token": "sandbox-9000", "phone": PHONE});
    assert_eq!((desk.login(&body).await.status().as_u16(), desk.application.runs()), (503, 0));
    assert_eq!(desk.asked(), [CheckKind::Captcha]);
}

#[tokio::test]
async fn the_error_and_the_unavailability_of_a_custom_verifier_are_not_opened() {
    let rule = || Rule::post("/login", number()).policy(open());
    let failing = tower::service_fn(|_: Check| async { Err::<Verdict, _>(std::io::Error::other("it broke")) });
    let layer = noticing(failing).rule(rule()).build().unwrap();
    let application = Application::default();
    assert_eq!(send(&layer, &application, post_json("/login", crate::support::LOGIN)).await.status(), 503);

    let layer = builder(&Verifier::of_class(Class::Unavailable)).rule(rule()).build().unwrap();
    assert_eq!(send(&layer, &application, post_json("/login", crate::support::LOGIN)).await.status(), 503);
    assert_eq!(application.runs(), 0);
}

#[tokio::test]
async fn a_transport_that_is_not_ready_and_an_outage_wrapped_by_another_error_are_not_opened() {
    #[derive(Debug, Clone)]
    struct Wrapped(std::sync::Arc<CallError>);
    impl std::fmt::Display for Wrapped {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the second of two tries failed")
        }
    }
    impl std::error::Error for Wrapped {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&*self.0)
        }
    }
    let rule = || Rule::post("/login", number()).policy(open());
    let sandbox = Sandbox::new();
    sandbox.fault(Fault::Refuse);
    let jpush = sandbox.client().build().unwrap();
    let around = tower::ServiceExt::map_err(jpush, |error| Wrapped(std::sync::Arc::new(error)));
    let layer = noticing(around).rule(rule()).build().unwrap();
    let application = Application::default();
    assert_eq!(send(&layer, &application, post_json("/login", crate::support::LOGIN)).await.status(), 503);

    // A limit in the transport that is full.
    let limited = tower::load_shed::LoadShed::new(NeverReady);
    let jpush = JPush::builder(Credentials::new("key", "secret").unwrap()).transport(limited).build().unwrap();
    let layer = noticing(jpush).rule(rule()).build().unwrap();
    assert_eq!(send(&layer, &application, post_json("/login", crate::support::LOGIN)).await.status(), 503);
    assert_eq!(application.runs(), 0);
}

/// A transport without room.
#[derive(Clone)]
struct NeverReady;

impl tower::Service<http::Request<Full<Bytes>>> for NeverReady {
    type Response = http::Response<String>;
    type Error = std::convert::Infallible;
    type Future = std::future::Pending<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Pending
    }

    fn call(&mut self, _: http::Request<Full<Bytes>>) -> Self::Future {
        std::future::pending()
    }
}

#[tokio::test]
async fn nothing_but_an_outage_is_opened() {
    let desk = Sandboxed::noticing(Rule::post("/login", number()).policy(open()));
    for (code, class) in [
        (9001, Class::Rejected),
        (9002, Class::Inconclusive),
        (9003, Class::Stale),
        (9005, Class::Throttled),
        (9006, Class::Throttled),
        (9007, Class::Quota),
        (1804, Class::Quota),
        (9018, Class::Account),
        (9031, Class::Account),
        (9011, Class::Misconfigured),
        (9012, Class::Invalid),
        (9013, Class::Misconfigured),
        (9015, Class::Misconfigured),
        (4711, Class::Unknown),
        (6000, Class::Unknown),
    ] {
        let response = desk.login(&json!({"token": format!("sandbox-{code}"), "phone": PHONE})).await;
        assert_eq!(denial(&response).reason(), DenialReason::Verdict(class), "{code}");
    }
    for (content, reason) in [("sandbox-fail", Class::Rejected), ("sandbox-6005", Class::Quota)] {
        let desk = Sandboxed::noticing(Rule::post("/login", captcha()).policy(open()));
        let response = desk.login(&json!({"captchaContent": content})).await;
        assert_eq!(denial(&response).reason(), DenialReason::Verdict(reason), "{content}");
    }
    assert_eq!(desk.application.runs(), 0);
}

#[tokio::test]
async fn a_full_bulkhead_is_not_opened() {
    let (verifier, application) = (Verifier::silent(), Application::default());
    let layer =
        noticing(verifier.clone()).rule(Rule::post("/login", number())).policy(open()).in_flight(1).build().unwrap();
    let hanging = {
        let (layer, application) = (layer.clone(), application.clone());
        tokio::spawn(async move { send(&layer, &application, post_json("/login", crate::support::LOGIN)).await })
    };
    while verifier.calls() == 0 {
        tokio::task::yield_now().await;
    }
    let response = send(&layer, &application, post_json("/login", crate::support::LOGIN)).await;
    assert_eq!((response.status().as_u16(), denial(&response).reason()), (503, DenialReason::Overloaded));
    assert_eq!((verifier.calls(), application.runs()), (1, 0));
    hanging.abort();
}

#[tokio::test]
async fn a_malformed_or_missing_proof_and_a_large_body_are_not_opened() {
    let desk = Sandboxed::noticing(Rule::post("/login", number()).policy(open()).body_limit(1_000));
    desk.sandbox.fault(Fault::Refuse);
    let padded = |length: usize| {
        let empty = json!({"token": "sandbox-9000", "phone": PHONE, "pad": ""}).to_string().len();
        json!({"token": "sandbox-9000", "phone": PHONE, "pad": "x".repeat(length - empty)}).to_string()
    };
    for (body, status, code_) in [
        (padded(1_001), 413, "body_too_large"),
        (json!({"phone": PHONE}).to_string(), 400, "proof_missing"),
        (json!({"token": "t", "phone": "1"}).to_string(), 400, "proof_malformed"),
        ("{".to_owned(), 400, "body_malformed"),
        (padded(1_000), 200, ""),
    ] {
        let response = desk.send(post_json("/login", body.clone())).await;
        assert_eq!((response.status().as_u16(), code(&response).as_str()), (status, code_), "{body}");
    }
    assert_eq!(desk.application.runs(), 1);
}

#[tokio::test]
async fn one_outage_among_the_checks_makes_the_whole_unverified_and_spares_no_other_check() {
    let body = |captcha: &str, token: &str| json!({"captchaContent": captcha, "token": token, "phone": PHONE});
    for (refused_from, body, status) in [
        (0, body("sandbox-pass", "sandbox-9000"), 200),
        (1, body("sandbox-pass", "sandbox-9000"), 200),
        (0, body("sandbox-pass", "sandbox-9001"), 403),
        (1, body("sandbox-fail", "sandbox-9000"), 403),
    ] {
        let desk = Sandboxed::noticing(Rule::post("/login", captcha().then(number())).policy(open()));
        // A dial that fails is tried once more.
        desk.sandbox.fault_next(refused_from, &Fault::Delay(Duration::ZERO));
        desk.sandbox.fault_next(2, &Fault::Refuse);
        assert_eq!(desk.login(&body).await.status(), status, "{body}");
        assert_eq!(desk.application.runs(), usize::from(status == 200), "{body}");
        if status == 200 {
            assert!(!desk.decision().is_verified(), "{body}");
            assert!(verified(&desk.application).await.is_err(), "{body}");
        }
    }
}

#[tokio::test]
async fn an_outage_opens_no_risk_that_is_too_high() {
    let desk = Sandboxed::noticing(Rule::post("/login", captcha().then(number())).policy(open()));
    desk.sandbox.fault_next(2, &Fault::Refuse);
    let body = json!({"captchaContent": "sandbox-pass", "token": "sandbox-9000-risk-900", "phone": PHONE});
    assert_eq!(denial(&desk.login(&body).await).reason(), DenialReason::RiskTooHigh);
    assert_eq!(desk.application.runs(), 0);
}

#[tokio::test]
async fn a_verified_request_stays_verified_under_an_opening_policy() {
    let desk = Sandboxed::noticing(Rule::post("/login", number()).policy(open()));
    assert_eq!(desk.login(&json!({"token": "sandbox-9000", "phone": PHONE})).await.status(), 200);
    let decision: Decision = verified(&desk.application).await.unwrap().into_decision();
    assert!(decision.is_verified() && decision.passed(CheckKind::Number));
}
