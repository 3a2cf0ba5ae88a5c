//! A soak test: the layer under load for minutes, while faults of all kinds occur between it and JPush.
//!
//! ```sh
//! cargo run --release --example soak --features sandbox -- --minutes 20 --seed 1
//! ```
//!
//! One process contains everything, over real sockets: a client that sends unmatched and guarded requests at fixed rates, a hyper
//! server with the layer, the JPush client, a proxy that injects faults (`tests/fault_proxy`), and the sandbox. The phases
//! alternate:
//!
//! | phase | what happens |
//! |---|---|
//! | faulty, 25 s | each of the proxy's faults spoils 2 % of the exchanges |
//! | quiet, 15 s | no faults: what the black hole is compared with |
//! | black hole, 20 s | JPush reads requests and answers none |
//! | back | JPush answers again; ends when the breaker has closed |
//!
//! At the end it prints a report. It exits with 1 if an invariant is violated: a request without an answer, a request that passed
//! without a proof, a good proof that was refused, a call that the sandbox saw and the layer did not account for, a task or a
//! descriptor left over. Times and memory are reported and violate nothing. Memory and descriptors are read from `/proc/self`; on
//! systems without it the report says "not measured".
//!
//! Claims of numbers are kept for 15 minutes, so memory grows until then. A run of 20 minutes measures the growth of its last four.

#[path = "../../tests/fault_proxy/mod.rs"]
mod fault_proxy;

mod calls;
mod load;
mod phases;
mod process;
mod report;
mod settings;
mod site;
mod tally;
mod times;

use std::{error::Error, process::ExitCode, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use self::{load::Load, process::Process, report::Report, settings::Settings, site::Site, tally::Tally};

/// How long the last connections and tasks may take to end. Idle connections stay for a second or two.
const LONGEST_END: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let settings = match Settings::read() {
        Ok(Some(settings)) => settings,
        Ok(None) => return Ok(ExitCode::SUCCESS),
        Err(problem) => {
            eprintln!("{problem}");
            return Ok(ExitCode::from(2));
        }
    };
    println!("soak: {settings}");
    let tally = Arc::new(Tally::default());
    let site = Site::start(settings.seed, &tally).await?;
    let memory = process::Memory::sample(settings.minutes);

    // The connections, threads and tables of a first use are not a leak.
    Load::new(&site, &settings, 1, &tally).a_few().await;
    let before = rest(&site, None).await;

    let load = Arc::new(Load::new(&site, &settings, 2, &tally));
    let outages = phases::run(&settings, &site, &load, &tally).await;
    let ended = Instant::now();
    load.ended().await;
    drop(load);
    let after = rest(&site, Some(&before)).await;
    site.collect_calls();

    let report = Report { settings: &settings, tally: &tally, site: &site, outages, memory, ended, before, after };
    Ok(if report.print() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Waits until nothing runs that belongs to a request, and counts what is left. `before`: what is expected.
async fn rest(site: &Site, before: Option<&Process>) -> Process {
    site.guards.drained().await;
    let began = Instant::now();
    loop {
        sleep(site::IDLE * 3).await;
        let now = Process::now();
        if before.is_none_or(|before| now.is_within(before)) || began.elapsed() > LONGEST_END {
            return now;
        }
    }
}
