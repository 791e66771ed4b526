//! Destinations, fakes all of them, that answer with redirects or with interim answers without end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::load::{Http, request};
use crate::process::{Bessemer, free_address, wait_until};

const KIND: &str = "content-type: application/x-protobuf\r\n";
const PATIENT: Duration = Duration::from_mins(1);
/// Growth of memory that a flood of answers may cause.
const GROWTH_BYTES_MAX: u64 = 32 << 20;

/// A server that hands each connection to a function, and how many there were.
struct Fake {
    address: SocketAddr,
    connections: Arc<AtomicU64>,
}

impl Fake {
    fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicU64::new(0));
        let (count, serve) = (Arc::clone(&connections), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(stream));
            }
        });
        Self { address, connections }
    }

    fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}

fn config(http: SocketAddr, destination: SocketAddr) -> String {
    format!(
        r#"
otelcol.receiver.otlp "in" {{
  http {{ endpoint = "{http}" }}
  output {{ logs = [otelcol.exporter.otlphttp.out.input] }}
}}
otelcol.exporter.otlphttp "out" {{
  client {{
    endpoint    = "http://{destination}"
    compression = "none"
    timeout     = "1s"
    headers     = {{ "authorization" = "Bearer of-a-secret" }}
  }}
}}
"#
    )
}

fn send(http: SocketAddr) {
    let mut client = Http::connect(http).unwrap();
    assert_eq!(client.post("/v1/logs", KIND, &request(0..10)).unwrap().status, 200);
}

/// Reads a little of a request, so that the answer comes after it began.
fn begin(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    stream.read(&mut vec![0; 64 << 10]).is_ok_and(|count| count > 0)
}

/// Scenario: a destination redirects each request to another server, and to itself.
/// Promise: nobody is followed: the other server sees no connection, and so no credentials; the
/// records are kept.
#[test]
fn a_redirect_is_never_followed_and_no_credentials_go_elsewhere() {
    let _alone = crate::alone();
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let other = Fake::start(drop);
        let to = other.address;
        let requests = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&requests);
        let redirecting = Fake::start(move |mut stream| {
            while begin(&mut stream) {
                counted.fetch_add(1, Ordering::SeqCst);
                let answer = format!(
                    "HTTP/1.1 {status}\r\nlocation: http://{to}/v1/logs\r\n\
                     content-length: 0\r\n\r\n"
                );
                if stream.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
        });
        let http = free_address();
        let mut bessemer = Bessemer::new(config(http, redirecting.address));
        bessemer.start();
        send(http);
        wait_until(PATIENT, "dead", || {
            bessemer.metric("bessemer_dead_records_total", "otlphttp.out") > 9.5
        });
        assert_eq!(other.connections(), 0, "{status}");
        assert!(requests.load(Ordering::SeqCst) <= 2, "{status}");
        assert_eq!(bessemer.stop(), 0);
    }
}

/// Scenario: a destination answers with interim answers without end, then comes to its senses.
/// Promise: a try ends, memory does not grow, the records are kept as dead letters, as for any
/// answer without an end, and those that come later arrive.
#[test]
fn interim_answers_without_end_are_cut_off_and_cost_no_memory() {
    let _alone = crate::alone();
    let flooding = Arc::new(AtomicBool::new(true));
    let taken = Arc::new(AtomicU64::new(0));
    let (is_flooding, count) = (Arc::clone(&flooding), Arc::clone(&taken));
    let fake = Fake::start(move |mut stream| {
        let interim = "HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n".repeat(64);
        if !begin(&mut stream) {
            return;
        }
        while is_flooding.load(Ordering::SeqCst) {
            if stream.write_all(interim.as_bytes()).is_err() {
                return;
            }
        }
        let end = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        if stream.write_all(end.as_bytes()).is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let http = free_address();
    let mut bessemer = Bessemer::new(config(http, fake.address));
    bessemer.start();
    let before = bessemer.resident();
    send(http);
    wait_until(PATIENT, "dead", || {
        bessemer.metric("bessemer_dead_records_total", "otlphttp.out") > 9.5
    });
    let grown = bessemer.resident().saturating_sub(before);
    assert!(grown < GROWTH_BYTES_MAX, "{grown} bytes more");
    flooding.store(false, Ordering::SeqCst);
    send(http);
    wait_until(PATIENT, "delivered", || {
        bessemer.metric("bessemer_delivered_records_total", "otlphttp.out") > 9.5
    });
    assert!(taken.load(Ordering::SeqCst) >= 1);
    assert_eq!(bessemer.stop(), 0);
}
