//! Settings of `otelcol.connector.count`, as they are written.

use std::collections::BTreeMap;

use bessemer_record::Value;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of `otelcol.connector.count`.
///
/// Each table maps names of metrics to what they count; in Alloy syntax a block is one row and says
/// its `name`. A table that is not given has one row that counts everything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Metrics that count spans; `trace.span.count` without any.
    pub spans: Option<Table>,
    /// Metrics that count the events of spans; `trace.span.event.count` without any.
    pub spanevents: Option<Table>,
    /// Metrics that count metrics, whatever number of data points they have; `metric.count` without
    /// any.
    pub metrics: Option<Table>,
    /// Metrics that count data points; `metric.datapoint.count` without any.
    pub datapoints: Option<Table>,
    /// Metrics that count log records; `log.record.count` without any.
    pub logs: Option<Table>,
}

/// The metrics of a kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Table {
    /// By blocks.
    Blocks(Vec<Block>),
    /// By name.
    Names(BTreeMap<String, Option<Row>>),
}

/// A metric by its name and what it counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Block {
    /// The name of the metric.
    pub name: String,
    /// Its description.
    #[serde(default)]
    pub description: String,
    /// As in a table.
    #[serde(default)]
    pub conditions: Vec<String>,
    /// As in a table.
    #[serde(default)]
    pub attributes: Vec<AttributeSettings>,
}

/// What a metric counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Row {
    /// The description of the metric.
    pub description: String,
    /// Conditions in OTTL: what one of them holds for is counted; without any, everything is. Where a
    /// condition cannot be computed, it does not hold.
    pub conditions: Vec<String>,
    /// Attributes by whose values the count is divided, each a data point. They are looked for in the
    /// record, its scope and its resource, in this order; a record without one of them that has no
    /// default is not counted.
    pub attributes: Vec<AttributeSettings>,
}

/// An attribute that divides a count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttributeSettings {
    /// The key.
    pub key: String,
    /// What stands for it where it is absent: text or a number; empty text and 0 are none.
    #[serde(default)]
    pub default_value: Option<DefaultValue>,
}

/// Text or a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum DefaultValue {
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(String),
}

impl DefaultValue {
    pub(super) fn value(self) -> Option<Value> {
        match self {
            Self::Int(0) => None,
            Self::Int(number) => Some(Value::Int(number)),
            Self::Float(number) => (number != 0.0).then_some(Value::Double(number)),
            Self::Text(text) => (!text.is_empty()).then_some(Value::String(text)),
        }
    }
}

impl Table {
    pub(super) fn rows(self) -> Vec<(String, Row)> {
        match self {
            Self::Names(names) => {
                names.into_iter().map(|(name, row)| (name, row.unwrap_or_default())).collect()
            }
            Self::Blocks(blocks) => blocks.into_iter().map(Block::row).collect(),
        }
    }
}

impl Block {
    fn row(self) -> (String, Row) {
        let Self { name, description, conditions, attributes } = self;
        (name, Row { description, conditions, attributes })
    }
}
