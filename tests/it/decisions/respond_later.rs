//! Custom answers that need the request's head, time, or axum.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::response::{IntoResponse, Redirect};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header::LOCATION, request::Parts};
use http_body_util::Full;
use tokio::time::{Instant, sleep};
use tower_jverify::{Denial, DenialReason, ForeignBackend, Rule, number};

use crate::support::{Guarded, LOGIN, Verifier, builder, code, denial, post_json};

/// A layer whose refusals a rule for `POST /login` answers in its own way.
fn answered(set: impl FnOnce(Rule) -> Rule) -> Guarded {
    Guarded::by([set(Rule::post("/login", number()))])
}

fn text(text: impl Into<Bytes>) -> Response<Bytes> {
    Response::new(text.into())
}

#[tokio::test]
async fn browsers_are_sent_back_to_the_form_and_other_clients_get_the_built_in_answer() {
    fn to_form(head: &Parts, denial: &Denial) -> Option<Response<Bytes>> {
        let is_browser = head.headers.get("accept")?.to_str().ok()?.contains("text/html");
        let location = format!("{}?error={}", head.uri.path(), denial.code());
        let redirect = Response::builder().status(303).header(LOCATION, location).body(Bytes::new());
        is_browser.then_some(redirect.ok()?)
    }
    let guarded = answered(|rule| rule.respond(to_form));
    let mut request = post_json("/login", "{}");
    request.headers_mut().insert("accept", "text/html,*/*;q=0.8".parse().unwrap());
    let response = guarded.send(request).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers()[LOCATION], "/login?error=proof_missing");
    assert_eq!(denial(&response).reason(), DenialReason::ProofMissing);

    let response = guarded.send(post_json("/login", "{}")).await;
    assert_eq!((response.status().as_u16(), code(&response).as_str()), (400, "proof_missing"));
    assert_eq!(response.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn a_request_id_of_the_head_goes_into_the_answer() {
    let respond = |head: &Parts, denial: &Denial| {
        let mut response = denial.response();
        if let Some(id) = head.headers.get("x-request-id") {
            response.headers_mut().insert("x-request-id", id.clone());
        }
        response
    };
    let layer = |builder: tower_jverify::JVerifyBuilder<Verifier>| builder.respond(respond).build().unwrap();
    let guarded = Guarded::with(|verifier| layer(builder(verifier).rule(Rule::post("/login", number()))));
    // Refused by its body, and by its path alone.
    for path in ["/login", "/login%2F"] {
        let mut request = post_json(path, "{}");
        request.headers_mut().insert("x-request-id", "r-1".parse().unwrap());
        assert_eq!(guarded.send(request).await.headers()["x-request-id"], "r-1", "{path}");
    }
}

#[tokio::test]
async fn an_audit_row_is_written_before_the_answer_goes_out() {
    let rows = Arc::new(Mutex::new(Vec::new()));
    let written = Arc::clone(&rows);
    let guarded = answered(|rule| {
        rule.respond_async(move |head, denial| {
            let row = format!("{} {} {:?}", head.method, denial.code(), denial.rule());
            let (rows, built_in) = (Arc::clone(&written), denial.response());
            async move {
                tokio::task::yield_now().await;
                rows.lock().unwrap().push(row);
                built_in
            }
        })
    });
    let response = guarded.send(post_json("/login", "{}")).await;
    assert_eq!((response.status().as_u16(), code(&response).as_str()), (400, "proof_missing"));
    assert_eq!(denial(&response).reason(), DenialReason::ProofMissing);
    assert_eq!(*rows.lock().unwrap(), [r#"POST proof_missing Some("POST /login")"#]);
    assert_eq!(guarded.application.runs(), 0);
}

#[tokio::test]
async fn a_future_answers_what_is_refused_by_its_head_too() {
    let own = |_: &Parts, denial: &Denial| {
        let (status, code) = (denial.status(), denial.code());
        async move {
            tokio::task::yield_now().await;
            let mut response = text(code);
            *response.status_mut() = status;
            Some(response)
        }
    };
    let guarded = Guarded::with(|verifier| {
        let rule = Rule::post("/login", number());
        builder(verifier).rule(rule).foreign_backend(ForeignBackend::any()).respond_async(own).build().unwrap()
    });
    let response = guarded.send(post_json("/login%2F", "{}")).await;
    assert_eq!((response.status().as_u16(), &response.body()[..]), (400, &b"path_ambiguous"[..]));
    let delete = Request::delete("/login").body(Full::<Bytes>::default()).unwrap();
    let response = guarded.send(delete).await;
    assert_eq!((response.status().as_u16(), &response.body()[..]), (405, &b"method_not_allowed"[..]));
    assert_eq!(response.headers()["allow"], "POST, GET, HEAD, OPTIONS", "RFC 9110 requires it");
    assert_eq!(denial(&response).reason(), DenialReason::MethodNotAllowed);
}

#[tokio::test(start_paused = true)]
async fn a_future_has_a_second_and_then_the_built_in_answer_goes_out() {
    let guarded = answered(|rule| rule.respond_async(|_, _| pending::<Response<Bytes>>()));
    let began = Instant::now();
    let response = guarded.send(post_json("/login", "{}")).await;
    assert_eq!((response.status().as_u16(), code(&response).as_str()), (400, "proof_missing"));
    assert!((Duration::from_secs(1)..Duration::from_millis(1_010)).contains(&began.elapsed()), "{:?}", began.elapsed());

    let guarded = answered(|rule| {
        rule.respond_async(|_, _| async {
            sleep(Duration::from_millis(990)).await;
            text("mine")
        })
    });
    assert_eq!(guarded.send(post_json("/login", "{}")).await.body(), "mine");
}

#[tokio::test]
async fn a_panic_is_503_wherever_it_happens_and_the_next_request_is_fine() {
    for late in [false, true] {
        let panics = Arc::new(AtomicBool::new(true));
        let guarded = answered(|rule| {
            rule.respond_async(move |_, _| {
                let panic = panics.swap(false, Ordering::SeqCst);
                assert!(!panic || late, "the closure panics");
                async move {
                    tokio::task::yield_now().await;
                    assert!(!panic, "the future panics");
                    text("mine")
                }
            })
        });
        let response = guarded.send(post_json("/login", "{}")).await;
        assert_eq!((response.status().as_u16(), code(&response).as_str()), (503, "verification_unavailable"), "{late}");
        assert_eq!(denial(&response).reason(), DenialReason::ProofMissing, "{late}: why the request was refused");
        assert_eq!(guarded.send(post_json("/login", "{}")).await.body(), "mine", "{late}");
        assert_eq!(guarded.application.runs(), 0, "{late}");
    }
}

/// Panics when it is dropped, once.
struct Fragile(Arc<AtomicBool>);

impl Drop for Fragile {
    fn drop(&mut self) {
        assert!(!self.0.swap(false, Ordering::SeqCst), "it panics when it is dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn a_future_that_panics_when_it_is_dropped_is_503_too() {
    let panics = Arc::new(AtomicBool::new(true));
    let guarded = answered(move |rule| {
        rule.respond_async(move |_, _| {
            let fragile = Fragile(Arc::clone(&panics));
            async move {
                pending::<()>().await;
                drop(fragile);
                text("mine")
            }
        })
    });
    for (status, expected) in [(503, "verification_unavailable"), (400, "proof_missing")] {
        let response = guarded.send(post_json("/login", "{}")).await;
        assert_eq!((response.status().as_u16(), code(&response).as_str()), (status, expected));
    }
}

#[tokio::test]
async fn a_future_that_returns_none_leaves_the_built_in_answer() {
    let guarded = answered(|rule| rule.respond_async(|_, _| async { None }));
    assert_eq!(code(&guarded.send(post_json("/login", "{}")).await), "proof_missing");
}

#[tokio::test]
async fn whatever_axum_makes_a_response_of_is_an_answer() {
    let guarded =
        answered(|rule| rule.respond_into(|_, denial| Redirect::to(&format!("/form?error={}", denial.code()))));
    let response = guarded.send(post_json("/login", "{}")).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers()[LOCATION], "/form?error=proof_missing");
    denial(&response);

    let guarded = answered(|rule| rule.respond_into(|_, denial| (denial.status(), "mine")));
    let response = guarded.send(post_json("/login", "{}")).await;
    assert_eq!((response.status().as_u16(), &response.body()[..]), (400, &b"mine"[..]));
}

#[tokio::test(start_paused = true)]
async fn an_axum_body_that_stalls_or_fails_leaves_the_built_in_answer() {
    let stalled = || axum::body::Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
    let failed =
        || axum::body::Body::from_stream(futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("x"))]));
    let rules: [Guarded; 2] = [
        answered(|rule| rule.respond_into(move |_, _| stalled().into_response())),
        answered(|rule| rule.respond_into(move |_, _| failed().into_response())),
    ];
    for guarded in rules {
        let response = guarded.send(post_json("/login", "{}")).await;
        assert_eq!((response.status().as_u16(), code(&response).as_str()), (400, "proof_missing"));
    }
}

#[tokio::test]
async fn the_closure_sees_no_header_that_only_the_layer_may_write() {
    let respond = |head: &Parts, _: &Denial| text(format!("{}", head.headers.contains_key("x-jverify-phone")));
    let guarded = Guarded::with(|verifier| {
        builder(verifier).rule(Rule::post("/login", number())).respond(respond).build().unwrap()
    });
    for (path, body) in [("/login", "{}"), ("/login%2F", LOGIN)] {
        let mut request = post_json(path, body);
        request.headers_mut().insert("x-jverify-phone", "13812345678".parse().unwrap());
        assert_eq!(guarded.send(request).await.body(), "false", "{path}");
    }
}

#[tokio::test]
async fn the_last_of_the_three_setters_counts_and_a_rules_own_comes_first() {
    let guarded = Guarded::with(|verifier| {
        let own = Rule::post("/own", number()).respond_async(|_, _| async { text("own") });
        let layer = builder(verifier).rule(own).rule(Rule::post("/login", number()));
        layer.respond_async(|_, _| pending::<Response<Bytes>>()).respond(|_, _| text("layer")).build().unwrap()
    });
    assert_eq!(guarded.send(post_json("/login", "{}")).await.body(), "layer");
    assert_eq!(guarded.send(post_json("/own", "{}")).await.body(), "own");
}
