//! Headers, trailers, the query.

use http::{HeaderMap, HeaderName, HeaderValue, Request};

use super::*;

fn in_headers() -> Plan {
    plan(&[Field::header("X-Token"), Field::header("x-phone")])
}

fn in_query() -> Plan {
    plan(&[Field::query("token"), Field::query("phone")])
}

fn query(plan: &Plan, query: &str) -> Result<Vec<Option<String>>, Unreadable> {
    read_head(plan, Request::post(format!("/login?{query}")))
}

#[test]
fn header_fields_are_read() {
    let request =
        Request::post("/login?phone=other").header("X-Token", "T").header("x-phone", "P").header("x-tokens", "1");
    assert_eq!(read_head(&in_headers(), request), some("T", "P"));
    assert_eq!(read_head(&in_headers(), Request::get("/")), Ok(vec![None, None]));
}

#[test]
fn a_header_field_twice_or_aliased_or_unreadable_is_refused() {
    for other in ["x-token", "X_Token", "x.token", "X-TOKEN", "x_phone", "x~phone"] {
        let request = Request::post("/login").header("x-token", "T").header("x-phone", "P").header(other, "Q");
        refused_as_proof(&read_head(&in_headers(), request), other);
    }
    refused_as_proof(&read_head(&in_headers(), Request::post("/").header("x_token", "T")), "only the alias");
    for value in [&b" "[..], b"\xff", b"\xc3\xa9", b"a\tb"] {
        let request = Request::post("/").header("x-token", HeaderValue::from_bytes(value).unwrap());
        refused_as_proof(&read_head(&in_headers(), request), "value");
    }
    let request = || Request::post("/").header("x-token", "");
    assert_eq!(read_head(&in_headers(), request()), Ok(vec![None, None]));
    for (name, value) in [("x-token", "T"), ("x-token", ""), ("x_token", "T")] {
        refused_as_proof(&read_head(&in_headers(), request().header(name, value)), "an empty one counts");
    }
}

#[test]
fn connection_may_not_name_what_is_relied_on() {
    let plan = plan(&[Field::header("x-token"), Field::body("/phone")]);
    for value in
        ["content-type", "Content-Type", "close, X-Token", "x_token", "keep-alive,content_encoding ,x", "\tx-token"]
    {
        let request =
            Request::post("/").header("x-token", "T").header("connection", "close").header("connection", value);
        refused_as_proof(&read_head(&plan, request), value);
    }
    let request = Request::post("/").header("x-token", "T").header("connection", "keep-alive, x-tokens, te");
    assert_eq!(read_head(&plan, request), Ok(vec![Some("T".into()), None]));
    refused_as_proof(&read_head(&login(), Request::post("/").header("connection", "content-type")), "no header field");
}

#[test]
fn trailers_may_not_repeat_what_is_relied_on() {
    let plan = plan(&[Field::header("x-token"), Field::body("/phone")]);
    for name in ["x-token", "X_Token", "content-type", "content_encoding"] {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        let trailers = HeaderMap::from_iter([(name, HeaderValue::from_static("x"))]);
        assert!(plan.check_trailers(&trailers).is_err(), "{trailers:?}");
    }
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    assert_eq!(plan.check_trailers(&trailers), Ok(()));
    assert_eq!(plan.check_trailers(&HeaderMap::new()), Ok(()));
}

#[test]
fn the_query_may_not_hold_what_is_read_elsewhere() {
    let others = [
        "phone=V",
        "Phone[]=V",
        "phone",
        "a=1&phone=V",
        "a=1;phone=V",
        "ph%6fne=V",
        "ph%6Fne=V",
        "+phone=V",
        "%20phone=V",
        "phone%00=V",
        "[phone]=V",
        "phone.x=V",
        "to%E2%84%AAen=V",
        "TOKEN=V",
        "phone%5b%5d=V",
        "%zz=1",
        "%ff=1",
        "%u0070hone=V",
        "%=1",
    ];
    for other in others {
        refused_as_proof(&query(&login(), other), other);
        let relaxed = Plan::compile(&[Field::body("/token"), Field::body("/phone")], true).unwrap();
        assert_eq!(query(&relaxed, other), Ok(vec![None, None]));
    }
    for other in ["", "a=phone", "utm=100%", "phones=1", "a=%ff", "%E7%94%B5=1", "&&=", "x=%zz"] {
        assert_eq!(query(&login(), other), Ok(vec![None, None]), "{other}");
    }
    let deep = plan(&[Field::body("/login/phone")]);
    for other in ["login=1", "login[phone]=1", "phone=1"] {
        refused_as_proof(&query(&deep, other), other);
    }
}

#[test]
fn query_fields_are_read_once_and_strictly() {
    assert_eq!(query(&in_query(), "token=a%2Bb+c&x=1&ph%6Fne=P"), some("a+b c", "P"));
    for absent in ["x=1", "phone=", "phone", "token&phone="] {
        assert_eq!(query(&in_query(), absent), Ok(vec![None, None]), "{absent}");
    }
    let others = [
        "phone=P&phone=P",
        "phone=P&Phone=Q",
        "phone=P&phone[]=Q",
        "phone=P;x=1",
        "phone=P&x=1;y",
        "phone=%ff",
        "phone=%zz",
        "phone=&phone=P",
        "phone&phone",
        "phone=P&Phone=",
        "phone=+",
        "phone=%00",
        "phone[]=P",
    ];
    for other in others {
        refused_as_proof(&query(&in_query(), other), other);
        let relaxed = Plan::compile(&[Field::query("token"), Field::query("phone")], true).unwrap();
        refused_as_proof(&query(&relaxed, other), other);
    }
}

#[test]
fn a_body_may_not_hold_what_is_read_from_the_query() {
    let plan = plan(&[Field::query("token"), Field::body("/phone")]);
    refused_as_proof(&read(&plan, Media::Json, br#"{"token":"T","phone":"P"}"#), "json");
    refused_as_proof(&read(&plan, Media::Form, b"token=T&phone=P"), "form");
    let both = Plan::compile(&[Field::query("phone"), Field::body("/phone")], false).unwrap();
    let (parts, ()) = Request::post("/?phone=Q").body(()).unwrap().into_parts();
    let mut values = both.values();
    both.read_head(&parts, &mut values).unwrap();
    both.read_body(&Media::Json, &http::HeaderMap::new(), br#"{"phone":"P"}"#, &mut values).unwrap();
    assert_eq!(shown(&values), some("Q", "P").unwrap());
}
