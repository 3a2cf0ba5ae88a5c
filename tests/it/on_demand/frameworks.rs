//! The handlers of axum and tonic.

use std::{convert::Infallible, net::SocketAddr, pin::Pin, task::Poll};

use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tonic::{Code, Status, body::Body, server::UnaryService};
use tonic_prost::ProstCodec;
use tower_jverify::{Class, Denial, DenialReason, Field, JVerifyLayer, Media, Phone, Prove, Rule, Verified, number};

use super::rule;
use crate::{
    grpc::{LoginRequest, Welcome, unary},
    support::{LOGIN, Sandboxed, Verifier, builder},
};

async fn serve<V>(layer: &JVerifyLayer<V>, router: Router) -> SocketAddr
where
    V: tower::Service<tower_jverify::Check, Response = tower_jverify::Verdict, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    V::Error: Into<tower::BoxError>,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = layer.around(router);
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// The status, and the body as text.
async fn ask(address: SocketAddr, path: &str, body: impl Into<String>) -> (u16, String) {
    let request = reqwest::Client::new().post(format!("http://{address}{path}"));
    let request = request.header("content-type", "application/json").header("x-jverify-decision", "allow");
    let response = request.header("accept-language", "zh").body(body.into()).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// The password first, and then the phone.
async fn login(prove: Prove, Json(body): Json<Value>) -> Result<String, Response> {
    if body["password"] != "right" {
        return Err(StatusCode::UNAUTHORIZED.into_response());
    }
    let verified = prove.now().await.map_err(IntoResponse::into_response)?;
    Ok(format!("welcome {}", verified.phone().unwrap().masked()))
}

#[tokio::test]
async fn a_handler_of_axum_checks_the_password_first() {
    let desk = Sandboxed::new(rule());
    let address = serve(&desk.layer, Router::new().route("/login", post(login))).await;
    let body =
        |password: &str, token: &str| json!({"password": password, "token": token, "phone": "13800000000"}).to_string();
    assert_eq!(ask(address, "/login", body("wrong", "sandbox-once-9000")).await.0, 401);
    assert_eq!(ask(address, "/login", json!({"password": "right"}).to_string()).await.0, 400);
    assert_eq!(desk.asked(), []);
    let (status, text) = ask(address, "/login", body("right", "sandbox-once-9000")).await;
    assert_eq!((status, text.as_str()), (200, "welcome 138****0000"));
    let (status, text) = ask(address, "/login", body("right", "sandbox-once-9000")).await;
    assert_eq!(status, 403);
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&problem["code"], &problem["title"]), (&"proof_expired".into(), &"验证已失效,请重新获取。".into()));
    assert_eq!(desk.asked().len(), 1);
}

#[tokio::test]
async fn extractors_refuse_what_does_not_fit_the_rule() {
    async fn verified(_: Verified) -> &'static str {
        "verified"
    }
    async fn neither(verified: Option<Verified>, prove: Option<Prove>) -> String {
        format!("{} {}", verified.is_some(), prove.is_some())
    }
    async fn proving(_: Prove) -> &'static str {
        "not asked"
    }
    let verifier = Verifier::passing();
    let layer = builder(&verifier)
        .rules([rule(), Rule::post("/optional", number()).on_demand(), Rule::post("/enforced", number())])
        .build()
        .unwrap();
    let router = Router::new()
        .route("/login", post(verified))
        .route("/optional", post(neither))
        .route("/enforced", post(proving))
        .route("/unguarded", post(proving))
        .route("/neither", post(neither));
    let address = serve(&layer, router).await;
    let (status, text) = ask(address, "/login", LOGIN).await;
    assert!(status == 500 && text.contains("Prove::now"), "{status} {text}");
    assert_eq!(ask(address, "/optional", LOGIN).await, (200, "false true".to_owned()));
    assert_eq!(ask(address, "/neither", LOGIN).await, (200, "false false".to_owned()));
    assert_eq!(verifier.calls(), 0);
    for path in ["/enforced", "/unguarded"] {
        let (status, text) = ask(address, path, LOGIN).await;
        assert!(status == 500 && text.contains("on_demand"), "{path} {status} {text}");
    }
    assert_eq!(verifier.calls(), 1, "of the rule that is not on demand");
}

#[tokio::test]
async fn a_handlers_own_test_makes_its_own_prove() {
    let phone = Phone::parse("13812345678").unwrap();
    let body = |password: &str| Json(json!({"password": password}));
    let passes = Prove::for_test(Ok(Verified::for_test(phone)));
    assert_eq!(login(passes.clone(), body("right")).await.unwrap(), "welcome 138****5678");
    assert_eq!(login(passes, body("wrong")).await.unwrap_err().status(), 401);
    let fails = Prove::for_test(Err(Denial::for_test(DenialReason::CaptchaRequired)));
    let refused = login(fails, body("right")).await.unwrap_err();
    assert_eq!(refused.extensions().get::<Denial>().unwrap().code(), "captcha_required");
}

/// `/accounts.Accounts/Login` of a tonic server.
#[derive(Clone)]
struct Accounts;

impl tonic::server::NamedService for Accounts {
    const NAME: &'static str = "accounts.Accounts";
}

struct Login;

impl UnaryService<LoginRequest> for Login {
    type Response = Welcome;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Welcome>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<LoginRequest>) -> Self::Future {
        Box::pin(async move {
            let prove = request.extensions().get::<Prove>().cloned().ok_or_else(|| Status::internal("no `Prove`"))?;
            if request.metadata().get("x-jverify-decision").is_none_or(|word| word != "not-asked") {
                return Err(Status::internal("asked already"));
            }
            if request.get_ref().token == "nobody" {
                return Err(Status::not_found("no such account"));
            }
            let verified = prove.now().await?;
            Ok(tonic::Response::new(Welcome { text: format!("{:?}", verified.phone()) }))
        })
    }
}

impl tower::Service<http::Request<Body>> for Accounts {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let codec = ProstCodec::<Welcome, LoginRequest>::default();
        Box::pin(async move { Ok(tonic::server::Grpc::new(codec).unary(Login, request).await) })
    }
}

#[tokio::test]
async fn a_method_of_tonic_asks_and_its_status_says_why_not() {
    const PATH: &str = "/accounts.Accounts/Login";
    let verifier = Verifier::answering(|check| {
        let class = match check.question() {
            tower_jverify::Question::Number { token, .. } if token.expose() == "bad" => Class::Rejected,
            tower_jverify::Question::Number { token, .. } if token.expose() == "often" => Class::Throttled,
            _ => Class::Passed,
        };
        Some(tower_jverify::Verdict::new(check.kind(), class))
    });
    let rule = Rule::post(PATH, number().token(Field::body("/1")).phone(Field::body("/2"))).accept([Media::Grpc]);
    let layer = builder(&verifier).rule(rule.on_demand()).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tonic::transport::Server::builder().layer(layer).add_service(Accounts);
    tokio::spawn(server.serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener)));

    let call = |token: &str, phone: &str| {
        let mut login = LoginRequest::default();
        (login.token, login.phone) = (token.into(), phone.into());
        unary(address, PATH, login)
    };
    assert_eq!(call("good", "13812345678").await.unwrap(), "Some(138****5678)");
    assert_eq!(call("nobody", "13812345678").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(call("", "13812345678").await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(verifier.calls(), 1);
    let refused = call("bad", "13812345678").await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().starts_with("verification_failed: "), "{refused:?}");
    let throttled = call("often", "13812345678").await.unwrap_err();
    assert_eq!(throttled.code(), Code::ResourceExhausted);
    assert_eq!(throttled.metadata().get("retry-after").unwrap(), "30");
}

#[tokio::test]
async fn a_handler_of_axum_answers_a_grpc_client_with_the_denial() {
    const PATH: &str = "/accounts.Accounts/Login";
    async fn refused(prove: Prove) -> Response {
        prove.now().await.unwrap_err().into_response()
    }
    let rule = Rule::post(PATH, number().token(Field::body("/1")).phone(Field::body("/2"))).accept([Media::Grpc]);
    let layer = builder(&Verifier::of_class(Class::Throttled)).rule(rule.on_demand()).build().unwrap();
    let address = serve(&layer, Router::new().route(PATH, post(refused))).await;
    let mut login = LoginRequest::default();
    (login.token, login.phone) = ("t".into(), "13812345678".into());
    let status = unary(address, PATH, login).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().starts_with("throttled: "), "{status:?}");
    assert_eq!(status.metadata().get("retry-after").unwrap(), "30");
}
