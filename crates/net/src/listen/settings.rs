//! What a listener is told: where, with which certificates, within which limits.

use std::net::SocketAddr;
use std::time::Duration;

use bessemer_runtime::{ByteSize, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BindError, endpoint};
use crate::body::BodyLimits;
use crate::tls::ServerTls;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Address and port, `127.0.0.1:4318`; `:4318` is every address, port 0 a free one.
    pub endpoint: String,
    /// Certificate and whom to let in; plain text without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ServerTls>,
    /// What a client may cost.
    #[serde(default)]
    pub limits: Limits,
}

/// What connections and requests of one listener may cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Open connections; further ones are answered with 503 and closed.
    pub connections_max: u32,
    /// Bytes of the headers of one request, request line included; more is answered with 431.
    pub header_bytes_max: ByteSize,
    /// Time from the first byte of a request to the end of its headers.
    pub header_timeout: Span,
    /// Time for a TLS handshake.
    pub handshake_timeout: Span,
    /// A request body of which no byte arrives for this long is ended.
    pub body_timeout: Span,
    /// Bytes per second that a request body must reach on average once it took `body_timeout`.
    pub body_rate_min: ByteSize,
    /// A client that takes no byte of its answer for this long is disconnected.
    pub write_timeout: Span,
    /// A connection without a request for this long is closed.
    pub idle_timeout: Span,
    /// Requests at a time on one HTTP/2 connection.
    pub streams_max: u32,
    /// Bytes of one HTTP/2 request that may be on their way unread.
    pub stream_window: ByteSize,
    /// Bytes of one HTTP/2 connection that may be on their way unread.
    pub connection_window: ByteSize,
    /// The largest HTTP/2 frame a client may send.
    pub frame_bytes_max: ByteSize,
    /// The largest read from one HTTP/1.1 connection.
    pub read_buffer_max: ByteSize,
    /// HTTP/2 pings a client this often and closes when it does not answer; not set, only the other
    /// limits end a dead connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keepalive: Option<Span>,
    /// An HTTP/2 client is told to open a new connection after this long; not set, never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_age_max: Option<Span>,
    /// How long the requests of a connection that is too old may still take; not set, as long as
    /// they need.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_age_grace: Option<Span>,
    /// Takes more than one request from an HTTP/1.1 connection.
    pub keep_alives: bool,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = |count| Span(Duration::from_secs(count));
        Self {
            connections_max: 10_000,
            header_bytes_max: ByteSize(64 << 10),
            header_timeout: seconds(10),
            handshake_timeout: seconds(10),
            body_timeout: seconds(20),
            body_rate_min: ByteSize(1024),
            write_timeout: seconds(20),
            idle_timeout: seconds(120),
            streams_max: 256,
            stream_window: ByteSize::mib(1),
            connection_window: ByteSize::mib(8),
            frame_bytes_max: ByteSize(16 << 10),
            read_buffer_max: ByteSize(512 << 10),
            keepalive: None,
            connection_age_max: None,
            connection_age_grace: None,
            keep_alives: true,
        }
    }
}

impl Settings {
    /// Plain text at `endpoint`, with the default limits.
    pub fn at(endpoint: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), tls: None, limits: Limits::default() }
    }

    /// The address that will be bound, names resolved; IPv4 before IPv6.
    pub fn address(&self) -> Result<SocketAddr, BindError> {
        endpoint::resolve(&self.endpoint)
    }
}

impl Limits {
    /// The limits of one request body that may have `bytes_max`, as it travels and inflated.
    pub fn body(&self, bytes_max: usize) -> BodyLimits {
        BodyLimits {
            inflated_bytes_max: bytes_max,
            wire_bytes_max: bytes_max,
            idle: self.body_timeout.0,
            rate_min: self.body_rate_min.0,
        }
    }
}
