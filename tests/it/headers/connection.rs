//! `Connection` cannot make a server behind the layer remove an `x-jverify-*` header, or what says where the body ends.

use http::HeaderValue;
use tower_jverify::{Field, Rule, number};

use crate::support::{Guarded, LOGIN, code, post_json};

#[tokio::test]
async fn our_names_are_taken_out_of_connection() {
    let guarded = Guarded::login();
    // tinyproxy removes what `Proxy-Connection` lists, too.
    for (name, path) in
        ["connection", "proxy-connection"].into_iter().flat_map(|name| [(name, "/login"), (name, "/health")])
    {
        for (came, left) in [
            (&["x-jverify-decision"][..], &[][..]),
            (&["close, x-jverify-decision"], &["close"]),
            (&["X-JVerify-Decision , keep-alive,X_JVERIFY_RISK_SCORE"], &["keep-alive"]),
            (&["x-jverify-id, a, x-jverify-risk-level, b"], &["a, b"]),
            (&["close", "x-jverify-made-up", "x-other"], &["close", "x-other"]),
            (&["Close,  x-other"], &["Close,  x-other"]),
            (&["close; x-other/a"], &["close; x-other/a"]),
            // Apache and tinyproxy end a word at other marks too.
            (&["close; x-jverify-decision"], &["close"]),
            (&["close;x-jverify-decision;a"], &["close, a"]),
            (&["close x-jverify-decision"], &["close"]),
            (&["close\tX_Jverify_Decision"], &["close"]),
            (&["\"x-jverify-decision\""], &[]),
            (&["a/x-jverify-risk-score@b"], &["a, b"]),
            (&["close, Content-Length"], &["close"]),
            (&["content-length;te", "transfer-encoding"], &["te"]),
            (&["a(x-jverify-id)", "[x-jverify-id]", "{x-jverify-id}", "x-jverify-id=?", "<x-jverify-id:\\"], &["a"]),
        ] {
            let mut request = post_json(path, LOGIN);
            for value in came {
                request.headers_mut().append(name, HeaderValue::from_static(value));
            }
            guarded.send(request).await;
            let headers = guarded.application.last().parts.headers;
            assert_eq!(headers.get_all(name).iter().collect::<Vec<_>>(), left, "{path} {name}: {came:?}");
        }
    }
}

#[tokio::test]
async fn a_header_that_the_rule_reads_may_not_be_in_either_list() {
    let guarded = Guarded::by([Rule::post("/login", number().token(Field::header("x-token")))]);
    for name in ["connection", "proxy-connection"] {
        for value in ["x-token", "close; X_Token", "content-type"] {
            let mut request = post_json("/login", r#"{"phone":"13812345678"}"#);
            request.headers_mut().insert("x-token", HeaderValue::from_static("t"));
            request.headers_mut().insert("connection", HeaderValue::from_static("close"));
            request.headers_mut().append(name, HeaderValue::from_static(value));
            assert_eq!(code(&guarded.send(request).await), "proof_malformed", "{name}: {value}");
        }
    }
}
