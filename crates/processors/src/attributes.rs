//! `otelcol.processor.attributes`: changes attributes of log records, spans and data points.
//!
//! A record is rewritten only if some action has something to do on it, and then what is not
//! touched is copied as bytes. Where all there is to do is to append constants, they become the
//! record's tail, which costs nothing until it leaves.

pub(crate) mod action;
pub(crate) mod compile;
pub(crate) mod filter;
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
use bessemer_record::{Draft, Item, Signal, TailId, TailsBuilder, Value};

use action::{Action, Source, When};
use filter::{Filter, Verdict};
pub(crate) use settings::Settings;

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.processor.attributes "example" {
  action {
    key    = "deployment.environment"
    action = "insert"
    value  = "production"
  }

  action {
    key    = "user.email"
    action = "hash"
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
    let step = Attributes::new(&settings, &mut context.tails.lock())?;
    Ok(Built::Step(Arc::new(step)))
}

/// The step.
#[derive(Debug)]
struct Attributes {
    actions: Vec<Action>,
    filter: Filter,
    constants: Option<Constants>,
}

/// What actions come to that do nothing but insert and upsert constants.
#[derive(Debug)]
struct Constants {
    /// All of them.
    tail: TailId,
    /// Keys that a record must not have for the tail to be right: those that are only inserted.
    absent: Vec<String>,
}

impl Attributes {
    fn new(settings: &Settings, tails: &mut TailsBuilder) -> Result<Self, SettingsError> {
        let actions = compile::actions("action", &settings.action)?;
        let filter = Filter::new(settings.include.as_ref(), settings.exclude.as_ref())?;
        let constants = Constants::of(&actions, tails);
        Ok(Self { actions, filter, constants })
    }

    fn change(&self, verdict: Verdict, draft: &mut Draft, index: usize, out: &mut Vec<u8>) {
        // Of a metric the draft knows the attributes of the first point only.
        if draft.signal() != Signal::Metrics {
            let get = |key: &str| draft.attribute(index, key.as_bytes());
            let has = |key: &str| get(key).is_some();
            if !self.filter.applies(verdict, &get)
                || !self.actions.iter().any(|action| action.is_due(&has))
            {
                return;
            }
            if let Some(constants) = self.constants.as_ref().filter(|one| one.is_right(&has)) {
                return draft.set_tail(index, constants.tail);
            }
            draft.settle_tail(index);
        }
        out.clear();
        let target = Target::from(draft.signal());
        let is_changed = edit::rewrite(
            target,
            draft.item_bytes(index),
            |list| {
                let is_in =
                    target != Target::Metric || self.filter.applies(verdict, &|key| list.get(key));
                if is_in {
                    self.actions.iter().for_each(|action| action.run(list));
                }
            },
            out,
        );
        if is_changed {
            draft.replace_item(index, |_, message| message.extend_from_slice(out));
        }
    }
}

impl Constants {
    /// The constants, if there are no other actions.
    fn of(actions: &[Action], tails: &mut TailsBuilder) -> Option<Self> {
        let mut pairs: Vec<(String, Value)> = Vec::new();
        let mut absent: Vec<String> = Vec::new();
        for action in actions {
            let Action::Set { key, when, source: Source::Constant(value, _) } = action else {
                return None;
            };
            let is_set = pairs.iter().any(|(known, _)| known == key);
            match when {
                When::Present => return None,
                When::Absent if is_set => continue,
                When::Absent => absent.push(key.clone()),
                When::Always => {
                    pairs.retain(|(known, _)| known != key);
                    absent.retain(|known| known != key);
                }
            }
            pairs.push((key.clone(), value.clone()));
        }
        (!pairs.is_empty()).then(|| Self { tail: tails.add(&pairs), absent })
    }

    fn is_right(&self, has: &dyn Fn(&str) -> bool) -> bool {
        !self.absent.iter().any(|key| has(key))
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
                self.change(verdict, draft, index, &mut scratch.bytes);
            }
        }
    }
}
