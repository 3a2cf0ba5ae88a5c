//! One path, many spellings.

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use tower_jverify::{Rule, number};

use crate::support::{Guarded, LOGIN, exchange, post_json, serve};

#[tokio::test]
async fn every_spelling_of_a_guarded_path_is_guarded() {
    let guarded = Guarded::login();
    for path in [
        "/login",
        "/login/",
        "/LOGIN",
        "/Login/",
        "//login",
        "/login//",
        "/./login",
        "/login/.",
        "/x/../login",
        "/../login",
        "//x//..//login",
        "/x/%2e%2e/login",
        "/x/%2E./login",
        "/%6Cogin",
        "/%6cogin",
        "/%4Cogin",
        "/%6c%6f%67%69%6e",
        "/login;jsessionid=1",
        "/login;a=1/",
        "/;a=1/login",
        "/login?x=/health",
        "/login?",
        "http://other/login",
        "https://other:8443//login",
    ] {
        guarded.verifies(post_json(path, LOGIN), path).await;
        guarded.refuses(post_json(path, "{}"), "proof_missing", path).await;
    }
}

#[tokio::test]
async fn a_path_that_could_also_be_read_as_a_guarded_one_is_refused() {
    let guarded = Guarded::login();
    for path in [
        "/login%2F",
        "/login%2f",
        "/x%2f..%2flogin",
        "/%2Flogin",
        "/login%5C",
        "/login\\",
        "/x\\..\\login",
        "/login%00",
        "/login%00.png",
        "/login%3Fx",
        "/login%23x",
        "/login%0d%0a",
        "/%256Cogin",
        "/%25256Cogin",
        "/%u006Cogin",
        "/login%c0%af",
        "/%c1%acogin",
        "/login%ff",
    ] {
        guarded.refuses(post_json(path, LOGIN), "path_ambiguous", path).await;
    }
}

#[tokio::test]
async fn an_odd_path_that_cannot_be_read_as_a_guarded_one_passes() {
    let guarded = Guarded::login();
    for path in ["/files/a%2Fb", "/files/a%5Cb", "/files/%2500", "/files/%ff", "/logins", "/login/more", "/log%20in"] {
        let seen = guarded.leaves_alone(post_json(path, LOGIN), path).await;
        assert_eq!(seen.parts.uri, *path);
    }
}

#[tokio::test]
async fn the_query_takes_no_part() {
    let guarded = Guarded::login();
    for path in ["/health?x=/login", "/?/login", "/health?/../login", "/x?/../login"] {
        guarded.leaves_alone(post_json(path, LOGIN), path).await;
    }
}

#[tokio::test]
async fn the_application_gets_the_path_as_it_came() {
    let guarded = Guarded::login();
    let path = "/x/..//%6Cogin;a=1?x=%2F";
    assert_eq!(guarded.verifies(post_json(path, LOGIN), path).await.parts.uri, *path);
}

#[tokio::test]
async fn a_request_line_without_a_slash_is_refused_where_the_rest_is_a_guarded_path() {
    let guarded = Guarded::login();
    let request = |uri: &'static str| {
        let mut request = Request::post("/").header("content-type", "application/json");
        request = request.uri(Uri::from_static(uri));
        request.body(Full::new(Bytes::from_static(LOGIN.as_bytes()))).unwrap()
    };
    guarded.refuses(request("login"), "path_ambiguous", "authority form").await;
    guarded.leaves_alone(request("health"), "authority form of another path").await;
}

#[tokio::test]
async fn request_lines_in_other_forms_are_guarded_on_a_real_socket() {
    let guarded = Guarded::login();
    let address = serve(guarded.service()).await;
    for (line, status, reaches) in [
        ("POST login HTTP/1.1", "400", 0),
        ("POST http://other/login HTTP/1.1", "200", 1),
        ("POST http://other/x/../%6cogin HTTP/1.1", "200", 1),
        ("POST http://other/login%2f HTTP/1.1", "400", 0),
        ("POST /LOGIN/?x=/health HTTP/1.1", "200", 1),
        ("post /login HTTP/1.1", "200", 1),
    ] {
        let before = (guarded.verifier.calls(), guarded.application.runs());
        let request = format!(
            "{line}\r\nhost: other\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{LOGIN}",
            LOGIN.len(),
        );
        let response = exchange(address, request).await;
        assert!(response.starts_with(&format!("HTTP/1.1 {status}")), "{line}: {response}");
        let after = (before.0 + reaches, before.1 + reaches);
        assert_eq!((guarded.verifier.calls(), guarded.application.runs()), after, "{line}");
    }
}

/// HPACK (RFC 7541) by hand, because no client lets such a path out.
#[tokio::test]
async fn an_http2_path_without_a_slash_never_gets_through() {
    let guarded = Guarded::login();
    let address = serve(guarded.service()).await;
    for (path, reaches) in [("login", 0), ("", 0), ("%6cogin", 0), ("/login", 1)] {
        let mut block = vec![0x83, 0x86]; // :method POST, :scheme http
        // :path, :authority, content-type, each a literal value with an indexed name
        for (name, value) in [(&[0x04][..], path), (&[0x01], "host"), (&[0x0f, 0x10], "application/json")] {
            block.extend_from_slice(name);
            block.push(u8::try_from(value.len()).unwrap());
            block.extend_from_slice(value.as_bytes());
        }
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frame(0x4, 0, 0, b"")); // SETTINGS
        bytes.extend(frame(0x1, 0x4, 1, &block)); // HEADERS, END_HEADERS
        bytes.extend(frame(0x0, 0x1, 1, LOGIN.as_bytes())); // DATA, END_STREAM
        bytes.extend(frame(0x7, 0, 0, &[0; 8])); // GOAWAY: the server answers, and closes
        exchange(address, bytes).await;
        assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (reaches, reaches), "{path:?}");
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

#[tokio::test]
async fn a_rule_for_the_root_guards_all_spellings_of_it() {
    let guarded = Guarded::by([Rule::post("/", number())]);
    for path in ["/", "//", "/.", "/x/..", "/?x", "http://other", "http://other/"] {
        guarded.verifies(post_json(path, LOGIN), path).await;
    }
}
