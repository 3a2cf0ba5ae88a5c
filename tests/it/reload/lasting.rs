//! What survives a reload: checks in flight, held bodies, marks, and counters.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower::{Layer, Service};
use tower_jverify::{Class, ClientIp, DenialReason, Guards, JVerifyBuilder, JVerifyLayer, Rule, number};

use super::{layer, started, status};
use crate::support::{Application, LOGIN, Verifier, builder, denial, following, post_json, send};

type Set = fn(JVerifyBuilder<Verifier>) -> JVerifyBuilder<Verifier>;

/// Makes a builder, of a layer or of one that takes its place.
type Begin = fn(&Verifier) -> JVerifyBuilder<Verifier>;

/// A login whose client leaves during its check.
async fn leaves(layer: &JVerifyLayer<Verifier>, verifier: &Verifier, request: Request<Full<Bytes>>) {
    let (before, layer) = (verifier.calls(), layer.clone());
    let login = tokio::spawn(async move { drop(send(&layer, &Application::default(), request).await) });
    while verifier.calls() == before {
        tokio::task::yield_now().await;
    }
    login.abort();
    assert!(login.await.is_err_and(|error| error.is_cancelled()));
}

async fn is_overloaded(layer: &JVerifyLayer<Verifier>, request: Request<Full<Bytes>>) -> bool {
    let response = send(layer, &Application::default(), request).await;
    response.status() == 503 && denial(&response).reason() == DenialReason::Overloaded
}

#[tokio::test(start_paused = true)]
async fn checks_in_flight_count_in_the_new_limit() {
    let verifier = Verifier::silent();
    // Of the layer, and of a rule that has its own; and a rule that gets other fields under its name.
    let cases: [(Set, Set); 3] = [
        (
            |builder| builder.rule(Rule::post("/login", number())).in_flight(2),
            |builder| builder.rule(Rule::post("/login", number().with_risk())).in_flight(3),
        ),
        (
            |builder| builder.rule(Rule::post("/login", number()).in_flight(2)),
            |builder| builder.rule(Rule::post("/login", number()).in_flight(3)),
        ),
        (
            |builder| builder.rule(Rule::post("/old", number()).name("login")).in_flight(2),
            |builder| builder.rule(Rule::post("/login", number()).name("login")).in_flight(3),
        ),
    ];
    for (case, (old, new)) in cases.into_iter().enumerate() {
        let reloaded = old(builder(&verifier)).build().unwrap();
        let path = if case == 2 { "/old" } else { "/login" };
        for _ in 0..2 {
            leaves(&reloaded, &verifier, post_json(path, LOGIN)).await;
        }
        assert!(is_overloaded(&reloaded, post_json(path, LOGIN)).await, "{case}");
        reloaded.reload(new(following(&verifier)).build().unwrap());
        leaves(&reloaded, &verifier, post_json("/login", LOGIN)).await;
        assert!(is_overloaded(&reloaded, post_json("/login", LOGIN)).await, "{case}: three are in flight");

        reloaded.drained().await;
        for _ in 0..3 {
            leaves(&reloaded, &verifier, post_json("/login", LOGIN)).await;
        }
        assert!(is_overloaded(&reloaded, post_json("/login", LOGIN)).await, "{case}: all places were given back once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_smaller_limit_holds_at_once() {
    let verifier = Verifier::silent();
    let limited = |begin: Begin, in_flight| {
        begin(&verifier).rule(Rule::post("/login", number())).in_flight(in_flight).build().unwrap()
    };
    let reloaded = limited(builder, 8);
    for n in 0..4_u64 {
        leaves(&reloaded, &verifier, post_json("/login", LOGIN)).await;
        tokio::time::sleep(Duration::from_secs(u64::from(n == 1) * 2)).await;
    }
    reloaded.reload(limited(following, 2));
    assert!(is_overloaded(&reloaded, post_json("/login", LOGIN)).await, "four are in flight");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(is_overloaded(&reloaded, post_json("/login", LOGIN)).await, "two are");
    tokio::time::sleep(Duration::from_secs(2)).await;
    leaves(&reloaded, &verifier, post_json("/login", LOGIN)).await;
    reloaded.drained().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_keeps_its_share() {
    let verifier = Verifier::silent();
    let rule = || Rule::post("/login", number()).client_ip(ClientIp::forwarded(1));
    let limited = |begin: Begin, in_flight| begin(&verifier).rule(rule()).in_flight(in_flight).build().unwrap();
    let from = |address: &'static str| {
        let mut request = post_json("/login", LOGIN);
        request.headers_mut().insert("x-forwarded-for", address.parse().unwrap());
        request
    };
    let reloaded = limited(builder, 8);
    leaves(&reloaded, &verifier, from("192.0.2.1")).await;
    assert!(is_overloaded(&reloaded, from("192.0.2.1")).await);
    reloaded.reload(limited(following, 16));
    leaves(&reloaded, &verifier, from("192.0.2.1")).await;
    assert!(is_overloaded(&reloaded, from("192.0.2.1")).await, "an eighth of 16");
    leaves(&reloaded, &verifier, from("192.0.2.2")).await;
    reloaded.drained().await;
}

#[tokio::test(start_paused = true)]
async fn drained_waits_for_the_abandoned_checks_of_old_rules_and_old_verifiers() {
    let (old, new) = (Verifier::silent(), Verifier::silent());
    let login = |verifier: &Verifier, seconds| {
        layer(verifier, [Rule::post("/login", number()).deadline(Duration::from_secs(seconds))])
    };
    let reloaded = login(&old, 5);
    let started = tokio::time::Instant::now();
    leaves(&reloaded, &old, post_json("/login", LOGIN)).await;
    reloaded.reload(login(&new, 3));
    leaves(&reloaded, &new, post_json("/login", LOGIN)).await;
    reloaded.drained().await;
    assert_eq!(started.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn drained_waits_for_the_checks_of_guards_from_before_several_reloads() {
    let verifier = Verifier::silent();
    let with_other_guards = || {
        let builder = JVerifyLayer::builder(verifier.clone()).guards(&Guards::builder().build().unwrap());
        builder.rule(Rule::post("/login", number())).build().unwrap()
    };
    let reloaded = with_other_guards();
    let started = tokio::time::Instant::now();
    leaves(&reloaded, &verifier, post_json("/login", LOGIN)).await;
    for _ in 0..3 {
        reloaded.reload(with_other_guards());
    }
    reloaded.drained().await;
    assert_eq!(started.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn drained_that_began_before_a_reload_returns_after_it() {
    let verifier = Verifier::passing();
    let reloaded = layer(&verifier, [Rule::post("/login", number())]);
    reloaded.reload(layer(&verifier, [Rule::post("/login", number())]));
    reloaded.drained().await;
}

#[tokio::test]
async fn a_rule_keeps_its_mark_under_its_name() {
    let verifier = Verifier::passing();
    let rules = |register| {
        [Rule::post("/login", number()), Rule::post("/pay", number()).name("pay"), Rule::post(register, number())]
    };
    let reloaded = layer(&verifier, rules("/register"));
    assert_eq!(status(&reloaded, post_json("/login", LOGIN)).await, 200);
    assert_eq!(status(&reloaded, post_json("/register", LOGIN)).await, 200);
    // The request has started, and rules are matched when its future is polled.
    let late = reloaded.layer(Application::default()).call(post_json("/pay", LOGIN));
    reloaded.reload(layer(&verifier, rules("/signup")));
    assert_eq!(reloaded.unused_rules(), ["pay", "POST /signup"]);
    assert_eq!(late.await.unwrap().status(), 200);
    assert_eq!(reloaded.unused_rules(), ["POST /signup"]);
}

#[tokio::test]
async fn bodies_that_are_held_count_while_the_budget_is_the_same() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let most = LOGIN.len() + 4;
    let budget = most.div_ceil(3) * 4;
    let on_the_layer = |begin: Begin, bytes| {
        begin(&verifier).rule(Rule::post("/login", number())).body_limit(most).buffered(bytes).build().unwrap()
    };
    let on_the_rule = |begin: Begin, bytes| {
        begin(&verifier).rule(Rule::post("/login", number()).body_limit(most).buffered(bytes)).build().unwrap()
    };
    for (case, limited) in [&on_the_layer as &dyn Fn(Begin, usize) -> _, &on_the_rule].into_iter().enumerate() {
        let reloaded = limited(builder, budget);
        let (body, login) = started(&reloaded, &application);
        body.send(Bytes::from_static(&LOGIN.as_bytes()[..20])).unwrap();
        tokio::task::yield_now().await;
        reloaded.reload(limited(following, budget));
        assert!(is_overloaded(&reloaded, post_json("/login", LOGIN)).await, "{case}");
        reloaded.reload(limited(following, budget * 2));
        assert_eq!(status(&reloaded, post_json("/login", LOGIN)).await, 200, "{case}");
        body.send(Bytes::from_static(&LOGIN.as_bytes()[20..])).unwrap();
        drop(body);
        assert_eq!(login.await.unwrap(), 200, "{case}");
    }
}

#[tokio::test]
async fn an_alarm_that_has_gone_off_stays_silent_for_its_minute() {
    let verifier = Verifier::of_class(Class::Account);
    let reloaded = layer(&verifier, [Rule::post("/login", number())]);
    let (log, _listening) = crate::telemetry::Log::listen();
    let mut errors = 0;
    for _ in 0..3 {
        assert_eq!(status(&reloaded, post_json("/login", LOGIN)).await, 503);
        errors += log.take_events().iter().filter(|event| event.starts_with("ERROR")).count();
        reloaded.reload(following(&verifier).rule(Rule::post("/login", number())).build().unwrap());
    }
    assert_eq!(errors, 1);
}
