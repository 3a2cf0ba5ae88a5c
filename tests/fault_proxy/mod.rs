//! A TCP proxy between the JPush client and the sandbox that injects faults: one fault for all exchanges, or random faults for some.
//! The tests and the example `soak` share it.
//!
//! It reads whole HTTP/1.1 messages with a `content-length`, so it knows which requests it has kept from the sandbox.
#![allow(dead_code, reason = "the tests and the soak use different parts")]

mod fault;
mod random;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};

pub(crate) use self::{fault::Fault, random::Random};

/// What a peer that speaks TLS, or a firewall in front of it, may write: a fatal alert, `handshake_failure`.
const ALERT: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];

/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 22;

/// More bytes than any message of the client or the sandbox.
const LONGEST: usize = 256 * 1024;

/// The proxy. It closes its port with this value; connections end with their clients.
pub(crate) struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    upstream: SocketAddr,
    plan: Mutex<Plan>,
    arrived: AtomicU64,
    lost: Mutex<Vec<String>>,
}

struct Plan {
    /// The fault of every exchange.
    standing: Option<Fault>,
    /// How many of 1,000 exchanges get each of the random faults.
    per_mille: u64,
    random: Random,
}

/// One side of a connection, and what was read of its next message.
struct Side {
    stream: TcpStream,
    read: Vec<u8>,
}

// === impl FaultProxy ===

impl FaultProxy {
    /// Listens on a loopback port. Without a fault it changes nothing. Prints the seed of its random faults.
    pub(crate) async fn start(upstream: SocketAddr, seed: u64) -> io::Result<Self> {
        println!("fault proxy: seed {seed}");
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let plan = Plan { standing: None, per_mille: 0, random: Random::new(seed) };
        let (arrived, lost) = (AtomicU64::new(0), Mutex::default());
        let shared = Arc::new(Shared { upstream, plan: Mutex::new(plan), arrived, lost });
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, accepting })
    }

    /// For `JPushBuilder::base_url`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same for a client that speaks TLS, which the proxy answers with an alert.
    pub(crate) fn tls_url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// Spoils every exchange that begins from now on, until `None`.
    pub(crate) fn fault(&self, fault: Option<Fault>) {
        self.shared.plan().standing = fault;
    }

    /// Spoils so many of 1,000 exchanges with each of the random faults, unless every exchange is spoilt.
    pub(crate) fn fault_each(&self, per_mille: u64) {
        self.shared.plan().per_mille = per_mille;
    }

    /// How many whole requests have arrived here.
    pub(crate) fn arrived(&self) -> u64 {
        self.shared.arrived.load(Ordering::SeqCst)
    }

    /// The `exID`s of the requests that arrived here and did not reach the sandbox, since the last time.
    pub(crate) fn take_lost(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lost.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

// === impl Shared ===

impl Shared {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self, request: &[u8]) {
        let text = String::from_utf8_lossy(request);
        let ex_id = text.split_once("\"exID\":\"").and_then(|(_, rest)| rest.split_once('"')).map(|(ex_id, _)| ex_id);
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).push(ex_id.unwrap_or_default().to_owned());
    }
}

// === impl Plan ===

impl Plan {
    fn of_connection(&mut self) -> Duration {
        match self.standing {
            Some(Fault::SlowAccept(time)) => time,
            None if self.random.below(1_000) < self.per_mille => Duration::from_millis(self.random.below(1_000)),
            _ => Duration::ZERO,
        }
    }

    fn of_exchange(&mut self) -> Option<Fault> {
        let random = || Fault::random(&mut self.random, self.per_mille);
        self.standing.or_else(random).filter(|fault| !matches!(fault, Fault::SlowAccept(_)))
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // Without descriptors, the next attempt fails at once.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // The errors are of peers that went away.
            let _ = connection(client, &shared).await;
        });
    }
}

async fn connection(client: TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_nodelay(true)?;
    let slowness = shared.plan().of_connection();
    sleep(slowness).await;
    let mut client = Side { stream: client, read: Vec::new() };
    let mut sandbox: Option<Side> = None;
    while let Some(request) = client.message().await? {
        if request.first() == Some(&HANDSHAKE) {
            return client.stream.write_all(&ALERT).await;
        }
        shared.arrived.fetch_add(1, Ordering::SeqCst);
        let fault = shared.plan().of_exchange();
        if fault.is_some_and(|fault| !fault.reaches_the_sandbox()) {
            shared.lose(&request);
        }
        match fault {
            Some(Fault::BlackHole) => return client.left().await,
            Some(Fault::ResetUnseen) => return client.stream.set_zero_linger(),
            Some(Fault::CutRequest(length)) => {
                let mut sandbox = TcpStream::connect(shared.upstream).await?;
                let most = request.len().saturating_sub(1);
                return sandbox.write_all(request.get(..length.min(most)).unwrap_or_default()).await;
            }
            _ => {}
        }
        let Ok(Some(reply)) = shared.ask(&mut sandbox, &request).await else {
            shared.lose(&request);
            return Ok(());
        };
        if !client.answer(fault, &reply).await? {
            return Ok(());
        }
    }
    Ok(())
}

impl Shared {
    async fn ask(&self, sandbox: &mut Option<Side>, request: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let side = match sandbox {
            Some(side) => side,
            None => sandbox.insert(Side { stream: TcpStream::connect(self.upstream).await?, read: Vec::new() }),
        };
        side.stream.set_nodelay(true)?;
        side.stream.write_all(request).await?;
        side.message().await
    }
}

// === impl Side ===

impl Side {
    /// The next whole message, or what begins with a TLS handshake. `None` when the other side has closed.
    async fn message(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(length) = length_of(&self.read) {
                let rest = self.read.split_off(length);
                return Ok(Some(std::mem::replace(&mut self.read, rest)));
            }
            if self.read.first() == Some(&HANDSHAKE) {
                return Ok(Some(std::mem::take(&mut self.read)));
            }
            if self.read.len() > LONGEST || self.stream.read_buf(&mut self.read).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Waits until the client has left.
    async fn left(&mut self) -> io::Result<()> {
        let mut rest = [0; 1024];
        while self.stream.read(&mut rest).await? > 0 {}
        Ok(())
    }

    /// Hands a reply on as the fault wants it. Whether the connection can be used again.
    async fn answer(&mut self, fault: Option<Fault>, reply: &[u8]) -> io::Result<bool> {
        match fault {
            None | Some(Fault::SlowAccept(_) | Fault::BlackHole | Fault::CutRequest(_) | Fault::ResetUnseen) => {}
            Some(Fault::Delay(time)) => {
                tokio::select! {
                    () = sleep(time) => {}
                    left = self.left() => return left.map(|()| false),
                }
            }
            Some(Fault::Drip(pause)) => {
                for byte in reply {
                    self.stream.write_all(&[*byte]).await?;
                    sleep(pause).await;
                }
                return Ok(true);
            }
            Some(Fault::Cut(length)) => {
                let most = reply.len().saturating_sub(1);
                self.stream.write_all(reply.get(..length.min(most)).unwrap_or_default()).await?;
                return Ok(false);
            }
            Some(Fault::Reset) => {
                self.stream.set_zero_linger()?;
                return Ok(false);
            }
            Some(Fault::HalfClose) => {
                self.stream.shutdown().await?;
                return self.left().await.map(|()| false);
            }
            Some(Fault::TlsGarbage) => {
                self.stream.write_all(&ALERT).await?;
                return self.left().await.map(|()| false);
            }
            Some(Fault::Continue) => self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?,
            Some(Fault::Informational(times)) => {
                for _ in 0..times {
                    self.stream.write_all(b"HTTP/1.1 103 Early Hints\r\nx-flood: 1\r\n\r\n").await?;
                }
            }
        }
        self.stream.write_all(reply).await?;
        Ok(true)
    }
}

/// How long the message is that the bytes begin with. `None` while some of it is missing.
fn length_of(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(bytes.get(..head)?).to_ascii_lowercase();
    let body = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
    (bytes.len() >= head + body).then_some(head + body)
}
