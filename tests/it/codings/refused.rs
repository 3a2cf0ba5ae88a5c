//! Codings and streams that are refused.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::{Compression, write::DeflateEncoder};
use http_body::Frame;
use http_body_util::StreamBody;
use tower_jverify::{Coding, Extracted, HandOn, Rule, number};

use super::{ALL, BOTH, coded, dense_login_of, encode, guarded, login_of};
use crate::support::{Guarded, LOGIN, builder, code, post_json, send};

#[tokio::test]
async fn a_coding_that_no_setting_names_is_refused() {
    for (allowed, allowed_name) in ALL {
        let guarded = Guarded::by([Rule::post("/login", number()).decode([allowed], HandOn::Decoded)]);
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
    let guarded = guarded(HandOn::Decoded);
    let gzip = || encode("gzip", LOGIN.as_bytes());
    for coding in [
        "gzip, gzip",
        "identity, gzip",
        "gzip, identity",
        "gzip,",
        "x-gzip, gzip",
        "x-x-gzip",
        "gzip;q=1",
        "",
        "zlib",
        "*",
        "gzip br",
    ] {
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
    for hand_on in BOTH {
        what_is_not_one_whole_stream_is_refused_by(&guarded(hand_on)).await;
    }
}

async fn what_is_not_one_whole_stream_is_refused_by(guarded: &Guarded) {
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
    let rule = Rule::post("/login", number())
        .decode([Coding::Deflate], HandOn::EncodedUnprotected)
        .extract(["application/json"], login);
    let guarded = Guarded::by([rule.body_limit(1 << 20)]);
    guarded.verifies(coded("deflate", encode("deflate", b" ")), "one reading").await;
    guarded.refuses(coded("deflate", body), "body_malformed", "two readings").await;
}

#[tokio::test]
async fn decoded_bytes_are_held_to_the_body_limit() {
    for hand_on in BOTH {
        let guarded = guarded(hand_on);
        for (_, name) in ALL {
            let more = encode(name, &dense_login_of(65_537));
            assert!(more.len() < 65_536, "{name}");
            guarded.refuses(coded(name, more), "body_too_large", name).await;
        }
    }
}

#[tokio::test]
async fn a_bomb_is_refused_by_its_ratio() {
    let guarded = Guarded::by([Rule::post("/login", number())
        .decode(ALL.map(|(coding, _)| coding), HandOn::Decoded)
        .body_limit(32 * 1024 * 1024)]);
    for (_, name) in ALL {
        let bomb = encode(name, &login_of(4 * 1024 * 1024));
        assert!(bomb.len() < 40 * 1024, "{name}: {}", bomb.len());
        guarded.refuses(coded(name, bomb), "body_too_large", name).await;
    }
}

#[tokio::test]
async fn frames_that_hold_no_data_are_refused() {
    // A skippable frame (RFC 8878, section 3.1.2) holds anything.
    let skippable = [b"\x50\x2a\x4d\x18\x10\x00\x00\x00&phone=13999998&".as_slice()].concat();
    let whole = encode("zstd", LOGIN.as_bytes());
    for hand_on in BOTH {
        let guarded = guarded(hand_on);
        for body in [[skippable.clone(), whole.clone()].concat(), [whole.clone(), skippable.clone()].concat()] {
            guarded.refuses(coded("zstd", body), "body_malformed", "a skippable frame").await;
        }
    }
}

/// A stalled client holds what it sent; one whose body was decoded holds that, and not more than the budget has.
#[tokio::test]
async fn the_budget_counts_decoded_bytes() {
    for hand_on in BOTH {
        let guarded = Guarded::with(|verifier| {
            let rule = Rule::post("/login", number()).decode([Coding::Gzip], hand_on);
            builder(verifier).body_limit(40_000).buffered(120_000).rule(rule).build().unwrap()
        });
        // Other bodies hold 60,000 of 90,000 bytes of the general part.
        let mut stalled = Vec::new();
        for _ in 0..2 {
            let frames = [Frame::data(Bytes::from(vec![b' '; 30_000]))].map(Ok::<_, std::io::Error>);
            let body = StreamBody::new(futures_util::StreamExt::chain(
                futures_util::stream::iter(frames),
                futures_util::stream::pending(),
            ));
            let (layer, application) = (guarded.layer.clone(), guarded.application.clone());
            let request = post_json("/login", "").map(|_| body);
            stalled.push(tokio::spawn(async move { send(&layer, &application, request).await }));
        }
        tokio::task::yield_now().await;
        let login = encode("gzip", &dense_login_of(40_000));
        let crowded = guarded.send(coded("gzip", login.clone())).await;
        assert_eq!((crowded.status().as_u16(), &*code(&crowded)), (503, "verification_unavailable"), "{hand_on:?}");
        assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
        stalled.iter().for_each(tokio::task::JoinHandle::abort);
        for stalled in stalled {
            assert!(stalled.await.unwrap_err().is_cancelled());
        }
        guarded.verifies(coded("gzip", login), "room").await;
    }
}
