//! The whole JPush verification API as an in-process transport, for examples and tests without network or account.
//!
//! A login that needs a SIM card, a paid account and a token that is valid for one minute cannot be tried at a desk or
//! tested in CI. The sandbox answers instead of the vendor: it is an HTTP transport (`tower::Service` of HTTP requests)
//! with separate wire types, and the real client uses it exactly like JPush. The proof itself selects the answer, like the
//! test cards of payment providers. Only code that names the sandbox can start
//! it, and every reply carries a header by which the client marks the verdict.
//!
//! ```
//! use http_body_util::{BodyExt, Full};
//! use tower::ServiceExt;
//! use tower_jverify::Sandbox;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sandbox = Sandbox::new();
//! let request = http::Request::post("https://api.verification.jpush.cn/v2/web/verify")
//!     .header("authorization", "Basic YXBwS2V5Om1hc3RlclNlY3JldA==")
//!     .header("content-type", "application/json")
//!     .body(Full::from(r#"{"token":"sandbox-9000-risk-600","phone":"13800000000","exID":"try-1"}"#))?;
//!
//! let reply = sandbox.clone().oneshot(request).await?.into_body().collect().await?.to_bytes();
//! let reply: serde_json::Value = serde_json::from_slice(&reply)?;
//! assert_eq!(reply["code"], 9000);
//! assert_eq!(reply["riskCheck"]["score"], 600);
//! assert_eq!(sandbox.calls()[0].ex_id(), Some("try-1"));
//! # Ok(())
//! # }
//! ```
//!
//! # Magic proofs
//!
//! `sandbox-` `[flags-]` `meaning` `[#label]`. A proof can be used repeatedly unless it is flagged `once`; a `#label` makes
//! different proofs with the same meaning (`sandbox-once-9000#a`, `sandbox-once-9000#b`).
//!
//! | `token` of a number check | answer |
//! |---|---|
//! | `sandbox-9000` | passes for every phone, risk 0 |
//! | `sandbox-for-13800000000` | passes for that phone; 9001 for every other |
//! | `sandbox-9005`, `sandbox-<code>` | any code: `sandbox--1`, `sandbox-6000` |
//! | `…-risk-600` after any of these | `riskCheck` with that score, also outside of 0 to 900 |
//! | `…-risk-300-tags-F24004-F24005` | the same with tags |
//! | `…-risk-unknown` | `riskCheck.code` is not 0 (and its score is, which means nothing) |
//! | `…-risk-absent` | no score and no `riskCheck` |
//! | `…-score-600` | only the old top-level `score` |
//!
//! | `captchaContent` | answer |
//! |---|---|
//! | `sandbox-pass` | 6000, `success`, without a scene |
//! | `sandbox-pass-scene-注册` | the same for that scene; in JSON also `sandbox-pass-scene-\u6ce8\u518c` |
//! | `sandbox-pass-type-click-ip-198.51.100.7-scene-注册` | the same for that `used_type` and `user_ip`, each of which may be absent: `slide` and `203.0.113.7` |
//! | `sandbox-pass-bare` | 6000, `success`, without `captchaArgs` |
//! | `sandbox-fail` | 6000, `fail` and a reason |
//! | `sandbox-result-<text>` | 6000 and any `result` |
//! | `sandbox-6000` | 6000 and no `result`: not a pass |
//! | `sandbox-<code>` | that code |
//!
//! | `loginToken` of a one-tap login | answer |
//! |---|---|
//! | `sandbox-8000-13800000000` | that phone, encrypted for `Sandbox::one_tap_key_pem`; `-risk-…` may follow |
//! | `sandbox-<code>` | that code; 8000 without a phone when it is 8000 |
//!
//! | last three digits of the `phone` of a risk query | answer |
//! |---|---|
//! | `000` to `900`, as in `13800000600` | 0 and that score; from 300 on with the tag `F24004` |
//! | `901` to `998` | 0 and that score, which is out of range |
//! | `999` | 9099: the query fails |
//!
//! | flag | what it does |
//! |---|---|
//! | `once` | spent by its first use; then 9003, for captchas 7104 |
//! | `app`, `web` | only good at the app's or the H5 endpoint, 9020 at the other; captchas have one for both |
//! | `delay-1500` | answers after so many milliseconds |
//! | `hang`, `reset` | is decided (and spent), and then never answered, or the connection breaks |
//! | `html`, `truncated`, `redirect`, `status-500` | the answer comes so spoilt: see [`Fault`] |
//!
//! So `sandbox-once-web-delay-300-9000-risk-300#7` is a proof. Every other proof is unknown and answered like a forged one:
//! 9001, 6000 with `fail`, 8001. The examples in the vendor's documents (their token with 15813554612, their
//! `captchaContent`) are answered as documented there, any number of times.
//!
//! Many of these proofs contain bytes that a carrier's proofs never contain (`#`, spaces, `注册`), and that the client does
//! not send by default: `Sandbox::client` and `JPushBuilder::transport` with a sandbox allow them; for a sandbox behind an
//! HTTP server, set `JPushBuilder::proof_bytes`.
//!
//! # Where the vendor is silent
//!
//! The texts in `content` are the vendor's only for 9000, 9011, 6000 and 1802. Every answer with a code has status 200.
//! A malformed request is answered 9012, a request without a mandatory field 9013, for captchas both 1801; another path or
//! method is answered with an HTML page and 404. A request that is not `application/json`, or with a key twice, is
//! malformed.

mod answers;
mod endpoints;
mod fault;
mod ledger;
mod magic;
mod one_tap;
mod reference;
mod replies;
mod requests;
mod state;
mod transport;

#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use self::state::State;
pub use self::{
    fault::{Fault, SandboxFault},
    ledger::{Call, PhoneForm},
};
use crate::secret::Secret;

/// JPush's verification API in this process: a transport for the client, or a service for an HTTP server.
///
/// Clones are cheap and share everything: spent proofs, faults and recorded calls. The [module's documentation](self) lists
/// the proofs.
///
/// ```
/// use tower_jverify::{Check, Class, Phone, Sandbox};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sandbox = Sandbox::new();
/// let jpush = sandbox.client().build()?;
/// let verdict = jpush.ask(Check::number("sandbox-9000", Phone::parse("13800000000").unwrap())).await?;
/// assert_eq!(verdict.class(), Class::Passed);
/// assert_eq!(sandbox.calls().len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Sandbox {
    state: Arc<State>,
    credentials: Option<Arc<Expected>>,
}

/// The only accepted credentials.
struct Expected {
    app_key: Box<str>,
    master_secret: Secret,
}

// === impl Sandbox ===

impl Sandbox {
    /// Creates a sandbox that accepts every application key and master secret, if both are present.
    pub fn new() -> Self {
        Self::default()
    }

    /// Accepts only these credentials, in this handle and its later clones. Others are answered like by the vendor: 9011,
    /// for captchas 1802. Default: any.
    pub fn credentials(mut self, app_key: impl Into<Box<str>>, master_secret: impl Into<Secret>) -> Self {
        self.credentials = Some(Arc::new(Expected { app_key: app_key.into(), master_secret: master_secret.into() }));
        self
    }

    /// The only accepted application key and master secret, if they were set.
    pub(crate) fn expected(&self) -> Option<(&str, &Secret)> {
        self.credentials.as_deref().map(|expected| (&*expected.app_key, &expected.master_secret))
    }

    /// Applies a fault to every later request, until `fault(None)`. Default: none.
    pub fn fault(&self, fault: impl Into<Option<Fault>>) {
        self.state.faults.set(fault.into());
    }

    /// Applies a fault to the next `times` requests, instead of that of [`Sandbox::fault`]. Several calls are queued.
    pub fn fault_next(&self, times: usize, fault: &Fault) {
        self.state.faults.queue(times, fault);
    }

    /// The requests that arrived, in order, at most the last 10,000. A refused request did not arrive.
    pub fn calls(&self) -> Vec<Call> {
        self.state.ledger.calls()
    }

    /// As [`Sandbox::calls`], and clears the record.
    pub fn take_calls(&self) -> Vec<Call> {
        self.state.ledger.take_calls()
    }

    /// Returns the private key for one-tap logins (PKCS#8, PEM) that the client needs. It is generated once per process,
    /// which takes some tenths of a second, and all sandboxes share it.
    ///
    /// # Panics
    ///
    /// Panics if the operating system has no randomness.
    pub fn one_tap_key_pem() -> Secret {
        one_tap::key_pem()
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").finish_non_exhaustive()
    }
}
