//! Settings of `otelcol.processor.logdedup`, as they are written.

use std::time::Duration;

use bessemer_pipeline::SettingsError;
use bessemer_runtime::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of `otelcol.processor.logdedup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// How long equal records are counted before one of them leaves. It leaves earlier when many
    /// different ones are held.
    pub interval: Span,
    /// Conditions in OTTL for log records: one for which none of them holds passes at once and
    /// uncounted. Without conditions every record is counted.
    pub conditions: Vec<String>,
    /// The attribute that gets the number of records.
    pub log_count_attribute: String,
    /// The time zone, by its IANA name, of the attributes `first_observed_timestamp` and
    /// `last_observed_timestamp`: when the first and the last of the records arrived.
    pub timezone: String,
    /// Fields that alone decide whether records are equal: `attributes.NAME` or `body.NAME`, nested
    /// names after further dots, a dot in a name as `\.`. Of a record that has none of them, all
    /// counts. Cannot be set together with `exclude_fields`.
    pub include_fields: Vec<String>,
    /// Fields that do not count and are removed from what leaves, written alike.
    pub exclude_fields: Vec<String>,
    /// Request headers that the receiver keeps (`include_metadata`) whose values must be equal too.
    pub metadata_keys: Vec<String>,
    /// Distinct combinations of those values that are held at most; a further one lets everything
    /// that is held leave. Zero for no limit of its own.
    pub metadata_cardinality_limit: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Span(Duration::from_secs(10)),
            conditions: Vec::new(),
            log_count_attribute: "log_count".to_owned(),
            timezone: "UTC".to_owned(),
            include_fields: Vec::new(),
            exclude_fields: Vec::new(),
            metadata_keys: Vec::new(),
            metadata_cardinality_limit: 0,
        }
    }
}

impl Settings {
    pub(super) fn interval(&self) -> Result<Duration, SettingsError> {
        if self.interval.0 == Duration::ZERO {
            return Err(SettingsError::new("interval", "is zero", "write for example \"10s\""));
        }
        Ok(self.interval.0)
    }
}
