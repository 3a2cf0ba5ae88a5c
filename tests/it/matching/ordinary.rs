//! Ordinary paths that no rule matches are not refused.

use tower_jverify::{ForeignBackend, Rule, number};

use crate::support::{Application, Verifier, builder, post_json, send};

/// 1,000 paths of web sites and APIs that no rule here means, one a line.
const PATHS: &str = include_str!("ordinary_paths.txt");

#[tokio::test]
async fn ordinary_paths_pass() {
    assert_eq!(PATHS.lines().count(), 1000);
    let proxy = ["/login", "/h5/login", "/register", "/signin", "/accounts.Accounts/Login"];
    let tenants = ["/login", "/v1/{tenant}/login", "/auth/{*rest}"];
    for (rules, foreign) in [(&proxy[..], false), (&proxy, true), (&tenants, false), (&tenants, true)] {
        let verifier = Verifier::passing();
        let mut layer = builder(&verifier);
        for path in rules {
            layer = layer.rule(Rule::post(*path, number()));
        }
        if foreign {
            layer = layer.foreign_backend(ForeignBackend::any());
        }
        let layer = layer.build().unwrap();
        for path in PATHS.lines() {
            let application = Application::default();
            let status = send(&layer, &application, post_json(path, "")).await.status();
            assert_eq!((status.as_u16(), application.runs()), (200, 1), "{path}, foreign: {foreign}");
        }
        assert_eq!(verifier.calls(), 0);
    }
}
