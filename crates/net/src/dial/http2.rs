//! One HTTP/2 connection, shared by many requests and driven by a task of its own.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bessemer_runtime::Tasks;
use h2::client::{Connection, SendRequest};
use h2::{Ping, PingPong, Reason, RecvStream};
use http::HeaderMap;

use super::error::DialError;
use super::gather::{Gather, Sources};
use super::message::Body;
use super::reply::{Collected, HEAD_MAX, Limits, Reply, Unanswered, head_too_large};
use super::stream::{Meter, Stream};

/// Answers are small: one window holds any that is allowed.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;
/// Above this h2 calls a head malformed; up to here it is ours to say that it is too large.
const HEADER_LIST_MAX: u32 = 256 << 10;

/// When and how a silent connection is tested.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pings {
    /// Zero sends none.
    pub(super) after: Duration,
    pub(super) timeout: Duration,
    pub(super) while_idle: bool,
}

/// A handle of a connection; clones share it.
#[derive(Clone)]
pub(super) struct Http2 {
    sender: SendRequest<Body>,
    state: Arc<State>,
}

struct State {
    /// No request may begin here: closed, told to go away, or silent while a request timed out.
    retired: AtomicBool,
    active: AtomicUsize,
    /// When the last request ended, in milliseconds of the clock.
    used: AtomicU64,
    meter: Meter,
    sources: Sources,
}

impl Http2 {
    pub(super) async fn open(
        stream: Stream,
        pings: Pings,
        write_buffer_bytes: usize,
        tasks: &Tasks,
    ) -> Result<Self, h2::Error> {
        let meter = stream.meter();
        let sources = Sources::default();
        let stream = Gather::new(stream, write_buffer_bytes, sources.clone());
        let writer = stream.clone();
        let (sender, connection) = h2::client::Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEADER_LIST_MAX)
            .handshake(stream)
            .await?;
        let state = Arc::new(State {
            retired: AtomicBool::new(false),
            active: AtomicUsize::new(0),
            used: AtomicU64::new(u64::MAX),
            meter,
            sources,
        });
        tasks.spawn(drive(connection, writer, Arc::clone(&state), pings, tasks.clone()));
        Ok(Self { sender, state })
    }

    /// Whether a request may begin here.
    pub(super) fn is_usable(&self) -> bool {
        if self.state.retired.load(Ordering::Relaxed) {
            return false;
        }
        let mut context = Context::from_waker(Waker::noop());
        let refused = matches!(self.sender.clone().poll_ready(&mut context), Poll::Ready(Err(_)));
        !refused
    }

    /// Whether the peer allows one more request now.
    pub(super) fn has_room(&self) -> bool {
        self.active() < self.sender.current_max_send_streams()
    }

    /// Requests open now.
    pub(super) fn active(&self) -> usize {
        self.state.active.load(Ordering::Relaxed)
    }

    /// Sends one request and reads its answer; dropping the future resets the stream.
    pub(super) async fn exchange(
        &self,
        head: http::Request<()>,
        body: Body,
        limits: Limits<'_>,
    ) -> Result<Reply, Unanswered> {
        let _active = Active::enter(&self.state);
        let _announced = self.state.sources.announce(body.pieces());
        let unsent = |error: h2::Error| Unanswered::Unsent(self.failed(&error, limits));
        let mut sender = self.sender.clone().ready().await.map_err(unsent)?;
        let (response, mut stream) = sender.send_request(head, body.is_empty()).map_err(unsent)?;
        drop(sender);
        if !body.is_empty() {
            // The body stays where it is; h2 takes frames from it as the peer's windows allow.
            stream.send_data(body, true).map_err(|error| self.unanswered(&error, limits))?;
        }
        let response = response.await.map_err(|error| self.unanswered(&error, limits))?;
        let (head, mut stream) = response.into_parts();
        if list_size(&head.headers) > HEAD_MAX {
            return Err(head_too_large().into());
        }
        limits.saw_head(head.status, &head.headers);
        let announced = announced(&head.headers);
        let mut collected = Collected::new(announced, limits)?;
        while let Some(data) = stream.data().await {
            let data = data.map_err(|error| self.unanswered(&error, limits))?;
            release(&mut stream, data.len());
            collected.push(data)?;
        }
        let trailers = stream.trailers().await.map_err(|error| self.unanswered(&error, limits))?;
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            body: collected.finish(),
            trailers: trailers.unwrap_or_default(),
        })
    }

    /// Notes that a request ended.
    pub(super) fn used_at(&self, now: Duration) {
        self.state.used.store(millis(now), Ordering::Relaxed);
    }

    /// Whether no request was open for `timeout`.
    pub(super) fn is_unused(&self, now: Duration, timeout: Duration) -> bool {
        let unused = millis(now).saturating_sub(self.state.used.load(Ordering::Relaxed));
        self.active() == 0 && unused >= millis(timeout)
    }

    /// Tells a request the peer has not looked at from one that it may have processed.
    fn unanswered(&self, error: &h2::Error, limits: Limits<'_>) -> Unanswered {
        // A stream sees the peer's GOAWAY as its error only when it is above the last processed.
        let gone = error.is_go_away() && error.is_remote();
        let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
        let refused = refused && error.is_remote();
        let failure = self.failed(error, limits);
        if gone || refused { Unanswered::Unsent(failure) } else { Unanswered::Failed(failure) }
    }

    fn failed(&self, error: &h2::Error, limits: Limits<'_>) -> DialError {
        match error.reason() {
            Some(reason) if error.is_reset() && error.is_remote() => DialError::Reset { reason },
            Some(reason) if error.is_library() => {
                DialError::Malformed { reason: format!("HTTP/2: {reason}") }
            }
            _ => limits.connection_error(&self.state.meter, error),
        }
    }

    /// Counts bytes from now on, to tell afterwards whether the peer was silent.
    pub(super) fn watch(&self) -> Watch {
        Watch { state: Arc::clone(&self.state), before: self.state.meter.read() }
    }
}

/// What a connection had read when a request began.
pub(super) struct Watch {
    state: Arc<State>,
    before: u64,
}

impl Watch {
    /// Retires a connection on which nothing arrived since: its peer may be gone without a word.
    pub(super) fn retire_if_silent(&self) {
        if self.state.meter.read() == self.before {
            self.state.retired.store(true, Ordering::Relaxed);
        }
    }
}

/// Counts a request while it is open.
struct Active<'a>(&'a AtomicUsize);

impl<'a> Active<'a> {
    fn enter(state: &'a State) -> Self {
        state.active.fetch_add(1, Ordering::Relaxed);
        Self(&state.active)
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Bytes of a header list as HTTP/2 counts them, with 32 for each field.
fn list_size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
}

fn announced(headers: &HeaderMap) -> u64 {
    let length = headers.get(http::header::CONTENT_LENGTH);
    length.and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0)
}

fn release(stream: &mut RecvStream, bytes: usize) {
    // An error says that the stream is closed, which the next read reports.
    drop(stream.flow_control().release_capacity(bytes));
}

/// Moves the connection's bytes until it ends, is silent too long, or the client is dropped.
async fn drive(
    mut connection: Connection<Gather, Body>,
    writer: Gather,
    state: Arc<State>,
    pings: Pings,
    tasks: Tasks,
) {
    let ping = connection.ping_pong();
    let mut silent = pin!(silence(ping, &state, pings));
    let mut cancelled = pin!(tasks.cancelled());
    let mut connection = pin!(connection);
    poll_fn(|context| {
        let ended = connection.as_mut().poll(context).map(drop);
        // A failed write is also a failed read, which ends the connection with its reason.
        drop(writer.poll_write_out(context));
        if ended.is_ready() || silent.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        cancelled.as_mut().poll(context)
    })
    .await;
    state.retired.store(true, Ordering::Relaxed);
}

/// Completes when the peer does not answer a ping.
async fn silence(ping: Option<PingPong>, state: &State, pings: Pings) {
    let Some(mut ping) = ping.filter(|_| !pings.after.is_zero()) else {
        return std::future::pending().await;
    };
    loop {
        let before = state.meter.read();
        tokio::time::sleep(pings.after).await;
        let asked = pings.while_idle || state.active.load(Ordering::Relaxed) > 0;
        if !asked || state.meter.read() != before {
            continue;
        }
        let answered = tokio::time::timeout(pings.timeout, ping.ping(Ping::opaque())).await;
        if !matches!(answered, Ok(Ok(_))) {
            return;
        }
    }
}
