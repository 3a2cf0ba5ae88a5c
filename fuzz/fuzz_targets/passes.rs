//! Whatever a client makes of a pass, and whatever header carries it: only the pass itself, alone in its header, takes the place of a
//! number check, and the application never sees it.
//!
//! Input: in the first line `headers` and then header lines, in which `%` is a pass that was issued; or `signed`, and then a JOSE header and
//! claims in a line each, in which `%` is that of the pass without its braces: they are signed with the real key.
#![no_main]

use std::{
    convert::Infallible,
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tower::{ServiceExt, service_fn};
use tower_jverify::{
    Check, CheckKind, Class, Denial, Guards, JVerifyLayer, Passes, RequestBody, Risk, Rule, Verdict, number,
};
use tower_jverify_fuzz::wait;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const PHONE: &str = "13812345678";
const PASS: &str = "x-jverify-pass";

type Answer = std::future::Ready<Result<Verdict, Infallible>>;
type Verifier = tower::util::ServiceFn<fn(Check) -> Answer>;

static NUMBERS: AtomicU64 = AtomicU64::new(0);
static NEXT: AtomicU64 = AtomicU64::new(0);
static LAYER: LazyLock<JVerifyLayer<Verifier>> = LazyLock::new(|| {
    // Each input leaves claims, and a full store takes no pass.
    let guards = Guards::builder().capacity(20_000_000).build().expect("guards");
    JVerifyLayer::builder(service_fn(answer as fn(Check) -> Answer))
        .guards(&guards)
        .passes(Passes::hs256("a", SECRET).audience("fuzz"))
        .rule(Rule::post("/login", number()).name("login"))
        .build()
        .expect("a layer")
});

#[allow(clippy::needless_pass_by_value, reason = "it is a service")]
fn answer(check: Check) -> Answer {
    let verdict = Verdict::new(check.kind(), Class::Passed);
    std::future::ready(Ok(if check.kind() == CheckKind::Number {
        NUMBERS.fetch_add(1, Ordering::Relaxed);
        verdict.with_risk(Risk::from_score(650, Vec::new()))
    } else {
        verdict
    }))
}

/// Whether the application got the request, and the pass that the answer carries.
fn send(headers: HeaderMap, body: String) -> (bool, Option<String>) {
    static SEEN: Mutex<bool> = Mutex::new(false);
    *SEEN.lock().expect("no panic so far") = false;
    let application = service_fn(|request: Request<RequestBody<Full<Bytes>>>| async move {
        *SEEN.lock().expect("no panic so far") = true;
        assert!(!request.headers().keys().any(is_like_pass), "the application got a pass");
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
    });
    let mut request = Request::post("/login").body(Full::new(Bytes::from(body))).expect("a request");
    *request.headers_mut() = headers;
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    let response = wait(tower::Layer::layer(&*LAYER, application).oneshot(request)).expect("the layer has no errors");
    let reached = *SEEN.lock().expect("no panic so far");
    assert_eq!(reached, response.extensions().get::<Denial>().is_none());
    let issued = response.headers().get(PASS).map(|pass| pass.to_str().expect("plain").to_owned());
    (reached, issued)
}

fn is_like_pass(name: &HeaderName) -> bool {
    let folded: String = name.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    folded == PASS
}

fn decoded(part: &str) -> String {
    String::from_utf8(URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
}

/// A JSON object without its braces.
fn members(object: &str) -> &str {
    object.trim_start_matches('{').trim_end_matches('}')
}

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n');
    let next = || NEXT.fetch_add(1, Ordering::Relaxed);
    let fresh = format!(r#"{{"token":"t{}","phone":"{PHONE}"}}"#, next());
    let (_, Some(pass)) = send(HeaderMap::new(), fresh) else { panic!("no pass was issued") };
    let retry = || format!(r#"{{"captchaContent":"c{}","phone":"{PHONE}"}}"#, next());
    let asked = NUMBERS.load(Ordering::Relaxed);
    let mut headers = HeaderMap::new();
    match lines.next() {
        Some("signed") => {
            let mut parts = pass.split('.');
            let (header, claims) = (parts.next().map(decoded).expect("one"), parts.next().map(decoded).expect("two"));
            let written = |line: Option<&str>, own: &str| line.unwrap_or_default().replace('%', members(own));
            let (new_header, new_claims) = (written(lines.next(), &header), written(lines.next(), &claims));
            let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(&new_header), URL_SAFE_NO_PAD.encode(&new_claims));
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key");
            mac.update(message.as_bytes());
            let signed = format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
            headers.insert(PASS, signed.parse().expect("plain"));
            let (reached, _) = send(headers, retry());
            if reached {
                let parse = |text: &str| serde_json::from_str::<Value>(text).expect("it was read");
                let (old, new) = (parse(&claims), parse(&new_claims));
                assert_eq!(parse(&new_header), parse(&header), "another header was accepted");
                for name in ["iss", "aud", "rule", "ph", "jti"] {
                    assert_eq!(new[name], old[name], "{name}");
                }
                let seconds = |name: &str| new[name].as_u64().expect("a number");
                assert!(seconds("exp") <= seconds("iat").saturating_add(900), "{new_claims}");
                assert_eq!(new["checks"][0], "number");
            }
        }
        _ => {
            for line in lines {
                let Some((name, value)) = line.split_once(':') else { continue };
                let value = value.trim().replace('%', &pass);
                let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
                    continue;
                };
                if headers.try_append(name, value).is_err() {
                    return;
                }
            }
            let like: Vec<_> = headers.iter().filter(|(name, _)| is_like_pass(name)).collect();
            let is_good =
                matches!(like.as_slice(), [(name, value)] if *name == PASS && value.as_bytes() == pass.as_bytes());
            let is_alone = like.len() == headers.len();
            let (reached, _) = send(headers, retry());
            assert!(is_good || !reached, "something else took the place of a pass");
            assert!(reached || !is_good || !is_alone, "a pass was refused");
            let mut again = HeaderMap::new();
            again.insert(PASS, pass.parse().expect("plain"));
            let (through, _) = send(again, retry());
            assert!(!(reached && through), "a pass twice");
        }
    }
    assert_eq!(NUMBERS.load(Ordering::Relaxed), asked, "a number was asked about");
});
