//! `otelcol.processor.logdedup`: sends equal log records on as one, with how many there were.
//!
//! It is a stage with memory: what it counts stays in the journal until the record that stands for
//! it is there too, so a crash in the middle of an interval loses nothing and counts nothing twice in
//! one record. A crash just as a record is sent on may send it twice.

mod held;
mod identity;
mod path;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bessemer_config::Settings as RawSettings;
use bessemer_ottl::{Conditions, Context as Ottl, Functions};
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::stateful::{HELD, PASSES};
use bessemer_pipeline::{Built, Context, Holding, Scratch, SettingsError, Stateful};
use bessemer_record::{Draft, Tails};

use crate::filter::conditions::{self, ErrorMode, Failures};
use held::{Held, Rules};
pub(crate) use settings::Settings;

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.processor.logdedup "example" {
  interval            = "60s"
  log_count_attribute = "dedup_count"
  timezone            = "America/Los_Angeles"
  exclude_fields      = ["body.timestamp", "attributes.request\\.id"]
  conditions          = ["log.severity_number < SEVERITY_NUMBER_ERROR"]

  output {
    logs = []
  }
}
"#;

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    Ok(Built::Stateful(Arc::new(LogDedup::new(&settings, context)?)))
}

/// The stage.
#[derive(Debug)]
struct LogDedup {
    interval: Duration,
    conditions: Conditions,
    failures: Failures,
    rules: Arc<Rules>,
}

impl LogDedup {
    fn new(settings: &Settings, context: &Context) -> Result<Self, SettingsError> {
        let functions = Functions::standard();
        let texts = &settings.conditions;
        Ok(Self {
            interval: settings.interval()?,
            conditions: conditions::compile_all("conditions", Ottl::Log, &functions, texts)
                .map(Conditions::new)?,
            failures: Failures::new(context, ErrorMode::Ignore),
            rules: Arc::new(Rules::new(settings)?),
        })
    }
}

impl Stateful for LogDedup {
    fn choose(&self, draft: &mut Draft, scratch: &mut Scratch) {
        if self.conditions.is_empty() {
            draft.items_mut().iter_mut().for_each(|item| item.route = HELD);
            return;
        }
        let now = self.failures.environment();
        for index in 0..draft.len() {
            draft.settle_tail(index);
            let is_held = self.failures.any(&self.conditions, draft, index, &now, scratch);
            if let Some(item) = draft.items_mut().get_mut(index) {
                item.route = if is_held { HELD } else { PASSES };
            }
        }
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn hold(&self, _: &Arc<Tails>) -> Box<dyn Holding> {
        Box::new(Held::new(Arc::clone(&self.rules)))
    }
}
