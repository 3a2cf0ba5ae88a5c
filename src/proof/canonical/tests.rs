//! The canonical form keeps the meaning of a body, is unique, and means nothing to a reader of another type.

use proptest::{collection::vec, prelude::*};
use serde_json::Value;

use super::{form, json};

fn written(body: &str) -> String {
    String::from_utf8(json::write(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error:?}"))).unwrap()
}

/// Any JSON value, and how to write it: which characters are escaped, and where white space is.
fn documents() -> impl Strategy<Value = (Value, Vec<bool>)> {
    let text = || prop_oneof![any::<String>(), "[&=;<>\"\\\\/a\u{7f}\u{2028}\u{1f600}\n]{0,12}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    let tree = leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((text(), inner), 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    });
    let root = vec((any::<String>(), tree), 0..6).prop_map(|members| members.into_iter().collect());
    (root, vec(any::<bool>(), 1..64))
}

/// Writes a document in one of many ways.
fn write_oddly(value: &Value, odd: &mut impl Iterator<Item = bool>, out: &mut String) {
    let mut space = |out: &mut String| out.push_str(if odd.next() == Some(true) { " \n\t\r" } else { "" });
    space(out);
    match value {
        Value::String(text) => write_text_oddly(text, odd, out),
        Value::Array(elements) => {
            out.push('[');
            for (at, element) in elements.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                write_oddly(element, odd, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (at, (name, member)) in members.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { " ," });
                write_text_oddly(name, odd, out);
                out.push(':');
                write_oddly(member, odd, out);
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn write_text_oddly(text: &str, odd: &mut impl Iterator<Item = bool>, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        if odd.next() == Some(true) || c.is_control() || matches!(c, '"' | '\\') {
            out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04X}")));
        } else {
            out.push(c);
        }
    }
    out.push('"');
}

/// What every JSON document in our writing is to a reader of forms: one key, that no field has, without a value.
fn assert_says_nothing_to_form_readers(json: &str) {
    assert!(json.bytes().all(|byte| (b' '..=b'~').contains(&byte) && !b"&=;<>".contains(&byte)), "{json}");
    let pairs: Vec<_> = form_urlencoded::parse(json.as_bytes()).collect();
    assert_eq!(pairs.len(), 1, "{json}");
    assert!(pairs.iter().all(|(key, value)| key.starts_with('{') && value.is_empty()), "{json}");
}

proptest! {
    #[test]
    fn json_says_what_came_and_says_it_in_one_way((document, odd) in documents()) {
        let mut came = String::new();
        write_oddly(&document, &mut odd.iter().copied().cycle(), &mut came);
        let ours = written(&came);
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        prop_assert_eq!(read(&ours), read(&came));
        prop_assert_eq!(&written(&ours), &ours);
        let mut other = String::new();
        write_oddly(&document, &mut std::iter::repeat(false), &mut other);
        prop_assert_eq!(&written(&other), &ours);
        assert_says_nothing_to_form_readers(&ours);
        prop_assert!(ours.len() <= super::GROWTH * came.len());
    }

    #[test]
    fn whatever_is_written_as_json_serde_json_reads_alike(body in "[{}\\[\\]:,\"a\\\\u0061.eE+\\- \n12]{0,40}") {
        for body in [body.clone(), format!("{{\"a\":{body}}}"), format!("{{{body}}}")] {
            if let Ok(ours) = json::write(body.as_bytes()) {
                let read = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap();
                prop_assert_eq!(read(&ours), read(body.as_bytes()));
            }
        }
    }

    #[test]
    fn a_form_says_what_came_and_says_it_in_one_way(
        pairs in vec((any::<String>(), any::<Option<String>>(), 0..3_usize), 0..8),
        bytes in "[a-z0-9=&+%A-F\\[\\].;{}\"]{0,40}",
    ) {
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let odd = pairs.iter().map(|(key, value, empty)| {
            // An escape where none is needed, and a raw character where others escape.
            let value = value.as_ref().map(|value| format!("=%61!~[]={}", encode(value))).unwrap_or_default();
            format!("{}{}{}&", "&".repeat(*empty), encode(key), value)
        });
        let odd = odd.collect::<Vec<_>>().concat();
        for came in [odd, bytes] {
            let Ok(ours) = form::write(came.as_bytes()) else { continue };
            let read = |text: &[u8]| form_urlencoded::parse(text).into_owned().collect::<Vec<_>>();
            prop_assert_eq!(read(&ours), read(came.as_bytes()));
            prop_assert_eq!(&form::write(&ours).unwrap(), &ours);
            prop_assert!(ours.len() <= super::GROWTH * came.len());
            // Go's decoder reads the first value, and leaves what comes after it.
            let first = serde_json::Deserializer::from_slice(&ours).into_iter::<Value>().next();
            prop_assert!(!matches!(first, Some(Ok(Value::Object(_) | Value::Array(_) | Value::String(_)))));
        }
    }
}

#[test]
fn numbers_keep_their_digits() {
    let numbers = "0,-0,1.0,1e2,1E+2,12345678901234567890123,0.1000,-1e-400,1e0000000000002";
    assert_eq!(
        written(&format!("{{ \"a\" : [ {} ] }}", numbers.replace(',', " , "))),
        format!("{{\"a\":[{numbers}]}}")
    );
    json::write(br#"{"a":1e400}"#).unwrap_err();
}

#[test]
fn characters_that_another_reader_could_split_at_are_escaped() {
    let came = "{\"&=;<>\":\"é\u{7f}\u{2028}\u{1f600}/\\/\\b\\f\\n\\r\\t\\u0000\\u001f\\\"\\\\ %+\"}";
    let ours = concat!(
        r#"{"\u0026\u003d\u003b\u003c\u003e":"#,
        r#""\u00e9\u007f\u2028\ud83d\ude00//\b\f\n\r\t\u0000\u001f\"\\ %+"}"#
    );
    assert_eq!(written(came), ours);
}

#[test]
fn a_name_twice_in_one_object_is_refused_at_every_depth() {
    for body in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"b":{},"\u0061":2}"#,
        r#"{"x":{"a":1,"b":2,"a":3}}"#,
        r#"{"x":[{"":1,"":2}]}"#,
        r#"{"a":{"a":[{"a":{"b":1,"c":{"b":1},"b":2}}]}}"#,
    ] {
        assert!(json::write(body.as_bytes()).is_err(), "{body}");
    }
    for body in [r#"{"a":{"a":[{"a":1},{"a":2}]},"A":1,"b":{"a":1},"c":{"a":1}}"#, r#"{"":{"":{}}}"#, "{}"] {
        assert_eq!(written(body), body);
    }
}

#[test]
fn what_is_not_json_is_refused_and_depth_costs_no_stack() {
    for body in [
        "",
        "[",
        "[1,]",
        "1",
        "{",
        "}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":[1,]}",
        "{\"a\":[}]",
        "{\"a\":1}}",
        "{} {}",
        "{\"a\":tru}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\n\"}",
        "{a:1}",
        "{\"a\" 1}",
        "{\"a\":01}",
        "\u{feff}{}",
    ] {
        assert!(json::write(body.as_bytes()).is_err(), "{body}");
    }
    assert!(json::write(b"{\"a\":\"\xff\"}").is_err());
    let deep = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
    assert_eq!(written(&deep(127)), deep(127));
    for levels in [128, 2_000_000] {
        assert!(json::write(deep(levels).as_bytes()).is_err(), "{levels}");
    }
}

#[test]
fn pairs_keep_their_order_and_empty_ones_go() {
    for (came, ours) in [
        ("tags[]=a&x&tags[]=b&&", "tags%5B%5D=a&x=&tags%5B%5D=b"),
        ("&&=&=v&k=&k", "=&=v&k=&k="),
        ("a=b=c&a=%20+~'!", "a=b%3Dc&a=++%7E%27%21"),
        ("", ""),
        ("&&&", ""),
    ] {
        assert_eq!(form::write(came.as_bytes()).as_deref(), Ok(ours.as_bytes()), "{came}");
    }
    for came in ["a=%", "a=%zz", "a=%ff", "%c3=1", "a=\u{e9}", "a;b=1", "a=1&b=\0"] {
        assert!(form::write(came.as_bytes()).is_err(), "{came}");
    }
}
