//! Simulates many instances of one application, without and with a shared Redis: how many checks the vendor bills, and how many
//! requests a client gets through.
//!
//! ```sh
//! cargo run --release --example instances --features redis                              # with a memory each
//! cargo run --release --example instances --features redis -- redis://127.0.0.1:6379    # and over that Redis
//! ```
//!
//! Logins reach a random instance. One in twenty is sent twice, as after a double tap or by an attacker who has recorded it. In
//! addition, one client sends as many requests as it can, each with another proof. The verifier passes everything and counts.

use std::{
    convert::Infallible,
    env,
    error::Error,
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_jverify::{Check, Class, ClientIp, Guards, JVerifyLayer, Redis, Rule, Secret, Verdict, number};

const LOGINS: u32 = 5_000;

/// One login in so many is sent twice.
const TWICE: u32 = 20;

/// How many requests one client sends at once. Its burst is 300.
const TRIES: u32 = 2_500;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::args().nth(1);
    println!("{LOGINS} logins, of which {} are sent twice; one client that tries {TRIES} times", LOGINS / TWICE);
    println!(
        "| instances | store | calls for the logins | calls for the one client | µs a request |\n|---|---|---|---|---|"
    );
    for instances in [1, 2, 4, 16] {
        run(instances, None).await?;
        if let Some(url) = &url {
            run(instances, Some(url)).await?;
        }
    }
    Ok(())
}

async fn run(instances: usize, url: Option<&str>) -> Result<(), Box<dyn Error>> {
    let calls = Arc::new(AtomicU64::new(0));
    // A new key for each run, so that no run sees the claims of another.
    let key = format!("a simulation, not a secret: {}", unique(instances));
    let mut sites = Vec::new();
    for _ in 0..instances {
        let mut guards = Guards::builder();
        if let Some(url) = url {
            guards = guards.redis(Redis::builder(url).deployment_key(Secret::from(key.clone())).build()?);
        }
        let counted = Arc::clone(&calls);
        let verifier = service_fn(move |check: Check| {
            counted.fetch_add(1, Ordering::Relaxed);
            ready(Ok::<_, Infallible>(Verdict::new(check.kind(), Class::Passed)))
        });
        let rule = Rule::post("/login", number()).client_ip(ClientIp::forwarded(1));
        let layer = JVerifyLayer::builder(verifier).guards(&guards.build()?).rule(rule).build()?;
        sites.push(layer.layer(service_fn(|_| ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))))));
    }
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut chosen = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap_or_default() % instances
    };
    let (began, mut requests) = (Instant::now(), 0_u32);
    for login in 0..LOGINS {
        let [_, b, c, d] = login.to_be_bytes();
        for _ in 0..if login % TWICE == 0 { 2 } else { 1 } {
            send(sites.get_mut(chosen()), &format!("10.{b}.{c}.{d}"), &format!("login {login}"), login).await?;
            requests += 1;
        }
    }
    let for_logins = calls.swap(0, Ordering::Relaxed);
    for attempt in 0..TRIES {
        send(sites.get_mut(chosen()), "192.0.2.1", &format!("try {attempt}"), LOGINS + attempt).await?;
        requests += 1;
    }
    let store = if url.is_some() { "Redis" } else { "memory" };
    let each = began.elapsed().as_micros() / u128::from(requests);
    println!("| {instances} | {store} | {for_logins} | {} | {each} |", calls.load(Ordering::Relaxed));
    Ok(())
}

async fn send<S>(site: Option<&mut S>, client: &str, token: &str, phone: u32) -> Result<(), S::Error>
where
    S: Service<Request<Full<Bytes>>>,
{
    let body = format!(r#"{{"token":"{token}","phone":"138{phone:08}"}}"#);
    let request = Request::post("/login").header("content-type", "application/json").header("x-forwarded-for", client);
    let request = request.body(Full::from(body)).expect("the request has a valid method, path and headers");
    let Some(site) = site else { return Ok(()) };
    site.ready().await?.call(request).await.map(drop)
}

/// A value that differs in each run.
fn unique(instances: usize) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{instances} {}", now.as_nanos())
}
