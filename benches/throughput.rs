//! Guarded requests a second, paired: short rounds of the layer and of the middleware by hand alternate, and the median
//! of the rounds' ratios counts. Whatever else the machine does meets both alike.

mod support;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use support::{Guarded, JPushProcess, Table, Target};

const ROUNDS: usize = 401;
const AT_ONCE: usize = 32;
const EACH: usize = 8;

fn main() {
    support::serve_if_asked();
    if support::quick() {
        return;
    }
    let jpush = JPushProcess::start();
    let runtime = support::runtime();
    let (ours, by_hand) = (Guarded::new("ours", jpush.address), Guarded::new("by-hand", jpush.address));
    let round = |guarded: &Guarded| runtime.block_on(round(guarded));
    for _ in 0..20 {
        round(&ours);
        round(&by_hand);
    }
    let (mut ratios, mut times) = (Vec::new(), [Vec::new(), Vec::new()]);
    for number in 0..ROUNDS {
        // Who begins alternates too.
        let (mine, theirs) = if number % 2 == 0 {
            let mine = round(&ours);
            (mine, round(&by_hand))
        } else {
            let theirs = round(&by_hand);
            (round(&ours), theirs)
        };
        ratios.push(theirs / mine);
        times[0].push(mine);
        times[1].push(theirs);
    }
    let each_second = |times: Vec<f64>| (AT_ONCE * EACH) as f64 / median(times);
    let [mine, theirs] = times.map(each_second);
    let mut table = Table::default();
    let of = format!("{mine:.0} / {theirs:.0} a second on one core");
    table.row("guarded request over hand-written, median of rounds", median(ratios), Target::AtLeast(1.5), &of);
    table.print(&format!("Throughput ({ROUNDS} paired rounds of {} requests, {AT_ONCE} at once)", AT_ONCE * EACH));
}

/// Seconds.
async fn round(guarded: &Guarded) -> f64 {
    let began = Instant::now();
    join_all((0..AT_ONCE).map(|_| async {
        for _ in 0..EACH {
            guarded.ask().await;
        }
    }))
    .await;
    began.elapsed().max(Duration::from_nanos(1)).as_secs_f64()
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}
