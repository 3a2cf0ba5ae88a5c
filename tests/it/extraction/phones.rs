//! Phones: one spelling for each number.

use http::Method;
use tower_jverify::{Check, Decision, Field, PhoneGrammar, Question, Rule, captcha, number};

use super::post_form;
use crate::support::{Guarded, post_json};

fn body(phone: &str) -> String {
    format!(r#"{{"token":"tok-canary-7f3a","phone":{phone}}}"#)
}

/// The token and the phone that JPush was asked about last.
fn asked(guarded: &Guarded) -> (String, String) {
    match guarded.verifier.asked().last().map(Check::question) {
        Some(Question::Number { token, phone, .. }) => (token.expose().to_owned(), phone.as_str().to_owned()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_phone_as_an_integer_is_the_same_phone() {
    let guarded = Guarded::login();
    for phone in [r#""15813554612""#, "15813554612", r#""\u00315813554612""#] {
        let seen = guarded.verifies(post_json("/login", body(phone)), phone).await;
        assert_eq!(asked(&guarded), ("tok-canary-7f3a".to_owned(), "15813554612".to_owned()), "{phone}");
        let exposed = seen.parts.extensions.get::<Decision>().unwrap().phone().unwrap();
        assert_eq!(exposed.as_str(), "15813554612", "{phone}");
        assert_eq!(seen.body.unwrap(), body(phone), "the body is the client's");
    }
}

#[tokio::test]
async fn every_other_spelling_of_a_phone_is_refused() {
    let guarded = Guarded::login();
    for phone in [
        "1.5813554612e10",
        "15813554612.0",
        "15813554612e0",
        "-15813554612",
        r#""+8615813554612""#,
        r#""008615813554612""#,
        r#""8615813554612""#,
        "8615813554612",
        r#""158 1355 4612""#,
        r#""158-1355-4612""#,
        r#"" 15813554612""#,
        r#""15813554612 ""#,
        r#""１５８１３５５４６１２""#,
        r#""1581355461２""#,
        r#""١٥٨١٣٥٥٤٦١٢""#,
        r#""1581355461""#,
        r#""158135546120""#,
        r#""12813554612""#,
        r#""25813554612""#,
        r#""05813554612""#,
        r#""1581355461x""#,
        r#""15813554612\u200b""#,
        r#""\ufeff15813554612""#,
        "true",
        r#"["15813554612"]"#,
        r#"{"a":"15813554612"}"#,
        "0",
        "18446744073709551616",
        "99999999999999999999999999",
    ] {
        guarded.refuses(post_json("/login", body(phone)), "proof_malformed", phone).await;
    }
}

#[tokio::test]
async fn a_grammar_with_country_codes_knows_one_phone_in_four_spellings() {
    let rule = Rule::post("/login", number()).phone_grammar(PhoneGrammar::CountryCode);
    let guarded = Guarded::by([rule]);
    for phone in [
        r#""15813554612""#,
        r#""+8615813554612""#,
        r#""008615813554612""#,
        r#""8615813554612""#,
        "8615813554612",
        "15813554612",
    ] {
        let seen = guarded.verifies(post_json("/login", body(phone)), phone).await;
        assert_eq!(asked(&guarded).1, "15813554612", "{phone}");
        let exposed = seen.parts.extensions.get::<Decision>().unwrap().phone().unwrap();
        assert_eq!(exposed.as_str(), "15813554612", "sent is not exposed: {phone}");
        assert_eq!(seen.body.unwrap(), body(phone));
    }
    for phone in [
        r#""+868615813554612""#,
        r#""+86 15813554612""#,
        r#""+8515813554612""#,
        r#""+15813554612""#,
        r#""+0086 15813554612""#,
        r#""00 86 15813554612""#,
        r#""861581355461""#,
        r#""+86１５８１３５５４６１２""#,
    ] {
        guarded.refuses(post_json("/login", body(phone)), "proof_malformed", phone).await;
    }
}

#[tokio::test]
async fn a_lenient_grammar_knows_one_phone_as_people_and_address_books_write_it() {
    let rule = Rule::post("/login", number()).phone_grammar(PhoneGrammar::lenient());
    let guarded = Guarded::by([rule]);
    for phone in [
        r#""15813554612""#,
        "15813554612",
        "8615813554612",
        r#""158 1355 4612""#,
        r#""158-1355-4612""#,
        r#"" 15813554612 ""#,
        r#""(158)13554612""#,
        r#""+86 158 1355 4612""#,
        r#""+86-158-1355-4612""#,
        r#""(+86) 158-1355-4612""#,
        r#""+ 86 15813554612""#,
        r#""0086 158 1355 4612""#,
        r#""00 86 15813554612""#,
        r#""86-15813554612""#,
        r#""86 158 1355 4612""#,
        r#""\u202a+86 158 1355 4612\u202c""#,
        r#""\u200e15813554612\u200f""#,
        r#""\u2068158\u00a01355\u00a04612\u2069""#,
        r#""158\u20111355\u20114612""#,
        r#""158\u20131355\u22124612""#,
        r#""158\u30001355\u202f4612""#,
        r#""（158）13554612""#,
        r#""158－1355－4612""#,
        r#""158\u200b1355\u00ad4612""#,
        r#""\ufeff+8615813554612\ufeff""#,
        r#""\u206015813554612""#,
    ] {
        let seen = guarded.verifies(post_json("/login", body(phone)), phone).await;
        assert_eq!(asked(&guarded).1, "15813554612", "{phone}");
        let exposed = seen.parts.extensions.get::<Decision>().unwrap().phone().unwrap();
        assert_eq!(exposed.as_str(), "15813554612", "{phone}");
        assert_eq!(seen.body.unwrap(), body(phone), "the body is the client's");
    }
    for phone in [
        r#""+85 15813554612""#,
        r#""+15813554612""#,
        r#""+868615813554612""#,
        r#""++8615813554612""#,
        r#""86+15813554612""#,
        r#""15813554612+""#,
        r#""158.1355.4612""#,
        r#""158/1355/4612""#,
        r#""158,13554612""#,
        r#""１５８１３５５４６１２""#,
        r#""١٥٨١٣٥٥٤٦١٢""#,
        r#""1581355461""#,
        r#""158 1355 46123""#,
        r#""158 1355 461x""#,
        r#""15813554612;ext=1""#,
        r#""15813554612 13912345678""#,
        r#""tel:15813554612""#,
        r#""158\ufffd13554612""#,
        r#""158\n13554612""#,
        r#""158\u000013554612""#,
        r#""---""#,
    ] {
        guarded.refuses(post_json("/login", body(phone)), "proof_malformed", phone).await;
    }
}

#[tokio::test]
async fn a_byte_order_mark_is_in_front_of_no_other_value() {
    let when = || Field::body("/type");
    let guarded = Guarded::by([
        Rule::post("/login", captcha().or(number().country_code(Field::body("/code"))))
            .phone_grammar(PhoneGrammar::lenient()),
        Rule::post("/choose", captcha()),
        Rule::post("/choose", number()).when(when(), "sms"),
        Rule::post("/rpc", number()).when(when(), "sms").otherwise_pass(),
    ]);
    for (path, fields) in [
        ("/login", r#""token":"\ufefft","phone":"15813554612""#),
        ("/login", r#""captchaContent":"\ufeffc""#),
        ("/login", r#""token":"t","phone":"\ufeff""#),
        ("/choose", r#""captchaContent":"c","type":"\ufeffsms""#),
        ("/rpc", r#""type":"\ufeffsms""#),
    ] {
        guarded.refuses(post_json(path, format!("{{{fields}}}")), "proof_malformed", fields).await;
    }
    let code = r#"{"token":"t","phone":"\ufeff15813554612","code":"\ufeff86"}"#;
    guarded.verifies(post_json("/login", code), code).await;
}

#[tokio::test]
async fn a_lenient_spelling_is_pinned_and_rewritten_in_canonical_digits() {
    let lenient = || Rule::post("/login", number()).phone_grammar(PhoneGrammar::lenient());
    for rule in [lenient().pin_phone(true), lenient().canonical_body(true)] {
        let guarded = Guarded::by([rule]);
        let json = post_json("/login", r#"{"token":"t","phone":"\u202a+86 158-1355-4612"}"#);
        let seen = guarded.verifies(json, "JSON").await;
        assert_eq!(seen.body.unwrap(), r#"{"token":"t","phone":"15813554612"}"#);
        let form = post_form("token=t&phone=%2B86+%28158%29+1355-4612");
        assert_eq!(guarded.verifies(form, "a form").await.body.unwrap(), "token=t&phone=15813554612");
    }
}

#[tokio::test]
async fn a_separate_country_code_is_86_and_under_the_lenient_grammar_0086_or_cn_too() {
    let rule = |grammar| {
        let ask = number().country_code(Field::body("/code"));
        Guarded::by([Rule::post("/login", ask).phone_grammar(grammar)])
    };
    let login = |code: &str| post_json("/login", format!(r#"{{"token":"t","phone":"15813554612","code":{code}}}"#));
    for guarded in [rule(PhoneGrammar::Canonical), rule(PhoneGrammar::CountryCode), rule(PhoneGrammar::lenient())] {
        for code in [r#""86""#, r#""+86""#, "86"] {
            guarded.verifies(login(code), code).await;
        }
        for code in [r#""85""#, r#""1""#, "852", r#""HK""#, r#""CNY""#, r#""China""#, r#""86 1""#, r#""00086""#] {
            guarded.refuses(login(code), "proof_malformed", code).await;
        }
    }
    let lenient = rule(PhoneGrammar::lenient());
    for code in [r#""0086""#, r#""CN""#, r#""cn""#, r#"" +86 ""#, r#""(86)""#] {
        lenient.verifies(login(code), code).await;
        rule(PhoneGrammar::Canonical).refuses(login(code), "proof_malformed", code).await;
    }
}

#[tokio::test]
async fn the_spelling_of_a_phone_that_comes_with_a_captcha_only_does_not_matter() {
    let guarded = Guarded::by([Rule::post("/signin", captcha().or(number().country_code(Field::body("/code"))))]);
    for fields in [r#""phone":"+86 158""#, r#""phone":"x","code":"86""#, r#""phone":7"#] {
        let body = format!(r#"{{"captchaContent":"c",{fields}}}"#);
        let seen = guarded.verifies(post_json("/signin", body.clone()), fields).await;
        assert_eq!(seen.parts.extensions.get::<Decision>().unwrap().phone(), None, "{fields}: it proves nothing");
        assert_eq!(seen.body.unwrap(), body);
    }
    let with_token = r#"{"captchaContent":"c","token":"t","phone":"+86 158"}"#;
    guarded.refuses(post_json("/signin", with_token), "proof_malformed", "a number proof that is there").await;
}

#[tokio::test]
async fn the_grammar_of_a_layer_holds_where_a_rule_has_none() {
    let guarded = Guarded::with(|verifier| {
        crate::support::builder(verifier)
            .phone_grammar(PhoneGrammar::CountryCode)
            .rule(Rule::post("/login", number()))
            .rule(Rule::post("/strict", number()).phone_grammar(PhoneGrammar::Canonical))
            .build()
            .unwrap()
    });
    let phone = r#""+8615813554612""#;
    guarded.verifies(post_json("/login", body(phone)), "the layer's").await;
    guarded.refuses(post_json("/strict", body(phone)), "proof_malformed", "the rule's own").await;
}

#[tokio::test]
async fn a_phone_from_everywhere_is_held_to_the_same_grammar() {
    let ask = number().token(Field::header("x-token")).phone(Field::query("phone"));
    let query = Guarded::by([Rule::method(Method::GET, "/login", ask)]);
    let form = Guarded::login();
    for (phone, fine) in
        [("15813554612", true), ("%2B8615813554612", false), ("+15813554612", false), ("15813554612+", false)]
    {
        let get = http::Request::get(format!("/login?phone={phone}")).header("x-token", "t");
        let get = get.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
        let post = post_form(format!("token=t&phone={phone}"));
        if fine {
            query.verifies(get, phone).await;
            form.verifies(post, phone).await;
        } else {
            query.refuses(get, "proof_malformed", phone).await;
            form.refuses(post, "proof_malformed", phone).await;
        }
    }
}
