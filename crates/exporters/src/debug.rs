//! `otelcol.exporter.debug`: what arrives here, on the log of the process.

use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::{BuildError, QueueSettings, read};
use bessemer_pipeline::{Built, Context, Delivery, Exporter, Verdict};
use bessemer_record::{Checked, json};
use bessemer_runtime::{BoxFuture, Ignored};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.exporter.debug "example" {
  verbosity = "detailed"
}
"#;

/// Bytes of one delivery that are printed at most.
const PRINTED_BYTES_MAX: usize = 64 << 10;

/// Settings of `otelcol.exporter.debug`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// `basic`: one line of counts for each delivery. `normal` and `detailed`: its content as OTLP
    /// JSON too.
    pub verbosity: Verbosity,
    /// Every delivery is printed.
    #[serde(skip_serializing)]
    pub sampling_initial: Ignored,
    /// Every delivery is printed.
    #[serde(skip_serializing)]
    pub sampling_thereafter: Ignored,
    /// It prints to the log of the process.
    #[serde(skip_serializing)]
    pub use_internal_logger: Ignored,
    /// It prints to the log of the process.
    #[serde(skip_serializing)]
    pub output_paths: Ignored,
    /// How its queue behaves.
    pub queue: QueueSettings,
}

/// How much is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verbosity {
    /// Counts.
    #[default]
    Basic,
    /// Counts and content.
    Normal,
    /// Counts and content.
    Detailed,
}

struct Debug {
    id: String,
    verbosity: Verbosity,
}

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    let exporter = Debug { id: context.id.clone(), verbosity: settings.verbosity };
    Ok(Built::Exporter { exporter: Arc::new(exporter), queue: settings.queue })
}

impl Debug {
    fn print(&self, delivery: &Delivery) {
        let (signal, records, bytes) =
            (delivery.signal.as_str(), delivery.records(), delivery.bytes());
        if self.verbosity == Verbosity::Basic {
            tracing::info!(component = %self.id, signal, records, bytes, "delivered");
            return;
        }
        let batch = Checked::trusted(delivery.signal, delivery.payload(), records);
        let mut text = String::from_utf8(json::to_otlp_json(&batch)).unwrap_or_default();
        let is_cut = text.len() > PRINTED_BYTES_MAX;
        if is_cut {
            let end = (0..=PRINTED_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end));
            text.truncate(end.unwrap_or(0));
        }
        tracing::info!(component = %self.id, signal, records, bytes, is_cut, content = %text, "delivered");
    }
}

impl Exporter for Debug {
    fn deliver<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Verdict> {
        self.print(delivery);
        Box::pin(std::future::ready(Verdict::Delivered))
    }
}
