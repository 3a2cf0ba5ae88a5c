//! The key of a deployment. It hashes subjects into names without personal data, for a store outside of this process.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{
    error::ConfigError,
    mac::MacKey,
    secret::Secret,
    store::{Subject, day::Day},
};

/// HMAC-SHA256 under the deployment key.
#[derive(Clone, Debug)]
pub(super) struct DeploymentKey(MacKey);

/// The name of a subject in Redis: the prefix, and 128 bits of its HMAC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(Box<str>);

/// The prefix of every name. The number changes if the meaning of a value changes.
pub(super) const PREFIX: &str = "jverify:1:";

const SETTING: &str = "redis.deployment_key";

/// The keys in the documentation. All readers know them.
pub(super) const EXAMPLES: [&str; 2] = ["an example: never deploy this key", "0123456789abcdef0123456789abcdef"];

// === impl DeploymentKey ===

impl DeploymentKey {
    /// # Errors
    ///
    /// Names `redis.deployment_key`, if it is missing, short, or an example.
    pub(super) fn new(key: Option<&Secret>) -> Result<Self, ConfigError> {
        let refuse = |problem| Err(ConfigError::unshown(SETTING, problem));
        let Some(key) = key else {
            return refuse("is missing: instances that share a store hash with one secret key of at least 32 bytes");
        };
        let text = key.expose();
        if EXAMPLES.contains(&text) {
            return refuse("is an example from the documentation, which everyone can read");
        }
        let of = MacKey::new(SETTING, key)?;
        if text.bytes().all(|byte| text.as_bytes().first() == Some(&byte)) {
            return refuse("repeats one byte");
        }
        Ok(Self(of))
    }

    /// The subject's name; of that day, if it is a sum.
    pub(super) fn name(&self, subject: &Subject<'_>, day: Option<Day>) -> Name {
        // The day comes before the purpose, in a fixed length, so that no part can imitate it.
        let day = day.map_or(0, |day| day.number().saturating_add(1)).to_le_bytes();
        let mut bytes = Vec::new();
        subject.write(|part| bytes.extend_from_slice(part));
        let hash = self.0.mac([&day, &bytes]);
        let half = hash.first_chunk::<16>().copied().unwrap_or_default();
        Name(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(half)).into())
    }
}

// === impl Name ===

impl Name {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::store::Purpose;

    #[test]
    fn a_key_that_protects_nothing_is_refused() {
        let keys = EXAMPLES.map(Secret::from).into_iter().chain(["", "short", &"x".repeat(64)].map(Secret::from));
        for key in keys.map(Some).chain([None]) {
            let error = DeploymentKey::new(key.as_ref()).expect_err("must be refused");
            assert_eq!((error.setting(), error.value()), (SETTING, None));
        }
        assert!(DeploymentKey::new(Some(&Secret::from("9f8e7d6c5b4a39281706f5e4d3c2b1a0"))).is_ok());
    }

    #[test]
    fn a_name_is_the_same_under_one_key_and_another_under_another() {
        let [one, same, other] = ["0f", "0f", "0e"].map(|end| {
            DeploymentKey::new(Some(&Secret::from(format!("9f8e7d6c5b4a39281706f5e4d3c2b1{end}")))).unwrap()
        });
        let subject = Subject::new(Purpose::Claim, &[b"number", b"account", b"a token"]);
        let name = one.name(&subject, None);
        assert_eq!(name, same.name(&subject, None));
        assert_ne!(name, other.name(&subject, None));
        assert_ne!(name, one.name(&subject, Some(Day::at(SystemTime::UNIX_EPOCH))));
        // What instances of other versions share: it must not change.
        assert_eq!(name.as_str().len(), 32);
        assert!(name.as_str().starts_with(PREFIX));
    }
}
