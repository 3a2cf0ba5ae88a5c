//! The client: one check is one call. A call that was never sent is repeated at most once.

use std::{
    fmt,
    future::poll_fn,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderName, Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower::util::ServiceExt as _;
use tower_service::Service;

use super::{
    BoxError,
    advice::advised,
    changing::Kept,
    collect::collect,
    dial::Dial,
    errors::{self, BadReply},
    one_tap::{self, OneTapKey},
    proof_bytes::ProofBytes,
    reply::{Judged, judge},
    request::Endpoints,
    transport::Https,
};
use crate::{
    call_error::CallError,
    check::{Check, Question},
    check_kind::CheckKind,
    error::ConfigError,
    ex_id::ExId,
    verdict::{Class, Verdict},
};

const MASTER_SECRET: &str = "the closure of `Credentials::from_fn` panicked, or returned an unusable master secret";

/// The header that marks the sandbox's replies. It is compared with the few names of a reply, because a lookup would hash it.
static SANDBOX_MARK: HeaderName = HeaderName::from_static("x-jverify-sandbox-reply");

/// The JPush client, a verifier. Cheap to clone; clones share connections and settings.
///
/// As a service it limits only the time to connect: under the layer, the layer's deadline applies; without the layer, call
/// [`JPush::ask`]. `T` is the transport, any `Service<http::Request<Full<Bytes>>>`.
///
/// JPush receives a check at most once. Only a failed dial is repeated, once. A stream that the server refuses over HTTP/2 is an
/// error and is not repeated.
///
/// ```no_run
/// use tower_jverify::{Check, Credentials, JPush, Phone};
///
/// # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
/// let jpush = JPush::builder(Credentials::from_env()?).build()?;
/// let phone: Phone = "13800000000".parse()?;
/// let verdict = jpush.ask(Check::number("the token of the client's SDK", phone)).await?;
/// println!("{}", verdict.class());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct JPush<T = Https> {
    shared: Arc<Shared>,
    transport: T,
}

/// The future of a check.
#[must_use = "futures do nothing unless polled"]
pub struct AskFuture(Pin<Box<dyn Future<Output = Result<Verdict, CallError>> + Send>>);

/// The state that all clones share.
pub(super) struct Shared {
    pub(super) account: Box<str>,
    pub(super) endpoints: Endpoints,
    pub(super) one_tap_key: Option<Kept<Arc<OneTapKey>>>,
    pub(super) call_timeout: Duration,
    pub(super) proof_bytes: ProofBytes,
    pub(super) requires_ex_id: bool,
    /// The connections of the default transport.
    pub(super) dial: Option<Dial>,
}

// === impl JPush ===

impl<T> JPush<T> {
    pub(super) fn new(shared: Shared, transport: T) -> Self {
        Self { shared: Arc::new(shared), transport }
    }

    /// Replaces the transport with the value that `map` returns, such as the same transport with a limit or a trace. All settings
    /// stay.
    ///
    /// **Danger:** the new transport must not repeat a request: a check that was sent may have spent its token.
    ///
    /// ```
    /// use tower::limit::ConcurrencyLimit;
    /// use tower_jverify::{Credentials, JPush};
    ///
    /// # fn main() -> Result<(), tower_jverify::ConfigError> {
    /// let jpush = JPush::builder(Credentials::new("app key", "master secret")?).build()?;
    /// let limited = jpush.map_transport(|https| ConcurrencyLimit::new(https, 64));
    /// # let _ = limited;
    /// # Ok(())
    /// # }
    /// ```
    pub fn map_transport<U>(self, map: impl FnOnce(T) -> U) -> JPush<U> {
        JPush { shared: self.shared, transport: map(self.transport) }
    }

    /// Returns the account that this client spends from: a hash of the host and the application key, in hexadecimal. It is the same
    /// for every client of one host and key, and reveals neither.
    ///
    /// Pass it to [`JVerifyBuilder::account`](crate::JVerifyBuilder::account) if Tower layers wrap the client, or if several layers
    /// spend from one account:
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use tower::ServiceBuilder;
    /// use tower_jverify::{Credentials, JPush, JVerifyLayer, Rule, number};
    ///
    /// # fn main() -> Result<(), tower_jverify::ConfigError> {
    /// let jpush = JPush::builder(Credentials::new("app key", "master secret")?).build()?;
    /// let account = jpush.account().to_owned();
    /// let limited = ServiceBuilder::new().load_shed().timeout(Duration::from_secs(3)).service(jpush);
    /// let layer = JVerifyLayer::builder(limited).account(account).rule(Rule::post("/login", number())).build()?;
    /// # let _ = layer;
    /// # Ok(())
    /// # }
    /// ```
    pub fn account(&self) -> &str {
        &self.shared.account
    }

    /// Dials JPush before the first check, and initialises the random number generator of the crypto library, which takes a while
    /// once in each process. Call it when the application starts, on its Tokio runtime.
    ///
    /// Nothing is sent over the connection, so nothing is billed. The next check uses it, within
    /// [`JPushBuilder::idle_timeout`](super::JPushBuilder::idle_timeout). After that time it is closed, unless
    /// [`JPushBuilder::keep_warm`](super::JPushBuilder::keep_warm) is set. If a connection is ready, or the transport is not
    /// [`Https`], nothing is dialled.
    ///
    /// # Errors
    ///
    /// If the dial fails, with the error of a check ([`CallError::is_connect`]). The application may start nevertheless: the next
    /// check dials again.
    ///
    /// ```no_run
    /// use tower_jverify::{Credentials, JPush};
    ///
    /// # async fn start() -> Result<(), tower_jverify::ConfigError> {
    /// let jpush = JPush::builder(Credentials::from_env()?).keep_warm().build()?;
    /// if let Err(error) = jpush.warm().await {
    ///     eprintln!("JPush cannot be reached: {error}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn warm(&self) -> impl Future<Output = Result<(), CallError>> + Send + use<T> {
        let dial = self.shared.dial.clone();
        async move {
            // If this fails, every call that needs randomness returns an error.
            let _ = aws_lc_rs::rand::fill(&mut [0; 32]);
            match dial {
                Some(dial) => dial.warm().await.map_err(errors::unconnected),
                None => Ok(()),
            }
        }
    }

    /// Sends one check, within [`JPushBuilder::call_timeout`](super::JPushBuilder::call_timeout). Requires a Tokio runtime with time
    /// enabled.
    ///
    /// # Errors
    ///
    /// If no readable answer arrives. JPush may have received the check: see [`CallError::nothing_sent`].
    pub fn ask(&self, check: Check) -> impl Future<Output = Result<Verdict, CallError>> + use<T>
    where
        Self: Service<Check, Response = Verdict, Error = CallError> + Clone,
    {
        let (client, limit) = (self.clone(), self.shared.call_timeout);
        async move {
            let answer = tokio::time::timeout(limit, client.oneshot(check));
            answer.await.unwrap_or_else(|_| Err(CallError::timeout()))
        }
    }
}

impl<T, B> Service<Check> for JPush<T>
where
    T: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + 'static,
    T::Error: Into<BoxError>,
    T::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Verdict;
    type Error = CallError;
    type Future = AskFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        self.transport.poll_ready(cx).map_err(|error| errors::not_ready(error.into()))
    }

    fn call(&mut self, check: Check) -> AskFuture {
        if let Some(verdict) = self.shared.refuse(&check) {
            return AskFuture(Box::pin(std::future::ready(Ok(verdict))));
        }
        let check = match check.ex_id() {
            // Without an `exID` its reply could not be identified.
            None if self.shared.requires_ex_id => check.with_ex_id(ExId::generate()),
            _ => check,
        };
        // Takes the transport that is ready, and keeps its clone, which is not.
        let clone = self.transport.clone();
        let transport = mem::replace(&mut self.transport, clone);
        // Made inside of its box: `Box::pin` would copy it.
        let place = Box::new_uninit();
        let asking = Box::write(place, ask(Arc::clone(&self.shared), transport, check));
        AskFuture(Box::into_pin(asking))
    }
}

/// Sends a check over a transport that is ready.
async fn ask<T, B>(shared: Arc<Shared>, mut transport: T, check: Check) -> Result<Verdict, CallError>
where
    T: Service<Request<Full<Bytes>>, Response = Response<B>>,
    T::Error: Into<BoxError>,
    B: Body,
    B::Error: Into<BoxError>,
{
    // Before the call, so that no token is spent on an answer that cannot be read.
    let Ok(key) = shared.key_for(&check) else { return Ok(one_tap::unusable(misconfigured(&check))) };
    let Ok(request) = shared.endpoints.request(&check) else {
        return Ok(misconfigured(&check).with_advice(MASTER_SECRET).unanswered(
            "no usable master secret".into(),
            true,
            false,
        ));
    };
    let first = transport.call(request).await.map_err(|error| errors::transport(error.into()));
    let reply = match first {
        // The order matters: a transport that was never ready is broken, and dialling again does not repair it. The
        // same holds if this process lacks what a dial needs.
        Err(error) if error.is_connect() && error.nothing_sent() && !error.is_exhausted() => {
            poll_fn(|cx| transport.poll_ready(cx)).await.map_err(|error| errors::not_ready(error.into()))?;
            let Ok(request) = shared.endpoints.request(&check) else {
                return Ok(misconfigured(&check).with_advice(MASTER_SECRET).unanswered(
                    "no usable master secret".into(),
                    true,
                    false,
                ));
            };
            let second = transport.call(request).await;
            second.map_err(|error| errors::transport(error.into()))?
        }
        first => first?,
    };
    let (head, body) = reply.into_parts();
    let body = collect(body).await?;
    let bad = |problem| errors::bad_reply(problem, head.status, &body);
    let judged = judge(&check, head.status, &body, key.as_deref()).map_err(bad)?;
    let Judged { verdict, repeats_ex_id } = judged;
    let is_pass = verdict.class().is_pass();
    if check.ex_id().is_some() {
        shared.endpoints.of(&check).note(repeats_ex_id, is_pass);
    }
    if is_pass && shared.requires_ex_id && !repeats_ex_id {
        return Err(bad(BadReply::WithoutExId));
    }
    let verdict = if is_pass { verdict } else { advised(verdict) };
    Ok(match head.headers.iter().find(|(name, _)| **name == SANDBOX_MARK) {
        None => verdict,
        Some((_, mark)) if mark == "once" => verdict.with_sandbox_once_mark(),
        Some(_) => verdict.with_sandbox_mark(),
    })
}

/// The verdict on a check for which the application has no usable secret: nothing was sent.
fn misconfigured(check: &Check) -> Verdict {
    Verdict::new(check.kind(), Class::Misconfigured).unanswered("no usable secret".into(), true, false)
}

// === impl Shared ===

impl Shared {
    /// The key that opens the answer to a check, if it needs one.
    fn key_for(&self, check: &Check) -> Result<Option<Arc<OneTapKey>>, ConfigError> {
        match &self.one_tap_key {
            Some(key) if check.kind() == CheckKind::OneTap => key.get().map(Some),
            _ => Ok(None),
        }
    }

    /// The verdict on a check that is known without a call to JPush.
    fn refuse(&self, check: &Check) -> Option<Verdict> {
        let proof = match check.question() {
            Question::Number { token, .. } => token,
            Question::Captcha { content } => content,
            Question::OneTap { login_token } => login_token,
            Question::Risk { .. } => return None,
        };
        if !self.proof_bytes.take(proof.expose()) {
            let invalid = Verdict::new(check.kind(), Class::Invalid);
            return Some(invalid.unanswered("a proof that no SDK makes".into(), true, false));
        }
        // Its answer could not be read, so it is not sent.
        let is_keyless = check.kind() == CheckKind::OneTap && self.one_tap_key.is_none();
        is_keyless.then(|| one_tap::keyless(misconfigured(check)))
    }
}

impl<T> fmt::Debug for JPush<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JPush").field("call_timeout", &self.shared.call_timeout).finish_non_exhaustive()
    }
}

// === impl AskFuture ===

impl Future for AskFuture {
    type Output = Result<Verdict, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for AskFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskFuture").finish_non_exhaustive()
    }
}
