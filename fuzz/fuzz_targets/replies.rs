//! Whatever JPush's side answers, only a documented pass passes.
//!
//! Input: a byte for the kind of check, one for the status, one for where the body is cut into two frames; the body.
#![no_main]

use std::{collections::VecDeque, convert::Infallible, sync::LazyLock};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tower::service_fn;
use tower_jverify::{Check, CheckKind, Credentials, ExId, JPush, Phone, Risk, Verdict};
use tower_jverify_fuzz::{pairs, wait};

const EX_ID: &str = "ours-1";
static CREDENTIALS: LazyLock<Credentials> =
    LazyLock::new(|| Credentials::new("app-key", "master-secret").expect("credentials"));

fuzz_target!(|input: &[u8]| {
    let [kind, status, cut, body @ ..] = input else { return };
    let phone = Phone::parse("13812345678").expect("a phone");
    let check = match kind % 3 {
        0 => Check::number("t", phone),
        1 => Check::captcha("c"),
        _ => Check::risk(phone),
    };
    let with_ex_id = kind & 0x80 != 0;
    let check = if with_ex_id { check.with_ex_id(ExId::parse(EX_ID).expect("an id")) } else { check };
    let status =
        [200, 200, 200, 201, 204, 301, 302, 400, 401, 403, 404, 429, 500, 502, 503, 599][usize::from(status % 16)];
    let cut = usize::from(*cut).min(body.len());

    let verdict = answer(&check, status, [body, b""]);
    assert_eq!(verdict, answer(&check, status, [&body[..cut], &body[cut..]]), "frames make a difference");
    let Some(verdict) = verdict else { return };

    assert_eq!(verdict.kind(), check.kind());
    assert!(verdict.phone().is_none() && !verdict.is_sandbox());
    if let Risk::Known { score, tags } = verdict.risk() {
        assert!(*score <= 900 && tags.len() <= 16 && tags.iter().all(|tag| tag.len() <= 64));
    }
    if !verdict.class().is_pass() {
        return;
    }
    assert!((200..300).contains(&status), "a pass by {status}");
    let reply: Value = serde_json::from_slice(body).expect("a pass is JSON");
    let pass = match check.kind() {
        CheckKind::Number => 9000,
        CheckKind::Captcha => 6000,
        CheckKind::Risk => 0,
        other => panic!("{other} was not asked"),
    };
    assert_eq!(reply["code"], Value::from(pass), "a pass by another code");
    if check.kind() == CheckKind::Captcha {
        assert_eq!(reply["result"], "success");
    }
    for name in ["code", "result", "exID", "riskCheck"] {
        assert!(pairs(body).iter().filter(|(key, _)| key == name).count() <= 1, "{name} twice");
    }
    let ours = if with_ex_id { EX_ID } else { "" };
    if let Some(theirs) = reply["exID"].as_str() {
        assert!(theirs.is_empty() || theirs == ours, "somebody else's answer");
    }
});

fn answer(check: &Check, status: u16, frames: [&[u8]; 2]) -> Option<Verdict> {
    let frames: VecDeque<_> = frames.into_iter().map(Bytes::copy_from_slice).collect();
    let transport = service_fn(move |_: Request<Full<Bytes>>| {
        let reply = Response::builder().status(status).body(Frames(frames.clone())).expect("a reply");
        async move { Ok::<_, Infallible>(reply) }
    });
    let jpush = JPush::with_transport(CREDENTIALS.clone(), transport).build().expect("a client");
    wait(jpush.ask(check.clone())).ok()
}

/// A body of these frames.
#[derive(Clone)]
struct Frames(VecDeque<Bytes>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        std::task::Poll::Ready(self.0.pop_front().map(|frame| Ok(Frame::data(frame))))
    }
}
