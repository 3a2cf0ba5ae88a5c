//! The order of the guards: shape, spend, claim, breaker, place, check. A guard that refuses undoes the claim, and no later one has run.

use std::time::Duration;

use serde_json::json;
use tower_jverify::{
    Breaker, Class, ClientIp, DenialReason, Guards, JVerifyLayer, Question, Rate, Rule, Verdict, captcha, number,
};

use super::{MINUTE, PHONE, from, login, outcome};
use crate::{
    support::{Application, Verifier, post_json, send},
    telemetry::metrics::Recorded,
};

/// Never answers a captcha, and reports that the service is down for the token `down`.
fn verifier() -> Verifier {
    Verifier::answering(|check| match check.question() {
        Question::Captcha { .. } => None,
        Question::Number { token, .. } if token.expose() == "down" => {
            Some(Verdict::new(check.kind(), Class::Unavailable))
        }
        _ => Some(Verdict::new(check.kind(), Class::Passed)),
    })
}

#[tokio::test(start_paused = true)]
async fn the_first_guard_that_refuses_answers_and_leaves_the_later_ones_untouched() {
    let (verifier, application) = (verifier(), Application::default());
    let (layer, recorded) = Recorded::around(|| {
        let guards = Guards::builder().breaker(Breaker::new().consecutive(1)).per_client(Rate::new(1, MINUTE));
        let others = [Rule::post("/web", number().web()), Rule::post("/captcha", captcha())];
        let others = others.map(|rule| rule.client_ip(ClientIp::forwarded(1)));
        let layer = JVerifyLayer::builder(verifier.clone()).guards(&guards.build().unwrap()).in_flight(1);
        layer.rule(login()).rules(others).build().unwrap()
    });
    let send = async |path: &str, client: u32, token: &str, phone: &str| {
        let body = json!({"token": token, "phone": phone, "captchaContent": token}).to_string();
        let request = from(&format!("192.0.2.{client}"), post_json(path, body));
        outcome(&send(&layer, &application, request).await)
    };

    // A token is spent, the breaker of app numbers opens, and a captcha holds the only place.
    assert_eq!(send("/login", 1, "spent", PHONE).await, Ok(()));
    assert_eq!(send("/login", 2, "down", PHONE).await, Err(DenialReason::Verdict(Class::Unavailable)));
    let held = send("/captcha", 3, "held", PHONE);
    let refused = async {
        while verifier.calls() < 3 {
            tokio::task::yield_now().await;
        }
        // Each client sends one request that counts: the first one of client 4 did not.
        for (what, path, client, token, phone, reason) in [
            ("shape before spend", "/login", 4, "spent", "1", DenialReason::ProofMalformed),
            ("spend before claim", "/login", 1, "spent", PHONE, DenialReason::RateLimited),
            ("claim before breaker", "/login", 4, "spent", PHONE, DenialReason::Replayed),
            ("breaker before place", "/login", 5, "fresh", PHONE, DenialReason::BreakerOpen),
            ("place before check", "/web", 6, "fresh", PHONE, DenialReason::Overloaded),
            ("a replay has counted", "/login", 4, "another", PHONE, DenialReason::RateLimited),
        ] {
            assert_eq!(send(path, client, token, phone).await, Err(reason), "{what}");
        }
    };
    let (held, ()) = tokio::join!(held, refused);
    assert_eq!(held, Err(DenialReason::Verdict(Class::Unavailable)));
    assert_eq!((verifier.calls(), application.runs()), (3, 1));

    // What the breaker and the full bulkhead refused is not claimed.
    assert_eq!(send("/web", 7, "fresh", PHONE).await, Ok(()));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(send("/web", 8, "fresh", PHONE).await, Err(DenialReason::Replayed));
    let counted = recorded.counted();
    for (by, times) in [("replay", 2), ("spend", 2), ("breaker", 1), ("bulkhead", 1)] {
        assert_eq!(counted.get(&format!("jverify_saved_checks_total{{by={by}}}")), Some(&times), "{by}");
    }
}
