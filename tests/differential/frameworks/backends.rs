//! Real frameworks, each in a process that ends with its test.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use axum::{
    Form, Json, Router,
    extract::{FromRequest, Request},
    routing::post,
};
use serde_json::{Value, json};

use crate::peers::{installed, missing, php, python};

/// A process, and where its servers listen.
pub(crate) struct Backend {
    child: Option<Child>,
    addresses: BTreeMap<String, SocketAddr>,
}

// === impl Backend ===

impl Backend {
    pub(crate) fn flask() -> Option<Self> {
        Self::gunicorn("flask_app")
    }

    pub(crate) fn django() -> Option<Self> {
        Self::gunicorn("django_app")
    }

    pub(crate) fn pyramid() -> Option<Self> {
        Self::gunicorn("pyramid_app")
    }

    fn gunicorn(application: &str) -> Option<Self> {
        let mut command = Command::new(python());
        command.arg(here("gunicorn_server.py")).arg(application).env("PYTHONDONTWRITEBYTECODE", "1");
        Self::start(command, application)
    }

    /// Express, Fastify and formidable.
    pub(crate) fn node() -> Option<Self> {
        let mut command = Command::new("node");
        command.arg(here("servers.js")).env("NODE_PATH", installed().join("node_modules"));
        Self::start(command, "servers.js")
    }

    /// PHP's own server, without a php.ini.
    pub(crate) fn php() -> Option<Self> {
        let Some((child, address)) = php(&here("php")) else {
            missing("php -S 127.0.0.1:0 -t tests/differential/frameworks/php");
            return None;
        };
        Some(Self { child: Some(child), addresses: [(String::new(), address)].into() })
    }

    /// axum's own extractors.
    pub(crate) async fn axum() -> Self {
        let login = post(|request: Request| async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
            let request = || Request::from_parts(parts.clone(), axum::body::Body::from(body.clone()));
            let phone = |document: Value| document.get("phone").cloned();
            let form = Form::<Value>::from_request(request(), &()).await.ok().and_then(|Form(form)| phone(form));
            let read = Json::<Value>::from_request(request(), &()).await.ok().and_then(|Json(read)| phone(read));
            Json(json!({ "Form": form, "Json": read }))
        });
        let router = Router::new().route("/login", login);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { child: None, addresses: [(String::new(), address)].into() }
    }

    /// Starts a program that prints its port, or its ports by name, and ends when its input does.
    fn start(mut command: Command, name: &str) -> Option<Self> {
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut backend = Self { child: started.ok(), addresses: BTreeMap::new() };
        let mut line = String::new();
        if let Some(output) = backend.child.as_mut().and_then(|child| child.stdout.take()) {
            let _ = BufReader::new(output).read_line(&mut line);
        }
        let ports = match serde_json::from_str(&line) {
            Ok(Value::Object(ports)) => ports.into_iter().collect(),
            Ok(port @ Value::Number(_)) => vec![(String::new(), port)],
            _ => {
                missing(&format!("tests/differential/frameworks/{name}"));
                return None;
            }
        };
        for (name, port) in ports {
            let port = u16::try_from(port.as_u64()?).ok()?;
            backend.addresses.insert(name, SocketAddr::from(([127, 0, 0, 1], port)));
        }
        Some(backend)
    }

    /// Where the only server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.named("")
    }

    pub(crate) fn named(&self, name: &str) -> SocketAddr {
        self.addresses[name]
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        // gunicorn ends its workers when its input ends; PHP's server has none.
        let until = Instant::now() + Duration::from_secs(3);
        if child.stdin.take().is_some() {
            while matches!(child.try_wait(), Ok(None)) && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn here(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/frameworks").join(file)
}
