//! A soak test: the layer under load for minutes, while faults of all kinds occur between it and JPush.
//!
//! ```sh
//! cargo run --release --example soak --features metrics,redis,sandbox -- --minutes 20 --seed 1 --redis
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
//! With `--redis`, two instances share a Redis that the example starts (`redis-server` must be installed): one decides by its memory while Redis
//! is away, the other refuses. In the faulty phases Redis is killed and started again, frozen, paused, made a replica, filled and emptied, one
//! after the other. After all phases, the load runs once more over a cluster of three nodes, of which one dies and another freezes, and once
//! more over a master that dies, and whose replica Sentinel puts in its place.
//!
//! With `--metrics`, the process records metrics as `docs/operating.md` advises, and nothing reads them before the load has ended: the memory
//! must not grow by them.
//!
//! At the end it prints a report. It exits with 1 if an invariant is violated: a request without an answer, a request that passed
//! without a proof, a good proof that was refused, a call that the sandbox saw and the layer did not account for, a task or a
//! descriptor left over. Times and memory are reported and violate nothing. Memory and descriptors are read from `/proc/self`; on
//! systems without it the report says "not measured".
//!
//! Claims of numbers are kept for 15 minutes, so memory grows until then. A run of 20 minutes measures the growth of its last four.

#[path = "../../tests/fault_proxy/mod.rs"]
mod fault_proxy;
#[path = "../../tests/it/support/redis_server.rs"]
#[allow(clippy::unwrap_used, reason = "the tests' server: what fails here, fails the run")]
mod redis_server;

mod calls;
mod load;
mod phases;
mod process;
mod recorder;
mod report;
mod settings;
mod site;
mod stores;
mod tally;
mod times;

use std::{error::Error, process::ExitCode, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use self::{
    load::Load, process::Process, recorder::Recorder, report::Report, settings::Settings, site::Site, stores::Stores,
    tally::Tally,
};

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
    let recorder = settings.metrics.then(Recorder::install).transpose()?;
    let mut stores = settings.redis.then(Stores::start).transpose()?;
    let redis = stores.as_ref().map(Stores::redis).transpose()?;
    let mut sites = vec![Site::start(settings.seed, &tally, redis).await?];
    if let Some(stores) = &stores {
        sites.push(Site::start(settings.seed, &tally, Some(stores.cluster()?)).await?);
        sites.push(Site::start(settings.seed, &tally, Some(stores.watched()?)).await?);
    }
    let memory = process::Memory::sample(settings.minutes);

    // The connections, threads and tables of a first use are not a leak.
    for (site, part) in sites.iter().zip([1, 3, 5]) {
        Load::new(site, &settings, part, &tally).a_few().await;
    }
    let before = rest(&sites, None).await;

    let (mut outages, mut ended) = (Vec::new(), Instant::now());
    for (site, part) in sites.iter().zip([2, 4, 6]) {
        let load = Arc::new(Load::new(site, &settings, part, &tally));
        match &mut stores {
            Some(stores) if part == 4 => phases::lose_nodes(&load, stores).await,
            Some(stores) if part == 6 => phases::fail_over(&load, stores).await,
            stores => {
                outages = phases::run(&settings, site, &load, &tally, stores).await;
                ended = Instant::now();
            }
        }
        load.ended().await;
    }
    let after = rest(&sites, Some(&before)).await;
    sites.iter().for_each(Site::collect_calls);

    let report = Report {
        settings: &settings,
        tally: &tally,
        sites: &sites,
        stores: stores.as_ref(),
        recorded: recorder.as_ref().map(Recorder::read),
        outages,
        memory,
        ended,
        before,
        after,
    };
    Ok(if report.print() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Waits until nothing runs that belongs to a request, and counts what is left. `before`: what is expected.
async fn rest(sites: &[Site], before: Option<&Process>) -> Process {
    for site in sites {
        site.drained().await;
    }
    let began = Instant::now();
    loop {
        sleep(site::IDLE * 3).await;
        let now = Process::now();
        if before.is_none_or(|before| now.is_within(before)) || began.elapsed() > LONGEST_END {
            return now;
        }
    }
}
