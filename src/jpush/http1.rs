//! HTTP/1.1 over kept connections. Only a request that was never written is sent again, and only once.

use std::{
    future::poll_fn,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1},
};

use super::{
    dial::Dial,
    errors,
    pool::{Connection, Pool},
};
use crate::call_error::CallError;

type Call = Request<Full<Bytes>>;

/// What [`Connection::try_send_request`] returns: hyper has no name for it.
type Sent = Pin<Box<dyn Future<Output = Result<Response<Incoming>, TrySendError<Call>>> + Send>>;

type Answer = Result<Response<Incoming>, CallError>;

/// The number of bytes that are read at once, and the maximum size of a reply's head.
const READ_BUFFER: usize = 4 * 1024;

/// A client of one server.
#[derive(Debug)]
pub(super) struct Http1 {
    pool: Arc<Pool>,
    dial: Dial,
    builder: http1::Builder,
}

/// One call and its reply.
pub(super) struct Exchange(State);

enum State {
    /// The request was passed to a kept connection.
    Sent { reply: Sent, connection: Option<Connection>, client: Arc<Http1> },
    /// No kept connection was ready. Boxed, so that the usual call stays small.
    Cold(Pin<Box<dyn Future<Output = Answer> + Send>>),
}

// === impl Http1 ===

impl Http1 {
    pub(super) fn new(dial: Dial, pool: Pool) -> Self {
        let mut builder = http1::Builder::new();
        builder
            // A real reply is below 1 KiB. hyper's default is 8 KiB, which a connection may hold twice: the last reply has the second.
            .read_buf_exact_size(Some(READ_BUFFER))
            // A check is small: a copy into one buffer and a plain write cost less than a write of several buffers.
            .writev(false);
        Self { pool: Arc::new(pool), dial, builder }
    }

    /// Sends a request, at once if a kept connection is ready. The request already has its `Host`.
    pub(super) fn call(self: &Arc<Self>, mut request: Call) -> Exchange {
        to_origin_form(&mut request);
        let client = Arc::clone(self);
        Exchange(match self.pool.take() {
            Some(mut connection) => {
                // Made inside of its box: `Box::pin` would copy it.
                let place = Box::new_uninit();
                let reply = Box::write(place, connection.try_send_request(request));
                State::Sent { reply: Box::into_pin(reply), connection: Some(connection), client }
            }
            None => State::Cold(Box::pin(client.call_cold(request))),
        })
    }

    /// Sends a request over the connection that is ready first: one that another call returns, or a new one.
    async fn call_cold(self: Arc<Self>, request: Call) -> Answer {
        let mut kept = self.pool.wait();
        let mut dial = Box::pin(Arc::clone(&self).open());
        let (mut connection, is_kept) = poll_fn(|cx| {
            if let Poll::Ready(connection) = Pin::new(&mut kept).poll(cx) {
                return Poll::Ready(Ok((connection, true)));
            }
            dial.as_mut().poll(cx).map_ok(|connection| (connection, false))
        })
        .await?;
        drop(kept);
        if is_kept && let Some(room) = self.pool.room() {
            // The dial continues, so that its connection can serve a later check.
            let pool = Arc::clone(&self.pool);
            tokio::spawn(async move {
                if let Ok(connection) = dial.await {
                    pool.put(connection);
                }
                drop(room);
            });
        } else {
            drop(dial);
        }
        match connection.try_send_request(request).await {
            Ok(response) => {
                self.give_back(connection);
                Ok(response)
            }
            Err(mut error) => match error.take_message() {
                // Boxed: it is rare, and would enlarge the future of every first check of a connection.
                Some(request) if is_kept => Box::pin(self.retry_on_new_connection(request)).await,
                _ => Err(errors::sent(error.error())),
            },
        }
    }

    /// Sends a request again, over a new connection, after a kept connection has returned it. It is not sent a third
    /// time.
    ///
    /// hyper returns a request only from the queue in front of a connection's task (`dispatch::Envelope::drop`,
    /// and `Client::recv_msg` by `try_recv`), that is, a request that was never taken to be written. So a kept
    /// connection that the server has closed meanwhile costs nothing, and a request that may have been written is
    /// never repeated.
    async fn retry_on_new_connection(self: Arc<Self>, request: Call) -> Answer {
        let mut connection = Arc::clone(&self).open().await?;
        let response = connection.try_send_request(request).await.map_err(|error| errors::sent(error.error()))?;
        self.give_back(connection);
        Ok(response)
    }

    /// Dials. The connection's task runs on the runtime of the caller, and ends with it.
    async fn open(self: Arc<Self>) -> Result<Connection, CallError> {
        let stream = self.dial.connect().await.map_err(errors::unconnected)?;
        let opened = self.builder.handshake(stream).await;
        let (mut connection, mut task) = opened.map_err(|error| errors::sent(&error))?;
        poll_fn(|cx| match Pin::new(&mut task).poll(cx) {
            // The server has closed it, or has sent something before a request.
            Poll::Ready(ended) => {
                Poll::Ready(Err(ended.err().map_or_else(errors::broken, |error| errors::sent(&error))))
            }
            Poll::Pending => connection.poll_ready(cx).map_err(|error| errors::sent(&error)),
        })
        .await?;
        tokio::spawn(task);
        Ok(connection)
    }

    /// Puts a connection into the pool when its reply is read to the end. It is not called for a connection whose call failed.
    fn give_back(&self, mut connection: Connection) {
        if connection.is_ready() {
            self.pool.put(connection);
        } else if !connection.is_closed() {
            let pool = Arc::downgrade(&self.pool);
            tokio::spawn(async move {
                if connection.ready().await.is_ok()
                    && let Some(pool) = pool.upgrade()
                {
                    pool.put(connection);
                }
            });
        }
    }
}

/// Reduces the URI to path and query, because hyper writes the URI as it is.
fn to_origin_form(request: &mut Call) {
    let path = mem::take(request.uri_mut()).into_parts().path_and_query;
    *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
}

// === impl Exchange ===

impl Future for Exchange {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        loop {
            match &mut self.0 {
                State::Cold(call) => return call.as_mut().poll(cx),
                State::Sent { reply, connection, client } => match ready!(reply.as_mut().poll(cx)) {
                    Ok(response) => {
                        if let Some(connection) = connection.take() {
                            client.give_back(connection);
                        }
                        return Poll::Ready(Ok(response));
                    }
                    Err(mut error) => match error.take_message() {
                        Some(request) => {
                            self.0 = State::Cold(Box::pin(Arc::clone(client).retry_on_new_connection(request)));
                        }
                        None => return Poll::Ready(Err(errors::sent(error.error()))),
                    },
                },
            }
        }
    }
}
