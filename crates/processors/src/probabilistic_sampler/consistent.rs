//! Decisions by thresholds: every sampler on a way compares the same random number, so what one
//! keeps another with a greater share keeps, too.

use bessemer_record::edit::{self, Attribute, Field, Target};
use bessemer_record::value::AnyValue;
use bessemer_record::view::{LogRecordView, SpanView};
use bessemer_record::{Draft, Signal, Value};

use super::decide::randomness;
use super::threshold::{Threshold, random_number};
use super::trace_state::TraceState;
use super::{Decision, Mode};

/// The field of a `Span` with its trace state.
const TRACE_STATE: u32 = 3;
/// Where log records have what spans have in their trace states.
const THRESHOLD: &str = "sampling.threshold";
const RANDOMNESS: &str = "sampling.randomness";

/// How thresholds follow from earlier ones.
#[derive(Debug)]
pub(super) struct Consistent {
    is_proportional: bool,
    precision: u8,
}

/// What a record brings along.
struct Came {
    random: Option<u64>,
    threshold: Option<Threshold>,
}

impl Consistent {
    /// Nothing for a mode that decides by hashes.
    pub(super) fn new(mode: Mode, precision: u8) -> Option<Self> {
        match mode {
            Mode::HashSeed => None,
            Mode::Proportional => Some(Self { is_proportional: true, precision }),
            Mode::Equalizing => Some(Self { is_proportional: false, precision }),
        }
    }

    /// Decides on a record; nothing if it has no random number.
    pub(super) fn decide(&self, draft: &Draft, index: usize, share: f64) -> Option<Decision> {
        let came = match draft.signal() {
            Signal::Logs => of_log(draft, index),
            Signal::Traces => of_span(draft.item_bytes(index)),
            Signal::Metrics => return Some(Decision::Keep),
        };
        let random = came.random?;
        // An earlier threshold under which the record could not be here says nothing.
        let earlier = came.threshold.filter(|threshold| threshold.samples(random));
        let share = match earlier {
            Some(earlier) if self.is_proportional => share * earlier.share(),
            _ => share,
        };
        let Some(own) = Threshold::of(share, self.precision) else { return Some(Decision::Drop) };
        Some(match earlier.map_or(own, |earlier| earlier.max(own)) {
            threshold if !threshold.samples(random) => Decision::Drop,
            threshold if came.threshold == Some(threshold) => Decision::Keep,
            threshold => Decision::Mark(threshold),
        })
    }
}

fn of_span(message: &[u8]) -> Came {
    let state = TraceState::read(trace_state(message));
    let random = state.random.or_else(|| of_trace_id(SpanView::new(message).trace_id()));
    Came { random, threshold: state.threshold }
}

fn of_log(draft: &Draft, index: usize) -> Came {
    let text = |key: &str| draft.attribute(index, key.as_bytes()).and_then(AnyValue::as_str);
    let trace_id = LogRecordView::new(draft.item_bytes(index)).trace_id();
    Came {
        random: text(RANDOMNESS).and_then(random_number).or_else(|| of_trace_id(trace_id)),
        threshold: text(THRESHOLD).and_then(Threshold::parse),
    }
}

fn of_trace_id(trace_id: &[u8]) -> Option<u64> {
    trace_id.iter().any(|byte| *byte != 0).then(|| randomness(trace_id)).flatten()
}

fn trace_state(span: &[u8]) -> &str {
    let bytes = edit::field(span, TRACE_STATE).and_then(Field::bytes).unwrap_or_default();
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Writes the threshold that holds now into a record.
pub(super) fn mark(draft: &mut Draft, index: usize, threshold: Threshold, out: &mut Vec<u8>) {
    draft.settle_tail(index);
    out.clear();
    let message = draft.item_bytes(index);
    if draft.signal() == Signal::Logs {
        let attribute = Attribute::new(THRESHOLD, &Value::String(threshold.text()));
        edit::upsert(Target::Log, message, &attribute, out);
    } else {
        let state = TraceState::read(trace_state(message)).with(threshold);
        edit::replace_fields(message, TRACE_STATE, &[], &[Field::Bytes(state.as_bytes())], out);
    }
    draft.replace_item(index, |_, message| message.extend_from_slice(out));
}
