//! A signed statement about each request that a rule lets through, for a backend that does not trust the network.

mod backend;
mod claims;
mod forged;
mod refused;
mod rotation;
mod settings;
mod several;
mod stacked;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::Full;
use serde_json::Value;
use tower_jverify::{
    Assertions, JVerifyBuilder, Rule, number,
    pass::{Assertion, AssertionError},
};

use crate::support::{Guarded, Seen, Verifier, builder, post_json};

const HEADER: &str = "x-jverify-assertion";

/// A private key of Ed25519 as PKCS#8 in DER, which is made of one byte.
fn pkcs8(byte: u8) -> Vec<u8> {
    let prefix = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    prefix.into_iter().chain([byte; 32]).collect()
}

fn assertions() -> Assertions {
    Assertions::ed25519("one", pkcs8(1)).audience("accounts")
}

/// A verifier with the keys of these assertions.
fn verifier(assertions: &Assertions) -> tower_jverify::pass::Verifier {
    tower_jverify::pass::Verifier::new(assertions.jwks().unwrap()).audience("accounts").build().unwrap()
}

fn login() -> Rule {
    Rule::post("/login", number())
}

/// A layer with these settings and with assertions, and a verifier that passes everything.
fn asserting(set: impl FnOnce(JVerifyBuilder<Verifier>) -> JVerifyBuilder<Verifier>) -> Guarded {
    Guarded::with(|verifier| set(builder(verifier).assertion(assertions())).build().unwrap())
}

/// The only assertion of a request.
fn text(seen: &Seen) -> String {
    let all: Vec<_> = seen.parts.headers.get_all(HEADER).iter().collect();
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].is_sensitive());
    all[0].to_str().unwrap().to_owned()
}

/// A part of an assertion: 0 is the header, 1 are the claims.
fn part(text: &str, at: usize) -> Value {
    let part = text.split('.').nth(at).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The claims of a request.
fn claims(seen: &Seen) -> Value {
    part(&text(seen), 1)
}

/// The result of the verifier for a request as it reached the application.
fn verified(seen: &Seen) -> Result<Assertion, AssertionError> {
    verifier(&assertions()).verify(&seen.parts, seen.body.as_ref().unwrap())
}

/// Sends a login, which passes. Returns what reached the application.
async fn passed(guarded: &Guarded, request: Request<Full<Bytes>>) -> Seen {
    let response = guarded.send(request).await;
    assert_eq!(response.status(), 200, "{:?}", response.body());
    guarded.application.last()
}

/// A request with this assertion, as if the layer had handed it on.
fn with_assertion(body: &str, assertion: &str) -> (http::request::Parts, Bytes) {
    let mut request = post_json("/login", body.to_owned());
    request.headers_mut().insert(HEADER, HeaderValue::from_str(assertion).unwrap());
    let (parts, _) = request.into_parts();
    (parts, Bytes::from(body.to_owned()))
}
