use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Header, Names, routing};
use crate::foreign_backend::ForeignBackend;

fn names() -> Names {
    Names::new("x-jverify").unwrap()
}

fn map(lines: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    map
}

fn lines(map: &HeaderMap) -> Vec<(&str, &str)> {
    map.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect()
}

#[test]
fn a_number_is_written_in_decimal_with_or_without_an_allocation() {
    for number in (0..=1001).chain([u64::MAX]) {
        assert_eq!(super::decimal(number), number.to_string());
    }
}

#[test]
fn every_spelling_under_the_prefix_is_removed() {
    for name in [
        "X-Jverify-Decision",
        "x_jverify_decision",
        "x-jverify_risk-score",
        "x.jverify.id",
        "x~jverify-anything-at-all",
        "x-jverify",
        "x-jverify-",
    ] {
        let mut headers = map(&[("a", "1"), (name, "allow"), ("b", "2")]);
        names().strip(&mut headers);
        assert_eq!(lines(&headers), [("a", "1"), ("b", "2")], "{name}");
    }
}

#[test]
fn every_header_of_the_layer_is_under_the_prefix_and_changes_with_it() {
    use Header::{Checks, Decision, Id, Phone, Reason, RiskLevel, RiskScore, RiskTags, Sandbox};

    for prefix in ["x-jverify", "x-jverify-x", "y-risk"] {
        let names = Names::new(prefix).unwrap();
        let mut headers = HeaderMap::new();
        let all = [Decision, RiskLevel, RiskScore, RiskTags, Checks, Id, Reason, Phone, Sandbox];
        for header in all {
            names.insert(&mut headers, header, HeaderValue::from_static("1"));
        }
        assert_eq!(headers.len(), all.len());
        assert!(headers.keys().all(|name| name.as_str().starts_with(&format!("{prefix}-"))), "{headers:?}");
        names.strip(&mut headers);
        assert!(headers.is_empty(), "{headers:?}");
    }
}

#[test]
fn what_only_looks_alike_stays() {
    for name in ["x-jverifyer", "x-jverif", "xx-jverify-id", "jverify-id"] {
        let mut headers = map(&[(name, "1")]);
        names().strip(&mut headers);
        assert_eq!(headers.len(), 1, "{name}");
    }
}

#[test]
fn order_and_multiplicity_of_the_rest_survive() {
    let mut headers = map(&[
        ("z", "1"),
        ("x-jverify-id", "9"),
        ("a", "1"),
        ("z", "2"),
        ("x_jverify_id", "8"),
        ("m", "1"),
        ("a", "3"),
    ]);
    names().strip(&mut headers);
    assert_eq!(lines(&headers), [("z", "1"), ("z", "2"), ("a", "1"), ("a", "3"), ("m", "1")]);
}

#[test]
fn our_names_are_taken_out_of_connection() {
    let mut headers = map(&[("connection", "close, X-JVerify-Decision"), ("connection", "x_jverify_id"), ("a", "1")]);
    names().strip(&mut headers);
    assert_eq!(lines(&headers), [("connection", "close"), ("a", "1")]);
}

#[test]
fn our_names_are_taken_out_of_connection_also_where_a_separator_is_in_place_of_the_hyphen() {
    for name in ["X Jverify-Decision", "x;jverify-id", "x(jverify", "X\u{e6}Jverify-Decision"] {
        let mut headers = map(&[("connection", "close")]);
        let value = format!("keep-alive, {name}, a");
        headers.append("connection", HeaderValue::from_bytes(value.as_bytes()).unwrap());
        let broken = HeaderValue::from_bytes(b"keep-alive, X\xe6Jverify-Decision, a").unwrap();
        headers.append("connection", broken);
        names().strip(&mut headers);
        let kept: Vec<_> = headers.get_all("connection").iter().collect();
        assert_eq!(kept, ["close", "keep-alive, a", "keep-alive, a"], "{name}");
    }
}

#[test]
fn an_insert_leaves_exactly_one_value() {
    let mut headers = map(&[("x-jverify-decision", "allow"), ("x-jverify-decision", "allow")]);
    names().strip(&mut headers);
    names().insert(&mut headers, Header::Decision, HeaderValue::from_static("flag"));
    assert_eq!(lines(&headers), [("x-jverify-decision", "flag")]);
}

#[test]
fn a_prefix_that_would_strip_too_much_is_refused() {
    for prefix in ["", "x", "content", "X-Up", "x-jverify-", "-x", "x--y", "x y", "9-x"] {
        assert_eq!(Names::new(prefix).unwrap_err().setting(), "header_prefix", "{prefix:?}");
    }
}

#[test]
fn the_documentation_of_the_backend_lists_every_header_that_is_removed() {
    let (_, documented) = include_str!("../foreign_backend.rs").split_once("# Headers that name another").unwrap();
    let rows: Vec<&str> = documented.lines().filter(|line| line.starts_with("/// | ")).collect();
    for (name, _) in routing::LIST {
        assert!(rows.iter().any(|row| row.contains(&format!("`{name}`"))), "{name}");
    }
    let names = rows.iter().flat_map(|row| row.split('`').skip(1).step_by(2)).count();
    assert_eq!(names, routing::LIST.len());
}

#[test]
fn every_header_of_the_list_is_removed() {
    let names = names().before(&ForeignBackend::any()).unwrap();
    for (name, _) in routing::LIST {
        let mut headers = map(&[(name, "1/login?"), ("a", "2")]);
        names.strip(&mut headers);
        assert_eq!(lines(&headers), [("a", "2")], "{name}");
    }
}

#[test]
fn each_class_of_the_backend_removes_alone() {
    let sent = || map(&[("x-original-url", "/a"), ("upgrade", "h2c"), ("http2-settings", "x"), ("a", "2")]);
    let left = |backend: ForeignBackend| {
        let mut headers = sent();
        names().before(&backend).unwrap().strip(&mut headers);
        headers
    };
    let any = ForeignBackend::any;
    assert_eq!(lines(&left(any().without_routing_headers())), [("x-original-url", "/a"), ("a", "2")]);
    let without_h2c = left(any().without_h2c());
    assert_eq!(lines(&without_h2c), [("upgrade", "h2c"), ("http2-settings", "x"), ("a", "2")]);
    assert_eq!(left(any().without_routing_headers().without_h2c()), sent());
}

#[test]
fn an_upgrade_without_http2_stays_byte_for_byte_while_another_header_goes() {
    let names = names().before(&ForeignBackend::any()).unwrap();
    let mut headers = map(&[("upgrade", "websocket;  other"), ("x-original-url", "/a")]);
    names.strip(&mut headers);
    assert_eq!(lines(&headers), [("upgrade", "websocket;  other")]);
}

#[test]
fn an_offer_of_http2_is_removed_from_its_own_headers_alone() {
    let mut headers = map(&[
        ("upgrade", "h2c"),
        ("http2-settings", "x"),
        ("connection", "Upgrade, HTTP2-Settings, close"),
        ("a", "close, upgrade"),
    ]);
    super::ignore_http2_offer(&mut headers);
    assert_eq!(lines(&headers), [("connection", "close"), ("a", "close, upgrade")]);
}

#[test]
fn connection_is_read_without_other_headers_and_a_map_that_stays_is_not_made_again() {
    let mut headers = map(&[("connection", "close, x-jverify-decision")]);
    names().strip(&mut headers);
    assert_eq!(lines(&headers), [("connection", "close")]);

    let mut headers = HeaderMap::with_capacity(500);
    headers.insert("connection", HeaderValue::from_static("close"));
    headers.insert("a", HeaderValue::from_static("1"));
    let capacity = headers.capacity();
    let hiding = names().hiding(vec![HeaderName::from_static("x-tester")]);
    for names in [names(), hiding, names().before(&ForeignBackend::any()).unwrap()] {
        names.strip(&mut headers);
        assert_eq!(headers.capacity(), capacity);
    }
}
