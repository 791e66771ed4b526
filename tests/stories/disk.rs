//! Disks that fill up or fail under the real binary: a small file system of its own, and system
//! calls that fail where strace says so.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::is_full_proof;
use crate::load::{Answer, Http, padded, request};
use crate::process::{Bessemer, free_address, wait_until};
use crate::sink::{Mode, Sink};

const KIND: &str = "content-type: application/x-protobuf\r\n";
/// The size of the small file system.
const DISK: u64 = 64 << 20;
/// Bytes of every record that do not pack.
const PADDING: usize = 1_000;
/// What a drained journal leaves: cursors and one segment with little in it.
const DRAINED: u64 = 8 << 20;

pub(crate) fn config(http: SocketAddr, sink: &Sink) -> String {
    format!(
        r#"
otelcol.receiver.otlp "in" {{
  http {{ endpoint = "{http}" }}
  output {{ logs = [otelcol.exporter.otlphttp.out.input] }}
}}
otelcol.exporter.otlphttp "out" {{
  client {{
    endpoint    = "http://{}"
    compression = "none"
    timeout     = "20s"
  }}
}}
"#,
        sink.address
    )
}

/// Whether a tool these stories need is there; in a full proof it must be.
pub(crate) fn is_there(tool: &str, arguments: &[&str]) -> bool {
    let works = Command::new(tool).args(arguments).output().is_ok_and(|ran| ran.status.success());
    assert!(works || !is_full_proof(), "this story needs {tool} {arguments:?} to work");
    if !works {
        crate::not_played(&format!("{tool} {arguments:?} does not work here"));
    }
    works
}

/// A client that remembers what was acknowledged.
pub(crate) struct Client {
    http: SocketAddr,
    connection: Option<Http>,
    pub(crate) next: u64,
    pub(crate) acked: Vec<u64>,
}

impl Client {
    pub(crate) fn new(http: SocketAddr) -> Self {
        Self { http, connection: None, next: 1, acked: Vec::new() }
    }

    /// The process it was connected to is gone.
    pub(crate) fn reconnect(&mut self) {
        self.connection = None;
    }

    pub(crate) fn send(&mut self, records: u64) -> Answer {
        let ids = self.next..self.next + records;
        self.next = ids.end;
        let mut connection =
            self.connection.take().unwrap_or_else(|| Http::connect(self.http).unwrap());
        let answer = connection.post("/v1/logs", KIND, &padded(ids.clone(), PADDING)).unwrap();
        self.connection = Some(connection);
        if answer.status == 200 {
            self.acked.extend(ids);
        }
        answer
    }
}

/// Scenario: the disk has 64 MiB. The destination is down until the disk is full, then comes back;
/// again and again.
/// Promise: a full disk refuses with a time to come back and loses nothing; what is there is
/// delivered and deleted without a free byte; new records are taken within 5 s of that; at the end
/// nothing is left over.
#[test]
fn a_full_disk_loses_nothing_and_drains_without_a_free_byte() {
    if !is_there("unshare", &["-rm", "sh", "-c", "mount -t tmpfs -o size=64m none /mnt"]) {
        return;
    }
    let _alone = crate::alone();
    let sink = Sink::start();
    let http = free_address();
    let mut bessemer = Bessemer::new(config(http, &sink));
    let storage = bessemer.storage();
    std::fs::create_dir_all(&storage).unwrap();
    let mount =
        format!("mount -t tmpfs -o size={DISK} none {} && exec \"$0\" \"$@\"", storage.display());
    bessemer = bessemer.inside(&["unshare", "-rm", "sh", "-c", &mount]);
    bessemer.start();
    let disk = seen_by(&bessemer, &storage);
    let mut client = Client::new(http);
    for round in 0..if is_full_proof() { 10 } else { 2 } {
        sink.set(Mode::Refuse(503));
        fill(&mut client, &disk);
        sink.set(Mode::Take);
        wait_until(Duration::from_mins(1), "delivered", || sink.has_all(client.acked.iter()));
        wait_until(Duration::from_secs(5), "taken again", || client.send(10).status == 200);
        wait_until(Duration::from_secs(20), "deleted", || used(&disk) < DRAINED);
        assert_eq!(sink.corrupt(), 0, "round {round}");
    }
    wait_until(Duration::from_mins(1), "delivered", || sink.has_all(client.acked.iter()));
    let acked: HashSet<u64> = client.acked.iter().copied().collect();
    let invented = sink.seen().into_keys().filter(|id| *id >= client.next || *id == 0).count();
    assert_eq!(invented, 0, "records that were never sent");
    assert!(acked.len() > 90_000, "{} records: the disk was never full", acked.len());
    let quarantined = std::fs::read_dir(disk.join("journal/quarantine")).map_or(0, Iterator::count);
    assert_eq!(quarantined, 0, "a full disk is no damage");
    assert_eq!(bessemer.stop(), 0);
}

/// A path as the process sees it, whose file systems are its own.
fn seen_by(bessemer: &Bessemer, path: &Path) -> PathBuf {
    let path = path.strip_prefix("/").unwrap();
    Path::new(&format!("/proc/{}/root", bessemer.pid())).join(path)
}

fn used(disk: &Path) -> u64 {
    let stat = rustix::fs::statvfs(disk).unwrap();
    (stat.f_blocks - stat.f_bavail) * stat.f_frsize
}

/// Sends until nothing is taken any more, large requests and then small ones.
fn fill(client: &mut Client, disk: &Path) {
    for records in [2_000, 200, 20] {
        let mut refused = 0;
        while refused < 3 {
            let answer = client.send(records);
            if answer.status != 200 {
                assert!(matches!(answer.status, 429 | 503), "{answer:?}");
                assert!(answer.header("retry-after").is_some(), "{answer:?}");
                refused += 1;
            }
        }
    }
    let free = DISK - used(disk);
    assert!(free < 256 << 10, "{free} bytes are free and nothing was taken");
}

/// The path in a line of strace's log, such as `fdatasync(9</data/main/1.segment>) = -1 EIO`.
fn path_of(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once('<')?;
    rest.split_once('>').map(|(path, _)| path)
}

/// Scenario: two calls of `fdatasync` in a row fail with EIO under load, then the disk works again,
/// then the process is killed.
/// Promise: what was not made durable is not acknowledged; a file whose sync failed is never synced
/// again, what it held goes to a new one; every acknowledged record arrives after the kill.
#[test]
fn a_failed_fdatasync_acknowledges_nothing_and_is_never_repeated() {
    if !is_there("strace", &["-V"]) {
        return;
    }
    let _alone = crate::alone();
    let sink = Sink::start();
    sink.set(Mode::Refuse(503));
    let http = free_address();
    let bessemer = Bessemer::new(config(http, &sink));
    let log = bessemer.folder().join("strace");
    let log_path = log.display().to_string();
    // The tracer is not the parent, so that a kill reaches the process itself.
    let mut bessemer = bessemer.inside(&[
        "strace",
        "-D",
        "-f",
        "-qq",
        "-y",
        "--seccomp-bpf",
        "-o",
        &log_path,
        "-e",
        "trace=fdatasync",
        "-e",
        "inject=fdatasync:error=EIO:when=6..7",
    ]);
    bessemer.start();
    let mut client = Client::new(http);
    let statuses: Vec<u16> = (0..60).map(|_| client.send(20).status).collect();
    let refused = statuses.iter().filter(|status| **status == 503).count();
    assert!(statuses.iter().all(|status| matches!(status, 200 | 503)), "{statuses:?}");
    assert!(refused >= 1, "no batch was refused: {statuses:?}");
    assert!(client.acked.len() > 600, "too little got through: {statuses:?}");
    bessemer.kill();
    let calls = std::fs::read_to_string(&log).unwrap();
    let mut failed = HashSet::new();
    for line in calls.lines().filter(|line| line.contains("/main/")) {
        let path = path_of(line).unwrap_or_else(|| panic!("no path: {line}"));
        assert!(!failed.contains(path), "synced again after a failure: {line}");
        if line.contains("EIO") {
            failed.insert(path.to_owned());
        }
    }
    assert!(failed.len() >= 2, "{} files failed:\n{calls}", failed.len());
    let mut bessemer = bessemer.inside(&[]);
    sink.set(Mode::Take);
    bessemer.start();
    wait_until(Duration::from_mins(1), "delivered", || sink.has_all(client.acked.iter()));
    assert_eq!(sink.corrupt(), 0);
    assert!(sink.seen().into_keys().all(|id| id < client.next), "records that were never sent");
    assert_eq!(bessemer.stop(), 0);
}

/// Scenario: more connections than the process may have files, while a client sends.
/// Promise: what was acknowledged before and during it arrives, and afterwards records are taken as
/// before.
#[test]
fn running_out_of_descriptors_loses_nothing() {
    if !is_there("prlimit", &["--version"]) {
        return;
    }
    let _alone = crate::alone();
    let sink = Sink::start();
    let http = free_address();
    let mut bessemer = Bessemer::new(config(http, &sink)).inside(&["prlimit", "--nofile=64"]);
    bessemer.start();
    let mut client = Client::new(http);
    assert_eq!(client.send(10).status, 200);
    let idle: Vec<_> = (0..100).map(|_| std::net::TcpStream::connect(http)).collect();
    for _ in 0..50 {
        let status = client.send(10).status;
        assert!(matches!(status, 200 | 429 | 503), "{status}");
    }
    drop(idle);
    wait_until(Duration::from_secs(10), "taken again", || {
        Http::connect(http).is_ok_and(|mut http| {
            http.post("/v1/logs", KIND, &request(1_000_000..1_000_001))
                .is_ok_and(|answer| answer.status == 200)
        })
    });
    client.acked.push(1_000_000);
    wait_until(Duration::from_secs(30), "delivered", || sink.has_all(client.acked.iter()));
    assert_eq!(sink.corrupt(), 0);
    assert_eq!(bessemer.stop(), 0);
}

/// Scenario: the data directory is a file, or lies on a disk that takes no writes.
/// Promise: the process ends with code 1 and says which directory and why.
#[test]
fn a_data_directory_that_cannot_be_written_ends_the_start_with_the_reason() {
    let sink = Sink::start();
    let mut bessemer = Bessemer::new(config(free_address(), &sink));
    std::fs::write(bessemer.storage(), "not a directory").unwrap();
    bessemer.spawn();
    assert_eq!(bessemer.wait(), 1);
    let log = bessemer.log();
    assert!(log.contains("data") && log.to_lowercase().contains("directory"), "{log}");

    if !is_there("unshare", &["-rm", "sh", "-c", "mount -t tmpfs -o ro none /mnt"]) {
        return;
    }
    let bessemer = Bessemer::new(config(free_address(), &sink));
    let storage = bessemer.storage();
    std::fs::create_dir_all(&storage).unwrap();
    let mount = format!("mount -t tmpfs -o ro none {} && exec \"$0\" \"$@\"", storage.display());
    let mut bessemer = bessemer.inside(&["unshare", "-rm", "sh", "-c", &mount]);
    bessemer.spawn();
    assert_eq!(bessemer.wait(), 1);
    let log = bessemer.log();
    assert!(log.contains("Read-only"), "{log}");
}
