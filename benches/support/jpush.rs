//! JPush on loopback: a hyper server in another process, so that its cost is in neither side's figure.

use std::{
    convert::Infallible,
    env,
    io::{BufRead, BufReader, Read, stdin},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    str::FromStr,
    sync::Arc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs::default_provider,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

const FLAG: &str = "--serve-jpush";

/// The prefix of paths that are answered later, as by a server that is 100 ms away.
pub(crate) const FAR: &str = "/far";
const AWAY: Duration = Duration::from_millis(100);

/// A token with this in it is not the phone's.
pub(crate) const MISMATCH: &str = "mismatch";

/// Where JPush is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    /// The root of its certificate, in PEM.
    pub(crate) root: String,
}

/// Runs until dropped.
pub(crate) struct JPushProcess {
    child: Child,
    pub(crate) place: Place,
}

// === impl Place ===

impl Place {
    /// As one line, which [`Place::from_str`] reads.
    pub(crate) fn line(&self) -> String {
        format!("{},{},{}", self.plain, self.tls, self.root.replace('\n', "|"))
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let mut parts = line.trim().splitn(3, ',');
        let mut next = || parts.next().ok_or_else(|| format!("not a place: {line:?}"));
        let (plain, tls, root) = (next()?, next()?, next()?);
        let address = |text: &str| text.parse().map_err(|error| format!("{text:?}: {error}"));
        Ok(Self { plain: address(plain)?, tls: address(tls)?, root: root.replace('|', "\n") })
    }
}

// === impl JPushProcess ===

impl JPushProcess {
    pub(crate) fn start() -> Self {
        Self::start_by(Command::new("env"))
    }

    /// By a command that runs another program.
    pub(crate) fn start_by(mut command: Command) -> Self {
        let mut child = command
            .arg(env::current_exe().expect("this program has a path"))
            .arg(FLAG)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts again");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it was piped");
        BufReader::new(stdout).read_line(&mut line).expect("it prints its place");
        Self { child, place: line.parse().expect("it prints its place") }
    }
}

impl Drop for JPushProcess {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// In the process that [`JPushProcess::start`] started: answers until that one ends, and does not return.
pub(crate) fn serve_if_asked() {
    if env::args().nth(1).as_deref() != Some(FLAG) {
        return;
    }
    exit_with_parent();
    super::runtime().block_on(async {
        let [plain, tls] = [TcpListener::bind("127.0.0.1:0").await, TcpListener::bind("127.0.0.1:0").await];
        let (plain, tls) = (plain.expect("loopback has a free port"), tls.expect("loopback has a free port"));
        let (acceptor, root) = acceptor();
        let [at, at_tls] = [&plain, &tls].map(|listener| listener.local_addr().expect("it is bound"));
        println!("{}", Place { plain: at, tls: at_tls, root }.line());
        tokio::spawn(async move {
            while let Ok((stream, _)) = tls.accept().await {
                let _ = stream.set_nodelay(true);
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        connection(stream).await;
                    }
                });
            }
        });
        while let Ok((stream, _)) = plain.accept().await {
            let _ = stream.set_nodelay(true);
            tokio::spawn(connection(stream));
        }
    });
}

/// Ends this process when the one that started it has ended.
pub(crate) fn exit_with_parent() {
    thread::spawn(|| {
        let _ = stdin().read(&mut [0]);
        std::process::exit(0);
    });
}

/// A command that runs another program on these cores, where there are two and `taskset` is installed.
pub(crate) fn pinned(cores: &str) -> Command {
    let is_alone = thread::available_parallelism().map_or(1, usize::from) < 2;
    if is_alone || Command::new("taskset").arg("--version").output().is_err() {
        return Command::new("env");
    }
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", cores]);
    command
}

/// TLS for `localhost`, with a root that is made now.
fn acceptor() -> (TlsAcceptor, String) {
    let key = KeyPair::generate().expect("a key can be made");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name is valid");
    let certificate = params.self_signed(&key).expect("a certificate can be signed");
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .expect("the key is the certificate's");
    (TlsAcceptor::from(Arc::new(config)), certificate.pem())
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin) {
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await;
}

/// The number document's own reply, with the exID that was sent.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_far = request.uri().path().starts_with(FAR);
    let asked = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let asked = str::from_utf8(&asked).unwrap_or_default();
    let ex_id = asked.split_once(r#""exID":""#).and_then(|(_, rest)| rest.split_once('"')).map_or("", |(id, _)| id);
    let (code, content) =
        if asked.contains(MISMATCH) { (9001, "verify not consistent") } else { (9000, "verify consistent") };
    let reply = format!(
        r#"{{"id":117270465679982592,"code":{code},"content":"{content}","exID":"{ex_id}","score":0,"riskCheck":{{"code":0,"content":"success","score":0,"tags":[],"detail":{{}}}}}}"#
    );
    if is_far {
        tokio::time::sleep(AWAY).await;
    }
    let response = Response::builder().header("content-type", "application/json;charset=UTF-8");
    Ok(response.body(Full::from(reply)).expect("a static head is valid"))
}
