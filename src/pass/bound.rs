//! What a pass is bound to.

use http::Method;

use crate::{mac::MacKey, phone::Phone};

/// What a pass is bound to: a request with the pass must have the same values.
#[cfg_attr(not(feature = "pass"), allow(dead_code))]
pub(crate) struct Bound<'b> {
    /// The rule's name.
    pub(crate) rule: &'b str,
    /// The account that the rule's verifier spends from.
    pub(crate) account: &'b str,
    /// Method and path. The path contains its parameters: for another tenant, the same phone is another proof.
    pub(crate) target: &'b Target,
    pub(crate) phone: Phone,
    /// The client's network, if it was found.
    pub(crate) network: Option<&'b [u8]>,
}

/// Method and path, as the request has them. A rule may be for any path, and rules of two layers may have one name.
#[derive(Clone)]
pub(crate) struct Target(Box<str>);

// === impl Target ===

impl Target {
    /// `path`: without the query, and without what a router has stripped.
    pub(crate) fn new(method: &Method, path: &str) -> Self {
        // A method cannot contain a space.
        Self(format!("{method} {path}").into())
    }
}

// === impl Bound ===

#[cfg_attr(not(feature = "pass"), allow(dead_code))]
impl Bound<'_> {
    /// A hash of phone, account, method and path, which differs for each pass.
    pub(super) fn request_mac(&self, key: &MacKey, jti: &str) -> [u8; 32] {
        // A phone has eleven digits, neither an id nor an account has a NUL, and the target is the last.
        key.mac([
            b"ph\0",
            jti.as_bytes(),
            b"\0",
            self.phone.as_str().as_bytes(),
            self.account.as_bytes(),
            b"\0",
            self.target.0.as_bytes(),
        ])
    }

    /// A hash of the client's network. `None` if it is not known.
    pub(super) fn network_mac(&self, key: &MacKey, jti: &str) -> Option<[u8; 32]> {
        self.network.map(|network| key.mac([b"cip\0", jti.as_bytes(), b"\0", network]))
    }
}
