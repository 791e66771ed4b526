//! `otelcol.processor.filter`: drops records, by conditions in OTTL or by lists of what to include
//! and exclude.
//!
//! A batch of which everything stays leaves as the bytes it came in.

pub(crate) mod conditions;
mod expression;
mod functions;
mod legacy;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_ottl::{Conditions, Context as Ottl, Environment};
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context, Scratch, SettingsError, Step};
use bessemer_record::{Draft, Item, Signal};

use crate::attributes::filter::Filter as Matches;
use conditions::{Failures, compile_all};
use legacy::{Metrics, matches_of_logs};
pub(crate) use settings::Settings;

pub use functions::functions as condition_functions;

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.processor.filter "example" {
  error_mode = "ignore"

  logs {
    log_record = [
      "severity_number < SEVERITY_NUMBER_INFO",
      `IsMatch(body, "^health check")`,
    ]
  }

  output {
    logs = []
  }
}
"#;

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    Ok(Built::Step(Arc::new(Filter::new(&settings, context)?)))
}

/// The step.
#[derive(Debug)]
struct Filter {
    logs: Matches,
    spans: Matches,
    metrics: Metrics,
    log_record: Conditions,
    metric: Conditions,
    datapoint: Conditions,
    span: Conditions,
    spanevent: Conditions,
    failures: Failures,
}

impl Filter {
    fn new(settings: &Settings, context: &Context) -> Result<Self, SettingsError> {
        let functions = functions::functions();
        let all = |path: &str, context: Ottl, texts: &[String]| {
            compile_all(path, context, &functions, texts).map(Conditions::new)
        };
        let Settings { logs, metrics, traces, spans, .. } = settings;
        Ok(Self {
            logs: matches_of_logs(logs)?,
            spans: Matches::new(spans.include.as_ref(), spans.exclude.as_ref())?,
            metrics: Metrics::new(metrics)?,
            log_record: all("logs.log_record", Ottl::Log, &logs.log_record)?,
            metric: all("metrics.metric", Ottl::Metric, &metrics.metric)?,
            datapoint: all("metrics.datapoint", Ottl::DataPoint, &metrics.datapoint)?,
            span: all("traces.span", Ottl::Span, &traces.span)?,
            spanevent: all("traces.spanevent", Ottl::SpanEvent, &traces.spanevent)?,
            failures: Failures::new(context, settings.error_mode.unwrap_or_default()),
        })
    }

    /// The conditions on records of a signal, and on what is inside them.
    fn conditions(&self, signal: Signal) -> (&Conditions, Option<&Conditions>) {
        match signal {
            Signal::Logs => (&self.log_record, None),
            Signal::Metrics => (&self.metric, Some(&self.datapoint)),
            Signal::Traces => (&self.span, Some(&self.spanevent)),
        }
    }

    fn keeps(
        &self,
        draft: &mut Draft,
        index: usize,
        now: &Environment,
        scratch: &mut Scratch,
    ) -> bool {
        let is_included = match draft.signal() {
            Signal::Logs => keeps(&self.logs, draft, index),
            Signal::Traces => keeps(&self.spans, draft, index),
            Signal::Metrics => self.metrics.keeps(draft, index),
        };
        let (own, inside) = self.conditions(draft.signal());
        if !is_included || (own.is_empty() && inside.is_none_or(Conditions::is_empty)) {
            return is_included;
        }
        // Conditions see what earlier steps appended, too.
        draft.settle_tail(index);
        !self.failures.any(own, draft, index, now, scratch)
            && inside.is_none_or(|inside| self.keeps_inside(inside, draft, index, now, scratch))
    }

    /// Removes span events or data points; a metric of which none is left goes with them.
    fn keeps_inside(
        &self,
        conditions: &Conditions,
        draft: &mut Draft,
        index: usize,
        now: &Environment,
        scratch: &mut Scratch,
    ) -> bool {
        let is_metric = draft.signal() == Signal::Metrics;
        let left = conditions.remove_children(draft, index, now, &mut |condition, error| {
            self.failures.take(condition, error, scratch);
        });
        !(is_metric && left == Some(0))
    }
}

fn keeps(matches: &Matches, draft: &Draft, index: usize) -> bool {
    let scope = matches.scope(draft, index);
    let verdict = matches.record(scope, draft, index);
    matches.applies(verdict, &|key| draft.attribute(index, key.as_bytes()))
}

impl Step for Filter {
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch) {
        let now = self.failures.environment();
        for index in 0..draft.len() {
            let is_left = !draft.items().get(index).is_none_or(Item::is_dropped);
            if is_left && !self.keeps(draft, index, &now, scratch) {
                draft.drop_item(index);
            }
        }
    }
}
