//! A shared path (`/rpc`, GraphQL): calls that are not logins pass, whatever they contain, and only calls that are shown to be one
//! of those pass.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::Full;
use tower_jverify::{
    Ask, Decision, Denial, Extracted, Field, ForeignBackend, JVerifyBuilder, Media, PhoneGrammar, Rule, Suspicion,
    number,
};

use crate::support::{Guarded, Verifier, builder, code, post_json};

const FORM: &str = "application/x-www-form-urlencoded";
const LOGIN: &str = r#"{"method":"login","params":{"token":"t","phone":"13812345678"}}"#;

fn in_params() -> Ask {
    number().token(Field::body("/params/token")).phone(Field::body("/params/phone")).into()
}

fn rule(when: Field) -> Rule {
    Rule::post("/rpc", in_params()).when(when, "login").otherwise_pass()
}

fn set(rule: Rule, set: impl FnOnce(JVerifyBuilder<Verifier>) -> JVerifyBuilder<Verifier>) -> Guarded {
    Guarded::with(|verifier| set(builder(verifier)).rule(rule).build().unwrap())
}

fn by_method() -> Field {
    Field::body("/method")
}

/// The rule with each of the settings that look at more of a body.
fn guards() -> [(&'static str, Guarded); 4] {
    let any = ForeignBackend::any;
    [
        ("plain", Guarded::by([rule(by_method())])),
        ("foreign", set(rule(by_method()), |it| it.foreign_backend(any()))),
        ("canonical", set(rule(by_method()), |it| it.canonical_body(true))),
        ("both", set(rule(by_method()), |it| it.foreign_backend(any()).canonical_body(true).pin_phone(true))),
    ]
}

fn rpc(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    post_json("/rpc", body)
}

fn typed(content_type: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let mut request = rpc(body);
    request.headers_mut().insert("content-type", content_type.parse().unwrap());
    request
}

fn at(mut request: Request<Full<Bytes>>, uri: &str) -> Request<Full<Bytes>> {
    *request.uri_mut() = uri.parse().unwrap();
    request
}

async fn refused(
    guarded: &Guarded,
    request: Request<Full<Bytes>>,
    expected: &str,
    detail: &[&str],
    what: &str,
) -> Denial {
    let before = (guarded.verifier.calls(), guarded.application.runs());
    let response = guarded.send(request).await;
    assert_eq!(code(&response), expected, "{what}");
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), before, "{what}");
    let denial = response.extensions().get::<Denial>().unwrap().clone();
    let said = denial.detail().unwrap_or_else(|| panic!("{what}: no detail"));
    assert!(detail.iter().all(|part| said.contains(part)), "{what}: {said:?} wants {detail:?}");
    denial
}

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
