//! The limits of an account: its rate, and its budget of a day.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::advance;
use tower_jverify::{DenialReason, Guards, JVerifyLayer, Rate, Rule, StorePolicy, captcha, number};

use super::{Desk, LIMITED, phone, retry_after};
use crate::guards::{MINUTE, PHONE, login, outcome, reason};
use crate::{
    support::{Application, Verifier},
    telemetry::{Log, metrics::Recorded},
};

#[tokio::test(start_paused = true)]
async fn an_account_has_a_rate_for_all_clients_together() {
    let guards = Guards::builder().without_client_limits().per_account(Rate::new(2, MINUTE));
    let desk = Desk::new(guards, [login()]);
    for n in 0..2 {
        assert_eq!(desk.login(&format!("192.0.2.{n}"), &phone(n)).await, Ok(()));
    }
    let third = desk.send("/login", "192.0.2.9", &phone(9)).await;
    assert_eq!((third.status().as_u16(), reason(&third)), (503, DenialReason::AccountLimited));
    assert_eq!((retry_after(&third), desk.verifier.calls()), (1, 2));
    advance(Duration::from_secs(30)).await;
    assert_eq!(desk.login("192.0.2.9", &phone(9)).await, Ok(()));
}

#[tokio::test]
async fn a_client_that_is_over_its_rate_uses_up_nothing_of_the_accounts() {
    let guards = Guards::builder().per_client(Rate::new(1, MINUTE)).per_account(Rate::new(3, MINUTE)).daily_budget(3);
    let desk = Desk::new(guards, [login()]);
    assert_eq!(desk.login("192.0.2.1", &phone(0)).await, Ok(()));
    for n in 1..10 {
        assert_eq!(desk.login("192.0.2.1", &phone(n)).await, LIMITED);
    }
    for n in 0..2 {
        assert_eq!(desk.login(&format!("192.0.2.{}", 2 + n), &phone(20 + n)).await, Ok(()));
    }
}

/// How long it is until the next midnight in Shanghai.
fn until_midnight() -> Duration {
    let day = 24 * 60 * 60;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() + 8 * 60 * 60;
    Duration::from_secs(day - now % day)
}

#[tokio::test(start_paused = true)]
async fn a_daily_budget_ends_at_midnight_in_shanghai_and_the_log_has_its_marks_once() {
    let ((desk, log, _listening), recorded) = Recorded::around(|| {
        let guards = Guards::builder().daily_budget(10);
        let desk = Desk::new(guards, [login().name("login")]);
        let (log, listening) = Log::listen();
        (desk, log, listening)
    });
    advance(until_midnight().saturating_sub(MINUTE)).await;
    for n in 0..10 {
        assert_eq!(desk.login("192.0.2.1", &phone(n)).await, Ok(()), "{n}");
        // With the eighth.
        assert_eq!(log.text().contains("budget: four fifths"), n >= 7, "{n}");
    }
    for n in 10..15 {
        let refused = desk.send("/login", "192.0.2.1", &phone(n)).await;
        assert_eq!((refused.status().as_u16(), reason(&refused)), (503, DenialReason::Budget));
    }
    assert_eq!(desk.verifier.calls(), 10);
    let events = log.take_events();
    let of = |level: &str| events.iter().filter(|event| event.starts_with(level) && event.contains("budget: ")).count();
    assert_eq!((of("WARN"), of("ERROR")), (1, 1), "{events:#?}");
    let reasons = events.iter().filter(|event| event.contains("reason=\"budget\"")).count();
    assert_eq!(reasons, 5);
    let counted = recorded.counted();
    assert_eq!(counted.get("jverify_alarms_total{kind=budget}"), Some(&2));
    assert_eq!(counted.get("jverify_saved_checks_total{by=budget}"), Some(&5));
    advance(2 * MINUTE).await;
    assert_eq!(desk.login("192.0.2.1", &phone(20)).await, Ok(()));
}

#[tokio::test]
async fn a_budget_counts_what_is_billed() {
    let rules = [
        Rule::post("/captcha", captcha()),
        Rule::post("/both", captcha().then(number().with_risk())),
        Rule::post("/login", number()),
    ];
    let desk = Desk::new(Guards::builder().daily_budget(3), rules);
    for _ in 0..20 {
        assert_eq!(outcome(&desk.send("/captcha", "-", PHONE).await), Ok(()));
    }
    assert_eq!(outcome(&desk.send("/both", "-", PHONE).await), Ok(()), "a number and a risk query");
    assert_eq!(outcome(&desk.send("/both", "-", PHONE).await), Err(DenialReason::Budget), "one is left of the two");
    assert_eq!(outcome(&desk.send("/captcha", "-", PHONE).await), Ok(()), "is free");
}

#[tokio::test]
async fn accounts_have_separate_limits_and_layers_with_one_handle_share_them() {
    let guards = Guards::builder().build().unwrap();
    let verifier = Verifier::passing();
    let of = |account: &str| {
        let layer = JVerifyLayer::builder(verifier.clone()).guards(&guards).account(account).rule(login());
        let (layer, application) = (layer.build().unwrap(), Application::default());
        Desk { verifier: verifier.clone(), application, layer, next: 0.into() }
    };
    // Another token each time, over all of them.
    let (one, again, two) = (of("one"), of("one"), of("two"));
    again.next.store(100, std::sync::atomic::Ordering::Relaxed);
    for desk in [&one, &again, &one] {
        assert_eq!(desk.login("192.0.2.1", PHONE).await, Ok(()));
    }
    assert_eq!(again.login("192.0.2.1", PHONE).await, LIMITED);
    assert_eq!(two.login("192.0.2.1", PHONE).await, Ok(()));
    one.layer.reload(of("one").layer);
    assert_eq!(one.login("192.0.2.1", PHONE).await, LIMITED, "also after a reload");
}

#[tokio::test]
async fn what_cannot_be_counted_is_asked_or_refused_as_the_policy_says() {
    for (policy, expected) in [(StorePolicy::Local, Ok(())), (StorePolicy::Refuse, Err(DenialReason::StoreDown))] {
        let desk = Desk::new(Guards::builder().capacity(1).store_policy(policy).without_replay_guard(), [login()]);
        let mut last = Ok(());
        for n in 0..4 {
            last = desk.login(&format!("192.0.2.{n}"), &phone(n)).await;
        }
        assert_eq!(last, expected, "{policy:?}");
    }
}

#[tokio::test]
async fn a_request_through_two_services_of_one_layer_counts_once() {
    let desk = Desk::new(Guards::builder(), [login()]);
    let service = || tower::Layer::layer(&desk.layer, tower::Layer::layer(&desk.layer, desk.application.clone()));
    for _ in 0..3 {
        let request = desk.request("/login", "192.0.2.1", PHONE);
        assert_eq!(tower::ServiceExt::oneshot(service(), request).await.unwrap().status(), 200);
    }
    assert_eq!(desk.login("192.0.2.1", PHONE).await, LIMITED);
}

#[tokio::test]
async fn of_a_thousand_requests_at_once_a_budget_lets_as_many_through_as_it_has() {
    let desk = Arc::new(Desk::new(Guards::builder().daily_budget(100), [Rule::post("/login", number())]));
    let all = (0..1_000).map(|n| {
        let desk = Arc::clone(&desk);
        async move { desk.login("-", &phone(n)).await.is_ok() }
    });
    let passed = futures_util::future::join_all(all).await.into_iter().filter(|passed| *passed).count();
    assert_eq!((passed, desk.verifier.calls()), (100, 100));
}
