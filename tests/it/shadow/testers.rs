//! A tester's header enforces a rule for one request, and reaches no application.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use tower_jverify::{Class, Field, ForeignBackend, Mode, Rule, number};

use super::{guarded, watched, would_be_denied};
use crate::support::{Guarded, LOGIN, Verifier, builder, post_json};

const SECRET: &str = "a secret of testers";

fn header() -> HeaderName {
    HeaderName::from_static("x-rollout-tester")
}

fn refusing(foreign: Option<ForeignBackend>) -> Guarded {
    guarded(Class::Rejected, |it| {
        let it = it.rule(watched().enforce_when(header(), SECRET));
        match foreign {
            None => it,
            Some(foreign) => it.foreign_backend(foreign),
        }
    })
}

fn with(headers: &[(&str, &str)], uri: &str) -> Request<Full<Bytes>> {
    let mut request = post_json(uri, LOGIN);
    for (name, value) in headers {
        request.headers_mut().append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn the_right_value_enforces_and_every_other_counts_as_none() {
    for foreign in [None, Some(ForeignBackend::any())] {
        let guarded = refusing(foreign);
        let right = guarded.send(with(&[("x-rollout-tester", SECRET)], "/login")).await;
        assert_eq!((right.status().as_u16(), guarded.application.runs()), (403, 0));
        guarded.refuses(with(&[("x-rollout-tester", SECRET)], "/login%2F"), "path_ambiguous", "by the head").await;

        let wrong = "a secret of testerz";
        let cases: [&[(&str, &str)]; 8] = [
            &[],
            &[("x-rollout-tester", wrong)],
            &[("x-rollout-tester", "")],
            &[("x-rollout-tester", SECRET), ("x-rollout-tester", SECRET)],
            &[("x_rollout_tester", SECRET)],
            &[("x-rollout-tester", SECRET), ("x_rollout_tester", "x")],
            &[("x-rollout.tester", SECRET)],
            &[("x-rollout-tester", "A SECRET OF TESTERS")],
        ];
        for headers in cases {
            for uri in ["/login", "/elsewhere"] {
                assert_eq!(guarded.send(with(headers, uri)).await.status(), 200, "{headers:?}");
                let seen = guarded.application.last().parts.headers;
                assert!(!seen.keys().any(|name| name.as_str().contains("rollout")), "{headers:?}: {seen:?}");
                let mode = seen.get("x-jverify-mode").map(|mode| mode.to_str().unwrap());
                assert_eq!(mode, (uri == "/login").then_some("shadow"));
            }
        }
        let elsewhere = guarded.send(with(&[("x-rollout-tester", SECRET)], "/elsewhere")).await;
        assert_eq!(elsewhere.status(), 200);
        assert!(!guarded.application.last().parts.headers.contains_key("x-rollout-tester"));
    }
}

#[tokio::test]
async fn the_header_is_removed_from_a_request_that_passes_enforced_and_from_trailers() {
    let rule = watched().enforce_when(header(), SECRET);
    let guarded = guarded(Class::Passed, |it| it.rule(rule));
    for uri in ["/login", "/elsewhere"] {
        let mut trailers = HeaderMap::new();
        for name in ["x-rollout-tester", "X_Rollout_Tester", "x-sum"] {
            trailers.insert(name.to_lowercase().parse::<HeaderName>().unwrap(), SECRET.parse().unwrap());
        }
        let frames = [Frame::data(Bytes::from_static(LOGIN.as_bytes())), Frame::trailers(trailers)];
        let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, Infallible>)));
        let request = Request::post(uri).header("content-type", "application/json").header(header(), SECRET);
        assert_eq!(guarded.send(request.body(body).unwrap()).await.status(), 200);
        let seen = guarded.application.last();
        assert!(!seen.parts.headers.contains_key("x-rollout-tester"));
        let trailers = seen.trailers.unwrap();
        assert_eq!(trailers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-sum"], "{uri}");
        if uri == "/login" {
            assert_eq!(seen.parts.headers["x-jverify-mode"], "enforce");
            assert_eq!(seen.parts.headers["x-jverify-decision"], "allow");
        }
    }
}

#[tokio::test]
async fn a_tester_of_one_rule_enforces_no_other() {
    let one = watched().enforce_when(header(), SECRET);
    let other =
        Rule::post("/register", number()).mode(Mode::Shadow).enforce_when(header(), "another secret of testers");
    let guarded = guarded(Class::Rejected, |it| it.rule(one).rule(other));
    assert_eq!(guarded.send(with(&[("x-rollout-tester", SECRET)], "/login")).await.status(), 403);
    assert_eq!(guarded.send(with(&[("x-rollout-tester", SECRET)], "/register")).await.status(), 200);
}

#[tokio::test]
async fn a_proof_cannot_be_in_the_header() {
    let rule = Rule::post("/login", number().token(Field::header("x-rollout-tester")));
    let layer = builder(&Verifier::passing()).rule(rule).enforce_when(header(), SECRET).build();
    assert_eq!(layer.err().unwrap().setting(), "field");
}

#[tokio::test]
async fn without_the_header_a_request_is_in_shadow() {
    let guarded = refusing(None);
    would_be_denied(&guarded, post_json("/login", LOGIN), "rejected", "no header").await;
}
