//! The HTTP/1.1 ports of the sink: a thread a connection, answers written in one piece.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use super::{Counters, Manner, Sink};
use crate::count::{Inflated, Signal};
use crate::http1::{Connection, Head};

/// Holds a request of the load whole, so that it is read in few calls.
const BUFFER_BYTES: usize = 512 << 10;
const ACCEPTED: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";

/// One listening port.
#[derive(Clone)]
pub(super) struct Port {
    pub(super) counters: Arc<Counters>,
    pub(super) manner: Manner,
    pub(super) all: Sink,
}

/// Accepts for as long as the process runs.
pub(super) fn serve(listener: &TcpListener, port: &Port) {
    for stream in listener.incoming().flatten() {
        if !port.manner.refuse {
            let port = port.clone();
            // A connection that breaks is its client's business: it counts what was answered.
            std::thread::spawn(move || drop(connection(stream, &port)));
        }
    }
}

fn connection(stream: TcpStream, port: &Port) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let never = || false;
    let mut connection = Connection::new(stream, BUFFER_BYTES, &never);
    let mut inflated = port.manner.inflate.then(Inflated::default);
    while let Some(head) = connection.head()? {
        let answer = answer(&mut connection, &head, port, inflated.as_mut())?;
        if let Some(answer) = answer {
            connection.write(&answer)?;
        }
        if head.closes {
            break;
        }
    }
    Ok(())
}

fn answer(
    connection: &mut Connection<'_>,
    head: &Head,
    port: &Port,
    inflated: Option<&mut Inflated>,
) -> std::io::Result<Option<Vec<u8>>> {
    if head.start.starts_with("GET ") {
        connection.body(head)?;
        return Ok(Some(if head.second() == "/stats" {
            plain("200 OK", "application/json", &port.all.stats())
        } else {
            plain("404 Not Found", "text/plain", "try GET /stats")
        }));
    }
    let signal = Signal::of_path(head.second());
    let body = connection.body(head)?;
    let Some(signal) = signal else {
        return Ok(Some(plain("404 Not Found", "text/plain", "no OTLP path")));
    };
    let records = super::records(signal, body, head.is_gzip, inflated);
    port.counters.take(signal, body.len(), records);
    if let Some(delay) = port.manner.delay() {
        std::thread::sleep(delay);
    }
    Ok(if port.manner.black_hole { None } else { Some(verdict(port.manner)) })
}

fn verdict(manner: Manner) -> Vec<u8> {
    if manner.answer == 200 {
        return ACCEPTED.to_vec();
    }
    let retry = match manner.answer {
        429 | 503 => format!("retry-after: {}\r\n", manner.retry_after),
        _ => String::new(),
    };
    format!("HTTP/1.1 {} As Asked\r\n{retry}content-length: 0\r\n\r\n", manner.answer).into_bytes()
}

fn plain(status: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}
