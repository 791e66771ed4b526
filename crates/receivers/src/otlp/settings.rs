//! Settings of `otelcol.receiver.otlp`, named as in Grafana Alloy and the Collector.

use std::time::Duration;

use bessemer_net::listen::{self, Limits};
use bessemer_net::tls::ServerTls;
use bessemer_pipeline::SettingsError;
use bessemer_pipeline::outlet::Ack;
use bessemer_runtime::{ByteSize, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The limit on one request, inflated, that the OTLP specification recommends.
const REQUEST_BYTES_MAX: ByteSize = ByteSize::mib(64);

/// Settings of `otelcol.receiver.otlp`. At least one of `grpc` and `http` must be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Listens for OTLP over gRPC.
    #[serde(default)]
    pub(crate) grpc: Option<Grpc>,
    /// Listens for OTLP over HTTP.
    #[serde(default)]
    pub(crate) http: Option<Http>,
    /// What a success answer means: `disk`, `memory` or `delivered`.
    #[serde(default)]
    pub(crate) ack: Ack,
    /// With `ack = "delivered"`, how long a client waits before it is told to come back.
    #[serde(default = "ack_timeout")]
    pub(crate) ack_timeout: Span,
}

fn ack_timeout() -> Span {
    Span(Duration::from_secs(10))
}

/// The gRPC server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Grpc {
    /// Address and port.
    pub(crate) endpoint: String,
    /// Only `tcp`.
    pub(crate) transport: Transport,
    /// Bytes of one message at most, after inflating.
    pub(crate) max_recv_msg_size: ByteSize,
    /// Calls at a time on one connection.
    pub(crate) max_concurrent_streams: u32,
    /// Bytes read at once from a connection; set for compatibility, sized by itself.
    pub(crate) read_buffer_size: Option<ByteSize>,
    /// Bytes written at once to a connection; set for compatibility, sized by itself.
    pub(crate) write_buffer_size: Option<ByteSize>,
    /// Keeps the request's metadata with the batch, except credentials.
    pub(crate) include_metadata: bool,
    /// Certificates; plain text without the block.
    pub(crate) tls: Option<ServerTls>,
    /// Limits on connections.
    pub(crate) limits: Limits,
}

impl Default for Grpc {
    fn default() -> Self {
        Self {
            endpoint: "127.0.0.1:4317".into(),
            transport: Transport::Tcp,
            max_recv_msg_size: REQUEST_BYTES_MAX,
            max_concurrent_streams: Limits::default().streams_max,
            read_buffer_size: None,
            write_buffer_size: None,
            include_metadata: false,
            tls: None,
            limits: Limits::default(),
        }
    }
}

/// How connections come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Transport {
    /// TCP.
    Tcp,
}

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Http {
    /// Address and port.
    pub(crate) endpoint: String,
    /// Bytes of one request body at most, as it travels and after inflating.
    pub(crate) max_request_body_size: ByteSize,
    /// Keeps the request's headers with the batch, except credentials.
    pub(crate) include_metadata: bool,
    /// Path for traces.
    pub(crate) traces_url_path: String,
    /// Path for metrics.
    pub(crate) metrics_url_path: String,
    /// Path for logs.
    pub(crate) logs_url_path: String,
    /// Which web pages may send from browsers; none without the block.
    pub(crate) cors: Option<Cors>,
    /// A connection without a request for this long is closed.
    pub(crate) idle_timeout: Option<Span>,
    /// Time for the headers of a request.
    pub(crate) read_header_timeout: Option<Span>,
    /// A client that takes no byte of its answer for this long is disconnected.
    pub(crate) write_timeout: Option<Span>,
    /// Certificates; plain text without the block.
    pub(crate) tls: Option<ServerTls>,
    /// Limits on connections.
    pub(crate) limits: Limits,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            endpoint: "127.0.0.1:4318".into(),
            max_request_body_size: REQUEST_BYTES_MAX,
            include_metadata: false,
            traces_url_path: "/v1/traces".into(),
            metrics_url_path: "/v1/metrics".into(),
            logs_url_path: "/v1/logs".into(),
            cors: None,
            idle_timeout: None,
            read_header_timeout: None,
            write_timeout: None,
            tls: None,
            limits: Limits::default(),
        }
    }
}

/// Cross-origin requests, as browsers ask for them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Cors {
    /// Origins that may send; one `*` stands for any text: `https://*.example.com`.
    pub(crate) allowed_origins: Vec<String>,
    /// Request headers that pages may set, beside the safe ones; `*` for any.
    pub(crate) allowed_headers: Vec<String>,
    /// Answer headers that pages may read.
    pub(crate) exposed_headers: Vec<String>,
    /// Seconds for which browsers may keep the permission.
    pub(crate) max_age: u32,
}

impl Settings {
    pub(crate) fn validate(&self) -> Result<(), SettingsError> {
        if self.grpc.is_none() && self.http.is_none() {
            let remedy = "add a grpc or an http block";
            return Err(SettingsError::new("grpc", "and http are both missing", remedy));
        }
        if self.ack_timeout.0.is_zero() {
            let remedy = "write a duration such as \"10s\"";
            return Err(SettingsError::new("ack_timeout", "is zero", remedy));
        }
        let Some(http) = &self.http else { return Ok(()) };
        let paths = [&http.logs_url_path, &http.metrics_url_path, &http.traces_url_path];
        if let Some(path) = paths.iter().find(|path| !path.starts_with('/')) {
            let problem = format!("has the path {path:?}");
            return Err(SettingsError::new("http", problem, "start it with a slash"));
        }
        let [logs, metrics, traces] = paths;
        if logs == metrics || logs == traces || metrics == traces {
            let remedy = "give each signal a path of its own";
            return Err(SettingsError::new("http", "has one path for two signals", remedy));
        }
        Ok(())
    }

    /// Endpoints that it will listen on.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        let grpc = self.grpc.iter().map(|grpc| grpc.endpoint.clone());
        grpc.chain(self.http.iter().map(|http| http.endpoint.clone())).collect()
    }
}

impl Grpc {
    pub(crate) fn listen(&self) -> listen::Settings {
        let limits = Limits { streams_max: self.max_concurrent_streams, ..self.limits.clone() };
        listen::Settings { endpoint: self.endpoint.clone(), tls: self.tls.clone(), limits }
    }
}

impl Http {
    pub(crate) fn listen(&self) -> listen::Settings {
        // Zero means "no limit" in the settings this copies; here it means the default.
        let or = |own: Option<Span>, default: Span| {
            own.filter(|span| !span.0.is_zero()).unwrap_or(default)
        };
        let limits = Limits {
            idle_timeout: or(self.idle_timeout, self.limits.idle_timeout),
            header_timeout: or(self.read_header_timeout, self.limits.header_timeout),
            write_timeout: or(self.write_timeout, self.limits.write_timeout),
            ..self.limits.clone()
        };
        listen::Settings { endpoint: self.endpoint.clone(), tls: self.tls.clone(), limits }
    }
}
