//! What a pass is bound to.

use crate::{check::AskedBy, mac::MacKey, phone::Phone};

/// The request that a pass is for: what must be the same when it comes back.
#[cfg_attr(not(feature = "pass"), allow(dead_code))]
pub(crate) struct Bound<'b> {
    /// The rule's name.
    pub(crate) rule: &'b str,
    /// What the rule's verifier spends from.
    pub(crate) account: &'b str,
    /// With the parameters of the path: of another tenant, the same phone is another proof.
    pub(crate) asked_by: &'b AskedBy,
    pub(crate) phone: Phone,
    /// The client's network, if it was found.
    pub(crate) network: Option<&'b [u8]>,
}

// === impl Bound ===

#[cfg_attr(not(feature = "pass"), allow(dead_code))]
impl Bound<'_> {
    /// A hash of phone, account and path parameters, which is another one for each pass.
    pub(super) fn phone_mac(&self, key: &MacKey, jti: &str) -> [u8; 32] {
        let mut parameters = Vec::new();
        self.asked_by.write_parameters(|part| {
            parameters.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            parameters.extend(part);
        });
        // A phone has eleven digits, and neither an id nor an account has a NUL.
        key.mac([
            b"ph\0",
            jti.as_bytes(),
            b"\0",
            self.phone.as_str().as_bytes(),
            self.account.as_bytes(),
            b"\0",
            &parameters,
        ])
    }

    /// A hash of the client's network. `None` if it is not known.
    pub(super) fn network_mac(&self, key: &MacKey, jti: &str) -> Option<[u8; 32]> {
        self.network.map(|network| key.mac([b"cip\0", jti.as_bytes(), b"\0", network]))
    }
}
