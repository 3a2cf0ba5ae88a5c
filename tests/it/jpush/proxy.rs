//! JPush through a proxy: a real one, and simulated ones that misbehave.

use std::{
    env,
    error::Error,
    fs, io,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tower_jverify::{CallError, JPushBuilder};

use super::{
    support::{PASS, PHONE, Server, TOKEN, assert_silent, client, http, number},
    tls::{self, Tls},
};

/// JPush with TLS, and a client that trusts it.
async fn jpush() -> (Server, JPushBuilder) {
    let tls = Tls::trusted();
    let acceptor = tls.acceptor.clone();
    let server = Server::start(move |conn| tls::answer(acceptor.clone(), conn, http(200, PASS))).await;
    let client = client(&format!("https://localhost:{}", server.port())).extra_root_pem(tls.root.as_bytes());
    (server, client.connect_timeout(Duration::from_secs(2)).call_timeout(Duration::from_secs(5)))
}

/// Neither the proxy's user and password, nor its words, nor anything of the check.
fn assert_nothing_shown(error: &CallError) {
    assert_silent(error);
    let mut shown = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(inner) = source {
        shown = format!("{shown} {inner} {inner:?}");
        source = inner.source();
    }
    for canary in ["canary", "Y2FuYXJ5", "proxy's words"] {
        assert!(!shown.contains(canary), "{canary} in {shown}");
    }
}

/// tinyproxy, which asks for the user `canary-user` and the password `canary-password`. It ends with this value.
struct Tinyproxy {
    process: Child,
    port: u16,
    config: PathBuf,
}

impl Tinyproxy {
    /// One that opens tunnels to one port; `None` where it is not installed.
    fn start(upstream: u16) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("tinyproxy-{port}.conf"));
        let settings = format!(
            "Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nAllow 127.0.0.1\nLogLevel Info\n\
             BasicAuth canary-user canary-password\nConnectPort {upstream}\n"
        );
        fs::write(&config, settings).unwrap();
        let mut command = Command::new("tinyproxy");
        command.arg("-d").arg("-c").arg(&config).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = match command.spawn() {
            Ok(process) => process,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                assert!(env::var_os("CI").is_none(), "the CI has tinyproxy");
                eprintln!("NOT TESTED: no tinyproxy here");
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let mut log = BufReader::new(process.stdout.take().unwrap()).lines();
        let is_up = log.any(|line| line.unwrap().contains("Accepting connections"));
        assert!(is_up, "tinyproxy ended");
        // What it writes later must not fill the pipe.
        std::thread::spawn(move || log.for_each(drop));
        Some(Self { process, port, config })
    }

    fn url(&self, password: &str) -> String {
        format!("http://canary-user:{password}@127.0.0.1:{}", self.port)
    }
}

impl Drop for Tinyproxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(&self.config);
    }
}

#[tokio::test]
async fn a_real_proxy_opens_the_tunnel_for_its_password_and_tls_goes_through_it() {
    let (server, client) = jpush().await;
    let Some(proxy) = Tinyproxy::start(server.port()) else { return };
    let jpush = client.proxy(proxy.url("canary%2Dpassword")).build().unwrap();
    for _ in 0..3 {
        assert!(jpush.ask(number()).await.unwrap().class().is_pass());
    }
    assert_eq!((server.connections(), server.requests().len()), (1, 3));
    assert_eq!(server.raw().first(), Some(&0x16), "a TLS handshake record");
    assert!(!String::from_utf8_lossy(&server.raw()).contains(TOKEN));
    assert!(!format!("{jpush:?}").contains("canary"));
}

#[tokio::test]
async fn a_real_proxy_refuses_another_password_no_password_and_another_port() {
    let (server, client) = jpush().await;
    let (elsewhere, client_of_elsewhere) = jpush().await;
    let Some(proxy) = Tinyproxy::start(server.port()) else { return };
    let anonymous = format!("http://127.0.0.1:{}", proxy.port);
    let (wrong, without) = (client.proxy(proxy.url("canary-wrong")), jpush().await.1.proxy(anonymous));
    for (client, cause) in [
        (wrong, "no connection: proxy"),
        (without, "no connection: proxy asks for another user or password"),
        (client_of_elsewhere.proxy(proxy.url("canary-password")), "no connection: proxy opens no tunnel"),
    ] {
        let error = client.build().unwrap().ask(number()).await.unwrap_err();
        assert!(error.is_connect() && error.nothing_sent() && !error.is_timeout(), "{error:?}");
        assert!(error.cause().starts_with(cause), "{}", error.cause());
        assert_nothing_shown(&error);
    }
    assert_eq!((server.connections(), elsewhere.connections()), (0, 0));
}

#[tokio::test]
async fn a_warm_connection_goes_through_the_proxy_and_is_not_used_once_that_is_gone() {
    let (server, client) = jpush().await;
    let Some(proxy) = Tinyproxy::start(server.port()) else { return };
    let jpush = client.proxy(proxy.url("canary-password")).idle_timeout(Duration::from_secs(60)).build().unwrap();
    jpush.warm().await.unwrap();
    assert_eq!((server.connections(), server.requests().len()), (1, 0));
    assert!(jpush.ask(number()).await.unwrap().class().is_pass());
    assert_eq!(server.connections(), 1);

    let (server, client) = self::jpush().await;
    let Some(proxy) = Tinyproxy::start(server.port()) else { return };
    let jpush = client.proxy(proxy.url("canary-password")).build().unwrap();
    jpush.warm().await.unwrap();
    drop(proxy);
    let error = jpush.ask(number()).await.unwrap_err();
    assert!(error.is_connect() && error.nothing_sent(), "{error:?}");
    assert!(server.requests().is_empty());
}

/// What a client gets whose proxy answers `CONNECT` with these bytes and closes, and what the proxy saw.
async fn answered(bytes: impl Into<String>) -> (CallError, Server) {
    let bytes = bytes.into();
    let proxy = Server::start(move |mut conn| {
        let bytes = bytes.clone();
        async move {
            conn.request().await;
            conn.write(bytes).await;
        }
    })
    .await;
    let url = format!("http://canary-user:canary%20password@127.0.0.1:{}/", proxy.port());
    let jpush = client("https://api.verification.jpush.cn").proxy(url).build().unwrap();
    (jpush.ask(number()).await.unwrap_err(), proxy)
}

#[tokio::test]
async fn a_proxy_that_opens_no_tunnel_is_a_failed_dial_that_is_tried_once_more() {
    let page = "Content-Type: text/html\r\nContent-Length: 13\r\n\r\nproxy's words";
    for (answer, cause) in [
        (format!("HTTP/1.1 407 proxy's words\r\n{page}"), "proxy asks for another user or password"),
        (format!("HTTP/1.1 502 proxy's words\r\n{page}"), "proxy opens no tunnel"),
        (format!("HTTP/1.1 403 proxy's words\r\n{page}"), "proxy opens no tunnel"),
        (format!("HTTP/1.0 503 proxy's words\r\n{page}"), "proxy opens no tunnel"),
        ("HTTP/1.1 302 Found\r\nLocation: http://proxy's words\r\n\r\n".into(), "proxy opens no tunnel"),
        ("HTTP/1.1 100 Continue\r\n\r\n".into(), "proxy opens no tunnel"),
        ("HTTP/1.1 2000 OK\r\n\r\n".into(), "proxy opens no tunnel"),
        ("SSH-2.0-proxy's words\r\n".into(), "proxy opens no tunnel"),
        (format!("HTTP/1.1 200 OK\r\nx: {}", "proxy's words".repeat(1000)), "proxy opens no tunnel"),
        ("HTTP/1.1 200 OK\r\n".into(), "proxy closed the connection"),
        (String::new(), "proxy closed the connection"),
        // A tunnel to something else.
        ("HTTP/1.1 200 OK\r\n\r\n".into(), "tls"),
        (format!("HTTP/1.1 200 OK\r\n\r\n{}proxy's words", http(200, PASS)), "tls"),
    ] {
        let (error, proxy) = answered(answer.as_str()).await;
        assert!(error.is_connect() && error.nothing_sent() && !error.is_timeout(), "{answer:?}: {error:?}");
        assert_eq!(error.cause(), format!("no connection: {cause}"), "{answer:?}");
        assert!(!error.is_exhausted(), "{answer:?}");
        assert_nothing_shown(&error);
        assert_eq!(proxy.connections(), 2, "{answer:?}");
        let raw = String::from_utf8_lossy(&proxy.raw()).into_owned();
        assert!(raw.starts_with("CONNECT api.verification.jpush.cn:443 HTTP/1.1\r\n"), "{raw}");
        assert!(raw.contains("\r\nProxy-Authorization: Basic Y2FuYXJ5LXVzZXI6Y2FuYXJ5IHBhc3N3b3Jk\r\n"), "{raw}");
        for secret in ["POST", "/v2/web/verify", TOKEN, PHONE, "N2Q0MzFlNDJk"] {
            assert!(!raw.contains(secret), "{secret} went to the proxy in the clear");
        }
    }
}

#[tokio::test]
async fn a_proxy_that_stalls_ends_at_the_connect_timeout() {
    for beginning in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
        let proxy = Server::start(move |mut conn| async move {
            conn.request().await;
            conn.write(beginning).await;
            std::future::pending::<()>().await;
        })
        .await;
        let jpush = client("https://api.verification.jpush.cn").connect_timeout(Duration::from_millis(150));
        let jpush = jpush.proxy(format!("http://127.0.0.1:{}", proxy.port())).build().unwrap();
        let error = jpush.ask(number()).await.unwrap_err();
        assert!(error.is_connect() && error.is_timeout() && error.nothing_sent(), "{beginning:?}: {error:?}");
        assert_eq!(proxy.connections(), 2, "one more try, and no third");
    }
}

#[tokio::test]
async fn a_proxy_that_cannot_be_reached_is_named_as_what_failed() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (proxy, cause) in [
        (format!("http://canary:canary@{free}"), "no connection: proxy tcp error"),
        ("http://canary:canary@proxy.invalid:3128".to_owned(), "no connection: proxy dns error"),
    ] {
        let jpush = jpush().await.1.proxy(proxy).build().unwrap();
        let error = jpush.ask(number()).await.unwrap_err();
        assert!(error.is_connect() && error.nothing_sent() && !error.is_exhausted(), "{error:?}");
        // A resolver that does not answer at all makes it a timeout of connecting.
        assert!(error.cause() == cause || error.is_timeout(), "{}", error.cause());
        assert_nothing_shown(&error);
    }
}

/// The test runs itself with other variables: those of this process are shared with all other tests.
#[test]
fn the_environments_proxy_is_used_only_when_it_is_asked_for() {
    const CHILD: &str = "JVERIFY_TEST_PROXY_FROM_ENV";
    if env::var_os(CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ask = |client: JPushBuilder| runtime.block_on(client.build().unwrap().ask(number())).unwrap_err();
        let base = || client("https://127.0.0.1:1");
        assert_eq!(ask(base()).cause(), "no connection: tcp error", "variables are not read by themselves");
        assert_eq!(ask(base().proxy_from_env()).cause(), "no connection: proxy tcp error");
        let error = ask(client("https://localhost:1").proxy_from_env());
        assert_eq!(error.cause(), "no connection: tcp error", "NO_PROXY names it");
        assert_eq!(ask(client("http://127.0.0.1:1").proxy_from_env()).cause(), "no connection: tcp error", "plain");
        return;
    }
    let module = module_path!().split_once("::").unwrap().1;
    let name = format!("{module}::the_environments_proxy_is_used_only_when_it_is_asked_for");
    let mut child = Command::new(env::current_exe().unwrap());
    for variable in ["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"] {
        child.env_remove(variable);
    }
    let variables = [(CHILD, "1"), ("https_proxy", "http://canary:canary@127.0.0.1:2"), ("NO_PROXY", "localhost")];
    let output = child.args(["--exact", &name]).envs(variables).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
}
