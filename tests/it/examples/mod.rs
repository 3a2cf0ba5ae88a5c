//! The examples do what they print: each is started as a person starts it, and gets the requests that it prints.

mod decision_log;
mod printed;
mod proxy;
mod sandbox;

use std::{
    env,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
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
