//! Writes JSON in the canonical form: without white space, in ASCII, each name of an object once.

use std::borrow::Cow;

use super::super::value::Unreadable;
use crate::json::{DEEPEST, Malformed, Scanner};

/// Writes a document whose root is an object or, if the plan has read one, a list. Members keep their order, and numbers
/// keep their digits.
pub(super) fn write(body: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let text = std::str::from_utf8(body).map_err(|_| Unreadable::BodyMalformed("not UTF-8"))?;
    let mut writer = Writer {
        json: Scanner::new(text),
        text,
        written: Vec::with_capacity(body.len() + 16),
        levels: Vec::new(),
        names: Vec::new(),
    };
    if !matches!(writer.json.next_byte(), Some(b'{' | b'[')) {
        return Err(Unreadable::BodyMalformed("neither a JSON object nor a list"));
    }
    writer.document()?;
    Ok(writer.written)
}

struct Writer<'v> {
    json: Scanner<'v>,
    text: &'v str,
    written: Vec<u8>,
    /// The open arrays and objects, the innermost last.
    levels: Vec<Level>,
    /// The names in all open objects, those of the innermost last.
    names: Vec<Cow<'v, str>>,
}

/// An open array or object.
#[derive(Clone, Copy)]
enum Level {
    Array,
    /// The index of its first name.
    Object(usize),
}

// === impl Writer ===

impl Writer<'_> {
    /// A loop instead of recursion, because the client chooses the depth.
    fn document(&mut self) -> Result<(), Unreadable> {
        loop {
            if !self.value()? {
                continue;
            }
            // After a value, the innermost level decides what may follow.
            loop {
                let Some(level) = self.levels.last().copied() else { return Ok(self.json.end()?) };
                if self.json.eat(b',') {
                    self.written.push(b',');
                    if matches!(level, Level::Object(_)) {
                        self.name()?;
                    }
                    break;
                }
                if !self.json.eat(level.end()) {
                    return Err(Malformed::NotJson.into());
                }
                self.close(level)?;
            }
        }
    }

    /// Writes a value, or the beginning of an array or object. Returns whether the value has ended.
    fn value(&mut self) -> Result<bool, Unreadable> {
        match self.json.next_byte() {
            Some(opening @ (b'{' | b'[')) => {
                self.json.eat(opening);
                let level = if opening == b'{' { Level::Object(self.names.len()) } else { Level::Array };
                self.written.push(opening);
                if self.levels.len() >= DEEPEST as usize {
                    return Err(Malformed::TooDeep.into());
                }
                self.levels.push(level);
                if self.json.eat(level.end()) {
                    self.close(level)?;
                    return Ok(true);
                }
                if matches!(level, Level::Object(_)) {
                    self.name()?;
                }
                return Ok(false);
            }
            Some(b'"') => {
                self.json.eat(b'"');
                let text = self.json.text()?;
                write_text(&text, &mut self.written);
            }
            Some(b'-' | b'0'..=b'9') => {
                let length = self.json.number()?.length();
                self.copy(self.json.position() - length)?;
            }
            // Literals, and anything that is not a value.
            _ => {
                let start = self.json.position();
                self.json.skip(0)?;
                self.copy(start)?;
            }
        }
        Ok(true)
    }

    /// Copies the input since `start`.
    fn copy(&mut self, start: usize) -> Result<(), Unreadable> {
        let taken = self.text.get(start..self.json.position()).ok_or(Malformed::NotJson)?;
        self.written.extend_from_slice(taken.as_bytes());
        Ok(())
    }

    /// Writes a name and its colon.
    fn name(&mut self) -> Result<(), Unreadable> {
        if !self.json.eat(b'"') {
            return Err(Malformed::NotJson.into());
        }
        let name = self.json.text()?;
        if !self.json.eat(b':') {
            return Err(Malformed::NotJson.into());
        }
        write_text(&name, &mut self.written);
        self.written.push(b':');
        self.names.push(name);
        Ok(())
    }

    /// Writes the end of the innermost level.
    fn close(&mut self, level: Level) -> Result<(), Unreadable> {
        self.levels.pop();
        self.written.push(level.end());
        let Level::Object(first) = level else { return Ok(()) };
        // Sorted instead of hashed, so that a client cannot choose names that take quadratic time.
        let names = self.names.get_mut(first..).unwrap_or_default();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(Unreadable::BodyMalformed("a name twice in one object"));
        }
        self.names.truncate(first);
        Ok(())
    }
}

// === impl Level ===

impl Level {
    fn end(self) -> u8 {
        match self {
            Self::Array => b']',
            Self::Object(_) => b'}',
        }
    }
}

fn write_text(text: &str, written: &mut Vec<u8>) {
    written.push(b'"');
    for c in text.chars() {
        let (escape, byte) = match c {
            '"' => (true, b'"'),
            '\\' => (true, b'\\'),
            '\u{8}' => (true, b'b'),
            '\u{c}' => (true, b'f'),
            '\n' => (true, b'n'),
            '\r' => (true, b'r'),
            '\t' => (true, b't'),
            _ => match u8::try_from(c) {
                Ok(byte @ b' '..=b'~') if !b"&=;<>".contains(&byte) => (false, byte),
                _ => {
                    write_units(c, written);
                    continue;
                }
            },
        };
        if escape {
            written.push(b'\\');
        }
        written.push(byte);
    }
    written.push(b'"');
}

/// Writes `\uXXXX`, twice for a surrogate pair.
fn write_units(c: char, written: &mut Vec<u8>) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        written.extend_from_slice(b"\\u");
        for shift in [12, 8, 4, 0] {
            let digit = char::from_digit(u32::from(*unit >> shift & 15), 16);
            written.extend(digit.and_then(|digit| u8::try_from(digit).ok()));
        }
    }
}
