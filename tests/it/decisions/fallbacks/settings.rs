//! Which fallbacks a class may have, and which policies are refused.

use std::collections::BTreeMap;

use tower_jverify::{
    Action, Ask, CheckKind, Class, DenialReason, Fallback, Field, Guards, JVerifyLayer, Level, Policy, Rule, captcha,
    number,
};

use super::{assert_by_captcha, body, build, guarded, login};
use crate::decisions::CLASSES;
use crate::support::{Verifier, builder, code, denial, post_json};

const FALLBACKS: [Fallback; 3] = [Fallback::Deny, Fallback::Captcha, Fallback::Open];

// === the table ===

/// The fallbacks that each class may have, as the table of `docs/policy.md` lists them.
fn documented() -> BTreeMap<String, Vec<String>> {
    let page = include_str!("../../../../docs/policy.md");
    let table = page.split_once("| class | default |").unwrap().1.split("\n\n").next().unwrap();
    let mut rows = BTreeMap::new();
    for line in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_lowercase).collect::<Vec<_>>();
        let fallbacks = [words(cells[2]), words(cells[3])].concat();
        rows.extend(words(cells[1]).into_iter().map(|class| (class, fallbacks.clone())));
    }
    rows
}

#[test]
fn every_class_has_the_fallbacks_of_the_documented_table_and_no_other() {
    let documented = documented();
    assert_eq!(documented.len(), CLASSES.len() - 1, "a pass has no fallback: {documented:?}");
    for class in CLASSES {
        for fallback in FALLBACKS {
            let what = format!("{class}, {}", fallback.as_str());
            let may_be = documented.get(class.as_str()).is_some_and(|words| words.contains(&fallback.as_str().into()));
            let built = build(login(Policy::default().on(class, fallback)));
            assert_eq!(built.is_ok(), may_be, "{what}");
            let Err(error) = built else { continue };
            assert_eq!((error.setting(), error.value()), ("policy.on", Some(&*what)));
            assert_eq!(error.rule(), Some("POST /login"));
            let why = match class {
                Class::Passed => "a pass has no fallback",
                Class::Rejected | Class::Stale | Class::Invalid => "a definite no is never let through",
                Class::Inconclusive | Class::Throttled => "a client can provoke it",
                Class::Unreadable => "the client's input can be the reason",
                _ => "it can be provoked or stay unnoticed",
            };
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}

#[test]
fn the_last_call_for_a_class_counts() {
    assert!(
        build(login(Policy::default().on(Class::Rejected, Fallback::Open).on(Class::Rejected, Fallback::Deny))).is_ok()
    );
    assert!(
        build(login(Policy::default().on(Class::Quota, Fallback::Captcha).on(Class::Quota, Fallback::Open))).is_err()
    );
    let error = builder(&Verifier::passing()).policy(Policy::default().on(Class::Stale, Fallback::Captcha));
    assert_eq!(error.rule(Rule::post("/login", number())).build().err().unwrap().setting(), "policy.on");
}

#[test]
fn policies_with_the_same_settings_are_equal_and_print_the_same_lines() {
    let one = Policy::default().tag("B", Action::Deny).tag("A", Action::Flag);
    let one = one.on(Class::Unknown, Fallback::Captcha).on(Class::Throttled, Fallback::Captcha);
    let other = Policy::default().on(Class::Throttled, Fallback::Captcha).on(Class::Unknown, Fallback::Captcha);
    let other = other.tag("A", Action::Allow).tag("A", Action::Flag).tag("B", Action::Deny);
    assert_eq!((&one, one.to_string()), (&other, other.to_string()));
    assert_eq!(Policy::default().on(Class::Rejected, Fallback::Deny), Policy::default());
    assert_ne!(one, Policy::default());

    let lines = "band(0): low, allow\nband(300): medium, flag\nband(600): elevated, step_up\nband(900): high, deny\n\
                 unknown_risk: flag\ntag(\"A\"): flag\ntag(\"B\"): deny\non(throttled): captcha\non(unknown): captcha\n\
                 on(any other class): deny\ndisclose_risk: false";
    assert_eq!(one.to_string(), lines);
    // A tag is one line, whatever is in it.
    let odd = Policy::empty().band(0, Level::Low, Action::Allow).tag("a\nb: c", Action::Deny).disclose_risk();
    assert_eq!(odd.to_string().lines().count(), 5, "{odd}");
}

#[test]
fn a_rule_that_reads_no_captcha_cannot_accept_one() {
    let policy = || Policy::default().on(Class::Unavailable, Fallback::Captcha);
    let in_headers = || number().token(Field::header("x-token")).phone(Field::header("x-phone"));
    let error = build(Rule::post("/login", in_headers()).policy(policy())).unwrap_err();
    assert_eq!((error.setting(), error.rule()), ("policy.on", Some("POST /login")));
    assert!(error.to_string().contains("step_up_captcha"), "{error}");
    let with_a_field = in_headers().step_up_captcha(Field::header("x-captcha"));
    for ask in [Ask::from(with_a_field), captcha().then(in_headers()), captcha().into(), number().into()] {
        assert_eq!(build(Rule::post("/login", ask.clone()).policy(policy())), Ok(()), "{ask:?}");
    }
}

#[test]
fn a_policy_that_opens_needs_breakers() {
    let guards = Guards::builder().without_breaker().build().unwrap();
    let build = |fallback| {
        let rule = login(Policy::default().on(Class::Unavailable, fallback));
        JVerifyLayer::builder(Verifier::passing()).guards(&guards).rule(rule).build().map(drop)
    };
    let error = build(Fallback::Open).unwrap_err();
    assert_eq!((error.setting(), error.rule()), ("policy.on", Some("POST /login")));
    assert_eq!(build(Fallback::Captcha), Ok(()), "a captcha needs none");
}

// === class x fallback ===

#[tokio::test]
async fn each_class_with_each_fallback_comes_to_what_the_table_says() {
    for class in CLASSES.into_iter().filter(|class| !class.is_pass()) {
        for fallback in FALLBACKS {
            let rule = login(Policy::default().on(class, fallback));
            if build(rule.clone()).is_err() {
                continue;
            }
            for captcha in [None, Some("solved"), Some("failed")] {
                let what = format!("{class} {fallback:?} {captcha:?}");
                let guarded = guarded(class, rule.clone());
                let response = guarded.send(post_json("/login", body(captcha))).await;
                let (kinds, runs) = (guarded.verifier.kinds(), guarded.application.runs());
                match (fallback, captcha) {
                    (Fallback::Captcha, Some("solved")) => {
                        assert_eq!((response.status().as_u16(), runs), (200, 1), "{what}");
                        assert_eq!(kinds, [CheckKind::Number, CheckKind::Captcha], "{what}");
                        assert_by_captcha(&guarded.application, &what).await;
                    }
                    (Fallback::Captcha, Some(_)) => {
                        assert_eq!(denial(&response).reason(), DenialReason::Verdict(Class::Rejected), "{what}");
                        assert_eq!((kinds.len(), runs), (2, 0), "{what}");
                    }
                    (Fallback::Captcha, None) => {
                        assert_eq!(
                            (response.status().as_u16(), &*code(&response)),
                            (403, "captcha_required"),
                            "{what}"
                        );
                        assert_eq!(denial(&response).verdicts()[0].class(), class, "{what}");
                        assert_eq!((kinds.len(), runs), (1, 0), "{what}");
                    }
                    // No breaker is open, so `Open` refuses as well, whatever captcha there is.
                    _ => {
                        assert_eq!(denial(&response).reason(), DenialReason::Verdict(class), "{what}");
                        assert_eq!((kinds, runs), (vec![CheckKind::Number], 0), "{what}");
                    }
                }
            }
        }
    }
}
