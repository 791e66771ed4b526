//! `bessemer.pipeline`: a name for a set of inputs. Its `to` list is read by config and becomes
//! edges; nothing runs here.

use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"bessemer.pipeline "example" {
  to = []
}
"#;

/// Settings of `bessemer.pipeline`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {}

pub(crate) fn build(settings: &RawSettings, _: &Context) -> Result<Built, BuildError> {
    let Settings {} = read(settings)?;
    Ok(Built::Pipeline)
}
