//! Reads the requests of one path group.
//!
//! Several rules may guard one path, and a value in the body may choose between them. So a request is read before it is
//! known which rule applies, and in the same way for all of them: a [`Reading`]. The head is read first; the body is read
//! only if it has a field. The body is always returned with the result, so that a request can be passed on unchanged.
//!
//! This module does not depend on rules: a callback chooses the rule.

mod client_deadline;
mod fields;
mod framing;
pub(crate) mod grpc;
mod hand_on;
mod input;
mod others;
mod read;
mod refusals;
mod settings;

use self::others::Others;
pub(crate) use self::{
    fields::Fields,
    framing::Sent,
    hand_on::HandedOn,
    read::{Read, Unread},
    settings::Settings,
};
use crate::{
    body::Limits,
    error::ConfigError,
    foreign_backend::ForeignBackend,
    proof::{Field, Plan},
};

/// The reading that all rules of a path group share.
pub(crate) struct Reading {
    settings: Settings,
    plan: Plan,
    /// Whether only the first message of a gRPC stream is read, and the rest is passed on.
    client_streaming: bool,
    keeps_original: bool,
    /// Set if requests pass whose value of `when` no rule names.
    others: Option<Others>,
}

// === impl Reading ===

impl Reading {
    /// `path`: the pattern of the group, if it has one. `pins`: whether a proven phone may replace the body's.
    /// `keeps_original`: whether replaced bytes are kept, for a refused request that still passes.
    ///
    /// # Errors
    ///
    /// `field`, `other_phones`, `client_streaming`, from [`Plan`]; `accept`, of the rule with this `name`, if no accepted
    /// media type can hold the fields of the body.
    pub(crate) fn compile(
        settings: &Settings,
        fields: &Fields,
        foreign: &ForeignBackend,
        (name, path): (&str, Option<&str>),
        pins: bool,
        keeps_original: bool,
    ) -> Result<Self, ConfigError> {
        let plan = Plan::compile(fields.as_slice(), settings.ignore_query)?
            .before(foreign, fields.as_slice(), fields.roles())
            .allowing_other_phones(&settings.other_phones, fields.as_slice(), fields.roles())?;
        let (plan, client_streaming) = grpc::accept(plan, fields, &settings.accept, &settings.grpc, (name, path))?;
        let fits = settings.extractor.is_some() || settings.accept.iter().any(|media| plan.fits(media));
        if plan.reads_body() && !fits {
            let problem = "no media type that is accepted can hold the fields of the body";
            return Err(ConfigError::new("accept", name, problem));
        }
        let plan = plan.keeping_spans(pins);
        Ok(Self { settings: settings.clone(), plan, client_streaming, keeps_original, others: None })
    }

    /// Makes the reading recognise other calls by this field of `when`, and not read the rest of them. The other arguments
    /// are those of [`Reading::compile`].
    ///
    /// # Errors
    ///
    /// From [`Plan`].
    pub(crate) fn passing_others(
        mut self,
        when: Option<&Field>,
        foreign: &ForeignBackend,
        group: (&str, Option<&str>),
    ) -> Result<Self, ConfigError> {
        self.others = when.map(|field| Others::compile(field, &self.settings, foreign, group)).transpose()?;
        Ok(self)
    }

    /// Makes the reading refuse parameters that make a backend run another method.
    pub(crate) fn refusing_methods(mut self) -> Self {
        self.plan = self.plan.refusing_methods();
        self.others = self.others.map(Others::refusing_methods);
        self
    }

    /// Whether the application may receive other bytes than the client's.
    pub(crate) fn changes_bodies(&self) -> bool {
        let Settings { canonical_body, decode, .. } = &self.settings;
        *canonical_body || !(decode.codings.is_empty() || decode.hands_on_encoded())
    }

    /// The bounds of a body.
    pub(crate) fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// The fields, compiled.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }
}
