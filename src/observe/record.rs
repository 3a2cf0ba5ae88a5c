//! The record of a guarded request as one line of a decision log.
//!
//! The fields are a contract with the readers of logs: see `docs/decision-log.md`. A change of a field's meaning raises
//! [`VERSION`]; a new field does not.

use std::{
    fmt::Display,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::StatusCode;
use serde::{Serialize, Serializer};

use super::{decided::Decided, pseudonym::Pseudonym};
use crate::{
    decision::{Level, Policy},
    ex_id::ExId,
    foreign_backend::Suspicion,
    verdict::{Risk, Verdict},
};

/// The version of the fields.
const VERSION: u8 = 1;

/// The fields of a record, in the order in which they are written.
#[derive(Serialize)]
struct Record<'d> {
    v: u8,
    /// Milliseconds since 1970, of the request's arrival.
    time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'d str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'d str>,
    mode: &'static str,
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'d str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suspicion: Option<&'static str>,
    #[serde(serialize_with = "checks")]
    checks: &'d [Verdict],
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_ex_id: Option<Text<&'d ExId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<Text<Pseudonym>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<Text<Pseudonym>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    judge_ms: Option<u64>,
    ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    inner_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    late: bool,
    sandbox: bool,
}

/// One check, with its answer.
#[derive(Serialize)]
struct Check<'v> {
    kind: &'static str,
    class: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'v str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'v str>,
    /// The lot number of a captcha.
    #[serde(skip_serializing_if = "Option::is_none")]
    lot_number: Option<&'v str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ex_id: Option<Text<&'v ExId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<u16>,
    /// `unknown` if it was queried and the answer has no score.
    #[serde(skip_serializing_if = "Option::is_none")]
    risk: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<&'v str>,
}

/// A value as its text.
struct Text<T>(T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for Decided<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let detail = self.detail();
        let record = Record {
            v: VERSION,
            time: millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(self.age())),
            rule: self.rule(),
            account: self.account(),
            mode: self.mode(),
            decision: self.decision(),
            reason: self.reason(),
            detail: detail.as_deref(),
            suspicion: self.suspicion().map(Suspicion::as_str),
            checks: self.verdicts(),
            level: self.level().map(Level::as_str),
            first_ex_id: self.first_ex_id().map(Text),
            phone: self.phone_pseudonym().map(Text),
            client: self.client_pseudonym().map(Text),
            read_ms: self.reading().map(millis),
            judge_ms: self.judging().map(millis),
            ms: millis(self.duration()),
            inner_status: self.inner_status().as_ref().map(StatusCode::as_u16),
            policy: self.policy.map(Policy::fingerprint),
            late: self.is_late(),
            sandbox: self.is_sandbox(),
        };
        record.serialize(serializer)
    }
}

impl<'v> Check<'v> {
    /// `tags_left`: how many tags the record still shows.
    fn of(verdict: &'v Verdict, tags_left: &mut usize) -> Self {
        let risk = verdict.risk();
        let tags: Vec<&str> =
            risk.shown_tags().filter(|tag| !tag.contains(char::is_control)).take(*tags_left).collect();
        *tags_left -= tags.len();
        Self {
            kind: verdict.kind().as_str(),
            class: verdict.class().as_str(),
            code: verdict.code(),
            id: verdict.id(),
            lot_number: verdict.lot_number(),
            ex_id: verdict.ex_id().map(Text),
            ms: verdict.duration().map(millis),
            score: risk.score(),
            risk: (*risk == Risk::Unknown).then_some("unknown"),
            tags,
        }
    }
}

fn checks<S: Serializer>(verdicts: &&[Verdict], serializer: S) -> Result<S::Ok, S::Error> {
    let mut tags_left = Risk::SHOWN_TAGS;
    serializer.collect_seq(verdicts.iter().map(|verdict| Check::of(verdict, &mut tags_left)))
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !value
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
