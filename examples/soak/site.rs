//! The system under load: the application with the layer, the proxy that injects faults, and the sandbox.

use std::{convert::Infallible, error::Error, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    time::{interval, sleep},
};
use tower::{BoxError, Layer, Service, service_fn};
use tower_jverify::{
    ClientIp, Credentials, Decided, Decision, DenialReason, Guards, JPush, JVerifyLayer, Redis, RequestBody, Rule,
    Sandbox, StorePolicy, number,
};

use crate::{calls::By, fault_proxy::FaultProxy, tally::Tally};

/// How long the layer waits for JPush.
pub(crate) const DEADLINE: Duration = Duration::from_secs(2);

/// How long an unused connection to JPush stays.
pub(crate) const IDLE: Duration = Duration::from_secs(1);

/// The sandbox remembers 10,000 calls: at 300 requests a second for half a minute.
const COLLECT: Duration = Duration::from_millis(500);

pub(crate) struct Site {
    pub(crate) instances: Vec<Instance>,
    pub(crate) proxy: Arc<FaultProxy>,
    sandbox: Sandbox,
    tally: Arc<Tally>,
}

/// One instance of the application. Those of a site share a Redis.
pub(crate) struct Instance {
    pub(crate) address: SocketAddr,
    pub(crate) guards: Guards,
}

// === impl Site ===

impl Site {
    /// One instance; with Redis two, of which one refuses what Redis does not answer.
    pub(crate) async fn start(seed: u64, tally: &Arc<Tally>, redis: Option<Redis>) -> Result<Self, Box<dyn Error>> {
        let sandbox = Sandbox::new();
        let proxy = Arc::new(FaultProxy::start(serve(sandbox.clone()).await?, seed).await?);
        let jpush = JPush::builder(Credentials::new("app key", "master secret")?)
            .base_url(&proxy.url())
            .idle_timeout(IDLE)
            // Of the sandbox's labels.
            .proof_bytes(*b"#")
            .build()?;
        let policies =
            if redis.is_some() { [StorePolicy::Local, StorePolicy::Refuse].as_slice() } else { &[StorePolicy::Local] };
        let mut instances = Vec::new();
        for policy in policies {
            let mut guards = Guards::builder().store_policy(*policy);
            if let Some(redis) = &redis {
                guards = guards.redis(redis.clone());
            }
            let guards = guards.build()?;
            let (accounts, arrivals) = (Arc::clone(tally), Arc::clone(&proxy));
            let layer = JVerifyLayer::builder(jpush.clone())
                .guards(&guards)
                .rule(Rule::post("/login", number()).client_ip(ClientIp::forwarded(1)).deadline(DEADLINE))
                .on_decision(move |decided| account(&accounts, decided, &arrivals))
                .build()?;
            let passed = Arc::clone(tally);
            let application =
                service_fn(move |request| std::future::ready(Ok::<_, Infallible>(application(&passed, &request))));
            instances.push(Instance { address: serve(layer.layer(application)).await?, guards });
        }
        let (asked, lost, known) = (sandbox.clone(), Arc::clone(&proxy), Arc::clone(tally));
        tokio::spawn(async move {
            let mut ticks = interval(COLLECT);
            loop {
                ticks.tick().await;
                collect(&asked, &lost, &known);
            }
        });
        Ok(Self { instances, proxy, sandbox, tally: Arc::clone(tally) })
    }

    /// Waits until nothing outlives its request.
    pub(crate) async fn drained(&self) {
        for instance in &self.instances {
            instance.guards.drained().await;
        }
    }

    pub(crate) fn abandoned_checks(&self) -> usize {
        self.instances.iter().map(|instance| instance.guards.snapshot().abandoned_checks()).sum()
    }

    /// Reads which calls have arrived since the last time.
    pub(crate) fn collect_calls(&self) {
        collect(&self.sandbox, &self.proxy, &self.tally);
    }
}

fn collect(sandbox: &Sandbox, proxy: &FaultProxy, tally: &Tally) {
    for call in sandbox.take_calls() {
        tally.calls.add(call.ex_id().unwrap_or("a call without exID"), By::Vendor);
    }
    for ex_id in proxy.take_lost() {
        tally.calls.add(&ex_id, By::Vendor);
    }
}

/// What the layer says of each guarded request.
fn account(tally: &Tally, decided: &Decided<'_>, proxy: &FaultProxy) {
    match decided.denial_reason() {
        Some(DenialReason::StoreDown) => tally.store_down.add(),
        Some(DenialReason::Replayed) => tally.replayed.add(),
        _ => {}
    }
    for verdict in decided.verdicts() {
        if let Some(ex_id) = verdict.ex_id().filter(|_| !verdict.nothing_sent()) {
            tally.calls.add(ex_id.as_str(), By::Layer);
        }
        if verdict.code().is_some() {
            tally.notice_answer(proxy.arrived());
        }
        if decided.denial_reason() == Some(DenialReason::BreakerOpen) {
            tally.notice_refusal(verdict.retry_after());
        }
    }
}

/// Answers everything. What reached it on the guarded path must have been verified.
fn application<B>(tally: &Tally, request: &Request<RequestBody<B>>) -> Response<Full<Bytes>> {
    if request.uri().path() == "/login" {
        let is_verified = request.extensions().get::<Decision>().is_some_and(Decision::is_verified);
        if is_verified { tally.passed.add() } else { tally.wrongly_through.add() }
    }
    Response::new(Full::from("application"))
}

/// Serves HTTP/1.1 on a loopback port until the process ends.
async fn serve<S, B>(service: S) -> Result<SocketAddr, Box<dyn Error>>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Without descriptors, the next attempt fails at once.
                sleep(Duration::from_millis(50)).await;
                continue;
            };
            // Without it, the small second write of an answer waits for the client's acknowledgement.
            let _ = stream.set_nodelay(true);
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                // The errors are of clients that left.
                let _ = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    Ok(address)
}
