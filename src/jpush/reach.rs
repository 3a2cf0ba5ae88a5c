//! The networks for which plain `http` is allowed: every host on the way can read its credentials and proofs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses that may be dialled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reach {
    /// All addresses: TLS verifies the server.
    #[default]
    Anywhere,
    /// Private networks (RFC 1918, and RFC 4193 for IPv6), and loopback.
    Private,
    /// This machine.
    Loopback,
}

/// The host of a URL.
pub(super) enum Host {
    Address(IpAddr),
    /// `localhost`.
    Local,
    /// Any other name, whose addresses are known after it is resolved.
    Name,
}

// === impl Reach ===

impl Reach {
    pub(super) fn covers(self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        let is_private = || match ip {
            IpAddr::V4(ip) => ip.is_private(),
            IpAddr::V6(ip) => ip.is_unique_local(),
        };
        match self {
            Self::Anywhere => true,
            Self::Private => ip.is_loopback() || is_private(),
            Self::Loopback => ip.is_loopback(),
        }
    }
}

// === impl Host ===

impl Host {
    /// Reads the host of an authority, which has IPv6 addresses in brackets.
    pub(super) fn of(text: &str) -> Self {
        if text.eq_ignore_ascii_case("localhost") {
            return Self::Local;
        }
        let address = match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            Some(v6) => v6.parse::<Ipv6Addr>().map(IpAddr::V6),
            None => text.parse::<Ipv4Addr>().map(IpAddr::V4),
        };
        address.map_or(Self::Name, Self::Address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_networks_and_loopback_are_private_and_nothing_else_is() {
        for (address, private, loopback) in [
            ("127.0.0.1", true, true),
            ("::1", true, true),
            ("::ffff:127.0.0.1", true, true),
            ("10.1.2.3", true, false),
            ("172.16.0.1", true, false),
            ("172.31.255.255", true, false),
            ("192.168.0.1", true, false),
            ("fd00::1", true, false),
            ("::ffff:10.0.0.1", true, false),
            ("172.32.0.1", false, false),
            ("0.0.0.0", false, false),
            ("100.64.0.1", false, false),
            ("169.254.169.254", false, false),
            ("fe80::1", false, false),
            ("::", false, false),
            ("8.8.8.8", false, false),
            ("::ffff:8.8.8.8", false, false),
            ("2001:db8::1", false, false),
        ] {
            let ip = address.parse().unwrap();
            assert_eq!((Reach::Private.covers(ip), Reach::Loopback.covers(ip)), (private, loopback), "{address}");
            assert!(Reach::Anywhere.covers(ip));
        }
    }
}
