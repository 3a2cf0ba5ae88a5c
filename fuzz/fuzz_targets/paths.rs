//! A path that a naive reader takes for a guarded one never reaches the application unverified.
#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode;
use tower_jverify::{Class, JVerifyLayer, Rule, number};
use tower_jverify_fuzz::{LOGIN, Verifier, guarding, send};

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| Verifier::of_class(Class::Rejected));
static LAYER: LazyLock<JVerifyLayer<Verifier>> =
    LazyLock::new(|| guarding(&VERIFIER, [Rule::post("/login", number()), Rule::post("/v1/{tenant}/login", number())]));

fuzz_target!(|target: &[u8]| {
    let Ok(uri) = Uri::try_from(target) else { return };
    let request = Request::post(uri.clone()).header("content-type", "application/json");
    let Ok(request) = request.body(Full::new(Bytes::from_static(LOGIN.as_bytes()))) else { return };
    let outcome = send(&LAYER, &VERIFIER, request);

    // Nothing that is guarded gets through: the verifier rejects everything.
    let path = if uri.path().is_empty() { uri.authority().map_or("", |whole| whole.as_str()) } else { uri.path() };
    let readings = readings(path.as_bytes());
    if let Some(reading) = readings.iter().find(|reading| is_guarded(reading)) {
        assert!(outcome.reached.is_none(), "{uri} reached the application, and can be read as {reading:?}");
    }
    // A path that all servers read alike is not refused.
    let plain = path.starts_with('/') && path[1..].split('/').all(|s| !s.is_empty() && s.bytes().all(is_plain));
    if plain && !is_guarded(&path.to_ascii_lowercase()) {
        assert!(outcome.reached.is_some() && outcome.asked.is_empty(), "{uri} is not guarded");
    }
    if let Some((parts, _)) = outcome.reached {
        assert_eq!(parts.uri, uri, "the application got another path");
    }
});

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn is_guarded(path: &str) -> bool {
    let segments: Vec<_> = path.split('/').collect();
    matches!(segments.as_slice(), ["", "login"] | ["", "v1", _, "login"])
}

/// The readings of naive backends: how often each decodes, whether it turns backslashes, cuts `;`, and in which order.
fn readings(path: &[u8]) -> Vec<String> {
    let mut decoded = vec![path.to_vec()];
    while let Some(last) = decoded.last() {
        let next: Vec<u8> = percent_decode(last).collect();
        if next == *last {
            break;
        }
        decoded.push(next);
    }
    let mut all = Vec::new();
    for text in decoded {
        let text = String::from_utf8_lossy(&text).to_lowercase();
        for text in [text.clone(), text.replace('\\', "/")] {
            let cut: Vec<_> = text.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect();
            let ended = text.split(['\0', '?', '#', ';']).next().unwrap_or_default();
            all.extend([resolve(&text), resolve(&cut.join("/")), resolve(ended)]);
        }
    }
    all
}

/// Resolves dots and doubled slashes; a trailing slash does not count.
fn resolve(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => _ = segments.pop(),
            segment => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}
