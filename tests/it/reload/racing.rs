//! Reloads while requests come in, over real sockets and on several threads.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{Layer, service_fn};
use tower_jverify::{Class, Decision, JVerifyLayer, RequestBody, Rule, captcha, number};

use super::layer;
use crate::support::{LOGIN, Verifier, http2, serve};

const CLIENTS: usize = 4;
const REQUESTS: usize = 300;

/// What reached the application.
#[derive(Default)]
struct Counts {
    unproven: AtomicUsize,
    forged: AtomicUsize,
    others: AtomicUsize,
}

/// Serves an application under the layer that counts what it must never see.
async fn served(layer: &JVerifyLayer<Verifier>) -> (std::net::SocketAddr, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let counted = Arc::clone(&counts);
    let application = service_fn(move |request: Request<RequestBody<Incoming>>| {
        let counts = Arc::clone(&counted);
        async move {
            let decision = request.extensions().get::<Decision>();
            let said = request.headers().get_all("x-jverify-decision").iter().count();
            match (request.uri().path(), decision) {
                ("/other", None) if said == 0 => counts.others.fetch_add(1, Ordering::SeqCst),
                ("/login", Some(decision)) if decision.is_verified() && said == 1 => 0,
                ("/login", _) => counts.unproven.fetch_add(1, Ordering::SeqCst),
                _ => counts.forged.fetch_add(1, Ordering::SeqCst),
            };
            Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
        }
    });
    (serve(layer.layer(application)).await, counts)
}

/// Clients that log in, and send forged headers to a path without a rule; each on its own connection. Returns the statuses of logins.
async fn clients(address: std::net::SocketAddr) -> Vec<StatusCode> {
    let client = || async move {
        let client = http2::<Full<Bytes>>(address).await;
        let mut statuses = Vec::new();
        for n in 0..REQUESTS {
            let path = if n % 2 == 0 { "/login" } else { "/other" };
            let request = Request::post(format!("http://host{path}")).header("content-type", "application/json");
            let request = request.header("x-jverify-decision", "allow").body(Full::from(LOGIN)).unwrap();
            let response = client.clone().send_request(request).await.unwrap();
            if n % 2 == 0 {
                statuses.push(response.status());
            } else {
                assert_eq!(response.status(), 200);
            }
        }
        statuses
    };
    let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(client())).collect();
    let mut statuses = Vec::new();
    for client in clients {
        statuses.extend(client.await.unwrap());
    }
    statuses
}

/// Reloads with each of these in turn, on a separate thread, until it is dropped.
struct Reloading(Arc<AtomicBool>, Option<std::thread::JoinHandle<usize>>);

impl Reloading {
    fn begin(layer: &JVerifyLayer<Verifier>, with: Vec<JVerifyLayer<Verifier>>) -> Self {
        let (is_over, layer) = (Arc::new(AtomicBool::new(false)), layer.clone());
        let over = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let mut reloads = 0;
            while !over.load(Ordering::SeqCst) {
                for new in &with {
                    layer.reload(new.clone());
                    reloads += 1;
                    std::thread::sleep(Duration::from_micros(200));
                }
            }
            reloads
        });
        Self(is_over, Some(thread))
    }

    fn end(mut self) -> usize {
        self.0.store(true, Ordering::SeqCst);
        self.1.take().unwrap().join().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_login_passes_unproven_while_rules_that_guard_it_take_turns() {
    let passing = Verifier::passing();
    let guarding = layer(&passing, [Rule::post("/login", number())]);
    let many: Vec<Rule> = (0..50).map(|n| Rule::post(format!("/{n}"), number())).collect();
    let with = vec![
        layer(&passing, [Rule::any_method("/login", number()), Rule::post("/pay", captcha())]),
        layer(&passing, many.into_iter().chain([Rule::post("/login", number())])),
        layer(&passing, [Rule::post("/login", number()).in_flight(64)]),
    ];
    let (address, counts) = served(&guarding).await;
    let reloading = Reloading::begin(&guarding, with);
    let statuses = clients(address).await;
    assert!(reloading.end() > 10);
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!((counts.unproven.load(Ordering::SeqCst), counts.forged.load(Ordering::SeqCst)), (0, 0));
    assert_eq!(counts.others.load(Ordering::SeqCst), CLIENTS * REQUESTS / 2);
    assert_eq!(passing.calls(), statuses.len(), "each was asked about once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_login_is_refused_while_verifiers_that_refuse_take_turns() {
    let refusing = || Verifier::of_class(Class::Rejected);
    let rule = || [Rule::post("/login", number())];
    let guarding = layer(&refusing(), rule());
    let (address, counts) = served(&guarding).await;
    let reloading = Reloading::begin(&guarding, (0..3).map(|_| layer(&refusing(), rule())).collect());
    let statuses = clients(address).await;
    assert!(reloading.end() > 10);
    assert!(statuses.iter().all(|status| *status == 403), "{statuses:?}");
    assert_eq!((counts.unproven.load(Ordering::SeqCst), counts.forged.load(Ordering::SeqCst)), (0, 0));
}

#[test]
fn reloads_at_the_same_time_end_with_one_of_them_and_keep_every_mark() {
    let verifier = Verifier::passing();
    let reloaded = layer(&verifier, [Rule::post("/login", number()), Rule::post("/0", number())]);
    std::thread::scope(|scope| {
        for n in 0..4 {
            let (reloaded, verifier) = (&reloaded, &verifier);
            scope.spawn(move || {
                for _ in 0..50 {
                    reloaded.reload(layer(
                        verifier,
                        [Rule::post("/login", number()), Rule::post(format!("/{n}"), number())],
                    ));
                    assert_eq!(reloaded.unused_rules().len(), 2);
                }
            });
        }
    });
    assert_eq!(reloaded.unused_rules()[0], "POST /login");
}
