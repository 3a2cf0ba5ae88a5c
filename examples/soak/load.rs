//! The load generator: the clients of a run.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::{
    sync::Semaphore,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use crate::{fault_proxy::Random, settings::Settings, site::Site, tally::Tally, times::Times};

/// How many requests may wait for answers. With more, the machine is too slow for the rates.
const ROOM: u32 = 10_000;

/// After this time without an answer, a request counts as unanswered.
const PATIENCE: Duration = Duration::from_secs(30);

const TICK: Duration = Duration::from_millis(10);

pub(crate) struct Load {
    client: Client<HttpConnector, Full<Bytes>>,
    /// Of the instances.
    addresses: Vec<SocketAddr>,
    room: Arc<Semaphore>,
    random: Mutex<Random>,
    tally: Arc<Tally>,
    has_stopped: AtomicBool,
    /// Per second.
    unmatched: u32,
    guarded: u32,
}

/// What a guarded request sends, and how it may be answered.
#[derive(Clone, Copy)]
enum Login {
    /// A proof that is good once: 200, or 503 in an outage.
    Good,
    /// Sent by two requests at the same time: at most one passes.
    Twice,
    /// Another phone's: never 200.
    Bad,
    /// No proof: 400.
    Without,
    /// A good proof, whose client does not wait for the answer.
    Leaving,
}

// === impl Load ===

impl Load {
    /// Each `part` of a run sends different proofs.
    pub(crate) fn new(site: &Site, settings: &Settings, part: u64, tally: &Arc<Tally>) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(crate::site::IDLE)
            .build(connector());
        Self {
            client,
            addresses: site.instances.iter().map(|instance| instance.address).collect(),
            room: Arc::new(Semaphore::new(usize::try_from(ROOM).unwrap_or_default())),
            random: Mutex::new(Random::new(settings.seed.rotate_left(32) ^ part)),
            tally: Arc::clone(tally),
            has_stopped: AtomicBool::new(false),
            unmatched: settings.unmatched,
            guarded: settings.guarded,
        }
    }

    /// Some requests of each sort, one after the other.
    pub(crate) async fn a_few(&self) {
        for _ in 0..20 {
            self.unmatched().await;
            for login in [Login::Good, Login::Twice, Login::Bad, Login::Without, Login::Leaving] {
                self.login(login).await;
            }
        }
    }

    /// Sends at the rates, whether answers come or not, until [`Load::stop`].
    pub(crate) async fn run(self: Arc<Self>) {
        let began = Instant::now();
        let mut sent = (0, 0);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.has_stopped.load(Ordering::SeqCst) {
            let elapsed = ticks.tick().await.duration_since(began);
            for _ in 0..due(self.unmatched, elapsed, &mut sent.0) {
                self.spawn(|load| async move { load.unmatched().await });
            }
            for _ in 0..due(self.guarded, elapsed, &mut sent.1) {
                let login = Login::drawn(self.below(100));
                self.spawn(move |load| async move { load.login(login).await });
            }
        }
    }

    pub(crate) fn stop(&self) {
        self.has_stopped.store(true, Ordering::SeqCst);
    }

    /// Waits until each request has ended.
    pub(crate) async fn ended(&self) {
        drop(self.room.acquire_many(ROOM).await);
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(self: &Arc<Self>, request: impl FnOnce(Arc<Self>) -> F) {
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else { return self.tally.not_sent.add() };
        let request = request(Arc::clone(self));
        tokio::spawn(async move {
            request.await;
            drop(place);
        });
    }

    async fn unmatched(&self) {
        let request = Request::get(format!("http://{}/news/{}", self.address(), self.below(1_000)));
        let times = self.tally.unmatched();
        self.send(request.body(Full::default()).expect("the request has a valid method and path"), times).await;
    }

    async fn login(&self, login: Login) {
        let tally = &self.tally;
        match login {
            Login::Good => match self.exchange(self.proof("once-9000"), tally.guarded()).await {
                None | Some((StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE, _)) => {}
                Some((status, body)) => tally.refuse_wrongly(format!("{status} {}", String::from_utf8_lossy(&body))),
            },
            Login::Twice => {
                let request = self.proof("once-9000");
                // With several instances, often of two.
                let again = self.elsewhere(request.clone());
                let (one, other) = tokio::join!(self.send(request, None), self.send(again, None));
                if one == Some(StatusCode::OK) && other == one {
                    tally.wrongly_through.add();
                }
            }
            Login::Bad => {
                if self.send(self.proof("9001"), tally.guarded()).await == Some(StatusCode::OK) {
                    tally.wrongly_through.add();
                }
            }
            Login::Without => {
                let answer = self.send(self.post("{}".into()), None).await;
                if answer.is_some_and(|status| status != StatusCode::BAD_REQUEST) {
                    tally.wrongly_through.add();
                }
            }
            Login::Leaving => {
                tally.sent.add();
                let patience = Duration::from_millis(self.below(20));
                match timeout(patience, self.client.request(self.proof("once-9000"))).await {
                    Ok(Ok(_)) => tally.answered.add(),
                    Ok(Err(_)) => {}
                    Err(_) => tally.left.add(),
                }
            }
        }
    }

    async fn send(&self, request: Request<Full<Bytes>>, times: Option<&Times>) -> Option<StatusCode> {
        self.exchange(request, times).await.map(|(status, _)| status)
    }

    /// The whole answer. `None` is counted as a request without one.
    async fn exchange(&self, request: Request<Full<Bytes>>, times: Option<&Times>) -> Option<(StatusCode, Bytes)> {
        let began = Instant::now();
        self.tally.sent.add();
        let answered = async {
            let (head, body) = self.client.request(request).await.ok()?.into_parts();
            body.collect().await.ok().map(|body| (head.status, body.to_bytes()))
        };
        let answer = timeout(PATIENCE, answered).await.ok()??;
        self.tally.answered.add();
        if let Some(times) = times {
            times.add(began.elapsed());
        }
        Some(answer)
    }

    /// A login with a proof that nothing else has sent.
    fn proof(&self, meaning: &str) -> Request<Full<Bytes>> {
        let (label, phone) = (self.random(), self.below(100_000_000));
        self.post(format!(r#"{{"token":"sandbox-{meaning}#{label:x}","phone":"138{phone:08}"}}"#))
    }

    /// From one of 16 million clients.
    fn post(&self, body: String) -> Request<Full<Bytes>> {
        let [_, a, b, c, ..] = self.random().to_be_bytes();
        Request::builder()
            .method(Method::POST)
            .uri(format!("http://{}/login", self.address()))
            .header("content-type", "application/json")
            .header("x-forwarded-for", format!("10.{a}.{b}.{c}"))
            .body(Full::from(body))
            .expect("the request has a valid method, path and headers")
    }

    /// The same request, to any instance.
    fn elsewhere(&self, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
        *request.uri_mut() = format!("http://{}/login", self.address()).parse().expect("a URI of ours");
        request
    }

    /// Of one of the instances.
    fn address(&self) -> SocketAddr {
        let place = usize::try_from(self.below(self.addresses.len() as u64)).unwrap_or_default();
        *self.addresses.get(place).expect("a site has an instance")
    }

    fn random(&self) -> u64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).next()
    }

    fn below(&self, bound: u64) -> u64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).below(bound)
    }
}

// === impl Login ===

impl Login {
    fn drawn(percent: u64) -> Self {
        match percent {
            0..60 => Self::Good,
            60..70 => Self::Twice,
            70..90 => Self::Bad,
            90..95 => Self::Without,
            _ => Self::Leaving,
        }
    }
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector
}

/// How many requests are to be sent now.
fn due(per_second: u32, elapsed: Duration, sent: &mut u128) -> u128 {
    let all = elapsed.as_millis() * u128::from(per_second) / 1_000;
    let due = all.saturating_sub(*sent);
    *sent = all;
    due
}
