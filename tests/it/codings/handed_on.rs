//! Bodies that are decoded, and what the application receives of them.

use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::StreamBody;
use tower_jverify::{Coding, Field, HandOn, Media, PhoneGrammar, Rule, number};

use super::{ALL, BOTH, coded, dense_login_of, encode, guarded, login_of};
use crate::support::{Guarded, LOGIN, Verifier, builder, exchange, post_json, serve};

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
