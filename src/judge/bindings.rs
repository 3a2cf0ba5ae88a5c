//! The conditions that a captcha must meet: its scene, its type, and the client's network.

use std::net::IpAddr;

use super::client::canonical;
use crate::{denial::DenialReason, error::ConfigError, verdict::Verdict};

/// How many leading bits of two addresses must be equal, for each family: see
/// [`Captcha::bind_client_ip`](crate::rule::Captcha::bind_client_ip).
///
/// ```
/// use tower_jverify::{ClientIp, Prefix, Rule, captcha};
///
/// let prefix = Prefix { v4: 24, v6: 48 };
/// let rule = Rule::post("/register", captcha().bind_client_ip(prefix)).client_ip(ClientIp::forwarded(1));
/// # let _ = rule;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// 1 to 32 bits of an IPv4 address.
    pub v4: u8,
    /// 1 to 128 bits of an IPv6 address.
    pub v6: u8,
}

/// The conditions for a captcha that passed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Bindings {
    pub(crate) scene: Option<Box<str>>,
    pub(crate) used_types: Option<Box<[Box<str>]>>,
    pub(crate) client_ip: Option<Prefix>,
}

// === impl Bindings ===

impl Bindings {
    /// `finds_clients`: whether the rule has a `client_ip`.
    ///
    /// # Errors
    ///
    /// `used_types`, if it is empty or has an empty text. `bind_client_ip`, if the prefix has no bits or too many, or the rule
    /// does not find addresses.
    pub(crate) fn validate(&self, finds_clients: bool) -> Result<(), ConfigError> {
        if let Some(types) = &self.used_types {
            if types.is_empty() {
                return Err(ConfigError::unshown("used_types", "an empty list accepts no captcha"));
            }
            if types.iter().any(|used_type| used_type.is_empty()) {
                return Err(ConfigError::new("used_types", "", "an empty type never matches"));
            }
        }
        if let Some(Prefix { v4, v6 }) = self.client_ip {
            if !(1..=32).contains(&v4) || !(1..=128).contains(&v6) {
                let problem = "a prefix has 1 to 32 bits of IPv4 and 1 to 128 bits of IPv6";
                return Err(ConfigError::new("bind_client_ip", format!("/{v4} and /{v6}"), problem));
            }
            if !finds_clients {
                return Err(ConfigError::unshown("bind_client_ip", "requires `client_ip`, which finds the address"));
            }
        }
        Ok(())
    }

    /// Why the captcha of this verdict does not count. If the verdict does not contain a value, its condition is not met.
    /// `client`: the address of the request.
    pub(super) fn objection(&self, verdict: &Verdict, client: Option<IpAddr>) -> Option<DenialReason> {
        let Self { scene, used_types, client_ip } = self;
        if scene.as_ref().is_some_and(|scene| verdict.scene() != Some(&**scene)) {
            return Some(DenialReason::Mismatch);
        }
        let is_listed =
            |types: &[Box<str>]| verdict.used_type().is_some_and(|used| types.iter().any(|known| **known == *used));
        let is_bound = |prefix: &Prefix| {
            verdict.user_ip().zip(client).is_some_and(|(solver, client)| prefix.is_shared_by(solver, client))
        };
        let holds = used_types.as_deref().is_none_or(is_listed) && client_ip.as_ref().is_none_or(is_bound);
        (!holds).then_some(DenialReason::CaptchaUnbound)
    }
}

// === impl Prefix ===

impl Prefix {
    /// Octets that the addresses of one network share, and no other network has.
    pub(super) fn network(self, address: IpAddr) -> [u8; 17] {
        let (kind, bits) = match canonical(address) {
            IpAddr::V4(v4) => {
                (4, u128::from(v4.to_bits() & u32::MAX.checked_shl(32 - u32::from(self.v4)).unwrap_or(0)))
            }
            IpAddr::V6(v6) => (6, v6.to_bits() & u128::MAX.checked_shl(128 - u32::from(self.v6)).unwrap_or(0)),
        };
        let mut octets = [kind; 17];
        if let Some((_, rest)) = octets.split_first_mut() {
            rest.copy_from_slice(&bits.to_be_bytes());
        }
        octets
    }

    /// Whether two addresses have the same leading bits. An IPv4 address is compared as IPv4 in every notation.
    fn is_shared_by(self, one: IpAddr, other: IpAddr) -> bool {
        match (canonical(one), canonical(other)) {
            (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros() >= self.v4.into(),
            (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros() >= self.v6.into(),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}
