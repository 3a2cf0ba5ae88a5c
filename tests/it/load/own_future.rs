//! While the client is connected, a check runs in the future of its request.

use std::{
    convert::Infallible,
    future::poll_fn,
    sync::{Arc, Mutex},
    task::Poll,
};

use tokio::task::Id;
use tower::{Layer, ServiceExt};
use tower_jverify::{Check, Class, Rule, Verdict, captcha, number};
use tracing::Span;
use tracing_subscriber::{Registry, registry::LookupSpan};

use crate::{
    support::{Application, asking, post_json},
    telemetry::be_no_lone_subscriber,
};

const BOTH: &str = r#"{"captchaContent":"c","token":"t","phone":"13812345678"}"#;

tokio::task_local! {
    static TENANT: u32;
}

/// Where a verifier was polled: the task, the task-local, and the span with those around it, the outermost first.
type Where = (Option<Id>, Option<u32>, Vec<&'static str>);

fn here() -> Where {
    let tenant = TENANT.try_with(|tenant| *tenant).ok();
    let spans = Span::current().with_subscriber(|(id, dispatch)| {
        let innermost = dispatch.downcast_ref::<Registry>().and_then(|spans| spans.span(id)).unwrap();
        innermost.scope().from_root().map(|span| span.name()).collect::<Vec<_>>()
    });
    (tokio::task::try_id(), tenant, spans.unwrap_or_default())
}

#[tokio::test]
async fn its_task_its_task_locals_and_its_span_are_the_requests_at_every_poll() {
    be_no_lone_subscriber();
    let _listening = tracing::subscriber::set_default(tracing_subscriber::registry());
    let polled = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&polled);
    let verifier = tower::service_fn(move |check: Check| {
        let (seen, mut left) = (Arc::clone(&seen), 3);
        poll_fn(move |cx| {
            seen.lock().unwrap().push(here());
            if left == 0 {
                return Poll::Ready(Ok::<_, Infallible>(Verdict::new(check.kind(), Class::Passed)));
            }
            left -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    });
    let rule = Rule::post("/login", captcha().then(number()));
    let layer = asking(verifier).rule(rule).build().unwrap();
    let request = post_json("/login", BOTH);
    let service = layer.layer(Application::default());
    let answered = tracing::Instrument::instrument(service.oneshot(request), tracing::info_span!("request"));
    let request = tokio::spawn(TENANT.scope(7, answered));
    let task = request.id();
    assert_eq!(request.await.unwrap().unwrap().status(), 200);
    let polled = polled.lock().unwrap();
    assert_eq!(*polled, vec![(Some(task), Some(7), vec!["request", "jverify.guard", "jverify.check"]); 8]);
}
