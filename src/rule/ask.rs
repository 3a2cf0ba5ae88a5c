//! The proofs that a rule requires: which checks, in which order, from which fields.
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

use super::captcha::Captcha;
use crate::{
    check::Channel,
    judge::{Bindings, Prefix},
    proof::Field,
};

/// A number check (号码认证): verifies that a carrier's token belongs to a phone.
///
/// ```
/// use tower_jverify::{Field, Rule, number};
///
/// let rule = Rule::post("/login", number().web().phone(Field::body("/user/phone")));
/// # let _ = rule;
/// ```
#[derive(Clone, Debug)]
pub struct Number {
    pub(super) channel: Channel,
    pub(super) token: Field,
    pub(super) phone: Field,
    pub(super) country_code: Option<Field>,
    pub(super) with_risk: bool,
    pub(super) step_up: StepUp,
}

/// A one-tap check (一键登录): returns the phone of a login token.
///
/// ```
/// use tower_jverify::{Field, Rule, one_tap};
///
/// let rule = Rule::post("/login", one_tap().login_token(Field::header("x-login-token")));
/// # let _ = rule;
/// ```
#[derive(Clone, Debug)]
pub struct OneTap {
    pub(super) channel: Channel,
    pub(super) login_token: Field,
    pub(super) phone: Field,
    pub(super) with_risk: bool,
    pub(super) step_up: StepUp,
}

/// The additional captcha that a risk may require.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StepUp {
    pub(super) captcha: Option<Field>,
    pub(super) bindings: Bindings,
}

/// One or more proofs, at least one of which must be present. All proofs that are present must pass, a captcha first.
///
/// **Danger:** a captcha proves that a person is present, but it does not prove a phone. After `captcha().or(number())` the
/// client chooses, and may send a captcha together with the phone of another person: take the phone from
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

/// The required proofs, in order. The first check that fails ends the sequence, and later proofs are not spent.
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

/// A proof that a rule can require.
#[derive(Clone, Debug)]
pub(super) enum Proof {
    Number(Number),
    Captcha(Captcha),
    OneTap(OneTap),
}

/// Requires a carrier's token and its phone, from the body's `/token` and `/phone`.
///
/// A part that is null or empty counts as absent, in every proof and every place, because clients with typed models send
/// all members. If the rule requires the proof, the request is answered 400 `proof_missing`.
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

/// Requires a login token, from the body's `/loginToken`. If the body also has a `/phone`, it must be the phone that JPush
/// returns.
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

/// The setters of [`StepUp`], for a proof that a captcha can accompany.
macro_rules! step_up_methods {
    () => {
        /// Sets the field of the captcha that lets a risky phone pass. Default: the body's `/captchaContent` if the proof
        /// is in the body, otherwise none.
        ///
        /// All proofs of a rule must set the same value, and a rule that already requires a captcha must not set it.
        /// Otherwise `build()` returns an error.
        pub fn step_up_captcha(mut self, field: Field) -> Self {
            self.step_up.captcha = Some(field);
            self
        }

        /// Sets the scene for which this captcha must have been solved. Default: any. The same conditions apply as for
        /// [`step_up_captcha`](Self::step_up_captcha).
        pub fn step_up_scene(mut self, scene: impl Into<Box<str>>) -> Self {
            self.step_up.bindings.scene = Some(scene.into());
            self
        }

        /// As [`Captcha::used_types`], for this captcha. The same conditions apply as for
        /// [`step_up_captcha`](Self::step_up_captcha). Default: any.
        pub fn step_up_used_types(mut self, types: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
            self.step_up.bindings.used_types = Some(types.into_iter().map(Into::into).collect());
            self
        }

        /// As [`Captcha::bind_client_ip`], for this captcha. The same conditions apply as for
        /// [`step_up_captcha`](Self::step_up_captcha). Default: off.
        pub fn step_up_bind_client_ip(mut self, prefix: Prefix) -> Self {
            self.step_up.bindings.client_ip = Some(prefix);
            self
        }
    };
}

// === impl Number ===

impl Number {
    /// Uses the endpoint for tokens of the browser SDK (H5). Default: the endpoint for tokens of the app SDKs.
    pub fn web(mut self) -> Self {
        self.channel = Channel::Web;
        self
    }

    /// Sets the field of the token. Default: the body's `/token`.
    pub fn token(mut self, field: Field) -> Self {
        self.token = field;
        self
    }

    /// Sets the field of the phone. Default: the body's `/phone`.
    pub fn phone(mut self, field: Field) -> Self {
        self.phone = field;
        self
    }

    /// Sets the field of an optional country code. If it is present, neither null nor empty, it must be `86` or `+86`, as
    /// text or number: with another code the same digits are another phone. Default: none.
    ///
    /// With [`foreign_backend`](crate::JVerifyBuilder::foreign_backend) cookies with the field's name are removed, and a key of a
    /// form or the query whose last segment is the name is refused, unless [`Rule::other_phones`](crate::Rule::other_phones) lists it.
    pub fn country_code(mut self, field: Field) -> Self {
        self.country_code = Some(field);
        self
    }

    /// Also asks for the risk (风险分), by a separate call after the number has passed.
    ///
    /// The answer to the number check already contains a risk; this asks the newer endpoint for the same phone. Default: off.
    pub fn with_risk(mut self) -> Self {
        self.with_risk = true;
        self
    }

    step_up_methods!();
}

// === impl OneTap ===

impl OneTap {
    /// Uses the endpoint for tokens of the browser SDK (H5). Default: the endpoint for tokens of the app SDKs.
    pub fn web(mut self) -> Self {
        self.channel = Channel::Web;
        self
    }

    /// Sets the field of the login token. Default: the body's `/loginToken`.
    pub fn login_token(mut self, field: Field) -> Self {
        self.login_token = field;
        self
    }

    /// Sets the field of an optional phone that the client claims. If it is present, neither null nor empty, it must be the
    /// proven phone. Default: the body's `/phone`.
    pub fn phone(mut self, field: Field) -> Self {
        self.phone = field;
        self
    }

    /// Also asks for the risk (风险分), by a separate call after the login token has passed. Default: off.
    pub fn with_risk(mut self) -> Self {
        self.with_risk = true;
        self
    }

    step_up_methods!();
}

// === impl AnyOf ===

impl AnyOf {
    /// One or more proofs, at least one of which must be present. If the list is empty, `build()` returns an error.
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

    /// Adds an alternative: the request must carry at least one of the proofs. A captcha does not prove a phone: see
    /// [`AnyOf`].
    pub fn or(mut self, other: impl Into<AnyOf>) -> Self {
        self.proofs.extend(other.into().proofs);
        self
    }
}

// === impl Ask ===

impl Ask {
    /// Several steps, in order, all of which must pass. If the list is empty, `build()` returns an error.
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

    /// Adds a step.
    pub fn then(mut self, next: impl Into<Ask>) -> Self {
        self.steps.extend(next.into().steps);
        self
    }

    /// Whether a request passes with captchas only, so that no part of its proof identifies a person.
    pub(super) fn takes_a_captcha_alone(&self) -> bool {
        self.steps.iter().all(|step| step.proofs.iter().any(|proof| matches!(proof, Proof::Captcha(_))))
    }

    pub(super) fn proofs(&self) -> impl Iterator<Item = &Proof> {
        self.steps.iter().flat_map(|step| &step.proofs)
    }

    /// The conditions for its captchas.
    pub(super) fn bindings(&self) -> impl Iterator<Item = &Bindings> {
        self.proofs().map(|proof| match proof {
            Proof::Number(Number { step_up, .. }) | Proof::OneTap(OneTap { step_up, .. }) => &step_up.bindings,
            Proof::Captcha(Captcha { bindings, .. }) => bindings,
        })
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

/// The combinators of every proof and every choice of proofs.
macro_rules! combinators {
    ($($proof:ident $(or $variant:ident)?),* $(,)?) => {$(
        impl $proof {
            /// Adds a step. Steps run in order, and the first that fails ends the sequence.
            pub fn then(self, next: impl Into<Ask>) -> Ask {
                Ask::from(AnyOf::from(self)).then(next)
            }
        }

        $(
            impl $proof {
                /// Adds an alternative. At least one of the proofs must be present, and all that are present must pass.
                ///
                /// **Danger:** a captcha does not prove a phone. If one of the two is a captcha, a request that passes may have no
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
