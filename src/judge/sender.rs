//! Identifies the sender of a request, as configured.

use std::{
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
};

use bytes::Bytes;
use http::{HeaderName, request::Parts};

use super::{client::Client, pass_context::PassContext, settings::Settings};
use crate::{
    denial::{DenialReason, Refusal},
    ex_id::ExId,
    headers::only,
    observe::Observers,
    pass::Target,
};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The values that the checks of a request take from its head.
pub(crate) struct Asker {
    pub(super) sender: Sender,
    /// The `exID` that the client chose, if the rule allows that.
    pub(super) ex_id: Option<ExId>,
    /// `None` for a rule without passes. Boxed, because few rules have passes.
    pub(super) pass_context: Option<Box<PassContext>>,
}

/// The sender of a request.
pub(super) struct Sender {
    /// The address, if it is configured and found.
    pub(super) address: Option<IpAddr>,
    /// The address for the verifier, if it is sent.
    pub(super) ip: Option<IpAddr>,
    /// The client, if clients are identified.
    pub(super) client: Option<Client>,
    /// The sender for limits, if it is known.
    pub(super) spender: Option<Spender>,
}

/// The sender for limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spender {
    /// The key that `spend_key` returned.
    Keyed(Bytes),
    /// The client's address, or all clients without one.
    At(Client),
}

// === impl Asker ===

impl Asker {
    /// # Errors
    ///
    /// As [`Sender::find`].
    #[inline]
    pub(super) fn find(
        settings: &Settings,
        parts: &Parts,
        target: Option<Target>,
        rule: &str,
        observers: &Observers,
    ) -> Result<Self, Refusal> {
        let sender = Sender::find(settings, parts, rule, observers)?;
        let ex_id = settings.ex_id_from_request_id.then(|| request_id(parts)).flatten();
        let pass_context =
            target.map(|target| Box::new(PassContext::new(target, sender.address, settings.account.now())));
        Ok(Self { sender, ex_id, pass_context })
    }
}

// === impl Sender ===

impl Sender {
    /// # Errors
    ///
    /// [`DenialReason::Panicked`], if the user's closure of `client_ip` or `spend_key` panics.
    #[inline]
    pub(super) fn find(settings: &Settings, parts: &Parts, rule: &str, observers: &Observers) -> Result<Self, Refusal> {
        if settings.client_ip.is_none() && settings.spend_key.is_none() {
            return Ok(Self { address: None, ip: None, client: None, spender: None });
        }
        let find = AssertUnwindSafe(|| {
            let address = settings.client_ip.as_ref().map(|client_ip| client_ip.find(parts));
            (address, settings.spend_key.as_ref().map(|spend_key| spend_key.find(parts)))
        });
        let (address, key) = catch_unwind(find).map_err(|_| Refusal::new(DenialReason::Panicked))?;
        if address == Some(None) {
            observers.unknown_client(rule);
        }
        let client = address.map(Client::at);
        let spender = match key {
            Some(Some(key)) => Some(Spender::Keyed(key)),
            Some(None) => Some(Spender::At(client.unwrap_or(Client::Unknown))),
            None => client.map(Spender::At),
        };
        let address = address.flatten();
        Ok(Self { address, ip: address.filter(|_| settings.send_client_ip), client, spender })
    }
}

// === impl Spender ===

impl Spender {
    /// The bytes and their tag, which identify the sender.
    pub(super) fn parts<'p>(&'p self, octets: &'p mut [u8; 9]) -> [&'p [u8]; 2] {
        match self {
            Self::Keyed(key) => [b"key", key],
            Self::At(client) => {
                *octets = client.octets();
                [b"client", octets]
            }
        }
    }
}

/// `x-request-id`, if it occurs once and is a valid `exID`.
fn request_id(parts: &Parts) -> Option<ExId> {
    only(&parts.headers, &REQUEST_ID).ok().flatten().and_then(|id| ExId::parse(id.to_str().ok()?))
}
