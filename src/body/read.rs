//! The bounded, lossless read.

use std::{
    future::{Future, poll_fn},
    ops::Range,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::budget::{Budget, Crowded, Share};

/// How many frames without data or trailers a body may have: more is an attempt to keep us busy.
const EMPTY_FRAMES: usize = 1024;

/// The bounds of one read.
#[derive(Clone, Debug)]
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
    pub(crate) trailers: Option<HeaderMap>,
    share: Share,
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadError {
    TooLarge,
    TooSlow,
    /// Too many empty frames.
    Empty,
    /// The client's side failed: an abort, a cut chunk, a reset.
    Broken,
    /// All bodies together reached their cap.
    Crowded,
}

/// Reads a body to its end.
///
/// A body of one frame is not copied. No timer is made for a body that is already there.
pub(crate) async fn read<B>(body: B, limits: &Limits) -> Result<Whole, ReadError>
where
    B: Body<Data = Bytes>,
{
    if usize::try_from(body.size_hint().lower()).map_or(true, |least| least > limits.bytes) {
        return Err(ReadError::TooLarge);
    }
    let to_the_end = None::<fn(&[u8]) -> Option<usize>>;
    in_time(pin!(collect(pin!(body), limits, to_the_end)), limits).await
}

/// Reads the beginning of a body, and leaves the rest in it: as many bytes as `needed` says once it knows, and what came
/// in one frame with the last of them. Fewer only if the body ends.
#[cfg(feature = "grpc")]
pub(crate) async fn read_beginning<B>(
    body: Pin<&mut B>,
    limits: &Limits,
    needed: impl Fn(&[u8]) -> Option<usize>,
) -> Result<Whole, ReadError>
where
    B: Body<Data = Bytes>,
{
    in_time(pin!(collect(body, limits, Some(needed))), limits).await
}

async fn in_time(
    mut reading: Pin<&mut impl Future<Output = Result<Whole, ReadError>>>,
    limits: &Limits,
) -> Result<Whole, ReadError> {
    if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx))).await {
        return done;
    }
    timeout(limits.deadline, reading).await.unwrap_or(Err(ReadError::TooSlow))
}

async fn collect<B>(
    mut body: Pin<&mut B>,
    limits: &Limits,
    needed: Option<impl Fn(&[u8]) -> Option<usize>>,
) -> Result<Whole, ReadError>
where
    B: Body<Data = Bytes>,
{
    let mut whole = Whole { data: Bytes::new(), trailers: None, share: Share::default() };
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    // Only a second frame makes a copy.
    let mut joined: Option<BytesMut> = None;
    let mut empty_frames = 0_usize;
    while let Some(frame) = body.as_mut().frame().await {
        let frame = frame.map_err(|_| ReadError::Broken)?;
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
            return Err(ReadError::TooLarge);
        }
        whole.share.resize(&limits.budget, before.saturating_add(data.len()), expected)?;
        match &mut joined {
            Some(joined) => joined.extend_from_slice(&data),
            None if before == 0 => whole.data = data,
            None => {
                let mut both = BytesMut::with_capacity(before.saturating_add(data.len()).saturating_mul(2));
                both.extend_from_slice(&whole.data);
                both.extend_from_slice(&data);
                joined = Some(both);
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
    if let Some(joined) = joined {
        whole.data = joined.freeze();
    }
    Ok(whole)
}

// === impl Whole ===

impl Whole {
    /// The bytes, which are the application's to hold from here on.
    pub(super) fn hand_over(&mut self) -> Bytes {
        self.share = Share::default();
        std::mem::take(&mut self.data)
    }

    /// Puts other bytes in the place of all that came, and holds the budget's share for those instead.
    pub(crate) fn replace(&mut self, data: Vec<u8>, budget: &Budget) -> Result<(), Crowded> {
        self.share.resize(budget, data.len(), 0)?;
        // Boxed, so that no spare capacity is held that the budget does not count.
        self.data = Bytes::from(data.into_boxed_slice());
        Ok(())
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

// === impl ReadError ===

impl From<Crowded> for ReadError {
    fn from(Crowded: Crowded) -> Self {
        Self::Crowded
    }
}
