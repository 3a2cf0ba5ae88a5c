//! Tests of the memory alone: its capacity, its races, and its rates against another implementation.

use std::{num::NonZeroU32, sync::Barrier, thread, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, FakeRelativeClock},
};
use proptest::prelude::*;

use super::{Calendar, Claimed, Memory, Purpose, Rate, StoreError, Subject, Taken, contract};
use crate::ex_id::ExId;

const MINUTE: Duration = Duration::from_secs(60);

fn claim(memory: &Memory, number: u64, lifetime: Duration) -> Result<Claimed, StoreError> {
    let number = number.to_le_bytes();
    memory.claim_now(&Subject::new(Purpose::Claim, &[&number]), &ExId::generate(), lifetime)
}

#[tokio::test(start_paused = true)]
async fn it_keeps_the_contract_of_a_store() {
    contract::all(Memory::default(), tokio::time::advance).await;
}

#[tokio::test(start_paused = true)]
async fn at_its_bound_it_is_full_and_holds_what_it_has() {
    let memory = Memory::default();
    for number in 0..1_000_000 {
        assert!(matches!(claim(&memory, number, MINUTE), Ok(Claimed::New(_))));
    }
    assert_eq!(claim(&memory, 1_000_000, MINUTE), Err(StoreError::Full));
    let subject = Subject::new(Purpose::ClientRate, &[b"client"]);
    assert_eq!(memory.take_now(&subject, Rate::new(1, MINUTE), 1), Err(StoreError::Full));
    assert_eq!(memory.add_now(&subject, 1, Calendar::new().today()), Err(StoreError::Full));
    assert!(matches!(claim(&memory, 0, MINUTE), Ok(Claimed::Taken { .. })), "the first claim is still held");
    assert_eq!(memory.entries(), 1_000_000);
    // The limits of accounts hold.
    let (rate, sum) = (Subject::new(Purpose::AccountRate, &[b"account"]), Subject::new(Purpose::Budget, &[b"account"]));
    assert_eq!(memory.take_now(&rate, Rate::new(1, MINUTE / 2), 1), Ok(Taken::Now));
    assert_eq!(memory.take_now(&rate, Rate::new(1, MINUTE / 2), 1), Ok(Taken::Wait(MINUTE / 2)));
    assert_eq!([(); 2].map(|()| memory.add_now(&sum, 3, Calendar::new().today())), [Ok(3), Ok(6)]);
    // All end: there is room again at once.
    tokio::time::advance(MINUTE).await;
    assert!(matches!(claim(&memory, 1_000_000, MINUTE), Ok(Claimed::New(_))));
}

#[tokio::test(start_paused = true)]
async fn one_entry_that_has_ended_makes_room_for_one() {
    let memory = Memory::new(100);
    for number in 0..100 {
        let lifetime = if number == 50 { MINUTE } else { MINUTE * 2 };
        assert!(matches!(claim(&memory, number, lifetime), Ok(Claimed::New(_))));
    }
    assert_eq!(claim(&memory, 100, MINUTE), Err(StoreError::Full));
    tokio::time::advance(MINUTE).await;
    assert!(matches!(claim(&memory, 101, MINUTE), Ok(Claimed::New(_))));
    assert_eq!(claim(&memory, 102, MINUTE), Err(StoreError::Full));
    for number in (0..100).filter(|number| *number != 50) {
        assert!(matches!(claim(&memory, number, MINUTE), Ok(Claimed::Taken { .. })), "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_ended_goes_with_later_calls() {
    let memory = Memory::default();
    for round in 0..50 {
        for number in 0..1_000 {
            let mark = (round * 1_000_u64 + number).to_le_bytes();
            claim(&memory, round * 1_000 + number, MINUTE).unwrap();
            let parts: [&[u8]; 1] = [&mark];
            memory.take_now(&Subject::new(Purpose::ClientRate, &parts), Rate::new(1, MINUTE), 1).unwrap();
        }
        tokio::time::advance(MINUTE).await;
        assert!(memory.entries() <= 5_000, "{} in round {round}", memory.entries());
    }
    // A sum outlives its day by a day.
    let day = Calendar::new().today();
    memory.add_now(&Subject::new(Purpose::Budget, &[]), 7, day).unwrap();
    tokio::time::advance(Duration::from_secs(47 * 3_600)).await;
    assert_eq!(memory.add_now(&Subject::new(Purpose::Budget, &[]), 0, day), Ok(7));
    tokio::time::advance(Duration::from_secs(3_600)).await;
    assert_eq!(memory.add_now(&Subject::new(Purpose::Budget, &[]), 0, day), Ok(0));
}

#[test]
fn of_threads_that_claim_one_token_exactly_one_has_it() {
    let memory = Memory::default();
    for token in 0..200 {
        let start = Barrier::new(4);
        let won = thread::scope(|scope| {
            let claims = [(); 4].map(|()| {
                scope.spawn(|| {
                    start.wait();
                    matches!(claim(&memory, token, MINUTE), Ok(Claimed::New(_)))
                })
            });
            claims.into_iter().map(|claim| usize::from(claim.join().unwrap())).sum::<usize>()
        });
        assert_eq!(won, 1, "{token}");
    }
}

#[test]
fn two_memories_have_different_keys_for_one_subject() {
    let subject = Subject::new(Purpose::Claim, &[b"token"]);
    assert_ne!(Memory::new(1).key(&subject), Memory::new(1).key(&subject));
}

/// A claim, a release of what was claimed, or some time.
#[derive(Clone, Debug)]
enum Step {
    Claim(u8, u16),
    Release(u8),
    Pass(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..40_u8, 1..500_u16).prop_map(|(token, seconds)| Step::Claim(token, seconds)),
        1 => (0..40_u8).prop_map(Step::Release),
        1 => (0..300_u16).prop_map(Step::Pass),
    ]
}

fn paused<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(work)
}

proptest! {
    /// The order of ends, against a plain map that is searched.
    #[test]
    fn claims_end_as_those_of_a_plain_map(steps in prop::collection::vec(step(), 1..400)) {
        paused(async {
            let memory = Memory::new(20);
            let mut plain = std::collections::HashMap::new();
            let mut now = 0_u64;
            for step in steps {
                match step {
                    Step::Claim(token, seconds) => {
                        plain.retain(|_, (until, _)| *until > now);
                        let answer = claim(&memory, token.into(), Duration::from_secs(seconds.into()));
                        match answer {
                            Ok(Claimed::New(nonce)) => {
                                prop_assert!(plain.len() < 20 && !plain.contains_key(&token));
                                plain.insert(token, (now + u64::from(seconds), nonce));
                            }
                            Ok(Claimed::Taken { .. }) => prop_assert!(plain.contains_key(&token)),
                            Err(error) => {
                                prop_assert_eq!(error, StoreError::Full);
                                prop_assert!(plain.len() == 20 && !plain.contains_key(&token));
                            }
                        }
                    }
                    Step::Release(token) => if let Some((_, nonce)) = plain.remove(&token) {
                        memory.release_now(&Subject::new(Purpose::Claim, &[&u64::from(token).to_le_bytes()]), nonce);
                    },
                    Step::Pass(seconds) => {
                        now += u64::from(seconds);
                        tokio::time::advance(Duration::from_secs(seconds.into())).await;
                    }
                }
            }
            Ok(())
        })?;
    }

    /// Rates are multiples of a microsecond, which is what a store counts in.
    #[test]
    fn a_rate_answers_as_governor_does(
        interval in 1..20_000_000_u64,
        times in 1..50_u32,
        burst in 1..60_u32,
        steps in prop::collection::vec((0..6_u32, 0..2_000_u64, 1..6_u32), 1..120),
    ) {
        let per = Duration::from_micros(interval * u64::from(times));
        let rate = Rate::new(times, per).burst(burst);
        prop_assert_eq!(rate.validate("limit"), Ok(()));
        let quota = Quota::with_period(Duration::from_micros(interval)).unwrap();
        let quota = quota.allow_burst(NonZeroU32::new(burst).unwrap());
        let clock = FakeRelativeClock::default();
        let theirs = RateLimiter::direct_with_clock(quota, clock.clone());
        paused(async {
            let memory = Memory::new(1);
            let subject = Subject::new(Purpose::ClientRate, &[b"client"]);
            for (whole, thousandths, cost) in steps {
                // Whole intervals now and then, so that the exact edge is tried.
                let time = Duration::from_micros(match thousandths % 3 {
                    0 => interval * u64::from(whole),
                    1 => interval * thousandths / 1_000,
                    _ => 0,
                });
                clock.advance(time);
                tokio::time::advance(time).await;
                let ours = memory.take_now(&subject, rate, cost).unwrap();
                match theirs.check_n(NonZeroU32::new(cost).unwrap()) {
                    Ok(Ok(())) => prop_assert_eq!(ours, Taken::Now),
                    Ok(Err(until)) => prop_assert_eq!(ours, Taken::Wait(until.wait_time_from(clock.now()))),
                    Err(_) => prop_assert!(cost > burst && matches!(ours, Taken::Wait(_))),
                }
            }
            Ok(())
        })?;
    }
}
