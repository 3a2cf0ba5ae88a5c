//! The operator's settings: what each risk and each class means.

use super::{
    action::{Action, Level},
    fallback::{Fallback, Fallbacks},
    tag::TagActions,
};
use crate::{
    error::ConfigError,
    verdict::{Class, Risk},
};

/// Decides what the verdicts of a request mean.
///
/// The default follows the vendor's recommendation (number authentication document, *Back score Annotations*):
///
/// | score | level | action |
/// |---|---|---|
/// | 0–299 | low | allow |
/// | 300–599 | medium | flag |
/// | 600–899 | elevated | step up: a captcha in the same request, else 403 `captcha_required` |
/// | 900 | high | deny |
/// | none in the answer | unknown | flag |
///
/// Only a documented pass passes; an outage is refused. [`Policy::on`] changes that for some classes, and [`Policy::tag`] raises the
/// action of a score. `docs/policy.md` shows the flow from score to decision.
///
/// ```
/// use tower_jverify::{Action, Level, Policy, Rule, number};
///
/// // A medium risk must also solve a captcha, and an unknown risk is refused.
/// let policy = Policy::default().band(300, Level::Medium, Action::StepUp).unknown_risk(Action::Deny);
/// let rule = Rule::post("/login", number()).policy(policy);
/// # let _ = rule;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// In ascending order of `from`, at most one band for each score.
    pub(super) bands: Vec<Band>,
    pub(super) unknown_risk: Action,
    pub(super) tags: TagActions,
    pub(super) fallbacks: Fallbacks,
    pub(super) discloses_risk: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Band {
    pub(super) from: u16,
    pub(super) level: Level,
    pub(super) action: Action,
}

// === impl Policy ===

impl Default for Policy {
    fn default() -> Self {
        let band = |from, level, action| Band { from, level, action };
        Self {
            bands: vec![
                band(0, Level::Low, Action::Allow),
                band(300, Level::Medium, Action::Flag),
                band(600, Level::Elevated, Action::StepUp),
                band(900, Level::High, Action::Deny),
            ],
            unknown_risk: Action::Flag,
            tags: TagActions::default(),
            fallbacks: Fallbacks::default(),
            discloses_risk: false,
        }
    }
}

impl Policy {
    /// Creates a policy without bands: set all of them, the first from 0. All other settings have their defaults.
    ///
    /// ```
    /// use tower_jverify::{Action, Level, Policy};
    ///
    /// let policy = Policy::empty().band(0, Level::Low, Action::Allow).band(500, Level::High, Action::Deny);
    /// # let _ = policy;
    /// ```
    pub fn empty() -> Self {
        Self { bands: Vec::new(), ..Self::default() }
    }

    /// Sets what scores from `from` (0 to 900) up to the next band mean. Replaces the band that starts at the same score. Default:
    /// the table of [`Policy`].
    ///
    /// `build()` returns an error for invalid bands.
    pub fn band(mut self, from: u16, level: Level, action: Action) -> Self {
        let at = self.bands.partition_point(|band| band.from < from);
        self.bands.retain(|band| band.from != from);
        self.bands.insert(at, Band { from, level, action });
        self
    }

    /// Sets the action for a risk that was queried and has no score. Default: [`Action::Flag`]. It never counts as low.
    pub fn unknown_risk(mut self, action: Action) -> Self {
        self.unknown_risk = action;
        self
    }

    /// Sets what a risk tag means, such as `F24004`: the worst action of the score's band and of all tags counts, so a tag can
    /// only raise what the band says, and [`Action::Allow`] changes nothing. Default: tags have no meaning. A later call for
    /// the same tag replaces an earlier one.
    ///
    /// A tag is compared exactly. Only the tags of a known risk count: for an unknown one see [`Policy::unknown_risk`]. The
    /// vendor does not publish the meanings of its tags, and may change them: look first at the `x-jverify-risk-tags` of
    /// your users.
    ///
    /// At most 64 tags of at most 64 bytes; `build()` refuses more, longer and empty ones.
    ///
    /// ```
    /// use tower_jverify::{Action, Policy};
    ///
    /// let policy = Policy::default().tag("F24004", Action::Deny).tag("F24005", Action::StepUp);
    /// # let _ = policy;
    /// ```
    pub fn tag(mut self, tag: impl Into<Box<str>>, action: Action) -> Self {
        self.tags.set(tag.into(), action);
        self
    }

    /// Sets what happens when a check has a verdict of this class. Default: [`Fallback::Deny`] for every class. A later call for
    /// the same class replaces an earlier one.
    ///
    /// | class | may be | why nothing milder |
    /// |---|---|---|
    /// | `Rejected`, `Stale`, `Invalid` | `Deny` | a definite no is never let through |
    /// | `Inconclusive`, `Throttled` | `Deny`, `Captcha` | a client can provoke it with a proof of its choice |
    /// | `Quota`, `Account`, `Misconfigured`, `Unknown` | `Deny`, `Captcha` | it can be provoked, or stay unnoticed |
    /// | `Unreadable` | `Deny`, `Captcha` | the client's input can be the reason why the answer cannot be read |
    /// | `Unavailable` | `Deny`, `Captcha`, `Open` | |
    ///
    /// `build()` refuses every other combination, and [`Class::Passed`] with any fallback: a [`ConfigError`] that names
    /// `policy.on` and the class.
    ///
    /// A fallback applies to an answer, or to a missing one. It never applies to a refusal of the layer itself: the deadline of a gRPC
    /// client, a full bulkhead, a proof that was used before, a limit, a store that is down. Nor does it apply to a risk
    /// query, whose failure is an unknown risk.
    ///
    /// **[`Fallback::Captcha`]** accepts a captcha instead of a number or one-tap check, at once, whether a breaker is open or
    /// not. The captcha is one that the rule requires anyway, or the step-up captcha of the request
    /// ([`Number::step_up_captcha`](crate::Number::step_up_captcha)), which is asked after the other checks. If it passes, the
    /// request passes with [`Action::Flag`](crate::Action::Flag), the reason
    /// [`FallbackCaptcha`](crate::DecisionReason::FallbackCaptcha) and without a phone. **It is not verified**:
    /// [`Verified`](crate::Verified) refuses it. Without a captcha the request gets 403 `captcha_required`. A captcha that does
    /// not pass, or cannot be asked, refuses the request as always. A check that used up the rule's deadline leaves no time
    /// for the step-up captcha: put the captcha first (`captcha().then(number())`). If a rule without a captcha reads none
    /// for a step-up either, `build()` returns an error.
    ///
    /// **[`Fallback::Open`] is a danger.** It lets requests through unverified while the verifier cannot be reached. It opens
    /// only while the [`Breaker`](crate::Breaker) of the endpoint is open because of an outage: by default after ten failed
    /// checks in a row, of different proofs and, where `client_ip` is set, of at least four clients. So no single client and no
    /// single proof can make it open. Then it opens for checks that the breaker refuses, and for those that could not be sent
    /// (DNS, TCP or TLS failed, or took longer than `connect_timeout`). A check that was sent is never opened, because the
    /// client's input can be the reason for the missing answer. With [`Guards`](crate::Guards) that have no breaker, `build()` returns an
    /// error. If this process lacks file descriptors, ports, buffers, memory or threads, a client can be the cause: that is
    /// overload (503 with `Retry-After`), and never opens. Of the errors of a custom verifier only a
    /// [`CallError`](crate::CallError) counts. What was opened is marked `unverified` in header, extension and event, and
    /// [`Verified`](crate::Verified) refuses it. `build()` writes it to the log at WARN.
    ///
    /// ```
    /// use tower_jverify::{Class, Fallback, Policy, Rule, number};
    ///
    /// // If JPush cannot decide, or cannot be asked, a captcha is enough for a guest.
    /// let policy = Policy::default()
    ///     .on(Class::Inconclusive, Fallback::Captcha)
    ///     .on(Class::Unavailable, Fallback::Captcha);
    /// let rule = Rule::post("/guest", number()).policy(policy);
    /// # let _ = rule;
    /// ```
    pub fn on(mut self, class: Class, fallback: Fallback) -> Self {
        self.fallbacks.set(class, fallback);
        self
    }

    /// Answers a refused risk with `risk_too_high` instead of `verification_failed`. Default: off, because the answer
    /// reveals something about a person's phone to a stranger.
    pub fn disclose_risk(mut self) -> Self {
        self.discloses_risk = true;
        self
    }

    /// # Errors
    ///
    /// `policy.band`, when no band starts at 0, or a band starts above 900, has [`Level::Unknown`], or a level or action below that of the band
    /// before it. `policy.tag` and `policy.on`, as documented there.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let refuse = |from: u16, problem: &'static str| Err(ConfigError::new("policy.band", from.to_string(), problem));
        if self.bands.first().is_none_or(|band| band.from != 0) {
            return refuse(0, "the lowest band starts at 0");
        }
        for band in &self.bands {
            if band.from > Risk::HIGHEST {
                return refuse(band.from, "the highest score is 900");
            }
            if band.level == Level::Unknown {
                return refuse(band.from, "a band cannot have the level of unknown risks: see `unknown_risk`");
            }
        }
        for (lower, higher) in self.bands.iter().zip(self.bands.iter().skip(1)) {
            if higher.level < lower.level || higher.action < lower.action {
                return refuse(higher.from, "a higher score must not have a lower level or a milder action");
            }
        }
        self.tags.validate()?;
        self.fallbacks.validate()
    }

    pub(super) fn band_of(&self, score: u16) -> Option<&Band> {
        self.bands.iter().rev().find(|band| band.from <= score)
    }

    /// The level of a score.
    pub(crate) fn level_of(&self, score: u16) -> Level {
        self.band_of(score).map_or(Level::Unknown, |band| band.level)
    }

    /// Whether any class has this fallback.
    pub(crate) fn has_fallback(&self, wanted: Fallback) -> bool {
        self.fallbacks.iter().any(|(_, fallback)| fallback == wanted)
    }

    /// Whether a risk or a fallback can ask for a captcha.
    pub(crate) fn can_require_captcha(&self) -> bool {
        self.unknown_risk == Action::StepUp
            || self.bands.iter().any(|band| band.action == Action::StepUp)
            || self.tags.iter().any(|(_, action)| action == Action::StepUp)
            || self.has_fallback(Fallback::Captcha)
    }

    pub(crate) fn discloses_risk(&self) -> bool {
        self.discloses_risk
    }

    /// The settings that let more requests through than the default, or disclose more, for the log.
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    pub(crate) fn weakening(&self) -> impl Iterator<Item = &'static str> {
        let usual = Self::default();
        let is_milder = |score: u16| {
            let action = |policy: &Self| policy.band_of(score).map(|band| band.action);
            action(self) < action(&usual)
        };
        let milder_bands = usual.bands.iter().chain(&self.bands).any(|band| is_milder(band.from));
        let switches = [
            ("policy.on", self.has_fallback(Fallback::Captcha)),
            ("policy.band", milder_bands),
            ("policy.unknown_risk", self.unknown_risk < usual.unknown_risk),
            ("policy.disclose_risk", self.discloses_risk),
        ];
        switches.into_iter().filter_map(|(setting, is_set)| is_set.then_some(setting))
    }
}
