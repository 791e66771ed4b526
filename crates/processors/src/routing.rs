//! `otelcol.processor.routing`: a table from the values of one attribute to pipelines.
//!
//! The value is looked up in the record, then its resource. A label that an earlier step
//! appended is resolved once per batch, not once per record.

use std::collections::BTreeMap;
use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_config::value::PipelineName;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::program::NO_ROUTE;
use bessemer_pipeline::{Built, Context, Route, Scratch, SettingsError};
use bessemer_record::Draft;
use bessemer_record::value::AnyValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.processor.routing "example" {
  from_attribute    = "ai.classification"
  default_pipelines = ["example"]

  table = [
    {
      value     = "critical"
      pipelines = ["example"]
    },
  ]
}

bessemer.pipeline "example" {
  to = []
}
"#;

/// Rows of one table at most.
const ROWS_MAX: usize = 10_000;

/// Settings of `otelcol.processor.routing`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Key of the attribute whose value chooses.
    pub from_attribute: String,
    /// Where to look: `record` for the record, then its resource; `resource` for that alone.
    #[serde(default)]
    pub attribute_source: Source,
    /// Pipelines of records whose value is in no row; none: such records go nowhere.
    #[serde(default)]
    pub default_pipelines: Vec<PipelineName>,
    /// Rows by value.
    #[serde(default)]
    pub table: Vec<Row>,
}

/// Where the value is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// The record, then its resource.
    #[default]
    Record,
    /// The resource alone.
    Resource,
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// The value, compared exactly; numbers and booleans by their text.
    pub value: String,
    /// Pipelines that get such records.
    pub pipelines: Vec<PipelineName>,
}

pub(crate) fn build(settings: &RawSettings, _: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    Ok(Built::Route(Arc::new(Routing::new(settings)?)))
}

/// The router, shared with the connector.
#[derive(Debug)]
pub(crate) struct Routing {
    key: Vec<u8>,
    source: Source,
    by_value: BTreeMap<String, u16>,
    default: u16,
    targets: Vec<Vec<String>>,
}

impl Routing {
    pub(crate) fn new(settings: Settings) -> Result<Self, SettingsError> {
        if settings.from_attribute.is_empty() {
            let remedy = "name an attribute, such as \"ai.classification\"";
            return Err(SettingsError::new("from_attribute", "is empty", remedy));
        }
        if settings.table.is_empty() && settings.default_pipelines.is_empty() {
            let remedy = "add a row or default_pipelines";
            return Err(SettingsError::new("table", "is empty", remedy));
        }
        if settings.table.len() > ROWS_MAX {
            let problem = format!("has {} rows", settings.table.len());
            return Err(SettingsError::new("table", problem, format!("at most {ROWS_MAX} fit")));
        }
        let mut targets = Vec::new();
        let mut by_value = BTreeMap::new();
        for row in settings.table {
            let route = target(&mut targets, row.pipelines);
            if by_value.insert(row.value.clone(), route).is_some() {
                let problem = format!("has two rows for {:?}", row.value);
                return Err(SettingsError::new(
                    "table",
                    problem,
                    "join their pipelines in one row",
                ));
            }
        }
        let default = if settings.default_pipelines.is_empty() {
            NO_ROUTE
        } else {
            target(&mut targets, settings.default_pipelines)
        };
        Ok(Self {
            key: settings.from_attribute.into_bytes(),
            source: settings.attribute_source,
            by_value,
            default,
            targets,
        })
    }

    fn route_of(&self, value: Option<AnyValue<'_>>) -> u16 {
        let text = match value {
            Some(value) => match value.as_str() {
                Some(text) => return self.by_value.get(text).copied().unwrap_or(self.default),
                None => scalar_text(value),
            },
            None => return self.default,
        };
        self.by_value.get(&text).copied().unwrap_or(self.default)
    }

    fn look_up(&self, draft: &Draft, item: usize) -> u16 {
        let in_record = match self.source {
            Source::Record => draft.attribute(item, &self.key),
            Source::Resource => None,
        };
        self.route_of(in_record.or_else(|| draft.resource_attribute(item, &self.key)))
    }
}

/// The index of a list of pipelines; equal lists share one.
fn target(targets: &mut Vec<Vec<String>>, pipelines: Vec<PipelineName>) -> u16 {
    let pipelines: Vec<String> = pipelines.into_iter().map(|name| name.0).collect();
    let index = targets.iter().position(|known| *known == pipelines).unwrap_or_else(|| {
        targets.push(pipelines);
        targets.len() - 1
    });
    u16::try_from(index).unwrap_or(NO_ROUTE)
}

fn scalar_text(value: AnyValue<'_>) -> String {
    if let Some(number) = value.as_int() {
        return number.to_string();
    }
    if let Some(flag) = value.as_bool() {
        return flag.to_string();
    }
    value.as_double().map(|number| number.to_string()).unwrap_or_default()
}

impl Route for Routing {
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch) {
        // One look-up for each distinct label; `u32::MAX` marks one not looked up yet.
        scratch.marks.clear();
        for item in 0..draft.len() {
            let tail = match self.source {
                Source::Record => draft.tail_with(item, &self.key),
                Source::Resource => None,
            };
            let route =
                match tail.map(|tail| usize::try_from(tail.index()).unwrap_or(usize::MAX - 1)) {
                    Some(tail) => {
                        if scratch.marks.len() <= tail {
                            scratch.marks.resize(tail + 1, u32::MAX);
                        }
                        match scratch.marks.get_mut(tail) {
                            Some(mark) if *mark == u32::MAX => {
                                let route = self.look_up(draft, item);
                                *mark = u32::from(route);
                                route
                            }
                            Some(mark) => u16::try_from(*mark).unwrap_or(NO_ROUTE),
                            None => NO_ROUTE,
                        }
                    }
                    None => self.look_up(draft, item),
                };
            if let Some(item) = draft.items_mut().get_mut(item) {
                item.route = route;
            }
        }
    }

    fn targets(&self) -> &[Vec<String>] {
        &self.targets
    }
}
