//! JSON, walked along the way to the fields; the rest is checked for syntax and skipped.
//!
//! What lies on the way must be objects (never `["token", "138…"]`, which derived structs accept), and holds a guarded
//! name once. How the text is taken apart is the business of `scan`.

use super::{
    fold::{Found, Keys},
    plan::{Member, Plan},
    scan::{CONTROL, NOT_JSON, SURROGATE, Scanner},
    value::{Unreadable, Value, Values},
};

/// Reads the fields out of a JSON document.
pub(super) fn read<'v>(plan: &Plan, body: &'v [u8], values: &mut Values<'v>) -> Result<(), Unreadable> {
    // Also where nobody reads: parsers repair bad UTF-8 in different ways.
    let text = std::str::from_utf8(body).map_err(|_| Unreadable::BodyMalformed("not UTF-8"))?;
    let mut walk = Walk { plan, values, scanner: Scanner::new(text) };
    if !walk.scanner.eat(b'{') {
        return Err(Unreadable::BodyMalformed("not a JSON object"));
    }
    walk.object(0, 1)?;
    walk.scanner.end()
}

/// One walk through a document.
struct Walk<'w, 'v> {
    plan: &'w Plan,
    values: &'w mut Values<'v>,
    scanner: Scanner<'v>,
}

impl Walk<'_, '_> {
    /// Reads an object on the way, after its `{`. `open` levels are open, this one included.
    ///
    /// Calls itself once a segment of a pointer: so often as the configuration says, not the client.
    fn object(&mut self, number: usize, open: u32) -> Result<(), Unreadable> {
        if self.scanner.eat(b'}') {
            return Ok(());
        }
        let mut seen = 0_u64;
        loop {
            let key = self.scanner.key()?;
            match self.plan.names().find(&key, Keys::Json) {
                Found::Nothing => self.scanner.skip(open)?,
                Found::Like(_) => return Err(Unreadable::ProofMalformed("a name like a guarded one")),
                Found::Name(name) => {
                    let bit = 1 << name;
                    if seen & bit != 0 {
                        return Err(Unreadable::ProofMalformed("a guarded name twice"));
                    }
                    seen |= bit;
                    self.member(number, name, open)?;
                }
            }
            if self.scanner.eat(b'}') {
                return Ok(());
            }
            if !self.scanner.eat(b',') {
                return Err(NOT_JSON);
            }
        }
    }

    /// Reads the value of a guarded name.
    fn member(&mut self, object: usize, name: usize, open: u32) -> Result<(), Unreadable> {
        match self.plan.object(object).and_then(|object| object.member(name)) {
            Some(Member::Value(slot)) => self.value(slot),
            Some(Member::Object(inner)) if self.scanner.eat(b'{') => self.object(inner, open + 1),
            Some(Member::Object(_)) => Err(Unreadable::ProofMalformed("not an object on the way to a field")),
            // Frameworks that merge query and body let the body win.
            None if object == 0 && self.plan.query_names() & 1 << name != 0 => {
                Err(Unreadable::ProofMalformed("a name in the body that belongs into the query"))
            }
            None => self.scanner.skip(open),
        }
    }

    /// Reads the value of a field.
    fn value(&mut self, slot: usize) -> Result<(), Unreadable> {
        const NEITHER: Unreadable = Unreadable::ProofMalformed("neither text nor an unsigned integer");
        let value = if self.scanner.eat(b'"') {
            let start = self.scanner.position() - 1;
            let text = self.scanner.text().map_err(|refusal| match refusal {
                CONTROL | SURROGATE => Unreadable::ProofMalformed(refusal.reason()),
                other => other,
            })?;
            let end = self.scanner.position();
            self.values.stands(slot, || start..end);
            Value::text(text)?
        } else {
            let number = self.scanner.number().map_err(|_| NEITHER)?;
            let end = self.scanner.position();
            self.values.stands(slot, || end - number.len()..end);
            // No sign, fraction or exponent: those do not parse.
            Value::Integer(number.parse().map_err(|_| NEITHER)?)
        };
        self.values.put(slot, value)
    }
}
