//! Of all replies from JPush's side, only a documented pass passes.
//!
//! Input: one byte for the kind of check, one for the status, one for the place where the body is split into two frames; then the
//! body, in which `@sealed@` is replaced by a phone that is encrypted as JPush does for one-tap logins.
#![no_main]

use std::{convert::Infallible, sync::LazyLock};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tower::{ServiceExt, service_fn};
use tower_jverify::{Check, CheckKind, Credentials, ExId, JPush, Phone, Risk, Sandbox, Verdict};
use tower_jverify_fuzz::{Frames, pairs, wait};

const EX_ID: &str = "ours-1";
const PHONE: &str = "13812345678";
/// The tags that the client keeps: `TAGS` of `src/jpush/wire.rs`.
const TAGS: usize = 64;
static CREDENTIALS: LazyLock<Credentials> =
    LazyLock::new(|| Credentials::new("app-key", "master-secret").expect("credentials"));
/// The phone, as the sandbox seals it.
static SEALED: LazyLock<String> = LazyLock::new(|| {
    let request = Request::post("https://api.verification.jpush.cn/v2/web/loginTokenVerify")
        .header("authorization", "Basic YXBwLWtleTptYXN0ZXItc2VjcmV0")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(format!(r#"{{"loginToken":"sandbox-8000-{PHONE}"}}"#))))
        .expect("a request");
    let reply = wait(async {
        let reply = Sandbox::new().oneshot(request).await.unwrap_or_else(|_| panic!("the sandbox answers"));
        reply.into_body().collect().await.unwrap_or_else(|_| panic!("whole")).to_bytes()
    });
    let reply: Value = serde_json::from_slice(&reply).expect("JSON");
    reply["phone"].as_str().expect("a sealed phone").to_owned()
});

fuzz_target!(|input: &[u8]| {
    let [kind, status, cut, body @ ..] = input else { return };
    let phone = Phone::parse(PHONE).expect("a phone");
    let body = &sealed(body);
    let check = match kind % 4 {
        0 => Check::number("t", phone),
        1 => Check::captcha("c"),
        2 => Check::risk(phone),
        _ => Check::one_tap("l"),
    };
    let with_ex_id = kind & 0x80 != 0;
    let check = if with_ex_id { check.with_ex_id(ExId::parse(EX_ID).expect("an id")) } else { check };
    let status =
        [200, 200, 200, 201, 204, 301, 302, 400, 401, 403, 404, 429, 500, 502, 503, 599][usize::from(status % 16)];
    let cut = usize::from(*cut);

    let verdict = answer(&check, status, Frames::cut(body, body.len()));
    assert_eq!(verdict, answer(&check, status, Frames::cut(body, cut)), "frames make a difference");
    let Some(verdict) = verdict else { return };

    assert_eq!(verdict.kind(), check.kind());
    assert!(!verdict.is_sandbox());
    let proves = verdict.class().is_pass() && check.kind() == CheckKind::OneTap;
    assert_eq!(verdict.phone(), proves.then_some(phone), "the phone is not the proven one");
    if let Risk::Known { score, tags, .. } = verdict.risk() {
        assert!(*score <= 900 && tags.len() <= TAGS && tags.iter().all(|tag| tag.len() <= 64));
    }
    if !verdict.class().is_pass() {
        return;
    }
    assert!((200..300).contains(&status), "a pass by {status}");
    let pairs = pairs(body);
    let once = |name: &str| {
        let mut found = pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.get());
        let first = found.next();
        assert!(found.next().is_none(), "{name} twice");
        first
    };
    let text = |name: &str| once(name).and_then(|value| serde_json::from_str::<String>(value).ok());
    let pass = match check.kind() {
        CheckKind::Number => "9000",
        CheckKind::Captcha => "6000",
        CheckKind::OneTap => "8000",
        CheckKind::Risk => "0",
        other => panic!("{other} was not asked"),
    };
    assert_eq!(once("code"), Some(pass), "a pass by another code, or a value that is not an integer");
    if check.kind() == CheckKind::Captcha {
        assert_eq!(text("result").as_deref(), Some("success"));
    }
    let theirs = text("exID").unwrap_or_default();
    assert!(theirs.is_empty() || theirs == if with_ex_id { EX_ID } else { "" }, "the answer to another check");
});

fn answer(check: &Check, status: u16, frames: Frames) -> Option<Verdict> {
    let transport = service_fn(move |_: Request<Full<Bytes>>| {
        let reply = Response::builder().status(status).body(frames.clone()).expect("a reply");
        async move { Ok::<_, Infallible>(reply) }
    });
    static KEY: LazyLock<tower_jverify::Secret> = LazyLock::new(Sandbox::one_tap_key_pem);
    let jpush = JPush::builder(CREDENTIALS.clone()).transport(transport);
    // Parsing the key is slow.
    let jpush = if check.kind() == CheckKind::OneTap { jpush.one_tap_key(&KEY) } else { jpush };
    wait(jpush.build().expect("a client").ask(check.clone())).ok()
}

fn sealed(body: &[u8]) -> Vec<u8> {
    const MARK: &[u8] = b"@sealed@";
    match body.windows(MARK.len()).position(|window| window == MARK) {
        Some(at) => [&body[..at], SEALED.as_bytes(), &body[at + MARK.len()..]].concat(),
        None => body.to_vec(),
    }
}
