//! `otelcol.connector.count`: counts spans, span events, metrics, data points and log records.
//!
//! Each batch gives sums of its own, with delta temporality, that are acknowledged together with the
//! batch they were counted in: a batch that is refused and comes again is counted once.

mod request;
mod settings;
mod tally;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_ottl::{Condition, Context as Ottl, Environment, Functions};
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context, Derive, Scratch, SettingsError};
use bessemer_record::edit::fields;
use bessemer_record::{Draft, Item, Signal, Value};
use bytes::Bytes;

use crate::filter::conditions::{self, ErrorMode, Failures};
pub(crate) use settings::Settings;
use settings::{DefaultValue, Table};
use tally::{Labels, Tally};

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.connector.count "example" {
  logs {
    name        = "my.error.log.count"
    description = "Error+ logs."
    conditions  = ["severity_number >= SEVERITY_NUMBER_ERROR"]

    attributes {
      key           = "env"
      default_value = "unknown"
    }
  }

  output {
    metrics = []
  }
}
"#;

/// The field of each kind of metric data, and in its data points that of the attributes: gauge, sum,
/// histogram, exponential histogram, summary.
const DATA: [(u32, u32); 5] = [(5, 7), (7, 7), (9, 9), (10, 1), (11, 7)];
const POINTS: u32 = 1;
const LOG_ATTRIBUTES: u32 = 6;
const SPAN_ATTRIBUTES: u32 = 9;
const SPAN_EVENTS: u32 = 11;
const EVENT_ATTRIBUTES: u32 = 3;
/// Fields of times, in nanoseconds since 1970.
const LOG_TIMES: &[u32] = &[1];
const SPAN_TIMES: &[u32] = &[7, 8];
const EVENT_TIMES: &[u32] = &[1];
const POINT_TIMES: &[u32] = &[3];

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    Ok(Built::Derive(Arc::new(Count::new(settings, context)?)))
}

/// A metric that counts.
#[derive(Debug)]
struct Counted {
    name: String,
    description: String,
    /// One of them has to hold, if there is one.
    conditions: Vec<Condition>,
    /// Attributes that divide the count, with what stands for an absent one.
    attributes: Vec<(String, Option<Value>)>,
}

/// The connector.
#[derive(Debug)]
struct Count {
    spans: Vec<Counted>,
    events: Vec<Counted>,
    metrics: Vec<Counted>,
    points: Vec<Counted>,
    logs: Vec<Counted>,
    failures: Failures,
}

impl Count {
    fn new(settings: Settings, context: &Context) -> Result<Self, SettingsError> {
        let Settings { spans, spanevents, metrics, datapoints, logs } = settings;
        Ok(Self {
            spans: counted("spans", spans, Ottl::Span, ("trace.span.count", "spans"))?,
            events: counted(
                "spanevents",
                spanevents,
                Ottl::SpanEvent,
                ("trace.span.event.count", "span events"),
            )?,
            metrics: counted("metrics", metrics, Ottl::Metric, ("metric.count", "metrics"))?,
            points: counted(
                "datapoints",
                datapoints,
                Ottl::DataPoint,
                ("metric.datapoint.count", "data points"),
            )?,
            logs: counted("logs", logs, Ottl::Log, ("log.record.count", "log records"))?,
            failures: Failures::new(context, ErrorMode::Ignore),
        })
    }

    /// What counts items of a signal, and what counts what is in them.
    fn counted(&self, signal: Signal) -> [&[Counted]; 2] {
        match signal {
            Signal::Logs => [&self.logs, &[]],
            Signal::Traces => [&self.spans, &self.events],
            Signal::Metrics => [&self.metrics, &self.points],
        }
    }

    fn item(&self, at: At<'_>, tallies: &mut [Tally; 2], scratch: &mut Scratch) {
        let At { draft, index, .. } = at;
        let own = draft.item_bytes(index);
        let [items, children] = tallies;
        let around = [(draft.scope(index), 3), (draft.resource(index), 1)];
        let labels = |message, attributes| Labels::new((message, attributes), around);
        match draft.signal() {
            Signal::Logs => {
                items.see(own, LOG_TIMES);
                self.whole(&self.logs, at, &labels(own, LOG_ATTRIBUTES), items, scratch);
            }
            Signal::Traces => {
                items.see(own, SPAN_TIMES);
                self.whole(&self.spans, at, &labels(own, SPAN_ATTRIBUTES), items, scratch);
                let mut events = Vec::new();
                for event in parts(own, SPAN_EVENTS) {
                    children.see(event, EVENT_TIMES);
                    events.push(labels(event, EVENT_ATTRIBUTES));
                }
                self.parts(&self.events, at, &events, children, scratch);
            }
            Signal::Metrics => {
                self.whole(&self.metrics, at, &labels(&[], 0), items, scratch);
                let Some((data, attributes)) = data(own) else { return };
                let mut points = Vec::new();
                for point in parts(data, POINTS) {
                    children.see(point, POINT_TIMES);
                    points.push(labels(point, attributes));
                }
                self.parts(&self.points, at, &points, children, scratch);
            }
        }
    }

    /// Counts an item.
    fn whole(
        &self,
        counted: &[Counted],
        at: At<'_>,
        labels: &Labels<'_>,
        tally: &mut Tally,
        scratch: &mut Scratch,
    ) {
        for (number, metric) in counted.iter().enumerate() {
            let holds = |condition: &Condition| {
                let outcome = condition.holds_for_item(at.draft, at.index, at.now);
                self.failures.holds(condition, outcome, scratch)
            };
            if metric.conditions.is_empty() || metric.conditions.iter().any(holds) {
                tally.count(number, &metric.attributes, labels);
            }
        }
    }

    /// Counts what is in an item.
    fn parts(
        &self,
        counted: &[Counted],
        at: At<'_>,
        labels: &[Labels<'_>],
        tally: &mut Tally,
        scratch: &mut Scratch,
    ) {
        for (number, metric) in counted.iter().enumerate() {
            let mut holds = vec![metric.conditions.is_empty(); labels.len()];
            for condition in &metric.conditions {
                let outcomes = condition.holds_for_children(at.draft, at.index, at.now);
                for (holds, outcome) in holds.iter_mut().zip(outcomes) {
                    *holds |= self.failures.holds(condition, outcome, scratch);
                }
            }
            for (labels, _) in labels.iter().zip(holds).filter(|(_, holds)| *holds) {
                tally.count(number, &metric.attributes, labels);
            }
        }
    }
}

/// An item of a batch, at a time.
#[derive(Clone, Copy)]
struct At<'a> {
    draft: &'a Draft,
    index: usize,
    now: &'a Environment,
}

impl Derive for Count {
    fn signal(&self) -> Signal {
        Signal::Metrics
    }

    fn run(&self, draft: &mut Draft, scratch: &mut Scratch) -> Option<Bytes> {
        let signal = draft.signal();
        let now = self.failures.unix_nanos();
        let environment = Environment::at(now);
        let mut groups: Vec<Option<[Tally; 2]>> = Vec::new();
        groups.resize_with(draft.resource_groups() as usize, || None);
        for index in 0..draft.len() {
            if draft.items().get(index).is_none_or(Item::is_dropped) {
                continue;
            }
            draft.settle_tail(index);
            let group = draft.resource_group(index) as usize;
            let Some(tallies) = groups.get_mut(group) else { continue };
            let tallies = tallies.get_or_insert_with(|| self.counted(signal).map(Tally::new));
            self.item(At { draft, index, now: &environment }, tallies, scratch);
        }
        let [items, children] = self.counted(signal);
        let mut out = Vec::new();
        for (group, tallies) in (0_u32..).zip(&groups) {
            let Some([of_items, of_children]) = tallies else { continue };
            let both = [(items, of_items), (children, of_children)];
            request::resource(draft.group_resource(group), both, now, &mut out);
        }
        (!out.is_empty()).then(|| Bytes::from(out))
    }
}

/// The fields of a number in a message, as messages.
fn parts(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    fields(message).filter(move |(found, _)| *found == number).filter_map(|(_, part)| part.bytes())
}

/// The data of a metric, and where its points have their attributes; the last one counts.
fn data(metric: &[u8]) -> Option<(&[u8], u32)> {
    let kind = |number: u32| DATA.iter().find(|(data, _)| *data == number);
    let all = fields(metric).filter_map(|(number, field)| Some((field.bytes()?, kind(number)?.1)));
    all.last()
}

fn counted(
    name: &str,
    table: Option<Table>,
    about: Ottl,
    (default, what): (&str, &str),
) -> Result<Vec<Counted>, SettingsError> {
    let Some(table) = table else {
        return Ok(vec![Counted {
            name: default.to_owned(),
            description: format!("The number of {what} observed."),
            conditions: Vec::new(),
            attributes: Vec::new(),
        }]);
    };
    let functions = Functions::standard();
    let rows = table.rows().into_iter().map(|(metric, info)| {
        let path = format!("{name}.{metric}");
        if metric.is_empty() {
            return Err(SettingsError::new(name, "has no name", "name the metric"));
        }
        if about == Ottl::Metric && !info.attributes.is_empty() {
            let problem = "cannot be divided: metrics have no attributes of their own";
            return Err(SettingsError::new(&path, problem, "count datapoints instead"));
        }
        if info.attributes.iter().any(|attribute| attribute.key.is_empty()) {
            return Err(SettingsError::new(&path, "has no key", "name the attribute"));
        }
        let attributes = info.attributes.into_iter();
        Ok(Counted {
            conditions: conditions::compile_all(&path, about, &functions, &info.conditions)?,
            attributes: attributes
                .map(|one| (one.key, one.default_value.and_then(DefaultValue::value)))
                .collect(),
            name: metric,
            description: info.description,
        })
    });
    rows.collect()
}
