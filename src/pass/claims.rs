//! The claims of an assertion. Each is bounded, so that an assertion has at most 4,096 bytes.

use std::{
    borrow::Cow,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    jti,
    jws::Key,
    subject::{Subject, length},
};
use crate::{
    decision::{Decision, Level, Stated},
    phone::Phone,
};

/// The `typ` of an assertion.
pub(super) const TYPE: &str = "jverify-assertion+jwt";

/// How long an assertion is valid, in seconds.
pub(super) const LIFETIME: u64 = 60;

/// The longest path that is written as it is, in bytes. A longer path is written as its hash.
const PATH: usize = 192;

/// As [`PATH`], for a method.
const METHOD: usize = 32;

/// The maximum number of bytes of all tags in JSON. Further tags are omitted.
const TAGS: usize = 512;

/// The maximum number of checks of one request, counted over all layers. Further checks are omitted.
const CHECKS: usize = 8;

/// The claims of an assertion. `T`: the type of texts.
#[derive(Serialize, Deserialize)]
pub(super) struct Claims<T> {
    pub(super) iss: T,
    pub(super) aud: T,
    /// When it was signed, in seconds since 1970.
    pub(super) iat: u64,
    /// When it expires, in seconds since 1970.
    pub(super) exp: u64,
    pub(super) jti: T,
    pub(super) decision: T,
    pub(super) reason: T,
    pub(super) level: Option<T>,
    pub(super) score: Option<u16>,
    pub(super) tags: Vec<T>,
    pub(super) checks: Vec<T>,
    pub(super) vid: Vec<Option<T>>,
    pub(super) rule: Option<T>,
    pub(super) mode: T,
    pub(super) sandbox: bool,
    pub(super) htm: T,
    pub(super) htu: T,
    /// The hash of the body. Null if the assertion is not bound to a body.
    pub(super) bd: Option<T>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) phone: Option<T>,
}

// === impl Claims ===

impl Claims<String> {
    /// The decision, in the words of its claims.
    pub(super) fn stated(&self) -> Stated<'_> {
        Stated {
            word: &self.decision,
            reason: Some(&self.reason),
            level: self.level.as_deref(),
            score: self.score,
            tags: self.tags.iter().map(|tag| tag.as_str().into()).collect(),
            checks: self.checks.iter().map(String::as_str).collect(),
            ids: Some(self.vid.iter().map(Option::as_deref).collect()),
            phone: self.phone.as_deref(),
            is_sandbox: self.sandbox,
            mode: Some(&self.mode),
        }
    }
}

/// Signs the claims about a request.
pub(super) fn sign(key: &Key, (iss, aud): (&str, &str), now: SystemTime, subject: &Subject<'_>) -> Option<String> {
    let jti = jti::fresh()?;
    let &Subject { decision, rule, method, path, body } = subject;
    let (method, path, body) = (bounded_method(method.as_str()), bounded_path(path), body.map(digest));
    let phone = decision.forwarded_phone();
    let iat = seconds(now);
    let verdicts = decision.verdicts().iter().take(CHECKS);
    let claims = Claims {
        iss,
        aud,
        iat,
        exp: iat.saturating_add(LIFETIME),
        jti: &*jti,
        decision: decision.word(),
        reason: decision.reason_word(),
        level: decision.level().map(Level::as_str),
        score: decision.score(),
        tags: tags(decision),
        checks: verdicts.clone().map(|verdict| verdict.kind().as_str()).collect(),
        vid: verdicts.map(|verdict| verdict.id().filter(|id| !id.is_empty())).collect(),
        rule,
        mode: decision.mode().as_str(),
        sandbox: decision.is_sandbox(),
        htm: &*method,
        htu: &*path,
        bd: body.as_deref(),
        phone: phone.as_ref().map(Phone::as_str),
    };
    key.sign(TYPE, &claims)
}

/// The path as the claim `htu` has it.
pub(super) fn bounded_path(path: &str) -> Cow<'_, str> {
    bounded(path, PATH)
}

/// The method as the claim `htm` has it.
pub(super) fn bounded_method(method: &str) -> Cow<'_, str> {
    bounded(method, METHOD)
}

/// The text, or its hash if it is longer. Neither a path nor a method begins like the hash.
fn bounded(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most { Cow::Borrowed(text) } else { Cow::Owned(format!("sha-256:{}", digest(text.as_bytes()))) }
}

/// The hash of a body as the claim `bd` has it.
pub(super) fn digest(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}

/// Seconds since 1970.
pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn tags(decision: &Decision) -> Vec<&str> {
    let mut left = TAGS;
    let fits = |tag: &&str| {
        let needed = length(tag).saturating_add(r#""","#.len());
        let fits = needed <= left;
        left -= if fits { needed } else { 0 };
        fits
    };
    decision.shown_tags().filter(fits).collect()
}
