//! Bodies are read within limits, and passed on unchanged.

mod aborts;
mod crowds;
mod framing;
mod head_only;
mod late_end;
mod limits;
mod lossless;
mod slow;

use bytes::Bytes;
use futures_util::Stream;
use http::{Request, header::CONTENT_TYPE};
use http_body::{Body, Frame};
use http_body_util::StreamBody;
use tokio::sync::mpsc;

/// Why a client's body fails.
#[derive(Debug)]
struct Broken;

type Frames = mpsc::UnboundedSender<Result<Frame<Bytes>, Broken>>;

/// `POST` with a JSON body of these frames.
fn post_body<B>(path: &str, body: B) -> Request<B> {
    Request::post(path).header(CONTENT_TYPE, "application/json").body(body).unwrap()
}

/// A body of these frames, each there at once.
fn of_frames<I>(frames: I) -> impl Body<Data = Bytes, Error = Broken> + Send + use<I>
where
    I: IntoIterator<Item = Frame<Bytes>>,
    I::IntoIter: Send + 'static,
{
    StreamBody::new(futures_util::stream::iter(frames.into_iter().map(Ok)))
}

/// A body that ends when its sender is dropped.
fn channel() -> (Frames, impl Body<Data = Bytes, Error = Broken> + Send) {
    let (frames, receiver) = mpsc::unbounded_channel();
    (frames, StreamBody::new(received(receiver)))
}

fn received<T>(receiver: mpsc::UnboundedReceiver<T>) -> impl Stream<Item = T> {
    futures_util::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)))
}

fn data(bytes: impl Into<Bytes>) -> Frame<Bytes> {
    Frame::data(bytes.into())
}

/// A head of HTTP/1.1 for a JSON body, framed as said.
fn head(path: &str, framing: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n{framing}\r\n\r\n"
    )
}
