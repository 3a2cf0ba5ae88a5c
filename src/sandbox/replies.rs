//! The wire format of the vendor's replies, written from its documents and not from our client.

use std::collections::BTreeMap;

use serde::Serialize;

/// Any reply. Absent members are not sent; the order is that of the vendor's examples.
#[derive(Default, Serialize)]
pub(super) struct Reply<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<u64>,
    pub(super) code: i64,
    pub(super) content: &'static str,
    #[serde(rename = "exID", skip_serializing_if = "Option::is_none")]
    pub(super) ex_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) score: Option<i64>,
    #[serde(rename = "riskCheck", skip_serializing_if = "Option::is_none")]
    pub(super) risk_check: Option<RiskCheck<'a>>,
    /// Of a risk query, at top level.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) tagged: Option<Tagged<'a>>,
    /// Of a one-tap login: encrypted, base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'static str>,
    #[serde(rename = "captchaArgs", skip_serializing_if = "Option::is_none")]
    pub(super) captcha_args: Option<CaptchaArgs<'a>>,
}

/// The newer structure of a number's risk.
#[derive(Serialize)]
pub(super) struct RiskCheck<'a> {
    code: i64,
    content: &'static str,
    score: i64,
    #[serde(flatten)]
    tagged: Tagged<'a>,
}

/// The tags of a risk, and the score of each.
#[derive(Default, Serialize)]
pub(super) struct Tagged<'a> {
    tags: Vec<&'a str>,
    detail: BTreeMap<&'a str, TagScore>,
}

#[derive(Serialize)]
struct TagScore {
    score: i64,
}

/// The properties of the captcha.
#[derive(Serialize)]
pub(super) struct CaptchaArgs<'a> {
    pub(super) used_type: &'a str,
    pub(super) user_ip: &'a str,
    pub(super) lot_number: String,
    pub(super) scene: &'a str,
}

/// The risk that a proof selects.
pub(super) enum RiskMeaning<'a> {
    /// No score, no `riskCheck`.
    Absent,
    /// A `riskCheck` that failed.
    Unknown,
    /// Only the `score` that the vendor will remove.
    TopLevel(i64),
    /// A `riskCheck`.
    Known { score: i64, tags: Vec<&'a str> },
}

// === impl Reply ===

impl<'a> Reply<'a> {
    /// An error with code and content, as documented.
    pub(super) fn bare(code: i64) -> Self {
        Self { code, content: content(code), ..Self::default() }
    }

    /// The reply to a decided check.
    pub(super) fn decided(id: u64, code: i64, ex_id: &'a str) -> Self {
        Self { id: Some(id), ex_id: Some(ex_id), ..Self::bare(code) }
    }

    /// The reply with a captcha's result.
    pub(super) fn with_captcha(mut self, result: &'a str, args: impl Into<Option<CaptchaArgs<'a>>>) -> Self {
        self.result = Some(result);
        self.reason = Some(if result == "success" { "" } else { "sandbox: not solved" });
        self.captcha_args = args.into();
        self
    }

    /// The reply with a risk.
    pub(super) fn with_risk(mut self, risk: RiskMeaning<'a>) -> Self {
        let (score, check) = match risk {
            RiskMeaning::Absent => (None, None),
            RiskMeaning::TopLevel(score) => (Some(score), None),
            RiskMeaning::Unknown => {
                let check = RiskCheck { code: 9099, content: content(9099), score: 0, tagged: Tagged::default() };
                (Some(0), Some(check))
            }
            RiskMeaning::Known { score, tags } => {
                (Some(score), Some(RiskCheck { code: 0, content: content(0), score, tagged: Tagged::new(score, tags) }))
            }
        };
        self.score = score;
        self.risk_check = check;
        self
    }
}

// === impl RiskMeaning ===

impl RiskMeaning<'_> {
    /// A risk check that found nothing.
    pub(super) const NONE: Self = Self::Known { score: 0, tags: Vec::new() };
}

// === impl Tagged ===

impl<'a> Tagged<'a> {
    /// Every tag has the whole score.
    pub(super) fn new(score: i64, tags: Vec<&'a str>) -> Self {
        let detail = tags.iter().map(|tag| (*tag, TagScore { score })).collect();
        Self { tags, detail }
    }
}

/// The text for a code. It is the vendor's for 0, 9000, 9011, 6000 and 1802; the others are ours.
fn content(code: i64) -> &'static str {
    match code {
        0 => "success",
        6000 => "get action check success",
        8000 => "get phone success",
        9000 => "verify consistent",
        1802 | 9011 => "auth failed",
        1801 | 9012 => "request malformed",
        9013 => "mandatory field missing",
        7104 => "captcha verified before",
        8001 => "get phone failed",
        9001 => "verify not consistent",
        9003 => "token spent or expired",
        9004 => "no key set up for one-tap login",
        9005 => "same number too soon",
        9006 => "same number too often today",
        9020 => "token made for another app or endpoint",
        9099 => "server error",
        _ => "sandbox: the code that was asked for",
    }
}
