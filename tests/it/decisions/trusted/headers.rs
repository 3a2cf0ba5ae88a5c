//! The headers alone: which are accepted, and which decision they are.

use tower_jverify::{
    Action, Decision, DecisionReason, Level, Phone, Risk, TrustedHeaders, TrustedHeadersError, Verdict,
};

use super::{ALLOWED, headers, read, trusted};
use crate::decisions::PHONE;

#[test]
fn the_usual_headers_are_a_decision_and_none_are_not() {
    let decision = read(&ALLOWED).unwrap();
    assert_eq!((decision.is_verified(), decision.phone()), (true, Phone::parse(PHONE)));
    assert_eq!((decision.level(), decision.score()), (Some(Level::Low), Some(0)));
    assert_eq!(read(&[]).unwrap_err(), TrustedHeadersError::NotDecided);
    // A phone alone is not a decision either.
    assert_eq!(read(&[("x-jverify-phone", PHONE)]).unwrap_err(), TrustedHeadersError::NotDecided);
    assert_eq!(read(&[("x-jverify", "allow"), ("x-other", "allow")]).unwrap_err(), TrustedHeadersError::NotDecided);
}

#[test]
fn each_of_our_names_is_refused_twice_and_under_an_alias() {
    for name in [
        "decision",
        "risk-level",
        "risk-score",
        "risk-tags",
        "checks",
        "id",
        "reason",
        "phone",
        "sandbox",
        "mode",
        "assertion",
    ] {
        let full = format!("x-jverify-{name}");
        let value = ALLOWED.iter().find(|line| line.0 == full).map_or("1", |line| line.1);
        let missing = ALLOWED.iter().all(|line| line.0 != full).then_some((&*full, value));
        for value in [value, "", "other"] {
            let twice = ALLOWED.into_iter().chain(missing).chain([(&*full, value)]);
            let error = Decision::from_trusted_headers(&headers(twice), "x-jverify").unwrap_err();
            assert_eq!(error, TrustedHeadersError::Repeated { header: name }, "{value:?}");
            for alias in [full.replace('-', "_"), full.replace('-', "."), full.replacen('-', "_", 1)] {
                // After the layer's header, before it, and without it.
                for (before, after) in [(None, Some((&*alias, value))), (Some((&*alias, value)), None)] {
                    let lines = before.into_iter().chain(ALLOWED).chain(after);
                    let error = Decision::from_trusted_headers(&headers(lines), "x-jverify").unwrap_err();
                    assert_eq!(error, TrustedHeadersError::Aliased { header: name }, "{alias}");
                }
                let alone = headers([(&*alias, value)]);
                let error = Decision::from_trusted_headers(&alone, "x-jverify").unwrap_err();
                assert_eq!(error, TrustedHeadersError::Aliased { header: name }, "{alias}");
            }
        }
    }
}

#[test]
fn an_empty_header_is_absent() {
    for empty in ["", " ", "\t "] {
        assert_eq!(read(&[("x-jverify-decision", empty)]).unwrap_err(), TrustedHeadersError::NotDecided);
        let decision = read(&[
            ("x-jverify-decision", " allow "),
            ("x-jverify-risk-level", empty),
            ("x-jverify-risk-score", empty),
            ("x-jverify-risk-tags", empty),
            ("x-jverify-checks", empty),
            ("x-jverify-id", empty),
            ("x-jverify-reason", empty),
            ("x-jverify-phone", empty),
            ("x-jverify-sandbox", empty),
        ]);
        let decision = decision.unwrap();
        assert_eq!((decision.is_verified(), decision.phone(), decision.level()), (true, None, None));
        assert_eq!((decision.reason(), decision.is_sandbox()), (DecisionReason::Verified, false));
    }
}

#[test]
fn what_the_layer_does_not_write_is_an_error_without_the_value() {
    const CANARY: &str = "canary-7f3a";
    for (header, values) in [
        ("decision", vec![CANARY, "Allow", "allow, allow", "deny", "true", "1", "allow\u{a0}", "verified"]),
        ("risk-level", vec![CANARY, "Low", "low,low"]),
        ("risk-score", vec![CANARY, "901", "-1", "+5", "007", "1.0", "0x1", "5,5", "99999999999"]),
        ("risk-tags", vec!["%ff", "a,%E9%AB"]),
        ("checks", vec![CANARY, "number,", "Number", "number, captcha", "number;captcha"]),
        ("id", vec!["a b", "a;b", "x/y"]),
        ("reason", vec![CANARY, "Verified", "verified,verified"]),
        (
            "phone",
            vec![CANARY, "+8613800000000", "138 0000 0000", "1380000000", "13800000000,13900000000", "12800000000"],
        ),
        ("sandbox", vec![CANARY, "0", "true"]),
    ] {
        let full = format!("x-jverify-{header}");
        for value in values {
            let others = ALLOWED.into_iter().filter(|line| line.0 != full);
            let error = Decision::from_trusted_headers(&headers(others.chain([(&*full, value)])), "x-jverify");
            let error = error.expect_err(value);
            assert_eq!(error, TrustedHeadersError::Invalid { header }, "{value}");
            assert!(error.to_string().contains(&format!("`{header}`")), "{error}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(value) || value == "1", "{shown}");
        }
    }
}

#[test]
fn headers_that_contradict_each_other_are_an_error() {
    for (header, lines) in [
        ("phone", vec![("decision", "allow"), ("checks", "captcha"), ("phone", PHONE)]),
        ("phone", vec![("decision", "unverified"), ("checks", "captcha,risk"), ("phone", PHONE)]),
        ("phone", vec![("decision", "not-guarded"), ("phone", PHONE)]),
        ("phone", vec![("decision", "not-asked"), ("phone", PHONE)]),
        ("reason", vec![("decision", "allow"), ("reason", "unavailable")]),
        ("reason", vec![("decision", "allow"), ("reason", "risk")]),
        ("reason", vec![("decision", "flag"), ("reason", "verified")]),
        ("reason", vec![("decision", "unverified"), ("reason", "verified")]),
        ("id", vec![("decision", "allow"), ("checks", "number"), ("id", "1,2")]),
        ("id", vec![("decision", "allow"), ("checks", "captcha,number"), ("id", "1")]),
    ] {
        let lines: Vec<_> = lines.into_iter().map(|(name, value)| (format!("x-jverify-{name}"), value)).collect();
        let headers = headers(lines.iter().map(|(name, value)| (&**name, *value)));
        let error = Decision::from_trusted_headers(&headers, "x-jverify").unwrap_err();
        assert_eq!(error, TrustedHeadersError::Contradictory { header }, "{lines:?}");
        let shown = error.to_string();
        assert!(shown.contains(&format!("`{header}`")) && !shown.contains(PHONE), "{shown}");
    }
}

#[test]
fn not_asked_is_unverified_and_has_no_phone() {
    let not_asked = headers([("x-jverify-decision", "not-asked")]);
    let decision = trusted().danger_accept_not_guarded(true).danger_accept_sandbox(true).read(&not_asked).unwrap();
    assert_eq!((decision.is_verified(), decision.reason()), (false, DecisionReason::NotAsked));
    assert_eq!((decision.phone(), decision.action()), (None, Action::Flag));
    assert!(trusted().danger_accept_not_asked(true).read(&not_asked).unwrap().is_verified());
    assert!(
        !trusted().danger_accept_not_asked(true).danger_accept_not_asked(false).read(&not_asked).unwrap().is_verified()
    );
}

#[test]
fn a_lost_level_is_not_a_low_risk() {
    let decision = read(&[("x-jverify-decision", "flag"), ("x-jverify-risk-score", "450")]).unwrap();
    assert_eq!((decision.level(), decision.score()), (Some(Level::Unknown), Some(450)));
    // Without its checks a sandbox is one all the same.
    let decision = read(&[("x-jverify-decision", "allow"), ("x-jverify-sandbox", "1")]).unwrap();
    assert_eq!((decision.is_sandbox(), decision.is_verified()), (true, false));
}

#[test]
fn a_lost_reason_of_a_flag_follows_from_the_checks_the_phone_and_the_level() {
    for (checks, phone, level, reason) in [
        ("number", PHONE, "unknown", DecisionReason::RiskUnknown),
        ("number", PHONE, "medium", DecisionReason::Risk),
        ("captcha,number", PHONE, "medium", DecisionReason::Risk),
        ("number", "", "medium", DecisionReason::Risk),
        ("captcha", "", "medium", DecisionReason::FallbackCaptcha),
        ("number,captcha", "", "unknown", DecisionReason::FallbackCaptcha),
        ("", "", "medium", DecisionReason::FallbackCaptcha),
    ] {
        let decision = read(&[
            ("x-jverify-decision", "flag"),
            ("x-jverify-risk-level", level),
            ("x-jverify-checks", checks),
            ("x-jverify-phone", phone),
        ]);
        assert_eq!(decision.unwrap().reason(), reason, "{checks} {phone} {level}");
    }
}

#[test]
fn a_risk_that_was_read_is_of_the_check_that_asks_for_it() {
    for (checks, expected) in [
        ("number", 0),
        ("captcha,number", 1),
        ("number,captcha", 0),
        ("captcha,one-tap", 1),
        ("number,risk", 1),
        ("captcha,number,risk", 2),
        ("number,risk,captcha", 1),
        ("captcha", 0),
    ] {
        let level = [("x-jverify-risk-level", "medium"), ("x-jverify-risk-score", "450")];
        let decision = read(&[&[("x-jverify-decision", "allow"), ("x-jverify-checks", checks)][..], &level].concat());
        let decision = decision.unwrap();
        let has_risk = |verdict: &Verdict| *verdict.risk() != Risk::NotAsked;
        let risks: Vec<_> = decision.verdicts().iter().enumerate().filter(|(_, verdict)| has_risk(verdict)).collect();
        assert!(risks.len() == 1 && risks[0].0 == expected, "{checks}: {decision:?}");
    }
}

#[test]
fn what_would_have_been_refused_has_the_action_deny() {
    let decision = read(&[("x-jverify-decision", "would-deny"), ("x-jverify-reason", "rejected")]).unwrap();
    assert_eq!((decision.action(), decision.is_verified()), (Action::Deny, false));
}

#[test]
fn the_phone_is_part_of_a_one_tap_verdict_alone() {
    for (checks, expected) in [("one-tap", vec![true]), ("number", vec![false]), ("captcha,one-tap", vec![false, true])]
    {
        let decision =
            read(&[("x-jverify-decision", "allow"), ("x-jverify-checks", checks), ("x-jverify-phone", PHONE)]);
        let decision = decision.unwrap();
        let of_verdicts: Vec<_> = decision.verdicts().iter().map(|verdict| verdict.phone().is_some()).collect();
        assert_eq!((of_verdicts, decision.phone()), (expected, Phone::parse(PHONE)), "{checks}");
    }
}

#[test]
fn a_prefix_that_no_layer_has_is_an_error_and_another_prefix_is_another_decision() {
    for prefix in ["", "x-jverify-", "X-Jverify", "jverify", "content", "x-jverify-decision "] {
        let error = Decision::from_trusted_headers(&headers(ALLOWED), prefix).unwrap_err();
        assert!(std::error::Error::source(&error).is_some_and(|source| source.to_string() == error.to_string()));
        let TrustedHeadersError::Prefix(error) = error else { panic!("{prefix}: {error}") };
        assert_eq!(error.setting(), "header_prefix", "{prefix}");
        assert_eq!(TrustedHeaders::new(prefix).unwrap_err(), error);
    }
    let other = Decision::from_trusted_headers(&headers(ALLOWED), "x-other");
    assert_eq!(other.unwrap_err(), TrustedHeadersError::NotDecided);
    let lines = ALLOWED.map(|(name, value)| (name.replace("x-jverify", "x-my-app"), value));
    let lines = headers(lines.iter().map(|(name, value)| (&**name, *value)));
    assert!(Decision::from_trusted_headers(&lines, "x-my-app").unwrap().is_verified());
}
