//! The connections of one client: which to use, when to open one, when to let one go.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bessemer_runtime::{Clock, Random, Tasks};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, Method, Uri, Version};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::auth::Credentials;
use super::connect::{Connector, Negotiated};
use super::error::DialError;
use super::http1::Http1;
use super::http2::{Http2, Pings, Watch};
use super::message::{Body, Payload};
use super::reply::{Limits, Reply, Unanswered, Witness};

/// Connections a request is moved to when its peers say they did not look at it.
const MOVES_MAX: u32 = 3;

/// Which protocol versions a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speak {
    Http1,
    /// What TLS negotiates; HTTP/1.1 when it negotiates nothing.
    Either,
    /// From the first byte, TLS or not.
    Http2,
}

/// The bounds of a channel.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    pub(super) speak: Speak,
    /// For one try, the search for a connection included.
    pub(super) timeout: Duration,
    pub(super) body_bytes_max: usize,
    pub(super) idle_max: usize,
    pub(super) idle_timeout: Duration,
    /// HTTP/1.1 connections in use at the same time.
    pub(super) connections_max: usize,
    /// HTTP/2 connections.
    pub(super) shared_max: usize,
    pub(super) pings: Pings,
    /// Bytes gathered before a write on an HTTP/2 connection.
    pub(super) write_buffer_bytes: usize,
    /// A refused connection is tried again until the timeout.
    pub(super) wait_for_ready: bool,
}

/// All connections to one endpoint.
pub(super) struct Channel {
    pub(super) connector: Connector,
    pub(super) bounds: Bounds,
    address: String,
    idle: Mutex<Vec<Idle>>,
    shared: Mutex<Vec<Http2>>,
    /// Held while a connection that others could share is opened.
    opening: tokio::sync::Mutex<()>,
    /// One for each HTTP/1.1 connection in use.
    slots: Semaphore,
    /// Whether TLS negotiated HTTP/1.1, so that connections cannot be shared.
    alone: AtomicBool,
    reaping: AtomicBool,
    tasks: Tasks,
}

struct Idle {
    connection: Http1,
    since: Duration,
}

/// One try of a request.
pub(super) struct Outbound<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a PathAndQuery,
    /// Without `host`, which depends on the protocol version.
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a Body,
    pub(super) witness: Option<&'a dyn Witness>,
}

/// A connection for one request.
enum Lease<'a> {
    Alone(Http1, SemaphorePermit<'a>),
    Shared(Http2),
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

impl Channel {
    pub(super) fn new(connector: Connector, bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            address: connector.endpoint.address(),
            connector,
            slots: Semaphore::new(bounds.connections_max.min(Semaphore::MAX_PERMITS)),
            bounds,
            idle: Mutex::default(),
            shared: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            alone: AtomicBool::new(false),
            reaping: AtomicBool::new(false),
            tasks: Tasks::new(),
        })
    }

    /// Whoever is on the way reads what travels in plain text.
    pub(super) fn warn_if_shown(&self, credentials: Option<&Credentials>) {
        let endpoint = &self.connector.endpoint;
        if credentials.is_some() && !endpoint.secure && !endpoint.is_loopback() {
            let address = &self.address;
            tracing::warn!(%address, "credentials are sent in plain text: use https or tls");
        }
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.connector.clock
    }

    pub(super) fn random(&self) -> &dyn Random {
        &*self.connector.random
    }

    /// Ends the tasks, and with them all shared connections; new requests are refused.
    pub(super) fn close(&self) {
        self.tasks.cancel();
        self.idle.lock().clear();
        self.shared.lock().clear();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.tasks.is_cancelled()
    }

    /// Completes when the channel is closed.
    pub(super) async fn closed(&self) {
        self.tasks.cancelled().await;
    }

    /// One try: finds a connection, sends, reads the whole answer, all within the timeout.
    pub(super) async fn exchange(
        self: &Arc<Self>,
        outbound: &Outbound<'_>,
    ) -> Result<Reply, DialError> {
        if self.is_closed() {
            return Err(DialError::Cancelled);
        }
        let limit = self.bounds.timeout;
        match tokio::time::timeout(limit, self.exchange_untimed(outbound)).await {
            Ok(exchanged) => exchanged,
            Err(_) => Err(DialError::Timeout { limit }),
        }
    }

    async fn exchange_untimed(
        self: &Arc<Self>,
        outbound: &Outbound<'_>,
    ) -> Result<Reply, DialError> {
        let mut moves = 0;
        loop {
            let tried = match self.lease().await? {
                Lease::Alone(connection, _slot) => self.alone(connection, outbound).await,
                Lease::Shared(connection) => self.shared(&connection, outbound).await,
            };
            match tried {
                Ok(reply) => return Ok(reply),
                Err(Unanswered::Unsent(_)) if moves < MOVES_MAX => moves += 1,
                Err(Unanswered::Unsent(error) | Unanswered::Failed(error)) => return Err(error),
            }
        }
    }

    fn limits(&self) -> Limits<'_> {
        Limits { address: &self.address, witness: None, body: self.bounds.body_bytes_max }
    }

    async fn alone(
        self: &Arc<Self>,
        mut connection: Http1,
        outbound: &Outbound<'_>,
    ) -> Result<Reply, Unanswered> {
        let mut request = http::Request::new(Payload::new(outbound.body.clone()));
        *request.method_mut() = outbound.method.clone();
        *request.uri_mut() = Uri::from(outbound.path.clone());
        *request.headers_mut() = outbound.headers.clone();
        if let Some(proxy) = self.connector.reading_proxy() {
            *request.uri_mut() = self.absolute(outbound.path);
            proxy.write_to(request.headers_mut());
        }
        let limits = Limits { witness: outbound.witness, ..self.limits() };
        let reply = connection.exchange(request, limits).await?;
        self.keep(connection);
        Ok(reply)
    }

    async fn shared(
        &self,
        connection: &Http2,
        outbound: &Outbound<'_>,
    ) -> Result<Reply, Unanswered> {
        let began = self.clock().monotonic();
        let mut request = http::Request::new(());
        *request.version_mut() = Version::HTTP_2;
        *request.method_mut() = outbound.method.clone();
        *request.uri_mut() = self.absolute(outbound.path);
        *request.headers_mut() = outbound.headers.clone();
        request.headers_mut().remove(http::header::HOST);
        let guard = RetireSilent { channel: self, watch: Some(connection.watch()), began };
        let limits = Limits { witness: outbound.witness, ..self.limits() };
        let replied = connection.exchange(request, outbound.body.clone(), limits).await;
        guard.finished();
        connection.used_at(self.clock().monotonic());
        replied
    }

    /// HTTP/2 sends scheme and authority with every request.
    fn absolute(&self, path: &PathAndQuery) -> Uri {
        let endpoint = &self.connector.endpoint;
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(if endpoint.secure { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = Some(endpoint.authority.clone());
        parts.path_and_query = Some(path.clone());
        // All three parts are there and valid on their own, so they are valid together.
        Uri::from_parts(parts).unwrap_or_default()
    }

    async fn lease(self: &Arc<Self>) -> Result<Lease<'_>, DialError> {
        let speak = self.bounds.speak;
        if speak == Speak::Http1 || (speak == Speak::Either && self.alone.load(Ordering::Relaxed)) {
            return self.lease_alone().await;
        }
        if let Some(connection) = self.find_shared() {
            return Ok(Lease::Shared(connection));
        }
        let known = self.connector.gate.failures();
        let _opening = self.opening.lock().await;
        // Another request may have opened one while this one waited, or met the same failure.
        if let Some(connection) = self.find_shared() {
            return Ok(Lease::Shared(connection));
        }
        if let Some(error) = self.connector.gate.failure_since(known)
            && !self.bounds.wait_for_ready
        {
            return Err(error);
        }
        if self.alone.load(Ordering::Relaxed) {
            return self.lease_alone().await;
        }
        self.open().await
    }

    async fn lease_alone(self: &Arc<Self>) -> Result<Lease<'_>, DialError> {
        let Ok(slot) = self.slots.acquire().await else { return Err(DialError::Cancelled) };
        if let Some(connection) = self.take_idle() {
            return Ok(Lease::Alone(connection, slot));
        }
        match self.connect().await? {
            Opened::Alone(connection) => Ok(Lease::Alone(connection, slot)),
            // The destination speaks HTTP/2 since its last restart.
            Opened::Shared(connection) => Ok(Lease::Shared(self.share(connection))),
        }
    }

    async fn open(self: &Arc<Self>) -> Result<Lease<'_>, DialError> {
        match self.connect().await? {
            Opened::Shared(connection) => Ok(Lease::Shared(self.share(connection))),
            Opened::Alone(connection) => {
                let Ok(slot) = self.slots.acquire().await else {
                    return Err(DialError::Cancelled);
                };
                Ok(Lease::Alone(connection, slot))
            }
        }
    }

    /// The least busy connection that takes requests, unless a further one should be opened.
    fn find_shared(&self) -> Option<Http2> {
        let mut shared = self.shared.lock();
        shared.retain(Http2::is_usable);
        let least = shared.iter().min_by_key(|connection| connection.active())?;
        let is_full = !least.has_room() && shared.len() < self.bounds.shared_max;
        (!is_full).then(|| least.clone())
    }

    fn share(&self, connection: Http2) -> Http2 {
        self.alone.store(false, Ordering::Relaxed);
        let mut shared = self.shared.lock();
        if shared.len() < self.bounds.shared_max {
            shared.push(connection.clone());
        }
        connection
    }

    async fn connect(self: &Arc<Self>) -> Result<Opened, DialError> {
        loop {
            match self.connect_once().await {
                Err(DialError::Resolve { .. } | DialError::Connect { .. })
                    if self.bounds.wait_for_ready => {}
                opened => return opened,
            }
        }
    }

    async fn connect_once(self: &Arc<Self>) -> Result<Opened, DialError> {
        let (stream, negotiated) = self.connector.connect().await?;
        let is_shared = match self.bounds.speak {
            Speak::Http1 => false,
            Speak::Http2 => true,
            Speak::Either => negotiated == Negotiated::Http2,
        };
        if !is_shared {
            self.alone.store(true, Ordering::Relaxed);
            return Ok(Opened::Alone(Http1::open(stream).await?));
        }
        let meter = stream.meter();
        let Bounds { pings, write_buffer_bytes, .. } = self.bounds;
        let opened = Http2::open(stream, pings, write_buffer_bytes, &self.tasks).await;
        self.reap();
        opened.map(Opened::Shared).map_err(|error| self.limits().connection_error(&meter, &error))
    }

    /// The idle connection used last: the others can then grow old and go.
    fn take_idle(&self) -> Option<Http1> {
        let now = self.clock().monotonic();
        loop {
            let mut idle = self.idle.lock().pop()?;
            let is_young = now.saturating_sub(idle.since) < self.bounds.idle_timeout;
            if is_young && idle.connection.is_idle() {
                return Some(idle.connection);
            }
        }
    }

    fn keep(self: &Arc<Self>, mut connection: Http1) {
        if self.is_closed() || !connection.is_idle() {
            return;
        }
        let since = self.clock().monotonic();
        let mut idle = self.idle.lock();
        if idle.len() < self.bounds.idle_max {
            idle.push(Idle { connection, since });
            drop(idle);
            self.reap();
        }
    }

    /// Starts the task that closes unused connections, once.
    fn reap(self: &Arc<Self>) {
        if self.reaping.swap(true, Ordering::Relaxed) {
            return;
        }
        let tasks = self.tasks.clone();
        let period = (self.bounds.idle_timeout / 2).max(Duration::from_millis(100));
        let channel = Arc::downgrade(self);
        self.tasks.spawn(async move {
            tokio::select! {
                () = tasks.cancelled() => {}
                () = reap(channel, period) => {}
            }
        });
    }
}

/// What [`Channel::connect`] opened.
enum Opened {
    Alone(Http1),
    Shared(Http2),
}

/// Retires a connection that stayed silent until its request was given up: dropped before
/// [`RetireSilent::finished`] once most of the timeout is over.
struct RetireSilent<'a> {
    channel: &'a Channel,
    watch: Option<Watch>,
    began: Duration,
}

impl RetireSilent<'_> {
    fn finished(mut self) {
        self.watch = None;
    }
}

impl Drop for RetireSilent<'_> {
    fn drop(&mut self) {
        let waited = self.channel.clock().monotonic().saturating_sub(self.began);
        if let Some(watch) = &self.watch
            && waited >= self.channel.bounds.timeout / 2
        {
            watch.retire_if_silent();
        }
    }
}

/// Closes what was unused too long, and what the peer closed, as long as the channel lives.
async fn reap(channel: Weak<Channel>, period: Duration) {
    loop {
        tokio::time::sleep(period).await;
        let Some(channel) = channel.upgrade() else { return };
        let now = channel.clock().monotonic();
        let timeout = channel.bounds.idle_timeout;
        let is_kept =
            |idle: &mut Idle| now.saturating_sub(idle.since) < timeout && idle.connection.is_idle();
        channel.idle.lock().retain_mut(is_kept);
        let is_kept = |shared: &Http2| shared.is_usable() && !shared.is_unused(now, timeout);
        channel.shared.lock().retain(is_kept);
    }
}
