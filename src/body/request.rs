//! The request body of the inner service.

use std::{
    fmt,
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Version};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::read::{Kept, PartlyRead, Whole};

/// Removes from trailers what a client must not send. It is a box in an `Arc`, so that it is only one word: it is moved with
/// every request, guarded or not.
#[derive(Clone)]
pub(crate) struct TrailerFilter(Arc<Box<Filter>>);

type Filter = dyn Fn(&mut HeaderMap) + Send + Sync;

pin_project! {
    /// The request body of the inner service: the client's body, its exact replay, or a replay of its beginning followed by
    /// the rest.
    ///
    /// Bytes, trailers and end of stream are the client's; a replay knows its exact size. Trailers under the layer's
    /// header prefix are removed, so that a client cannot forge a risk header there. All errors and panics are those of the client's
    /// body, even if they occurred while the layer was reading.
    pub struct RequestBody<B> {
        #[pin]
        source: Source<B>,
        trailers: TrailerFilter,
    }
}

pin_project! {
    #[project = SourceProj]
    enum Source<B> {
        Untouched { #[pin] body: B, is_http1: bool },
        // Boxed: this is moved with every request, guarded or not.
        Replay { whole: Box<Whole> },
        Resumed { partial: Box<PartlyRead<B>> },
    }
}

// === impl TrailerFilter ===

impl TrailerFilter {
    pub(crate) fn new(filter: impl Fn(&mut HeaderMap) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Box::new(filter)))
    }

    fn apply(&self, trailers: &mut HeaderMap) {
        (self.0)(trailers);
    }
}

// === impl RequestBody ===

impl<B> RequestBody<B> {
    /// The unread body of a request over this version of HTTP.
    #[inline]
    pub(crate) fn untouched(body: B, trailers: TrailerFilter, version: Version) -> Self {
        Self { source: Source::Untouched { body, is_http1: version <= Version::HTTP_11 }, trailers }
    }

    /// A body that may have been read, completely or in part.
    pub(crate) fn of(kept: Kept<B>, trailers: TrailerFilter) -> Self {
        let source = match kept {
            Kept::Untouched(body) => Source::Untouched { body, is_http1: false },
            Kept::Whole(mut whole) => {
                filter(&mut whole, &trailers);
                Source::Replay { whole }
            }
            Kept::PartlyRead(mut partial) => {
                filter(&mut partial.whole, &trailers);
                Source::Resumed { partial }
            }
        };
        Self { source, trailers }
    }

    /// The HTTP version of the request.
    #[inline]
    pub(crate) fn came_over(&mut self, version: Version) {
        if let Source::Untouched { is_http1, .. } = &mut self.source {
            *is_http1 = version <= Version::HTTP_11;
        }
    }
}

impl<B> RequestBody<B>
where
    B: Body<Data = Bytes>,
{
    /// Returns the client's body if the layer has not read it and no trailers can follow: there is no body, or its length
    /// is known over HTTP/1.1. For a service that accepts one type of body, or boxes others.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::Request;
    /// use http_body_util::{Either, Full};
    /// use tower_jverify::RequestBody;
    ///
    /// /// For a service that takes `Request<Either<B, RequestBody<B>>>`, such as a router with an enum of bodies.
    /// fn adapt(request: Request<RequestBody<Full<Bytes>>>) -> Request<Either<Full<Bytes>, RequestBody<Full<Bytes>>>> {
    ///     request.map(|body| body.into_inner().map_or_else(Either::Right, Either::Left))
    /// }
    /// # let _ = adapt;
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the body unchanged if it is a replay, or if the layer filters its trailers (chunked, or over HTTP/2),
    /// in which a client could otherwise send the layer's headers.
    pub fn into_inner(self) -> Result<B, Self> {
        match self.source {
            Source::Untouched { body, is_http1 }
                if body.is_end_stream() || (is_http1 && body.size_hint().exact().is_some()) =>
            {
                Ok(body)
            }
            source => Err(Self { source, trailers: self.trailers }),
        }
    }
}

fn filter(whole: &mut Whole, filter: &TrailerFilter) {
    if let Some(trailers) = &mut whole.trailers {
        filter.apply(trailers);
    }
}

impl<B> Body for RequestBody<B>
where
    B: Body<Data = Bytes, Error: 'static>,
{
    type Data = Bytes;
    type Error = B::Error;

    #[inline]
    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let body = match this.source.project() {
            SourceProj::Replay { whole } => return Poll::Ready(whole.next_frame().map(Ok)),
            SourceProj::Untouched { body, .. } => body,
            SourceProj::Resumed { partial } => match beginning_of(partial) {
                ControlFlow::Break(frame) => return Poll::Ready(frame),
                ControlFlow::Continue(()) => partial.rest.as_mut(),
            },
        };
        let mut frame = ready!(body.poll_frame(cx));
        if let Some(Ok(frame)) = &mut frame
            && let Some(trailers) = frame.trailers_mut()
        {
            this.trailers.apply(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Untouched { body, .. } => body.is_end_stream(),
            Source::Replay { whole } => whole.is_over(),
            Source::Resumed { partial } => {
                let is_over = || match &partial.failure {
                    Some(failure) => failure.is_passed_on(),
                    None => partial.rest.is_end_stream(),
                };
                partial.whole.is_over() && partial.excess.is_empty() && is_over()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Untouched { body, .. } => body.size_hint(),
            Source::Replay { whole } => {
                u64::try_from(whole.data.len()).map_or_else(|_| SizeHint::new(), SizeHint::with_exact)
            }
            Source::Resumed { partial } => {
                let rest = if partial.failure.is_some() { SizeHint::new() } else { partial.rest.size_hint() };
                both(partial.whole.data.len().saturating_add(partial.excess.len()), &rest)
            }
        }
    }
}

/// The next frame of what was read, or its failure, unless the rest follows.
#[inline(never)]
fn beginning_of<B>(partial: &mut PartlyRead<B>) -> ControlFlow<Option<Result<Frame<Bytes>, B::Error>>>
where
    B: Body<Data = Bytes, Error: 'static>,
{
    if let Some(frame) = partial.next_frame() {
        return ControlFlow::Break(Some(Ok(frame)));
    }
    match &mut partial.failure {
        Some(failure) => ControlFlow::Break(failure.pass_on().map(Err)),
        None => ControlFlow::Continue(()),
    }
}

/// The size of a beginning and the rest.
fn both(beginning: usize, rest: &SizeHint) -> SizeHint {
    let beginning = u64::try_from(beginning).unwrap_or(u64::MAX);
    let mut hint = SizeHint::new();
    if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(beginning)) {
        hint.set_upper(upper);
    }
    hint.set_lower(rest.lower().saturating_add(beginning));
    hint
}

impl<B> fmt::Debug for RequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.source {
            Source::Untouched { .. } => "Untouched",
            Source::Replay { .. } => "Replay",
            Source::Resumed { .. } => "Resumed",
        };
        f.debug_tuple("RequestBody").field(&format_args!("{kind}")).finish()
    }
}
