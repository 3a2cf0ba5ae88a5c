//! JPush on loopback, in a process of its own, so that its cost is in neither side's figure. It speaks just enough HTTP/1.1,
//! without a library: it shares the machine with what is measured, and whoever waits for it measures it.

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write, stdin},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    thread,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

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
            tokio::spawn(serve(stream));
        }
    });
}

/// One connection, kept alive; requests are not pipelined.
async fn serve(mut stream: TcpStream) -> io::Result<()> {
    let (mut request, mut reply) = (Vec::with_capacity(4096), Vec::with_capacity(1024));
    while stream.read_buf(&mut request).await? > 0 {
        let Some(body) = whole(&request) else { continue };
        answer(body, &mut reply);
        request.clear();
        stream.write_all(&reply).await?;
    }
    Ok(())
}

/// The body of a request, once all of it is here.
fn whole(request: &[u8]) -> Option<&str> {
    let (head, body) = str::from_utf8(request).expect("a check is ASCII").split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().ok())?
    });
    (body.len() == length.expect("a check tells its length")).then_some(body)
}

/// The number document's own reply, with the exID that was sent.
fn answer(asked: &str, reply: &mut Vec<u8>) {
    let ex_id = asked.split_once(r#""exID":""#).and_then(|(_, rest)| rest.split_once('"')).map_or("", |(id, _)| id);
    let start = r#"{"id":117270465679982592,"code":9000,"content":"verify consistent","exID":""#;
    let end = r#"","score":0,"riskCheck":{"code":0,"content":"success","score":0,"tags":[],"detail":{}}}"#;
    let length = start.len() + ex_id.len() + end.len();
    reply.clear();
    write!(
        reply,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json;charset=UTF-8\r\ncontent-length: {length}\r\n\
         date: Sun, 22 Nov 2026 02:00:00 GMT\r\n\r\n{start}{ex_id}{end}"
    )
    .expect("a Vec takes every byte");
}
