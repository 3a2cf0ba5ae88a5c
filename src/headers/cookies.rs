//! Removes single cookies from a request.
//!
//! PHP's `$_REQUEST` merges cookies with the query and the body, unless php.ini disables it. So a cookie with the name of a
//! phone field is removed in front of such a backend. All known separators end a cookie: `;` (all),
//! `,` (RFC 2965, Tomcat's `LegacyCookieProcessor`), white space (Python's `SimpleCookie`).

use std::ops::Range;

use http::{HeaderMap, HeaderValue, header::COOKIE};

use super::folding::rebuild;

/// Removes the cookies for whose name, not decoded, `is_removed` returns true. Every other byte of the header stays.
pub(crate) fn remove_cookies(headers: &mut HeaderMap, is_removed: impl Fn(&[u8]) -> bool) {
    let has_one = |value: &HeaderValue| removed_in(value.as_bytes(), &is_removed).next().is_some();
    if !headers.get_all(COOKIE).iter().any(has_one) {
        return;
    }
    rebuild(headers, |name, value| if name == COOKIE { without(value, &is_removed) } else { Some(value) });
}

/// The value without such cookies; `None` if nothing is left.
fn without(value: HeaderValue, is_removed: &impl Fn(&[u8]) -> bool) -> Option<HeaderValue> {
    let text = value.as_bytes();
    let mut kept: Vec<u8> = Vec::with_capacity(text.len());
    let mut from = 0;
    let mut removed = false;
    for range in removed_in(text, is_removed) {
        removed = true;
        kept.extend(text.get(from..range.start).unwrap_or_default());
        from = range.end;
    }
    if !removed {
        return Some(value);
    }
    kept.extend(text.get(from..).unwrap_or_default());
    let mut kept = kept.trim_ascii();
    if from == text.len() {
        // Removes the separator before the last cookie, too.
        kept = kept.strip_suffix(b";").unwrap_or(kept).trim_ascii();
    }
    let mut left = HeaderValue::from_bytes(kept).ok().filter(|left| !left.is_empty())?;
    left.set_sensitive(value.is_sensitive());
    Some(left)
}

/// The ranges of such cookies, each with the separator after it.
fn removed_in<'v>(text: &'v [u8], is_removed: &'v impl Fn(&[u8]) -> bool) -> impl Iterator<Item = Range<usize>> + 'v {
    let mut at = 0;
    // Whether a cookie begins here by the rules that all readers follow.
    let mut is_first = true;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
            let blank = rest.iter().take_while(|byte| is_end(**byte)).count();
            if blank > 0 {
                is_first |= rest.iter().take(blank).any(|byte| *byte == b';');
                at += blank;
                continue;
            }
            let piece = rest.split(|byte| is_end(*byte)).next().unwrap_or_default();
            let start = at;
            let begins = std::mem::replace(&mut is_first, false);
            // Inside a value, a piece is a cookie (for a reader that ends cookies elsewhere) only if it has its own value.
            let is_cookie = begins || has_value(piece, rest);
            if !is_cookie || !is_removed(name_of(piece)) {
                at += piece.len();
                continue;
            }
            // To the end by the rules that all readers follow, or only to the end by another reader's rules.
            let end = if begins { whole(rest) } else { piece.len() };
            at += end;
            let after = text.get(at..).unwrap_or_default();
            if begins && after.first() == Some(&b';') {
                let blank = after.iter().skip(1).take_while(|byte| byte.is_ascii_whitespace()).count();
                at += 1 + blank;
                is_first = true;
            }
            return Some(start..at);
        }
    })
}

/// The length of a cookie up to its `;`, which may also be inside its quotes.
fn whole(text: &[u8]) -> usize {
    let end = |text: &[u8]| text.iter().position(|byte| *byte == b';').unwrap_or(text.len());
    let first = end(text);
    let Some(equals) = text.iter().take(first).position(|byte| *byte == b'=') else { return first };
    let value = text.get(equals + 1..).unwrap_or_default();
    let open = value.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let quoted = value.get(open..).and_then(|value| value.strip_prefix(b"\""));
    match quoted.and_then(|quoted| quoted.iter().position(|byte| *byte == b'"')) {
        Some(close) => {
            let behind = equals + 1 + open + 1 + close + 1;
            behind + text.get(behind..).map_or(0, end)
        }
        None => first,
    }
}

/// Whether there is an equals sign in a piece or, after white space, behind it.
fn has_value(piece: &[u8], rest: &[u8]) -> bool {
    let after = rest.get(piece.len()..).unwrap_or_default();
    piece.contains(&b'=') || after.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'=')
}

fn is_end(byte: u8) -> bool {
    matches!(byte, b';' | b',' | b' ' | b'\t')
}

/// The name, not decoded.
fn name_of(piece: &[u8]) -> &[u8] {
    // A cookie without a name, as sent by browsers: for some readers the rest is its name.
    let piece = piece.iter().position(|byte| *byte != b'=').and_then(|at| piece.get(at..)).unwrap_or_default();
    piece.split(|byte| *byte == b'=').next().unwrap_or_default()
}
