//! A number check whose risk asks for a captcha, refused with a pass or without: the difference is one signature and what it signs.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_jverify::{Check, Class, JVerifyLayer, Passes, Risk, Rule, Verdict, number};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// RFC 8410, section 10.3.
const PKCS8: [u8; 48] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20, 0xd4, 0xee, 0x72,
    0xdb, 0xf9, 0x13, 0x58, 0x4a, 0xd5, 0xb6, 0xd8, 0xf1, 0xf7, 0x69, 0xf8, 0xad, 0x3a, 0xfe, 0x7c, 0x28, 0xcb, 0xf1,
    0xd4, 0xfb, 0xe0, 0x97, 0xa8, 0x8f, 0x44, 0x75, 0x58, 0x42,
];

/// Denials `captcha_required`: with passes of `hs256` or `ed25519`, or with `none`.
pub(crate) async fn stepped_up(which: &str, requests: usize) {
    let passes = match which {
        "hs256" => Some(Passes::hs256("a", SECRET)),
        "ed25519" => Some(Passes::ed25519("a", PKCS8)),
        _ => None,
    };
    let verifier = service_fn(|check: Check| {
        let verdict = Verdict::new(check.kind(), Class::Passed).with_id(117_270_465_679_982_592);
        std::future::ready(Ok::<_, Infallible>(verdict.with_risk(Risk::from_score(650, Vec::new()))))
    });
    let layer = JVerifyLayer::builder(verifier)
        .passes(passes.map(|passes| passes.audience("accounts")))
        .rule(Rule::post("/login", number()))
        .build()
        .expect("rules stand");
    let application =
        service_fn(|_: Request<_>| async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) });
    let service = layer.layer(application);
    for number in 0..requests {
        let body = format!(r#"{{"token":"token {number:09}","phone":"15813554612"}}"#);
        let request = Request::post("/login").header("content-type", "application/json");
        let request = request.body(Full::new(Bytes::from(body))).expect("a static request is valid");
        let Ok(response) = service.clone().oneshot(request).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert_eq!(response.headers().contains_key("x-jverify-pass"), which != "none");
    }
}
