//! Reads a body within bounds and without loss.
//!
//! A failed read loses nothing: the bytes read so far are returned with the rest of the body.

use std::{
    future::{Future, poll_fn},
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame};
use tokio::time::{Instant, timeout_at};

use super::{
    budget::{Budget, Crowded, Share},
    failed::{self, ReadError},
    failure::Failure,
};

/// The maximum number of frames without data or trailers: more is an attempt to keep the server busy.
const EMPTY_FRAMES: usize = 1024;

/// The bounds of one read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limits {
    /// Bytes, inclusive.
    pub(crate) bytes: usize,
    /// The time for the read. It starts when the read first has to wait for the client.
    pub(crate) deadline: Duration,
    /// Shared by all bodies in memory.
    pub(crate) budget: Budget,
}

/// Events that end a read before its own deadline.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ends {
    /// The client's deadline.
    pub(crate) client: Option<Instant>,
    pub(crate) until: Option<Instant>,
}

/// A body that was read to its end. It holds its share of the budget until it is dropped.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) data: Bytes,
    /// The original bytes, if they were replaced and are kept.
    original: Option<Bytes>,
    pub(crate) trailers: Option<HeaderMap>,
    share: Share,
}

/// A body whose beginning was read.
pub(crate) struct PartlyRead<B> {
    // Boxed: a body is moved many times until it reaches the application.
    pub(super) whole: Box<Whole>,
    /// The frame that did not fit.
    pub(super) excess: Bytes,
    /// Set if the body failed. `rest` is then not polled again.
    pub(super) failure: Option<Box<Failure>>,
    pub(super) rest: Pin<Box<B>>,
}

/// A body that can be passed on, read or not.
pub(crate) enum Kept<B> {
    Untouched(B),
    Whole(Box<Whole>),
    // Boxed: it is rare, and this is moved with every guarded request.
    PartlyRead(Box<PartlyRead<B>>),
}

/// A body that could not be read.
pub(crate) struct Unread<B> {
    pub(crate) error: ReadError,
    /// The bytes read so far, and the rest or the failure of the body. `None` if the failure cannot be kept: without it, the bytes would look
    /// like a complete body.
    pub(crate) body: Option<Kept<B>>,
}

/// Reads a body to its end. `ends`: when the read ends, if that is earlier than its own deadline.
///
/// A body of one frame is not copied. No timer is created for a body that is already complete.
///
/// # Errors
///
/// Returns the reason and the bytes read so far, so that nothing is lost.
pub(crate) async fn read<B>(body: Kept<B>, limits: &Limits, ends: Ends) -> Result<Box<Whole>, Unread<B>>
where
    B: Body<Data = Bytes, Error: 'static>,
{
    let is_too_large = |body: &B| usize::try_from(body.size_hint().lower()).map_or(true, |least| least > limits.bytes);
    if matches!(&body, Kept::Untouched(body) if is_too_large(body)) {
        return Err(Unread { error: ReadError::TooLarge, body: Some(body) });
    }
    let to_the_end = None::<fn(&[u8]) -> Option<usize>>;
    let mut partial = match body.partly_read() {
        Ok(partial) => partial,
        Err(whole) => return Ok(whole),
    };
    if partial.whole.data.len() > limits.bytes {
        return Err(partial.unread(ReadError::TooLarge));
    }
    match partial.read(limits, ends, to_the_end).await {
        Ok(()) => Ok(partial.whole),
        Err(error) => Err(partial.unread(error)),
    }
}

/// Reads the beginning of a body: the number of bytes that `needed` returns once it is known, and the rest of the frame
/// with the last of them. It reads fewer bytes only if the body ends.
///
/// # Errors
///
/// As [`read`].
pub(crate) async fn read_beginning<B>(
    mut partial: PartlyRead<B>,
    limits: &Limits,
    ends: Ends,
    needed: impl Fn(&[u8]) -> Option<usize>,
) -> Result<Box<PartlyRead<B>>, Unread<B>>
where
    B: Body<Data = Bytes, Error: 'static>,
{
    let data = &partial.whole.data;
    if !data.is_empty()
        && let Some(needed) = needed(data)
    {
        if needed > limits.bytes {
            return Err(partial.unread(ReadError::TooLarge));
        }
        if needed <= data.len() {
            return Ok(Box::new(partial));
        }
    }
    match partial.read(limits, ends, Some(needed)).await {
        Ok(()) => Ok(Box::new(partial)),
        Err(error) => Err(partial.unread(error)),
    }
}

// === impl Kept ===

impl<B> Kept<B> {
    /// All bytes of the body, if they are known.
    pub(crate) fn known(&self) -> Option<&[u8]>
    where
        B: Body,
    {
        match self {
            Self::Whole(whole) => Some(&whole.data),
            Self::Untouched(body) => body.is_end_stream().then_some(&[]),
            Self::PartlyRead(_) => None,
        }
    }

    /// The body, of which nothing or a beginning was read.
    ///
    /// # Errors
    ///
    /// Returns a body that was read to its end.
    pub(crate) fn partly_read(self) -> Result<PartlyRead<B>, Box<Whole>> {
        match self {
            Self::Untouched(body) => Ok(PartlyRead::of(body)),
            Self::PartlyRead(partial) => Ok(*partial),
            Self::Whole(whole) => Err(whole),
        }
    }

    /// Restores the original bytes if they were replaced.
    pub(crate) fn restored(mut self) -> Self {
        if let Self::Whole(whole) = &mut self {
            whole.restore();
        }
        self
    }
}

// === impl PartlyRead ===

impl<B> PartlyRead<B> {
    /// Returns the next frame, as [`Whole::next_frame`] does. `None` if the rest of the body must be polled. No frame
    /// follows the trailers.
    pub(super) fn next_frame(&mut self) -> Option<Frame<Bytes>> {
        if self.whole.data.is_empty() && !self.excess.is_empty() {
            return Some(Frame::data(std::mem::take(&mut self.excess)));
        }
        self.whole.next_frame()
    }

    /// The bytes that were read.
    pub(crate) fn data(&self) -> &[u8] {
        &self.whole.data
    }

    /// Includes the bytes read so far, unless the body failed and its failure cannot be kept.
    #[cold]
    fn unread(self, error: ReadError) -> Unread<B> {
        let is_kept = !error.is_of_the_body() || self.failure.is_some();
        let body = is_kept.then(|| Kept::PartlyRead(Box::new(self)));
        Unread { error, body }
    }

    pub(super) fn of(body: B) -> Self {
        let whole = Whole { data: Bytes::new(), original: None, trailers: None, share: Share::default() };
        Self { whole: Box::new(whole), excess: Bytes::new(), failure: None, rest: Box::pin(body) }
    }
}

impl<B> PartlyRead<B>
where
    B: Body<Data = Bytes, Error: 'static>,
{
    async fn read(
        &mut self,
        limits: &Limits,
        ends: Ends,
        needed: Option<impl Fn(&[u8]) -> Option<usize>>,
    ) -> Result<(), ReadError> {
        // A body is copied only if it has a second frame. The buffer is outside of the future, which a timer may drop.
        let mut joined = None;
        let read = in_time(pin!(self.collect(&mut joined, limits, needed)), limits.deadline, ends).await;
        if let Some(joined) = joined {
            self.whole.data = BytesMut::freeze(joined);
        }
        read
    }

    async fn collect(
        &mut self,
        joined: &mut Option<BytesMut>,
        limits: &Limits,
        needed: Option<impl Fn(&[u8]) -> Option<usize>>,
    ) -> Result<(), ReadError> {
        let Self { whole, excess, failure, rest } = self;
        let expected = usize::try_from(rest.size_hint().lower()).unwrap_or(usize::MAX);
        let mut empty_frames = 0_usize;
        while let Some(frame) = poll_fn(|cx| poll_caught(rest.as_mut(), failure, cx)).await {
            let frame = frame?;
            let data = match frame.into_data() {
                Ok(data) => data,
                Err(frame) => {
                    whole.trailers = frame.into_trailers().ok();
                    continue;
                }
            };
            if data.is_empty() {
                empty_frames = empty_frames.saturating_add(1);
                if empty_frames > EMPTY_FRAMES {
                    return Err(ReadError::Empty);
                }
                continue;
            }
            let before = joined.as_ref().map_or(whole.data.len(), BytesMut::len);
            // For a beginning, only the needed bytes count toward the limit: the rest of the frame is already in memory.
            if needed.is_none() && data.len() > limits.bytes.saturating_sub(before) {
                *excess = data;
                return Err(ReadError::TooLarge);
            }
            if let Err(crowded) = whole.share.resize(&limits.budget, before.saturating_add(data.len()), expected) {
                *excess = data;
                return Err(crowded.into());
            }
            match joined {
                Some(joined) => joined.extend_from_slice(&data),
                None if before == 0 => whole.data = data,
                None => {
                    let mut both = BytesMut::with_capacity(before.saturating_add(data.len()).saturating_mul(2));
                    both.extend_from_slice(&whole.data);
                    both.extend_from_slice(&data);
                    *joined = Some(both);
                }
            }
            if let Some(needed) = &needed {
                let here: &[u8] = joined.as_deref().unwrap_or(&whole.data);
                match needed(here) {
                    Some(needed) if needed > limits.bytes => return Err(ReadError::TooLarge),
                    Some(needed) if here.len() >= needed => break,
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Polls a body, and keeps its failure.
fn poll_caught<B>(
    body: Pin<&mut B>,
    failure: &mut Option<Box<Failure>>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, ReadError>>>
where
    B: Body<Data = Bytes, Error: 'static>,
{
    let polled = match catch_unwind(AssertUnwindSafe(|| body.poll_frame(cx))) {
        Ok(polled) => ready!(polled),
        Err(panic) => {
            *failure = Some(Box::new(Failure::of_panic(panic)));
            return Poll::Ready(Some(Err(ReadError::Panicked)));
        }
    };
    Poll::Ready(polled.map(|frame| {
        frame.map_err(|error| {
            let reason = failed::reason(&error);
            *failure = Failure::of_error(error).map(Box::new);
            reason
        })
    }))
}

/// Ends a read at the layer's deadline, or at the client's.
async fn in_time(
    mut reading: Pin<&mut impl Future<Output = Result<(), ReadError>>>,
    deadline: Duration,
    ends: Ends,
) -> Result<(), ReadError> {
    if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx))).await {
        return done;
    }
    let ours = Instant::now() + deadline;
    let ours = ends.until.map_or(ours, |until| ours.min(until));
    match ends.client {
        Some(client) if client < ours => timeout_at(client, reading).await.unwrap_or(Err(ReadError::GivenUp)),
        _ => timeout_at(ours, reading).await.unwrap_or(Err(ReadError::TooSlow)),
    }
}

// === impl Whole ===

impl Whole {
    /// The next frame for the application: the bytes, which no longer count in the budget, then the trailers.
    pub(super) fn next_frame(&mut self) -> Option<Frame<Bytes>> {
        if self.data.is_empty() {
            return self.trailers.take().map(Frame::trailers);
        }
        self.share = Share::default();
        Some(Frame::data(std::mem::take(&mut self.data)))
    }

    pub(super) fn is_over(&self) -> bool {
        self.data.is_empty() && self.trailers.is_none()
    }

    /// Replaces all bytes and resizes the share of the budget. If the original bytes are kept, the share covers both.
    pub(crate) fn replace(&mut self, data: Vec<u8>, budget: &Budget, keeps: bool) -> Result<(), Crowded> {
        let kept = if keeps { self.original.as_ref().unwrap_or(&self.data).len() } else { 0 };
        self.share.resize(budget, data.len().saturating_add(kept), 0)?;
        // Boxed, so that there is no spare capacity that the budget does not count.
        let replaced = std::mem::replace(&mut self.data, Bytes::from(data.into_boxed_slice()));
        if keeps {
            self.original.get_or_insert(replaced);
        }
        Ok(())
    }

    /// Restores the original bytes if they were kept.
    fn restore(&mut self) {
        if let Some(original) = self.original.take() {
            self.data = original;
        }
    }

    /// Replaces these spans, which are in order and do not overlap. Returns `false` if no change was needed.
    pub(crate) fn rewrite(&mut self, spans: &[Range<usize>], new: impl Fn(&[u8]) -> Vec<u8>) -> bool {
        let mut written = Vec::with_capacity(self.data.len() + 16);
        let mut at = 0;
        for span in spans {
            let (Some(before), Some(old)) = (self.data.get(at..span.start), self.data.get(span.clone())) else {
                return false;
            };
            written.extend_from_slice(before);
            written.extend_from_slice(&new(old));
            at = span.end;
        }
        written.extend_from_slice(self.data.get(at..).unwrap_or_default());
        let changed = self.data != written;
        if changed {
            self.data = Bytes::from(written);
        }
        changed
    }
}
