//! Media types.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;

fn of(headers: &[(&str, &str)]) -> Result<Media, MediaError> {
    let pair = |(name, value): &(&str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter().map(pair) {
        map.append(name, value);
    }
    media_of(&map).and_then(|media| coding_of(&map, &[]).map(|_| media))
}

#[test]
fn json_and_forms_in_utf8_are_supported() {
    for value in [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        "application/json; charset=UTF-8",
        "application/json ; charset=\"utf-8\"",
        "application/problem+json",
        "application/vnd.api+JSON; v=1; charset=utf-8",
        "application/json; profile=\"https://example.com/x y\"",
    ] {
        assert_eq!(of(&[("content-type", value)]), Ok(Media::Json), "{value}");
    }
    for value in ["application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-8"] {
        assert_eq!(of(&[("content-type", value), ("content-encoding", "Identity")]), Ok(Media::Form), "{value}");
    }
}

#[test]
fn every_other_type_is_not() {
    for value in [
        "",
        "text/plain",
        "text/json",
        "json",
        "application/",
        "application/xml",
        "application/+json",
        "application/jsonp",
        "application/json5",
        "application/json, text/plain",
        "application/json;charset=gbk",
        "application/json; charset=utf-16",
        "application/json;charset=utf-8;charset=utf-8",
        "application/json;charset=",
        "application/json;charset",
        "application/json;",
        "application/json;;v=1",
        "application/json; charset = utf-8",
        "application/json; v=\"a\\\"b\"",
        "application/json; v=\"a;b\"",
        "application/json; v=\"a",
        "application/json; v=a b",
        "application/json/x",
        "multipart/mixed; boundary=x",
        "application /json",
        "application/jsön",
        "application/json; charset='utf-8'",
        "application/grpc+json",
        "application/grpc-web",
        "application/grpc-web+proto",
        "application/grpc-web+json",
        "application/grpc-web-text",
        "application/grpc;proto",
        "application/grpc; charset=utf-8",
    ] {
        assert_eq!(of(&[("content-type", value)]), Err(MediaError::UnsupportedType), "{value}");
    }
    assert_eq!(of(&[]), Err(MediaError::UnsupportedType));
    for other in ["content-type", "content_type"] {
        let headers = [("content-type", "application/json"), (other, "application/json")];
        assert_eq!(of(&headers), Err(MediaError::UnsupportedType));
    }
}

#[cfg(feature = "grpc")]
#[test]
fn grpc_is_supported_in_protobuf_alone() {
    for value in ["application/grpc", "application/grpc+proto", "application/GRPC+Proto"] {
        assert_eq!(of(&[("content-type", value)]), Ok(Media::Grpc), "{value}");
    }
}

#[test]
fn every_coding_is_refused() {
    for value in ["gzip", "br", "identity, gzip", "gzip, identity", "identity, identity", "", "x-identity"] {
        let headers = [("content-type", "application/json"), ("content-encoding", value)];
        assert_eq!(of(&headers), Err(MediaError::UnsupportedEncoding), "{value}");
    }
    for other in ["content-encoding", "content_encoding"] {
        let headers = [("content-type", "application/json"), ("content-encoding", "identity"), (other, "identity")];
        assert_eq!(of(&headers), Err(MediaError::UnsupportedEncoding));
    }
}
