//! A guarded login over loopback sockets on both sides: a whole server process between a client and JPush, as the README starts one, with
//! all guards at their defaults, against the same server with the middleware by hand.
//!
//! The counted figure needs valgrind: the server runs under callgrind, and this process sends the logins. The timed ones need `wrk`
//! (Debian's package `wrk`): paired rounds of a second each with 64 connections, the server on one core, and `wrk` and JPush on the
//! others. Beside the rate, the server's own time on a core is printed: it depends less on what else the machine does.

#![allow(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]

mod support;

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use support::{BODY, JPushProcess, NUMBER, Place, Table, Target, has_valgrind, median, paired, pinned, quick};
use tokio::net::TcpListener;

/// The argument before the application and JPush's place.
const FLAG: &str = "--serve-application";
/// Together they must not fill the memory of claims.
const ROUNDS: usize = 21;
const CONNECTIONS: usize = 64;
/// The core of the servers, and those of everything else.
const SERVERS: &str = "0";
const OTHERS: &str = "1-63";

fn main() {
    support::serve_if_asked();
    let arguments: Vec<String> = env::args().collect();
    if let [_, flag, which, jpush] = arguments.as_slice()
        && flag == FLAG
    {
        return serve(which, &jpush.parse().expect("a place"));
    }
    let jpush = JPushProcess::start_by(pinned(OTHERS));
    let mut table = Table::default();
    if has_valgrind() {
        let counted = |which: &str| (counted(which, &jpush, 800) - counted(which, &jpush, 400)) / 400.0;
        let (ours, by_hand, unguarded) = (counted("ours"), counted("by-hand"), counted("unguarded"));
        let of = format!("{ours:.0} / {by_hand:.0}; {unguarded:.0} of both are the server");
        table.row("a server's instructions per login over hand-written", ours / by_hand, Target::Reported, &of);
    } else {
        println!("sockets: nothing is counted, valgrind is not installed");
    }
    if !quick() {
        timed(&jpush, &mut table);
    }
    table.print("A whole server between sockets");
}

/// Adds the rows of the paired rounds.
fn timed(jpush: &JPushProcess, table: &mut Table) {
    if Command::new("wrk").arg("--version").output().is_err() {
        println!("sockets: nothing is timed, wrk is not installed");
        return;
    }
    let script = env::temp_dir().join(format!("tower-jverify-{}.lua", std::process::id()));
    let (before, after) = BODY.split_once(NUMBER).expect("the number is in the body");
    let text = format!(
        "local next = 0\nlocal headers = {{ [\"Content-Type\"] = \"application/json\" }}\nfunction request()\n  next = next + 1\n  \
         return wrk.format(\"POST\", \"/login\", headers, string.format('{before}%019d{after}', seed * 1000000000 + next))\nend\n\
         function init(arguments) seed = tonumber(arguments[1]) end\n"
    );
    fs::write(&script, text).expect("a script can be written");
    let (ours, by_hand) = (Server::start("ours", jpush, true), Server::start("by-hand", jpush, true));
    let all = paired((2, ROUNDS), |number| ours.round(&script, number), |number| by_hand.round(&script, number));
    let _ = fs::remove_file(&script);
    let rates = median(all.iter().map(|(mine, theirs)| mine.rate / theirs.rate));
    let [mine, theirs] =
        [median(all.iter().map(|(mine, _)| mine.rate)), median(all.iter().map(|(_, theirs)| theirs.rate))];
    let of = format!(
        "{mine:.0} / {theirs:.0} logins a second, {CONNECTIONS} connections, medians of {ROUNDS} paired rounds"
    );
    table.row("logins a second over hand-written", rates, Target::AtLeast(1.40), &of);
    let cores = median(all.iter().map(|(mine, theirs)| theirs.core / mine.core));
    let [mine, theirs] =
        [median(all.iter().map(|(mine, _)| mine.core)), median(all.iter().map(|(_, theirs)| theirs.core))];
    let of = format!("{mine:.1} / {theirs:.1} microseconds a login");
    table.row("the same, by the server's time on its core", cores, Target::Reported, &of);
}

/// The application's process: serves until its parent ends.
fn serve(which: &str, jpush: &Place) {
    support::exit_with_parent();
    support::runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        println!("{}", listener.local_addr().expect("it is bound"));
        support::serve(which, jpush, listener).await;
    });
}

/// The instructions of a server's process that is asked for so many logins over one connection.
fn counted(which: &str, jpush: &JPushProcess, logins: usize) -> f64 {
    let mut server = Server::start(which, jpush, false);
    let mut stream = TcpStream::connect(server.address).expect("the server listens");
    stream.set_nodelay(true).expect("a socket has this option");
    let mut answer = BufReader::new(stream.try_clone().expect("a socket can be shared"));
    for number in 0..logins {
        let body = BODY.replacen(NUMBER, &format!("{number:019}"), 1);
        let head = format!(
            "POST /login HTTP/1.1\r\nhost: {}\r\nuser-agent: okhttp/4.12.0\r\naccept: application/json\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            server.address,
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).expect("the server reads");
        let mut line = String::new();
        answer.read_line(&mut line).expect("the server answers");
        assert!(line.starts_with("HTTP/1.1 200"), "{which}: {line}");
        while line.trim() != "" {
            line.clear();
            answer.read_line(&mut line).expect("the server answers");
            assert!(!line.starts_with("content-length:") || line.trim() == "content-length: 0", "{line}");
        }
    }
    server.instructions()
}

/// A server's process, which runs until it is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

/// What a server did in one round.
struct Round {
    /// Logins a second.
    rate: f64,
    /// Microseconds on a core for a login, user and kernel.
    core: f64,
}

impl Server {
    /// `timed`: on a core of its own, where there are two. Otherwise under callgrind.
    fn start(which: &str, jpush: &JPushProcess, timed: bool) -> Self {
        let mut command = if timed { pinned(SERVERS) } else { Command::new("valgrind") };
        if !timed {
            command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        }
        let program = env::current_exe().expect("this program has a path");
        command.arg(program).arg(FLAG).arg(which).arg(jpush.place.line());
        let stderr = if timed { Stdio::inherit() } else { Stdio::piped() };
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr).spawn();
        let mut child = spawned.expect("this program starts again");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it was piped")).read_line(&mut line).expect("it prints its address");
        Self { child, address: line.trim().parse().expect("it prints its address") }
    }

    /// Ends a server under callgrind, and returns what that counted.
    fn instructions(&mut self) -> f64 {
        drop(self.child.stdin.take());
        let mut written = String::new();
        self.child.stderr.take().expect("it was piped").read_to_string(&mut written).expect("callgrind writes text");
        let line = written.lines().find_map(|line| line.split_once("Collected :"));
        line.and_then(|(_, count)| count.trim().parse().ok()).expect("callgrind writes what it collected")
    }

    fn round(&self, script: &PathBuf, number: usize) -> Round {
        let before = self.on_core();
        let connections = CONNECTIONS.to_string();
        let mut wrk = pinned(OTHERS);
        wrk.args(["wrk", "-t1", "-c", &connections, "-d1s", "-s"]).arg(script);
        wrk.arg(format!("http://{}/login", self.address)).arg("--").arg(number.to_string());
        let output = wrk.output().expect("wrk runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && !text.contains("Non-2xx") && !text.contains("Socket errors"), "{text}");
        let logins: f64 = text
            .lines()
            .find_map(|line| line.split_once(" requests in "))
            .expect("wrk counts")
            .0
            .trim()
            .parse()
            .expect("a number");
        let rate = text.lines().find_map(|line| line.split_once("Requests/sec:")).expect("wrk prints a rate").1;
        Round { rate: rate.trim().parse().expect("a number"), core: (self.on_core() - before) / logins * 1e6 }
    }

    /// Seconds that the server's thread has been on a core.
    fn on_core(&self) -> f64 {
        let path = format!("/proc/{}/schedstat", self.child.id());
        let text = fs::read_to_string(path).unwrap_or_default();
        text.split(' ').next().and_then(|count| count.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e9
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
