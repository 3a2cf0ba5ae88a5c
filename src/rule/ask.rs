//! What a rule's requests must prove: which checks, in which order, from which fields.
//!
//! Each of the three proofs has a separate type, so that a captcha has no phone setter and a risk query, which proves
//! nothing, cannot be used alone. `then` sets the order, `or` leaves the choice to the client.
//!
//! ```compile_fail,E0599
//! tower_jverify::captcha().with_risk(); // of whose phone?
//! ```
//!
//! ```compile_fail,E0432
//! use tower_jverify::risk; // there is no such proof
//! ```

use crate::{check::Channel, proof::Field};

/// A number check (号码认证): a carrier's token belongs to a phone.
#[derive(Clone, Debug)]
pub struct Number {
    pub(super) channel: Channel,
    pub(super) token: Field,
    pub(super) phone: Field,
    pub(super) country_code: Option<Field>,
    pub(super) with_risk: bool,
    pub(super) step_up: StepUp,
}

/// A captcha check (行为验证): a person solved it.
#[derive(Clone, Debug)]
pub struct Captcha {
    pub(super) content: Field,
    pub(super) scene: Option<Box<str>>,
}

/// A one-tap check (一键登录): whose phone is it?
#[derive(Clone, Debug)]
pub struct OneTap {
    pub(super) channel: Channel,
    pub(super) login_token: Field,
    pub(super) phone: Field,
    pub(super) with_risk: bool,
    pub(super) step_up: StepUp,
}

/// The captcha that a risk may ask for on top.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StepUp {
    pub(super) captcha: Option<Field>,
    pub(super) scene: Option<Box<str>>,
}

/// One proof or several of which at least one must be there; all that are there must pass, a captcha first.
///
/// **Danger:** a captcha proves that a person is there, and no phone. After `captcha().or(number())` the client chooses, and
/// may send a captcha together with the phone of another person: take the phone from
/// [`Decision::phone`](crate::Decision::phone), which is then `None`, and never from the body.
///
/// ```
/// use tower_jverify::{AnyOf, Rule, captcha, number, one_tap};
///
/// let rule = Rule::post("/signin", captcha().or(number()));
/// let rule = Rule::post("/signin", AnyOf::new([AnyOf::from(captcha()), number().into(), one_tap().into()]));
/// # let _ = rule;
/// ```
#[derive(Clone, Debug)]
pub struct AnyOf {
    pub(super) proofs: Vec<Proof>,
}

/// What must be proven, in order; the first check that fails ends it, and what comes after is not spent.
///
/// ```
/// use tower_jverify::{Ask, Rule, captcha, number};
///
/// let rule = Rule::post("/register", captcha().then(number()));
/// let rule = Rule::post("/register", Ask::all([Ask::from(captcha()), number().into()]));
/// # let _ = rule;
/// ```
#[derive(Clone, Debug)]
pub struct Ask {
    pub(super) steps: Vec<AnyOf>,
}

/// A proof that can be asked for.
#[derive(Clone, Debug)]
pub(super) enum Proof {
    Number(Number),
    Captcha(Captcha),
    OneTap(OneTap),
}

/// Asks for a carrier's token and the phone it belongs to, from the body's `/token` and `/phone`.
///
/// A part that is null or empty is absent, in every proof and every place: clients with typed models send all members. A proof
/// that the rule requires is then missing (400, `proof_missing`).
pub fn number() -> Number {
    Number {
        channel: Channel::App,
        token: Field::body("/token"),
        phone: Field::body("/phone"),
        country_code: None,
        with_risk: false,
        step_up: StepUp::default(),
    }
}

/// Asks for a solved captcha, from the body's `/captchaContent`.
///
/// **Danger:** a captcha alone names no phone. In front of a backend that reads the query, a rule for one method with nothing
/// but a captcha cannot distinguish `GET /register`, the page, from a registration in the query: use
/// [`Rule::any_method`](crate::Rule::any_method) there.
pub fn captcha() -> Captcha {
    Captcha { content: Field::body("/captchaContent"), scene: None }
}

/// Asks for a login token, from the body's `/loginToken`. A `/phone` beside it must be the one that JPush answers.
///
/// The verifier needs the developer's private key: see `JPushBuilder::one_tap_key`.
pub fn one_tap() -> OneTap {
    OneTap {
        channel: Channel::App,
        login_token: Field::body("/loginToken"),
        phone: Field::body("/phone"),
        with_risk: false,
        step_up: StepUp::default(),
    }
}

/// The setters of [`StepUp`], for a proof that a captcha can stand beside.
macro_rules! step_up_methods {
    () => {
        /// Where a captcha sits that a risky phone may be let through by. Default: the body's `/captchaContent`, if the proof
        /// is in the body; else none.
        ///
        /// All proofs of a rule must set the same value, and a rule that already requires a captcha must not set it.
        /// Otherwise `build()` returns an error.
        pub fn step_up_captcha(mut self, field: Field) -> Self {
            self.step_up.captcha = Some(field);
            self
        }

        /// The scene that such a captcha must have been solved for. Default: any. Set where
        /// [`step_up_captcha`](Self::step_up_captcha) may be.
        pub fn step_up_scene(mut self, scene: impl Into<Box<str>>) -> Self {
            self.step_up.scene = Some(scene.into());
            self
        }
    };
}

// === impl Number ===

impl Number {
    /// Asks the endpoint for tokens of the browser SDK (H5). Default: the apps'.
    pub fn web(mut self) -> Self {
        self.channel = Channel::Web;
        self
    }

    /// Where the token sits. Default: the body's `/token`.
    pub fn token(mut self, field: Field) -> Self {
        self.token = field;
        self
    }

    /// Where the phone sits. Default: the body's `/phone`.
    pub fn phone(mut self, field: Field) -> Self {
        self.phone = field;
        self
    }

    /// Where a country code may sit beside the phone. If it is there, neither null nor empty, it must be `86` or `+86`, as text or number: another
    /// would make another phone of the same digits. Default: nowhere.
    ///
    /// With [`foreign_backend`](crate::JVerifyBuilder::foreign_backend) cookies with the field's name are removed, and a key of a
    /// form or the query whose last segment is the name is refused, unless [`Rule::other_phones`](crate::Rule::other_phones) lists it.
    pub fn country_code(mut self, field: Field) -> Self {
        self.country_code = Some(field);
        self
    }

    /// Asks for the risk as well (风险分), by a call of its own, once the number has passed.
    ///
    /// The number check's own answer holds a risk already; this asks the newer endpoint for the same phone.
    pub fn with_risk(mut self) -> Self {
        self.with_risk = true;
        self
    }

    step_up_methods!();
}

// === impl Captcha ===

impl Captcha {
    /// Where the captcha's answer sits. Default: the body's `/captchaContent`.
    pub fn content(mut self, field: Field) -> Self {
        self.content = field;
        self
    }

    /// The scene that it must have been solved for, such as `注册` or `登录`; an answer for another scene, or for none, is
    /// no pass. Default: any. (Source: `captchaArgs.scene` of the captcha document.)
    pub fn scene(mut self, scene: impl Into<Box<str>>) -> Self {
        self.scene = Some(scene.into());
        self
    }
}

// === impl OneTap ===

impl OneTap {
    /// Asks the endpoint for tokens of the browser SDK (H5). Default: the apps'.
    pub fn web(mut self) -> Self {
        self.channel = Channel::Web;
        self
    }

    /// Where the login token sits. Default: the body's `/loginToken`.
    pub fn login_token(mut self, field: Field) -> Self {
        self.login_token = field;
        self
    }

    /// Where a phone may sit that the client claims; if there, neither null nor empty, it must be the proven one. Default: the body's `/phone`.
    pub fn phone(mut self, field: Field) -> Self {
        self.phone = field;
        self
    }

    /// Asks for the risk as well (风险分), by a call of its own, once the login token has passed.
    pub fn with_risk(mut self) -> Self {
        self.with_risk = true;
        self
    }

    step_up_methods!();
}

// === impl AnyOf ===

impl AnyOf {
    /// One or several proofs, of which at least one must be there. Without any, `build()` returns an error.
    ///
    /// ```
    /// use tower_jverify::{AnyOf, Rule, captcha, number};
    ///
    /// let rule = Rule::post("/signin", AnyOf::new([AnyOf::from(captcha()), number().into()]));
    /// # let _ = rule;
    /// ```
    pub fn new(proofs: impl IntoIterator<Item = impl Into<AnyOf>>) -> Self {
        Self { proofs: proofs.into_iter().flat_map(|proof| proof.into().proofs).collect() }
    }

    /// Or another proof: whichever the request carries. A captcha proves no phone: see [`AnyOf`].
    pub fn or(mut self, other: impl Into<AnyOf>) -> Self {
        self.proofs.extend(other.into().proofs);
        self
    }
}

// === impl Ask ===

impl Ask {
    /// Several steps, in order: all of them must pass. Without any, `build()` returns an error.
    ///
    /// ```
    /// use tower_jverify::{Ask, Rule, captcha, number};
    ///
    /// let rule = Rule::post("/register", Ask::all([Ask::from(captcha()), number().into()]));
    /// # let _ = rule;
    /// ```
    pub fn all(steps: impl IntoIterator<Item = impl Into<Ask>>) -> Self {
        Self { steps: steps.into_iter().flat_map(|step| step.into().steps).collect() }
    }

    /// Then another.
    pub fn then(mut self, next: impl Into<Ask>) -> Self {
        self.steps.extend(next.into().steps);
        self
    }

    /// Whether no part of it names a person.
    pub(super) fn is_captcha_alone(&self) -> bool {
        self.proofs().all(|proof| matches!(proof, Proof::Captcha(_)))
    }

    pub(super) fn proofs(&self) -> impl Iterator<Item = &Proof> {
        self.steps.iter().flat_map(|step| &step.proofs)
    }

    /// The fields of the phones that its proofs are for.
    pub(super) fn phones(&self) -> impl Iterator<Item = &Field> {
        self.proofs().filter_map(|proof| match proof {
            Proof::Number(Number { phone, .. }) | Proof::OneTap(OneTap { phone, .. }) => Some(phone),
            Proof::Captcha(Captcha { .. }) => None,
        })
    }

    /// Whether it reads this field, as something else than a phone.
    pub(super) fn reads_no_phone_in(&self, field: &Field) -> bool {
        self.proofs().any(|proof| match proof {
            Proof::Number(Number { token, country_code, .. }) => field == token || Some(field) == country_code.as_ref(),
            Proof::OneTap(OneTap { login_token, .. }) => field == login_token,
            Proof::Captcha(Captcha { content, .. }) => field == content,
        })
    }
}

impl From<AnyOf> for Ask {
    fn from(step: AnyOf) -> Self {
        Self { steps: vec![step] }
    }
}

/// What every proof and every choice among them can be followed by.
macro_rules! combinators {
    ($($proof:ident $(or $variant:ident)?),* $(,)?) => {$(
        impl $proof {
            /// Then another: in order, and the first that fails ends it.
            pub fn then(self, next: impl Into<Ask>) -> Ask {
                Ask::from(AnyOf::from(self)).then(next)
            }
        }

        $(
            impl $proof {
                /// Or another: whichever the request carries. At least one must be there, and all that are there must pass.
                ///
                /// **Danger:** a captcha proves no phone. If one of the two is a captcha, a request that passes may have no
                /// proven phone, whatever phone its body contains: see [`AnyOf`].
                pub fn or(self, other: impl Into<AnyOf>) -> AnyOf {
                    AnyOf::from(self).or(other)
                }
            }

            impl From<$proof> for AnyOf {
                fn from(proof: $proof) -> Self {
                    Self { proofs: vec![Proof::$variant(proof)] }
                }
            }

            impl From<$proof> for Ask {
                fn from(proof: $proof) -> Self {
                    AnyOf::from(proof).into()
                }
            }
        )?
    )*};
}

combinators!(Number or Number, Captcha or Captcha, OneTap or OneTap, AnyOf);
