//! For all request headers and all risk tags of JPush: the application sees exactly the layer's `x-jverify-*` headers, with one
//! value each, and the client's other headers unchanged.
//!
//! Input: a path and a score in the first line, then header lines up to an empty one, then a risk tag a line.
#![no_main]

use std::sync::{LazyLock, Mutex};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use tower_jverify::{Class, JVerifyLayer, Risk, Verdict};
use tower_jverify_fuzz::{LOGIN, Verifier, login, send};

static RISK: Mutex<Risk> = Mutex::new(Risk::Unknown);
static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    Verifier::answering(|check| {
        Verdict::new(check.kind(), Class::Passed).with_id(1).with_risk(RISK.lock().expect("no panic so far").clone())
    })
});
static LAYER: LazyLock<JVerifyLayer<Verifier>> = LazyLock::new(|| login(&VERIFIER));

fuzz_target!(|input: &[u8]| {
    let mut lines = input.split(|&byte| byte == b'\n');
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let (path, score) = first.split_once(' ').unwrap_or((&first, ""));
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let mut halves = line.splitn(2, |&byte| byte == b':');
        let (Some(name), Some(value)) = (halves.next(), halves.next()) else { continue };
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value.trim_ascii())) else {
            continue;
        };
        if headers.try_append(name, value).is_err() {
            return;
        }
    }
    let tags = lines.map(|tag| String::from_utf8_lossy(tag).into()).collect();
    let risk = score.parse().map_or(Risk::NotAsked, |score| Risk::from_score(score, tags));
    *RISK.lock().expect("no panic so far") = risk.clone();

    let path = if path == "/login" { "/login" } else { "/health" };
    let mut request = Request::post(path).body(Full::new(Bytes::from_static(LOGIN.as_bytes()))).expect("a request");
    *request.headers_mut() = headers.clone();
    let outcome = send(&LAYER, &VERIFIER, request);
    let guarded = path == "/login";
    assert!(guarded || (outcome.reached.is_some() && outcome.asked.is_empty()), "an unmatched request is left alone");
    let Some((parts, _)) = outcome.reached else { return };

    // Theirs: as they came, in order. `Connection` loses our names.
    let theirs = |headers: &HeaderMap| -> Vec<_> {
        let all = headers.iter().filter(|(name, _)| !is_ours(name.as_str()) && *name != "connection");
        all.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    assert_eq!(theirs(&parts.headers), theirs(&headers), "others were touched");
    for value in parts.headers.get_all("connection") {
        let mut names = value.as_bytes().split(|&byte| byte == b',');
        assert!(!names.any(|name| is_ours(&String::from_utf8_lossy(name.trim_ascii()))), "{value:?} names ours");
    }

    // The `x-jverify-*` headers: each is known, occurs once, and has only characters that all servers read alike.
    let ours: Vec<_> = parts.headers.iter().filter(|(name, _)| is_ours(name.as_str())).collect();
    assert_eq!(ours.is_empty(), !guarded, "{ours:?}");
    for (name, value) in ours {
        assert_eq!(parts.headers.get_all(name).iter().count(), 1, "{name}");
        let value = value.to_str().expect("visible ASCII");
        let known = match name.as_str() {
            "x-jverify-decision" => matches!(value, "allow" | "flag"),
            "x-jverify-risk-level" => matches!(value, "low" | "medium" | "elevated" | "high" | "unknown"),
            "x-jverify-risk-score" => risk.score().is_some_and(|score| score.to_string() == value),
            "x-jverify-risk-tags" => {
                let tags: Vec<_> = value.split(',').collect();
                let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'%');
                tags.len() <= 16 && tags.iter().all(|tag| (1..=192).contains(&tag.len()) && tag.bytes().all(plain))
            }
            "x-jverify-checks" => value == "number",
            "x-jverify-id" => value == "1",
            "x-jverify-reason" => value.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
            _ => false,
        };
        assert!(known, "{name}: {value}");
    }
});

/// Has the prefix `x-jverify-`, in any spelling.
fn is_ours(name: &str) -> bool {
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    name == "x-jverify" || name.starts_with("x-jverify-")
}
