//! A fake destination that takes OTLP over HTTP/1.1, keeps what it got, and can misbehave.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;

use crate::load::body_of;

/// How the destination answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// 200 and keeps the records.
    Take,
    /// This status and keeps nothing.
    Refuse(u16),
    /// Reads and never answers.
    BlackHole,
}

/// Whether a destination refuses a record, by its id.
pub type Refused = fn(u64) -> bool;

/// A destination. Dropping it ends its port.
pub struct Sink {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// How often each id came.
    seen: Mutex<HashMap<u64, u32>>,
    corrupt: AtomicU64,
    requests: AtomicU64,
    mode: AtomicUsize,
    /// Requests with such a record are refused with 400.
    refused: Mutex<Option<Refused>>,
    bodies: Mutex<Vec<Vec<u8>>>,
    keep_bodies: AtomicBool,
    stopped: AtomicBool,
}

impl Sink {
    pub fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), None)
    }

    /// Begins at an address that others may know already.
    pub fn at(address: SocketAddr) -> Self {
        Self::on(TcpListener::bind(address).unwrap(), None)
    }

    /// Takes TLS connections.
    pub fn secure(tls: Arc<rustls::ServerConfig>) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), Some(tls))
    }

    fn on(listener: TcpListener, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(stream), shared) = (stream, Arc::clone(&accepting)) else { continue };
                drop(stream.set_nodelay(true));
                let tls = tls.clone();
                std::thread::spawn(move || match tls {
                    None => serve(stream, &shared),
                    Some(tls) => {
                        let session = rustls::ServerConnection::new(tls).unwrap();
                        serve(rustls::StreamOwned::new(session, stream), &shared);
                    }
                });
            }
        });
        Self { address, shared }
    }

    pub fn set(&self, mode: Mode) {
        let code = match mode {
            Mode::Take => 0,
            Mode::BlackHole => 1,
            Mode::Refuse(status) => usize::from(status),
        };
        self.shared.mode.store(code, Ordering::SeqCst);
    }

    /// Answers 400 to requests with such a record, and keeps nothing of them.
    pub fn refuse_with_400(&self, refused: Option<Refused>) {
        *self.shared.refused.lock().unwrap() = refused;
    }

    /// Keeps the bodies of requests too.
    pub fn keep_bodies(&self) {
        self.shared.keep_bodies.store(true, Ordering::Relaxed);
    }

    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.shared.bodies.lock().unwrap().clone()
    }

    /// How often each id came.
    pub fn seen(&self) -> HashMap<u64, u32> {
        self.shared.seen.lock().unwrap().clone()
    }

    pub fn has_all<'a>(&self, mut ids: impl Iterator<Item = &'a u64>) -> bool {
        let seen = self.shared.seen.lock().unwrap();
        ids.all(|id| seen.contains_key(id))
    }

    /// Records whose content does not follow from their id.
    pub fn corrupt(&self) -> u64 {
        self.shared.corrupt.load(Ordering::Relaxed)
    }

    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
    }
}

fn serve(stream: impl Read + Write, shared: &Shared) {
    let mut stream = BufReader::new(stream);
    while let Some(body) = read_request(&mut stream) {
        shared.requests.fetch_add(1, Ordering::Relaxed);
        let status = match shared.mode.load(Ordering::SeqCst) {
            0 if shared.is_refused(&body) => 400,
            0 => {
                shared.keep(&body);
                200
            }
            1 => {
                // Answers nothing until the mode changes; then ends the connection.
                while shared.mode.load(Ordering::SeqCst) == 1
                    && !shared.stopped.load(Ordering::Relaxed)
                {
                    std::thread::park_timeout(Duration::from_millis(20));
                }
                return;
            }
            status => status,
        };
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n"
        );
        if stream.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn read_request(stream: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut length = 0;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let lower = line.trim_end().to_ascii_lowercase();
        if lower.is_empty() {
            break;
        }
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}

impl Shared {
    fn is_refused(&self, body: &[u8]) -> bool {
        let Some(refused) = *self.refused.lock().unwrap() else { return false };
        let request = ExportLogsServiceRequest::decode(body).unwrap_or_default();
        let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
        let mut records = scopes.flat_map(|scope| &scope.log_records);
        records.any(|record| id_of(record).is_some_and(refused))
    }

    fn keep(&self, body: &[u8]) {
        if self.keep_bodies.load(Ordering::Relaxed) {
            self.bodies.lock().unwrap().push(body.to_vec());
        }
        let Ok(request) = ExportLogsServiceRequest::decode(body) else {
            self.corrupt.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
        let mut seen = self.seen.lock().unwrap();
        for record in scopes.flat_map(|scope| &scope.log_records) {
            let id = id_of(record);
            let body = text(record.body.as_ref());
            match (id, body) {
                (Some(id), Some(body)) if body == body_of(id) => *seen.entry(id).or_default() += 1,
                _ => drop(self.corrupt.fetch_add(1, Ordering::Relaxed)),
            }
        }
    }
}

fn id_of(record: &LogRecord) -> Option<u64> {
    let id = record.attributes.iter().find(|attribute| attribute.key == "id")?;
    text(id.value.as_ref())?.parse().ok()
}

fn text(value: Option<&AnyValue>) -> Option<&str> {
    let any_value::Value::StringValue(text) = value?.value.as_ref()? else { return None };
    Some(text)
}
