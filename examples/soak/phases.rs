//! The phases of a run: which faults occur, and when.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    fault_proxy::{Fault, FaultProxy},
    load::Load,
    settings::Settings,
    site::{DEADLINE, Site},
    stores::Stores,
    tally::{Phase, Tally},
};

const FAULTY: Duration = Duration::from_secs(25);
const QUIET: Duration = Duration::from_secs(12);
const HOLE: Duration = Duration::from_secs(20);

/// A breaker is open for 72 s at most.
const LONGEST_BACK: Duration = Duration::from_secs(80);

/// How long one round of phases usually takes.
const ROUND: Duration = Duration::from_secs(90);

/// How many of 1,000 exchanges each fault spoils.
const EACH: u64 = 20;

/// One black hole, and the way back.
pub(crate) struct Outage {
    /// From the black hole's beginning to the first answer that is given at once.
    pub(crate) at_once_after: Option<Duration>,
    /// How much longer the breaker was to be open when JPush came back, in whole seconds and rounded up.
    pub(crate) still_open: Option<Duration>,
    /// From then to JPush's first answer.
    pub(crate) recovered_after: Option<Duration>,
    /// The calls that arrived meanwhile, the first one that was answered included.
    pub(crate) probes: Option<u64>,
}

/// Runs the load for its time, in rounds of all phases.
pub(crate) async fn run(
    settings: &Settings,
    site: &Site,
    load: &Arc<Load>,
    tally: &Tally,
    stores: &mut Option<Stores>,
) -> Vec<Outage> {
    let end = Instant::now() + settings.time();
    let driver = tokio::spawn(Arc::clone(load).run());
    let mut outages = Vec::new();
    loop {
        tally.enter(Phase::Faulty);
        site.proxy.fault_each(EACH);
        let left = end.saturating_duration_since(Instant::now());
        // What is left is too little for another round.
        let until = Instant::now() + if left < ROUND { left } else { FAULTY };
        match stores {
            Some(stores) => stores.go_wrong_until(until).await,
            None => sleep(until.saturating_duration_since(Instant::now())).await,
        }
        site.proxy.fault_each(0);
        if left < ROUND {
            break;
        }
        // The last spoilt exchanges end.
        sleep(DEADLINE + Duration::from_secs(1)).await;
        tally.enter(Phase::Quiet);
        sleep(QUIET).await;
        outages.push(outage(&site.proxy, tally).await);
    }
    load.stop();
    let _ = driver.await;
    outages
}

/// Runs the load over a cluster that loses nodes.
pub(crate) async fn lose_nodes(load: &Arc<Load>, stores: &mut Stores) {
    let driver = tokio::spawn(Arc::clone(load).run());
    stores.lose_nodes().await;
    load.stop();
    let _ = driver.await;
}

/// Runs the load over a master that dies, and the replica that takes its place.
pub(crate) async fn fail_over(load: &Arc<Load>, stores: &mut Stores) {
    let driver = tokio::spawn(Arc::clone(load).run());
    stores.fail_over().await;
    load.stop();
    let _ = driver.await;
}

async fn outage(proxy: &FaultProxy, tally: &Tally) -> Outage {
    tally.enter(Phase::Hole);
    let began = Instant::now();
    proxy.fault(Some(Fault::BlackHole));
    sleep(HOLE).await;

    let arrived = proxy.arrived();
    proxy.fault(None);
    let (back, in_hole) = (Instant::now(), tally.enter(Phase::Back));
    while tally.noticed().first_answer.is_none() && back.elapsed() < LONGEST_BACK {
        sleep(Duration::from_millis(20)).await;
    }
    let answer = tally.noticed().first_answer;
    let outage = Outage {
        at_once_after: in_hole.first_refusal.map(|first| first.duration_since(began)),
        still_open: in_hole.open_until.map(|until| until.saturating_duration_since(back)),
        recovered_after: answer.map(|(at, _)| at.duration_since(back)),
        probes: answer.map(|(_, all)| all.saturating_sub(arrived)),
    };
    println!("{outage}");
    outage
}
