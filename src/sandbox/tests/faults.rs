use std::{error::Error, io, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use serde_json::json;
use tokio::time::{Instant, timeout};
use tower::ServiceExt;

use super::{NUMBER, number, raw, request};
use crate::sandbox::{Fault, Sandbox, SandboxFault};

fn pass() -> Request<Full<Bytes>> {
    request(NUMBER, r#"{"token":"sandbox-9000","phone":"13800000000"}"#)
}

#[tokio::test(start_paused = true)]
async fn a_slow_sandbox_answers_by_tokios_clock_and_a_hanging_one_never() {
    let sandbox = Sandbox::new();
    sandbox.fault(Fault::Delay(Duration::from_secs(3)));
    let started = Instant::now();
    raw(&sandbox, pass()).await.unwrap();
    assert_eq!(started.elapsed(), Duration::from_secs(3));

    sandbox.fault(None);
    number(&sandbox, "sandbox-delay-1500-9000").await;
    assert_eq!(started.elapsed(), Duration::from_millis(4500));

    sandbox.fault(Fault::Hang);
    assert!(timeout(Duration::from_secs(3600), raw(&sandbox, pass())).await.is_err());
    assert_eq!(sandbox.calls().len(), 3);
}

#[tokio::test]
async fn a_refused_request_never_arrived_and_a_reset_one_did() {
    let sandbox = Sandbox::new();
    let kind = |error: &SandboxFault| error.source().unwrap().downcast_ref::<io::Error>().unwrap().kind();
    sandbox.fault_next(1, &Fault::Refuse);
    let refused = raw(&sandbox, pass()).await.unwrap_err();
    assert!(refused.nothing_sent());
    assert_eq!((kind(&refused), sandbox.calls().len()), (io::ErrorKind::ConnectionRefused, 0));

    let once = request(NUMBER, r#"{"token":"sandbox-reset-once-9000","phone":"13800000000"}"#);
    let reset = raw(&sandbox, once.clone()).await.unwrap_err();
    assert!(!reset.nothing_sent());
    assert_eq!((kind(&reset), sandbox.calls().len()), (io::ErrorKind::ConnectionReset, 1));
    let _ = raw(&sandbox, once).await;
    assert_eq!(sandbox.calls()[1].code(), Some(9003));
}

#[tokio::test]
async fn faults_spoil_the_right_answer() {
    let sandbox = Sandbox::new();
    let right = raw(&sandbox, pass()).await.unwrap().2.len();
    let passes = |body: &Bytes| body.windows(4).any(|part| part == b"9000") && body.ends_with(b"}");

    sandbox.fault(Fault::Status(StatusCode::INTERNAL_SERVER_ERROR));
    let (status, _, body) = raw(&sandbox, pass()).await.unwrap();
    assert!(status == StatusCode::INTERNAL_SERVER_ERROR && passes(&body));

    sandbox.fault(Fault::Redirect);
    let reply = sandbox.clone().oneshot(pass()).await.unwrap();
    assert!(reply.status() == StatusCode::FOUND && reply.headers().contains_key(header::LOCATION));

    sandbox.fault_next(2, &Fault::Garbage("9000".into()));
    sandbox.fault_next(1, &Fault::Html);
    sandbox.fault(Fault::Truncated);
    for _ in 0..2 {
        assert_eq!(raw(&sandbox, pass()).await.unwrap().2, "9000");
    }
    assert_eq!(raw(&sandbox, pass()).await.unwrap().1, "text/html");
    assert_eq!(raw(&sandbox, pass()).await.unwrap().2.len(), right / 2);
    sandbox.fault(None);
    assert_eq!(raw(&sandbox, pass()).await.unwrap().2.len(), right);

    for (token, status) in
        [("html-9000", 200), ("status-503-9000", 503), ("redirect-9000", 302), ("truncated-9000", 200)]
    {
        let body = json!({"token": format!("sandbox-{token}"), "phone": "13800000000"}).to_string();
        assert_eq!(raw(&sandbox, request(NUMBER, body)).await.unwrap().0, status, "{token}");
    }
}
