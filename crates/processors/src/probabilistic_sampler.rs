//! `otelcol.processor.probabilistic_sampler`: keeps a share of log records and spans.
//!
//! What decides is the trace id, or an attribute of a log record, and nothing else: every record of
//! a trace is kept or dropped alike, here and at every other collector with the same settings.
//! The modes `proportional` and `equalizing` also read the thresholds of earlier samplers and write
//! the one that holds then, so that a backend can count what a record stands for.

mod consistent;
pub(crate) mod decide;
#[cfg(test)]
mod tests;
mod threshold;
mod trace_state;

use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context, Scratch, SettingsError, Step};
use bessemer_record::value::AnyValue;
use bessemer_record::view::{LogRecordView, SpanView};
use bessemer_record::{Draft, Item, Signal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::attributes::text::text_of;
use consistent::Consistent;
use decide::{hash_bucket, is_in_share};
use threshold::Threshold;

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.processor.probabilistic_sampler "example" {
  sampling_percentage = 15.3

  output {
    traces = []
  }
}
"#;

/// The attribute by which a span says that it must be kept, or not.
const SPAN_PRIORITY: &str = "sampling.priority";

/// Settings of `otelcol.processor.probabilistic_sampler`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The share that is kept, in percent: 100 and more keeps everything, 0 nothing.
    #[serde(default)]
    pub sampling_percentage: f64,
    /// How a record is decided on.
    #[serde(default)]
    pub mode: Mode,
    /// What the hash starts from. Collectors that share the load of one tier need the same;
    /// another one at the next tier makes its decisions independent.
    #[serde(default)]
    pub hash_seed: u32,
    /// Drop records that have nothing to decide by; otherwise they are kept.
    #[serde(default = "fail_closed")]
    pub fail_closed: bool,
    /// What decides on log records.
    #[serde(default)]
    pub attribute_source: Source,
    /// The attribute of log records that decides, with `attribute_source = "record"` or where there
    /// is no trace id. Only with `hash_seed`.
    #[serde(default)]
    pub from_attribute: String,
    /// The attribute of log records that holds a percentage of its own: 0 drops the record, 100
    /// keeps it. Spans have `sampling.priority`: 0 drops, all else keeps.
    #[serde(default)]
    pub sampling_priority: String,
    /// Hexadecimal digits of the thresholds that `proportional` and `equalizing` write, 1 to 14:
    /// in the trace state of spans (`ot=th:...`), in the attribute `sampling.threshold` of log
    /// records. The random bits are those of the trace id, unless the trace state (`rv`) or the
    /// attribute `sampling.randomness` has others.
    #[serde(default = "sampling_precision")]
    pub sampling_precision: u8,
}

fn sampling_precision() -> u8 {
    4
}

fn fail_closed() -> bool {
    true
}

/// How a record is decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// By a hash (FNV-1a, 14 bits of it) of the trace id or of the attribute.
    #[default]
    HashSeed,
    /// By 56 random bits: of what earlier samplers left, the share is kept.
    Proportional,
    /// By 56 random bits: what earlier samplers thinned to less than the share passes, the rest is
    /// thinned to the share.
    Equalizing,
}

/// What decides on log records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) enum Source {
    /// The trace id; where there is none, the attribute.
    #[default]
    #[serde(rename = "traceID")]
    TraceId,
    /// The attribute.
    #[serde(rename = "record")]
    Record,
}

pub(crate) fn build(settings: &RawSettings, _: &Context) -> Result<Built, BuildError> {
    Ok(Built::Step(Arc::new(Sampler::new(read(settings)?)?)))
}

/// The step.
#[derive(Debug)]
struct Sampler {
    settings: Settings,
    /// How records are decided on by thresholds; without it, by hashes.
    consistent: Option<Consistent>,
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Decision {
    Drop,
    Keep,
    /// It is kept and says so.
    Mark(Threshold),
}

impl Decision {
    fn keep(is_kept: bool) -> Self {
        if is_kept { Self::Keep } else { Self::Drop }
    }
}

impl Sampler {
    fn new(settings: Settings) -> Result<Self, SettingsError> {
        let percentage = settings.sampling_percentage;
        if !percentage.is_finite() || percentage < 0.0 {
            let problem = format!("is {percentage}");
            let remedy = "write a number from 0 to 100";
            return Err(SettingsError::new("sampling_percentage", problem, remedy));
        }
        let has_attribute = !settings.from_attribute.is_empty();
        if settings.attribute_source == Source::Record && !has_attribute {
            let remedy = "name the attribute that decides";
            return Err(SettingsError::new("from_attribute", "is not set", remedy));
        }
        if settings.mode != Mode::HashSeed && has_attribute {
            let remedy = "write mode = \"hash_seed\" or remove it";
            return Err(SettingsError::new("from_attribute", "has no random bits", remedy));
        }
        if !(1..=14).contains(&settings.sampling_precision) {
            let problem = format!("is {}", settings.sampling_precision);
            return Err(SettingsError::new("sampling_precision", problem, "write 1 to 14"));
        }
        let consistent = Consistent::new(settings.mode, settings.sampling_precision);
        Ok(Self { settings, consistent })
    }

    fn decide(&self, draft: &Draft, index: usize) -> Decision {
        let percentage = self.percentage(draft, index);
        // A share of all or nothing needs nothing to decide by.
        if percentage <= 0.0 || percentage >= 100.0 {
            return Decision::keep(percentage > 0.0);
        }
        let decided = match &self.consistent {
            Some(consistent) => consistent.decide(draft, index, percentage / 100.0),
            None => self.by_hash(draft, index, percentage).map(Decision::keep),
        };
        decided.unwrap_or(Decision::keep(!self.settings.fail_closed))
    }

    fn by_hash(&self, draft: &Draft, index: usize, percentage: f64) -> Option<bool> {
        let message = draft.item_bytes(index);
        let settings = &self.settings;
        let (trace_id, by_attribute) = match draft.signal() {
            Signal::Traces => (SpanView::new(message).trace_id(), None),
            Signal::Logs => {
                let key = settings.from_attribute.as_bytes();
                let value = (!key.is_empty()).then(|| draft.attribute(index, key)).flatten();
                (LogRecordView::new(message).trace_id(), value)
            }
            Signal::Metrics => return Some(true),
        };
        let is_by_attribute =
            draft.signal() == Signal::Logs && settings.attribute_source == Source::Record;
        let seed = settings.hash_seed;
        if !is_by_attribute && trace_id.iter().any(|byte| *byte != 0) {
            return Some(is_in_share(hash_bucket(seed, trace_id), percentage));
        }
        let value = by_attribute.map(text_of).filter(|text| !text.is_empty());
        value.map(|text| is_in_share(hash_bucket(seed, text.as_bytes()), percentage))
    }

    /// The share that holds for a record: its own, if it names one.
    fn percentage(&self, draft: &Draft, index: usize) -> f64 {
        let own = |key: &str| draft.attribute(index, key.as_bytes()).and_then(number);
        let all = self.settings.sampling_percentage;
        match draft.signal() {
            Signal::Traces => match own(SPAN_PRIORITY) {
                Some(0.0) => 0.0,
                Some(_) => 100.0,
                None => all,
            },
            Signal::Logs if !self.settings.sampling_priority.is_empty() => {
                own(&self.settings.sampling_priority).map_or(all, |own| own.max(0.0))
            }
            Signal::Logs | Signal::Metrics => all,
        }
    }
}

fn number(value: AnyValue<'_>) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a percentage is a small number")]
    let whole = |number: i64| number as f64;
    value.as_int().map(whole).or_else(|| value.as_double())
}

impl Step for Sampler {
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch) {
        for index in 0..draft.len() {
            if draft.items().get(index).is_none_or(Item::is_dropped) {
                continue;
            }
            match self.decide(draft, index) {
                Decision::Keep => {}
                Decision::Drop => draft.drop_item(index),
                Decision::Mark(threshold) => {
                    consistent::mark(draft, index, threshold, &mut scratch.bytes);
                }
            }
        }
    }
}
