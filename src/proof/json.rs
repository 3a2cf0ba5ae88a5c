//! JSON, walked along the way to the fields; the rest is checked for syntax and skipped.
//!
//! What lies on the way must be objects (never `["token", "138…"]`, which derived structs accept), and holds a guarded
//! name once. How the text is taken apart is the business of `crate::json`.

use super::{
    fold::{Found, Keys},
    plan::{BELONGS_INTO_THE_QUERY, Member, Plan, once},
    value::{Unreadable, Value, Values},
};
use crate::json::{Malformed, Scanner};

/// Reads the fields out of a JSON document.
pub(super) fn read<'v>(plan: &Plan, body: &'v [u8], values: &mut Values<'v>) -> Result<(), Unreadable> {
    // Also where nobody reads: parsers repair bad UTF-8 in different ways.
    let text = std::str::from_utf8(body).map_err(|_| Unreadable::BodyMalformed("not UTF-8"))?;
    let mut json = Scanner::new(text);
    if !json.eat(b'{') {
        return Err(Unreadable::BodyMalformed("not a JSON object"));
    }
    Walk { plan, values }.object(&mut json, 0, 1)?;
    Ok(json.end()?)
}

/// One walk through a document.
struct Walk<'w, 'v> {
    plan: &'w Plan,
    values: &'w mut Values<'v>,
}

impl<'v> Walk<'_, 'v> {
    /// Reads an object on the way, after its `{`. `open` levels are open, this one included.
    ///
    /// Calls itself once a segment of a pointer: so often as the configuration says, not the client.
    fn object(&mut self, json: &mut Scanner<'v>, number: usize, open: u32) -> Result<(), Unreadable> {
        let mut seen = 0_u64;
        json.members(|json, key| match self.plan.names().find(key, Keys::Json) {
            Found::Nothing => Ok(json.skip(open)?),
            Found::Like(_) => Err(Unreadable::ProofMalformed("a name like a guarded one")),
            Found::Name(name) => {
                once(name, &mut seen)?;
                self.member(json, number, name, open)
            }
        })
    }

    /// Reads the value of a guarded name.
    fn member(&mut self, json: &mut Scanner<'v>, object: usize, name: usize, open: u32) -> Result<(), Unreadable> {
        match self.plan.object(object).and_then(|object| object.member(name)) {
            Some(Member::Value(slot)) => self.value(json, slot),
            Some(Member::Object(inner)) if json.eat(b'{') => self.object(json, inner, open + 1),
            Some(Member::Object(_)) => Err(Unreadable::ProofMalformed("not an object on the way to a field")),
            // Frameworks that merge query and body let the body win.
            None if object == 0 && self.plan.query_names() & 1 << name != 0 => Err(BELONGS_INTO_THE_QUERY),
            None => Ok(json.skip(open)?),
        }
    }

    /// Reads the value of a field.
    fn value(&mut self, json: &mut Scanner<'v>, slot: usize) -> Result<(), Unreadable> {
        const NEITHER: Unreadable = Unreadable::ProofMalformed("neither text nor an unsigned integer");
        let value = if json.eat(b'"') {
            let start = json.position() - 1;
            let text = json.text().map_err(|malformed| match malformed {
                Malformed::ControlCharacter | Malformed::HalfASurrogate => {
                    Unreadable::ProofMalformed(malformed.reason())
                }
                other => other.into(),
            })?;
            let end = json.position();
            self.values.stands(slot, || start..end);
            Value::text(text)?
        } else {
            let number = json.number().map_err(|_| NEITHER)?;
            let end = json.position();
            self.values.stands(slot, || end - number.length()..end);
            // No sign, fraction or exponent: those do not parse.
            Value::Integer(number.unsigned().ok_or(NEITHER)?)
        };
        self.values.put(slot, value)
    }
}

// === impl Unreadable ===

impl From<Malformed> for Unreadable {
    fn from(malformed: Malformed) -> Self {
        Self::BodyMalformed(malformed.reason())
    }
}
