//! JSON, walked along the way to the fields; the rest is checked for syntax and skipped.
//!
//! The syntax is serde_json's. Ours is what lies on the way: objects only, guarded names once. Visitors are written by
//! hand, because derived structs accept arrays (`["token", "138…"]`) and drop what they do not know.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::{
    fold::{Found, Keys, Names},
    plan::{Member, Plan},
    value::{Refusal, Value, Values},
};

/// Reads the fields out of a JSON document.
pub(super) fn read<'v>(plan: &Plan, body: &'v [u8], values: &mut Values<'v>) -> Result<(), Refusal> {
    let text = std::str::from_utf8(body).map_err(|_| Refusal::BodyMalformed("not UTF-8"))?;
    let mut walk = Walk { plan, values, place: Place::Root, refusal: None };
    let mut document = serde_json::Deserializer::from_str(text);
    let outcome = OnTheWay { walk: &mut walk, object: 0 }.deserialize(&mut document).and_then(|()| document.end());
    let Err(error) = outcome else { return Ok(()) };
    // The error itself may quote the document: nothing of it goes further.
    Err(walk.refusal.unwrap_or(match walk.place {
        Place::Root => Refusal::BodyMalformed("not a JSON object"),
        Place::Way if error.is_data() => Refusal::ProofMalformed("not an object on the way to a field"),
        Place::Value if !error.is_eof() => Refusal::ProofMalformed("neither text nor an unsigned integer"),
        Place::Way | Place::Value | Place::Elsewhere => Refusal::BodyMalformed("not JSON, or nested too deep"),
    }))
}

/// One walk through a document.
struct Walk<'p, 'o, 'v> {
    plan: &'p Plan,
    values: &'o mut Values<'v>,
    place: Place,
    refusal: Option<Refusal>,
}

/// Where a walk is: tells what its failure means.
enum Place {
    /// Before the document's own `{`.
    Root,
    /// Before an object on the way.
    Way,
    /// At a field's value.
    Value,
    /// Anywhere else.
    Elsewhere,
}

impl Walk<'_, '_, '_> {
    /// Ends the walk, and keeps the reason: serde's errors carry only text.
    fn refuse<E: serde::de::Error>(&mut self, refusal: Refusal) -> E {
        self.refusal = Some(refusal);
        E::custom("")
    }
}

/// An object on the way to a field.
struct OnTheWay<'w, 'p, 'o, 'v> {
    walk: &'w mut Walk<'p, 'o, 'v>,
    object: usize,
}

impl<'v> DeserializeSeed<'v> for OnTheWay<'_, '_, '_, 'v> {
    type Value = ();

    fn deserialize<D: Deserializer<'v>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'v> Visitor<'v> for OnTheWay<'_, '_, '_, 'v> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'v>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { walk, object } = self;
        let plan = walk.plan;
        let mut seen = 0_u64;
        walk.place = Place::Elsewhere;
        while let Some(key) = map.next_key_seed(Key(plan.names()))? {
            let name = match key {
                Found::Nothing => {
                    map.next_value_seed(Skip)?;
                    continue;
                }
                Found::Like(_) => return Err(walk.refuse(Refusal::ProofMalformed("a name like a guarded one"))),
                Found::Name(name) => name,
            };
            let bit = 1 << name;
            if seen & bit != 0 {
                return Err(walk.refuse(Refusal::ProofMalformed("a guarded name twice")));
            }
            seen |= bit;
            match plan.object(object).and_then(|object| object.member(name)) {
                Some(Member::Value(slot)) => {
                    walk.place = Place::Value;
                    map.next_value_seed(Part { walk: &mut *walk, slot })?;
                }
                Some(Member::Object(object)) => {
                    walk.place = Place::Way;
                    map.next_value_seed(OnTheWay { walk: &mut *walk, object })?;
                }
                // Frameworks that merge query and body let the body win.
                None if object == 0 && plan.query_names() & bit != 0 => {
                    let refusal = Refusal::ProofMalformed("a name in the body that belongs into the query");
                    return Err(walk.refuse(refusal));
                }
                None => map.next_value_seed(Skip)?,
            }
            walk.place = Place::Elsewhere;
        }
        Ok(())
    }
}

/// A key of an object on the way, looked up.
struct Key<'p>(&'p Names);

impl<'v> DeserializeSeed<'v> for Key<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'v>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    #[inline]
    fn visit_str<E>(self, key: &str) -> Result<Found, E> {
        Ok(self.0.find(key, Keys::Json))
    }
}

/// The value of a field.
struct Part<'w, 'p, 'o, 'v> {
    walk: &'w mut Walk<'p, 'o, 'v>,
    slot: usize,
}

impl<'v> Part<'_, '_, '_, 'v> {
    fn keep<E: serde::de::Error>(self, value: Result<Value<'v>, Refusal>) -> Result<(), E> {
        let value = value.map_err(|refusal| self.walk.refuse(refusal))?;
        self.walk.values.put(self.slot, value);
        Ok(())
    }
}

impl<'v> DeserializeSeed<'v> for Part<'_, '_, '_, 'v> {
    type Value = ();

    fn deserialize<D: Deserializer<'v>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'v> Visitor<'v> for Part<'_, '_, '_, 'v> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or an unsigned integer")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'v str) -> Result<(), E> {
        self.keep(Value::text(Cow::Borrowed(text)))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.keep(Value::text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E: serde::de::Error>(self, integer: u64) -> Result<(), E> {
        self.keep(Ok(Value::Integer(integer)))
    }

    /// With serde_json's feature `arbitrary_precision`, which any crate in the graph can turn on, numbers come as maps.
    fn visit_map<A: MapAccess<'v>>(self, mut map: A) -> Result<(), A::Error> {
        if map.next_key_seed(NumberKey)? != Some(true) {
            return Err(A::Error::custom(""));
        }
        let integer = map.next_value_seed(NumberText)?;
        self.keep(Ok(Value::Integer(integer)))
    }
}

/// Whether a key is serde_json's own, for a number.
struct NumberKey;

impl<'v> DeserializeSeed<'v> for NumberKey {
    type Value = bool;

    fn deserialize<D: Deserializer<'v>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NumberKey {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == "$serde_json::private::Number")
    }
}

/// The digits of such a number. They come as an owned `String`, as nothing that a document can spell does: so an object
/// that only looks like a number is refused.
struct NumberText;

impl<'v> DeserializeSeed<'v> for NumberText {
    type Value = u64;

    fn deserialize<D: Deserializer<'v>>(self, deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for NumberText {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<u64, E> {
        Err(E::custom(""))
    }

    fn visit_string<E: serde::de::Error>(self, digits: String) -> Result<u64, E> {
        digits.parse().map_err(|_| E::custom(""))
    }
}

/// Any value, checked for syntax and dropped; no deeper than serde_json's own limit.
#[derive(Clone, Copy)]
struct Skip;

impl<'v> DeserializeSeed<'v> for Skip {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'v>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'v> Visitor<'v> for Skip {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'v>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Skip)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'v>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(Skip)?.is_some() {
            map.next_value_seed(Skip)?;
        }
        Ok(())
    }
}
