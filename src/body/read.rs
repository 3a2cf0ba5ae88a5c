//! The bounded, lossless read.
//!
//! A read that fails loses nothing: what came is handed back with the rest of the body.

use std::{
    future::{Future, poll_fn},
    ops::Range,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::{
    budget::{Budget, Crowded, Share},
    failed::{self, ReadError},
};

/// How many frames without data or trailers a body may have: more is an attempt to keep us busy.
const EMPTY_FRAMES: usize = 1024;

/// The bounds of one read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limits {
    /// Bytes, inclusive.
    pub(crate) bytes: usize,
    /// From the first moment that the client keeps us waiting.
    pub(crate) deadline: Duration,
    /// Shared by all bodies being held.
    pub(crate) budget: Budget,
}

/// A body read to its end. Holds its share of the budget while it lives.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) data: Bytes,
    /// What came, where other bytes are in its place and it is kept.
    original: Option<Bytes>,
    pub(crate) trailers: Option<HeaderMap>,
    share: Share,
}

/// A body of which a beginning was read.
pub(crate) struct Begun<B> {
    // Boxed: a body goes from hand to hand until the application has it.
    pub(super) whole: Box<Whole>,
    /// The frame for which there was no room.
    pub(super) excess: Bytes,
    pub(super) rest: Pin<Box<B>>,
}

/// A body that can be handed on, as far as it was read.
pub(crate) enum Kept<B> {
    Untouched(B),
    Whole(Box<Whole>),
    Begun(Begun<B>),
}

/// A body that was not read.
pub(crate) struct Unread<B> {
    pub(crate) error: ReadError,
    /// What came of it, and the rest. `None` if the body itself failed: there is nothing to hand on then.
    pub(crate) body: Option<Kept<B>>,
}

/// Reads a body to its end, also for a client that gives up before our own deadline: `client`.
///
/// A body of one frame is not copied. No timer is made for a body that is already there.
///
/// # Errors
///
/// Returns what came of the body beside the reason, so that nothing of it is lost.
pub(crate) async fn read<B>(body: B, limits: &Limits, client: Option<Instant>) -> Result<Box<Whole>, Unread<B>>
where
    B: Body<Data = Bytes, Error: 'static>,
{
    if usize::try_from(body.size_hint().lower()).map_or(true, |least| least > limits.bytes) {
        return Err(Unread { error: ReadError::TooLarge, body: Some(Kept::Untouched(body)) });
    }
    let to_the_end = None::<fn(&[u8]) -> Option<usize>>;
    let mut begun = Begun::of(body);
    match begun.read(limits, client, to_the_end).await {
        Ok(()) => Ok(begun.whole),
        Err(error) => Err(begun.unread(error)),
    }
}

/// Reads the beginning of a body: as many bytes as `needed` says once it knows, and what came in one frame with the last of
/// them. Fewer only if the body ends.
///
/// # Errors
///
/// As [`read`].
pub(crate) async fn read_beginning<B>(
    body: B,
    limits: &Limits,
    client: Option<Instant>,
    needed: impl Fn(&[u8]) -> Option<usize>,
) -> Result<Begun<B>, Unread<B>>
where
    B: Body<Data = Bytes, Error: 'static>,
{
    let mut begun = Begun::of(body);
    match begun.read(limits, client, Some(needed)).await {
        Ok(()) => Ok(begun),
        Err(error) => Err(begun.unread(error)),
    }
}

// === impl Kept ===

impl<B> Kept<B> {
    /// With the bytes that came, where others are in their place.
    pub(crate) fn restored(mut self) -> Self {
        if let Self::Whole(whole) = &mut self {
            whole.restore();
        }
        self
    }
}

// === impl Begun ===

impl<B> Begun<B> {
    /// As [`Whole::next_frame`], as long as the rest is not to be asked. No frame comes after the trailers.
    pub(super) fn next_frame(&mut self) -> Option<Frame<Bytes>> {
        if self.whole.data.is_empty() && !self.excess.is_empty() {
            return Some(Frame::data(std::mem::take(&mut self.excess)));
        }
        self.whole.next_frame()
    }

    /// What was read.
    pub(crate) fn data(&self) -> &[u8] {
        &self.whole.data
    }

    /// With what came of it, unless the body itself failed: what comes after an error is not known, and a body without its error
    /// looks like a whole one.
    #[cold]
    fn unread(self, error: ReadError) -> Unread<B> {
        let has_failed = matches!(error, ReadError::Broken | ReadError::LimitedOutside);
        let body = (!has_failed).then(|| Kept::Begun(self));
        Unread { error, body }
    }

    fn of(body: B) -> Self {
        let whole = Whole { data: Bytes::new(), original: None, trailers: None, share: Share::default() };
        Self { whole: Box::new(whole), excess: Bytes::new(), rest: Box::pin(body) }
    }
}

impl<B> Begun<B>
where
    B: Body<Data = Bytes, Error: 'static>,
{
    async fn read(
        &mut self,
        limits: &Limits,
        client: Option<Instant>,
        needed: Option<impl Fn(&[u8]) -> Option<usize>>,
    ) -> Result<(), ReadError> {
        // Only a second frame makes a copy. Not inside of the future that a timer may drop.
        let mut joined = None;
        let read = in_time(pin!(self.collect(&mut joined, limits, needed)), limits.deadline, client).await;
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
        let Self { whole, excess, rest } = self;
        let expected = usize::try_from(rest.size_hint().lower()).unwrap_or(usize::MAX);
        let mut empty_frames = 0_usize;
        while let Some(frame) = rest.as_mut().frame().await {
            let frame = frame.map_err(|error| failed::reason(&error))?;
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
            // Of a beginning, what counts is what is needed: the rest of a frame is here already.
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

/// Ends a read by the layer's deadline, or by the client's.
async fn in_time(
    mut reading: Pin<&mut impl Future<Output = Result<(), ReadError>>>,
    deadline: Duration,
    client: Option<Instant>,
) -> Result<(), ReadError> {
    if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx))).await {
        return done;
    }
    let ours = Instant::now() + deadline;
    match client {
        Some(client) if client < ours => timeout_at(client, reading).await.unwrap_or(Err(ReadError::GivenUp)),
        _ => timeout_at(ours, reading).await.unwrap_or(Err(ReadError::TooSlow)),
    }
}

// === impl Whole ===

impl Whole {
    /// What the application gets next: the bytes, which are its own to hold from here on, then the trailers.
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

    /// Puts other bytes in the place of all that came, and holds the budget's share for those instead; or also, if what came is
    /// to be kept.
    pub(crate) fn replace(&mut self, data: Vec<u8>, budget: &Budget, keeps: bool) -> Result<(), Crowded> {
        let kept = if keeps { self.original.as_ref().unwrap_or(&self.data).len() } else { 0 };
        self.share.resize(budget, data.len().saturating_add(kept), 0)?;
        // Boxed, so that no spare capacity is held that the budget does not count.
        let replaced = std::mem::replace(&mut self.data, Bytes::from(data.into_boxed_slice()));
        if keeps {
            self.original.get_or_insert(replaced);
        }
        Ok(())
    }

    /// Puts the bytes that came back in their place, where they were kept.
    fn restore(&mut self) {
        if let Some(original) = self.original.take() {
            self.data = original;
        }
    }

    /// Writes other bytes where these spans, in order and apart, stood. `false` if nothing had to be changed.
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
