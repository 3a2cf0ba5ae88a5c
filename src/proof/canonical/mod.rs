//! Our own writing of a body: one body, one meaning.
//!
//! The layer believes a body's `Content-Type`; many backends do not. Go's `json.NewDecoder`, PHP's `php://input` and
//! Django's `json.loads(request.body)` parse JSON whatever the header says, and a form reader that ignores the type
//! (`parse_str(file_get_contents('php://input'))`, `new URLSearchParams(await text())`) finds pairs in a JSON string. What is
//! written here has one meaning for all of them:
//!
//! - JSON contains no raw `&`, `=`, `;`, `<`, `>`, no control character and nothing but ASCII, so a form reader finds one
//!   key that begins with `{`, and no value. Each name of an object occurs once, so readers that take the first and readers
//!   that take the last of two agree.
//! - A form contains nothing but what one URL encoder writes, and an `=` in every pair, so no part of it is JSON.
//!
//! These functions know no fields: the plan reads the body before it is written, and reads again what was written.

mod form;
mod json;
#[cfg(test)]
mod tests;

use super::{media::Media, value::Unreadable};

/// How many bytes of our writing one byte of a body can take: an escape in JSON has six.
pub(crate) const GROWTH: usize = 6;

/// Writes a body in our own writing.
///
/// # Errors
///
/// The body is not strictly what its media type says, or a name occurs twice in one JSON object.
pub(crate) type Writer = fn(&[u8]) -> Result<Vec<u8>, Unreadable>;

/// What writes bodies of a media type; `None` for a type that has no writing of ours.
///
/// It takes linear time (JSON: times the logarithm of the number of an object's names), and does not call itself.
pub(crate) fn canonical(media: &Media) -> Option<Writer> {
    match media {
        Media::Json | Media::JsonTypes(_) => Some(json::write),
        Media::Form => Some(form::write),
        Media::Grpc | Media::Multipart => None,
    }
}
