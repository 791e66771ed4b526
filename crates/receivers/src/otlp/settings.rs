//! Settings of `otelcol.receiver.otlp`, named as in Grafana Alloy and the Collector.

use std::collections::BTreeMap;
use std::time::Duration;

use bessemer_net::listen::{self, Limits};
use bessemer_net::tls::ServerTls;
use bessemer_pipeline::SettingsError;
use bessemer_pipeline::outlet::Ack;
use bessemer_runtime::{ByteSize, Ignored, Reference, Secret, Span};
use http::{HeaderMap, HeaderName, HeaderValue};
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
    /// The same in MiB, as Collector files have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_recv_msg_size_mib: Option<u32>,
    /// Calls at a time on one connection.
    pub(crate) max_concurrent_streams: u32,
    /// Bytes read at once from a connection; set for compatibility, sized by itself.
    pub(crate) read_buffer_size: Option<ByteSize>,
    /// Bytes written at once to a connection; set for compatibility, sized by itself.
    pub(crate) write_buffer_size: Option<ByteSize>,
    /// Keeps the request's metadata with the batch, except credentials.
    pub(crate) include_metadata: bool,
    /// The component that callers must satisfy: `otelcol.auth.basic.LABEL.handler` or
    /// `otelcol.auth.bearer.LABEL.handler`. Others get `UNAUTHENTICATED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) auth: Option<Reference>,
    /// How connections are tested and ended.
    pub(crate) keepalive: Option<Keepalive>,
    /// Certificates; plain text without the block.
    pub(crate) tls: Option<ServerTls>,
    /// Limits on connections.
    pub(crate) limits: Limits,
}

/// How connections are tested and ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Keepalive {
    /// What this side does.
    pub(crate) server_parameters: Option<ServerParameters>,
    /// Pings of clients are bounded by what they cost, not by how often they come.
    #[serde(skip_serializing)]
    pub(crate) enforcement_policy: Ignored,
}

/// What this side does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServerParameters {
    /// A connection without a call for this long is closed.
    pub(crate) max_connection_idle: Option<Span>,
    /// A client is told to open a new connection after this long.
    pub(crate) max_connection_age: Option<Span>,
    /// How long the calls of such a connection may still take.
    pub(crate) max_connection_age_grace: Option<Span>,
    /// A client is pinged this often.
    pub(crate) time: Option<Span>,
    /// A ping that is not answered for 20 s ends the connection.
    #[serde(skip_serializing)]
    pub(crate) timeout: Ignored,
}

impl Default for Grpc {
    fn default() -> Self {
        Self {
            endpoint: "127.0.0.1:4317".into(),
            transport: Transport::Tcp,
            max_recv_msg_size: REQUEST_BYTES_MAX,
            max_recv_msg_size_mib: None,
            max_concurrent_streams: Limits::default().streams_max,
            read_buffer_size: None,
            write_buffer_size: None,
            include_metadata: false,
            auth: None,
            keepalive: None,
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
    /// The component that callers must satisfy: `otelcol.auth.basic.LABEL.handler` or
    /// `otelcol.auth.bearer.LABEL.handler`. Others get 401 before their body is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) auth: Option<Reference>,
    /// Path for traces.
    pub(crate) traces_url_path: String,
    /// Path for metrics.
    pub(crate) metrics_url_path: String,
    /// Path for logs.
    pub(crate) logs_url_path: String,
    /// Which web pages may send from browsers; none without the block.
    pub(crate) cors: Option<Cors>,
    /// Headers of every answer; their values may be secrets.
    pub(crate) response_headers: BTreeMap<String, Secret>,
    /// gzip, zstd, deflate and plain bodies are taken.
    #[serde(skip_serializing)]
    pub(crate) compression_algorithms: Ignored,
    /// Takes more than one request from a connection.
    pub(crate) keep_alives_enabled: bool,
    /// A request body of which no byte arrives for this long is ended.
    pub(crate) read_timeout: Option<Span>,
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
            auth: None,
            traces_url_path: "/v1/traces".into(),
            metrics_url_path: "/v1/metrics".into(),
            logs_url_path: "/v1/logs".into(),
            cors: None,
            response_headers: BTreeMap::new(),
            compression_algorithms: Ignored,
            keep_alives_enabled: true,
            read_timeout: None,
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
        let wrong =
            http.response_headers.iter().find(|(name, value)| header(name, value).is_none());
        if let Some((name, _)) = wrong {
            let problem = format!("{name:?} is no header, or its value cannot be sent");
            let remedy = "use letters, digits and hyphens in names, and one line of text as value";
            return Err(SettingsError::new("response_headers", problem, remedy));
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

fn header(name: &str, value: &Secret) -> Option<(HeaderName, HeaderValue)> {
    Some((name.parse().ok()?, value.expose().parse().ok()?))
}

/// A time that is set. Zero means "no limit" in the settings these copy; here it means the default.
fn given(span: Option<Span>) -> Option<Span> {
    span.filter(|span| !span.0.is_zero())
}

impl Grpc {
    /// Bytes of one message at most.
    pub(crate) fn message_bytes_max(&self) -> usize {
        let mib = self.max_recv_msg_size_mib.filter(|mib| *mib > 0);
        mib.map_or(self.max_recv_msg_size, |mib| ByteSize::mib(u64::from(mib))).as_usize()
    }

    pub(crate) fn listen(&self) -> listen::Settings {
        let parameters = self.keepalive.as_ref().and_then(|it| it.server_parameters.as_ref());
        let parameters = parameters.cloned().unwrap_or_default();
        let limits = Limits {
            streams_max: self.max_concurrent_streams,
            idle_timeout: given(parameters.max_connection_idle).unwrap_or(self.limits.idle_timeout),
            keepalive: given(parameters.time).or(self.limits.keepalive),
            connection_age_max: given(parameters.max_connection_age)
                .or(self.limits.connection_age_max),
            connection_age_grace: given(parameters.max_connection_age_grace)
                .or(self.limits.connection_age_grace),
            ..self.limits.clone()
        };
        listen::Settings { endpoint: self.endpoint.clone(), tls: self.tls.clone(), limits }
    }
}

impl Http {
    /// Headers of every answer; they were checked with the settings.
    pub(crate) fn response_headers(&self) -> HeaderMap {
        self.response_headers.iter().filter_map(|(name, value)| header(name, value)).collect()
    }

    pub(crate) fn listen(&self) -> listen::Settings {
        let limits = Limits {
            idle_timeout: given(self.idle_timeout).unwrap_or(self.limits.idle_timeout),
            header_timeout: given(self.read_header_timeout).unwrap_or(self.limits.header_timeout),
            body_timeout: given(self.read_timeout).unwrap_or(self.limits.body_timeout),
            write_timeout: given(self.write_timeout).unwrap_or(self.limits.write_timeout),
            keep_alives: self.keep_alives_enabled && self.limits.keep_alives,
            ..self.limits.clone()
        };
        listen::Settings { endpoint: self.endpoint.clone(), tls: self.tls.clone(), limits }
    }
}
