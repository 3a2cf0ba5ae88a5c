//! The vendor's tags are opaque: any content becomes one bounded header.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_jverify::{Check, Class, Credentials, JPush, JVerifyLayer, Risk, Rule, Sandbox, Verdict, number};

use crate::support::{Application, Guarded, LOGIN, Verifier, login_layer, post_json};

/// What the application gets when JPush's reply holds these tags (JSON).
async fn headers_for(tags: &str) -> http::HeaderMap {
    let reply = format!(
        r#"{{"id":117270465679982592,"code":9000,"content":"ok","riskCheck":{{"code":0,"score":100,"tags":{tags}}}}}"#
    );
    let transport = service_fn(move |_: Request<Full<Bytes>>| {
        let reply = Full::new(Bytes::from(reply.clone()));
        async move { Ok::<_, Infallible>(Response::new(reply)) }
    });
    let credentials = Credentials::new("app key", "master secret").unwrap();
    let jpush = JPush::builder(credentials).transport(transport).build().unwrap();
    let layer = JVerifyLayer::builder(jpush).rule(Rule::post("/login", number())).build().unwrap();
    let application = Application::default();
    let mut request = post_json("/login", LOGIN);
    request.headers_mut().insert("x-jverify-risk-tags", "forged".parse().unwrap());
    let response = layer.layer(application.clone()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200, "{tags}");
    response.into_body().collect().await.unwrap();
    application.last().parts.headers
}

#[tokio::test]
async fn tags_are_encoded_so_that_they_stay_one_header() {
    for (tags, expected) in [
        (r#"["F24004","F24005"]"#, Some("F24004,F24005")),
        (r#"["a\r\nx-admin: 1"]"#, Some("a%0D%0Ax-admin%3A%201")),
        (r#"["a,b","c"]"#, Some("a%2Cb,c")),
        (r#"["高危","é"]"#, Some("%E9%AB%98%E5%8D%B1,%C3%A9")),
        (r#"["\u0000","%41","a b;c=\"d\""]"#, Some("%00,%2541,a%20b%3Bc%3D%22d%22")),
        (r#"["a-b.c_d~e"]"#, Some("a-b.c_d~e")),
        (r#"["","a",""]"#, Some("a")),
        ("[]", None),
        ("null", None),
        (r#"[""]"#, None),
    ] {
        let headers = headers_for(tags).await;
        let came: Vec<_> = headers.get_all("x-jverify-risk-tags").iter().collect();
        assert_eq!(came, expected.into_iter().collect::<Vec<_>>(), "{tags}");
        assert!(!headers.contains_key("x-admin"), "{tags}");
        assert_eq!(headers["x-jverify-risk-score"], "100", "{tags}");
    }
}

#[tokio::test]
async fn tags_are_bounded() {
    let long = headers_for(&format!(r#"["{}","a"]"#, "x".repeat(10 * 1024))).await;
    assert_eq!(long["x-jverify-risk-tags"], "a", "a tag of 10 kB is left out");

    let longest = headers_for(&format!(r#"["{}","{}"]"#, "x".repeat(64), "y".repeat(65))).await;
    assert_eq!(longest["x-jverify-risk-tags"], "x".repeat(64), "64 bytes, and no more");

    let many: Vec<String> = (0..300).map(|at| format!(r#""{}{at:03}""#, "高".repeat(20))).collect();
    let many = headers_for(&format!("[{}]", many.join(","))).await;
    let line = many["x-jverify-risk-tags"].to_str().unwrap();
    assert_eq!(line.split(',').count(), 16);
    assert!(line.len() <= 16 * (64 * 3 + 1));
}

/// A verifier of the user's own may answer what JPush's client would not hand on.
#[tokio::test]
async fn tags_of_any_verifier_are_bounded_and_encoded() {
    let tags: Vec<Box<str>> = [String::new(), "x".repeat(65), "a\r\nb".into()]
        .into_iter()
        .chain((0..100).map(|at| at.to_string()))
        .map(Into::into)
        .collect();
    let answer = move |check: &Check| {
        Some(Verdict::new(check.kind(), Class::Passed).with_risk(Risk::from_score(100, tags.clone())))
    };
    let guarded = Guarded::asking(Verifier::answering(answer), login_layer);
    let headers = guarded.verifies(post_json("/login", LOGIN), "a hundred tags").await.parts.headers;
    assert_eq!(headers["x-jverify-risk-tags"], "a%0D%0Ab,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14");
}

#[tokio::test]
async fn tags_of_the_sandbox_arrive() {
    let credentials = Credentials::new("app key", "master secret").unwrap();
    let jpush = JPush::builder(credentials).transport(Sandbox::new()).build().unwrap();
    let layer = JVerifyLayer::builder(jpush).rule(Rule::post("/login", number())).build().unwrap();
    let application = Application::default();
    let body = r#"{"token":"sandbox-9000-risk-300-tags-F24004-F24005","phone":"13812345678"}"#;
    layer.layer(application.clone()).oneshot(post_json("/login", body)).await.unwrap();
    assert_eq!(application.header("x-jverify-risk-tags").as_deref(), Some("F24004,F24005"));
    assert_eq!(application.header("x-jverify-risk-score").as_deref(), Some("300"));
    assert_eq!(application.header("x-jverify-sandbox").as_deref(), Some("1"));
}
