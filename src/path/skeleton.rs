//! One pass over a path that is not plain: its most decoded, most folded form, and what is odd about it.
//!
//! Every reading of a path comes from this form by cutting something off or leaving something undone, and what is left
//! undone is in no rule. So a path whose skeleton does not have a rule's word in it (see `words`) means no rule.

use super::{
    buffer::buffer,
    decode::{Decoded, decode},
    letters::{Run, SLOW, is_look_alike, narrow, runs, simplest, simplest_caseless},
    meter::{Exhausted, Meter},
};
use crate::bytewise::{below, count_beyond_ascii, equal, find};

/// The skeleton of a path.
pub(super) struct Skeleton {
    /// Decoded to the end, with a slash in front; nothing else is changed.
    pub(super) decoded: Vec<u8>,
    /// Lower case, in the simplest letters, backslashes turned; without control and invisible characters, and without spaces at
    /// the beginning of a segment. UTF-8.
    pub(super) text: Vec<u8>,
    /// The same of broken UTF-8 in which overlong characters (`%c0%af`) are taken for what they hide, if there may be any.
    pub(super) revealed: Option<Vec<u8>>,
    pub(super) marks: Marks,
}

/// What is odd about a path. Each is true if some reading has it; for broken UTF-8 each may be true.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each found by another stage")]
pub(super) struct Marks {
    pub(super) unrooted: bool,
    /// A dot, a slash or a semicolon was escaped.
    pub(super) structure: bool,
    /// An escape was escaped, or written as IIS does.
    pub(super) deeper: bool,
    /// A slash was escaped.
    pub(super) slash: bool,
    pub(super) broken: bool,
    pub(super) beyond_ascii: bool,
    /// The long s or the Kelvin sign.
    pub(super) look_alike: bool,
    pub(super) wide: bool,
    /// A character beyond ASCII that is not full-width.
    pub(super) others: bool,
    pub(super) backslash: bool,
    /// A `?` or `#`.
    pub(super) query: bool,
    pub(super) control: bool,
    pub(super) space: bool,
}

// === impl Marks ===

impl Marks {
    /// Whether the skeleton is itself a reading: the canonical one.
    pub(super) fn skeleton_is_canonical(self) -> bool {
        !(self.several() || self.space || self.others)
    }

    /// Whether anything may become a dot, a slash or a semicolon.
    pub(super) fn becomes_structure(self) -> bool {
        self.structure || self.backslash || self.wide || self.broken
    }

    /// Whether something in the path ends it once it is written into another request.
    pub(super) fn ends_early(self) -> bool {
        self.query || self.control || self.space || self.broken
    }

    /// Whether the path can be read in several ways, so that a hit is a refusal.
    pub(super) fn several(self) -> bool {
        let bytes = self.broken || self.look_alike || self.backslash || self.query || self.control;
        bytes || self.unrooted || self.deeper || self.slash
    }
}

// === impl Skeleton ===

impl Skeleton {
    /// `beyond_ascii`: whether letters beyond ASCII count, or only what they look like in ASCII.
    ///
    /// # Errors
    ///
    /// Returns an error if that takes more work than is left.
    pub(super) fn of(path: &str, beyond_ascii: bool, meter: &mut Meter) -> Result<Self, Exhausted> {
        Self::of_decoded(path, decode(path, meter)?, beyond_ascii, meter)
    }

    /// The same of a path that is decoded already.
    pub(super) fn of_decoded(
        path: &str,
        Decoded { text: decoded, structure, deeper, slash }: Decoded,
        beyond_ascii: bool,
        meter: &mut Meter,
    ) -> Result<Self, Exhausted> {
        let mut marks = Marks { unrooted: !path.starts_with('/'), structure, deeper, slash, ..Marks::default() };
        let mut text = buffer(decoded.len());
        let mut revealed = None;
        meter.spend(250 + decoded.len() * 5)?;
        if decoded.is_ascii() {
            simplify_ascii(&decoded, &mut text, &mut marks, meter)?;
        } else {
            marks.beyond_ascii = true;
            meter.spend_for_utf8(&decoded)?;
            simplify(&decoded, beyond_ascii, &mut text, &mut marks, meter)?;
            if marks.broken && may_be_overlong(&decoded) {
                meter.spend(700 + decoded.len() * 32)?;
                if let Some(bytes) = reveal_overlong(&decoded) {
                    let mut text = buffer(bytes.len());
                    simplify(&bytes, beyond_ascii, &mut text, &mut marks, meter)?;
                    revealed = Some(text);
                }
            }
        }
        Ok(Self { decoded, text, revealed, marks })
    }

    /// The skeleton's texts: one, or two.
    pub(super) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        [Some(&self.text), self.revealed.as_ref()].into_iter().flatten().map(Vec::as_slice)
    }
}

/// ASCII that was written in two, three or four bytes, as RFC 3629 forbids; `None` if there is nothing like it.
pub(super) fn reveal_overlong(text: &[u8]) -> Option<Vec<u8>> {
    if !may_be_overlong(text) {
        return None;
    }
    let mut out = buffer(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let (ascii, length) = match *rest {
            [lead @ 0xc0..=0xc1, last, ..] => (lead << 6 | last & 0x3f, 2),
            [0xe0, lead @ 0x80..=0x81, last, ..] => (lead << 6 | last & 0x3f, 3),
            [0xf0, 0x80, lead @ 0x80..=0x81, last, ..] => (lead << 6 | last & 0x3f, 4),
            _ => (first, 1),
        };
        out.push(ascii);
        rest = if length == 1 { tail } else { rest.get(length..).unwrap_or_default() };
    }
    Some(out)
}

/// Whether a byte begins what may be ASCII in two, three or four bytes. Without a branch, so that it becomes vector instructions.
fn may_be_overlong(text: &[u8]) -> bool {
    text.iter().fold(false, |seen, byte| seen | matches!(byte, 0xc0 | 0xc1 | 0xe0 | 0xf0))
}

/// Broken bytes are dropped: a reading that replaces them has a character there that no rule has.
fn simplify(
    decoded: &[u8],
    beyond_ascii: bool,
    out: &mut Vec<u8>,
    marks: &mut Marks,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    if let Ok(text) = str::from_utf8(decoded) {
        return simplify_characters(text, beyond_ascii, out, marks, meter);
    }
    marks.broken = true;
    meter.spend(200 + decoded.len() * 7 + count_beyond_ascii(decoded) * 40)?;
    let valid = decoded.utf8_chunks().map(|chunk| chunk.valid()).filter(|valid| !valid.is_empty());
    for text in valid {
        simplify_characters(text, beyond_ascii, out, marks, meter)?;
    }
    Ok(())
}

fn simplify_characters(
    text: &str,
    beyond_ascii: bool,
    out: &mut Vec<u8>,
    marks: &mut Marks,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    for run in runs(text) {
        match run {
            Run::Ascii(ascii) => {
                meter.spend(160 + ascii.len() * 4)?;
                simplify_ascii(ascii.as_bytes(), out, marks, meter)?;
            }
            Run::Caseless(caseless) => {
                meter.spend(90 + caseless.len() * 3)?;
                simplest_caseless(caseless, beyond_ascii, out);
                marks.others = true;
            }
            Run::Character(c) => {
                let wide = narrow(c).is_some();
                meter.spend(if wide { 180 } else { 210 })?;
                if simplest(c, beyond_ascii, out) {
                    meter.spend(SLOW)?;
                }
                marks.look_alike |= is_look_alike(c);
                marks.wide |= wide;
                marks.others |= !wide;
            }
        }
    }
    Ok(())
}

fn simplify_ascii(text: &[u8], out: &mut Vec<u8>, marks: &mut Marks, meter: &mut Meter) -> Result<(), Exhausted> {
    let seen = text.iter().fold(0, |seen, &byte| seen | odd(byte));
    marks.see(seen);
    if seen & (SPACE | CONTROL) == 0 {
        simplify_visible(text, out);
        return Ok(());
    }
    meter.spend(text.len() * 3)?;
    let is_invisible = |byte| matches!(byte, 0..=b' ' | 0x7f);
    let mut rest = text;
    while !rest.is_empty() {
        meter.spend(140)?;
        let end = find(rest, |word| below(word, b' ' + 1) | equal(word, 0x7f), is_invisible).unwrap_or(rest.len());
        let (visible, others) = rest.split_at_checked(end).unwrap_or_default();
        simplify_visible(visible, out);
        let Some((&byte, after)) = others.split_first() else { break };
        if byte == b' ' && out.last() != Some(&b'/') {
            out.push(byte);
        }
        rest = after;
    }
    Ok(())
}

/// Two steps that become vector instructions.
#[inline]
fn simplify_visible(text: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(text);
    let simplify = |byte: &mut u8| *byte = if *byte == b'\\' { b'/' } else { byte.to_ascii_lowercase() };
    out.get_mut(start..).unwrap_or_default().iter_mut().for_each(simplify);
}

impl Marks {
    /// The marks that single bytes make.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        let seen = bytes.iter().fold(0, |seen, &byte| seen | odd(byte));
        let mut marks = Self::default();
        marks.see(seen);
        marks
    }

    fn see(&mut self, seen: u8) {
        self.backslash |= seen & BACKSLASH != 0;
        self.query |= seen & QUERY != 0;
        self.control |= seen & CONTROL != 0;
        self.space |= seen & SPACE != 0;
    }
}

/// What is odd about a byte.
#[inline]
fn odd(byte: u8) -> u8 {
    ODD.get(usize::from(byte)).copied().unwrap_or(0)
}

static ODD: [u8; 256] = odd_bytes();

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated when it is compiled")]
const fn odd_bytes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < table.len() {
        table[at] = match at as u8 {
            b'\\' => BACKSLASH,
            b'?' | b'#' => QUERY,
            b' ' => SPACE,
            0..=0x1f | 0x7f => CONTROL,
            _ => 0,
        };
        at += 1;
    }
    table
}

const BACKSLASH: u8 = 2;
const QUERY: u8 = 4;
const CONTROL: u8 = 8;
const SPACE: u8 = 16;
