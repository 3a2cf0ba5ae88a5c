//! The operator's settings: which risk means what.

use crate::{
    check_kind::CheckKind,
    error::ConfigError,
    verdict::{Class, Risk, Verdict},
};

/// What the verdicts of a request mean.
///
/// The default follows the vendor's recommendation (number authentication document, *Back score Annotations*):
///
/// | score | level | action |
/// |---|---|---|
/// | 0–299 | low | allow |
/// | 300–599 | medium | flag |
/// | 600–899 | elevated | step up: a captcha in the same request, else 403 `captcha_required` |
/// | 900 | high | deny |
/// | not told | unknown | flag |
///
/// Everything but a documented pass is refused, an outage included.
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
    /// Ascending by `from`, one a score.
    bands: Vec<Band>,
    unknown_risk: Action,
    opens_when_unavailable: bool,
    tells_risk: bool,
}

/// What to do with a request whose checks passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Action {
    /// Let it through.
    Allow,
    /// Let it through, marked.
    Flag,
    /// Let it through, marked, if a captcha passed in the same request; else refuse and ask for one.
    StepUp,
    /// Refuse.
    Deny,
}

/// How risky a phone is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Level {
    /// Normal.
    Low,
    /// Worth watching.
    Medium,
    /// Worth a further check.
    Elevated,
    /// Worth refusing.
    High,
    /// Asked, and not told.
    Unknown,
}

/// Why a policy refuses verdicts that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Objection {
    RiskTooHigh,
    /// The risk asks for a captcha, and none has passed.
    CaptchaRequired,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Band {
    from: u16,
    level: Level,
    action: Action,
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
            opens_when_unavailable: false,
            tells_risk: false,
        }
    }
}

impl Policy {
    /// A policy without bands: set all of them, the first from 0. Everything else is as in the default.
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

    /// What scores from `from` (0 to 900) up to the next band mean. Replaces the band that starts at the same score.
    ///
    /// Wrong bands are refused when the layer is built.
    pub fn band(mut self, from: u16, level: Level, action: Action) -> Self {
        let at = self.bands.partition_point(|band| band.from < from);
        self.bands.retain(|band| band.from != from);
        self.bands.insert(at, Band { from, level, action });
        self
    }

    /// What a risk means that was asked for and not told. Default: [`Action::Flag`]. It never counts as low.
    pub fn unknown_risk(mut self, action: Action) -> Self {
        self.unknown_risk = action;
        self
    }

    /// **Danger.** Lets requests through unverified while the verifier cannot be reached. Off by default.
    ///
    /// Opens only while the [`Breaker`](crate::Breaker) of the endpoint is open because of an outage: by default after ten failed checks in a
    /// row, of different proofs and, where `client_ip` is set, of at least four clients. So no single client and no single proof can
    /// open the door. Then it opens for checks that the breaker refuses, and for those that could not be sent (DNS, TCP or TLS failed, or
    /// took longer than `connect_timeout`). A check that was sent is never opened, because what a client sends can be why there is no
    /// answer. Replies that cannot be read open the breaker, but nothing else. The layer's own limits, an empty balance and a wrong key open
    /// nothing.
    ///
    /// With [`Guards`](crate::Guards) that have no breaker the layer is not built.
    ///
    /// If this process lacks file descriptors, ports, buffers, memory or threads, a client can be the cause: that is overload
    /// (503 with `Retry-After`), and never opens. Of the errors of a custom verifier only a [`CallError`](crate::CallError) counts.
    ///
    /// What was opened is marked `unverified` in header, extension and event, and [`Verified`](crate::Verified)
    /// refuses it.
    pub fn open_when_unavailable(mut self) -> Self {
        self.opens_when_unavailable = true;
        self
    }

    /// Tells the client `risk_too_high` instead of `verification_failed`. Off by default: it tells a stranger something
    /// about somebody's phone.
    pub fn tell_risk(mut self) -> Self {
        self.tells_risk = true;
        self
    }

    /// # Errors
    ///
    /// `policy.band`, when no band starts at 0, or a band starts above 900, has [`Level::Unknown`], or a level or action below that of the band
    /// before it.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let refuse = |from: u16, problem: &'static str| Err(ConfigError::new("policy.band", from.to_string(), problem));
        if self.bands.first().is_none_or(|band| band.from != 0) {
            return refuse(0, "the lowest band starts at 0");
        }
        for band in &self.bands {
            if band.from > 900 {
                return refuse(band.from, "scores end at 900");
            }
            if band.level == Level::Unknown {
                return refuse(band.from, "a known score has a known level; see `unknown_risk`");
            }
        }
        for (lower, higher) in self.bands.iter().zip(self.bands.iter().skip(1)) {
            if higher.level < lower.level || higher.action < lower.action {
                return refuse(higher.from, "a higher score has no lower level and no milder action");
            }
        }
        Ok(())
    }

    /// What to do with a request whose checks came to these verdicts, [`Action::Allow`] or [`Action::Flag`], and whether a captcha
    /// among them answers for its risk.
    pub(crate) fn settle(&self, verdicts: &[Verdict]) -> Result<(Action, bool), Objection> {
        match self.action_for(verdicts) {
            Action::Deny => Err(Objection::RiskTooHigh),
            Action::StepUp if !verdicts.iter().any(|verdict| verdict.is_pass_of(CheckKind::Captcha)) => {
                Err(Objection::CaptchaRequired)
            }
            Action::StepUp => Ok((Action::Flag, true)),
            action @ (Action::Allow | Action::Flag) => Ok((action, false)),
        }
    }

    /// What the risks of these verdicts ask for: the worst of the known and the unknown ones.
    pub(crate) fn action_for(&self, verdicts: &[Verdict]) -> Action {
        verdicts.iter().map(|verdict| self.action_for_risk(verdict.risk())).max().unwrap_or(Action::Allow)
    }

    fn action_for_risk(&self, risk: &Risk) -> Action {
        match risk {
            Risk::NotAsked => Action::Allow,
            Risk::Unknown => self.unknown_risk,
            Risk::Known { score, .. } => self.band_of(*score).map_or(self.unknown_risk, |band| band.action),
        }
    }

    fn band_of(&self, score: u16) -> Option<&Band> {
        self.bands.iter().rev().find(|band| band.from <= score)
    }

    /// The level of a score.
    pub(crate) fn level_of(&self, score: u16) -> Level {
        self.band_of(score).map_or(Level::Unknown, |band| band.level)
    }

    /// Whether any risk can ask for a captcha.
    pub(crate) fn can_step_up(&self) -> bool {
        self.unknown_risk == Action::StepUp || self.bands.iter().any(|band| band.action == Action::StepUp)
    }

    /// Whether there is anything that it opens for.
    pub(crate) fn opens(&self) -> bool {
        self.opens_when_unavailable
    }

    /// Whether a class is let through unverified.
    pub(crate) fn opens_for(&self, class: Class) -> bool {
        self.opens_when_unavailable && class == Class::Unavailable
    }

    pub(crate) fn tells_risk(&self) -> bool {
        self.tells_risk
    }

    /// What of it lets more through than the default, or says more, for the log.
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    pub(crate) fn weakening(&self) -> impl Iterator<Item = &'static str> {
        let usual = Self::default();
        let is_milder = |score: u16| {
            let action = |policy: &Self| policy.band_of(score).map(|band| band.action);
            action(self) < action(&usual)
        };
        let milder_bands = usual.bands.iter().chain(&self.bands).any(|band| is_milder(band.from));
        let switches = [
            ("policy.open_when_unavailable", self.opens_when_unavailable),
            ("policy.band", milder_bands),
            ("policy.unknown_risk", self.unknown_risk < usual.unknown_risk),
            ("policy.tell_risk", self.tells_risk),
        ];
        switches.into_iter().filter_map(|(setting, is_set)| is_set.then_some(setting))
    }
}

// === impl Action ===

impl Action {
    /// The word in headers and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Flag => "flag",
            Self::StepUp => "step_up",
            Self::Deny => "deny",
        }
    }
}

// === impl Level ===

impl Level {
    /// The word in headers and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::Elevated => "elevated",
            Self::High => "high",
            Self::Unknown => "unknown",
        }
    }
}
