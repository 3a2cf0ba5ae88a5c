//! The last stage of the readings: what backends do with `;x`, doubled slashes, dot segments and a trailing slash.
//!
//! Parameters may be cut in every segment, kept, or end the path; slashes may be collapsed and dots resolved, or not.

use super::{
    meter::{Exhausted, Meter},
    segments::before,
    skeleton::Marks,
};

/// Reads the segments of texts in all ways.
pub(super) struct Resolve<'m> {
    pub(super) meter: &'m mut Meter,
    /// What a look-up costs, in addition to the cost of each byte.
    pub(super) look_up: usize,
    /// Whether what is left after dots are resolved may end early.
    ends_early: bool,
    buffer: Vec<u8>,
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
}

// === impl Resolve ===

impl<'m> Resolve<'m> {
    pub(super) fn new(length: usize, look_up: usize, meter: &'m mut Meter) -> Self {
        Self { meter, look_up, ends_early: false, buffer: Vec::with_capacity(length + 8) }
    }

    /// A decoded `?`, `#`, space or control character ends the path once it is written into another request, also after dots were
    /// resolved: `/%3f/../login%3f` is then `/login`.
    pub(super) fn ending_early(mut self, marks: Marks) -> Self {
        self.ends_early = marks.query || marks.control || marks.space || marks.broken;
        self
    }

    /// Lets `visit` see every reading of a text's segments until it returns false. Returns whether it never did.
    ///
    /// # Errors
    ///
    /// Returns an error if that takes more work than is left.
    pub(super) fn each(&mut self, text: &[u8], mut visit: impl FnMut(&[u8]) -> bool) -> Result<bool, Exhausted> {
        self.meter.spend(100 + text.len() * 2)?;
        let Some(end) = text.iter().position(|&byte| byte == b';') else {
            return self.each_kept(text, false, &mut visit);
        };
        Ok(self.each_kept(text, true, &mut visit)?
            && self.each_kept(text, false, &mut visit)?
            && self.each_kept(text.get(..end).unwrap_or_default(), false, &mut visit)?)
    }

    /// The same of those readings in which parameters are cut.
    pub(super) fn each_cut(&mut self, text: &[u8], mut visit: impl FnMut(&[u8]) -> bool) -> Result<bool, Exhausted> {
        self.each_kept(text, true, &mut visit)
    }

    fn each_kept(&mut self, text: &[u8], cut: bool, visit: &mut impl FnMut(&[u8]) -> bool) -> Result<bool, Exhausted> {
        // The canonical way first.
        let mut go_on = true;
        let seen = self.one(text, Way { cut, collapse: true, resolve: true }, &mut go_on, visit)?;
        if seen.dots && go_on {
            self.one(text, Way { cut, collapse: true, resolve: false }, &mut go_on, visit)?;
        }
        if seen.doubled && go_on {
            self.one(text, Way { cut, collapse: false, resolve: true }, &mut go_on, visit)?;
        }
        if seen.doubled && seen.dots && go_on {
            // One backend resolves dots, and the next one collapses slashes.
            let resolved = std::mem::take(&mut self.buffer);
            self.one(&resolved, Way { cut: false, collapse: true, resolve: false }, &mut go_on, visit)?;
            if go_on {
                self.one(text, Way { cut, collapse: false, resolve: false }, &mut go_on, visit)?;
            }
        }
        if seen.dots && go_on && !cut && text.contains(&b';') {
            // One backend resolves dots, and the next one cuts parameters.
            self.meter.spend(500 + text.len() * 20)?;
            let mut resolved = Vec::with_capacity(text.len());
            write(text, Way { cut, collapse: false, resolve: true }, &mut resolved);
            if let Some(end) = resolved.iter().position(|&byte| byte == b';') {
                let end = resolved.get(..end).unwrap_or_default();
                go_on = self.each_kept(&resolved, true, visit)? && self.each_kept(end, false, visit)?;
            }
        }
        Ok(go_on)
    }

    fn one(
        &mut self,
        text: &[u8],
        way: Way,
        go_on: &mut bool,
        visit: &mut impl FnMut(&[u8]) -> bool,
    ) -> Result<Seen, Exhausted> {
        self.meter.spend(130 + self.look_up + text.len() * 14)?;
        self.buffer.clear();
        let seen = write(text, way, &mut self.buffer);
        // A trailing slash does not count; of several, left as they are, the last may be a segment's content.
        let stripped = self.buffer.strip_suffix(b"/").filter(|rest| !rest.is_empty());
        *go_on = visit(stripped.unwrap_or(&self.buffer))
            && (!stripped.is_some_and(|rest| rest.ends_with(b"/")) || visit(&self.buffer));
        if self.ends_early && seen.dots && way.resolve && *go_on {
            self.meter.spend(ENDS.len() * (60 + self.look_up + text.len() * 2))?;
            for end in ENDS {
                let cut = before(&self.buffer, end);
                let stripped = cut.strip_suffix(b"/").filter(|rest| !rest.is_empty());
                *go_on = *go_on && (cut.len() == self.buffer.len() || visit(stripped.unwrap_or(cut)));
            }
        }
        Ok(seen)
    }
}

/// What may end a path early.
const ENDS: [fn(u8) -> bool; 4] =
    [|byte| matches!(byte, b'?' | b'#'), |byte| byte.is_ascii_control(), |byte| byte == 0, |byte| byte == b' '];

/// Appends a text, read in one way. `..` at the root stays at the root.
pub(super) fn write(text: &[u8], way: Way, out: &mut Vec<u8>) -> Seen {
    let mut seen = Seen::default();
    let mut skipping = false;
    let root = out.len();
    // Where the segment begins.
    let mut start = root + 1;
    out.push(b'/');
    for &byte in text.strip_prefix(b"/").unwrap_or(text) {
        if byte == b'/' {
            seen.doubled |= start == out.len();
            if !(way.collapse && start == out.len()) {
                end_segment(way, root, start, &mut seen, out);
                out.push(b'/');
                start = out.len();
            }
            skipping = false;
        } else if way.cut && byte == b';' {
            skipping = true;
        } else if !skipping {
            out.push(byte);
        }
    }
    end_segment(way, root, start, &mut seen, out);
    if out.len() == root {
        out.push(b'/');
    }
    seen
}

#[inline]
fn end_segment(way: Way, root: usize, start: usize, seen: &mut Seen, out: &mut Vec<u8>) {
    if out.len() - start > 2 {
        return;
    }
    let parent = match out.get(start..).unwrap_or_default() {
        b"." => false,
        b".." => true,
        _ => return,
    };
    seen.dots = true;
    if way.resolve {
        out.truncate(start - 1);
        if parent {
            let written = out.get(root..).unwrap_or_default();
            out.truncate(root + written.iter().rposition(|&byte| byte == b'/').unwrap_or(0));
        }
    }
}
