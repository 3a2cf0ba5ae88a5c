//! Faults on demand.
//!
//! Whether a login is safe depends on the client's behaviour when the vendor is slow, broken or hidden by a captive portal.
//! These faults do not happen on demand, so the sandbox can simulate them.

use std::{
    collections::VecDeque,
    error::Error,
    fmt, future, io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

/// A fault of a request. Except for [`Fault::Refuse`], the request arrives and is decided first: its proof is spent, and
/// [`Sandbox::calls`](super::Sandbox::calls) contains it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// Answers correctly, but only after this time, by tokio's clock.
    Delay(Duration),
    /// Never answers.
    Hang,
    /// No connection: nothing was sent. The only fault after which a retry is safe.
    Refuse,
    /// The connection breaks after the request was sent.
    Reset,
    /// The right body with another status, such as a pass in a 500.
    Status(StatusCode),
    /// 200, `application/json`, and this body.
    Garbage(Bytes),
    /// 200 and an HTML page, like a captive portal or a proxy.
    Html,
    /// 302 to another host, around the right body.
    Redirect,
    /// The first half of the right body.
    Truncated,
}

/// Why the sandbox did not answer: the transport's error.
///
/// Its source is an [`io::Error`] of the kind that a real connection would give: `ConnectionRefused` when nothing was
/// sent, `ConnectionReset` when something may have been.
#[derive(Debug)]
pub struct SandboxFault {
    source: io::Error,
}

/// The fault of every request, and the queued faults of the next requests.
#[derive(Default)]
pub(super) struct Faults(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    standing: Option<Fault>,
    /// A fault, and the number of requests that it still applies to.
    next: VecDeque<(usize, Fault)>,
}

const HTML: &str = "<!DOCTYPE html><html><body><h1>Welcome to the airport</h1></body></html>";

// === impl Fault ===

impl Fault {
    /// Reads a flag of a magic proof: the fault, and the rest of the proof after the flag's dash.
    pub(super) fn read_flag(text: &str) -> Option<(Self, &str)> {
        let (word, rest) = text.split_once('-')?;
        Some(match word {
            "hang" => (Self::Hang, rest),
            "reset" => (Self::Reset, rest),
            "html" => (Self::Html, rest),
            "truncated" => (Self::Truncated, rest),
            "redirect" => (Self::Redirect, rest),
            "status" => {
                let (status, rest) = rest.split_once('-')?;
                (Self::Status(status.parse().ok()?), rest)
            }
            "delay" => {
                let (millis, rest) = rest.split_once('-')?;
                (Self::Delay(Duration::from_millis(millis.parse().ok()?)), rest)
            }
            _ => return None,
        })
    }

    /// Applies the fault to the right answer.
    pub(super) async fn spoil(self, mut right: Response<Bytes>) -> Result<Response<Bytes>, SandboxFault> {
        match self {
            Self::Delay(time) => tokio::time::sleep(time).await,
            Self::Hang => future::pending().await,
            Self::Refuse => return Err(SandboxFault::refused()),
            Self::Reset => return Err(SandboxFault::reset()),
            Self::Status(status) => *right.status_mut() = status,
            Self::Garbage(body) => {
                *right.status_mut() = StatusCode::OK;
                *right.body_mut() = body;
            }
            Self::Html => {
                *right.status_mut() = StatusCode::OK;
                right.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
                *right.body_mut() = Bytes::from_static(HTML.as_bytes());
            }
            Self::Redirect => {
                *right.status_mut() = StatusCode::FOUND;
                let elsewhere = HeaderValue::from_static("http://elsewhere.invalid/");
                right.headers_mut().insert(header::LOCATION, elsewhere);
            }
            Self::Truncated => {
                let half = right.body().len() / 2;
                right.body_mut().truncate(half);
            }
        }
        Ok(right)
    }
}

// === impl SandboxFault ===

impl SandboxFault {
    /// Nothing was sent.
    pub(super) fn refused() -> Self {
        Self { source: io::ErrorKind::ConnectionRefused.into() }
    }

    /// The request was sent, and its answer is lost.
    pub(super) fn reset() -> Self {
        Self { source: io::ErrorKind::ConnectionReset.into() }
    }

    /// The request's body failed.
    pub(super) fn body(cause: Box<dyn Error + Send + Sync>) -> Self {
        Self { source: io::Error::new(io::ErrorKind::ConnectionAborted, cause) }
    }

    /// Whether the request provably never left ([`Fault::Refuse`]), so that it may be sent again.
    pub fn nothing_sent(&self) -> bool {
        self.source.kind() == io::ErrorKind::ConnectionRefused
    }
}

impl fmt::Display for SandboxFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.source.kind() {
            io::ErrorKind::ConnectionRefused => "the sandbox refused the connection",
            io::ErrorKind::ConnectionReset => "the sandbox reset the connection",
            _ => "the request's body ended before it was complete",
        })
    }
}

impl Error for SandboxFault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

// === impl Faults ===

impl Faults {
    /// Sets or clears the fault of every request.
    pub(super) fn set(&self, fault: Option<Fault>) {
        self.lock().standing = fault;
    }

    /// Queues a fault for this number of requests.
    pub(super) fn queue(&self, times: usize, fault: &Fault) {
        if times > 0 {
            self.lock().next.push_back((times, fault.clone()));
        }
    }

    /// The fault of the current request.
    pub(super) fn take(&self) -> Option<Fault> {
        let mut waiting = self.lock();
        let Some((left, fault)) = waiting.next.front_mut() else { return waiting.standing.clone() };
        if *left > 1 {
            *left -= 1;
            return Some(fault.clone());
        }
        waiting.next.pop_front().map(|(_, fault)| fault)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
