//! The readers of other languages, each peer in one long-lived process.
//!
//! A question is a line `=type =body token phone`: type and body in base64, and where token and phone are (segments joined
//! by `/`). The answer is a line of JSON: by the name of each reader `null` when it refuses the body, else what it reads as
//! token and phone: `null` for nothing, base64 for a text or an integer, `{"other": …}` for anything else.
//!
//! PHP's built-in server is called over HTTP, because only a server fills `$_POST`.

use std::{
    env,
    fmt::{self, Write as _},
    io::{self, BufRead, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderValue;
use serde_json::Value;

use crate::{
    bodies::Fields,
    layer::{Accepted, Layer, Run},
    readers,
};

/// What one reader makes of a body.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reading {
    /// It refuses the body.
    Refused,
    /// Token and phone.
    Read([Part; 2]),
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Absent,
    /// A text, or an integer in decimal.
    Text(Vec<u8>),
    /// Neither, as the reader shows it.
    Other(String),
}

/// All readers there are on this machine.
pub(crate) struct Peers {
    processes: Vec<Process>,
    php: Option<PhpServer>,
    /// Which languages and versions, for people.
    pub(crate) versions: Vec<String>,
}

struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// `php -S`.
struct PhpServer {
    child: Child,
    address: SocketAddr,
}

// === impl Part ===

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("nothing"),
            Self::Text(text) => write!(f, "\"{}\"", text.escape_ascii()),
            Self::Other(other) => f.write_str(other),
        }
    }
}

// === impl Peers ===

impl Peers {
    /// Starts every peer. One that is missing fails the test in CI and is left out elsewhere.
    pub(crate) fn start() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential");
        let mut peers = Self { processes: Vec::new(), php: None, versions: Vec::new() };
        for (program, script) in [(python(), "peer.py"), ("node".into(), "peer.js"), ("php".into(), "peer.php")] {
            if let Some((process, version)) = Process::start(&program, &here.join(script)) {
                peers.processes.push(process);
                peers.versions.push(version);
            } else {
                missing(&format!("{} tests/differential/{script}", program.display()));
            }
        }
        peers.php = PhpServer::start(&here.join("peer.php"));
        if peers.php.is_none() {
            missing("php -S 127.0.0.1:0 tests/differential/peer.php");
        }
        peers
    }

    /// What each reader makes of a body that was let in, by its name.
    pub(crate) fn read(&mut self, layer: &Layer, accepted: &Accepted, fields: Fields) -> Vec<(String, Reading)> {
        let mut readings = readers::typed(&layer.runtime, accepted, fields.paths());
        if layer.run() != Run::Plain {
            readings.extend(self.all(accepted, fields));
        }
        readings
    }

    /// What each reader makes of a body, by its name; those of a Rust application are left out.
    pub(crate) fn all(&mut self, accepted: &Accepted, fields: Fields) -> Vec<(String, Reading)> {
        let [token, phone] = fields.paths();
        let mut question = "=".to_owned();
        let content_type = accepted.content_type.as_ref().map(HeaderValue::as_bytes).unwrap_or_default();
        BASE64_STANDARD.encode_string(content_type, &mut question);
        question.push_str(" =");
        BASE64_STANDARD.encode_string(&accepted.body, &mut question);
        writeln!(question, " {token} {phone}").unwrap();
        for process in &mut self.processes {
            process.input.write_all(question.as_bytes()).expect("a peer listens");
        }
        let mut readings = readers::blind(&accepted.body, fields.paths());
        let mut answers = Vec::new();
        if let Some(php) = &self.php {
            answers.push(php.ask(accepted, fields).expect("PHP's server answers"));
        }
        answers.extend(self.processes.iter_mut().map(|process| process.line().expect("a peer answers")));
        for answer in answers {
            let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}"));
            readings.extend(answer.as_object().unwrap().iter().map(|(name, read)| (name.clone(), reading(read))));
        }
        readings
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }
}

/// The folder into which `.ci/peers` installs, next to cargo's output.
pub(crate) fn installed() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target/tmp is in target").join("peers")
}

/// The Python that has Flask and Django.
pub(crate) fn python() -> PathBuf {
    installed().join("python/bin/python")
}

/// Fails in CI; elsewhere says what is left out.
pub(crate) fn missing(command: &str) {
    let missing = format!("`{command}` does not run; `.ci/peers` installs all peers");
    assert!(env::var("CI").is_err(), "{missing}");
    // Not by `eprintln!`, of which a test that passes shows nothing.
    let _ = writeln!(io::stderr(), "SKIPPED: {missing}");
}

// === impl PhpServer ===

impl PhpServer {
    fn start(script: &Path) -> Option<Self> {
        let (child, address) = php(script)?;
        Some(Self { child, address })
    }

    fn ask(&self, accepted: &Accepted, fields: Fields) -> io::Result<String> {
        let [token, phone] = fields.paths();
        let mut request =
            format!("POST /login HTTP/1.0\r\nHost: localhost\r\nX-Names: {token} {phone}\r\n").into_bytes();
        if let Some(content_type) = &accepted.content_type {
            request.extend([b"Content-Type: ", content_type.as_bytes(), b"\r\n"].concat());
        }
        request.extend(format!("Content-Length: {}\r\n\r\n", accepted.body.len()).bytes());
        request.extend(&accepted.body);
        let mut stream = TcpStream::connect(self.address)?;
        stream.write_all(&request)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }
}

impl Drop for PhpServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts PHP's server without a php.ini, for a script or a folder with an `index.php`; it writes at which port it listens.
pub(crate) fn php(root: &Path) -> Option<(Child, SocketAddr)> {
    let mut child = Command::new("php")
        .args(["-n", "-q", "-S", "127.0.0.1:0"])
        .args(if root.is_dir() { Some("-t") } else { None })
        .arg(root)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut said = BufReader::new(child.stderr.take()?);
    let mut line = String::new();
    let address =
        said.read_line(&mut line).ok().and_then(|_| line.split_once("http://")?.1.split(')').next()?.parse().ok());
    // It writes a line for each request.
    std::thread::spawn(move || io::copy(&mut said, &mut io::sink()));
    if address.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    Some((child, address?))
}

// === impl Process ===

impl Process {
    fn start(program: &Path, script: &Path) -> Option<(Self, String)> {
        let mut child = Command::new(program)
            .arg(script)
            .env("NODE_PATH", installed().join("node_modules"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .ok()?;
        let (input, output) = (child.stdin.take()?, BufReader::new(child.stdout.take()?));
        let mut process = Self { child, input, output };
        let version = process.line().and_then(|line| serde_json::from_str(&line).ok());
        if version.is_none() {
            let _ = process.child.wait();
        }
        Some((process, version?))
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.output.read_line(&mut line).ok().filter(|length| *length > 0).map(|_| line)
    }
}

fn reading(answer: &Value) -> Reading {
    match answer.as_array().map(Vec::as_slice) {
        Some([token, phone]) => Reading::Read([part(token), part(phone)]),
        _ => Reading::Refused,
    }
}

fn part(answer: &Value) -> Part {
    match answer {
        Value::Null => Part::Absent,
        Value::String(text) => Part::Text(BASE64_STANDARD.decode(text).unwrap()),
        other => Part::Other(other["other"].as_str().unwrap().to_owned()),
    }
}
