//! Settings of `otelcol.processor.transform`, as they are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::filter::conditions::ErrorMode;

/// Settings of `otelcol.processor.transform`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// What to do where a statement fails on a record.
    pub error_mode: ErrorMode,
    /// Taken for compatibility: only `false` is available.
    pub flatten_data: bool,
    /// Statements for log records.
    pub log_statements: Vec<StatementGroup>,
    /// Statements for metrics.
    pub metric_statements: Vec<StatementGroup>,
    /// Statements for spans.
    pub trace_statements: Vec<StatementGroup>,
    /// Statements one by one, whose contexts follow from the prefixes of their paths. They run
    /// after those in blocks.
    pub statements: FlatStatements,
}

/// Statements that run one after the other on each record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StatementGroup {
    /// What paths start from: `resource`, `scope`, `log`, `span`, `spanevent`, `metric` or
    /// `datapoint`. Without it the context follows from the statements.
    pub context: Option<String>,
    /// One of these has to hold for the statements to run.
    pub conditions: Vec<String>,
    /// The statements.
    pub statements: Vec<String>,
    /// What to do where one of these fails, instead of what the processor does.
    pub error_mode: Option<ErrorMode>,
}

/// Statements by signal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FlatStatements {
    /// For log records.
    pub log: Vec<String>,
    /// For metrics.
    pub metric: Vec<String>,
    /// For spans.
    pub trace: Vec<String>,
}
