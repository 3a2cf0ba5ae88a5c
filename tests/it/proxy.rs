//! The proxy example: what it trusts of the proxies in front, and what it forwards.

use std::{convert::Infallible, net::SocketAddr, time::Duration};
#[cfg(target_os = "linux")]
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStdout, Command, Stdio},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    examples::{Example, command},
    support::{Application, exchange, serve},
};

async fn proxy(vars: &[(&str, &str)]) -> (Application, Example) {
    let backend = Application::default();
    let upstream = format!("http://{}", serve(backend.clone()).await);
    let vars: Vec<_> = vars.iter().copied().chain([("UPSTREAM_URL", upstream.as_str())]).collect();
    (backend, Example::start("hyper_proxy", &["--sandbox"], &vars))
}

/// The headers that reach the backend with a request that carries these lines.
async fn handed_on(backend: &Application, address: SocketAddr, lines: &str) -> HeaderMap {
    let request = format!("GET /health HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{lines}\r\n");
    let response = exchange(address, request).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    backend.last().parts.headers
}

#[tokio::test]
async fn the_client_s_address_is_what_the_trusted_proxies_say() {
    const SENT: &str = "X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\nX-Forwarded-For: 3.3.3.3,4.4.4.4\r\nForwarded: for=5.5.5.5\r\n\
                        X-Real-IP: 6.6.6.6\r\nTrue-Client-IP: 7.7.7.7\r\nWL-Proxy-Client-IP: 8.8.8.8\r\n\
                        X.Forwarded.For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\n";
    for (proxies, addresses) in [
        (None, "127.0.0.1"),
        (Some("0"), "127.0.0.1"),
        (Some("1"), "4.4.4.4, 127.0.0.1"),
        (Some("3"), "2.2.2.2, 3.3.3.3, 4.4.4.4, 127.0.0.1"),
        (Some("16"), "1.1.1.1, 2.2.2.2, 3.3.3.3, 4.4.4.4, 127.0.0.1"),
    ] {
        let vars: Vec<_> = proxies.iter().map(|proxies| ("TRUSTED_PROXIES", *proxies)).collect();
        let (backend, example) = proxy(&vars).await;
        let headers = handed_on(&backend, example.address, SENT).await;
        let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
        assert_eq!(lines, [addresses], "{proxies:?}");
        for gone in ["forwarded", "x-real-ip", "true-client-ip", "wl-proxy-client-ip", "x.forwarded.for"] {
            assert!(!headers.contains_key(gone), "{gone}");
        }
        assert_eq!(headers["x-forwarded-proto"], "https");
        let headers = handed_on(&backend, example.address, "").await;
        assert_eq!(headers["x-forwarded-for"], "127.0.0.1", "{proxies:?}");
    }
}

#[tokio::test]
async fn no_header_that_a_cgi_style_server_takes_for_another_reaches_the_backend() {
    let (backend, example) = proxy(&[]).await;
    let headers = handed_on(
        &backend,
        example.address,
        "X_Other: 1\r\nx.other: 3\r\nSCRIPT_NAME: /zz\r\nContent_Length: 9\r\nX-Other: 2\r\n",
    )
    .await;
    assert!(headers.keys().all(|name| !name.as_str().contains(['_', '.'])), "{headers:?}");
    assert_eq!(headers["x-other"], "2");
}

#[tokio::test]
async fn get_login_still_brings_the_login_page() {
    let example = Example::sandboxed("hyper_proxy");
    let ask = |head: &str| exchange(example.address, format!("{head}\r\nHost: x\r\nConnection: close\r\n\r\n"));
    for head in ["GET /login HTTP/1.1", "GET /login?next=%2Fhome HTTP/1.1", "HEAD /login HTTP/1.1"] {
        let page = ask(head).await;
        assert!(page.starts_with("HTTP/1.1 200 "), "{head}: {page}");
    }
    assert!(ask("GET /login HTTP/1.1").await.ends_with(r#"{"phone":"not proven"}"#));
    let refused = ask("GET /login?phone=13999998888&token=x HTTP/1.1").await;
    assert!(refused.starts_with("HTTP/1.1 400 ") && refused.contains("proof_malformed"), "{refused}");
    let refused = ask("PUT /login HTTP/1.1").await;
    assert!(refused.starts_with("HTTP/1.1 405 "), "{refused}");
    assert!(refused.contains("\r\nallow: POST, GET, HEAD, OPTIONS\r\n"), "{refused}");
}

#[test]
fn a_number_of_proxies_that_cannot_be_is_an_error_at_the_start() {
    for count in ["", "-1", "one", "17", "10.0.0.1"] {
        let output = command("hyper_proxy", &["--sandbox"], &[("TRUSTED_PROXIES", count)]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{count}: {said}");
        assert!(said.contains("TRUSTED_PROXIES"), "{count}: {said}");
    }
}

/// Sends a request, shuts the writing side down, and reads the answer to its end.
async fn half_closed(address: SocketAddr, request: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn login(token: &str, headers: &str) -> String {
    let body = format!(r#"{{"token":"{token}","phone":"13800000000"}}"#);
    let length = body.len();
    let head = "POST /login HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json";
    format!("{head}\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
}

#[tokio::test]
async fn a_client_that_shuts_its_writing_side_down_gets_the_answer_of_a_slow_jpush() {
    let (backend, example) = proxy(&[]).await;
    for headers in ["", "Connection: close\r\n"] {
        let runs = backend.runs();
        let answer = half_closed(example.address, &login("sandbox-delay-300-9000", headers)).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("application"), "{answer}");
        assert_eq!(backend.runs(), runs + 1);
        let answer = half_closed(example.address, &login("sandbox-delay-300-for-13900000000", headers)).await;
        assert!(answer.starts_with("HTTP/1.1 403 ") && answer.ends_with('}'), "{answer}");
        assert_eq!(backend.runs(), runs + 1);
    }
}

#[tokio::test]
async fn a_client_that_shuts_its_writing_side_down_gets_the_whole_answer_of_a_slow_backend() {
    const FRAMES: usize = 20;
    let pause = || tokio::time::sleep(Duration::from_millis(100));
    // Slow to begin, and slow in the middle.
    let backend = tower::service_fn(move |_: Request<Incoming>| async move {
        pause().await;
        let frames = futures_util::stream::unfold(0, move |sent| async move {
            if sent == FRAMES / 2 {
                pause().await;
            }
            let frame = || Ok::<_, Infallible>(Frame::data(Bytes::from(vec![b'a'; 1 << 16])));
            (sent < FRAMES).then(|| (frame(), sent + 1))
        });
        Ok::<_, Infallible>(Response::new(StreamBody::new(frames)))
    });
    let example = Example::proxy_to(serve(backend).await);
    let get = "GET /health HTTP/1.1\r\nHost: shop.example\r\n\r\n".to_owned();
    for request in [get, login("sandbox-9000", "")] {
        let answer = half_closed(example.address, &request).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{}", answer.lines().next().unwrap_or_default());
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(body.bytes().filter(|&byte| byte == b'a').count(), FRAMES << 16);
        assert!(body.ends_with("0\r\n\r\n"), "the answer was cut off");
    }
}

#[tokio::test]
async fn a_request_that_is_cut_off_in_its_body_is_not_handed_on() {
    let (backend, example) = proxy(&[]).await;
    let whole = login("sandbox-9000", "");
    let answer = half_closed(example.address, &whole[..whole.len() - 1]).await;
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    assert_eq!(backend.runs(), 0);
}

/// An example that may open 24 descriptors, as a shell allows it. Ended when it is dropped.
#[cfg(target_os = "linux")]
struct Starved {
    child: Child,
    address: SocketAddr,
    /// Held to the end: the example prints more than its address.
    _printed: BufReader<ChildStdout>,
}

#[cfg(target_os = "linux")]
impl Starved {
    fn start(name: &str, flags: &str) -> Self {
        let example = command(name, &[], &[]);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n 24; exec \"$0\" {flags}")]).arg(example.get_program());
        for (name, _) in example.get_envs() {
            shell.env_remove(name);
        }
        shell.env("LISTEN_ADDR", "127.0.0.1:0").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        let mut first = String::new();
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        printed.read_line(&mut first).unwrap();
        let (_, address) = first.split_once("http://").expect("an address");
        let is_of_it = |c: char| c.is_ascii_digit() || matches!(c, '.' | ':');
        let address = address.split(|c| !is_of_it(c)).next().unwrap().trim_end_matches('.').parse().unwrap();
        Self { child, address, _printed: printed }
    }

    /// How many descriptors it has open.
    fn open(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// The time that it has run on any core, in ticks of a hundredth of a second.
    fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }

    fn answer(&self) -> String {
        let mut client = TcpStream::connect(self.address).unwrap();
        client.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer
    }
}

#[cfg(target_os = "linux")]
impl Drop for Starved {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_proxy_without_descriptors_says_so_once_and_accepts_again_when_it_has_some() {
    let mut example = Starved::start("hyper_proxy", "--sandbox");
    let idle: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(example.address).unwrap()).collect();
    let mut errors = BufReader::new(example.child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("no connection can be accepted") {
        assert_ne!(errors.read_line(&mut said).unwrap(), 0, "{said}");
    }
    // Some attempts later it is still the one line.
    std::thread::sleep(Duration::from_millis(500));
    drop(idle);
    let answer = example.answer();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    drop(example);
    errors.read_to_string(&mut said).unwrap();
    assert_eq!(said.matches("no connection can be accepted").count(), 1, "{said}");
}

/// A loop that tries again at once takes every tick that it can get.
#[cfg(target_os = "linux")]
#[test]
fn without_descriptors_an_example_waits_before_it_accepts_again() {
    for (name, flags) in [("hyper_proxy", "--sandbox"), ("sandbox", "")] {
        let example = Starved::start(name, flags);
        let idle: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(example.address).unwrap()).collect();
        while example.open() < 24 {
            std::thread::sleep(Duration::from_millis(10));
        }
        let before = example.ticks();
        std::thread::sleep(Duration::from_secs(1));
        let ran = example.ticks() - before;
        assert!(ran <= 5, "{name}: {ran} ticks of 100");
        drop(idle);
        assert!(example.answer().starts_with("HTTP/1.1 "), "{name}");
    }
}
