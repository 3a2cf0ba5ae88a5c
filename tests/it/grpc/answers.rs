//! CASES 95: a refusal is a gRPC answer, with HTTP status 200, only if the rule could have let a call through.

use bytes::Bytes;
use http::{Request, Response, Version};
use tower_jverify::{Field, ForeignBackend, JVerifyBuilder, Media, Rule, number};

use super::{LOGIN, by_numbers, call, grpc_status, rule};
use crate::support::{Guarded, Verifier, builder, post_json};

fn typed(path: &str) -> Request<http_body_util::Full<Bytes>> {
    let mut request = post_json(path, "{}");
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    request
}

fn head() -> Rule {
    Rule::post("/head", number().token(Field::header("t")).phone(Field::header("p")))
}

/// The HTTP status, and gRPC's if it has that form.
fn statuses(response: &Response<Bytes>) -> (u16, Option<u8>) {
    let is_problem = response.headers()["content-type"] == "application/problem+json";
    assert_ne!(is_problem, grpc_status(response.headers()).is_some());
    (response.status().as_u16(), grpc_status(response.headers()))
}

#[tokio::test]
async fn a_path_that_takes_no_calls_answers_with_its_http_status() {
    let guarded = Guarded::by([Rule::post("/login", number()), rule(), head()]);
    assert_eq!(statuses(&guarded.send(typed("/login")).await), (415, None));
    assert_eq!(statuses(&guarded.send(call("")).await), (200, Some(3)));
    assert_eq!(statuses(&guarded.send(typed("/head")).await), (200, Some(3)));
    // Whatever rule the path may be meant for.
    assert_eq!(statuses(&guarded.send(typed(&format!("{LOGIN}%2F"))).await), (400, None));
    assert_eq!(statuses(&guarded.send(typed("/head%2F")).await), (400, None));
}

#[tokio::test]
async fn a_rule_or_the_layer_decides_otherwise() {
    let guarded = Guarded::by([
        Rule::post("/login", number()).grpc_answers(true),
        rule().grpc_answers(false),
        head().grpc_answers(false),
    ]);
    assert_eq!(statuses(&guarded.send(typed("/login")).await), (200, Some(3)));
    assert_eq!(statuses(&guarded.send(call("")).await), (400, None));
    assert_eq!(statuses(&guarded.send(typed("/head")).await), (400, None));
    // A call is still read as one.
    guarded.verifies(call(super::good()), "a good call").await;

    let layer = Guarded::with(|verifier| {
        builder(verifier)
            .rule(Rule::post("/login", number()))
            .rule(head().grpc_answers(false))
            .grpc_answers(true)
            .build()
            .unwrap()
    });
    assert_eq!(statuses(&layer.send(typed("/login")).await), (200, Some(3)));
    assert_eq!(statuses(&layer.send(typed("/head")).await), (400, None));
}

#[tokio::test]
async fn what_is_not_a_call_over_http2_gets_its_http_status() {
    // Even where the rule says that calls are answered as calls.
    for guarded in [Guarded::by([rule()]), Guarded::by([rule().grpc_answers(true)])] {
        for media in [
            "application/grpc-web",
            "application/grpc-web+proto",
            "application/grpc-web-text",
            "application/grpc-web-text+proto",
            "Application/GRPC-Web",
            "application/grpcx",
            "application/json, application/grpc",
            "text/plain; a=application/grpc",
        ] {
            let mut request = call("");
            request.headers_mut().insert("content-type", media.parse().unwrap());
            assert_eq!(statuses(&guarded.send(request).await), (415, None), "{media}");
        }
        assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
    }
}

#[tokio::test]
async fn over_another_version_than_http2_a_call_is_answered_as_one_only_where_it_is_set() {
    for (path, rule, answer) in [
        (LOGIN, rule(), (400, None)),
        (LOGIN, rule().grpc_answers(false), (400, None)),
        (LOGIN, rule().grpc_answers(true), (200, Some(3))),
        ("/head", head().grpc_answers(true), (200, Some(3))),
        ("/head", head(), (400, None)),
    ] {
        let guarded = Guarded::by([rule]);
        for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_3] {
            let mut request = typed(path);
            *request.version_mut() = version;
            assert_eq!(statuses(&guarded.send(request).await), answer, "{path} {version:?}");
        }
        assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
    }
}

#[tokio::test]
async fn in_front_of_a_foreign_backend_the_same_rules_decide() {
    let guarded = Guarded::with(|verifier| {
        let rules = [
            Rule::post("/login", number()),
            Rule::post("/no", number()).grpc_answers(false),
            Rule::post("/yes", number()).grpc_answers(true),
            rule(),
            Rule::post("/grpc-no", by_numbers()).accept([Media::Grpc]).grpc_answers(false),
            head(),
        ];
        let builder = builder(verifier).foreign_backend(ForeignBackend::any());
        rules.into_iter().fold(builder, JVerifyBuilder::rule).build().unwrap()
    });
    for (path, is_call) in
        [("/login", false), ("/no", false), ("/yes", true), (LOGIN, true), ("/grpc-no", false), ("/head", true)]
    {
        // A method that no rule names.
        let mut put = typed(path);
        *put.method_mut() = http::Method::PUT;
        let response = guarded.send(put).await;
        assert_eq!(response.headers().contains_key("allow"), !is_call, "{path}");
        assert_eq!(statuses(&response), if is_call { (200, Some(12)) } else { (405, None) }, "{path}");
        let mut put = typed(path);
        (*put.method_mut(), *put.version_mut()) = (http::Method::PUT, Version::HTTP_11);
        let is_set = path == "/yes";
        assert_eq!(statuses(&guarded.send(put).await), if is_set { (200, Some(12)) } else { (405, None) }, "{path}");
        // A path or a routing parameter that may name it.
        for path in [format!("{path}.json"), format!("/?s={path}"), format!("{path}%2F"), format!("{path}?s={path}")] {
            assert_eq!(statuses(&guarded.send(typed(&path)).await), (400, None), "{path}");
        }
    }
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
}

#[test]
fn rules_among_which_a_value_chooses_answer_alike() {
    let when = |value| Rule::post(LOGIN, by_numbers()).when(Field::body("/9"), value).accept([Media::Grpc]);
    let both = builder(&Verifier::passing()).rule(when("1").grpc_answers(false)).rule(when("2")).build();
    assert_eq!(both.unwrap_err().setting(), "grpc_answers");
}
