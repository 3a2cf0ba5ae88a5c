//! Encodes forms again, pair by pair.

use super::super::{form, value::Unreadable};

const BAD: Unreadable = Unreadable::BodyMalformed("a form that cannot be decoded");

/// Writes the pairs in their order, each with an `=`; empty pairs, which every reader ignores, are removed.
///
/// A key without `=` gets one: some readers read it as an empty value, Rack as null, and Python's `parse_qs` ignores it;
/// with `=` they agree more.
pub(super) fn write(body: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let mut written = Vec::with_capacity(body.len() + 16);
    let mut scratch = Vec::new();
    for pair in form::pairs(body) {
        let (key, value) = pair.ok_or(BAD)?;
        if !written.is_empty() {
            written.push(b'&');
        }
        encode(form::decode(key, &mut scratch).ok_or(BAD)?, &mut written);
        written.push(b'=');
        encode(form::decode(value, &mut scratch).ok_or(BAD)?, &mut written);
    }
    Ok(written)
}

/// The encoder of the URL Standard (*application/x-www-form-urlencoded percent-encode set*).
fn encode(text: &str, written: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => written.push(byte),
            b' ' => written.push(b'+'),
            _ => written.extend([b'%', hex(byte >> 4), hex(byte & 15)]),
        }
    }
}

fn hex(digit: u8) -> u8 {
    if digit < 10 { b'0' + digit } else { b'A' - 10 + digit }
}
