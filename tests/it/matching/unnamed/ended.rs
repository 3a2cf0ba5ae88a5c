//! A GET or HEAD whose head does not show whether it has a body.

use std::convert::Infallible;

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use http_body::Frame;
use http_body_util::StreamBody;
use tower_jverify::{Denial, DenialReason, Mode, Rule, Suspicion, number};

use super::{any, bare, login};
use crate::support::{Guarded, LOGIN};

/// Over HTTP/2 some clients, link previews of large sites among them, end a GET without a body with an empty DATA frame.
#[tokio::test]
async fn a_get_whose_body_ends_without_data_brings_the_page() {
    let guarded = any([login()]);
    for uri in ["/login", "/login?next=/home", "/login.css", "/?s=login"] {
        for method in ["GET", "HEAD"] {
            let request = bare(method, uri).version(http::Version::HTTP_2).header("cookie", "phone=1; a=2");
            let seen = guarded.leaves_alone(request.body(in_frames([])).unwrap(), uri).await;
            assert_eq!((seen.body, seen.size_hint.exact()), (Ok(bytes::Bytes::new()), Some(0)), "{uri}");
            assert_eq!(seen.parts.headers["cookie"], "a=2");
            let request = bare(method, uri).version(http::Version::HTTP_2).header("content-length", "0");
            guarded.leaves_alone(request.body(in_frames([data(""), data("")])).unwrap(), uri).await;
            // Over HTTP/1.1 a proxy makes an empty chunked body of such a frame.
            let request = bare(method, uri).header("transfer-encoding", "chunked");
            guarded.leaves_alone(request.body(in_frames([])).unwrap(), uri).await;
        }
    }
}

#[tokio::test]
async fn a_get_whose_body_has_data_or_trailers_gets_405_also_if_its_head_does_not_show_it() {
    let guarded = any([login()]);
    let trailers = || Frame::trailers([("phone".parse().unwrap(), "1".parse().unwrap())].into_iter().collect());
    let bodies = [
        ("data", &[LOGIN][..]),
        ("empty frames before the data", &["", "", "x"]),
        ("nothing before the trailers", &[""]),
    ];
    for (what, texts) in bodies {
        for (uri, expected) in
            [("/login", "method_not_allowed"), ("/login.css", "path_ambiguous"), ("/?s=login", "path_ambiguous")]
        {
            let mut frames: Vec<_> = texts.iter().copied().map(data).collect();
            if what.contains("trailers") {
                frames.push(trailers());
            }
            let request = bare("GET", uri).version(http::Version::HTTP_2);
            guarded.refuses(request.body(in_frames(frames)).unwrap(), expected, what).await;
        }
    }
    let chunked = bare("GET", "/login").header("transfer-encoding", "chunked").body(in_frames([data("x")])).unwrap();
    guarded.refuses(chunked, "method_not_allowed", "a chunk").await;
    let response = guarded.send(bare("GET", "/login").body(in_frames([data("x")])).unwrap()).await;
    assert_eq!(response.headers()["allow"], "POST, GET, HEAD, OPTIONS");
    let denial = response.extensions().get::<Denial>().unwrap();
    assert_eq!((denial.reason(), denial.suspicion()), (DenialReason::MethodNotAllowed, Some(Suspicion::OtherMethod)));

    // What is refused because of the head is refused before the body is read.
    for (request, expected) in [
        (bare("PUT", "/login"), "method_not_allowed"),
        (bare("OPTIONS", "/login"), "method_not_allowed"),
        (bare("GET", "/login?phone=1"), "proof_malformed"),
        (bare("GET", "/login").header("upgrade", "websocket"), "upgrade_refused"),
        (bare("GET", "/login").header("transfer-encoding", "gzip, chunked"), "method_not_allowed"),
        (bare("GET", "/login").header("content-length", "1"), "method_not_allowed"),
    ] {
        let what = format!("{request:?}");
        guarded.refuses(request.body(never()).unwrap(), expected, &what).await;
    }
}

#[tokio::test]
async fn a_preflight_whose_body_ends_without_data_passes() {
    let guarded = any([login(), Rule::any_method("/any", number()).preflight_passes()]);
    let plain = Guarded::by([Rule::any_method("/any", number()).preflight_passes()]);
    let preflight = |uri: &str| {
        let request = bare("OPTIONS", uri).version(http::Version::HTTP_2).header("x-jverify-decision", "allow");
        request.header("origin", "https://app.example").header("access-control-request-method", "POST")
    };
    for (guarded, uri) in [(&guarded, "/login"), (&guarded, "/any"), (&plain, "/any")] {
        for frames in [vec![], vec![data("")]] {
            let seen = guarded.leaves_alone(preflight(uri).body(in_frames(frames)).unwrap(), uri).await;
            assert_eq!((seen.body, seen.size_hint.exact()), (Ok(bytes::Bytes::new()), Some(0)), "{uri}");
        }
        let expected = if uri == "/any" { "preflight_refused" } else { "method_not_allowed" };
        let with_data =
            preflight(uri).header("content-type", "application/json").body(in_frames([data(LOGIN)])).unwrap();
        guarded.refuses(with_data, expected, uri).await;
    }
    guarded.refuses(preflight("/login?phone=1").body(never()).unwrap(), "method_not_allowed", "a phone").await;
    guarded.refuses(preflight("/login?_method=POST").body(never()).unwrap(), "method_not_allowed", "a method").await;
}

#[tokio::test(start_paused = true)]
async fn a_get_whose_body_does_not_end_gets_408() {
    let guarded = any([login()]);
    guarded.refuses(bare("GET", "/login").body(never()).unwrap(), "body_timeout", "never ends").await;
}

#[tokio::test]
async fn in_shadow_a_get_with_data_that_its_head_does_not_show_reaches_the_application_whole() {
    let guarded = any([login().mode(Mode::Shadow)]);
    let request = bare("GET", "/login").body(in_frames([data("a "), data("body")])).unwrap();
    assert_eq!(guarded.send(request).await.status(), 200);
    let seen = guarded.application.last();
    assert_eq!(seen.body.unwrap(), "a body");
    assert_eq!(seen.parts.headers["x-jverify-decision"], "would-deny");
    let request = bare("GET", "/login").body(in_frames([])).unwrap();
    guarded.leaves_alone(request, "no body").await;
}

type Frames = StreamBody<BoxStream<'static, Result<Frame<bytes::Bytes>, Infallible>>>;

fn data(text: &'static str) -> Frame<bytes::Bytes> {
    Frame::data(bytes::Bytes::from_static(text.as_bytes()))
}

fn in_frames(frames: impl IntoIterator<Item = Frame<bytes::Bytes>>) -> Frames {
    StreamBody::new(stream::iter(frames.into_iter().map(Ok).collect::<Vec<_>>()).boxed())
}

fn never() -> Frames {
    StreamBody::new(stream::pending().boxed())
}
