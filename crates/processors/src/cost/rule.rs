//! One rule: which records it is for and what it makes of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bessemer_ottl::Context as Ottl;
use bessemer_pipeline::{Scratch, SettingsError};
use bessemer_record::edit::{self, Attribute, Target};
use bessemer_record::view::{LogRecordView, SpanView};
use bessemer_record::{Draft, Signal, Value};

use super::class::Class;
use super::content::{Hasher, Key};
use super::settings::{Action, RuleSettings};
use super::trim::Trim;
use super::window::Window;
use crate::attributes::guard::Guard;
use crate::filter::conditions::Failures;
use crate::probabilistic_sampler::decide::{hash_bucket, is_in_share};

/// The attribute that says for how many records one stands.
const COUNT: &str = "bessemer.aggregated";

/// Whether a record goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It does, perhaps shorter.
    Stays,
    /// It does not.
    Out,
}

/// What a rule keeps of the batch it is looking at.
#[derive(Debug, Default)]
pub(super) struct Traces {
    /// Records that were first of their kind.
    fresh: HashSet<Key>,
    /// By content, the record that stands for the others and their number.
    counted: HashMap<Key, (usize, i64)>,
}

/// A rule, ready to run.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) action: Action,
    classes: Vec<Class>,
    budget_used: f64,
    percentage: f64,
    guard: Option<Guard>,
    trim: Trim,
    hasher: Hasher,
    pub(super) window: Arc<Window>,
}

impl Rule {
    pub(super) fn new(
        index: usize,
        settings: &RuleSettings,
        hasher: &Hasher,
    ) -> Result<Self, SettingsError> {
        let path = format!("rule[{index}].condition");
        let text = settings.condition.as_ref().filter(|text| !text.is_empty());
        let contexts = &[Ottl::Log, Ottl::Span, Ottl::Metric];
        let guard = text.map(|text| Guard::compile(&path, text, contexts)).transpose()?;
        Ok(Self {
            action: settings.action,
            classes: settings.classes.clone(),
            budget_used: settings.budget_used / 100.0,
            percentage: settings.percentage.unwrap_or(100.0),
            guard,
            trim: Trim::new(settings),
            hasher: hasher.clone(),
            window: Arc::new(Window::new(settings.window.0, settings.entries_max)),
        })
    }

    /// Whether it is for a class while this part of the budget is used.
    pub(super) fn is_for(&self, class: Class, used: f64) -> bool {
        self.classes.contains(&class) && (self.budget_used == 0.0 || used >= self.budget_used)
    }

    /// Whether its condition holds.
    pub(super) fn holds(
        &self,
        draft: &mut Draft,
        index: usize,
        failures: &Failures,
        scratch: &mut Scratch,
    ) -> bool {
        let Some(guard) = &self.guard else { return true };
        guard.holds_for_item(draft, index, failures, scratch)
    }

    /// What becomes of a record it is for.
    pub(super) fn apply(
        &self,
        draft: &mut Draft,
        index: usize,
        now: u64,
        traces: &mut Traces,
        scratch: &mut Scratch,
    ) -> Fate {
        if matches!(self.action, Action::Dedupe | Action::Aggregate | Action::Trim) {
            // What earlier steps appended is content as well.
            draft.settle_tail(index);
        }
        match self.action {
            Action::Drop => Fate::Out,
            Action::Sample => self.sample(draft, index),
            Action::Dedupe => self.dedupe(draft, index, now, traces),
            Action::Aggregate => self.aggregate(draft, index, traces),
            Action::Trim => {
                self.trim.run(draft, index, &mut scratch.bytes);
                Fate::Stays
            }
        }
    }

    /// Data points are no samples of anything: leaving some out changes what the others mean.
    fn sample(&self, draft: &Draft, index: usize) -> Fate {
        let message = draft.item_bytes(index);
        let trace_id = match draft.signal() {
            Signal::Logs => LogRecordView::new(message).trace_id(),
            Signal::Traces => SpanView::new(message).trace_id(),
            Signal::Metrics => return Fate::Stays,
        };
        let has_trace = trace_id.iter().any(|byte| *byte != 0);
        let bucket = hash_bucket(0, if has_trace { trace_id } else { message });
        if is_in_share(bucket, self.percentage) { Fate::Stays } else { Fate::Out }
    }

    fn dedupe(&self, draft: &Draft, index: usize, now: u64, traces: &mut Traces) -> Fate {
        if draft.signal() != Signal::Logs {
            return Fate::Stays;
        }
        let key = self.hasher.content(draft, index);
        if !traces.fresh.contains(&key) && !self.window.has(key, now) {
            traces.fresh.insert(key);
            return Fate::Stays;
        }
        Fate::Out
    }

    fn aggregate(&self, draft: &Draft, index: usize, traces: &mut Traces) -> Fate {
        if draft.signal() != Signal::Logs {
            return Fate::Stays;
        }
        let key = self.hasher.shape(draft, index);
        let (_, count) =
            traces.counted.entry(key).and_modify(|one| one.1 += 1).or_insert((index, 1));
        if *count == 1 { Fate::Stays } else { Fate::Out }
    }

    /// Writes counts into the records that stand for others, and remembers what was fresh once the
    /// batch is safe.
    pub(super) fn finish(
        &self,
        draft: &mut Draft,
        traces: Traces,
        now: u64,
        scratch: &mut Scratch,
    ) {
        for (index, count) in traces.counted.into_values().filter(|(_, count)| *count > 1) {
            let attribute = Attribute::new(COUNT, &Value::Int(count));
            let out = &mut scratch.bytes;
            out.clear();
            edit::upsert(Target::Log, draft.item_bytes(index), &attribute, out);
            draft.replace_item(index, |_, message| message.extend_from_slice(out));
        }
        if !traces.fresh.is_empty() {
            let window = Arc::clone(&self.window);
            scratch.after.then(move || window.remember(traces.fresh, now));
        }
    }
}
