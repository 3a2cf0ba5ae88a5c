//! A call has exactly one message, in an exact frame.

use std::io::Write;

use bytes::Bytes;
use http::{StatusCode, Version};
use http_body_util::Full;
use prost::Message;
use tower_jverify::{Field, Media, Rule, number};

use super::{
    LOGIN, LoginRequest, PHONE, asked_for_the_good_login, call, call_with, flagged, frame, good, guarded, refuses, rule,
};
use crate::support::{Guarded, denial};

/// The frame is handed on as it came, so whatever is in the comment would be too.
fn with_comment(bytes: &[u8]) -> Vec<u8> {
    let builder = flate2::GzBuilder::new().comment("&phone=13999998888&");
    let mut encoder = builder.write(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 3).unwrap()
}

/// As an encoder does that does not know the size beforehand.
fn zstd_stream(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_call_is_verified_and_passed_on_byte_for_byte() {
    let guarded = guarded();
    let seen = guarded.verifies(call(good()), "a call").await;
    assert_eq!(seen.body.unwrap(), good());
    assert_eq!(seen.size_hint.exact(), Some(good().len() as u64));
    assert_eq!(seen.parts.headers["te"], "trailers");
    assert_eq!(seen.parts.headers["x-jverify-decision"], "allow");
    asked_for_the_good_login(&guarded);
    assert_eq!(
        guarded.application.last().parts.extensions.get::<tower_jverify::Decision>().unwrap().phone().unwrap(),
        PHONE.parse().unwrap()
    );
}

#[tokio::test]
async fn the_codec_may_be_named_and_nothing_else() {
    let guarded = guarded();
    for (content_type, accepted) in [
        ("application/grpc", true),
        ("application/grpc+proto", true),
        ("Application/gRPC+Proto", true),
        ("application/grpc+json", false),
        ("application/grpc+thrift", false),
        ("application/grpc;proto", false),
        ("application/grpc; charset=utf-8", false),
    ] {
        let mut request = call(good());
        request.headers_mut().insert("content-type", content_type.parse().unwrap());
        if accepted {
            guarded.verifies(request, content_type).await;
        } else {
            refuses(&guarded, request, "unsupported_media_type", content_type).await;
        }
    }
    let mut twice = call(good());
    twice.headers_mut().append("content-type", "application/grpc".parse().unwrap());
    refuses(&guarded, twice, "unsupported_media_type", "two types").await;
}

#[tokio::test]
async fn grpc_web_is_not_read_and_the_detail_names_who_translates_it() {
    let guarded = guarded();
    for content_type in [
        "application/grpc-web",
        "application/grpc-web+proto",
        "application/grpc-web+json",
        "application/grpc-web-text",
        "application/grpc-web-text+proto",
    ] {
        for version in [Version::HTTP_11, Version::HTTP_2] {
            let mut request = call(good());
            *request.version_mut() = version;
            request.headers_mut().insert("content-type", content_type.parse().unwrap());
            let response = guarded.send(request).await;
            let denial = denial(&response);
            assert_eq!(
                (response.status(), denial.code()),
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
            );
            assert!(
                denial.detail().is_some_and(|detail| detail.contains("GrpcWebLayer")),
                "{content_type}: {denial:?}"
            );
        }
    }
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
}

#[tokio::test]
async fn a_call_is_read_as_one_over_every_http_version() {
    for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2, Version::HTTP_3] {
        let over = |body: Vec<u8>| {
            let mut request = call(body);
            *request.version_mut() = version;
            request
        };
        guarded().verifies(over(good()), "a good call").await;
        let second = [good(), good()].concat();
        for (body, headers, what) in [
            (good(), &[("content-encoding", "gzip")][..], "a coding around the frames"),
            (second, &[], "a second message"),
            (LoginRequest::good().encode_to_vec(), &[], "no frame"),
            (br#"{"token":"t","phone":"13812345678"}"#.to_vec(), &[], "JSON"),
            (flagged(1, &LoginRequest::good().encode_to_vec()), &[], "a flag of compression without a coding"),
            (good(), &[("grpc-timeout", "soon")], "an invalid grpc-timeout"),
            (good(), &[("content_type", "application/json")], "an alias of Content-Type"),
        ] {
            let mut request = over(body);
            for (name, value) in headers {
                request.headers_mut().append(*name, value.parse().unwrap());
            }
            let guarded = guarded();
            let response = guarded.send(request).await;
            let status = if version == Version::HTTP_2 { 200..201 } else { 400..416 };
            assert!(status.contains(&response.status().as_u16()), "{version:?}, {what}: {response:?}");
            assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0), "{version:?}, {what}");
        }
    }
}

#[tokio::test]
async fn grpc_is_not_read_unless_a_setting_says_so() {
    let ask = || number().token(Field::body("/1")).phone(Field::body("/2"));
    for rule in [Rule::post(LOGIN, ask()), Rule::post(LOGIN, ask()).accept([Media::Json, Media::Form])] {
        // With the status of HTTP: no call could be let through here.
        Guarded::by([rule]).refuses(call(good()), "unsupported_media_type", "not accepted").await;
    }
}

#[tokio::test]
async fn a_message_is_alone_in_its_call() {
    let guarded = guarded();
    let other = frame(&LoginRequest { phone: "13900000000".into(), ..LoginRequest::good() }.encode_to_vec());
    let login = LoginRequest::good().encode_to_vec();
    let length = u32::try_from(login.len()).unwrap();
    let of_length = |length: u32| [&[0], length.to_be_bytes().as_slice(), &login].concat();
    for (code, body, what) in [
        ("body_malformed", [good(), other].concat(), "a second message"),
        ("body_malformed", [good(), frame(b"")].concat(), "a second message of no bytes"),
        ("body_malformed", [good(), vec![0]].concat(), "a byte after it"),
        ("body_malformed", of_length(length + 1), "a byte missing"),
        ("body_malformed", of_length(length - 1), "a byte too many"),
        ("body_malformed", of_length(0), "a length of nothing"),
        ("body_too_large", of_length(u32::MAX), "the longest length"),
        ("body_too_large", of_length(65_537), "over the limit"),
        ("body_malformed", vec![0, 0, 0, 0], "half a frame"),
        ("body_malformed", vec![], "no frame"),
        ("proof_missing", frame(b""), "a message without a field"),
        ("body_malformed", flagged(2, &login), "flag 2"),
        ("body_malformed", flagged(0x80, &login), "grpc-web's trailers"),
        ("body_malformed", flagged(0xff, &login), "flag 255"),
    ] {
        refuses(&guarded, call(body), code, what).await;
    }
}

#[tokio::test]
async fn a_limit_is_inclusive() {
    let size = good().len();
    Guarded::by([rule().body_limit(size)]).verifies(call(good()), "at the limit").await;
    refuses(&Guarded::by([rule().body_limit(size - 1)]), call(good()), "body_too_large", "over it").await;
}

#[tokio::test]
async fn a_compressed_message_is_read_and_stays_compressed() {
    let guarded = guarded();
    let login = LoginRequest::good().encode_to_vec();
    for (encoding, compressed) in [("gzip", gzip(&login)), ("zstd", zstd(&login)), ("zstd", zstd_stream(&login))] {
        let body = flagged(1, &compressed);
        let request = call_with(&[("grpc-encoding", encoding)], Full::new(Bytes::from(body.clone())));
        let seen = guarded.verifies(request, encoding).await;
        assert_eq!(seen.body.unwrap(), body, "{encoding}");
    }
    // What is announced need not be done.
    for encoding in ["gzip", "identity", "snappy"] {
        let request = call_with(&[("grpc-encoding", encoding)], Full::new(Bytes::from(good())));
        guarded.verifies(request, encoding).await;
    }
}

/// A frame of zstd that a decoder of the whole takes, and one of streams does not: its window has more than 128 MiB.
const WIDE: &[u8] = b"\x28\xb5\x2f\xfd\x04\x8a\xa9\0\0\n\x01t\x12\x0b13812345678\x1a\x03\n\x01t\xc6\x20\x8d\xb2";

#[tokio::test]
async fn what_is_not_plainly_compressed_is_refused() {
    let guarded = guarded();
    let login = LoginRequest::good().encode_to_vec();
    let other = LoginRequest { phone: "13900000000".into(), ..LoginRequest::good() }.encode_to_vec();
    let none: &[&str] = &[];
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 7], zstd(&login).as_slice()].concat();
    for (code, encodings, message, what) in [
        ("body_malformed", none, gzip(&login), "a flag without an encoding"),
        ("body_malformed", &["identity"], gzip(&login), "a flag with identity"),
        ("unsupported_encoding", &["deflate"], gzip(&login), "an encoding that is not read"),
        ("unsupported_encoding", &["gzip, gzip"], gzip(&gzip(&login)), "stacked"),
        ("unsupported_encoding", &["gzip", "zstd"], gzip(&login), "two encodings"),
        ("body_malformed", &["gzip"], login.clone(), "not gzip"),
        ("body_malformed", &["gzip"], zstd(&login), "zstd as gzip"),
        ("body_malformed", &["gzip"], Vec::new(), "nothing as gzip"),
        ("body_malformed", &["gzip"], with_comment(&login), "a gzip comment"),
        ("body_malformed", &["gzip"], [gzip(&login), gzip(&other)].concat(), "a second member"),
        ("body_malformed", &["gzip"], [gzip(&login), vec![0]].concat(), "a byte after the gzip"),
        ("body_malformed", &["gzip"], gzip(&login)[..20].to_vec(), "a cut gzip"),
        ("body_malformed", &["zstd"], login.clone(), "not zstd"),
        ("body_malformed", &["zstd"], WIDE.to_vec(), "a window that streams refuse"),
        ("body_malformed", &["zstd"], [zstd(&login), zstd(&other)].concat(), "a second frame"),
        ("body_malformed", &["zstd"], skippable, "a frame to be skipped"),
        ("body_malformed", &["zstd"], zstd(&login)[..20].to_vec(), "a cut zstd"),
        ("body_too_large", &["gzip"], gzip(&vec![0; 10_000_000]), "a bomb in gzip"),
        ("body_too_large", &["zstd"], zstd(&vec![0; 10_000_000]), "a bomb in zstd"),
        ("body_too_large", &["zstd"], zstd_stream(&vec![0; 10_000_000]), "a bomb in zstd that announces no size"),
    ] {
        let encodings: Vec<_> = encodings.iter().map(|encoding| ("grpc-encoding", *encoding)).collect();
        let request = call_with(&encodings, Full::new(Bytes::from(flagged(1, &message))));
        refuses(&guarded, request, code, what).await;
    }
    for flag in [2, 3, 0x80, 0xff] {
        let body = flagged(flag, &gzip(&login));
        let request = call_with(&[("grpc-encoding", "gzip")], Full::new(Bytes::from(body)));
        refuses(&guarded, request, "body_malformed", &format!("flag {flag}")).await;
    }
    let aliased = call_with(&[("grpc_encoding", "gzip")], Full::new(Bytes::from(good())));
    refuses(&guarded, aliased, "unsupported_encoding", "an alias").await;
    let coded = call_with(&[("content-encoding", "gzip")], Full::new(Bytes::from(gzip(&good()))));
    refuses(&guarded, coded, "unsupported_encoding", "a content coding").await;
}
