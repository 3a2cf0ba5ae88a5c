//! Refusals as typed values, the same over HTTP and gRPC.
//!
//! A client must learn only what to do next: an answer must not reveal why a number was refused. The operator needs the
//! full reason. So a [`Denial`] carries both: its code for the client, and its reason, in the response's extensions, for
//! the operator's logs.

mod accept;
mod answers;
mod cors;
mod details;
mod format;
mod locale;
mod page;
mod pass;
mod quality;
mod reason;
mod respond;
mod response;
mod settings;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, request::Parts};

use self::{answers::Answer, format::Format, locale::Locale};
pub use self::{answers::NextStep, cors::Cors, reason::DenialReason};
pub(crate) use self::{
    pass::IssuedPass,
    respond::{Answering, Respond},
    settings::Settings,
};
use crate::{
    check_kind::CheckKind,
    ex_id::ExId,
    foreign_backend::Suspicion,
    phone::Phone,
    secret::Secret,
    verdict::{Class, Verdict},
};

/// A refusal: the answer to the client, and the reason. Also an extension of the response.
///
/// [`Prove::now`](crate::Prove::now) returns it to a handler, which turns it into a response:
/// `Response::<Bytes>::from(denial)`, or, under the feature `axum`, `IntoResponse`, or, under the feature `tonic`,
/// `tonic::Status::from(denial)`.
///
/// ```
/// use bytes::Bytes;
/// use http::{Response, request::Parts};
/// use tower_jverify::Denial;
///
/// // `JVerifyBuilder::respond` takes a closure that answers in another shape.
/// let respond = |_head: &Parts, denial: &Denial| {
///     let mut response = Response::new(Bytes::from(format!("{{\"error\":\"{}\"}}", denial.code())));
///     *response.status_mut() = denial.status();
///     response
/// };
/// # let _ = respond;
/// ```
#[derive(Clone)]
pub struct Denial {
    reason: DenialReason,
    detail: Option<Cow<'static, str>>,
    suspicion: Option<Suspicion>,
    retry_after: Option<u32>,
    format: Format,
    locale: Locale,
    discloses_risk: bool,
    about: Arc<About>,
    /// The answer of the user's closure, if a handler receives the denial instead of the client.
    answered: Option<Arc<Response<Bytes>>>,
}

/// The context of a refusal.
#[derive(Clone, Default)]
struct About {
    rule: Option<Box<str>>,
    verdicts: Vec<Verdict>,
    phone: Option<Phone>,
    settings: Arc<Settings>,
    /// The request's origin, if its pages may read the answer.
    allowed_origin: Option<HeaderValue>,
    /// Boxed: few denials have one.
    pass: Option<Box<IssuedPass>>,
}

/// The `Retry-After` of a throttled client, in seconds, if the verifier does not set it.
const THROTTLED: u32 = 30;

/// The format and language that a client wants, from its request's head, and the context of the answer.
#[derive(Clone, Default)]
pub(crate) struct Audience {
    format: Format,
    locale: Locale,
    about: About,
}

// === impl Audience ===

impl Audience {
    /// A gRPC client gets a gRPC answer only if `grpc_answers` allows it: that answer has status 200, and any client can
    /// send the media type to a path where a gateway trusts the status.
    pub(crate) fn of(head: &Parts, grpc_answers: bool, settings: &Arc<Settings>) -> Self {
        let allowed_origin = settings.sharing.as_ref().and_then(|sharing| sharing.allowed(head));
        let about = About { settings: Arc::clone(settings), allowed_origin, ..About::default() };
        Self { format: Format::of(&head.headers, grpc_answers), locale: Locale::of(&head.headers), about }
    }

    /// Adds what is known of the request: the rule's name, the verdicts, the phone that the client claims.
    pub(crate) fn about(mut self, rule: Option<&str>, verdicts: &[Verdict], phone: Option<Phone>) -> Self {
        self.about = About { rule: rule.map(Into::into), verdicts: verdicts.to_vec(), phone, ..self.about };
        self
    }

    /// Adds the pass with which the client may repeat the request. Call it after [`Audience::about`].
    pub(crate) fn with_pass(mut self, pass: Option<IssuedPass>) -> Self {
        self.about.pass = pass.map(Box::new);
        self
    }

    /// Answers the refusal of a request with this head. A closure's response also carries the denial.
    pub(crate) fn refuse(self, refusal: &Refusal, head: &Parts) -> Answering {
        let settings = Arc::clone(&self.about.settings);
        let denial = self.denial(refusal);
        match &settings.respond {
            Some(respond) => respond.answer(head, denial),
            None => Answering::Ready(denial.attached_to(None)),
        }
    }

    /// As [`Audience::refuse`], for a handler: the denial, which becomes the closure's answer.
    pub(crate) async fn deny(self, refusal: &Refusal, head: &Parts) -> Denial {
        let settings = Arc::clone(&self.about.settings);
        let denial = self.denial(refusal);
        let Some(respond) = &settings.respond else { return denial };
        let answered = respond.answer(head, denial.clone()).finish().await;
        Denial { answered: Some(Arc::new(answered)), ..denial }
    }

    fn denial(self, refusal: &Refusal) -> Denial {
        let &Refusal { reason, suspicion, retry_after, discloses_risk, .. } = refusal;
        let detail = refusal.detail();
        let Self { format, locale, about } = self;
        let about = Arc::new(about);
        Denial { reason, detail, suspicion, retry_after, format, locale, discloses_risk, about, answered: None }
    }
}

/// A refusal without the client's format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    reason: DenialReason,
    detail: Option<&'static str>,
    advice: Option<&'static str>,
    suspicion: Option<Suspicion>,
    retry_after: Option<u32>,
    discloses_risk: bool,
}

// === impl Refusal ===

impl Refusal {
    pub(crate) fn new(reason: DenialReason) -> Self {
        let retry_after = matches!(reason, DenialReason::Overloaded | DenialReason::AccountLimited).then_some(1);
        Self { reason, detail: None, advice: None, suspicion: None, retry_after, discloses_risk: false }
    }

    /// A CORS preflight that reached a rule.
    pub(crate) fn of_preflight() -> Self {
        Self::new(DenialReason::PreflightRefused).with_detail(
            "a CORS preflight on a rule for its method: put a CorsLayer outside of this layer, or set `preflight_passes`",
        )
    }

    pub(crate) fn of_preflight_with_body() -> Self {
        Self::new(DenialReason::PreflightRefused).with_detail("a CORS preflight with a body")
    }

    /// Sets a constant text about what was wrong with the request, for the operator; never a part of the request.
    pub(crate) fn with_detail(mut self, detail: &'static str) -> Self {
        self.detail = Some(detail);
        self
    }

    /// Sets when the client may try again, rounded up to whole seconds.
    pub(crate) fn with_retry_after(mut self, wait: Duration) -> Self {
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
        self.retry_after = Some(u32::try_from(seconds).unwrap_or(u32::MAX));
        self
    }

    /// Sets what the operator can do about such requests; a part of the detail.
    pub(crate) fn with_advice(mut self, advice: &'static str) -> Self {
        self.advice = Some(advice);
        self
    }

    /// Sets the class of suspicion that refuses; a switch of `ForeignBackend` turns it off.
    pub(crate) fn with_suspicion(mut self, suspicion: impl Into<Option<Suspicion>>) -> Self {
        self.suspicion = suspicion.into();
        self
    }

    /// Sets whether the answer may reveal that the risk was too high.
    pub(crate) fn disclosing_risk(mut self, discloses_risk: bool) -> Self {
        self.discloses_risk = discloses_risk;
        self
    }

    /// The refusal for a verdict that is not a pass.
    pub(crate) fn of_verdict(verdict: &Verdict) -> Self {
        let usual = (verdict.class() == Class::Throttled).then_some(THROTTLED);
        let reason =
            if verdict.is_by_breaker() { DenialReason::BreakerOpen } else { DenialReason::Verdict(verdict.class()) };
        let refusal = Self::new(reason);
        // This is the only class that is answered 400.
        let detail = (verdict.class() == Class::Invalid).then(|| match verdict.kind() {
            CheckKind::Number => "the verifier answers that the token or the phone is malformed",
            CheckKind::Captcha => "the verifier answers that the captcha's answer is malformed",
            CheckKind::OneTap => "the verifier answers that the login token is malformed",
            CheckKind::Risk => "the verifier answers that the phone is malformed",
        });
        Self { retry_after: verdict.retry_after().or(usual), detail, ..refusal }
    }

    /// The refusal of a tunnel.
    pub(crate) fn of_connect() -> Self {
        Self::new(DenialReason::Upgrade).with_detail("the method CONNECT")
    }

    /// The refusal of a path that may be guarded, with the class of suspicion that reads it so.
    pub(crate) fn of_path(suspicion: Option<Suspicion>) -> Self {
        let detail = match suspicion {
            Some(Suspicion::RouteParameter) => "a query parameter by which some frameworks route, with a guarded path",
            Some(Suspicion::PathSpelling) => "a path that some framework reads as a guarded one",
            _ => "a path with several readings, of which one is guarded",
        };
        Self::new(DenialReason::PathAmbiguous).with_detail(detail).with_suspicion(suspicion)
    }

    pub(crate) fn reason(&self) -> DenialReason {
        self.reason
    }

    /// What was wrong, and the advice if there is one.
    pub(crate) fn detail(&self) -> Option<Cow<'static, str>> {
        match (self.detail, self.advice) {
            (Some(detail), Some(advice)) => Some(Cow::Owned(format!("{detail}, {advice}"))),
            (detail, advice) => detail.or(advice).map(Cow::Borrowed),
        }
    }

    pub(crate) fn suspicion(&self) -> Option<Suspicion> {
        self.suspicion
    }
}

// === impl Denial ===

impl Denial {
    /// Creates a denial for a unit test of a `respond` closure: for this reason, over HTTP, in English, and without a rule.
    ///
    /// ```
    /// use tower_jverify::{Denial, DenialReason};
    ///
    /// let denial = Denial::for_test(DenialReason::CaptchaRequired);
    /// assert_eq!((denial.status().as_u16(), denial.code()), (403, "captcha_required"));
    /// ```
    pub fn for_test(reason: DenialReason) -> Self {
        let refusal = Refusal::new(reason);
        let (detail, Refusal { suspicion, retry_after, discloses_risk, .. }) = (refusal.detail(), refusal);
        let Audience { format, locale, about } = Audience::default();
        let about = Arc::new(about);
        Self { reason, detail, suspicion, retry_after, format, locale, discloses_risk, about, answered: None }
    }

    /// The full reason: for logs, not for the client.
    pub fn reason(&self) -> DenialReason {
        self.reason
    }

    /// A constant text about what was wrong with the request, such as `a guarded name twice`; never a part of the request.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The class of suspicion that refused the request, if one did: a switch of [`ForeignBackend`](crate::ForeignBackend)
    /// turns this class off.
    pub fn suspicion(&self) -> Option<Suspicion> {
        self.suspicion
    }

    /// The rule that refused, as in `POST /login`; `None` if it is not known which rule applies.
    pub fn rule(&self) -> Option<&str> {
        self.about.rule.as_deref()
    }

    /// The verifier's answers before the refusal, in order; the last verdict is usually the cause. For logs, not for
    /// the client.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.about.verdicts
    }

    /// The verifier's ids of the verdicts that have one.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.verdicts().iter().filter_map(Verdict::id)
    }

    /// The `exID` of each check that was sent.
    pub fn ex_ids(&self) -> impl Iterator<Item = &ExId> {
        self.verdicts().iter().filter_map(Verdict::ex_id)
    }

    /// The phone that the client claims, if it has been read. `Debug` masks it.
    ///
    /// **Danger:** it is not proven, because the request was refused.
    pub fn phone(&self) -> Option<Phone> {
        self.about.phone
    }

    /// The pass with which the client may repeat the request without a second number check, if the rule has
    /// [`passes`](crate::Rule::passes): in the built-in answer the member `pass`, and in every answer a header. **It is a secret of the client**: keep it out of
    /// logs.
    pub fn pass(&self) -> Option<&Secret> {
        self.about.pass.as_deref().map(|pass| &pass.text)
    }

    /// The HTTP status. A gRPC answer ([`Denial::is_grpc`]) has status 200 and [`Denial::grpc_code`].
    pub fn status(&self) -> StatusCode {
        self.answer().status
    }

    /// The `code` in the answer, such as `captcha_required`.
    pub fn code(&self) -> &'static str {
        self.answer().code
    }

    /// The gRPC status code.
    pub fn grpc_code(&self) -> u8 {
        self.answer().grpc_code
    }

    /// Whether the answer is a gRPC answer: the request was a gRPC call, and its rule allows gRPC answers (see
    /// [`Rule::grpc_answers`](crate::Rule::grpc_answers)).
    pub fn is_grpc(&self) -> bool {
        self.format.is_grpc()
    }

    /// `Retry-After`, in seconds.
    pub fn retry_after(&self) -> Option<u32> {
        self.retry_after
    }

    /// One sentence for a person, in English or Chinese according to the request's `Accept-Language`.
    pub fn title(&self) -> &'static str {
        self.answer().title(self.locale)
    }

    /// What the client may do next.
    pub fn next(&self) -> &'static [NextStep] {
        self.answer().next
    }

    fn answer(&self) -> Answer {
        match self.reason {
            DenialReason::RiskTooHigh if self.discloses_risk => Answer::RISK_TOO_HIGH,
            reason => reason.answer(),
        }
    }
}

impl fmt::Debug for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Denial")
            .field("reason", &self.reason)
            .field("detail", &self.detail)
            .field("suspicion", &self.suspicion)
            .field("retry_after", &self.retry_after)
            .field("grpc", &self.is_grpc())
            .field("rule", &self.about.rule)
            .field("verdicts", &self.about.verdicts)
            .field("phone", &self.about.phone)
            .finish_non_exhaustive()
    }
}
