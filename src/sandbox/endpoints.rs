//! The vendor's endpoints: their paths and kinds of checks.

use crate::{check::Channel, check_kind::CheckKind};

/// One of the vendor's paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Number(Channel),
    Captcha,
    OneTap(Channel),
    Risk,
}

// === impl Endpoint ===

impl Endpoint {
    const ALL: [Self; 6] = [
        Self::Number(Channel::App),
        Self::Number(Channel::Web),
        Self::Captcha,
        Self::OneTap(Channel::App),
        Self::OneTap(Channel::Web),
        Self::Risk,
    ];

    /// The endpoint at a path.
    pub(super) fn at(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.path() == path)
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Number(Channel::App) => "/v2/web/verify",
            Self::Number(Channel::Web) => "/v2/web/h5/verify",
            Self::Captcha => "/action/check",
            Self::OneTap(Channel::App) => "/v2/web/loginTokenVerify",
            Self::OneTap(Channel::Web) => "/v2/web/h5/loginTokenVerify",
            Self::Risk => "/v2/web/queryBusinessRisk",
        }
    }

    /// The kind of check.
    pub(super) const fn kind(self) -> CheckKind {
        match self {
            Self::Number(_) => CheckKind::Number,
            Self::Captcha => CheckKind::Captcha,
            Self::OneTap(_) => CheckKind::OneTap,
            Self::Risk => CheckKind::Risk,
        }
    }

    /// The channel of the endpoint; `None` if both channels share it.
    pub(super) const fn channel(self) -> Option<Channel> {
        match self {
            Self::Number(channel) | Self::OneTap(channel) => Some(channel),
            Self::Captcha | Self::Risk => None,
        }
    }
}
