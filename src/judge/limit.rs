//! The limits of a rule: how often the application pays for a request.

use crate::{error::ConfigError, proof::Field, store::Rate};

/// Limits how often a client may use something that the application pays for, such as an SMS: see
/// [`Rule::limit`](crate::Rule::limit).
///
/// Requests above the limit get 429 `throttled` with `Retry-After`, and no check is sent.
///
/// ```
/// use std::time::Duration;
///
/// use tower_jverify::{Field, Limit, Rate, Rule, captcha};
///
/// // An SMS costs money: at most three an hour for each client and phone.
/// let limit = Limit::per_client_and_phone(Rate::new(3, Duration::from_secs(3_600)), Field::body("/phone"));
/// let rule = Rule::post("/sms", captcha()).limit(limit);
/// # let _ = rule;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    pub(super) rate: Rate,
    phone: Option<Field>,
}

// === impl Limit ===

impl Limit {
    /// A limit for each client, for all phones together.
    pub const fn per_client(rate: Rate) -> Self {
        Self { rate, phone: None }
    }

    /// A limit for each client and phone. The phone is read from this field, in a spelling that the rule's
    /// [`phone_grammar`](crate::Rule::phone_grammar) accepts. A request without it is refused with 400.
    ///
    /// **Danger:** this phone is counted, but not proven. If the rule proves the phone in another field, a request may name
    /// two phones: the application must not log in the phone of the limit. The log names such a rule at start.
    ///
    /// A limit for a phone alone does not exist: any stranger could use it to lock out the phone's owner.
    pub const fn per_client_and_phone(rate: Rate, phone: Field) -> Self {
        Self { rate, phone: Some(phone) }
    }

    /// The field of the phone, if the phone counts.
    pub(crate) fn phone(&self) -> Option<&Field> {
        self.phone.as_ref()
    }

    /// # Errors
    ///
    /// `rule.limit`, if the rate is invalid.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        self.rate.validate("rule.limit")
    }
}
