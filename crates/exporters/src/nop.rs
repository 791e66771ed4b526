//! `bessemer.exporter.nop`: a destination that takes everything at once.

use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::{BuildError, QueueSettings, read};
use bessemer_pipeline::{Built, Context, Delivery, Exporter, Verdict};
use bessemer_runtime::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"bessemer.exporter.nop "example" { }
"#;

/// Settings of `bessemer.exporter.nop`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// How its queue behaves.
    pub queue: QueueSettings,
}

struct Nop;

pub(crate) fn build(settings: &RawSettings, _: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    Ok(Built::Exporter { exporter: Arc::new(Nop), queue: settings.queue })
}

impl Exporter for Nop {
    fn deliver<'a>(&'a self, _: &'a Delivery) -> BoxFuture<'a, Verdict> {
        Box::pin(std::future::ready(Verdict::Delivered))
    }
}
