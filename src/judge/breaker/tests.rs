use std::time::Duration;

use tokio::time::{Instant, advance};

use super::{Admission, Switch, settings::Breaker, state::Refused};
use crate::{
    health::Health,
    judge::client::Client,
    observe::Phase,
    store::{Key, Memory, Purpose, Subject},
};

const DEADLINE: Duration = Duration::from_secs(5);

struct Desk {
    switch: std::sync::Arc<Switch>,
    keys: Memory,
    next: u32,
}

impl Desk {
    fn new(settings: Breaker) -> Self {
        settings.validate().unwrap();
        Self { switch: Switch::new(settings), keys: Memory::new(1), next: 0 }
    }

    fn key(&self, proof: u32) -> Key {
        self.keys.key(&Subject::new(Purpose::Claim, &[&proof.to_be_bytes()]))
    }

    fn enter_as(&self, proof: u32, client: Option<Client>) -> Result<Admission, Refused> {
        Ok(self.switch.enter(self.key(proof), client, DEADLINE, DEADLINE)?.0)
    }

    /// Another proof each time, of no known client.
    fn enter(&mut self) -> Result<Admission, Refused> {
        self.next += 1;
        self.enter_as(self.next, None)
    }

    fn ends(&mut self, health: Health) {
        self.enter().expect("the breaker lets it through").settle(health);
    }

    fn fail(&mut self, times: u32) {
        (0..times).for_each(|_| self.ends(Health::Failed));
    }

    fn phase(&self) -> Phase {
        self.switch.phase()
    }

    async fn wait_until_a_probe_is_due(&self) {
        advance(Duration::from_secs(75)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn ten_failures_in_a_row_open_it_however_slowly_they_come() {
    let mut desk = Desk::new(Breaker::new());
    for _ in 0..9 {
        desk.fail(1);
        advance(Duration::from_secs(3600)).await;
    }
    assert_eq!(desk.phase(), Phase::Closed);
    desk.fail(1);
    let refused = desk.enter().unwrap_err();
    assert!(refused.is_outage);
    assert!((8..=12).contains(&refused.left.as_secs()), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn half_of_twenty_in_the_window_opens_it_and_less_or_older_does_not() {
    let mixed = |healthy: u32, failing: u32| {
        let mut desk = Desk::new(Breaker::new());
        (0..healthy).for_each(|_| desk.ends(Health::Well));
        desk.fail(failing);
        desk
    };
    assert_eq!(mixed(11, 9).phase(), Phase::Closed, "45 %");
    assert_eq!(mixed(9, 9).phase(), Phase::Closed, "fewer than twenty");
    let mut desk = mixed(11, 9);
    desk.ends(Health::Well);
    advance(Duration::from_secs(11)).await;
    (0..8).for_each(|_| desk.ends(Health::Well));
    desk.fail(9);
    assert_eq!(desk.phase(), Phase::Closed, "what is older than the window is forgotten");
    desk.ends(Health::Well);
    desk.fail(1);
    assert_eq!(desk.phase(), Phase::Closed, "ten of nineteen");
    desk.fail(1);
    assert_eq!(desk.phase(), Phase::Open, "eleven of twenty");
}

#[tokio::test(start_paused = true)]
async fn window_minimum_ratio_and_time_are_those_of_the_settings() {
    let settings = || {
        let rare = Breaker::new().consecutive(10_000).open_for(Duration::from_secs(20));
        rare.window(Duration::from_secs(2)).minimum_calls(4).ratio(0.75)
    };
    let mut desk = Desk::new(settings());
    desk.fail(3);
    assert_eq!(desk.phase(), Phase::Closed, "fewer than four");
    desk.ends(Health::Well);
    assert_eq!(desk.phase(), Phase::Closed, "a success opens nothing");
    desk.fail(1);
    let left = desk.enter().unwrap_err().left;
    assert!((Duration::from_secs(16)..=Duration::from_secs(24)).contains(&left), "{left:?}");

    let mut desk = Desk::new(settings());
    (0..2).for_each(|_| desk.ends(Health::Well));
    desk.fail(5);
    assert_eq!(desk.phase(), Phase::Closed, "five of seven");
    desk.fail(1);
    assert_eq!(desk.phase(), Phase::Open, "six of eight");

    let mut desk = Desk::new(settings());
    desk.fail(3);
    advance(Duration::from_secs(3)).await;
    desk.fail(3);
    assert_eq!(desk.phase(), Phase::Closed, "the first three are older than the window");
    desk.fail(1);
    assert_eq!(desk.phase(), Phase::Open);
}

#[tokio::test(start_paused = true)]
async fn one_proof_counts_once_and_one_client_three_times_until_a_success() {
    let mut desk = Desk::new(Breaker::new());
    for _ in 0..100 {
        desk.enter_as(0, None).unwrap().settle(Health::Failed);
        desk.ends(Health::Well);
    }
    for _ in 0..100 {
        desk.enter_as(0, None).unwrap().settle(Health::Failed);
    }
    assert_eq!(desk.phase(), Phase::Closed, "one proof");

    let client = |n: u8| Some(Client::at(Some([192, 0, 2, n].into())));
    let mut proofs = 1_000..;
    let mut fail_as = |desk: &Desk, n| {
        desk.enter_as(proofs.next().unwrap(), client(n)).unwrap().settle(Health::Failed);
    };
    (0..100).for_each(|_| fail_as(&desk, 1));
    assert_eq!(desk.phase(), Phase::Closed, "one client");
    (0..100).for_each(|_| fail_as(&desk, 2));
    (0..100).for_each(|_| fail_as(&desk, 3));
    assert_eq!(desk.phase(), Phase::Closed, "three clients, nine failures");
    fail_as(&desk, 4);
    assert_eq!(desk.phase(), Phase::Open, "ten failures of four clients");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_here_and_what_had_too_little_time_count_as_neither() {
    let mut desk = Desk::new(Breaker::new());
    desk.fail(9);
    (0..100).for_each(|_| desk.ends(Health::Unknown));
    for proof in 5_000..5_100 {
        let short = Duration::from_millis(2_499);
        let (admission, _) = desk.switch.enter(desk.key(proof), None, DEADLINE, short).unwrap();
        admission.settle(Health::TimedOut);
    }
    assert_eq!(desk.phase(), Phase::Closed);
    let (admission, _) = desk.switch.enter(desk.key(6_000), None, DEADLINE, DEADLINE / 2).unwrap();
    admission.settle(Health::TimedOut);
    assert_eq!(desk.phase(), Phase::Open, "half of the deadline is enough, and what did not count did not end the row");
}

#[tokio::test(start_paused = true)]
async fn answers_that_cannot_be_read_open_it_and_are_not_an_outage() {
    let mut desk = Desk::new(Breaker::new());
    desk.fail(9);
    desk.ends(Health::Garbled);
    assert!(!desk.enter().unwrap_err().is_outage, "nine failures alone open nothing");

    // A probe with an unreadable answer is not an outage either; ten failures in a row without such answers are.
    desk.wait_until_a_probe_is_due().await;
    desk.ends(Health::Failed);
    assert!(desk.enter().unwrap_err().is_outage, "the tenth failure");
    desk.wait_until_a_probe_is_due().await;
    desk.ends(Health::Garbled);
    assert!(!desk.enter().unwrap_err().is_outage);
}

#[tokio::test(start_paused = true)]
async fn one_probe_decides_and_the_others_are_refused_meanwhile() {
    let mut desk = Desk::new(Breaker::new());
    desk.fail(10);
    desk.wait_until_a_probe_is_due().await;
    let probe = desk.enter().unwrap();
    assert_eq!(desk.phase(), Phase::HalfOpen);
    assert_eq!(desk.enter().unwrap_err().left, Duration::from_secs(1));
    drop(probe);
    let probe = desk.enter().expect("the slot of a probe that came to nothing is free");
    probe.settle(Health::Unknown);
    let probe = desk.enter().expect("so is that of one that says nothing");
    probe.settle(Health::Well);
    assert_eq!(desk.phase(), Phase::Closed);
    desk.fail(9);
    assert_eq!(desk.phase(), Phase::Closed, "the count begins at zero");
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_before_never_moves_the_state() {
    let mut desk = Desk::new(Breaker::new());
    let early: Vec<_> = (0..30).map(|_| desk.enter().unwrap()).collect();
    let mut early = early.into_iter();
    desk.fail(10);
    assert_eq!(early.next().unwrap().settle(Health::Well), None);
    assert_eq!(desk.phase(), Phase::Open, "a late success does not close it");
    desk.wait_until_a_probe_is_due().await;
    let probe = desk.enter().unwrap();
    early.next().unwrap().settle(Health::Well);
    assert_eq!(desk.phase(), Phase::HalfOpen, "nor while the probe runs");
    drop(early.next());
    assert!(desk.enter().is_err(), "and it frees no slot");
    probe.settle(Health::Well);
    early.for_each(|admission| assert_eq!(admission.settle(Health::Failed), None));
    assert_eq!(desk.phase(), Phase::Closed, "a late failure does not open it again");
}

#[tokio::test(start_paused = true)]
async fn it_stays_open_twice_as_long_each_time_up_to_a_minute() {
    let mut desk = Desk::new(Breaker::new());
    desk.fail(10);
    for seconds in [10.0_f64, 20.0, 40.0, 60.0, 60.0] {
        let left = desk.enter().unwrap_err().left.as_secs_f64();
        assert!((seconds * 0.79..=seconds * 1.21).contains(&left), "{seconds}: {left}");
        desk.wait_until_a_probe_is_due().await;
        desk.fail(1);
    }
    desk.wait_until_a_probe_is_due().await;
    desk.ends(Health::Well);
    desk.fail(10);
    assert!(desk.enter().unwrap_err().left < Duration::from_secs(13), "after a success it begins again");
}

#[tokio::test(start_paused = true)]
async fn it_stays_open_until_every_older_check_has_ended() {
    let mut desk = Desk::new(Breaker::new().open_for(Duration::from_secs(1)));
    let deadline = Duration::from_secs(90);
    drop(desk.switch.enter(desk.key(0), None, deadline, deadline).unwrap());
    desk.fail(10);
    let refused = desk.enter().unwrap_err();
    assert!(refused.left > Duration::from_secs(89), "{refused:?}");
    assert!(Instant::now().elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn a_clients_successes_do_not_let_it_count_again_within_a_window() {
    let desk = Desk::new(Breaker::new());
    let client = Some(Client::at(Some([192, 0, 2, 1].into())));
    for proof in 0..100 {
        let health = if proof % 4 == 3 { Health::Well } else { Health::Failed };
        desk.enter_as(proof, client).unwrap().settle(health);
    }
    assert_eq!(desk.phase(), Phase::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_wins_one_probe_after_the_other_keeps_no_door_open_and_the_others_not_out() {
    let mut desk = Desk::new(Breaker::new());
    desk.fail(10);
    assert!(desk.enter().unwrap_err().is_outage);
    let client = Some(Client::at(Some([192, 0, 2, 1].into())));
    for proof in 1_000..1_004 {
        desk.wait_until_a_probe_is_due().await;
        desk.enter_as(proof, client).unwrap().settle(Health::Failed);
    }
    assert!(!desk.switch.is_open_for_an_outage(), "three of its failures count, and the fourth does not");
    desk.ends(Health::Well);
    assert_eq!(desk.phase(), Phase::Closed, "the next request is the probe");
}

#[tokio::test(start_paused = true)]
async fn it_says_that_it_is_half_open_where_only_a_probe_is_missing() {
    let mut desk = Desk::new(Breaker::new());
    desk.fail(10);
    assert!(desk.phase() == Phase::Open && desk.switch.refusal().is_some());
    advance(desk.enter().unwrap_err().left).await;
    assert!(desk.phase() == Phase::HalfOpen && desk.switch.refusal().is_none(), "at once");
    desk.wait_until_a_probe_is_due().await;
    assert!(desk.phase() == Phase::HalfOpen && desk.switch.refusal().is_none());
}

#[tokio::test(start_paused = true)]
async fn while_the_probe_runs_it_says_that_it_would_refuse() {
    let mut desk = Desk::new(Breaker::new());
    desk.fail(10);
    desk.wait_until_a_probe_is_due().await;
    let probe = desk.enter().unwrap();
    assert_eq!(desk.switch.refusal().unwrap(), desk.enter().unwrap_err());
    drop(probe);
    assert!(desk.switch.refusal().is_none(), "the slot is free");
}

#[tokio::test(start_paused = true)]
async fn failures_are_forgotten_after_a_window_however_long_it_has_counted() {
    let mut desk = Desk::new(Breaker::new().consecutive(10_000));
    for _ in 0..10 {
        advance(Duration::from_secs(11)).await;
        desk.fail(19);
        assert_eq!(desk.phase(), Phase::Closed, "fewer than twenty in ten seconds");
    }
    advance(Duration::from_secs(9)).await;
    desk.fail(1);
    assert_eq!(desk.phase(), Phase::Open);
}

#[tokio::test(start_paused = true)]
async fn proofs_that_take_turns_count_once_each() {
    let desk = Desk::new(Breaker::new());
    for n in 0..1_000 {
        desk.enter_as(n % 9, None).unwrap().settle(Health::Failed);
    }
    assert_eq!(desk.phase(), Phase::Closed, "nine proofs");
    desk.enter_as(9, None).unwrap().settle(Health::Failed);
    assert_eq!(desk.phase(), Phase::Open, "ten proofs");
}

#[tokio::test(start_paused = true)]
async fn failures_of_more_clients_than_it_remembers_do_not_count() {
    let desk = Desk::new(Breaker::new().consecutive(10_000).ratio(1.0));
    let client = |n: u32| Some(Client::at(Some(std::net::Ipv4Addr::from(n).into())));
    let fail = |desk: &Desk, proof: u32, n: u32| {
        desk.enter_as(proof, client(n)).unwrap().settle(Health::Failed);
    };
    for n in 0..16_384 {
        if n % 8_192 == 0 {
            desk.enter_as(u32::MAX, None).unwrap().settle(Health::Well);
        }
        fail(&desk, n, n);
    }
    desk.enter_as(u32::MAX, None).unwrap().settle(Health::Well);
    (0..10_000).for_each(|n| fail(&desk, 100_000 + n, 100_000 + n));
    assert_eq!(desk.phase(), Phase::Closed, "further clients");
    (0..9_999).for_each(|n| fail(&desk, 200_000 + n, n));
    assert_eq!(desk.phase(), Phase::Closed, "remembered clients");
    fail(&desk, 300_000, 9_999);
    assert_eq!(desk.phase(), Phase::Open);
}

#[tokio::test(start_paused = true)]
async fn not_all_instances_probe_at_once() {
    let openings = (0..50).map(|_| {
        let mut desk = Desk::new(Breaker::new());
        desk.fail(10);
        desk.enter().unwrap_err().left
    });
    let openings: std::collections::BTreeSet<Duration> = openings.collect();
    assert!(openings.len() > 5, "{openings:?}");
    let second = Duration::from_secs(1);
    assert!(openings.iter().all(|left| (8 * second..=12 * second).contains(left)), "{openings:?}");
}
