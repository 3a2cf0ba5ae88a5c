//! Logins are guarded, wherever a reader finds the value of `when`.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use tower_jverify::{ForeignBackend, Rule, Suspicion, number};

use super::{FORM, LOGIN, at, by_method, guards, refused, rpc, rule, set, typed};
use crate::support::Guarded;

#[tokio::test]
async fn a_login_on_a_shared_path_is_read_as_strictly_as_any() {
    for (name, guarded) in guards() {
        for (expected, body) in [
            ("proof_missing", r#"{"method":"login"}"#),
            ("proof_missing", r#"{"method":"login","params":null}"#),
            ("proof_missing", r#"{"method":"login","params":{"token":"t","phone":""}}"#),
            ("proof_malformed", r#"{"method":"login","params":["t","13812345678"]}"#),
            ("proof_malformed", r#"{"method":"login","params":{"token":"t","phone":true}}"#),
            ("proof_malformed", r#"{"method":"login","params":{"token":"t","phone":"13812345678","phone":"1"}}"#),
            ("proof_malformed", r#"{"params":{"token":"t","phone":"13812345678"},"method":"login","Params":{}}"#),
        ] {
            guarded.refuses(rpc(body), expected, &format!("{name}: {body}")).await;
        }
        let in_query = at(rpc(LOGIN), "/rpc?phone=13999998888");
        guarded.refuses(in_query, "proof_malformed", name).await;
        let other = at(rpc(r#"{"method":"sms","params":[]}"#), "/rpc?phone=13999998888&token=x");
        guarded.passes_not_guarded(other, name).await;
    }
}

#[tokio::test]
async fn the_name_of_when_counts_wherever_a_reader_finds_it() {
    for (name, guarded) in guards() {
        for body in [
            r#"{"method":"sms","method":"login","params":[]}"#,
            r#"{"method":null,"method":"login","params":[]}"#,
            r#"{"method":"","Method":"login","params":[]}"#,
            r#"{"METHOD":"login","params":[]}"#,
            r#"{"params":[],"meth_od":"login"}"#,
            r#"{"method":"sms","\u006dethod":"login"}"#,
            r#"{"method":"sms","method\u0000x":"login"}"#,
            r#"{"method":"Login"}"#,
            r#"{"method":"login "}"#,
            r#"{"method":["login"]}"#,
            r#"{"method":{"x":"login"}}"#,
            r#"{"method":true}"#,
            r#"{"method":" "}"#,
            r#"{"method":0}"#,
        ] {
            guarded.refuses(rpc(body), "proof_malformed", &format!("{name}: {body}")).await;
        }
        for query in ["?method=login", "?method=", "?Method=x", "?a=1&method[]=login", "??method=login"] {
            let request = at(rpc(r#"{"method":"sms","params":[]}"#), &format!("/rpc{query}"));
            refused(&guarded, request, "proof_malformed", &["query", "`when`"], query).await;
        }
    }
}

#[tokio::test]
async fn before_a_foreign_backend_the_name_of_when_counts_in_a_hidden_form_too() {
    let [_, (_, foreign), ..] = guards();
    let params = r#"{"token":"x","phone":"13999998888"}"#;
    for text in ["&method=login", ";method=login&x", "?&Method=login", "a&meth%6Fd=login", "&x[method]=login"] {
        let body = format!(r#"{{"method":"sms","x":"{text}","params":{params}}}"#);
        let denial = refused(&foreign, rpc(body), "proof_malformed", &["`when`"], text).await;
        assert_eq!(denial.suspicion(), Some(Suspicion::HiddenForm), "{text}");
    }
    // The names of other fields count for a login only, and escaped they count for no reader.
    for text in ["&token=x&phone=13999998888", r"\u0026method=login", "method=login", "R&D: methods"] {
        let body = format!(r#"{{"method":"sms","x":"{text}","params":{params}}}"#);
        foreign.passes_not_guarded(rpc(body), text).await;
    }
    let mut request = rpc(r#"{"method":"sms"}"#);
    request.headers_mut().insert("cookie", HeaderValue::from_static("a=1; method=login"));
    assert_eq!(foreign.passes_not_guarded(request, "a cookie").await.parts.headers["cookie"], "a=1");
    // A backend that binds by the last segment.
    let flat = || {
        let rule = Rule::post("/rpc", number()).when(by_method(), "login").otherwise_pass();
        set(rule.other_phones(["x.phone", "y[method]"]), |it| it.foreign_backend(ForeignBackend::any()))
    };
    let guarded = flat();
    for body in ["method=sms&model.method=login", "method=sms&model[method]=login", "x:method=login"] {
        let denial = refused(&guarded, typed(FORM, body), "proof_malformed", &["`when`"], body).await;
        assert_eq!(denial.suspicion(), Some(Suspicion::OtherPhone), "{body}");
    }
    guarded.passes_not_guarded(typed(FORM, "method=sms&model.phone=1&phone=&phone=2&y[method]=3"), "a form").await;
}

#[tokio::test]
async fn what_cannot_be_read_far_enough_is_refused_with_advice() {
    for (name, guarded) in guards() {
        let elsewhere = "read `when` from a header or a query field";
        for (expected, request, detail) in [
            ("body_malformed", rpc(r#"[{"method":"sms"},{"method":"login"}]"#), "batch"),
            ("body_malformed", rpc(" [] "), "batch"),
            ("body_malformed", rpc("sms"), "JSON"),
            ("body_malformed", rpc(r#"{"method":"sms"} x"#), "JSON"),
            ("body_malformed", rpc(&b"{\"method\":\"sms\",\"x\":\"\xff\"}"[..]), "UTF-8"),
            ("body_malformed", rpc(""), "empty body"),
            ("unsupported_media_type", typed("text/plain", r#"{"method":"sms"}"#), "media type"),
            ("unsupported_media_type", typed("application/graphql", "query { me }"), "media type"),
            ("unsupported_media_type", typed("multipart/form-data; boundary=X", "--X--"), "media type"),
            ("unsupported_media_type", typed("application/json; charset=gbk", r#"{"method":"sms"}"#), "charset"),
            ("proof_malformed", rpc(r#"{"method":"sms","method":"sms"}"#), "twice"),
            ("proof_malformed", rpc(r#"{"method":"sms","Method":"sms"}"#), "a name like"),
        ] {
            refused(&guarded, request, expected, &[detail, elsewhere], name).await;
        }
        let mut coded = rpc(r#"{"method":"sms"}"#);
        coded.headers_mut().insert("content-encoding", HeaderValue::from_static("br"));
        refused(&guarded, coded, "unsupported_encoding", &["content coding", elsewhere], name).await;
        let mut untyped = rpc(r#"{"method":"sms"}"#);
        untyped.headers_mut().remove("content-type");
        refused(&guarded, untyped, "unsupported_media_type", &["no Content-Type", elsewhere], name).await;
        let large = format!(r#"{{"method":"sms","x":"{}"}}"#, "x".repeat(64 * 1024));
        refused(&guarded, rpc(large.clone()), "body_too_large", &["body_limit", "a larger `body_limit`"], name).await;
        // And the advice helps.
        let roomy = Guarded::by([rule(by_method()).body_limit(128 * 1024)]);
        roomy.passes_not_guarded(rpc(large), "a larger limit").await;
    }
}

#[tokio::test]
async fn trailers_do_not_repeat_what_shows_another_call() {
    let guarded = Guarded::by([rule(by_method())]);
    for (name, code) in [("content-type", "proof_malformed"), ("x-token", "")] {
        let trailers = http::HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static("x"))]);
        let frames =
            [http_body::Frame::data(Bytes::from_static(br#"{"method":"sms"}"#)), http_body::Frame::trailers(trailers)];
        let frames = frames.map(Ok::<_, std::convert::Infallible>);
        let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames));
        let (parts, _) = rpc("").into_parts();
        let response = guarded.send(Request::from_parts(parts, body)).await;
        assert_eq!(crate::support::code(&response), code, "{name}");
    }
}
