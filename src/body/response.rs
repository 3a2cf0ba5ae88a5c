//! The response body.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The response body that the client receives: the inner service's body, or a denial's.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        source: Source<B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = SourceProj]
    enum Source<B> {
        Inner { #[pin] body: B },
        Denial { data: Bytes },
    }
}

// === impl ResponseBody ===

impl<B> ResponseBody<B> {
    pub(crate) fn inner(body: B) -> Self {
        Self { source: Source::Inner { body } }
    }

    pub(crate) fn denial(data: Bytes) -> Self {
        Self { source: Source::Denial { data } }
    }

    /// Returns the inner service's body, or the bytes of a denial: for a framework that has its own body type and would box
    /// another.
    ///
    /// # Errors
    ///
    /// Returns the denial's bytes if the layer answered.
    pub fn into_inner(self) -> Result<B, Bytes> {
        match self.source {
            Source::Inner { body } => Ok(body),
            Source::Denial { data } => Err(data),
        }
    }
}

/// An empty body, for layers outside that answer without the inner service, such as those of `tower-sessions` and `axum-login`.
impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self::denial(Bytes::new())
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().source.project() {
            SourceProj::Inner { body } => body.poll_frame(cx),
            SourceProj::Denial { data } if data.is_empty() => Poll::Ready(None),
            SourceProj::Denial { data } => Poll::Ready(Some(Ok(Frame::data(std::mem::take(data))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Inner { body } => body.is_end_stream(),
            Source::Denial { data } => data.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Inner { body } => body.size_hint(),
            Source::Denial { data } => u64::try_from(data.len()).map_or_else(|_| SizeHint::new(), SizeHint::with_exact),
        }
    }
}
