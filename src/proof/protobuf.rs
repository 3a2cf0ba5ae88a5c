//! Reads fields from protobuf messages by their numbers, without building a message.
//!
//! Protobuf resolves repeated occurrences: the last occurrence of a scalar wins, sub-messages are merged, and a field of
//! another wire type becomes an unknown field. So everything on the way to a field must occur once, with the right wire
//! type. Everything else is checked for the syntax of the wire format and skipped.

use std::borrow::Cow;

use super::{
    field::{Field, Place},
    value::{Unreadable, Value, Values},
};
use crate::error::ConfigError;

/// The messages on the way to a rule's fields, the root first.
#[derive(Debug)]
pub(super) struct Messages(Vec<Message>);

/// A message on the way: what each of its fields leads to.
#[derive(Debug, Default)]
struct Message {
    members: Vec<Member>,
    /// The number of things that may occur only once. Each has a bit in a `u64`.
    onces: u32,
}

#[derive(Debug)]
struct Member {
    number: u32,
    /// Members of a `oneof` share a bit, because the application keeps only the last of them.
    once: u32,
    leads: Leads,
}

#[derive(Clone, Copy, Debug)]
enum Leads {
    Value {
        slot: usize,
        accepts: Accepts,
    },
    /// To this message of the plan.
    Message(usize),
    /// To a value that is not read: another member of a `oneof`.
    Elsewhere,
}

/// What a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepts {
    /// A `string`.
    Text,
    /// A varint up to this, so that no parser reads a negative number or cuts off bits.
    #[cfg_attr(not(feature = "grpc-descriptors"), allow(dead_code))]
    Integer { most: u64 },
    /// Without a descriptor it may be either.
    Either,
}

/// One step on the way to a value.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) number: u32,
    /// The other members of its `oneof`.
    pub(super) oneof: Vec<u32>,
    /// The accepted values, if this is the last step.
    pub(super) accepts: Accepts,
}

/// Resolves a JSON Pointer to the steps through the messages. `Ok(None)`: its names need a descriptor.
pub(super) type Resolve<'r> = dyn Fn(&str) -> Result<Option<Vec<Step>>, &'static str> + 'r;

const BAD: Unreadable = Unreadable::BodyMalformed("not a protobuf message");
const TWICE: Unreadable = Unreadable::ProofMalformed("a guarded field twice");
const WIRE_TYPE: Unreadable = Unreadable::ProofMalformed("a guarded field of another wire type");

/// The largest field number (protobuf's language guide, *Assigning Field Numbers*).
const LAST_NUMBER: u32 = (1 << 29) - 1;

/// Parses a pointer of numbers such as `/1/2`, without zero and reserved numbers.
pub(super) fn numbered(pointer: &str) -> Option<Vec<Step>> {
    let segments = pointer.strip_prefix('/')?.split('/');
    segments
        .map(|segment| Some(Step { number: number(segment)?, oneof: Vec::new(), accepts: Accepts::Either }))
        .collect()
}

/// Whether a field of the body is named by a number.
pub(super) fn is_numbered(field: &Field) -> bool {
    pointers(field).any(|pointer| pointer.split('/').any(|segment| number(segment).is_some()))
}

/// The pointers of a field's places in the body.
fn pointers(field: &Field) -> impl Iterator<Item = &str> {
    field.places().iter().filter_map(|place| match place {
        Place::Body(pointer) => Some(&**pointer),
        Place::Header(_) | Place::Query(_) => None,
    })
}

/// A field number as a segment of a pointer. No name of protobuf starts with a digit.
pub(super) fn number(segment: &str) -> Option<u32> {
    if !segment.bytes().all(|byte| byte.is_ascii_digit()) || segment.starts_with('0') {
        return None;
    }
    segment.parse().ok().filter(|number| *number <= LAST_NUMBER && !(19_000..=19_999).contains(number))
}

// === impl Messages ===

impl Messages {
    /// Compiles the fields of the body; `None` if a required field cannot be resolved.
    ///
    /// # Errors
    ///
    /// `field`: if a field leads through another, or if `resolve` refuses it.
    pub(super) fn compile<'f>(
        fields: impl Iterator<Item = (&'f Field, usize)>,
        is_optional: impl Fn(&Field) -> bool,
        resolve: &Resolve<'_>,
    ) -> Result<Option<Self>, ConfigError> {
        let mut messages = Self(vec![Message::default()]);
        let mut known = Vec::new();
        let everywhere = fields.flat_map(|(field, slot)| pointers(field).map(move |pointer| (field, slot, pointer)));
        for (field, slot, pointer) in everywhere {
            if known.contains(&(slot, pointer)) {
                continue;
            }
            known.push((slot, pointer));
            let refused = |problem| ConfigError::new("field", field.to_string(), problem);
            match resolve(pointer) {
                Ok(Some(way)) => messages.add(&way, slot).map_err(refused)?,
                // A field with other places need not be in the message.
                Ok(None) | Err(_) if is_optional(field) || field.places().len() > 1 => {}
                Ok(None) => return Ok(None),
                Err(problem) => return Err(refused(problem)),
            }
        }
        Ok(Some(messages))
    }

    fn add(&mut self, way: &[Step], slot: usize) -> Result<(), &'static str> {
        let mut at = 0;
        for (depth, step) in way.iter().enumerate() {
            let next = self.0.len();
            let is_last = depth + 1 == way.len();
            let message = self.0.get_mut(at).ok_or("a missing message")?;
            let member = message.member_or_new(step)?;
            match (member.leads, is_last) {
                (Leads::Elsewhere, true) => member.leads = Leads::Value { slot, accepts: step.accepts },
                (Leads::Elsewhere, false) => {
                    member.leads = Leads::Message(next);
                    self.0.push(Message::default());
                    at = next;
                }
                (Leads::Message(number), false) => at = number,
                (Leads::Message(_) | Leads::Value { .. }, _) => return Err("one field leads through another"),
            }
        }
        Ok(())
    }

    /// Reads the fields of a message.
    pub(super) fn read<'v>(&self, message: &'v [u8], values: &mut Values<'v>) -> Result<(), Unreadable> {
        self.read_from(0, message, values)
    }

    /// Recurses once per segment of a pointer: the configuration bounds the depth, not the client.
    fn read_from<'v>(&self, message: usize, bytes: &'v [u8], values: &mut Values<'v>) -> Result<(), Unreadable> {
        let message = self.0.get(message).ok_or(BAD)?;
        let mut wire = Wire(bytes);
        let mut seen = 0_u64;
        while !wire.0.is_empty() {
            let (number, wire_type) = wire.tag()?;
            let Some(member) = message.members.iter().find(|member| member.number == number) else {
                wire.skip(wire_type)?;
                continue;
            };
            let bit = 1 << member.once;
            if seen & bit != 0 {
                return Err(TWICE);
            }
            seen |= bit;
            match (member.leads, wire_type) {
                (Leads::Elsewhere, _) => wire.skip(wire_type)?,
                (Leads::Message(inner), LENGTH_DELIMITED) => self.read_from(inner, wire.delimited()?, values)?,
                (Leads::Value { slot, accepts: Accepts::Text | Accepts::Either }, LENGTH_DELIMITED) => {
                    let text = std::str::from_utf8(wire.delimited()?);
                    let text = text.map_err(|_| Unreadable::ProofMalformed("a text that is not UTF-8"))?;
                    values.put(slot, Value::text(Cow::Borrowed(text))?)?;
                }
                (Leads::Value { slot, accepts }, VARINT) if accepts != Accepts::Text => {
                    values.put(slot, Some(accepts.integer(wire.varint()?)?))?;
                }
                (Leads::Message(_) | Leads::Value { .. }, _) => return Err(WIRE_TYPE),
            }
        }
        Ok(())
    }
}

// === impl Message ===

impl Message {
    fn member_or_new(&mut self, step: &Step) -> Result<&mut Member, &'static str> {
        if let Some(at) = self.members.iter().position(|member| member.number == step.number) {
            return self.members.get_mut(at).ok_or("a missing field");
        }
        let once = self.onces;
        if once == u64::BITS {
            return Err("more than 64 fields of one message");
        }
        self.onces += 1;
        let member = |&number| Member { number, once, leads: Leads::Elsewhere };
        self.members.extend(step.oneof.iter().chain([&step.number]).map(member));
        self.members.last_mut().ok_or("a missing field")
    }
}

// === impl Accepts ===

impl Accepts {
    fn integer(self, value: u64) -> Result<Value<'static>, Unreadable> {
        let most = match self {
            Self::Integer { most } => most,
            Self::Text | Self::Either => i64::MAX.unsigned_abs(),
        };
        if value > most {
            return Err(Unreadable::ProofMalformed("neither text nor an unsigned integer"));
        }
        Ok(Value::Integer(value))
    }
}

/// The unread rest of a message in the wire format.
struct Wire<'v>(&'v [u8]);

// The supported wire types (protobuf's *Encoding*). Groups, 3 and 4, were removed in proto3, and parsers disagree where a
// group ends.
const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const LENGTH_DELIMITED: u8 = 2;
const FIXED_32: u8 = 5;

// === impl Wire ===

impl<'v> Wire<'v> {
    /// A field's number and wire type, in the shortest encoding: parsers differ in how many bytes they accept.
    #[inline]
    fn tag(&mut self) -> Result<(u32, u8), Unreadable> {
        let before = self.0.len();
        let tag = u32::try_from(self.varint()?).map_err(|_| BAD)?;
        let least = u32::BITS.saturating_sub(tag.leading_zeros()).div_ceil(7).max(1);
        let taken = before - self.0.len();
        let (number, wire_type) = (tag >> 3, tag.to_le_bytes()[0] & 7);
        if number == 0 || u32::try_from(taken) != Ok(least) {
            return Err(BAD);
        }
        Ok((number, wire_type))
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Unreadable> {
        if let [byte @ ..0x80, rest @ ..] = self.0 {
            self.0 = rest;
            return Ok(u64::from(*byte));
        }
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or(BAD)?;
            self.0 = rest;
            // The tenth byte has room for one bit.
            if shift == 63 && byte > 1 {
                return Err(BAD);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(BAD)
    }

    #[inline]
    fn delimited(&mut self) -> Result<&'v [u8], Unreadable> {
        let length = usize::try_from(self.varint()?).map_err(|_| BAD)?;
        self.take(length)
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'v [u8], Unreadable> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(BAD)?;
        self.0 = rest;
        Ok(taken)
    }

    #[inline]
    fn skip(&mut self, wire_type: u8) -> Result<(), Unreadable> {
        match wire_type {
            VARINT => self.varint().map(|_| ()),
            FIXED_64 => self.take(8).map(|_| ()),
            LENGTH_DELIMITED => self.delimited().map(|_| ()),
            FIXED_32 => self.take(4).map(|_| ()),
            _ => Err(BAD),
        }
    }
}
