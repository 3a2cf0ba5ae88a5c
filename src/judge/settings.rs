//! The settings for judging a request.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use http::{StatusCode, request::Parts};
use tower::{BoxError, util::BoxCloneSyncService};

use super::{
    account::Account, bulkhead::Bulkhead, client::Client, client_ip::ClientIp, limit::Limit, spend_key::SpendKey,
};
use crate::{check::Check, decision::Policy, pass::Keyring, verdict::Verdict};

/// The verifier of one rule.
pub(crate) type RuleVerifier = BoxCloneSyncService<Check, Verdict, BoxError>;

/// A check does not start with less than this left of the deadline: it could spend the token without an answer for the
/// client.
pub(crate) const LEAST_LEFT: Duration = Duration::from_secs(1);

/// The settings for judging the requests of a rule.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) policy: Arc<Policy>,
    pub(crate) deadline: Duration,
    pub(crate) bulkhead: Arc<Bulkhead>,
    /// The account of the verifier.
    pub(crate) account: Arc<Account>,
    /// `None`: the layer's verifier.
    pub(crate) verifier: Option<RuleVerifier>,
    pub(crate) client_ip: Option<ClientIp>,
    pub(crate) send_client_ip: bool,
    /// The key by which requests are counted, instead of the address.
    pub(crate) spend_key: Option<SpendKey>,
    /// The limits of the rule.
    pub(crate) limits: Arc<[Limit]>,
    pub(crate) ex_id_from_request_id: bool,
    /// Boxed, so that rules without passes stay small.
    pub(crate) passes: Option<Box<RulePasses>>,
}

/// The passes of a rule.
#[derive(Clone)]
pub(crate) struct RulePasses {
    pub(crate) ring: Arc<Keyring>,
    /// The statuses of the application's answers to which a pass is added.
    pub(crate) retry: Box<[StatusCode]>,
}

// === impl Settings ===

impl Settings {
    /// Octets that identify the client, if clients are identified.
    #[cold]
    pub(crate) fn client(&self, parts: &Parts) -> Option<[u8; 9]> {
        let client_ip = self.client_ip.as_ref()?;
        let address = catch_unwind(AssertUnwindSafe(|| client_ip.find(parts))).ok()??;
        Some(Client::at(Some(address)).octets())
    }
}
