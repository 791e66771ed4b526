//! One connection from handshake to goodbye.
//!
//! Each stage is boxed: without it the task of an idle connection is as large as all stages of both
//! protocols together, 20 KiB.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bessemer_runtime::Tasks;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use super::accept::Slot;
use super::activity::{Activity, Judge, Judgement, Protocol};
use super::handler::{Handler, Peer};
use super::io::Observed;
use super::serve::Serve;
use super::settings::Limits;
use super::stats::{Held, ListenerStats, count};
use crate::tls::{self, Identity};

/// A client that was told goodbye and has nothing in flight may take this long to close.
const GOODBYE: Duration = Duration::from_secs(1);
/// Streams a client may have reset before we looked at them (CVE-2023-44487, rapid reset).
const PENDING_RESETS_MAX: usize = 20;
/// Streams a client may make us reset by breaking the protocol (CVE-2025-8671, `MadeYouReset`).
const OWN_RESETS_MAX: usize = 256;
/// Bytes of answers that one HTTP/2 stream buffers.
const SEND_BUFFER_MAX: usize = 256 << 10;

/// Bytes that an HTTP/2 connection reads at once.
const READ_AHEAD: usize = 128 << 10;

/// What all connections of a listener share.
pub(super) struct Shared {
    pub(super) handler: Arc<dyn Handler>,
    pub(super) tasks: Tasks,
    pub(super) name: Arc<str>,
    pub(super) tls: Option<Arc<tls::Server>>,
    pub(super) limits: Limits,
    pub(super) stats: Arc<ListenerStats>,
}

/// Runs the tasks of HTTP/2 streams among the listener's own, so that a drain waits for them.
#[derive(Clone)]
struct Spawner(Tasks);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Spawner {
    fn execute(&self, stream: F) {
        self.0.spawn(stream);
    }
}

pub(super) async fn run(stream: TcpStream, address: SocketAddr, slot: Slot, shared: Arc<Shared>) {
    let _slot = slot;
    let listener = Arc::clone(&shared.name);
    let mut peer = Peer { address, listener, encrypted: false, identity: None };
    let Some(tls) = &shared.tls else {
        return Box::pin(talk(stream, peer, &shared)).await;
    };
    let accepting = Box::pin(TlsAcceptor::from(tls.load()).accept(stream));
    // A drain does not wait for strangers.
    let accepted = tokio::select! {
        accepted = timeout(shared.limits.handshake_timeout.0, accepting) => accepted,
        () = shared.tasks.cancelled() => return,
    };
    match accepted {
        Ok(Ok(stream)) => {
            let certificates = stream.get_ref().1.peer_certificates();
            let leaf = certificates.and_then(|chain| chain.first());
            peer.encrypted = true;
            peer.identity = leaf.map(|leaf| Arc::new(Identity::of(leaf)));
            Box::pin(talk(stream, peer, &shared)).await;
        }
        Ok(Err(error)) => {
            count(&shared.stats.handshake_errors);
            tracing::debug!(%address, %error, "the TLS handshake failed");
        }
        Err(_) => {
            count(&shared.stats.handshake_errors);
            tracing::debug!(%address, "the TLS handshake took too long");
        }
    }
}

/// Finds out the protocol and speaks it to the end.
async fn talk<T>(stream: T, peer: Peer, shared: &Shared)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Arc::new(Activity::default());
    let mut judge = Judge::new(&shared.limits);
    let mut io = Observed::new(stream, Arc::clone(&activity));
    let protocol = first_bytes(&mut io, &mut judge, &activity, shared).await;
    let handler = Arc::clone(&shared.handler);
    let serve = Serve { handler, peer: Arc::new(peer), activity: Arc::clone(&activity) };
    let result = match protocol {
        None => Ok(()),
        Some(Protocol::Http1) => http1(io, serve, &mut judge, &activity, shared).await,
        Some(Protocol::Http2) => http2(io, serve, &mut judge, &activity, shared).await,
    };
    if result.is_err_and(|error| !error.is_incomplete_message() && !error.is_canceled()) {
        count(&shared.stats.protocol_errors);
    }
    let (received, sent) = activity.bytes();
    shared.stats.received_bytes.fetch_add(received, Ordering::Relaxed);
    shared.stats.sent_bytes.fetch_add(sent, Ordering::Relaxed);
}

/// Waits for the first bytes of a connection or of its next request: as long as an idle connection
/// may, and once they come, as long as headers may.
async fn first_bytes<T>(
    io: &mut Observed<T>,
    judge: &mut Judge,
    activity: &Activity,
    shared: &Shared,
) -> Option<Protocol>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut reading = pin!(io.protocol());
    loop {
        let tick = judge.tick();
        tokio::select! {
            protocol = timeout(tick, reading.as_mut()) => match protocol {
                Ok(protocol) => return protocol.ok(),
                Err(_) => match judge.judge(activity, Protocol::Http1) {
                    Judgement::Fine => {}
                    Judgement::Idle => return None,
                    Judgement::TooSlow => {
                        count(&shared.stats.timed_out);
                        return None;
                    }
                },
            },
            () = shared.tasks.cancelled() => return None,
        }
    }
}

/// Speaks HTTP/1, and parks the connection while it is idle: hyper's buffers (16 KiB, and up to
/// the largest read after a large body) are given up, and made anew when the next request begins.
async fn http1<T>(
    mut io: Observed<T>,
    mut serve: Serve,
    judge: &mut Judge,
    activity: &Activity,
    shared: &Shared,
) -> hyper::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    loop {
        let connection = http1_builder(&shared.limits).serve_connection(TokioIo::new(io), serve);
        let driven = drive(Box::pin(connection), Protocol::Http1, judge, activity, shared).await?;
        let Some(idle) = driven else {
            return Ok(());
        };
        let parts = Pin::into_inner(idle).into_parts();
        (io, serve) = (parts.io.into_inner(), parts.service);
        // Bytes are there only if the client sent the beginning of a request with the last one.
        let begun = io.put_back(&parts.read_buf);
        // An empty slice keeps the whole buffer.
        drop(parts.read_buf);
        if begun {
            continue;
        }
        let _parked = Held::new(&shared.stats.parked);
        if first_bytes(&mut io, judge, activity, shared).await.is_none() {
            return Ok(());
        }
    }
}

async fn http2<T>(
    mut io: Observed<T>,
    serve: Serve,
    judge: &mut Judge,
    activity: &Activity,
    shared: &Shared,
) -> hyper::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    io.read_frames(READ_AHEAD);
    let builder = http2_builder(&shared.limits, shared.tasks.clone());
    let connection = Box::pin(builder.serve_connection(TokioIo::new(io), serve));
    drive(connection, Protocol::Http2, judge, activity, shared).await.map(|_ended| ())
}

fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // The judge ends slow headers; hyper's own timer costs an allocation per request and would end
    // idle connections as early as slow ones.
    builder.header_read_timeout(None);
    builder.max_buf_size(limits.read_buffer_max.as_usize().max(64 << 10));
    builder.max_header_size(limits.header_bytes_max.as_usize());
    builder.keep_alive(limits.keep_alives);
    builder
}

fn http2_builder(limits: &Limits, tasks: Tasks) -> http2::Builder<Spawner> {
    let narrow = |size: u64| u32::try_from(size).unwrap_or(u32::MAX);
    let mut builder = http2::Builder::new(Spawner(tasks));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(OWN_RESETS_MAX)
        .initial_stream_window_size(narrow(limits.stream_window.0).min(i32::MAX as u32))
        .initial_connection_window_size(narrow(limits.connection_window.0).min(i32::MAX as u32))
        .adaptive_window(false)
        .max_frame_size(narrow(limits.frame_bytes_max.0).clamp(16 << 10, (1 << 24) - 1))
        .max_header_list_size(narrow(limits.header_bytes_max.0))
        .max_send_buf_size(SEND_BUFFER_MAX)
        .keep_alive_interval(limits.keepalive.map(|span| span.0))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

/// Something beside the connection's own progress.
enum Event {
    Tick,
    Cancelled,
}

async fn event(tasks: Tasks, tick: Duration, draining: bool) -> Event {
    if draining {
        tokio::time::sleep(tick.min(GOODBYE)).await;
        return Event::Tick;
    }
    tokio::select! {
        () = tokio::time::sleep(tick) => Event::Tick,
        () = tasks.cancelled() => Event::Cancelled,
    }
}

/// Whether a client should open a new connection.
fn is_old(protocol: Protocol, opened: Instant, limits: &Limits) -> bool {
    protocol == Protocol::Http2
        && limits.connection_age_max.is_some_and(|age| opened.elapsed() >= age.0)
}

/// Whether the grace of a connection that is too old is over.
fn is_overdue(protocol: Protocol, opened: Instant, limits: &Limits) -> bool {
    let Some((age, grace)) = limits.connection_age_max.zip(limits.connection_age_grace) else {
        return false;
    };
    protocol == Protocol::Http2 && opened.elapsed() >= age.0.saturating_add(grace.0)
}

/// Polls the connection, judges it at every tick, says goodbye on cancellation. Gives it back when
/// it is idle and may be parked; else it has ended.
async fn drive<C>(
    mut connection: Pin<Box<C>>,
    protocol: Protocol,
    judge: &mut Judge,
    activity: &Activity,
    shared: &Shared,
) -> Result<Option<Pin<Box<C>>>, C::Error>
where
    C: GracefulConnection,
{
    let mut draining = false;
    let opened = Instant::now();
    // Only polled when one of its futures was woken: the cancellation token takes a lock that all
    // connections share, and must not be asked at every read.
    let mut events = FuturesUnordered::new();
    loop {
        if events.is_empty() {
            events.push(event(shared.tasks.clone(), judge.tick(), draining));
        }
        let happened = tokio::select! {
            biased;
            result = connection.as_mut() => return result.map(|()| None),
            happened = events.next() => happened,
        };
        if draining && judge.is_quiet(activity) {
            return Ok(None);
        }
        let judgement = match happened {
            Some(Event::Cancelled) => Judgement::Idle,
            Some(Event::Tick) | None => judge.judge(activity, protocol),
        };
        match judgement {
            Judgement::Fine if protocol == Protocol::Http1 && judge.may_park(activity) => {
                return Ok(Some(connection));
            }
            Judgement::Fine if is_overdue(protocol, opened, &shared.limits) => return Ok(None),
            Judgement::Idle if !draining => {
                draining = true;
                connection.as_mut().graceful_shutdown();
            }
            Judgement::Fine if !draining && is_old(protocol, opened, &shared.limits) => {
                draining = true;
                connection.as_mut().graceful_shutdown();
            }
            Judgement::Fine | Judgement::Idle => {}
            Judgement::TooSlow => {
                count(&shared.stats.timed_out);
                return Ok(None);
            }
        }
    }
}
