//! The report of a run.

use std::{fmt, time::Duration};

use tokio::time::Instant;

use crate::{
    phases::Outage,
    process::{Memory, Process, float},
    recorder::Recorded,
    settings::Settings,
    site::{DEADLINE, Site},
    stores::Stores,
    tally::Tally,
};

/// More calls than this before the first answer are not a probe. It should be one; calls that follow it at once may be counted too.
const MOST_PROBES: u64 = 5;

const MIB: f64 = 1024.0 * 1024.0;

pub(crate) struct Report<'r> {
    pub(crate) settings: &'r Settings,
    pub(crate) tally: &'r Tally,
    pub(crate) sites: &'r [Site],
    pub(crate) stores: Option<&'r Stores>,
    pub(crate) recorded: Option<Recorded>,
    pub(crate) outages: Vec<Outage>,
    pub(crate) memory: Memory,
    /// When the load had ended.
    pub(crate) ended: Instant,
    pub(crate) before: Process,
    pub(crate) after: Process,
}

/// A time that may be missing.
struct Shown(Option<Duration>);

// === impl Report ===

impl Report<'_> {
    /// Prints everything. Whether all invariants held.
    pub(crate) fn print(&self) -> bool {
        println!("\ninvariants of {}", self.settings);
        let invariants = self.invariants();
        for (holds, text) in &invariants {
            println!("  {:8}  {text}", if *holds { "holds" } else { "VIOLATED" });
        }
        println!("\nreported");
        for line in self.figures() {
            println!("  {line}");
        }
        let holds = invariants.iter().all(|(holds, _)| *holds);
        println!("\n{}", if holds { "all invariants hold" } else { "AN INVARIANT IS VIOLATED" });
        holds
    }

    fn invariants(&self) -> Vec<(bool, String)> {
        let Self { tally, before, after, .. } = self;
        let (sent, answered, left) = (tally.sent.get(), tally.answered.get(), tally.left.get());
        let calls = tally.calls.sums();
        let abandoned: usize = self.sites.iter().map(Site::abandoned_checks).sum();
        let (through, refused) = (tally.wrongly_through.get(), tally.wrongly_refused.get());
        let is_accounted = calls.by_layer_alone == 0 && calls.by_vendor_alone == 0 && calls.twice == 0;
        let mut invariants = vec![
            (
                sent == answered + left,
                format!("requests: {sent} sent = {answered} answered + {left} whose clients left"),
            ),
            (through == 0, format!("wrongly through: {through}")),
            (refused == 0, format!("good proofs refused, other than in an outage: {refused} {:?}", tally.refusals())),
            (
                is_accounted,
                format!(
                    "calls: {} seen and accounted for, {} accounted for alone, {} seen alone, {} twice",
                    calls.by_both, calls.by_layer_alone, calls.by_vendor_alone, calls.twice
                ),
            ),
            (abandoned == 0, format!("checks still running: {abandoned}")),
            (after.tasks <= before.tasks, format!("tasks: {} before, {} after", before.tasks, after.tasks)),
        ];
        invariants.push(match (before.descriptors, after.descriptors) {
            (Some(before), Some(after)) => (after <= before, format!("descriptors: {before} before, {after} after")),
            _ => (true, "descriptors: not measured".into()),
        });
        if let Some(stores) = self.stores {
            invariants.push((stores.are_used(), "each server of Redis was used".into()));
        }
        if let Some(Recorded { checks, times, series }) = &self.recorded {
            let text = format!("metrics: {checks} checks counted, {times} in the histogram, {series} series");
            invariants.push((checks == times && *checks > 0, text));
        }
        for outage in &self.outages {
            let holds = outage.probes.is_some_and(|probes| (1..=MOST_PROBES).contains(&probes));
            invariants
                .push((holds, format!("calls until JPush's first answer after a black hole: {:?}", outage.probes)));
        }
        invariants
    }

    fn figures(&self) -> Vec<String> {
        let tally = self.tally;
        let mut lines = vec![
            format!(
                "passed {}, refused by an open breaker {}, not sent because the load generator was behind {}",
                tally.passed.get(),
                tally.not_asked.get(),
                tally.not_sent.get()
            ),
            self.slope(),
        ];
        if let Some(stores) = self.stores {
            lines.push(format!(
                "Redis: {} faults, {} requests refused for want of it, {} replays refused",
                stores.faults,
                tally.store_down.get(),
                tally.replayed.get()
            ));
        }
        let (quiet, hole) = (tally.unmatched_quiet.percentile(99), tally.unmatched_in_hole.percentile(99));
        let ratio = quiet.zip(hole).map(|(quiet, hole)| hole.as_secs_f64() / quiet.as_secs_f64());
        lines.push(format!(
            "unmatched, p99: {} in the black hole, {} without, ratio {:.2} (target 1.1)",
            Shown(hole),
            Shown(quiet),
            ratio.unwrap_or(f64::NAN)
        ));
        lines.push(format!(
            "guarded, p99: {} in the black hole once answers come at once (target 5 ms), {} without",
            Shown(tally.guarded_in_hole.percentile(99)),
            Shown(tally.guarded_quiet.percentile(99))
        ));
        lines.extend(self.outages.iter().map(ToString::to_string));
        lines
    }

    fn slope(&self) -> String {
        let Self { memory, .. } = self;
        let Some((slope, last)) = memory.slope(self.ended) else { return "memory: not measured".into() };
        let note = if memory.is_short() { "; claims, of 15 minutes, still grew" } else { "" };
        format!(
            "memory: {:.1} MiB at the end of the load, and {:+.2} MiB in ten minutes after {} s (target 1){note}",
            float(last) / MIB,
            slope / MIB,
            memory.warm_up().as_secs()
        )
    }
}

// === impl Outage ===

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "black hole: answers at once after {} (target {} s); JPush back: first answer after {}, of which the breaker \
             stayed open for {} at most (target 1 s more)",
            Shown(self.at_once_after),
            DEADLINE.as_secs() + 1,
            Shown(self.recovered_after),
            Shown(self.still_open),
        )
    }
}

// === impl Shown ===

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("(no value)"),
            Some(time) if time < Duration::from_secs(1) => write!(f, "{:.2} ms", time.as_secs_f64() * 1_000.0),
            Some(time) => write!(f, "{:.2} s", time.as_secs_f64()),
        }
    }
}
