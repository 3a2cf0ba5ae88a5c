//! Enforces a rule for a part of its clients.

use crate::{error::ConfigError, mac::MacKey, secret::Secret};

/// The part of the phones or clients for which a rule is enforced: see [`Mode::Rollout`](crate::Mode::Rollout).
///
/// A phone or client is in one of 10,000 buckets: the first 8 bytes of an HMAC-SHA256 under the key, as a big-endian number,
/// modulo 10,000. The hash is over the rule's name ([`Rule::name`](crate::Rule::name)), a zero byte, and the unit. The rule is
/// enforced for buckets below `percent` times 100. So a larger `percent` only adds phones and clients, as long as the
/// key and the rule's name are the same.
///
/// A request without a readable phone counts by its client's address. A request without either is enforced, unless
/// `percent` is 0.
///
/// **Danger: a rollout is not a boundary.** A client that chooses its phone, its address or the form of its request can try
/// until it finds one that is not enforced.
///
/// ```
/// use tower_jverify::{Mode, Rollout, Rule, Secret, Unit, number};
///
/// # let key = "0123456789abcdef0123456789abcdef";
/// let rollout = Rollout::percent(12.5).by(Unit::Phone).key(Secret::from(key));
/// let rule = Rule::post("/login", number()).mode(Mode::Rollout(rollout));
/// # let _ = rule;
/// ```
#[derive(Clone, Debug)]
pub struct Rollout(Box<Settings>);

/// Boxed, so that a rule is small.
#[derive(Clone, Debug)]
struct Settings {
    percent: f64,
    unit: Unit,
    key: Option<Secret>,
}

/// What a rollout counts by.
///
/// ```
/// use tower_jverify::{Rollout, Unit};
///
/// let rollout = Rollout::percent(10.0).by(Unit::ClientIp);
/// # let _ = rollout;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// The phone that the client claims: its eleven digits. Where it cannot be read (one-tap, a captcha alone, a request that
    /// is refused before its phone is read), the client's address.
    #[default]
    Phone,
    /// The address that [`client_ip`](crate::Rule::client_ip) finds, which is required: a byte 4 and the IPv4 address as 8 bytes, or a
    /// byte 6 and the first 8 bytes of the IPv6 address.
    ClientIp,
}

/// A rollout of a rule, checked.
#[derive(Debug)]
pub(super) struct Share {
    /// For which buckets the rule is enforced, of [`BUCKETS`].
    below: u16,
    pub(super) unit: Unit,
    key: MacKey,
}

const BUCKETS: u16 = 10_000;

// === impl Rollout ===

impl Rollout {
    /// Enforces the rule for this part, in percent: 0 to 100, with at most two decimals. 0 is [`Mode::Shadow`](crate::Mode),
    /// 100 is [`Mode::Enforce`](crate::Mode). Other values are an error of `build()`.
    pub fn percent(percent: f64) -> Self {
        Self(Box::new(Settings { percent, unit: Unit::default(), key: None }))
    }

    /// Sets what is counted. Default: [`Unit::Phone`].
    pub fn by(mut self, unit: Unit) -> Self {
        self.0.unit = unit;
        self
    }

    /// Sets the key of the hash, of at least 32 bytes (`openssl rand -base64 32` generates one). Required, without a default, and
    /// the same for all instances. Another key moves all phones and clients to other buckets.
    pub fn key(mut self, key: impl Into<Secret>) -> Self {
        self.0.key = Some(key.into());
        self
    }

    /// # Errors
    ///
    /// `mode.rollout.percent`, `mode.rollout.key`, `mode.rollout.by`.
    pub(super) fn compile(&self, knows_clients: bool) -> Result<Share, ConfigError> {
        let Settings { percent, unit, key } = &*self.0;
        let below = hundredths(*percent).ok_or_else(|| {
            let problem = "0 to 100, with at most two decimals";
            ConfigError::new("mode.rollout.percent", percent.to_string(), problem)
        })?;
        if *unit == Unit::ClientIp && !knows_clients {
            return Err(ConfigError::unshown("mode.rollout.by", "requires `client_ip`, which finds the address"));
        }
        let key = key.as_ref().ok_or_else(|| ConfigError::unshown("mode.rollout.key", "a rollout requires a key"))?;
        Ok(Share { below, unit: *unit, key: MacKey::new("mode.rollout.key", key)? })
    }
}

/// Hundredths of a percent. Reads the shortest text of the number, so that 12.34 has two decimals.
fn hundredths(percent: f64) -> Option<u16> {
    let text = percent.to_string();
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let decimals = match decimals.len() {
        0 => 0,
        1 => decimals.parse::<u16>().ok()? * 10,
        2 => decimals.parse().ok()?,
        _ => return None,
    };
    let hundredths = whole.parse::<u16>().ok()?.checked_mul(100)?.checked_add(decimals)?;
    (hundredths <= BUCKETS).then_some(hundredths)
}

// === impl Share ===

impl Share {
    /// Whether the rule is enforced for this phone or client. Calls `find` only if that depends on it.
    /// `find` passes the unit on to be hashed; without one the rule is enforced.
    pub(super) fn takes(&self, rule: &str, find: impl FnOnce(&dyn Fn(&[u8]) -> u64) -> Option<u64>) -> bool {
        match self.below {
            0 => false,
            BUCKETS => true,
            below => find(&|unit| self.bucket(rule, unit)).is_none_or(|bucket| bucket < u64::from(below)),
        }
    }

    fn bucket(&self, rule: &str, unit: &[u8]) -> u64 {
        let hash = self.key.mac([rule.as_bytes(), &[0], unit]);
        let first = hash.first_chunk().copied().unwrap_or_default();
        u64::from_be_bytes(first) % u64::from(BUCKETS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(percent: f64) -> Share {
        let key = Secret::from("0123456789abcdef0123456789abcdef");
        Rollout::percent(percent).key(key).compile(false).unwrap()
    }

    /// Whether the rule is enforced for the phone with this number.
    fn takes(share: &Share, phone: u32) -> bool {
        share.takes("POST /login", |hash| Some(hash(format!("138{phone:08}").as_bytes())))
    }

    #[test]
    fn of_100_000_phones_a_tenth_then_a_fifth_are_enforced_and_none_of_the_first_leaves() {
        let (tenth, fifth) = (share(10.0), share(20.0));
        let (mut in_tenth, mut in_fifth) = (0_u32, 0_u32);
        for phone in 0..100_000 {
            let [first, second] = [&tenth, &fifth].map(|share| takes(share, phone));
            assert!(second || !first, "{phone} has left");
            in_tenth += u32::from(first);
            in_fifth += u32::from(second);
        }
        assert!((9_700..=10_300).contains(&in_tenth), "{in_tenth}");
        assert!((19_600..=20_400).contains(&in_fifth), "{in_fifth}");
    }

    #[test]
    fn the_bucket_is_the_documented_hash() {
        // Computed with the module `hmac` of Python.
        assert_eq!(share(50.0).bucket("POST /login", b"13800000000"), 76);
    }

    #[test]
    fn all_and_nothing_need_no_unit() {
        let never = |share: Share| share.takes("r", |_| panic!("a unit is not needed"));
        assert!(!never(share(0.0)) && never(share(100.0)));
        assert!(share(0.01).takes("r", |_| None), "without a unit the rule is enforced");
    }
}
