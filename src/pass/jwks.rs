//! Public keys as a JSON Web Key Set (RFC 7517; RFC 8037 for Ed25519).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::jws::{Key, PublicKey};

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// A key of any kind. Members that are not texts belong to other kinds of keys.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
}

#[derive(Serialize)]
struct Exported<'k> {
    kty: &'static str,
    crv: &'static str,
    alg: &'static str,
    r#use: &'static str,
    kid: &'k str,
    x: String,
}

/// The set of these keys of Ed25519.
pub(super) fn export<'k>(keys: impl Iterator<Item = &'k Key>) -> String {
    let exported = |key: &Key| {
        let key = key.public();
        let x = URL_SAFE_NO_PAD.encode(key.octets()?);
        serde_json::to_value(Exported { kty: "OKP", crv: "Ed25519", alg: "EdDSA", r#use: "sig", kid: key.kid(), x })
            .ok()
    };
    json!({ "keys": keys.filter_map(exported).collect::<Vec<Value>>() }).to_string()
}

/// The keys of Ed25519 of a set that can verify signatures. Others are left out, as RFC 7517 (section 5) requires.
///
/// # Errors
///
/// Returns why the set cannot be used: it is not a key set, has no such key, or has two keys with one name.
pub(super) fn parse(set: &[u8]) -> Result<Vec<PublicKey>, &'static str> {
    let set: Set = serde_json::from_slice(set).map_err(|_| "not a JSON Web Key Set")?;
    let mut keys: Vec<PublicKey> = Vec::new();
    for key in set.keys {
        let Ok(Jwk { kty, crv: Some(crv), x: Some(x), kid: Some(kid), alg, usage }) = serde_json::from_value(key)
        else {
            continue;
        };
        let is_for_signatures =
            usage.is_none_or(|usage| usage == "sig") && alg.is_none_or(|alg| alg == "EdDSA" || alg == "Ed25519");
        if kty != "OKP" || crv != "Ed25519" || !is_for_signatures {
            continue;
        }
        let octets = URL_SAFE_NO_PAD.decode(x).map_err(|_| "a key of Ed25519 is not base64url")?;
        let key = PublicKey::ed25519(&kid, &octets).ok_or("a key of Ed25519 has 32 bytes")?;
        if keys.iter().any(|other| other.kid() == key.kid()) {
            return Err("two keys have one `kid`");
        }
        keys.push(key);
    }
    if keys.is_empty() { Err("no key of Ed25519 with a `kid`") } else { Ok(keys) }
}
