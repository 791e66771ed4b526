//! Opens connections: name, TCP, TLS, and the pause before the next try when that fails.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bessemer_runtime::{Clock, Random};
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::endpoint::Endpoint;
use super::error::{DialError, chain};
use super::proxy::Proxy;
use super::stream::Stream;
use super::tls::ClientTls;

/// The first pause after a failed connection.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause: a destination that is back is found within this time.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// Opens connections to one endpoint.
pub(super) struct Connector {
    pub(super) endpoint: Endpoint,
    pub(super) proxy: Option<Proxy>,
    pub(super) tls: Option<ClientTls>,
    pub(super) limit: Duration,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) gate: Gate,
}

/// The protocol a new connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Negotiated {
    Http1,
    Http2,
    /// Plain text, or a TLS peer that did not choose.
    Nothing,
}

/// Keeps all callers away from a destination that just refused one of them.
#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<GateState>,
}

#[derive(Debug, Default)]
struct GateState {
    failures: u32,
    opens_at: Duration,
    last: Option<DialError>,
}

impl Gate {
    /// The failures so far and the pause until the next connection may be tried.
    fn pause(&self, now: Duration) -> (u32, Duration) {
        let state = self.state.lock();
        (state.failures, state.opens_at.saturating_sub(now))
    }

    /// Failures since the last success.
    pub(super) fn failures(&self) -> u32 {
        self.state.lock().failures
    }

    /// The failure that others met since there were `known`.
    pub(super) fn failure_since(&self, known: u32) -> Option<DialError> {
        let state = self.state.lock();
        state.last.clone().filter(|_| state.failures > known)
    }

    fn succeeded(&self) {
        *self.state.lock() = GateState::default();
    }

    /// Counts a failure once, however many callers saw it: `known` is what they started from.
    fn failed(&self, known: u32, error: &DialError, now: Duration, random: &dyn Random) {
        let mut state = self.state.lock();
        state.last = Some(error.clone());
        if state.failures != known {
            return;
        }
        state.failures = known.saturating_add(1);
        let pause = PAUSE_MIN.saturating_mul(1 << known.min(10)).min(PAUSE_MAX);
        state.opens_at = now.saturating_add(random.between(pause / 2, pause));
    }
}

impl Connector {
    /// A new connection, after the pause that earlier failures imposed.
    pub(super) async fn connect(&self) -> Result<(Stream, Negotiated), DialError> {
        let (known, pause) = self.gate.pause(self.clock.monotonic());
        if !pause.is_zero() {
            // Callers that waited together do not arrive together.
            let spread = self.random.between(Duration::ZERO, pause / 4);
            self.clock.sleep(pause + spread).await;
        }
        let opened = match tokio::time::timeout(self.limit, self.open()).await {
            Ok(opened) => opened,
            Err(_) => Err(self.connect_error(io::ErrorKind::TimedOut.into())),
        };
        match &opened {
            Ok(_) => self.gate.succeeded(),
            Err(error) => self.gate.failed(known, error, self.clock.monotonic(), &*self.random),
        }
        opened
    }

    async fn open(&self) -> Result<(Stream, Negotiated), DialError> {
        let mut stream = self.tcp().await?;
        // Small heads and the last part of a body must not wait for an acknowledgement.
        stream.set_nodelay(true).map_err(|error| self.connect_error(error))?;
        let Some(tls) = &self.tls else {
            return Ok((Stream::plain(stream), Negotiated::Nothing));
        };
        if let Some(proxy) = &self.proxy {
            proxy.tunnel(&mut stream, &self.endpoint).await?;
        }
        let config = tls.current(self.clock.monotonic());
        let connected = TlsConnector::from(config).connect(tls.name(), stream).await;
        let stream = connected.map_err(|error| DialError::Tls {
            address: self.endpoint.address(),
            reason: chain(&error),
        })?;
        let negotiated = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Negotiated::Http2,
            Some(_) => Negotiated::Http1,
            None => Negotiated::Nothing,
        };
        Ok((Stream::tls(stream), negotiated))
    }

    async fn tcp(&self) -> Result<TcpStream, DialError> {
        let addresses = self.addresses().await?;
        // A silent address leaves time for the others.
        let share = u32::try_from(addresses.len()).unwrap_or(1).max(1);
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in addresses {
            match tokio::time::timeout(self.limit / share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(self.connect_error(last))
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, DialError> {
        let Endpoint { host, port, .. } = self.next();
        let found = tokio::net::lookup_host((host.as_str(), *port)).await;
        let unresolved =
            |source| DialError::Resolve { host: host.clone(), source: Arc::new(source) };
        let found: Vec<_> = found.map_err(unresolved)?.take(ADDRESSES_MAX).collect();
        if found.is_empty() {
            return Err(unresolved(io::ErrorKind::NotFound.into()));
        }
        Ok(found)
    }

    fn connect_error(&self, source: io::Error) -> DialError {
        DialError::Connect { address: self.next().address(), source: Arc::new(source) }
    }

    /// Where TCP goes: to the proxy if there is one.
    fn next(&self) -> &Endpoint {
        self.proxy.as_ref().map_or(&self.endpoint, |proxy| &proxy.endpoint)
    }

    /// The proxy that must read every request, since it opens no tunnel for plain text.
    pub(super) fn reading_proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|_| self.tls.is_none())
    }
}

#[cfg(test)]
mod tests {
    use bessemer_runtime::SystemRandom;

    use super::*;

    #[test]
    fn pauses_grow_to_the_maximum_and_end_with_a_success() {
        let (gate, random) = (Gate::default(), SystemRandom::seeded(3));
        let now = Duration::from_secs(100);
        assert_eq!(gate.pause(now), (0, Duration::ZERO));
        let mut longest = Duration::ZERO;
        for known in 0..100 {
            gate.failed(known, &DialError::Cancelled, now, &random);
            let (failures, pause) = gate.pause(now);
            assert_eq!(failures, known + 1);
            assert!(pause >= PAUSE_MIN / 2 && pause <= PAUSE_MAX);
            longest = longest.max(pause);
        }
        assert!(longest > PAUSE_MAX / 2);
        gate.succeeded();
        assert_eq!(gate.pause(now), (0, Duration::ZERO));
    }

    #[test]
    fn many_callers_that_see_one_failure_count_it_once() {
        let (gate, random) = (Gate::default(), SystemRandom::seeded(3));
        for _ in 0..50 {
            gate.failed(0, &DialError::Cancelled, Duration::ZERO, &random);
        }
        assert_eq!(gate.failures(), 1);
        assert!(gate.failure_since(0).is_some() && gate.failure_since(1).is_none());
    }
}
