//! Settings of shadow and rollout that cannot work are errors of `build()`, which name them.

use std::time::Duration;

use http::HeaderName;
use tower_jverify::{Mode, Rollout, Rule, Secret, Unit, number};

use super::watched;
use crate::support::{Verifier, builder};

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// The setting that the error names; empty if `build()` succeeds.
fn error(rule: Rule) -> &'static str {
    let built = builder(&Verifier::passing()).rule(rule).build();
    built.err().map_or("", |error| {
        assert_eq!(error.rule(), Some("POST /login"), "{error}");
        assert!(!format!("{error} {error:?}").contains("0123456789"), "{error}");
        error.setting()
    })
}

#[test]
fn a_part_is_a_percentage_of_two_decimals() {
    let of = |percent| {
        let rollout = Rollout::percent(percent).key(Secret::from(KEY));
        error(Rule::post("/login", number()).mode(Mode::Rollout(rollout)))
    };
    for percent in [0.0, 0.01, 12.5, 33.33, 99.99, 100.0] {
        assert_eq!(of(percent), "", "{percent}");
    }
    for percent in
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.01, -0.0, 100.01, 1e9, 12.345, 0.001, 1e-300, 655_400.0]
    {
        assert_eq!(of(percent), "mode.rollout.percent", "{percent}");
    }
}

#[test]
fn a_rollout_has_a_key_of_32_bytes_and_its_unit_can_be_found() {
    let of = |rollout| error(Rule::post("/login", number()).mode(Mode::Rollout(rollout)));
    assert_eq!(of(Rollout::percent(1.0)), "mode.rollout.key");
    assert_eq!(of(Rollout::percent(1.0).key(Secret::from(&KEY[1..]))), "mode.rollout.key");
    assert_eq!(of(Rollout::percent(1.0).key(Secret::from(KEY)).by(Unit::ClientIp)), "mode.rollout.by");
    assert!(!format!("{:?}", Rollout::percent(1.0).key(Secret::from(KEY))).contains("0123"));
}

#[test]
fn the_shadow_deadline_has_a_range() {
    for (millis, setting) in [(9, "shadow_deadline"), (10, ""), (60_000, ""), (60_001, "shadow_deadline")] {
        assert_eq!(error(watched().shadow_deadline(Duration::from_millis(millis))), setting, "{millis}");
    }
}

#[test]
fn a_testers_header_is_not_one_that_others_use_and_its_secret_is_long() {
    let of =
        |name: &'static str, secret: &'static str| error(watched().enforce_when(HeaderName::from_static(name), secret));
    assert_eq!(of("x-rollout-tester", "0123456789abcdef"), "");
    for name in ["authorization", "cookie", "content-type", "host", "x-forwarded-for", "grpc-timeout", "origin"] {
        assert_eq!(of(name, "0123456789abcdef"), "enforce_when", "{name}");
    }
    for secret in ["", "0123456789abcde", "0123456789abcdef\n", " 0123456789abcdef", "0123456789abcdef\u{7f}"] {
        assert_eq!(of("x-rollout-tester", secret), "enforce_when", "{secret:?}");
    }
}

#[test]
fn a_rule_on_demand_is_enforced() {
    assert_eq!(error(watched().on_demand()), "mode");
    let layer = builder(&Verifier::passing()).rule(Rule::post("/login", number()).on_demand());
    assert!(layer.mode(Mode::Shadow).build().is_err());
}

#[test]
fn a_rule_can_undo_the_mode_of_all() {
    let rule = Rule::post("/login", number()).on_demand().mode(Mode::Enforce);
    assert!(builder(&Verifier::passing()).rule(rule).mode(Mode::Shadow).build().is_ok());
}
