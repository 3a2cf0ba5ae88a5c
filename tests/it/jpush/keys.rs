//! A master secret and a one-tap key that change while the client runs.

use std::sync::{Arc, Mutex};

use rcgen::{KeyPair, PKCS_RSA_SHA256};
use tower_jverify::{Check, Class, Credentials, JPush, Sandbox};

use super::support::{APP_KEY, MASTER_SECRET, PASS, Server, client, credentials, http, number};

/// A secret that an application replaces while it runs.
#[derive(Clone)]
struct Current(Arc<Mutex<String>>);

impl Current {
    fn new(text: &str) -> Self {
        Self(Arc::new(Mutex::new(text.to_owned())))
    }

    fn set(&self, text: &str) {
        text.clone_into(&mut self.0.lock().unwrap());
    }

    /// Panics while it is `panic`.
    fn ask(&self) -> impl Fn() -> String + Send + Sync + 'static {
        let current = self.clone();
        move || {
            let text = current.0.lock().unwrap().clone();
            assert_ne!(text, "panic", "by this test");
            text
        }
    }
}

/// The credentials of the last request.
fn sent(server: &Server) -> String {
    let requests = server.requests();
    let line = requests.last().unwrap().lines().find(|line| line.starts_with("authorization: ")).unwrap().to_owned();
    line.strip_prefix("authorization: Basic ").unwrap().to_owned()
}

#[tokio::test]
async fn a_new_master_secret_is_sent_with_the_next_call_and_a_bad_one_with_none() {
    let server = Server::answering(http(200, PASS)).await;
    let secret = Current::new(MASTER_SECRET);
    let build = |credentials| JPush::builder(credentials).base_url(&server.url()).build();
    let jpush = build(Credentials::from_fn(APP_KEY, secret.ask()).unwrap()).unwrap();
    let account = client(&server.url()).build().unwrap().account().to_owned();
    assert_eq!(jpush.account(), account, "known before a check, and of the app key alone");

    assert!(jpush.ask(number()).await.unwrap().class().is_pass());
    assert_eq!(sent(&server), "N2Q0MzFlNDJkZmE2YTZkNjkzYWMyZDA0OjVlOTg3YWM2ZDJlMDRkOTVhOWQ4ZjBkMQ==");
    secret.set("another secret");
    assert!(jpush.ask(number()).await.unwrap().class().is_pass());
    assert_eq!(sent(&server), "N2Q0MzFlNDJkZmE2YTZkNjkzYWMyZDA0OmFub3RoZXIgc2VjcmV0");

    for bad in ["", "new\nline", " space", "panic"] {
        secret.set(bad);
        let verdict = jpush.ask(number()).await.unwrap();
        assert_eq!(verdict.class(), Class::Misconfigured, "{bad:?}");
        assert!(verdict.advice().unwrap().contains("Credentials::from_fn"), "{:?}", verdict.advice());
        let error = build(Credentials::from_fn(APP_KEY, secret.ask()).unwrap()).unwrap_err();
        assert_eq!(error.setting(), "credentials", "{bad:?}");
    }
    assert_eq!(server.requests().len(), 2, "a bad secret is not sent, nor the one before it");

    secret.set(MASTER_SECRET);
    assert!(jpush.ask(number()).await.unwrap().class().is_pass(), "a panic is not for ever");
    assert_eq!(Credentials::from_fn("a:b", || "secret").unwrap_err().setting(), "credentials");
}

#[tokio::test]
async fn a_new_one_tap_key_opens_the_next_answer_and_a_bad_one_spends_nothing() {
    let sandbox = Sandbox::new();
    let old = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap().serialize_pem();
    let key = Current::new(&old);
    let build = || JPush::builder(credentials()).transport(sandbox.clone()).one_tap_key_from_fn(key.ask()).build();
    let jpush = build().unwrap();
    let ask = || jpush.ask(Check::one_tap("sandbox-8000-13800000000"));

    assert_eq!(ask().await.unwrap().class(), Class::Misconfigured, "the key of another app");
    assert_eq!(sandbox.take_calls().len(), 1);
    key.set(Sandbox::one_tap_key_pem().expose());
    assert_eq!(ask().await.unwrap().phone().unwrap().as_str(), "13800000000");
    assert_eq!(sandbox.take_calls().len(), 1);

    for bad in ["", "not a key", "panic"] {
        key.set(bad);
        let verdict = ask().await.unwrap();
        assert_eq!(verdict.class(), Class::Misconfigured, "{bad:?}");
        assert!(verdict.advice().unwrap().contains("one_tap_key_from_fn"), "{:?}", verdict.advice());
        assert_eq!(build().unwrap_err().setting(), "one_tap_key", "{bad:?}");
        assert!(jpush.ask(Check::captcha("sandbox-pass")).await.unwrap().class().is_pass(), "only one-tap needs it");
        assert_eq!(sandbox.take_calls().len(), 1, "{bad:?}: the captcha's call alone");
    }
}
