//! An axum application that writes one line of JSON for every guarded request. Requests do not wait for the disk.
//!
//! ```sh
//! cargo run --features axum,sandbox,serde --example decision_log -- --sandbox
//! ```
//!
//! prints a curl line to try, with its answer. The lines go to `decisions.ndjson`, or to the file that `DECISION_LOG` names.
//! The page `docs/decision-log.md` explains their fields.

use std::{
    env,
    error::Error,
    fs::{File, OpenOptions},
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use axum::{Router, routing::post};
use tokio::net::TcpListener;
use tower_jverify::{ClientIp, Decided, JVerifyLayer, Rule, Secret, Verified, number};

mod common;

/// The number of lines that may wait for the disk. Beyond it, new lines are dropped and counted.
const QUEUE: usize = 1_024;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    common::log();
    let settings = common::Settings::read();
    let log = DecisionLog::open(&env::var("DECISION_LOG").unwrap_or_else(|_| "decisions.ndjson".into()))?;

    // All instances need the same key: read it from where you keep secrets.
    let key = Secret::from("an example's key: 32 bytes or more");
    let layer = JVerifyLayer::builder(settings.verifier())
        .rule(Rule::post("/login", number().with_risk()).client_ip(ClientIp::peer()))
        .pseudonym_key(key)
        .on_decision(move |decided| log.write(decided))
        .build()?;
    let router = Router::new().route("/login", post(login));

    let listener = TcpListener::bind(settings.listen).await?;
    print_what_to_try(&format!("http://{}", listener.local_addr()?));
    let service = layer.around(router).into_make_service_with_connect_info::<std::net::SocketAddr>();
    axum::serve(listener, service).await?;
    Ok(())
}

async fn login(verified: Verified) -> String {
    verified.phone().map(|phone| format!("welcome, {}", phone.masked())).unwrap_or_default()
}

/// A file that a separate thread writes to.
struct DecisionLog {
    lines: SyncSender<Vec<u8>>,
    dropped: Arc<AtomicU64>,
}

impl DecisionLog {
    fn open(path: &str) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        let (lines, queue) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&dropped);
        thread::spawn(move || write_lines(file, &queue, &count));
        Ok(Self { lines, dropped })
    }

    /// Does not block: if the queue is full, drops the line and counts it.
    fn write(&self, decided: &Decided<'_>) {
        let Ok(mut line) = serde_json::to_vec(decided) else { return };
        line.push(b'\n');
        if self.lines.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write_lines(mut file: File, queue: &Receiver<Vec<u8>>, dropped: &AtomicU64) {
    for line in queue {
        if let Err(error) = file.write_all(&line) {
            dropped.fetch_add(1, Ordering::Relaxed);
            eprintln!("the decision log: {error}");
        }
        let dropped = dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            eprintln!("the decision log: {dropped} lines are dropped");
        }
    }
}

fn print_what_to_try(address: &str) {
    println!("Listening on {address}. With the sandbox, try:");
    let body = r#"{"token":"sandbox-9000-risk-450","phone":"13800000000"}"#;
    println!(
        "\n# A login, and its line in the log\ncurl -sw ' %{{http_code}}\\n' {address}/login -H 'content-type: application/json' -d '{body}'"
    );
    println!("welcome, 138****0000 200");
    println!("{}", common::LAST_LINE);
}
