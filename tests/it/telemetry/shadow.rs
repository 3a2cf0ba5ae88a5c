//! The events and metrics of rules in shadow.

use std::{convert::Infallible, time::Duration};

use tower::service_fn;
use tower_jverify::{Check, Class, Mode, Rollout, Rule, Secret, Verdict, number};

use super::{Log, metrics::Recorded};
use crate::support::{Application, LOGIN, Verifier, asking, builder, post_json, send};

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn login(mode: Mode) -> Rule {
    Rule::post("/login", number()).mode(mode)
}

fn rollout(percent: f64) -> Mode {
    Mode::Rollout(Rollout::percent(percent).key(Secret::from(KEY)))
}

#[test]
fn a_rule_that_does_not_refuse_all_is_a_warning_at_start() {
    let (log, _listening) = Log::listen();
    let warnings = |rules: [Rule; 2]| {
        drop(
            rules.into_iter().fold(builder(&Verifier::passing()), tower_jverify::JVerifyBuilder::rule).build().unwrap(),
        );
        let events = log.take_events().into_iter();
        events.filter(|event| event.contains("these rules refuse")).collect::<Vec<_>>()
    };
    let other = |mode| Rule::post("/register", number()).mode(mode);
    assert!(warnings([login(Mode::Enforce), other(Mode::Enforce)]).is_empty());
    let lines = warnings([login(Mode::Shadow), other(rollout(10.0))]);
    let [shadow, part] = &lines[..] else { panic!("{lines:#?}") };
    assert!(shadow.starts_with("WARN") && shadow.contains("mode=\"shadow\" rules=\"POST /login\""), "{shadow}");
    assert!(part.starts_with("WARN") && part.contains("mode=\"rollout\" rules=\"POST /register\""), "{part}");
    assert!(!lines.concat().contains("0123456789"));
}

#[tokio::test(start_paused = true)]
async fn an_event_says_the_mode_and_what_would_be() {
    let (log, _listening) = Log::listen();
    let of = |rule: Rule| builder(&Verifier::of_class(Class::Rejected)).rule(rule).build().unwrap();
    for (rule, words) in [
        (login(Mode::Shadow), ["mode=\"shadow\"", "decision=\"would-deny\"", "reason=\"rejected\""]),
        (login(Mode::Enforce), ["mode=\"enforce\"", "decision=\"deny\"", "reason=\"rejected\""]),
        (login(rollout(100.0)), ["mode=\"enforce\"", "decision=\"deny\"", "reason=\"rejected\""]),
    ] {
        let layer = of(rule);
        log.take_events();
        send(&layer, &Application::default(), post_json("/login", LOGIN)).await;
        let events = log.take_events();
        let [event] = &events[..] else { panic!("{events:#?}") };
        assert!(words.iter().all(|word| event.contains(word)) && !event.contains("late"), "{event}");
    }

    let slow = service_fn(|check: Check| async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok::<_, Infallible>(Verdict::new(check.kind(), Class::Passed))
    });
    let layer = asking(slow).rule(login(Mode::Shadow)).build().unwrap();
    log.take_events();
    send(&layer, &Application::default(), post_json("/login", LOGIN)).await;
    assert!(log.take_events().is_empty());
    layer.drained().await;
    let events = log.take_events();
    let [event] = &events[..] else { panic!("{events:#?}") };
    let words = ["mode=\"shadow\"", "decision=\"allow\"", "reason=\"verified\"", "late=true", "ms=2000"];
    assert!(words.iter().all(|word| event.contains(word)), "{event}");
}

#[tokio::test]
async fn the_metric_of_decisions_has_the_mode_and_a_rule_at_most_200_series() {
    for (class, action, reason) in [(Class::Rejected, "would-deny", "rejected"), (Class::Passed, "allow", "verified")] {
        let (layer, recorded) =
            Recorded::around(|| builder(&Verifier::of_class(class)).rule(login(rollout(0.0))).build().unwrap());
        send(&layer, &Application::default(), post_json("/login", LOGIN)).await;
        let series = format!("jverify_decisions_total{{rule=POST /login,mode=shadow,action={action},reason={reason}}}");
        assert_eq!(recorded.counted().get(&series), Some(&1), "{series}");
        let of_rule = recorded.series().into_keys().filter(|name| name.contains("rule=POST /login")).count();
        assert!(of_rule <= 200, "{of_rule}");
    }
}

#[tokio::test]
async fn a_request_in_shadow_whose_rule_is_not_known_is_counted_too() {
    let build = |mode: Mode| Recorded::around(|| builder(&Verifier::passing()).rule(login(mode)).build().unwrap());
    for (mode, applied, action) in [(Mode::Shadow, "shadow", "would-deny"), (Mode::Enforce, "enforce", "deny")] {
        let (layer, recorded) = build(mode);
        send(&layer, &Application::default(), post_json("/login%2F", LOGIN)).await;
        let series = format!("jverify_decisions_total{{rule=-,mode={applied},action={action},reason=path_ambiguous}}");
        assert_eq!(recorded.counted().into_iter().collect::<Vec<_>>(), [(series, 1)]);
    }
}
