//! Settings of `otelcol.connector.routing`, as they are written.

use bessemer_config::value::PipelineName;
use bessemer_pipeline::SettingsError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::filter::conditions::ErrorMode;
use crate::routing::{self, Source};

/// Settings of `otelcol.connector.routing`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Key of the attribute whose value chooses, for tables whose rows have a `value`.
    pub from_attribute: Option<String>,
    /// Where to look: `record` for the record, then its resource; `resource` for that alone.
    pub attribute_source: Source,
    /// Pipelines of records for which no row holds; none: such records go nowhere.
    pub default_pipelines: Vec<PipelineName>,
    /// What to do where a condition fails on a record; unless it refuses the batch, the row does
    /// not hold.
    pub error_mode: ErrorMode,
    /// A record goes where the first row that holds says; otherwise, everywhere that a row says.
    pub match_once: bool,
    /// Rows in the order in which they are asked.
    pub table: Vec<Row>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            from_attribute: None,
            attribute_source: Source::default(),
            default_pipelines: Vec::new(),
            error_mode: ErrorMode::default(),
            match_once: true,
            table: Vec::new(),
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Row {
    /// With `from_attribute`: the value, compared exactly; numbers and booleans by their text.
    pub value: Option<String>,
    /// What the condition is about; a condition on the request is `request["header"] == "value"`.
    pub context: RowContext,
    /// A condition in OTTL.
    pub condition: Option<String>,
    /// The condition as `route() where condition`.
    pub statement: Option<String>,
    /// Pipelines that get such records.
    pub pipelines: Vec<PipelineName>,
}

/// What a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RowContext {
    /// The request that brought the batch.
    Request,
    /// The resource.
    #[default]
    Resource,
    /// A log record.
    Log,
    /// A span.
    Span,
    /// A metric.
    Metric,
    /// A data point.
    Datapoint,
}

impl Settings {
    /// The table by value.
    pub(super) fn by_value(self) -> Result<routing::Settings, SettingsError> {
        let row = |(index, row): (usize, Row)| {
            if row.condition.is_some() || row.statement.is_some() {
                let path = format!("table[{index}].condition");
                let remedy = "write value, or remove from_attribute";
                return Err(SettingsError::new(&path, "stands beside from_attribute", remedy));
            }
            let path = format!("table[{index}].value");
            let remedy = "write the value that the row is for";
            let value = row.value.ok_or_else(|| SettingsError::new(&path, "is not set", remedy))?;
            Ok(routing::Row { value, pipelines: row.pipelines })
        };
        Ok(routing::Settings {
            from_attribute: self.from_attribute.unwrap_or_default(),
            attribute_source: self.attribute_source,
            default_pipelines: self.default_pipelines,
            table: self.table.into_iter().enumerate().map(row).collect::<Result<_, _>>()?,
        })
    }
}
