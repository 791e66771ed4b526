//! Settings of `otelcol.exporter.elasticsearch`, as the Collector names them, and of
//! `bessemer.exporter.elk`.

use bessemer_net::dial;
use bessemer_net::retry::Policy;
use bessemer_pipeline::SettingsError;
use bessemer_pipeline::catalog::QueueSettings;
use bessemer_runtime::{ByteSize, Ignored, Secret, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::otlp::settings::{Retry, SendingQueue};

/// Indexes documents in Elasticsearch or `OpenSearch` with bulk requests.
///
/// Each document is created under an id made of its record's, so that a record that is sent again
/// after a crash is there once: the answer 409 means that it was delivered before. The answer to a
/// bulk request has a status for each document: 429 and 5xx are tried again, everything else is
/// refused, each for itself. Tested against a real Elasticsearch; `OpenSearch` was not tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Where and how to connect. `compression` is gzip unless set.
    pub(crate) client: dial::Settings,
    /// The same address as a list of one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) endpoints: Vec<String>,
    /// The user of basic authentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// Its password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<Secret>,
    /// An API key in its encoded form, in place of user and password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api_key: Option<Secret>,
    /// The index or data stream of logs.
    #[serde(alias = "index")]
    #[schemars(extend("x-aliases" = ["index"]))]
    pub(crate) logs_index: String,
    /// The index or data stream of spans.
    pub(crate) traces_index: String,
    /// Chooses the index of a log record by its attributes.
    pub(crate) logs_dynamic_index: DynamicIndex,
    /// Chooses the index of a span by its attributes.
    pub(crate) traces_dynamic_index: DynamicIndex,
    /// Adds the day of the record to the name of its index.
    pub(crate) logstash_format: LogstashFormat,
    /// What documents look like.
    pub(crate) mapping: Mapping,
    /// The ingest pipeline that documents pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pipeline: Option<String>,
    /// Creates each document under the id of its record. Off: the server chooses ids, and a record
    /// that is sent twice is there twice.
    pub(crate) record_ids: bool,
    /// How much goes into a request.
    pub(crate) flush: Flush,
    /// Requests under way, in place of `sending_queue.num_consumers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) num_workers: Option<u32>,
    /// How a failed request is tried again at once, under the Collector's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry: Option<BulkRetry>,
    /// How a failed request is tried again at once.
    pub(crate) retry_on_failure: Retry,
    /// How many requests are under way.
    pub(crate) sending_queue: SendingQueue,
    /// How its queue on disk behaves.
    pub(crate) queue: QueueSettings,
    /// Name the nodes behind one address.
    #[serde(skip_serializing)]
    pub(crate) discover: Ignored,
    /// Bodies of requests are never logged.
    #[serde(skip_serializing)]
    pub(crate) telemetry: Ignored,
    /// Requests are filled from the queue on disk.
    #[serde(skip_serializing)]
    pub(crate) batcher: Ignored,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            client: dial::Settings::default(),
            endpoints: Vec::new(),
            user: None,
            password: None,
            api_key: None,
            logs_index: "logs-generic-default".to_owned(),
            traces_index: "traces-generic-default".to_owned(),
            logs_dynamic_index: DynamicIndex::default(),
            traces_dynamic_index: DynamicIndex::default(),
            logstash_format: LogstashFormat::default(),
            mapping: Mapping::default(),
            pipeline: None,
            record_ids: true,
            flush: Flush::default(),
            num_workers: None,
            retry: None,
            retry_on_failure: Retry::default(),
            sending_queue: SendingQueue::default(),
            queue: QueueSettings::default(),
            discover: Ignored,
            telemetry: Ignored,
            batcher: Ignored,
        }
    }
}

/// Names of indexes by attributes.
///
/// `data_stream.dataset` and `data_stream.namespace` make `logs-DATASET-NAMESPACE`; without them
/// `elasticsearch.index.prefix` and `elasticsearch.index.suffix` stand around the name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DynamicIndex {
    /// Chooses by attributes.
    pub(crate) enabled: bool,
}

/// An index for each day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogstashFormat {
    /// Adds the day.
    pub(crate) enabled: bool,
    /// What stands between name and day.
    pub(crate) prefix_separator: String,
    /// How the day is written; only this way.
    pub(crate) date_format: DateFormat,
}

impl Default for LogstashFormat {
    fn default() -> Self {
        Self {
            enabled: false,
            prefix_separator: "-".to_owned(),
            date_format: DateFormat::default(),
        }
    }
}

/// How a day is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum DateFormat {
    /// `2024.03.12`
    #[default]
    #[serde(rename = "%Y.%m.%d")]
    Dots,
    /// `2024-03-12`
    #[serde(rename = "%Y-%m-%d")]
    Dashes,
}

/// What documents look like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Mapping {
    /// Which names fields have.
    pub(crate) mode: Mode,
    /// Writes names with dots as objects in each other, outside `otel`.
    pub(crate) dedot: bool,
    /// Names are always unique.
    #[serde(skip_serializing)]
    pub(crate) dedup: Ignored,
}

impl Default for Mapping {
    fn default() -> Self {
        Self { mode: Mode::default(), dedot: true, dedup: Ignored }
    }
}

/// Which names fields have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Those of the OpenTelemetry data model: `Body`, `Attributes`, `Resource`.
    #[default]
    #[serde(alias = "")]
    None,
    /// As `none`, attributes at the top of the document.
    Raw,
    /// Those of the Elastic Common Schema.
    Ecs,
    /// Those of Elastic's own data streams for OpenTelemetry.
    Otel,
    /// The body, which must be a map, is the document.
    Bodymap,
}

/// How much goes into a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Flush {
    /// Bytes before compression; one document may have more, and then stands alone.
    pub(crate) bytes: ByteSize,
    /// Requests are filled from the queue on disk.
    #[serde(skip_serializing)]
    pub(crate) interval: Ignored,
}

impl Default for Flush {
    fn default() -> Self {
        Self { bytes: ByteSize(5_000_000), interval: Ignored }
    }
}

/// How a failed request is tried again at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BulkRetry {
    /// Tries again at once.
    pub(crate) enabled: bool,
    /// Tries in all, the first one included.
    pub(crate) max_requests: u32,
    /// Tries after the first, in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_retries: Option<u32>,
    /// The wait after the first failure.
    pub(crate) initial_interval: Span,
    /// The longest wait.
    pub(crate) max_interval: Span,
    /// Answers 429 and 5xx are always tried again.
    #[serde(skip_serializing)]
    pub(crate) retry_on_status: Ignored,
}

impl Default for BulkRetry {
    fn default() -> Self {
        let policy = Policy::default();
        Self {
            enabled: true,
            max_requests: policy.attempts,
            max_retries: None,
            initial_interval: Span(std::time::Duration::from_millis(100)),
            max_interval: Span(std::time::Duration::from_mins(1)),
            retry_on_status: Ignored,
        }
    }
}

impl Settings {
    /// The settings of the client with the address of the list.
    pub(crate) fn client(&self) -> Result<dial::Settings, SettingsError> {
        let mut client = self.client.clone();
        match self.endpoints.as_slice() {
            [] => {}
            [only] if client.endpoint.is_empty() => client.endpoint.clone_from(only),
            _ => {
                let remedy = "write one, of a balancer if there are several nodes";
                return Err(SettingsError::new("endpoints", "names several addresses", remedy));
            }
        }
        Ok(client)
    }

    /// How a request is tried again at once.
    pub(crate) fn retry(&self) -> Retry {
        let Some(bulk) = &self.retry else { return self.retry_on_failure.clone() };
        Retry {
            enabled: bulk.enabled,
            attempts: bulk.max_retries.map_or(bulk.max_requests, |retries| retries + 1),
            initial_interval: bulk.initial_interval,
            max_interval: bulk.max_interval,
            ..self.retry_on_failure.clone()
        }
    }

    /// How many requests are under way.
    pub(crate) fn queue(&self) -> SendingQueue {
        let mut queue = self.sending_queue.clone();
        queue.num_consumers = self.num_workers.unwrap_or(queue.num_consumers);
        queue
    }
}

/// Indexes events in Elasticsearch, an index for each day.
///
/// A document is the body of a log record if that is a map, with the time of the record as
/// `@timestamp`, and the record in the names of the OpenTelemetry data model otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Elk {
    /// The address.
    pub(crate) elasticsearch_url: String,
    /// What the names of the daily indexes start with.
    #[serde(default = "events")]
    pub(crate) index_prefix: String,
    /// The user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<String>,
    /// The password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<Secret>,
    /// A key in place of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) api_key: Option<Secret>,
    /// Seconds that a request has.
    #[serde(default = "ten")]
    pub(crate) timeout: f64,
    /// How its queue on disk behaves.
    #[serde(default)]
    pub(crate) queue: QueueSettings,
}

fn events() -> String {
    "events".to_owned()
}

const fn ten() -> f64 {
    10.0
}

impl Elk {
    /// The same in the names of the other exporter.
    pub(crate) fn into_settings(self) -> Result<Settings, SettingsError> {
        let timeout = std::time::Duration::try_from_secs_f64(self.timeout);
        let timeout = timeout.map_err(|_| {
            SettingsError::new("timeout", "is no time", "write seconds, such as 10")
        })?;
        let client = dial::Settings {
            endpoint: self.elasticsearch_url,
            timeout: Span(timeout),
            ..dial::Settings::default()
        };
        Ok(Settings {
            client,
            user: self.username,
            password: self.password,
            api_key: self.api_key,
            logs_index: self.index_prefix,
            logstash_format: LogstashFormat { enabled: true, ..LogstashFormat::default() },
            queue: self.queue,
            ..Settings::default()
        })
    }
}
