//! How the requests of one path group are read.
//!
//! Several rules may guard one path, and a value of the body may choose among them. So a request is read before it is known
//! which rule applies, and in one way for all of them: a [`Reading`]. The head decides first; the body is read only if a
//! field sits there. Whatever comes of it, the body is handed back beside the result, so that a request can be passed on
//! as it came.
//!
//! Nothing here knows a rule: which of them applies is asked through a callback.

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
    hand_on::HandedOn,
    read::{Read, Unread},
    settings::Settings,
};
use crate::{
    error::ConfigError,
    foreign_backend::ForeignBackend,
    proof::{Field, Plan},
};

/// The one reading of a path group.
pub(crate) struct Reading {
    settings: Settings,
    plan: Plan,
    /// Only the first message of a gRPC stream is read, and the rest flows on.
    client_streaming: bool,
    keeps_original: bool,
    /// Where requests pass whose value of `when` no rule names.
    others: Option<Others>,
}

// === impl Reading ===

impl Reading {
    /// `path`: the pattern of the group, where it has one. `pins`: whether a proven phone may take the place of the body's.
    /// `keeps_original`: whether the bytes that came are kept where others take their place, for a refused request that passes all
    /// the same.
    ///
    /// # Errors
    ///
    /// `field`, `other_phones`, `client_streaming`, as [`Plan`] says; `accept`, of the rule with this `name`, if no accepted
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

    /// Makes it recognise other calls by this field of `when`, and leave the rest of them unread. For the group and its
    /// arguments as [`Reading::compile`] got them.
    ///
    /// # Errors
    ///
    /// As [`Plan`] says.
    pub(crate) fn passing_others(
        mut self,
        when: Option<&Field>,
        foreign: &ForeignBackend,
        group: (&str, Option<&str>),
    ) -> Result<Self, ConfigError> {
        self.others = when.map(|field| Others::compile(field, &self.settings, foreign, group)).transpose()?;
        Ok(self)
    }

    /// The fields, compiled.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }
}
