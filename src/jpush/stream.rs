//! A connection to JPush.

use std::{
    io::{self, IoSlice},
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use tokio::net::TcpStream;

use super::spare::Quiet;

/// The most bytes that a server may send before it is asked: HTTP/2's settings are below 100.
const AHEAD: usize = 4096;

/// A connection that adds no extensions. The connector's type would add both of its addresses to the extensions of
/// every reply (`HttpInfo`), although nothing reads them: three allocations for each reply.
#[derive(Debug)]
pub(super) struct Stream {
    io: MaybeHttpsStream<TokioIo<TcpStream>>,
    /// Whether the server may speak first, as in HTTP/2.
    server_speaks_first: bool,
    /// The bytes that the server sent while the connection was spare.
    ahead: Vec<u8>,
}

// === impl Stream ===

impl Stream {
    pub(super) fn new(io: MaybeHttpsStream<TokioIo<TcpStream>>, server_speaks_first: bool) -> Self {
        Self { io, server_speaks_first, ahead: Vec::new() }
    }

    #[cold]
    fn give_ahead(&mut self, buf: &mut ReadBufCursor<'_>) {
        let length = self.ahead.len().min(buf.remaining());
        let rest = self.ahead.split_off(length);
        buf.put_slice(&mem::replace(&mut self.ahead, rest));
    }
}

impl Quiet for Stream {
    /// Anything that a server sends over HTTP/1.1 before a request would be read as the answer to the first check.
    fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            let mut bytes = [0; 256];
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.io).poll_read(cx, buffer.unfilled()) {
                Poll::Pending => return true,
                Poll::Ready(Ok(()))
                    if self.server_speaks_first && !buffer.filled().is_empty() && self.ahead.len() < AHEAD =>
                {
                    self.ahead.extend_from_slice(buffer.filled());
                }
                Poll::Ready(_) => return false,
            }
        }
    }
}

impl Connection for Stream {
    /// Reports no addresses, which nothing reads, and no protocol: without HTTP/2 the connector offers none by ALPN, and with HTTP/2 the
    /// pool uses nothing else.
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    #[inline]
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            self.give_ahead(&mut buf);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        time::sleep,
    };

    use super::*;

    #[tokio::test]
    async fn what_a_server_says_first_is_read_later_where_it_may_and_ends_the_connection_where_not() {
        for server_speaks_first in [true, false] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut server, _) = listener.accept().await.unwrap();
            let mut stream = Stream::new(MaybeHttpsStream::Http(TokioIo::new(client)), server_speaks_first);
            assert!(poll_fn(|cx| Poll::Ready(stream.is_quiet(cx))).await);
            server.write_all(b"settings").await.unwrap();
            sleep(Duration::from_millis(20)).await;
            assert_eq!(poll_fn(|cx| Poll::Ready(stream.is_quiet(cx))).await, server_speaks_first);
            if server_speaks_first {
                server.write_all(b" and more").await.unwrap();
                drop(server);
                let mut text = String::new();
                TokioIo::new(stream).read_to_string(&mut text).await.unwrap();
                assert_eq!(text, "settings and more");
            }
        }
    }
}
