//! JPush on loopback: a hyper server in another process, so that its cost is in neither figure.

use std::{
    convert::Infallible,
    env,
    io::{BufRead, BufReader, Read, stdin},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    thread,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

const FLAG: &str = "--serve-jpush";

/// Runs until dropped.
pub(crate) struct JPushProcess {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl JPushProcess {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(env::current_exe().expect("this program has a path"))
            .arg(FLAG)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts again");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it was piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says its address");
        Self { child, address: line.trim().parse().expect("it says its address") }
    }
}

impl Drop for JPushProcess {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// In the process that [`JPushProcess::start`] began: answers until that one ends, and does not return.
pub(crate) fn serve_if_asked() {
    if env::args().nth(1).as_deref() != Some(FLAG) {
        return;
    }
    thread::spawn(|| {
        let _ = stdin().read(&mut [0]);
        std::process::exit(0);
    });
    super::runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        println!("{}", listener.local_addr().expect("it is bound"));
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    });
}

/// The number document's own reply, with the exID that was sent.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let asked = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let asked = str::from_utf8(&asked).unwrap_or_default();
    let ex_id = asked.split_once(r#""exID":""#).and_then(|(_, rest)| rest.split_once('"')).map_or("", |(id, _)| id);
    let reply = format!(
        r#"{{"id":117270465679982592,"code":9000,"content":"verify consistent","exID":"{ex_id}","score":0,"riskCheck":{{"code":0,"content":"success","score":0,"tags":[],"detail":{{}}}}}}"#
    );
    let response = Response::builder().header("content-type", "application/json;charset=UTF-8");
    Ok(response.body(Full::from(reply)).expect("a static head is valid"))
}
