//! The contract of stores, as tests that are generic over the store. The tests of each store run [`all`] with its clock.

use std::time::{Duration, SystemTime};

use super::{Calendar, Claimed, Day, Nonce, Purpose, Rate, Store, Subject, Taken};
use crate::ex_id::ExId;

const MINUTE: Duration = Duration::from_secs(60);

/// `advance` moves the store's clock.
pub(super) async fn all<S: Store>(store: S, advance: impl AsyncFn(Duration)) {
    one_claim_holds_until_its_end(&store, &advance).await;
    a_claim_is_released_by_its_own_nonce_alone(&store, &advance).await;
    a_released_and_claimed_subject_keeps_its_new_end(&store, &advance).await;
    subjects_differ_by_purpose_and_by_where_a_part_ends(&store).await;
    a_rate_allows_its_burst_and_then_its_pace(&store, &advance).await;
    what_waits_takes_nothing(&store, &advance).await;
    a_sum_is_of_one_day(&store).await;
    a_claim_a_rate_and_a_sum_of_the_same_parts_are_three(&store).await;
}

async fn new<S: Store>(store: &S, subject: &Subject<'_>, by: &ExId, lifetime: Duration) -> Nonce {
    match store.claim(subject, by, lifetime).await {
        Ok(Claimed::New(nonce)) => nonce,
        other => panic!("not claimed again: {other:?}"),
    }
}

async fn taken_by<S: Store>(store: &S, subject: &Subject<'_>, by: &ExId) {
    let answer = store.claim(subject, &ExId::generate(), MINUTE).await;
    assert_eq!(answer, Ok(Claimed::Taken { by: Some(by.clone()) }));
}

async fn one_claim_holds_until_its_end<S: Store>(store: &S, advance: &impl AsyncFn(Duration)) {
    let longest = "Z_-9".repeat(16);
    let ids = ["a", "0123456789abcdef0123456789ABCDEF", "0123456789abcdef0123456789abcdef", &longest];
    for by in ids.map(|id| ExId::parse(id).expect("an id")).into_iter().chain([ExId::generate()]) {
        let parts: [&[u8]; 2] = [b"held", by.as_str().as_bytes()];
        let subject = Subject::new(Purpose::Claim, &parts);
        new(store, &subject, &by, MINUTE).await;
        taken_by(store, &subject, &by).await;
        advance(Duration::from_secs(59)).await;
        taken_by(store, &subject, &by).await;
        advance(Duration::from_secs(1)).await;
        new(store, &subject, &by, MINUTE).await;
    }
}

async fn a_claim_is_released_by_its_own_nonce_alone<S: Store>(store: &S, advance: &impl AsyncFn(Duration)) {
    let parts: [&[u8]; 1] = [b"released"];
    let subject = Subject::new(Purpose::Claim, &parts);
    let (first, second) = (ExId::generate(), ExId::generate());
    let nonce = new(store, &subject, &first, MINUTE).await;
    assert_eq!(store.release(&subject, Nonce::fresh()).await, Ok(()));
    taken_by(store, &subject, &first).await;
    assert_eq!(store.release(&subject, nonce).await, Ok(()));
    let later = new(store, &subject, &second, MINUTE).await;
    assert_ne!(nonce, later);
    // The first claim is released again, late.
    assert_eq!(store.release(&subject, nonce).await, Ok(()));
    taken_by(store, &subject, &second).await;
    // Also after the end of the claim.
    advance(MINUTE).await;
    assert_eq!(store.release(&subject, later).await, Ok(()));
    let nonce = new(store, &subject, &first, MINUTE).await;
    assert_eq!(store.release(&subject, later).await, Ok(()));
    taken_by(store, &subject, &first).await;
    assert_eq!(store.release(&subject, nonce).await, Ok(()));
}

async fn a_released_and_claimed_subject_keeps_its_new_end<S: Store>(store: &S, advance: &impl AsyncFn(Duration)) {
    let parts: [&[u8]; 1] = [b"again"];
    let subject = Subject::new(Purpose::Claim, &parts);
    let by = ExId::generate();
    let nonce = new(store, &subject, &by, MINUTE).await;
    advance(MINUTE / 2).await;
    assert_eq!(store.release(&subject, nonce).await, Ok(()));
    new(store, &subject, &by, MINUTE).await;
    // The end of the first claim passes.
    advance(MINUTE / 2 + Duration::from_secs(1)).await;
    taken_by(store, &subject, &by).await;
    advance(MINUTE / 2).await;
    new(store, &subject, &by, MINUTE).await;
}

async fn subjects_differ_by_purpose_and_by_where_a_part_ends<S: Store>(store: &S) {
    let splits: [&[&[u8]]; 7] =
        [&[b"ab", b"c"], &[b"a", b"bc"], &[b"abc"], &[b"abc", b""], &[b"", b"abc"], &[b""], &[]];
    for parts in splits {
        for purpose in [Purpose::Claim, Purpose::ClientRate, Purpose::PhoneRate, Purpose::Budget] {
            new(store, &Subject::new(purpose, parts), &ExId::generate(), MINUTE).await;
        }
    }
}

async fn a_rate_allows_its_burst_and_then_its_pace<S: Store>(store: &S, advance: &impl AsyncFn(Duration)) {
    let parts: [&[u8]; 1] = [b"client"];
    let subject = Subject::new(Purpose::ClientRate, &parts);
    let rate = Rate::new(60, MINUTE).burst(3);
    for _round in 0..2 {
        for _ in 0..3 {
            assert_eq!(store.take(&subject, rate, 1).await, Ok(Taken::Now));
        }
        let Ok(Taken::Wait(wait)) = store.take(&subject, rate, 1).await else { panic!("a fourth at once") };
        assert!(wait <= Duration::from_secs(1) && !wait.is_zero(), "{wait:?}");
        advance(wait).await;
        assert_eq!(store.take(&subject, rate, 1).await, Ok(Taken::Now));
        assert!(matches!(store.take(&subject, rate, 1).await, Ok(Taken::Wait(_))));
        // The whole burst recovers, and no more.
        advance(MINUTE).await;
    }
    let other: [&[u8]; 1] = [b"client 2"];
    assert_eq!(store.take(&Subject::new(Purpose::ClientRate, &other), rate, 3).await, Ok(Taken::Now));
}

async fn what_waits_takes_nothing<S: Store>(store: &S, advance: &impl AsyncFn(Duration)) {
    let parts: [&[u8]; 1] = [b"patient"];
    let subject = Subject::new(Purpose::PhoneRate, &parts);
    let rate = Rate::new(3, MINUTE * 10);
    assert!(matches!(store.take(&subject, rate, 4).await, Ok(Taken::Wait(_))), "more than the burst");
    assert_eq!(store.take(&subject, rate, 2).await, Ok(Taken::Now));
    for _ in 0..20 {
        assert!(matches!(store.take(&subject, rate, 2).await, Ok(Taken::Wait(_))));
    }
    assert_eq!(store.take(&subject, rate, 1).await, Ok(Taken::Now));
    advance(MINUTE * 10).await;
    assert_eq!(store.take(&subject, rate, 3).await, Ok(Taken::Now));
}

async fn a_sum_is_of_one_day<S: Store>(store: &S) {
    let parts: [&[u8]; 1] = [b"account"];
    let subject = Subject::new(Purpose::Budget, &parts);
    // 23:59 and 00:00 in Shanghai.
    let midnight = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_196_800);
    let (before, after) = (Day::at(midnight - MINUTE), Day::at(midnight));
    assert_eq!(store.add(&subject, 999, before).await, Ok(999));
    assert_eq!(store.add(&subject, 1, before).await, Ok(1_000));
    assert_eq!(store.add(&subject, 1, after).await, Ok(1));
    // A late addition of the day before counts for that day.
    assert_eq!(store.add(&subject, 1, before).await, Ok(1_001));
    assert_eq!(store.add(&subject, 1, after).await, Ok(2));
}

async fn a_claim_a_rate_and_a_sum_of_the_same_parts_are_three<S: Store>(store: &S) {
    let parts: [&[u8]; 1] = [b"three"];
    let by = ExId::generate();
    let claim = Subject::new(Purpose::Claim, &parts);
    new(store, &claim, &by, MINUTE).await;
    let rate = Subject::new(Purpose::RuleRate, &parts);
    assert_eq!(store.take(&rate, Rate::new(1, MINUTE), 1).await, Ok(Taken::Now));
    let sum = Subject::new(Purpose::Budget, &parts);
    assert_eq!(store.add(&sum, 5, Calendar::new().today()).await, Ok(5));
    taken_by(store, &claim, &by).await;
}
