//! A pass takes the place of a number check, and of nothing else.

use CheckKind::{Captcha, Number, Risk};
use http::{Request, header::CONTENT_TYPE};
use http_body_util::Full;
use serde_json::json;
use tower_jverify::{
    Action, CheckKind, ClientIp, DecisionReason, DenialReason, Field, Guards, JVerifyLayer, Level, Policy, Rate, Rule,
    captcha, number, one_tap,
};

use super::{
    Desk, MINUTE, OTHER, PHONE, captcha_content, denial_reason, issued, login, passes, solved, verifier, with_pass,
};
use crate::support::post_json;

#[tokio::test]
async fn a_risky_number_is_paid_for_once_and_its_captcha_later() {
    let desk = Desk::set(|builder| builder.passes(passes()).rule(Rule::post("/login", number().with_risk())));
    let pass = desk.earned().await;
    assert_eq!(desk.kinds(), [Number, Risk]);
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200);
    assert_eq!(desk.kinds(), [Number, Risk, Captcha]);
    let decision = desk.decision();
    assert_eq!((decision.action(), decision.reason()), (Action::Flag, DecisionReason::SteppedUp));
    assert!(decision.is_verified());
    assert_eq!((decision.score(), decision.level()), (Some(650), Some(Level::Elevated)));
    assert_eq!(decision.phone().unwrap().as_str(), PHONE);
}

#[tokio::test]
async fn the_application_reads_the_same_of_a_pass_and_a_captcha_as_of_a_token_and_a_captcha() {
    let desk = Desk::set(|builder| builder.passes(passes()).rule(login().forward_phone(true)));
    let fresh = json!({"token": "650 t", "phone": PHONE, "captchaContent": captcha_content()});
    assert_eq!(desk.login(&fresh).await.status(), 200);
    let headers = |desk: &Desk| {
        let seen = desk.application.last().parts.headers;
        let ours = seen.iter().filter(|(name, _)| name.as_str().starts_with("x-jverify"));
        let mut ours: Vec<_> = ours.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        ours.sort();
        ours
    };
    let of_token = headers(&desk);
    let pass = desk.earned().await;
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200);
    // The captcha has no id in both.
    assert_eq!(headers(&desk), of_token);
    assert!(of_token.contains(&"x-jverify-reason: stepped_up".to_owned()), "{of_token:?}");
    assert!(of_token.contains(&format!("x-jverify-phone: {PHONE}")), "{of_token:?}");
}

#[tokio::test]
async fn a_pass_works_once() {
    let desk = Desk::new();
    let pass = desk.earned().await;
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200);
    desk.refuses(&pass, &solved(), DenialReason::PassUsed, "again").await;
}

#[tokio::test]
async fn a_pass_that_is_sent_without_the_captcha_can_be_used_again() {
    let desk = Desk::new();
    let pass = desk.earned().await;
    for _ in 0..3 {
        let response = desk.by_pass(&pass, &json!({"phone": PHONE})).await;
        assert_eq!(denial_reason(&response), Some(DenialReason::CaptchaRequired));
        // The client has it.
        assert!(!response.headers().contains_key("x-jverify-pass"));
    }
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200);
    assert_eq!(desk.kinds(), [Number, Captcha]);
}

#[tokio::test]
async fn a_pass_is_spent_by_a_captcha_that_fails() {
    let desk = Desk::new();
    let pass = desk.earned().await;
    let wrong = json!({"phone": PHONE, "captchaContent": "wrong"});
    let response = desk.by_pass(&pass, &wrong).await;
    assert_eq!(denial_reason(&response), Some(DenialReason::Verdict(tower_jverify::Class::Rejected)));
    assert_eq!(desk.kinds(), [Number, Captcha]);
    desk.refuses(&pass, &solved(), DenialReason::PassUsed, "after a wrong captcha").await;
}

#[tokio::test]
async fn a_pass_next_to_a_token_is_not_used() {
    let desk = Desk::new();
    let pass = desk.earned().await;
    let both = json!({"token": "100 new", "phone": PHONE});
    assert_eq!(desk.by_pass(&pass, &both).await.status(), 200);
    assert_eq!(desk.kinds(), [Number, Number]);
    assert_eq!(desk.decision().reason(), DecisionReason::Verified);
    // Even one that is no pass.
    assert_eq!(desk.by_pass("nonsense", &json!({"token": "100 newer", "phone": PHONE})).await.status(), 200);
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200);
}

#[tokio::test]
async fn a_fresh_one_tap_login_is_used_in_place_of_the_pass() {
    let rule = Rule::post("/login", number().or(one_tap().phone(Field::body("/claimed")))).name("login");
    let desk = Desk::asking(
        crate::support::Verifier::answering(|check| {
            let verdict = tower_jverify::Verdict::new(check.kind(), tower_jverify::Class::Passed);
            let risk = tower_jverify::Risk::from_score(650, Vec::new());
            Some(match check.kind() {
                CheckKind::Number => verdict.with_risk(risk),
                CheckKind::OneTap => verdict.with_phone(OTHER.parse().unwrap()),
                _ => verdict,
            })
        }),
        |builder| builder.passes(passes()).rule(rule),
    );
    let pass = desk.earned().await;
    let both = json!({"loginToken": "l", "phone": PHONE});
    assert_eq!(desk.by_pass(&pass, &both).await.status(), 200);
    assert_eq!(desk.decision().phone().unwrap().as_str(), OTHER);
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200);
    assert_eq!(desk.decision().phone().unwrap().as_str(), PHONE);
}

#[tokio::test]
async fn the_current_policy_decides_on_a_pass() {
    let desk = Desk::new();
    for (policy, expected) in [
        // Tighter: the same score is refused.
        (Policy::default().band(600, Level::Elevated, Action::Deny), Err(DenialReason::RiskTooHigh)),
        (Policy::default().tag("F24004", Action::Deny), Err(DenialReason::RiskTooHigh)),
        // Looser: no captcha is asked for.
        (Policy::default().band(600, Level::Medium, Action::Flag), Ok(DecisionReason::Risk)),
    ] {
        let pass = desk.earned().await;
        let before = desk.verifier.calls();
        let new = JVerifyLayer::builder(desk.verifier.clone()).passes(passes()).rule(login().policy(policy));
        desk.layer.reload(new.build().unwrap());
        let response = desk.by_pass(&pass, &json!({"phone": PHONE})).await;
        match expected {
            Err(reason) => assert_eq!(denial_reason(&response), Some(reason)),
            Ok(reason) => {
                assert_eq!(response.status(), 200);
                assert_eq!(desk.decision().reason(), reason);
            }
        }
        assert_eq!(desk.verifier.calls(), before, "nothing is asked");
        desk.layer.reload(Desk::new().layer);
    }
}

#[tokio::test]
async fn a_rule_that_now_asks_for_a_risk_refuses_a_pass_without_a_risk() {
    let desk = Desk::new();
    let pass = desk.earned().await;
    let rule = Rule::post("/login", number().with_risk()).name("login");
    desk.layer.reload(JVerifyLayer::builder(verifier()).passes(passes()).rule(rule).build().unwrap());
    desk.refuses(&pass, &solved(), DenialReason::PassInvalid, "no risk").await;
}

#[tokio::test]
async fn an_unknown_risk_and_each_tag_are_carried() {
    for (token, policy) in [
        ("unknown", Policy::default().unknown_risk(Action::StepUp)),
        ("100 t", Policy::default().tag("F24004", Action::StepUp)),
    ] {
        let desk = Desk::set(|builder| builder.passes(passes()).rule(login().policy(policy)));
        let pass = issued(&desk.login(&json!({"token": token, "phone": PHONE})).await);
        let response = desk.by_pass(&pass, &json!({"phone": PHONE})).await;
        assert_eq!(denial_reason(&response), Some(DenialReason::CaptchaRequired), "{token}");
        assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200, "{token}");
        assert_eq!(desk.decision().reason(), DecisionReason::SteppedUp, "{token}");
    }
}

#[tokio::test]
async fn a_score_beyond_900_of_a_custom_verifier_is_an_unknown_risk_also_to_its_pass() {
    let custom = crate::support::Verifier::answering(|check| {
        let verdict = tower_jverify::Verdict::new(check.kind(), tower_jverify::Class::Passed);
        let risk = tower_jverify::Risk::from_score(901, vec!["F1".into()]);
        Some(if check.kind() == Number { verdict.with_risk(risk) } else { verdict })
    });
    let policy = Policy::default().unknown_risk(Action::StepUp);
    let desk = Desk::asking(custom, |builder| builder.passes(passes()).rule(login().policy(policy)));
    let pass = issued(&desk.login(&json!({"token": "t", "phone": PHONE})).await);
    let response = desk.by_pass(&pass, &json!({"phone": PHONE})).await;
    assert_eq!(denial_reason(&response), Some(DenialReason::CaptchaRequired));
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200);
    assert_eq!((desk.decision().score(), desk.decision().level()), (None, Some(Level::Unknown)));
}

#[tokio::test]
async fn a_pass_proves_a_number_where_a_captcha_is_asked_for_as_well() {
    let rules = || {
        [
            Rule::post("/login", captcha().or(number())).name("login"),
            Rule::post("/register", captcha().then(number())).name("register"),
        ]
    };
    let desk = Desk::set(|builder| builder.passes(passes()).retry_pass([401]).rules(rules()));
    // Either of the two: both are asked about.
    let pass = desk.earned().await;
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200);
    assert_eq!(desk.kinds(), [Number, Captcha]);
    // One after the other: the captcha is asked about again, and costs nothing.
    desk.answers(401);
    let body = json!({"token": "100 r", "phone": PHONE, "captchaContent": captcha_content()});
    let response = desk.send(post_json("/register", body.to_string())).await;
    let pass = response.headers()["x-jverify-pass"].to_str().unwrap().to_owned();
    let alone = desk.send(with_pass(&pass, post_json("/register", json!({"phone": PHONE}).to_string()))).await;
    assert_eq!(denial_reason(&alone), Some(DenialReason::ProofMissing));
    desk.answers(200);
    let again = desk.send(with_pass(&pass, post_json("/register", solved().to_string()))).await;
    assert_eq!(again.status(), 200);
    assert_eq!(desk.kinds(), [Number, Captcha, Captcha, Number, Captcha]);
    assert!(desk.decision().passed(Number) && desk.decision().passed(Captcha));
}

#[tokio::test]
async fn the_proven_phone_is_pinned_after_a_pass_too() {
    let rule = login().pin_phone(true).phone_grammar(tower_jverify::PhoneGrammar::lenient());
    let desk = Desk::set(|builder| builder.passes(passes()).rule(rule));
    let pass = desk.earned().await;
    let body = json!({"phone": format!("+86 {PHONE}"), "captchaContent": captcha_content()});
    assert_eq!(desk.by_pass(&pass, &body).await.status(), 200);
    let seen = desk.application.last().body.unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&seen).unwrap()["phone"], PHONE);
}

#[tokio::test]
async fn a_pass_in_the_body_is_a_guarded_field() {
    let desk = Desk::set(|builder| {
        builder
            .passes(passes())
            .pass_field(Field::body("/pass"))
            .rule(login())
            .foreign_backend(tower_jverify::ForeignBackend::any())
    });
    let pass = desk.earned().await;
    let body = json!({"phone": PHONE, "captchaContent": captcha_content(), "pass": pass});
    for (text, what) in [
        (body.to_string().replacen("\"pass\"", "\"Pass\"", 1), "another spelling"),
        (body.to_string().replacen('{', &format!("{{\"pass\":\"{pass}\","), 1), "twice"),
    ] {
        let response = desk.send(post_json("/login", text)).await;
        assert_eq!(denial_reason(&response), Some(DenialReason::ProofMalformed), "{what}");
    }
    let in_two = desk.by_pass(&pass, &body).await;
    assert_eq!(denial_reason(&in_two), Some(DenialReason::ProofMalformed));
    // A header alone is no pass of this rule.
    let in_header = desk.by_pass(&pass, &solved()).await;
    assert_eq!(denial_reason(&in_header), Some(DenialReason::ProofMissing));
    assert_eq!(desk.login(&body).await.status(), 200);
    assert_eq!(desk.login(&body).await.status(), 403);
    assert_eq!(desk.kinds(), [Number, Captcha]);
}

#[tokio::test]
async fn a_pass_of_one_tenant_is_refused_for_another_tenant() {
    let rule = Rule::post("/v1/{tenant}/login", number()).name("login");
    let desk = Desk::set(|builder| builder.passes(passes()).rule(rule));
    let at = |tenant: &str, body: serde_json::Value| post_json(&format!("/v1/{tenant}/login"), body.to_string());
    let pass = issued(&desk.send(at("acme", json!({"token": "650 t", "phone": PHONE}))).await);
    let elsewhere = desk.send(with_pass(&pass, at("other", solved()))).await;
    assert_eq!(denial_reason(&elsewhere), Some(DenialReason::PassInvalid));
    assert_eq!(desk.send(with_pass(&pass, at("acme", solved()))).await.status(), 200);
}

#[tokio::test]
async fn a_pass_costs_nothing_of_a_budget_and_counts_as_a_request() {
    let rate = Rate::new(3, 10 * MINUTE);
    let guards = Guards::builder().daily_budget(1).per_client(rate).build().unwrap();
    let rule = login().client_ip(ClientIp::forwarded(1));
    let desk = Desk::set(|builder| builder.guards(&guards).passes(passes()).rule(rule));
    let from = |mut request: Request<Full<bytes::Bytes>>| {
        request.headers_mut().insert("x-forwarded-for", "192.0.2.1".parse().unwrap());
        request
    };
    let first = post_json("/login", json!({"token": "650 t", "phone": PHONE}).to_string());
    let pass = issued(&desk.send(from(first)).await);
    let again = || from(with_pass(&pass, post_json("/login", json!({"phone": PHONE}).to_string())));
    assert_eq!(denial_reason(&desk.send(again()).await), Some(DenialReason::CaptchaRequired));
    assert_eq!(denial_reason(&desk.send(again()).await), Some(DenialReason::CaptchaRequired));
    assert_eq!(denial_reason(&desk.send(again()).await), Some(DenialReason::RateLimited));
}

#[tokio::test]
async fn a_layer_that_is_mounted_twice_uses_a_pass_once() {
    let desk = Desk::new();
    let pass = desk.earned().await;
    let inner = tower::Layer::layer(&desk.layer, desk.application.clone());
    let between = tower::service_fn(move |request: http::Request<tower_jverify::RequestBody<Full<bytes::Bytes>>>| {
        tower::ServiceExt::oneshot(inner.clone(), request)
    });
    let service = tower::Layer::layer(&desk.layer, between);
    let request = with_pass(&pass, post_json("/login", solved().to_string()));
    assert!(request.headers().contains_key(CONTENT_TYPE));
    let response = tower::ServiceExt::oneshot(service, request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!((desk.kinds(), desk.application.runs()), (vec![Number, Captcha], 1));
    assert_eq!(desk.application.header("x-jverify-pass"), None);
}

#[tokio::test]
async fn a_check_on_demand_has_a_pass_in_its_denial() {
    let desk = Desk::set(|builder| builder.passes(passes()).retry_pass([401]).rule(login().on_demand()));
    let verdicts = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let send = |request| {
        let verdicts = std::sync::Arc::clone(&verdicts);
        let application = tower::service_fn(move |request: Request<tower_jverify::RequestBody<Full<bytes::Bytes>>>| {
            let verdicts = std::sync::Arc::clone(&verdicts);
            async move {
                let prove = request.extensions().get::<tower_jverify::Prove>().cloned().unwrap();
                let answer = prove.now().await;
                verdicts.lock().unwrap().push(answer.is_ok());
                Ok::<_, std::convert::Infallible>(match answer {
                    Ok(_) => http::Response::new(bytes::Bytes::new()).map(Full::new),
                    Err(denial) => http::Response::<bytes::Bytes>::from(denial).map(Full::new),
                })
            }
        });
        tower::ServiceExt::oneshot(tower::Layer::layer(&desk.layer, application), request)
    };
    let response = send(post_json("/login", json!({"token": "650 t", "phone": PHONE}).to_string())).await.unwrap();
    let pass = response.headers()["x-jverify-pass"].to_str().unwrap().to_owned();
    let response = send(with_pass(&pass, post_json("/login", solved().to_string()))).await.unwrap();
    assert_eq!((response.status().as_u16(), &*verdicts.lock().unwrap()), (200, &vec![false, true]));
    assert_eq!(desk.kinds(), [Number, Captcha]);
}
