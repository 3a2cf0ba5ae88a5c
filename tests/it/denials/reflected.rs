//! Nothing that a client sends is in an answer, whatever its format.

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::Full;
use tower_jverify::{Class, Cors, Rule, number};

use crate::support::{Guarded, LOGIN, Verifier, builder};

const CANARIES: [&str; 10] = [
    "canary",
    "text/html;canary=\"<script>canary</script>\"",
    "text/html, canary/canary;q=0.1",
    "text/html;q=1.0;canary",
    "zh-canary;q=1, canary",
    "https://canary.example",
    "\"canary",
    "text/html\\canary",
    "text/html;a=\"\\",
    "text/html;q=",
];

#[tokio::test]
async fn an_answer_repeats_nothing_of_the_request() {
    for (class, path) in [
        (Class::Rejected, "/login"),
        (Class::Throttled, "/login"),
        (Class::Rejected, "/canary/%2e%2e/login?canary"),
        (Class::Rejected, "/canary/..%2flogin?canary"),
    ] {
        let guarded = Guarded::asking(Verifier::of_class(class), |verifier| {
            let cors = Cors::origins(["https://shop.example"]).expose(["retry-after"]).credentials(true);
            builder(verifier).rule(Rule::post("/login", number())).cors(cors).build().unwrap()
        });
        for accept in CANARIES {
            for other in CANARIES {
                let mut request = Request::post(path).body(Full::<Bytes>::from(LOGIN)).unwrap();
                for (name, value) in [
                    ("accept", accept),
                    ("accept-language", other),
                    ("origin", other),
                    ("referer", other),
                    ("user-agent", other),
                    ("x-canary", other),
                    ("content-type", "application/json"),
                    ("access-control-request-headers", other),
                ] {
                    request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
                }
                let response = guarded.send(request).await;
                assert!(response.status().is_client_error(), "{}", response.status());
                assert!(!format!("{:?}", response.headers()).contains("canary"), "{:?}", response.headers());
                let body = String::from_utf8(response.body().to_vec()).unwrap();
                assert!(!body.contains("canary"), "{body}");
                match response.headers()["content-type"].to_str().unwrap() {
                    "application/problem+json" => drop(serde_json::from_str::<serde_json::Value>(&body).unwrap()),
                    "text/html; charset=utf-8" => assert!(body.starts_with("<!doctype html>")),
                    other => panic!("{other}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn a_refused_call_has_a_media_type_of_grpc_and_nothing_else_of_the_clients() {
    let guarded = Guarded::asking(Verifier::of_class(Class::Rejected), |verifier| {
        let ask =
            number().token(tower_jverify::Field::header("x-token")).phone(tower_jverify::Field::header("x-phone"));
        builder(verifier).rule(Rule::post("/a.B/Login", ask).grpc_answers(true)).build().unwrap()
    });
    for kind in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc; canary=1",
        "application/grpc+<canary>",
        "application/grpc text/html canary",
    ] {
        let mut request = Request::post("/a.B/Login").body(Full::<Bytes>::default()).unwrap();
        request.headers_mut().insert("content-type", HeaderValue::from_str(kind).unwrap());
        request.headers_mut().insert("x-token", "t".parse().unwrap());
        request.headers_mut().insert("x-phone", "13812345678".parse().unwrap());
        let response = guarded.send(request).await;
        assert!(!format!("{:?}", response.headers()).contains("canary"), "{kind}: {:?}", response.headers());
    }
}
