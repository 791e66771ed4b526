//! A listener to talk to, and clients that are as polite or as rude as a test needs.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bessemer_net::body::{self, Body, BodyLimits};
use bessemer_net::grpc;
use bessemer_net::listen::{Handler, ListenerStats, Peer, Reply, Settings, bind};
use bessemer_runtime::{BoxFuture, Budget, Tasks};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Nothing here takes this long unless it hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// Answers with what it got. `/hold` waits until it is released first; `/unread` does not read.
pub(crate) struct Mirror {
    pub(crate) limits: BodyLimits,
    pub(crate) budget: Budget,
    pub(crate) seen: AtomicU32,
    pub(crate) peers: Mutex<Vec<Peer>>,
    pub(crate) release: Semaphore,
}

impl Mirror {
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        let mut limits = BodyLimits::of_bytes(bytes_max);
        limits.idle = Duration::from_millis(400);
        Arc::new(Self {
            limits,
            budget: Budget::new(256 << 20),
            seen: AtomicU32::new(0),
            peers: Mutex::default(),
            release: Semaphore::new(0),
        })
    }

    pub(crate) fn seen(&self) -> u32 {
        self.seen.load(Ordering::SeqCst)
    }

    async fn answer(&self, request: Request<Body>) -> Response<Reply> {
        let is_call = grpc::is_grpc(&request);
        let (head, body) = request.into_parts();
        if is_call {
            return match grpc::read_unary(&head.headers, body, &self.limits, &self.budget).await {
                Ok(received) => grpc::reply_ok(&received.inflated),
                Err(error) => grpc::reply_body_error(&error, Duration::from_secs(2)),
            };
        }
        match head.uri.path() {
            "/hold" => self.release.acquire().await.unwrap().forget(),
            "/unread" => return Reply::status(StatusCode::FORBIDDEN),
            _ => {}
        }
        match body::read(&head.headers, body, &self.limits, &self.budget).await {
            Ok(received) => Reply::of(StatusCode::OK, "text/plain", received.inflated),
            Err(error) => Reply::of(error.http_status(), "text/plain", error.to_string()),
        }
    }
}

impl Handler for Mirror {
    fn handle<'a>(
        &'a self,
        request: Request<Body>,
        peer: &'a Peer,
    ) -> BoxFuture<'a, Response<Reply>> {
        self.seen.fetch_add(1, Ordering::SeqCst);
        self.peers.lock().unwrap().push(peer.clone());
        Box::pin(self.answer(request))
    }
}

/// A listener on a free port; cancelled on drop.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) tasks: Tasks,
    pub(crate) stats: Arc<ListenerStats>,
    pub(crate) certificates: Option<Arc<bessemer_net::tls::Server>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

pub(crate) fn serve(settings: &Settings, handler: Arc<dyn Handler>) -> Server {
    let tasks = Tasks::new();
    let bound = bind("test", settings).unwrap();
    let (address, stats, certificates) = (bound.local_addr(), bound.stats(), bound.tls());
    bound.serve(handler, &tasks);
    Server { address, tasks, stats, certificates }
}

pub(crate) fn local() -> Settings {
    Settings::at("127.0.0.1:0")
}

/// Waits until `condition` holds, at most [`DEADLINE`].
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    within(what, waiting).await;
}

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let Ok(value) = tokio::time::timeout(DEADLINE, future).await else {
        panic!("{what} took too long");
    };
    value
}

pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    within("connecting", TcpStream::connect(address)).await.unwrap()
}

/// Sends `bytes` and reads until the server closes.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = connect(address).await;
    // The server may close before it took everything.
    drop(stream.write_all(bytes).await);
    read_to_close(&mut stream).await
}

pub(crate) async fn read_to_close(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    let reading = async {
        while let Ok(count) = stream.read(&mut chunk).await {
            if count == 0 {
                break;
            }
            answer.extend_from_slice(&chunk[..count]);
        }
    };
    within("the server's close", reading).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// An HTTP/2 client on `stream`, its connection driven in the background.
pub(crate) async fn http2<T>(stream: T) -> hyper::client::conn::http2::SendRequest<Full<Bytes>>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    TASKS.with(|tasks| tasks.spawn(async move { drop(connection.await) }));
    sender
}

/// An HTTP/1.1 client on `stream`.
pub(crate) async fn http1<T>(stream: T) -> hyper::client::conn::http1::SendRequest<Full<Bytes>>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    TASKS.with(|tasks| tasks.spawn(async move { drop(connection.await) }));
    sender
}

thread_local! {
    static TASKS: Tasks = Tasks::new();
}

pub(crate) fn post(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let uri = format!("http://test{path}");
    Request::post(uri).header("host", "test").body(Full::new(body.into())).unwrap()
}

pub(crate) async fn text(response: Response<hyper::body::Incoming>) -> (StatusCode, Bytes) {
    let status = response.status();
    let body = within("the body", response.into_body().collect()).await.unwrap();
    (status, body.to_bytes())
}

/// One HTTP/2 frame as it travels.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A header block of literals without indexing.
pub(crate) fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.bytes());
        }
    }
    block
}

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(crate) const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "test")];

/// A raw HTTP/2 connection after the exchange of settings.
pub(crate) async fn raw_http2(address: SocketAddr) -> TcpStream {
    let mut stream = connect(address).await;
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(&frame(4, 0, 0, &[])).await.unwrap();
    let (kind, _, _) = read_frame(&mut stream).await.unwrap();
    assert_eq!(kind, 4);
    stream.write_all(&frame(4, 1, 0, &[])).await.unwrap();
    stream
}

/// Kind, stream and payload of the next frame; `None` when the server closed.
pub(crate) async fn read_frame(stream: &mut TcpStream) -> Option<(u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    within("a frame", stream.read_exact(&mut head)).await.ok()?;
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    let mut payload = vec![0; length];
    within("a payload", stream.read_exact(&mut payload)).await.ok()?;
    let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Some((head[3], id, payload))
}

/// Reads on until GOAWAY and gives its error code; `None` when the server closed without one.
pub(crate) async fn goaway(stream: &mut TcpStream) -> Option<u32> {
    loop {
        let (kind, _, payload) = read_frame(stream).await?;
        if kind == 7 {
            return Some(u32::from_be_bytes([payload[4], payload[5], payload[6], payload[7]]));
        }
    }
}
