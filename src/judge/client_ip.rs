//! The client's address, if the operator configures where to find it.
//!
//! The setting has no default: the right source depends on the proxies in front, and a client can forge a forwarded header
//! that no trusted proxy wrote.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use http::{HeaderName, request::Parts};

use crate::error::ConfigError;

type FromFn = Arc<dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync>;

/// Configures where the client's address is found. The address identifies the client: see
/// [`Rule::client_ip`](crate::Rule::client_ip). The verifier gets it only with
/// [`Rule::send_client_ip`](crate::Rule::send_client_ip).
///
/// One IPv4 address is one client, also if it is written as IPv6 (mapped, behind NAT64's well-known prefix, or in 6to4). One IPv6
/// network of 64 bits is one client.
///
/// ```
/// use tower_jverify::{ClientIp, Rule, number};
///
/// // Behind one trusted proxy that adds to `X-Forwarded-For`.
/// let rule = Rule::post("/login", number()).client_ip(ClientIp::forwarded(1));
/// # let _ = rule;
/// ```
#[derive(Clone)]
pub struct ClientIp(Source);

#[derive(Clone)]
enum Source {
    Peer,
    Forwarded { header: HeaderName, trusted_hops: usize },
    FromFn(FromFn),
}

// === impl ClientIp ===

impl ClientIp {
    /// Which extensions [`ClientIp::peer`] reads in this build, for the log.
    pub(crate) const PEER: &str = match (cfg!(feature = "axum"), cfg!(feature = "tonic")) {
        (false, false) => "`SocketAddr` only",
        (true, false) => "`SocketAddr`, axum's `ConnectInfo`",
        (false, true) => "`SocketAddr`, tonic's `TcpConnectInfo`",
        (true, true) => "`SocketAddr`, axum's `ConnectInfo`, tonic's `TcpConnectInfo`",
    };

    /// Uses the connection's peer: a `SocketAddr` extension (which a bare hyper server may insert), axum's
    /// `ConnectInfo<SocketAddr>` with the feature `axum`, tonic's `TcpConnectInfo` with the feature `tonic`. Without these features
    /// it reads `SocketAddr` only. The layer's first line in the log says which of them it reads. Clients without an address have one
    /// common share of `in_flight`.
    pub fn peer() -> Self {
        Self(Source::Peer)
    }

    /// Uses `X-Forwarded-For`, counted from the right: with one trusted proxy in front the last address is the client's, with
    /// two the last but one. Addresses further left can be forged by the client and are never read.
    ///
    /// `build()` refuses zero hops.
    pub fn forwarded(trusted_hops: usize) -> Self {
        Self(Source::Forwarded { header: HeaderName::from_static("x-forwarded-for"), trusted_hops })
    }

    /// Uses a function of the request's head. If it panics, the request is refused.
    pub fn from_fn(find: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        Self(Source::FromFn(Arc::new(find)))
    }

    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        match &self.0 {
            Source::Forwarded { trusted_hops: 0, .. } => {
                Err(ConfigError::new("client_ip", "0", "a forwarded address needs at least one trusted proxy"))
            }
            Source::Forwarded { .. } | Source::Peer | Source::FromFn(_) => Ok(()),
        }
    }

    pub(super) fn find(&self, parts: &Parts) -> Option<IpAddr> {
        match &self.0 {
            Source::Peer => peer(parts),
            Source::Forwarded { header, trusted_hops } => forwarded(parts, header, *trusted_hops),
            Source::FromFn(find) => find(parts),
        }
    }
}

impl fmt::Debug for ClientIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Peer => f.write_str("ClientIp::peer"),
            Source::Forwarded { trusted_hops, .. } => write!(f, "ClientIp::forwarded({trusted_hops})"),
            Source::FromFn(_) => f.write_str("ClientIp::from_fn"),
        }
    }
}

/// Whether the client is known not to be on this host: by the address that the setting finds, or else by the peer's. If the closure
/// panics, the address is not known.
pub(super) fn is_elsewhere(setting: Option<&ClientIp>, parts: &Parts) -> bool {
    let find = || setting.and_then(|client_ip| client_ip.find(parts)).or_else(|| peer(parts));
    let address = catch_unwind(AssertUnwindSafe(find)).unwrap_or_default();
    address.is_some_and(|address| !address.to_canonical().is_loopback())
}

fn peer(parts: &Parts) -> Option<IpAddr> {
    #[cfg(feature = "axum")]
    if let Some(axum::extract::ConnectInfo(peer)) = parts.extensions.get::<axum::extract::ConnectInfo<SocketAddr>>() {
        return Some(peer.ip());
    }
    #[cfg(feature = "tonic")]
    if let Some(info) = parts.extensions.get::<tonic::transport::server::TcpConnectInfo>() {
        return info.remote_addr().map(|peer| peer.ip());
    }
    parts.extensions.get::<SocketAddr>().map(SocketAddr::ip)
}

fn forwarded(parts: &Parts, header: &HeaderName, trusted_hops: usize) -> Option<IpAddr> {
    // Several lines are one list, in their order (RFC 9110, section 5.3).
    let lines: Vec<&[u8]> = parts.headers.get_all(header).iter().map(http::HeaderValue::as_bytes).collect();
    let address = lines.iter().rev().flat_map(|line| line.rsplit(|&b| b == b',')).nth(trusted_hops.checked_sub(1)?)?;
    let address = std::str::from_utf8(address).ok()?.trim();
    // Some proxies add a port, or brackets around an IPv6 address, or both.
    let in_brackets = || address.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || address.parse::<SocketAddr>().ok().map(|peer| peer.ip());
    address.parse().ok().or_else(with_port).or_else(in_brackets)
}
