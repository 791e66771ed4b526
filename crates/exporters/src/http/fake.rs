//! For tests: a destination on loopback that answers by a script, and deliveries made of OTLP JSON.

use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use bessemer_net::body::{Encoding, inflate};
use bessemer_pipeline::{Delivery, Meta, Part, RecordId};
use bessemer_record::{Limits, Signal, json};
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value as Json;

/// What came in.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// `POST /path?query`.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// After decompression.
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Answers a request: status and body, with further headers in front of an empty line if any.
type Answer = Box<dyn Fn(usize, &Seen) -> (u16, String) + Send + Sync>;

/// The destination.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Fake {
    /// Answers each request by its number and content.
    pub(crate) fn start(
        answer: impl Fn(usize, &Seen) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let shared: Arc<(Answer, Arc<Mutex<Vec<Seen>>>)> =
            Arc::new((Box::new(answer), Arc::clone(&seen)));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || drop(serve(&stream, &shared.0, &shared.1)));
            }
        });
        Self { address, seen }
    }

    /// Answers with these in turn, and with the last one from then on.
    pub(crate) fn scripted(answers: &[(u16, &str)]) -> Self {
        let answers: Vec<(u16, String)> =
            answers.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
        Self::start(move |number, _| answers[number.min(answers.len() - 1)].clone())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }
}

fn serve(stream: &TcpStream, answer: &Answer, seen: &Mutex<Vec<Seen>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader)? {
        let number = {
            let mut seen = seen.lock();
            seen.push(request.clone());
            seen.len() - 1
        };
        let (status, body) = answer(number, &request);
        let (headers, body) = body.split_once("\n\n").unwrap_or(("", &body));
        let extra = if headers.is_empty() { String::new() } else { format!("{headers}\r\n") };
        let mut out = stream;
        write!(out, "HTTP/1.1 {status} x\r\n{extra}content-length: {}\r\n\r\n{body}", body.len())?;
    }
    Ok(())
}

fn read(reader: &mut impl std::io::BufRead) -> std::io::Result<Option<Seen>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let mut seen = Seen { line, headers, body: String::new() };
    let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let encoding = seen.header("content-encoding").and_then(Encoding::parse);
    let body = inflate(encoding.unwrap_or(Encoding::Identity), &Bytes::from(body), 1 << 30);
    seen.body = String::from_utf8_lossy(&body.unwrap()).into_owned();
    Ok(Some(seen))
}

/// A delivery of one part.
pub(crate) fn delivery(signal: Signal, otlp: &Json) -> Delivery {
    let text = otlp.to_string();
    let checked = json::from_otlp_json(signal, text.as_bytes(), &Limits::default()).unwrap();
    let part = Part {
        first: RecordId { incarnation: 7, number: 100 },
        records: checked.records(),
        meta: Arc::new(Meta::default()),
        payload: checked.into_bytes(),
    };
    Delivery { signal, parts: vec![part], encoded: None }
}

/// A delivery of log records with these bodies.
pub(crate) fn logs(bodies: &[&str]) -> Delivery {
    let records: Vec<Json> =
        bodies.iter().map(|body| serde_json::json!({ "body": { "stringValue": body } })).collect();
    let request =
        serde_json::json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": records }] }] });
    delivery(Signal::Logs, &request)
}
