//! hyper: HTTP/1.1 and prior-knowledge HTTP/2; on itself; in a proxy.

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::BodyExt;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{Layer, service_fn};
use tower_jverify::{Class, RequestBody, Rule, captcha};

use super::ask;
use crate::support::{Application, LOGIN, Verifier, builder, code, login_layer, serve};

#[tokio::test]
async fn on_a_hyper_service_by_both_protocols() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let (verifier, application) = (Verifier::passing(), Application::default());
        let server = serve(login_layer(&verifier).layer(application.clone())).await;

        let response = ask(server, version, "/login", LOGIN).await;
        assert_eq!((response.status().as_u16(), response.version()), (200, version));
        assert_eq!(application.last().body.unwrap(), LOGIN);
        assert_eq!(application.header("x-jverify-decision").as_deref(), Some("allow"));
        assert_eq!(application.last().size_hint.exact(), Some(LOGIN.len() as u64), "{version:?}");

        let response = ask(server, version, "/health", "anything").await;
        assert_eq!((response.status().as_u16(), &response.body()[..]), (200, &b"application"[..]));
        assert_eq!(application.header("x-jverify-decision"), None);

        let response = ask(server, version, "/login", "{}").await;
        assert_eq!((response.status().as_u16(), code(&response).as_str()), (400, "proof_missing"));
        assert_eq!((verifier.calls(), application.runs()), (1, 2), "{version:?}");
    }
}

#[tokio::test]
async fn a_denial_by_both_protocols() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let (verifier, application) = (Verifier::of_class(Class::Throttled), Application::default());
        let server = serve(login_layer(&verifier).layer(application.clone())).await;
        let response = ask(server, version, "/login", LOGIN).await;
        assert_eq!((response.status().as_u16(), code(&response).as_str()), (429, "throttled"), "{version:?}");
        assert_eq!(response.headers()["retry-after"], "30", "{version:?}");
        assert_eq!(response.headers()["content-length"], response.body().len().to_string(), "{version:?}");
        assert_eq!(application.runs(), 0, "{version:?}");
    }
}

#[tokio::test]
async fn on_itself() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let (verifier, application) = (Verifier::passing(), Application::default());
        let outer = builder(&verifier).rule(Rule::post("/login", captcha())).build().unwrap();
        let server = serve(outer.layer(login_layer(&verifier).layer(application.clone()))).await;
        let both = r#"{"captchaContent":"c","token":"t","phone":"13812345678"}"#;
        assert_eq!(ask(server, version, "/login", both).await.status(), 200);
        assert_eq!(application.header("x-jverify-checks").as_deref(), Some("captcha,number"));
        assert_eq!(application.last().body.unwrap(), both);
        assert_eq!(ask(server, version, "/login", LOGIN).await.status(), 400);
        assert_eq!((verifier.calls(), application.runs()), (2, 1), "{version:?}");
    }
}

#[tokio::test]
async fn in_a_proxy_whose_client_takes_the_layers_body_as_it_is() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let backend = serve(application.clone()).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<RequestBody<hyper::body::Incoming>>();
    let proxy = service_fn(move |mut request: Request<_>| {
        *request.uri_mut() = format!("http://{backend}{}", request.uri().path()).parse().unwrap();
        *request.version_mut() = Version::HTTP_11;
        client.request(request)
    });
    let server = serve(login_layer(&verifier).layer(proxy)).await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let response = ask(server, version, "/login", LOGIN).await;
        assert_eq!((response.status().as_u16(), &response.body()[..]), (200, &b"application"[..]), "{version:?}");
        assert_eq!(application.last().body.unwrap(), LOGIN, "{version:?}");
        assert_eq!(application.header("x-jverify-decision").as_deref(), Some("allow"), "{version:?}");
        assert_eq!(ask(server, version, "/login", "{}").await.status(), 400, "{version:?}");
    }
    assert_eq!(application.runs(), 2);
}

/// The application's error is its own: hyper sees it, and closes.
#[tokio::test]
async fn an_error_of_the_application_passes_untouched() {
    use tower::ServiceExt;
    #[derive(Debug, PartialEq)]
    struct Own;
    let application = service_fn(|_: Request<_>| async { Err::<http::Response<http_body_util::Full<Bytes>>, _>(Own) });
    let service = login_layer(&Verifier::passing()).layer(application);
    assert_eq!(service.clone().oneshot(crate::support::post_json("/login", LOGIN)).await.unwrap_err(), Own);
    assert_eq!(service.clone().oneshot(crate::support::post_json("/health", LOGIN)).await.unwrap_err(), Own);
    // What the layer itself refuses is an answer, and no error.
    let denied = service.oneshot(crate::support::post_json("/login", "{}")).await.unwrap();
    assert_eq!(denied.into_body().collect().await.unwrap().to_bytes()[0], b'{');
}
