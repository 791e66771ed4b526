//! `otelcol.processor.batch`: marks the exporters behind it with how to assemble deliveries.
//! Records do not wait here; what is acknowledged is already in the journal.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Assembly, Built, Context, Gate, Meta, Overload, SettingsError};
use bessemer_runtime::Span;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.processor.batch "example" {
  send_batch_size     = 2048
  send_batch_max_size = 4096
  timeout             = "5s"

  output {
    logs = []
  }
}
"#;

/// Bytes of one delivery that `batch` fills up to at most.
const BYTES_MAX: usize = 8 << 20;

/// Settings of `otelcol.processor.batch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// How long the first record of a delivery waits for others.
    pub timeout: Span,
    /// Records from which a delivery leaves at once; zero leaves it to the timeout.
    pub send_batch_size: u32,
    /// Records of one delivery at most; larger arrivals are split. Zero for no limit.
    pub send_batch_max_size: u32,
    /// Request headers that the receiver keeps (`include_metadata`) whose values must be equal
    /// within a delivery.
    pub metadata_keys: Vec<String>,
    /// Distinct combinations of those values at most; a batch with a further one is refused.
    pub metadata_cardinality_limit: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: Span(Duration::from_millis(200)),
            send_batch_size: 8192,
            send_batch_max_size: 0,
            metadata_keys: Vec::new(),
            metadata_cardinality_limit: 1000,
        }
    }
}

pub(crate) fn build(settings: &RawSettings, _: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    if settings.send_batch_max_size > 0 && settings.send_batch_max_size < settings.send_batch_size {
        return Err(SettingsError::new(
            "send_batch_max_size",
            format!("is {}, below send_batch_size", settings.send_batch_max_size),
            format!("write at least {} or 0", settings.send_batch_size),
        )
        .into());
    }
    let metadata_keys: Vec<String> =
        settings.metadata_keys.iter().map(|key| key.to_ascii_lowercase()).collect();
    let distinct: BTreeSet<&String> = metadata_keys.iter().collect();
    if distinct.len() < metadata_keys.len() {
        let remedy = "name each header once; case does not matter";
        return Err(SettingsError::new("metadata_keys", "has a duplicate", remedy).into());
    }
    let assembly = Assembly {
        records: if settings.send_batch_size == 0 { u32::MAX } else { settings.send_batch_size },
        records_max: settings.send_batch_max_size,
        bytes: BYTES_MAX,
        timeout: settings.timeout.0,
        metadata_keys: metadata_keys.clone(),
    };
    let gate = (!metadata_keys.is_empty()).then(|| {
        Arc::new(Cardinality {
            keys: metadata_keys,
            limit: usize::try_from(settings.metadata_cardinality_limit).unwrap_or(usize::MAX),
            seen: Mutex::new(BTreeSet::new()),
        }) as Arc<dyn Gate>
    });
    Ok(Built::Assembly(assembly, gate))
}

/// Refuses what would make one combination of values too many.
#[derive(Debug)]
struct Cardinality {
    keys: Vec<String>,
    limit: usize,
    seen: Mutex<BTreeSet<Vec<Option<String>>>>,
}

impl Gate for Cardinality {
    fn admit(&self, meta: &Meta, _: usize) -> Result<(), Overload> {
        let values: Vec<Option<String>> =
            self.keys.iter().map(|key| meta.header(key).map(str::to_owned)).collect();
        let mut seen = self.seen.lock();
        if seen.contains(&values) {
            return Ok(());
        }
        if self.limit > 0 && seen.len() >= self.limit {
            let reason = format!(
                "too many combinations of {}: at most {} are kept apart",
                self.keys.join(", "),
                self.limit
            );
            return Err(Overload::Never { reason });
        }
        seen.insert(values);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_combination_beyond_the_limit_is_refused_and_known_ones_pass() {
        let gate = Cardinality { keys: vec!["x".into()], limit: 2, seen: Mutex::default() };
        let meta =
            |value: &str| Meta { headers: vec![("x".into(), value.into())], ..Meta::default() };
        assert!(gate.admit(&meta("a"), 1).is_ok());
        assert!(gate.admit(&Meta::default(), 1).is_ok());
        assert!(matches!(gate.admit(&meta("b"), 1), Err(Overload::Never { .. })));
        assert!(gate.admit(&meta("a"), 1).is_ok());
    }
}
