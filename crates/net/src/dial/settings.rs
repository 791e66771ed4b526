//! The settings of a client, in the names of the OpenTelemetry Collector's `confighttp` and
//! `configgrpc`.

use std::collections::BTreeMap;
use std::time::Duration;

use bessemer_runtime::{ByteSize, Ignored, Reference, Secret, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::body::encoding::Encoding;
use crate::tls::settings::Tls;

const SECOND: Duration = Duration::from_secs(1);

/// How to reach an HTTP destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where to send, as `https://host:port/path`; `https` speaks TLS, `http` plain text.
    pub endpoint: String,
    /// Trust and identity for `https`.
    pub tls: Tls,
    /// The time one try has, from looking for a connection to the last byte of the answer.
    pub timeout: Span,
    /// The time a new connection has, TLS handshake included.
    pub connect_timeout: Span,
    /// Headers sent with every request; their values are secrets.
    pub headers: BTreeMap<String, Secret>,
    /// The component that proves who sends: `otelcol.auth.basic.LABEL.handler` and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Reference>,
    /// An HTTP proxy before the endpoint, as `http://user:password@host:port`. `https` endpoints are
    /// reached through its `CONNECT`; of `http` endpoints it reads every request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_url: Option<Secret>,
    /// Whether cookies of the endpoint are kept and sent back; without the block they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookies: Option<Cookies>,
    /// How request bodies are compressed; what is already compressed that way is sent unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<Encoding>,
    /// The level of gzip and zstd is one that was measured to cost least in all.
    #[serde(skip_serializing)]
    pub compression_params: Ignored,
    /// The largest answer that is read, after decompression.
    pub max_response_body_size: ByteSize,
    /// Connections kept open while unused.
    pub max_idle_conns: u32,
    /// The same; the lower of both counts, since a client has one host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_idle_conns_per_host: Option<u32>,
    /// Connections at the same time; requests beyond them wait. `0` is 256.
    pub max_conns_per_host: u32,
    /// How long an unused connection is kept.
    pub idle_conn_timeout: Span,
    /// Opens a connection for every request.
    pub disable_keep_alives: bool,
    /// Offers HTTP/2 to `https` destinations.
    pub force_attempt_http2: bool,
    /// A ping is sent when an HTTP/2 connection with open requests was silent this long; `0` never.
    pub http2_read_idle_timeout: Span,
    /// The connection is closed when the ping stays unanswered this long.
    pub http2_ping_timeout: Span,
    /// Accepted for compatibility; read buffers size themselves by what arrives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_buffer_size: Option<ByteSize>,
    /// Accepted for compatibility; bodies are written from where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_buffer_size: Option<ByteSize>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            tls: Tls::default(),
            timeout: Span(30 * SECOND),
            connect_timeout: Span(10 * SECOND),
            headers: BTreeMap::new(),
            auth: None,
            proxy_url: None,
            cookies: None,
            compression: None,
            compression_params: Ignored,
            max_response_body_size: ByteSize::mib(4),
            max_idle_conns: 100,
            max_idle_conns_per_host: None,
            max_conns_per_host: 0,
            idle_conn_timeout: Span(30 * SECOND),
            disable_keep_alives: false,
            force_attempt_http2: true,
            http2_read_idle_timeout: Span(30 * SECOND),
            http2_ping_timeout: Span(10 * SECOND),
            read_buffer_size: None,
            write_buffer_size: None,
        }
    }
}

/// Cookies that an endpoint sets, at most 50 of 4 KiB, for as long as the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cookies {
    /// Whether they are kept.
    pub enabled: bool,
}

/// How to reach a gRPC destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GrpcSettings {
    /// Where to send, as `host:port`, `https://host:port` (TLS) or `http://host:port` (plain);
    /// without a scheme `tls.insecure` decides.
    pub endpoint: String,
    /// Trust and identity.
    pub tls: Tls,
    /// The time one try has, from looking for a connection to the status.
    pub timeout: Span,
    /// The time a new connection has, TLS handshake included.
    pub connect_timeout: Span,
    /// Metadata sent with every call; the values are secrets.
    pub headers: BTreeMap<String, Secret>,
    /// The component that proves who sends: `otelcol.auth.basic.LABEL.handler` and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Reference>,
    /// How messages are compressed; what is already compressed that way is sent unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<Encoding>,
    /// The `:authority` of calls, when it is not host and port of the endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Calls wait for a connection until their time is over instead of failing with the first try.
    pub wait_for_ready: bool,
    /// All calls go to one address at a time; the next one is tried when it fails.
    #[serde(skip_serializing)]
    pub balancer_name: Ignored,
    /// When and how a silent connection is tested.
    pub keepalive: Keepalive,
    /// The largest answer that is read, after decompression.
    pub max_response_body_size: ByteSize,
    /// Connections at the same time, opened when the peer allows no more calls on the others.
    pub max_conns_per_host: u32,
    /// Accepted for compatibility; read buffers size themselves by what arrives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_buffer_size: Option<ByteSize>,
    /// Bytes of several frames that are gathered before a write; `0` writes each frame alone.
    pub write_buffer_size: ByteSize,
}

impl Default for GrpcSettings {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            tls: Tls::default(),
            timeout: Span(30 * SECOND),
            connect_timeout: Span(10 * SECOND),
            headers: BTreeMap::new(),
            auth: None,
            compression: None,
            authority: None,
            wait_for_ready: false,
            balancer_name: Ignored,
            keepalive: Keepalive::default(),
            max_response_body_size: ByteSize::mib(4),
            max_conns_per_host: 4,
            read_buffer_size: None,
            write_buffer_size: ByteSize(256 << 10),
        }
    }
}

/// Pings on a gRPC connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Keepalive {
    /// A ping is sent after this much silence; `0` never. Servers may refuse frequent pings.
    #[serde(alias = "ping_wait")]
    #[schemars(extend("x-aliases" = ["ping_wait"]))]
    pub time: Span,
    /// The connection is closed when the ping stays unanswered this long.
    #[serde(alias = "ping_response_timeout")]
    #[schemars(extend("x-aliases" = ["ping_response_timeout"]))]
    pub timeout: Span,
    /// Sends pings while no call is open too.
    #[serde(alias = "ping_without_stream")]
    #[schemars(extend("x-aliases" = ["ping_without_stream"]))]
    pub permit_without_stream: bool,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self { time: Span(30 * SECOND), timeout: Span(10 * SECOND), permit_without_stream: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_collectors_names_are_read_and_others_refused() {
        let settings: Settings = serde_json::from_str(
            r#"{"endpoint": "https://a/otlp", "timeout": "5s", "headers": {"api-key": "x"},
                "compression": "none", "tls": {"insecure": true}, "max_idle_conns": 7,
                "idle_conn_timeout": "1m", "http2_ping_timeout": "2s",
                "max_response_body_size": "1MiB"}"#,
        )
        .unwrap();
        assert_eq!(
            (settings.timeout.0, settings.compression),
            (5 * SECOND, Some(Encoding::Identity))
        );
        assert_eq!(settings.max_response_body_size, ByteSize::mib(1));
        assert_eq!(settings.connect_timeout.0, 10 * SECOND);
        assert!(serde_json::from_str::<Settings>(r#"{"endpont": "http://a"}"#).is_err());
        let grpc: GrpcSettings = serde_json::from_str(
            r#"{"endpoint": "a:4317", "tls": {"insecure": true}, "compression": "gzip",
                "keepalive": {"time": "20s", "timeout": "5s", "permit_without_stream": true},
                "wait_for_ready": true, "write_buffer_size": 524288, "authority": "b"}"#,
        )
        .unwrap();
        assert_eq!(grpc.keepalive.time.0, 20 * SECOND);
        assert_eq!(grpc.compression, Some(Encoding::Gzip));
        assert!(serde_json::from_str::<GrpcSettings>(r#"{"idle_conn_timeout": "1m"}"#).is_err());
    }
}
