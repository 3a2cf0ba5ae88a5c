//! CASES 89: a lack of resources in this process is overload, and no policy opens for it.

use std::{env, fs::File, io, process::Command, sync::Arc};

use serde_json::json;
use tower_jverify::{
    CallError, Check, Class, Credentials, DenialReason, Fallback, JPush, Policy, Rule, Verdict, number,
};

use super::PHONE;
use crate::support::{Application, denial, noticing, post_json, send};

/// EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL.
#[cfg(target_os = "linux")]
const CODES: [i32; 5] = [24, 23, 105, 12, 99];
#[cfg(not(target_os = "linux"))]
const CODES: [i32; 5] = [24, 23, 55, 12, 49];

fn rule() -> Rule {
    Rule::post("/login", number()).policy(Policy::default().on(Class::Unavailable, Fallback::Open))
}

fn body() -> String {
    json!({"token": "tok", "phone": PHONE}).to_string()
}

#[tokio::test]
async fn a_lack_among_the_sources_of_any_verifiers_error_is_overload() {
    for code in CODES {
        let errors: [Arc<dyn Fn() -> io::Error + Send + Sync>; 2] = [
            Arc::new(move || io::Error::from_raw_os_error(code)),
            Arc::new(move || io::Error::other(io::Error::other(io::Error::from_raw_os_error(code)))),
        ];
        for error in errors {
            // A custom verifier, and JPush over a custom transport.
            let of_verifier = Arc::clone(&error);
            let verifier = tower::service_fn(move |_: Check| std::future::ready(Err::<Verdict, _>(of_verifier())));
            let layer = noticing(verifier).rule(rule()).build().unwrap();
            let application = Application::default();
            let first = send(&layer, &application, post_json("/login", body())).await;

            let transport = tower::service_fn(move |_| std::future::ready(Err::<http::Response<String>, _>(error())));
            let jpush =
                JPush::builder(Credentials::new("key", "secret").unwrap()).transport(transport).build().unwrap();
            let layer = noticing(jpush).rule(rule()).build().unwrap();
            let second = send(&layer, &application, post_json("/login", body())).await;
            for response in [first, second] {
                assert_eq!(response.status(), 503, "{code}");
                assert_eq!(denial(&response).reason(), DenialReason::Overloaded, "{code}");
                assert_eq!(response.headers()["retry-after"], "1", "{code}");
            }
            assert_eq!(application.runs(), 0, "{code}");
        }
    }
}

/// File descriptors belong to the process, so the test runs in a separate process.
#[test]
fn a_process_without_file_descriptors_is_overloaded_and_opens_nothing() {
    let child = "decisions::exhaustion::in_a_process_of_few_file_descriptors";
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 80 && exec \"$0\" --exact \"$1\" --nocapture --test-threads 1"])
        .arg(env::current_exe().unwrap())
        .arg(child)
        .env("FEW_FILE_DESCRIPTORS", "1")
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test]
async fn in_a_process_of_few_file_descriptors() {
    if env::var_os("FEW_FILE_DESCRIPTORS").is_none() {
        return;
    }
    // By address the dial's error says EMFILE; by name the resolver says "name or service not known".
    for host in ["http://127.0.0.1:1", "http://localhost:1", "https://jpush.invalid"] {
        for left in [0, 1, 2, 3] {
            let jpush = JPush::builder(Credentials::new("key", "secret").unwrap()).base_url(host).build().unwrap();
            let layer = noticing(jpush.clone()).rule(rule()).build().unwrap();
            let application = Application::default();
            let mut files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
            assert!(files.len() > 10, "{}", files.len());
            files.truncate(files.len() - left);

            let response = send(&layer, &application, post_json("/login", body())).await;
            assert_eq!(denial(&response).reason(), DenialReason::Overloaded, "{host}, {left} left");
            assert_eq!((response.status().as_u16(), application.runs()), (503, 0), "{host}, {left} left");
            let phone = PHONE.parse().unwrap();
            let error: CallError = jpush.ask(Check::number("tok", phone)).await.unwrap_err();
            assert!(error.is_exhausted() && error.nothing_sent(), "{host}, {left} left: {error:?}");
            drop(files);
        }
    }
    // With file descriptors again, the same failure is an outage.
    let jpush =
        JPush::builder(Credentials::new("key", "secret").unwrap()).base_url("http://127.0.0.1:1").build().unwrap();
    let layer = noticing(jpush).rule(rule()).build().unwrap();
    let application = Application::default();
    assert_eq!(send(&layer, &application, post_json("/login", body())).await.status(), 200);
    assert_eq!(application.header("x-jverify-decision").as_deref(), Some("unverified"));
}
