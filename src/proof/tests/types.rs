//! Media types.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;

fn of(headers: &[(&str, &str)]) -> Result<Media, MediaError> {
    of_accepted(headers, &[])
}

fn of_accepted(headers: &[(&str, &str)], accepted: &[Media]) -> Result<Media, MediaError> {
    let pair = |(name, value): &(&str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter().map(pair) {
        map.append(name, value);
    }
    media_of(&map, accepted).and_then(|media| coding_of(&map, &[]).map(|_| media))
}

#[test]
fn json_and_forms_in_utf8_are_supported() {
    for value in [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        "application/json; charset=UTF-8",
        "application/json ; charset=\"utf-8\"",
        "application/json;charset=utf8",
        "application/json;charset=\"UTF8\"",
        "application/json;",
        "application/json ; ; charset=utf-8 ;",
    ] {
        assert_eq!(of(&[("content-type", value)]), Ok(Media::Json), "{value}");
    }
    for value in [
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=utf-8",
        "Application/X-WWW-Form-Urlencoded;charset=UTF8;",
    ] {
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
        "application/problem+json",
        "application/vnd.api+json",
        "application/x-www-form-urlencoded+json",
        "application/x-www-form-urlencoded; a=+json",
        "application/x-www-form-urlencoded, application/json",
        "application/json; v=1",
        "application/json; charset=utf-8; v=1",
        "application/json; profile=\"https://example.com/x y\"",
        "application/json; charset=utf-8,application/x-www-form-urlencoded",
        "application/json; charset=utf_8",
        "application/json; charset=utf-16",
        "application/json;charset=utf-8;charset=utf-8",
        "application/json;charset=",
        "application/json;charset",
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
        let outcome = of(&[("content-type", value)]);
        assert!(matches!(outcome, Err(MediaError::UnsupportedType(_))), "{value}: {outcome:?}");
    }
    for other in ["content-type", "content_type"] {
        let headers = [("content-type", "application/json"), (other, "application/json")];
        assert!(matches!(of(&headers), Err(MediaError::UnsupportedType(_))));
    }
}

#[test]
fn a_refusal_says_which_part_was_refused() {
    let json = ("content-type", "application/json");
    let said = |headers: &[(&str, &str)]| match of(headers) {
        Err(MediaError::UnsupportedType(part) | MediaError::UnsupportedEncoding(part)) => part,
        Ok(media) => panic!("{headers:?} is {media:?}"),
    };
    for (headers, part) in [
        (&[][..], "no Content-Type"),
        (&[json, json], "two Content-Type headers"),
        (&[json, ("content_type", "text/plain")], "a header with a name like Content-Type"),
        (&[("content-type", "text/canary")], "a media type in Content-Type that is not accepted"),
        (&[("content-type", "application/json; canary=1")], "a parameter in Content-Type"),
        (
            &[("content-type", "application/json; charset=canary")],
            "a charset in Content-Type that is not plainly UTF-8",
        ),
        (
            &[("content-type", "application/json; charset*=utf-8''utf-7")],
            "a charset in Content-Type that is not plainly UTF-8",
        ),
        (&[json, ("content-encoding", "canary")], "a content coding in Content-Encoding that is not accepted"),
        (&[json, ("content-encoding", "gzip, gzip")], "several codings in Content-Encoding"),
        (&[json, ("content-encoding", "gzip"), ("content-encoding", "gzip")], "two Content-Encoding headers"),
        (&[json, ("content_encoding", "gzip")], "a header with a name like Content-Encoding"),
    ] {
        assert_eq!(said(headers), part, "{headers:?}");
    }
}

#[test]
fn a_type_that_the_user_names_is_json_as_a_whole() {
    let named = [Media::json_types(["application/vnd.api+json", "Text/JSON", "application/json; v=2"])];
    for value in [
        "application/vnd.api+json",
        "APPLICATION/vnd.API+json",
        "text/json",
        "application/json;v=2",
        "application/json ; V=2",
    ] {
        assert_eq!(of_accepted(&[("content-type", value)], &named), Ok(named[0].clone()), "{value}");
    }
    assert_eq!(of_accepted(&[("content-type", "application/json")], &named), Ok(Media::Json), "accepted or not");
    for value in
        ["application/vnd.api+json; charset=utf-8", "application/json; v=3", "application/json; v=2; v=3", "text/json2"]
    {
        let outcome = of_accepted(&[("content-type", value)], &named);
        assert!(matches!(outcome, Err(MediaError::UnsupportedType(_))), "{value}: {outcome:?}");
    }
}

#[test]
fn a_type_that_some_reader_takes_for_another_cannot_be_named_json() {
    for value in [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-Urlencoded",
        " application/x-www-form-urlencoded+json",
        "application/ x-www-form-urlencoded; v=1",
        "multipart/form-data; boundary=x",
        "MULTIPART/x",
        "application/grpc",
        "application/grpc+json",
        "application/grpc-web",
        "application/json; t=application/x-www-form-urlencoded",
        "application/vnd.form-data+json",
        "application/json; charset=gbk",
        "application/json; charset*=utf-8''gbk",
        "application/json; v",
        "application/json, text/plain",
        "json",
        "",
    ] {
        let error = Media::json_types([value]).validate().expect_err(value);
        assert_eq!((error.setting(), error.value()), ("accept", Some(value)));
    }
    assert!(Media::json_types([""; 0]).validate().is_err(), "nothing is named");
    assert!(Media::json_types(["application/json;charset=utf-8", "text/plain"]).validate().is_ok());
}

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
        assert!(matches!(of(&headers), Err(MediaError::UnsupportedEncoding(_))), "{value}");
    }
    for other in ["content-encoding", "content_encoding"] {
        let headers = [("content-type", "application/json"), ("content-encoding", "identity"), (other, "identity")];
        assert!(matches!(of(&headers), Err(MediaError::UnsupportedEncoding(_))));
    }
}
