use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{Index, select},
};

use super::*;

mod one_tap;

/// The reference documents' examples, verbatim.
const NUMBER_PASS: &str = r#"{
"id": 117270465679982592,
"code": 9000,
"content": "verify consistent",
"exID": "1234566",
"score": 0,
"riskCheck": {
"code": 0,
"content": "success",
"score": 0,
"tags": [],
"detail": {}
}
}"#;
const NUMBER_FAIL: &str = r#"{
"code": 9011,
"content": "auth failed"
}"#;
const CAPTCHA_PASS: &str = r#"{"id":576044766492467200,"code":6000,"content":"get action check success","exID":"","result":"success","reason":"","captchaArgs":{"used_type":"slide","user_ip":"183.238.29.30","lot_number":"f80971ac19db489b8054e0c81f9aabfc","scene":"注册"}}"#;
const CAPTCHA_FAIL: &str = r#"{"code":1802,"content":"auth failed"}"#;

fn number() -> Check {
    Check::number("token", Phone::parse("15813554612").unwrap()).with_ex_id(ExId::parse("1234566").unwrap())
}

fn captcha() -> Check {
    Check::captcha("content").with_ex_id(ExId::parse("1234566").unwrap())
}

fn risk_query() -> Check {
    Check::risk(Phone::parse("15813554612").unwrap())
}

fn verdict_of(check: &Check, body: &str) -> Result<Verdict, BadReply> {
    judge(check, StatusCode::OK, body.as_bytes(), None).map(|judged| judged.verdict)
}

fn class(check: &Check, body: &str) -> Class {
    verdict_of(check, body).unwrap().class()
}

fn risk_of(body: &str) -> Risk {
    verdict_of(&number(), body).unwrap().risk().clone()
}

fn known(score: u16) -> Risk {
    Risk::Known { score, tags: Vec::new() }
}

#[test]
fn the_reference_documents_examples_mean_what_they_say() {
    let pass = verdict_of(&number(), NUMBER_PASS).unwrap();
    let id = 117_270_465_679_982_592;
    let expected = Verdict::new(CheckKind::Number, Class::Passed).with_code(9000).with_id(id).with_risk(known(0));
    assert_eq!(pass, expected);

    let fail = verdict_of(&number(), NUMBER_FAIL).unwrap();
    let expected = Verdict::new(CheckKind::Number, Class::Misconfigured).with_code(9011).with_risk(Risk::Unknown);
    assert_eq!(fail, expected);

    let pass = verdict_of(&captcha(), CAPTCHA_PASS).unwrap();
    let id = 576_044_766_492_467_200;
    let expected = Verdict::new(CheckKind::Captcha, Class::Passed).with_code(6000).with_id(id).with_scene("注册");
    let expected = expected.with_used_type("slide").with_user_ip([183, 238, 29, 30].into());
    let expected = expected.with_lot_number("f80971ac19db489b8054e0c81f9aabfc");
    assert_eq!(pass, expected);

    let fail = verdict_of(&captcha(), CAPTCHA_FAIL).unwrap();
    assert_eq!(fail, Verdict::new(CheckKind::Captcha, Class::Misconfigured).with_code(1802));
}

#[test]
fn no_cut_or_bent_reference_example_passes() {
    for (check, example) in [(number(), NUMBER_PASS), (captcha(), CAPTCHA_PASS)] {
        for cut in 0..example.len() {
            let body = &example.as_bytes()[..cut];
            assert_eq!(judge(&check, StatusCode::OK, body, None), Err(BadReply::Unreadable), "cut at {cut}");
        }
        let trailing = format!("{example}{example}");
        assert_eq!(verdict_of(&check, &trailing), Err(BadReply::Unreadable));
        let bom = format!("\u{feff}{example}");
        assert_eq!(verdict_of(&check, &bom), verdict_of(&check, example));
        assert_eq!(verdict_of(&check, &format!("\u{feff}{bom}")), Err(BadReply::Unreadable), "one mark, and no more");
    }
}

#[test]
fn what_is_not_an_object_with_one_integer_code_is_unreadable() {
    for body in [
        "",
        " ",
        "null",
        "9000",
        "\"9000\"",
        "true",
        "<html>9000</html>",
        "{}",
        "[]",
        "[9000]",
        // The fields of a derived struct, in order: a derived reader would take it.
        r#"[9000,1,"1234566","success","15813554612",0,[],{},{}]"#,
        r#"[{"code":9000}]"#,
        r#"{"code":"9000"}"#,
        r#"{"code":9000.0}"#,
        r#"{"code":9e3}"#,
        r#"{"code":9000e0}"#,
        r#"{"code":09000}"#,
        r#"{"code":+9000}"#,
        r#"{"code":null}"#,
        r#"{"code":true}"#,
        r#"{"code":[9000]}"#,
        r#"{"code":{"code":9000}}"#,
        r#"{"Code":9000}"#,
        r#"{"code":9001,"code":9000}"#,
        r#"{"code":9000,"code":9001}"#,
        r#"{"code":9000,"code":9000}"#,
        r#"{"code":9000,"\u0063ode":9001}"#,
        r#"{"code":9000,"exID":"","exID":"1234566"}"#,
        r#"{"code":18446744073709551616}"#,
        r#"{"code":1e400}"#,
        r#"{"code":9000,}"#,
        r#"{"code":9000} x"#,
    ] {
        assert_eq!(verdict_of(&number(), body), Err(BadReply::Unreadable), "{body}");
    }
    assert_eq!(
        judge(&number(), StatusCode::OK, b"{\"code\":9000,\"content\":\"\xff\"}", None),
        Err(BadReply::Unreadable)
    );
}

#[test]
fn nesting_without_end_is_survived() {
    let deep = "[".repeat(60_000);
    assert!(verdict_of(&number(), &deep).is_err());
    for name in ["riskCheck", "captchaArgs", "tags", "id", "other"] {
        let body = format!(r#"{{"code":9000,"{name}":{}"#, "[".repeat(60_000));
        assert!(verdict_of(&number(), &body).is_err(), "{name}");
    }
}

#[test]
fn a_value_that_is_not_read_may_be_anything_in_the_grammar() {
    let digits = "9".repeat(400);
    let numbers = ["1e400", "-1E+999", &digits];
    let texts =
        [r#""\ud83d""#, r#""\udc00\ud83d\u0041x""#, r#""\ud83d\ud83d\ude00""#, r#"{"\ud83d":["\udc00",1e400]}"#];
    for value in numbers.into_iter().chain(texts) {
        assert_eq!(class(&number(), &format!(r#"{{"content":{value},"code":9001}}"#)), Class::Rejected, "{value}");
        assert!(verdict_of(&number(), &format!(r#"{{"code":{value}}}"#)).is_err());
    }
    for (name, value) in
        ["id", "tags", "riskCheck", "captchaArgs", "result"].iter().flat_map(|name| numbers.map(|value| (name, value)))
    {
        assert_eq!(
            class(&number(), &format!(r#"{{"{name}":{value},"code":9001}}"#)),
            Class::Rejected,
            "{name} {value}"
        );
    }
    for value in [r#""\ud83""#, r#""\ud83d\u""#, r#""\x""#, "1e", "1.", "--1"] {
        assert!(verdict_of(&number(), &format!(r#"{{"content":{value},"code":9001}}"#)).is_err(), "{value}");
    }
    for read in [r#""exID":"\ud83d""#, r#""id":"\ud83d""#, r#""\ud83d":1"#] {
        assert!(verdict_of(&number(), &format!(r#"{{{read},"code":9000}}"#)).is_err(), "{read}");
    }
}

#[test]
fn codes_beyond_every_integer_type_do_not_pass() {
    for (body, class, code) in [
        (r#"{"code":0}"#, Class::Unknown, Some(0)),
        (r#"{"code":-0}"#, Class::Unknown, Some(0)),
        (r#"{"code":-1}"#, Class::Unknown, Some(-1)),
        (r#"{"code":9223372036854775807}"#, Class::Unknown, Some(i64::MAX)),
        (r#"{"code":9223372036854775808}"#, Class::Unknown, None),
        (r#"{"code":18446744073709551615}"#, Class::Unknown, None),
    ] {
        // `-0` is a fraction to most parsers, and unreadable. It is never a pass.
        let Ok(verdict) = verdict_of(&number(), body) else {
            assert_eq!(body, r#"{"code":-0}"#);
            continue;
        };
        let code = code.map(|code: i64| code.to_string());
        assert_eq!((verdict.class(), verdict.code()), (class, code.as_deref()), "{body}");
    }
}

#[test]
fn a_pass_of_another_endpoint_is_not_a_pass() {
    for code in [6000, 8000, 0] {
        assert_eq!(class(&number(), &format!(r#"{{"code":{code},"result":"success"}}"#)), Class::Unknown);
    }
    for code in [9000, 8000, 0] {
        assert_eq!(class(&captcha(), &format!(r#"{{"code":{code},"result":"success"}}"#)), Class::Unknown);
    }
}

#[test]
fn a_captcha_that_failed_is_not_let_in_by_code_6000() {
    for result in [
        r#""result":"fail","#,
        "",
        r#""result":"SUCCESS","#,
        r#""result":"SUCCESS ","#,
        r#""result":"success ","#,
        r#""result":" success","#,
        r#""result":"","#,
        r#""result":null,"#,
        r#""result":true,"#,
        r#""result":1,"#,
        r#""result":["success"],"#,
        r#""result":{"result":"success"},"#,
        r#""Result":"success","#,
    ] {
        let body = format!(r#"{{{result}"code":6000}}"#);
        assert_eq!(class(&captcha(), &body), Class::Rejected, "{body}");
    }
    assert!(verdict_of(&captcha(), r#"{"result":"success","result":"fail","code":6000}"#).is_err());
    assert_eq!(class(&captcha(), r#"{"result":"s\u0075ccess","code":6000}"#), Class::Passed);
}

#[test]
fn a_pass_needs_a_status_of_success() {
    for status in [100, 301, 302, 304, 400, 401, 403, 404, 429, 500, 502, 503, 504] {
        let status = StatusCode::from_u16(status).unwrap();
        for (check, body) in [(number(), NUMBER_PASS), (captcha(), CAPTCHA_PASS)] {
            let judged = judge(&check, status, body.as_bytes(), None).map(|judged| judged.verdict);
            assert_eq!(judged, Err(BadReply::PassWithoutSuccess), "{status}");
        }
    }
}

#[test]
fn a_known_code_counts_under_any_status_and_an_unknown_one_not_under_5xx() {
    for status in [200, 302, 401, 500, 503].map(|status| StatusCode::from_u16(status).unwrap()) {
        let verdict = judge(&number(), status, NUMBER_FAIL.as_bytes(), None).unwrap().verdict;
        assert_eq!(verdict.class(), Class::Misconfigured);
        let failed = judge(&captcha(), status, br#"{"code":6000,"result":"fail"}"#, None).unwrap().verdict;
        assert_eq!(failed.class(), Class::Rejected);
    }
    let page = b"<html>Bad Gateway</html>";
    assert_eq!(judge(&number(), StatusCode::BAD_GATEWAY, page, None), Err(BadReply::ServerError));
    assert_eq!(judge(&number(), StatusCode::FORBIDDEN, page, None), Err(BadReply::Unreadable));
    let strange = br#"{"code":4711}"#;
    assert_eq!(judge(&number(), StatusCode::BAD_GATEWAY, strange, None), Err(BadReply::ServerError));
    assert_eq!(judge(&number(), StatusCode::FORBIDDEN, strange, None).unwrap().verdict.class(), Class::Unknown);
}

#[test]
fn only_another_ex_id_is_another_checks() {
    for ours in ["", r#""exID":"","#, r#""exID":null,"#, r#""exID":"1234566","#, r#""exID":1234566,"#, r#""exID":{},"#]
    {
        assert_eq!(class(&number(), &format!(r#"{{{ours}"code":9000}}"#)), Class::Passed, "{ours}");
    }
    for other in
        [r#""exID":"1234567","#, r#""exID":1234567,"#, r#""exID":-1,"#, r#""exID":"1234566 ","#, r#""exID":0,"#]
    {
        let body = format!(r#"{{{other}"code":9000}}"#);
        assert_eq!(verdict_of(&number(), &body), Err(BadReply::OtherCheck), "{other}");
    }
    let without = Check::captcha("content");
    let body = r#"{"code":6000,"result":"success","exID":"1234567"}"#;
    assert_eq!(verdict_of(&without, body), Err(BadReply::OtherCheck));
}

#[test]
fn risk_is_known_only_with_a_score() {
    for (risk_check, risk) in [
        (r#""riskCheck":{"code":0,"score":300,"tags":[]}"#, known(300)),
        (r#""riskCheck":{"code":0,"score":"300"}"#, known(300)),
        (r#""riskCheck":{"code":0,"score":900}"#, known(900)),
        (r#""riskCheck":{"code":0,"score":300,"tags":"F24004"}"#, known(300)),
        (r#""riskCheck":{"code":0,"score":901}"#, Risk::Unknown),
        (r#""riskCheck":{"code":0,"score":-1}"#, Risk::Unknown),
        (r#""riskCheck":{"code":0,"score":0.5}"#, Risk::Unknown),
        (r#""riskCheck":{"code":0,"score":""}"#, Risk::Unknown),
        (r#""riskCheck":{"code":0,"score":[0]}"#, Risk::Unknown),
        (r#""riskCheck":{"code":0}"#, Risk::Unknown),
        (r#""riskCheck":{"code":1,"score":0}"#, Risk::Unknown),
        (r#""riskCheck":{"code":"0","score":0}"#, Risk::Unknown),
        (r#""riskCheck":{"code":0.0,"score":0}"#, Risk::Unknown),
        (r#""riskCheck":{"score":0}"#, Risk::Unknown),
        (r#""riskCheck":{"code":1,"code":0,"score":0}"#, Risk::Unknown),
        (r#""riskCheck":{"code":0,"score":900,"score":0}"#, Risk::Unknown),
        (r#""riskCheck":{}"#, Risk::Unknown),
        (r#""riskCheck":[0,"success",0,[],{}]"#, Risk::Unknown),
        (r#""riskCheck":[]"#, Risk::Unknown),
        (r#""riskCheck":null"#, Risk::Unknown),
        (r#""riskCheck":"0""#, Risk::Unknown),
        (r#""riskCheck":0"#, Risk::Unknown),
        (r#""riskCheck":null,"score":0"#, Risk::Unknown),
        (r#""riskCheck":{"code":7,"score":900},"score":0"#, Risk::Unknown),
        (r#""riskCheck":{"code":0,"score":600},"score":0"#, known(600)),
        (r#""score":300"#, known(300)),
        (r#""score":"300""#, known(300)),
        (r#""score":901"#, Risk::Unknown),
        (r#""score":null"#, Risk::Unknown),
        (r#""other":0"#, Risk::Unknown),
    ] {
        let body = format!(r#"{{"code":9000,{risk_check}}}"#);
        assert_eq!(risk_of(&body), risk, "{body}");
        assert_eq!(class(&number(), &body), Class::Passed, "risk is no part of the pass: {body}");
    }
}

#[test]
fn a_captcha_never_has_a_risk() {
    let body = r#"{"code":6000,"result":"success","score":900,"riskCheck":{"code":0,"score":900}}"#;
    assert_eq!(verdict_of(&captcha(), body).unwrap().risk(), &Risk::NotAsked);
}

#[test]
fn a_risk_query_has_its_risk_at_the_top() {
    let verdict = verdict_of(&risk_query(), r#"{"code":0,"score":600,"tags":["F24004"],"detail":{}}"#).unwrap();
    assert_eq!(verdict.class(), Class::Passed);
    assert_eq!(verdict.risk(), &Risk::Known { score: 600, tags: vec!["F24004".into()] });
    assert_eq!(verdict_of(&risk_query(), r#"{"code":0}"#).unwrap().risk(), &Risk::Unknown);
    let denied = verdict_of(&risk_query(), r#"{"code":9011,"score":0}"#).unwrap();
    assert_eq!((denied.class(), denied.risk()), (Class::Misconfigured, &Risk::Unknown));
    assert_eq!(class(&risk_query(), r#"{"code":9000,"score":0}"#), Class::Unknown);
}

#[test]
fn tags_come_as_they_are_and_bounded() {
    let long = "x".repeat(65);
    let fits = "y".repeat(64);
    let many: Vec<String> = (0..80).map(|n| format!("\"F{n}\"")).collect();
    let body = format!(
        r#"{{"code":9000,"riskCheck":{{"code":0,"score":1,"tags":["a,b\r\n","{long}",7,null,["z"],"","{fits}",{}]}}}}"#,
        many.join(",")
    );
    let Risk::Known { tags, .. } = risk_of(&body) else { panic!("known") };
    assert_eq!(tags.len(), 64);
    assert_eq!(&*tags[0], "a,b\r\n");
    assert_eq!(&*tags[1], fits);
    assert_eq!(&*tags[2], "F0");
}

#[test]
fn ids_are_whole_and_may_be_text_or_absent() {
    for (id, expected) in [
        ("117270465679982592", Some(117_270_465_679_982_592)),
        (r#""117270465679982592""#, Some(117_270_465_679_982_592)),
        ("18446744073709551615", Some(u64::MAX)),
        (r#""18446744073709551615""#, Some(u64::MAX)),
        ("18446744073709551616", None),
        ("-1", None),
        ("1.5", None),
        (r#""""#, None),
        (r#""x""#, None),
        ("null", None),
        ("[1]", None),
        (r#"{"id":1}"#, None),
    ] {
        let verdict = verdict_of(&number(), &format!(r#"{{"id":{id},"code":9000}}"#)).unwrap();
        let expected = expected.map(|id: u64| id.to_string());
        assert_eq!((verdict.class(), verdict.id()), (Class::Passed, expected.as_deref()), "{id}");
    }
}

#[test]
fn a_scene_is_one_text_or_none() {
    for (args, scene) in [
        (r#"{"scene":"登录"}"#, Some("登录")),
        (r#"{"scene":"\u767b\u5f55"}"#, Some("登录")),
        (r#"{"scene":""}"#, Some("")),
        (r#"{"scene":1}"#, None),
        (r#"{"scene":null}"#, None),
        (r#"{"scene":"登录","scene":"注册"}"#, None),
        (r#"["slide","183.238.29.30","f8","登录"]"#, None),
        ("{}", None),
        ("null", None),
    ] {
        let body = format!(r#"{{"code":6000,"result":"success","captchaArgs":{args}}}"#);
        assert_eq!(verdict_of(&captcha(), &body).unwrap().scene(), scene, "{args}");
    }
}

#[test]
fn unknown_names_of_any_shape_break_nothing() {
    let body = r#"{"code":9000,"a":{"b":[1,2,{"c":null}]},"content":["\ud83d\ude00"],"":-1.5e300,"a":0}"#;
    assert_eq!(class(&number(), body), Class::Passed);
}

/// A value as the vendor might write it, or might not.
fn value() -> impl Strategy<Value = String> {
    let number = || "-?(0|[1-9][0-9]{0,21})(\\.[0-9]{1,3})?([eE][-+]?[0-9]{1,2})?";
    let text = || r#""([a-zA-Z0-9 注,]|\\u00e9|\\n|\\"|\\ud83d\\ude00){0,8}""#;
    let leaf = prop_oneof![Just("null".to_owned()), Just("true".to_owned()), Just("9000".to_owned()), number(), text()];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let list = vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(" , ")));
        prop_oneof![list, pairs(inner).prop_map(|pairs| object(&pairs))]
    })
}

fn pairs(value: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let names = ["code", "id", "exID", "result", "phone", "score", "tags", "riskCheck", "captchaArgs", "other"];
    vec((select(names.to_vec()), value), 0..7)
}

fn object(pairs: &[(&str, String)]) -> String {
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", pairs.join(",\n"))
}

/// Most have a code.
fn reply() -> impl Strategy<Value = String> {
    (option::weighted(0.8, any::<u64>()), pairs(value())).prop_map(|(code, mut pairs)| {
        pairs.extend(code.map(|code| ("code", code.to_string())));
        object(&pairs)
    })
}

proptest! {
    #[test]
    fn what_is_read_of_a_reply_serde_json_reads_alike(reply in reply(), spoilt in option::of((any::<Index>(), "."))) {
        let mut reply = reply;
        if let Some((at, with)) = &spoilt {
            let at = reply.char_indices().map(|(at, _)| at).nth(at.index(reply.chars().count())).unwrap();
            reply.insert_str(at, with);
        }
        let Ok(verdict) = verdict_of(&number(), &reply) else { return Ok(()) };
        // One byte order mark in front is skipped.
        let reply = reply.strip_prefix('\u{feff}').unwrap_or(&reply);
        let Ok(read) = serde_json::from_str::<serde_json::Value>(reply) else {
            prop_assert!(reply.contains(r"\ud"), "only a torn pair is read by us and nobody else: {}", reply);
            return Ok(());
        };
        if let Some(code) = verdict.code() {
            prop_assert_eq!(read["code"].as_i64().map(|code| code.to_string()), Some(code.to_owned()), "{}", reply);
        } else {
            prop_assert!(read["code"].as_u64().unwrap() > i64::MAX.unsigned_abs(), "{}", reply);
        }
        let id = read["id"].as_u64().or_else(|| read["id"].as_str()?.parse().ok());
        prop_assert_eq!(verdict.id().map(ToOwned::to_owned), id.map(|id| id.to_string()), "{}", reply);
    }

    #[test]
    fn a_reply_with_one_code_and_no_name_twice_is_read(reply in reply()) {
        let read: serde_json::Value = serde_json::from_str(&reply).unwrap();
        let once = ["code", "id", "exID", "result", "phone", "score", "tags", "riskCheck", "captchaArgs"]
            .iter()
            .all(|name| reply.matches(&format!("\"{name}\":")).count() <= 1);
        if once && read["code"].as_u64().is_some() && read["exID"].is_null() {
            prop_assert!(verdict_of(&number(), &reply).is_ok(), "{}", reply);
        }
    }

    #[test]
    fn random_bytes_never_pass(body in vec(any::<u8>(), 0..200)) {
        let judged = judge(&number(), StatusCode::OK, &body, None);
        prop_assert!(!judged.is_ok_and(|judged| judged.verdict.class().is_pass()));
    }

    #[test]
    fn no_code_but_9000_passes_a_number(code in any::<i64>()) {
        let passed = class(&number(), &format!(r#"{{"code":{code}}}"#)).is_pass();
        prop_assert_eq!(passed, code == 9000);
    }
}
