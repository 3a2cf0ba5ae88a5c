//! One pass over a path that is not plain: its most decoded, most folded form, and what is odd about it.
//!
//! Every reading of a path comes from this form by cutting something off or leaving something undone, and what is left
//! undone is in no rule. So a path whose skeleton does not have a rule's word in it (see `words`) means no rule.

use super::{
    decode::{Decoded, decode},
    letters::{narrow, simplest},
    meter::{Exhausted, Meter},
};

/// The skeleton of a path.
pub(super) struct Skeleton {
    /// Decoded to the end, with a slash in front; nothing else is changed.
    pub(super) decoded: Vec<u8>,
    /// Lower case, in the simplest letters, backslashes turned; without control and invisible characters, and without spaces at
    /// the beginning of a segment. UTF-8.
    pub(super) text: Vec<u8>,
    /// The same of broken UTF-8 in which overlong characters (`%c0%af`) are taken for what they hide.
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
        let Decoded { text: decoded, structure, deeper, slash } = decode(path, meter)?;
        let mut marks = Marks { unrooted: !path.starts_with('/'), structure, deeper, slash, ..Marks::default() };
        let mut text = Vec::with_capacity(decoded.len());
        let mut revealed = None;
        meter.spend(150 + decoded.len() * 10)?;
        if decoded.is_ascii() {
            simplify_ascii(&decoded, &mut text, &mut marks, meter)?;
        } else {
            marks.beyond_ascii = true;
            simplify(&decoded, beyond_ascii, &mut text, &mut marks, meter)?;
            if marks.broken {
                meter.spend(200 + decoded.len() * 30)?;
                let bytes = reveal_overlong(&decoded);
                let mut text = Vec::with_capacity(bytes.len());
                simplify(&bytes, beyond_ascii, &mut text, &mut marks, meter)?;
                revealed = Some(text);
            }
        }
        Ok(Self { decoded, text, revealed, marks })
    }

    /// The skeleton's texts: one, or two.
    pub(super) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        [Some(&self.text), self.revealed.as_ref()].into_iter().flatten().map(Vec::as_slice)
    }
}

/// ASCII that was written in two, three or four bytes, as RFC 3629 forbids.
pub(super) fn reveal_overlong(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
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
    out
}

/// Broken bytes are dropped: a reading that replaces them has a character there that no rule has.
fn simplify(
    decoded: &[u8],
    beyond_ascii: bool,
    out: &mut Vec<u8>,
    marks: &mut Marks,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    for chunk in decoded.utf8_chunks() {
        meter.spend(70 + chunk.valid().len() * 4)?;
        let mut rest = chunk.valid();
        while let Some(at) = rest.bytes().position(|byte| !byte.is_ascii()) {
            meter.spend(60)?;
            let (ascii, others) = rest.split_at(at);
            simplify_ascii(ascii.as_bytes(), out, marks, meter)?;
            let end = others.bytes().position(|byte| byte.is_ascii()).unwrap_or(others.len());
            let (others, ascii) = others.split_at(end);
            for c in others.chars() {
                meter.spend(if simplest(c, beyond_ascii, out) { 500 } else { 70 })?;
                marks.look_alike |= matches!(c, '\u{17f}' | '\u{212a}');
                let wide = narrow(c).is_some();
                marks.wide |= wide;
                marks.others |= !wide;
            }
            rest = ascii;
        }
        simplify_ascii(rest.as_bytes(), out, marks, meter)?;
        marks.broken |= !chunk.invalid().is_empty();
    }
    Ok(())
}

fn simplify_ascii(text: &[u8], out: &mut Vec<u8>, marks: &mut Marks, meter: &mut Meter) -> Result<(), Exhausted> {
    let odd = |byte: u8| ODD.get(usize::from(byte)).copied().unwrap_or_default();
    let simple = |byte: &u8| SIMPLE.get(usize::from(*byte)).copied().unwrap_or_default();
    let mut seen = 0;
    let mut rest = text;
    loop {
        let end = rest.iter().position(|&byte| {
            seen |= odd(byte);
            odd(byte) & (CONTROL | SPACE) != 0
        });
        let (plain, special) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or_default();
        out.extend(plain.iter().map(simple));
        let Some((&special, after)) = special.split_first() else { break };
        meter.spend(90)?;
        if special == b' ' && out.last() != Some(&b'/') {
            out.push(special);
        }
        rest = after;
    }
    marks.backslash |= seen & BACKSLASH != 0;
    marks.query |= seen & QUERY != 0;
    marks.control |= seen & CONTROL != 0;
    marks.space |= seen & SPACE != 0;
    Ok(())
}

const BACKSLASH: u8 = 2;
const QUERY: u8 = 4;
const CONTROL: u8 = 8;
const SPACE: u8 = 16;

/// What is odd about each byte of ASCII.
static ODD: [u8; 256] = table(true);
/// What each byte of ASCII becomes.
static SIMPLE: [u8; 256] = table(false);

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated when it is compiled")]
const fn table(odd: bool) -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < table.len() {
        let byte = at as u8;
        let (simple, mark) = match byte {
            b'\\' => (b'/', BACKSLASH),
            b'?' | b'#' => (byte, QUERY),
            b' ' => (byte, SPACE),
            0..=0x1f | 0x7f => (byte, CONTROL),
            _ => (byte.to_ascii_lowercase(), 0),
        };
        table[at] = if odd { mark } else { simple };
        at += 1;
    }
    table
}
