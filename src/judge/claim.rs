//! The claim on a proof: it is asked about once.
//!
//! # Threats
//!
//! A proof is paid for with every call, and works once. Of two requests with one proof (a double tap, a resend that the client does not
//! notice, an attacker who has overheard it) the second is refused without a call, whichever rule, path or channel it comes by. The
//! claim is made before the call, so that two requests at the same time cannot both ask.

use std::{sync::Arc, time::Duration};

use super::account::Account;
use crate::{
    check_kind::CheckKind,
    ex_id::ExId,
    observe::{Observers, Operation},
    store::{Claimed, Key, Nonce},
};

/// A proof that this request asks about. Dropped before its check has begun, it gives the proof back.
pub(super) struct Claim {
    account: Arc<Account>,
    pub(super) key: Key,
    /// The id of the check.
    pub(super) ex_id: ExId,
    /// `None` once it is given back.
    nonce: Option<Nonce>,
    has_begun: bool,
}

/// Why a proof cannot be claimed.
pub(super) enum Unclaimed {
    /// Another request has asked about it: the one whose check has this id.
    Taken {
        by: Option<ExId>,
    },
    Store,
}

// === impl Claim ===

impl Claim {
    /// Claims a proof.
    pub(super) fn make(
        account: &Arc<Account>,
        key: Key,
        ex_id: ExId,
        lifetime: Duration,
        observers: &Observers,
    ) -> Result<Self, Unclaimed> {
        match observers.store(Operation::Claim, || account.store().claim_key(key, &ex_id, lifetime)) {
            Ok(Claimed::New(nonce)) => {
                Ok(Self { account: Arc::clone(account), key, ex_id, nonce: Some(nonce), has_begun: false })
            }
            Ok(Claimed::Taken { by }) => Err(Unclaimed::Taken { by }),
            Err(_) => Err(Unclaimed::Store),
        }
    }

    /// The check is being asked: from now on the proof may be used up.
    pub(super) fn begin(&mut self) {
        self.has_begun = true;
    }

    /// The proof can be used again.
    pub(super) fn give_back(mut self) {
        self.release();
    }

    fn release(&mut self) {
        if let Some(nonce) = self.nonce.take() {
            self.account.store().release_key(self.key, nonce);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.has_begun {
            self.release();
        }
    }
}

/// For how long a proof of this kind is claimed: longer than it is good for. `None` for a check that has no proof.
pub(super) fn lifetime(kind: CheckKind) -> Option<Duration> {
    let minutes = match kind {
        CheckKind::Number => 15,
        CheckKind::Captcha => 30,
        CheckKind::OneTap => 45,
        CheckKind::Risk => return None,
    };
    Some(Duration::from_secs(minutes * 60))
}
