//! Settings of `otelcol.processor.transform`, as they are written.

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
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
    /// Statements for log records: all as plain texts, whose contexts follow from the prefixes of
    /// their paths, or all in groups.
    pub log_statements: Vec<Entry>,
    /// Statements for metrics, in the same two forms.
    pub metric_statements: Vec<Entry>,
    /// Statements for spans, in the same two forms.
    pub trace_statements: Vec<Entry>,
    /// Statements one by one, whose contexts follow from the prefixes of their paths. They run
    /// after those in blocks.
    pub statements: FlatStatements,
}

/// One statement, or statements in a group.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Entry {
    /// A statement.
    Text(String),
    /// Statements with what they share.
    Group(StatementGroup),
}

/// An untagged enum would be read from a copy, whose mistakes have no place in the text.
impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a statement or a group of statements")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Entry, E> {
        Ok(Entry::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
        StatementGroup::deserialize(MapAccessDeserializer::new(map)).map(Entry::Group)
    }
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
