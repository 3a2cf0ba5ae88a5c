//! One question to JPush: a proof plus its context.
//!
//! The layer builds checks from requests. A verifier answers them: any `tower::Service<Check, Response = Verdict>`. So in a
//! test a verifier is a one-line closure:
//!
//! ```
//! use tower_jverify::{Check, Class, Question, Verdict};
//!
//! let verifier = tower::service_fn(|check: Check| async move {
//!     let class = match check.question() {
//!         Question::Number { phone, .. } if phone.as_str().starts_with("138") => Class::Passed,
//!         _ => Class::Rejected,
//!     };
//!     Ok::<_, std::convert::Infallible>(Verdict::new(check.kind(), class))
//! });
//! # let _ = verifier;
//! ```

use std::{
    fmt,
    hash::{Hash, Hasher},
    net::IpAddr,
    sync::Arc,
};

use crate::{check_kind::CheckKind, ex_id::ExId, phone::Phone, secret::Secret};

/// One question to JPush, with its context.
///
/// `Debug` shows the kind, the channel and the id; never the proof.
///
/// ```
/// use tower_jverify::{Channel, Check, CheckKind, Phone};
///
/// let check = Check::number("token", Phone::parse("13800000000").unwrap()).with_channel(Channel::Web);
/// assert_eq!(check.kind(), CheckKind::Number);
/// assert!(!format!("{check:?}").contains("token"));
/// ```
#[derive(Clone)]
pub struct Check {
    question: Question,
    channel: Channel,
    ip: Option<IpAddr>,
    ex_id: Option<ExId>,
    asked_by: Option<Arc<AskedBy>>,
}

/// The rule and the request that a check is for. All requests of a rule share one value, unless the rule's path has
/// parameters.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct AskedBy {
    rule: Option<Arc<str>>,
    /// Names and values, in the order of the path.
    path_parameters: Vec<(Arc<str>, Box<str>)>,
}

/// The question of a check. `Debug` shows no token, and a masked phone.
///
/// ```
/// use tower_jverify::{Check, Question};
///
/// let check = Check::captcha("answer");
/// assert!(matches!(check.question(), Question::Captcha { content, .. } if content.expose() == "answer"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Question {
    /// Does the carrier's token belong to this phone? (号码认证)
    #[non_exhaustive]
    Number {
        /// The client SDK's token. Single use.
        token: Secret,
        /// The phone that the client claims.
        phone: Phone,
    },
    /// Did this person solve the captcha? (行为验证)
    #[non_exhaustive]
    Captcha {
        /// The client SDK's `captchaContent`.
        content: Secret,
    },
    /// Whose phone is it? (一键登录)
    #[non_exhaustive]
    OneTap {
        /// The client SDK's `loginToken`. Single use.
        login_token: Secret,
    },
    /// How risky is this phone? It does not prove anything: it needs only the phone.
    #[non_exhaustive]
    Risk {
        /// The phone, which another check has proven before.
        phone: Phone,
    },
}

/// The client's SDK, which decides the vendor's endpoint.
///
/// ```
/// use tower_jverify::{Channel, Check, Phone};
///
/// let phone = Phone::parse("13800000000").unwrap();
/// let check = Check::number("token", phone).with_channel(Channel::Web);
/// assert_eq!(check.channel(), Channel::Web);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Channel {
    /// Android, iOS, Harmony. The default.
    #[default]
    App,
    /// H5, in a browser.
    Web,
}

/// The endpoint of a check. Each has its own breakers and metrics. Only number checks distinguish channels: a captcha has
/// one endpoint for both channels, and the other checks are too rare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Endpoint {
    NumberApp,
    NumberWeb,
    Captcha,
    OneTap,
    Risk,
}

// === impl Check ===

impl Check {
    /// Asks whether a carrier's token belongs to a phone.
    pub fn number(token: impl Into<Secret>, phone: Phone) -> Self {
        Self::new(Question::Number { token: token.into(), phone })
    }

    /// Asks whether a captcha was solved.
    pub fn captcha(content: impl Into<Secret>) -> Self {
        Self::new(Question::Captcha { content: content.into() })
    }

    /// Asks for the phone behind a login token.
    pub fn one_tap(login_token: impl Into<Secret>) -> Self {
        Self::new(Question::OneTap { login_token: login_token.into() })
    }

    /// Asks for the risk of a phone.
    pub fn risk(phone: Phone) -> Self {
        Self::new(Question::Risk { phone })
    }

    fn new(question: Question) -> Self {
        Self { question, channel: Channel::App, ip: None, ex_id: None, asked_by: None }
    }

    /// Sets the endpoint. Default: [`Channel::App`]. A captcha has one endpoint for both channels.
    pub fn with_channel(mut self, channel: Channel) -> Self {
        self.channel = channel;
        self
    }

    /// Sets the client's address. An address that is not global (private, loopback) is dropped: it would not identify the
    /// client, but it would reveal the internal network to JPush. Default: none is sent.
    pub fn with_ip(mut self, ip: IpAddr) -> Self {
        self.ip = is_global(ip).then(|| ip.to_canonical());
        self
    }

    /// Sets the id that identifies this check. Default: none is sent.
    pub fn with_ex_id(mut self, ex_id: ExId) -> Self {
        self.ex_id = Some(ex_id);
        self
    }

    /// Sets the rule that asks, for a verifier's unit test. Default: none; the layer sets it.
    pub fn with_rule(mut self, rule: impl Into<Arc<str>>) -> Self {
        Arc::make_mut(self.asked_by.get_or_insert_default()).rule = Some(rule.into());
        self
    }

    /// Adds a parameter of the request's path, for a verifier's unit test. Default: none; the layer adds them.
    ///
    /// ```
    /// use tower_jverify::Check;
    ///
    /// let check = Check::captcha("answer").with_rule("login").with_path_parameter("tenant", "acme");
    /// assert_eq!((check.rule(), check.path_parameter("tenant")), (Some("login"), Some("acme")));
    /// ```
    pub fn with_path_parameter(mut self, name: impl Into<Arc<str>>, value: impl Into<Box<str>>) -> Self {
        Arc::make_mut(self.asked_by.get_or_insert_default()).path_parameters.push((name.into(), value.into()));
        self
    }

    /// Replaces the rule and the parameters.
    #[inline]
    pub(crate) fn with_asked_by(mut self, asked_by: Option<Arc<AskedBy>>) -> Self {
        self.asked_by = asked_by;
        self
    }

    /// Hashes the proof and its context, all parts of both.
    ///
    /// `Check` does not implement `Hash`, because a hash without a key would reveal the phone.
    pub(crate) fn hash_parts<H: Hasher>(&self, state: &mut H) {
        let Self { question, channel, ip, ex_id, asked_by } = self;
        self.kind().hash(state);
        match question {
            Question::Number { token, phone } => (token.expose(), phone).hash(state),
            Question::Captcha { content } => content.expose().hash(state),
            Question::OneTap { login_token } => login_token.expose().hash(state),
            Question::Risk { phone } => phone.hash(state),
        }
        (channel, ip, ex_id.as_ref().map(ExId::as_str), asked_by).hash(state);
    }

    /// The question.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// The kind of the question.
    pub fn kind(&self) -> CheckKind {
        match self.question {
            Question::Number { .. } => CheckKind::Number,
            Question::Captcha { .. } => CheckKind::Captcha,
            Question::OneTap { .. } => CheckKind::OneTap,
            Question::Risk { .. } => CheckKind::Risk,
        }
    }

    /// The endpoint's channel.
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// The endpoint of this check.
    #[inline]
    pub(crate) fn endpoint(&self) -> Endpoint {
        match (self.kind(), self.channel) {
            (CheckKind::Number, Channel::App) => Endpoint::NumberApp,
            (CheckKind::Number, Channel::Web) => Endpoint::NumberWeb,
            (CheckKind::Captcha, _) => Endpoint::Captcha,
            (CheckKind::OneTap, _) => Endpoint::OneTap,
            (CheckKind::Risk, _) => Endpoint::Risk,
        }
    }

    /// The client's address, always a global one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.ip
    }

    /// The id of this check.
    pub fn ex_id(&self) -> Option<&ExId> {
        self.ex_id.as_ref()
    }

    /// The name of the rule that asks ([`Rule::name`](crate::Rule::name)); `None` outside of a layer.
    pub fn rule(&self) -> Option<&str> {
        self.asked_by.as_ref()?.rule.as_deref()
    }

    /// A parameter of the request's path: for `/v1/acme/login` and a rule for `/v1/{tenant}/login`, `tenant` is `acme`.
    ///
    /// The value is decoded once and keeps its case. A path whose readings differ in a parameter, such as
    /// `/v1/mine;x/login` or `/v1/a%2Fb/login`, is refused before this check is created. `None` if the rule's path has no
    /// such parameter; `{*rest}` has no value, because backends join several segments in different ways.
    ///
    /// **Danger:** the client chooses the value. Compare it exactly with existing names, and refuse others: with a default
    /// key, the owner of one tenant could log in to another.
    pub fn path_parameter(&self, name: &str) -> Option<&str> {
        let parameters = &self.asked_by.as_ref()?.path_parameters;
        parameters.iter().find(|(known, _)| **known == *name).map(|(_, value)| &**value)
    }
}

// === impl Endpoint ===

impl Endpoint {
    /// In the order of [`Endpoint::index`].
    pub(crate) const ALL: [Self; 5] = [Self::NumberApp, Self::NumberWeb, Self::Captcha, Self::OneTap, Self::Risk];

    /// The index in a table with one entry per endpoint.
    #[inline]
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::NumberApp => 0,
            Self::NumberWeb => 1,
            Self::Captcha => 2,
            Self::OneTap => 3,
            Self::Risk => 4,
        }
    }

    /// The word in labels and events.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::NumberApp => "number_app",
            Self::NumberWeb => "number_web",
            Self::Captcha => "captcha",
            Self::OneTap => "one_tap",
            Self::Risk => "risk",
        }
    }
}

// === impl AskedBy ===

impl AskedBy {
    pub(crate) fn new(rule: Arc<str>, path_parameters: Vec<(Arc<str>, Box<str>)>) -> Self {
        Self { rule: Some(rule), path_parameters }
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("kind", &self.kind())
            .field("channel", &self.channel)
            .field("ex_id", &self.ex_id)
            .field("rule", &self.rule())
            .finish_non_exhaustive()
    }
}

/// Whether an address can belong to a client on the internet. (`IpAddr::is_global` is not stable.)
fn is_global(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let protocol_assignments = a == 192 && b == 0 && c == 0;
            let benchmarking = a == 198 && (b == 18 || b == 19);
            let reserved = a == 0 || a >= 240;
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_documentation()
                || shared
                || protocol_assignments
                || benchmarking
                || reserved)
        }
        IpAddr::V6(ip) => {
            // Global unicast is 2000::/3. In it, 2001::/23 is for protocols, 2001:db8::/32 and 3fff::/20 are for
            // documentation, and 2002::/16 (6to4) may hide any address.
            let [first, second, ..] = ip.segments();
            let special = first == 0x2002
                || (first == 0x2001 && (second < 0x200 || second == 0xdb8))
                || (first == 0x3fff && second < 0x1000);
            first & 0xe000 == 0x2000 && !special
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Channel, Check, Endpoint};
    use crate::phone::Phone;

    #[test]
    fn each_check_has_one_endpoint_and_the_channel_counts_for_numbers_alone() {
        let phone = Phone::parse("13800000000").unwrap();
        for (check, app, web) in [
            (Check::number("t", phone), Endpoint::NumberApp, Endpoint::NumberWeb),
            (Check::captcha("c"), Endpoint::Captcha, Endpoint::Captcha),
            (Check::one_tap("t"), Endpoint::OneTap, Endpoint::OneTap),
            (Check::risk(phone), Endpoint::Risk, Endpoint::Risk),
        ] {
            assert_eq!(check.endpoint(), app);
            assert_eq!(check.with_channel(Channel::Web).endpoint(), web);
        }
        for (index, endpoint) in Endpoint::ALL.into_iter().enumerate() {
            assert_eq!(endpoint.index(), index, "{}", endpoint.as_str());
        }
    }
}
