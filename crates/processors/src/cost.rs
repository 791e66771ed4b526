//! `bessemer.processor.cost`: spends less on what is worth less.
//!
//! Rules sample, deduplicate, aggregate, trim and drop records by their class and by how much of a
//! destination's budget is used. A critical record passes every rule untouched.
//!
//! Everything that must be remembered (what was seen, spent and saved) is entered only once the batch
//! is safe: a batch that is refused and sent again is judged as if it came for the first time.

mod budget;
mod class;
mod content;
mod memory;
mod report;
mod rule;
mod settings;
#[cfg(test)]
mod tests;
mod trim;
mod window;

use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context, Scratch, SettingsError, Step};
use bessemer_record::{Draft, Item};

use crate::filter::conditions::{ErrorMode, Failures};
use budget::Spending;
use class::{Class, Classes};
use memory::Memory;
use report::{Account, Amount, Bill};
use rule::{Fate, Rule, Traces};
use settings::Action;
pub(crate) use settings::Settings;

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"bessemer.processor.cost "example" {
  destination = "datadog"
  prices      = { datadog = 0.1, splunk = 2.5 }

  budget {
    period = "24h"
    money  = 20
  }

  rule {
    action  = "dedupe"
    classes = ["info", "warning"]
    window  = "1m"
  }

  rule {
    action      = "sample"
    percentage  = 10
    budget_used = 80
  }

  output {
    logs = []
  }
}
"#;

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    let cost = Cost::new(&settings, context)?;
    memory::keep(cost.memories.clone(), context);
    Ok(Built::Step(Arc::new(cost)))
}

/// The step.
#[derive(Debug)]
struct Cost {
    classes: Classes,
    rules: Vec<Rule>,
    /// Of the rules that deduplicate.
    memories: Vec<Arc<Memory>>,
    spending: Arc<Spending>,
    account: Arc<Account>,
    failures: Failures,
}

impl Cost {
    fn new(settings: &Settings, context: &Context) -> Result<Self, SettingsError> {
        settings.check()?;
        let hasher = memory::hasher(context);
        let rule = |(index, settings)| Rule::new(index, settings, &hasher);
        let rules: Vec<Rule> =
            settings.rule.iter().enumerate().map(rule).collect::<Result<_, _>>()?;
        let memories = memories(settings, &rules, context);
        let spending = Arc::new(Spending::new(settings, context));
        let account = Arc::new(Account::new(settings, context, Arc::clone(&spending)));
        context.services.publish_report("cost", &context.id, Arc::clone(&account) as _);
        Ok(Self {
            classes: Classes::new(&settings.class_attribute),
            rules,
            memories,
            spending,
            account,
            failures: Failures::new(context, ErrorMode::Ignore),
        })
    }

    /// What becomes of a record; one that stays is charged for what is left of it.
    fn judge(&self, draft: &mut Draft, index: usize, sight: &mut Sight<'_>) {
        let records = draft.items().get(index).map_or(0, |item| u64::from(item.records));
        let class = self.classes.of(draft, index);
        if class == Class::Critical {
            sight.bill.critical += records;
        } else if self.is_spared(class, draft, index, sight) {
            return;
        }
        sight.bill.passed.add(records, size(draft, index));
    }

    /// Runs the rules in their order; whether one of them took the record out.
    fn is_spared(
        &self,
        class: Class,
        draft: &mut Draft,
        index: usize,
        sight: &mut Sight<'_>,
    ) -> bool {
        for (rule, traces) in self.rules.iter().zip(&mut sight.traces) {
            let used = self.spending.share(sight.spent.and(sight.bill.passed));
            if !rule.is_for(class, used) || !rule.holds(draft, index, &self.failures, sight.scratch)
            {
                continue;
            }
            let before = size(draft, index);
            let records = draft.items().get(index).map_or(0, |item| u64::from(item.records));
            match rule.apply(draft, index, sight.now, traces, sight.scratch) {
                Fate::Out => {
                    draft.drop_item(index);
                    sight.bill.saved(rule.action).add(records, before);
                    return true;
                }
                Fate::Stays => {
                    let saved = before.saturating_sub(size(draft, index));
                    sight.bill.saved(rule.action).add(0, saved);
                }
            }
        }
        false
    }
}

/// The memory of each rule that deduplicates.
fn memories(settings: &Settings, rules: &[Rule], context: &Context) -> Vec<Arc<Memory>> {
    let pairs = settings.rule.iter().enumerate().zip(rules);
    let dedupes = pairs.filter(|(_, rule)| rule.action == Action::Dedupe);
    let memory = |(place, rule): ((usize, &_), &Rule)| {
        Arc::new(Memory::open(context, place, Arc::clone(&rule.window)))
    };
    let memories: Vec<_> = dedupes.map(memory).collect();
    memory::forget_others(&memories, context);
    memories
}

/// What is seen of one batch.
struct Sight<'s> {
    /// Nanoseconds since the Unix epoch.
    now: u64,
    /// What the budget's period had cost before it.
    spent: Amount,
    scratch: &'s mut Scratch,
    /// What the rules keep of this batch, in their order.
    traces: Vec<Traces>,
    bill: Bill,
}

/// Bytes of a record's own message.
fn size(draft: &Draft, index: usize) -> u64 {
    u64::try_from(draft.item_bytes(index).len()).unwrap_or(u64::MAX)
}

impl Step for Cost {
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch) {
        let now = self.spending.now();
        let traces = self.rules.iter().map(|_| Traces::default()).collect();
        let spent = self.spending.spent(now);
        let mut sight = Sight { now, spent, scratch, traces, bill: Bill::default() };
        for index in 0..draft.len() {
            if !draft.items().get(index).is_none_or(Item::is_dropped) {
                self.judge(draft, index, &mut sight);
            }
        }
        let Sight { traces, bill, scratch, .. } = sight;
        for (rule, traces) in self.rules.iter().zip(traces) {
            rule.finish(draft, traces, now, scratch);
        }
        let account = Arc::clone(&self.account);
        scratch.after.then(move || account.enter(now, &bill));
    }
}
