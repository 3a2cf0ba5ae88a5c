//! The backend in Python of `examples`, behind the layer.
//!
//! `PyJWT`: `JVERIFY_JWT_PYTHON` names an interpreter that has it, else the one that `.ci/peers` installs, else `python3`.

use std::{
    convert::Infallible,
    env,
    ffi::OsString,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{Layer, service_fn};
use tower_jverify::{JVerifyLayer, RequestBody};

use super::{HEADER, assertions, login};
use crate::support::{LOGIN, Verifier, builder, serve};

/// A running backend, and its file of keys.
struct Backend {
    process: Child,
    address: SocketAddr,
    jwks: PathBuf,
}

fn python() -> OsString {
    let installed = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../peers/python/bin/python");
    let ours = || if installed.exists() { installed.into_os_string() } else { "python3".into() };
    env::var_os("JVERIFY_JWT_PYTHON").unwrap_or_else(ours)
}

/// Whether there is `PyJWT`. In CI it must be there.
fn has_pyjwt() -> bool {
    let output = Command::new(python()).args(["-c", "import jwt, cryptography"]).output();
    let has = output.is_ok_and(|output| output.status.success());
    assert!(has || env::var_os("CI").is_none(), "the CI has a Python with PyJWT");
    if !has {
        eprintln!("NOT TESTED: {} has no PyJWT; `pip install 'pyjwt[crypto]'` there", python().display());
    }
    has
}

impl Backend {
    /// Starts it with this audience. Its clock is so many seconds ahead.
    fn start(audience: &str, seconds_later: u32) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        // A file for each: another test removes its file when it ends.
        let name = format!("assertion-{}-{}.json", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let jwks = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&jwks, assertions().jwks().unwrap()).unwrap();
        let mut command = Command::new(python());
        if seconds_later > 0 {
            command.arg(here.join("tests/python/seconds_later.py")).arg(seconds_later.to_string());
        }
        command.arg(here.join("examples/assertion_backend.py")).args(["127.0.0.1:0", audience]).arg(&jwks);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").expect("it says where it listens").parse().unwrap();
        Self { process, address, jwks }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.jwks);
    }
}

/// What happens to a request between the layer and the backend.
type Between = fn(&mut Request<Bytes>);

/// A proxy on a socket: the layer, then something in the network, then the backend.
async fn proxy(layer: &JVerifyLayer<Verifier>, backend: SocketAddr, between: Between) -> SocketAddr {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let forward = service_fn(move |request: Request<RequestBody<hyper::body::Incoming>>| {
        let client = client.clone();
        async move {
            let (parts, body) = request.into_parts();
            let mut request = Request::from_parts(parts, body.collect().await.unwrap().to_bytes());
            between(&mut request);
            let target = request.uri().path_and_query().unwrap().clone();
            *request.uri_mut() = format!("http://{backend}{target}").parse().unwrap();
            let (parts, body) = client.request(request.map(Full::new)).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            Ok::<_, Infallible>(Response::from_parts(parts, Full::new(body)))
        }
    });
    serve(layer.layer(forward)).await
}

/// Sends a login to the proxy. Returns the backend's answer.
async fn login_at(address: SocketAddr) -> (StatusCode, String) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::post(format!("http://{address}/login?next=home")).header("content-type", "application/json");
    let response = client.request(request.body(Full::from(LOGIN)).unwrap()).await.unwrap();
    let status = response.status();
    (status, String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

#[tokio::test]
async fn a_backend_in_python_accepts_a_valid_one_and_refuses_each_change() {
    if !has_pyjwt() {
        return;
    }
    let backend = Backend::start("accounts", 0);
    let layer = builder(&Verifier::passing()).assertion(assertions()).rule(login()).build().unwrap();
    let unchanged: Between = |_| {};
    for (what, between, expected) in [
        ("unchanged", unchanged, (200, "welcome: allow")),
        ("another query", |request| *request.uri_mut() = "/login?next=other".parse().unwrap(), (200, "welcome: allow")),
        (
            "one byte of the body",
            |request| {
                let mut body = request.body().to_vec();
                body[15] ^= 1;
                *request.body_mut() = body.into();
            },
            (403, "refused: ValueError"),
        ),
        ("the method", |request| *request.method_mut() = Method::PUT, (403, "refused: ValueError")),
        ("the path", |request| *request.uri_mut() = "/admin?next=home".parse().unwrap(), (403, "refused: ValueError")),
        ("none", |request| drop(request.headers_mut().remove(HEADER)), (403, "refused: TypeError")),
        (
            "two",
            |request| {
                let value = request.headers()[HEADER].clone();
                request.headers_mut().append(HEADER, value);
            },
            (403, "refused: ValueError"),
        ),
        (
            "alg none",
            |request| {
                let text = request.headers()[HEADER].to_str().unwrap().to_owned();
                let claims = text.split('.').nth(1).unwrap();
                // {"typ":"jverify-assertion+jwt","alg":"none","kid":"one"}
                let head = "eyJ0eXAiOiJqdmVyaWZ5LWFzc2VydGlvbitqd3QiLCJhbGciOiJub25lIiwia2lkIjoib25lIn0";
                let value = HeaderValue::try_from(format!("{head}.{claims}.")).unwrap();
                request.headers_mut().insert(HEADER, value);
            },
            (403, "refused: InvalidAlgorithmError"),
        ),
    ] as [(&str, Between, (u16, &str)); 8]
    {
        let (status, text) = login_at(proxy(&layer, backend.address, between).await).await;
        assert_eq!((status.as_u16(), &*text), expected, "{what}");
    }
}

#[tokio::test]
async fn a_backend_in_python_allows_a_clock_that_is_30_seconds_ahead() {
    if !has_pyjwt() {
        return;
    }
    let backend = Backend::start("accounts", 0);
    let layer = builder(&Verifier::passing()).assertion(assertions()).rule(login()).build().unwrap();
    let proxy = proxy(&layer, backend.address, |_| {}).await;
    for (ahead, expected) in [(20, (200, "welcome: allow")), (15, (403, "refused: ValueError"))] {
        // The layer's clock; the backend is another process.
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(ahead)).await;
        tokio::time::resume();
        let (status, text) = login_at(proxy).await;
        assert_eq!((status.as_u16(), &*text), expected, "{ahead}");
    }
}

#[tokio::test]
async fn a_backend_in_python_refuses_another_audience_and_one_of_61_seconds_ago() {
    if !has_pyjwt() {
        return;
    }
    let layer = builder(&Verifier::passing()).assertion(assertions()).rule(login()).build().unwrap();
    for (audience, seconds_later, expected) in [
        ("accounts", 50, (200, "welcome: allow")),
        ("accounts", 61, (403, "refused: ExpiredSignatureError")),
        ("payments", 0, (403, "refused: InvalidAudienceError")),
    ] {
        let backend = Backend::start(audience, seconds_later);
        let (status, text) = login_at(proxy(&layer, backend.address, |_| {}).await).await;
        assert_eq!((status.as_u16(), &*text), expected, "{audience} {seconds_later}");
    }
}
