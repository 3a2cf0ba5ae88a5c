//! What the benches share: the table, the vendor on loopback, the counting, the works that are measured.
#![allow(dead_code, unused_imports, reason = "every bench uses its part of it")]

mod counted;
mod guarded;
mod hostile;
mod jpush;
mod paired;
mod parts;
mod passes;
#[path = "../../tests/fault_proxy/random.rs"]
mod random;
#[cfg(feature = "metrics")]
mod recorder;

use futures_util::future::join_all;

#[cfg(feature = "axum")]
pub(crate) use self::guarded::serve;
pub(crate) use self::{
    counted::{allocations, has_valgrind, instructions},
    guarded::{BODY, Guarded, NUMBER},
    hostile::{Corpus, RULES, asked, below, changed},
    jpush::{JPushProcess, Place, exit_with_parent, pinned, serve_if_asked},
    paired::{median, paired},
    parts::{LoginRequest, Sample, asserted, layered, looked_up, unmatched},
    passes::stepped_up,
    random::Random,
};

/// What is on in a figure of guards.
pub(crate) const GUARDS_ON: &str = if cfg!(feature = "metrics") {
    "guarded request, guards and metrics on over off"
} else {
    "guarded request, guards on over off"
};

/// Figures, each with what it has to reach.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<[String; 4]>,
    missed: bool,
}

/// The target of a figure.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// The figure has no target, and is only reported.
    Reported,
}

impl Table {
    pub(crate) fn row(&mut self, figure: &str, measured: f64, target: Target, detail: &str) {
        let (target, holds) = match target {
            Target::AtLeast(least) => (format!(">= {least}"), measured >= least),
            Target::AtMost(most) => (format!("<= {most}"), measured <= most),
            Target::Reported => ("-".to_owned(), true),
        };
        self.missed |= !holds;
        let holds = match (target.as_str(), holds) {
            ("-", _) => "",
            (_, true) => "holds",
            (_, false) => "MISSED",
        };
        let measured = if measured.fract() == 0.0 { format!("{measured}") } else { format!("{measured:.2}") };
        self.rows.push([figure.to_owned(), target, format!("{measured} {holds}"), detail.to_owned()]);
    }

    /// Prints the table. With `--quick`, a missed target ends the process with exit code 1.
    pub(crate) fn print(self, title: &str) {
        println!("\n{title}\n");
        let head = ["figure", "target", "measured", "of"].map(str::to_owned);
        for [figure, target, measured, detail] in std::iter::once(head).chain(self.rows) {
            println!("{figure:<58} {target:<9} {measured:<14} {detail}");
        }
        println!();
        if self.missed && quick() {
            std::process::exit(1);
        }
    }
}

/// `cargo bench -- --quick`: the counted figures only, and fewer rounds.
pub(crate) fn quick() -> bool {
    std::env::args().any(|flag| flag == "--quick")
}

/// A runtime on this thread, so that what is counted is all there is.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime is there to be had")
}

/// Runs a guarded request, and then `requests` more inside of [`measured`], one after another. `abandoned`: each is dropped while its
/// check is asked.
pub(crate) fn guarded(which: &str, jpush: &Place, requests: usize) {
    let runtime = runtime();
    let (which, leaves) = if which == "abandoned" { ("guards-on", true) } else { (which, false) };
    let guarded = Guarded::new(which, jpush);
    runtime.block_on(guarded.ask());
    measured(|| {
        runtime.block_on(async {
            for _ in 0..requests {
                if leaves {
                    guarded.abandon().await;
                } else {
                    guarded.ask().await;
                }
            }
        });
    });
}

/// For callgrind's `--toggle-collect`.
#[inline(never)]
fn measured(work: impl FnOnce()) {
    work();
}

/// Runs so many clients at the same time, each of which sends so many logins one after another.
pub(crate) async fn at_once(guarded: &Guarded, clients: usize, logins: usize) {
    join_all((0..clients).map(|_| async {
        for _ in 0..logins {
            guarded.ask_boxed().await;
        }
    }))
    .await;
}

/// All guards at their defaults, and under the feature `metrics` a recorder for what is built from now on.
pub(crate) fn guards_on() -> tower_jverify::Guards {
    #[cfg(feature = "metrics")]
    recorder::Recording::install();
    tower_jverify::Guards::new()
}

/// The targets of single parts are measured without guards, which have a figure of their own.
pub(crate) fn guards_off() -> tower_jverify::Guards {
    let guards =
        tower_jverify::Guards::builder().without_breaker().without_replay_guard().without_client_limits().build();
    guards.expect("settings stand")
}
