//! The compiled fields of a rule, with their names.
//!
//! A plan is compiled once, when the layer is built, and used for every guarded request.

use http::HeaderName;

use super::{
    compile::Compiling,
    descriptors::Method,
    field::{Field, Role},
    fold::{self, Names},
    media::Media,
    objects::Object,
    other_phones::{OtherPhones, ends_in},
    protobuf::{self, Messages},
    value::Values,
};
use crate::{
    error::ConfigError,
    foreign_backend::{ForeignBackend, Suspicion},
};

/// The compiled fields of a rule. Only what they name is read from a request.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a separate switch")]
pub(crate) struct Plan {
    /// The slot of each field's value, by the field's index: a field may be given twice.
    slots: Vec<usize>,
    distinct: usize,
    /// All names in bodies and in the query. Their ids are bits of a `u64`.
    names: Names,
    /// The objects on the way to the body's fields, the root first; empty if the body is not read.
    objects: Vec<Object>,
    header_names: Vec<HeaderName>,
    header_slots: Vec<usize>,
    /// By name id.
    query_slots: Vec<(usize, usize)>,
    /// The bits of the names that are read from the query.
    query_names: u64,
    ignore_query: bool,
    /// Whether a parameter that makes a backend run another method is refused.
    refuses_methods: bool,
    keeps_spans: bool,
    /// The bits of the names of phone fields.
    phones: u64,
    /// The bits of the names that change the meaning of others.
    contexts: u64,
    /// The bits of the names that identify a person or carry a whole proof, phones included.
    identities: u64,
    foreign: ForeignBackend,
    /// The bits of the names that may occur only in their own places if the backend is suspected: phones and contexts.
    elsewhere: u64,
    /// Other places where they may occur.
    other_phones: OtherPhones,
    /// The fields' numbers, if gRPC is accepted and can hold them.
    messages: Option<Messages>,
    /// Fields of the body are named by numbers: only gRPC can hold them.
    is_numbered: bool,
}

// === impl Plan ===

impl Plan {
    /// Compiles fields; [`Values`] are indexed in their order. A field may be given twice.
    ///
    /// With `ignore_query` the query may contain guarded names that are not read from it.
    ///
    /// # Errors
    ///
    /// Names the setting `field`: a pointer that does not start with a slash, has an empty segment or a bad escape, or
    /// leads through another field; an invalid header name, or one that cannot carry a proof; an empty query name; a name
    /// without a letter or digit; names that some parser confuses; more than 64 names.
    pub(crate) fn compile(fields: &[Field], ignore_query: bool) -> Result<Self, ConfigError> {
        let mut compiling = Compiling::default();
        let mut slots = Vec::new();
        let mut distinct: Vec<&Field> = Vec::new();
        for field in fields {
            let slot = distinct.iter().position(|known| *known == field).unwrap_or(distinct.len());
            if slot == distinct.len() {
                compiling.add(field, slot)?;
                distinct.push(field);
            }
            slots.push(slot);
        }
        Ok(Self {
            slots,
            distinct: distinct.len(),
            query_names: compiling.query_slots.iter().fold(0, |bits, (id, _)| bits | 1 << id),
            names: Names::new(compiling.names),
            objects: compiling.objects,
            header_names: compiling.header_names,
            header_slots: compiling.header_slots,
            query_slots: compiling.query_slots,
            ignore_query,
            refuses_methods: false,
            keeps_spans: false,
            phones: 0,
            contexts: 0,
            identities: 0,
            foreign: ForeignBackend::none(),
            elsewhere: 0,
            other_phones: OtherPhones::default(),
            messages: None,
            is_numbered: false,
        })
    }

    /// Makes the plan also read gRPC messages, if its fields can be found: by their numbers, or by the descriptor `method`.
    ///
    /// `fields` are the fields of the plan, each with whether it is required.
    ///
    /// # Errors
    ///
    /// `field`: if the method's message does not have it as text or integer, or if its numbers lead through
    /// another field.
    pub(crate) fn accepting_grpc(
        mut self,
        fields: &[Field],
        required: &[bool],
        method: Option<&Method>,
    ) -> Result<Self, ConfigError> {
        let optional: Vec<&Field> =
            fields.iter().zip(required).filter(|(_, required)| !**required).map(|(field, _)| field).collect();
        let resolve = |pointer: &str| {
            if let Some(method) = method {
                return method.way(pointer).map(Some);
            }
            Ok(protobuf::numbered(pointer))
        };
        let with_slots = fields.iter().zip(self.slots.iter().copied());
        self.messages = Messages::compile(with_slots, |field| optional.contains(&field), &resolve)?;
        self.is_numbered = fields.iter().any(protobuf::is_numbered);
        Ok(self)
    }

    /// Makes the plan suspect what this backend may read. `fields` are the fields of the plan, each with its role.
    pub(crate) fn before(mut self, foreign: &ForeignBackend, fields: &[Field], roles: &[Role]) -> Self {
        for (field, role) in fields.iter().zip(roles) {
            for id in field.last_names().filter_map(|name| self.names.id(name.as_bytes())) {
                let bit = 1 << id;
                match role {
                    Role::Other => {}
                    Role::Context => self.contexts |= bit,
                    Role::Login => self.identities |= bit,
                    Role::Phone => {
                        self.phones |= bit;
                        self.identities |= bit;
                    }
                }
            }
        }
        self.foreign = foreign.clone();
        self.elsewhere = if self.suspects(Suspicion::OtherPhone) { self.phones | self.contexts } else { 0 };
        self
    }

    /// Allows the phone's name also in these places. Call it after [`Plan::before`], with the same fields and roles.
    ///
    /// # Errors
    ///
    /// Names the setting `other_phones`: see [`OtherPhones::compile`].
    pub(crate) fn allowing_other_phones(
        mut self,
        entries: &[Box<str>],
        fields: &[Field],
        roles: &[Role],
    ) -> Result<Self, ConfigError> {
        let read = fields.iter().zip(roles).filter(|(_, role)| matches!(role, Role::Phone | Role::Context));
        let guarded: Vec<_> = read.flat_map(|(field, _)| field.segments()).collect();
        self.other_phones = OtherPhones::compile(entries, &self.names, self.phones | self.contexts, &guarded)?;
        Ok(self)
    }

    /// As [`Plan::allowing_other_phones`], for a plan of some of a rule's fields: ignores entries about the others.
    ///
    /// # Errors
    ///
    /// As [`Plan::allowing_other_phones`].
    pub(crate) fn allowing_some_other_phones(
        self,
        entries: &[Box<str>],
        fields: &[Field],
        roles: &[Role],
    ) -> Result<Self, ConfigError> {
        let guarded = self.phones | self.contexts;
        let own: Vec<_> = entries.iter().filter(|it| ends_in(it, &self.names, guarded)).cloned().collect();
        self.allowing_other_phones(&own, fields, roles)
    }

    /// Makes a plan without a field in the body still read bodies, so that they cannot contain a name that is read from the
    /// query.
    pub(crate) fn guarding_bodies(mut self) -> Self {
        if self.objects.is_empty() {
            self.objects.push(Object::default());
        }
        self
    }

    /// Whether a JSON document may be a list, because no field is in the body.
    pub(super) fn takes_lists(&self) -> bool {
        matches!(self.objects.as_slice(), [root] if root.members.is_empty())
    }

    /// Whether any field is in the body. If not, the body need not be read.
    pub(crate) fn reads_body(&self) -> bool {
        !self.objects.is_empty()
    }

    /// Whether fields are read from the query and none from the body, which is then not guarded.
    pub(crate) fn reads_query_alone(&self) -> bool {
        self.query_names != 0 && !self.reads_body() && !self.ignore_query
    }

    /// Whether a body of this type can hold the fields of the body.
    pub(crate) fn fits(&self, media: &Media) -> bool {
        match media {
            Media::Grpc => self.messages.is_some(),
            // Some servers accept JSON on the paths of their gRPC methods, with names that differ from the numbers.
            _ if self.is_numbered => false,
            Media::Json | Media::JsonTypes(_) => true,
            Media::Form | Media::Multipart => self.fits_form(),
        }
    }

    /// Whether every field of the body fits a form: its pointer has one segment.
    pub(super) fn fits_form(&self) -> bool {
        self.objects.len() <= 1
    }

    /// The headers that carry proofs: `Connection` must not name them, and trailers must not repeat them.
    pub(crate) fn header_names(&self) -> &[HeaderName] {
        &self.header_names
    }

    /// Creates the values of one request, all absent. Allocates only for more than eight fields.
    #[inline]
    pub(crate) fn values(&self) -> Values<'_> {
        let mut values = Values::absent(&self.slots, self.distinct);
        if self.keeps_spans {
            values.keep_spans();
        }
        values
    }

    /// Makes the plan store the positions of values in a JSON body or a form.
    pub(crate) fn keeping_spans(mut self, keeps: bool) -> Self {
        self.keeps_spans = keeps;
        self
    }

    /// Makes the plan refuse parameters that make a backend run another method.
    pub(crate) fn refusing_methods(mut self) -> Self {
        self.refuses_methods = true;
        self
    }

    pub(super) fn refuses_methods(&self) -> bool {
        self.refuses_methods
    }

    /// Whether the backend is suspected of this habit.
    pub(super) fn suspects(&self, class: Suspicion) -> bool {
        self.foreign.suspects(class)
    }

    /// The bits of the names that may occur only in their own places.
    pub(super) fn elsewhere(&self) -> u64 {
        self.elsewhere
    }

    /// The same bits for JSON, without contexts: many inner objects have their own `type`, and no reader confuses it with
    /// the root's.
    pub(super) fn elsewhere_in_json(&self) -> u64 {
        self.elsewhere & self.phones
    }

    /// Whether a decoded key of a form or a query, not a guarded name, names a phone or a context in a place that is not listed.
    pub(super) fn is_phone_elsewhere(&self, key: &str) -> bool {
        let is_elsewhere =
            |key: &str| self.names.like_last(key) & self.elsewhere != 0 && !self.other_phones.contain(key);
        self.elsewhere != 0 && (is_elsewhere(key) || fold::before_rest(key).is_some_and(is_elsewhere))
    }

    /// The other places where the phone's name may occur.
    pub(super) fn other_phones(&self) -> &OtherPhones {
        &self.other_phones
    }

    /// The fields' numbers in gRPC messages.
    pub(super) fn messages(&self) -> Option<&Messages> {
        self.messages.as_ref()
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// The object with this number; the root is 0.
    pub(super) fn object(&self, number: usize) -> Option<&Object> {
        self.objects.get(number)
    }

    /// Header fields, with their values' slots.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&HeaderName, usize)> {
        self.header_names.iter().zip(self.header_slots.iter().copied())
    }

    /// The bits of the names that are read from the query.
    pub(super) fn query_names(&self) -> u64 {
        self.query_names
    }

    /// The slot of a name's value, if it is read from the query.
    pub(super) fn query_slot(&self, name: usize) -> Option<usize> {
        self.query_slots.iter().find(|(id, _)| *id == name).map(|(_, slot)| *slot)
    }

    /// The bits of the names that are removed from cookies: those of phone fields, and contexts.
    pub(super) fn cookies(&self) -> u64 {
        self.phones | self.contexts
    }

    /// The bits of the names that identify a person or carry a whole proof.
    pub(super) fn identities(&self) -> u64 {
        self.identities
    }

    /// The backend behind the layer.
    pub(super) fn foreign(&self) -> &ForeignBackend {
        &self.foreign
    }

    /// The bits of the names that are guarded in the query.
    pub(super) fn guarded_in_query(&self) -> u64 {
        if self.ignore_query { self.query_names } else { u64::MAX }
    }
}
