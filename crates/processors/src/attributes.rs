//! `otelcol.processor.attributes`: changes attributes of log records, spans and data points.
//!
//! A record is rewritten only if some action has something to do on it, and then what is not
//! touched is copied as bytes. Where all there is to do is to append constants, they become the
//! record's tail, which costs nothing until it leaves.

pub(crate) mod action;
pub(crate) mod compile;
pub(crate) mod filter;
mod group;
pub(crate) mod guard;
pub(crate) mod pattern;
pub(crate) mod settings;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub(crate) mod text;

use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context, Scratch, SettingsError, Step};
use bessemer_record::edit::{self, Target};
use bessemer_record::{Draft, Item, Signal};

use crate::filter::conditions::{ErrorMode, Failures};
use filter::{Filter, Verdict};
use group::Group;
use guard::{Included, RECORDS};
pub(crate) use settings::Settings;

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.processor.attributes "example" {
  action {
    key    = "deployment.environment"
    action = "insert"
    value  = "production"
  }

  action {
    key       = "user.email"
    action    = "hash"
    condition = `resource.attributes["tenant"] != "internal"`
  }

  action {
    pattern = "^internal\\."
    action  = "delete"
  }

  output {
    logs = []
  }
}
"#;

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    Ok(Built::Step(Arc::new(Attributes::new(&settings, context)?)))
}

/// The step.
#[derive(Debug)]
struct Attributes {
    groups: Vec<Group>,
    filter: Filter,
    failures: Failures,
}

impl Attributes {
    fn new(settings: &Settings, context: &Context) -> Result<Self, SettingsError> {
        let mut tails = context.tails.lock();
        let guarded = compile::groups("action", &settings.action, RECORDS)?;
        let groups = guarded.into_iter().map(|one| Group::new(one, &mut tails)).collect();
        let filter = Filter::new(settings.include.as_ref(), settings.exclude.as_ref())?;
        Ok(Self { groups, filter, failures: Failures::new(context, ErrorMode::Ignore) })
    }

    fn change(&self, verdict: Verdict, draft: &mut Draft, index: usize, scratch: &mut Scratch) {
        let included = self.included(verdict, draft, index, &mut scratch.bytes);
        if included != Included::Nothing {
            for group in &self.groups {
                group.run(draft, index, &included, &self.failures, scratch);
            }
        }
    }

    /// What of a record is to be changed, by how it came: no action can change that.
    fn included(
        &self,
        verdict: Verdict,
        draft: &Draft,
        index: usize,
        out: &mut Vec<u8>,
    ) -> Included {
        if draft.signal() != Signal::Metrics {
            let get = |key: &str| draft.attribute(index, key.as_bytes());
            return Included::whole(self.filter.applies(verdict, &get));
        }
        if !self.filter.is_by_attribute() {
            return Included::whole(self.filter.applies(verdict, &|_| None));
        }
        let mut points = Vec::new();
        out.clear();
        let look = |list: &mut edit::List<'_>| {
            points.push(self.filter.applies(verdict, &|key| list.get(key)));
        };
        edit::rewrite(Target::Metric, draft.item_bytes(index), look, out);
        Included::Points(points)
    }
}

impl Step for Attributes {
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch) {
        let mut scope: Option<(u32, Verdict)> = None;
        for index in 0..draft.len() {
            if draft.items().get(index).is_none_or(Item::is_dropped) {
                continue;
            }
            let group = draft.scope_group(index);
            let in_scope = match scope {
                Some((known, verdict)) if known == group => verdict,
                _ => self.filter.scope(draft, index),
            };
            scope = Some((group, in_scope));
            let verdict = self.filter.record(in_scope, draft, index);
            if !verdict.is_out() {
                self.change(verdict, draft, index, scratch);
            }
        }
    }
}
