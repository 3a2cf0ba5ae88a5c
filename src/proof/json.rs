//! Reads fields from JSON by walking the objects on the way to them; the rest is checked for syntax and skipped.
//!
//! In front of a foreign backend the rest is also searched for the phone's name (`other_phones`).
//!
//! Values on the way must be objects (never `["token", "138…"]`, which derived structs accept), and each contains a guarded
//! name once. `crate::json` parses the text.

use super::{
    fold::{Found, Keys},
    objects::{BELONGS_INTO_THE_QUERY, Member, once},
    other_phones::{Ahead, ELSEWHERE_IN_BODY},
    plan::Plan,
    value::{Unreadable, Value, Values},
};
use crate::{
    foreign_backend::Suspicion,
    json::{Malformed, Scanner, Watch},
};

/// JavaScript's `Object.assign({}, body)` and `for (name in body)` make this member the prototype of the copy, so each of its
/// members becomes a member of the copy unless the body has that name itself.
const PROTOTYPE: &str = "__proto__";
const HAS_PROTOTYPE: Unreadable = Unreadable::Suspicious(
    Suspicion::OtherPhone,
    "a member `__proto__`, whose members some backends read as those of the object around it",
);

/// Reads the fields of a JSON document.
pub(super) fn read<'v>(plan: &Plan, body: &'v [u8], values: &mut Values<'v>) -> Result<(), Unreadable> {
    // Also in parts that are not read: parsers repair bad UTF-8 in different ways.
    let text = std::str::from_utf8(body).map_err(|_| Unreadable::BodyMalformed("a JSON body that is not UTF-8"))?;
    let mut json = Scanner::new(text);
    if !json.eat(b'{') {
        if json.next_byte() != Some(b'[') {
            return Err(Unreadable::BodyMalformed("a JSON body that is not an object"));
        }
        if !plan.takes_lists() {
            return Err(Unreadable::BodyMalformed("a JSON list (a batch of calls, perhaps) in place of an object"));
        }
        json.skip(0)?;
        return Ok(json.end()?);
    }
    let search = Search { plan, ahead: plan.other_phones().ahead(), levels: Vec::new() };
    Walk { plan, values, search }.object(&mut json, 0, 1, plan.other_phones().ahead())?;
    Ok(json.end()?)
}

/// One walk through a document.
struct Walk<'w, 'v> {
    plan: &'w Plan,
    values: &'w mut Values<'v>,
    search: Search<'w>,
}

/// Searches skipped values for the phone's name.
struct Search<'w> {
    plan: &'w Plan,
    /// The places that may lie in the next value.
    ahead: Ahead,
    /// The open arrays and objects of the skipped value; kept only if there are such places.
    levels: Vec<Level>,
}

struct Level {
    is_object: bool,
    /// Of an array: the index of the next element.
    index: u32,
    ahead: Ahead,
}

impl<'v> Walk<'_, 'v> {
    /// Reads an object on the way, after its `{`. `open` levels are open, this one included; `ahead` has the other places
    /// where the phone's name may occur.
    ///
    /// Recurses once per segment of a pointer: the configuration bounds the depth, not the client.
    fn object(&mut self, json: &mut Scanner<'v>, number: usize, open: u32, ahead: Ahead) -> Result<(), Unreadable> {
        let mut seen = 0_u64;
        json.members(|json, key| match self.plan.names().find(key, Keys::Json) {
            Found::Nothing if key == PROTOTYPE && self.plan.elsewhere() != 0 => Err(HAS_PROTOTYPE),
            Found::Nothing => self.skip(json, key, open, ahead),
            Found::Like(_) => Err(Unreadable::ProofMalformed("a name like a guarded one")),
            Found::Name(name) => {
                once(name, &mut seen)?;
                self.member(json, number, (name, key), open, ahead)
            }
        })
    }

    /// Skips the value of a key that does not lead to a field.
    #[inline]
    fn skip(&mut self, json: &mut Scanner<'v>, key: &str, open: u32, ahead: Ahead) -> Result<(), Unreadable> {
        if self.plan.elsewhere_in_json() == 0 { Ok(json.skip(open)?) } else { self.search.skip(json, key, open, ahead) }
    }

    /// Reads the value of a guarded name.
    fn member(
        &mut self,
        json: &mut Scanner<'v>,
        object: usize,
        (name, key): (usize, &str),
        open: u32,
        ahead: Ahead,
    ) -> Result<(), Unreadable> {
        match self.plan.object(object).and_then(|object| object.member(name)) {
            Some(Member::Value(slot)) => self.value(json, slot),
            Some(Member::Object(inner)) if json.eat(b'{') => {
                self.object(json, inner, open + 1, self.plan.other_phones().behind(ahead, key))
            }
            Some(Member::Object(_)) if is_nothing(json)? => Ok(()),
            Some(Member::Object(_)) => Err(Unreadable::ProofMalformed("not an object on the way to a field")),
            // Frameworks that merge query and body let the body win.
            None if object == 0 && self.plan.query_names() & 1 << name != 0 => Err(BELONGS_INTO_THE_QUERY),
            None => self.skip(json, key, open, ahead),
        }
    }

    /// Reads the value of a field. `null` and an empty text leave it absent.
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
            let value = Value::text(text)?;
            if value.is_some() {
                self.values.put_span(slot, || start..end);
            }
            value
        } else if json.eat_null()? {
            None
        } else {
            let number = json.number().map_err(|_| NEITHER)?;
            let end = json.position();
            self.values.put_span(slot, || end - number.length()..end);
            // Numbers with a sign, fraction or exponent do not parse.
            Some(Value::Integer(number.unsigned().ok_or(NEITHER)?))
        };
        self.values.put(slot, value)
    }
}

/// Takes the next value if it is `null` or a text. Returns whether it means that the object is absent.
fn is_nothing(json: &mut Scanner<'_>) -> Result<bool, Malformed> {
    Ok(json.eat_null()? || json.eat(b'"') && json.text()?.is_empty())
}

// === impl Search ===

impl Search<'_> {
    fn skip(&mut self, json: &mut Scanner<'_>, key: &str, open: u32, ahead: Ahead) -> Result<(), Unreadable> {
        self.levels.clear();
        self.look_at(key, ahead)?;
        json.skip_watched(open, self)
    }

    /// Refuses a key that names a phone in a place that is not listed.
    #[inline]
    fn look_at(&mut self, key: &str, ahead: Ahead) -> Result<(), Unreadable> {
        let places = self.plan.other_phones();
        self.ahead = places.behind(ahead, key);
        let is_phone = self.plan.names().like_key(key) & self.plan.elsewhere_in_json() != 0;
        if is_phone && !places.are_here(self.ahead) && !places.are_at_path(ahead, key) {
            return Err(ELSEWHERE_IN_BODY);
        }
        Ok(())
    }
}

impl Watch for Search<'_> {
    type Error = Unreadable;

    #[inline]
    fn open(&mut self, is_object: bool) {
        if self.plan.other_phones().is_empty() {
            return;
        }
        self.levels.push(Level { is_object, index: 0, ahead: self.ahead });
        if !is_object {
            self.ahead = self.plan.other_phones().behind_index(self.ahead, 0);
        }
    }

    #[inline]
    fn element(&mut self) {
        if let Some(level) = self.levels.last_mut().filter(|level| !level.is_object) {
            level.index = level.index.saturating_add(1);
            self.ahead = self.plan.other_phones().behind_index(level.ahead, level.index);
        }
    }

    #[inline]
    fn close(&mut self) {
        self.levels.pop();
    }

    #[inline]
    fn key(&mut self, json: &mut Scanner<'_>) -> Result<(), Unreadable> {
        let key = json.text()?;
        let ahead = self.levels.last().map(|level| level.ahead).unwrap_or_default();
        self.look_at(&key, ahead)
    }
}

// === impl Unreadable ===

impl From<Malformed> for Unreadable {
    fn from(malformed: Malformed) -> Self {
        Self::BodyMalformed(malformed.reason())
    }
}
