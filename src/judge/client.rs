//! Identifies a client by its address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All clients that share one address, or one IPv6 network of 64 bits, which is the smallest network that a provider
/// assigns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    V4(Ipv4Addr),
    V6(u64),
    /// All clients without an address, which count as one.
    Unknown,
}

// === impl Client ===

impl Client {
    /// The client at this address. An IPv4 address written as IPv6 is the same client.
    pub(crate) fn at(address: Option<IpAddr>) -> Self {
        match address.map(canonical) {
            None => Self::Unknown,
            Some(IpAddr::V4(address)) => Self::V4(address),
            Some(IpAddr::V6(address)) => Self::V6(u64::try_from(address.to_bits() >> 64).unwrap_or_default()),
        }
    }

    /// Octets that identify the client.
    pub(super) fn octets(self) -> [u8; 9] {
        let (kind, address) = match self {
            Self::Unknown => (0, 0),
            Self::V4(address) => (4, u64::from(address.to_bits())),
            Self::V6(network) => (6, network),
        };
        let mut octets = [kind; 9];
        if let Some((_, rest)) = octets.split_first_mut() {
            rest.copy_from_slice(&address.to_be_bytes());
        }
        octets
    }
}

/// The IPv4 address of a client, in every notation; otherwise the IPv6 address.
pub(super) fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => inner(v6).map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// The IPv4 address in an IPv6 one: mapped (RFC 4291, section 2.5.5.2), behind the well-known prefix of NAT64 (RFC 6052), or
/// the owner of a 6to4 network, which has 65,536 networks of 64 bits (RFC 3056).
fn inner(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(v4(high, low))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> Client {
        Client::at(Some(address.parse::<IpAddr>().unwrap()))
    }

    #[test]
    fn addresses_of_one_client_are_one() {
        for same in [
            &[
                "192.0.2.1",
                "::ffff:192.0.2.1",
                "::ffff:c000:201",
                "64:ff9b::192.0.2.1",
                "2002:c000:201::1",
                "2002:c000:201:9::",
            ][..],
            &["2001:db8:1:2::", "2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"],
        ] {
            for address in same {
                assert_eq!(client(address), client(same[0]), "{address}");
            }
        }
        let all = ["192.0.2.1", "192.0.2.2", "2001:db8:1:2::", "2001:db8:1:3::", "::1", "64:ff9b:1::192.0.2.1"];
        for (n, one) in all.iter().enumerate() {
            assert!(all[n + 1..].iter().all(|other| client(one) != client(other)), "{one}");
            assert_ne!(client(one), Client::Unknown);
            assert!(all[n + 1..].iter().all(|other| client(one).octets() != client(other).octets()), "{one}");
        }
    }
}
