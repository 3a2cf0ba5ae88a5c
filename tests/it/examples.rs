//! The examples do what they print: each is started as a person starts it, and gets the requests that it prints.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header::TRAILER};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Frame;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use prost::Message;
use tower_jverify::{Check, Class, Credentials, JPush, Phone};

use crate::{
    grpc::{LoginRequest, unary},
    support::{Application, exchange, serve},
};

/// A running example; ended when dropped.
pub(crate) struct Example {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What it printed up to the line that was waited for.
    printed: String,
}

/// An example with only these of the variables that examples read.
pub(crate) fn command(name: &str, flags: &[&str], vars: &[(&str, &str)]) -> Command {
    let mut command = Command::new(built().join(name));
    for ours in [
        "JPUSH_APP_KEY",
        "JPUSH_MASTER_SECRET",
        "JPUSH_BASE_URL",
        "JPUSH_PROOF_BYTES",
        "LISTEN_ADDR",
        "UPSTREAM_URL",
        "TRUSTED_PROXIES",
    ] {
        command.env_remove(ours);
    }
    command.args(flags).envs(vars.iter().copied());
    command
}

/// The folder of the examples, which are built first: `cargo test --test it` alone builds none.
fn built() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // …/debug/deps/it-0123456789abcdef
        let test = env::current_exe().unwrap();
        let profile = test.ancestors().nth(2).expect("cargo's folder of the profile");
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--all-features", "--examples", "--manifest-path"]);
        cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        cargo.arg("--target-dir").arg(profile.parent().expect("cargo's target folder"));
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        let built = cargo.status().expect("cargo starts");
        assert!(built.success(), "the examples do not build: {cargo:?}");
        profile.join("examples")
    })
}

/// Starts an example on a free port, and waits until it has printed all it prints.
fn start(name: &str, flags: &[&str], vars: &[(&str, &str)]) -> Example {
    let mut command = command(name, flags, vars);
    if vars.iter().all(|(name, _)| *name != "LISTEN_ADDR") {
        command.env("LISTEN_ADDR", "127.0.0.1:0");
    }
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut printed = String::new();
    loop {
        let line = lines.next().unwrap_or_else(|| panic!("{name} ended after:\n{printed}")).unwrap();
        printed.push_str(&line);
        printed.push('\n');
        if line == "Ctrl-C ends it." {
            break;
        }
    }
    let (_, address) = printed.split_once("http://").expect("an address");
    let address = address.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':')).next().unwrap();
    let address = address.trim_end_matches(['.', ':']).parse().unwrap_or_else(|_| panic!("{address}"));
    Example { child, address, printed }
}

impl Example {
    pub(crate) fn start(name: &str, flags: &[&str], vars: &[(&str, &str)]) -> Self {
        start(name, flags, vars)
    }

    pub(crate) fn sandboxed(name: &str) -> Self {
        start(name, &["--sandbox"], &[])
    }

    pub(crate) fn proxy_to(upstream: SocketAddr) -> Self {
        let upstream = format!("http://{upstream}");
        start("hyper_proxy", &["--sandbox"], &[("UPSTREAM_URL", &upstream)])
    }

    /// The curl lines with the answers that they promise.
    fn promises(&self) -> Vec<(String, String)> {
        let paragraphs = self.printed.split("\n\n").filter(|paragraph| paragraph.contains("curl "));
        let split = |paragraph: &str| {
            let lines: Vec<&str> = paragraph.lines().filter(|line| !line.starts_with('#')).map(str::trim).collect();
            let (command, answer) = lines.split_first().expect("a line to try");
            ((*command).to_owned(), answer.join("\n"))
        };
        paragraphs.map(split).collect()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Does what a curl line of an example over HTTP says.
async fn curl(line: &str) -> String {
    let between = |start: &str, end: &str| Some(line.split_once(start)?.1.split_once(end)?.0);
    let url = format!("http://{}", between("http://", " ").unwrap());
    let headers = line.split("-H '").skip(1).filter_map(|rest| rest.split_once('\'')?.0.split_once(": "));
    let client = reqwest::Client::new();
    let request = match between("-d '", "'") {
        Some(body) => client.post(url).body(body.to_owned()),
        None => client.get(url),
    };
    let request = headers.fold(request, |request, (name, value)| request.header(name, value));
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    format!("{} {status}", response.text().await.unwrap())
}

/// A connection that is read to its end.
fn raw(method: &str, target: &str, headers: &str, body: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{headers}\r\n{body}")
}

#[tokio::test]
async fn the_axum_application_and_the_proxy_answer_as_they_print_and_alike() {
    let mut tables = Vec::new();
    for name in ["axum_login", "hyper_proxy"] {
        let example = Example::sandboxed(name);
        let promises = example.promises();
        let mut statuses: Vec<String> = Vec::new();
        for (line, promised) in &promises {
            assert_eq!(curl(line).await, *promised, "{name}: {line}");
            statuses.push(promised.rsplit(' ').next().unwrap().to_owned());
        }
        for status in ["200", "400", "403", "429", "503"] {
            assert!(statuses.iter().any(|told| told == status), "{name} shows no {status}");
        }
        let address = example.address.to_string();
        tables.push(promises.into_iter().map(|(line, told)| (line.replace(&address, ""), told)).collect::<Vec<_>>());
    }
    assert_eq!(tables[0], tables[1]);
}

#[tokio::test]
async fn the_application_that_checks_the_password_first_answers_as_it_prints() {
    let example = Example::sandboxed("password_first");
    let promises = example.promises();
    for (line, promised) in &promises {
        assert_eq!(curl(line).await, *promised, "{line}");
    }
    assert_eq!(promises.len(), 3);
}

#[tokio::test]
async fn the_decision_log_has_a_line_for_each_request() {
    let file = env::temp_dir().join(format!("tower-jverify-{}.ndjson", std::process::id()));
    let example = start("decision_log", &["--sandbox"], &[("DECISION_LOG", file.to_str().unwrap())]);
    let [(line, promised)] = &example.promises()[..] else { panic!("{}", example.printed) };
    assert_eq!(curl(line).await, *promised);
    assert!(curl(&line.replace("sandbox-9000-risk-450", "sandbox-9001")).await.ends_with(" 403"));
    let written = loop {
        let written = std::fs::read_to_string(&file).unwrap();
        if written.matches('\n').count() == 2 {
            break written;
        }
        tokio::task::yield_now().await;
    };
    std::fs::remove_file(&file).unwrap();
    assert!(!written.contains("13800000000") && !written.contains("127.0.0.1"), "{written}");
    let records: Vec<serde_json::Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&records[0]["decision"], &records[0]["inner_status"]), (&"flag".into(), &200.into()));
    assert_eq!((&records[1]["decision"], &records[1]["reason"]), (&"deny".into(), &"rejected".into()));
    for field in ["phone", "client"] {
        assert!(records[0][field].is_string() && records[0][field] == records[1][field], "{written}");
    }
}

#[tokio::test]
async fn the_application_that_rolls_out_answers_as_it_prints() {
    let example = Example::sandboxed("rollout");
    let promises = example.promises();
    for (line, promised) in &promises {
        assert_eq!(curl(line).await, *promised, "{line}");
    }
    assert_eq!(promises.len(), 8);
}

#[tokio::test]
async fn the_application_that_steps_up_answers_as_it_prints_and_as_the_page_says() {
    let example = Example::sandboxed("step_up");
    let page = include_str!("../../docs/step-up.md");
    let promises = example.promises();
    let client = reqwest::Client::new();
    let mut pass = String::new();
    for (line, promised) in &promises {
        assert!(page.contains(&line.replace(&example.address.to_string(), "127.0.0.1:3000")), "{line}");
        let body = line.rsplit_once("-d '").unwrap().1.trim_end_matches('\'');
        let mut request = client.post(format!("http://{}/login", example.address)).body(body.to_owned());
        request = request.header("content-type", "application/json");
        if line.contains("\"x-jverify-pass: $PASS\"") {
            request = request.header("x-jverify-pass", &pass);
        }
        let response = request.send().await.unwrap();
        let (status, issued) = (response.status(), response.headers().get("x-jverify-pass").cloned());
        let issued = issued.map(|pass| pass.to_str().unwrap().to_owned());
        let text = response.text().await.unwrap();
        let answer = format!("{text} {} {}", status.as_u16(), issued.as_deref().unwrap_or_default());
        let answer = issued.as_ref().map_or(answer.clone(), |pass| answer.replace(pass, "$PASS"));
        assert_eq!(answer.trim_end(), promised, "{line}");
        pass = issued.unwrap_or(pass);
    }
    assert_eq!(promises.len(), 5);
    // The page shows the first document, with a pass that is cut.
    let (document, _) = promises[0].1.split_once(" 403 ").unwrap();
    let document = document.replace("$PASS", "eyJ0eXAiOi…");
    assert!(page.contains(&format!("```json\n{document}\n```")), "{document}");
}

#[test]
fn the_readmes_show_what_the_axum_application_prints() {
    let example = Example::sandboxed("axum_login");
    let promises: Vec<_> = example.promises();
    let address = example.address.to_string();
    for readme in [include_str!("../../README.md"), include_str!("../../README.zh-CN.md")] {
        let lines: Vec<&str> = readme.lines().collect();
        let shown: Vec<_> = lines.windows(2).filter(|pair| pair[0].starts_with("curl ")).collect();
        assert_eq!(shown.len(), 3);
        for pair in shown {
            let line = pair[0].replace("127.0.0.1:3000", &address);
            let answer = pair[1].strip_prefix("# ").unwrap_or_default().to_owned();
            assert!(promises.contains(&(line, answer)), "{}", pair[0]);
        }
    }
}

#[tokio::test]
async fn the_printed_lines_are_curl_s_own() {
    let examples = ["axum_login", "password_first", "rollout", "tonic_login"].map(Example::sandboxed);
    for (line, promised) in examples.iter().flat_map(Example::promises) {
        let output = Command::new("sh").args(["-c", &line]).output().expect("a shell starts");
        if output.status.code() == Some(127) {
            assert!(env::var_os("CI").is_none(), "no curl here");
            eprintln!("no curl here: not tested");
            return;
        }
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), promised, "{line}");
    }
    // Each of these sends the pass of an answer before it.
    let example = Example::sandboxed("step_up");
    let mut pass = String::new();
    for (line, promised) in example.promises() {
        let output = Command::new("sh").args(["-c", &line]).env("PASS", &pass).output().expect("a shell starts");
        let answer = String::from_utf8(output.stdout).unwrap();
        let issued = answer.trim_end().rsplit(' ').next().filter(|word| word.starts_with("ey")).map(str::to_owned);
        let shown = issued.as_ref().map_or(answer.clone(), |issued| answer.replace(issued, "$PASS"));
        assert_eq!(shown.trim_end(), promised, "{line}");
        pass = issued.unwrap_or(pass);
    }
}

#[test]
fn invalid_settings_end_an_example_with_their_names() {
    const CREDENTIALS: [(&str, &str); 2] = [("JPUSH_APP_KEY", "key"), ("JPUSH_MASTER_SECRET", "canary-5d1e")];
    let with = |more: (&'static str, &'static str)| [CREDENTIALS.as_slice(), &[more]].concat();
    let missing = &["JPUSH_APP_KEY", "JPUSH_MASTER_SECRET", "--sandbox"][..];
    for (flags, vars, named) in [
        (&[][..], vec![], missing),
        (&[], vec![("JPUSH_BASE_URL", "http://127.0.0.1:1")], missing),
        (&[], vec![CREDENTIALS[0]], &["JPUSH_MASTER_SECRET"]),
        (&[], vec![CREDENTIALS[1]], &["JPUSH_APP_KEY"]),
        (&[], vec![CREDENTIALS[0], ("JPUSH_MASTER_SECRET", "")], &["JPUSH_MASTER_SECRET", "empty"]),
        (
            &[],
            with(("JPUSH_BASE_URL", "http://jpush.example")),
            &["JPUSH_BASE_URL", "http://jpush.example", "loopback"],
        ),
        (&[], with(("LISTEN_ADDR", "nowhere")), &["LISTEN_ADDR", "nowhere"]),
        (&["--sandbox"], vec![("LISTEN_ADDR", "0.0.0.0:0")], &["LISTEN_ADDR", "0.0.0.0:0", "loopback"]),
        (&["--sandbox"], vec![("LISTEN_ADDR", "[::]:0")], &["LISTEN_ADDR", "[::]:0"]),
        (&["--sandbx"], vec![], &["--sandbx", "--sandbox"]),
    ] {
        for name in ["axum_login", "hyper_proxy", "password_first", "rollout", "tonic_login"] {
            let output = finish(name, flags, &vars);
            for named in named {
                assert!(output.contains(named), "{name} {flags:?} {vars:?} does not name {named}: {output}");
            }
            assert!(!output.contains("canary"), "{name}: {output}");
        }
    }
    for url in ["https://backend.example", "backend:80", "http://127.0.0.1:1/path", "http://127.0.0.1:1/?q"] {
        let output = finish("hyper_proxy", &["--sandbox"], &[("UPSTREAM_URL", url), ("LISTEN_ADDR", "127.0.0.1:0")]);
        assert!(output.contains("UPSTREAM_URL") && output.contains(url), "{url}: {output}");
    }
    let output = finish("sandbox", &[], &[("LISTEN_ADDR", "0.0.0.0:0")]);
    assert!(output.contains("LISTEN_ADDR"), "{output}");
    for flags in [&["--minutes", "1"] as &[_], &["--minutes"], &["--seed", "a"], &["--guarded", "1"], &["--hours", "1"]]
    {
        let output = finish("soak", flags, &[]);
        assert!(output.contains(flags[0]), "{flags:?}: {output}");
    }
}

#[test]
fn the_simulation_of_instances_bills_resent_logins_once_for_one_instance_alone() {
    let output = command("instances", &[], &[]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}");
    let row = |row: &str| {
        let cells: Vec<u32> = row.split(" | ").filter_map(|cell| cell.parse().ok()).collect();
        (cells[0], cells[1])
    };
    let rows: Vec<(u32, u32)> = printed.lines().filter_map(|line| line.strip_prefix("| ")).skip(1).map(row).collect();
    assert_eq!(rows.iter().map(|(instances, _)| *instances).collect::<Vec<_>>(), [1, 2, 4, 16], "{printed}");
    assert_eq!(rows[0].1, 5_000, "{printed}");
    assert!(rows[1..].iter().all(|(_, calls)| (5_001..=5_250).contains(calls)), "{printed}");
}

#[test]
fn the_soak_explains_its_flags() {
    let output = command("soak", &["--help"], &[]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for flag in ["--minutes", "--seed", "--unmatched", "--guarded", "--redis", "--metrics"] {
        assert!(output.status.success() && help.contains(flag), "{flag}: {help}");
    }
}

/// What an example says when it refuses to start.
fn finish(name: &str, flags: &[&str], vars: &[(&str, &str)]) -> String {
    let mut command = command(name, flags, vars);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // An example that starts after all prints where it listens: that ends the wait, and the test.
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    if !first.is_empty() {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(2), "{name} {flags:?} {vars:?} started: {first}");
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    said
}

#[tokio::test]
async fn the_axum_application_asks_the_sandbox_server_over_a_socket() {
    let jpush = start("sandbox", &[], &[]);
    let base_url = format!("http://{}", jpush.address);
    let credentials = [("JPUSH_APP_KEY", "key"), ("JPUSH_MASTER_SECRET", "secret"), ("JPUSH_BASE_URL", &*base_url)];
    // No proxy listens there, and none is used: the environment does not decide where credentials are sent.
    let proxies = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let vars: Vec<_> = credentials.into_iter().chain(proxies.map(|name| (name, "http://127.0.0.1:1"))).collect();
    for name in ["axum_login", "hyper_proxy"] {
        let example = start(name, &[], &vars);
        // The same answers as with the sandbox inside.
        for (line, promised) in Example::sandboxed(name).promises() {
            let (start, rest) = line.split_once("http://").unwrap();
            let path = rest.split_once('/').unwrap().1;
            let line = format!("{start}http://{}/{path}", example.address);
            assert_eq!(curl(&line).await, promised, "{name}: {line}");
        }
    }
}

#[tokio::test]
async fn by_their_flags_the_sandbox_server_listens_beyond_loopback_and_an_application_asks_it() {
    let jpush = start("sandbox", &["--danger-sandbox-beyond-loopback"], &[("LISTEN_ADDR", "0.0.0.0:0")]);
    assert!(jpush.address.ip().is_unspecified());
    // 127.0.0.1, as a name that must be resolved.
    let base_url = format!("http://2130706433:{}", jpush.address.port());
    let vars = [("JPUSH_APP_KEY", "key"), ("JPUSH_MASTER_SECRET", "secret"), ("JPUSH_BASE_URL", &*base_url)];
    let output = finish("axum_login", &[], &vars);
    assert!(output.contains("JPUSH_BASE_URL") && output.contains("loopback"), "{output}");
    let example = start("axum_login", &["--danger-plain-http-to-private-hosts"], &vars);
    let url = format!("http://{}/login", example.address);
    let login = reqwest::Client::new().post(url).header("content-type", "application/json");
    let login = login.body(r#"{"token":"sandbox-9000","phone":"13800000000"}"#);
    assert_eq!(login.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_sandbox_server_answers_as_it_prints() {
    let example = start("sandbox", &[], &[]);
    assert_eq!(example.promises().len(), 7);
    for (line, promised) in example.promises() {
        let between = |start: &str, end: &str| line.split_once(start).unwrap().1.split_once(end).unwrap().0.to_owned();
        let url = format!("http://{}", between("http://", " "));
        let request = reqwest::Client::new().post(url).basic_auth("key", Some("secret"));
        let request = request.header("content-type", "application/json").body(between("-d '", "'"));
        let answer = request.send().await.unwrap().text().await.unwrap();
        assert_eq!(answer.trim(), promised.trim(), "{line}");
    }
}

#[tokio::test]
async fn the_sandbox_server_has_one_tap_logins_and_bad_days() {
    let example = start("sandbox", &[], &[]);
    let pem = &example.printed[example.printed.find("-----BEGIN").expect("a key")..];
    let credentials = Credentials::new("key", "secret").unwrap();
    let jpush = JPush::builder(credentials).base_url(&format!("http://{}", example.address));
    let jpush = jpush.one_tap_key(&pem[..=pem.rfind("-----").unwrap() + 4].into()).build().unwrap();
    let phone = Phone::parse("13800000000").unwrap();
    let verdict = jpush.ask(Check::one_tap("sandbox-8000-13800000000")).await.unwrap();
    assert_eq!((verdict.class(), verdict.phone()), (Class::Passed, Some(phone)));
    let error = jpush.ask(Check::number("sandbox-reset-9000", phone)).await.unwrap_err();
    assert!(!error.nothing_sent(), "{error}");
}

#[tokio::test]
async fn the_proxy_speaks_prior_knowledge_http2_and_passes_bodies_and_trailers() {
    let example = Example::sandboxed("hyper_proxy");
    let client: Client<HttpConnector, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let login = Request::post(format!("http://{}/login", example.address))
        .header("content-type", "application/json")
        .body(Full::from(r#"{"token":"sandbox-9000","phone":"13800000000"}"#))
        .unwrap();
    let response = client.request(login).await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, http::Version::HTTP_2));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(body.starts_with(br#"{"phone":"138****0000""#), "{body:?}");

    // Past the echo and back, in one frame after the other, with a trailer; over HTTP/2 to the proxy, HTTP/1.1 behind it.
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("x-sum"), HeaderValue::from_static("42"))]);
    let frames = [Frame::data(Bytes::from("a".repeat(100_000))), Frame::data("b".into()), Frame::trailers(trailers)];
    let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, std::convert::Infallible>)));
    let echo =
        Request::post(format!("http://{}/echo", example.address)).header(TRAILER, "x-sum").header("te", "trailers");
    let echoed = client.request(echo.body(body).unwrap()).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(echoed.trailers().map(|trailers| &trailers["x-sum"]), Some(&HeaderValue::from_static("42")));
    assert_eq!(echoed.to_bytes(), "a".repeat(100_000) + "b");
}

#[tokio::test]
async fn the_proxy_passes_a_body_on_while_it_comes() {
    let example = Example::sandboxed("hyper_proxy");
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let (more, rest) = tokio::sync::mpsc::unbounded_channel();
    let frames =
        futures_util::stream::unfold(rest, |mut rest| async move { rest.recv().await.map(|frame| (frame, rest)) });
    let body = StreamBody::new(futures_util::StreamExt::map(frames, |data: &'static str| {
        Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from(data)))
    }));
    more.send("first").unwrap();
    let echo = Request::post(format!("http://{}/echo", example.address)).body(Box::pin(body)).unwrap();
    let mut echoed = client.request(echo).await.unwrap().into_body();
    // The second is only sent once the first has come back.
    for (came, next) in [("first", Some("second")), ("second", None)] {
        // A proxy that keeps the first back would wait for the second without end.
        let frame = tokio::time::timeout(Duration::from_secs(30), echoed.frame()).await.expect("the first comes back");
        assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), came);
        let _ = next.map(|next| more.send(next).unwrap());
    }
    drop(more);
    assert!(echoed.frame().await.is_none_or(|end| end.unwrap().into_data().is_ok_and(|data| data.is_empty())));
}

#[tokio::test]
async fn cookies_that_came_in_pieces_over_http2_are_one_line_for_the_backend() {
    let backend = Application::default();
    let example = Example::proxy_to(serve(backend.clone()).await);
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Empty<Bytes>>();
    let request = Request::get(format!("http://{}/", example.address)).header("cookie", "a=1").header("cookie", "b=2");
    client.request(request.body(Empty::new()).unwrap()).await.unwrap();
    let cookies: Vec<_> = backend.last().parts.headers.get_all("cookie").into_iter().cloned().collect();
    assert_eq!(cookies, ["a=1; b=2"]);
}

#[tokio::test]
async fn the_proxy_hands_on_the_trailers_of_a_guarded_request() {
    let backend = Application::default();
    let example = Example::proxy_to(serve(backend.clone()).await);
    let login = r#"{"token":"sandbox-9000","phone":"13800000000"}"#;
    let headers = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n";
    let body = format!("{:x}\r\n{login}\r\n0\r\nX-Sum: 42\r\n\r\n", login.len());
    let response = exchange(example.address, raw("POST", "/login", headers, &body)).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    let seen = backend.last();
    assert_eq!(seen.body.unwrap(), login);
    assert_eq!(seen.trailers.unwrap()["x-sum"], "42");
    assert_eq!(seen.parts.headers["x-jverify-phone"], "13800000000");
}

#[tokio::test]
async fn the_proxy_hands_on_nothing_by_which_a_backend_takes_another_path_or_protocol() {
    let backend = Application::default();
    let example = Example::proxy_to(serve(backend.clone()).await);
    let headers = "X-Original-URL: /admin\r\nX_Rewrite_URL: /admin\r\nX-Rewrite-URL: /admin\r\nX-Jverify-Decision: allow\r\n\
         Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nConnection: upgrade, http2-settings, x-mine\r\n\
         Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip, trailers;q=0.5\r\nX-Mine: 1\r\n\
         X-Stays: b\r\nX-Stays: a\r\nProxy-Authorization: Basic eDp5\r\n";
    let response = exchange(example.address, raw("GET", "/health?a=%2F", headers, "")).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    let parts = backend.last().parts;
    assert_eq!(parts.uri, "/health?a=%2F");
    let names: Vec<&str> = parts.headers.keys().map(HeaderName::as_str).filter(|name| *name != "host").collect();
    assert_eq!(names, ["x-stays", "x-forwarded-for"]);
    assert_eq!(parts.headers.get_all("x-stays").iter().collect::<Vec<_>>(), ["b", "a"]);

    exchange(example.address, raw("GET", "/", "TE: deflate, trailers\r\n", "")).await;
    let headers = backend.last().parts.headers;
    assert_eq!((&headers["te"], &headers["connection"]), (&"trailers".parse().unwrap(), &"te".parse().unwrap()));

    let runs = backend.runs();
    let response = exchange(example.address, raw("CONNECT", "db.example:5432", "", "")).await;
    assert!(response.starts_with("HTTP/1.1 405 "), "{response}");
    let response = exchange(example.address, raw("OPTIONS", "*", "", "")).await;
    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
    assert_eq!(backend.runs(), runs);
}

#[tokio::test]
async fn the_proxy_refuses_what_a_backend_of_another_language_may_read_as_a_guarded_path() {
    let proxy = Example::sandboxed("hyper_proxy");
    for target in ["/login.json", "/login.php/x", "/index.php/login"] {
        let answer = exchange(proxy.address, raw("POST", target, "content-type: application/json\r\n", "{}")).await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("path_ambiguous"), "{target}: {answer}");
    }
}

#[tokio::test]
async fn every_request_has_one_framing_towards_the_backend() {
    const LOGIN: &str = r#"{"token":"sandbox-9000","phone":"13800000000"}"#;
    let chunked = |body: &str| format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let json = "Content-Type: application/json\r\n";
    let length = format!("Content-Length: {}\r\n", LOGIN.len());
    let both = format!("{length}Transfer-Encoding: chunked\r\n");
    for (method, path, headers, body, framing) in [
        ("POST", "/login", format!("{json}{both}"), chunked(LOGIN), "content-length: 46"),
        ("POST", "/login", format!("{json}{length}"), LOGIN.into(), "content-length: 46"),
        ("POST", "/other", both.clone(), chunked(LOGIN), "transfer-encoding: chunked"),
        (
            "POST",
            "/other",
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n".into(),
            chunked(LOGIN),
            "transfer-encoding: chunked",
        ),
        ("POST", "/other", length.clone(), LOGIN.into(), "content-length: 46"),
        ("POST", "/other", format!("{length}Connection: content-length\r\n"), LOGIN.into(), "content-length: 46"),
        ("GET", "/other", "Transfer-Encoding: chunked\r\n".into(), chunked(LOGIN), "transfer-encoding: chunked"),
        ("POST", "/other", "Content-Length: 0\r\n".into(), String::new(), "content-length: 0"),
        ("POST", "/other", "Transfer-Encoding: chunked\r\n".into(), "0\r\n\r\n".into(), "transfer-encoding: chunked"),
        ("POST", "/other", String::new(), String::new(), ""),
        ("GET", "/other", String::new(), String::new(), ""),
    ] {
        let (received, response) = through_the_proxy(raw(method, path, &headers, &body)).await;
        let case = format!("{method} {path}\n{headers}");
        let (head, sent) = received.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{case}: {response}"));
        let head = head.to_ascii_lowercase();
        let told: Vec<&str> = head
            .lines()
            .filter(|line| line.starts_with("content-length") || line.starts_with("transfer-encoding"))
            .collect();
        assert_eq!(told.join("\n"), framing, "{case}");
        assert_eq!(sent.contains(LOGIN), body.contains(LOGIN), "{case}: {sent}");
    }
}

/// What a backend receives of these bytes, up to where it answers, and the answer.
async fn through_the_proxy(request: String) -> (String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let example = Example::proxy_to(listener.local_addr().unwrap());
    let backend = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut received = String::new();
        let mut buffer = [0; 4096];
        // Complete: the last chunk, as many bytes as `content-length` says, or a head without a body.
        loop {
            let read = stream.read(&mut buffer).await.unwrap();
            received.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            let Some((head, body)) = received.split_once("\r\n\r\n") else { continue };
            let head = head.to_ascii_lowercase();
            let length = head.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next()?.parse().ok());
            let whole =
                if head.contains("chunked") { body.ends_with("0\r\n\r\n") } else { body.len() >= length.unwrap_or(0) };
            if whole || read == 0 {
                break;
            }
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await.unwrap();
        received
    });
    let response = exchange(example.address, request).await;
    let received = if response.starts_with("HTTP/1.1 204 ") { backend.await.unwrap() } else { String::new() };
    (received, response)
}

#[tokio::test]
async fn a_backend_that_fails_is_a_502() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let response = exchange(Example::proxy_to(nobody).address, raw("GET", "/", "", "")).await;
    assert!(response.starts_with("HTTP/1.1 502 "), "{response}");

    for answer in
        ["", "nonsense\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let example = Example::proxy_to(listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let response = exchange(example.address, raw("GET", "/", "", "")).await;
        assert!(response.starts_with("HTTP/1.1 502 "), "{answer:?}: {response}");
    }
}

#[tokio::test]
async fn the_proxy_takes_from_an_answer_what_was_for_one_connection() {
    let backend = tower::service_fn(|_: Request<hyper::body::Incoming>| async {
        let response =
            Response::builder().header("connection", "x-mine").header("x-mine", "1").header("keep-alive", "timeout=5");
        response.header("x-stays", "1").body(Empty::<Bytes>::new())
    });
    let example = Example::proxy_to(serve(backend).await);
    let response = exchange(example.address, raw("GET", "/", "", "")).await.to_ascii_lowercase();
    assert!(response.contains("\r\nx-stays: 1\r\n"), "{response}");
    assert!(!response.contains("x-mine") && !response.contains("keep-alive"), "{response}");
}

#[tokio::test]
async fn the_grpc_service_answers_as_it_prints() {
    let example = Example::sandboxed("tonic_login");
    let promises = example.promises();
    assert_eq!(promises.len(), 4);
    for (line, promised) in promises {
        let rpc = line.split_once(&format!("{}/", example.address)).unwrap().1.split(' ').next().unwrap();
        let frame = printf(line.split('\'').nth(1).unwrap());
        let login = LoginRequest::decode(&frame[5..]).unwrap();
        let answered = match unary(example.address, &format!("/{rpc}"), login).await {
            Ok(text) => format!("{text}\ngrpc-status: 0"),
            Err(status) => format!("grpc-status: {}", status.code() as i32),
        };
        assert_eq!(answered, promised, "{line}");
    }
}

/// What `printf` makes of plain characters and three octal digits.
fn printf(escaped: &str) -> Vec<u8> {
    let mut parts = escaped.split('\\');
    let plain = parts.next().unwrap().as_bytes().to_vec();
    parts.fold(plain, |mut bytes, part| {
        bytes.push(u8::from_str_radix(&part[..3], 8).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[3..]);
        bytes
    })
}
