//! Forms.

use axum::extract::FromRequest;
use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;

fn read_login(body: &str) -> Result<Vec<Option<String>>, Unreadable> {
    read(&login(), Media::Form, body.as_bytes())
}

#[test]
fn fields_are_read_at_any_place_and_in_any_spelling() {
    let same = [
        "token=T&phone=P",
        "phone=P&token=T",
        "&&token=T&&phone=P&",
        "%74oken=%54&ph%6Fne=P",
        "a=b=c&token=T&=x&phone=P&y",
        "a=%E7%94%B5+%2B&token=T&phone=P",
        "phones=1&tok=2&token=T&phone=P&phone+number=3&phone_number=4",
    ];
    for body in same {
        assert_eq!(read_login(body), some("T", "P"), "{body}");
    }
    assert_eq!(read_login("token=a%2Bb+c%3D%3D&phone=%E7%94%B5"), some("a+b c==", "电"));
    assert_eq!(read_login("token=a=b==&phone=1"), some("a=b==", "1"));
    assert_eq!(read_login("other=1"), Ok(vec![None, None]));
}

#[test]
fn plain_values_are_borrowed() {
    let plan = login();
    let mut values = plan.values();
    plan.read_body(&Media::Form, &http::HeaderMap::new(), b"token=T&phone=13800000000", &mut values).unwrap();
    for index in 0..2 {
        assert!(matches!(values.get(index), Some(Value::Text(std::borrow::Cow::Borrowed(_)))));
    }
}

#[test]
fn a_form_that_names_another_charset_is_refused() {
    for body in [
        "_charset_=utf-8&token=T&phone=P",
        "_charset_=utf8&token=T&phone=P",
        "token=T&phone=P&_charset_=UTF-8",
        "_charsets_=x&token=T&phone=P",
    ] {
        assert_eq!(read_login(body), some("T", "P"), "{body}");
    }
    for pair in ["_charset_=utf-7", "_charset_", "_charset_=", "%5fcharset%5F=gbk", "_CHARSET_=x", "_charset_=utf-16"] {
        for body in [format!("{pair}&token=T&phone=P"), format!("token=T&phone=P&{pair}")] {
            refused_as_body(&read_login(&body), &body);
        }
    }
}

#[test]
fn a_guarded_name_twice_is_refused_however_it_is_written() {
    let others = [
        "phone",
        "ph%6fne",
        "Phone",
        "phone[]",
        "phone%5B%5D",
        "phone[x]",
        "phone[",
        "[phone]",
        "phone.x",
        "pho.ne",
        "+phone",
        "%20phone",
        "phone%00",
        "phone%00x",
        "phone+",
        "phone]",
        "pho[ne",
        "ph_one",
        "TOKEN",
        "to%E2%84%AAen",
        "[[phone",
        "phone[0][1]",
        "!phone",
        "%09phone",
        "phone%C2%A0",
        "phone%E3%80%80",
        "pho%C2%ADne",
        "%EF%BB%BFphone",
        "ph%E2%80%8Bone",
        "%EF%BD%90hone",
        "phone:utf8",
        "phone(1s)",
        "('phone')",
        "['phone']",
        "ph%00one",
    ];
    for other in others {
        for body in [
            format!("token=T&phone=P&{other}=Q"),
            format!("{other}=Q&token=T&phone=P"),
            format!("{other}&token=T&phone=P"),
        ] {
            refused_as_proof(&read_login(&body), &body);
        }
    }
}

#[test]
fn what_cannot_be_decoded_strictly_is_refused_anywhere() {
    for piece in
        ["a;b", "a=1;b=2", "%ff=1", "a=%ff", "a=%zz", "a=%4", "a=%", "%=1", "a=é", "a=%C0%B0", "a=%u0070", "a=%+1"]
    {
        for body in [format!("token=T&phone=P&{piece}"), format!("{piece}&token=T&phone=P")] {
            refused_as_body(&read_login(&body), &body);
        }
    }
    refused_as_body(&read_login(""), "");
}

/// A reader that does not believe the type may parse JSON, JSON5, YAML or XML.
#[test]
fn a_form_holds_only_what_url_encoders_write() {
    let harmless = b"!$'(),/:?@[]^|-._~*";
    for byte in 0..=255_u8 {
        let is_plain = byte.is_ascii_alphanumeric() || harmless.contains(&byte);
        for at in ["x=1#", "x=#1", "x#=1", "#x=1", "#"] {
            let pair: Vec<u8> = at.bytes().flat_map(|b| if b == b'#' { vec![byte] } else { vec![b] }).collect();
            for body in [[b"token=T&phone=P&", &pair[..]].concat(), [&pair[..], b"&token=T&phone=P"].concat()] {
                let outcome = read(&login(), Media::Form, &body);
                let begins = matches!(body.first(), Some(b'?' | b'['));
                match byte {
                    b'&' | b'=' | b'+' => assert_eq!(outcome, some("T", "P"), "{}", body.escape_ascii()),
                    _ if is_plain && !begins => assert_eq!(outcome, some("T", "P"), "{}", body.escape_ascii()),
                    _ => refused_as_body(&outcome, &body.escape_ascii().to_string()),
                }
            }
        }
    }
    for body in [
        r#"{"token":"x","phone":"V","y":"&token=T&phone=P&z="}"#,
        "{token:'x',phone:'V',y:'&token=T&phone=P&z='}",
        "['x':1,'y':'&token=T&phone=P&z=']",
        "['&token=T&phone=P&','V']",
        r#""&token=T&phone=P&z=""#,
        "phone: V # &token=T&phone=P",
        "phone:\nV\n&token=T&phone=P",
        "<phone>V</phone>&token=T&phone=P",
        "1 &token=T&phone=P",
    ] {
        refused_as_body(&read_login(body), body);
    }
}

proptest! {
    /// They are only looked through, where a guarded one is decoded.
    #[test]
    fn unguarded_values_are_decodable_exactly_where_guarded_ones_are(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "%E7", "%94", "%B5", "%F0", "%9F", "%98", "%80", "%ED", "%A0", "%C0", "%f8", "%ff", "%C3", "%41", "%4",
                "%", "a", "+", "=", "%E7%94%B5", "%F0%9F%98%80", "%c3%a9",
            ]),
            1..8,
        ),
    ) {
        let value = pieces.concat();
        let decodes = |body: &str| !matches!(read_login(body), Err(Unreadable::BodyMalformed(_)));
        prop_assert_eq!(decodes(&format!("other={value}")), decodes(&format!("token={value}")), "{}", value);
    }
}

#[test]
fn a_value_has_no_control_characters_and_not_only_white_space() {
    for value in ["%00", "P%0A", "%7F", "%C2%85", "+", "%20%20", "%E3%80%80", "%C2%A0+", "%E2%80%8B"] {
        let body = format!("token=T&phone={value}");
        refused_as_proof(&read_login(&body), &body);
    }
    assert_eq!(read_login("token=T&phone=="), some("T", "="));
}

#[test]
fn an_empty_value_is_absent_and_its_name_counts() {
    for body in ["token=T&phone=", "token=T&phone", "phone&token=T", "phone=&token=T&"] {
        assert_eq!(read_login(body), Ok(vec![Some("T".into()), None]), "{body}");
    }
    for body in ["phone=&phone=P", "phone=P&phone", "phone&phone", "phone=&Phone=P", "phone=P&phone[]="] {
        refused_as_proof(&read_login(body), body);
    }
}

#[test]
fn a_form_cannot_hold_what_lies_deeper() {
    let plan = plan(&[Field::body("/login/token")]);
    assert!(!plan.fits(&Media::Form));
    refused_as_body(&read(&plan, Media::Form, b"login=1"), "login=1");
}

#[test]
fn a_name_that_is_guarded_is_compared_once_it_is_decoded() {
    let plan = plan(&[Field::body("/t+1"), Field::body("/p%41")]);
    let read = |body: &str| read(&plan, Media::Form, body.as_bytes());
    // To every reader these are `t 1` and `pA`.
    assert_eq!(read("t+1=x"), Ok(vec![None, None]));
    assert_eq!(read("p%41=1"), Ok(vec![None, None]));
    assert_eq!(read("t%2B1=x&p%2541=1"), some("x", "1"));
}

#[test]
fn names_with_brackets_can_be_fields_of_a_form() {
    let plan = plan(&[Field::body("/user[token]"), Field::body("/user[phone]")]);
    assert_eq!(read(&plan, Media::Form, b"user[token]=T&user%5Bphone%5D=P&user[x]=1"), some("T", "P"));
    for other in ["user.phone", "user[phone][]", "user[+phone]", "user[phone", "User[Phone]"] {
        let body = format!("user[token]=T&user[phone]=P&{other}=Q");
        refused_as_proof(&read(&plan, Media::Form, body.as_bytes()), &body);
    }
}

proptest! {
    #[test]
    fn what_is_accepted_is_read_as_every_lenient_reader_does(
        body in "((token|phone|ph%6Fne|a|%E7%94%B5|x\\+y)(=[a-z0-9+]{0,5}(%[2-7][0-9a-f])?)?&?){0,6}"
    ) {
        if let Ok(values) = read(&login(), Media::Form, body.as_bytes()) {
            let request = http::Request::post("/").header("content-type", "application/x-www-form-urlencoded");
            let request = request.body(axum::body::Body::from(body)).unwrap();
            let read = axum::Form::<Vec<(String, String)>>::from_request(request, &()).now_or_never().unwrap();
            let axum::Form(pairs) = read.unwrap();
            let find = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            // An empty value is absent.
            let find = |name: &str| find(name).filter(|value| !value.is_empty());
            prop_assert_eq!(values, vec![find("token"), find("phone")]);
        }
    }
}
