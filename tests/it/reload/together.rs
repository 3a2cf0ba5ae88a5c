//! Reload, `on_demand`, `guard_unless`, `Rule::verifier` and a layer mounted twice, all at once, over real sockets.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Extension, Router,
    extract::Request,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::post,
};
use tokio::time::timeout;
use tower_jverify::{Class, Decision, JVerifyLayer, Prove, Rule, Verified, number};

use super::layer;
use crate::support::{LOGIN, Verifier, exchange, serve};

/// A login, with an `x-jverify-*` header that the client has forged.
fn login() -> String {
    let head = "POST /login HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json";
    format!("{head}\r\nx-jverify-decision: allow\r\ncontent-length: {}\r\n\r\n{LOGIN}", LOGIN.len())
}

fn rule() -> Rule {
    Rule::post("/login", number())
}

/// Says what the application knows before and after it has asked.
async fn told(request: Request) -> Response {
    let words: Vec<_> = request.headers().get_all("x-jverify-decision").iter().cloned().collect();
    let before = request.extensions().get::<Decision>().is_some_and(Decision::is_verified);
    let Some(prove) = request.extensions().get::<Prove>().cloned() else {
        return format!("{words:?} verified={before}").into_response();
    };
    let again = prove.clone();
    match tokio::join!(prove.now(), again.now()) {
        (Ok(one), Ok(_)) => format!("{words:?} verified={before} then {}", one.verdicts().len()).into_response(),
        (Err(denial), _) | (_, Err(denial)) => denial.into_response(),
    }
}

/// A layer around a router that has it as well, with a middleware in between that reloads it once.
async fn twice_with_reload(mounted: &JVerifyLayer<Verifier>, next: JVerifyLayer<Verifier>) -> std::net::SocketAddr {
    let (reloaded, once) = (mounted.clone(), Arc::new(AtomicBool::new(false)));
    let between = middleware::from_fn(move |request: Request, inner: Next| {
        if !once.swap(true, Ordering::SeqCst) {
            reloaded.reload(next.clone());
        }
        inner.run(request)
    });
    let router = Router::new().route("/login", post(told)).layer(mounted.clone()).layer(between);
    serve(tower::Layer::layer(mounted, router)).await
}

async fn drains(layer: &JVerifyLayer<Verifier>) {
    timeout(Duration::from_secs(20), layer.drained()).await.expect("nothing is left in flight");
}

#[tokio::test]
async fn a_reload_between_two_services_verifies_nothing_that_was_not_asked() {
    let [layers, own, news] = [(); 3].map(|()| Verifier::passing());
    // The rules before and after, what the application sees at the first request, and the checks at the rule's verifier and at the new one.
    let old = || rule().on_demand().verifier(own.clone());
    for (new, expected, asked) in [
        (rule().on_demand(), "[\"not-asked\"] verified=false then 2", [1, 1]),
        (rule(), "[\"not-asked\"] verified=false then 2", [1, 1]),
        (rule().guard_unless(|_| true), "[\"not-asked\"] verified=false then 1", [1, 0]),
        (rule().guard_unless(|_| panic!("a closure of the user's")), "[\"not-asked\"] verified=false then 2", [1, 1]),
        (Rule::post("/elsewhere", number()), "[\"not-asked\"] verified=false then 1", [1, 0]),
    ] {
        let before = [own.calls(), news.calls()];
        let mounted = layer(&layers, [old()]);
        let address = twice_with_reload(&mounted, layer(&news, [new])).await;
        let answer = exchange(address, login()).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(expected), "{expected}: {answer}");
        assert_eq!([own.calls() - before[0], news.calls() - before[1], layers.calls()], [asked[0], asked[1], 0]);
        drains(&mounted).await;
    }
}

#[tokio::test]
async fn from_an_enforcing_rule_to_others_a_request_is_verified_by_what_was_paid_for() {
    let [olds, news] = [(); 2].map(|()| Verifier::passing());
    for (new, expected, asked) in [
        (rule(), "[\"allow\"] verified=true", 1),
        (rule().on_demand(), "[\"not-asked\"] verified=false then 2", 1),
        (rule().guard_unless(|_| true), "[\"allow\"] verified=true", 0),
    ] {
        let before = [olds.calls(), news.calls()];
        let mounted = layer(&olds, [rule()]);
        let address = twice_with_reload(&mounted, layer(&news, [new])).await;
        let answer = exchange(address, login()).await;
        assert!(answer.contains(expected), "{expected}: {answer}");
        assert_eq!([olds.calls() - before[0], news.calls() - before[1]], [1, asked]);
        // The second request has the new rules in both services: it is asked once, or not at all.
        let before = [olds.calls(), news.calls()];
        exchange(address, login()).await;
        assert_eq!([olds.calls() - before[0], news.calls() - before[1]], [0, asked], "{expected}");
        drains(&mounted).await;
    }
}

#[tokio::test]
async fn a_prove_that_is_kept_over_a_reload_asks_once_by_the_old_rule_and_gives_its_place_back() {
    let [olds, news] = [(); 2].map(|()| Verifier::passing());
    let kept = Arc::new(Mutex::new(None));
    let keeps = Arc::clone(&kept);
    let keep = move |Extension(prove): Extension<Prove>| {
        *keeps.lock().unwrap() = Some(prove);
        async { "kept" }
    };
    let mounted = layer(&olds, [rule().on_demand().in_flight(1)]);
    let address = serve(tower::Layer::layer(&mounted, Router::new().route("/login", post(keep)))).await;
    assert!(exchange(address, login()).await.ends_with("kept"));
    mounted.reload(layer(&news, [rule().in_flight(1)]));
    let prove: Prove = kept.lock().unwrap().take().unwrap();
    let clones: Vec<Prove> = (0..4).map(|_| prove.clone()).collect();
    for answer in futures_util::future::join_all(clones.iter().map(Prove::now)).await {
        assert_eq!(answer.unwrap().verdicts().len(), 1);
    }
    assert_eq!((olds.calls(), news.calls()), (1, 0));
    drains(&mounted).await;
    // Its one place is free for the new rule, whose handler finds no `Prove`.
    let answer = exchange(address, login()).await;
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    assert_eq!((olds.calls(), news.calls()), (1, 1));
}

#[tokio::test]
async fn extensions_of_one_request_verify_no_other_one() {
    // A faulty middleware that hands the first request's extensions to the second one.
    let (verifier, kept) = (Verifier::passing(), Arc::new(Mutex::new(None::<(Option<Decision>, Option<Prove>)>)));
    let mounted = layer(&verifier, [rule().on_demand()]);
    let keeps = Arc::clone(&kept);
    let handler = move |request: Request| {
        let of = request.extensions();
        *keeps.lock().unwrap() = Some((of.get().cloned(), of.get().cloned()));
        told(request)
    };
    let inner = Router::new().route("/login", post(handler)).layer(mounted.clone());
    let between = middleware::from_fn(move |mut request: Request, next: Next| {
        if let Some((decision, prove)) = kept.lock().unwrap().take() {
            request.extensions_mut().insert(decision.unwrap());
            request.extensions_mut().insert(prove.unwrap());
        }
        next.run(request)
    });
    let address = serve(inner.layer(between)).await;
    assert!(exchange(address, login()).await.contains("then 1"));
    let other = login().replace("13812345678", "13912345678");
    let answer = exchange(address, other).await;
    assert!(answer.contains("[\"not-asked\"] verified=false then 2"), "{answer}");
    assert_eq!(verifier.calls(), 2, "the second phone is asked about as well");
    drains(&mounted).await;
}

#[tokio::test]
async fn a_handler_that_takes_verified_does_not_run_where_a_new_rule_is_on_demand() {
    let (verifier, refusing) = (Verifier::passing(), Verifier::of_class(Class::Rejected));
    let handler = |verified: Verified| async move { format!("in: {}", verified.verdicts().len()) };
    let mounted = layer(&verifier, [rule()]);
    let address = serve(tower::Layer::layer(&mounted, Router::new().route("/login", post(handler)))).await;
    assert!(exchange(address, login()).await.ends_with("in: 1"));
    mounted.reload(layer(&verifier, [rule().on_demand()]));
    assert!(exchange(address, login()).await.starts_with("HTTP/1.1 500"));
    mounted.reload(layer(&verifier, [rule().guard_unless(|_| true)]));
    assert!(exchange(address, login()).await.starts_with("HTTP/1.1 500"));
    mounted.reload(layer(&verifier, [rule().verifier(refusing.clone())]));
    assert!(exchange(address, login()).await.starts_with("HTTP/1.1 403"));
    assert_eq!((verifier.calls(), refusing.calls()), (1, 1));
    drains(&mounted).await;
}
