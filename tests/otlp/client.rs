//! Clients beside the one of `support/load.rs`: raw bytes, unary gRPC, one HTTP/2 request.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bessemer_net::body::Encoding;
use bessemer_net::dial::{GrpcClient, GrpcSettings};
use bessemer_net::grpc::Status;
use bessemer_record::Signal;
use bessemer_runtime::{SystemClock, SystemRandom};
use bytes::Bytes;
use http::uri::PathAndQuery;
use prost::Message;

use crate::load::Answer;

pub const PROTOBUF: &str = "application/x-protobuf";
pub const JSON: &str = "application/json";
/// How long an answer may take on a machine that is busy with other tests.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

pub const SIGNALS: [Signal; 3] = [Signal::Logs, Signal::Metrics, Signal::Traces];

/// The path of a signal over HTTP.
pub fn http_path(signal: Signal) -> &'static str {
    match signal {
        Signal::Logs => "/v1/logs",
        Signal::Metrics => "/v1/metrics",
        Signal::Traces => "/v1/traces",
    }
}

/// The method of a signal over gRPC.
pub fn grpc_path(signal: Signal) -> &'static str {
    match signal {
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    }
}

/// One TCP connection on which a test writes what it likes.
pub struct Raw {
    stream: BufReader<TcpStream>,
}

impl Raw {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(ANSWER_WITHIN)).unwrap();
        stream.set_write_timeout(Some(ANSWER_WITHIN)).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    /// Writes; an error is an answer too, since the other end may close in the middle.
    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Says that nothing more comes.
    pub fn finish(&self) {
        drop(self.stream.get_ref().shutdown(Shutdown::Write));
    }

    /// The next answer; `None` when the connection ends without one.
    pub fn answer(&mut self) -> Option<Answer> {
        let status = self.line()?.split(' ').nth(1)?.trim().parse().ok()?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        let length = answer.header("content-length").map_or(0, |value| value.parse().unwrap());
        answer.body = vec![0; length];
        self.stream.read_exact(&mut answer.body).ok()?;
        Some(answer)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line),
        }
    }

    /// All answers up to the end of the connection.
    pub fn answers(&mut self) -> Vec<Answer> {
        std::iter::from_fn(|| self.answer()).collect()
    }

    /// What still comes, up to the end of the connection; `None` if it stays open for `limit`.
    pub fn until_closed(&mut self, limit: Duration) -> Option<Vec<u8>> {
        let deadline = Instant::now() + limit;
        let mut all = Vec::new();
        let mut chunk = [0; 16 << 10];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.stream.get_ref().set_read_timeout(Some(left)).unwrap();
            match self.stream.read(&mut chunk) {
                Ok(0) => return Some(all),
                Ok(count) => all.extend_from_slice(&chunk[..count]),
                Err(error) if is_timeout(&error) => return None,
                Err(_) => return Some(all),
            }
        }
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    matches!(error.kind(), TimedOut | WouldBlock)
}

/// The head of a `POST`.
pub fn head(path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!("POST {path} HTTP/1.1\r\nhost: bessemer\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// One `POST` on a connection of its own. The answer counts even if it came before the end of the
/// body.
pub fn post(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    try_post(address, path, headers, body).expect("an answer")
}

pub fn try_post(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Answer> {
    let length = body.len().to_string();
    let mut all = vec![("content-length", length.as_str())];
    all.extend_from_slice(headers);
    let mut raw = Raw::open(address);
    let mut bytes = head(path, &all);
    bytes.extend_from_slice(body);
    drop(raw.send(&bytes));
    raw.answer()
}

/// The same with the body in chunks of `size`.
pub fn post_chunked(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    size: usize,
) -> Answer {
    let mut all = vec![("transfer-encoding", "chunked")];
    all.extend_from_slice(headers);
    let mut raw = Raw::open(address);
    let mut bytes = head(path, &all);
    for chunk in body.chunks(size) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    drop(raw.send(&bytes));
    raw.answer().expect("an answer")
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A runtime that goes on while the test does something else.
pub fn background_runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

/// A unary gRPC client on one connection.
pub struct Grpc {
    runtime: tokio::runtime::Runtime,
    client: GrpcClient,
}

impl Grpc {
    pub fn new(address: SocketAddr) -> Self {
        let runtime = runtime();
        let settings =
            GrpcSettings { endpoint: format!("http://{address}"), ..GrpcSettings::default() };
        let guard = runtime.enter();
        let (clock, random) = (SystemClock::default(), SystemRandom::default());
        let client = GrpcClient::new(&settings, Arc::new(clock), Arc::new(random)).unwrap();
        drop(guard);
        Self { runtime, client }
    }

    pub fn export(&self, signal: Signal, message: &[u8]) -> Result<Bytes, Status> {
        self.export_as(signal, Encoding::Identity, message)
    }

    /// Sends `message`, which is already encoded that way.
    pub fn export_as(
        &self,
        signal: Signal,
        encoding: Encoding,
        message: &[u8],
    ) -> Result<Bytes, Status> {
        let path = PathAndQuery::from_static(grpc_path(signal));
        let message = [Bytes::copy_from_slice(message)];
        self.runtime.block_on(self.client.unary(&path, &message, encoding))
    }
}

/// What came back over HTTP/2.
#[derive(Debug)]
pub struct Answer2 {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
    pub trailers: http::HeaderMap,
}

/// One `POST` over HTTP/2 without TLS, begun with the preface.
pub fn post_http2(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer2, h2::Error> {
    let mut request = http::Request::post(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(()).unwrap();
    let body = Bytes::copy_from_slice(body);
    let exchange = async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await?;
        let mut client = client.ready().await?;
        let talk = async {
            let (response, mut sending) = client.send_request(request, body.is_empty())?;
            if !body.is_empty() {
                sending.send_data(body, true)?;
            }
            let (parts, mut incoming) = response.await?.into_parts();
            let mut received = Vec::new();
            while let Some(chunk) = incoming.data().await {
                let chunk = chunk?;
                incoming.flow_control().release_capacity(chunk.len())?;
                received.extend_from_slice(&chunk);
            }
            let trailers = incoming.trailers().await?.unwrap_or_default();
            let (status, headers) = (parts.status.as_u16(), parts.headers);
            Ok(Answer2 { status, headers, body: received, trailers })
        };
        tokio::select! {
            answer = talk => answer,
            ended = connection => Err(ended.err().unwrap_or(h2::Reason::NO_ERROR.into())),
        }
    };
    runtime().block_on(async { tokio::time::timeout(ANSWER_WITHIN, exchange).await.unwrap() })
}

pub fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

pub fn gunzip(packed: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(packed).read_to_end(&mut plain).unwrap();
    plain
}

/// `google.rpc.Status`, read by the reference implementation of protobuf.
#[derive(Clone, PartialEq, Message)]
pub struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Any {
    #[prost(string, tag = "1")]
    pub type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    pub field_violations: Vec<FieldViolation>,
}

#[derive(Clone, PartialEq, Message)]
pub struct FieldViolation {
    #[prost(string, tag = "1")]
    pub field: String,
    #[prost(string, tag = "2")]
    pub description: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Delay {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl RpcStatus {
    fn detail<M: Message + Default>(&self, name: &str) -> Option<M> {
        let url = format!("type.googleapis.com/google.rpc.{name}");
        let found = self.details.iter().find(|detail| detail.type_url == url)?;
        Some(M::decode(&*found.value).unwrap())
    }

    pub fn bad_request(&self) -> Option<BadRequest> {
        self.detail("BadRequest")
    }

    pub fn retry_info(&self) -> Option<RetryInfo> {
        self.detail("RetryInfo")
    }
}

/// The status in the body of an HTTP answer of either encoding: code, message, whether it carries
/// `BadRequest`.
pub fn status_of(answer: &Answer) -> (i64, String, bool) {
    match answer.header("content-type") {
        Some(PROTOBUF) => {
            let status = RpcStatus::decode(&*answer.body).unwrap();
            let bad = status.bad_request().is_some();
            (i64::from(status.code), status.message, bad)
        }
        Some(JSON) => {
            let status: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            let details = status["details"].as_array().cloned().unwrap_or_default();
            let bad = details
                .iter()
                .any(|detail| detail["@type"] == "type.googleapis.com/google.rpc.BadRequest");
            let message = status["message"].as_str().unwrap_or_default().to_owned();
            (status["code"].as_i64().unwrap_or(0), message, bad)
        }
        other => panic!("no status in {other:?}: {:?}", String::from_utf8_lossy(&answer.body)),
    }
}
