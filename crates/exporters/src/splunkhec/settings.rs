//! Settings of `otelcol.exporter.splunkhec`, as Grafana Alloy and the Collector name them.

use std::time::Duration;

use bessemer_net::dial;
use bessemer_net::tls::settings::Tls;
use bessemer_pipeline::SettingsError;
use bessemer_pipeline::catalog::QueueSettings;
use bessemer_runtime::{ByteSize, Ignored, Secret, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::otlp::settings::{Retry, SendingQueue};

/// What the service takes in one request however it is configured.
const BYTES_MAX: ByteSize = ByteSize::mib(800);

/// Sends events to a Splunk HTTP event collector, a request for each 2 MiB of them.
///
/// Answers 400 and 401 refuse a request, everything else is tried again. Where the collector names
/// the event that it can not take, that event is refused and the others are sent again: those before
/// it may then be there twice. A record without body has no event and is refused here. Tested against
/// a stand-in that follows the documented codes, as there is no free server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "settings keep their names and kinds")]
pub(crate) struct Settings {
    /// Where and how to connect, as a block; settings of the same name beside it count more.
    pub(crate) client: dial::Settings,
    /// What the collector wants, as a block; settings of the same name beside it count more.
    pub(crate) splunk: Splunk,
    /// Where to send; `/services/collector` is added to a URL without path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<String>,
    /// The token; a resource with the attribute `com.splunk.hec.access_token` has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<Secret>,
    /// The index of events that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<String>,
    /// The source of events that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    /// The source type of events that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sourcetype: Option<String>,
    /// Connections kept open while unused.
    #[serde(alias = "max_connections", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-aliases" = ["max_connections"]))]
    pub(crate) max_idle_conns: Option<u32>,
    /// The same; the lower of both counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_idle_conns_per_host: Option<u32>,
    /// Connections at the same time; requests beyond them wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_conns_per_host: Option<u32>,
    /// How long an unused connection is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idle_conn_timeout: Option<Span>,
    /// The time one try has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeout: Option<Span>,
    /// Trust and identity for `https`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<Tls>,
    /// Sends bodies as they are. Otherwise those above 1500 bytes are compressed with gzip.
    pub(crate) disable_compression: bool,
    /// Bytes of logs in a request before compression, at most 800 MiB.
    pub(crate) max_content_length_logs: ByteSize,
    /// Bytes of metrics in a request before compression, at most 800 MiB.
    pub(crate) max_content_length_metrics: ByteSize,
    /// Bytes of spans in a request before compression, at most 800 MiB.
    pub(crate) max_content_length_traces: ByteSize,
    /// Bytes of one event; what is larger is refused.
    pub(crate) max_event_size: ByteSize,
    /// The name by which the collector knows what sends to it.
    pub(crate) splunk_app_name: String,
    /// Its version.
    pub(crate) splunk_app_version: String,
    /// Attributes of resources and records that stand in the envelope of an event instead.
    #[serde(alias = "otel_attrs_to_hec_metadata")]
    #[schemars(extend("x-aliases" = ["otel_attrs_to_hec_metadata"]))]
    pub(crate) hec_metadata_to_otel_attrs: Metadata,
    /// Names of fields that hold what is no attribute.
    pub(crate) otel_to_hec_fields: FieldNames,
    /// Where the collector says how it is.
    pub(crate) health_path: String,
    /// Sends bodies of log records alone, a line each, to `/services/collector/raw`.
    pub(crate) export_raw: bool,
    /// Puts metrics of the same time and dimensions into one event.
    pub(crate) use_multi_metric_format: bool,
    /// Off: logs are not sent, and count as delivered.
    pub(crate) log_data_enabled: bool,
    /// Off: logs of the scope `otel.profiling` are not sent, and count as delivered.
    pub(crate) profiling_data_enabled: bool,
    /// Whether records are delivered only once they are indexed.
    pub(crate) ack: Ack,
    /// `bessemer validate --connect` asks for health; a start does not wait for destinations.
    #[serde(alias = "health_check_enabled", skip_serializing)]
    #[schemars(extend("x-aliases" = ["health_check_enabled"]))]
    pub(crate) health_check_startup: Ignored,
    /// Whether a destination answers is seen in the metrics of this process.
    #[serde(skip_serializing)]
    pub(crate) heartbeat: Ignored,
    /// Metrics of this process have their own names.
    #[serde(skip_serializing)]
    pub(crate) telemetry: Ignored,
    /// Requests are filled from the queue on disk.
    #[serde(skip_serializing)]
    pub(crate) batcher: Ignored,
    /// How a failed request is tried again at once.
    pub(crate) retry_on_failure: Retry,
    /// How many requests are under way.
    pub(crate) sending_queue: SendingQueue,
    /// How its queue on disk behaves.
    pub(crate) queue: QueueSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            client: dial::Settings::default(),
            splunk: Splunk::default(),
            endpoint: None,
            token: None,
            index: None,
            source: None,
            sourcetype: None,
            max_idle_conns: None,
            max_idle_conns_per_host: None,
            max_conns_per_host: None,
            idle_conn_timeout: None,
            timeout: None,
            tls: None,
            disable_compression: false,
            max_content_length_logs: ByteSize::mib(2),
            max_content_length_metrics: ByteSize::mib(2),
            max_content_length_traces: ByteSize::mib(2),
            max_event_size: ByteSize::mib(5),
            splunk_app_name: "Bessemer".to_owned(),
            splunk_app_version: env!("CARGO_PKG_VERSION").to_owned(),
            hec_metadata_to_otel_attrs: Metadata::default(),
            otel_to_hec_fields: FieldNames::default(),
            health_path: "/services/collector/health".to_owned(),
            export_raw: false,
            use_multi_metric_format: false,
            log_data_enabled: true,
            profiling_data_enabled: true,
            ack: Ack::default(),
            health_check_startup: Ignored,
            heartbeat: Ignored,
            telemetry: Ignored,
            batcher: Ignored,
            retry_on_failure: Retry::default(),
            sending_queue: SendingQueue::default(),
            queue: QueueSettings::default(),
        }
    }
}

/// What the collector wants.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Splunk {
    /// The token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<Secret>,
    /// The index of events that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<String>,
    /// The source of events that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    /// The source type of events that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sourcetype: Option<String>,
}

/// Names of attributes for the envelope of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Metadata {
    /// The attribute with the source.
    pub(crate) source: String,
    /// The attribute with the source type.
    pub(crate) sourcetype: String,
    /// The attribute with the index.
    pub(crate) index: String,
    /// The attribute with the host.
    pub(crate) host: String,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            source: "com.splunk.source".to_owned(),
            sourcetype: "com.splunk.sourcetype".to_owned(),
            index: "com.splunk.index".to_owned(),
            host: "host.name".to_owned(),
        }
    }
}

/// Names of fields of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FieldNames {
    /// The field with the severity as the source wrote it.
    pub(crate) severity_text: String,
    /// The field with the severity from 1 to 24.
    pub(crate) severity_number: String,
}

impl Default for FieldNames {
    fn default() -> Self {
        Self {
            severity_text: "otel.log.severity.text".to_owned(),
            severity_number: "otel.log.severity.number".to_owned(),
        }
    }
}

/// Indexer acknowledgment. The token must have it on; without, a successful answer counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ack {
    /// Waits until the collector says that events are indexed.
    pub(crate) enabled: bool,
    /// The channel that requests are counted in, a GUID; one is drawn at start unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) channel: Option<String>,
    /// The time between two questions.
    pub(crate) query_interval: Span,
    /// How long to ask; events that are not indexed by then are sent again.
    pub(crate) timeout: Span,
}

impl Default for Ack {
    fn default() -> Self {
        Self {
            enabled: false,
            channel: None,
            query_interval: Span(Duration::from_secs(1)),
            timeout: Span(Duration::from_mins(2)),
        }
    }
}

impl Settings {
    /// The settings of the client with those that stand beside the block.
    pub(crate) fn client(&self) -> dial::Settings {
        let client = self.client.clone();
        dial::Settings {
            endpoint: self.endpoint.clone().unwrap_or(client.endpoint),
            max_idle_conns: self.max_idle_conns.unwrap_or(client.max_idle_conns),
            max_idle_conns_per_host: self
                .max_idle_conns_per_host
                .or(client.max_idle_conns_per_host),
            max_conns_per_host: self.max_conns_per_host.unwrap_or(client.max_conns_per_host),
            idle_conn_timeout: self.idle_conn_timeout.unwrap_or(client.idle_conn_timeout),
            timeout: self.timeout.unwrap_or(client.timeout),
            tls: self.tls.clone().unwrap_or(client.tls),
            ..client
        }
    }

    /// The token.
    pub(crate) fn token(&self) -> Result<&Secret, SettingsError> {
        let token = self.token.as_ref().or(self.splunk.token.as_ref());
        token.filter(|token| !token.expose().is_empty()).ok_or_else(|| {
            SettingsError::new("token", "is missing", "give the token of the event collector")
        })
    }

    /// Checks what types can not say.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        for (name, size) in [
            ("max_content_length_logs", self.max_content_length_logs),
            ("max_content_length_metrics", self.max_content_length_metrics),
            ("max_content_length_traces", self.max_content_length_traces),
            ("max_event_size", self.max_event_size),
        ] {
            if size > BYTES_MAX || size.0 == 0 {
                let problem = format!("is {size}, the collector takes 1 B to {BYTES_MAX}");
                return Err(SettingsError::new(name, problem, "write a size within"));
            }
        }
        if self.ack.query_interval.0.is_zero() || self.ack.timeout.0.is_zero() {
            let remedy = "write a duration such as \"1s\"";
            return Err(SettingsError::new("ack", "has a time of zero", remedy));
        }
        Ok(())
    }
}
