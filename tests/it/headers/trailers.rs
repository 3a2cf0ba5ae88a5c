//! Some servers treat trailers as headers, so clients must not forge `x-jverify-*` trailers either.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use super::FORGED;
use crate::support::{Guarded, LOGIN, exchange, http2, serve};

fn check(guarded: &Guarded, what: &str) {
    let trailers = guarded.application.last().trailers.expect(what);
    let expected = [("x-checksum", "a"), ("x-checksum", "b"), ("x-other", "c")];
    let came: Vec<_> = trailers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    assert_eq!(came, expected, "{what}");
}

#[tokio::test]
async fn forged_trailers_are_gone_over_http1() {
    let guarded = Guarded::login();
    let address = serve(guarded.service()).await;
    let forged = FORGED.map(|name| format!("{name}: forged\r\n")).concat();
    for path in ["/login", "/health"] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             trailer: x-checksum, x-other\r\nte: trailers\r\ntransfer-encoding: chunked\r\n\r\n\
             {:x}\r\n{LOGIN}\r\n0\r\nx-checksum: a\r\n{forged}x-checksum: b\r\nx-other: c\r\n\r\n",
            LOGIN.len(),
        );
        let response = exchange(address, request).await;
        assert!(response.starts_with("HTTP/1.1 200"), "{path}: {response}");
        check(&guarded, path);
    }
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (1, 2));
}

#[tokio::test]
async fn forged_trailers_are_gone_over_http2() {
    let guarded = Guarded::login();
    let address = serve(guarded.service()).await;
    let mut client = http2(address).await;
    for path in ["/login", "/health"] {
        let mut trailers = HeaderMap::new();
        trailers.append("x-checksum", HeaderValue::from_static("a"));
        for name in FORGED {
            trailers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_static("forged"));
        }
        trailers.append("x-checksum", HeaderValue::from_static("b"));
        trailers.append("x-other", HeaderValue::from_static("c"));
        let frames = [Frame::data(Bytes::from_static(LOGIN.as_bytes())), Frame::trailers(trailers)];
        let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, Infallible>)));
        let request = Request::post(format!("http://{address}{path}")).header(CONTENT_TYPE, "application/json");
        let response = client.send_request(request.body(body).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.into_body().collect().await.unwrap();
        check(&guarded, path);
    }
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (1, 2));
}
