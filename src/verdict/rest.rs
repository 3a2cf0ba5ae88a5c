//! What few answers have.

use std::{borrow::Cow, net::IpAddr};

use crate::{health::Health, opaque::Opaque};

/// The parts of an answer that are usually absent.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Rest {
    pub(super) solved: Solved,
    pub(super) retry_after: Option<u32>,
    pub(super) advice: Option<&'static str>,
    pub(super) unanswered: Option<Unanswered>,
}

/// How a captcha was solved.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Solved {
    pub(super) scene: Option<Box<str>>,
    pub(super) used_type: Option<Box<str>>,
    pub(super) user_ip: Option<IpAddr>,
    pub(super) lot_number: Option<Opaque>,
}

/// Why the answer is missing.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Unanswered {
    pub(super) cause: Cow<'static, str>,
    pub(super) nothing_sent: bool,
    pub(super) is_outage: bool,
    pub(super) by_breaker: bool,
    pub(super) health: Health,
}
