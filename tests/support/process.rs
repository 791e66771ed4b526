//! Starts the built binary with a configuration, asks its admin port, ends it in every way.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const READY_WITHIN: Duration = Duration::from_secs(20);
const EXIT_WITHIN: Duration = Duration::from_secs(70);

/// A data directory, a configuration and, while it runs, a process.
pub struct Bessemer {
    folder: TempDir,
    config: String,
    child: Option<Child>,
    wrapper: Vec<String>,
    extra: Vec<String>,
    pub admin: SocketAddr,
}

impl Bessemer {
    /// Prepares a process that is not started yet.
    pub fn new(config: impl Into<String>) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            config: config.into(),
            child: None,
            wrapper: Vec::new(),
            extra: Vec::new(),
            admin: free_address(),
        }
    }

    /// Arguments of `run` beside those every test gives.
    pub fn with_arguments(mut self, arguments: &[&str]) -> Self {
        self.extra = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        self
    }

    /// A program and its arguments that start the binary in their turn.
    pub fn inside(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Where it keeps its data: the default, relative to the folder it is started in.
    pub fn storage(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where its configuration and files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the process and waits until it takes data; how long that took.
    pub fn start(&mut self) -> Duration {
        let begun = Instant::now();
        self.spawn();
        wait_until(READY_WITHIN, "ready", || {
            let exited = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(exited.is_none(), "ended at once: {exited:?}\n{}", self.log());
            get(self.admin, "/readyz").is_ok_and(|(status, _)| status == 200)
        });
        begun.elapsed()
    }

    /// Starts the process without waiting.
    pub fn spawn(&mut self) {
        let path = self.folder.path().join("config.alloy");
        std::fs::write(&path, &self.config).unwrap();
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log_path());
        let log = log.unwrap();
        let mut words = self.wrapper.clone();
        words.push(env!("CARGO_BIN_EXE_bessemer").to_owned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("run").arg(&path);
        command.arg("--server.http.listen-addr").arg(self.admin.to_string()).args(&self.extra);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.spawn().unwrap());
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// TERM, then waits for the end; the exit code.
    pub fn stop(&mut self) -> i32 {
        self.signal(rustix::process::Signal::TERM);
        self.wait()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for the end; the exit code.
    pub fn wait(&mut self) -> i32 {
        let mut child = self.child.take().unwrap();
        let mut code = None;
        wait_until(EXIT_WITHIN, "exit", || {
            code = child.try_wait().unwrap();
            code.is_some()
        });
        code.unwrap().code().unwrap_or(-1)
    }

    /// The value of a metric, summed over its labels that contain `labels`.
    pub fn metric(&self, name: &str, labels: &str) -> f64 {
        let (_, page) = get(self.admin, "/metrics").unwrap();
        page.lines()
            .filter(|line| line.starts_with(name) && line.contains(labels))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Resident memory now, bytes.
    pub fn resident(&self) -> u64 {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.pid())).unwrap();
        statm.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
    }
}

impl Drop for Bessemer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            for line in tail.iter().rev() {
                drop(writeln!(std::io::stderr(), "bessemer: {line}"));
            }
        }
    }
}

/// An address on loopback that was free a moment ago, never the same twice: the system may give a
/// port again that was just let go.
pub fn free_address() -> SocketAddr {
    static GIVEN: Mutex<BTreeSet<SocketAddr>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap();
    let mut taken = Vec::new();
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        if given.insert(address) {
            return address;
        }
        // Held while looking on, or the system might give it again and again.
        taken.push(listener);
    }
}

/// Waits for a condition, at most `limit`.
pub fn wait_until(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < deadline, "not {what} within {limit:?}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// `GET` on a connection of its own; status and body.
pub fn get(address: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let body = if answer.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        dechunk(body)
    } else {
        body.to_owned()
    };
    status.map(|status| (status, body)).ok_or_else(|| std::io::ErrorKind::InvalidData.into())
}

fn dechunk(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let Some((chunk, rest)) = rest.split_at_checked(size).filter(|_| size > 0) else { break };
        text.push_str(chunk);
        body = rest.trim_start_matches("\r\n");
    }
    text
}
