//! `CONNECT`: a tunnel that no rule would guard.

use http::Request;
use http_body_util::Full;
use tower_jverify::{ForeignBackend, Mode, Rule, Suspicion, number};

use super::routing::before;
use crate::support::{Guarded, builder, denial};

#[tokio::test]
async fn connect_to_a_host_is_refused_where_no_rule_guards_too() {
    let connect =
        |uri: &str| Request::builder().method("CONNECT").uri(uri).body(Full::<bytes::Bytes>::default()).unwrap();
    let guarded = before(ForeignBackend::any());
    for method in ["CONNECT", "connect"] {
        let mut request = connect("db.example:5432");
        *request.method_mut() = method.parse().unwrap();
        let response = guarded.send(request).await;
        let denial = denial(&response);
        assert_eq!((denial.code(), denial.suspicion()), ("upgrade_refused", Some(Suspicion::H2c)), "{method}");
    }
    assert_eq!(guarded.application.runs(), 0);
    // A WebSocket over HTTP/2 has a path.
    guarded.leaves_alone(connect("http://a.example/socket"), "a WebSocket").await;
    for off in [before(ForeignBackend::any().without_h2c()), Guarded::by([Rule::post("/login", number())])] {
        off.leaves_alone(connect("db.example:5432"), "switched off").await;
    }
    // Any request may follow in the tunnel, so it passes only if all rules are in shadow.
    for (other, runs) in [(Mode::Shadow, 1), (Mode::Enforce, 0)] {
        let rules = [Rule::post("/login", number()).mode(Mode::Shadow), Rule::post("/other", number()).mode(other)];
        let guarded = Guarded::with(|verifier| {
            builder(verifier).rules(rules).foreign_backend(ForeignBackend::any()).build().unwrap()
        });
        guarded.send(connect("db.example:5432")).await;
        assert_eq!(guarded.application.runs(), runs);
    }
}
