//! What opens a breaker, what does not, and what is answered while it is open.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::advance;
use tower_jverify::{
    Breaker, BreakerState, CallError, Check, CheckKind, Class, ClientIp, DenialReason, Fallback, Guards, JVerifyLayer,
    Policy, Question, Rule, Sandbox, Verdict, captcha, number, sandbox::Fault,
};

use crate::guards::{NeverReady, PHONE, reason};
use crate::support::{Application, Sandboxed, builder, denial, jpush, post_json, send};

/// A sandbox that is asked with another proof each time.
struct Desk {
    desk: Sandboxed,
    next: AtomicUsize,
}

impl Desk {
    fn new(rule: Rule) -> Self {
        Self { desk: Sandboxed::new(rule), next: AtomicUsize::new(0) }
    }

    fn body(&self) -> Value {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        json!({"token": format!("sandbox-9000#{next}"), "phone": PHONE, "captchaContent": format!("sandbox-pass#{next}")})
    }

    async fn login(&self) -> http::Response<bytes::Bytes> {
        self.desk.login(&self.body()).await
    }

    /// From one of four addresses in turn.
    async fn login_from(&self, client: usize) -> http::Response<bytes::Bytes> {
        let mut request = post_json("/login", self.body().to_string());
        let address = format!("192.0.2.{client}").parse().unwrap();
        request.headers_mut().insert("x-forwarded-for", address);
        self.desk.send(request).await
    }

    /// How many times the verifier was asked since the last time.
    fn asked(&self) -> usize {
        self.desk.asked().len()
    }
}

#[tokio::test(start_paused = true)]
async fn after_ten_timeouts_of_four_clients_the_eleventh_is_answered_at_once_and_nothing_is_asked() {
    let desk = Desk::new(Rule::post("/login", number()).client_ip(ClientIp::forwarded(1)));
    desk.desk.sandbox.fault(Fault::Hang);
    for n in 0..10 {
        let response = desk.login_from(n % 4).await;
        assert_eq!(reason(&response), DenialReason::Verdict(Class::Unavailable));
    }
    assert_eq!(desk.asked(), 10);
    let response = desk.login_from(9).await;
    assert_eq!((response.status().as_u16(), reason(&response)), (503, DenialReason::BreakerOpen));
    let seconds: u32 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=13).contains(&seconds), "{seconds}");
    assert_eq!(denial(&response).verdicts()[0].class(), Class::Unavailable);
    assert_eq!(desk.asked(), 0);

    // One probe decides.
    desk.desk.sandbox.fault(None);
    advance(Duration::from_secs(13)).await;
    assert_eq!((desk.login().await.status().as_u16(), desk.asked()), (200, 1));
    assert_eq!((desk.login().await.status().as_u16(), desk.asked()), (200, 1));
}

#[tokio::test(start_paused = true)]
async fn one_client_or_one_proof_opens_nothing() {
    let guards = Guards::builder().without_client_limits().build().unwrap();
    let rule = Rule::post("/login", number()).client_ip(ClientIp::forwarded(1));
    let desk = Desk { desk: Sandboxed::set(|layer| layer.guards(&guards).rule(rule)), next: AtomicUsize::new(0) };
    desk.desk.sandbox.fault(Fault::Hang);
    for _ in 0..40 {
        assert_eq!(reason(&desk.login_from(1).await), DenialReason::Verdict(Class::Unavailable));
    }
    assert_eq!(desk.asked(), 40);

    let desk = Desk::new(Rule::post("/login", number()));
    desk.desk.sandbox.fault(Fault::Refuse);
    let body = desk.body();
    for _ in 0..40 {
        assert_eq!(reason(&desk.desk.login(&body).await), DenialReason::Verdict(Class::Unavailable));
    }
}

#[tokio::test]
async fn a_definite_no_comes_from_a_healthy_service() {
    let desk = Desk::new(Rule::post("/login", number()));
    for code in [9001, 9003] {
        for n in 0..100 {
            let body = json!({"token": format!("sandbox-{code}#{n}"), "phone": PHONE});
            assert_eq!(desk.desk.login(&body).await.status(), 403);
        }
    }
    assert_eq!(desk.asked(), 200);
}

#[tokio::test]
async fn the_service_that_says_that_it_has_trouble_is_down() {
    for proof in ["sandbox-2000", "sandbox-9099", "sandbox-reset-9000", "sandbox-status-502-9000"] {
        let desk = Desk::new(Rule::post("/login", number()));
        for n in 0..10 {
            let response = desk.desk.login(&json!({"token": format!("{proof}#{n}"), "phone": PHONE})).await;
            assert_eq!(response.status(), 503, "{proof}");
        }
        assert_eq!((reason(&desk.login().await), desk.asked()), (DenialReason::BreakerOpen, 10), "{proof}");
    }
}

#[tokio::test]
async fn only_the_endpoint_that_is_down_is_not_asked() {
    let guards = Guards::builder().breaker(Breaker::new().consecutive(1)).build().unwrap();
    let rules = [Rule::post("/login", number()), Rule::post("/register", captcha())];
    let sandbox = Sandbox::new();
    let layer = JVerifyLayer::builder(jpush(&sandbox)).guards(&guards).rules(rules).build().unwrap();
    let application = Application::default();
    let send = async |path: &str, body: Value| send(&layer, &application, post_json(path, body.to_string())).await;
    let dead = send("/register", json!({"captchaContent": "sandbox-reset-pass"})).await;
    assert_eq!(dead.status(), 503);
    assert_eq!(reason(&send("/register", json!({"captchaContent": "sandbox-pass"})).await), DenialReason::BreakerOpen);
    assert_eq!(send("/login", json!({"token": "sandbox-9000", "phone": PHONE})).await.status(), 200);
    let open: Vec<_> =
        guards.snapshot().breakers().filter(|breaker| breaker.is_open()).map(BreakerState::endpoint).collect();
    assert_eq!(open, ["captcha"]);
}

#[tokio::test]
async fn a_policy_opens_only_while_the_breaker_is_open_and_never_for_answers_that_cannot_be_read() {
    let open = || Rule::post("/login", number()).policy(Policy::default().on(Class::Unavailable, Fallback::Open));
    let desk = Desk::new(open());
    desk.desk.sandbox.fault(Fault::Refuse);
    for _ in 0..9 {
        assert_eq!((desk.login().await.status().as_u16(), desk.desk.application.runs()), (503, 0));
    }
    for _ in 0..3 {
        assert_eq!(desk.login().await.status(), 200);
        assert_eq!(desk.desk.application.header("x-jverify-decision").as_deref(), Some("unverified"));
    }

    let desk = Desk::new(open());
    desk.desk.sandbox.fault(Fault::Html);
    for _ in 0..20 {
        assert_eq!((desk.login().await.status().as_u16(), desk.desk.application.runs()), (503, 0));
    }
    let refused = desk.login().await;
    assert_eq!((reason(&refused), desk.asked()), (DenialReason::BreakerOpen, 10));
    assert_eq!(denial(&refused).verdicts()[0].class(), Class::Unreadable);
}

#[tokio::test]
async fn what_a_breaker_refuses_gives_its_proof_back() {
    let guards = Guards::builder().breaker(Breaker::new().consecutive(1)).build().unwrap();
    let sandbox = Sandbox::new();
    let layer = JVerifyLayer::builder(jpush(&sandbox)).guards(&guards).rule(Rule::post("/login", number()));
    let (layer, application) = (layer.build().unwrap(), Application::default());
    let login = async |token: &str| {
        send(&layer, &application, post_json("/login", json!({"token": token, "phone": PHONE}).to_string())).await
    };
    assert_eq!(login("sandbox-reset-9000").await.status(), 503);
    for _ in 0..2 {
        assert_eq!(reason(&login("sandbox-once-9000").await), DenialReason::BreakerOpen, "and not replayed");
    }
}

/// Checks that are not sent must not close a breaker: a client could keep it closed with them during an outage.
#[tokio::test]
async fn what_is_refused_here_opens_no_breaker_and_keeps_none_closed() {
    type Answer = fn() -> Result<Verdict, CallError>;
    let answers: [(&str, Answer); 4] = [
        ("malformed", || Ok(Verdict::new(CheckKind::Number, Class::Invalid))),
        ("overloaded", || Err(CallError::overloaded())),
        ("not ready", || Err(CallError::not_ready())),
        ("exhausted", || Err(CallError::no_connection("tcp").with_source(std::io::Error::from_raw_os_error(24)))),
    ];
    for (what, refused_here) in answers {
        let verifier = tower::service_fn(move |check: Check| async move {
            match check.question() {
                Question::Number { token, .. } if token.expose().starts_with("fails") => {
                    Err(CallError::broken("reset"))
                }
                _ => refused_here(),
            }
        });
        let (guards, application) = (Guards::new(), Application::default());
        let layer = JVerifyLayer::builder(verifier).guards(&guards).rule(Rule::post("/login", number()));
        let layer = layer.build().unwrap();
        let login = async |word: &str, times: std::ops::Range<u32>| {
            for n in times {
                let body = json!({"token": format!("{word} {n}"), "phone": PHONE}).to_string();
                assert_ne!(send(&layer, &application, post_json("/login", body)).await.status(), 200, "{what}");
            }
            guards.snapshot().breakers().any(BreakerState::is_open)
        };
        assert!(!login("fails", 0..9).await, "{what}");
        assert!(!login(what, 0..30).await, "{what}");
        assert!(login("fails", 9..10).await, "{what}: the tenth failure in a row");
    }
    // A proof that the client of JPush refuses to send.
    let desk = Desk::new(Rule::post("/login", number()));
    for n in 0..10 {
        let failing = json!({"token": format!("sandbox-reset-9000#{n}"), "phone": PHONE});
        assert_eq!(reason(&desk.desk.login(&failing).await), DenialReason::Verdict(Class::Unavailable));
        let malformed = json!({"token": format!("a/../{n}"), "phone": PHONE});
        let expected = if n < 9 { DenialReason::Verdict(Class::Invalid) } else { DenialReason::BreakerOpen };
        assert_eq!(reason(&desk.desk.login(&malformed).await), expected, "{n}");
    }
}

#[tokio::test]
async fn a_full_bulkhead_counts_as_nothing() {
    let verifier = crate::support::Verifier::answering(|_| None);
    let guards = Guards::builder().breaker(Breaker::new().consecutive(1)).build().unwrap();
    let layer = builder(&verifier).guards(&guards).rule(Rule::post("/login", number())).in_flight(1).build().unwrap();
    let application = Arc::new(Application::default());
    let body = |n: u32| json!({"token": format!("t{n}"), "phone": PHONE}).to_string();
    let (first, application_of_first) = (layer.clone(), Arc::clone(&application));
    let holding = tokio::spawn(async move { send(&first, &application_of_first, post_json("/login", body(0))).await });
    tokio::task::yield_now().await;
    for n in 1..5 {
        assert_eq!(reason(&send(&layer, &application, post_json("/login", body(n))).await), DenialReason::Overloaded);
    }
    holding.abort();
    assert!(guards.snapshot().breakers().all(|breaker| !breaker.is_open()));
    assert_eq!(verifier.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_verifier_that_is_never_ready_is_a_limit_here_and_no_outage() {
    let guards = Guards::new();
    let never = JVerifyLayer::builder(NeverReady).guards(&guards).rule(Rule::post("/login", number())).build().unwrap();
    let application = Application::default();
    for n in 0..20 {
        let body = json!({"token": format!("t{n}"), "phone": PHONE}).to_string();
        assert_eq!(send(&never, &application, post_json("/login", body)).await.status(), 503);
    }
    assert!(guards.snapshot().breakers().all(|breaker| !breaker.is_open()));
}

#[tokio::test(start_paused = true)]
async fn no_captcha_is_paid_for_while_the_number_that_follows_is_not_asked() {
    let guards = Guards::builder().breaker(Breaker::new().consecutive(1)).build().unwrap();
    let sandbox = Sandbox::new();
    let rules = [Rule::post("/login", number()), Rule::post("/both", captcha().then(number()))];
    let layer = JVerifyLayer::builder(jpush(&sandbox)).guards(&guards).rules(rules).build().unwrap();
    let application = Application::default();
    let send = async |path: &str, body: Value| send(&layer, &application, post_json(path, body.to_string())).await;
    send("/login", json!({"token": "sandbox-reset-9000", "phone": PHONE})).await;
    assert_eq!(sandbox.take_calls().len(), 1);
    let both = json!({"captchaContent": "sandbox-once-pass", "token": "sandbox-9000", "phone": PHONE});
    for _ in 0..2 {
        assert_eq!(reason(&send("/both", both.clone()).await), DenialReason::BreakerOpen, "and not replayed");
    }
    assert!(sandbox.take_calls().is_empty());

    // Nor while the probe runs.
    advance(Duration::from_secs(13)).await;
    let probe = send("/login", json!({"token": "sandbox-delay-2000-9000", "phone": PHONE}));
    assert!(tokio::time::timeout(Duration::from_millis(50), probe).await.is_err());
    assert_eq!(sandbox.take_calls().len(), 1);
    assert_eq!(reason(&send("/both", both).await), DenialReason::BreakerOpen);
    assert!(sandbox.take_calls().is_empty());
}
