//! The handle with which an application starts the checks of a request, for rules with `on_demand`.

use std::{
    fmt,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};

use http::{Extensions, Request, request::Parts};
use tokio::{runtime::Handle, sync::watch};

use super::report::report;
use crate::{
    check_kind::CheckKind,
    decision::{Decision, Verified},
    denial::{self, Audience, Denial, DenialReason, IssuedPass, Refusal},
    judge::{Abandoned, Evidence},
    log::CurrentSpan,
    observe::{Observers, Outcome},
    phone::Phone,
    rule::RuleState,
    verdict::{Class, Verdict},
};

/// The checks of a request that its handler starts: see [`Rule::on_demand`](crate::Rule::on_demand). A request extension,
/// and under the feature `axum` an extractor.
///
/// **The request is not verified before [`Prove::now`] has returned `Ok`.**
///
/// The layer has read and validated the proof; a request without one does not reach the handler. Clones share one answer:
/// the first call runs the checks, and every call returns their answer. If all clones are dropped without a call, the event
/// `not_asked` is written at WARN.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use tower_jverify::Prove;
///
/// # async fn password_is_right<B>(_: &Request<B>) -> bool { true }
/// /// The handler of a rule with `on_demand`, without axum.
/// async fn login<B>(request: Request<B>) -> Response<Bytes> {
///     let Some(prove) = request.extensions().get::<Prove>().cloned() else {
///         return Response::builder().status(500).body(Bytes::new()).unwrap_or_default();
///     };
///     if !password_is_right(&request).await {
///         return Response::builder().status(401).body(Bytes::new()).unwrap_or_default(); // the verifier has not been asked
///     }
///     match prove.now().await {
///         Ok(verified) => Response::new(format!("welcome, {:?}", verified.phone()).into()),
///         Err(denial) => denial.into(),
///     }
/// }
/// # let _ = login::<Bytes>;
/// ```
#[derive(Clone)]
pub struct Prove {
    /// Of the innermost layer with waiting checks.
    asking: Arc<Asking>,
    /// Of the layers outside of it, the outermost first.
    outer: Vec<Arc<Asking>>,
    /// The decision of other layers, outside and inside, about the request.
    decided: Option<Decision>,
}

/// The result of the checks of one layer.
pub(super) type Answer = Result<Decision, Denial>;

/// The checks of one layer, shared by all clones.
struct Asking {
    recipient: Arc<Recipient>,
    /// Set until the checks start.
    unasked: Mutex<Option<(Unasked, watch::Sender<Option<Answer>>)>>,
    answer: watch::Receiver<Option<Answer>>,
}

/// The request that is answered, and the format of the answer.
pub(super) struct Recipient {
    /// The rule's name.
    pub(super) rule: Arc<str>,
    pub(super) answers: Arc<denial::Settings>,
    /// Without the headers under our prefix.
    pub(super) head: Parts,
    pub(super) grpc_answers: bool,
}

/// Checks that have not started.
pub(super) struct Unasked {
    /// Runs the checks when polled.
    pub(super) judging: Pin<Box<dyn Future<Output = Answer> + Send>>,
    pub(super) rule: Arc<RuleState>,
    pub(super) observers: Arc<Observers>,
    pub(super) abandoned: Arc<Abandoned>,
    pub(super) evidence: Evidence,
}

// === impl Prove ===

impl Prove {
    /// Adds waiting checks to a request. Its decisions so far are from other layers.
    pub(super) fn hand_on(extensions: &mut Extensions, recipient: Arc<Recipient>, unasked: Unasked) {
        let asking = Arc::new(Asking::waiting(recipient, unasked));
        let prove = match extensions.remove::<Self>() {
            Some(Self { asking: last, mut outer, decided }) => {
                outer.push(last);
                Self { asking, outer, decided }
            }
            None => Self { asking, outer: Vec::new(), decided: extensions.get::<Decision>().cloned() },
        };
        extensions.insert(prove);
    }

    /// Adds the decision of an inner layer to waiting checks, whose result then includes it.
    #[cold]
    pub(super) fn take_in(extensions: &mut Extensions, decision: Decision) {
        if let Some(prove) = extensions.get_mut::<Self>() {
            prove.decided = Some(decision.within(prove.decided.as_ref()));
        }
    }

    /// Runs the checks, unless this or another clone has, and returns their answer. The rule's `deadline` starts with the
    /// first call, which also takes a place in the bulkhead (`in_flight`).
    ///
    /// The event, the policy and all limits apply as for other rules. The checks run in a task: if this future is dropped,
    /// another call returns their answer; if all clones are dropped, the running check is completed and no other starts.
    ///
    /// The decision includes the decisions of other layers that guard the request, and has the phone and the risk. The
    /// request's headers do not change: `x-jverify-decision` is still `not-asked`.
    ///
    /// # Errors
    ///
    /// Returns the denial. It converts into the layer's answer to the client: a problem document or a gRPC status, in the
    /// client's language, or the result of the rule's `respond`, which runs here. A request that passes by a fallback
    /// ([`Policy::on`](crate::Policy::on)) is also an error, because it is not verified: see [`Prove::decision`].
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub async fn now(&self) -> Result<Verified, Denial> {
        let decision = self.decision().await?;
        match Verified::of(decision.clone()) {
            Some(verified) => Ok(verified),
            None => Err(self.asking.recipient.deny_unverified(&decision).await),
        }
    }

    /// As [`Prove::now`], but also returns `Ok` if the request passes by a fallback ([`Policy::on`](crate::Policy::on)).
    ///
    /// **Danger:** the decision may be unverified. Check [`Decision::is_verified`].
    ///
    /// # Errors
    ///
    /// Returns the denial if the policy refuses.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub async fn decision(&self) -> Result<Decision, Denial> {
        let mut decided = self.decided.clone();
        let mut outer = self.outer.iter();
        while let Some(asking) = outer.next() {
            let decision = asking.answer().await.inspect_err(|_| {
                // The application has called. Layers inside of the refusing layer have nothing to report.
                outer.clone().chain([&self.asking]).for_each(|inner| inner.skip());
            })?;
            decided = Some(decision.within(decided.as_ref()));
        }
        Ok(self.asking.answer().await?.within(decided.as_ref()))
    }

    /// Creates checks with this answer, for a handler's unit test. No event is written.
    ///
    /// ```
    /// use tower_jverify::{Denial, DenialReason, Phone, Prove, Verified};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let phone = Phone::parse("13800000000").unwrap();
    /// let passes = Prove::for_test(Ok(Verified::for_test(phone)));
    /// assert_eq!(passes.now().await.unwrap().phone(), Some(phone));
    ///
    /// let fails = Prove::for_test(Err(Denial::for_test(DenialReason::CaptchaRequired)));
    /// assert_eq!(fails.now().await.unwrap_err().code(), "captcha_required");
    /// # });
    /// ```
    pub fn for_test(answer: Result<Verified, Denial>) -> Self {
        let (head, ()) = Request::new(()).into_parts();
        let recipient = Recipient { rule: "test".into(), answers: Arc::default(), head, grpc_answers: false };
        let (_, answer) = watch::channel(Some(answer.map(Verified::into_decision)));
        let asking = Asking { recipient: Arc::new(recipient), unasked: Mutex::new(None), answer };
        Self { asking: Arc::new(asking), outer: Vec::new(), decided: None }
    }
}

impl fmt::Debug for Prove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prove").field("rule", &self.asking.recipient.rule).finish_non_exhaustive()
    }
}

// === impl Asking ===

impl Asking {
    fn waiting(recipient: Arc<Recipient>, unasked: Unasked) -> Self {
        let (sender, answer) = watch::channel(None);
        Self { recipient, unasked: Mutex::new(Some((unasked, sender))), answer }
    }

    async fn answer(&self) -> Answer {
        self.begin();
        let mut answer = self.answer.clone();
        let answered = answer.wait_for(Option::is_some).await.ok().and_then(|answer| answer.clone());
        match answered {
            Some(answer) => answer,
            // The task has panicked, or its runtime has ended.
            None => Err(self.recipient.deny(&Refusal::new(DenialReason::Panicked), &[], None).await),
        }
    }

    /// Discards the checks without an event.
    fn skip(&self) {
        let unasked = self.unasked.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(unasked);
    }

    /// Starts the checks, once. After a panic here they have not started.
    fn begin(&self) {
        let mut unasked = self.unasked.lock().unwrap_or_else(PoisonError::into_inner);
        if unasked.is_some() {
            let runtime = Handle::current();
            if let Some((unasked, sender)) = unasked.take() {
                drop(runtime.spawn(CurrentSpan::get().around(unasked.ask(sender))));
            }
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let unasked = self.unasked.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((Unasked { rule, observers, evidence, .. }, _)) = unasked {
            // This may run while a handler panics: a second panic would end the process.
            let report = AssertUnwindSafe(|| report(&observers, &rule, Outcome::NotAsked, &evidence));
            drop(catch_unwind(report));
        }
    }
}

// === impl Unasked ===

impl Unasked {
    /// Runs the checks until there is an answer, or until all clones have been dropped. A separate task then finishes a
    /// running check.
    fn ask(self, sender: watch::Sender<Option<Answer>>) -> impl Future<Output = ()> + Send {
        // Before the first poll, so that a shutdown waits for it from now on.
        let running = self.abandoned.enter();
        let mut judging = self.judging;
        async move {
            let answer = {
                let mut left = pin!(sender.closed());
                poll_fn(|cx| match left.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(None),
                    Poll::Pending => judging.as_mut().poll(cx).map(Some),
                })
                .await
            };
            sender.send_replace(answer);
            drop((judging, running));
        }
    }
}

// === impl Recipient ===

impl Recipient {
    pub(super) async fn deny(&self, refusal: &Refusal, verdicts: &[Verdict], phone: Option<Phone>) -> Denial {
        self.deny_with(refusal, verdicts, phone, None).await
    }

    pub(super) async fn deny_with(
        &self,
        refusal: &Refusal,
        verdicts: &[Verdict],
        phone: Option<Phone>,
        pass: Option<IssuedPass>,
    ) -> Denial {
        let audience =
            Audience::of(&self.head, self.grpc_answers, &self.answers).about(Some(&self.rule), verdicts, phone);
        audience.with_pass(pass).deny(refusal, &self.head).await
    }

    /// The denial of a request that a policy has let through unverified.
    async fn deny_unverified(&self, decision: &Decision) -> Denial {
        let has_failed = |verdict: &&Verdict| !verdict.class().is_pass() && verdict.kind() != CheckKind::Risk;
        let refusal = match (decision.would_deny(), decision.verdicts().iter().find(has_failed)) {
            // The rule of another layer is in shadow: such a request is not verified.
            (Some(reason), _) => Refusal::new(reason),
            (None, Some(verdict)) => Refusal::of_verdict(verdict),
            (None, None) => Refusal::new(DenialReason::Verdict(Class::Unknown))
                .with_detail("another layer's rule is on demand too, and its `Prove` was removed from the request"),
        };
        self.deny(&refusal, decision.verdicts(), None).await
    }
}
