//! Texts in lower case, as the patterns of the table are.

use super::{
    letters::{Run, SLOW, fold_slowly, folds_to_one, push, runs},
    meter::{Exhausted, Meter},
};

/// Appends a text in lower case, as rules are (see `letters`).
pub(super) fn fold_text(
    text: &[u8],
    beyond_ascii: bool,
    out: &mut Vec<u8>,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    meter.spend(150 + text.len() * if beyond_ascii { 9 } else { 2 })?;
    if !beyond_ascii {
        fold_ascii(text, out);
    } else if let Ok(text) = str::from_utf8(text) {
        fold_characters(text, out, meter)?;
    } else {
        for chunk in text.utf8_chunks() {
            fold_characters(chunk.valid(), out, meter)?;
            replace(chunk.invalid(), out);
        }
    }
    Ok(())
}

pub(super) fn fold_characters(text: &str, out: &mut Vec<u8>, meter: &mut Meter) -> Result<(), Exhausted> {
    for run in runs(text) {
        match run {
            Run::Ascii(ascii) => {
                meter.spend(120 + ascii.len() * 2)?;
                fold_ascii(ascii.as_bytes(), out);
            }
            Run::Caseless(caseless) => {
                meter.spend(85 + caseless.len() * 3)?;
                out.extend_from_slice(caseless.as_bytes());
            }
            Run::Character(c) => {
                meter.spend(110)?;
                if let Some(c) = folds_to_one(c) {
                    push(c, out);
                } else {
                    meter.spend(SLOW)?;
                    fold_slowly(c).for_each(|c| push(c, out));
                }
            }
        }
    }
    Ok(())
}

/// Two steps that become vector instructions.
#[inline]
pub(super) fn fold_ascii(text: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(text);
    out.get_mut(start..).unwrap_or_default().make_ascii_lowercase();
}

/// Broken bytes become one character, as in [`String::from_utf8_lossy`].
pub(super) fn replace(broken: &[u8], out: &mut Vec<u8>) {
    if !broken.is_empty() {
        out.extend_from_slice("\u{fffd}".as_bytes());
    }
}
