//! Finds a form inside a body that is not a form.
//!
//! Some backends parse every body as a form, regardless of its type: PHP's `parse_str(file_get_contents('php://input'))`, a
//! `new URLSearchParams(await request.text())`, and readers that compare a prefix of the type. To them
//! `{"token":"T","phone":"P","y":"&phone=V&z="}` holds the phone V. So in front of a foreign backend, bytes in which a form
//! reader finds a guarded name are refused.
//!
//! A form reader's name starts at the beginning, or after `&` or `;`, and ends at `=`, `&`, `;` or the end. It is decoded
//! here like the most lenient readers do, and compared like every other key (`fold`). A JSON client can write an ampersand
//! as `\u0026`.

use super::{
    fold::{Found, Keys, before_rest, separates_segments},
    plan::Plan,
    value::Unreadable,
};
use crate::{
    bytewise::{equal, find},
    foreign_backend::Suspicion,
};

const HIDDEN: Unreadable =
    Unreadable::Suspicious(Suspicion::HiddenForm, "a guarded name after `&` or `;` in a body that is not a form");

/// Refuses bytes in which a form reader finds a guarded name. Call it with each version of a body that a backend may read:
/// as it is passed on and, if it is coded, decoded.
///
/// # Errors
///
/// The bytes contain such a name, and the plan's backend is suspected of reading it.
pub(crate) fn hidden_form(plan: &Plan, bytes: &[u8]) -> Result<(), Unreadable> {
    if !plan.suspects(Suspicion::HiddenForm) || plan.names().is_empty() {
        return Ok(());
    }
    let mut scratch = Vec::new();
    // `new URLSearchParams(text)` removes one question mark, and some readers remove more; the comparison treats a byte
    // order mark as white space.
    let question_marks = bytes.iter().take_while(|byte| **byte == b'?').count();
    let mut rest = bytes.get(question_marks..).unwrap_or_default();
    loop {
        // Most bytes do not begin a name.
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
    // Not coded, without several segments, and without the first letter of a name.
    let is_plain = !key.iter().any(|&byte| matches!(byte, b'%' | b'+') || separates_segments(byte));
    if is_plain && !plan.names().may_begin(key) {
        return false;
    }
    let key = decode(key, scratch);
    // `mail; phone: 12","x":"` and `{"note":"call me (phone` are not paths of segments for any reader, but PHP accepts
    // everything after a bracket.
    let is_path = key.bytes().all(is_of_keys);
    let keys = if is_path || key.contains(['[', ']']) { Keys::Form } else { Keys::Json };
    let path = if is_path { Some(key) } else { before_rest(key).filter(|key| key.bytes().all(is_of_keys)) };
    plan.names().find(key, keys) != Found::Nothing || path.is_some_and(|path| plan.is_phone_elsewhere(path))
}

/// Whether a byte may occur in a key that is a path of segments.
#[inline]
fn is_of_keys(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" !\"'()*-.:@[]_~$/".contains(&byte) || !byte.is_ascii()
}

/// Decodes like the most lenient readers: undecodable escapes stay, `%uXXXX` is a UTF-16 unit (ASP.NET's `UrlDecode`),
/// and bytes that are not UTF-8 are removed.
pub(super) fn decode<'s>(key: &[u8], scratch: &'s mut Vec<u8>) -> &'s str {
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

/// Decodes an escape after its `%`. Returns also the rest.
fn escape(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let number = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u16::from_str_radix(digits, 16).ok()
    };
    if let [b'u' | b'U', rest @ ..] = text {
        let (digits, rest) = rest.split_at_checked(4)?;
        // No name contains half a surrogate pair.
        let character = char::from_u32(number(digits)?.into()).unwrap_or(char::REPLACEMENT_CHARACTER);
        return Some((character.to_string().into_bytes(), rest));
    }
    let (digits, rest) = text.split_at_checked(2)?;
    Some((vec![u8::try_from(number(digits)?).ok()?], rest))
}

/// The position of the first `&` or `;`.
#[inline]
fn separator(bytes: &[u8]) -> Option<usize> {
    find(bytes, |word| equal(word, b'&') | equal(word, b';'), |byte| matches!(byte, b'&' | b';'))
}
