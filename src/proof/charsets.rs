//! JSON that a reader of another charset splits differently.
//!
//! JSON is UTF-8, but some backends decode a body in the charset of their machine, as Java before 18 does with
//! `new String(bytes)` where that charset is GBK. In GBK, GB 18030, Big5 and Shift JIS the second byte of a character may be a
//! backslash. To such a reader the last byte of `中` (E4 B8 AD) and the backslash in `"中\""` are one character, so the text ends
//! at the next quotation mark. A reader that accepts names without quotation marks, and comments (fastjson, JSON5, YAML), then
//! finds the phone V in `{"token":"T","phone":"P","x":"中\",phone:V}//"}`. No other byte of JSON's structure is a second byte in
//! these charsets.
//!
//! So in front of a foreign backend an escaped quotation mark or backslash must not follow a character outside of ASCII
//! directly. A client can write `\u0022`, or escape the character; the canonical form has only ASCII.

use super::{plan::Plan, value::Unreadable};
use crate::{
    bytewise::{equal, find},
    foreign_backend::Suspicion,
};

const SPLIT: Unreadable = Unreadable::Suspicious(
    Suspicion::HiddenForm,
    "an escaped quotation mark or backslash directly after a character outside of ASCII, which readers of another charset split",
);

/// Refuses JSON in which a reader of another charset may read a backslash as a part of a character.
///
/// # Errors
///
/// The bytes contain such a backslash, and the plan's backend is suspected of reading it.
pub(crate) fn split_by_charset(plan: &Plan, json: &[u8]) -> Result<(), Unreadable> {
    if !plan.suspects(Suspicion::HiddenForm) || plan.names().is_empty() {
        return Ok(());
    }
    let (mut before, mut rest) = (b' ', json);
    while let Some(at) = find(rest, |word| equal(word, b'\\'), |byte| byte == b'\\') {
        let (text, escape) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        before = text.last().copied().unwrap_or(before);
        let escaped = escape.get(1);
        if !before.is_ascii() && matches!(escaped, Some(b'"' | b'\\')) {
            return Err(SPLIT);
        }
        before = escaped.copied().unwrap_or(before);
        rest = escape.get(2..).unwrap_or_default();
    }
    Ok(())
}
