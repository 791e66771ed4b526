//! `otelcol.processor.filter`: drops records, by lists of what to include and exclude.
//!
//! A batch of which everything stays leaves as the bytes it came in.

mod expression;
mod legacy;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context, Scratch, SettingsError, Step};
use bessemer_record::{Draft, Item, Signal};

use crate::attributes::filter::Filter as Matches;
use legacy::{Metrics, matches_of_logs};
pub(crate) use settings::Settings;

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.processor.filter "example" {
  logs {
    exclude {
      match_type     = "strict"
      severity_texts = ["DEBUG"]
    }
  }

  output {
    logs = []
  }
}
"#;

pub(crate) fn build(settings: &RawSettings, _: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    Ok(Built::Step(Arc::new(Filter::new(&settings)?)))
}

/// The step.
#[derive(Debug)]
struct Filter {
    logs: Matches,
    spans: Matches,
    metrics: Metrics,
}

impl Filter {
    fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let spans = &settings.spans;
        Ok(Self {
            logs: matches_of_logs(&settings.logs)?,
            spans: Matches::new(spans.include.as_ref(), spans.exclude.as_ref())?,
            metrics: Metrics::new(&settings.metrics)?,
        })
    }

    fn keeps(&self, draft: &Draft, index: usize) -> bool {
        match draft.signal() {
            Signal::Logs => keeps(&self.logs, draft, index),
            Signal::Traces => keeps(&self.spans, draft, index),
            Signal::Metrics => self.metrics.keeps(draft, index),
        }
    }
}

fn keeps(matches: &Matches, draft: &Draft, index: usize) -> bool {
    let scope = matches.scope(draft, index);
    let verdict = matches.record(scope, draft, index);
    matches.applies(verdict, &|key| draft.attribute(index, key.as_bytes()))
}

impl Step for Filter {
    fn run(&self, draft: &mut Draft, _: &mut Scratch) {
        for index in 0..draft.len() {
            let is_left = !draft.items().get(index).is_none_or(Item::is_dropped);
            if is_left && !self.keeps(draft, index) {
                draft.drop_item(index);
            }
        }
    }
}
