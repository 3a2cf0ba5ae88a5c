//! CASES 62: what the crate reports, and that it reports nothing of a person and no secret.

mod abandoned;
mod alarms;
mod canaries;
mod causes;
mod details;
mod event;
mod ex_ids;
mod foreign;
mod keys;
mod listeners;
pub(crate) mod metrics;
mod on_demand;
mod records;
mod sandbox;
mod shadow;
mod spans;
mod start;

use std::{
    io,
    sync::{Arc, Mutex, OnceLock},
};

use tower_jverify::ClientIp;
use tracing_subscriber::{filter::LevelFilter, fmt::MakeWriter, util::SubscriberInitExt};

/// The client's address in `x-real-ip`.
fn real_ip() -> ClientIp {
    ClientIp::from_fn(|head| head.headers.get("x-real-ip")?.to_str().ok()?.parse().ok())
}

/// Call it before a thread gets a subscriber.
///
/// `tracing` asks a lone subscriber's own thread alone whether an event or a span is wanted, and remembers what the thread that comes
/// to it first says. So there is always another one, which wants nothing.
pub(crate) fn be_no_lone_subscriber() {
    static OTHER: OnceLock<tracing::Dispatch> = OnceLock::new();
    OTHER.get_or_init(|| tracing_subscriber::fmt().with_max_level(LevelFilter::OFF).finish().into());
}

/// Everything that any crate logs on this thread, down to TRACE.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Begins to listen, until the guard is dropped. For tests on a runtime of one thread.
    pub(crate) fn listen() -> (Self, impl Drop) {
        be_no_lone_subscriber();
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_ansi(false)
            .without_time()
            .with_writer(log.clone())
            .finish();
        (log, subscriber.set_default())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines of this crate's target since the last time.
    pub(crate) fn take_events(&self) -> Vec<String> {
        let text = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
        text.lines().filter(|line| line.contains(" tower_jverify: ")).map(|line| line.trim().to_owned()).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
