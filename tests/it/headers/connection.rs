//! `Connection` cannot make a server behind the layer drop an `x-jverify-*` header.

use http::HeaderValue;

use crate::support::{Guarded, LOGIN, post_json};

#[tokio::test]
async fn our_names_are_taken_out_of_connection() {
    let guarded = Guarded::login();
    for path in ["/login", "/health"] {
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
            (&["a(x-jverify-id)", "[x-jverify-id]", "{x-jverify-id}", "x-jverify-id=?", "<x-jverify-id:\\"], &["a"]),
        ] {
            let mut request = post_json(path, LOGIN);
            for value in came {
                request.headers_mut().append("connection", HeaderValue::from_static(value));
            }
            guarded.send(request).await;
            let headers = guarded.application.last().parts.headers;
            assert_eq!(headers.get_all("connection").iter().collect::<Vec<_>>(), left, "{path}: {came:?}");
        }
    }
}
