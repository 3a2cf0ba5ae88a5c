//! Invalid rules and settings of a layer.

use std::time::Duration;

use http::Method;
use tower_jverify::{
    Action, AnyOf, Ask, ClientIp, ConfigError, Field, JVerifyBuilder, JVerifyLayer, Level, Media, Policy, Rule,
    captcha, number, one_tap,
};

use crate::support::Verifier;

type Builder = JVerifyBuilder<Verifier>;

fn error(set: impl FnOnce(Builder) -> Builder) -> Option<ConfigError> {
    set(JVerifyLayer::builder(Verifier::passing())).build().err()
}

fn of_rules(rules: impl IntoIterator<Item = Rule>) -> Option<ConfigError> {
    error(|builder| rules.into_iter().fold(builder, JVerifyBuilder::rule))
}

fn login() -> Rule {
    Rule::post("/login", number())
}

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
fn a_rule_has_the_name_that_is_set_and_else_its_method_path_and_value() {
    let named = || login().name("login");
    let builder = JVerifyLayer::builder(Verifier::passing());
    let layer = builder.rule(named()).rule(Rule::post("/enter", captcha())).build().unwrap();
    assert_eq!(layer.unused_rules(), ["login", "POST /enter"]);
    let error = of_rules([named().in_flight(0)]).unwrap();
    assert_eq!((error.setting(), error.rule()), ("in_flight", Some("login")));

    for name in ["", "two words", "登录", "a\nb", &"x".repeat(65)] {
        let error = of_rules([login().name(name)]).unwrap();
        assert_eq!(error.setting(), "rule.name", "{name:?}");
    }
    assert_eq!(of_rules([login().name("x".repeat(64))]), None);
    let error = of_rules([named(), Rule::post("/signin", number()).name("login")]).unwrap();
    assert_eq!(error.to_string(), "`rule.name` is \"login\": another rule has this name");
}

#[test]
fn a_layer_without_a_rule_is_refused() {
    assert_eq!(of_rules([]).unwrap().setting(), "rule");
}

#[test]
fn a_path_that_is_not_a_canonical_pattern_is_refused() {
    for path in [
        "",
        "login",
        "//login",
        "/a//b",
        "/./login",
        "/x/../login",
        "/login?x",
        "/login#x",
        "/login%2F",
        "/%6cogin",
        "/lo gin",
        "/login;x",
        "/lo\\gin",
        "/{",
        "/}",
        "/{}",
        "/{a}{b}",
        "/{*rest}/x",
        "/login\0",
    ] {
        let error = of_rules([Rule::post(path, number())]).unwrap_or_else(|| panic!("{path:?} was accepted"));
        assert_eq!((error.setting(), error.value()), ("rule.path", Some(path)));
    }
    for path in ["/", "/login", "/v1/{tenant}/login", "/auth/{*rest}", "/登录"] {
        assert_eq!(of_rules([Rule::post(path, number())]), None, "{path:?}");
    }
}

#[test]
fn a_pattern_of_another_router_is_refused_and_the_error_shows_the_spelling_that_is_meant() {
    for (path, meant) in [
        ("/a/:id/login", "`/a/{id}/login`"),
        ("/:id?", "`/{id}`"),
        ("/files/*", "`/files/{*rest}`"),
        ("/<int:id>/login", "`/{id}/login`"),
        ("/<any(about, help):page>", "`/{page}`"),
        ("/{id:[0-9]+}/login", "`/{id}/login`"),
        ("/login/{id?}", "`/login/{id}`"),
        ("/(login|signin)", "`/{name}`"),
        ("/login$", "`/login`"),
    ] {
        let error = of_rules([Rule::post(path, number())]).unwrap();
        assert_eq!((error.setting(), error.value()), ("rule.path", Some(path)));
        assert!(error.to_string().contains(&format!("write {meant}")), "{error}");
    }
    for path in [r"/\:id/login", r"/\*", "/v1/accounts:signIn", "/$batch", "/{{id}}", r"/odata/Users\(1\)"] {
        assert_eq!(of_rules([Rule::post(path, number())]), None, "{path}");
    }
}

#[test]
fn two_rules_for_the_same_request_are_refused_in_every_spelling() {
    let kind = || Field::body("/kind");
    for (one, other) in [
        (login(), login()),
        (login(), Rule::post("/LOGIN", captcha())),
        (login(), Rule::post("/login/", captcha())),
        (login(), Rule::method(Method::from_bytes(b"post").unwrap(), "/login", captcha())),
        (Rule::any_method("/login", number()), Rule::any_method("/login", captcha())),
        (Rule::any_request(number()), Rule::any_request(captcha())),
        (login().when(kind(), "a"), login().when(kind(), "a")),
        (Rule::any_request(number()).when(kind(), "a"), Rule::any_request(captcha()).when(kind(), "a")),
    ] {
        for rules in [[one.clone(), other.clone()], [other, one]] {
            let shown = format!("{rules:?}");
            let error = of_rules(rules).unwrap_or_else(|| panic!("{shown} were accepted"));
            assert_eq!(error.setting(), "rule", "{shown}");
            assert!(error.value().is_some(), "{shown}");
        }
    }
    let tie = [Rule::post("/v1/{a}", number()), Rule::post("/v1/{b}", captcha())];
    let setting = of_rules(tie).expect("two names of one segment tie").setting();
    assert!(setting.starts_with("rule"), "{setting}");
}

#[test]
fn rules_that_do_not_tie_are_taken() {
    let kind = || Field::body("/kind");
    for rules in [
        vec![login(), Rule::any_method("/login", captcha()), Rule::any_request(captcha())],
        vec![login(), Rule::method(Method::PUT, "/login", number())],
        vec![login().when(kind(), "a"), login().when(kind(), "b"), login()],
        vec![Rule::post("/v1/{a}", number()), Rule::post("/v1/login", number()), Rule::post("/{*all}", number())],
    ] {
        let shown = format!("{rules:?}");
        assert_eq!(of_rules(rules), None, "{shown}");
    }
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
fn rules_among_which_a_value_chooses_are_read_in_one_way() {
    let (kind, other) = (|| Field::body("/kind"), || Field::body("/other"));
    for rules in [
        [login().when(kind(), "a"), login().when(other(), "b")],
        [login().when(kind(), "a"), login().when(kind(), "b").body_limit(10)],
        [login().when(kind(), "a"), login().when(kind(), "b").body_deadline(Duration::from_secs(1))],
        [login().when(kind(), "a"), login().when(kind(), "b").buffered(1 << 20)],
        [login().when(kind(), "a"), login().when(kind(), "b").accept([tower_jverify::Media::Form])],
        [login().when(kind(), "a"), login().when(kind(), "b").ignore_query(true)],
        [login().when(kind(), "a"), login().when(kind(), "b").canonical_body(true)],
        [login().when(kind(), "a").otherwise_pass(), login()],
    ] {
        let shown = format!("{rules:?}");
        let error = of_rules(rules).unwrap_or_else(|| panic!("{shown} were accepted"));
        assert_eq!(error.setting(), "rule.when", "{shown}");
    }
}

#[test]
fn an_ask_that_cannot_work_is_refused() {
    for (ask, shown) in [
        (number().then(number()), None),
        (captcha().then(captcha()), None),
        (captcha().then(captcha().or(number())), None),
        (one_tap().then(captcha()).then(one_tap()), None),
        (number().or(number()).into(), None),
        (number().token(Field::body("/x")).phone(Field::body("/x")).into(), Some("body /x")),
        (number().token(Field::header("X-A")).phone(Field::header("x-a")).into(), Some("header x-a")),
        (one_tap().login_token(Field::query("x")).phone(Field::query("x")).into(), Some("query x")),
    ] {
        let error = of_rules([Rule::post("/login", ask)]).unwrap_or_else(|| panic!("{shown:?} was accepted"));
        assert_eq!((error.setting(), error.value()), ("rule.ask", shown), "{error}");
    }
}

#[test]
fn an_ask_without_a_proof_is_refused() {
    let none: [AnyOf; 0] = [];
    for ask in [Ask::all(none.clone()), AnyOf::new(none.clone()).into(), captcha().then(AnyOf::new(none.clone()))] {
        assert_eq!(of_rules([Rule::post("/login", ask)]).unwrap().setting(), "rule.ask");
    }
    let ask = Ask::all([Ask::from(captcha()), AnyOf::new([number()]).into()]);
    assert_eq!(of_rules([Rule::post("/login", ask)]), None);
}

#[test]
fn rules_may_come_as_a_list() {
    let rules = || [login(), Rule::post("/register", number())];
    assert_eq!(error(|builder| builder.rules(rules())), None);
    assert_eq!(error(|builder| builder.rules(rules()).rules(rules())).unwrap().setting(), "rule");
    assert_eq!(error(|builder| builder.rules([])).unwrap().setting(), "rule");
}

#[test]
fn an_invalid_field_is_refused() {
    for field in [
        Field::body(""),
        Field::body("token"),
        Field::body("/"),
        Field::body("/a//b"),
        Field::body("/a~2"),
        Field::body("/a~"),
        Field::body("/a\0"),
        Field::body("/-"),
        Field::header(""),
        Field::header("a b"),
        Field::header("content-type"),
        Field::header("connection"),
        Field::header("cookie"),
        Field::header("transfer-encoding"),
        Field::query(""),
        Field::query("\u{7f}"),
    ] {
        let rule = Rule::post("/login", number().token(field.clone()));
        let error = of_rules([rule]).unwrap_or_else(|| panic!("{field:?} was accepted"));
        assert_eq!((error.setting(), error.value()), ("field", Some(field.to_string().as_str())), "{field:?}");
    }
}

#[test]
fn fields_that_a_parser_may_take_for_each_other_are_refused() {
    for (token, phone) in [
        (Field::body("/PHONE"), Field::body("/phone")),
        (Field::body("/phone/of"), Field::body("/phone")),
        (Field::query("Phone"), Field::body("/phone")),
        (Field::body("/\u{212a}ey"), Field::body("/key")),
        (Field::header("x-proof"), Field::header("x_proof")),
    ] {
        let shown = format!("{token} {phone}");
        let error = of_rules([Rule::post("/login", number().token(token).phone(phone))]);
        assert_eq!(error.expect(&shown).setting(), "field", "{shown}");
    }
}

#[test]
fn a_proofs_header_under_our_own_prefix_is_refused() {
    for (prefix, name) in [
        ("x-jverify", "x-jverify-token"),
        ("x-jverify", "X_Jverify_Token"),
        ("x-acme", "x-acme"),
        ("x-acme", "x-acme-token"),
    ] {
        let rule = Rule::post("/login", number().token(Field::header(name)));
        let error = error(|builder| builder.rule(rule).header_prefix(prefix)).expect(name);
        assert_eq!((error.setting(), error.value()), ("field", Some(name.to_ascii_lowercase().as_str())));
    }
    let rule = || Rule::post("/login", number().token(Field::header("x-jverify-token")));
    assert_eq!(error(|builder| builder.rule(rule()).header_prefix("x-acme")), None);
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
