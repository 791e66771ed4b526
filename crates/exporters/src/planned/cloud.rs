//! Settings of exporters to cloud services.

use std::collections::BTreeMap;

use bessemer_runtime::{Secret, Span};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::otlp::settings::{Retry, SendingQueue};

/// Datadog.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Datadog {
    /// Site and keys.
    api: DatadogApi,
    /// How metrics are sent.
    metrics: Option<DatadogMetrics>,
    /// How traces are sent.
    traces: Option<DatadogTraces>,
    /// How logs are sent.
    logs: Option<DatadogLogs>,
    /// The name of the host, if resources have none.
    hostname: Option<String>,
    /// What it tells about the host.
    host_metadata: Option<BTreeMap<String, serde_json::Value>>,
    /// How a failed request is tried again.
    retry_on_failure: Option<Retry>,
    /// How many requests are under way.
    sending_queue: Option<SendingQueue>,
}

/// Site and keys.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatadogApi {
    /// The key.
    #[serde(alias = "api_key")]
    key: Secret,
    /// The site.
    site: Option<String>,
    /// Refuses to start with a wrong key.
    fail_on_invalid_key: Option<bool>,
}

/// Metrics for Datadog.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatadogMetrics {
    /// Seconds for which the last value of a cumulative metric is kept.
    delta_ttl: Option<u64>,
    /// Where metrics go.
    endpoint: Option<String>,
    /// Sends what scopes say as tags.
    instrumentation_library_metadata: Option<bool>,
    /// The same under its later name.
    instrumentation_scope_metadata_as_tags: Option<bool>,
    /// Sends attributes of resources as tags.
    resource_attributes_as_tags: Option<bool>,
    /// How histograms are sent.
    histograms: Option<BTreeMap<String, serde_json::Value>>,
    /// How sums are sent.
    sums: Option<BTreeMap<String, serde_json::Value>>,
    /// How summaries are sent.
    summaries: Option<BTreeMap<String, serde_json::Value>>,
}

/// Traces for Datadog.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatadogTraces {
    /// Where traces go.
    endpoint: Option<String>,
    /// Counts spans of servers and clients as entries too.
    compute_stats_by_span_kind: Option<bool>,
    /// Counts by peer.
    peer_tags_aggregation: Option<bool>,
    /// Further tags that name a peer.
    peer_tags: Option<Vec<String>>,
    /// Marks spans of servers and consumers as top level.
    compute_top_level_by_span_kind: Option<bool>,
    /// Resources whose traces are not sent.
    ignore_resources: Option<Vec<String>>,
    /// Other names of spans.
    span_name_remappings: Option<BTreeMap<String, String>>,
    /// Requests kept in memory.
    trace_buffer: Option<u64>,
}

/// Logs for Datadog.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatadogLogs {
    /// Where logs go.
    endpoint: Option<String>,
    /// Sends what resources say.
    use_resource_metadata: Option<bool>,
    /// Compresses requests.
    use_compression: Option<bool>,
}

/// Metrics for the monitoring service of AWS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloudWatchMetrics {
    /// The region.
    region: Option<String>,
    /// The namespace.
    namespace: Option<String>,
    /// The group that metrics in log form go to.
    log_group_name: Option<String>,
    /// The stream in it.
    log_stream_name: Option<String>,
    /// Which combinations of dimensions are added.
    dimension_rollup_option: Option<String>,
    /// Which metrics have which dimensions.
    metric_declarations: Option<Vec<MetricDeclaration>>,
}

/// Which metrics have which dimensions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MetricDeclaration {
    /// Sets of dimensions.
    dimensions: Vec<Vec<String>>,
    /// Patterns of names.
    metric_name_selectors: Vec<String>,
    /// Patterns of labels.
    label_matchers: Option<Vec<BTreeMap<String, serde_json::Value>>>,
}

/// Logs for the monitoring service of AWS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloudWatchLogs {
    /// The region.
    region: Option<String>,
    /// The group.
    log_group_name: String,
    /// The stream in it.
    log_stream_name: String,
    /// Where to send, if not where the region says.
    endpoint: Option<String>,
    /// Days for which a group that is made keeps its logs.
    log_retention: Option<u32>,
    /// Tags of a group that is made.
    tags: Option<BTreeMap<String, String>>,
    /// Sends bodies only.
    raw_log: Option<bool>,
}

/// Azure Monitor.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AzureMonitor {
    /// The connection string.
    connection_string: Option<Secret>,
    /// The key, for old configurations.
    instrumentation_key: Option<Secret>,
    /// Records in a request at most.
    #[serde(alias = "maxbatchsize")]
    max_batch_size: Option<u32>,
    /// The time a request has.
    export_timeout: Option<Span>,
}

/// Google Cloud.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GoogleCloud {
    /// The project.
    project: Option<String>,
    /// How metrics are sent.
    metric: Option<GoogleMetric>,
    /// How logs are sent.
    log: Option<GoogleLog>,
    /// How traces are sent.
    trace: Option<GoogleTrace>,
    /// How requests are compressed.
    compression: Option<String>,
    /// What the client calls itself.
    user_agent: Option<String>,
    /// How a failed request is tried again.
    retry_on_failure: Option<Retry>,
    /// How many requests are under way.
    sending_queue: Option<SendingQueue>,
}

/// Metrics for Google Cloud.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GoogleMetric {
    /// What names start with.
    prefix: Option<String>,
    /// Where metrics go.
    endpoint: Option<String>,
}

/// Logs for Google Cloud.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GoogleLog {
    /// The log of records that name none.
    default_log_name: Option<String>,
    /// Where logs go.
    endpoint: Option<String>,
}

/// Traces for Google Cloud.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GoogleTrace {
    /// Where traces go.
    endpoint: Option<String>,
}
