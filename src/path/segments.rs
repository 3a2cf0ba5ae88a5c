//! Slashes, dots and `;x`: what a path is made of once it is decoded.
//!
//! Every function takes a text that begins with a slash and returns one that does, in time linear in its length.

/// Whether a segment is `.` or `..`.
pub(super) fn has_dots(text: &[u8]) -> bool {
    text.split(|&byte| byte == b'/').any(|segment| matches!(segment, b"." | b".."))
}

/// Whether two slashes stand side by side.
pub(super) fn has_doubled_slash(text: &[u8]) -> bool {
    text.windows(2).any(|pair| pair == b"//")
}

/// Resolves `.` and `..`; above the root is the root. Empty segments count as segments.
pub(super) fn resolve_dots(text: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    for segment in segments(text) {
        match segment {
            b"." => {}
            b".." => out.truncate(out.iter().rposition(|&byte| byte == b'/').unwrap_or(0)),
            _ => push_segment(&mut out, segment),
        }
    }
    rooted(out)
}

/// Makes one slash of any number.
pub(super) fn collapse_slashes(text: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    for &byte in text {
        if byte != b'/' || out.last() != Some(&b'/') {
            out.push(byte);
        }
    }
    out
}

/// Cuts the parameters (`;x=1`) off every segment.
pub(super) fn cut_parameters(text: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    for segment in segments(text) {
        push_segment(&mut out, segment.split(|&byte| byte == b';').next().unwrap_or_default());
    }
    rooted(out)
}

/// What stands before the first byte that `end` says ends the path.
pub(super) fn before(text: &[u8], end: impl Fn(u8) -> bool) -> &[u8] {
    text.split(|&byte| end(byte)).next().unwrap_or_default()
}

fn segments(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.strip_prefix(b"/").unwrap_or(text).split(|&byte| byte == b'/')
}

fn push_segment(out: &mut Vec<u8>, segment: &[u8]) {
    out.push(b'/');
    out.extend_from_slice(segment);
}

fn rooted(mut out: Vec<u8>) -> Vec<u8> {
    if out.is_empty() {
        out.push(b'/');
    }
    out
}
