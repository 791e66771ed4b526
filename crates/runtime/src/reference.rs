//! How a settings type names what another component offers.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Names what another component offers: its input, a handler, a content.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename = "$bessemer::Reference")]
pub struct Reference {
    /// The id of the component.
    pub node: String,
    /// What it offers, such as `input` or `handler`.
    pub export: String,
}

impl JsonSchema for Reference {
    fn schema_name() -> Cow<'static, str> {
        "reference".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "reference" })
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.node)?;
        if self.export.is_empty() { Ok(()) } else { write!(formatter, ".{}", self.export) }
    }
}
