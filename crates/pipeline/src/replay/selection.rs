//! Which records are meant: of dead letters and of what the journal still holds.

use std::ops::Range;
use std::sync::Arc;

use bessemer_journal::DeadLetter;
use bessemer_ottl::{Compiler, Condition, Context, Environment, Functions};
use bessemer_record::edit::{self, Attribute};
use bessemer_record::value::AnyValue;
use bessemer_record::{Checked, Draft, Signal, Tails, Value};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::ReplayError;
use crate::meta::Meta;

/// The attribute that says which replay a log record or span came with. Data points have none: it
/// would make another series of them.
pub const MARK: &str = "bessemer.replay";
/// The header in the meta of a replayed batch that says the same, of every signal.
pub const MARK_HEADER: &str = "bessemer-replay";
/// The attribute by which a class is told.
const CLASS: &[u8] = b"ai.classification";
const PICKED: u16 = 0;
const LEFT: u16 = 1;

/// Which records are meant; every given field must match.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// Component id of the destination whose records they are.
    pub destination: Option<String>,
    /// The first number of one dead letter in its log.
    pub number: Option<u64>,
    /// Refused, or received, not before: RFC 3339, or nanoseconds since the Unix epoch.
    pub from: Option<String>,
    /// Refused, or received, before.
    pub until: Option<String>,
    /// Part of the reason.
    pub reason: Option<String>,
    /// The status, exactly.
    pub status: Option<String>,
    /// The class that a record has in `ai.classification`.
    pub class: Option<String>,
    /// A condition in OTTL that holds for the record: log, span or metric.
    #[serde(rename = "where")]
    pub condition: Option<String>,
}

impl Selection {
    /// Whether it means everything.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

/// A selection that is ready to be asked.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    selection: Selection,
    times: Range<u64>,
    conditions: Option<Vec<Condition>>,
    now: Environment,
}

/// A batch in two: what is meant of it, and the rest.
#[derive(Debug, Default)]
pub(crate) struct Divided {
    pub(crate) picked: Option<(Bytes, u32)>,
    pub(crate) left: Option<(Bytes, u32)>,
}

impl Filter {
    pub(crate) fn new(selection: &Selection, now_unix_nanos: u64) -> Result<Self, ReplayError> {
        let bound = |name: &str, text: &Option<String>| {
            text.as_deref().map(|text| time(name, text)).transpose()
        };
        let from = bound("from", &selection.from)?.unwrap_or_default();
        let until = bound("until", &selection.until)?.unwrap_or(u64::MAX);
        Ok(Self {
            conditions: selection.condition.as_deref().map(compile).transpose()?,
            selection: selection.clone(),
            times: from..until,
            now: Environment::at(now_unix_nanos),
        })
    }

    /// Whether a letter may have records that are meant.
    pub(crate) fn takes_letter(&self, number: u64, letter: &DeadLetter) -> bool {
        let Selection { reason, status, .. } = &self.selection;
        self.takes_time(letter.refused_at_unix_nanos)
            && self.selection.number.is_none_or(|wanted| wanted == number)
            && reason.as_ref().is_none_or(|part| letter.reason.contains(part.as_str()))
            && status.as_ref().is_none_or(|status| letter.status == *status)
    }

    pub(crate) fn takes_time(&self, unix_nanos: u64) -> bool {
        self.times.contains(&unix_nanos)
    }

    fn looks_into_records(&self) -> bool {
        self.conditions.is_some() || self.selection.class.is_some()
    }

    fn takes_record(&self, draft: &Draft, index: usize) -> bool {
        let class = self.selection.class.as_deref();
        let has_class = class.is_none_or(|class| {
            draft.attribute(index, CLASS).and_then(AnyValue::as_str) == Some(class)
        });
        // A condition that cannot be computed for a record does not hold for it.
        has_class
            && self.conditions.as_ref().is_none_or(|conditions| {
                let wanted = context(draft.signal());
                let own = conditions.iter().filter(|condition| condition.context() == wanted);
                own.into_iter().any(|condition| {
                    condition.holds_for_item(draft, index, &self.now).unwrap_or_default()
                })
            })
    }

    /// Divides a batch; `mark` names the replay that what is meant goes with.
    pub(crate) fn divide(&self, batch: &Checked, mark: Option<&str>) -> Divided {
        let mark = mark.filter(|_| batch.signal() != Signal::Metrics);
        let whole = Some((batch.bytes().clone(), batch.records()));
        if !self.looks_into_records() && mark.is_none() {
            return Divided { picked: whole, left: None };
        }
        let mut draft = Draft::from_checked(batch, &Tails::none());
        let picked: Vec<bool> =
            (0..draft.len()).map(|index| self.takes_record(&draft, index)).collect();
        if !picked.contains(&true) {
            return Divided { picked: None, left: whole };
        }
        let mark = mark.map(|id| Attribute::new(MARK, &Value::String(id.to_owned())));
        for (index, picked) in picked.iter().enumerate() {
            if let (true, Some(mark)) = (*picked, &mark) {
                let target = edit::Target::from(batch.signal());
                draft.replace_item(index, |message, out| {
                    edit::upsert(target, message, mark, out);
                });
            }
        }
        for (item, picked) in draft.items_mut().iter_mut().zip(&picked) {
            item.route = if *picked { PICKED } else { LEFT };
        }
        let mut divided = Divided::default();
        for emitted in draft.emit(|item| item.route, 2) {
            let part = (emitted.records > 0).then_some((emitted.bytes, emitted.records));
            if emitted.output == PICKED {
                divided.picked = part;
            } else {
                divided.left = part;
            }
        }
        divided
    }
}

/// The meta of a replayed batch.
pub(crate) fn marked_meta(signal: Signal, mut meta: Meta, id: &str) -> Bytes {
    meta.headers.retain(|(name, _)| name != MARK_HEADER);
    meta.headers.push((MARK_HEADER.to_owned(), id.to_owned()));
    meta.encode(signal).into()
}

fn context(signal: Signal) -> Context {
    match signal {
        Signal::Logs => Context::Log,
        Signal::Metrics => Context::Metric,
        Signal::Traces => Context::Span,
    }
}

/// The condition for each kind of record that has what it names.
fn compile(text: &str) -> Result<Vec<Condition>, ReplayError> {
    let functions: Arc<Functions> = Arc::new(Functions::standard());
    let contexts = [Context::Log, Context::Span, Context::Metric];
    let compiled = contexts.map(|context| Compiler::new(context, &functions).condition(text));
    let mut conditions = Vec::new();
    let mut first_error = None;
    for one in compiled {
        match one {
            Ok(condition) => conditions.push(condition),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match first_error {
        Some(error) if conditions.is_empty() => {
            Err(ReplayError::Bad(format!("where {text:?} is wrong at {error}")))
        }
        _ => Ok(conditions),
    }
}

fn time(name: &str, text: &str) -> Result<u64, ReplayError> {
    if let Ok(nanos) = text.parse::<u64>() {
        return Ok(nanos);
    }
    let error = || {
        let hint = "write RFC 3339 or nanoseconds since the epoch";
        ReplayError::Bad(format!("{name} is {text:?}, {hint}"))
    };
    let timestamp: jiff::Timestamp = text.parse().map_err(|_| error())?;
    u64::try_from(timestamp.as_nanosecond()).map_err(|_| error())
}

#[cfg(test)]
mod tests {
    use bessemer_record::view::LogsView;
    use bessemer_record::{Limits, json};
    use proptest::prelude::*;

    use super::*;

    fn batch(ids: &[u64]) -> Checked {
        let records: Vec<_> = ids
            .iter()
            .map(|id| {
                let class = if id % 2 == 0 { "info" } else { "critical" };
                serde_json::json!({
                    "timeUnixNano": id.to_string(),
                    "severityNumber": id % 24,
                    "attributes": [
                        { "key": "ai.classification", "value": { "stringValue": class } }
                    ],
                })
            })
            .collect();
        let request =
            serde_json::json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": records }] }] });
        let text = request.to_string();
        json::from_otlp_json(Signal::Logs, text.as_bytes(), &Limits::default()).unwrap()
    }

    fn ids(part: Option<&(Bytes, u32)>) -> Vec<u64> {
        let Some((bytes, records)) = part else { return Vec::new() };
        let view = LogsView::new(bytes);
        let ids: Vec<u64> = view.records().map(|found| found.record.time_unix_nano()).collect();
        assert_eq!(ids.len(), *records as usize);
        ids
    }

    fn filter(selection: &Selection) -> Filter {
        Filter::new(selection, 0).unwrap()
    }

    proptest! {
        #[test]
        fn every_record_is_either_picked_or_left_and_only_the_picked_are_marked(
            all in proptest::collection::vec(0..1000_u64, 1..20), bound in 0..24_u64,
            by_class: bool,
        ) {
            let selection = Selection {
                condition: Some(format!("severity_number >= {bound}")),
                class: by_class.then(|| "critical".to_owned()),
                ..Selection::default()
            };
            let divided = filter(&selection).divide(&batch(&all), Some("id"));
            let is_meant = |id: &u64| id % 24 >= bound && (!by_class || id % 2 == 1);
            let (picked, left): (Vec<u64>, Vec<u64>) = all.iter().partition(|id| is_meant(id));
            prop_assert_eq!(ids(divided.picked.as_ref()), picked);
            prop_assert_eq!(ids(divided.left.as_ref()), left);
            for (part, mark) in [(divided.picked, Some("id")), (divided.left, None)] {
                for found in part.iter().flat_map(|part| LogsView::new(&part.0).records()) {
                    let value = found.record.attributes().get(MARK);
                    prop_assert_eq!(value.and_then(AnyValue::as_str), mark);
                }
            }
        }

        #[test]
        fn foreign_conditions_and_times_never_panic(text: String) {
            let selection = Selection {
                condition: Some(text.clone()),
                from: Some(text),
                ..Selection::default()
            };
            drop(Filter::new(&selection, 0));
        }
    }

    #[test]
    fn a_condition_that_fits_no_signal_is_refused_with_its_place() {
        let condition = Some("no_such_path == 1".to_owned());
        let error = Filter::new(&Selection { condition, ..Selection::default() }, 0).unwrap_err();
        assert!(error.to_string().contains("no_such_path"), "{error}");
    }

    #[test]
    fn without_a_question_about_records_a_batch_stays_the_bytes_it_was() {
        let batch = batch(&[1, 2, 3]);
        let divided = filter(&Selection::default()).divide(&batch, None);
        assert_eq!(divided.picked.unwrap().0.as_ptr(), batch.bytes().as_ptr());
    }
}
