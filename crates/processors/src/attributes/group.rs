//! Actions that run together: all or none of them on a record.

use bessemer_pipeline::Scratch;
use bessemer_record::edit::{self, List, Target};
use bessemer_record::{Draft, Signal, TailId, TailsBuilder, Value};

use super::action::{Action, Source, When};
use super::compile::Guarded;
use super::guard::{Guard, Included};
use crate::filter::conditions::Failures;

/// Actions and what has to hold for them.
#[derive(Debug)]
pub(super) struct Group {
    actions: Vec<Action>,
    guard: Option<Guard>,
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

impl Group {
    pub(super) fn new((guard, actions): Guarded, tails: &mut TailsBuilder) -> Self {
        let constants = Constants::of(&actions, tails);
        Self { actions, guard, constants }
    }

    pub(super) fn run(
        &self,
        draft: &mut Draft,
        index: usize,
        included: &Included,
        failures: &Failures,
        scratch: &mut Scratch,
    ) {
        let guarded = match &self.guard {
            Some(guard) => guard.included(draft, index, failures, scratch),
            None => Included::All,
        };
        if guarded == Included::Nothing {
            return;
        }
        // Of a metric the draft knows the attributes of the first point only.
        if draft.signal() != Signal::Metrics {
            let has = |key: &str| draft.attribute(index, key.as_bytes()).is_some();
            if !self.actions.iter().any(|action| action.is_due(&has)) {
                return;
            }
            if let Some(constants) = self.constants.as_ref().filter(|one| one.is_right(&has)) {
                return draft.set_tail(index, constants.tail);
            }
            draft.settle_tail(index);
        }
        self.rewrite(draft, index, [included, &guarded], scratch);
    }

    fn rewrite(
        &self,
        draft: &mut Draft,
        index: usize,
        included: [&Included; 2],
        scratch: &Scratch,
    ) {
        let target = Target::from(draft.signal());
        draft.edit_item(index, |message, out| {
            let mut at = 0;
            let change = |list: &mut List<'_>| {
                if included.iter().all(|one| one.takes(at)) {
                    self.actions.iter().for_each(|action| action.run(list, &scratch.headers));
                }
                at += 1;
            };
            edit::rewrite(target, message, change, out)
        });
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
