//! The settings by which a request is judged.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use http::request::Parts;
use tower::{BoxError, util::BoxCloneSyncService};

use super::{
    account::Account, bulkhead::Bulkhead, client::Client, client_ip::ClientIp, limit::Limit, spend_key::SpendKey,
};
use crate::{check::Check, decision::Policy, verdict::Verdict};

/// The verifier of one rule.
pub(crate) type RuleVerifier = BoxCloneSyncService<Check, Verdict, BoxError>;

/// A check does not start with less than this left of the deadline: it could spend the token without an answer for the
/// client.
pub(crate) const LEAST_LEFT: Duration = Duration::from_secs(1);

/// How the requests of a rule are judged.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) policy: Arc<Policy>,
    pub(crate) deadline: Duration,
    pub(crate) bulkhead: Arc<Bulkhead>,
    /// What the verifier spends from, known before it is asked.
    pub(crate) account: Arc<Account>,
    /// `None`: the layer's.
    pub(crate) verifier: Option<RuleVerifier>,
    pub(crate) client_ip: Option<ClientIp>,
    pub(crate) send_client_ip: bool,
    /// Whose requests are counted together, in place of the address.
    pub(crate) spend_key: Option<SpendKey>,
    /// The rule's own.
    pub(crate) limits: Arc<[Limit]>,
    pub(crate) ex_id_from_request_id: bool,
}

// === impl Settings ===

impl Settings {
    /// Octets that no other client has, where it is known who the client is.
    #[cold]
    pub(crate) fn client(&self, parts: &Parts) -> Option<[u8; 9]> {
        let client_ip = self.client_ip.as_ref()?;
        let address = catch_unwind(AssertUnwindSafe(|| client_ip.find(parts))).ok()??;
        Some(Client::at(Some(address)).octets())
    }
}
