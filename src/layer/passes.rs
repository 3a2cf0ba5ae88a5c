//! The passes that answers carry.

use std::sync::Arc;

use http::request::Parts;

use super::{
    after::{AfterInner, Answered},
    service::original_in,
    shared::Shared,
};
use crate::{
    decision::Decision,
    denial::{IssuedPass, Refusal},
    judge::{Asker, Evidence},
    observe::PassEvent,
    pass::Target,
    rule::{RuleState, path_as_written},
};

// === impl Shared ===

impl<V> Shared<V> {
    /// The values that the checks of a request take from its head. Calls closures of the user's.
    ///
    /// # Errors
    ///
    /// A closure panics.
    #[inline]
    pub(super) fn asker(&self, rule: &RuleState, parts: &Parts) -> Result<Asker, Refusal> {
        let settings = &rule.settings.judge;
        self.judge.asker(&rule.name, settings, parts, settings.passes.as_ref().map(|_| target(parts)))
    }

    /// The pass in the denial of a request that needs a captcha, if its number check has passed.
    #[cold]
    pub(super) fn pass_to_step_up(&self, rule: &RuleState, evidence: &Evidence) -> Option<IssuedPass> {
        let text = evidence.pass_to_step_up(&rule.name, &rule.settings.judge)?;
        IssuedPass::new(self.pass_header(), &text).inspect(|_| self.observers.pass(PassEvent::Issued))
    }

    /// Adds a pass to the answer of the application, if that is one of `retry_pass`.
    #[cold]
    pub(super) fn retry(&self, rule: &Arc<RuleState>, evidence: &Evidence, decision: &Decision) -> Option<AfterInner> {
        let retry = evidence.retry(decision, &rule.settings.judge)?;
        let (rule, observers, header) = (Arc::clone(rule), Arc::clone(&self.observers), self.pass_header().clone());
        let after: AfterInner = Box::new(move |answered| {
            let Some(Answered { status, headers }) = answered else { return };
            // The answer is the denial of an inner service, which has its pass in the document too.
            if headers.contains_key(&header) {
                return;
            }
            let pass = retry.pass_after(status, &rule.name, &rule.settings.judge);
            if let Some(pass) = pass.and_then(|text| IssuedPass::new(&header, &text)) {
                pass.insert_into(headers);
                observers.pass(PassEvent::Issued);
            }
        });
        Some(after)
    }
}

/// The target of a pass for this request.
#[cold]
fn target(parts: &Parts) -> Target {
    Target::new(&parts.method, path_as_written(&parts.uri, original_in(&parts.extensions)))
}
