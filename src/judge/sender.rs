//! Who sends a request, as far as the settings say how to find it.

use std::{
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
};

use bytes::Bytes;
use http::{HeaderName, request::Parts};

use super::{client::Client, settings::Settings};
use crate::{
    denial::{DenialReason, Refusal},
    ex_id::ExId,
    headers::only,
    observe::Observers,
};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the checks of a request take from its head.
pub(crate) struct Asker {
    pub(super) sender: Sender,
    /// Of the client's choice, where it may choose.
    pub(super) ex_id: Option<ExId>,
}

/// Who sends a request.
pub(super) struct Sender {
    /// Where it is known, and found.
    pub(super) address: Option<IpAddr>,
    /// For the verifier, where it is to know.
    pub(super) ip: Option<IpAddr>,
    /// Where it is known who the clients are.
    pub(super) client: Option<Client>,
    /// Whose requests are counted together, where that is known.
    pub(super) spender: Option<Spender>,
}

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spender {
    /// As `spend_key` says.
    Keyed(Bytes),
    /// Of this address, or of none that was found.
    At(Client),
}

// === impl Asker ===

impl Asker {
    /// # Errors
    ///
    /// As [`Sender::find`].
    #[inline]
    pub(super) fn find(settings: &Settings, parts: &Parts, rule: &str, observers: &Observers) -> Result<Self, Refusal> {
        let sender = Sender::find(settings, parts, rule, observers)?;
        let ex_id = settings.ex_id_from_request_id.then(|| request_id(parts)).flatten();
        Ok(Self { sender, ex_id })
    }
}

// === impl Sender ===

impl Sender {
    /// # Errors
    ///
    /// [`DenialReason::Panicked`], when a user's closure of `client_ip` or `spend_key` does.
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
    /// What is counted is the same for the same bytes of the same tag.
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

/// `x-request-id`, where there is exactly one and it can be an `exID`.
fn request_id(parts: &Parts) -> Option<ExId> {
    only(&parts.headers, &REQUEST_ID).ok().flatten().and_then(|id| ExId::parse(id.to_str().ok()?))
}
