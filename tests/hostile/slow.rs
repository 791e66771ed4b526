//! Clients that take their time: headers, bodies, reading, and nothing at all.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bessemer_record::Signal;

use crate::client::{PROTOBUF, Raw, head};
use crate::lab::{Lab, Setup};
use crate::process::wait_until;
use crate::samples::logs;
use crate::watch::{Bystander, MIB, forget_peak, open_files, peak};
use crate::{WITHIN, sized};

/// All times shortened to a second.
const IMPATIENT: &str = r#"
    limits {
      header_timeout = "1s"
      body_timeout   = "1s"
      write_timeout  = "1s"
      idle_timeout   = "1s"
    }"#;
/// A second, the quarter by which the limit may be passed, and what a busy machine adds.
const CLOSED_WITHIN: Duration = Duration::from_secs(10);

fn impatient() -> Lab {
    Setup { http: IMPATIENT, grpc: IMPATIENT, ..Setup::to_nothing() }.start()
}

/// Many connections at a time.
struct Herd(Vec<TcpStream>);

impl Herd {
    fn connect(count: usize, addresses: &[SocketAddr], first: &[&[u8]]) -> Self {
        allow_many_files();
        let streams = (0..count).map(|number| {
            let mut stream = TcpStream::connect(addresses[number % addresses.len()]).unwrap();
            stream.write_all(first[number % first.len()]).unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        });
        Self(streams.collect())
    }

    /// Sends a byte on each connection that is still open.
    fn trickle(&mut self) {
        for stream in &mut self.0 {
            // A closed connection shows when it is read.
            drop(stream.write(b"x"));
        }
    }

    /// Connections that are still open; what they answer is thrown away.
    fn open(&mut self) -> usize {
        let mut answer = [0; 1024];
        self.0.retain_mut(|stream| match stream.read(&mut answer) {
            Ok(count) => count > 0,
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
        });
        self.0.len()
    }
}

/// Raises the limit on open files to what the system allows; processes started later inherit it.
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).unwrap();
}

/// Scenario: many connections send the beginning of a request, then a byte every now and then.
/// Promise: they are closed in time, and a good client notices nothing.
#[test]
fn headers_that_never_end_are_cut_off() {
    allow_many_files();
    let lab = impatient();
    let before = open_files(&lab.bessemer);
    let bystanders = [Bystander::http(lab.http), Bystander::grpc(lab.grpc)];
    let first: [&[u8]; 4] = [b"P", b"POST /v1/logs HTTP/1.1\r\nx-slow: ", b"PRI * HT", b"G"];
    let mut herd = Herd::connect(sized(200, 2000), &[lab.http, lab.grpc], &first);
    let begun = Instant::now();
    let mut next = Duration::ZERO;
    wait_until(CLOSED_WITHIN, "closed", || {
        if begun.elapsed() >= next {
            next += Duration::from_millis(200);
            herd.trickle();
        }
        herd.open() == 0
    });
    for bystander in bystanders {
        bystander.was_served();
    }
    wait_until(WITHIN, "given back", || open_files(&lab.bessemer) <= before + 4);
}

/// The same with bodies.
#[test]
fn bodies_that_trickle_are_cut_off() {
    allow_many_files();
    let lab = impatient();
    let before = open_files(&lab.bessemer);
    let bystanders = [Bystander::http(lab.http), Bystander::grpc(lab.grpc)];
    let announced = head("/v1/logs", &[("content-type", PROTOBUF), ("content-length", "9000")]);
    let chunked = head("/v1/logs", &[("content-type", PROTOBUF), ("transfer-encoding", "chunked")]);
    let chunked = [&chunked[..], b"1000\r\n"].concat();
    let mut herd = Herd::connect(sized(200, 2000), &[lab.http], &[&announced, &chunked]);
    let begun = Instant::now();
    let mut next = Duration::ZERO;
    wait_until(CLOSED_WITHIN, "closed", || {
        if begun.elapsed() >= next {
            next += Duration::from_millis(200);
            herd.trickle();
        }
        herd.open() == 0
    });
    for bystander in bystanders {
        bystander.was_served();
    }
    wait_until(WITHIN, "given back", || open_files(&lab.bessemer) <= before + 4);
}

/// Promise: a body that stops is answered with 408 before its connection ends.
#[test]
fn a_body_that_stops_is_408() {
    let lab = impatient();
    let mut raw = Raw::open(lab.http);
    let head = head("/v1/logs", &[("content-type", PROTOBUF), ("content-length", "9000")]);
    raw.send(&[&head[..], b"\x0a"].concat()).unwrap();
    let begun = Instant::now();
    let statuses: Vec<u16> = raw.answers().iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [408]);
    assert!(begun.elapsed() < CLOSED_WITHIN, "{:?}", begun.elapsed());
}

/// Scenario: a client sends requests without pause and reads no answer.
/// Promise: it is disconnected in time, and memory does not grow with it.
#[test]
fn a_client_that_reads_no_answers_is_cut_off() {
    let lab = impatient();
    let bystander = Bystander::http(lab.http);
    forget_peak(&lab.bessemer);
    let memory = lab.bessemer.resident();
    let mut stream = TcpStream::connect(lab.http).unwrap();
    stream.set_write_timeout(Some(CLOSED_WITHIN)).unwrap();
    let request = b"GET /none HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
    let begun = Instant::now();
    let ended = loop {
        if let Err(error) = stream.write_all(&request) {
            break error;
        }
        assert!(begun.elapsed() < WITHIN, "it never stopped reading");
    };
    let kind = ended.kind();
    let is_closed =
        matches!(kind, std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe);
    assert!(is_closed, "not closed within {CLOSED_WITHIN:?}: {kind:?}");
    let growth = peak(&lab.bessemer).saturating_sub(memory);
    assert!(growth < 32 * MIB, "{} MiB", growth / MIB);
    bystander.was_served();
}

/// Promise: idle connections cost next to nothing, disturb nobody, and end when their time is over.
#[test]
fn idle_connections_are_cheap_and_end() {
    allow_many_files();
    let count = sized(300, 2000);
    let lab = Setup::to_nothing().start();
    let before = lab.bessemer.resident();
    let mut herd = Herd::connect(count, &[lab.http, lab.grpc], &[b""]);
    let bystanders = [Bystander::http(lab.http), Bystander::grpc(lab.grpc)];
    wait_until(WITHIN, "accepted", || open_files(&lab.bessemer) >= count);
    assert_eq!(lab.post(Signal::Logs, &logs(["among them"])).status, 200);
    let growth = lab.bessemer.resident().saturating_sub(before);
    // 20 KiB each is 200 MiB for ten thousand; the bystanders cost a little themselves.
    assert!(growth <= 16 * MIB + count as u64 * (20 << 10), "{} KiB", growth >> 10);
    assert_eq!(herd.open(), count, "some were closed");
    for bystander in bystanders {
        bystander.was_served();
    }
    drop(herd);
    wait_until(WITHIN, "given back", || open_files(&lab.bessemer) < 60);

    let lab = impatient();
    let mut herd = Herd::connect(count, &[lab.http, lab.grpc], &[b""]);
    wait_until(CLOSED_WITHIN, "closed", || herd.open() == 0);
}

/// Promise: what is over the limit of connections is told so, and there is room again later.
#[test]
fn connections_over_the_limit_are_503() {
    allow_many_files();
    let limits = "limits {\n connections_max = 50\n }";
    let lab = Setup { http: limits, ..Setup::to_nothing() }.start();
    let herd = Herd::connect(50, &[lab.http], &[b""]);
    let mut over = Raw::open(lab.http);
    let answer = over.answer().unwrap();
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(over.until_closed(WITHIN), Some(Vec::new()));
    drop(herd);
    wait_until(WITHIN, "taken again", || {
        let mut raw = Raw::open(lab.http);
        let body = logs(["x"]);
        let length = body.len().to_string();
        let head = head("/v1/logs", &[("content-type", PROTOBUF), ("content-length", &length)]);
        drop(raw.send(&[&head[..], &body].concat()));
        raw.answer().is_some_and(|answer| answer.status == 200)
    });
}
