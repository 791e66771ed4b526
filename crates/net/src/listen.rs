//! The listening half: one port that speaks HTTP/1.1, HTTP/2 and TLS, and survives hostile clients.
//!
//! Accept (bounded number of connections) -> TLS handshake (bounded time) -> protocol by ALPN or by
//! the first bytes -> hyper, which calls the [`Handler`] once per request. A connection is watched
//! by counters and a tick instead of a timer per request: headers that do not end, answers that are
//! not taken, idle connections. On cancellation the port closes, connections finish what they have
//! begun (GOAWAY, `connection: close`) and the caller's grace bounds the rest.

mod accept;
mod activity;
mod connection;
mod endpoint;
mod handler;
mod head_guard;
mod io;
mod meter;
mod refuse;
mod reply;
mod serve;
mod settings;
mod stats;

use std::net::SocketAddr;
use std::sync::Arc;

use bessemer_runtime::{SystemClock, Tasks};
use tokio::net::TcpListener;

use crate::tls::{self, TlsError};

pub use handler::{Handler, Peer, Service};
pub use reply::Reply;
pub use settings::{Limits, Settings};
pub use stats::ListenerStats;

/// Why an endpoint cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The endpoint is not `host:port`.
    #[error("endpoint {endpoint:?} {problem}; write host:port, for example 127.0.0.1:4318")]
    Endpoint {
        /// As the settings say it.
        endpoint: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Another socket has the port.
    #[error("{endpoint} is already in use; stop the process that listens there or change endpoint")]
    InUse {
        /// As the settings say it.
        endpoint: String,
    },
    /// The system does not allow the port.
    #[error("{endpoint} is not allowed; ports below 1024 need CAP_NET_BIND_SERVICE")]
    Denied {
        /// As the settings say it.
        endpoint: String,
    },
    /// The address belongs to another machine.
    #[error("{endpoint} is no address of this machine; use one of its own, or 0.0.0.0 for all")]
    NotOurs {
        /// As the settings say it.
        endpoint: String,
    },
    /// The system refuses for another reason.
    #[error("{endpoint} cannot be listened on: {source}")]
    System {
        /// As the settings say it.
        endpoint: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The certificates cannot be used.
    #[error("tls of {endpoint}: {source}")]
    Tls {
        /// As the settings say it.
        endpoint: String,
        /// What is wrong with them.
        source: TlsError,
    },
}

/// An open port that accepts nobody yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    name: Arc<str>,
    tls: Option<Arc<tls::Server>>,
    settings: Settings,
    stats: Arc<ListenerStats>,
}

/// Opens the port and loads the certificates. `name` is what [`Peer::listener`] says, usually the
/// component's id. Must be called inside a tokio runtime.
pub fn bind(name: &str, settings: &Settings) -> Result<Bound, BindError> {
    let tls = settings.tls.as_ref().map(|settings| {
        tls::Server::from_settings(settings, Arc::new(SystemClock::default())).map(Arc::new)
    });
    let tls = tls
        .transpose()
        .map_err(|source| BindError::Tls { endpoint: settings.endpoint.clone(), source })?;
    let (listener, address) = endpoint::open(&settings.endpoint)?;
    let stats = Arc::new(ListenerStats::default());
    Ok(Bound { listener, address, name: name.into(), tls, settings: settings.clone(), stats })
}

impl Bound {
    /// The address with the port that the system chose if the endpoint said 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The counters of this port; they outlive it.
    pub fn stats(&self) -> Arc<ListenerStats> {
        Arc::clone(&self.stats)
    }

    /// The certificates, for a reload on request.
    pub fn tls(&self) -> Option<Arc<tls::Server>> {
        self.tls.clone()
    }

    /// Accepts and serves until `tasks` are cancelled; then the port closes at once and connections
    /// drain. [`Tasks::finished_within`] waits for them and bounds the wait.
    pub fn serve(self, handler: Arc<dyn Handler>, tasks: &Tasks) {
        if let (Some(tls), Some(settings)) = (&self.tls, &self.settings.tls) {
            tls.watch(settings.reload_interval.map(|span| span.0), tasks);
        }
        let shared = connection::Shared {
            handler,
            tasks: tasks.clone(),
            name: self.name,
            tls: self.tls,
            limits: self.settings.limits,
            stats: self.stats,
        };
        tasks.spawn(accept::run(self.listener, Arc::new(shared)));
    }
}
