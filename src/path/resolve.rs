//! The last stage of the readings: what backends do with `;x`, doubled slashes, dot segments and a trailing slash.
//!
//! Parameters may be cut in every segment, kept, or end the path; slashes may be collapsed and dots resolved, or not.

use super::{
    buffer::buffer,
    meter::{Exhausted, Meter},
    segments::{before, begins_query, may_resolve, resolves},
};
use crate::bytewise::{count, equal, find, positions};

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
        self.meter.spend(100 + text.len() * 2)?;
        let Some(end) = positions(text, b';').next() else {
            return self.each_kept(text, &mut visit);
        };
        Ok(self.each_way(text, true, &mut visit)?
            && self.each_kept(text, &mut visit)?
            && self.each_kept(text.get(..end).unwrap_or_default(), &mut visit)?)
    }

    /// The same of those readings in which parameters are cut.
    pub(super) fn each_cut(&mut self, text: &[u8], mut visit: impl FnMut(&[u8]) -> bool) -> Result<bool, Exhausted> {
        self.meter.spend(50 + text.len() * 3)?;
        if may_resolve(text) { self.each_way(text, true, &mut visit) } else { self.alone(text, &mut visit) }
    }

    /// Those in which parameters are kept.
    fn each_kept(&mut self, text: &[u8], visit: &mut impl FnMut(&[u8]) -> bool) -> Result<bool, Exhausted> {
        self.meter.spend(60 + text.len() * 5)?;
        if resolves(text) { self.each_way(text, false, visit) } else { self.alone(text, visit) }
    }

    /// A text that is the same in each way.
    fn alone(&mut self, text: &[u8], visit: &mut impl FnMut(&[u8]) -> bool) -> Result<bool, Exhausted> {
        self.meter.spend(130 + self.look_up.of(text))?;
        Ok(visit(without_slash(text)))
    }

    #[inline(never)]
    fn each_way(&mut self, text: &[u8], cut: bool, visit: &mut impl FnMut(&[u8]) -> bool) -> Result<bool, Exhausted> {
        let segments = 1 + count(text, b'/');
        // The canonical way first.
        let mut go_on = true;
        let seen = self.one(text, segments, Way { cut, collapse: true, resolve: true }, &mut go_on, visit)?;
        if seen.dots && seen.doubled && go_on {
            self.one(text, segments, Way { cut, collapse: true, resolve: false }, &mut go_on, visit)?;
            if go_on {
                self.one(text, segments, Way { cut, collapse: false, resolve: true }, &mut go_on, visit)?;
            }
            if go_on {
                // One backend resolves dots, and the next one collapses slashes.
                let resolved = std::mem::take(&mut self.buffer);
                self.one(&resolved, segments, Way { cut: false, collapse: true, resolve: false }, &mut go_on, visit)?;
            }
        }
        if (seen.dots || seen.doubled) && go_on {
            // All is left as it is: the text itself, unless it lacks a slash in front (behind a host, where a backslash is one).
            if seen.parameters || !text.starts_with(b"/") {
                self.one(text, segments, Way { cut, collapse: false, resolve: false }, &mut go_on, visit)?;
            } else {
                self.meter.spend(50 + self.look_up.of(text))?;
                go_on = visit_stripped(text, visit);
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
        let segment = if way.cut { 130 } else { 100 };
        self.meter.spend(260 + self.look_up.of(text) + text.len() * 3 + segments * segment)?;
        if self.buffer.capacity() == 0 {
            self.buffer = buffer(self.length + 8);
        }
        self.buffer.clear();
        let seen = write(text, way, &mut self.buffer);
        *go_on = visit_stripped(&self.buffer, visit);
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

/// Visits a text without its trailing slash. Of several trailing slashes the last may be a segment's content.
fn visit_stripped(text: &[u8], visit: &mut impl FnMut(&[u8]) -> bool) -> bool {
    let stripped = without_slash(text);
    visit(stripped) && (stripped.len() == text.len() || !stripped.ends_with(b"/") || visit(text))
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
    let text = text.strip_prefix(b"/").unwrap_or(text);
    let mut slashes = positions(text, b'/');
    let mut rest = Some(0);
    while let Some(start) = rest {
        let slash = slashes.next();
        rest = slash.map(|slash| slash + 1);
        let segment = text.get(start..slash.unwrap_or(text.len())).unwrap_or_default();
        let (segment, is_cut) = if way.cut { without_parameters(segment) } else { (segment, false) };
        seen.parameters |= is_cut;
        let parent = match segment {
            b"" if slash.is_some() => {
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

/// A segment without its parameters, and whether it has any.
#[inline]
fn without_parameters(segment: &[u8]) -> (&[u8], bool) {
    let end = find(segment, |word| equal(word, b';'), |byte| byte == b';');
    (end.and_then(|end| segment.get(..end)).unwrap_or(segment), end.is_some())
}
