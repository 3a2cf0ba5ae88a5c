//! A verifier's answer: a class, a code, an id, a risk.
//!
//! A policy acts on the class, which this crate defines. Code and id are the verifier's: opaque texts for the log. Risk is
//! context, never proof: a verdict's class does not depend on it.

mod class;
mod rest;
mod risk;

use std::{borrow::Cow, fmt, net::IpAddr, time::Duration};

use self::rest::{Rest, Solved, Unanswered};
pub use self::{class::Class, risk::Risk};
use crate::{check_kind::CheckKind, ex_id::ExId, health::Health, opaque::Opaque, phone::Phone};

/// A verifier's answer to a [`Check`](crate::Check).
///
/// ```
/// use tower_jverify::{CheckKind, Class, Risk, Verdict};
///
/// let verdict = Verdict::new(CheckKind::Number, Class::Passed).with_code(9000).with_id(117_270_465_679_982_592);
/// assert!(verdict.class().is_pass());
/// assert_eq!(verdict.risk(), &Risk::NotAsked);
/// ```
///
/// `Debug` shows no text from the vendor: no scene, and only the number of tags.
#[derive(Clone, PartialEq, Eq)]
pub struct Verdict {
    kind: CheckKind,
    class: Class,
    code: Option<Opaque>,
    id: Option<Opaque>,
    risk: Risk,
    phone: Option<Phone>,
    sandbox: Sandboxed,
    is_of_other_app: bool,
    ex_id: Option<ExId>,
    /// In microseconds.
    took: Option<u32>,
    /// Boxed: an answer is moved a dozen times, and the usual one has none of it.
    rest: Option<Box<Rest>>,
}

/// Whether it comes from a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sandboxed {
    No,
    /// The proofs can be used again.
    Reusable,
    /// The proof works once.
    Once,
}

// === impl Verdict ===

impl Verdict {
    /// Creates an answer with only a kind and a class.
    pub fn new(kind: CheckKind, class: Class) -> Self {
        Self {
            kind,
            class,
            code: None,
            id: None,
            risk: Risk::NotAsked,
            phone: None,
            sandbox: Sandboxed::No,
            is_of_other_app: false,
            ex_id: None,
            took: None,
            rest: None,
        }
    }

    /// Sets the verifier's code, an `i64` or a text. Default: none.
    ///
    /// It is written to the log. At most 64 letters, digits and `-._~:` are kept; other characters are percent-encoded.
    pub fn with_code(mut self, code: impl Into<Opaque>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Sets the verifier's id (流水号), an `i64` or a text, encoded as in [`Verdict::with_code`]. Default: none.
    pub fn with_id(mut self, id: impl Into<Opaque>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets when the client may try again, in seconds: the `Retry-After` of a refusal. Default: unknown, or 30 for
    /// [`Class::Throttled`].
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.rest_mut().retry_after = Some(seconds);
        self
    }

    /// Sets what the operator must do: the text of an event at ERROR. [`Class::Account`], [`Class::Misconfigured`] and
    /// [`Class::Unknown`] write the event for each verdict, by default with a general text. [`Class::Quota`] writes it for
    /// a verdict with advice, and [`Class::Invalid`] when more than half of at least 20 answers in ten minutes are of this
    /// class. At most one event per minute and class is at ERROR.
    pub fn with_advice(mut self, advice: &'static str) -> Self {
        self.rest_mut().advice = Some(advice);
        self
    }

    /// Sets the phone's risk. Default: [`Risk::NotAsked`].
    pub fn with_risk(mut self, risk: Risk) -> Self {
        self.risk = risk;
        self
    }

    /// Sets the phone that a one-tap login proved. Default: none.
    pub fn with_phone(mut self, phone: Phone) -> Self {
        self.phone = Some(phone);
        self
    }

    /// Sets the scene that a captcha was solved for. Default: none.
    pub fn with_scene(mut self, scene: impl Into<Box<str>>) -> Self {
        self.solved_mut().scene = Some(scene.into());
        self
    }

    /// Sets the type of captcha that was solved (`captchaArgs.used_type`), such as `slide`. Default: none.
    pub fn with_used_type(mut self, used_type: impl Into<Box<str>>) -> Self {
        self.solved_mut().used_type = Some(used_type.into());
        self
    }

    /// Sets the address from which a captcha was solved (`captchaArgs.user_ip`). Default: none.
    pub fn with_user_ip(mut self, user_ip: IpAddr) -> Self {
        self.solved_mut().user_ip = Some(user_ip);
        self
    }

    /// Sets the captcha's lot number (`captchaArgs.lot_number`), encoded as in [`Verdict::with_code`]. It is written to the log.
    /// Default: none.
    pub fn with_lot_number(mut self, lot_number: impl Into<Opaque>) -> Self {
        self.solved_mut().lot_number = Some(lot_number.into());
        self
    }

    fn solved_mut(&mut self) -> &mut Solved {
        &mut self.rest_mut().solved
    }

    fn rest_mut(&mut self) -> &mut Rest {
        self.rest.get_or_insert_default()
    }

    fn solved(&self) -> Option<&Solved> {
        self.rest.as_ref().map(|rest| &rest.solved)
    }

    /// Why the answer is missing, if it is.
    #[inline]
    fn missing(&self) -> Option<&Unanswered> {
        self.rest.as_ref()?.unanswered.as_ref()
    }

    /// Marks an answer that does not come from a carrier. The proof can be used again, unless
    /// [`Verdict::with_sandbox_once_mark`] says otherwise. Default: the answer is a carrier's.
    pub fn with_sandbox_mark(mut self) -> Self {
        self.sandbox = Sandboxed::Reusable;
        self
    }

    /// Marks an answer that does not come from a carrier, for a proof that works only once, like a real proof.
    /// Default: the answer is a carrier's.
    pub fn with_sandbox_once_mark(mut self) -> Self {
        self.sandbox = Sandboxed::Once;
        self
    }

    /// Sets what a reply contains, in place: each setter that takes the answer moves all of it. `is_of_other_app`: the reply says that
    /// the proof is forged, or was made for another application.
    #[cfg(feature = "client")]
    #[inline]
    pub(crate) fn says(&mut self, code: Option<Opaque>, id: Option<Opaque>, risk: Risk, is_of_other_app: bool) {
        (self.code, self.id, self.risk, self.is_of_other_app) = (code, id, risk, is_of_other_app);
    }

    /// Sets why the answer is missing. `is_outage`: the service could not be reached, and nothing was sent.
    pub(crate) fn unanswered(self, cause: Cow<'static, str>, nothing_sent: bool, is_outage: bool) -> Self {
        self.because(Unanswered { cause, nothing_sent, is_outage, by_breaker: false, health: Health::Unknown })
    }

    /// Sets what the missing answer says about the service.
    pub(crate) fn with_health(mut self, health: Health) -> Self {
        if let Some(unanswered) = self.rest.as_mut().and_then(|rest| rest.unanswered.as_mut()) {
            unanswered.health = health;
        }
        self
    }

    /// The breaker is open, after an outage or after unreadable answers, and no check was sent.
    pub(crate) fn breaker_open(kind: CheckKind, is_outage: bool, seconds: u32) -> Self {
        let class = if is_outage { Class::Unavailable } else { Class::Unreadable };
        let (cause, health) = ("breaker open".into(), Health::Unknown);
        let unanswered = Unanswered { cause, nothing_sent: true, is_outage, by_breaker: true, health };
        Self::new(kind, class).because(unanswered).with_retry_after(seconds)
    }

    fn because(mut self, unanswered: Unanswered) -> Self {
        self.rest_mut().unanswered = Some(unanswered);
        self
    }

    /// The id of the check that this answers.
    #[inline]
    pub(crate) fn answering(mut self, ex_id: ExId) -> Self {
        self.answers(ex_id);
        self
    }

    /// As [`Verdict::answering`], in place.
    #[inline]
    pub(crate) fn answers(&mut self, ex_id: ExId) {
        self.ex_id = Some(ex_id);
    }

    /// Changes the class; the code stays for the log.
    pub(crate) fn reclassed(mut self, class: Class) -> Self {
        self.class = class;
        self
    }

    /// Sets how long the check took. An hour and more is an hour.
    pub(crate) fn took(&mut self, took: Duration) {
        self.took = Some(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    /// The time from the beginning of the check to this answer. `None` if the layer did not ask.
    pub fn duration(&self) -> Option<Duration> {
        self.took.map(|micros| Duration::from_micros(micros.into()))
    }

    /// The kind of the check that this answers.
    pub fn kind(&self) -> CheckKind {
        self.kind
    }

    /// The meaning of the answer.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Whether a check of this kind passed.
    pub(crate) fn is_pass_of(&self, kind: CheckKind) -> bool {
        self.kind == kind && self.class.is_pass()
    }

    /// The verifier's code.
    pub fn code(&self) -> Option<&str> {
        self.code.as_ref().map(Opaque::as_str)
    }

    pub(crate) fn has_code(&self) -> bool {
        self.code.is_some()
    }

    /// The id as bytes for a header value, which avoids a UTF-8 check.
    pub(crate) fn id_bytes(&self) -> Option<&[u8]> {
        self.id.as_ref().map(Opaque::as_bytes)
    }

    /// The verifier's id.
    pub fn id(&self) -> Option<&str> {
        self.id.as_ref().map(Opaque::as_str)
    }

    /// When the client may try again, in seconds.
    pub fn retry_after(&self) -> Option<u32> {
        self.rest.as_ref()?.retry_after
    }

    /// What the operator must do, in the verifier's text.
    pub fn advice(&self) -> Option<&'static str> {
        self.rest.as_ref()?.advice
    }

    /// Why there is no readable answer, such as `no connection: dns error`, `timeout`, `http status 404`, `no one-tap key`.
    /// The layer or the verifier sets it.
    pub fn cause(&self) -> Option<&str> {
        self.missing().map(|unanswered| &*unanswered.cause)
    }

    /// Whether the answer is missing and the check was certainly not sent. `false` when in doubt. The layer sets it.
    pub fn nothing_sent(&self) -> bool {
        self.missing().is_some_and(|unanswered| unanswered.nothing_sent)
    }

    /// Whether the service could not be reached, so that a policy may open.
    pub(crate) fn is_outage(&self) -> bool {
        self.missing().is_some_and(|unanswered| unanswered.is_outage)
    }

    /// The phone's risk.
    pub fn risk(&self) -> &Risk {
        &self.risk
    }

    /// Whether the answer says that the proof is forged, or was made for another application.
    pub(crate) fn is_of_other_app(&self) -> bool {
        self.is_of_other_app
    }

    /// The phone that a one-tap login proved.
    pub fn phone(&self) -> Option<Phone> {
        self.phone
    }

    /// The scene that a captcha was solved for (`captchaArgs.scene`).
    pub fn scene(&self) -> Option<&str> {
        self.solved()?.scene.as_deref()
    }

    /// The type of captcha that was solved (`captchaArgs.used_type`).
    pub fn used_type(&self) -> Option<&str> {
        self.solved()?.used_type.as_deref()
    }

    /// The address from which a captcha was solved (`captchaArgs.user_ip`), if the verifier returned a valid one.
    pub fn user_ip(&self) -> Option<IpAddr> {
        self.solved()?.user_ip
    }

    /// The captcha's lot number (`captchaArgs.lot_number`).
    pub fn lot_number(&self) -> Option<&str> {
        self.solved()?.lot_number.as_ref().map(Opaque::as_str)
    }

    /// The id of the check that this answers. The layer sets it.
    pub fn ex_id(&self) -> Option<&ExId> {
        self.ex_id.as_ref()
    }

    /// Whether the answer came from a sandbox.
    pub fn is_sandbox(&self) -> bool {
        self.sandbox != Sandboxed::No
    }

    /// Whether the answer came from a sandbox and the proof can be used again.
    pub(crate) fn is_of_a_reusable_proof(&self) -> bool {
        self.sandbox == Sandboxed::Reusable
    }

    /// Whether a breaker refused the check.
    pub(crate) fn is_by_breaker(&self) -> bool {
        self.missing().is_some_and(|unanswered| unanswered.by_breaker)
    }

    /// What the answer says about the service behind the verifier.
    pub(crate) fn health(&self) -> Health {
        match (self.missing(), self.class) {
            (Some(unanswered), _) => unanswered.health,
            (None, Class::Unavailable) => Health::Failed,
            (None, Class::Unreadable) => Health::Garbled,
            (None, Class::Unknown) => Health::Unknown,
            // Without a code the verifier itself may have answered, without asking a service.
            (None, Class::Invalid | Class::Misconfigured) if self.code.is_none() => Health::Unknown,
            (None, _) => Health::Well,
        }
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tags = match &self.risk {
            Risk::Known { tags, .. } => tags.len(),
            Risk::NotAsked | Risk::Unknown => 0,
        };
        f.debug_struct("Verdict")
            .field("kind", &self.kind)
            .field("class", &self.class)
            .field("code", &self.code)
            .field("id", &self.id)
            .field("score", &self.risk.score())
            .field("tags", &tags)
            .field("phone", &self.phone)
            .field("has_scene", &self.scene().is_some())
            .field("sandbox", &self.is_sandbox())
            .field("ex_id", &self.ex_id)
            .field("cause", &self.cause())
            .finish_non_exhaustive()
    }
}
