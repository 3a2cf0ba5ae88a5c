//! Paths that have one text once they are decoded.
//!
//! Nothing in them can be decoded again or be read as another character, so that all backends agree on the text. They differ only
//! in what they do with slashes, dots, `;x` and spaces (see `resolve`). Nearly every path with escapes is such a path.

use super::{
    buffer::buffer,
    decode::Decoded,
    fold::{fold_ascii, fold_characters},
    foreign::behind_host,
    letters::{is_look_alike, narrow},
    meter::{Exhausted, Meter},
    segments::has_structure,
    skeleton::Marks,
};
use crate::bytewise::count;

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

// === impl Single ===

impl Single {
    /// `None` if the path may have several texts. In front of a foreign backend that is also a path with other letters than those of
    /// ASCII, or with a segment that begins with a space: such a backend may read other letters, and skip the space.
    ///
    /// # Errors
    ///
    /// Returns an error if that takes more work than is left.
    pub(super) fn of(
        path: &str,
        decoded: &Decoded,
        foreign_backend: bool,
        meter: &mut Meter,
    ) -> Result<Option<Self>, Exhausted> {
        let is_read_again = decoded.deeper || decoded.slash || (decoded.structure && has_structure(path.as_bytes()));
        if is_read_again || !path.starts_with('/') {
            return Ok(None);
        }
        let bytes = &*decoded.text;
        meter.spend(160 + bytes.len() * 4)?;
        let marks = Marks::of_bytes(bytes);
        let is_ascii = bytes.is_ascii();
        if (Marks { query: false, ..marks }).several()
            || (foreign_backend && !(is_ascii && is_read_alike(bytes, marks)))
        {
            return Ok(None);
        }
        let mut text = buffer(bytes.len());
        if is_ascii {
            fold_ascii(bytes, &mut text);
        } else {
            meter.spend(150 + bytes.len() * 2 + count(bytes, |byte| !byte.is_ascii()) * 10)?;
            let Ok(utf8) = str::from_utf8(bytes) else { return Ok(None) };
            let may_be_ascii = may_be_ascii(bytes);
            if may_be_ascii {
                meter.spend(100 + bytes.len() * 10)?;
            }
            if may_be_ascii && utf8.chars().any(|c| is_look_alike(c) || narrow(c).is_some()) {
                return Ok(None);
            }
            fold_characters(utf8, &mut text, meter)?;
        }
        Ok(Some(Self { text, is_ascii, has_space: marks.space, has_query: marks.query }))
    }
}

/// Whether a character may be read as ASCII: few operations, true for each byte that begins such a character.
fn may_be_ascii(text: &[u8]) -> bool {
    text.iter().fold(false, |seen, &byte| seen | matches!(byte, 0xc5 | 0xe2 | 0xef))
}

/// Whether backends of other languages read the same text. They may skip a space at the beginning of a segment, and a host.
fn is_read_alike(text: &[u8], marks: Marks) -> bool {
    let skips_space = marks.space && text.windows(2).any(|pair| pair == b"/ ");
    !skips_space && behind_host(text).is_none()
}
