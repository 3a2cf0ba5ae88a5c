//! The layer: a guarded application, as a Tower service.
//!
//! This module runs the stages that the lower modules implement. A request that no rule matches loses its
//! forged headers and goes straight to the inner service. A guarded request goes through rule → proof → check → verdict →
//! decision, and then to the inner service, or is answered with a denial.
//!
//! # Readiness
//!
//! While a check runs, the layer does not hold the inner service: a slow verifier must not take the application's
//! concurrency slots, and a denied request never takes one. So [`JVerify`] is always ready, like axum's `Router`, and
//! drives a clone of the inner service to readiness inside the future: at once for an unmatched request, after the decision
//! for a guarded one. Therefore put load shedding and limits for the application *inside* of this layer.
//!
//! # Clients that leave
//!
//! A check that has started is completed even if its client has left: it is billed, and the verifier works on it. If the
//! server drops a request while a check is in flight, a task on the runtime of the request finishes the check, and keeps
//! its place in the bulkhead (`in_flight`) until the verifier has answered or the `deadline` has passed. The
//! request's next check is not started. The task writes the event `abandoned`. The same happens if the deadline of a gRPC
//! client (`grpc-timeout`) passes during a check. Tasks end with their runtime: see [`JVerifyLayer::drained`].
//!
//! # Checks on demand
//!
//! A rule with [`on_demand`](crate::Rule::on_demand) passes the request on before its checks, and the application starts
//! them with [`Prove::now`]. The checks run in a task that ends when all clones of [`Prove`] have been dropped; a check
//! that has started is then completed as above. [`JVerifyLayer::drained`] also waits for these checks. While the handler
//! waits, it holds the application's slot.
//!
//! # One layer, mounted twice
//!
//! The same layer may wrap a router and a router that is nested in it. A request that passes both services is billed once:
//! the inner service reads it again, and uses the decision of the outer service if the rule is the same and all parts of
//! the checks are equal. The event is written once. If a middleware between the two has changed the proof, the inner
//! service runs its checks. Two layers that are built separately both run their checks, even if their rules are equal.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_jverify::{Check, Class, Decision, JVerifyLayer, RequestBody, Rule, Verdict, number};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! // Any service that answers checks is a verifier.
//! let verifier = service_fn(|check: Check| async move {
//!     Ok::<_, Infallible>(Verdict::new(check.kind(), Class::Passed))
//! });
//! let layer = JVerifyLayer::builder(verifier).rule(Rule::post("/login", number())).build().unwrap();
//!
//! let application = service_fn(|request: Request<RequestBody<Full<Bytes>>>| async move {
//!     let phone = request.extensions().get::<Decision>().and_then(Decision::phone);
//!     Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(format!("{phone:?}")))))
//! });
//! let service = ServiceBuilder::new().layer(layer).service(application);
//!
//! let login = Request::post("/login")
//!     .header("content-type", "application/json")
//!     .body(Full::from(r#"{"token":"t","phone":"13800000000"}"#))
//!     .unwrap();
//! assert_eq!(service.clone().oneshot(login).await.unwrap().status(), StatusCode::OK);
//!
//! let empty = Request::post("/LOGIN/").body(Full::default()).unwrap();
//! assert_eq!(service.oneshot(empty).await.unwrap().status(), StatusCode::BAD_REQUEST);
//! # });
//! ```

mod after;
#[cfg(feature = "axum")]
mod around;
mod bodiless;
mod builder;
mod current;
mod enforce;
#[cfg(feature = "axum")]
mod extract;
mod flow;
mod future;
mod head;
mod later;
mod passes;
mod prove;
mod report;
mod service;
mod shadow;
mod shared;
mod source;
mod unused;

use std::{error::Error, fmt, sync::Arc};

use tower_layer::Layer;
use tower_service::Service;

use self::current::Current;
#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub use self::{
    around::{Around, AroundFuture},
    extract::{ProveRejection, VerifiedRejection},
};
pub use self::{builder::JVerifyBuilder, future::ResponseFuture, prove::Prove, service::JVerify};
use crate::{check::Check, verdict::Verdict};

/// Guards the services it wraps: see [`JVerifyLayer::builder`].
///
/// Clones share everything: bulkhead, budget and counters belong to the layer, no matter how many services it wraps (axum
/// wraps one for every route).
///
/// ```
/// use tower_jverify::{JVerifyLayer, Rule, number};
/// # use tower_jverify::{Check, Class, Verdict};
/// # let verifier = tower::service_fn(|check: Check| async move {
/// #     Ok::<_, std::convert::Infallible>(Verdict::new(check.kind(), Class::Passed))
/// # });
/// let layer = JVerifyLayer::builder(verifier).rule(Rule::post("/login", number())).build()?;
/// assert_eq!(layer.unused_rules(), ["POST /login"]);
/// # Ok::<_, tower_jverify::ConfigError>(())
/// ```
pub struct JVerifyLayer<V> {
    current: Arc<Current<V>>,
}

// === impl JVerifyLayer ===

impl<V> JVerifyLayer<V> {
    /// Returns a builder with this verifier: [`JPush`](crate::JPush), or any `tower::Service<Check, Response = Verdict>`.
    ///
    /// A [`CallError`](crate::CallError), also among the error's sources, reports why a check has no answer; a policy can
    /// open only for an error that is itself a `CallError`. Tower's `Timeout` counts as
    /// [`Class::Unavailable`](crate::Class), and Tower's `LoadShed` and errors such as `EMFILE` among the sources count as
    /// overload. Every other error is [`Class::Unknown`](crate::Class): it is answered 503, and no policy opens for it.
    ///
    /// The compiler refuses a type that cannot answer checks:
    ///
    /// ```compile_fail,E0277
    /// // The client has not been built.
    /// let jpush = tower::service_fn(|text: String| async move { Ok::<_, std::convert::Infallible>(text) });
    /// let builder = tower_jverify::JVerifyLayer::builder(jpush);
    /// ```
    pub fn builder(verifier: V) -> JVerifyBuilder<V>
    where
        V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
        V::Error: Into<Box<dyn Error + Send + Sync>>,
        V::Future: Send,
    {
        JVerifyBuilder::new(verifier)
    }

    /// Returns the names of the rules that no request has matched since the layer was built, as in `POST /login`. A rule
    /// that is still listed after a day of traffic is misspelt, guards a path that no longer exists, or is inside a nested
    /// router whose prefix the layer does not see.
    ///
    /// Each such rule is also an event at WARN: once, with the first guarded request that arrives a day or more after the
    /// rule was first built, and when the last clone of the layer and of its services is dropped, if the layer wrapped a
    /// service.
    pub fn unused_rules(&self) -> Vec<String> {
        self.current.now().routes.unmatched().map(ToOwned::to_owned).collect()
    }

    /// Replaces the rules, the settings and the verifier by those of `new`, in all services of this layer and its clones. A request
    /// that arrives after this has returned uses the new rules. A request that has started keeps the old rules, even while
    /// it waits for its body or for the verifier. No request uses a mixture of the two.
    ///
    /// All settings of `new` apply, including `header_prefix`, `foreign_backend` and `account`. Build it with a clone of
    /// the same client, unless you want another one: connections belong to the client, and an old client is dropped with
    /// the last request that uses it. `new` is not changed, and `build()` has already refused invalid settings.
    ///
    /// A reload keeps:
    ///
    /// - The [`Guards`](crate::Guards) of the layer, unless `new` sets others: claims, limits, breakers, the rate limits of alarms, and the next two.
    /// - Checks in flight. They count in the layer's `in_flight`, and in the `in_flight` of a rule that sets it before and
    ///   after under the same name. A smaller limit applies at once: no check starts until fewer are in flight.
    /// - Bodies in memory. They count in `buffered` if its value is unchanged, and no longer count if it has changed.
    /// - [`JVerifyLayer::unused_rules`]: a rule with the same name keeps its mark.
    /// - [`JVerifyLayer::drained`] waits for the abandoned checks of old rules too.
    ///
    /// If the layer is mounted twice, the checks of a request between its two services during a reload run again: the inner
    /// service does not use a decision by old rules, and a token that works only once is then refused.
    ///
    /// Until the first reload an unmatched request pays one atomic load and a reference count for this, and afterwards
    /// about sixty more instructions. The log contains the new rules as after `build()`.
    ///
    /// ```
    /// use tower_jverify::{ConfigError, JVerifyLayer, Rule, number};
    /// # use tower_jverify::{Check, Class, Verdict};
    /// # let verifier = tower::service_fn(|check: Check| async move {
    /// #     Ok::<_, std::convert::Infallible>(Verdict::new(check.kind(), Class::Passed))
    /// # });
    /// let layer = JVerifyLayer::builder(verifier.clone()).rule(Rule::post("/login", number())).build()?;
    ///
    /// // Later: the configuration has changed.
    /// let rules = [Rule::post("/login", number().with_risk()), Rule::post("/register", number())];
    /// layer.reload(JVerifyLayer::builder(verifier).rules(rules).build()?);
    /// assert_eq!(layer.unused_rules(), ["POST /login", "POST /register"]);
    /// # Ok::<_, ConfigError>(())
    /// ```
    #[allow(clippy::needless_pass_by_value, reason = "a layer that takes the place of another is given away")]
    pub fn reload(&self, new: Self)
    where
        V: Clone,
    {
        let new = new.current.now();
        let [old, newest] = self.current.replace(|now| now.reloaded(&new));
        newest.log_reload(&old);
    }

    /// Waits until no abandoned check and no check of an `on_demand` rule is running, and no claim is being released in Redis. Returns at
    /// once if there is none. Call it in a shutdown, after the server has closed its connections and before the runtime ends, which would
    /// end these checks and lose their events.
    ///
    /// It does not wait for a check whose client is still connected, unless the client leaves before this returns. It may
    /// be awaited on any runtime, any number of times.
    ///
    /// ```no_run
    /// # async fn serve() {}
    /// # async fn shut_down<V>(layer: tower_jverify::JVerifyLayer<V>) {
    /// serve().await;
    /// // At most the rules' longest `deadline`, and that of Redis.
    /// layer.drained().await;
    /// # }
    /// ```
    pub async fn drained(&self) {
        self.current.now().judge.drained().await;
    }
}

impl<V> Clone for JVerifyLayer<V> {
    fn clone(&self) -> Self {
        Self { current: Arc::clone(&self.current) }
    }
}

impl<V> fmt::Debug for JVerifyLayer<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JVerifyLayer").field("accounts", &self.current.now().routes.accounts()).finish_non_exhaustive()
    }
}

impl<S, V> Layer<S> for JVerifyLayer<V> {
    type Service = JVerify<S, V>;

    fn layer(&self, inner: S) -> Self::Service {
        self.current.now().mount();
        JVerify::new(inner, Arc::clone(&self.current))
    }
}
