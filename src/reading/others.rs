//! Recognises unguarded calls on a shared path (`/rpc`, GraphQL).
//!
//! If `Rule::otherwise_pass` is set, the field of `when` is read alone and first, because the rules do not concern the
//! arguments of other calls. If no rule names its value, the request passes. If the field cannot be read, it is not certain
//! that the request is another call, and it is refused with advice.
//!
//! The field's name counts in every place that a reader may use: the plan of this one field guards it in the body, in the
//! query and, in front of a foreign backend, in forms that are hidden in other bodies.

use http::{Method, request::Parts};

use super::{
    fields::Fields,
    grpc,
    input::{Input, sends_a_body},
    settings::Settings,
};
use crate::{
    denial::{DenialReason, Refusal},
    error::ConfigError,
    foreign_backend::ForeignBackend,
    proof::{Field, Plan, Role, Value},
};

const ADVICE: &str = "so `when` cannot show that it is another call: read `when` from a header or a query field";
const ADVICE_HEAD: &str = "so `when` cannot show that it is another call";
const ADVICE_LIMIT: &str = "so `when` cannot show that it is another call: set a larger `body_limit`, or read `when` from a header or a query field";
const ADVICE_QUERY: &str =
    "and some backends read the query's fields from the body as well: read `when` from a header, or set `ignore_query`";

/// How other calls are recognised.
#[derive(Debug)]
pub(crate) struct Others {
    /// Of the field of `when` alone.
    plan: Plan,
    /// Whether the field is in the query, into which a backend may merge the body.
    is_by_query: bool,
    is_before_foreign: bool,
}

/// Chooses for a value of `when` that no rule names.
pub(crate) type Choose<'c, C> = dyn Fn(Option<&Value<'_>>) -> Result<Option<C>, Refusal> + Sync + 'c;

/// A request whose body decides whether it is another call.
pub(super) struct Unknown<'s, C> {
    others: &'s Others,
    choose: &'s Choose<'s, C>,
}

/// What is known about a request before its body is read.
pub(super) enum Known<'s, C> {
    /// A rule guards it.
    Guarded,
    /// The body must be read: the value is there, or the body must not contain one.
    Unknown(Unknown<'s, C>),
    /// It is another call. Boxed, because it is moved many times.
    Other(Box<C>),
}

// === impl Others ===

impl Others {
    /// # Errors
    ///
    /// From [`Plan`].
    pub(super) fn compile(
        when: &Field,
        settings: &Settings,
        foreign: &ForeignBackend,
        group: (&str, Option<&str>),
    ) -> Result<Self, ConfigError> {
        let mut fields = Fields::default();
        fields.index_as(when, Role::Context);
        let (all, roles) = (fields.as_slice(), fields.roles());
        let plan = Plan::compile(all, settings.ignore_query)?.before(foreign, all, roles).allowing_some_other_phones(
            &settings.other_phones,
            all,
            roles,
        )?;
        let is_by_query = plan.reads_query_alone();
        let plan = if is_by_query { plan.guarding_bodies() } else { plan };
        let (plan, _) = grpc::accept(plan, &fields, &settings.accept, &settings.grpc, group)?;
        Ok(Self { plan, is_by_query, is_before_foreign: *foreign != ForeignBackend::none() })
    }

    pub(super) fn refusing_methods(mut self) -> Self {
        self.plan = self.plan.refusing_methods();
        self
    }

    /// Decides from the head. `choose` chooses for other calls.
    ///
    /// # Errors
    ///
    /// The head contains the name of `when` in an invalid way (with advice), or `choose` refuses.
    pub(super) fn by_head<'s, C>(
        &'s self,
        parts: &Parts,
        has_body: bool,
        choose: &'s Choose<'s, C>,
    ) -> Result<Known<'s, C>, Refusal> {
        let unknown = Unknown { others: self, choose };
        let is_by_body = self.plan.reads_body() && !self.is_by_query;
        let mut values = self.plan.values();
        let read = self.plan.read_head(parts, &mut values);
        read.map_err(|it| Refusal::from(it).with_advice(if is_by_body { ADVICE } else { ADVICE_HEAD }))?;
        // A GET without a body, possibly for a page, has the value only in the head.
        if is_by_body && (has_body || sends_a_body(&parts.method)) {
            return Ok(Known::Unknown(unknown));
        }
        Ok(match choose(values.get(0))? {
            None => Known::Guarded,
            Some(_) if self.is_by_query && has_body => Known::Unknown(unknown),
            Some(chosen) => Known::Other(Box::new(chosen)),
        })
    }

    /// Whether it matters, with this method, that a request has no body.
    pub(super) fn ask_for_a_body(&self, method: &Method) -> bool {
        self.is_by_query || (self.plan.reads_body() && !sends_a_body(method))
    }

    /// Adds what an operator can do about a request in which `when` cannot be read.
    fn advise(&self, refusal: Refusal) -> Refusal {
        let advice = match refusal.reason() {
            DenialReason::BodyTooLarge if !self.is_by_query => ADVICE_LIMIT,
            DenialReason::UnsupportedMediaType
            | DenialReason::UnsupportedEncoding
            | DenialReason::BodyMalformed
            | DenialReason::ProofMalformed
            | DenialReason::BodyTooLarge => {
                if self.is_by_query {
                    ADVICE_QUERY
                } else {
                    ADVICE
                }
            }
            _ => return refusal,
        };
        refusal.with_advice(advice)
    }
}

// === impl Unknown ===

impl<C> Unknown<'_, C> {
    /// The plan of the field of `when` alone.
    pub(super) fn plan(&self) -> &Plan {
        &self.others.plan
    }

    /// Adds advice to a refusal.
    pub(super) fn advise(&self, refusal: Refusal) -> Refusal {
        self.others.advise(refusal)
    }

    /// Decides from the body and the head. `None` if a rule guards the request.
    ///
    /// # Errors
    ///
    /// The body cannot be read (with advice), or `choose` refuses.
    pub(super) fn by_body(&self, parts: &Parts, input: &Input<'_>) -> Result<Option<C>, Refusal> {
        let plan = self.plan();
        let mut values = plan.values();
        let read = plan.read_head(parts, &mut values).map_err(Refusal::from);
        let read = read.and_then(|()| input.read(plan, &parts.headers, &mut values));
        read.map_err(|refusal| self.advise(refusal))?;
        (self.choose)(values.get(0))
    }

    /// Decides about a request whose body cannot be read.
    ///
    /// # Errors
    ///
    /// The refusal, with advice, unless the value in the query is enough: Rust applications do not merge query and body.
    pub(super) fn unread(&self, parts: &Parts, refusal: Refusal) -> Result<Box<C>, Refusal> {
        use DenialReason::{BodyTooLarge, UnsupportedEncoding, UnsupportedMediaType};
        let is_unread = matches!(refusal.reason(), UnsupportedMediaType | UnsupportedEncoding | BodyTooLarge);
        if is_unread
            && self.others.is_by_query
            && !self.others.is_before_foreign
            && let Known::Other(chosen) = self.others.by_head(parts, false, self.choose)?
        {
            return Ok(chosen);
        }
        Err(self.advise(refusal))
    }
}
