//! In shadow, every refused request reaches the inner service, with every byte unchanged.

use std::{convert::Infallible, future::pending, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use tower::{BoxError, Layer, ServiceExt, service_fn};

use tower_jverify::{
    Check, CheckKind, Class, Coding, Extracted, Field, HandOn, JVerifyBuilder, JVerifyLayer, Mode, RequestBody, Rule,
    Verdict, number,
};

type Seen = (http::request::Parts, Bytes, Option<HeaderMap>);

/// A verifier that answers every check with this class.
fn builder(class: Class) -> JVerifyBuilder<impl Service> {
    JVerifyLayer::builder(service_fn(move |check: Check| async move {
        Ok::<_, Infallible>(Verdict::new(check.kind(), class))
    }))
}

trait Service:
    tower::Service<Check, Response = Verdict, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}
impl<S> Service for S where
    S: tower::Service<Check, Response = Verdict, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}

/// What the inner service gets of a request; `Err`: the status of the denial.
async fn send<V, B>(layer: &JVerifyLayer<V>, request: Request<B>) -> Result<Seen, StatusCode>
where
    V: Service,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let application = service_fn(|request: Request<RequestBody<B>>| async move {
        let (parts, body) = request.into_parts();
        let exact = body.size_hint().exact();
        let body = body.collect().await.map_err(Into::into)?;
        let trailers = body.trailers().cloned();
        let bytes = body.to_bytes();
        assert!(exact.is_none_or(|exact| exact == bytes.len() as u64));
        let mut response = Response::new(Full::new(Bytes::new()));
        response.extensions_mut().insert::<Seen>((parts, bytes, trailers));
        Ok::<_, BoxError>(response)
    });
    let response = layer.layer(application).oneshot(request).await.expect("the application fails for nothing");
    let status = response.status();
    response.into_parts().0.extensions.remove::<Seen>().ok_or(status)
}

fn login(rule: Rule) -> Rule {
    rule.mode(Mode::Shadow)
}

fn post(content_type: &str) -> http::request::Builder {
    Request::post("/login").header("content-type", content_type).header("x-jverify-decision", "allow")
}

const LOGIN: &str = r#"{"token":"t","phone":"13800000000"}"#;

#[tokio::test(start_paused = true)]
async fn a_body_that_is_refused_unread_reaches_the_inner_service_byte_for_byte() {
    let layer = builder(Class::Passed).rule(login(Rule::post("/login", number()))).build().unwrap();
    let large = Bytes::from(vec![b'x'; 1 << 20]);
    for (content_type, body) in [
        ("application/json", large.clone()),
        ("application/json", Bytes::from_static(b"{\"token\":")),
        ("application/json", Bytes::new()),
        ("application/xml", Bytes::from_static(b"<login/>")),
        ("application/json", Bytes::from_static(br#"{"token":"t"}"#)),
    ] {
        let request = post(content_type).body(Full::new(body.clone())).unwrap();
        let (parts, seen, _) = send(&layer, request).await.expect("it passes");
        assert_eq!(seen, body, "{content_type}");
        assert_eq!(parts.headers["x-jverify-decision"], "would-deny", "the forged header is replaced");
        assert_eq!(parts.headers["x-jverify-mode"], "shadow");
    }
}

/// Frames, a stall of a minute, and the rest.
fn stalled(before: Vec<Bytes>, after: Vec<Bytes>) -> impl Body<Data = Bytes, Error = Infallible> + Send + 'static {
    let frames = |all: Vec<Bytes>| futures_util::stream::iter(all.into_iter().map(|data| Ok(Frame::data(data))));
    let stall = futures_util::stream::once(async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(Frame::data(Bytes::new()))
    });
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "1".parse().unwrap());
    let trailers = futures_util::stream::iter([Ok(Frame::trailers(trailers))]);
    StreamBody::new(frames(before).chain(stall).chain(frames(after)).chain(trailers))
}

#[tokio::test(start_paused = true)]
async fn a_stalled_body_and_one_over_the_limit_go_on_where_the_read_stopped() {
    let layer = builder(Class::Passed).rule(login(Rule::post("/login", number())).body_limit(100)).build().unwrap();
    let pieces = |count: usize, size: usize| -> Vec<Bytes> {
        (0..count).map(|at| Bytes::from(vec![b'a' + u8::try_from(at).unwrap(); size])).collect()
    };
    for (before, after) in [
        // The body's deadline passes.
        (pieces(0, 1), pieces(1, 10)),
        (pieces(1, 40), pieces(2, 10)),
        (pieces(2, 40), pieces(0, 1)),
        // The third frame is one too many.
        (pieces(3, 40), pieces(2, 40)),
        // So is the first.
        (pieces(1, 400), pieces(1, 1)),
    ] {
        let expected = [before.concat(), after.concat()].concat();
        let request = post("application/json").body(stalled(before, after)).unwrap();
        let (_, seen, trailers) = send(&layer, request).await.expect("it passes");
        assert_eq!(seen, expected);
        assert_eq!(trailers.expect("trailers come last")["x-sum"], "1");
    }
}

#[tokio::test]
async fn what_was_decoded_or_rewritten_is_passed_on_unchanged_if_it_is_refused() {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(br#" { "token": "t" } "#).unwrap();
    let zipped = Bytes::from(encoder.finish().unwrap());
    let rule = || login(Rule::post("/login", number()));
    for rule in [
        rule().decode([Coding::Gzip], HandOn::Decoded),
        rule().canonical_body(true).decode([Coding::Gzip], HandOn::Decoded),
    ] {
        let layer = builder(Class::Passed).rule(rule).build().unwrap();
        let request =
            post("application/json").header("content-encoding", "gzip").header("content-length", zipped.len());
        let (parts, seen, _) = send(&layer, request.body(Full::new(zipped.clone())).unwrap()).await.expect("it passes");
        assert_eq!(seen, zipped);
        assert_eq!(parts.headers["content-encoding"], "gzip");
        assert_eq!(parts.headers["content-length"], zipped.len().to_string());
    }
}

#[tokio::test]
async fn a_refusing_verdict_a_panic_and_a_full_bulkhead_lose_no_byte() {
    let refused = builder(Class::Rejected).rule(login(Rule::post("/login", number()))).build().unwrap();
    let canonical =
        builder(Class::Rejected).rule(login(Rule::post("/login", number())).canonical_body(true)).build().unwrap();
    let spaced = format!("  {LOGIN} ");
    for layer in [&refused, &canonical] {
        let request = post("application/json").body(Full::from(spaced.clone())).unwrap();
        assert_eq!(send(layer, request).await.expect("it passes").1, spaced);
    }
    let panics = |_: &http::request::Parts, _: &[u8]| -> Result<Extracted, BoxError> { panic!("a test") };
    let layer = builder(Class::Passed)
        .rule(login(Rule::post("/login", number())).extract(["application/json"], panics))
        .build()
        .unwrap();
    let request = post("application/json").body(Full::from(LOGIN)).unwrap();
    assert_eq!(send(&layer, request).await.expect("it passes").1, LOGIN);
    let layer = JVerifyLayer::builder(service_fn(|check: Check| async move {
        assert_eq!(check.kind(), CheckKind::Captcha, "no test asks for a captcha");
        Ok::<_, Infallible>(Verdict::new(check.kind(), Class::Passed))
    }))
    .rule(login(Rule::post("/login", number())))
    .build()
    .unwrap();
    let request = post("application/json").body(Full::from(LOGIN)).unwrap();
    assert_eq!(send(&layer, request).await.expect("it passes").1, LOGIN);
}

#[tokio::test(start_paused = true)]
async fn a_verifier_that_never_answers_loses_no_byte() {
    let layer = JVerifyLayer::builder(service_fn(|_: Check| pending::<Result<Verdict, Infallible>>()))
        .rule(login(Rule::post("/login", number())))
        .build()
        .unwrap();
    let request = post("application/json").body(Full::from(LOGIN)).unwrap();
    assert_eq!(send(&layer, request).await.expect("it passes").1, LOGIN);
}

#[tokio::test]
async fn a_passing_request_in_shadow_is_allowed_as_one_that_is_enforced() {
    let layer = builder(Class::Passed).rule(login(Rule::post("/login", number()))).build().unwrap();
    let request = post("application/json").body(Full::from(LOGIN)).unwrap();
    let (parts, seen, _) = send(&layer, request).await.expect("it passes");
    assert_eq!((seen.as_ref(), &parts.headers["x-jverify-decision"]), (LOGIN.as_bytes(), &"allow".parse().unwrap()));
}

#[tokio::test]
async fn without_the_mode_all_of_them_are_denied() {
    let layer = builder(Class::Rejected).rule(Rule::post("/login", number())).build().unwrap();
    for (content_type, body, status) in
        [("application/json", "{", 400), ("application/xml", "<login/>", 415), ("application/json", LOGIN, 403)]
    {
        let request = post(content_type).body(Full::from(body)).unwrap();
        assert_eq!(send(&layer, request).await.err().map(|status| status.as_u16()), Some(status));
    }
}

#[tokio::test]
async fn a_body_that_finds_no_place_among_all_bodies_and_a_proof_in_trailers_lose_no_byte() {
    let rule = login(Rule::post("/login", number()).body_limit(20_000).buffered(27_000));
    let layer = builder(Class::Passed).rule(rule).build().unwrap();
    let large = Bytes::from(format!(r#"{{"a":"{}","token":"t","phone":"13800000000"}}"#, "x".repeat(19_000)));
    // Holds its share while it waits for its client.
    let first = futures_util::stream::iter([Ok::<_, Infallible>(Frame::data(large.slice(..19_000)))]);
    let stalled = StreamBody::new(first.chain(futures_util::stream::pending()));
    let mut stalled = Box::pin(send(&layer, post("application/json").body(stalled).unwrap()));
    assert!(futures_util::FutureExt::now_or_never(&mut stalled).is_none());
    let request = post("application/json").body(Full::new(large.clone())).unwrap();
    let (parts, seen, _) = send(&layer, request).await.expect("it passes");
    assert_eq!((seen, &parts.headers["x-jverify-reason"]), (large.clone(), &"overloaded".parse().unwrap()));
    drop(stalled);

    let rule = login(Rule::post("/login", number().token(Field::header("x-token"))));
    let layer = builder(Class::Passed).rule(rule).build().unwrap();
    let mut trailers = HeaderMap::new();
    for name in ["x-token", "x-sum"] {
        trailers.insert(name, "t".parse().unwrap());
    }
    trailers.insert("x-jverify-decision", "allow".parse().unwrap());
    let frames = [Frame::data(Bytes::from_static(b"{\"phone\":\"13800000000\"}")), Frame::trailers(trailers)];
    let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, Infallible>)));
    let request = post("application/json").header("x-token", "t").body(body).unwrap();
    let (parts, _, trailers) = send(&layer, request).await.expect("it passes");
    assert_eq!(parts.headers["x-jverify-reason"], "proof_malformed");
    let trailers = trailers.expect("trailers");
    assert_eq!(trailers.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), ["x-token", "x-sum"]);
}
