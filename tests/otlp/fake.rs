//! A fake OTLP/HTTP destination that does what a script says and notes what it got.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bessemer_record::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;

use crate::client::{PROTOBUF, gunzip, http_path};
use crate::process::wait_until;
use crate::samples::resources;

const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub at: Instant,
    /// The number of the connection.
    pub connection: usize,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body without its content encoding.
    pub fn plain(&self) -> Vec<u8> {
        match self.header("content-encoding") {
            None => self.body.clone(),
            Some("gzip") => gunzip(&self.body),
            Some(other) => panic!("{other} is no encoding of OTLP"),
        }
    }

    pub fn logs(&self) -> ExportLogsServiceRequest {
        self.decode()
    }

    pub fn decode<M: Message + Default>(&self) -> M {
        assert_eq!(self.header("content-type"), Some(PROTOBUF));
        M::decode(&*self.plain()).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.plain()).unwrap()
    }
}

/// What the destination does with a request.
#[derive(Debug, Clone)]
pub enum Act {
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// Reads the request and closes the connection.
    HangUp,
    /// Answers with 200 once released.
    Hold,
}

impl Act {
    pub fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: Vec::new() }
    }

    pub fn ok(body: Vec<u8>) -> Self {
        Self::Answer { status: 200, headers: Vec::new(), body }
    }

    #[must_use]
    pub fn saying(mut self, text: &str) -> Self {
        if let Self::Answer { body, .. } = &mut self {
            *body = text.as_bytes().to_vec();
        }
        self
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }
}

/// A destination. Dropping it ends its port.
pub struct HttpFake {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    /// What is left to do for each value of the header `x-case`; afterwards 200.
    script: Mutex<HashMap<String, VecDeque<Act>>>,
    connections: AtomicUsize,
    holding: AtomicUsize,
    holding_most: AtomicUsize,
    is_released: AtomicBool,
    is_stopped: AtomicBool,
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl HttpFake {
    /// Answers 200 to everything.
    pub fn start() -> Self {
        Self::scripted([])
    }

    /// Does these things in turn, then answers 200.
    pub fn scripted(acts: impl IntoIterator<Item = Act>) -> Self {
        Self::by_case([(String::new(), acts.into_iter().collect())])
    }

    /// A script of its own for each value of the header `x-case`.
    pub fn by_case(script: impl IntoIterator<Item = (String, Vec<Act>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::on(listener, None, script)
    }

    /// Takes TLS connections and speaks HTTP/1.1 on them.
    pub fn secure(tls: Arc<rustls::ServerConfig>) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), Some(tls), [])
    }

    /// Begins at an address that others may know already.
    pub fn at(address: SocketAddr) -> Self {
        Self::on(TcpListener::bind(address).unwrap(), None, [])
    }

    fn on(
        listener: TcpListener,
        tls: Option<Arc<rustls::ServerConfig>>,
        script: impl IntoIterator<Item = (String, Vec<Act>)>,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let script = script.into_iter().map(|(case, acts)| (case, acts.into())).collect();
        let shared = Arc::new(Shared { script: Mutex::new(script), ..Shared::default() });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.is_stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), shared) = (stream, Arc::clone(&accepting)) else { continue };
                let tls = tls.clone();
                std::thread::spawn(move || shared.serve(encrypted(stream, tls)));
            }
        });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The requests that carried this value in `x-case`.
    pub fn seen_of(&self, case: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.header("x-case") == Some(case)).collect()
    }

    /// The requests for a signal.
    pub fn seen_for(&self, signal: Signal) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.path == http_path(signal)).collect()
    }

    /// Waits until this many requests came; all of them.
    pub fn wait_for(&self, count: usize) -> Vec<Seen> {
        wait_until(ARRIVES_WITHIN, "delivered", || self.seen().len() >= count);
        self.seen()
    }

    /// Waits until this many groups of a signal came in protobuf; all of them, as requests of their
    /// own.
    pub fn arrived(&self, signal: Signal, count: usize) -> Vec<Vec<u8>> {
        let (mut groups, mut read) = (Vec::new(), 0);
        wait_until(ARRIVES_WITHIN, "delivered", || {
            let seen = self.shared.seen.lock().unwrap();
            let of_signal = seen[read..].iter().filter(|seen| seen.path == http_path(signal));
            groups.extend(of_signal.flat_map(|seen| resources(signal, &seen.plain())));
            read = seen.len();
            groups.len() >= count
        });
        groups
    }

    /// The number of held requests now, and the highest it ever was.
    pub fn holding(&self) -> (usize, usize) {
        let shared = &self.shared;
        (shared.holding.load(Ordering::SeqCst), shared.holding_most.load(Ordering::SeqCst))
    }

    /// Answers what is held, now and from now on.
    pub fn release(&self) {
        self.shared.is_released.store(true, Ordering::SeqCst);
    }
}

impl Drop for HttpFake {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn encrypted(stream: TcpStream, tls: Option<Arc<rustls::ServerConfig>>) -> Box<dyn Stream> {
    drop(stream.set_nodelay(true));
    match tls {
        None => Box::new(stream),
        Some(tls) => {
            let session = rustls::ServerConnection::new(tls).unwrap();
            Box::new(rustls::StreamOwned::new(session, stream))
        }
    }
}

impl Shared {
    fn serve(&self, stream: Box<dyn Stream>) {
        let connection = self.connections.fetch_add(1, Ordering::SeqCst);
        let mut stream = BufReader::new(stream);
        while let Some(seen) = read_request(&mut stream, connection) {
            let act = self.next_act(&seen);
            let kind = seen.header("content-type").unwrap_or_default().to_owned();
            self.seen.lock().unwrap().push(seen);
            let (status, headers, body) = match act {
                Act::HangUp => return,
                Act::Answer { status, headers, body } => (status, headers, body),
                Act::Hold => {
                    self.hold();
                    (200, Vec::new(), Vec::new())
                }
            };
            let mut answer = format!("HTTP/1.1 {status} Scripted\r\n");
            if !headers.iter().any(|(name, _)| *name == "content-type") {
                answer.push_str(&format!("content-type: {kind}\r\n"));
            }
            for (name, value) in headers {
                answer.push_str(&format!("{name}: {value}\r\n"));
            }
            answer.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
            let mut bytes = answer.into_bytes();
            bytes.extend_from_slice(&body);
            let writer = stream.get_mut();
            if writer.write_all(&bytes).and_then(|()| writer.flush()).is_err() {
                return;
            }
        }
    }

    fn next_act(&self, seen: &Seen) -> Act {
        let case = seen.header("x-case").unwrap_or_default();
        let mut script = self.script.lock().unwrap();
        let next = script.get_mut(case).and_then(VecDeque::pop_front);
        next.unwrap_or_else(|| Act::ok(Vec::new()))
    }

    fn hold(&self) {
        let now = self.holding.fetch_add(1, Ordering::SeqCst) + 1;
        self.holding_most.fetch_max(now, Ordering::SeqCst);
        while !self.is_released.load(Ordering::SeqCst) && !self.is_stopped.load(Ordering::SeqCst) {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        self.holding.fetch_sub(1, Ordering::SeqCst);
    }
}

fn read_request(stream: &mut BufReader<Box<dyn Stream>>, connection: usize) -> Option<Seen> {
    let mut line = String::new();
    if stream.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        line.clear();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut seen = Seen { at: Instant::now(), connection, path, headers, body: Vec::new() };
    let length = seen.header("content-length").map_or(0, |value| value.parse().unwrap());
    seen.body = vec![0; length];
    stream.read_exact(&mut seen.body).ok()?;
    Some(seen)
}
