//! Clients over different transports, as one type.

use std::time::Duration;

use http::StatusCode;
use tower::{limit::ConcurrencyLimit, util::ServiceExt as _};
use tower_jverify::{
    BoxJPush, Check, Class, Credentials, Decision, Fallback, JPush, Phone, Policy, Rule, Sandbox, number,
    sandbox::Fault,
};

use super::support::{PASS, Server, client, http, number as check};
use crate::support::{Application, noticing, post_json, send};

fn is_a_verifier<V: Clone + Send + Sync + 'static>(verifier: V) -> V {
    verifier
}

#[tokio::test]
async fn the_sandbox_and_production_have_one_type() {
    let server = Server::answering(http(200, PASS)).await;
    let sandbox = Sandbox::new();
    let clients: [BoxJPush; 2] =
        [client(&server.url()).build().unwrap().boxed(), sandbox.client().build().unwrap().boxed()];
    let [production, of_sandbox] = clients.map(is_a_verifier);
    assert!(production.ask(check()).await.unwrap().class().is_pass());
    assert_eq!(server.requests().len(), 1);

    let phone = Phone::parse("13800000000").unwrap();
    let verdict = of_sandbox.clone().oneshot(Check::number("sandbox-once-9000#a", phone)).await.unwrap();
    assert!(verdict.class().is_pass() && verdict.is_sandbox());
    let spent = of_sandbox.ask(Check::number("sandbox-once-9000#a", phone)).await.unwrap();
    assert_eq!(spent.class(), Class::Stale);
    assert_eq!(sandbox.calls().len(), 2);
}

#[tokio::test]
async fn a_boxed_client_keeps_its_settings_and_account() {
    let credentials = Credentials::new("key", "secret").unwrap();
    let jpush = JPush::builder(credentials).call_timeout(Duration::from_millis(1)).build().unwrap();
    let (account, shown) = (jpush.account().to_owned(), format!("{jpush:?}"));
    let boxed = jpush.map_transport(|https| ConcurrencyLimit::new(https, 1)).boxed();
    assert_eq!((boxed.account(), format!("{boxed:?}")), (&*account, shown));
}

#[tokio::test]
async fn an_error_says_the_same_through_the_box() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let jpush = client(&format!("http://{free}")).build().unwrap().boxed();
    let error = jpush.ask(check()).await.unwrap_err();
    assert!(error.is_connect() && error.nothing_sent(), "{error:?}");

    let sandbox = Sandbox::new();
    sandbox.fault(Fault::Refuse);
    let jpush = sandbox.client().build().unwrap().boxed();
    let rule = Rule::post("/login", number()).policy(Policy::default().on(Class::Unavailable, Fallback::Open));
    let layer = noticing(jpush).rule(rule).build().unwrap();
    let application = Application::default();
    let response = send(&layer, &application, post_json("/login", crate::support::LOGIN)).await;
    assert_eq!(response.status(), StatusCode::OK, "an outage through the box is one");
    let last = application.last();
    assert!(!last.parts.extensions.get::<Decision>().unwrap().is_verified());
}

#[tokio::test]
async fn what_the_sandbox_allows_does_not_outlive_it_in_a_builder() {
    let server = Server::answering(http(200, PASS)).await;
    let https = client(&server.url()).build().unwrap();
    let transport = std::sync::Mutex::new(None);
    let _ = https.map_transport(|https| transport.lock().unwrap().replace(https));
    let https = transport.into_inner().unwrap().unwrap();
    let jpush = Sandbox::new().client().transport(https).base_url(&server.url()).build().unwrap();
    assert_eq!(jpush.ask(Check::captcha("sandbox-pass#a")).await.unwrap().class(), Class::Invalid);
    assert!(server.requests().is_empty());
}
