//! A simulated JPush: the test controls each connection byte by byte, and everything is recorded.

use std::{
    error::Error,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream},
    net::TcpListener,
    task::JoinHandle,
};
use tower_jverify::{CallError, Check, Credentials, ExId, JPush, JPushBuilder, Phone};

pub(crate) const APP_KEY: &str = "7d431e42dfa6a6d693ac2d04";
pub(crate) const MASTER_SECRET: &str = "5e987ac6d2e04d95a9d8f0d1";
pub(crate) const TOKEN: &str = "STsid0000001542695429579Ob28vB7b0cYTI9w0GGZrv8ujUu05qZvw";
pub(crate) const PHONE: &str = "15813554612";
pub(crate) const PASS: &str = r#"{"id":117270465679982592,"code":9000,"content":"verify consistent","exID":"1234566","score":0,"riskCheck":{"code":0,"content":"success","score":0,"tags":[],"detail":{}}}"#;

/// The reference document's question.
pub(crate) fn number() -> Check {
    Check::number(TOKEN, Phone::parse(PHONE).unwrap()).with_ex_id(ExId::parse("1234566").unwrap())
}

pub(crate) fn credentials() -> Credentials {
    Credentials::new(APP_KEY, MASTER_SECRET).unwrap()
}

/// A client with timeouts fit for a test.
pub(crate) fn client(base_url: &str) -> JPushBuilder {
    JPush::builder(credentials())
        .base_url(base_url)
        .connect_timeout(Duration::from_millis(400))
        .call_timeout(Duration::from_millis(1500))
}

/// A whole HTTP/1.1 response that keeps the connection.
pub(crate) fn http(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// Nothing of the check, the credentials or the vendor's words is in an error, however it is looked at.
pub(crate) fn assert_silent(error: &CallError) {
    let mut shown = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(inner) = source {
        shown = format!("{shown} {inner} {inner:?}");
        source = inner.source();
    }
    let basic = "N2Q0MzFlNDJkZmE2YTZkNjkzYWMyZDA0OjVlOTg3YWM2ZDJlMDRkOTVhOWQ4ZjBkMQ";
    for canary in [APP_KEY, MASTER_SECRET, TOKEN, PHONE, basic, "vendor's words"] {
        assert!(!shown.contains(canary), "{canary} in {shown}");
    }
}

/// What reached the server.
#[derive(Default)]
struct Seen {
    connections: usize,
    requests: Vec<String>,
    raw: Vec<u8>,
}

/// One connection, seen from the server.
pub(crate) struct Conn<S = DuplexStream> {
    stream: S,
    /// 0 for the first connection.
    pub(crate) number: usize,
    seen: Arc<Mutex<Seen>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conn<S> {
    /// A complete request, head and body, written down; `None` when the client left before.
    pub(crate) async fn request(&mut self) -> Option<String> {
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head
                    .lines()
                    .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
                if body.len() >= length.unwrap_or(0) {
                    self.seen.lock().unwrap().requests.push(text.clone());
                    return Some(text);
                }
            }
            if self.stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// Whether all of it could be written.
    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok() && self.stream.flush().await.is_ok()
    }

    /// As `write`, but TLS puts each piece into a separate record and sends the records together.
    pub(crate) async fn write_in_records<const N: usize>(&mut self, pieces: [&str; N]) -> bool {
        for piece in pieces {
            if self.stream.write_all(piece.as_bytes()).await.is_err() {
                return false;
            }
        }
        self.stream.flush().await.is_ok()
    }

    /// The same connection inside of something, such as TLS; `None` when that does not come about.
    pub(crate) async fn wrap<N, F: Future<Output = io::Result<N>>>(self, wrap: impl FnOnce(S) -> F) -> Option<Conn<N>> {
        Some(Conn { stream: wrap(self.stream).await.ok()?, number: self.number, seen: self.seen })
    }

    pub(crate) fn into_inner(self) -> S {
        self.stream
    }
}

/// A server on a loopback port, gone with this value.
pub(crate) struct Server {
    addr: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Runs `behave` for each connection; the connection closes when it returns.
    pub(crate) async fn start<F>(behave: impl Fn(Conn) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let written = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok((mut tcp, _)) = listener.accept().await {
                let number = written.lock().unwrap().connections;
                written.lock().unwrap().connections += 1;
                let (inside, mut outside) = tokio::io::duplex(1024 * 1024);
                tokio::spawn(behave(Conn { stream: inside, number, seen: Arc::clone(&written) }));
                let tap = Arc::clone(&written);
                // The tap: what the client sends is kept as it came, encrypted or not.
                tokio::spawn(async move {
                    let (mut up, mut down) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
                    loop {
                        tokio::select! {
                            read = tcp.read(&mut up) => match read {
                                Ok(1..) if outside.write_all(&up[..*read.as_ref().unwrap()]).await.is_ok() => {
                                    tap.lock().unwrap().raw.extend_from_slice(&up[..read.unwrap()]);
                                }
                                _ => break,
                            },
                            read = outside.read(&mut down) => match read {
                                Ok(length @ 1..) if tcp.write_all(&down[..length]).await.is_ok() => {}
                                _ => break,
                            },
                        }
                    }
                });
            }
        });
        Self { addr, seen, task }
    }

    /// Answers every request of every connection with the same bytes.
    pub(crate) async fn answering(response: impl Into<String>) -> Self {
        let response = response.into();
        Self::start(move |mut conn| {
            let response = response.clone();
            async move {
                while conn.request().await.is_some() {
                    if !conn.write(&response).await {
                        return;
                    }
                }
            }
        })
        .await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(crate) fn port(&self) -> u16 {
        self.addr.port()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    /// The complete requests.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().requests.clone()
    }

    /// Every byte that clients sent.
    pub(crate) fn raw(&self) -> Vec<u8> {
        self.seen.lock().unwrap().raw.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
