//! Compressed bodies: looked into where a setting says so, and passed on as they came.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use http::{HeaderValue, Request};
use http_body_util::Full;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tower_jverify::{Coding, Extracted, Field, Media, Rule, number};

use crate::support::{Guarded, LOGIN, post_json};

const ALL: [(Coding, &str); 4] =
    [(Coding::Gzip, "gzip"), (Coding::Deflate, "deflate"), (Coding::Brotli, "br"), (Coding::Zstd, "zstd")];

fn guarded() -> Guarded {
    Guarded::by([Rule::post("/login", number()).decode(ALL.map(|(coding, _)| coding))])
}

fn encode(name: &str, plain: &[u8]) -> Vec<u8> {
    match name {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        "br" => {
            let mut encoded = Vec::new();
            brotli::CompressorReader::new(plain, 4096, 9, 22).read_to_end(&mut encoded).unwrap();
            encoded
        }
        "zstd" => compress_to_vec(plain, CompressionLevel::Fastest),
        other => panic!("{other}"),
    }
}

fn coded(coding: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let mut request = post_json("/login", body);
    request.headers_mut().append("content-encoding", HeaderValue::from_str(coding).unwrap());
    request
}

/// A login of this many bytes.
fn login_of(bytes: usize) -> Vec<u8> {
    let frame = r#","x":""}"#.len();
    let fill = "-".repeat(bytes.checked_sub(LOGIN.len() - 1 + frame).unwrap());
    format!(r#"{},"x":"{fill}"}}"#, LOGIN.strip_suffix('}').unwrap()).into_bytes()
}

/// As [`login_of`], and hard to compress.
fn dense_login_of(bytes: usize) -> Vec<u8> {
    let mut login = login_of(bytes);
    let mut state = 1_u32;
    for byte in login.iter_mut().filter(|byte| **byte == b'-').skip(2) {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = b'a' + u8::try_from(state >> 24).unwrap() % 26;
    }
    login
}

#[tokio::test]
async fn a_coded_body_is_looked_into_and_passed_on_as_it_came() {
    let guarded = guarded();
    for (_, name) in ALL {
        for plain in [LOGIN.as_bytes().to_vec(), login_of(2_000), dense_login_of(65_536)] {
            let encoded = encode(name, &plain);
            let seen = guarded.verifies(coded(name, encoded.clone()), name).await;
            assert_eq!(seen.body.unwrap(), encoded, "{name}");
            assert_eq!(seen.size_hint.exact(), Some(encoded.len() as u64), "{name}");
            assert_eq!(seen.parts.headers["content-encoding"], name);
        }
    }
    guarded.verifies(coded("GZip", encode("gzip", LOGIN.as_bytes())), "case").await;
    guarded.verifies(coded("identity", LOGIN), "identity").await;
    guarded.verifies(post_json("/login", LOGIN), "no coding").await;
}

#[tokio::test]
async fn a_coding_that_no_setting_names_is_refused() {
    for (allowed, allowed_name) in ALL {
        let guarded = Guarded::by([Rule::post("/login", number()).decode([allowed])]);
        for (_, name) in ALL.into_iter().filter(|(other, _)| *other != allowed) {
            let request = coded(name, encode(name, LOGIN.as_bytes()));
            guarded.refuses(request, "unsupported_encoding", &format!("{name}, where {allowed_name} is allowed")).await;
        }
    }
    let none = Guarded::login();
    none.refuses(coded("gzip", encode("gzip", LOGIN.as_bytes())), "unsupported_encoding", "no setting").await;
}

#[tokio::test]
async fn stacked_repeated_or_misspelt_codings_are_refused() {
    let guarded = guarded();
    let gzip = || encode("gzip", LOGIN.as_bytes());
    for coding in
        ["gzip, gzip", "identity, gzip", "gzip, identity", "gzip,", "x-gzip", "gzip;q=1", "", "zlib", "*", "gzip br"]
    {
        guarded.refuses(coded(coding, gzip()), "unsupported_encoding", coding).await;
    }
    for (name, second) in [("content-encoding", "gzip"), ("content-encoding", "identity"), ("content_encoding", "gzip")]
    {
        let mut request = coded("gzip", gzip());
        request.headers_mut().append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), second.parse().unwrap());
        guarded.refuses(request, "unsupported_encoding", &format!("{name}: {second}")).await;
    }
}

#[tokio::test]
async fn what_is_not_one_whole_stream_is_refused() {
    let guarded = guarded();
    for (_, name) in ALL {
        let whole = encode(name, LOGIN.as_bytes());
        for length in 0..whole.len() {
            guarded
                .refuses(coded(name, whole[..length].to_vec()), "body_malformed", &format!("{name}: {length}"))
                .await;
        }
        for (what, tail) in [("a byte", vec![0]), ("a member", whole.clone()), ("text", LOGIN.into())] {
            let body = [whole.clone(), tail].concat();
            guarded.refuses(coded(name, body), "body_malformed", &format!("{name} and {what}")).await;
        }
        guarded.refuses(coded(name, LOGIN), "body_malformed", &format!("{name}: not coded")).await;
        for (_, other) in ALL.into_iter().filter(|(_, other)| *other != name) {
            let body = encode(other, LOGIN.as_bytes());
            guarded.refuses(coded(name, body), "body_malformed", &format!("{name}: in fact {other}")).await;
        }
        let twice = encode(name, &whole);
        guarded.refuses(coded(name, twice), "body_malformed", &format!("{name} in {name}")).await;
        let other = encode(name, br#"{"token":"t","phone":"13812345678","phone":"13912345678"}"#);
        guarded.refuses(coded(name, other), "proof_malformed", &format!("{name}: a name twice")).await;
    }
    let mut raw = DeflateEncoder::new(Vec::new(), Compression::best());
    raw.write_all(LOGIN.as_bytes()).unwrap();
    guarded.refuses(coded("deflate", raw.finish().unwrap()), "body_malformed", "deflate without zlib").await;
    let mut corrupt = encode("gzip", LOGIN.as_bytes());
    let checksum = corrupt.len() - 8;
    corrupt[checksum] ^= 1;
    guarded.refuses(coded("gzip", corrupt), "body_malformed", "a wrong checksum").await;
}

#[tokio::test]
async fn a_stream_that_says_one_thing_with_and_another_without_its_wrapping_is_refused() {
    // As zlib: 78 01, a stored block of 65,534 bytes, an empty last one, the sum. As raw deflate: a stored block (78) of
    // one byte (the 01 of 01 00), then a stored block (that 00) as the data says, then an empty last one.
    let mut plain = b"\x05\x00\xfa\xffother\x01\x00\x00\xff\xff".to_vec();
    plain.resize(65_534, b' ');
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in &plain {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    let sum = (high << 16 | low).to_be_bytes();
    let body = [b"\x78\x01\x00\xfe\xff\x01\x00", &*plain, b"\x01\x00\x00\xff\xff", &sum].concat();
    let (mut zlib, mut raw) = (Vec::new(), Vec::new());
    flate2::read::ZlibDecoder::new(&*body).read_to_end(&mut zlib).unwrap();
    flate2::read::DeflateDecoder::new(&*body).read_to_end(&mut raw).unwrap();
    assert_eq!((zlib, &*raw), (plain, &b"\x01other"[..]));

    // A closure that minds no garbage: what is refused is the stream.
    let login = |_: &_, _: &[u8]| {
        let [token, phone] = ["t", "13812345678"].map(ToOwned::to_owned);
        Ok(Extracted::new().with("/token", token).with("/phone", phone))
    };
    let rule = Rule::post("/login", number()).decode([Coding::Deflate]).extract(["application/json"], login);
    let guarded = Guarded::by([rule.body_limit(1 << 20)]);
    guarded.verifies(coded("deflate", encode("deflate", b" ")), "one reading").await;
    guarded.refuses(coded("deflate", body), "body_malformed", "two readings").await;
}

#[tokio::test]
async fn decoded_bytes_are_held_to_the_body_limit() {
    let guarded = guarded();
    for (_, name) in ALL {
        let more = encode(name, &dense_login_of(65_537));
        assert!(more.len() < 65_536, "{name}");
        guarded.refuses(coded(name, more), "body_too_large", name).await;
    }
}

#[tokio::test]
async fn a_bomb_is_refused_by_its_ratio() {
    let guarded = Guarded::by([Rule::post("/login", number())
        .decode(ALL.map(|(coding, _)| coding))
        .body_limit(64 * 1024 * 1024)]);
    for (_, name) in ALL {
        let bomb = encode(name, &login_of(4 * 1024 * 1024));
        assert!(bomb.len() < 40 * 1024, "{name}: {}", bomb.len());
        guarded.refuses(coded(name, bomb), "body_too_large", name).await;
    }
}

#[tokio::test]
async fn a_coded_form_and_a_coded_multipart_body_are_read() {
    let rule = Rule::post("/login", number()).decode([Coding::Gzip]).accept([Media::Form, Media::Multipart]);
    let guarded = Guarded::by([rule]);
    let multipart = "--X\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nt\r\n\
                     --X\r\nContent-Disposition: form-data; name=\"phone\"\r\n\r\n13812345678\r\n--X--\r\n";
    for (content_type, body) in [
        ("application/x-www-form-urlencoded", "token=t&phone=13812345678"),
        ("multipart/form-data; boundary=X", multipart),
    ] {
        let mut request = coded("gzip", encode("gzip", body.as_bytes()));
        request.headers_mut().insert("content-type", content_type.parse().unwrap());
        guarded.verifies(request, content_type).await;
    }
}

#[tokio::test]
async fn a_body_that_no_rule_reads_may_have_any_coding() {
    let token = number().token(Field::header("x-token")).phone(Field::header("x-phone"));
    let guarded = Guarded::by([Rule::post("/login", token)]);
    let mut request = coded("gzip, br", "not read");
    request.headers_mut().insert("x-token", "t".parse().unwrap());
    request.headers_mut().insert("x-phone", "13812345678".parse().unwrap());
    assert_eq!(guarded.verifies(request, "stacked").await.body.unwrap(), "not read");
}
