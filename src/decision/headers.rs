//! The values of the risk headers.

use std::fmt::Write;

use http::{HeaderMap, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Decision, DecisionReason, action::Action};
use crate::{
    check_kind::CheckKind,
    denial::DenialReason,
    headers::{Header, Names, decimal},
    phone::Phone,
    verdict::{Risk, Verdict},
};

/// The unencoded characters of a tag: the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The word in the header and in the event of a request that passes because no rule names its value of `when`.
pub(crate) const NOT_GUARDED: &str = "not-guarded";

/// The word in the header of a request whose checks the application starts.
pub(crate) const NOT_ASKED: &str = "not-asked";

/// The word in the header of a request that a policy opened for.
pub(super) const UNVERIFIED: &str = "unverified";

/// The word in the header and in the event of a request that passes because its rule is in shadow.
pub(crate) const WOULD_DENY: &str = "would-deny";

/// Writes to the head that no rule guards the request. Headers under the prefix must have been stripped before.
pub(crate) fn insert_not_guarded(names: &Names, headers: &mut HeaderMap) {
    names.insert(headers, Header::Decision, HeaderValue::from_static(NOT_GUARDED));
}

// === impl Decision ===

impl Decision {
    /// Inserts the risk headers. Headers under the prefix must have been stripped before.
    pub(crate) fn insert_headers(&self, names: &Names, headers: &mut HeaderMap) {
        // Six headers are usual, sometimes more: the map grows once instead of several times.
        let _ = headers.try_reserve(6);
        let mut put = |header, value: HeaderValue| names.insert(headers, header, value);
        put(Header::Decision, of_word(self.word()));
        if let Some(applied) = self.0.applied {
            put(Header::Mode, HeaderValue::from_static(applied.as_str()));
        }
        if let Some(assertion) = &self.0.assertion {
            put(Header::Assertion, (**assertion).clone());
        }
        if matches!(self.reason(), DecisionReason::NotGuarded | DecisionReason::NotAsked) {
            return;
        }
        if let Some(level) = self.level() {
            put(Header::RiskLevel, of_word(level.as_str()));
        }
        if let Some(score) = self.score() {
            put(Header::RiskScore, decimal(score.into()));
        }
        if let Some(tags) = self.tags().and_then(|tags| HeaderValue::try_from(tags).ok()) {
            put(Header::RiskTags, tags);
        }
        if !self.verdicts().is_empty() {
            put(Header::Checks, self.checks());
            put(Header::Id, self.ids());
        }
        put(Header::Reason, of_word(self.reason_word()));
        if let Some(phone) = self.forwarded_phone()
            && let Ok(mut phone) = HeaderValue::from_str(phone.as_str())
        {
            phone.set_sensitive(true);
            put(Header::Phone, phone);
        }
        if self.is_sandbox() {
            put(Header::Sandbox, HeaderValue::from_static("1"));
        }
    }

    /// The word in headers and events.
    pub(crate) fn reason_word(&self) -> &'static str {
        self.0.would_deny.map_or(self.reason().as_str(), DenialReason::as_str)
    }

    /// The proven phone, if the application gets it in the head. Never while other checks of the request wait.
    pub(crate) fn forwarded_phone(&self) -> Option<Phone> {
        self.phone().filter(|_| self.0.forwards_phone && self.reason() != DecisionReason::NotAsked)
    }

    /// The tags that the application gets in the head.
    pub(crate) fn shown_tags(&self) -> impl Iterator<Item = &str> {
        self.verdicts().iter().flat_map(|verdict| verdict.risk().shown_tags()).take(Risk::SHOWN_TAGS)
    }

    /// The word in the header.
    pub(crate) fn word(&self) -> &'static str {
        match (self.reason(), self.action()) {
            (DecisionReason::WouldDeny, _) => WOULD_DENY,
            (DecisionReason::NotGuarded, _) => NOT_GUARDED,
            (DecisionReason::NotAsked, _) => NOT_ASKED,
            (DecisionReason::FallbackCaptcha, _) => Action::Flag.as_str(),
            _ if !self.is_verified() => UNVERIFIED,
            (_, Action::Allow) => Action::Allow.as_str(),
            (_, Action::Flag | Action::StepUp | Action::Deny) => Action::Flag.as_str(),
        }
    }

    fn checks(&self) -> HeaderValue {
        match self.verdicts() {
            [one] => of_word(one.kind().as_str()),
            [one, two] if (one.kind(), two.kind()) == (CheckKind::Captcha, CheckKind::Number) => {
                HeaderValue::from_static("captcha,number")
            }
            several => joined(several.iter().map(|verdict| verdict.kind().as_str())),
        }
    }

    /// In the order of the checks; `-` for a missing id.
    fn ids(&self) -> HeaderValue {
        match self.verdicts() {
            [one] => {
                let id = one.id_bytes().filter(|id| !id.is_empty());
                id.and_then(|id| HeaderValue::from_bytes(id).ok()).unwrap_or_else(|| HeaderValue::from_static("-"))
            }
            several => joined(several.iter().map(id_of)),
        }
    }

    fn tags(&self) -> Option<String> {
        let mut line = String::new();
        for tag in self.shown_tags() {
            let comma = if line.is_empty() { "" } else { "," };
            // Writing to a `String` does not fail.
            let _ = write!(line, "{comma}{}", utf8_percent_encode(tag, ENCODED));
        }
        (!line.is_empty()).then_some(line)
    }
}

/// A word as the value of a header. The characters of the usual ones are checked when this is compiled, those of the others by each
/// call.
fn of_word(word: &'static str) -> HeaderValue {
    match word {
        "allow" => const { HeaderValue::from_static("allow") },
        "verified" => const { HeaderValue::from_static("verified") },
        "low" => const { HeaderValue::from_static("low") },
        "number" => const { HeaderValue::from_static("number") },
        _ => HeaderValue::from_static(word),
    }
}

/// Also `-` for an empty id, which would be lost in a list.
fn id_of(verdict: &Verdict) -> &str {
    verdict.id().filter(|id| !id.is_empty()).unwrap_or("-")
}

fn joined<'a>(parts: impl Iterator<Item = &'a str>) -> HeaderValue {
    let mut line = String::new();
    for part in parts {
        if !line.is_empty() {
            line.push(',');
        }
        line.push_str(part);
    }
    // Only constants and encoded ids are joined.
    HeaderValue::try_from(line).unwrap_or_else(|_| HeaderValue::from_static(""))
}
