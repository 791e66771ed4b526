//! `otelcol.connector.routing`: a table from conditions, or from the values of one attribute, to
//! pipelines.
//!
//! Conditions are asked in the order of the table. Those on data points divide a metric: its points
//! go each where their own condition sends them.

mod choice;
mod request;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context};

use crate::routing::Routing;
use choice::Choice;
pub(crate) use settings::Settings;

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.connector.routing "example" {
  default_pipelines = ["example"]

  table = [
    {
      context   = "log"
      condition = "severity_number >= SEVERITY_NUMBER_ERROR"
      pipelines = ["example"]
    },
  ]
}

bessemer.pipeline "example" {
  to = []
}
"#;

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    if settings.from_attribute.is_some() {
        return Ok(Built::Route(Arc::new(Routing::new(settings.by_value()?)?)));
    }
    Ok(Built::Route(Arc::new(Choice::new(&settings, context)?)))
}
