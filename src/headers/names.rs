//! The prefix and the names under it.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{
    folding::{NotOne, only},
    routing::Routing,
};
use crate::{error::ConfigError, foreign_backend::ForeignBackend};

/// One header of the layer, without its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    Decision,
    RiskLevel,
    RiskScore,
    RiskTags,
    Checks,
    Id,
    Reason,
    Phone,
    Sandbox,
    Mode,
    Pass,
    Assertion,
}

/// A prefix and the names under it, and the other headers that are removed from every request. Created once, cheap to
/// clone.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    inner: Arc<Inner>,
    routing: Option<Arc<Routing>>,
    /// Further headers that are removed from every request, if there are any.
    hidden: Option<Arc<[HeaderName]>>,
}

#[derive(Debug)]
struct Inner {
    prefix: Box<str>,
    decision: HeaderName,
    risk_level: HeaderName,
    risk_score: HeaderName,
    risk_tags: HeaderName,
    checks: HeaderName,
    id: HeaderName,
    reason: HeaderName,
    phone: HeaderName,
    sandbox: HeaderName,
    mode: HeaderName,
    pass: HeaderName,
    assertion: HeaderName,
}

/// The default prefix.
pub(crate) const USUAL: &str = "x-jverify";

/// Standard headers whose first words a user could set as a prefix.
const OTHERS: [&str; 16] = [
    "accept-encoding",
    "access-control-request-method",
    "cache-control",
    "content-type",
    "grpc-timeout",
    "if-none-match",
    "proxy-authorization",
    "sec-fetch-mode",
    "transfer-encoding",
    "user-agent",
    "x-api-key",
    "x-csrf-token",
    "x-forwarded-for",
    "x-http-method-override",
    "x-real-ip",
    "x-request-id",
];

// === impl Header ===

impl Header {
    /// The name after the prefix.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::RiskLevel => "risk-level",
            Self::RiskScore => "risk-score",
            Self::RiskTags => "risk-tags",
            Self::Checks => "checks",
            Self::Id => "id",
            Self::Reason => "reason",
            Self::Phone => "phone",
            Self::Sandbox => "sandbox",
            Self::Mode => "mode",
            Self::Pass => "pass",
            Self::Assertion => "assertion",
        }
    }
}

// === impl Names ===

impl Names {
    /// Creates the names under a prefix such as `x-jverify`, without a trailing dash.
    ///
    /// # Errors
    ///
    /// `header_prefix`, unless it is two to 64 characters of lower-case letters, digits and single dashes, a letter
    /// first, a letter or digit last, and at least one dash (a prefix such as `content` would strip standard headers).
    pub(crate) fn new(prefix: &str) -> Result<Self, ConfigError> {
        let refuse = |problem: &'static str| Err(ConfigError::new("header_prefix", prefix, problem));
        if !(2..=64).contains(&prefix.len()) {
            return refuse("a prefix has 2 to 64 characters");
        }
        if !prefix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return refuse("a prefix is made of lower-case letters, digits and dashes");
        }
        if !prefix.starts_with(|c: char| c.is_ascii_lowercase()) || prefix.ends_with('-') || prefix.contains("--") {
            return refuse("a prefix starts with a letter, does not end with a dash, and has no two dashes in a row");
        }
        if !prefix.contains('-') {
            return refuse("a prefix contains a dash, such as `x-jverify`: a single word would cover other headers");
        }
        let covers =
            |name: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        if OTHERS.iter().any(|name| covers(name)) {
            return refuse("this prefix covers standard headers, and would remove them from every request");
        }
        // A static name is cloned without reference counting.
        let name = |usual: &'static str| {
            if prefix == USUAL {
                return Ok(HeaderName::from_static(usual));
            }
            let name =
                usual.strip_prefix(USUAL).and_then(|suffix| HeaderName::try_from(format!("{prefix}{suffix}")).ok());
            name.ok_or_else(|| ConfigError::new("header_prefix", prefix, "not the start of a header name"))
        };
        let inner = Arc::new(Inner {
            decision: name("x-jverify-decision")?,
            risk_level: name("x-jverify-risk-level")?,
            risk_score: name("x-jverify-risk-score")?,
            risk_tags: name("x-jverify-risk-tags")?,
            checks: name("x-jverify-checks")?,
            id: name("x-jverify-id")?,
            reason: name("x-jverify-reason")?,
            phone: name("x-jverify-phone")?,
            sandbox: name("x-jverify-sandbox")?,
            mode: name("x-jverify-mode")?,
            pass: name("x-jverify-pass")?,
            assertion: name("x-jverify-assertion")?,
            prefix: prefix.into(),
        });
        Ok(Self { inner, routing: None, hidden: None })
    }

    /// Makes [`Names::strip`] remove what this backend must not receive.
    ///
    /// # Errors
    ///
    /// `foreign_backend.keep_header`: a name that would not be removed.
    pub(crate) fn before(mut self, foreign: &ForeignBackend) -> Result<Self, ConfigError> {
        self.routing = Routing::of(foreign)?.map(Arc::new);
        Ok(self)
    }

    /// Makes [`Names::strip`] remove these headers as well.
    pub(crate) fn hiding(mut self, headers: Vec<HeaderName>) -> Self {
        self.hidden = (!headers.is_empty()).then(|| headers.into());
        self
    }

    /// The further headers that are removed.
    #[inline]
    pub(crate) fn hidden(&self) -> Option<&[HeaderName]> {
        self.hidden.as_deref()
    }

    /// The headers that a foreign backend must not receive; `None` without such a backend.
    #[inline]
    pub(super) fn routing(&self) -> Option<&Routing> {
        self.routing.as_deref()
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.inner.prefix
    }

    /// Inserts a header of the layer. Call [`Names::strip`] first: this replaces one spelling, `strip` removes all.
    pub(crate) fn insert(&self, headers: &mut HeaderMap, header: Header, value: HeaderValue) {
        headers.insert(self.name(header).clone(), value);
    }

    /// The only value of a header of the layer.
    ///
    /// # Errors
    ///
    /// As [`only`].
    pub(crate) fn read<'h>(&self, headers: &'h HeaderMap, header: Header) -> Result<Option<&'h HeaderValue>, NotOne> {
        only(headers, self.name(header))
    }

    pub(crate) fn name(&self, header: Header) -> &HeaderName {
        match header {
            Header::Decision => &self.inner.decision,
            Header::RiskLevel => &self.inner.risk_level,
            Header::RiskScore => &self.inner.risk_score,
            Header::RiskTags => &self.inner.risk_tags,
            Header::Checks => &self.inner.checks,
            Header::Id => &self.inner.id,
            Header::Reason => &self.inner.reason,
            Header::Phone => &self.inner.phone,
            Header::Sandbox => &self.inner.sandbox,
            Header::Mode => &self.inner.mode,
            Header::Pass => &self.inner.pass,
            Header::Assertion => &self.inner.assertion,
        }
    }
}

/// Whether clients, proxies or applications commonly use this header.
pub(crate) fn is_common(name: &HeaderName) -> bool {
    const STANDARD: [HeaderName; 24] = [
        header::ACCEPT,
        header::ACCEPT_CHARSET,
        header::ACCEPT_LANGUAGE,
        header::AUTHORIZATION,
        header::CONNECTION,
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::COOKIE,
        header::DATE,
        header::EXPECT,
        header::FORWARDED,
        header::FROM,
        header::HOST,
        header::MAX_FORWARDS,
        header::ORIGIN,
        header::PRAGMA,
        header::RANGE,
        header::REFERER,
        header::TE,
        header::TRAILER,
        header::UPGRADE,
        header::VIA,
        HeaderName::from_static("x-forwarded-host"),
        HeaderName::from_static("x-forwarded-proto"),
    ];
    STANDARD.contains(name) || OTHERS.iter().any(|other| name == other)
}
