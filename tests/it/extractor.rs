//! The user's reader: a closure that gets the head and the body.

use bytes::Bytes;
use http::{Request, request::Parts};
use http_body_util::Full;
use tower::BoxError;
use tower_jverify::{
    Coding, Extracted, Field, HandOn, JVerifyBuilder, JVerifyLayer, Question, Rule, captcha, number, one_tap,
};

use crate::support::{Guarded, LOGIN, Verifier, code, post_json};

/// Lines of `name value`, as the application reads them.
fn lines(_: &Parts, body: &[u8]) -> Result<Extracted, BoxError> {
    let mut extracted = Extracted::new();
    for line in std::str::from_utf8(body)?.lines() {
        let (name, value) = line.split_once(' ').ok_or_else(|| format!("no value in {line:?}"))?;
        assert_ne!(name, "panic", "the closure's own mistake");
        extracted = extracted.with(format!("/{name}"), value.to_owned());
    }
    Ok(extracted)
}

fn guarded() -> Guarded {
    Guarded::by([Rule::post("/login", number()).extract(["text/x-lines", "application/x-lines"], lines)])
}

fn post(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    typed("text/x-lines", body)
}

fn typed(content_type: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post("/login").header("content-type", content_type).body(Full::new(body.into())).unwrap()
}

#[tokio::test]
async fn a_closure_reads_what_we_cannot() {
    let guarded = guarded();
    for content_type in ["text/x-lines", "Text/X-Lines; charset=gbk; v=1", "application/x-lines"] {
        let body = "phone 13812345678\nother 1\ntoken t u";
        let seen = guarded.verifies(typed(content_type, body), content_type).await;
        assert_eq!(seen.body.unwrap(), body);
        match guarded.verifier.asked().last().unwrap().question() {
            Question::Number { token, phone, .. } => {
                assert_eq!((token.expose(), phone.as_str()), ("t u", "13812345678"));
            }
            other => panic!("{other:?}"),
        }
    }
    guarded.verifies(post_json("/login", LOGIN), "JSON is read as before").await;
}

#[tokio::test]
async fn a_closure_reads_no_other_types() {
    let guarded = guarded();
    let body = "phone 13812345678\ntoken t";
    for content_type in ["text/plain", "text/x-lines2", "", "text", "text/x-lines, text/plain", "text/*", "*/*"] {
        guarded.refuses(typed(content_type, body), "unsupported_media_type", content_type).await;
    }
    let mut two = post(body);
    two.headers_mut().append("content-type", "text/x-lines".parse().unwrap());
    guarded.refuses(two, "unsupported_media_type", "two types").await;
    let mut aliased = post(body);
    aliased.headers_mut().append("content_type", "text/plain".parse().unwrap());
    guarded.refuses(aliased, "unsupported_media_type", "an alias").await;

    let any = Guarded::by([Rule::post("/login", number()).extract(["*/*"], lines)]);
    for content_type in ["text/plain", "application/json", "image/png"] {
        any.verifies(typed(content_type, body), content_type).await;
    }
    let mut none = post(body);
    none.headers_mut().remove("content-type");
    any.refuses(none, "unsupported_media_type", "no type").await;
}

#[tokio::test]
async fn what_a_closure_finds_is_held_to_what_any_value_is() {
    let guarded = guarded();
    let long = format!("phone 13812345678\ntoken {}", "t".repeat(8 * 1024 + 1));
    for (expected, body) in [
        ("proof_missing", ""),
        ("proof_missing", "token t"),
        ("proof_missing", "phone 13812345678"),
        ("proof_malformed", "token t\nphone +8613812345678"),
        ("proof_missing", "token t\nphone "),
        ("proof_malformed", "token t\nphone   "),
        ("proof_malformed", "token t\nphone 13812345678 "),
        ("proof_malformed", "token a\tb\nphone 13812345678"),
        ("proof_malformed", "token t\nphone 13812345678\nphone 13912345678"),
        ("proof_malformed", "token t\nphone 13812345678\nPhone 13912345678"),
        ("body_malformed", "token"),
        ("proof_malformed", &long),
    ] {
        guarded.refuses(post(body.to_owned()), expected, body).await;
    }
    guarded.refuses(post(&b"token \xff"[..]), "body_malformed", "the closure's own error").await;
    // The head is guarded as ever.
    let mut query = post("phone 13812345678\ntoken t");
    *query.uri_mut() = "/login?phone=13912345678".parse().unwrap();
    guarded.refuses(query, "proof_malformed", "the query").await;
}

#[tokio::test]
async fn a_closure_that_panics_lets_nothing_through_and_holds_nothing() {
    let rule = Rule::post("/login", number()).extract(["text/x-lines"], lines).in_flight(1).body_limit(64).buffered(86);
    let guarded = Guarded::by([rule]);
    for _ in 0..8 {
        let response = guarded.send(post("token t\nphone 13812345678\npanic now")).await;
        assert_eq!((response.status().as_u16(), &*code(&response)), (503, "verification_unavailable"));
    }
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
    guarded.verifies(post("token t\nphone 13812345678"), "the next request").await;
}

#[tokio::test]
async fn nested_fields_values_of_when_and_places_come_out_of_a_closure_too() {
    let nested =
        number().token(Field::header("x-token").or(Field::body("/auth/token"))).phone(Field::body("/auth/a~1b"));
    let layer = |verifier: &Verifier| {
        JVerifyLayer::builder(verifier.clone())
            .rule(Rule::post("/login", nested).when(Field::body("/type"), "sim"))
            .rule(Rule::post("/login", captcha()).when(Field::body("/type"), "password"))
            .extract(["text/x-lines"], lines)
            .build()
            .unwrap()
    };
    let guarded = Guarded::with(layer);
    guarded.verifies(post("type sim\nauth/token t\nauth/a~1b 13812345678"), "nested").await;
    guarded.verifies(post("type password\ncaptchaContent c"), "another rule").await;
    guarded.refuses(post("type x\ncaptchaContent c"), "proof_missing", "no rule").await;
    guarded.refuses(post("type sim\nauth t\nauth/a~1b 13812345678"), "proof_missing", "not a field").await;
    guarded.refuses(post("type sim\nauth/token/x t\nauth/a~1b 13812345678"), "proof_missing", "too deep").await;
    let mut other = post("type sim\nauth/token t\nauth/a~1b 13812345678");
    other.headers_mut().insert("x-token", "u".parse().unwrap());
    guarded.refuses(other, "proof_malformed", "two places").await;
}

#[tokio::test]
async fn a_closure_gets_the_head_and_the_decoded_body() {
    let rule = Rule::post("/login", one_tap()).decode([Coding::Brotli], HandOn::Decoded).extract(
        ["text/x-token"],
        |head, body| {
            assert_eq!(head.headers["x-other"], "1");
            Ok(Extracted::new().with("/loginToken", String::from_utf8(body.to_vec())?).with("/phone", None))
        },
    );
    let guarded = Guarded::by([rule]);
    let mut encoded = Vec::new();
    brotli::BrotliCompress(&mut &b"login-token"[..], &mut encoded, &brotli::enc::BrotliEncoderParams::default())
        .unwrap();
    let mut request = typed("text/x-token", encoded);
    request.headers_mut().insert("content-encoding", "br".parse().unwrap());
    request.headers_mut().insert("x-other", "1".parse().unwrap());
    let response = guarded.send(request).await;
    match guarded.verifier.asked().last().unwrap().question() {
        Question::OneTap { login_token, .. } => assert_eq!(login_token.expose(), "login-token"),
        other => panic!("{other:?}"),
    }
    assert_eq!((response.status().as_u16(), guarded.application.last().body.unwrap()), (200, "login-token".into()));
}

#[test]
fn a_closure_without_a_media_type_is_an_error() {
    for types in [&[][..], &["xml"], &["text/plain", "text/"], &["text/plain; charset=utf-8"], &[""]] {
        let rule = Rule::post("/login", number()).extract(types.iter().copied(), lines);
        let error = JVerifyLayer::builder(Verifier::passing()).rule(rule).build().expect_err("an error");
        assert_eq!(error.setting(), "extract", "{types:?}: {error}");
    }
    let rules = ["a", "b"]
        .map(|value| Rule::post("/login", number()).when(Field::body("/type"), value).extract(["text/plain"], lines));
    let layer = rules.into_iter().fold(JVerifyLayer::builder(Verifier::passing()), JVerifyBuilder::rule);
    assert_eq!(layer.build().expect_err("two closures for one body").setting(), "rule.when");
}
