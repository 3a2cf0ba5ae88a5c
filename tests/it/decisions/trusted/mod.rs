//! A decision in another process: only headers that the layer writes are accepted.

mod backend;
mod headers;

use http::{HeaderMap, HeaderName, HeaderValue};
use tower_jverify::{Decision, TrustedHeaders, TrustedHeadersError};

use crate::decisions::PHONE;

fn headers<'a>(lines: impl IntoIterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn read(lines: &[(&str, &str)]) -> Result<Decision, TrustedHeadersError> {
    Decision::from_trusted_headers(&headers(lines.iter().copied()), "x-jverify")
}

/// What the layer writes for a number that passed, with the phone.
const ALLOWED: [(&str, &str); 7] = [
    ("x-jverify-decision", "allow"),
    ("x-jverify-risk-level", "low"),
    ("x-jverify-risk-score", "0"),
    ("x-jverify-checks", "number"),
    ("x-jverify-id", "117270465679982592"),
    ("x-jverify-reason", "verified"),
    ("x-jverify-phone", PHONE),
];

fn trusted() -> TrustedHeaders {
    TrustedHeaders::new("x-jverify").unwrap()
}
