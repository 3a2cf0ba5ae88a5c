//! Compressed bodies are decoded if `decode` is set, and passed on decoded or unchanged.

mod handed_on;
mod refused;

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use http::{HeaderValue, Request};
use http_body_util::Full;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tower_jverify::{Coding, HandOn, Rule, number};

use crate::support::{Guarded, LOGIN, post_json};

const ALL: [(Coding, &str); 4] =
    [(Coding::Gzip, "gzip"), (Coding::Deflate, "deflate"), (Coding::Brotli, "br"), (Coding::Zstd, "zstd")];

/// Both ways of handing on.
const BOTH: [HandOn; 2] = [HandOn::Decoded, HandOn::EncodedUnprotected];

fn guarded(hand_on: HandOn) -> Guarded {
    Guarded::by([Rule::post("/login", number()).decode(ALL.map(|(coding, _)| coding), hand_on)])
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
