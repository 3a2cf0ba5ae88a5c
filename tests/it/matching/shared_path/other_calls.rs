//! Calls that are not logins pass.

use http::{HeaderName, HeaderValue};
use tower_jverify::{Decision, Denial, Extracted, Field, ForeignBackend, Media, PhoneGrammar, Rule, Suspicion, number};

use super::{FORM, LOGIN, at, by_method, guards, refused, rpc, rule, set, typed};
use crate::support::Guarded;

#[tokio::test]
async fn another_call_passes_whatever_its_other_members_are() {
    for (name, guarded) in guards() {
        for body in [
            r#"{"method":"balance","params":[1,"x",null]}"#,
            r#"{"method":"balance","params":"x"}"#,
            r#"{"method":"balance","params":true,"id":null}"#,
            r#"{"method":"sms","params":{"phone":"+86 138 1234 5678"}}"#,
            r#"{"method":"sms","params":{"phone":["13812345678"],"token":{}}}"#,
            r#"{"method":"sms","params":{"phone":false,"token":1.5}}"#,
            r#"{"method":"sms","params":{"Phone":"1","phone":" ","to_ken":""}}"#,
            r#"{"method":"sms","params":{"contact":{"phone":"13999998888"}},"phone":"1","token":"x"}"#,
            r#"{"params":{"phone":7}}"#,
            r#"{"method":null,"params":[]}"#,
            r#"{"method":"","params":[]}"#,
            r#"{"method":7,"params":[{"method":"login"}]}"#,
            "{}",
        ] {
            let mut request = rpc(body);
            request.headers_mut().insert("x-jverify-decision", HeaderValue::from_static("allow"));
            request.headers_mut().append("x_jverify_decision", HeaderValue::from_static("allow"));
            let seen = guarded.passes_not_guarded(request, &format!("{name}: {body}")).await;
            assert_eq!(seen.body.unwrap(), body, "{name}");
            assert!(seen.parts.extensions.get::<Decision>().is_none());
            assert!(!seen.parts.headers.contains_key("x_jverify_decision"));
        }
        guarded.verifies(rpc(LOGIN), name).await;
    }
}

#[tokio::test]
async fn names_that_are_repeated_elsewhere_do_not_refuse_another_call() {
    for (name, guarded) in guards().into_iter().take(2) {
        for body in [
            r#"{"method":"sms","params":{"phone":1,"phone":2},"x":1,"x":2}"#,
            r#"{"method":"sms","params":{},"params":[],"Params":1}"#,
            r#"{"params":{"method":"login","method":"login"},"method":"sms"}"#,
        ] {
            guarded.passes_not_guarded(rpc(body), &format!("{name}: {body}")).await;
        }
    }
    // A rewritten body has each name once.
    for (_, guarded) in guards().into_iter().skip(2) {
        let body = r#"{"method":"sms","params":{"phone":1,"phone":2}}"#;
        refused(&guarded, rpc(body), "body_malformed", &["a name twice in one object", "`when`"], body).await;
    }
}

#[tokio::test]
async fn another_call_is_written_as_canonical_body_says() {
    let guarded =
        set(rule(by_method()).phone_grammar(PhoneGrammar::CountryCode), |it| it.canonical_body(true).pin_phone(true));
    let body = r#" { "method" : "sms", "params" : [ "&method=login", { "phone" : "+8613812345678" } ] } "#;
    let seen = guarded.passes_not_guarded(rpc(body), body).await;
    let written = r#"{"method":"sms","params":["\u0026method\u003dlogin",{"phone":"+8613812345678"}]}"#;
    assert_eq!(seen.body.unwrap(), written);
    assert_eq!(seen.parts.headers["content-length"], HeaderValue::from(written.len()));
}

#[tokio::test]
async fn a_header_or_the_query_shows_another_call_whose_body_cannot_be_read() {
    let large = format!(r#"{{"x":"{}"}}"#, "x".repeat(64 * 1024));
    let bodies = || {
        [
            rpc(r#"[{"method":"login"}]"#),
            typed("text/plain", "x"),
            typed("multipart/form-data; boundary=X", "--X--"),
            rpc(large.clone()),
        ]
    };
    for foreign in [false, true] {
        let guarded = |field: Field, ignore_query| {
            let rule = rule(field).ignore_query(ignore_query);
            set(rule, |it| if foreign { it.foreign_backend(ForeignBackend::any()) } else { it })
        };
        let by_header = guarded(Field::header("x-method"), false);
        let by_query = guarded(Field::query("op"), false);
        let apart = guarded(Field::query("op"), true);
        for (index, _) in bodies().iter().enumerate() {
            let mut request = bodies()[index].clone();
            request.headers_mut().insert("x-method", HeaderValue::from_static("sms"));
            let sent = request.body().clone();
            let seen = by_header.passes_not_guarded(request, "a header").await;
            assert_eq!(seen.body.unwrap(), http_body_util::BodyExt::collect(sent).await.unwrap().to_bytes());
            apart.passes_not_guarded(at(bodies()[index].clone(), "/rpc?op=sms"), "another call").await;
            let request = at(bodies()[index].clone(), "/rpc?op=sms");
            // A backend that merges the two reads `op` in a form or multipart, and a batch has no names.
            if !foreign || index == 0 {
                by_query.passes_not_guarded(request, "the query").await;
            } else {
                let response = by_query.send(request).await;
                let detail = response.extensions().get::<Denial>().unwrap().detail().unwrap().to_owned();
                assert!(detail.contains("`ignore_query`") && detail.contains("a header"), "{detail}");
            }
        }
        // What is readable must not have the name.
        for request in [rpc(r#"{"op":"login"}"#), rpc(r#"{"op":null}"#), typed(FORM, "Op=login"), typed(FORM, "op=")] {
            by_query.refuses(at(request, "/rpc?op=sms"), "proof_malformed", "in the body too").await;
        }
        // A login is read and verified, and one that cannot be read is refused.
        let mut request = rpc(LOGIN);
        request.headers_mut().insert("x-method", HeaderValue::from_static("login"));
        by_header.verifies(request, "a header").await;
        by_query.verifies(at(rpc(LOGIN), "/rpc?op=login"), "the query").await;
        by_query.refuses(at(bodies()[0].clone(), "/rpc?op=login"), "body_malformed", "a batch").await;
        for query in ["?op=sms&op=login", "?op=sms&Op=login", "?Op=login", "?op=Login", "?op=sms;op=login"] {
            by_query.refuses(at(rpc("{}"), &format!("/rpc{query}")), "proof_malformed", query).await;
        }
        for (name, value) in [("x-method", "login"), ("x_method", "login"), ("X.Method", "sms")] {
            let mut request = rpc("{}");
            request.headers_mut().insert("x-method", HeaderValue::from_static("sms"));
            request.headers_mut().append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
            by_header.refuses(request, "proof_malformed", name).await;
        }
        let mut hop = rpc("{}");
        hop.headers_mut().insert("connection", HeaderValue::from_static("x-method"));
        by_header.refuses(hop, "proof_malformed", "Connection").await;
    }
}

#[tokio::test]
async fn a_value_in_one_of_several_places_is_the_same_in_each() {
    let guarded = Guarded::by([rule(Field::header("x-method").or(by_method()))]);
    let with = |header: &'static str, body: &'static str| {
        let mut request = rpc(body);
        request.headers_mut().insert("x-method", HeaderValue::from_static(header));
        request
    };
    guarded.passes_not_guarded(with("sms", r#"{"method":"sms","params":[]}"#), "the same").await;
    guarded.passes_not_guarded(with("", r#"{"method":"sms","params":[]}"#), "an empty header").await;
    guarded.passes_not_guarded(with("sms", r#"{"method":null,"params":[]}"#), "null").await;
    for (header, body) in
        [("sms", r#"{"method":"login"}"#), ("login", r#"{"method":"sms"}"#), ("a", r#"{"method":"b"}"#)]
    {
        guarded.refuses(with(header, body), "proof_malformed", body).await;
    }
    guarded.refuses(with("sms", "[]"), "body_malformed", "a batch").await;
    guarded.verifies(with("", LOGIN), "a login").await;
}

#[tokio::test]
async fn every_kind_of_body_may_hold_another_call() {
    let flat = || Rule::post("/rpc", number()).when(by_method(), "login").otherwise_pass();
    let accepting = flat().accept([Media::Json, Media::Form, Media::Multipart]).extract(["text/x-call"], |_, body| {
        let text = std::str::from_utf8(body)?.to_owned();
        Ok(Extracted::new()
            .with("/method", text)
            .with("/phone", "not a phone".to_owned())
            .with("/token", String::new()))
    });
    let guarded = Guarded::by([accepting]);
    guarded.passes_not_guarded(typed(FORM, "method=sms&phone=x&phone=y&token[]=1"), "a form").await;
    guarded.passes_not_guarded(typed(FORM, "method&phone=x"), "a form without a value").await;
    let part =
        |name: &str, value: &str| format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let multipart = format!("{}{}{}--X--\r\n", part("method", "sms"), part("phone", " "), part("phone", "2"));
    guarded.passes_not_guarded(typed("multipart/form-data; boundary=X", multipart), "multipart").await;
    guarded.passes_not_guarded(typed("text/x-call", "sms"), "a closure").await;
    guarded.refuses(typed("text/x-call", "login"), "proof_missing", "a closure").await;
    guarded.refuses(typed(FORM, "method=sms&method=login"), "proof_malformed", "a form").await;
    guarded.refuses(typed(FORM, "method=login&phone=13812345678"), "proof_missing", "a form").await;
    // A form cannot contain the fields of this rule, but it can show that it is another call.
    let nested = Guarded::by([rule(by_method())]);
    nested.passes_not_guarded(typed(FORM, "method=sms&params=1"), "a form").await;
    nested.refuses(typed(FORM, "method=login&params=1"), "unsupported_media_type", "a form").await;
}

#[tokio::test]
async fn another_message_passes_on_the_path_of_a_grpc_method() {
    let ask = number().token(Field::body("/1")).phone(Field::body("/2"));
    let rule =
        || Rule::post("/a.B/Call", ask.clone()).accept([Media::Grpc]).when(Field::body("/3"), "1").otherwise_pass();
    let call = |message: &[u8], more: &[u8]| {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let mut request = at(typed("application/grpc", [&[0], length.as_slice(), message, more].concat()), "/a.B/Call");
        *request.version_mut() = http::Version::HTTP_2;
        request
    };
    for (guarded, more) in [
        (Guarded::by([rule()]), &b""[..]),
        (Guarded::by([rule().client_streaming(true)]), &b"\0\0\0\0\x02\x18\x01"[..]),
        (set(rule(), |it| it.foreign_backend(ForeignBackend::any())), &b""[..]),
    ] {
        for message in
            [&b"\x18\x02\x08\x07\x10\x01"[..], b"\x0a\x01t\x0a\x01u\x18\x02", b"\x15\0\0\0\0\x18\x02", b"\x10\x01"]
        {
            guarded.passes_not_guarded(call(message, more), "another").await;
        }
        for message in [&b"\x18\x02\x18\x01"[..], b"\x18\x01", b"\x1a\x01 ", b"\x1d\x01\0\0\0"] {
            let before = guarded.application.runs();
            let response = guarded.send(call(message, more)).await;
            assert_eq!(response.headers().get("grpc-status").unwrap(), "3");
            assert_eq!((guarded.application.runs(), guarded.verifier.calls()), (before, 0));
        }
    }
    // What came of a stream with its first message is searched for a form, too.
    let stream = set(rule().client_streaming(true), |it| it.foreign_backend(ForeignBackend::any()));
    stream.passes_not_guarded(call(b"\x18\x02", b"\0\0\0\0\x06&4=1&x"), "another").await;
    let response = stream.send(call(b"\x18\x02", b"\0\0\0\0\x06&3=1&x")).await;
    assert_eq!(crate::support::denial(&response).suspicion(), Some(Suspicion::HiddenForm));
}
