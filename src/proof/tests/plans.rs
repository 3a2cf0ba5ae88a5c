//! What can be configured, and how names fold.

use super::{
    super::fold::{Found, Keys, Names},
    *,
};

#[test]
fn an_invalid_plan_is_an_error_that_names_the_field() {
    let unfit = |field: Field| {
        let error =
            Plan::compile(std::slice::from_ref(&field), false).err().unwrap_or_else(|| panic!("{field} stands"));
        assert_eq!(error.setting(), "field");
        assert_eq!(error.value(), Some(field.to_string().as_str()));
    };
    for pointer in ["", "/", "phone", "/a//b", "/a/", "//a", "/a~", "/a~2", "/~x", "/_", "/a\0b"] {
        unfit(Field::body(pointer));
    }
    for header in
        ["", "a b", "é", "Content-Type", "content_type", "Host", "Cookie", "Connection", "transfer-encoding", "te"]
    {
        unfit(Field::header(header));
    }
    unfit(Field::query(""));
}

#[test]
fn fields_that_get_in_each_others_way_are_an_error() {
    let pairs = [
        [Field::body("/a"), Field::body("/a/b")],
        [Field::body("/a/b/c"), Field::body("/a/b")],
        [Field::body("/phone"), Field::body("/Phone")],
        [Field::body("/login_id"), Field::body("/loginId")],
        [Field::body("/phone"), Field::query("PHONE")],
        [Field::header("x-token"), Field::header("X_Token")],
    ];
    for pair in pairs {
        assert!(Plan::compile(&pair, false).is_err(), "{pair:?}");
    }
    let many: Vec<_> = (0..65).map(|n| Field::body(format!("/name{n}"))).collect();
    assert!(Plan::compile(&many, false).is_err());
    assert!(Plan::compile(&many[..64], false).is_ok());
}

#[test]
fn a_field_may_be_given_twice_and_there_may_be_many() {
    let mut fields: Vec<_> = (0..12).map(|n| Field::body(format!("/name{n}"))).collect();
    fields.insert(0, Field::body("/name11"));
    let plan = plan(&fields);
    let body: Vec<_> = (0..12).map(|n| format!("name{n}={n}")).collect();
    let body = body.join("&");
    let mut values = plan.values();
    plan.read_body(&Media::Form, &http::HeaderMap::new(), body.as_bytes(), &mut values).unwrap();
    assert_eq!(values.get(0), values.get(12));
    assert_eq!(values.get(12), Some(&Value::Text("11".into())));
    assert_eq!(values.get(3), Some(&Value::Text("2".into())));
    assert_eq!(values.get(13), None);
}

#[test]
fn a_plan_says_what_it_needs() {
    assert!(login().reads_body() && login().fits(&Media::Form));
    let head = plan(&[Field::header("x-token"), Field::query("phone")]);
    assert!(!head.reads_body());
    assert_eq!(head.header_names(), ["x-token"]);
    assert!(!plan(&[Field::body("/a/b")]).fits(&Media::Form));
    let escaped = plan(&[Field::body("/a~1b~0c")]);
    assert_eq!(read(&escaped, Media::Json, br#"{"a/b~c":"x"}"#), Ok(vec![Some("x".into()), None]));
}

#[test]
fn values_are_not_shown() {
    let plan = login();
    let mut values = plan.values();
    plan.read_body(&Media::Json, &http::HeaderMap::new(), br#"{"token":"canary","phone":13800000000}"#, &mut values)
        .unwrap();
    let shown = format!("{values:?} {:?}", values.get(0));
    assert!(!shown.contains("canary") && !shown.contains("138"), "{shown}");
}

/// Any letter that upper-casing or lower-casing takes into ASCII would let a backend confuse names that we distinguish.
#[test]
fn every_letter_that_folds_into_ascii_is_known() {
    for c in ('\u{80}'..=char::MAX).filter(|c| c.is_alphabetic()) {
        let upper = c.to_uppercase().collect::<String>();
        let lower = c.to_lowercase().collect::<String>();
        for folded in [upper.to_ascii_lowercase(), lower] {
            // One letter, or one with a combining dot that some drop (İ).
            let Some(letter) = folded.trim_end_matches('\u{307}').chars().next().filter(char::is_ascii) else {
                continue;
            };
            if folded.trim_end_matches('\u{307}').len() > 1 {
                continue; // Full folding only (ß, ligatures): no parser of keys does that.
            }
            let names = Names::new(vec![format!("x{letter}").into()]);
            assert_eq!(names.find(&format!("x{c}"), Keys::Json), Found::Like(1), "{c:?}");
        }
    }
}

#[test]
fn names_outside_ascii_fold_too() {
    let names = Names::new(vec!["Größe".into(), "ΣΑΣ".into(), "电话".into()]);
    assert_eq!(names.find("GRÖßE", Keys::Json), Found::Like(1));
    assert_eq!(names.find("σας", Keys::Json), Found::Like(2));
    assert_eq!(names.find("电话", Keys::Json), Found::Name(2));
    assert_eq!(names.find("电话[]", Keys::Form), Found::Like(4));
    assert_eq!(names.find("电", Keys::Form), Found::Nothing);
}

#[test]
fn what_a_normalisation_or_a_collation_reads_as_a_name_is_like_it() {
    let names = Names::new(vec!["phone".into(), "tel\u{e9}fono".into(), "\u{e9}tat".into()]);
    for key in [
        "\u{24df}hone",
        "ph\u{1d52}ne",
        "\u{1d4c5}\u{1d4bd}\u{2134}\u{1d4c3}\u{212f}",
        "phon\u{e9}",
        "phone\u{301}",
        "p\u{304}hone",
        "\u{1f15f}hone",
        "pho\u{2099}e",
    ] {
        assert_eq!(names.find(key, Keys::Json), Found::Like(1), "{key}");
        assert_eq!(names.like_last(&format!("model.{key}")), 1, "{key}");
    }
    for key in ["telefono", "tele\u{301}fono", "TEL\u{c9}FONO", "tel\u{e8}fono"] {
        assert_eq!(names.find(key, Keys::Form), Found::Like(2), "{key}");
    }
    assert_eq!(names.find("etat", Keys::Json), Found::Like(4));
    assert_eq!(names.find("e\u{301}tat", Keys::Json), Found::Like(4));
    for key in ["ph\u{43e}ne", "\u{3c1}hone", "phon\u{4e00}", "ph\u{f3}n", "phon\u{e9}s", "t\u{e9}l"] {
        assert_eq!(names.find(key, Keys::Json), Found::Nothing, "{key}");
    }
    // Letters outside of Latin are distinct.
    let names = Names::new(vec!["\u{442}\u{435}\u{43b}".into()]);
    assert_eq!(names.find("\u{43f}\u{430}\u{440}", Keys::Json), Found::Nothing);
}

#[test]
fn the_last_segment_of_a_key_counts() {
    let names = Names::new(vec!["phone".into(), "user[token]".into()]);
    for key in
        ["phone", "model.phone", "user[Phone][]", "a:phone[0]", "a.b[c]:ph_one", "x('phone')", "phone:utf8", "phone[x]"]
    {
        assert_eq!(names.like_last(key), 1, "{key}");
    }
    for key in ["x[token]", "token", "user.token"] {
        assert_eq!(names.like_last(key), 2, "{key}");
    }
    for key in ["", "phones", "model.phones", "phonebook.x", "a_phone", "x.phone.number"] {
        assert_eq!(names.like_last(key), 0, "{key}");
    }
    assert_eq!((names.like_key("Phone"), names.like_key("token"), names.like_key("a.phone")), (1, 2, 1));
}

#[test]
fn what_is_invisible_or_looks_like_ascii_is_folded() {
    let names = Names::new(vec!["phone".into()]);
    for key in [
        "phone\u{200b}",
        "\u{feff}phone",
        "pho\u{ad}ne",
        "\tphone",
        "phone\u{a0}",
        "\u{3000}phone",
        "ＰＨＯＮＥ",
        "ph＿one",
        "pho\u{1}ne",
        "p\0hone",
    ] {
        assert_eq!(names.find(key, Keys::Json), Found::Like(1), "{key:?}");
    }
}
