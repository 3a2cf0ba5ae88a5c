//! `multipart/form-data` (RFC 7578): fields, never files.
//!
//! Readers of multipart disagree on what may follow a boundary, on a single line feed, and on escapes in names. So a body
//! must be in the plain form that browsers and HTTP clients write (`parts`), and the result must equal that of `multer`,
//! the reader behind axum's extractor.

mod parts;

use std::borrow::Cow;

use http::{HeaderMap, header::CONTENT_TYPE};

use self::parts::Part;
use super::{
    fold::{Found, Keys},
    form, method,
    other_phones::ELSEWHERE_IN_BODY,
    parameters::boundary,
    plan::Plan,
    value::{Unreadable, Value, Values},
};

/// The body is not in the plain form.
const BAD: Unreadable = Unreadable::BodyMalformed("a multipart body that can be read in several ways");

/// Reads the fields of the parts.
pub(super) fn read<'v>(
    plan: &Plan,
    headers: &HeaderMap,
    body: &'v [u8],
    values: &mut Values<'v>,
) -> Result<(), Unreadable> {
    let boundary = headers.get(CONTENT_TYPE).and_then(|value| boundary(value.to_str().ok()?)).ok_or(BAD)?;
    let root = plan.object(0).filter(|_| plan.fits_form());
    let root = root.ok_or(Unreadable::BodyMalformed("a form cannot hold these fields"))?;
    let parts = parts::split(body, boundary).ok_or(BAD)?;
    if parts.len() > parts::MOST {
        return Err(Unreadable::BodyMalformed("more than 1000 parts in a multipart body"));
    }
    if !multer_agrees(body, boundary, &parts) {
        return Err(BAD);
    }
    let mut scratch = Vec::new();
    let mut seen = 0_u64;
    for part in parts {
        form::check_charset(part.name.as_bytes(), part.data)?;
        if plan.refuses_methods() && method::is_method(part.name) {
            return Err(method::ANOTHER_METHOD);
        }
        let name = match plan.names().find(part.name, Keys::Form) {
            Found::Nothing => {
                // Some readers decode names like a query's. A name that cannot be decoded is not guarded for them either.
                let decoded = form::decode(part.name, &mut scratch).unwrap_or_default();
                if plan.names().find(decoded, Keys::Form) == Found::Nothing {
                    if [part.name, decoded].into_iter().any(|name| plan.is_phone_elsewhere(name)) {
                        return Err(ELSEWHERE_IN_BODY);
                    }
                    continue;
                }
                return Err(Unreadable::ProofMalformed("a name like a guarded one"));
            }
            Found::Like(_) => return Err(Unreadable::ProofMalformed("a name like a guarded one")),
            Found::Name(name) => name,
        };
        let slot = root.slot_in_form(name, &mut seen)?;
        if !part.is_plain_text() {
            return Err(Unreadable::ProofMalformed("a part that is a file or coded"));
        }
        let text =
            std::str::from_utf8(part.data).map_err(|_| Unreadable::ProofMalformed("a part that is not UTF-8"))?;
        values.put(slot, Value::text(Cow::Borrowed(text))?)?;
    }
    Ok(())
}

/// Whether multer finds the same names and data. The body is complete, so multer never waits.
#[cfg(feature = "multipart")]
fn multer_agrees(body: &[u8], boundary: &str, parts: &[Part<'_>]) -> bool {
    use std::convert::Infallible;

    use futures_util::{FutureExt, stream};

    let body = bytes::Bytes::copy_from_slice(body);
    let mut theirs = multer::Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
    for part in parts {
        let Some(Ok(Some(field))) = theirs.next_field().now_or_never() else { return false };
        if field.name() != Some(part.name) {
            return false;
        }
        if !matches!(field.bytes().now_or_never(), Some(Ok(data)) if data == part.data) {
            return false;
        }
    }
    matches!(theirs.next_field().now_or_never(), Some(Ok(None)))
}

/// Without the feature, no setting accepts multipart: see [`Media::validate`](super::Media).
#[cfg(not(feature = "multipart"))]
fn multer_agrees(_: &[u8], _: &str, _: &[Part<'_>]) -> bool {
    false
}
