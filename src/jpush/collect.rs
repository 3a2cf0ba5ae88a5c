//! Reads the body of a reply, up to a limit.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt as _;

use super::{
    BoxError,
    errors::{broken_reply, large_reply},
};
use crate::call_error::CallError;

/// The maximum size of a reply, in bytes. A real one is below 1 KiB.
pub(super) const LIMIT: usize = 64 * 1024;
/// The maximum number of empty frames. A body that returns them endlessly would never yield, so no deadline could end it.
const EMPTY_FRAMES: usize = 1024;

/// Reads a body to its end. A single frame of `Bytes` is not copied.
///
/// # Errors
///
/// If the body exceeds [`LIMIT`] (at once if its length is announced), has more than a thousand empty frames, or breaks off.
pub(super) async fn collect<B>(body: B) -> Result<Bytes, CallError>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    if usize::try_from(body.size_hint().lower()).map_or(true, |announced| announced > LIMIT) {
        return Err(large_reply());
    }
    let mut body = std::pin::pin!(body);
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut empty = 0;
    // The end of a body with an announced length is known without another poll, from `is_end_stream`.
    while !body.is_end_stream()
        && let Some(frame) = body.as_mut().frame().await
    {
        let frame = frame.map_err(|error| broken_reply(&*error.into()))?;
        let Ok(mut data) = frame.into_data() else { continue };
        let length = data.remaining();
        if length == 0 {
            empty += 1;
            if empty > EMPTY_FRAMES {
                return Err(large_reply());
            }
        } else if length > LIMIT - first.len() - rest.len() {
            return Err(large_reply());
        } else if first.is_empty() {
            first = data.copy_to_bytes(length);
        } else {
            rest.put(data);
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.put(first);
    whole.put(rest);
    Ok(whole.freeze())
}
