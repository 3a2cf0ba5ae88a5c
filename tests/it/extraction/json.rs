//! JSON is accepted only if all parsers read it alike.

use tower_jverify::{Field, JVerifyLayer, Rule, number};

use super::refuses_each;
use crate::support::{Guarded, LOGIN, Verifier, builder, post_json};

fn login(body: &'static str) -> http::Request<http_body_util::Full<bytes::Bytes>> {
    post_json("/login", body)
}

#[tokio::test]
async fn a_guarded_name_twice_is_refused_however_it_is_spelt() {
    let guarded = Guarded::login();
    let bodies = [
        r#"{"token":"t","phone":"13812345678","phone":"13912345678"}"#,
        r#"{"token":"t","phone":"13812345678","phone":"13812345678"}"#,
        r#"{"token":"t","phone":"13812345678","\u0070hone":"13912345678"}"#,
        r#"{"\u0070hone":"13912345678","token":"t","phone":"13812345678"}"#,
        r#"{"token":"t","token":"u","phone":"13812345678"}"#,
        r#"{"token":"t","to\u006ben":"u","phone":"13812345678"}"#,
        r#"{"token":"t","phone":"13812345678","phone":null}"#,
    ];
    refuses_each(&guarded, login, bodies.map(|body| ("proof_malformed", body))).await;
}

#[tokio::test]
async fn a_name_that_some_backend_takes_for_a_guarded_one_is_refused() {
    let guarded = Guarded::login();
    let bodies = [
        r#"{"token":"t","phone":"13812345678","Phone":"13912345678"}"#,
        r#"{"token":"t","phone":"13812345678","PHONE":"13912345678"}"#,
        r#"{"token":"t","phone":"13812345678","to\u212aen":"u"}"#,
        r#"{"token":"t","phone":"13812345678","toKen":"u"}"#,
        r#"{"token":"t","phone":"13812345678","phone\u0000x":"13912345678"}"#,
        r#"{"token":"t","phone":"13812345678","_phone":"13912345678"}"#,
        r#"{"token":"t","phone":"13812345678","pho-ne":"13912345678"}"#,
        r#"{"token":"t","Phone":"13812345678"}"#,
    ];
    refuses_each(&guarded, login, bodies.map(|body| ("proof_malformed", body))).await;
}

/// Go folds `ſ` to `s`, and Java the dotless and dotted i.
#[tokio::test]
async fn names_are_compared_as_backends_fold_them() {
    let guarded = Guarded::by([Rule::post("/login", number().token(Field::body("/simToken")))]);
    for other in ["\\u017fimToken", "s\\u0131mToken", "s\\u0130mToken", "SIMTOKEN", "sim_token", "simTo\\u212aen"] {
        let body = format!(r#"{{"simToken":"t","phone":"13812345678","{other}":"u"}}"#);
        guarded.refuses(post_json("/login", body), "proof_malformed", other).await;
    }
}

#[tokio::test]
async fn guarded_names_are_guarded_in_every_object_on_the_way() {
    let ask = number().token(Field::body("/login/sim/token")).phone(Field::body("/login/phone"));
    let guarded = Guarded::by([Rule::post("/login", ask)]);
    let good = r#"{"login":{"sim":{"token":"t"},"phone":"13812345678"}}"#;
    guarded.verifies(post_json("/login", good), "nested fields").await;
    let bodies = [
        r#"{"login":{"sim":{"token":"t"},"phone":"13812345678"},"login":{}}"#,
        r#"{"login":{},"login":{"sim":{"token":"t"},"phone":"13812345678"}}"#,
        r#"{"login":{"sim":{"token":"t"},"sim":{},"phone":"13812345678"}}"#,
        r#"{"login":{"sim":{"token":"t","token":"u"},"phone":"13812345678"}}"#,
        r#"{"login":{"sim":{"token":"t","Token":"u"},"phone":"13812345678"}}"#,
        r#"{"login":{"sim":{"token":"t"},"phone":"13812345678"},"Login":{}}"#,
        r#"{"login":{"sim":{"token":"t","phone":"13912345678","phone":"13712345678"},"phone":"13812345678"}}"#,
        r#"{"login":[{"sim":{"token":"t"},"phone":"13812345678"}]}"#,
        r#"{"login":"x"}"#,
    ];
    refuses_each(&guarded, login, bodies.map(|body| ("proof_malformed", body))).await;
}

#[tokio::test]
async fn names_that_are_not_guarded_may_come_twice() {
    let guarded = Guarded::login();
    for body in [
        r#"{"token":"t","phone":"13812345678","note":1,"note":2,"Note":3}"#,
        r#"{"token":"t","phone":"13812345678","more":{"phone":"13912345678","phone":"x"}}"#,
        r#"{"more":[{"phone":1},{"phone":2}],"token":"t","phone":"13812345678"}"#,
        r#"{"token":"t","phone":"13812345678","phones":[],"telephone":"1","tokens":1}"#,
        " \t\r\n{ \"token\" : \"t\" , \"phone\" : \"13812345678\" }\n",
    ] {
        assert_eq!(guarded.verifies(login(body), body).await.body.unwrap(), body);
    }
}

#[tokio::test]
async fn only_an_object_is_read() {
    let guarded = Guarded::login();
    let bodies = [
        r#"["tok","13812345678"]"#,
        r#"[{"token":"t","phone":"13812345678"}]"#,
        r#""token""#,
        "null",
        "true",
        "13812345678",
        "",
        " ",
    ];
    refuses_each(&guarded, login, bodies.map(|body| ("body_malformed", body))).await;
}

#[tokio::test]
async fn only_strict_json_is_read() {
    let guarded = Guarded::login();
    refuses_each(
        &guarded,
        login,
        [
            ("body_malformed", r#"{"token":"t","phone":"13812345678",}"#),
            ("body_malformed", r#"{"token":"t","phone":"13812345678"} x"#),
            ("body_malformed", r#"{"token":"t","phone":"13812345678"}{"phone":"13912345678"}"#),
            ("body_malformed", "{\"token\":\"t\",\"phone\":\"13812345678\"}\0"),
            ("body_malformed", r#"{"token":"t",/* */"phone":"13812345678"}"#),
            ("body_malformed", "{\"token\":\"t\",\"phone\":\"13812345678\"} // x"),
            ("body_malformed", "// x"),
            ("body_malformed", r#"{"token":"t","phone":"13812345678","x":NaN}"#),
            ("body_malformed", r#"{"token":"t","phone":"13812345678","x":01}"#),
            ("body_malformed", r#"{"token":"t","phone":"13812345678","x":+1}"#),
            ("body_malformed", r#"{"token":"t","phone":"13812345678","x":.5}"#),
            ("body_malformed", r#"{"token":"t","phone":"13812345678","x":Infinity}"#),
            ("body_malformed", r#"{"token":"t","phone":"13812345678","x":0x10}"#),
            ("body_malformed", "{'token':'t','phone':'13812345678'}"),
            ("body_malformed", r#"{token:"t",phone:"13812345678"}"#),
            ("body_malformed", r#"{"token":"t","phone":"13812345678""#),
            ("body_malformed", r#"{"token":"t","phone":"1381234"#),
            ("body_malformed", "{\"token\":\"t\",\"phone\":\"13812345678\",\"x\":\"\n\"}"),
            ("body_malformed", r#"{"token":"t","phone":"13812345678","x":"\x41"}"#),
            ("proof_malformed", r#"{"token":"t","phone":NaN}"#),
            ("proof_malformed", r#"{"token":'t',"phone":"13812345678"}"#),
        ],
    )
    .await;
}

#[tokio::test]
async fn only_utf8_without_a_mark_is_read() {
    let guarded = Guarded::login();
    let utf16 = |encode: fn(u16) -> [u8; 2]| LOGIN.encode_utf16().flat_map(encode).collect::<Vec<u8>>();
    let utf32 = |encode: fn(u32) -> [u8; 4]| LOGIN.chars().flat_map(|c| encode(u32::from(c))).collect::<Vec<u8>>();
    for (what, body) in [
        ("a byte order mark", [b"\xef\xbb\xbf", LOGIN.as_bytes()].concat()),
        ("UTF-16 LE", utf16(u16::to_le_bytes)),
        ("UTF-16 BE", utf16(u16::to_be_bytes)),
        ("UTF-16 with a mark", [vec![0xff, 0xfe], utf16(u16::to_le_bytes)].concat()),
        ("UTF-32 LE", utf32(u32::to_le_bytes)),
        ("UTF-32 BE", utf32(u32::to_be_bytes)),
        (
            "a lone byte in a field that nobody reads",
            [&LOGIN.as_bytes()[..LOGIN.len() - 1], b",\"x\":\"\xff\"}"].concat(),
        ),
        ("a surrogate in UTF-8", [&LOGIN.as_bytes()[..LOGIN.len() - 1], b",\"x\":\"\xed\xa0\x80\"}"].concat()),
        ("an overlong form", [&LOGIN.as_bytes()[..LOGIN.len() - 1], b",\"x\":\"\xc0\xaf\"}"].concat()),
    ] {
        guarded.refuses(post_json("/login", body), "body_malformed", what).await;
    }
}

#[tokio::test]
async fn a_lone_surrogate_anywhere_is_refused() {
    let guarded = Guarded::login();
    refuses_each(
        &guarded,
        login,
        [
            ("proof_malformed", r#"{"token":"\ud800","phone":"13812345678"}"#),
            ("proof_malformed", r#"{"token":"t\udc00x","phone":"13812345678"}"#),
            ("body_malformed", r#"{"token":"t","phone":"13812345678","x":"\ud800"}"#),
            ("body_malformed", r#"{"token":"t","phone":"13812345678","\ud800":1}"#),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_control_character_in_a_proof_is_refused() {
    let guarded = Guarded::login();
    for control in [r"\u0000", r"\n", r"\r\nX: y", r"\u001b", r"\u007f", r"\u0085", "\u{85}", "\u{7f}"] {
        for body in [
            format!(r#"{{"token":"t{control}","phone":"13812345678"}}"#),
            format!(r#"{{"token":"t","phone":"13812345678{control}"}}"#),
        ] {
            guarded.refuses(post_json("/login", body.clone()), "proof_malformed", &body).await;
        }
    }
}

#[tokio::test]
async fn deep_nesting_is_refused_at_once() {
    let guarded = Guarded::with(|verifier: &Verifier| -> JVerifyLayer<Verifier> {
        builder(verifier).rule(Rule::post("/login", number())).body_limit(8 << 20).build().unwrap()
    });
    for (open, close, levels) in [
        ("[", "]", 129),
        ("{\"a\":", "}", 129),
        ("[", "]", 2_000_000),
        ("{\"a\":", "}", 1_000_000),
        ("[", "", 2_000_000),
    ] {
        let nested = format!("{}1{}", open.repeat(levels), close.repeat(levels));
        for body in [
            format!(r#"{{"token":"t","phone":"13812345678","x":{nested}}}"#),
            format!(r#"{{"x":{nested},"token":"t","phone":"13812345678"}}"#),
        ] {
            guarded.refuses(post_json("/login", body), "body_malformed", &format!("{levels} times {open}")).await;
        }
        let in_token = format!(r#"{{"phone":"13812345678","token":{nested}}}"#);
        guarded.refuses(post_json("/login", in_token), "proof_malformed", &format!("{levels} times {open}")).await;
    }
    let shallow = format!(r#"{{"token":"t","phone":"13812345678","x":{}{}}}"#, "[".repeat(100), "]".repeat(100));
    guarded.verifies(post_json("/login", shallow), "100 levels").await;
}
