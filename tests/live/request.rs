//! Export requests, read from the bytes that a client wrote on its connections.
//!
//! No code of Bessemer reads here: what its receiver misread would be misread here too. HTTP/2 is
//! replayed to the `h2` crate, as if the client sent it again.

use std::collections::VecDeque;
use std::io::{BufRead, Read};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::records::Signal;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const GRPC_PREFIX: usize = 5;

/// One export request.
#[derive(Debug)]
pub struct Request {
    pub path: String,
    pub content_type: String,
    /// `content-encoding`, or `grpc-encoding` if the message is marked as compressed.
    pub encoding: String,
    /// As it travelled; for gRPC without the prefix of the message.
    pub body: Vec<u8>,
}

/// A request without what carried it.
#[derive(Debug)]
pub struct Plain {
    pub signal: Signal,
    pub is_json: bool,
    pub bytes: Vec<u8>,
}

impl Request {
    pub fn plain(self) -> Plain {
        let is_json = match self.content_type.split(';').next().unwrap().trim() {
            "application/json" => true,
            "application/x-protobuf" | "application/grpc" | "application/grpc+proto" => false,
            other => panic!("{} is {other:?}", self.path),
        };
        let bytes = match self.encoding.as_str() {
            "" | "identity" => self.body,
            "gzip" => gunzip(&self.body),
            other => panic!("{} is encoded as {other:?}", self.path),
        };
        let signal = Signal::of_path(&self.path).unwrap_or_else(|| panic!("{}", self.path));
        Plain { signal, is_json, bytes }
    }
}

fn gunzip(packed: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(packed).read_to_end(&mut plain).unwrap();
    plain
}

/// The requests of one connection.
pub fn read(connection: &[u8]) -> Vec<Request> {
    if connection.starts_with(PREFACE) { read_http2(connection) } else { read_http1(connection) }
}

fn read_http1(mut rest: &[u8]) -> Vec<Request> {
    let mut requests = Vec::new();
    while !rest.is_empty() {
        let first = read_line(&mut rest);
        let path = first.split(' ').nth(1).unwrap().to_owned();
        let mut headers = http::HeaderMap::new();
        while let Some((name, value)) = read_line(&mut rest).split_once(':') {
            let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.insert(name, value.trim().parse().unwrap());
        }
        let body = if header(&headers, "transfer-encoding") == "chunked" {
            read_chunks(&mut rest)
        } else {
            take(&mut rest, header(&headers, "content-length").parse().unwrap())
        };
        let content_type = header(&headers, "content-type");
        let encoding = header(&headers, "content-encoding");
        requests.push(Request { path, content_type, encoding, body });
    }
    requests
}

fn header(headers: &http::HeaderMap, name: &str) -> String {
    headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

fn read_line(rest: &mut &[u8]) -> String {
    let mut line = String::new();
    rest.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn read_chunks(rest: &mut &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let size = read_line(rest);
        let size = usize::from_str_radix(size.split(';').next().unwrap().trim(), 16).unwrap();
        if size == 0 {
            while !read_line(rest).is_empty() {}
            return body;
        }
        body.extend_from_slice(&take(rest, size));
        assert_eq!(read_line(rest), "");
    }
}

fn take(rest: &mut &[u8], count: usize) -> Vec<u8> {
    let (taken, left) = rest.split_at(count);
    *rest = left;
    taken.to_vec()
}

/// What the client wrote, to be read once more; what is written back vanishes.
#[derive(Clone)]
struct Replay(Arc<Mutex<VecDeque<u8>>>);

impl AsyncRead for Replay {
    /// Never the end: a connection that ends would take the requests that are under way with it.
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let mut bytes = self.0.lock().unwrap();
        if bytes.is_empty() {
            return Poll::Pending;
        }
        let count = bytes.len().min(into.remaining());
        let (first, _) = bytes.as_slices();
        let count = count.min(first.len());
        into.put_slice(&first[..count]);
        bytes.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Replay {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Nothing here waits for anything, so everything is done once a poll says that it is pending.
fn read_http2(connection: &[u8]) -> Vec<Request> {
    const WINDOW: u32 = (1 << 31) - 1;
    let context = &mut Context::from_waker(Waker::noop());
    // The windows below hold from the first poll on, so the data comes after it.
    let (preface, rest) = connection.split_at(PREFACE.len());
    let replay = Replay(Arc::new(Mutex::new(preface.to_vec().into())));
    let unread = replay.clone();
    let mut builder = h2::server::Builder::new();
    builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
    builder.max_frame_size((1 << 24) - 1);
    let mut handshake = std::pin::pin!(builder.handshake::<_, bytes::Bytes>(replay));
    let Poll::Ready(server) = handshake.as_mut().poll(context) else { panic!("no handshake") };
    let mut server = server.unwrap();
    assert!(server.poll_accept(context).is_pending());
    unread.0.lock().unwrap().extend(with_one_ack(rest));
    let mut accepted = Vec::new();
    while let Poll::Ready(Some(request)) = server.poll_accept(context) {
        accepted.push(request.unwrap());
    }
    accepted.into_iter().map(|(request, _)| read_call(request, context)).collect()
}

/// Frames without the answers to settings that a server sent later, as the replay sends none.
fn with_one_ack(mut rest: &[u8]) -> Vec<u8> {
    const HEAD: usize = 9;
    const SETTINGS_ACK: [u8; 2] = [4, 1];
    let (mut kept, mut acks) = (Vec::with_capacity(rest.len()), 0);
    while let Some(head) = rest.first_chunk::<HEAD>() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let size = HEAD + usize::try_from(length).unwrap();
        let (frame, after) = rest.split_at(size.min(rest.len()));
        acks += usize::from(head[3..5] == SETTINGS_ACK);
        if head[3..5] != SETTINGS_ACK || acks == 1 {
            kept.extend_from_slice(frame);
        }
        rest = after;
    }
    kept
}

fn read_call(request: http::Request<h2::RecvStream>, context: &mut Context<'_>) -> Request {
    let (parts, mut stream) = request.into_parts();
    let mut framed = Vec::new();
    loop {
        match stream.poll_data(context) {
            Poll::Ready(Some(data)) => framed.extend_from_slice(&data.unwrap()),
            Poll::Ready(None) => break,
            Poll::Pending => panic!("{} has no end", parts.uri),
        }
    }
    let (prefix, body) = framed.split_at(GRPC_PREFIX);
    let length = u32::from_be_bytes(prefix[1..].try_into().unwrap());
    assert_eq!(usize::try_from(length).unwrap(), body.len(), "one message in each call");
    let is_compressed = prefix[0] == 1;
    let encoding = header(&parts.headers, "grpc-encoding");
    Request {
        path: parts.uri.path().to_owned(),
        content_type: header(&parts.headers, "content-type"),
        encoding: if is_compressed { encoding } else { String::new() },
        body: body.to_vec(),
    }
}
