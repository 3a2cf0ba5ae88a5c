//! Keeps one spare connection for the next dial.
//!
//! hyper-util's pool (for HTTP/2) accepts a connection only after a request, and every request of JPush's API is a check, which
//! costs money or a token (the reference documents have no other request, and no answer to a `GET`). So a spare connection is
//! dialled (TCP, proxy, TLS) and nothing is sent on it. The next dial takes it instead of dialling. It is kept as long as a
//! connection in the pool, is watched, and is dropped if the server closes it or sends anything.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

/// The pause after a failed dial. It doubles each time.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A connection that can be spare.
pub(super) trait Quiet {
    /// Whether the server has neither closed it nor sent anything unexpected. If so, the task is woken when that changes.
    fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool;
}

/// A place for one connection.
#[derive(Debug)]
pub(super) struct Spare<S> {
    held: Mutex<Option<Held<S>>>,
    is_changed: Notify,
    /// How long a connection is kept.
    lasts: Duration,
}

#[derive(Debug)]
struct Held<S> {
    stream: S,
    until: Instant,
}

/// Why a connection is no longer stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Taken,
    /// Its time has passed.
    Over,
    /// The server closed it, or sent something.
    Ended,
}

// === impl Spare ===

impl<S: Quiet> Spare<S> {
    pub(super) fn new(lasts: Duration) -> Self {
        Self { held: Mutex::default(), is_changed: Notify::new(), lasts }
    }

    /// Whether a connection is stored. A task must wait for its end: see [`Spare::end`].
    pub(super) fn is_held(&self) -> bool {
        self.lock().as_ref().is_some_and(|held| Instant::now() < held.until)
    }

    /// Stores a connection, and replaces an earlier one.
    pub(super) fn put(&self, stream: S) {
        // If the clock cannot represent the time, the connection is not kept.
        *self.lock() = Instant::now().checked_add(self.lasts).map(|until| Held { stream, until });
        self.is_changed.notify_waiters();
    }

    /// Takes the connection, if it is still usable.
    pub(super) fn take(&self) -> Option<S> {
        let Held { mut stream, until } = self.lock().take()?;
        self.is_changed.notify_waiters();
        let is_quiet = stream.is_quiet(&mut Context::from_waker(Waker::noop()));
        (is_quiet && Instant::now() < until).then_some(stream)
    }

    /// Closes the connection.
    pub(super) fn clear(&self) {
        *self.lock() = None;
        self.is_changed.notify_waiters();
    }

    /// Waits until no connection is stored, and closes the stored one when its time has passed.
    pub(super) async fn end(&self) -> End {
        loop {
            let is_changed = self.is_changed.notified();
            let Some(until) = self.lock().as_ref().map(|held| held.until) else { return End::Taken };
            let (mut is_changed, mut is_over) = (pin!(is_changed), pin!(sleep_until(until)));
            let end = poll_fn(|cx| {
                let is_changed = is_changed.as_mut().poll(cx).is_ready();
                let is_over = is_over.as_mut().poll(cx).is_ready();
                if is_changed {
                    return Poll::Ready(None);
                }
                let mut held = self.lock();
                let end = match &mut *held {
                    None => End::Taken,
                    Some(_) if is_over => End::Over,
                    Some(held) => {
                        if held.stream.is_quiet(cx) {
                            return Poll::Pending;
                        }
                        End::Ended
                    }
                };
                *held = None;
                Poll::Ready(Some(end))
            });
            if let Some(end) = end.await {
                return end;
            }
        }
    }

    /// Keeps a connection stored, endlessly. While dials fail, or the server closes connections at once, the pauses between dials
    /// grow.
    pub(super) async fn keep<F, E>(&self, dial: impl Fn() -> F)
    where
        F: Future<Output = Result<S, E>>,
    {
        let mut pause = SHORTEST_PAUSE;
        if self.is_held() {
            self.end().await;
        }
        loop {
            let is_well = match dial().await {
                Ok(stream) => {
                    let began = Instant::now();
                    self.put(stream);
                    self.end().await != End::Ended || began.elapsed() >= SHORTEST_PAUSE
                }
                Err(_) => false,
            };
            if is_well {
                pause = SHORTEST_PAUSE;
            } else {
                sleep(pause).await;
                pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Held<S>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::{Cell, RefCell},
        future::ready,
        pin::Pin,
    };

    use tokio::{sync::oneshot, time::timeout};

    use super::*;

    const LASTS: Duration = Duration::from_secs(15);

    /// A connection, until its sender is dropped.
    type Fake = oneshot::Receiver<()>;

    impl Quiet for Fake {
        fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool {
            Pin::new(self).poll(cx).is_pending()
        }
    }

    /// How many dials there are within a time, of a server that ends connections by itself after `ended`.
    async fn dials_within(time: Duration, ended: Option<Duration>) -> usize {
        let spare = Spare::new(LASTS);
        let dials = Cell::new(0);
        let kept = RefCell::new(Vec::new());
        let keep = spare.keep(|| {
            dials.set(dials.get() + 1);
            let (sender, fake) = oneshot::channel::<()>();
            match ended {
                Some(after) => drop(tokio::spawn(async move {
                    sleep(after).await;
                    drop(sender);
                })),
                None => kept.borrow_mut().push(sender),
            }
            ready(Ok::<Fake, ()>(fake))
        });
        let _ = timeout(time, keep).await;
        dials.get()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_taken_once_and_only_in_its_time() {
        let spare = Spare::new(LASTS);
        let (_sender, fake) = oneshot::channel();
        spare.put(fake);
        assert!(spare.is_held() && spare.take().is_some());
        assert!(!spare.is_held() && spare.take().is_none());

        let (_sender, fake) = oneshot::channel();
        spare.put(fake);
        sleep(LASTS).await;
        assert!(!spare.is_held() && spare.take().is_none(), "its time is over");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_the_other_side_ended_is_not_taken() {
        let spare = Spare::new(LASTS);
        let (sender, fake) = oneshot::channel();
        spare.put(fake);
        drop(sender);
        assert!(spare.take().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_closed_when_its_time_is_over_or_the_other_side_ends_it_and_not_before() {
        let spare = Spare::new(LASTS);
        let (sender, fake) = oneshot::channel();
        spare.put(fake);
        let began = Instant::now();
        assert_eq!(spare.end().await, End::Over);
        assert!(sender.is_closed() && began.elapsed() >= LASTS);

        let (sender, fake) = oneshot::channel();
        spare.put(fake);
        drop(sender);
        assert_eq!(spare.end().await, End::Ended);
        assert!(!spare.is_held());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_replaces_another_has_its_own_time() {
        let spare = Spare::new(LASTS);
        let (first, fake) = oneshot::channel();
        spare.put(fake);
        let (_second, fake) = oneshot::channel();
        let replace = async {
            sleep(LASTS / 2).await;
            spare.put(fake);
            assert!(first.is_closed());
        };
        let began = Instant::now();
        let (end, ()) = futures_util::future::join(spare.end(), replace).await;
        assert_eq!(end, End::Over);
        assert!(began.elapsed() >= LASTS + LASTS / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_kept_is_dialled_again_each_time_it_is_over() {
        assert_eq!(dials_within(Duration::from_secs(59), None).await, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_ends_connections_early_is_dialled_again_at_once_but_not_if_it_ends_them_at_once() {
        assert_eq!(dials_within(Duration::from_secs(59), Some(Duration::from_secs(5))).await, 12);
        // After 1, 2, 4, 8, 16, 32 and 60 s.
        assert_eq!(dials_within(Duration::from_secs(60), Some(Duration::ZERO)).await, 6);
        assert!(dials_within(Duration::from_secs(3600), Some(Duration::ZERO)).await <= 66);
    }

    #[tokio::test(start_paused = true)]
    async fn dials_that_fail_are_repeated_in_growing_pauses_of_at_most_a_minute() {
        let spare = Spare::<Fake>::new(LASTS);
        let dials = RefCell::new(Vec::new());
        let began = Instant::now();
        let keep = spare.keep(|| {
            dials.borrow_mut().push(began.elapsed().as_secs());
            ready(Err(()))
        });
        let _ = timeout(Duration::from_secs(200), keep).await;
        assert_eq!(*dials.borrow(), [0, 1, 3, 7, 15, 31, 63, 123, 183]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_taken_is_replaced_at_once() {
        let spare = Spare::new(LASTS);
        let senders = RefCell::new(Vec::new());
        let keep = spare.keep(|| {
            let (sender, fake) = oneshot::channel::<()>();
            senders.borrow_mut().push(sender);
            ready(Ok::<Fake, ()>(fake))
        });
        let take = async {
            for _ in 0..3 {
                sleep(Duration::from_millis(1)).await;
                assert!(spare.take().is_some());
            }
        };
        let _ = timeout(Duration::from_millis(500), futures_util::future::join(keep, take)).await;
        assert_eq!(senders.borrow().len(), 4);
    }
}
