//! The application gets every byte, trailer and extension of a request.

use std::{
    future::{Ready, ready},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use proptest::{collection::vec, prelude::*, sample::Index};
use tower::{Layer, Service, ServiceExt};

use super::{Broken, data, head, of_frames, post_body};
use crate::support::{Guarded, LOGIN, exchange, http2, serve};

fn checksums() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    for (name, value) in [("x-b", "1"), ("x-a", "2"), ("x-b", "3"), ("grpc-status", "0")] {
        trailers.append(name, HeaderValue::from_static(value));
    }
    trailers
}

#[tokio::test]
async fn a_body_of_any_frames_arrives_byte_by_byte() {
    let guarded = Guarded::login();
    let bytes = || LOGIN.bytes().map(|byte| data(vec![byte]));
    let empty = || data(Bytes::new());
    let frames: [(&str, Vec<Frame<Bytes>>); 5] = [
        ("one frame", vec![data(LOGIN)]),
        ("a byte a frame", bytes().collect()),
        ("empty frames between", bytes().flat_map(|byte| [empty(), byte, empty()]).collect()),
        ("two frames", vec![data(&LOGIN[..7]), data(&LOGIN[7..])]),
        ("an empty frame first", vec![empty(), data(LOGIN)]),
    ];
    for (what, frames) in frames {
        let seen = guarded.verifies(post_body("/login", of_frames(frames)), what).await;
        assert_eq!(seen.body.unwrap(), LOGIN, "{what}");
        assert_eq!(seen.size_hint.exact(), Some(u64::try_from(LOGIN.len()).unwrap()), "{what}");
        assert!(seen.trailers.is_none(), "{what}");
    }
}

/// A login with other content next to the proof, and the media type of its body.
fn logins() -> impl Strategy<Value = (&'static str, String)> {
    let json = "[a-z0-9 é好]{0,40}".prop_map(|note| {
        let body = format!(r#"{{"note":"{note}","token":"t","phone":"13812345678","x":[1, {{}}]}}"#);
        ("application/json", body)
    });
    let form = "([a-z0-9+]|%E5%A5%BD){0,40}"
        .prop_map(|note| ("application/x-www-form-urlencoded", format!("note={note}&token=t&&phone=%313812345678&")));
    prop_oneof![json, form]
}

proptest! {
    #[test]
    fn a_body_cut_anywhere_arrives_as_it_came(
        (content_type, body) in logins(),
        cuts in vec(any::<Index>(), 0..24),
        with_trailers in any::<bool>(),
    ) {
        // The same place twice makes an empty frame.
        let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
        places.push(body.len());
        places.sort_unstable();
        let mut rest = Bytes::from(body.clone());
        let mut frames = Vec::new();
        for place in places {
            frames.push(data(rest.split_to(place - (body.len() - rest.len()))));
        }
        frames.extend(with_trailers.then(|| Frame::trailers(checksums())));

        let guarded = Guarded::login();
        let request = Request::post("/login").header("content-type", content_type).body(of_frames(frames)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let seen = runtime.block_on(guarded.verifies(request, &body));
        prop_assert_eq!(seen.body.unwrap(), body);
        prop_assert_eq!(seen.trailers, with_trailers.then(checksums));
        prop_assert!(seen.parts.headers.contains_key("x-jverify-decision"));
    }
}

#[tokio::test]
async fn trailers_arrive_as_they_came() {
    let guarded = Guarded::login();
    for path in ["/login", "/health"] {
        let body = of_frames([data(LOGIN), Frame::trailers(checksums())]);
        guarded.send(post_body(path, body)).await;
        let seen = guarded.application.last();
        let (arrived, came) = (seen.trailers.unwrap(), checksums());
        assert_eq!(arrived.iter().collect::<Vec<_>>(), came.iter().collect::<Vec<_>>(), "{path}");
        assert_eq!(seen.body.unwrap(), LOGIN, "{path}");
    }
}

#[tokio::test]
async fn extensions_version_and_uri_are_the_clients() {
    #[derive(Clone, Debug, PartialEq)]
    struct Session(u32);

    let guarded = Guarded::login();
    for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2, Version::HTTP_3] {
        for path in ["/login?x=1&y=%2F", "/health?x=1&y=%2F"] {
            let mut request = post_body(path, of_frames([data(LOGIN)]));
            *request.version_mut() = version;
            request.extensions_mut().insert(Session(7));
            assert_eq!(guarded.send(request).await.status(), 200);
            let parts = guarded.application.last().parts;
            assert_eq!(parts.version, version);
            assert_eq!(parts.uri, *path);
            assert_eq!(parts.method, http::Method::POST);
            assert_eq!(parts.extensions.get::<Session>(), Some(&Session(7)), "{path}");
        }
    }
}

#[tokio::test]
async fn an_unmatched_body_is_passed_as_it_is_with_its_own_hint_and_error() {
    let guarded = Guarded::login();
    let frames = [Ok(data("half")), Err(Broken)];
    let body = StreamBody::new(futures_util::stream::iter(frames));
    let seen = guarded.leaves_alone(post_body("/health", body), "a body that breaks").await;
    assert!(seen.body.is_err());
    assert_eq!(seen.size_hint.exact(), None);
}

#[tokio::test]
async fn a_login_over_http2_arrives_with_its_trailers() {
    let guarded = Guarded::login();
    let address = serve(guarded.service()).await;
    let mut client = http2(address).await;
    for path in ["/login", "/health"] {
        let frames = LOGIN.bytes().map(|byte| data(vec![byte])).chain([Frame::trailers(checksums())]);
        let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, std::io::Error>)));
        let request = Request::post(format!("http://{address}{path}")).header("content-type", "application/json");
        let response = client.send_request(request.body(BodyExt::boxed_unsync(body)).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        response.into_body().collect().await.unwrap();
        let seen = guarded.application.last();
        assert_eq!(seen.parts.version, Version::HTTP_2);
        assert_eq!(seen.body.unwrap(), LOGIN, "{path}");
        let (arrived, came) = (seen.trailers.unwrap(), checksums());
        assert_eq!(arrived.iter().collect::<Vec<_>>(), came.iter().collect::<Vec<_>>(), "{path}");
    }
}

#[tokio::test]
async fn a_login_in_chunks_of_a_byte_arrives_over_http1() {
    let guarded = Guarded::login();
    let address = serve(guarded.service()).await;
    let chunks = LOGIN.chars().map(|c| format!("1;x=y\r\n{c}\r\n")).collect::<Vec<_>>().concat();
    let framing = "trailer: x-checksum\r\ntransfer-encoding: chunked";
    let request = format!("{}{chunks}0\r\nx-checksum: a\r\n\r\n", head("/login", framing));
    let response = exchange(address, request).await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    let seen = guarded.application.last();
    assert_eq!(seen.body.unwrap(), LOGIN);
    assert_eq!(seen.trailers.unwrap()["x-checksum"], "a");
}

/// An error that is nothing but itself: no `Error`, no `Clone`, no `Debug`.
struct OutOfOrder(u32);

/// Fails when it is made ready, or when it is called.
#[derive(Clone)]
struct Failing {
    ready: bool,
}

impl<B> Service<Request<B>> for Failing {
    type Response = Response<String>;
    type Error = OutOfOrder;
    type Future = Ready<Result<Response<String>, OutOfOrder>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OutOfOrder>> {
        Poll::Ready(if self.ready { Ok(()) } else { Err(OutOfOrder(1)) })
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Err(OutOfOrder(2)))
    }
}

#[tokio::test]
async fn the_applications_own_error_comes_back_untouched() {
    let guarded = Guarded::login();
    for path in ["/login", "/health"] {
        for (ready, number) in [(false, 1), (true, 2)] {
            let service = guarded.layer.layer(Failing { ready });
            let answer = service.oneshot(post_body(path, of_frames([data(LOGIN)]))).await;
            let Err(OutOfOrder(came)) = answer else { panic!("{path}: no error") };
            assert_eq!(came, number, "{path}");
        }
    }
    // A denial is a response and not an error, even if the application returns only errors.
    let service = guarded.layer.layer(Failing { ready: false });
    let Ok(denied) = service.oneshot(post_body("/login", of_frames([data("{}")]))).await else { panic!("an error") };
    assert_eq!(denied.status(), 400);
}
