//! Settings of `otelcol.processor.filter`, as they are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::ErrorMode;
use crate::attributes::settings::{
    AttributeSettings, MatchSettings, RegexpSettings, SeveritySettings,
};

/// Settings of `otelcol.processor.filter`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// What to do where a condition fails on a record: unless it refuses the batch, the record
    /// stays.
    pub error_mode: Option<ErrorMode>,
    /// Which log records to keep.
    pub logs: LogSettings,
    /// Which metrics to keep.
    pub metrics: MetricSettings,
    /// Which spans to drop, by conditions.
    pub traces: TraceSettings,
    /// Which spans to keep, by lists.
    pub spans: SpanSettings,
}

/// Which spans to drop.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TraceSettings {
    /// Conditions in OTTL: a span for which one holds is dropped.
    pub span: Vec<String>,
    /// Conditions in OTTL: an event of a span for which one holds is dropped.
    pub spanevent: Vec<String>,
}

/// Which log records to keep.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogSettings {
    /// Conditions in OTTL: a log record for which one holds is dropped.
    pub log_record: Vec<String>,
    /// Only what matches is kept.
    pub include: Option<LogMatchSettings>,
    /// What matches is dropped; looked at after `include`.
    pub exclude: Option<LogMatchSettings>,
}

/// Properties of log records that all have to match. Without any, nothing is included or excluded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogMatchSettings {
    /// `strict` compares text as a whole, `regexp` looks for regular expressions (RE2) in it.
    pub match_type: MatchType,
    /// Attributes of the resource; all have to match.
    #[serde(default)]
    pub resource_attributes: Vec<AttributeSettings>,
    /// Attributes of the log record; all have to match.
    #[serde(default)]
    pub record_attributes: Vec<AttributeSettings>,
    /// Severity texts; one has to match.
    #[serde(default)]
    pub severity_texts: Vec<String>,
    /// Severity numbers.
    #[serde(default)]
    pub severity_number: Option<SeveritySettings>,
    /// Bodies; one has to match.
    #[serde(default)]
    pub bodies: Vec<String>,
}

/// How text is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MatchType {
    /// As a whole.
    Strict,
    /// By regular expressions.
    Regexp,
}

/// Which metrics to keep.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MetricSettings {
    /// Conditions in OTTL: a metric for which one holds is dropped. Beside the language's own
    /// functions there are `HasAttrKeyOnDatapoint(key)` and `HasAttrOnDatapoint(key, value)`.
    pub metric: Vec<String>,
    /// Conditions in OTTL: a data point for which one holds is dropped, and a metric with its last
    /// one.
    pub datapoint: Vec<String>,
    /// Only what matches is kept.
    pub include: Option<MetricMatchSettings>,
    /// What matches is dropped; looked at after `include`.
    pub exclude: Option<MetricMatchSettings>,
}

/// What metrics have to match. Names and resources are judged each on their own: a metric is
/// excluded by either, and included by both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MetricMatchSettings {
    /// `strict` compares text as a whole, `regexp` looks for regular expressions (RE2) in it,
    /// `expr` computes `expressions`.
    pub match_type: MetricMatchType,
    /// Taken for compatibility. It has no effect: matching is linear and keeps no cache.
    #[serde(default)]
    pub regexp: Option<RegexpSettings>,
    /// Names of metrics; one has to match.
    #[serde(default)]
    pub metric_names: Vec<String>,
    /// With `expr`: expressions of which one has to be true for one data point. They know
    /// `MetricName`, `Label("key")`, `HasLabel("key")`, text, `==`, `!=`, `matches`, `contains`,
    /// `startsWith`, `endsWith`, `and`, `or`, `not` (also `&&`, `||`, `!`) and parentheses.
    #[serde(default)]
    pub expressions: Vec<String>,
    /// Attributes of the resource; all have to match.
    #[serde(default)]
    pub resource_attributes: Vec<AttributeSettings>,
}

/// How metrics are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MetricMatchType {
    /// Text as a whole.
    Strict,
    /// Text by regular expressions.
    Regexp,
    /// Data points by expressions.
    Expr,
}

/// Which spans to keep.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SpanSettings {
    /// Only what matches is kept.
    pub include: Option<MatchSettings>,
    /// What matches is dropped; looked at after `include`.
    pub exclude: Option<MatchSettings>,
}
