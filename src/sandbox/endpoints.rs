//! The vendor's endpoints: where they are, and what they answer to a request that is not even a question.

use super::{
    State,
    answers::{self, Answer},
    replies::Reply,
    requests::Asked,
};
use crate::{Channel, CheckKind};

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

    /// What is asked here.
    pub(super) const fn kind(self) -> CheckKind {
        match self {
            Self::Number(_) => CheckKind::Number,
            Self::Captcha => CheckKind::Captcha,
            Self::OneTap(_) => CheckKind::OneTap,
            Self::Risk => CheckKind::Risk,
        }
    }

    /// Whose endpoint it is; `None` where there is one for both.
    pub(super) const fn channel(self) -> Option<Channel> {
        match self {
            Self::Number(channel) | Self::OneTap(channel) => Some(channel),
            Self::Captcha | Self::Risk => None,
        }
    }

    /// Missing or wrong credentials.
    pub(super) fn auth_failed(self) -> Answer {
        self.error(9011, 1802)
    }

    /// Not a request that can be read.
    pub(super) fn malformed(self) -> Answer {
        self.error(9012, 1801)
    }

    fn error(self, code: i64, captcha_code: i64) -> Answer {
        Answer::from(&Reply::bare(if self == Self::Captcha { captcha_code } else { code }))
    }

    /// Decides a check.
    pub(super) fn answer(self, state: &State, asked: &Asked<'_>) -> Answer {
        let answer = match self {
            Self::Number(channel) => answers::number(state, channel, asked),
            Self::Captcha => answers::captcha(state, asked),
            Self::OneTap(channel) => answers::one_tap(state, channel, asked),
            Self::Risk => answers::risk(state, asked),
        };
        answer.unwrap_or_else(|| self.error(9013, 1801))
    }
}
