//! What any verifier says about a check without an answer.

use std::time::Duration;

use tokio::net::TcpListener;
use tower::{BoxError, Service, ServiceBuilder};
use tower_jverify::{
    CallError, Check, Class, Credentials, DenialReason, Fallback, JPush, Policy, Rule, Verdict, number,
};

use crate::support::{Application, LOGIN, denial, noticing, post_json, send};

/// The reason of the refusal under a policy that opens for outages, or `None` if the request was let through.
async fn refused<V>(verifier: V) -> Option<DenialReason>
where
    V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send,
{
    let rule = Rule::post("/login", number()).policy(Policy::default().on(Class::Unavailable, Fallback::Open));
    let layer = noticing(verifier).rule(rule).build().unwrap();
    let application = Application::default();
    let response = send(&layer, &application, post_json("/login", LOGIN)).await;
    assert_eq!(application.runs(), usize::from(response.status() == 200));
    if response.status() == 200 {
        assert_eq!(application.header("x-jverify-decision").as_deref(), Some("unverified"));
        return None;
    }
    assert_eq!(response.status(), 503);
    Some(denial(&response).reason())
}

fn failing<E: Into<BoxError> + Send>(
    error: fn() -> E,
) -> impl Service<Check, Response = Verdict, Error = E, Future: Send> + Clone + Send + Sync {
    tower::service_fn(move |_: Check| std::future::ready(Err(error())))
}

#[tokio::test]
async fn any_verifier_may_say_that_nothing_was_sent() {
    assert_eq!(refused(failing(|| CallError::no_connection("dns error"))).await, None);
    assert_eq!(refused(failing(CallError::no_connection_in_time)).await, None);
}

#[tokio::test]
async fn whatever_else_a_verifier_says_of_itself_opens_nothing() {
    let unavailable = DenialReason::Verdict(Class::Unavailable);
    for (error, reason) in [
        ((|| CallError::not_ready()) as fn() -> CallError, unavailable),
        (|| CallError::timeout(), unavailable),
        (|| CallError::broken("reset"), unavailable),
        (|| CallError::failed("http status 502"), unavailable),
        (|| CallError::unreadable("not JSON"), DenialReason::Verdict(Class::Unreadable)),
        (|| CallError::overloaded(), DenialReason::Overloaded),
    ] {
        assert_eq!(refused(failing(error)).await, Some(reason), "{:?}", error());
    }
}

#[tokio::test]
async fn an_error_that_is_not_known_is_unknown_and_opens_nothing() {
    let unknown = Some(DenialReason::Verdict(Class::Unknown));
    assert_eq!(refused(failing(|| std::io::Error::from(std::io::ErrorKind::ConnectionRefused))).await, unknown);
    assert_eq!(refused(failing(|| BoxError::from("it broke"))).await, unknown);
}

#[tokio::test(start_paused = true)]
async fn towers_timeout_is_not_an_outage_and_lets_the_verifiers_error_through() {
    let silent = tower::service_fn(|_: Check| std::future::pending::<Result<Verdict, BoxError>>());
    let late = ServiceBuilder::new().timeout(Duration::from_secs(1)).service(silent);
    assert_eq!(refused(late).await, Some(DenialReason::Verdict(Class::Unavailable)));
    let around = ServiceBuilder::new().load_shed().timeout(Duration::from_secs(1));
    assert_eq!(refused(around.service(failing(|| CallError::no_connection("tcp error")))).await, None);
}

#[tokio::test]
async fn a_time_to_wait_reaches_the_client() {
    let busy = failing(|| CallError::failed("http status 503").with_retry_after(17));
    let layer = noticing(busy).rule(Rule::post("/login", number())).build().unwrap();
    let response = send(&layer, &Application::default(), post_json("/login", LOGIN)).await;
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"17".parse().unwrap()));
}

#[tokio::test]
async fn the_cause_of_a_real_failure_is_in_words() {
    // A peer that answers no handshake but other bytes, one that leaves, and a name without an address.
    let talker = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let talks = format!("https://{}", talker.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = talker.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let leaver = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let goes_away = format!("https://{}", leaver.local_addr().unwrap());
    tokio::spawn(async move { while leaver.accept().await.is_ok() {} });
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hangs = format!("https://{}", silent.local_addr().unwrap());
    for (base_url, causes) in [
        ("http://127.0.0.1:1", &["no connection: tcp error"][..]),
        ("https://jpush.invalid", &["no connection: dns error", "no connection: timeout"]),
        (&talks, &["no connection: tls"]),
        (&goes_away, &["no connection: tls", "no connection: tcp error"]),
        (&hangs, &["no connection: timeout"]),
    ] {
        let jpush = JPush::builder(Credentials::new("key", "secret").unwrap()).base_url(base_url);
        let jpush = jpush.connect_timeout(Duration::from_millis(500)).build().unwrap();
        let error = jpush.ask(Check::number("t", "13800000000".parse().unwrap())).await.unwrap_err();
        assert!(error.nothing_sent(), "{base_url}: {error:?}");
        assert!(causes.contains(&error.cause()), "{base_url}: {error:?}");
    }
}
