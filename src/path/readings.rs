//! All readings of a path that is not plain.
//!
//! Each stage decides for every text whether backends may read it differently, and then replaces the text by its alternatives. For
//! most paths one or two stages do so. For a path that was made to confuse many do; then the [`Meter`] runs out, and the path
//! counts as ambiguous.
//!
//! The texts of a stage are in one buffer. A stage is left out if the path has nothing for it. The last stage reads segments: it
//! writes no texts, and each reading is looked up at once (see `resolve`).

use super::{
    buffer::buffer,
    decode::{Escapes, fully, octet, once},
    fold::{fold_text, replace},
    foreign::behind_host,
    letters::{narrow, push},
    meter::{Exhausted, Meter},
    resolve::{Way, write},
    segments::{before, begins_query, has_dots, has_doubled_slash, has_structure, resolve_dots},
    skeleton::{Marks, Skeleton, reveal_overlong},
};
use crate::bytewise::count_beyond_ascii;

/// A path with more texts than this was made to confuse.
const TEXTS: usize = 32;

/// Decoded and folded texts, one after the other in a buffer. Their segments are not yet resolved.
#[derive(Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    ends: [usize; TEXTS],
    count: usize,
    /// Its bytes are not valid UTF-8, so a backend may read it in an unknown encoding.
    pub(super) foreign: bool,
}

/// Appends the alternatives of a text and returns true; or false, if it has none.
type Stage = fn(&[u8], &mut Texts) -> bool;

/// Returns the texts of a path as it was received. If the path does not begin with a slash, one of them does. `None` if the
/// skeleton is the only text. `foreign_backend`: also those of backends of other languages.
pub(super) fn texts(
    path: &str,
    skeleton: &Skeleton,
    foreign_backend: bool,
    meter: &mut Meter,
) -> Result<Option<Texts>, Exhausted> {
    let marks = skeleton.marks;
    let before_decoding_differs = marks.becomes_structure() && has_structure(path.as_bytes());
    let decodes = marks.deeper || marks.slash || before_decoding_differs;
    if !(decodes || marks.beyond_ascii || marks.backslash || marks.query || marks.control || marks.space) {
        return Ok(None);
    }
    meter.spend(1_400 + path.len() * 4)?;
    let mut work = Work { texts: Texts::new(path.len()), next: Texts::default(), meter };
    if !(decodes || marks.broken || marks.wide) {
        work.texts.write(|out| fold_text(&skeleton.decoded, marks.beyond_ascii, out, work.meter))?;
        work.stages_of_bytes(marks, foreign_backend)?;
        return Ok(Some(work.texts));
    }
    if decodes && !(marks.deeper || before_decoding_differs) {
        // Only slashes were escaped, which stay so, or not.
        work.meter.spend(300 + path.len() * 14)?;
        work.texts.add(&skeleton.decoded);
        work.texts.write(|out| {
            if marks.unrooted {
                out.push(b'/');
            }
            once(path.as_bytes(), Escapes { slash: false, iis: false }, out);
        });
    } else if decodes {
        if marks.unrooted {
            work.texts.bytes.push(b'/');
        }
        work.texts.add(path.as_bytes());
        if before_decoding_differs {
            work.stage(56, before_decoding)?;
        }
        work.decode(marks)?;
    } else {
        work.texts.add(&skeleton.decoded);
    }
    if marks.broken {
        let bytes = count_beyond_ascii(&work.texts.bytes);
        work.meter.spend(1_500 + bytes * 200)?;
    }
    let foreign = (marks.broken || (marks.deeper && marks.beyond_ascii)) && work.stage(30, broken_utf8)?;
    if marks.wide {
        work.stage(60, full_width)?;
    }
    work.fold(marks)?;
    // What may be there; of broken UTF-8, what is.
    work.stages_of_bytes(if marks.broken { Marks::of_bytes(&work.texts.bytes) } else { marks }, foreign_backend)?;
    work.texts.foreign = foreign;
    Ok(Some(work.texts))
}

/// The texts between two stages.
struct Work<'m> {
    texts: Texts,
    /// Where the next stage writes; empty between stages.
    next: Texts,
    meter: &'m mut Meter,
}

// === impl Work ===

impl Work<'_> {
    /// Runs a stage that costs so many instructions a byte. Returns whether a text had alternatives.
    fn stage(&mut self, cost: usize, stage: Stage) -> Result<bool, Exhausted> {
        let mut affected = false;
        self.make_room();
        for text in self.texts.iter() {
            self.meter.spend(350 + text.len() * (cost + cost / 2) + self.next.count * 30)?;
            if stage(text, &mut self.next) {
                affected = true;
            } else {
                self.next.add(text);
            }
        }
        self.swap()?;
        Ok(affected)
    }

    /// Decodes once, as the standard says, and in other ways if more can be decoded or a slash was encoded.
    fn decode(&mut self, marks: Marks) -> Result<(), Exhausted> {
        self.make_room();
        for text in self.texts.iter() {
            self.meter.spend(200 + text.len() * 20)?;
            if !text.contains(&b'%') {
                self.next.add(text);
                continue;
            }
            for slash in [true, false] {
                if slash || marks.slash {
                    if marks.deeper {
                        self.meter.spend(1_400 + text.len() * 140)?;
                        decode_deeper(text, slash, &mut self.next);
                    }
                    self.next.write(|out| once(text, Escapes { slash, iis: false }, out));
                }
            }
        }
        self.swap()
    }

    fn fold(&mut self, marks: Marks) -> Result<(), Exhausted> {
        if !marks.beyond_ascii {
            self.meter.spend(200 + self.texts.bytes.len() * 2)?;
            self.texts.bytes.make_ascii_lowercase();
            return Ok(());
        }
        self.make_room();
        for text in self.texts.iter() {
            self.next.write(|out| fold_text(text, !text.is_ascii(), out, self.meter))?;
        }
        self.swap()
    }

    /// The stages for single bytes of ASCII.
    fn stages_of_bytes(&mut self, marks: Marks, foreign_backend: bool) -> Result<(), Exhausted> {
        for (has, cost, stage) in [
            (marks.backslash, 6, backslash as Stage),
            (marks.query, 4, query),
            (marks.control, 12, control),
            (marks.space, 4, space),
            (foreign_backend, 4, without_host),
        ] {
            if has {
                self.stage(cost, stage)?;
            }
        }
        Ok(())
    }

    /// Most paths have one text from the beginning to the end.
    fn make_room(&mut self) {
        if self.next.bytes.capacity() == 0 {
            self.next.bytes = buffer(self.texts.bytes.capacity());
        }
    }

    fn swap(&mut self) -> Result<(), Exhausted> {
        std::mem::swap(&mut self.texts, &mut self.next);
        self.next.bytes.clear();
        self.next.count = 0;
        if self.texts.are_full() { Err(Exhausted) } else { Ok(()) }
    }
}

// === impl Texts ===

impl Texts {
    /// Room for a few texts of this length.
    pub(super) fn new(length: usize) -> Self {
        Self { bytes: buffer(4 * length + 64), ends: [0; TEXTS], count: 0, foreign: false }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).take(self.count).filter_map(|(start, &end)| self.bytes.get(start..end))
    }

    /// Whether there are more texts than a path has that was not made to confuse.
    pub(super) fn are_full(&self) -> bool {
        self.count == TEXTS
    }

    pub(super) fn add(&mut self, text: &[u8]) {
        self.write(|out| out.extend_from_slice(text));
    }

    /// Makes a text of what is written, unless it is there already or there are too many.
    fn write<R>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let written = write(&mut self.bytes);
        let start = self.count.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or(0);
        let text = self.bytes.get(start..).unwrap_or_default();
        if self.iter().any(|earlier| earlier == text) {
            self.bytes.truncate(start);
        } else if let Some(end) = self.ends.get_mut(self.count) {
            *end = self.bytes.len();
            self.count += 1;
        }
        written
    }
}

// === stages ===

/// A backend may first cut parameters and resolve dots in the path as it was received, and then decode the rest, or convert other
/// characters to slashes and dots.
fn before_decoding(text: &[u8], out: &mut Texts) -> bool {
    let (dots, parameters) = (has_dots(text), text.contains(&b';'));
    if !(dots || parameters) {
        return false;
    }
    out.add(text);
    let way = |cut, collapse, resolve| Way { cut, collapse, resolve };
    if parameters {
        if has_later_structure(text) {
            out.write(|out| _ = write(text, way(true, false, false), out));
        }
        out.write(|out| _ = write(text, way(true, false, true), out));
    }
    if dots {
        out.write(|out| _ = write(text, way(false, false, true), out));
        if has_doubled_slash(text) {
            out.write(|out| _ = write(text, way(false, true, true), out));
        }
    }
    true
}

/// Whether anything may become a `;` or a slash, so that it matters whether parameters are cut before or after: an escape, a
/// backslash, or what is beyond ASCII.
fn has_later_structure(text: &[u8]) -> bool {
    let becomes_one = |byte| matches!(byte, b';' | b'/' | b'\\' | b'%' | 0x80..);
    text.iter().any(|&byte| matches!(byte, b'\\' | 0x80..))
        || text.windows(3).any(|escape| match *escape {
            [b'%', high, low] => octet(high, low).is_none_or(becomes_one),
            _ => false,
        })
}

/// Twice, thrice and to the end, with the escapes of IIS, and dots resolved in between.
fn decode_deeper(text: &[u8], slash: bool, out: &mut Texts) {
    let escapes = Escapes { slash, iis: true };
    let decoded = |text: &[u8], escapes| {
        let mut decoded = buffer(text.len());
        once(text, escapes, &mut decoded);
        decoded
    };
    let first = decoded(text, Escapes { slash, iis: false });
    let second = decoded(&first, escapes);
    if has_dots(&first) {
        let mut resolved = buffer(first.len());
        resolve_dots(&first, &mut resolved);
        out.write(|out| once(&resolved, escapes, out));
    }
    out.write(|out| once(text, escapes, out));
    out.write(|out| once(&second, escapes, out));
    out.add(&second);
    out.write(|out| fully(text, escapes, out));
}

/// Broken bytes may be replaced, dropped, or (in an overlong form, `%c0%af`) read as the character that they encode.
fn broken_utf8(text: &[u8], out: &mut Texts) -> bool {
    if str::from_utf8(text).is_ok() {
        return false;
    }
    let revealed = reveal_overlong(text);
    for text in [Some(text), revealed.as_deref()].into_iter().flatten() {
        out.write(|out| {
            for chunk in text.utf8_chunks() {
                out.extend_from_slice(chunk.valid().as_bytes());
                replace(chunk.invalid(), out);
            }
        });
        out.write(|out| text.utf8_chunks().for_each(|chunk| out.extend_from_slice(chunk.valid().as_bytes())));
    }
    true
}

/// Full-width letters, digits, slashes and dots, which a conversion to a narrower encoding makes ASCII.
fn full_width(text: &[u8], out: &mut Texts) -> bool {
    let Ok(wide) = str::from_utf8(text) else { return false };
    if !wide.chars().any(|c| narrow(c).is_some()) {
        return false;
    }
    out.write(|out| wide.chars().for_each(|c| push(narrow(c).unwrap_or(c), out)));
    out.add(text);
    true
}

fn backslash(text: &[u8], out: &mut Texts) -> bool {
    if !text.contains(&b'\\') {
        return false;
    }
    out.write(|out| out.extend(text.iter().map(|&byte| if byte == b'\\' { b'/' } else { byte })));
    out.add(text);
    true
}

/// A decoded `?` or `#` may end the path once it is written into another request.
fn query(text: &[u8], out: &mut Texts) -> bool {
    let cut = before(text, begins_query);
    if cut.len() == text.len() {
        return false;
    }
    out.add(cut);
    out.add(text);
    true
}

/// Control characters may be kept, dropped, or end the path: NUL in C, a line break in HTTP.
fn control(text: &[u8], out: &mut Texts) -> bool {
    let cut = before(text, |byte| byte.is_ascii_control());
    if cut.len() == text.len() {
        return false;
    }
    let without = |text: &[u8], out: &mut Vec<u8>| out.extend(text.iter().filter(|byte| !byte.is_ascii_control()));
    out.add(cut);
    out.write(|out| without(text, out));
    out.add(text);
    let c_string = before(text, |byte| byte == 0);
    if c_string.len() < text.len() && c_string.len() > cut.len() {
        out.write(|out| without(c_string, out));
        out.add(c_string);
    }
    true
}

/// A path that begins with two slashes once it is decoded is a URL without a scheme to some backends.
fn without_host(text: &[u8], out: &mut Texts) -> bool {
    let Some(rest) = behind_host(text) else { return false };
    out.add(text);
    out.add(rest);
    true
}

/// A decoded space ends the path once it is written into another request line.
fn space(text: &[u8], out: &mut Texts) -> bool {
    let cut = before(text, |byte| byte == b' ');
    if cut.len() == text.len() {
        return false;
    }
    out.add(text);
    out.add(cut);
    true
}
