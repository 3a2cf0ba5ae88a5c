//! The media type of a body: exactly one, in a strict spelling.

use bytes::Bytes;
use http::{HeaderValue, Request, header::CONTENT_TYPE};
use http_body_util::Full;
use tower_jverify::{Denial, Field, Media, Rule, number};

use super::post_form;
use crate::support::{Guarded, LOGIN, Verifier, builder, post_json};

fn typed(content_type: &str) -> Request<Full<Bytes>> {
    let mut request = post_json("/login", LOGIN);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
    request
}

#[tokio::test]
async fn json_under_its_own_names_is_read() {
    let guarded = Guarded::login();
    for content_type in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
        "application/json; charset=utf8",
        "application/json;",
        "application/json; charset=utf-8;",
    ] {
        guarded.verifies(typed(content_type), content_type).await;
    }
}

#[tokio::test]
async fn json_under_any_other_name_is_refused() {
    let guarded = Guarded::login();
    for content_type in [
        "text/plain",
        "text/json",
        "application/octet-stream",
        "application/jsonp",
        "application/json-seq",
        "multipart/form-data; boundary=x",
        "application/xml",
        "*/*",
        "application/*",
        "json",
        "",
        "application/json; charset=gbk",
        "application/json; charset=utf-16",
        "application/json; charset=utf-8; charset=gbk",
        "application/json, text/plain",
        "application/vnd.acme.login+json",
        "application/json; v=1",
        "application/x-www-form-urlencoded+json",
        "application/x-www-form-urlencoded; a=+json",
        "application/json; charset",
        "application/ json",
        "application/x-www-form-urlencoded; charset=gbk",
        // RFC 2231, which Django reads.
        "application/x-www-form-urlencoded; charset*=utf-8''utf-7",
        "application/json; charset*0=utf-7",
    ] {
        guarded.refuses(typed(content_type), "unsupported_media_type", content_type).await;
    }
}

#[tokio::test]
async fn a_type_is_json_where_the_user_names_the_whole_value() {
    let named = Media::json_types(["application/vnd.acme+json", "application/json;v=2"]);
    let guarded = Guarded::by([Rule::post("/login", number()).accept([Media::Form, named.clone()])]);
    for content_type in ["application/vnd.acme+json", "Application/VND.acme+JSON", "application/json; v=2"] {
        guarded.verifies(typed(content_type), content_type).await;
    }
    for content_type in ["application/json", "application/vnd.acme+json; charset=utf-8", "application/json;v=3"] {
        guarded.refuses(typed(content_type), "unsupported_media_type", content_type).await;
    }
    guarded.verifies(post_form("token=t&phone=13812345678"), "a form").await;

    let pinned = Guarded::by([Rule::post("/login", number()).accept([named]).pin_phone(true)]);
    pinned.verifies(typed("application/vnd.acme+json"), "pinned").await;
}

#[test]
fn a_type_that_some_reader_takes_for_a_form_cannot_be_named_json() {
    for content_type in [
        "application/x-www-form-urlencoded",
        "APPLICATION / X-www-form-urlencoded+json",
        "multipart/form-data",
        "application/grpc+json",
    ] {
        let rule = Rule::post("/login", number()).accept([Media::json_types([content_type])]);
        let error = builder(&Verifier::passing()).rule(rule).build().expect_err(content_type);
        assert_eq!((error.setting(), error.value()), ("accept", Some(content_type)));
    }
}

#[tokio::test]
async fn a_denial_says_which_part_of_the_type_was_refused() {
    let guarded = Guarded::login();
    for (content_type, part) in [
        ("text/canary", "media type"),
        ("application/json; canary=1", "parameter"),
        ("application/json; charset=canary", "charset"),
    ] {
        let response = guarded.send(typed(content_type)).await;
        let detail = response.extensions().get::<Denial>().unwrap().detail().unwrap();
        assert!(detail.contains(part) && !detail.contains("canary"), "{content_type}: {detail}");
    }
    let mut twice = typed("application/json");
    twice.headers_mut().append(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let response = guarded.send(twice).await;
    assert_eq!(response.extensions().get::<Denial>().unwrap().detail(), Some("two Content-Type headers"));
}

#[tokio::test]
async fn a_body_without_a_type_or_with_two_is_refused() {
    let guarded = Guarded::login();
    let mut none = post_json("/login", LOGIN);
    none.headers_mut().remove(CONTENT_TYPE);
    guarded.refuses(none, "unsupported_media_type", "no type").await;
    for (name, second) in [
        ("content-type", "application/json"),
        ("content-type", "text/plain"),
        ("content_type", "application/json"),
        ("content.type", "text/plain"),
    ] {
        let mut two = post_json("/login", LOGIN);
        two.headers_mut().append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), second.parse().unwrap());
        guarded.refuses(two, "unsupported_media_type", name).await;
    }
    let mut opaque = post_json("/login", LOGIN);
    opaque.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_bytes(b"application/json\xff").unwrap());
    guarded.refuses(opaque, "unsupported_media_type", "not ASCII").await;
}

#[tokio::test]
async fn a_coded_body_is_refused() {
    let guarded = Guarded::login();
    for coding in ["gzip", "br", "deflate", "zstd", "x-gzip", "GZIP", "identity, gzip", "gzip, gzip", "", "aes128gcm"] {
        let mut request = post_json("/login", LOGIN);
        request.headers_mut().insert("content-encoding", coding.parse().unwrap());
        guarded.refuses(request, "unsupported_encoding", coding).await;
    }
    let mut twice = post_json("/login", LOGIN);
    twice.headers_mut().append("content-encoding", "identity".parse().unwrap());
    twice.headers_mut().append("content-encoding", "gzip".parse().unwrap());
    guarded.refuses(twice, "unsupported_encoding", "two headers").await;
    let mut aliased = post_json("/login", LOGIN);
    aliased.headers_mut().append("content_encoding", "gzip".parse().unwrap());
    guarded.refuses(aliased, "unsupported_encoding", "an alias").await;

    let mut plain = post_json("/login", LOGIN);
    plain.headers_mut().insert("content-encoding", "identity".parse().unwrap());
    guarded.verifies(plain, "identity").await;
}

#[tokio::test]
async fn a_rule_may_accept_less() {
    let json = Guarded::by([Rule::post("/login", number()).accept([Media::Json])]);
    json.refuses(post_form("token=t&phone=13812345678"), "unsupported_media_type", "a form").await;
    json.verifies(post_json("/login", LOGIN), "JSON").await;

    let form = Guarded::by([Rule::post("/login", number()).accept([Media::Form])]);
    form.refuses(post_json("/login", LOGIN), "unsupported_media_type", "JSON").await;
    form.verifies(post_form("token=t&phone=13812345678"), "a form").await;
}

#[tokio::test]
async fn a_form_cannot_hold_nested_fields() {
    let nested = Guarded::by([Rule::post("/login", number().phone(Field::body("/user/phone")))]);
    nested.refuses(post_form("token=t&user=x"), "unsupported_media_type", "a form").await;
}
