//! Paths that have one text once they are decoded.
//!
//! Nothing in them can be decoded again or be read as another character, so that all backends agree on the text. They differ only
//! in what they do with slashes, dots, `;x` and spaces (see `resolve`). Nearly every path with escapes is such a path.

use super::{
    buffer::buffer,
    decode::Decoded,
    fold::{fold_ascii, fold_characters},
    foreign::behind_host,
    letters::narrow,
    meter::{Exhausted, Meter},
    segments::has_structure,
    skeleton::Marks,
};

/// A path once it is decoded.
pub(super) enum DecodedPath {
    /// It has one text.
    Single(Single),
    /// It may have several. In front of a foreign backend that is also a path with other letters than those of ASCII, or with a
    /// segment that begins with a space: such a backend may read other letters, and skip the space.
    Several(Decoded),
}

/// A path with one text.
pub(super) struct Single {
    /// Decoded and folded.
    pub(super) text: Vec<u8>,
    pub(super) is_ascii: bool,
    /// There is a space, which ends the path once it is written into another request line.
    pub(super) has_space: bool,
    /// There is a `?` or `#`, which does so too.
    pub(super) has_query: bool,
}

// === impl DecodedPath ===

impl DecodedPath {
    /// # Errors
    ///
    /// Returns an error if that takes more work than is left.
    pub(super) fn of(
        path: &str,
        mut decoded: Decoded,
        foreign_backend: bool,
        meter: &mut Meter,
    ) -> Result<Self, Exhausted> {
        if decoded.structure {
            meter.spend(50 + path.len() * 4)?;
        }
        let is_read_again = decoded.deeper || decoded.slash || (decoded.structure && has_structure(path.as_bytes()));
        if is_read_again || !path.starts_with('/') {
            return Ok(Self::Several(decoded));
        }
        let bytes = &*decoded.text;
        meter.spend(160 + bytes.len() * 4)?;
        let marks = Marks::of_bytes(bytes);
        let is_ascii = bytes.is_ascii();
        if (Marks { query: false, ..marks }).several()
            || (foreign_backend && !(is_ascii && is_read_alike(bytes, marks)))
        {
            return Ok(Self::Several(decoded));
        }
        let text = if is_ascii {
            decoded.text.make_ascii_lowercase();
            decoded.text
        } else {
            if bytes.iter().fold(false, |seen, &byte| seen | may_be_ascii(byte)) {
                meter.spend(60 + bytes.len() * 10)?;
                if is_read_as_ascii(bytes) {
                    return Ok(Self::Several(decoded));
                }
            }
            meter.spend_for_utf8(bytes)?;
            let Ok(utf8) = str::from_utf8(bytes) else { return Ok(Self::Several(decoded)) };
            let mut text = buffer(bytes.len());
            fold_characters(utf8, &mut text, meter)?;
            text
        };
        Ok(Self::Single(Single { text, is_ascii, has_space: marks.space, has_query: marks.query }))
    }
}

// === impl Single ===

impl Single {
    /// A path in which nothing is decoded, and which has no `;`, `?`, `#`, backslash, space or control character.
    pub(super) fn of_ascii(path: &str) -> Self {
        let mut text = buffer(path.len());
        fold_ascii(path.as_bytes(), &mut text);
        Self { text, is_ascii: true, has_space: false, has_query: false }
    }
}

/// Whether a character that begins with this byte may be read as ASCII.
#[inline]
fn may_be_ascii(byte: u8) -> bool {
    matches!(byte, 0xc5 | 0xe2 | 0xef)
}

/// Whether UTF-8 has a character beyond ASCII that may be read as ASCII (see `is_look_alike` and `narrow`). Looks at bytes, because that
/// is several times as fast as to decode the text.
fn is_read_as_ascii(text: &[u8]) -> bool {
    let firsts = text.iter().enumerate().filter(|(_, byte)| may_be_ascii(**byte));
    firsts.filter_map(|(at, _)| text.get(at..)).any(|character| match *character {
        [0xc5, 0xbf, ..] | [0xe2, 0x84, 0xaa, ..] => true,
        [0xef, middle @ 0xbc..=0xbd, last, ..] => {
            let code = 0xf000 | u32::from(middle & 0x3f) << 6 | u32::from(last & 0x3f);
            char::from_u32(code).and_then(narrow).is_some()
        }
        _ => false,
    })
}

/// Whether backends of other languages read the same text. They may skip a space at the beginning of a segment, and a host.
fn is_read_alike(text: &[u8], marks: Marks) -> bool {
    let skips_space = marks.space && text.windows(2).any(|pair| pair == b"/ ");
    !skips_space && behind_host(text).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::letters::is_look_alike;

    #[test]
    fn what_is_read_as_ascii_is_found_among_bytes_as_among_characters() {
        for c in '\u{80}'..=char::MAX {
            let expected = is_look_alike(c) || narrow(c).is_some();
            for text in [format!("/{c}"), format!("/x{c}y")] {
                assert_eq!(is_read_as_ascii(text.as_bytes()), expected, "{text}");
            }
            assert!(!expected || c.to_string().bytes().any(may_be_ascii), "{c}");
        }
    }
}
