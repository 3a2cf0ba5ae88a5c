//! `poll_ready`: which service it polls, and what it holds.

use std::{pin::pin, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::Full;
use tokio::sync::Semaphore;
use tower::{Layer, Service, ServiceExt, limit::ConcurrencyLimit};
use tower_jverify::{Class, RequestBody};
use tower_test::mock;

use super::{Gate, Strict, health, login, ready};
use crate::support::{Verifier, login_layer};

#[tokio::test]
async fn the_clone_that_is_called_is_one_that_was_polled_ready() {
    let application = Strict::default();
    let mut kept = login_layer(&Verifier::passing()).layer(application.clone());
    for request in [login(), health(), login()] {
        ready(&mut kept).await.call(request).await.unwrap();
    }
    // A service that was not even asked, as hyper does with one that says it is always ready.
    kept.call(login()).await.unwrap();
    kept.call(health()).await.unwrap();
    kept.clone().oneshot(login()).await.unwrap();
    // Several calls of one service at a time.
    let both = (kept.call(login()), kept.call(health()));
    tokio::try_join!(both.0, both.1).unwrap();
    assert_eq!(application.runs(), 8);
}

type Mock = mock::Mock<Request<RequestBody<Full<Bytes>>>, Response<Full<Bytes>>>;

#[tokio::test]
async fn an_application_that_is_not_ready_is_waited_for_after_the_decision_and_only_then() {
    let (application, mut handle): (Mock, _) = mock::pair();
    handle.allow(0);
    let verifier = Verifier::passing();
    let mut service = login_layer(&verifier).layer(application);
    assert!(ready(&mut service).now_or_never().is_some(), "the layer itself is always ready");

    let mut request = pin!(service.clone().oneshot(login()));
    assert!(request.as_mut().now_or_never().is_none());
    assert_eq!(verifier.calls(), 1, "verified while the application was not ready");
    assert!(pin!(handle.next_request()).now_or_never().is_none());

    handle.allow(1);
    let (response, ()) = tokio::join!(request, async {
        let (request, answer) = handle.next_request().await.unwrap();
        assert_eq!(request.headers()["x-jverify-decision"], "allow");
        answer.send_response(Response::new(Full::default()));
    });
    assert_eq!(response.unwrap().status(), 200);
}

#[tokio::test]
async fn an_application_that_is_not_ready_at_once_is_waited_for_by_the_task_of_an_unmatched_request() {
    let (application, mut handle): (Mock, _) = mock::pair();
    handle.allow(0);
    let mut service = login_layer(&Verifier::passing()).layer(application);
    // `call` asks whether the application is ready; the task that is woken is that of the future.
    let response = tokio::spawn(service.call(health()));
    tokio::task::yield_now().await;
    assert!(!response.is_finished() && pin!(handle.next_request()).now_or_never().is_none());

    handle.allow(1);
    let (request, answer) = handle.next_request().await.unwrap();
    assert_eq!(request.uri().path(), health().uri().path());
    answer.send_response(Response::new(Full::default()));
    assert_eq!(response.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn an_application_that_fails_to_become_ready_fails_with_its_own_error() {
    for request in [login(), health()] {
        let (application, mut handle): (Mock, _) = mock::pair();
        handle.send_error("the application's own words");
        let service = login_layer(&Verifier::passing()).layer(application);
        let error = service.oneshot(request).await.unwrap_err();
        assert_eq!(error.to_string(), "the application's own words");
    }
}

#[tokio::test]
async fn a_denied_request_does_not_even_ask_whether_the_application_is_ready() {
    let (application, mut handle): (Mock, _) = mock::pair();
    handle.send_error("asked");
    let service = login_layer(&Verifier::of_class(Class::Rejected)).layer(application);
    assert_eq!(service.oneshot(login()).await.unwrap().status(), 403);
}

/// CASES 57.
#[tokio::test]
async fn a_ready_service_dropped_without_a_call_loses_no_permit() {
    let application = ConcurrencyLimit::new(Strict::default(), 1);
    let service = login_layer(&Verifier::passing()).layer(application);
    for _ in 0..3 {
        let mut dropped = service.clone();
        ready(&mut dropped).await;
        // Another passes while this one is ready, and after it is gone.
        assert_eq!(service.clone().oneshot(login()).await.unwrap().status(), 200);
        drop(dropped);
        assert_eq!(service.clone().oneshot(health()).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_service_kept_ready_starves_neither_others_nor_itself() {
    let application = ConcurrencyLimit::new(Strict::default(), 1);
    let mut kept = login_layer(&Verifier::passing()).layer(application);
    for _ in 0..3 {
        let first = ready(&mut kept).await.call(login());
        // Ready again while the first is not even polled, as hyper's dispatcher and `call_all` do.
        let second = ready(&mut kept).await.call(login());
        ready(&mut kept).await;
        let (first, second) = tokio::join!(first, second);
        assert_eq!((first.unwrap().status().as_u16(), second.unwrap().status().as_u16()), (200, 200));
    }
}

#[tokio::test]
async fn a_request_in_verification_does_not_keep_another_from_the_only_slot() {
    let gate = Gate::closed(Class::Passed);
    let service = gate.layer().layer(ConcurrencyLimit::new(Strict::default(), 1));
    let logins: Vec<_> = (0..5).map(|_| tokio::spawn(service.clone().oneshot(login()))).collect();
    gate.asked(5).await;
    for _ in 0..10 {
        assert_eq!(service.clone().oneshot(health()).await.unwrap().status(), 200);
    }
    gate.open();
    for login in logins {
        assert_eq!(login.await.unwrap().unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_denied_request_never_takes_the_slot() {
    let limit = Arc::new(Semaphore::new(1));
    let gate = Gate::closed(Class::Rejected);
    let application = Strict::default();
    let service = gate.layer().layer(ConcurrencyLimit::with_semaphore(application.clone(), Arc::clone(&limit)));
    // The slot is taken for the whole test.
    let _held = limit.acquire().await.unwrap();
    let denied = tokio::spawn(service.clone().oneshot(login()));
    gate.asked(1).await;
    gate.open();
    assert_eq!(denied.await.unwrap().unwrap().status(), 403);
    assert_eq!(application.runs(), 0);
}
