//! The last stage of the readings: what backends do with `;x`, doubled slashes, dot segments and a trailing slash.
//!
//! Parameters may be cut in every segment, kept, or end the path; slashes may be collapsed and dots resolved, or not.

use super::{
    buffer::buffer,
    meter::{Exhausted, Meter},
    segments::{before, begins_query, may_resolve, resolves},
};
use crate::bytewise::{count, equal, find};

/// Reads the segments of texts in all ways.
pub(super) struct Resolve<'m> {
    pub(super) meter: &'m mut Meter,
    look_up: LookUp,
    /// Whether what is left after dots are resolved may end early.
    ends_early: bool,
    /// Bytes of the path, for the buffer.
    length: usize,
    /// Allocated for the first text that has something to read.
    buffer: Vec<u8>,
}

/// What it takes to look a text up.
#[derive(Clone, Copy)]
pub(super) struct LookUp {
    pub(super) base: usize,
    pub(super) byte: usize,
}

/// A way to read segments.
#[derive(Clone, Copy)]
pub(super) struct Way {
    pub(super) cut: bool,
    pub(super) collapse: bool,
    pub(super) resolve: bool,
}

/// What there was to collapse or to resolve.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    pub(super) doubled: bool,
    pub(super) dots: bool,
    /// Parameters were cut.
    pub(super) parameters: bool,
}

// === impl LookUp ===

impl LookUp {
    pub(super) fn of(self, text: &[u8]) -> usize {
        self.base + self.byte * text.len()
    }
}

// === impl Resolve ===

impl<'m> Resolve<'m> {
    /// `ends_early`: a decoded `?`, `#`, space or control character ends the path once it is written into another request, also
    /// after dots were resolved or parameters were cut: `/%3f/../login%3f` and `/;%3f/login%3f` are then `/login`.
    pub(super) fn new(length: usize, look_up: LookUp, ends_early: bool, meter: &'m mut Meter) -> Self {
        Self { meter, look_up, ends_early, length, buffer: Vec::new() }
    }

    /// Lets `visit` see every reading of a text's segments until it returns false. Returns whether it never did.
    ///
    /// # Errors
    ///
    /// Returns an error if that takes more work than is left.
    pub(super) fn each(&mut self, text: &[u8], mut visit: impl FnMut(&[u8]) -> bool) -> Result<bool, Exhausted> {
        if !may_resolve(text) {
            return self.alone(text, &mut visit);
        }
        self.meter.spend(210 + text.len() * 6)?;
        let Some(end) = text.iter().position(|&byte| byte == b';') else {
            return self.each_kept(text, &mut visit);
        };
        Ok(self.each_way(text, true, &mut visit)?
            && self.each_kept(text, &mut visit)?
            && self.each_kept(text.get(..end).unwrap_or_default(), &mut visit)?)
    }

    /// The same of those readings in which parameters are cut.
    pub(super) fn each_cut(&mut self, text: &[u8], mut visit: impl FnMut(&[u8]) -> bool) -> Result<bool, Exhausted> {
        if may_resolve(text) { self.each_way(text, true, &mut visit) } else { self.alone(text, &mut visit) }
    }

    /// Those in which parameters are kept.
    fn each_kept(&mut self, text: &[u8], visit: &mut impl FnMut(&[u8]) -> bool) -> Result<bool, Exhausted> {
        self.meter.spend(50 + text.len() * 10)?;
        if resolves(text) { self.each_way(text, false, visit) } else { self.alone(text, visit) }
    }

    /// A text that is the same in each way.
    fn alone(&mut self, text: &[u8], visit: &mut impl FnMut(&[u8]) -> bool) -> Result<bool, Exhausted> {
        self.meter.spend(80 + self.look_up.of(text))?;
        Ok(visit(without_slash(text)))
    }

    #[inline(never)]
    fn each_way(&mut self, text: &[u8], cut: bool, visit: &mut impl FnMut(&[u8]) -> bool) -> Result<bool, Exhausted> {
        let segments = 1 + count(text, |byte| byte == b'/');
        // The canonical way first.
        let mut go_on = true;
        let seen = self.one(text, segments, Way { cut, collapse: true, resolve: true }, &mut go_on, visit)?;
        if seen.dots && go_on {
            self.one(text, segments, Way { cut, collapse: true, resolve: false }, &mut go_on, visit)?;
        }
        if seen.doubled && go_on {
            self.one(text, segments, Way { cut, collapse: false, resolve: true }, &mut go_on, visit)?;
        }
        if seen.doubled && seen.dots && go_on {
            // One backend resolves dots, and the next one collapses slashes.
            let resolved = std::mem::take(&mut self.buffer);
            self.one(&resolved, segments, Way { cut: false, collapse: true, resolve: false }, &mut go_on, visit)?;
            if go_on {
                self.one(text, segments, Way { cut, collapse: false, resolve: false }, &mut go_on, visit)?;
            }
        }
        if seen.dots && go_on && !cut && text.contains(&b';') {
            // One backend resolves dots, and the next one cuts parameters.
            self.meter.spend(900 + text.len() * 25)?;
            let mut resolved = buffer(text.len());
            write(text, Way { cut, collapse: false, resolve: true }, &mut resolved);
            if let Some(end) = resolved.iter().position(|&byte| byte == b';') {
                let end = resolved.get(..end).unwrap_or_default();
                go_on = self.each_way(&resolved, true, visit)? && self.each_kept(end, visit)?;
            }
        }
        Ok(go_on)
    }

    fn one(
        &mut self,
        text: &[u8],
        segments: usize,
        way: Way,
        go_on: &mut bool,
        visit: &mut impl FnMut(&[u8]) -> bool,
    ) -> Result<Seen, Exhausted> {
        self.meter.spend(150 + self.look_up.of(text) + text.len() * 3 + segments * 125)?;
        if self.buffer.capacity() == 0 {
            self.buffer = buffer(self.length + 8);
        }
        self.buffer.clear();
        let seen = write(text, way, &mut self.buffer);
        let stripped = without_slash(&self.buffer);
        // Of several trailing slashes, left as they are, the last may be a segment's content.
        *go_on = visit(stripped)
            && (stripped.len() == self.buffer.len() || !stripped.ends_with(b"/") || visit(&self.buffer));
        // What ended the path may be gone with a segment or a parameter before it.
        if self.ends_early && ((seen.dots && way.resolve) || seen.parameters) && *go_on {
            self.meter.spend(ENDS.len() * (60 + self.look_up.of(text)))?;
            for end in ENDS {
                let cut = before(&self.buffer, end);
                *go_on = *go_on && (cut.len() == self.buffer.len() || visit(without_slash(cut)));
            }
        }
        Ok(seen)
    }
}

/// A trailing slash does not count.
fn without_slash(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"/").filter(|rest| !rest.is_empty()).unwrap_or(text)
}

/// What may end a path early.
const ENDS: [fn(u8) -> bool; 4] = [begins_query, |byte| byte.is_ascii_control(), |byte| byte == 0, |byte| byte == b' '];

/// Appends a text, read in one way. `..` at the root stays at the root.
pub(super) fn write(text: &[u8], way: Way, out: &mut Vec<u8>) -> Seen {
    let mut seen = Seen::default();
    let root = out.len();
    let mut rest = Some(text.strip_prefix(b"/").unwrap_or(text));
    while let Some(text) = rest {
        let (segment, after) = cut(text, b'/');
        let (segment, parameter) = if way.cut { cut(segment, b';') } else { (segment, None) };
        seen.parameters |= parameter.is_some();
        rest = after;
        let parent = match segment {
            b"" if after.is_some() => {
                seen.doubled = true;
                if !way.collapse {
                    out.push(b'/');
                }
                continue;
            }
            b"." => false,
            b".." => true,
            _ => {
                out.push(b'/');
                out.extend_from_slice(segment);
                continue;
            }
        };
        seen.dots = true;
        if !way.resolve {
            out.push(b'/');
            out.extend_from_slice(segment);
        } else if parent {
            let written = out.get(root..).unwrap_or_default();
            out.truncate(root + written.iter().rposition(|&byte| byte == b'/').unwrap_or(0));
        }
    }
    if out.len() == root {
        out.push(b'/');
    }
    seen
}

/// The text before a byte, and the text after it.
#[inline]
fn cut(text: &[u8], byte: u8) -> (&[u8], Option<&[u8]>) {
    match find(text, |word| equal(word, byte), |one| one == byte) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    }
}
