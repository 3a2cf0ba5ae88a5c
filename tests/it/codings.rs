//! Compressed bodies are decoded if `decode` is set, and passed on decoded or unchanged.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tower_jverify::{Coding, Extracted, Field, HandOn, Media, PhoneGrammar, Rule, number};

use crate::support::{Guarded, LOGIN, Verifier, builder, code, exchange, post_json, send, serve};

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

#[tokio::test]
async fn encoded_bytes_are_handed_on_as_they_came_where_the_setting_says_so() {
    let guarded = guarded(HandOn::EncodedUnprotected);
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
async fn a_coded_form_and_a_coded_multipart_body_are_read() {
    let rule = Rule::post("/login", number()).decode([Coding::Gzip], HandOn::Decoded);
    let guarded = Guarded::by([rule.accept([Media::Form, Media::Multipart])]);
    let multipart = "--X\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nt\r\n\
                     --X\r\nContent-Disposition: form-data; name=\"phone\"\r\n\r\n13812345678\r\n--X--\r\n";
    for (content_type, body) in [
        ("application/x-www-form-urlencoded", "token=t&phone=13812345678"),
        ("multipart/form-data; boundary=X", multipart),
    ] {
        let mut request = coded("gzip", encode("gzip", body.as_bytes()));
        request.headers_mut().insert("content-type", content_type.parse().unwrap());
        let seen = guarded.verifies(request, content_type).await;
        assert_eq!(seen.body.unwrap(), body);
        assert_eq!(seen.parts.headers["content-type"], content_type);
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

#[tokio::test]
async fn decoded_bytes_are_handed_on_with_their_length_and_without_what_describes_the_encoded_ones() {
    let guarded = guarded(HandOn::Decoded);
    for (_, name) in ALL {
        for plain in [LOGIN.as_bytes().to_vec(), login_of(2_000), dense_login_of(65_536)] {
            let encoded = encode(name, &plain);
            let mut request = coded(name, encoded.clone());
            request.headers_mut().insert("content-length", HeaderValue::from(encoded.len()));
            for described in ["content-md5", "Content_Digest", "content.digest", "Repr-Digest", "digest", "x-other"] {
                let header = HeaderName::from_bytes(described.as_bytes()).unwrap();
                request.headers_mut().append(header, HeaderValue::from_static("of the encoded bytes"));
            }
            let seen = guarded.verifies(request, name).await;
            assert_eq!(seen.size_hint.exact(), Some(plain.len() as u64), "{name}");
            let headers = seen.parts.headers;
            assert_eq!(headers["content-length"], HeaderValue::from(plain.len()), "{name}");
            let names: Vec<_> =
                headers.keys().map(HeaderName::as_str).filter(|name| !name.starts_with("x-jverify")).collect();
            assert_eq!(names, ["content-type", "x-other", "content-length"], "{name}");
            assert_eq!(seen.body.unwrap(), plain, "{name}");
        }
    }
    let seen = guarded.verifies(coded("identity", LOGIN), "identity").await;
    assert_eq!(seen.parts.headers["content-encoding"], "identity");
    assert_eq!(seen.body.unwrap(), LOGIN);
}

#[tokio::test]
async fn x_gzip_is_gzip() {
    for name in ["x-gzip", "X-GZIP", "GZip"] {
        let seen = guarded(HandOn::Decoded).verifies(coded(name, encode("gzip", LOGIN.as_bytes())), name).await;
        assert_eq!(seen.body.unwrap(), LOGIN);
    }
    let only_brotli = Guarded::by([Rule::post("/login", number()).decode([Coding::Brotli], HandOn::Decoded)]);
    only_brotli.refuses(coded("x-gzip", encode("gzip", LOGIN.as_bytes())), "unsupported_encoding", "not set").await;
}

/// `login` in gzip, with `hidden` in each optional field of the header in turn.
fn gzip_with_fields(login: &[u8], hidden: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let fields = |builder: flate2::GzBuilder| {
        let mut encoder = builder.write(Vec::new(), Compression::best());
        encoder.write_all(login).unwrap();
        encoder.finish().unwrap()
    };
    let mut checked = encode("gzip", login);
    checked[3] |= 2;
    let mut crc = flate2::Crc::new();
    crc.update(&checked[..10]);
    let sum = crc.sum().to_le_bytes();
    checked.splice(10..10, [sum[0], sum[1]]);
    vec![
        ("a comment", fields(flate2::GzBuilder::new().comment(hidden))),
        ("a file name", fields(flate2::GzBuilder::new().filename(hidden))),
        ("an extra field", fields(flate2::GzBuilder::new().extra(hidden))),
        ("a checksum", checked),
    ]
}

/// A backend that does not decode reads the hidden form: `parse_str` out of `php://input`.
#[tokio::test]
async fn a_form_hidden_in_a_gzip_header_never_reaches_the_application() {
    let hidden = b"&token=x&phone=13999998888&";
    for (what, body) in gzip_with_fields(LOGIN.as_bytes(), hidden) {
        guarded(HandOn::EncodedUnprotected).refuses(coded("gzip", body.clone()), "body_malformed", what).await;
        let seen = guarded(HandOn::Decoded).verifies(coded("gzip", body), what).await;
        assert_eq!(seen.body.unwrap(), LOGIN, "{what}");
    }
    let mut reserved = encode("gzip", LOGIN.as_bytes());
    reserved[3] |= 0x20;
    for hand_on in BOTH {
        guarded(hand_on).refuses(coded("gzip", reserved.clone()), "body_malformed", "a reserved flag").await;
    }
}

#[tokio::test]
async fn a_form_hidden_in_a_stored_block_is_handed_on_decoded() {
    let plain = format!(r#"{},"x":"&token=x&phone=13999998888&"}}"#, LOGIN.strip_suffix('}').unwrap());
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(plain.as_bytes()).unwrap();
    let stored = encoder.finish().unwrap();
    assert!(stored.windows(17).any(|window| window == b"phone=13999998888"));
    let guarded =
        Guarded::by([Rule::post("/login", number()).decode([Coding::Gzip], HandOn::Decoded).canonical_body(true)]);
    let seen = guarded.verifies(coded("gzip", stored), "stored").await;
    let reached = String::from_utf8(seen.body.unwrap().to_vec()).unwrap();
    assert_eq!(reached, plain.replace('&', r"\u0026").replace('=', r"\u003d"));
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

#[tokio::test]
async fn a_coded_phone_is_pinned_where_the_decoded_bytes_are_handed_on() {
    let rule = |hand_on| {
        let rule = Rule::post("/login", number()).decode([Coding::Gzip], hand_on);
        rule.pin_phone(true).phone_grammar(PhoneGrammar::CountryCode)
    };
    let guarded = Guarded::by([rule(HandOn::Decoded)]);
    let body = encode("gzip", br#"{"token":"t","phone":"+8613812345678"}"#);
    let seen = guarded.verifies(coded("gzip", body), "pinned").await;
    let reached = r#"{"token":"t","phone":"13812345678"}"#;
    assert_eq!(seen.parts.headers["content-length"], HeaderValue::from(reached.len()));
    assert_eq!(seen.body.unwrap(), reached);

    let error = builder(&Verifier::passing()).rule(rule(HandOn::EncodedUnprotected)).build().unwrap_err();
    assert_eq!(error.setting(), "pin_phone");
}

#[tokio::test]
async fn trailers_that_describe_the_encoded_bytes_are_removed() {
    for with_other in [false, true] {
        let mut trailers = HeaderMap::new();
        for name in ["content-md5", "content_digest", "digest", "repr-digest"] {
            trailers.append(name, HeaderValue::from_static("of the encoded bytes"));
        }
        if with_other {
            trailers.append("x-sum", HeaderValue::from_static("1"));
        }
        let frames = [Frame::data(Bytes::from(encode("gzip", LOGIN.as_bytes()))), Frame::trailers(trailers)]
            .map(Ok::<_, std::io::Error>);
        let mut request = coded("gzip", "").map(|_| StreamBody::new(futures_util::stream::iter(frames)));
        request.headers_mut().insert("transfer-encoding", HeaderValue::from_static("chunked"));
        let seen = guarded(HandOn::Decoded).verifies(request, "trailers").await;
        assert_eq!(seen.body.unwrap(), LOGIN);
        let framing = ["transfer-encoding", "content-length"].map(|name| seen.parts.headers.contains_key(name));
        assert_eq!(framing, [with_other, !with_other], "one framing");
        assert_eq!(seen.trailers.map(|trailers| trailers["x-sum"].clone()), with_other.then(|| "1".parse().unwrap()));
    }
}

#[tokio::test]
async fn decoded_bytes_reach_the_application_over_a_socket_under_one_framing() {
    let guarded = guarded(HandOn::Decoded);
    let address = serve(guarded.service()).await;
    let body = encode("gzip", LOGIN.as_bytes());
    let head = "POST /login HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
                content-encoding: x-gzip\r\n";
    let with_length = [format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat();
    let chunk = format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n", body.len());
    let chunked = [chunk.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
    for request in [with_length, chunked] {
        let response = exchange(address, request).await;
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        let seen = guarded.application.last();
        assert_eq!(seen.parts.headers["content-length"], HeaderValue::from(LOGIN.len()));
        assert!(!seen.parts.headers.contains_key("transfer-encoding"));
        assert_eq!(seen.body.unwrap(), LOGIN);
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
