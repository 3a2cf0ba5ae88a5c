//! What a body claims to be: exactly one type, in plain words.

use bytes::Bytes;
use http::{HeaderValue, Request, header::CONTENT_TYPE};
use http_body_util::Full;
use tower_jverify::{Field, Media, Rule, number};

use super::post_form;
use crate::support::{Guarded, LOGIN, post_json};

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
        "application/vnd.acme.login+json",
        "application/json; v=1",
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
        "application/json;",
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
