//! What is known of a replay, and kept over restarts so that it can be taken up again.

use serde::{Deserialize, Serialize};

use super::ReplayError;
use super::selection::Selection;
use crate::state::{Change, State};

/// Under which component replays are kept.
const COMPONENT: &str = "bessemer.replay";
/// Replays that are kept; the oldest that ended go first.
pub const REPLAYS_MAX: usize = 100;

/// Where replayed records come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A dead-letter log: a letter goes from it once its copy is in the journal.
    DeadLetters,
    /// What the journal still holds of what was delivered.
    Journal,
}

/// How a replay fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// At work, or cut off by the end of the process.
    Running,
    /// Stopped on the way; can be resumed.
    Stopped,
    /// Everything that was there at its start was seen.
    Done,
}

/// What a replay is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Where the records come from.
    pub source: Source,
    /// Which; its destination must be named.
    #[serde(default)]
    pub selection: Selection,
    /// Component id of where they go; to the destination they were for unless given.
    #[serde(default)]
    pub to: Option<String>,
    /// Records a second at most.
    #[serde(default)]
    pub rate: Option<u32>,
    /// Whether records are only counted.
    #[serde(default)]
    pub dry_run: bool,
}

/// A replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// Its name: the mark of its records.
    pub id: String,
    /// What it is asked to do.
    pub order: Order,
    /// How it fares.
    pub phase: Phase,
    /// Why it stopped, or what it waits for.
    pub note: String,
    /// When it was ordered, nanoseconds since the Unix epoch.
    pub ordered_at: u64,
    /// The first number it looks at.
    pub first: u64,
    /// Everything before this number is done.
    pub position: u64,
    /// It ends before this number: what comes after its start is not its own.
    pub end: u64,
    /// Records that were replayed; of a dry run, that would be.
    pub records: u64,
}

impl Replay {
    pub(crate) fn load(state: &dyn State, id: &str) -> Result<Option<Self>, ReplayError> {
        let bytes = state.get(COMPONENT, id)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    pub(crate) fn all(state: &dyn State) -> Result<Vec<Self>, ReplayError> {
        let rows = state.scan(COMPONENT, "", REPLAYS_MAX)?;
        let mut all: Vec<Self> =
            rows.iter().filter_map(|(_, bytes)| serde_json::from_slice(bytes).ok()).collect();
        all.sort_by_key(|replay| replay.ordered_at);
        Ok(all)
    }

    /// Makes it durable; a dry run leaves nothing behind.
    pub(crate) fn save(&self, state: &dyn State) -> Result<(), ReplayError> {
        if self.order.dry_run {
            return Ok(());
        }
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        Ok(state.apply(COMPONENT, &[Change::Put(self.id.clone(), bytes)])?)
    }

    /// Makes room for one more.
    pub(crate) fn forget_oldest(state: &dyn State) -> Result<(), ReplayError> {
        let all = Self::all(state)?;
        if all.len() < REPLAYS_MAX {
            return Ok(());
        }
        let oldest = all.iter().find(|replay| replay.phase == Phase::Done).or(all.first());
        let changes: Vec<Change> =
            oldest.map(|replay| Change::Delete(replay.id.clone())).into_iter().collect();
        Ok(state.apply(COMPONENT, &changes)?)
    }
}
