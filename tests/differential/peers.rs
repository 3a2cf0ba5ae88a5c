//! The parsers of other languages, each in one long-lived process.
//!
//! A question is a line `kind =base64 token phone`: a body, and where token and phone sit in it (segments joined by `/`).
//! The answer is a line of JSON: by the name of each reader `null` when it refuses the body, else what it reads as token
//! and phone: `null` for nothing, base64 for a text or an integer, `{"other": …}` for anything else.

use std::{
    env,
    fmt::{self, Write as _},
    io::{self, BufRead, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

use crate::bodies::{Body, Kind};

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
    /// Which languages and versions, for people.
    pub(crate) versions: Vec<String>,
}

struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
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
        let mut peers = Self { processes: Vec::new(), versions: Vec::new() };
        for (program, script) in [("python3", "peer.py"), ("node", "peer.js"), ("php", "peer.php")] {
            if let Some((process, version)) = Process::start(program, &here.join(script)) {
                peers.processes.push(process);
                peers.versions.push(version);
                continue;
            }
            let missing =
                format!("`{program} tests/differential/{script}` does not run; `.ci/peers` installs all peers");
            assert!(env::var("CI").is_err(), "{missing}");
            // Not by `eprintln!`, of which a test that passes shows nothing.
            let _ = writeln!(io::stderr(), "SKIPPED: {missing}");
        }
        peers
    }

    /// What each reader makes of a body, by its name.
    pub(crate) fn read(&mut self, body: &Body) -> Vec<(String, Reading)> {
        let (kind, [token, phone]) = (body.kind.word(), body.fields.paths());
        let mut question = format!("{kind} =");
        BASE64_STANDARD.encode_string(&body.bytes, &mut question);
        writeln!(question, " {token} {phone}").unwrap();
        for process in &mut self.processes {
            process.input.write_all(question.as_bytes()).expect("a peer listens");
        }
        let mut readings = ours(body);
        for process in &mut self.processes {
            let answer = process.line().expect("a peer answers");
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

// === impl Process ===

impl Process {
    fn start(program: &str, script: &Path) -> Option<(Self, String)> {
        // Where `.ci/peers` puts qs: beside what cargo builds.
        let modules = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?.join("peers/node_modules");
        let mut child = Command::new(program)
            .arg(script)
            .env("NODE_PATH", modules)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
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

/// The readers of this language.
fn ours(body: &Body) -> Vec<(String, Reading)> {
    let paths = body.fields.paths();
    match body.kind {
        Kind::Json => {
            let document = serde_json::from_slice::<Value>(&body.bytes).ok().filter(Value::is_object);
            let member = |path: &str| match document.as_ref()?.pointer(&format!("/{path}"))? {
                Value::Null => None,
                Value::String(text) => Some(Part::Text(text.clone().into_bytes())),
                Value::Number(number) if !number.is_f64() => Some(Part::Text(number.to_string().into_bytes())),
                other => Some(Part::Other(other.to_string())),
            };
            let read = || Reading::Read(paths.map(|path| member(path).unwrap_or(Part::Absent)));
            vec![("serde_json".to_owned(), if document.is_some() { read() } else { Reading::Refused })]
        }
        Kind::Form => {
            let pairs: Vec<_> = form_urlencoded::parse(&body.bytes).collect();
            let value = |name: &str| {
                let found: Vec<_> = pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value).collect();
                match found.as_slice() {
                    [] => Part::Absent,
                    [one] => Part::Text(one.as_bytes().to_vec()),
                    several => Part::Other(format!("{several:?}")),
                }
            };
            vec![("form_urlencoded".to_owned(), Reading::Read(paths.map(value)))]
        }
    }
}
