//! Figures counted in allocations of the thread that does the work; JPush is another process. A growing buffer that is
//! reallocated counts again.

#![allow(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]

// The store is not public: what is measured is compiled here as well.
#[allow(dead_code, unreachable_pub, unused_imports, missing_docs, reason = "the bench uses its part of it")]
#[path = "../src/clock.rs"]
mod clock;
#[allow(dead_code, unreachable_pub, unused_imports, missing_docs, reason = "the bench uses its part of it")]
#[path = "../src/error.rs"]
mod error;
#[allow(dead_code, unreachable_pub, unused_imports, missing_docs, reason = "the bench uses its part of it")]
#[path = "../src/ex_id.rs"]
mod ex_id;
#[allow(dead_code, unreachable_pub, unused_imports, missing_docs, reason = "the bench uses its part of it")]
#[allow(clippy::unwrap_used, reason = "its tests, as in the crate")]
#[path = "../src/mac.rs"]
mod mac;
#[allow(dead_code, unreachable_pub, unused_imports, missing_docs, reason = "the bench uses its part of it")]
#[allow(clippy::unwrap_used, reason = "its tests, as in the crate")]
#[path = "../src/secret.rs"]
mod secret;
#[allow(dead_code, unreachable_pub, unused_imports, missing_docs, reason = "the bench uses its part of it")]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "its tests, as in the crate")]
#[path = "../src/store/mod.rs"]
mod store;
mod support;

use std::time::Duration;

use http::Method;
use support::{GUARDS_ON, Guarded, JPushProcess, Place, Table, Target, at_once};

fn main() {
    support::serve_if_asked();
    let jpush = JPushProcess::start();
    let mut table = Table::default();

    let guarded = |which: &str| {
        let runtime = support::runtime();
        let guarded = Guarded::new(which, &jpush.place);
        per_request(&runtime, 500, async |requests| {
            for _ in 0..requests {
                guarded.ask().await;
            }
        })
    };
    let (ours, by_hand, unguarded) = (guarded("ours"), guarded("by-hand"), guarded("unguarded"));
    let of = format!("{ours:.1} / {by_hand:.1}; {unguarded:.1} of both are the request and axum");
    table.row("guarded request over hand-written", ours / by_hand, Target::AtMost(0.34), &of);
    let (off, on) = (guarded("guards-off"), guarded("guards-on"));
    let of = format!("{on:.1} - {off:.1}");
    table.row(GUARDS_ON, on - off, Target::AtMost(6.0), &of);
    let (off, on) = (guarded("clients-off"), guarded("clients-on"));
    let of = format!("{on:.1} - {off:.1}");
    table.row("the same, where clients are known", on - off, Target::Reported, &of);

    let unmatched = |under: &'static str| {
        per_request(&support::runtime(), 500, async |requests| {
            support::unmatched(under, &Method::POST, 3, requests).await;
        })
    };
    let (layer, identity) = (unmatched("layer"), unmatched("identity"));
    let of = format!("{layer:.1} - {identity:.1}");
    table.row("unmatched request, 3 headers, 4 rules, over identity", layer - identity, Target::AtMost(0.0), &of);

    let (ours, by_hand) = (in_flight("far-ours", &jpush.place), in_flight("far-by-hand", &jpush.place));
    let of = format!("{ours:.1} / {by_hand:.1} KiB a request, sockets' buffers not counted");
    let figure = "1,000 checks in flight 100 ms away, memory over hand-written";
    table.row(figure, ours / by_hand, Target::AtMost(0.85), &of);

    let (claimed, most) = claims();
    table.row("1,000,000 claims in memory, MiB", claimed, Target::AtMost(128.0), &format!("{most:.1} at most at once"));

    table.print("Allocations a request");
}

/// KiB for each of a thousand logins that are checked at the same time: the most that was allocated at once, from the first dial on.
fn in_flight(which: &str, jpush: &Place) -> f64 {
    const AT_ONCE: usize = 1000;
    let runtime = support::runtime();
    let guarded = Guarded::new(which, jpush);
    let counted = allocation_counter::measure(|| runtime.block_on(at_once(&guarded, AT_ONCE, 3)));
    counted.bytes_max as f64 / 1024.0 / AT_ONCE as f64
}

/// What a full memory holds, and the most that it held while it grew.
fn claims() -> (f64, f64) {
    let memory = std::cell::OnceCell::new();
    let counted = allocation_counter::measure(|| {
        let memory = memory.get_or_init(store::Memory::default);
        for number in 0..store::Memory::CAPACITY {
            let part: &[u8] = &number.to_le_bytes();
            let parts = [part];
            let subject = store::Subject::new(store::Purpose::Claim, &parts);
            let claimed = memory.claim_now(&subject, &ex_id::ExId::generate(), Duration::from_secs(900));
            assert!(matches!(claimed, Ok(store::Claimed::New(_))), "{claimed:?}");
        }
    });
    let mebibytes = |bytes: f64| bytes / 1024.0 / 1024.0;
    (mebibytes(counted.bytes_current as f64), mebibytes(counted.bytes_max as f64))
}

/// Of so many requests and of twice as many, the difference: what the first few cost is in neither.
fn per_request(runtime: &tokio::runtime::Runtime, requests: usize, work: impl AsyncFn(usize)) -> f64 {
    let count = |requests| allocation_counter::measure(|| runtime.block_on(work(requests))).count_total;
    count(requests);
    let (once, twice) = (count(requests), count(requests * 2));
    (twice as f64 - once as f64) / requests as f64
}
