//! Writes the rules to the log when a layer is built or reloaded.
#![cfg_attr(not(feature = "tracing"), allow(dead_code))]

use std::collections::BTreeMap;

use super::{
    ask::{Ask, Number, OneTap, Proof},
    captcha::Captcha,
    mode::Mode,
    settings::{Overrides, Values},
    spec::{Methods, Rule},
};
use crate::{
    check::Channel,
    decision::Fallback,
    judge::{Guards, Limit},
    log::event,
    proof::Field,
};

/// Writes each rule at DEBUG, and each setting that weakens rules at INFO, with their names.
#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
pub(crate) fn log(rules: &[Rule], layer: &Overrides, guards: &Guards) {
    for rule in rules {
        event!(
            DEBUG,
            rule = rule.to_string(),
            method = method(rule),
            path = rule.path.as_deref().unwrap_or("*"),
            when = rule.when.as_ref().map(|(field, value)| format!("{field} is {value:?}")),
            asks = asks(&rule.ask),
            policy = Values::of(&rule.overrides, layer).policy.to_string().replace('\n', "; "),
            "a rule"
        );
    }
    log_opening(rules, layer);
    let mut weakened: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for rule in rules {
        for setting in weakening(rule, layer) {
            weakened.entry(setting).or_default().push(rule.to_string());
        }
    }
    for (setting, rules) in weakened {
        event!(INFO, setting, rules = rules.join(", "), "this setting weakens these rules: see its documentation");
    }
    let off: Vec<&str> = guards.switched_off().collect();
    if !off.is_empty() {
        event!(INFO, off = off.join(","), "these guards are switched off");
    }
    log_modes(rules, layer);
    log_unknown_clients(rules, layer, guards);
}

/// Writes each rule that lets requests pass unverified during an outage.
#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn log_opening(rules: &[Rule], layer: &Overrides) {
    for rule in rules {
        if Values::of(&rule.overrides, layer).policy.has_fallback(Fallback::Open) {
            event!(
                WARN,
                rule = rule.to_string(),
                setting = "policy.on",
                class = "unavailable",
                "this rule lets requests pass unverified during an outage"
            );
        }
    }
}

/// Writes the rules that let requests pass although they are refused.
#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn log_modes(rules: &[Rule], layer: &Overrides) {
    let names = |is_meant: fn(&Mode) -> bool| {
        let rules = rules.iter().filter(|rule| is_meant(&Values::of(&rule.overrides, layer).mode));
        rules.map(Rule::to_string).collect::<Vec<_>>().join(", ")
    };
    let (shadow, rollout) =
        (names(|mode| matches!(mode, Mode::Shadow)), names(|mode| matches!(mode, Mode::Rollout(_))));
    if !shadow.is_empty() {
        event!(
            WARN,
            mode = "shadow",
            rules = shadow,
            "these rules refuse no request: they only record what they would refuse"
        );
    }
    if !rollout.is_empty() {
        event!(
            WARN,
            mode = "rollout",
            rules = rollout,
            "these rules refuse requests of a part of their phones or clients only"
        );
    }
}

/// Writes the rules that do not identify clients, because guards protect them less.
#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn log_unknown_clients(rules: &[Rule], layer: &Overrides, guards: &Guards) {
    let unknown: Vec<(&Rule, Values)> = rules.iter().map(|rule| (rule, Values::of(&rule.overrides, layer))).collect();
    let names = |is_unknown: fn(&Values) -> bool| {
        let names = unknown.iter().filter(|(_, values)| is_unknown(values)).map(|(rule, _)| rule.to_string());
        names.collect::<Vec<_>>().join(", ")
    };
    let unlimited = names(|values| values.client_ip.is_none() && values.spend_key.is_none());
    if guards.limit_clients() && !unlimited.is_empty() {
        event!(
            WARN,
            rules = unlimited,
            "no client of these rules is limited: set `client_ip` or `spend_key`, or build the guards `without_client_limits`"
        );
    }
    let counting_proofs = names(|values| values.client_ip.is_none());
    if guards.have_breakers() && !counting_proofs.is_empty() {
        event!(
            WARN,
            rules = counting_proofs,
            "toward opening a breaker, only proofs are counted for these rules, so that one client can open it: set `client_ip`"
        );
    }
}

/// The settings of a rule, from the rule or from its layer, that pass what the defaults refuse, or disclose what the
/// defaults keep private. The function names every setting, so that a new setting does not compile before it is added here.
fn weakening(rule: &Rule, layer: &Overrides) -> Vec<&'static str> {
    let Rule {
        methods: _,
        path: _,
        name: _,
        ask,
        when: _,
        otherwise_passes,
        preflight_passes,
        other_methods,
        unless,
        overrides: own,
    } = rule;
    let Values {
        policy,
        deadline: _,
        in_flight: _,
        body_limit: _,
        body_deadline: _,
        buffered: _,
        accept: _,
        decode,
        extractor,
        client_ip: _,
        send_client_ip,
        spend_key: _,
        phone_grammar: _,
        forward_phone,
        pin_phone: _,
        canonical_body: _,
        ex_id_from_request_id: _,
        ignore_query,
        client_streaming,
        descriptors: _,
        grpc_answers,
        mode: _,
        shadow_deadline: _,
        shadow_unasked: _,
        enforce_when: _,
        cors,
        denial_page: _,
        problem_types: _,
        passes,
        pass_field: _,
        retry_pass,
        assertion: _,
    } = Values::of(own, layer);
    let switches = [
        ("otherwise_pass", *otherwise_passes),
        ("preflight_passes", *preflight_passes),
        ("other_methods", !other_methods.is_empty()),
        ("guard_unless", unless.is_some()),
        ("on_demand", own.on_demand),
        ("other_phones", own.other_phones.as_ref().is_some_and(|places| !places.is_empty())),
        ("limit", has_a_limit_of_another_phone(ask, &own.limits)),
        ("decode with HandOn::EncodedUnprotected", decode.hands_on_encoded()),
        ("extract", extractor.is_some()),
        ("send_client_ip", send_client_ip),
        ("forward_phone", forward_phone),
        ("ignore_query", ignore_query),
        ("client_streaming", client_streaming),
        ("grpc_answers", grpc_answers == Some(true)),
        ("cors with every origin", cors.is_some_and(|cors| cors.is_for_every_origin())),
        ("passes", passes.is_some()),
        ("retry_pass", !retry_pass.is_empty()),
    ];
    let set = switches.into_iter().filter_map(|(setting, is_set)| is_set.then_some(setting));
    set.chain(policy.weakening()).collect()
}

/// Whether a limit is for a phone in another field than the proven one's: a backend may take that for the proven one.
fn has_a_limit_of_another_phone(ask: &Ask, limits: &[Limit]) -> bool {
    let is_another = |field: &Field| ask.phones().all(|phone| phone != field);
    ask.phones().next().is_some() && limits.iter().filter_map(Limit::phone).any(is_another)
}

fn method(rule: &Rule) -> &str {
    match &rule.methods {
        Methods::Named(method) => method.as_str(),
        Methods::Any => "*",
    }
}

/// Such as `captcha, then number with risk or one_tap`.
fn asks(ask: &Ask) -> String {
    let steps = ask.steps.iter().map(|step| step.proofs.iter().map(proof).collect::<Vec<_>>().join(" or "));
    steps.collect::<Vec<_>>().join(", then ")
}

fn proof(proof: &Proof) -> String {
    let (kind, channel, with_risk) = match proof {
        Proof::Number(Number { channel, with_risk, .. }) => ("number", *channel, *with_risk),
        Proof::OneTap(OneTap { channel, with_risk, .. }) => ("one_tap", *channel, *with_risk),
        Proof::Captcha(Captcha { .. }) => ("captcha", Channel::App, false),
    };
    let web = if channel == Channel::Web { " (web)" } else { "" };
    let risk = if with_risk { " with risk" } else { "" };
    format!("{kind}{web}{risk}")
}
