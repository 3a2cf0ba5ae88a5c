//! Several rules of one path: a value of the request chooses.

use tower_jverify::{
    CheckKind, Denial, Field, ForeignBackend, JVerifyBuilder, Media, Rule, Suspicion, captcha, number,
};

use crate::support::{Guarded, builder, post_json};

const PROOFS: &str = r#""token":"tok-canary-7f3a","phone":"13812345678","captchaContent":"captcha-canary""#;

fn rules() -> [Rule; 3] {
    let kind = || Field::body("/loginType");
    [
        Rule::post("/login", number()).when(kind(), "oneclick"),
        Rule::post("/login", captcha()).when(kind(), "password"),
        Rule::post("/login", captcha().then(number())).when(kind(), "2"),
    ]
}

/// What was asked when the field has this JSON value; `None` when it is not there.
async fn kinds_for(guarded: &Guarded, value: Option<&str>) -> Vec<CheckKind> {
    let before = guarded.verifier.calls();
    let response = guarded.send(post_json("/login", body(value))).await;
    assert_eq!(response.status(), 200, "{value:?}");
    guarded.verifier.kinds().split_off(before)
}

fn body(value: Option<&str>) -> String {
    let value = value.map(|value| format!(r#""loginType":{value},"#)).unwrap_or_default();
    format!("{{{value}{PROOFS}}}")
}

#[tokio::test]
async fn the_value_of_a_field_chooses_among_the_rules_of_a_path() {
    let guarded = Guarded::by(rules());
    for (value, kinds) in [
        (r#""oneclick""#, [CheckKind::Number].as_slice()),
        (r#""one\u0063lick""#, &[CheckKind::Number]),
        (r#""password""#, &[CheckKind::Captcha]),
        (r#""2""#, &[CheckKind::Captcha, CheckKind::Number]),
        ("2", &[CheckKind::Captcha, CheckKind::Number]),
    ] {
        assert_eq!(kinds_for(&guarded, Some(value)).await, kinds, "{value}");
    }
}

#[tokio::test]
async fn a_value_that_no_rule_names_is_refused() {
    let guarded = Guarded::by(rules());
    for value in [r#""sms""#, r#""Oneclick""#, r#"" oneclick""#, r#""oneclick ""#, r#""02""#, r#""2.0""#, "20"] {
        guarded.refuses(post_json("/login", body(Some(value))), "proof_missing", value).await;
    }
    guarded.refuses(post_json("/login", body(None)), "proof_missing", "no value").await;
}

#[tokio::test]
async fn a_value_that_can_be_read_in_several_ways_is_refused_even_if_others_pass() {
    let [first, second, third] = rules();
    let guarded = Guarded::by([first, second, third.otherwise_pass()]);
    for value in ["true", "2.0", "2e0", "-2", r#"["oneclick"]"#, "{}", r#"" ""#, r#""one\u0000click""#] {
        guarded.refuses(post_json("/login", body(Some(value))), "proof_malformed", value).await;
    }
    for body in [
        format!(r#"{{"loginType":"sms","loginType":"oneclick",{PROOFS}}}"#),
        format!(r#"{{"loginType":"sms","logintype":"oneclick",{PROOFS}}}"#),
        format!(r#"{{"loginType":"sms","login_type":"oneclick",{PROOFS}}}"#),
        format!(r#"{{{PROOFS},"loginType":"sms","\u006coginType":"oneclick"}}"#),
    ] {
        guarded.refuses(post_json("/login", body.clone()), "proof_malformed", &body).await;
    }
    let in_query = post_json("/login?loginType=oneclick", body(Some(r#""sms""#)));
    guarded.refuses(in_query, "proof_malformed", "the value again in the query").await;
}

#[tokio::test]
async fn other_values_pass_unverified_where_a_rule_says_so() {
    let [first, second, third] = rules();
    let guarded = Guarded::by([first, second.otherwise_pass(), third]);
    for value in [Some(r#""sms""#), Some("7"), None] {
        let mut request = post_json("/login", body(value));
        request.headers_mut().insert("x-jverify-decision", "allow".parse().unwrap());
        let seen = guarded.passes_not_guarded(request, "another value").await;
        assert_eq!(seen.body.unwrap(), body(value));
        assert!(seen.parts.extensions.get::<tower_jverify::Decision>().is_none());
    }
    assert_eq!(kinds_for(&guarded, Some(r#""oneclick""#)).await, [CheckKind::Number]);
}

/// CASES 96.
#[tokio::test]
async fn a_value_that_an_application_may_read_as_a_named_one_does_not_pass() {
    let kind = || Field::body("/loginType");
    let guarded = Guarded::by([
        Rule::post("/login", number()).when(kind(), "oneclick"),
        Rule::post("/login", captcha()).when(kind(), "1").otherwise_pass(),
    ]);
    for value in [
        "OneClick",
        " oneclick",
        "oneclick ",
        "one_click",
        "ｏｎｅｃｌｉｃｋ",
        "one\\u00adclick",
        "onec\\u200blick",
        "oneclic\\u212a",
        "\\u3000oneclick",
        "on\\u00e9click",
        "01",
        "1.0",
        "+1",
        "1e0",
        "１",
        "1 ",
        "0x1",
        "1abc",
        "4294967297",
    ] {
        let value = format!("\"{value}\"");
        guarded.refuses(post_json("/login", body(Some(&value))), "proof_malformed", &value).await;
    }
    for value in [r#""sms""#, r#""oneclick2""#, r#""短信""#, r#""11""#, "10", "2", r#""0""#] {
        guarded.passes_not_guarded(post_json("/login", body(Some(value))), value).await;
    }
    // PHP 7: `0 == "oneclick"`. In its `switch`, `true` is the first case.
    for value in ["0", "true", "false", "[]", "{}", "-1", "1.5"] {
        guarded.refuses(post_json("/login", body(Some(value))), "proof_malformed", value).await;
    }
    let by_number = Guarded::by([Rule::post("/login", number()).when(kind(), "01").otherwise_pass()]);
    by_number.refuses(post_json("/login", body(Some("1"))), "proof_malformed", "a number for a text").await;
}

/// With a captcha, the application would run the login for which a number is required.
#[tokio::test]
async fn such_a_value_does_not_choose_the_rule_without_a_condition_either() {
    let kind = || Field::body("/loginType");
    let guarded = Guarded::by([
        Rule::post("/login", captcha()),
        Rule::post("/login", number()).when(kind(), "sms"),
        Rule::post("/login", number()).when(kind(), "1"),
    ]);
    for value in [r#""SMS""#, r#""sms ""#, r#""ｓｍｓ""#, r#""s\u200bms""#, r#""01""#, r#""1.0""#, "0", "4294967297"]
    {
        guarded.refuses(post_json("/login", body(Some(value))), "proof_malformed", value).await;
    }
    for value in [Some(r#""password""#), Some(r#""smss""#), Some("2"), Some("null"), None] {
        assert_eq!(kinds_for(&guarded, value).await, [CheckKind::Captcha], "{value:?}");
    }
    for value in [r#""sms""#, r#""1""#, "1"] {
        assert_eq!(kinds_for(&guarded, Some(value)).await, [CheckKind::Number], "{value}");
    }
}

#[tokio::test]
async fn it_does_not_pass_in_a_form_either_nor_in_the_query() {
    const FORM: &str = "application/x-www-form-urlencoded";
    let of = |uri: String, pair: &str| {
        let mut request = post_json(&uri, format!("token=t&phone=13812345678{pair}"));
        request.headers_mut().insert("content-type", FORM.parse().unwrap());
        request
    };
    let in_form = Guarded::by([Rule::post("/login", number()).when(Field::body("/type"), "sms").otherwise_pass()]);
    let in_query = Guarded::by([Rule::post("/login", number()).when(Field::query("type"), "sms").otherwise_pass()]);
    let form = |pair: &str| of("/login".to_owned(), &format!("&{pair}"));
    let query = |pair: &str| of(format!("/login?{pair}"), "");
    for pair in [
        "type=SMS",
        "type=Sms",
        "type=sms%20",
        "type=+sms",
        "type=sms%C2%A0",
        "type=s_m-s",
        "type=%EF%BD%93%EF%BD%8D%EF%BD%93",
        "type=%C5%BFms",
        "type=s%E2%80%8Bms",
        "type=%EF%BB%BFsms",
        "type=sms%00",
        "type=sms%09",
        "type=+",
        "type=&type=sms",
        "type&type=sms",
        "type=x&type=sms",
        "type=sms&type=x",
        "type=x&Type=sms",
        "type[]=sms",
        "type[0]=sms",
        "type[x]=sms",
        "type%5B%5D=sms",
        "type.x=sms",
        "Type=sms",
        "ty_pe=sms",
        "+type=sms",
        "%74ype%00=sms",
    ] {
        in_form.refuses(form(pair), "proof_malformed", pair).await;
        in_query.refuses(query(pair), "proof_malformed", pair).await;
    }
    in_form.refuses(query("type=sms"), "proof_malformed", "in the query of a rule that reads the body").await;
    in_query.refuses(form("type=sms"), "proof_malformed", "in the body of a rule that reads the query").await;
    for pair in ["type=password", "type=smsx", "type=%E7%9F%AD%E4%BF%A1", "types=sms", "x=sms", "type=", "type"] {
        in_form.passes_not_guarded(form(pair), pair).await;
        in_query.passes_not_guarded(query(pair), pair).await;
    }
    for pair in ["type=sms", "t%79pe=%73ms"] {
        in_form.verifies(form(pair), pair).await;
        in_query.verifies(query(pair), pair).await;
    }
}

#[tokio::test]
async fn an_enum_of_a_message_passes_only_as_another_value() {
    let ask = number().token(Field::body("/1")).phone(Field::body("/2"));
    let guarded = Guarded::by([Rule::post("/a.B/Login", ask)
        .accept([Media::Grpc])
        .when(Field::body("/3"), "1")
        .otherwise_pass()]);
    let call = |field: &[u8]| {
        let message = [b"\x0a\x01t\x12\x0b13812345678".as_slice(), field].concat();
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let mut request = post_json("/a.B/Login", [&[0], length.as_slice(), &message].concat());
        *request.version_mut() = http::Version::HTTP_2;
        request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        request
    };
    let refused: [(&str, &[u8]); 12] = [
        ("twice, and the last counts", b"\x18\x02\x18\x01"),
        ("twice", b"\x18\x01\x18\x02"),
        ("packed", b"\x1a\x01\x01"),
        ("a text with a zero in front", b"\x1a\x0201"),
        ("a text with a space", b"\x1a\x021 "),
        ("fixed, of 32 bits", b"\x1d\x01\0\0\0"),
        ("fixed, of 64 bits", b"\x19\x01\0\0\0\0\0\0\0"),
        ("a group", b"\x1b\x1c"),
        ("2^32 + 1", b"\x18\x81\x80\x80\x80\x10"),
        ("2^64 + 1", b"\x18\x81\x80\x80\x80\x80\x80\x80\x80\x80\x02"),
        ("-1", b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        ("a number without an end", b"\x18\x81"),
    ];
    for (what, field) in refused {
        let before = (guarded.verifier.calls(), guarded.application.runs());
        let response = guarded.send(call(field)).await;
        assert_eq!(response.headers().get("grpc-status").map(http::HeaderValue::as_bytes), Some(&b"3"[..]), "{what}");
        assert_eq!((guarded.verifier.calls(), guarded.application.runs()), before, "{what}");
    }
    for (what, field) in
        [("1", &b"\x18\x01"[..]), ("in more bytes than it needs", b"\x18\x81\x80\0"), ("a text", b"\x1a\x011")]
    {
        guarded.verifies(call(field), what).await;
    }
    for (what, field) in [
        ("2", &b"\x18\x02"[..]),
        ("a text", b"\x1a\x01a"),
        ("an empty text", b"\x1a\0"),
        ("none", b""),
        ("another field", b"\x20\x01"),
    ] {
        guarded.passes_not_guarded(call(field), what).await;
    }
}

#[tokio::test]
async fn before_a_foreign_backend_the_value_that_chooses_has_no_other_place() {
    let rules = || {
        let kind = || Field::body("/loginType");
        [
            Rule::post("/login", captcha()).when(kind(), "password"),
            Rule::post("/login", number()).when(kind(), "oneclick").otherwise_pass(),
        ]
    };
    let before = |backend, rules: [Rule; 2]| {
        Guarded::with(|verifier| {
            let builder = builder(verifier).foreign_backend(backend);
            rules.into_iter().fold(builder, JVerifyBuilder::rule).build().unwrap()
        })
    };
    let form = |pairs: &str| {
        let mut request = post_json("/login", format!("phone=13999998888&captchaContent=c&{pairs}"));
        request.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
        request
    };
    let guarded = before(ForeignBackend::any(), rules());
    for key in ["model.loginType", "a[loginType]", "x.Login_Type", "a%2EloginType", "model['loginType']", "a:loginType"]
    {
        for first in ["loginType=password", "loginType=other", "x=1"] {
            let pairs = format!("{first}&{key}=oneclick");
            let response = guarded.send(form(&pairs)).await;
            let denial = response.extensions().get::<Denial>().unwrap_or_else(|| panic!("let in: {pairs}"));
            assert_eq!(denial.suspicion(), Some(Suspicion::OtherPhone), "{pairs}");
        }
    }
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
    // To PHP's `$_REQUEST`, a cookie wins.
    for first in ["loginType=password", "loginType=other"] {
        let mut request = form(first);
        request.headers_mut().insert("cookie", "a=1; loginType=oneclick; LoginType[]=x; b=2".parse().unwrap());
        assert_eq!(guarded.send(request).await.status(), 200, "{first}");
        assert_eq!(guarded.application.header("cookie").as_deref(), Some("a=1; b=2"), "{first}");
    }
    // In JSON many an inner object has a name like it.
    let body = r#"{"loginType":"other","device":{"loginType":"x"}}"#;
    guarded.passes_not_guarded(post_json("/login", body), body).await;
    // But JavaScript may read the members of one as the root's.
    for first in [r#""loginType":"other","#, r#""loginType":null,"#, ""] {
        for name in ["__proto__", r"\u005f_proto__"] {
            let body = format!(r#"{{{first}"{name}":{{"loginType":"oneclick","phone":"13999998888"}}}}"#);
            let response = guarded.send(post_json("/login", body.clone())).await;
            assert_eq!(crate::support::denial(&response).suspicion(), Some(Suspicion::OtherPhone), "{body}");
        }
    }
    // The page of a login may be asked for by its kind.
    let page =
        http::Request::get("/login?loginType=oneclick").body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
    guarded.leaves_alone(page, "a page").await;
    // Another meaning of the name is the user's to list, and each class has its switch.
    let listed = before(ForeignBackend::any(), rules().map(|rule| rule.other_phones(["device[loginType]"])));
    listed.passes_not_guarded(form("loginType=other&device[loginType]=x"), "listed").await;
    let off = before(ForeignBackend::any().without_other_phones().without_cookies(), rules());
    off.passes_not_guarded(form("loginType=other&model.loginType=x"), "switched off").await;
    off.passes_not_guarded(post_json("/login", r#"{"__proto__":{"loginType":"oneclick"}}"#), "switched off").await;
}

#[tokio::test]
async fn a_rule_without_a_condition_guards_all_other_values() {
    let kind = Field::body("/loginType");
    let guarded = Guarded::by([Rule::post("/login", captcha()), Rule::post("/login", number()).when(kind, "oneclick")]);
    assert_eq!(kinds_for(&guarded, Some(r#""oneclick""#)).await, [CheckKind::Number]);
    assert_eq!(kinds_for(&guarded, Some(r#""sms""#)).await, [CheckKind::Captcha]);
    assert_eq!(kinds_for(&guarded, None).await, [CheckKind::Captcha]);
}

#[tokio::test]
async fn a_header_or_the_query_may_choose_too() {
    for (field, request) in [(Field::header("x-login-type"), "/login"), (Field::query("type"), "/login?type=oneclick")]
    {
        let guarded = Guarded::by([
            Rule::post("/login", captcha()).when(field.clone(), "password"),
            Rule::post("/login", number()).when(field, "oneclick"),
        ]);
        let mut request = post_json(request, body(None));
        request.headers_mut().insert("x-login-type", "oneclick".parse().unwrap());
        guarded.verifies(request, "chosen by the head").await;
        assert_eq!(guarded.verifier.kinds(), [CheckKind::Number]);
    }
}
