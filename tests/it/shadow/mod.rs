//! Rules that are in shadow, or enforced for a part of their clients.

mod attacks;
mod broken_bodies;
mod broken_off;
mod classes;
mod late;
mod lossless;
mod refusals;
mod rollout;
mod settings;
mod several;
mod sockets;
mod stacked;
mod testers;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower_jverify::{Class, Decided, Decision, DenialReason, JVerifyBuilder, Mode, Rule, number};

use crate::support::{Application, Guarded, Seen, Verifier, builder};

/// `POST /login` with a number, in shadow.
fn watched() -> Rule {
    Rule::post("/login", number()).mode(Mode::Shadow)
}

/// These settings, and a verifier that answers everything with this class.
fn guarded(class: Class, set: impl FnOnce(JVerifyBuilder<Verifier>) -> JVerifyBuilder<Verifier>) -> Guarded {
    Guarded::asking(Verifier::of_class(class), |verifier| set(builder(verifier)).build().unwrap())
}

fn decision(application: &Application) -> Decision {
    application.last().parts.extensions.get::<Decision>().cloned().expect("a decision")
}

/// Asserts that the request reaches the application as it came, and that it would have been denied for this reason.
async fn would_be_denied(guarded: &Guarded, request: Request<Full<Bytes>>, reason: &str, what: &str) -> Seen {
    let runs = guarded.application.runs();
    let (body, headers) = (request.body().clone(), request.headers().clone());
    let response = guarded.send(request).await;
    assert_eq!((response.status().as_u16(), &**response.body()), (200, &b"application"[..]), "{what}");
    assert_eq!(guarded.application.runs(), runs + 1, "{what}");
    let seen = guarded.application.last();
    let word = |name: &str| {
        let all: Vec<_> = seen.parts.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        all.join("+")
    };
    assert_eq!(
        [word("x-jverify-decision"), word("x-jverify-reason"), word("x-jverify-mode")],
        ["would-deny", reason, "shadow"],
        "{what}"
    );
    let decision = decision(&guarded.application);
    assert_eq!(decision.would_deny().map(DenialReason::as_str), Some(reason), "{what}");
    assert!(!decision.is_verified() && decision.is_shadow() && decision.phone().is_none(), "{what}");
    let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
    assert_eq!(seen.body.as_ref().unwrap(), &body, "{what}");
    for (name, value) in &headers {
        if !name.as_str().contains("jverify") {
            assert!(seen.parts.headers.get_all(name).iter().any(|seen| seen == value), "{what}: {name}");
        }
    }
    seen
}

/// What a closure was called with, as lines.
#[derive(Clone, Default)]
struct Records(Arc<Mutex<Vec<String>>>);

impl Records {
    fn listen(&self) -> impl Fn(&Decided<'_>) + Send + Sync + 'static {
        let records = Arc::clone(&self.0);
        move |decided| {
            let late = if decided.is_late() { " late" } else { "" };
            let line = format!("{} {} {}{late}", decided.mode(), decided.decision(), decided.reason().unwrap_or("-"));
            records.lock().unwrap().push(line);
        }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}
