//! Issues and reads passes.

use std::time::{Duration, SystemTime};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{
    bound::Bound,
    carried::{Carried, Chain, Unread},
    claims::seconds,
    jti,
    jws::{Key, verify},
    key::PassKey,
    passes::{LONGEST, Passes},
};
use crate::{check_kind::CheckKind, error::ConfigError, mac::MacKey};

/// The keys of a rule's passes. The first one signs.
#[derive(Debug)]
pub(crate) struct Keyring {
    keys: Vec<(Key, MacKey)>,
    audience: Box<str>,
    lifetime: Duration,
    binds_client: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: Box<str>,
    aud: Box<str>,
    iat: u64,
    exp: u64,
    /// When the number check was asked, in microseconds since 1970.
    checked: u64,
    jti: Box<str>,
    rule: Box<str>,
    ph: Box<str>,
    checks: Vec<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    score: Option<u16>,
    #[serde(default, skip_serializing_if = "is_false")]
    unknown: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vid: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cip: Option<Box<str>>,
    n: u8,
    #[serde(default, skip_serializing_if = "is_false")]
    sandbox: bool,
}

const TYP: &str = "jverify-pass+jwt";

const ISSUER: &str = "jverify";

/// The longest pass that is issued, in bytes.
const LONGEST_ISSUED: usize = 1024;

/// How far the clock of the instance that issued a pass may be ahead, in seconds.
const AHEAD: u64 = 30;

/// How many bytes of a hash a pass has.
const HASH: usize = 16;

// === impl Keyring ===

impl Keyring {
    /// # Errors
    ///
    /// Names the setting: [`Passes::validate`], or an invalid key.
    pub(crate) fn new(passes: &Passes) -> Result<Self, ConfigError> {
        let audience = passes.validate()?;
        let compile = |(kid, key): &(Box<str>, PassKey)| {
            Ok((Key::new("passes", kid, key)?, key.mac_key(b"tower-jverify: hashes in passes")))
        };
        let keys = passes.keys.iter().map(compile).collect::<Result<_, _>>()?;
        let Passes { lifetime, binds_client, .. } = passes;
        Ok(Self { keys, audience: audience.into(), lifetime: *lifetime, binds_client: *binds_client })
    }

    /// Issues a pass, whose lifetime begins with the number check. `None` if the lifetime is over, if the pass must be bound to the client's
    /// network and the network is not known, or if the pass would be longer than 1 KiB because of its tags: without a tag, it could carry a
    /// lower risk.
    pub(crate) fn issue(&self, carried: &Carried, bound: &Bound<'_>, now: SystemTime) -> Option<String> {
        let (key, hashing) = self.keys.first()?;
        let now = seconds(now);
        let latest = carried.chain.checked_seconds().saturating_add(self.lifetime.as_secs());
        let exp = carried.chain.ends.map_or(latest, |ends| ends.min(latest));
        if exp <= now {
            return None;
        }
        let jti = jti::fresh()?;
        let cip = if self.binds_client { Some(short(bound.network_mac(hashing, &jti)?)) } else { None };
        let risk = carried.has_risk_check.then_some(CheckKind::Risk);
        let claims = Claims {
            iss: ISSUER.into(),
            aud: self.audience.clone(),
            iat: now,
            exp,
            checked: carried.chain.checked,
            rule: bound.rule.into(),
            ph: short(bound.request_mac(hashing, &jti)),
            checks: [CheckKind::Number].into_iter().chain(risk).map(|kind| kind.as_str().into()).collect(),
            score: carried.score,
            unknown: carried.is_unknown,
            tags: carried.tags.clone(),
            vid: carried.id.clone(),
            cip,
            n: carried.chain.retries,
            sandbox: carried.is_sandbox,
            jti,
        };
        key.sign(TYP, &claims).filter(|text| text.len() <= LONGEST_ISSUED)
    }

    /// What a pass carries, if one of these keys has signed it for this request.
    ///
    /// # Errors
    ///
    /// [`Unread::Expired`] for a pass that was valid. [`Unread::Invalid`] for every other problem.
    pub(crate) fn read(&self, text: &str, bound: &Bound<'_>, now: SystemTime) -> Result<Carried, Unread> {
        let read = |(key, hashing)| Some((verify::<Claims>([Key::public(key)], TYP, text).ok()?, hashing));
        let (claims, hashing) =
            self.keys.iter().map(|(key, hashing)| (key, hashing)).find_map(read).ok_or(Unread::Invalid)?;
        let now = seconds(now);
        let chain = Chain { checked: claims.checked, ends: Some(claims.exp), retries: claims.n, jti: claims.jti };
        let is_meant = *claims.iss == *ISSUER
            && claims.aud == self.audience
            && *claims.rule == *bound.rule
            && claims.iat <= now.saturating_add(AHEAD)
            && chain.checked_seconds() <= now.saturating_add(AHEAD)
            && claims.exp <= claims.iat.min(chain.checked_seconds()).saturating_add(LONGEST.as_secs())
            && is_same(&claims.ph, bound.request_mac(hashing, &chain.jti))
            && match (&claims.cip, bound.network_mac(hashing, &chain.jti)) {
                // Also if the setting is newer than the pass.
                (None, _) => !self.binds_client,
                (Some(_), None) => false,
                (Some(cip), Some(network)) => is_same(cip, network),
            };
        let [first, more @ ..] = claims.checks.as_slice() else { return Err(Unread::Invalid) };
        let has_risk_check = match more {
            [] => false,
            [risk] => **risk == *CheckKind::Risk.as_str(),
            _ => return Err(Unread::Invalid),
        };
        if !is_meant || **first != *CheckKind::Number.as_str() || has_risk_check == more.is_empty() {
            return Err(Unread::Invalid);
        }
        // A shortened lifetime also applies to passes that were issued before.
        if claims.exp.min(chain.checked_seconds().saturating_add(self.lifetime.as_secs())) <= now {
            return Err(Unread::Expired);
        }
        let carried = Carried {
            has_risk_check,
            score: claims.score,
            is_unknown: claims.unknown,
            tags: claims.tags,
            id: claims.vid,
            is_sandbox: claims.sandbox,
            chain,
        };
        carried.is_whole().then_some(carried).ok_or(Unread::Invalid)
    }
}

fn short(hash: [u8; 32]) -> Box<str> {
    let (start, _) = hash.split_at(HASH);
    URL_SAFE_NO_PAD.encode(start).into()
}

fn is_same(claim: &str, hash: [u8; 32]) -> bool {
    short(hash).as_bytes().ct_eq(claim.as_bytes()).into()
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !value
}
