//! Which requests are guarded: the meaning of a path counts, and not its spelling.

mod choosing;
mod foreign;
mod guard_unless;
mod methods;
mod nested;
mod ordinary;
mod ordinary_requests;
mod patterns;
mod per_rule;
mod random;
mod route_parameters;
mod shared_path;
mod spellings;
mod unnamed;

use tower_jverify::CheckKind;

use crate::support::{Guarded, LOGIN, post_json};

/// A body that holds a number proof and a captcha.
const BOTH: &str = r#"{"token":"tok-canary-7f3a","phone":"13812345678","captchaContent":"captcha-canary"}"#;

#[tokio::test]
async fn a_login_that_is_verified_reaches_the_application() {
    let guarded = Guarded::login();
    let seen = guarded.verifies(post_json("/login", LOGIN), "a login").await;
    assert_eq!(seen.body.unwrap(), LOGIN);
    assert_eq!(guarded.application.header("x-jverify-decision").as_deref(), Some("allow"));
}

/// The checks that a request needed. They show which of several rules guards it.
async fn kinds_asked(guarded: &Guarded, method: &str, path: &str) -> Vec<CheckKind> {
    let before = guarded.verifier.calls();
    let mut request = post_json(path, BOTH);
    *request.method_mut() = method.parse().unwrap();
    let response = guarded.send(request).await;
    assert_eq!(response.status(), 200, "{method} {path}");
    guarded.verifier.kinds().split_off(before)
}
