//! A verifier's answer: a class, a code, an id, a risk.
//!
//! The class is ours and is what a policy acts on; code and id are the verifier's, opaque texts for the log. Risk is context,
//! never proof: a verdict's class does not depend on it.

mod class;
mod risk;

use std::{borrow::Cow, fmt};

pub use self::{class::Class, risk::Risk};
use crate::{check_kind::CheckKind, ex_id::ExId, health::Health, opaque::Opaque, phone::Phone};

/// What a verifier answers to a [`Check`](crate::Check).
///
/// ```
/// use tower_jverify::{CheckKind, Class, Risk, Verdict};
///
/// let verdict = Verdict::new(CheckKind::Number, Class::Passed).with_code(9000).with_id(117_270_465_679_982_592);
/// assert!(verdict.class().is_pass());
/// assert_eq!(verdict.risk(), &Risk::NotAsked);
/// ```
///
/// `Debug` shows no text of the vendor's: no scene, and of the tags how many there are.
#[derive(Clone, PartialEq, Eq)]
pub struct Verdict {
    kind: CheckKind,
    class: Class,
    code: Option<Opaque>,
    id: Option<Opaque>,
    risk: Risk,
    phone: Option<Phone>,
    scene: Option<Box<str>>,
    sandbox: Sandboxed,
    is_of_other_app: bool,
    ex_id: Option<ExId>,
    retry_after: Option<u32>,
    advice: Option<&'static str>,
    /// Boxed: nearly every check has an answer.
    unanswered: Option<Box<Unanswered>>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unanswered {
    cause: Cow<'static, str>,
    nothing_sent: bool,
    is_outage: bool,
    by_breaker: bool,
    health: Health,
}

/// Whether it comes from a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sandboxed {
    No,
    /// Its proofs can be used again.
    Reusable,
    /// The proof works once.
    Once,
}

// === impl Verdict ===

impl Verdict {
    /// An answer of a class, with nothing else known.
    pub fn new(kind: CheckKind, class: Class) -> Self {
        Self {
            kind,
            class,
            code: None,
            id: None,
            risk: Risk::NotAsked,
            phone: None,
            scene: None,
            sandbox: Sandboxed::No,
            is_of_other_app: false,
            ex_id: None,
            retry_after: None,
            advice: None,
            unanswered: None,
        }
    }

    /// The verifier's code, an `i64` or a text. Default: none came.
    ///
    /// It is for the log. At most 64 letters, digits and `-._~:` are kept as they are; others are percent-encoded.
    pub fn with_code(mut self, code: impl Into<Opaque>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The verifier's id (流水号), an `i64` or a text, kept as [`Verdict::with_code`] says. Default: none came.
    pub fn with_id(mut self, id: impl Into<Opaque>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// When the client may try again, in seconds: the `Retry-After` of a refusal. Default: not known, and 30 for
    /// [`Class::Throttled`].
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// What the operator must do: the words of the event at ERROR. Of [`Class::Account`], [`Class::Misconfigured`] and
    /// [`Class::Unknown`] each verdict is worth one, with general words by default. Of [`Class::Quota`] a verdict with advice is. Of
    /// [`Class::Invalid`] one is when more than half of at least 20 answers in ten minutes are. At most one event a minute and class
    /// is at ERROR.
    pub fn with_advice(mut self, advice: &'static str) -> Self {
        self.advice = Some(advice);
        self
    }

    /// The phone's risk. Default: [`Risk::NotAsked`].
    pub fn with_risk(mut self, risk: Risk) -> Self {
        self.risk = risk;
        self
    }

    /// The phone that a one-tap login proved.
    pub fn with_phone(mut self, phone: Phone) -> Self {
        self.phone = Some(phone);
        self
    }

    /// The scene that a captcha was solved for.
    pub fn with_scene(mut self, scene: impl Into<Box<str>>) -> Self {
        self.scene = Some(scene.into());
        self
    }

    /// Marks an answer that does not come from a carrier. Its proof can be used again, unless
    /// [`Verdict::with_sandbox_once_mark`] says otherwise.
    pub fn with_sandbox_mark(mut self) -> Self {
        self.sandbox = Sandboxed::Reusable;
        self
    }

    /// Marks an answer that does not come from a carrier, to a proof that works once, as real ones do.
    pub fn with_sandbox_once_mark(mut self) -> Self {
        self.sandbox = Sandboxed::Once;
        self
    }

    /// Marks an answer that the proof is forged, or was made for another application.
    #[cfg(feature = "client")]
    pub(crate) fn of_other_app(mut self, is_of_other_app: bool) -> Self {
        self.is_of_other_app = is_of_other_app;
        self
    }

    /// Says why there is no answer. `is_outage`: the service could not be reached, and nothing was sent.
    pub(crate) fn unanswered(self, cause: Cow<'static, str>, nothing_sent: bool, is_outage: bool) -> Self {
        self.because(Unanswered { cause, nothing_sent, is_outage, by_breaker: false, health: Health::Unknown })
    }

    /// What the absence of an answer says about the service.
    pub(crate) fn with_health(mut self, health: Health) -> Self {
        if let Some(unanswered) = &mut self.unanswered {
            unanswered.health = health;
        }
        self
    }

    /// The breaker is open, so that nothing was asked: for an outage, or for answers that cannot be read.
    pub(crate) fn breaker_open(kind: CheckKind, is_outage: bool, seconds: u32) -> Self {
        let class = if is_outage { Class::Unavailable } else { Class::Unreadable };
        let (cause, health) = ("breaker open".into(), Health::Unknown);
        let unanswered = Unanswered { cause, nothing_sent: true, is_outage, by_breaker: true, health };
        Self::new(kind, class).because(unanswered).with_retry_after(seconds)
    }

    fn because(mut self, unanswered: Unanswered) -> Self {
        self.unanswered = Some(Box::new(unanswered));
        self
    }

    /// The id of the check that this answers.
    #[inline]
    pub(crate) fn answering(mut self, ex_id: ExId) -> Self {
        self.ex_id = Some(ex_id);
        self
    }

    /// The same answer under another class; the code stays for the log.
    pub(crate) fn reclassed(mut self, class: Class) -> Self {
        self.class = class;
        self
    }

    /// The kind of the check that this answers.
    pub fn kind(&self) -> CheckKind {
        self.kind
    }

    /// What it means.
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

    /// The id as a header value needs it: a look at whether it is UTF-8 is left out.
    pub(crate) fn id_bytes(&self) -> Option<&[u8]> {
        self.id.as_ref().map(Opaque::as_bytes)
    }

    /// The verifier's id.
    pub fn id(&self) -> Option<&str> {
        self.id.as_ref().map(Opaque::as_str)
    }

    /// When the client may try again, in seconds.
    pub fn retry_after(&self) -> Option<u32> {
        self.retry_after
    }

    /// What the operator must do, in the verifier's words.
    pub fn advice(&self) -> Option<&'static str> {
        self.advice
    }

    /// Why there is no answer that can be read, such as `no connection: dns error`, `timeout`, `http status 404`, `no one-tap key`. The layer or the
    /// verifier sets it.
    pub fn cause(&self) -> Option<&str> {
        self.unanswered.as_ref().map(|unanswered| &*unanswered.cause)
    }

    /// Whether there is no answer, and the check was certainly not sent. `false` when in doubt. The layer sets it.
    pub fn nothing_sent(&self) -> bool {
        self.unanswered.as_ref().is_some_and(|unanswered| unanswered.nothing_sent)
    }

    /// Whether the service could not be reached, so that a policy may open.
    pub(crate) fn is_outage(&self) -> bool {
        self.unanswered.as_ref().is_some_and(|unanswered| unanswered.is_outage)
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
        self.scene.as_deref()
    }

    /// The id of the check that this answers. The layer sets it.
    pub fn ex_id(&self) -> Option<&ExId> {
        self.ex_id.as_ref()
    }

    /// Whether it came from a sandbox.
    pub fn is_sandbox(&self) -> bool {
        self.sandbox != Sandboxed::No
    }

    /// Whether it came from a sandbox, and the proof can be used again.
    pub(crate) fn is_of_a_reusable_proof(&self) -> bool {
        self.sandbox == Sandboxed::Reusable
    }

    /// Whether a breaker refused the check.
    pub(crate) fn is_by_breaker(&self) -> bool {
        self.unanswered.as_ref().is_some_and(|unanswered| unanswered.by_breaker)
    }

    /// What it says about the service behind the verifier.
    pub(crate) fn health(&self) -> Health {
        match (&self.unanswered, self.class) {
            (Some(unanswered), _) => unanswered.health,
            (None, Class::Unavailable) => Health::Failed,
            (None, Class::Unreadable) => Health::Garbled,
            (None, Class::Unknown) => Health::Unknown,
            // Without a code it may be the verifier's own, which has asked nobody.
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
            .field("has_scene", &self.scene.is_some())
            .field("sandbox", &self.is_sandbox())
            .field("ex_id", &self.ex_id)
            .field("cause", &self.cause())
            .finish_non_exhaustive()
    }
}
