//! Templates as they are kept in the state of a component: one value for each, by its id.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bessemer_pipeline::state::{Change, State, StateError};
use serde::{Deserialize, Serialize};

use super::{Template, TemplateId, Templates, group_of, words};

/// Where they are in the state of their component.
const PREFIX: &str = "template/";
/// Changes that are stored in one transaction at most; the others wait for the next.
const CHANGES_MAX: usize = 1_000;

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    text: String,
    count: u64,
}

impl Templates {
    /// What must be stored, if anything; each change is told once.
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.changed.sort_unstable();
        self.changed.dedup();
        let from = self.changed.len().saturating_sub(CHANGES_MAX);
        let taken = self.changed.split_off(from);
        taken.into_iter().filter_map(|id| self.change(id)).collect()
    }

    /// Has every template stored anew.
    pub fn change_all(&mut self) {
        self.changed.extend(self.by_id.keys());
    }

    /// Has those stored anew whose count has moved, unless some wait already: a round ends before the
    /// next begins, so that none is left out of all of them.
    pub fn change_counted(&mut self) {
        if self.changed.is_empty() {
            let has_moved = |t: &&Template| t.seen.load(Ordering::Relaxed) != t.stored;
            self.changed.extend(self.by_id.values().filter(has_moved).map(|template| template.id));
        }
    }

    fn change(&mut self, id: TemplateId) -> Option<Change> {
        let key = format!("{PREFIX}{id}");
        let Some(template) = self.by_id.get_mut(&id) else { return Some(Change::Delete(key)) };
        let count = template.seen.load(Ordering::Relaxed);
        template.stored = count;
        let stored = Stored { text: template.text(), count };
        serde_json::to_vec(&stored).ok().map(|bytes| Change::Put(key, bytes))
    }

    /// Takes in what an earlier process stored; values that cannot be read are left out.
    pub fn restore(&mut self, state: &dyn State, component: &str) -> Result<(), StateError> {
        for (key, value) in state.scan(component, PREFIX, self.room)? {
            let id = key.strip_prefix(PREFIX).and_then(|id| u64::from_str_radix(id, 16).ok());
            let (Some(id), Ok(stored)) = (id, serde_json::from_slice::<Stored>(&value)) else {
                continue;
            };
            let words: Vec<&[u8]> = words(stored.text.as_bytes()).collect();
            let template = Template {
                id: TemplateId(id),
                words: words.iter().map(|word| (*word).into()).collect(),
                seen: Arc::new(AtomicU64::new(stored.count)),
                stored: stored.count,
                born: self.births,
            };
            self.insert(group_of(&words), template);
        }
        Ok(())
    }
}
