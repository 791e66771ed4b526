//! `otelcol.connector.routing`: the same table as `otelcol.processor.routing`, under the name and
//! settings that joins pipelines in the Collector. Conditions in OTTL come with that language.

use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context};

use crate::routing::Routing;
pub(crate) use crate::routing::Settings;

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.connector.routing "example" {
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

pub(crate) fn build(settings: &RawSettings, _: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    Ok(Built::Route(Arc::new(Routing::new(settings)?)))
}
