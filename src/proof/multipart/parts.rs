//! The one form of a multipart body that every reader parses alike.
//!
//! An empty preamble, one line break before the first boundary (RFC 2046, 5.1.1), is written by some clients; every reader
//! of the differential test ignores it.
//!
//! The following are refused, because readers are known to differ: any other preamble and an epilogue; the boundary
//! anywhere except on a separate line between CR LF, also inside a part (PHP ends a part at LF and a prefix, Go at the
//! exact line); white space after it; a single line feed or carriage return, or a folded line, in a part's head; two
//! `Content-Disposition`s, or one inside another header, where readers that search the head (Rack) find it; a `Content-ID`,
//! which Rack reads as the name if there is no white space before `name=`; parameters that are repeated, in pieces
//! (`name*0`), encoded (`name*`, `=?utf-8?…`: commons-fileupload decodes both) or with a backslash, which some readers
//! treat as an escape and others, for old browsers, as a literal; values in apostrophes, or values that contain what looks
//! like a parameter; parts within parts.

use super::super::parameters::{is_token, is_utf8, parameter, trim};
use crate::headers::aliases;

const DISPOSITION: &str = "content-disposition";

/// A raw part.
#[derive(Debug)]
pub(super) struct Part<'b> {
    pub(super) name: &'b str,
    is_file: bool,
    content_type: Option<&'b str>,
    transfer_encoding: Option<&'b str>,
    pub(super) data: &'b [u8],
}

/// The maximum number of parts. Each costs a reader the parsing of a head and some memory, and a login has few.
pub(super) const MOST: usize = 1000;

/// All parts, in order, at most one more than [`MOST`]. `None` if the body is in any other form.
pub(super) fn split<'b>(body: &'b [u8], boundary: &str) -> Option<Vec<Part<'b>>> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let body = body.strip_prefix(b"\r\n").unwrap_or(body);
    let mut rest = body.strip_prefix(delimiter.as_bytes())?;
    loop {
        if let Some(end) = rest.strip_prefix(b"--") {
            return matches!(end, b"" | b"\r\n").then_some(parts);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        // The first text that looks like a delimiter must be one.
        let (part, after) = rest.split_at_checked(find(rest, delimiter.as_bytes())?)?;
        parts.push(Part::read(part.strip_suffix(b"\r\n")?)?);
        if parts.len() > MOST {
            return Some(parts);
        }
        rest = after.get(delimiter.len()..)?;
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

// === impl Part ===

impl<'b> Part<'b> {
    /// Reads a part, the text between two delimiters.
    fn read(part: &'b [u8]) -> Option<Self> {
        let (head, data) = part.split_at_checked(find(part, b"\r\n\r\n")?)?;
        let data = data.get(4..)?;
        let head = std::str::from_utf8(head).ok()?;
        let (mut disposition, mut content_type, mut transfer_encoding) = (None, None, None);
        for line in head.split("\r\n") {
            let (name, value) = line.split_once(':')?;
            if !is_token(name) || value.contains(|c: char| c.is_control() && c != '\t') {
                return None;
            }
            let folded = line.to_ascii_lowercase();
            if folded.contains("content-id:") || !name.eq_ignore_ascii_case(DISPOSITION) && folded.contains(DISPOSITION)
            {
                return None;
            }
            let known = [
                (DISPOSITION, &mut disposition),
                ("content-type", &mut content_type),
                ("content-transfer-encoding", &mut transfer_encoding),
            ];
            for (header, place) in known {
                if aliases(name, header) && (!name.eq_ignore_ascii_case(header) || place.replace(trim(value)).is_some())
                {
                    return None;
                }
            }
        }
        let (name, is_file) = names(disposition?)?;
        let kind = content_type.and_then(|all| all.split('/').next()).unwrap_or_default();
        (!trim(kind).eq_ignore_ascii_case("multipart")).then_some(Self {
            name,
            is_file,
            content_type,
            transfer_encoding,
            data,
        })
    }

    /// Whether the data is a plain value that is the same in UTF-8.
    pub(super) fn is_plain_text(&self) -> bool {
        let is_identity =
            |coding: &str| ["7bit", "8bit", "binary"].iter().any(|known| coding.eq_ignore_ascii_case(known));
        !self.is_file
            && self.transfer_encoding.is_none_or(is_identity)
            && self.content_type.is_none_or(|content_type| is_plain_utf8(content_type, self.data))
    }
}

/// The name in a `Content-Disposition`, and whether it also has a file name.
fn names(disposition: &str) -> Option<(&str, bool)> {
    let (kind, mut rest) = disposition.split_at_checked("form-data".len())?;
    if !kind.eq_ignore_ascii_case("form-data") {
        return None;
    }
    let (mut name, mut file_name, mut extended) = (None, None, None);
    while !rest.is_empty() {
        let (key, value) = trim(trim(rest).strip_prefix(';')?).split_once('=')?;
        let (value, after) = if let Some(quoted) = value.strip_prefix('"') {
            quoted.split_once('"')?
        } else {
            let plain = value.split_at(value.find([';', ' ', '\t']).unwrap_or(value.len()));
            // PHP treats an apostrophe as a quotation mark, and reads to the next.
            let apostrophes = if key.ends_with('*') { 2 } else { 0 };
            Some(plain).filter(|(value, _)| is_token(value) && value.matches('\'').count() == apostrophes)?
        };
        rest = after;
        // Old readers, including Rack's, search for `name=` and ignore quotation marks.
        if value.contains('\\') || value.contains('=') && value.to_ascii_lowercase().contains("name") {
            return None;
        }
        let place = match &*key.to_ascii_lowercase() {
            "name" => &mut name,
            "filename" => &mut file_name,
            "filename*" => &mut extended,
            _ => return None,
        };
        if place.replace(value).is_some() {
            return None;
        }
    }
    let name = name.filter(|name| !name.contains("=?"))?;
    Some((name, file_name.is_some() || extended.is_some()))
}

/// Whether the type is `text/plain`, and the data is the same text in its charset and in UTF-8. Apache's `HttpClient` writes
/// `charset=ISO-8859-1` for each text unless the application names another: for ASCII, both decode to the same text.
fn is_plain_utf8(content_type: &str, data: &[u8]) -> bool {
    let is_same_text = |charset: &str| {
        let is_ascii_compatible = ["us-ascii", "iso-8859-1"].iter().any(|known| charset.eq_ignore_ascii_case(known));
        is_utf8(charset) || is_ascii_compatible && data.is_ascii()
    };
    let mut pieces = content_type.split(';');
    let essence = pieces.next().unwrap_or_default();
    trim(essence).eq_ignore_ascii_case("text/plain")
        && pieces.all(|piece| {
            parameter(piece).is_some_and(|(name, value)| name.eq_ignore_ascii_case("charset") && is_same_text(value))
        })
}
