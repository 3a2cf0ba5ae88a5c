//! A message is accepted only if all readers read it alike.

use prost::Message;
use tower_jverify::{Field, Media, Rule, captcha, number};

use super::{LOGIN, LoginRequest, PHONE, TOKEN, asked_for_the_good_login, by_numbers, call, frame, guarded, refuses};
use crate::support::{Guarded, post_json};

/// A field of a wire type that holds bytes.
fn text(number: u8, value: &str) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(value.len()).unwrap()], value.as_bytes()].concat()
}

fn varint(number: u8, mut value: u64) -> Vec<u8> {
    let mut field = vec![number << 3];
    while value >= 0x80 {
        field.push(0x80 | u8::try_from(value & 0x7f).unwrap());
        value >>= 7;
    }
    field.push(u8::try_from(value).unwrap());
    field
}

fn login() -> Vec<u8> {
    [text(1, TOKEN), text(2, PHONE)].concat()
}

#[tokio::test]
async fn a_phone_may_be_text_or_an_integer() {
    let guarded = guarded();
    let integer = [text(1, TOKEN), varint(2, PHONE.parse().unwrap())].concat();
    for message in [login(), integer, [text(2, PHONE), text(1, TOKEN)].concat()] {
        guarded.verifies(call(frame(&message)), "a spelling of the same login").await;
    }
    asked_for_the_good_login(&guarded);
}

#[tokio::test]
async fn fields_that_no_rule_names_are_skipped() {
    let guarded = guarded();
    for (other, what) in [
        (varint(9, 300), "a varint"),
        (vec![9 << 3 | 1, 1, 2, 3, 4, 5, 6, 7, 8], "eight bytes"),
        (vec![9 << 3 | 5, 1, 2, 3, 4], "four bytes"),
        (text(9, "\u{7}"), "bytes"),
        ([text(9, "x"), text(9, "y")].concat(), "twice"),
        (text(9, ""), "empty"),
        // 536,870,911, the last field number.
        (vec![0xfa, 0xff, 0xff, 0xff, 0x0f, 1, 7], "the last number"),
        ([vec![9 << 3 | 2, 0x80 | 1, 0], vec![7]].concat(), "a length in more bytes than it needs"),
    ] {
        guarded.verifies(call(frame(&[login(), other.clone()].concat())), what).await;
        guarded.verifies(call(frame(&[other, login()].concat())), what).await;
    }
}

#[tokio::test]
async fn a_guarded_field_comes_once_and_as_what_it_is() {
    let guarded = guarded();
    let other = "13900000000";
    for (code, message, what) in [
        ("proof_malformed", [login(), text(2, other)].concat(), "a second phone"),
        ("proof_malformed", [login(), text(2, PHONE)].concat(), "the same phone again"),
        ("proof_malformed", [login(), varint(2, 13_900_000_000)].concat(), "a second phone as an integer"),
        ("proof_malformed", [login(), text(1, "other")].concat(), "a second token"),
        ("proof_malformed", [text(1, TOKEN), vec![2 << 3 | 1, 0, 0, 0, 0, 0, 0, 0, 0]].concat(), "fixed64"),
        ("proof_malformed", [text(1, TOKEN), vec![2 << 3 | 5, 0, 0, 0, 0]].concat(), "fixed32"),
        ("proof_malformed", [varint(1, 7), text(2, PHONE)].concat(), "a token that is a number"),
        ("proof_malformed", [text(1, TOKEN), varint(2, u64::MAX)].concat(), "a negative number"),
        ("proof_missing", [text(1, ""), text(2, PHONE)].concat(), "an empty token"),
        ("proof_missing", [text(1, TOKEN), text(2, "")].concat(), "an empty phone"),
        ("proof_malformed", [login(), text(2, "")].concat(), "an empty second phone"),
        ("proof_malformed", [text(2, ""), login()].concat(), "an empty first phone"),
        ("proof_malformed", [text(1, " "), text(2, PHONE)].concat(), "a blank token"),
        ("proof_malformed", [text(1, "a\u{0}b"), text(2, PHONE)].concat(), "a control character"),
        ("proof_malformed", [vec![1 << 3 | 2, 1, 0xff], text(2, PHONE)].concat(), "not UTF-8"),
        ("proof_malformed", [text(1, TOKEN), text(2, "+8613812345678")].concat(), "a prefix"),
        ("proof_missing", text(1, TOKEN), "a token without a phone"),
        ("proof_missing", text(2, PHONE), "a phone without a token"),
    ] {
        refuses(&guarded, call(frame(&message)), code, what).await;
    }
}

#[tokio::test]
async fn an_explicit_default_is_absent() {
    let captcha = || captcha().content(Field::body("/4"));
    let guarded = Guarded::by([Rule::post(super::LOGIN, captcha().or(by_nested())).accept([Media::Grpc])]);
    let nested = |token: &str, phone: &str| {
        let inner = [text(1, token), text(2, phone)].concat();
        [vec![7 << 3 | 2, u8::try_from(inner.len()).unwrap()], inner].concat()
    };
    for (message, what) in [
        ([nested(TOKEN, PHONE), text(4, "")].concat(), "no captcha"),
        ([nested("", ""), text(4, "c")].concat(), "no number"),
        ([nested("", PHONE), text(4, "c")].concat(), "a phone that stays unproven"),
        ([vec![7 << 3 | 2, 0], text(4, "c")].concat(), "an empty message on the way"),
    ] {
        guarded.verifies(call(frame(&message)), what).await;
    }
    for (code, message, what) in [
        ("proof_missing", [nested("", ""), text(4, "")].concat(), "nothing"),
        ("proof_missing", [nested(TOKEN, ""), text(4, "c")].concat(), "half a proof"),
        ("proof_malformed", [text(4, ""), nested(TOKEN, PHONE), text(4, "c")].concat(), "twice"),
        ("proof_malformed", [vec![7 << 3 | 2, 0], nested(TOKEN, PHONE)].concat(), "twice on the way"),
    ] {
        refuses(&guarded, call(frame(&message)), code, what).await;
    }
}

fn by_nested() -> tower_jverify::Number {
    number().token(Field::body("/7/1")).phone(Field::body("/7/2"))
}

#[tokio::test]
async fn what_is_not_a_message_is_refused() {
    let guarded = guarded();
    for (rest, what) in [
        (vec![0x4b, 0x4c], "a group"),
        (vec![0x4c], "the end of a group"),
        (vec![0x4e], "wire type 6"),
        (vec![0x4f], "wire type 7"),
        (vec![0x00, 0x00], "field 0"),
        (vec![0x02, 0x00], "field 0 as bytes"),
        (vec![0xc8, 0x00, 0x01], "a tag in more bytes than it needs"),
        (vec![0x92, 0x80, 0x00, 0x00], "a guarded tag in more bytes than it needs"),
        (vec![0x80, 0x80, 0x80, 0x80, 0x10, 0x00], "a field number past the last"),
        (vec![0x48], "a field without a value"),
        (vec![0x48, 0x80], "a varint without an end"),
        ([vec![0x48], vec![0xff; 9], vec![0x02]].concat(), "a varint of 65 bits"),
        ([vec![0x48], vec![0x80; 10], vec![0x00]].concat(), "a varint of eleven bytes"),
        (vec![0x4a, 0x02, 0x00], "bytes that end too early"),
        ([vec![0x4a], vec![0xff; 9], vec![0x01]].concat(), "the longest length"),
        (vec![0x49, 0, 0, 0, 0, 0, 0, 0], "seven bytes of eight"),
        (vec![0x4d, 0, 0, 0], "three bytes of four"),
    ] {
        for message in [[login(), rest.clone()].concat(), [rest, login()].concat()] {
            let response = guarded.send(call(frame(&message))).await;
            let code = super::refused_as(&response, what);
            assert!(matches!(code, "body_malformed" | "proof_malformed"), "{what}: {code}");
        }
    }
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
}

#[tokio::test]
async fn a_field_may_sit_in_a_message_within() {
    let ask = number().token(Field::body("/4/1")).phone(Field::body("/4/2/15"));
    let guarded = Guarded::by([Rule::post(LOGIN, ask).accept([Media::Grpc])]);
    let within = |number: u8, message: &[u8]| text(number, std::str::from_utf8(message).unwrap());
    let who = within(2, &text(15, PHONE));
    let proof = [text(1, TOKEN), who.clone()].concat();
    guarded.verifies(call(frame(&within(4, &proof))), "two levels").await;
    // A merge would take the phone of the second, and the token of the first.
    for (message, what) in [
        ([within(4, &proof), within(4, &proof)].concat(), "the outer message twice"),
        ([within(4, &proof), within(4, b"")].concat(), "an empty second"),
        (within(4, &[proof.clone(), who].concat()), "the inner message twice"),
        ([within(4, &proof), varint(4, 1)].concat(), "a varint of the same number"),
        (varint(4, 1), "a varint on the way"),
    ] {
        refuses(&guarded, call(frame(&message)), "proof_malformed", what).await;
    }
    refuses(&guarded, call(frame(&login())), "proof_missing", "the same numbers outside").await;
}

#[tokio::test]
async fn a_value_chooses_among_rules_and_is_no_larger_than_an_application_reads() {
    let kind = || Field::body("/9");
    let rules =
        [Rule::post(LOGIN, by_numbers()).when(kind(), "1"), Rule::post(LOGIN, captcha().content(Field::body("/3")))];
    let guarded = Guarded::by(rules.map(|rule| rule.accept([Media::Grpc])));
    guarded.verifies(call(frame(&[login(), varint(9, 1)].concat())), "the named value").await;
    guarded.verifies(call(frame(&[text(3, "solved"), varint(9, 2)].concat())), "another").await;
    // A field of 32 bits reads a 1.
    let wide = [text(3, "solved"), varint(9, (1 << 32) + 1)].concat();
    refuses(&guarded, call(frame(&wide)), "proof_malformed", "33 bits").await;
}

#[tokio::test]
async fn a_rule_of_numbers_accepts_no_json() {
    // Connect's servers take JSON on the same path, by the fields' names.
    let guarded = Guarded::by([Rule::post(LOGIN, by_numbers()).accept([Media::Json, Media::Form, Media::Grpc])]);
    let body = format!(r#"{{"1":"{TOKEN}","2":"{PHONE}","phone":"13900000000"}}"#);
    guarded.refuses(post_json(LOGIN, body), "unsupported_media_type", "JSON").await;
    guarded.verifies(call(frame(&LoginRequest::good().encode_to_vec())), "gRPC").await;
}

#[tokio::test]
async fn a_path_is_guarded_in_every_spelling() {
    let guarded = guarded();
    for path in [
        "/accounts.Accounts/login",
        "/ACCOUNTS.ACCOUNTS/LOGIN",
        "//accounts.Accounts/Login/",
        "/accounts%2EAccounts/Login",
    ] {
        let mut request = call(frame(&LoginRequest::good().encode_to_vec()));
        *request.uri_mut() = path.parse().unwrap();
        guarded.verifies(request, path).await;
    }
}
