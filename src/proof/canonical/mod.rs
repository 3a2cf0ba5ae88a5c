//! The canonical form of a body: one body, one meaning.
//!
//! The layer uses a body's `Content-Type`; many backends do not. Go's `json.NewDecoder`, PHP's `php://input` and Django's
//! `json.loads(request.body)` parse JSON regardless of the header, and a form reader that ignores the type
//! (`parse_str(file_get_contents('php://input'))`, `new URLSearchParams(await text())`) finds pairs in a JSON string. The
//! canonical form has one meaning for all of them:
//!
//! - JSON contains no raw `&`, `=`, `;`, `<`, `>`, no control character and only ASCII, so a form reader finds one
//!   key that begins with `{`, and no value. Each name of an object occurs once, so readers that use the first and readers
//!   that use the last of two values agree.
//! - A form contains only what one URL encoder writes, and an `=` in every pair, so no part of it is JSON.
//!
//! These functions do not depend on fields: the plan reads the body before it is written, and reads the result again.

mod form;
mod json;
#[cfg(test)]
mod tests;

use super::{media::Media, value::Unreadable};

/// The maximum growth: one byte of a body can become an escape of six bytes in JSON.
pub(crate) const GROWTH: usize = 6;

/// Writes a body in the canonical form.
///
/// # Errors
///
/// The body does not strictly match its media type, or a name occurs twice in one JSON object.
pub(crate) type Writer = fn(&[u8]) -> Result<Vec<u8>, Unreadable>;

/// The writer for a media type; `None` for a type without a canonical form.
///
/// It takes linear time (JSON: times the logarithm of the number of an object's names), without recursion.
pub(crate) fn canonical(media: &Media) -> Option<Writer> {
    match media {
        Media::Json | Media::JsonTypes(_) => Some(json::write),
        Media::Form => Some(form::write),
        Media::Grpc | Media::Multipart => None,
    }
}
