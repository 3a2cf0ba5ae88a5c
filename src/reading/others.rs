//! Requests on a shared path (`/rpc`, GraphQL) that are other calls than those that the rules guard.
//!
//! Where `Rule::otherwise_pass` is set, the field of `when` is read first, and alone: the arguments of other calls are no
//! business of the rules, whatever their types and names. If its value names no rule, the request passes. A request of which so
//! much cannot be read cannot be shown to be another call, and is refused with advice.
//!
//! The name of `when` counts wherever a reader may find it: the plan of this one field guards it in the body, in the query and,
//! before a foreign backend, in forms that are hidden in other bodies.

use http::request::Parts;

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

/// How it is known that a request is another call.
#[derive(Debug)]
pub(crate) struct Others {
    /// Of the field of `when` alone.
    plan: Plan,
    /// The field is in the query, and a backend may merge the body into it.
    is_by_query: bool,
    is_before_foreign: bool,
}

/// Chooses for the value of `when`, if that names no rule.
pub(crate) type Choose<'c, C> = dyn Fn(Option<&Value<'_>>) -> Result<Option<C>, Refusal> + Sync + 'c;

/// A request whose body says whether it is another call.
pub(super) struct Unknown<'s, C> {
    others: &'s Others,
    choose: &'s Choose<'s, C>,
}

/// What is known of a request before its body is read.
pub(super) enum Known<'s, C> {
    /// A rule guards it.
    Guarded,
    /// The body has to be read: the value is there, or the body must not have one of its own.
    Unknown(Unknown<'s, C>),
    /// It is another call. Boxed: what is known of others goes from hand to hand.
    Other(Box<C>),
}

// === impl Others ===

impl Others {
    /// # Errors
    ///
    /// As [`Plan`] says.
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
        let is_by_query = plan.stands_on_the_query_alone();
        let plan = if is_by_query { plan.guarding_bodies() } else { plan };
        let (plan, _) = grpc::accept(plan, &fields, &settings.accept, &settings.grpc, group)?;
        Ok(Self { plan, is_by_query, is_before_foreign: *foreign != ForeignBackend::none() })
    }

    /// What the head says. `choose` chooses for other calls.
    ///
    /// # Errors
    ///
    /// The name of `when` occurs in the head as it must not, with advice; what `choose` refuses.
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
        // A GET without a body, for a page perhaps, has the value nowhere but in the head.
        if is_by_body && (has_body || sends_a_body(&parts.method)) {
            return Ok(Known::Unknown(unknown));
        }
        Ok(match choose(values.get(0))? {
            None => Known::Guarded,
            Some(_) if self.is_by_query && has_body => Known::Unknown(unknown),
            Some(chosen) => Known::Other(Box::new(chosen)),
        })
    }

    /// Adds what an operator can do about a request that cannot be read far enough.
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

    /// What the body says, beside the head. `None` if a rule guards the request.
    ///
    /// # Errors
    ///
    /// The body cannot be read, with advice; what `choose` refuses.
    pub(super) fn by_body(&self, parts: &Parts, input: &Input<'_>) -> Result<Option<C>, Refusal> {
        let plan = self.plan();
        let mut values = plan.values();
        let read = plan.read_head(parts, &mut values).map_err(Refusal::from);
        let read = read.and_then(|()| input.read(plan, &parts.headers, &mut values));
        read.map_err(|refusal| self.advise(refusal))?;
        (self.choose)(values.get(0))
    }

    /// What becomes of a request whose body cannot be read.
    ///
    /// # Errors
    ///
    /// The refusal, with advice, unless the value in the query is enough: in an application of this language nothing merges
    /// the two.
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
