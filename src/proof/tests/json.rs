//! JSON bodies.

use proptest::prelude::*;

use super::*;

fn read_login(body: &str) -> Result<Vec<Option<String>>, Unreadable> {
    read(&login(), Media::Json, body.as_bytes())
}

#[test]
fn fields_are_read_at_any_place_and_in_any_spelling() {
    let same = [
        r#"{"token":"T","phone":"P"}"#,
        r#"{"phone":"P","token":"T"}"#,
        " {\r\n\t\"phone\" : \"P\" ,\n \"token\" : \"T\" } ",
        r#"{"\u0070hone":"P","token":"\u0054"}"#,
        r#"{"a":[{"phone":1,"phone":2},[],{},[[[]]]],"token":"T","b":{"token":null},"phone":"P"}"#,
        r#"{"a":-0.5e+10,"b":0,"c":true,"d":false,"e":null,"token":"T","phone":"P"}"#,
        r#"{"f":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00","token":"T","phone":"P"}"#,
        r#"{"phones":1,"tok":2,"电话":3,"token":"T","":4,"phone":"P","token ring":5}"#,
    ];
    for body in same {
        assert_eq!(read_login(body), some("T", "P"), "{body}");
    }
}

#[test]
fn a_field_that_is_not_there_is_absent() {
    assert_eq!(read_login("{}"), Ok(vec![None, None]));
    assert_eq!(read_login(r#"{"phone":"P"}"#), Ok(vec![None, Some("P".into())]));
}

#[test]
fn text_is_borrowed_unless_it_is_escaped() {
    let plan = login();
    let mut values = plan.values();
    plan.read_body(&Media::Json, &http::HeaderMap::new(), br#"{"token":"T","phone":"\u0050"}"#, &mut values).unwrap();
    assert!(matches!(values.get(0), Some(Value::Text(std::borrow::Cow::Borrowed("T")))));
    assert!(matches!(values.get(1), Some(Value::Text(std::borrow::Cow::Owned(text))) if text == "P"));
}

#[test]
fn a_guarded_name_twice_is_refused_however_it_is_written() {
    let others = [
        "phone",
        r"\u0070hone",
        "Phone",
        "PHONE",
        "phon\\u0045",
        "ph_one",
        "phone-",
        "toKen",
        "to\u{212a}en",
        r"to\u212Aen",
        r"phone\u0000",
        r"phone\u0000x",
        "token",
        "TOKEN",
    ];
    for other in others {
        let body = format!(r#"{{"token":"T","phone":"P","{other}":"Q"}}"#);
        refused_as_proof(&read_login(&body), &body);
        let body = format!(r#"{{"{other}":"Q","token":"T","phone":"P"}}"#);
        refused_as_proof(&read_login(&body), &body);
    }
    let plan = plan(&[Field::body("/pass/login_id")]);
    for body in [
        r#"{"paſſ":1,"pass":{"login_id":"A"}}"#,
        r#"{"pass":{"login_id":"A"},"pass":{"login_id":"A"}}"#,
        r#"{"pass":{"login_id":"A","loginId":"B"}}"#,
        r#"{"pass":{"login_id":"A","login_ıd":"B"}}"#,
        r#"{"pass":{"login_id":"A","pass":1,"Pass":1}}"#,
        r#"{"pass":{"login_id":"A"},"login_id":1,"login_id":2}"#,
    ] {
        refused_as_proof(&read(&plan, Media::Json, body.as_bytes()), body);
    }
    let elsewhere = r#"{"pass":{"login_id":"A","x":{"pass":1,"pass":2}},"y":1,"y":2,"login_id":"B"}"#;
    assert_eq!(read(&plan, Media::Json, elsewhere.as_bytes()), Ok(vec![Some("A".into()), None]));
}

#[test]
fn what_is_not_an_object_is_refused() {
    for body in [r#"["T","P"]"#, "null", "1", r#""token""#, "true", "[]"] {
        refused_as_body(&read_login(body), body);
    }
    let plan = plan(&[Field::body("/login/token"), Field::body("/login/phone")]);
    for value in [r#"["T","P"]"#, "1", r#""x""#, r#"" ""#, "[]", "true", "false", r#"[{"token":"T"}]"#] {
        let body = format!(r#"{{"login":{value}}}"#);
        refused_as_proof(&read(&plan, Media::Json, body.as_bytes()), &body);
    }
    for value in ["null", " null ", r#""""#] {
        let body = format!(r#"{{"login":{value}}}"#);
        assert_eq!(read(&plan, Media::Json, body.as_bytes()), Ok(vec![None, None]), "{body}");
    }
    assert_eq!(read(&plan, Media::Json, br#"{"login":{"phone":"P","token":"T"}}"#), some("T", "P"));
}

#[test]
fn other_encodings_and_bad_utf8_are_refused_also_in_parts_that_are_not_read() {
    let good = r#"{"token":"T","phone":"P"}"#;
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf32: Vec<u8> = good.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
    let bodies: [&[u8]; 6] = [
        b"\xef\xbb\xbf{\"token\":\"T\",\"phone\":\"P\"}",
        &utf16,
        &utf32,
        b"{\"token\":\"T\",\"phone\":\"P\",\"x\":\"\xff\"}",
        b"{\"token\":\"T\",\"phone\":\"P\",\"x\":\"\xed\xa0\x80\"}",
        b"{\"token\":\"T\",\"phone\":\"P\",\"\xc0\xb0hone\":1}",
    ];
    for body in bodies {
        refused_as_body(&read(&login(), Media::Json, body), &String::from_utf8_lossy(body));
    }
}

#[test]
fn a_value_is_text_without_control_characters_or_an_unsigned_integer() {
    assert_eq!(read_login(r#"{"token":"T","phone":15813554612}"#), some("T", "#15813554612"));
    assert_eq!(read_login(r#"{"token":"T","phone":0}"#), some("T", "#0"));
    let long = format!("\"{}\"", "x".repeat(8 * 1024 + 1));
    for absent in ["null", r#""""#] {
        let body = format!(r#"{{"token":"T","phone":{absent}}}"#);
        assert_eq!(read_login(&body), Ok(vec![Some("T".into()), None]), "{body}");
    }
    let values = [
        "true",
        "false",
        r#"" ""#,
        r#""\u3000\u200b""#,
        "[null]",
        "-1",
        "-0",
        "1.5",
        "1.5813554612e10",
        "15813554612.0",
        "1e400",
        "18446744073709551616",
        "[]",
        "{}",
        r#"["P"]"#,
        r#"{"$serde_json::private::Number":"1"}"#,
        r#""\ud800""#,
        r#""\ud800\u0041""#,
        r#""\udc00""#,
        r#""P\u0000""#,
        r#""\u001f""#,
        r#""\u007f""#,
        r#""\u0085""#,
        "\"\u{85}\"",
        "\"\u{7f}\"",
        "\"a\nb\"",
        r#""P\n""#,
        &long,
    ];
    for value in values {
        let body = format!(r#"{{"token":"T","phone":{value}}}"#);
        refused_as_proof(&read_login(&body), &body);
    }
    let longest = "x".repeat(8 * 1024);
    assert_eq!(read_login(&format!(r#"{{"token":"{longest}","phone":"P"}}"#)), some(&longest, "P"));
}

#[test]
fn what_is_not_strictly_json_is_refused() {
    let bodies = [
        "",
        " ",
        "{",
        "}",
        r#"{"phone""#,
        r#"{"phone":"P"#,
        r#"{"phone":"P""#,
        r#"{"phone":"P",}"#,
        r#"{,"phone":"P"}"#,
        r#"{"phone":"P"}{"phone":"Q"}"#,
        r#"{"phone":"P"} x"#,
        r#"{"phone":"P"}]"#,
        "{\"phone\":\"P\"}\0",
        r"{'phone':'P'}",
        r#"{phone:"P"}"#,
        r#"{"phone":"P" /* */}"#,
        "{\"phone\":\"P\"}// x",
        r#"{"phone" "P"}"#,
        r#"{"x":NaN}"#,
        r#"{"x":Infinity}"#,
        r#"{"x":01}"#,
        r#"{"x":+1}"#,
        r#"{"x":1.}"#,
        r#"{"x":.5}"#,
        r#"{"x":1e}"#,
        r#"{"x":-}"#,
        r#"{"x":0x1}"#,
        r#"{"x":1e400}"#,
        r#"{"x":tru}"#,
        r#"{"x":nul"#,
        r#"{"x":True}"#,
        r#"{"x":[1,]}"#,
        r#"{"x":[,1]}"#,
        r#"{"x":[1 2]}"#,
        r#"{"x":[1}}"#,
        r#"{"x":{"y":1]}"#,
        r#"{"x":{"y"}}"#,
        r#"{"x":{1:2}}"#,
        r#"{"x":{"y":1,}}"#,
        r#"{"x":"\x"}"#,
        r#"{"x":"\u12g4"}"#,
        r#"{"x":"\u+123"}"#,
        r#"{"x":"\u12"#,
        r#"{"x":"\ud800"}"#,
        "{\"x\":\"\t\"}",
        "{\"x\":1\u{b}}",
        "{\u{a0}\"x\":1}",
        r#"{"\ud800":1}"#,
        r#"{"x":"#,
        r#"{"x":1"#,
    ];
    for body in bodies {
        refused_as_body(&read_login(body), body);
    }
}

#[test]
fn nesting_is_refused_from_128_levels_on_as_serde_json_does_and_at_once() {
    let nested = |levels: usize, open: &str, close: &str| {
        format!(r#"{{"x":{}1{},"token":"T","phone":"P"}}"#, open.repeat(levels - 1), close.repeat(levels - 1))
    };
    for (open, close) in [("[", "]"), (r#"{"y":"#, "}")] {
        assert_eq!(read_login(&nested(127, open, close)), some("T", "P"));
        assert!(serde_json::from_str::<serde_json::Value>(&nested(127, open, close)).is_ok());
        refused_as_body(&read_login(&nested(128, open, close)), "128 levels");
        assert!(serde_json::from_str::<serde_json::Value>(&nested(128, open, close)).is_err());
        refused_as_body(&read_login(&nested(2_000_000, open, close)), "2 million levels");
        refused_as_body(&read_login(&open.repeat(2_000_000)), "2 million levels, never closed");
    }
    let brackets = format!(r#"{{"x":"{}","token":"T","phone":"P"}}"#, "[{".repeat(10_000));
    assert_eq!(read_login(&brackets), some("T", "P"));
    let wide = format!(r#"{{"x":[{}0],"token":"T","phone":"P"}}"#, "[],{},".repeat(10_000));
    assert_eq!(read_login(&wide), some("T", "P"));
}

/// JSON-like text: mostly right, sometimes not.
fn document() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| format!("{n:e}")),
        "\"([a-z\\[\\]{}:,é电]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}|\\\\ud83d\\\\ude0[0-9]){0,12}\"",
        "-?[0-9]{1,3}(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
    ];
    let value = scalar.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|all| format!("[{}]", all.join(" ,"))),
            members(inner)
        ]
    });
    members(value)
}

fn members(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let key = prop_oneof![
        4 => prop::sample::select(vec!["phone", "token", r"\u0074oken", "a", "Token", "\\n"]).prop_map(str::to_owned),
        1 => "[a-z]{0,9}",
    ];
    prop::collection::vec((key, value), 0..6).prop_map(|members| {
        let members: Vec<_> = members.into_iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

/// What `serde_json` reads where we read.
fn by_serde_json(value: &serde_json::Value) -> Vec<Option<String>> {
    let show = |name: &str| match value.get(name)? {
        // Absent.
        serde_json::Value::Null => None,
        serde_json::Value::String(text) if text.is_empty() => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(format!("#{other}")),
    };
    vec![show("token"), show("phone")]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn what_is_accepted_serde_json_reads_alike(
        body in document(),
        cut in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut body = body.into_bytes();
        if let Some((at, byte)) = cut {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let by_them = serde_json::from_slice::<serde_json::Value>(&body);
        match read(&login(), Media::Json, &body) {
            Ok(values) => prop_assert_eq!(values, by_serde_json(&by_them.unwrap())),
            // And no more is refused as a body than they refuse.
            Err(Unreadable::BodyMalformed(reason)) => {
                prop_assert!(!by_them.is_ok_and(|them| them.is_object()), "{}", reason);
            }
            Err(Unreadable::ProofMalformed(_) | Unreadable::Suspicious(..)) => {}
        }
    }

    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&login(), Media::Json, &body);
        let _ = read(&login(), Media::Form, &body);
    }
}
