//! Proofs in the head, and second proofs that are smuggled with them.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body::Frame;
use http_body_util::{Empty, Full, StreamBody};
use tower_jverify::{Field, Rule, number};

use super::post_form;
use crate::support::{Guarded, LOGIN, post_json};

/// The token in a header, the phone in the body.
fn token_in_header() -> Guarded {
    Guarded::by([Rule::post("/login", number().token(Field::header("X-Token")))])
}

/// Both in the head.
fn all_in_head() -> Guarded {
    let ask = number().token(Field::header("X-Token")).phone(Field::query("phone"));
    Guarded::by([Rule::post("/login", ask)])
}

const PHONE: &str = r#"{"phone":"13812345678"}"#;

fn with_headers(headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = post_json("/login", PHONE);
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
    }
    request
}

fn get_with(query: &str) -> Request<Empty<Bytes>> {
    Request::post(format!("/login{query}")).header("x-token", "t").body(Empty::new()).unwrap()
}

#[tokio::test]
async fn a_proof_with_a_guarded_name_in_the_query_is_refused() {
    let guarded = Guarded::login();
    for query in [
        "?phone=13912345678",
        "?phone",
        "?phone=",
        "?x=1&phone=13912345678",
        "?Phone[]=13912345678",
        "?phone[]=13912345678",
        "?phone%5B%5D=13912345678",
        "?%70hone=13912345678",
        "?PHONE=13912345678",
        "?phone.x=13912345678",
        "?_phone=13912345678",
        "?x;phone=13912345678",
        "?token=u",
        "?to%E2%84%AAen=u",
        "?phone=13812345678",
        "?captchaContent=c",
        // `new URLSearchParams(query)` leaves question marks out at the beginning.
        "??phone=13912345678",
        "??Phone[]=13912345678",
        "?x=1&%zz=2",
        "?%ff=2",
    ] {
        guarded.refuses(post_json(&format!("/login{query}"), LOGIN), "proof_malformed", query).await;
        let form = post_form("token=t&phone=13812345678");
        let (mut parts, body) = form.into_parts();
        parts.uri = format!("/login{query}").parse().unwrap();
        guarded.refuses(Request::from_parts(parts, body), "proof_malformed", query).await;
    }
    for query in [
        "",
        "?",
        "??",
        "??x=1",
        "?x=?phone",
        "?x=1",
        "?telephone=1",
        "?phones=2",
        "?x=phone",
        "?utm_source=a&next=%2Fhome%3Fphone%3D1",
    ] {
        guarded.verifies(post_json(&format!("/login{query}"), LOGIN), query).await;
    }
}

#[tokio::test]
async fn a_rule_may_ignore_the_query() {
    let guarded = Guarded::by([Rule::post("/login", number()).ignore_query(true)]);
    for query in ["?phone=13912345678", "?Phone[]=1", "?%zz"] {
        guarded.verifies(post_json(&format!("/login{query}"), LOGIN), query).await;
    }
}

#[tokio::test]
async fn a_proof_in_a_header_is_read() {
    let guarded = token_in_header();
    guarded.verifies(with_headers(&[("x-token", "t")]), "one header").await;
    guarded.refuses(with_headers(&[]), "proof_missing", "no header").await;
    guarded.refuses(post_json("/login", LOGIN), "proof_missing", "a token in the body instead").await;
}

#[tokio::test]
async fn a_proof_in_a_header_repeated_or_aliased_is_refused() {
    let guarded = token_in_header();
    for headers in [
        [("x-token", "t"), ("x-token", "u")],
        [("x-token", "t"), ("x-token", "t")],
        [("x-token", "t"), ("x_token", "u")],
        [("x-token", "t"), ("X_Token", "t")],
        [("x-token", "t"), ("x.token", "u")],
        [("x_token", "t"), ("x-other", "u")],
        [("x-token", " "), ("x-other", "u")],
        [("x-token", "é"), ("x-other", "u")],
        [("x-token", "a\tb"), ("x-other", "u")],
    ] {
        guarded.refuses(with_headers(&headers), "proof_malformed", &format!("{headers:?}")).await;
    }
}

#[tokio::test]
async fn connection_must_not_name_a_header_that_is_relied_on() {
    let guarded = token_in_header();
    for connection in [
        "content-type",
        "Content-Type",
        "close, content-type",
        "close; content-type",
        "close content-type",
        "\"content-type\"",
        "content-encoding",
        "keep-alive,x-token",
        "X-Token",
        "x_token",
        "\tx-token , close",
    ] {
        let headers = [("x-token", "t"), ("connection", connection)];
        guarded.refuses(with_headers(&headers), "proof_malformed", connection).await;
    }
    let second = [("x-token", "t"), ("connection", "close"), ("connection", "x-token")];
    guarded.refuses(with_headers(&second), "proof_malformed", "a second header").await;
    for connection in ["close", "keep-alive, upgrade", "x-token-other", "x-other", ""] {
        guarded.verifies(with_headers(&[("x-token", "t"), ("connection", connection)]), connection).await;
    }
    let mut login = post_json("/login", LOGIN);
    login.headers_mut().insert("connection", HeaderValue::from_static("content-type"));
    Guarded::login().refuses(login, "proof_malformed", "a proof in the body").await;
}

fn with_trailer(
    mut request: Request<Full<Bytes>>,
    name: &'static str,
) -> Request<impl http_body::Body<Data = Bytes> + Send> {
    request.headers_mut().insert("trailer", HeaderValue::from_static(name));
    let trailers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static("u"))]);
    let frames = [Frame::data(Bytes::from_static(PHONE.as_bytes())), Frame::trailers(trailers)];
    let frames = frames.map(Ok::<_, Infallible>);
    request.map(|_| StreamBody::new(futures_util::stream::iter(frames)))
}

#[tokio::test]
async fn a_proof_in_a_header_again_in_the_trailers_is_refused() {
    let guarded = token_in_header();
    for name in ["x-token", "x_token", "content-type", "content-encoding", "content_type"] {
        guarded.refuses(with_trailer(with_headers(&[("x-token", "t")]), name), "proof_malformed", name).await;
        guarded.refuses(with_trailer(with_headers(&[]), name), "proof_malformed", name).await;
    }
    let seen = guarded.verifies(with_trailer(with_headers(&[("x-token", "t")]), "x-checksum"), "another trailer").await;
    assert_eq!(seen.trailers.unwrap()["x-checksum"], "u");
}

/// Nothing waits for the end of such a body, so the application does not get the trailer instead.
#[tokio::test]
async fn a_rule_that_reads_no_body_takes_its_headers_out_of_the_trailers() {
    let ask = number().token(Field::header("x-token")).phone(Field::query("phone"));
    let guarded = Guarded::by([Rule::post("/login", ask).ignore_query(true)]);
    for (name, passes) in [("x-token", false), ("x_token", false), ("x-checksum", true)] {
        let mut request = with_headers(&[("x-token", "t")]);
        *request.uri_mut() = "/login?phone=13812345678".parse().unwrap();
        let seen = guarded.verifies(with_trailer(request, name), name).await;
        assert_eq!(seen.trailers.is_some_and(|trailers| trailers.contains_key(name)), passes, "{name}");
    }
}

#[tokio::test]
async fn a_proof_in_the_query_comes_without_a_body_that_could_say_otherwise() {
    let guarded = all_in_head();
    let login = |content_type: &str, body: &'static str| {
        let request = http::Request::post("/login?phone=13812345678").header("x-token", "t");
        request.header("content-type", content_type).body(http_body_util::Full::from(body)).unwrap()
    };
    for (content_type, body) in [
        ("application/x-www-form-urlencoded", "phone=13912345678"),
        ("application/json", r#"{"phone":"13912345678"}"#),
        ("text/plain", "x"),
    ] {
        guarded.refuses(login(content_type, body), "proof_malformed", content_type).await;
    }
    // Some read the query in the charset of the body's type.
    guarded.refuses(login("text/plain; charset=utf-7", ""), "unsupported_media_type", "a charset").await;
    guarded.verifies(login("application/json", ""), "no body").await;
}

#[tokio::test]
async fn a_proof_in_the_query_is_read_once_and_strictly() {
    let guarded = all_in_head();
    for query in ["?phone=13812345678", "?x&phone=%31%33812345678&y=1", "?%70hone=13812345678"] {
        guarded.verifies(get_with(query), query).await;
    }
    for query in ["", "?", "?x=13812345678", "?phone=", "?phone"] {
        guarded.refuses(get_with(query), "proof_missing", query).await;
    }
    for query in [
        "?phone=13812345678&phone=13912345678",
        "?phone=13812345678&%70hone=13812345678",
        "?phone=13812345678&Phone=13912345678",
        "?phone=13812345678&phone[]=13912345678",
        "?phone[]=13812345678",
        "?phone=13812345678;x=1",
        "?phone=13812345678&x=1;y=2",
        "?phone=%zz",
        "?phone=%ff",
        "??phone=13812345678",
        "??x=1&phone=13812345678",
    ] {
        guarded.refuses(get_with(query), "proof_malformed", query).await;
    }
    let pairs = |count: usize| format!("?{}phone=13812345678", "x&".repeat(count - 1));
    guarded.verifies(get_with(&pairs(1000)), "1000 pairs").await;
    guarded.refuses(get_with(&pairs(1001)), "proof_malformed", "more pairs than others read").await;
    let guarded = Guarded::by([Rule::post("/login", number().token(Field::query("token")).phone(Field::header("p")))]);
    let request = Request::post("/login?token=a]=b").header("p", "13812345678").body(Empty::<Bytes>::new()).unwrap();
    guarded.refuses(request, "proof_malformed", "a bracket before an equals sign").await;
}

/// Frameworks that merge query and body let the body win.
#[tokio::test]
async fn a_name_of_the_query_is_refused_in_a_body_that_is_read() {
    let guarded = Guarded::by([Rule::post("/login", number().phone(Field::query("phone")))]);
    let at = |body: &'static str| post_json("/login?phone=13812345678", body);
    guarded.verifies(at(r#"{"token":"t"}"#), "the token alone").await;
    for body in [r#"{"token":"t","phone":"13912345678"}"#, r#"{"token":"t","Phone":"13912345678"}"#] {
        guarded.refuses(at(body), "proof_malformed", body).await;
    }
}
