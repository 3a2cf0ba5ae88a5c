//! The event of a 400 or 415 says which header or part was wrong, in the layer's words.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::Full;
use tower_jverify::{
    Class, Denial, DenialReason, Field, ForeignBackend, JVerifyBuilder, Media, Rule, captcha, number, one_tap,
};

use super::Log;
use crate::support::{Application, LOGIN, Verifier, builder, post_json, send};

type Set = fn(JVerifyBuilder<Verifier>) -> JVerifyBuilder<Verifier>;
type Case = (Set, Verifier, Request<Full<Bytes>>, &'static str);

fn login(builder: JVerifyBuilder<Verifier>) -> JVerifyBuilder<Verifier> {
    builder.rule(Rule::post("/login", number()))
}

fn foreign(builder: JVerifyBuilder<Verifier>) -> JVerifyBuilder<Verifier> {
    login(builder).foreign_backend(ForeignBackend::any())
}

fn with(name: &'static str, value: &'static str) -> Request<Full<Bytes>> {
    let mut request = post_json("/login", LOGIN);
    request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    request
}

fn to(method: &str, uri: &str, body: &'static str) -> Request<Full<Bytes>> {
    let mut request = post_json(uri, body);
    *request.method_mut() = method.parse().unwrap();
    request
}

/// A request for each place that refuses with 400 or 415, and what its detail says.
fn cases() -> Vec<Case> {
    let passing = Verifier::passing;
    let invalid = || Verifier::of_class(Class::Invalid);
    let post = |body: &'static str| post_json("/login", body);
    let both = |builder: JVerifyBuilder<Verifier>| {
        builder.rule(Rule::post("/login", captcha())).rule(Rule::post("/one-tap", one_tap()))
    };
    let any = |builder: JVerifyBuilder<Verifier>| builder.rule(Rule::any_method("/login", number()));
    let in_query = |builder: JVerifyBuilder<Verifier>| {
        builder.rule(Rule::post("/login", number().token(Field::query("t")).phone(Field::query("p"))))
    };
    let choosing = |builder: JVerifyBuilder<Verifier>| {
        builder.rule(Rule::post("/login", number()).when(Field::body("/type"), "sms").otherwise_pass())
    };
    vec![
        // The head.
        (login, passing(), with("upgrade", "websocket"), "Upgrade"),
        (any, passing(), to("CONNECT", "/login", LOGIN), "CONNECT"),
        (login, passing(), with("transfer-encoding", "gzip"), "Transfer-Encoding"),
        (login, passing(), with("content-length", "7"), "Content-Length"),
        (login, passing(), with("connection", "content-type"), "Connection"),
        (login, passing(), with("content-type", "text/canary"), "media type in Content-Type"),
        (login, passing(), with("content-type", "application/json; a=b"), "parameter in Content-Type"),
        (login, passing(), with("content-type", "application/json; charset=gbk"), "charset in Content-Type"),
        (login, passing(), with("content_type", "text/plain"), "a name like Content-Type"),
        (login, passing(), with("content-encoding", "br"), "Content-Encoding"),
        (login, passing(), with("content-encoding", "br, gzip"), "several codings in Content-Encoding"),
        (login, passing(), with("content_encoding", "br"), "a name like Content-Encoding"),
        (login, passing(), to("POST", "/login?phone=1", LOGIN), "query"),
        (login, passing(), to("POST", "/login%2F", LOGIN), "a path with several readings"),
        (foreign, passing(), to("POST", "/login/index", LOGIN), "a path"),
        (foreign, passing(), to("POST", "/?s=/login", LOGIN), "a query parameter"),
        (foreign, passing(), to("GET", "/login?phone=1", ""), "query"),
        (foreign, passing(), to("POST", "/login?model.phone=1", LOGIN), "in the query"),
        (in_query, passing(), to("POST", "/login?t=t&p=13812345678", LOGIN), "a body next to"),
        // The body.
        (login, passing(), post(""), "empty body"),
        (login, passing(), post("x"), "JSON"),
        (login, passing(), post("[]"), "a JSON list"),
        (login, passing(), post(r#"{"token":"t","phone":"13812345678","phone":"1"}"#), "twice"),
        (foreign, passing(), post(r#"{"token":"t","phone":"13812345678","x":"&phone=1"}"#), "not a form"),
        (foreign, passing(), post(r#"{"token":"t","phone":"13812345678","x":{"phone":1}}"#), "elsewhere in the body"),
        (login, passing(), with("content-type", "application/x-www-form-urlencoded"), "form"),
        (login, passing(), with("content-type", "multipart/form-data; boundary=X"), "media type in Content-Type"),
        (choosing, passing(), post(r#"{"type":"SMS"}"#), "`when`"),
        (choosing, passing(), post("[]"), "`when`"),
        // The proof.
        (login, passing(), post("{}"), "no proof"),
        (login, passing(), post(r#"{"token":"t","phone":null}"#), "without a phone"),
        (login, passing(), post(r#"{"token":7,"phone":"13812345678"}"#), "a number"),
        (login, passing(), post(r#"{"token":"t","phone":"138"}"#), "a phone"),
        (login, passing(), post(r#"{"token":" ","phone":"13812345678"}"#), "white space"),
        // What the verifier answers.
        (login, invalid(), post(LOGIN), "the token or the phone"),
        (both, invalid(), post(r#"{"captchaContent":"canary"}"#), "the captcha's answer"),
        (both, invalid(), to("POST", "/one-tap", r#"{"loginToken":"canary"}"#), "the login token"),
    ]
}

#[tokio::test]
async fn a_400_or_415_says_what_was_wrong_with_which_part() {
    let (log, _listening) = Log::listen();
    let mut reasons = BTreeSet::new();
    for (set, verifier, request, part) in cases() {
        let layer = set(builder(&verifier)).build().unwrap();
        log.take_events();
        let shown = format!("{:?} {} {part}", request.method(), request.uri());
        let response = send(&layer, &Application::default(), request).await;
        let denial = response.extensions().get::<Denial>().unwrap_or_else(|| panic!("let in: {shown}"));
        assert!(matches!(denial.status().as_u16(), 400 | 415), "{shown}: {denial:?}");
        reasons.insert(format!("{:?}", denial.reason()));
        let events = log.take_events();
        let event = events.iter().find(|event| event.contains("decision=\"deny\"")).unwrap();
        let detail = event.split_once("detail=\"").unwrap_or_else(|| panic!("{shown}: {event}")).1;
        assert!(detail.split('"').next().unwrap().contains(part), "{shown}: {event}");
        assert!(!event.contains("canary"), "{shown}: {event}");
    }
    let all = [
        DenialReason::ProofMissing,
        DenialReason::ProofMalformed,
        DenialReason::BodyMalformed,
        DenialReason::PathAmbiguous,
        DenialReason::Upgrade,
        DenialReason::UnsupportedMediaType,
        DenialReason::UnsupportedEncoding,
        DenialReason::Verdict(Class::Invalid),
    ];
    assert_eq!(reasons, all.iter().map(|reason| format!("{reason:?}")).collect());
}

#[tokio::test]
async fn a_refused_grpc_call_says_it_too() {
    let rule = Rule::post("/a.B/Login", number().token(Field::body("/1")).phone(Field::body("/2")));
    let layer = builder(&Verifier::passing()).rule(rule.accept([Media::Grpc])).build().unwrap();
    for (timeout, encoding, body, part) in [
        ("x", "identity", &b"\0\0\0\0\0"[..], "grpc-timeout"),
        ("1S", "snappy", b"\x01\0\0\0\x01x", "grpc-encoding"),
        ("1S", "identity", b"\x01\0\0\0\x01x", "grpc-encoding"),
        ("1S", "identity", b"\x02\0\0\0\0", "flag"),
        ("1S", "identity", b"\0\0\0\0", "frame"),
        ("1S", "identity", b"\0\0\0\0\x01\x07", "protobuf"),
        ("1S", "identity", b"\0\0\0\0\x03\x08\x01\x08", "twice"),
    ] {
        let request = Request::post("/a.B/Login").version(http::Version::HTTP_2);
        let request = request.header("content-type", "application/grpc").header("grpc-timeout", timeout);
        let request = request.header("grpc-encoding", encoding).body(Full::new(Bytes::from_static(body))).unwrap();
        let response = send(&layer, &Application::default(), request).await;
        let detail = response.extensions().get::<Denial>().unwrap().detail().unwrap();
        assert!(detail.contains(part), "{part}: {detail}");
    }
}
