//! A Redis for one test. The tests of the store (`src/store/redis/tests.rs`) also use this file.
#![allow(dead_code, reason = "each of them takes a part of it")]

use std::{
    env, fs,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

/// A server. It ends with this value.
pub(crate) struct Server {
    program: String,
    arguments: Vec<String>,
    pub(crate) port: u16,
    child: Option<Child>,
    folder: PathBuf,
    is_sentinel: bool,
}

/// A master, its replica, and the only Sentinel that watches them under the name `main`.
pub(crate) struct Watched {
    pub(crate) master: Server,
    pub(crate) replica: Server,
    pub(crate) sentinel: Server,
}

pub(crate) const KEY: &str = "9f8e7d6c5b4a39281706f5e4d3c2b1a0";

pub(crate) const PASSWORD: &str = "canary-password";

// === impl Server ===

impl Server {
    /// `None`, with a message, if Redis is not installed. The CI has it.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// With these settings besides.
    pub(crate) fn start_with(arguments: &[&str]) -> Option<Self> {
        Self::launch(arguments, None)
    }

    /// A Sentinel, alone, of the master `main` on that port.
    pub(crate) fn start_sentinel(master: u16) -> Option<Self> {
        Self::launch(&["--sentinel"], Some(master))
    }

    /// A cluster of three masters, each with a third of the slots: the first has those up to 5,460.
    pub(crate) fn start_cluster() -> Option<Vec<Self>> {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let node = |_| {
            let settings = ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", "--cluster-port"];
            Self::start_with(&[&settings[..], &[&free()]].concat())
        };
        let nodes: Vec<Self> = (0..3).map(node).collect::<Option<_>>()?;
        let places = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        let made = Command::new("redis-cli").args(["--cluster", "create"]).args(places).arg("--cluster-yes").output();
        let made = made.expect("redis-cli comes with redis-server");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        for node in &nodes {
            node.wait_for(&["CLUSTER", "INFO"], "cluster_state:ok");
            node.wait_for(&["CLUSTER", "INFO"], "cluster_slots_ok:16384");
        }
        Some(nodes)
    }

    fn launch(arguments: &[&str], watched: Option<u16>) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let program = env::var("JVERIFY_TEST_REDIS").unwrap_or_else(|_| "redis-server".into());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("jverify-redis-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let server = Self {
            program,
            arguments: arguments.iter().map(ToString::to_string).collect(),
            port,
            child: None,
            folder,
            is_sentinel: watched.is_some(),
        };
        if let Some(master) = watched {
            let config = format!(
                "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor main 127.0.0.1 {master} 1\n\
                 sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 5000\n",
                server.folder.display()
            );
            fs::write(server.config(), config).unwrap();
        }
        let mut server = server;
        server.spawn().then_some(server)
    }

    /// Starts it, also again after a kill. Whether there is such a program.
    pub(crate) fn spawn(&mut self) -> bool {
        let mut command = Command::new(&self.program);
        if self.is_sentinel {
            command.arg(self.config());
        } else {
            command.arg("--port").arg(self.port.to_string()).args(["--bind", "127.0.0.1", "--save", ""]);
            command.arg("--dir").arg(&self.folder);
        }
        command.args(&self.arguments).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(child) = command.spawn() else {
            assert!(env::var_os("CI").is_none_or(|ci| ci.is_empty()), "the CI has {}", self.program);
            eprintln!("NOT TESTED: no {} here", self.program);
            return false;
        };
        self.child = Some(child);
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "Redis does not listen");
            thread::sleep(Duration::from_millis(5));
        }
        true
    }

    fn config(&self) -> PathBuf {
        self.folder.join("sentinel.conf")
    }

    /// Sends a command every now and then until the answer has these words.
    pub(crate) fn wait_for(&self, command: &[&str], words: &str) {
        let began = Instant::now();
        while !self.execute(&[command]).contains(words) {
            assert!(began.elapsed() < Duration::from_secs(60), "{command:?} never has {words:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Sends it a signal, such as `STOP`.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.as_ref().expect("it runs").id();
        let status = Command::new("kill").arg(format!("-{signal}")).arg(id.to_string()).status().unwrap();
        assert!(status.success());
    }

    /// Sends commands over a new connection, and returns what comes back until it closes.
    pub(crate) fn execute(&self, commands: &[&[&str]]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        for command in commands.iter().chain(&[&["QUIT"][..]]) {
            stream.write_all(encoded(command).as_bytes()).unwrap();
        }
        // A Sentinel does not know `QUIT`.
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Suspends all answers for so many milliseconds.
    pub(crate) fn pause(&self, millis: u32) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(encoded(&["CLIENT", "PAUSE", &millis.to_string(), "ALL"]).as_bytes()).unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"+OK\r\n");
    }

    /// Moves all that is kept so far back: as if so much time had passed.
    pub(crate) fn advance(&self, time: Duration) {
        const SCRIPT: &str = "\
for _, key in ipairs(redis.call('KEYS', 'jverify:1:*')) do
  local left = redis.call('PTTL', key) - ARGV[1]
  local value = redis.call('GET', key)
  if left <= 0 then redis.call('DEL', key)
  elseif #value == 16 and tonumber(value) then
    redis.call('SET', key, string.format('%.0f', value - ARGV[1] * 1000), 'PX', left)
  else redis.call('PEXPIRE', key, left) end
end
return 1";
        // Rounded up: as with a clock, so much has passed at least.
        let millis = time.as_micros().div_ceil(1_000).to_string();
        let answer = self.execute(&[&["EVAL", SCRIPT, "0", &millis]]);
        assert!(answer.starts_with(":1"), "{answer}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

// === impl Watched ===

impl Watched {
    /// `None` as [`Server::start`]. What is written from now on reaches the replica at once.
    pub(crate) fn start() -> Option<Self> {
        let master = Server::start_with(&["--repl-diskless-sync-delay", "0"])?;
        let replica = Server::start_with(&["--replicaof", &format!("127.0.0.1 {}", master.port)])?;
        // The link is up about a second before the master sends what it writes.
        master.execute(&[&["SET", "first", "written"]]);
        replica.wait_for(&["GET", "first"], "written");
        master.execute(&[&["DEL", "first"]]);
        replica.wait_for(&["DBSIZE"], ":0");
        let sentinel = Server::start_sentinel(master.port)?;
        sentinel.wait_for(&["SENTINEL", "replicas", "main"], &replica.port.to_string());
        Some(Self { master, replica, sentinel })
    }
}

pub(crate) fn encoded(command: &[&str]) -> String {
    let parts: Vec<String> = command.iter().map(|part| format!("${}\r\n{part}\r\n", part.len())).collect();
    format!("*{}\r\n{}", command.len(), parts.concat())
}
