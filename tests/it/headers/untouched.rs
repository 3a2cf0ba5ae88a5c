//! Other headers reach the application unchanged, in their order.

use std::fmt::Write;

use http::{HeaderMap, HeaderName, HeaderValue, Request, header::CONTENT_TYPE};
use http_body_util::Full;
use proptest::{collection::vec, prelude::*};

use super::FORGED;
use crate::support::{Guarded, LOGIN, exchange, serve};

type Pairs = Vec<(String, Vec<u8>)>;

/// Names that are not ours, some of them nearly; some repeated.
fn others() -> impl Strategy<Value = String> {
    let near =
        prop::sample::select(vec!["x-jverifyer", "x-jverif", "xjverify-decision", "y-jverify-id", "x-jverify2-id"]);
    prop_oneof!["[a-d]{1,2}(-[a-d]{1,2})?", near.prop_map(ToOwned::to_owned)]
}

fn headers() -> impl Strategy<Value = Pairs> {
    let name = prop_oneof![4 => others(), 1 => prop::sample::select(FORGED.to_vec()).prop_map(str::to_lowercase)];
    vec((name, vec(prop_oneof![0x20..0x7f_u8, 0x80..=0xff_u8], 0..8)), 0..24)
}

fn pairs(headers: &HeaderMap) -> Pairs {
    let pair = |(name, value): (&HeaderName, &HeaderValue)| (name.as_str().to_owned(), value.as_bytes().to_vec());
    headers.iter().map(pair).collect()
}

fn is_ours(name: &str) -> bool {
    let bent = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    bent == "x-jverify" || bent.starts_with("x-jverify-")
}

proptest! {
    #[test]
    fn order_and_multiplicity_are_the_clients(came in headers(), guarded_path in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut request = Request::post(if guarded_path { "/login" } else { "/health" }).body(Full::from(LOGIN)).unwrap();
        for (name, value) in &came {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
        }
        request.headers_mut().append(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut expected = pairs(request.headers());
        expected.retain(|(name, _)| !is_ours(name));

        let guarded = Guarded::login();
        let response = runtime.block_on(guarded.send(request));
        prop_assert_eq!(response.status(), 200);
        let seen = guarded.application.last();
        let mut arrived = pairs(&seen.parts.headers);
        if guarded_path {
            prop_assert!(arrived.iter().any(|(name, _)| name == "x-jverify-decision"));
            arrived.retain(|(name, _)| !is_ours(name));
        }
        prop_assert_eq!(arrived, expected);
        prop_assert_eq!(seen.body.unwrap(), LOGIN);
    }
}

#[tokio::test]
async fn order_and_multiplicity_are_the_clients_over_a_real_socket() {
    let guarded = Guarded::login();
    let address = serve(guarded.service()).await;
    let others = [
        ("host", "x"),
        ("b", "1"),
        ("a", "2"),
        ("connection", "close"),
        ("z", "3"),
        ("content-type", "application/json"),
        ("accept", "*/*"),
        ("cookie", "a=1; b=2"),
    ];
    for path in ["/login", "/health"] {
        let mut head = format!("POST {path} HTTP/1.1\r\nx-jverify-id: forged\r\n");
        for (name, value) in others {
            write!(head, "{name}: {value}\r\nX-Jverify-Decision: forged\r\n").unwrap();
        }
        let request = format!("{head}content-length: {}\r\nb: 4\r\n\r\n{LOGIN}", LOGIN.len());
        let response = exchange(address, request).await;
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");

        let mut arrived = pairs(&guarded.application.last().parts.headers);
        arrived.retain(|(name, _)| !is_ours(name));
        // A map keeps the values of one name together, at the place of the first.
        let expected = ["host", "b", "b", "a", "connection", "z", "content-type", "accept", "cookie", "content-length"];
        assert_eq!(arrived.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), expected, "{path}");
        assert_eq!((&*arrived[1].1, &*arrived[2].1), (&b"1"[..], &b"4"[..]), "{path}");
    }
}
