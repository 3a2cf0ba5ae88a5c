//! `canonical_body(true)`: the application gets the body as the layer rewrites it, with one meaning for all readers.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use tower_jverify::{Coding, Extracted, Field, HandOn, JVerifyBuilder, Media, PhoneGrammar, Rule, captcha, number};

use crate::support::{Application, Guarded, Seen, Verifier, builder, code, exchange, post_json, send, serve};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

fn login() -> Rule {
    Rule::post("/login", number()).canonical_body(true)
}

fn post(media: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let body = body.into();
    let request = Request::post("/login").header("content-type", media).header("content-length", body.len());
    request.body(Full::new(body)).unwrap()
}

fn text(seen: &Seen) -> String {
    String::from_utf8(seen.body.clone().unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn json_and_forms_arrive_in_the_layers_own_writing() {
    let guarded = Guarded::by([login().phone_grammar(PhoneGrammar::CountryCode)]);
    for (media, came, reached) in [
        (
            "application/json; charset=utf-8",
            r#"{"token":"REAL","phone":"13812345678","y":"&token=x&phone=VICTIM&z="}"#,
            concat!(
                r#"{"token":"REAL","phone":"13812345678","#,
                r#""y":"\u0026token\u003dx\u0026phone\u003dVICTIM\u0026z\u003d"}"#
            ),
        ),
        (
            JSON,
            " { \"a\" : [ 1.0 , {\"phone\":\"é<\"} ],\n\"token\":\"t\", \"\\u0070hone\" : \"+8613812345678\" } ",
            r#"{"a":[1.0,{"phone":"\u00e9\u003c"}],"token":"t","phone":"13812345678"}"#,
        ),
        (JSON, r#"{"phone": 8613812345678 ,"token":"t"}"#, r#"{"phone":13812345678,"token":"t"}"#),
        (
            FORM,
            "tags[]=a&phone=%2B8613812345678&&token=t&b=+%41&tags[]=b&c",
            "tags%5B%5D=a&phone=13812345678&token=t&b=+A&tags%5B%5D=b&c=",
        ),
    ] {
        let mut request = post(media, came);
        for described in ["content-md5", "content_md5", "Content-Digest", "repr.digest", "digest", "x-other"] {
            let header = HeaderName::from_bytes(described.as_bytes()).unwrap();
            request.headers_mut().append(header, HeaderValue::from_static("of what came"));
        }
        request.headers_mut().insert("content-encoding", HeaderValue::from_static("identity"));
        let seen = guarded.verifies(request, came).await;
        assert_eq!(text(&seen), reached);
        assert_eq!(seen.size_hint.exact(), Some(reached.len() as u64), "{came}");
        let headers = &seen.parts.headers;
        assert_eq!(headers["content-type"], if media == FORM { FORM } else { JSON });
        assert_eq!(headers["content-length"], HeaderValue::from(reached.len()), "{came}");
        let names: Vec<_> =
            headers.keys().map(HeaderName::as_str).filter(|name| !name.starts_with("x-jverify")).collect();
        assert_eq!(names, ["content-type", "x-other", "content-length"], "{came}");
        // What reaches the application is accepted again, and stays as it is.
        assert_eq!(text(&guarded.verifies(post(media, reached), reached).await), reached);
    }
}

#[tokio::test]
async fn a_name_twice_in_one_object_is_refused_before_anything_is_spent() {
    let guarded = Guarded::by([login()]);
    for body in [
        r#"{"token":"t","phone":"13812345678","x":1,"x":1}"#,
        r#"{"token":"t","phone":"13812345678","x":{"y":[{"a":1,"\u0061":2}]}}"#,
    ] {
        guarded.refuses(post(JSON, body), "body_malformed", body).await;
    }
    let body = r#"{"token":"t","phone":"13812345678","x":[{"a":1},{"a":2}],"user_id":1,"userId":2}"#;
    assert_eq!(text(&guarded.verifies(post(JSON, body), body).await), body);
}

/// Our writing must not repair what would otherwise be refused.
#[tokio::test]
async fn what_is_refused_as_it_came_is_refused() {
    let guarded = Guarded::by([login()]);
    for (media, body, code) in [
        (FORM, "token=t&phone=13812345678&x=a]=b&phone[x]=1", "proof_malformed"),
        (FORM, "?token=t&phone=13812345678", "body_malformed"),
        (FORM, "token=t&phone=13812345678&x=%ff", "body_malformed"),
        (FORM, "token=a]=&phone=13812345678", "proof_malformed"),
        (FORM, "_charset_=gbk&token=t&phone=13812345678", "body_malformed"),
        (FORM, "", "body_malformed"),
        (FORM, "&&", "body_malformed"),
        (JSON, "", "body_malformed"),
        (JSON, r#"{"token":"t","phone":"13812345678","Phone":"13812345678"}"#, "proof_malformed"),
        (JSON, r#"{"token":"t","phone":"13812345678"},"#, "body_malformed"),
    ] {
        guarded.refuses(post(media, body), code, body).await;
    }
}

#[tokio::test]
async fn a_body_that_otherwise_passes_is_written_too_and_its_phone_left() {
    let guarded = Guarded::by([login().when(Field::body("/type"), "sms").otherwise_pass()]);
    let body = r#"{ "type": "password", "phone": "+8613812345678", "x": "&" }"#;
    let seen = guarded.passes_not_guarded(post(JSON, body), "otherwise").await;
    let reached = r#"{"type":"password","phone":"+8613812345678","x":"\u0026"}"#;
    assert_eq!(text(&seen), reached);
    assert_eq!(seen.parts.headers["content-length"], HeaderValue::from(reached.len()));
    guarded.refuses(post(JSON, r#"{"type":"password","x":1,"x":2}"#), "body_malformed", "a name twice").await;
}

#[tokio::test]
async fn only_a_proven_phone_is_pinned_and_pin_phone_may_be_set_too() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let rule = Rule::post("/login", captcha().or(number())).phone_grammar(PhoneGrammar::CountryCode);
    let layer = builder(&verifier).canonical_body(true).pin_phone(true).rule(rule).build().unwrap();
    for (came, reached) in [
        (r#"{"captchaContent":"c","phone":"+8613812345678"}"#, r#"{"captchaContent":"c","phone":"+8613812345678"}"#),
        (r#"{"token":"t","phone":"+8613812345678"}"#, r#"{"token":"t","phone":"13812345678"}"#),
    ] {
        assert_eq!(send(&layer, &application, post(JSON, came)).await.status(), 200);
        assert_eq!(text(&application.last()), reached);
    }
}

#[tokio::test]
async fn a_coded_body_is_written_without_its_coding() {
    let guarded = Guarded::by([login().decode([Coding::Gzip], HandOn::Decoded)]);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, br#"{ "token":"t", "phone":"13812345678", "x":"=" }"#).unwrap();
    let mut request = post(JSON, encoder.finish().unwrap());
    request.headers_mut().insert("content-encoding", HeaderValue::from_static("gzip"));
    let seen = guarded.verifies(request, "gzip").await;
    assert_eq!(text(&seen), r#"{"token":"t","phone":"13812345678","x":"\u003d"}"#);
    assert!(!seen.parts.headers.contains_key("content-encoding"));
}

#[test]
fn encoded_bytes_that_are_handed_on_cannot_be_canonical() {
    let verifier = Verifier::passing();
    for build in [
        builder(&verifier)
            .canonical_body(true)
            .rule(Rule::post("/login", number()).decode([Coding::Gzip], HandOn::EncodedUnprotected)),
        builder(&verifier).decode([Coding::Gzip], HandOn::EncodedUnprotected).rule(login()),
    ] {
        assert_eq!(build.build().unwrap_err().setting(), "canonical_body");
    }
    let nothing = builder(&verifier).rule(login().decode([], HandOn::EncodedUnprotected));
    assert!(nothing.build().is_ok(), "nothing is decoded");
}

#[tokio::test]
async fn other_media_types_closures_and_bodies_that_nothing_reads_stay_as_they_came() {
    let closure = |_: &_, _: &[u8]| {
        let [token, phone] = ["t", "13812345678"].map(ToOwned::to_owned);
        Ok(Extracted::new().with("/token", token).with("/phone", phone))
    };
    let in_head = number().token(Field::header("x-token")).phone(Field::header("x-phone"));
    let rules = [
        Rule::post("/login", number()).accept([Media::Json, Media::Multipart]),
        Rule::post("/closure", number()).extract(["application/json"], closure),
        Rule::post("/head", in_head),
    ];
    let guarded = Guarded::with(|verifier| {
        rules.into_iter().fold(builder(verifier).canonical_body(true), JVerifyBuilder::rule).build().unwrap()
    });
    let multipart = "--X\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nt\r\n\
                     --X\r\nContent-Disposition: form-data; name=\"phone\"\r\n\r\n13812345678\r\n--X--\r\n";
    for (path, media, body) in [
        ("/login", "multipart/form-data; boundary=X", multipart),
        ("/closure", JSON, r#"{ "x": 1, "x": "&" }"#),
        ("/head", JSON, r#"{ "x": 1, "x": "&" }"#),
    ] {
        let mut request = post(media, body);
        *request.uri_mut() = path.parse().unwrap();
        let described = [("content-md5", "m"), ("digest", "d")];
        for (name, value) in described.into_iter().chain([("x-token", "t"), ("x-phone", "13812345678")]) {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let seen = guarded.verifies(request, path).await;
        assert_eq!(text(&seen), body, "{path}");
        let headers = &seen.parts.headers;
        assert_eq!(
            (&headers["content-type"], &headers["content-md5"], &headers["digest"]),
            (&HeaderValue::from_static(media), &HeaderValue::from_static("m"), &HeaderValue::from_static("d"))
        );
    }
}

/// The frame around a message is not the message, and neither is ours to write.
#[tokio::test]
async fn a_grpc_call_stays_as_it_came() {
    let ask = number().token(Field::body("/1")).phone(Field::body("/2"));
    let rule = Rule::post("/login", ask).accept([Media::Json, Media::Grpc]).canonical_body(true);
    let guarded = Guarded::by([rule]);
    let message = b"\x0a\x01t\x12\x0b13812345678";
    let frame = [&[0, 0, 0, 0, u8::try_from(message.len()).unwrap()], message.as_slice()].concat();
    let mut request = post("application/grpc", frame.clone());
    *request.version_mut() = http::Version::HTTP_2;
    assert_eq!(guarded.verifies(request, "grpc").await.body.unwrap(), frame);
}

/// A login of exactly so many bytes, nearly all of which take six to write.
fn of_angles(bytes: usize) -> String {
    let frame = r#"{"token":"t","phone":"13812345678","x":""}"#;
    frame.replace("\"\"", &format!("\"{}\"", "<".repeat(bytes - frame.len())))
}

#[tokio::test]
async fn a_body_of_the_limit_may_grow_sixfold_within_the_budget() {
    let guarded = Guarded::by([login()]);
    let seen = guarded.verifies(post(JSON, of_angles(65_536)), "the limit").await;
    assert!(seen.size_hint.exact().unwrap() > 390_000);
    assert_eq!(text(&seen), of_angles(65_536).replace('<', r"\u003c"));
    guarded.refuses(post(JSON, of_angles(65_537)), "body_too_large", "above the limit").await;
}

#[tokio::test]
async fn the_budget_counts_what_is_written() {
    let guarded =
        Guarded::with(|verifier| builder(verifier).body_limit(10_000).buffered(80_000).rule(login()).build().unwrap());
    // One stalled body holds a byte of the 60,000 that a body of the limit takes.
    let (layer, application) = (guarded.layer.clone(), guarded.application.clone());
    let frames = futures_util::stream::iter([Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![b' '; 5_000])))]);
    let body = StreamBody::new(futures_util::StreamExt::chain(frames, futures_util::stream::pending()));
    let stalled = post_json("/login", "").map(|_| body);
    let stalled = tokio::spawn(async move { send(&layer, &application, stalled).await });
    tokio::task::yield_now().await;
    let crowded = guarded.send(post(JSON, of_angles(10_000))).await;
    assert_eq!((crowded.status().as_u16(), &*code(&crowded)), (503, "verification_unavailable"));
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
    stalled.abort();
    assert!(stalled.await.unwrap_err().is_cancelled());
    for _ in 0..10 {
        guarded.verifies(post(JSON, of_angles(10_000)), "room").await;
    }
}

#[tokio::test]
async fn digests_do_not_come_in_trailers_and_other_trailers_do() {
    let guarded = Guarded::by([login()]);
    let mut trailers = HeaderMap::new();
    for name in ["content-md5", "content_digest", "digest", "repr-digest", "x-sum"] {
        trailers.append(name, HeaderValue::from_static("1"));
    }
    let frames =
        [Frame::data(Bytes::from_static(br#"{ "token":"t","phone":"13812345678" }"#)), Frame::trailers(trailers)];
    let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, std::io::Error>)));
    let seen = guarded.verifies(post_json("/login", "").map(|_| body), "trailers").await;
    let trailers = seen.trailers.clone().unwrap();
    assert_eq!(trailers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-sum"]);
    assert_eq!(text(&seen), r#"{"token":"t","phone":"13812345678"}"#);
}

#[tokio::test]
async fn it_reaches_the_application_over_a_socket_under_one_framing() {
    let guarded = Guarded::by([login()]);
    let address = serve(guarded.service()).await;
    let body = r#"{ "token": "t", "phone": "13812345678" }"#;
    let reached = r#"{"token":"t","phone":"13812345678"}"#;
    let head = "POST /login HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n";
    for (framing, has_trailer) in [
        (format!("content-length: {}\r\n\r\n{body}", body.len()), false),
        (format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len()), false),
        (
            format!(
                "trailer: x-a\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\nx-a: 1\r\n\r\n",
                body.len()
            ),
            true,
        ),
    ] {
        let response = exchange(address, format!("{head}{framing}")).await;
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        let seen = guarded.application.last();
        assert_eq!(text(&seen), reached);
        let headers = &seen.parts.headers;
        let length = headers.get("content-length").map(|length| length.to_str().unwrap().to_owned());
        assert_eq!(length, (!has_trailer).then(|| reached.len().to_string()));
        let chunked = ["transfer-encoding", "trailer"].map(|name| headers.contains_key(name));
        assert_eq!(chunked, [has_trailer; 2]);
        assert_eq!(seen.trailers.is_some(), has_trailer);
    }
}

#[tokio::test]
async fn types_that_the_user_names_are_pinned_and_rewritten_like_json() {
    for content_type in ["application/vnd.api+json", "text/json", "application/json;v=2"] {
        let accept = [Media::json_types(["application/vnd.api+json", "text/json", "application/json;v=2"])];
        let rule = || Rule::post("/login", number()).accept(accept.clone()).phone_grammar(PhoneGrammar::lenient());
        for (rule, written) in [
            (rule().pin_phone(true), r#"{ "token": "t&", "phone": "15813554612" }"#),
            (rule().canonical_body(true), r#"{"token":"t\u0026","phone":"15813554612"}"#),
        ] {
            let guarded = Guarded::by([rule]);
            let mut request = post_json("/login", r#"{ "token": "t&", "phone": "+86 158-1355-4612" }"#);
            request.headers_mut().insert("content-type", content_type.parse().unwrap());
            let seen = guarded.verifies(request, content_type).await;
            assert_eq!(seen.body.unwrap(), written, "{content_type}");
            assert_eq!(seen.parts.headers["content-type"], content_type);
        }
    }
}
