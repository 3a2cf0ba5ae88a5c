//! Checks and numbers the fields of a rule.

use http::{HeaderName, header};

use super::{
    field::{Field, Place, unescape},
    fold::{self, Names},
    objects::{Member, Object},
};
use crate::{error::ConfigError, headers::aliases};

/// Headers that frame, route or describe a message, or that hops rewrite. They cannot carry a proof.
const NO_PROOFS: [HeaderName; 20] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::EXPECT,
    header::FORWARDED,
    header::HOST,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::VIA,
    HeaderName::from_static("x-forwarded-for"),
];

/// Equal fields share a slot. These two differ, and a value could go to only one of them.
const TWO_FIELDS: &str = "two fields share this place and differ in their other places";

/// A plan that is being compiled.
#[derive(Default)]
pub(super) struct Compiling {
    pub(super) names: Vec<Box<str>>,
    pub(super) objects: Vec<Object>,
    pub(super) header_names: Vec<HeaderName>,
    pub(super) header_slots: Vec<usize>,
    pub(super) query_slots: Vec<(usize, usize)>,
}

// === impl Compiling ===

impl Compiling {
    /// Adds a field. The values of all its places go into `slot`.
    pub(super) fn add(&mut self, field: &Field, slot: usize) -> Result<(), ConfigError> {
        for place in field.places() {
            let added = match place {
                Place::Body(pointer) => self.add_body(pointer, slot),
                Place::Header(name) => self.add_header(name, slot),
                Place::Query(name) => self.add_query(name, slot),
            };
            added.map_err(|problem| ConfigError::new("field", field.to_string(), problem))?;
        }
        Ok(())
    }

    fn add_body(&mut self, pointer: &str, slot: usize) -> Result<(), &'static str> {
        let path = pointer.strip_prefix('/').ok_or("a JSON Pointer starts with a slash")?;
        let mut ids = Vec::new();
        for segment in path.split('/') {
            ids.push(self.name(&unescape(segment)?)?);
        }
        if self.objects.is_empty() {
            self.objects.push(Object::default());
        }
        let mut at = 0;
        let last = ids.len() - 1;
        for (depth, id) in ids.into_iter().enumerate() {
            let next = self.objects.len();
            let object = self.objects.get_mut(at).ok_or("a missing object")?;
            match (object.member(id), depth == last) {
                (None, true) => object.members.push((id, Member::Value(slot))),
                (None, false) => {
                    object.members.push((id, Member::Object(next)));
                    self.objects.push(Object::default());
                    at = next;
                }
                (Some(Member::Object(number)), false) => at = number,
                (Some(Member::Value(_)), true) => return Err(TWO_FIELDS),
                (Some(_), _) => return Err("one field leads through another"),
            }
        }
        Ok(())
    }

    fn add_query(&mut self, name: &str, slot: usize) -> Result<(), &'static str> {
        let id = self.name(name)?;
        if self.query_slots.iter().any(|(known, _)| *known == id) {
            return Err(TWO_FIELDS);
        }
        self.query_slots.push((id, slot));
        Ok(())
    }

    fn add_header(&mut self, name: &str, slot: usize) -> Result<(), &'static str> {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "not a header name")?;
        if NO_PROOFS.iter().any(|unfit| aliases(name.as_str(), unfit.as_str())) {
            return Err("this header cannot carry a proof");
        }
        if self.header_names.iter().any(|known| aliases(name.as_str(), known.as_str())) {
            return Err("two names that a parser may confuse");
        }
        self.header_names.push(name);
        self.header_slots.push(slot);
        Ok(())
    }

    /// The id of a name, new or known.
    fn name(&mut self, name: &str) -> Result<usize, &'static str> {
        if name.is_empty() {
            return Err("an empty name");
        }
        if fold::is_bare(name) || name.contains(char::is_control) {
            return Err("a name must have a letter or digit, and no control characters");
        }
        if let Some(id) = self.names.iter().position(|known| **known == *name) {
            return Ok(id);
        }
        if self.names.iter().any(|known| fold::alike(known, name)) {
            return Err("two names that a parser may confuse");
        }
        if self.names.len() == Names::MOST {
            return Err("more than 64 names");
        }
        self.names.push(name.into());
        Ok(self.names.len() - 1)
    }
}
