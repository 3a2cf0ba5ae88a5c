//! The attacks against real frameworks, a family of tests for each class of reader.
//!
//! Each attack is sent twice: through a proxy without the layer, where the backend logs the victim in (so the test can
//! fail), and through the same proxy with the layer, where it must not. `docs/security-model.md` lists the classes.

mod backends;
mod calls;
mod codings;
mod front;
mod names;
mod paths;
mod routing;
mod types;

use std::{fmt::Write, net::SocketAddr};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower_jverify::{Ask, Rule, number};

pub(crate) use self::{
    backends::Backend,
    front::{Guard, front},
};

/// The attacker's own phone: the only one that JPush confirms.
pub(crate) const MINE: &str = "13811112222";
/// Whom the attacker wants to be.
pub(crate) const VICTIM: &str = "13999998888";

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// One backend behind each kind of proxy.
pub(crate) struct Fronts {
    open: SocketAddr,
    guarded: Vec<(Guard, SocketAddr)>,
}

/// What a backend answers: by the name of each reader, whom it logs in.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    body: Value,
}

// === impl Fronts ===

impl Fronts {
    /// In front of `/login`, with a number.
    pub(crate) async fn before(backend: SocketAddr) -> Self {
        Self::asking(backend, number().into()).await
    }

    pub(crate) async fn asking(backend: SocketAddr, ask: Ask) -> Self {
        Self::guarding(backend, Rule::post("/login", ask)).await
    }

    pub(crate) async fn guarding(backend: SocketAddr, rule: Rule) -> Self {
        let mut guarded = Vec::new();
        for guard in Guard::ALL {
            guarded.push((guard, front(backend, Some((guard, rule.clone()))).await));
        }
        Self { open: front(backend, None).await, guarded }
    }

    /// The reader accepts a login with a valid proof, through the layer and without it.
    pub(crate) async fn lets_in(&self, reader: &str, request: &[u8], what: &str) {
        for address in self.guarded.iter().map(|(_, address)| *address).chain([self.open]) {
            let answer = ask(address, request).await;
            assert_eq!(answer.logs_in(reader), Some(MINE), "{what}: {reader}: {answer:?}");
        }
    }

    /// An attack that works without the layer, and with it for no reader of this backend.
    pub(crate) async fn attack(&self, reader: &str, request: &[u8], what: &str) {
        self.attack_behind(&[Guard::Foreign, Guard::ForeignCanonical], reader, request, what).await;
    }

    /// The same, where `canonical_body` alone is enough, too.
    pub(crate) async fn attack_on_the_body(&self, reader: &str, request: &[u8], what: &str) {
        self.attack_behind(&Guard::ALL, reader, request, what).await;
    }

    /// An attack by a call on a shared path, which works without the layer, and with it for no reader that knows of calls.
    pub(crate) async fn is_no_login(&self, reader: &str, request: &[u8], what: &str) {
        let answer = ask(self.open, request).await;
        assert_eq!(answer.logs_in(reader), Some(VICTIM), "without the layer: {what}: {reader}: {answer:?}");
        for (guard, address) in self.guarded.iter().filter(|(guard, _)| *guard != Guard::Canonical) {
            let answer = ask(*address, request).await;
            // Readers that look for no `method` would log anybody in: they share no path.
            for reader in answer.readers().into_iter().filter(|reader| reader.starts_with("call")) {
                assert_ne!(answer.logs_in(reader), Some(VICTIM), "{guard:?}: {what}: {reader}: {answer:?}");
            }
        }
    }

    /// A request that is let in or refused, and logs the victim in neither way, by the readers whose names begin so.
    pub(crate) async fn never_logs_in(&self, readers: &str, request: &[u8], what: &str) {
        for (guard, address) in self.guarded.iter().filter(|(guard, _)| *guard != Guard::Canonical) {
            let answer = ask(*address, request).await;
            for reader in answer.readers().into_iter().filter(|reader| reader.starts_with(readers)) {
                assert_ne!(answer.logs_in(reader), Some(VICTIM), "{guard:?}: {what}: {reader}: {answer:?}");
            }
        }
    }

    async fn attack_behind(&self, guards: &[Guard], reader: &str, request: &[u8], what: &str) {
        let answer = ask(self.open, request).await;
        assert_eq!(answer.logs_in(reader), Some(VICTIM), "without the layer: {what}: {reader}: {answer:?}");
        for (guard, address) in self.guarded.iter().filter(|(guard, _)| guards.contains(guard)) {
            let answer = ask(*address, request).await;
            // With `canonical_body` alone only the body is what was verified.
            let readers: Vec<&str> = if *guard == Guard::Canonical { vec![reader] } else { answer.readers() };
            for reader in readers {
                assert_ne!(answer.logs_in(reader), Some(VICTIM), "{guard:?}: {what}: {reader}: {answer:?}");
            }
        }
    }
}

// === impl Answer ===

impl Answer {
    pub(crate) fn logs_in(&self, reader: &str) -> Option<&str> {
        self.body.get(reader)?.as_str()
    }

    fn readers(&self) -> Vec<&str> {
        self.body.as_object().into_iter().flat_map(|all| all.keys().map(String::as_str)).collect()
    }

    /// Whether a login ran, whomever it logged in.
    pub(crate) fn is_login(&self) -> bool {
        self.status == 200 && self.body.as_object().is_some_and(|all| !all.is_empty() && !all.contains_key("code"))
    }
}

pub(crate) fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut request = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request.push_str("Host: localhost\r\n");
    }
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    if !body.is_empty() {
        write!(request, "Content-Length: {}\r\n", body.len()).unwrap();
    }
    [request.as_bytes(), b"\r\n", body].concat()
}

pub(crate) fn post(content_type: &str, body: &str) -> Vec<u8> {
    request("POST", "/login", &[("Content-Type", content_type)], body.as_bytes())
}

/// A good login.
fn form(phone: &str) -> String {
    format!("token=real&phone={phone}")
}

fn json(phone: &str) -> String {
    format!(r#"{{"token":"real","phone":"{phone}"}}"#)
}

/// JSON with one phone, in which a form reader finds another one.
fn both(json: &str, form: &str) -> String {
    format!(r#"{{"token":"real","phone":"{json}","y":"&token=real&phone={form}&z="}}"#)
}

/// Writes a request as an attacker would.
pub(crate) async fn ask(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    Answer { status, body: serde_json::from_str(body).unwrap_or_default() }
}
