//! Servers on loopback, clients of them, and a clock that does not wait.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bessemer_net::dial::{Client, Request, Settings};
use bessemer_runtime::{BoxFuture, Clock, Random, Span, SystemClock, SystemRandom, Tasks};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A listening server; its tasks end with it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    tasks: Tasks,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

impl Server {
    /// Runs `talk` on every connection, with the number of the connection from 1.
    pub(crate) async fn raw<F, T>(talk: F) -> Self
    where
        F: Fn(usize, TcpStream) -> T + Send + Sync + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, tasks) = (Arc::new(AtomicUsize::new(0)), Tasks::new());
        let open = Arc::new(AtomicUsize::new(0));
        let server = Self {
            address,
            connections: Arc::clone(&connections),
            open: Arc::clone(&open),
            tasks: tasks.clone(),
        };
        let accepting = tasks.clone();
        tasks.spawn(async move {
            loop {
                let stream = tokio::select! {
                    () = accepting.cancelled() => return,
                    accepted = listener.accept() => accepted.unwrap().0,
                };
                let number = connections.fetch_add(1, Ordering::SeqCst) + 1;
                let (talking, cancel) = (talk(number, stream), accepting.clone());
                let open = Arc::clone(&open);
                open.fetch_add(1, Ordering::SeqCst);
                accepting.spawn(async move {
                    tokio::select! {
                        () = talking => {}
                        () = cancel.cancelled() => {}
                    }
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    /// An HTTP/1.1 server with keep-alive.
    pub(crate) async fn http<F>(answer: F) -> Self
    where
        F: Fn(http::Request<Bytes>) -> http::Response<Bytes> + Send + Sync + 'static,
    {
        let answer = Arc::new(answer);
        Self::raw(move |_, stream| serve_http1(TokioIo::new(stream), Arc::clone(&answer))).await
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Connections that have not ended.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// The endpoint of a plain-text client.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Settings of a client of this server.
    pub(crate) fn settings(&self) -> Settings {
        Settings { endpoint: self.url(), ..Settings::default() }
    }

    /// A client of this server.
    pub(crate) fn client(&self) -> Client {
        client(&self.settings())
    }
}

/// Serves one HTTP/1.1 connection.
pub(crate) async fn serve_http1<I, F>(io: I, answer: Arc<F>)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
    F: Fn(http::Request<Bytes>) -> http::Response<Bytes>,
{
    let service = service_fn(move |request: http::Request<Incoming>| {
        let answer = Arc::clone(&answer);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let request = http::Request::from_parts(head, body);
            Ok::<_, hyper::Error>(answer(request).map(Full::new))
        }
    });
    // A client that closes early is part of many tests.
    drop(hyper::server::conn::http1::Builder::new().serve_connection(io, service).await);
}

/// A client with the machine's clock.
pub(crate) fn client(settings: &Settings) -> Client {
    Client::new(settings, clock(), random()).unwrap()
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::default())
}

pub(crate) fn random() -> Arc<dyn Random> {
    Arc::new(SystemRandom::seeded(1))
}

pub(crate) fn millis(count: u64) -> Span {
    Span(Duration::from_millis(count))
}

/// A `POST` to `/v1/logs`.
pub(crate) fn post(body: &'static [u8]) -> Request {
    Request::post("/v1/logs".parse().unwrap(), Bytes::from_static(body))
}

/// Reads one request: the head as text and the body by its content-length.
pub(crate) async fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    let mut body = bytes.split_off(head_end);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some((head, body))
}

/// Answers one request with `answer`, byte for byte.
pub(crate) async fn answer_once(stream: &mut TcpStream, answer: &[u8]) {
    if read_request(stream).await.is_some() {
        // The client may have gone, which the test sees on its own side.
        drop(stream.write_all(answer).await);
    }
}

/// Reads until the peer closes.
pub(crate) async fn read_to_end(stream: &mut TcpStream) {
    let mut sink = Vec::new();
    while stream.read_buf(&mut sink).await.is_ok_and(|bytes| bytes > 0) {
        sink.clear();
    }
}

/// Waits until `condition` holds, at most ten seconds.
pub(crate) async fn eventually(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.expect("the condition never held");
}

/// A clock whose sleeps end at once and are written down.
pub(crate) struct NotedClock {
    pub(crate) slept: Mutex<Vec<Duration>>,
    unix_nanos: u64,
}

impl NotedClock {
    pub(crate) fn new(unix_nanos: u64) -> Arc<Self> {
        Arc::new(Self { slept: Mutex::default(), unix_nanos })
    }

    pub(crate) fn slept(&self) -> Vec<Duration> {
        self.slept.lock().unwrap().clone()
    }
}

impl Clock for NotedClock {
    fn monotonic(&self) -> Duration {
        self.slept.lock().unwrap().iter().sum()
    }

    fn unix_nanos(&self) -> u64 {
        self.unix_nanos
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.slept.lock().unwrap().push(duration);
        Box::pin(std::future::ready(()))
    }
}
