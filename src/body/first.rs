//! Waits for the first data of a body, which shows that it is not empty.

use bytes::Bytes;
use http_body::Body;

use super::read::{Ends, Kept, Limits, PartlyRead, Unread, read_beginning};

/// Waits for the first data of a body, or for its end. Returns the body read so far, and whether it has data or trailers.
///
/// # Errors
///
/// As [`read`](super::read).
pub(crate) async fn read_first<B>(body: B, limits: &Limits, ends: Ends) -> Result<(Kept<B>, bool), Unread<B>>
where
    B: Body<Data = Bytes, Error: 'static>,
{
    let partial = read_beginning(PartlyRead::of(body), limits, ends, |_| Some(1)).await?;
    if !partial.whole.data.is_empty() {
        return Ok((Kept::PartlyRead(partial), true));
    }
    let has_trailers = partial.whole.trailers.is_some();
    Ok((Kept::Whole(partial.whole), has_trailers))
}
