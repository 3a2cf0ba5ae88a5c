//! Absent parts, written as null or as an empty value: typed clients send every member of their model.

mod parts;
mod places;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower_jverify::{Ask, CheckKind, Rule};

use crate::support::{Guarded, code, post_json};

/// How JSON says that nothing is there.
const NOTHING: [&str; 4] = ["null", r#""""#, " null ", "\t\"\"\n"];
/// What is something, and no value.
const SOMETHING: [&str; 10] =
    ["[]", "{}", "[null]", r#"[""]"#, "true", "false", r#"" ""#, r#""   ""#, r#""\u3000""#, r#""\u200b""#];

const MULTIPART: &str = "multipart/form-data; boundary=XX";

fn by(ask: impl Into<Ask>) -> Guarded {
    Guarded::by([Rule::post("/login", ask)])
}

fn json(members: &str) -> Request<Full<Bytes>> {
    post_json("/login", format!("{{{members}}}"))
}

fn parts(fields: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let part = |(name, value): &(&str, &str)| {
        format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body: String = fields.iter().map(part).collect();
    let request = Request::post("/login").header("content-type", MULTIPART);
    request.body(Full::new(format!("{body}--XX--\r\n").into())).unwrap()
}

/// What was asked for a request that is let in.
async fn asked(guarded: &Guarded, request: Request<Full<Bytes>>, what: &str) -> Vec<CheckKind> {
    let before = guarded.verifier.calls();
    let response = guarded.send(request).await;
    assert_eq!(response.status(), 200, "{what}: {}", code(&response));
    guarded.verifier.kinds().split_off(before)
}
