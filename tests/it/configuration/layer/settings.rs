//! Settings.

use std::time::Duration;

use http::Method;
use tower_jverify::{Action, ClientIp, Field, JVerifyLayer, Level, Media, Policy, Rule, captcha, number};

use super::{error, login, of_rules};

#[test]
fn an_account_is_a_short_text_in_visible_ascii() {
    let of = |account: &str| {
        JVerifyLayer::builder(tower::service_fn(|check: tower_jverify::Check| async move {
            let verdict = tower_jverify::Verdict::new(check.kind(), tower_jverify::Class::Passed);
            Ok::<_, std::convert::Infallible>(verdict)
        }))
        .account(account)
        .rule(Rule::post("/login", number()))
        .build()
    };
    for account in ["", "a b", "a\n", "账号", &"x".repeat(65)] {
        assert_eq!(of(account).unwrap_err().setting(), "account", "{account:?}");
    }
    assert!(of(&"x".repeat(64)).is_ok());
}

#[test]
fn a_limit_that_refuses_everything_is_refused_for_the_layer_and_for_a_rule() {
    let second = Duration::from_secs(1);
    macro_rules! settings {
        ($($setting:ident($value:expr), $shown:expr;)*) => {[$((
            stringify!($setting),
            $shown,
            error(|builder| builder.rule(login()).$setting($value)),
            of_rules([login().$setting($value)]),
        )),*]};
    }
    for (setting, shown, by_layer, by_rule) in settings! {
        in_flight(0), Some("0");
        buffered(0), Some("0");
        body_limit(0), Some("0");
        body_deadline(Duration::ZERO), Some("0ns");
        deadline(Duration::ZERO), Some("0ns");
        deadline(second / 2), Some("500ms");
        deadline(second), Some("1s");
        deadline(Duration::MAX), Some("18446744073709551615.999999999s");
        buffered(1_000), Some("1000");
        in_flight(usize::MAX), Some("18446744073709551615");
        buffered(usize::MAX), Some("18446744073709551615");
        accept([]), None;
        client_ip(ClientIp::forwarded(0)), Some("0");
    } {
        for error in [by_layer, by_rule] {
            let error = error.unwrap_or_else(|| panic!("{setting}({shown:?}) was accepted"));
            assert_eq!((error.setting(), error.value()), (setting, shown));
            assert!(error.to_string().contains(setting), "{error}");
        }
    }
}

#[test]
fn what_could_never_apply_is_refused() {
    let kind = || Field::body("/kind");
    let risky = || number().step_up_scene("登录");
    for (rule, setting) in [
        (login().when(kind(), ""), "rule.when"),
        (login().preflight_passes(), "rule.preflight_passes"),
        (Rule::post("/x", captcha().then(risky())), "rule.ask"),
        (Rule::post("/x", tower_jverify::one_tap().or(risky())), "rule.ask"),
        (login().when(kind(), "0").accept([tower_jverify::Media::Json, tower_jverify::Media::Grpc]), "rule.when"),
    ] {
        let shown = format!("{rule:?}");
        assert_eq!(of_rules([rule]).unwrap_or_else(|| panic!("{shown} was accepted")).setting(), setting, "{shown}");
    }
    for prefix in ["content-type", "x-forwarded", "x-request"] {
        assert_eq!(error(|builder| builder.rule(login()).header_prefix(prefix)).unwrap().setting(), "header_prefix");
    }
    // A rule that never looks at its value does not make another's setting wrong.
    let any = Rule::any_method("/login", captcha()).when(kind(), "a").otherwise_pass();
    assert_eq!(of_rules([login(), any]), None);
}

#[test]
fn an_address_to_send_must_be_found_somewhere() {
    let found = || ClientIp::peer();
    for error in [error(|builder| builder.rule(login()).send_client_ip(true)), of_rules([login().send_client_ip(true)])]
    {
        assert_eq!(error.unwrap().setting(), "send_client_ip");
    }
    assert_eq!(error(|builder| builder.rule(login().send_client_ip(true)).client_ip(found())), None);
    assert_eq!(error(|builder| builder.rule(login().client_ip(found())).send_client_ip(true)), None);
}

#[test]
fn an_error_names_the_rule() {
    let two = |second: Rule| of_rules([Rule::post("/register", number()), second]).unwrap();
    for second in [
        login().deadline(Duration::from_millis(500)),
        login().send_client_ip(true),
        login().pin_phone(true).accept([Media::Json, Media::Multipart]),
        login().when(Field::body("/kind"), ""),
        login().preflight_passes(),
        login().other_methods([Method::POST]),
        Rule::post("/login", number().or(number())),
        Rule::post("/login", number().phone(Field::body("phone"))),
        Rule::post("login", number()),
    ] {
        let name = second.to_string();
        let error = two(second);
        assert_eq!(error.rule(), Some(&*name), "{error}");
        assert_eq!(error.to_string().matches(&name).count(), 1, "{error}");
    }
    assert_eq!(of_rules([]).unwrap().rule(), None);
    assert_eq!(error(|builder| builder.rule(login()).header_prefix("x")).unwrap().rule(), None);
}

#[test]
fn one_body_of_the_limit_must_fit_into_the_part_for_large_ones() {
    let error = |buffered, canonical: bool| {
        let rule = login().body_limit(3_000).buffered(buffered);
        of_rules([if canonical { rule.canonical_body(true) } else { rule }])
    };
    assert_eq!((error(4_000, false), error(24_000, true)), (None, None));
    for (buffered, canonical, numbers) in
        [(3_998, false, ["2999 ", "3000 "]), (23_998, true, ["17999 ", "18000 "]), (3_000, false, ["2250 ", "3000 "])]
    {
        let error = error(buffered, canonical).expect("too small");
        assert_eq!((error.setting(), error.value()), ("buffered", Some(&*buffered.to_string())));
        assert!(numbers.iter().all(|number| error.to_string().contains(number)), "{error}");
    }
}

#[test]
fn an_invalid_prefix_is_refused() {
    for prefix in
        ["", "x", "x-", "-x", "x--y", "content", "X-Jverify", "x-jverify-", "x_jverify", "x jverify", "x-\u{e9}"]
    {
        let error = error(|builder| builder.rule(login()).header_prefix(prefix)).expect(prefix);
        assert_eq!((error.setting(), error.value()), ("header_prefix", Some(prefix)));
    }
}

#[test]
fn bands_that_make_no_sense_are_refused() {
    for (policy, shown) in [
        (Policy::default().band(901, Level::High, Action::Deny), "901"),
        (Policy::default().band(300, Level::Unknown, Action::Deny), "300"),
        (Policy::default().band(700, Level::Low, Action::Deny), "700"),
        (Policy::default().band(700, Level::Elevated, Action::Allow), "700"),
        (Policy::default().band(100, Level::High, Action::Deny), "300"),
    ] {
        for error in [error(|builder| builder.rule(login()).policy(policy.clone())), of_rules([login().policy(policy)])]
        {
            let error = error.expect(shown);
            assert_eq!((error.setting(), error.value()), ("policy.band", Some(shown)));
        }
    }
}

#[test]
fn a_setting_shows_where_it_finds_the_client() {
    let shown = [ClientIp::peer(), ClientIp::forwarded(2), ClientIp::from_fn(|_| None)].map(|ip| format!("{ip:?}"));
    assert_eq!(shown, ["ClientIp::peer", "ClientIp::forwarded(2)", "ClientIp::from_fn"]);
}
