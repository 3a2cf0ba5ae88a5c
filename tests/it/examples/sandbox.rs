//! The example `sandbox`, and applications that ask it over a socket.

use tower_jverify::{Check, Class, Credentials, JPush, Phone};

use super::{Example, curl, finish, start};

#[tokio::test]
async fn the_axum_application_asks_the_sandbox_server_over_a_socket() {
    let jpush = start("sandbox", &[], &[]);
    let base_url = format!("http://{}", jpush.address);
    let credentials = [("JPUSH_APP_KEY", "key"), ("JPUSH_MASTER_SECRET", "secret"), ("JPUSH_BASE_URL", &*base_url)];
    // No proxy listens there, and none is used: the environment does not decide where credentials are sent.
    let proxies = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let vars: Vec<_> = credentials.into_iter().chain(proxies.map(|name| (name, "http://127.0.0.1:1"))).collect();
    for name in ["axum_login", "hyper_proxy"] {
        let example = start(name, &[], &vars);
        // The same answers as with the sandbox inside.
        for (line, promised) in Example::sandboxed(name).promises() {
            let (start, rest) = line.split_once("http://").unwrap();
            let path = rest.split_once('/').unwrap().1;
            let line = format!("{start}http://{}/{path}", example.address);
            assert_eq!(curl(&line).await, promised, "{name}: {line}");
        }
    }
}

#[tokio::test]
async fn by_their_flags_the_sandbox_server_listens_beyond_loopback_and_an_application_asks_it() {
    let jpush = start("sandbox", &["--danger-sandbox-beyond-loopback"], &[("LISTEN_ADDR", "0.0.0.0:0")]);
    assert!(jpush.address.ip().is_unspecified());
    // 127.0.0.1, as a name that must be resolved.
    let base_url = format!("http://2130706433:{}", jpush.address.port());
    let vars = [("JPUSH_APP_KEY", "key"), ("JPUSH_MASTER_SECRET", "secret"), ("JPUSH_BASE_URL", &*base_url)];
    let output = finish("axum_login", &[], &vars);
    assert!(output.contains("JPUSH_BASE_URL") && output.contains("loopback"), "{output}");
    let example = start("axum_login", &["--danger-plain-http-to-private-hosts"], &vars);
    let url = format!("http://{}/login", example.address);
    let login = reqwest::Client::new().post(url).header("content-type", "application/json");
    let login = login.body(r#"{"token":"sandbox-9000","phone":"13800000000"}"#);
    assert_eq!(login.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_sandbox_server_answers_as_it_prints() {
    let example = start("sandbox", &[], &[]);
    assert_eq!(example.promises().len(), 7);
    for (line, promised) in example.promises() {
        let between = |start: &str, end: &str| line.split_once(start).unwrap().1.split_once(end).unwrap().0.to_owned();
        let url = format!("http://{}", between("http://", " "));
        let request = reqwest::Client::new().post(url).basic_auth("key", Some("secret"));
        let request = request.header("content-type", "application/json").body(between("-d '", "'"));
        let answer = request.send().await.unwrap().text().await.unwrap();
        assert_eq!(answer.trim(), promised.trim(), "{line}");
    }
}

#[tokio::test]
async fn the_sandbox_server_has_one_tap_logins_and_bad_days() {
    let example = start("sandbox", &[], &[]);
    let pem = &example.printed[example.printed.find("-----BEGIN").expect("a key")..];
    let credentials = Credentials::new("key", "secret").unwrap();
    let jpush = JPush::builder(credentials).base_url(&format!("http://{}", example.address));
    let jpush = jpush.one_tap_key(&pem[..=pem.rfind("-----").unwrap() + 4].into()).build().unwrap();
    let phone = Phone::parse("13800000000").unwrap();
    let verdict = jpush.ask(Check::one_tap("sandbox-8000-13800000000")).await.unwrap();
    assert_eq!((verdict.class(), verdict.phone()), (Class::Passed, Some(phone)));
    let error = jpush.ask(Check::number("sandbox-reset-9000", phone)).await.unwrap_err();
    assert!(!error.nothing_sent(), "{error}");
}
