//! What a rule asks for, and its fields.

use tower_jverify::{AnyOf, Ask, Field, Rule, captcha, number, one_tap};

use super::{error, of_rules};

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
