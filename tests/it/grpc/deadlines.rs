//! The deadline of a call, `grpc-timeout`.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use tokio::time::{Instant, sleep};
use tower_jverify::{Class, DenialReason, Fallback, Policy, Verdict};

use super::{call_with, good, guarded, refuses, rule};
use crate::support::{Application, Guarded, Verifier, asking, builder, denial, send};

fn timed(timeout: &str) -> http::Request<Full<Bytes>> {
    call_with(&[("grpc-timeout", timeout)], Full::new(Bytes::from(good())))
}

#[tokio::test]
async fn a_deadline_of_the_clients_is_passed_on() {
    let guarded = guarded();
    for timeout in ["1H", "3M", "5S", "1500m", "2000000u", "99999999n", "99999999H", "00000002S"] {
        let before = guarded.verifier.calls();
        let response = guarded.send(timed(timeout)).await;
        // 99,999,999 ns are less than a second.
        let enough = timeout != "99999999n";
        assert_eq!(guarded.verifier.calls() - before, usize::from(enough), "{timeout}");
        if enough {
            assert_eq!(response.status(), 200, "{timeout}");
            assert_eq!(guarded.application.header("grpc-timeout").as_deref(), Some(timeout));
        }
    }
}

/// CASES 44.
#[tokio::test(start_paused = true)]
async fn a_check_that_the_client_does_not_wait_for_does_not_start() {
    let guarded = guarded();
    for timeout in ["50m", "0S", "999m", "1n"] {
        let response = guarded.send(timed(timeout)).await;
        assert_eq!(response.headers()["grpc-status"], "4", "{timeout}");
        assert_eq!(denial(&response).reason(), DenialReason::DeadlineExceeded, "{timeout}");
    }
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
    guarded.verifies(timed("1S"), "just enough").await;
}

#[tokio::test(start_paused = true)]
async fn the_earlier_deadline_counts_and_says_whose_it_was() {
    for (timeout, after, status) in [("2S", 2, "4"), ("4S", 4, "4"), ("5S", 5, "14"), ("1M", 5, "14")] {
        let guarded = Guarded::asking(Verifier::silent(), |verifier| builder(verifier).rule(rule()).build().unwrap());
        let began = Instant::now();
        let response = guarded.send(timed(timeout)).await;
        assert_eq!(began.elapsed(), Duration::from_secs(after), "{timeout}");
        assert_eq!(response.headers()["grpc-status"], status, "{timeout}");
        assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (1, 0), "{timeout}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_cannot_open_a_policy_by_its_deadline() {
    let open = rule().policy(Policy::default().on(Class::Unavailable, Fallback::Open));
    let captcha = rule().policy(Policy::default().on(Class::Unavailable, Fallback::Captcha));
    for (timeout, rule) in [("50m", &open), ("2S", &open), ("50m", &captcha), ("2S", &captcha)] {
        let guarded =
            Guarded::asking(Verifier::silent(), |verifier| builder(verifier).rule(rule.clone()).build().unwrap());
        let response = guarded.send(timed(timeout)).await;
        assert_eq!(denial(&response).reason(), DenialReason::DeadlineExceeded, "{timeout}");
        assert_eq!(response.headers()["grpc-status"], "4", "{timeout}");
        assert_eq!(guarded.application.runs(), 0, "{timeout}");
    }
    // Nor does ours: the check was sent.
    let guarded = Guarded::asking(Verifier::silent(), |verifier| builder(verifier).rule(open).build().unwrap());
    assert_eq!(guarded.send(timed("1M")).await.headers()["grpc-status"], "14");
    assert_eq!(guarded.application.runs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_cannot_have_its_risk_left_out_by_its_deadline() {
    let slow = tower::service_fn(|check: tower_jverify::Check| async move {
        sleep(Duration::from_millis(500)).await;
        Ok::<_, Infallible>(Verdict::new(check.kind(), Class::Passed))
    });
    let ask = tower_jverify::number()
        .token(tower_jverify::Field::body("/1"))
        .phone(tower_jverify::Field::body("/2"))
        .with_risk();
    let rule = tower_jverify::Rule::post(super::LOGIN, ask).accept([tower_jverify::Media::Grpc]);
    let layer = asking(slow).rule(rule).build().unwrap();
    let application = Application::default();
    let response = send(&layer, &application, timed("1200m")).await;
    assert_eq!(denial(&response).reason(), DenialReason::DeadlineExceeded);
    assert_eq!(application.runs(), 0);
    send(&layer, &application, timed("3S")).await;
    assert_eq!(application.runs(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_the_client_gives_up_on_is_finished_and_keeps_its_place() {
    let slow = tower::service_fn(|check: tower_jverify::Check| async move {
        sleep(Duration::from_secs(3)).await;
        Ok::<_, Infallible>(Verdict::new(check.kind(), Class::Passed))
    });
    let layer = asking(slow).rule(rule()).in_flight(1).build().unwrap();
    let (application, began) = (Application::default(), Instant::now());
    let response = send(&layer, &application, timed("2S")).await;
    assert_eq!(denial(&response).reason(), DenialReason::DeadlineExceeded);
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    let response = send(&layer, &application, timed("5S")).await;
    assert_eq!(denial(&response).reason(), DenialReason::Overloaded);
    layer.drained().await;
    assert_eq!(began.elapsed().as_millis(), 3_000);
    send(&layer, &application, timed("5S")).await;
    assert_eq!(application.runs(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_body_is_not_waited_for_past_the_clients_deadline() {
    let guarded = guarded();
    let never = http_body_util::StreamBody::new(futures_util::stream::pending::<Result<_, Infallible>>());
    let began = Instant::now();
    let response = guarded.send(call_with(&[("grpc-timeout", "2S")], never)).await;
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    assert_eq!(denial(&response).reason(), DenialReason::DeadlineExceeded);
}

#[tokio::test]
async fn an_invalid_deadline_is_refused() {
    let guarded = guarded();
    for timeout in ["", "5", "S", "123456789S", "-1S", "+1S", "1.5S", "5s", "5 S", " 5S", "5h", "1S1S", "1S, 2S"] {
        refuses(&guarded, timed(timeout), "proof_malformed", timeout).await;
    }
    let twice = call_with(&[("grpc-timeout", "5S"), ("grpc-timeout", "6S")], Full::new(Bytes::from(good())));
    refuses(&guarded, twice, "proof_malformed", "two deadlines").await;
}

#[tokio::test]
async fn a_grpc_timeout_of_a_request_that_is_not_a_grpc_call_is_ignored() {
    let login = Guarded::login();
    let mut request = crate::support::post_json("/login", crate::support::LOGIN);
    request.headers_mut().insert("grpc-timeout", "1n".parse().unwrap());
    login.verifies(request, "JSON").await;
}
