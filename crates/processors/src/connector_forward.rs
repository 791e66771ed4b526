//! `otelcol.connector.forward`: hands records of pipelines on to other pipelines, as they are.
//!
//! It joins and divides pipelines in Collector YAML. Nothing runs here: like a named pipeline it
//! becomes the edges of the graph.

use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.connector.forward "example" {
  output {
    logs = []
  }
}
"#;

/// Settings of `otelcol.connector.forward`: it has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {}

pub(crate) fn build(settings: &RawSettings, _: &Context) -> Result<Built, BuildError> {
    let Settings {} = read(settings)?;
    Ok(Built::Pipeline)
}
