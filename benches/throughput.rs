//! Guarded requests per second, paired: short rounds of the layer and of the hand-written middleware alternate, and the median of
//! the rounds' ratios counts. Other load on the machine affects both. Next to wall time, the bench reports the CPU time of this
//! thread. It excludes JPush, which takes a share of the cores on a small machine.

#![allow(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]

mod support;

use std::time::Instant;

use futures_util::future::join_all;
use support::{Guarded, JPushProcess, Place, Sample, Table, Target, at_once, median, paired};

const ROUNDS: usize = 301;
const AT_ONCE: usize = 128;
const EACH: usize = 4;

fn main() {
    support::serve_if_asked();
    if support::quick() {
        return;
    }
    let jpush = JPushProcess::start();
    let runtime = support::runtime();
    let (ours, by_hand) = (Guarded::new("ours", &jpush.place), Guarded::new("by-hand", &jpush.place));
    let round = |guarded: &Guarded| runtime.block_on(round(guarded));
    let all = paired((20, ROUNDS), |_| round(&ours), |_| round(&by_hand));
    let rates = median(all.iter().map(|(mine, theirs)| theirs.wall / mine.wall));
    let [mine, theirs] =
        [median(all.iter().map(|(mine, _)| mine.wall)), median(all.iter().map(|(_, theirs)| theirs.wall))]
            .map(|wall| (AT_ONCE * EACH) as f64 / wall);
    let mut table = Table::default();
    let of = format!("{mine:.0} / {theirs:.0} requests a second, by one thread");
    table.row("guarded request over hand-written, median of rounds", rates, Target::AtLeast(1.62), &of);
    // The kernel counts in ticks of milliseconds, so only the sum of all rounds is accurate.
    let mine: Option<f64> = all.iter().map(|(mine, _)| mine.core).sum();
    let theirs: Option<f64> = all.iter().map(|(_, theirs)| theirs.core).sum();
    if let Some((mine, theirs)) = mine.zip(theirs) {
        table.row("the same, by the thread's own time, all rounds", theirs / mine, Target::Reported, "");
    }
    let share = far(&runtime, &jpush.place);
    let of = format!("{:.0} of {ALLOWED:.0} logins a second", share * ALLOWED);
    table.row("1,000 checks in flight 100 ms away, share of the rate", share, Target::AtLeast(0.94), &of);
    if cfg!(feature = "pass") {
        let (without, with) = (microseconds(false), microseconds(true));
        let of = format!("{with:.1} - {without:.1}, in this process");
        table.row("one assertion (Ed25519), microseconds", with - without, Target::Reported, &of);
    }
    table.print(&format!("Throughput ({ROUNDS} paired rounds of {} requests, {AT_ONCE} at once)", AT_ONCE * EACH));
}

/// What a thousand checks in flight allow, each of which takes 100 ms.
const ALLOWED: f64 = 10_000.0;

/// The rate of a thousand clients whose checks take 100 ms, as a share of what that allows. Their connections are open before.
fn far(runtime: &tokio::runtime::Runtime, jpush: &Place) -> f64 {
    const CLIENTS: usize = 1000;
    const LOGINS: usize = 100;
    let guarded = Guarded::new("far-ours", jpush);
    let ask = |logins: usize| {
        let began = Instant::now();
        runtime.block_on(at_once(&guarded, CLIENTS, logins));
        began.elapsed().as_secs_f64()
    };
    ask(2);
    (CLIENTS * LOGINS) as f64 / ask(LOGINS) / ALLOWED
}

/// The time of a login with a verifier in this process, with or without an assertion: the median of some rounds.
fn microseconds(asserts: bool) -> f64 {
    const LOGINS: usize = 500;
    let (runtime, sample) = (support::runtime(), Sample::json(200));
    let round = |_| {
        let began = Instant::now();
        if asserts {
            runtime.block_on(support::asserted(&sample, LOGINS));
        } else {
            runtime.block_on(support::layered(&sample, LOGINS));
        }
        began.elapsed().as_secs_f64() * 1e6 / LOGINS as f64
    };
    median((0..21).map(round))
}

/// Seconds that a round took.
struct Took {
    wall: f64,
    /// On a core, user and kernel. Only Linux reports it.
    core: Option<f64>,
}

async fn round(guarded: &Guarded) -> Took {
    let (began, core) = (Instant::now(), on_core());
    join_all((0..AT_ONCE).map(|_| async {
        for _ in 0..EACH {
            guarded.ask().await;
        }
    }))
    .await;
    let core = on_core().zip(core).map(|(now, before)| now - before);
    Took { wall: began.elapsed().as_secs_f64(), core }
}

/// Seconds that this thread has been on a core.
fn on_core() -> Option<f64> {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    statistics.split(' ').next()?.parse::<f64>().ok().map(|nanoseconds| nanoseconds / 1e9)
}
