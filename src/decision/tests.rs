use http::HeaderMap;

use super::{Action, Decision, DecisionReason, Fallback, Level, Policy};
use crate::{
    check_kind::CheckKind,
    headers::Names,
    phone::Phone,
    verdict::{Class, Risk, Verdict},
};

fn passed(risk: Risk) -> Verdict {
    Verdict::new(CheckKind::Number, Class::Passed).with_id(117_270_465_679_982_592).with_risk(risk)
}

fn known(score: i64) -> Risk {
    Risk::from_score(score, Vec::new())
}

fn decision(verdicts: Vec<Verdict>) -> Decision {
    Decision::new(&Policy::default(), Action::Allow, DecisionReason::Verified, Phone::parse("13800000000"), verdicts)
}

fn header(decision: &Decision, name: &str) -> Option<String> {
    let mut headers = HeaderMap::new();
    decision.insert_headers(&Names::new("x-jverify").unwrap(), &mut headers);
    headers.get(name).map(|value| value.to_str().unwrap().to_owned())
}

#[test]
fn the_default_bands_are_the_vendors() {
    let policy = Policy::default();
    for (score, level, action) in [
        (0, Level::Low, Action::Allow),
        (299, Level::Low, Action::Allow),
        (300, Level::Medium, Action::Flag),
        (599, Level::Medium, Action::Flag),
        (600, Level::Elevated, Action::StepUp),
        (899, Level::Elevated, Action::StepUp),
        (900, Level::High, Action::Deny),
    ] {
        let verdicts = [passed(known(score))];
        assert_eq!((policy.level_for(&verdicts), policy.action_for(&verdicts)), (Some(level), action), "{score}");
    }
}

#[test]
fn an_unknown_risk_is_not_a_low_one() {
    let policy = Policy::default();
    for risk in [Risk::Unknown, known(-1), known(901)] {
        let verdicts = [passed(known(0)), passed(risk)];
        assert_eq!(policy.level_for(&verdicts), Some(Level::Unknown));
        assert_eq!(policy.action_for(&verdicts), Action::Flag);
    }
}

#[test]
fn a_risk_that_was_not_asked_for_has_no_level() {
    assert_eq!(Policy::default().level_for(&[passed(Risk::NotAsked)]), None);
    assert_eq!(header(&decision(vec![passed(Risk::NotAsked)]), "x-jverify-risk-level"), None);
}

#[test]
fn bands_that_make_no_sense_are_refused() {
    for policy in [
        Policy::empty(),
        Policy::empty().band(1, Level::Low, Action::Allow),
        Policy::default().band(901, Level::High, Action::Deny),
        Policy::default().band(300, Level::High, Action::Flag),
        Policy::default().band(300, Level::Medium, Action::Deny),
        Policy::default().band(0, Level::Unknown, Action::Allow),
    ] {
        assert_eq!(policy.validate().unwrap_err().setting(), "policy.band");
    }
}

#[test]
fn two_bands_may_have_the_same_level_or_the_same_action() {
    let policy = Policy::empty().band(0, Level::Low, Action::Allow).band(100, Level::Low, Action::Flag);
    assert_eq!(policy.band(200, Level::Medium, Action::Flag).validate(), Ok(()));
}

#[test]
fn an_empty_policy_has_only_the_bands_that_are_set() {
    let policy = Policy::empty().band(0, Level::Low, Action::Allow).band(500, Level::High, Action::Deny);
    assert_eq!(policy.validate(), Ok(()));
    for (score, action) in [(0, Action::Allow), (499, Action::Allow), (500, Action::Deny), (900, Action::Deny)] {
        assert_eq!(policy.action_for(&[passed(known(score))]), action, "{score}");
    }
}

#[test]
fn tags_are_encoded_and_bounded() {
    let nasty: Vec<Box<str>> = vec!["F24004".into(), "a\r\nx: y".into(), "一,二".into(), "x".repeat(65).into()];
    let verdict = passed(Risk::from_score(300, nasty));
    let tags = header(&decision(vec![verdict]), "x-jverify-risk-tags");
    assert_eq!(tags.as_deref(), Some("F24004,a%0D%0Ax%3A%20y,%E4%B8%80%2C%E4%BA%8C"));

    let many: Vec<Box<str>> = (0..100).map(|n| format!("T{n}").into()).collect();
    let tags = header(&decision(vec![passed(Risk::from_score(300, many))]), "x-jverify-risk-tags");
    assert_eq!(tags.unwrap().split(',').count(), 16);
}

#[test]
fn ids_are_in_the_order_of_the_checks() {
    let two = decision(vec![Verdict::new(CheckKind::Captcha, Class::Passed), passed(known(0))]);
    assert_eq!(header(&two, "x-jverify-checks").as_deref(), Some("captcha,number"));
    assert_eq!(header(&two, "x-jverify-id").as_deref(), Some("-,117270465679982592"));
}

#[test]
fn two_layers_report_the_worst_of_both() {
    let policy = Policy::default();
    let mild = decision(vec![passed(known(0))]);
    let severe = Decision::new(&policy, Action::Flag, DecisionReason::Risk, None, vec![passed(known(450))]);
    for merged in [mild.merged_with(&severe), severe.merged_with(&mild)] {
        assert_eq!(merged.action(), Action::Flag);
        assert_eq!(merged.reason(), DecisionReason::Risk);
        assert_eq!((merged.level(), merged.score()), (Some(Level::Medium), Some(450)));
        assert_eq!(merged.verdicts().len(), 2);
        assert_eq!(merged.phone(), Phone::parse("13800000000"));
    }
}

#[test]
fn merging_two_different_proven_phones_leaves_no_phone() {
    let other = Decision::new(
        &Policy::default(),
        Action::Allow,
        DecisionReason::Verified,
        Phone::parse("13900000000"),
        vec![passed(known(0))],
    );
    assert_eq!(decision(vec![passed(known(0))]).merged_with(&other).phone(), None);
}

#[test]
fn what_was_opened_is_called_unverified() {
    let opened = Decision::new(
        &Policy::default(),
        Action::Flag,
        DecisionReason::Unavailable,
        None,
        vec![Verdict::new(CheckKind::Number, Class::Unavailable)],
    );
    assert!(!opened.is_verified());
    assert_eq!(header(&opened, "x-jverify-decision").as_deref(), Some("unverified"));
}

#[test]
fn a_decision_shows_no_whole_phone() {
    assert!(!format!("{:?}", decision(vec![passed(known(0))])).contains("13800000000"));
}

#[test]
fn the_phone_is_forwarded_if_one_of_two_layers_forwards_it() {
    let quiet = || decision(vec![passed(known(0))]);
    let forwarding = || quiet().forwarding_phone();
    let phone = |merged: Decision| header(&merged, "x-jverify-phone");
    assert_eq!(phone(quiet().merged_with(&quiet())), None);
    for merged in [
        forwarding().merged_with(&quiet()),
        quiet().merged_with(&forwarding()),
        forwarding().merged_with(&forwarding()),
    ] {
        assert_eq!(phone(merged).as_deref(), Some("13800000000"));
    }
}

#[test]
fn a_sandbox_of_one_of_two_layers_marks_the_decision() {
    let real = || decision(vec![passed(known(0))]);
    let sandbox = || decision(vec![passed(known(0)).with_sandbox_mark()]);
    let mark = |merged: Decision| (merged.is_sandbox(), header(&merged, "x-jverify-sandbox"));
    assert_eq!(mark(real().merged_with(&real())), (false, None));
    for merged in [sandbox().merged_with(&real()), real().merged_with(&sandbox()), sandbox().merged_with(&sandbox())] {
        assert_eq!(mark(merged), (true, Some("1".to_owned())));
    }
}

#[test]
fn a_policy_asks_for_a_captcha_by_a_band_a_tag_a_fallback_or_an_unknown_risk() {
    let without = || Policy::empty().band(0, Level::Low, Action::Allow).band(900, Level::High, Action::Deny);
    assert!(!without().can_require_captcha());
    assert!(!without().unknown_risk(Action::Deny).can_require_captcha());
    assert!(without().unknown_risk(Action::StepUp).can_require_captcha());
    assert!(without().band(600, Level::Elevated, Action::StepUp).can_require_captcha());
    assert!(!without().tag("F24004", Action::Deny).can_require_captcha());
    assert!(without().tag("F24004", Action::StepUp).can_require_captcha());
    assert!(without().on(Class::Throttled, Fallback::Captcha).can_require_captcha());
    assert!(Policy::default().can_require_captcha());
}
