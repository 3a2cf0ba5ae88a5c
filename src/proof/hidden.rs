//! A form inside of a body that is not a form.
//!
//! Some backends parse any body as a form, whatever its type says: PHP's `parse_str(file_get_contents('php://input'))`, a
//! `new URLSearchParams(await request.text())`, and readers that compare a prefix of the type. To them
//! `{"token":"T","phone":"P","y":"&phone=V&z="}` holds the phone V. So before a foreign backend no bytes are handed on in
//! which a form reader finds a guarded name.
//!
//! What a form reader takes for a name begins at the beginning, or after `&` or `;`, and ends at `=`, `&`, `;` or the end. It
//! is decoded here as the most lenient readers do, and compared as every other key is (`fold`). A JSON writer that has an
//! ampersand to write may write `\u0026`.

use super::{
    fold::{Found, Keys, before_rest},
    plan::Plan,
    value::Unreadable,
};
use crate::{
    bytewise::{equal, find},
    foreign_backend::Suspicion,
};

const HIDDEN: Unreadable =
    Unreadable::Suspicious(Suspicion::HiddenForm, "a guarded name after `&` or `;` in a body that is not a form");

/// Refuses bytes in which a form reader finds a guarded name: to be called with each text that a backend may get of a body
/// that is not a form, as it is handed on and, if it is coded, decoded.
///
/// # Errors
///
/// There is such a name, and the plan's backend is suspected of reading it.
pub(crate) fn hidden_form(plan: &Plan, bytes: &[u8]) -> Result<(), Unreadable> {
    if !plan.suspects(Suspicion::HiddenForm) || plan.names().is_empty() {
        return Ok(());
    }
    let mut scratch = Vec::new();
    // `new URLSearchParams(text)` leaves a question mark out, and some readers more of them; a byte order mark is white space to
    // the comparison.
    let question_marks = bytes.iter().take_while(|byte| **byte == b'?').count();
    let mut rest = bytes.get(question_marks..).unwrap_or_default();
    loop {
        // Most bytes begin no name.
        if may_begin(plan, rest) {
            let end = rest.iter().position(|byte| matches!(byte, b'=' | b'&' | b';')).unwrap_or(rest.len());
            let key = rest.get(..end).unwrap_or_default();
            if is_guarded(plan, key, &mut scratch) {
                return Err(HIDDEN);
            }
            rest = rest.get(end..).unwrap_or_default();
        }
        let Some(at) = separator(rest) else { return Ok(()) };
        rest = rest.get(at + 1..).unwrap_or_default();
    }
}

/// Whether a key may be a guarded name, by its first byte. A key of several segments begins with any name.
#[inline]
fn may_begin(plan: &Plan, text: &[u8]) -> bool {
    match text.first() {
        None | Some(b'=' | b'&' | b';') => false,
        Some(b'%' | b'+') => true,
        Some(first) => plan.names().may_begin(text) || plan.elsewhere() != 0 && is_of_keys(*first),
    }
}

fn is_guarded(plan: &Plan, key: &[u8], scratch: &mut Vec<u8>) -> bool {
    // Neither coded, nor of several segments, nor with the first letter of a name.
    let is_plain = !key.iter().any(|byte| matches!(byte, b'%' | b'+' | b'.' | b'[' | b':' | b'('));
    if is_plain && !plan.names().may_begin(key) {
        return false;
    }
    let key = decode(key, scratch);
    // `mail; phone: 12","x":"` and `{"note":"call me (phone` are no paths of segments to any reader, but PHP takes everything
    // behind a bracket.
    let is_path = key.bytes().all(is_of_keys);
    let keys = if is_path || key.contains(['[', ']']) { Keys::Form } else { Keys::Json };
    let path = if is_path { Some(key) } else { before_rest(key).filter(|key| key.bytes().all(is_of_keys)) };
    plan.names().find(key, keys) != Found::Nothing || path.is_some_and(|path| plan.is_phone_elsewhere(path))
}

/// Whether a byte may be part of a key that names a property by a path of segments.
#[inline]
fn is_of_keys(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" !\"'()*-.:@[]_~$/".contains(&byte) || !byte.is_ascii()
}

/// Decodes as the most lenient readers do: what cannot be decoded stays, `%uXXXX` is a UTF-16 unit (ASP.NET's `UrlDecode`),
/// and bytes that are not UTF-8 are left out.
fn decode<'s>(key: &[u8], scratch: &'s mut Vec<u8>) -> &'s str {
    scratch.clear();
    let mut rest = key;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => scratch.push(b' '),
            b'%' => match escape(after) {
                Some((character, after)) => {
                    scratch.extend_from_slice(&character);
                    rest = after;
                }
                None => scratch.push(b'%'),
            },
            plain => scratch.push(*plain),
        }
    }
    if std::str::from_utf8(scratch).is_err() {
        *scratch = scratch.utf8_chunks().flat_map(|chunk| chunk.valid().bytes()).collect();
    }
    std::str::from_utf8(scratch).unwrap_or_default()
}

/// What an escape means, after its `%`, and the rest.
fn escape(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let number = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u16::from_str_radix(digits, 16).ok()
    };
    if let [b'u' | b'U', rest @ ..] = text {
        let (digits, rest) = rest.split_at_checked(4)?;
        // Half a surrogate pair is in no name.
        let character = char::from_u32(number(digits)?.into()).unwrap_or(char::REPLACEMENT_CHARACTER);
        return Some((character.to_string().into_bytes(), rest));
    }
    let (digits, rest) = text.split_at_checked(2)?;
    Some((vec![u8::try_from(number(digits)?).ok()?], rest))
}

/// Where the first `&` or `;` is.
#[inline]
fn separator(bytes: &[u8]) -> Option<usize> {
    find(bytes, |word| equal(word, b'&') | equal(word, b';'), |byte| matches!(byte, b'&' | b';'))
}
