//! The checks of a request.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use super::bindings::Bindings;
use crate::{
    check::{AskedBy, Check},
    check_kind::CheckKind,
    phone::Phone,
    secret::Secret,
};

/// A check, and the conditions for its verdict.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) check: Check,
    /// The conditions for a captcha.
    pub(crate) bindings: Option<Arc<Bindings>>,
    /// The phone that the client claims.
    pub(crate) claimed: Option<Phone>,
    /// Whether the phone's risk is queried after this check has passed.
    pub(crate) with_risk: bool,
}

/// A pass in a request, in the place of a number check.
pub(crate) struct Presented {
    pub(crate) text: Secret,
    /// The phone that the client claims.
    pub(crate) phone: Phone,
    /// Whether the rule also asks for the risk of the phone.
    pub(crate) with_risk: bool,
}

// === impl Planned ===

impl Hash for Planned {
    /// Hashes every part.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { check, bindings, claimed, with_risk } = self;
        check.hash_parts(state);
        (bindings, claimed, with_risk).hash(state);
    }
}

/// All checks of a request, in their order.
#[derive(Hash)]
pub(crate) struct Plan {
    pub(crate) checks: Vec<Planned>,
    /// The phone of each limit of the rule that is for a phone, in their order.
    pub(crate) limited: Vec<Phone>,
    /// The pass in the place of a number check. Boxed, because it is rare.
    pub(crate) pass: Option<Box<Presented>>,
    /// The captcha that a risk may require. Boxed, because it is rare.
    pub(crate) step_up: Option<Box<Planned>>,
    /// The rule that asks, and the parameters of its path: checks of different tenants are different.
    pub(crate) asked_by: Arc<AskedBy>,
}

// === impl Presented ===

impl Hash for Presented {
    /// Hashes every part.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { text, phone, with_risk } = self;
        (text.expose(), phone, with_risk).hash(state);
    }
}

// === impl Plan ===

impl Plan {
    /// The phones that the client claims, each once.
    pub(super) fn claimed(&self) -> impl Iterator<Item = Phone> {
        self.asked_about(false)
    }

    /// The phones that checks are asked about, each once. `has_pass`: the request's pass takes the place of a check.
    pub(super) fn asked_about(&self, has_pass: bool) -> impl Iterator<Item = Phone> {
        let all = move || {
            let of_pass = self.pass.iter().filter(move |_| !has_pass).map(|pass| pass.phone);
            self.checks.iter().filter_map(|planned| planned.claimed).chain(of_pass)
        };
        let is_first = move |(at, phone): &(usize, Phone)| all().take(*at).all(|other| other != *phone);
        all().enumerate().filter(is_first).map(|(_, phone)| phone)
    }

    /// Whether the request contains a captcha that is or may be checked.
    pub(super) fn has_captcha(&self) -> bool {
        self.step_up.is_some() || self.checks.iter().any(|planned| planned.check.kind() == CheckKind::Captcha)
    }

    /// The first phone that the client claims.
    pub(crate) fn phone(&self) -> Option<Phone> {
        self.claimed().next()
    }

    /// How many checks are billed, if all of them are sent.
    pub(super) fn cost(&self) -> u64 {
        self.checks
            .iter()
            .map(|planned| u64::from(planned.check.kind().is_billed()) + u64::from(planned.with_risk))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    /// Otherwise an inner service of the same layer takes the outer decision for the answer to another pass.
    #[test]
    fn passes_that_differ_in_any_part_are_different_checks() {
        let hasher = RandomState::new();
        let of = |text: &str, phone: &str, with_risk: bool| {
            let phone = Phone::parse(phone).unwrap();
            hasher.hash_one(Presented { text: Secret::from(text), phone, with_risk })
        };
        let usual = of("pass", "13800000000", false);
        assert_eq!(usual, of("pass", "13800000000", false));
        for other in
            [of("another", "13800000000", false), of("pass", "13900000000", false), of("pass", "13800000000", true)]
        {
            assert_ne!(usual, other);
        }
    }
}
