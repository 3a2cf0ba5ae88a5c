//! `JVerifyLayer::reload` replaces the rules between two requests.

mod lasting;
mod racing;
mod together;

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, routing::post};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use tokio::{sync::mpsc, task::JoinHandle};
use tower::{Layer, Service, ServiceExt};
use tower_jverify::{
    Action, Check, Class, ForeignBackend, JVerifyBuilder, JVerifyLayer, Level, Policy, Risk, Rule, Verdict, captcha,
    number,
};

use crate::support::{Application, Guarded, LOGIN, Verifier, asking, builder, login_layer, post_json, send};

const CAPTCHA: &str = r#"{"captchaContent":"c"}"#;

fn layer(verifier: &Verifier, rules: impl IntoIterator<Item = Rule>) -> JVerifyLayer<Verifier> {
    builder(verifier).rules(rules).build().unwrap()
}

async fn status(layer: &JVerifyLayer<Verifier>, request: Request<Full<Bytes>>) -> u16 {
    send(layer, &Application::default(), request).await.status().as_u16()
}

#[tokio::test]
async fn every_service_and_clone_has_the_new_rules_with_the_next_request() {
    let guarded = Guarded::login();
    let clone = guarded.layer.clone();
    let services = [guarded.service(), clone.layer(guarded.application.clone())];
    // Of a service that waits in a router and is cloned for every request, and of one that has been called.
    let used = guarded.service();
    used.clone().oneshot(post_json("/login", LOGIN)).await.unwrap();
    for n in 0..3 {
        let (to, from) = if n % 2 == 0 { ("/signin", "/login") } else { ("/login", "/signin") };
        clone.reload(layer(&guarded.verifier, [Rule::post(to, number())]));
        for service in services.iter().chain([&used, &guarded.service()]) {
            assert_eq!(service.clone().oneshot(post_json(to, "{}")).await.unwrap().status(), 400, "{n}: {to}");
            assert_eq!(service.clone().oneshot(post_json(from, "{}")).await.unwrap().status(), 200, "{n}: {from}");
        }
        guarded.verifies(post_json(to, LOGIN), to).await;
    }
}

#[tokio::test]
async fn a_router_under_the_layer_has_them_too() {
    let verifier = Verifier::passing();
    let mounted = layer(&verifier, [Rule::post("/login", number())]);
    let router = Router::new().route("/login", post(|| async { "in" })).route("/signin", post(|| async { "in" }));
    let app = mounted.around(router.layer(mounted.clone()));
    mounted.reload(layer(&verifier, [Rule::post("/signin", captcha())]));
    for (path, body, expected) in [("/signin", LOGIN, 400), ("/signin", CAPTCHA, 200), ("/login", "{}", 200)] {
        let request = post_json(path, body).map(axum::body::Body::new);
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), expected, "{path} {body}");
    }
    assert_eq!(verifier.calls(), 1, "mounted twice, it still asks once");
}

#[tokio::test]
async fn all_of_the_new_layer_counts_its_verifier_and_its_prefix_too() {
    let (old, new) = (Verifier::passing(), Verifier::passing());
    let guarded = Guarded::asking(old, login_layer);
    let next = builder(&new)
        .rule(Rule::post("/login", number()).forward_phone(true))
        .header_prefix("x-proof")
        .foreign_backend(ForeignBackend::any())
        .account("other");
    guarded.layer.reload(next.build().unwrap());
    let mut request = post_json("/login", LOGIN);
    request.headers_mut().insert("x-proof-phone", "13900000000".parse().unwrap());
    request.headers_mut().insert("x-original-url", "/admin".parse().unwrap());
    assert_eq!(guarded.send(request).await.status(), 200);
    assert_eq!(guarded.application.header("x-proof-phone").as_deref(), Some("13812345678"));
    assert!(!guarded.application.last().parts.headers.contains_key("x-original-url"));
    assert_eq!((guarded.verifier.calls(), new.calls()), (0, 1));
    assert_eq!(format!("{:?}", guarded.layer), "JVerifyLayer { accounts: {\"other\"}, .. }");

    let other = Request::put("/login").body(Full::default()).unwrap();
    assert_eq!(guarded.send(other).await.status(), StatusCode::METHOD_NOT_ALLOWED, "a foreign backend's");
}

/// A login whose body has not come yet, once it is being read.
fn started(
    layer: &JVerifyLayer<Verifier>,
    application: &Application,
) -> (mpsc::UnboundedSender<Bytes>, JoinHandle<u16>) {
    let (sender, mut receiver) = mpsc::unbounded_channel::<Bytes>();
    let frames = futures_util::stream::poll_fn(move |cx| {
        receiver.poll_recv(cx).map(|bytes| bytes.map(|bytes| Ok::<_, Infallible>(Frame::data(bytes))))
    });
    let request = post_json("/login", "").map(|_| StreamBody::new(frames));
    // `call` has run: the request has started.
    let answer = layer.layer(application.clone()).oneshot(request);
    let mut answer = Box::pin(answer);
    assert!(futures_util::FutureExt::now_or_never(&mut answer).is_none());
    (sender, tokio::spawn(async move { answer.await.unwrap().status().as_u16() }))
}

#[tokio::test]
async fn a_request_that_waits_for_its_body_keeps_the_old_rules() {
    let (old, new, application) = (Verifier::passing(), Verifier::passing(), Application::default());
    let reloaded = layer(&old, [Rule::post("/login", number())]);
    let (body, login) = started(&reloaded, &application);
    reloaded.reload(layer(&new, [Rule::post("/login", captcha())]));
    assert_eq!(status(&reloaded, post_json("/login", LOGIN)).await, 400, "the next one has the new rules");
    body.send(LOGIN.into()).unwrap();
    drop(body);
    assert_eq!(login.await.unwrap(), 200);
    assert_eq!((old.calls(), new.calls(), application.runs()), (1, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_for_jpush_is_judged_by_the_old_policy() {
    let risky = |check: &Check| Verdict::new(check.kind(), Class::Passed).with_risk(Risk::from_score(700, Vec::new()));
    let slow = tower::service_fn(move |check: Check| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok::<_, Infallible>(risky(&check))
    });
    let with = |policy| asking(slow).rule(Rule::post("/login", number()).policy(policy)).build().unwrap();
    let lenient = Policy::empty().band(0, Level::Low, Action::Allow);
    let strict = Policy::empty().band(0, Level::Low, Action::Allow).band(600, Level::High, Action::Deny);
    let layer = with(lenient);
    let service = layer.layer(Application::default());
    let login = tokio::spawn(service.clone().oneshot(post_json("/login", LOGIN)));
    tokio::time::sleep(Duration::from_millis(500)).await;
    layer.reload(with(strict));
    assert_eq!(login.await.unwrap().unwrap().status(), 200);
    assert_eq!(service.oneshot(post_json("/login", LOGIN)).await.unwrap().status(), 403);
}

#[tokio::test]
async fn an_old_verifier_is_dropped_with_the_last_request_that_uses_it() {
    let old = Verifier::passing();
    let reloaded = layer(&old, [Rule::post("/login", number())]);
    // It is never called itself, as the one that a router clones.
    let idle = reloaded.layer(Application::default());
    let (body, login) = started(&reloaded, &Application::default());
    let held = old.clones();
    reloaded.reload(layer(&Verifier::passing(), [Rule::post("/login", number())]));
    assert!(old.clones() > 1, "the request has it: {held}");
    body.send(LOGIN.into()).unwrap();
    drop(body);
    assert_eq!(login.await.unwrap(), 200);
    assert_eq!((old.calls(), old.clones()), (1, 1), "what is left is this test's");
    drop(idle);
}

#[tokio::test]
async fn between_two_services_of_one_layer_what_the_new_rule_asks_is_asked() {
    // The new rule asks the same, and its policy refuses what the old one lets through.
    let risky = |check: &Check| Some(Verdict::new(check.kind(), Class::Passed).with_risk(Risk::Unknown));
    let verifier = Verifier::answering(risky);
    let strict = Rule::post("/login", number()).policy(Policy::default().unknown_risk(Action::Deny));
    for (new, body, expected, calls) in [
        (Rule::post("/login", number()), LOGIN, 200, 2),
        (strict, LOGIN, 403, 2),
        (Rule::post("/login", captcha()), LOGIN, 400, 1),
    ] {
        let both = layer(&verifier, [Rule::post("/login", number())]);
        let (inner, reloaded, verifier) = (both.layer(Application::default()), both.clone(), verifier.clone());
        let before = verifier.calls();
        let next = layer(&verifier, [new]);
        let middle = tower::service_fn(move |request: Request<_>| {
            reloaded.reload(next.clone());
            inner.clone().oneshot(request)
        });
        let response = both.layer(middle).oneshot(post_json("/login", body)).await.unwrap();
        assert_eq!((response.status().as_u16(), verifier.calls() - before), (expected, calls));
    }
}

#[tokio::test]
async fn the_layer_that_was_given_is_not_changed_and_a_layer_can_be_given_itself() {
    let (guarded, other) = (Guarded::login(), Verifier::passing());
    let given = layer(&other, [Rule::post("/signin", number())]);
    guarded.layer.reload(given.clone());
    guarded.layer.reload(guarded.layer.clone());
    assert_eq!(guarded.send(post_json("/signin", LOGIN)).await.status(), 200);
    assert_eq!((guarded.layer.unused_rules(), given.unused_rules()), (vec![], vec!["POST /signin".to_owned()]));
    // It guards on, by what it was built with.
    guarded.layer.reload(layer(&other, [Rule::post("/other", number())]));
    assert_eq!(status(&given, post_json("/signin", "{}")).await, 400);
}

#[test]
fn what_cannot_be_built_is_refused_before_it_is_given() {
    let verifier = Verifier::passing();
    let refused: [fn(JVerifyBuilder<Verifier>) -> JVerifyBuilder<Verifier>; 2] =
        [|builder| builder, |builder| builder.rule(Rule::post("/login", number())).in_flight(0)];
    for set in refused {
        assert!(set(builder(&verifier)).build().is_err());
    }
}

/// A verifier whose clones panic while the flag is set.
struct Fragile(Arc<AtomicBool>, Verifier);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        assert!(!self.0.load(Ordering::SeqCst), "a clone that fails");
        Self(Arc::clone(&self.0), self.1.clone())
    }
}

impl Service<Check> for Fragile {
    type Response = Verdict;
    type Error = Infallible;
    type Future = <Verifier as Service<Check>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.1.poll_ready(cx)
    }

    fn call(&mut self, check: Check) -> Self::Future {
        self.1.call(check)
    }
}

#[tokio::test]
async fn a_reload_that_panics_leaves_the_old_rules_and_the_next_one_works() {
    let fails = Arc::new(AtomicBool::new(false));
    let built = |path| {
        let verifier = Fragile(Arc::clone(&fails), Verifier::passing());
        asking(verifier).rule(Rule::post(path, number())).build().unwrap()
    };
    let layer = built("/login");
    let status = async |path| send(&layer, &Application::default(), post_json(path, "{}")).await.status().as_u16();
    fails.store(true, Ordering::SeqCst);
    assert!(catch_unwind(AssertUnwindSafe(|| layer.reload(built("/signin")))).is_err());
    fails.store(false, Ordering::SeqCst);
    assert_eq!((status("/login").await, status("/signin").await), (400, 200));
    layer.reload(built("/signin"));
    assert_eq!((status("/login").await, status("/signin").await), (200, 400));
}
