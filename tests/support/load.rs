//! Clients that send records whose content follows from their ids, and note what was acknowledged.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;

/// The content of a record, from its id.
pub fn body_of(id: u64) -> String {
    let word = if id.is_multiple_of(97) { "breach" } else { "routine" };
    format!("{word} {:016x} record {id}", id.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// An export request with these records.
pub fn request(ids: impl IntoIterator<Item = u64>) -> Vec<u8> {
    padded(ids, 0)
}

/// The same with an attribute of so many bytes that do not pack.
pub fn padded(ids: impl IntoIterator<Item = u64>, padding: usize) -> Vec<u8> {
    let text = |text: String| AnyValue { value: Some(any_value::Value::StringValue(text)) };
    let record = |id: u64| LogRecord {
        time_unix_nano: 1_700_000_000_000_000_000 + id,
        severity_number: if id.is_multiple_of(20) { 17 } else { 9 },
        body: Some(text(body_of(id))),
        attributes: [("id", id.to_string()), ("padding", noise(id, padding))]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| KeyValue {
                key: key.to_owned(),
                value: Some(text(value)),
                ..KeyValue::default()
            })
            .collect(),
        ..LogRecord::default()
    };
    let records = ids.into_iter().map(record).collect();
    let scope = ScopeLogs { log_records: records, ..ScopeLogs::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec()
}

fn noise(seed: u64, len: usize) -> String {
    let mut word = seed | 1;
    let mut letter = || {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + u8::try_from((word >> 33) % 94).unwrap())
    };
    (0..len).map(|_| letter()).collect()
}

/// What an answer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A blocking HTTP/1.1 client on one connection.
pub struct Http {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
}

impl Http {
    pub fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        Ok(Self { stream: BufReader::new(stream), address })
    }

    /// Sends one request and reads the whole answer.
    pub fn post(&mut self, path: &str, headers: &str, body: &[u8]) -> std::io::Result<Answer> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n{headers}\r\n",
            self.address,
            body.len()
        );
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.stream.get_mut().write_all(&bytes)?;
        self.answer()
    }

    /// Reads one answer.
    pub fn answer(&mut self) -> std::io::Result<Answer> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let invalid = || std::io::Error::from(std::io::ErrorKind::InvalidData);
        let status = line.split(' ').nth(1).and_then(|code| code.trim().parse().ok());
        let status = status.ok_or_else(invalid)?;
        let mut headers = Vec::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or(0, |(_, value)| value.parse().unwrap_or(0));
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Answer { status, headers, body })
    }
}

/// What was sent and what was acknowledged.
#[derive(Debug, Default)]
pub struct Ledger {
    pub claimed: HashSet<u64>,
    pub acked: HashSet<u64>,
    pub latencies: Vec<(Instant, Duration)>,
    pub refused: u64,
}

/// Clients that send until told to stop, over connections that may break.
pub struct Load {
    pub ledger: Arc<Mutex<Ledger>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// How a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http(SocketAddr),
    Grpc(SocketAddr),
}

impl Load {
    /// One thread for each protocol given; each request has `records` records.
    pub fn start(protocols: &[Protocol], records: u64, pause: Duration) -> Self {
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let next = Arc::new(AtomicU64::new(1));
        let threads = protocols.iter().map(|protocol| {
            let work = Work {
                ledger: Arc::clone(&ledger),
                stop: Arc::clone(&stop),
                next: Arc::clone(&next),
                records,
                pause,
            };
            let protocol = *protocol;
            std::thread::spawn(move || work.run(protocol))
        });
        let threads = threads.collect();
        Self { ledger, stop, threads }
    }

    /// Ends all clients; what they noted.
    pub fn finish(self) -> Ledger {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        std::mem::take(&mut *self.ledger.lock().unwrap())
    }
}

/// One client's share of the load.
struct Work {
    ledger: Arc<Mutex<Ledger>>,
    stop: Arc<AtomicBool>,
    next: Arc<AtomicU64>,
    records: u64,
    pause: Duration,
}

impl Work {
    fn run(&self, protocol: Protocol) {
        let mut client = Client::new(protocol);
        while !self.stop.load(Ordering::Relaxed) {
            let first = self.next.fetch_add(self.records, Ordering::Relaxed);
            let is_taken = self.send(&mut client, first..first + self.records);
            std::thread::park_timeout(if is_taken { self.pause } else { REST });
        }
    }

    fn send(&self, client: &mut Client, ids: std::ops::Range<u64>) -> bool {
        self.ledger.lock().unwrap().claimed.extend(ids.clone());
        let begun = Instant::now();
        let is_taken = client.send(&request(ids.clone()));
        let mut ledger = self.ledger.lock().unwrap();
        if is_taken {
            ledger.latencies.push((begun, begun.elapsed()));
            ledger.acked.extend(ids);
        } else {
            ledger.refused += 1;
        }
        is_taken
    }
}

/// How long a client waits after it was not answered.
const REST: Duration = Duration::from_millis(20);

enum Client {
    Http(SocketAddr, Option<Http>),
    Grpc(tokio::runtime::Runtime, bessemer_net::dial::GrpcClient),
}

const EXPORT_LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

impl Client {
    fn new(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Http(address) => Self::Http(address, None),
            Protocol::Grpc(address) => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.unwrap();
                let settings = bessemer_net::dial::GrpcSettings {
                    endpoint: format!("http://{address}"),
                    ..bessemer_net::dial::GrpcSettings::default()
                };
                let guard = runtime.enter();
                let client = bessemer_net::dial::GrpcClient::new(
                    &settings,
                    Arc::new(bessemer_runtime::SystemClock::default()),
                    Arc::new(bessemer_runtime::SystemRandom::default()),
                );
                drop(guard);
                Self::Grpc(runtime, client.unwrap())
            }
        }
    }

    fn send(&mut self, body: &[u8]) -> bool {
        match self {
            Self::Http(address, connection) => {
                let sent = match connection.take().map_or_else(|| Http::connect(*address), Ok) {
                    Ok(mut http) => {
                        let kind = "content-type: application/x-protobuf\r\n";
                        http.post("/v1/logs", kind, body).map(|answer| (http, answer.status))
                    }
                    Err(error) => Err(error),
                };
                let Ok((http, status)) = sent else { return false };
                *connection = Some(http);
                status == 200
            }
            Self::Grpc(runtime, client) => {
                let path = http::uri::PathAndQuery::from_static(EXPORT_LOGS);
                let message = [bytes::Bytes::copy_from_slice(body)];
                let identity = bessemer_net::body::Encoding::Identity;
                runtime.block_on(client.unary(&path, &message, identity)).is_ok()
            }
        }
    }
}
