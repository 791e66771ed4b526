//! Dead letters and what the journal still holds, looked at and sent again.
//!
//! A replay goes the way that everything goes: it appends to the journal and waits for its answer,
//! one page at a time. Its records carry its id.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bessemer_journal::{DeadLetter, DeadLetterError, SinkIndex, StoredLetter};
use bessemer_runtime::{Random, Tasks};
use parking_lot::Mutex;

use crate::engine::{Engine, Hub};
use crate::state::{State, StateError};

mod job;
mod letters;
mod run;
mod selection;

pub use job::{Order, Phase, REPLAYS_MAX, Replay, Source};
pub use letters::{LETTERS_MAX, LetterRow, Shown, letters};
pub use selection::{MARK, MARK_HEADER, Selection};

use selection::{Divided, Filter};

/// Replays at work at a time, at most.
pub const RUNNING_MAX: usize = 4;
/// Letters that are dropped in one go.
const DROPS_MAX: usize = 1024;
/// Bytes of kept letters that are written anew in one go.
const KEPT_BYTES: usize = 8 << 20;

/// Why letters were not shown, dropped or replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The question itself is wrong.
    #[error("{0}")]
    Bad(String),
    /// There is nothing of that name.
    #[error("{0}")]
    NotFound(String),
    /// Not while others are at work.
    #[error("{0}")]
    Busy(String),
    /// The journal cannot be read.
    #[error("journal: {0}")]
    Journal(#[from] io::Error),
    /// The dead-letter log takes no change.
    #[error(transparent)]
    Letters(#[from] DeadLetterError),
    /// What is known of replays cannot be kept.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The dead letters and replays of a running engine. Clones share it.
#[derive(Clone)]
pub struct Replays {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    hub: Arc<Hub>,
    /// Configured destinations by the position that is their route bit.
    sinks: Vec<String>,
    state: Arc<dyn State>,
    random: Arc<dyn Random>,
    tasks: Tasks,
    /// Replays of this process, as they were when last seen.
    seen: Mutex<BTreeMap<String, Replay>>,
}

impl Engine {
    /// Its dead letters and replays; what replays came to is kept in `state`.
    pub fn replays(&self, state: Arc<dyn State>, random: Arc<dyn Random>) -> Replays {
        let sinks = self.status.destinations.iter().map(|(id, _)| id.clone()).collect();
        let (hub, tasks) = (Arc::clone(&self.hub), self.receivers.clone());
        let seen = Mutex::default();
        Replays { inner: Arc::new(Inner { hub, sinks, state, random, tasks, seen }) }
    }
}

impl Replays {
    /// The dead letters that are meant; at most `limit`.
    pub async fn letters(
        &self,
        selection: Selection,
        limit: usize,
        shown: Shown,
    ) -> Result<Vec<LetterRow>, ReplayError> {
        let (journal, now) = (self.inner.hub.journal.clone(), self.inner.hub.clock.unix_nanos());
        let read = move || letters(&journal, &selection, now, limit, shown);
        self.inner.hub.journal.beside(read).await?
    }

    /// Forgets the dead letters that are meant; how many records they were. What of a letter is not
    /// meant is kept, durably, before the letter goes.
    pub async fn drop_letters(&self, selection: Selection) -> Result<u64, ReplayError> {
        let journal = &self.inner.hub.journal;
        let filter = Filter::new(&selection, self.inner.hub.clock.unix_nanos())?;
        let mut records = 0;
        for id in letters::named(journal, &selection)? {
            let end = journal.dead_letters_end(&id);
            let mut all = Box::new(letters::open(journal, &id, &selection));
            loop {
                let (filter, gaps) = (filter.clone(), run::Gaps::of(journal, &id));
                let read = move || {
                    let chosen = Chosen::read(&mut all, &filter, gaps, end);
                    (all, chosen)
                };
                let chosen;
                (all, chosen) = journal.beside(read).await?;
                let chosen = chosen?;
                records += chosen.records;
                let is_last = chosen.at_end;
                self.forget(&id, chosen).await?;
                if is_last {
                    break;
                }
            }
        }
        Ok(records)
    }

    async fn forget(&self, id: &str, chosen: Chosen) -> Result<(), ReplayError> {
        let journal = &self.inner.hub.journal;
        if !chosen.left.is_empty() {
            let owner = self.inner.sink(id).ok_or_else(|| not_configured(id))?;
            journal.dead_letter(owner, chosen.left).await?;
        }
        if !chosen.numbers.is_empty() {
            journal.drop_dead_letters(id, chosen.numbers).await?;
        }
        Ok(())
    }

    /// Starts a replay.
    pub fn start(&self, order: Order) -> Result<Replay, ReplayError> {
        let inner = &self.inner;
        let journal = &inner.hub.journal;
        let now = inner.hub.clock.unix_nanos();
        let Some(destination) = &order.selection.destination else {
            return Err(ReplayError::Bad("name the destination whose records are meant".into()));
        };
        let end = match order.source {
            Source::DeadLetters => {
                letters::named(journal, &order.selection)?;
                journal.dead_letters_end(destination)
            }
            Source::Journal => {
                let Selection { reason, status, number, .. } = &order.selection;
                if reason.is_some() || status.is_some() || number.is_some() {
                    let message = "only dead letters have a reason, a status and a number";
                    return Err(ReplayError::Bad(message.into()));
                }
                if journal.history(destination, 0..0).is_none() {
                    return Err(self.unknown(destination));
                }
                journal.stats().next_sequence
            }
        };
        let first = order.selection.number.unwrap_or_default();
        let replay = Replay {
            id: format!("{:016x}", inner.random.next_u64()),
            phase: Phase::Running,
            note: String::new(),
            ordered_at: now,
            first,
            position: first,
            end,
            records: 0,
            order,
        };
        if !replay.order.dry_run {
            Replay::forget_oldest(&*inner.state)?;
        }
        self.work(replay)
    }

    /// Takes a replay up where it stopped.
    pub fn resume(&self, id: &str) -> Result<Replay, ReplayError> {
        let mut replay = self.replay(id)?;
        match replay.phase {
            Phase::Running | Phase::Stopped => {}
            Phase::Done => return Err(ReplayError::Bad(format!("replay {id} is done"))),
        }
        replay.phase = Phase::Running;
        self.work(replay)
    }

    fn work(&self, replay: Replay) -> Result<Replay, ReplayError> {
        let inner = &self.inner;
        let selection = &replay.order.selection;
        let filter = Filter::new(selection, inner.hub.clock.unix_nanos())?;
        let owner = selection.destination.as_deref().unwrap_or_default();
        let to = replay.order.to.as_deref().unwrap_or(owner);
        let to = inner.sink(to).ok_or_else(|| self.unknown(to))?;
        inner.admit(&replay)?;
        replay.save(&*inner.state).inspect_err(|_| inner.dismiss(&replay.id))?;
        let owner = inner.sink(owner);
        let work =
            run::Work { inner: Arc::clone(inner), replay: replay.clone(), filter, owner, to };
        inner.tasks.spawn(work.run());
        Ok(replay)
    }

    /// One replay as it stands; of an earlier process, as it was last kept.
    pub fn replay(&self, id: &str) -> Result<Replay, ReplayError> {
        if let Some(replay) = self.inner.seen.lock().get(id) {
            return Ok(replay.clone());
        }
        let mut kept = Replay::load(&*self.inner.state, id)?
            .ok_or_else(|| ReplayError::NotFound(format!("no replay {id}")))?;
        cut_off(&mut kept);
        Ok(kept)
    }

    /// All replays that are known, the oldest first.
    pub fn replays(&self) -> Result<Vec<Replay>, ReplayError> {
        let mut all = Replay::all(&*self.inner.state)?;
        let seen = self.inner.seen.lock();
        for replay in &mut all {
            match seen.get(&replay.id) {
                Some(now) => replay.clone_from(now),
                None => cut_off(replay),
            }
        }
        Ok(all)
    }

    fn unknown(&self, id: &str) -> ReplayError {
        let known = self.inner.sinks.join(", ");
        ReplayError::NotFound(format!("no destination {id:?} is configured; known: {known}"))
    }
}

// The process that ran it is gone.
fn cut_off(replay: &mut Replay) {
    if replay.phase == Phase::Running {
        replay.phase = Phase::Stopped;
        "cut off by the end of the process".clone_into(&mut replay.note);
    }
}

fn not_configured(id: &str) -> ReplayError {
    let problem = "is not configured any more, so a part of a letter cannot be kept in its log";
    ReplayError::Bad(format!("{id} {problem}; select whole letters"))
}

impl Inner {
    fn sink(&self, id: &str) -> Option<SinkIndex> {
        let position = self.sinks.iter().position(|sink| sink == id)?;
        u8::try_from(position).ok().map(SinkIndex)
    }

    /// Enters a replay among those at work.
    fn admit(&self, replay: &Replay) -> Result<(), ReplayError> {
        let mut seen = self.seen.lock();
        let running: Vec<&Replay> =
            seen.values().filter(|other| other.phase == Phase::Running).collect();
        if running.iter().any(|other| other.id == replay.id) {
            return Err(ReplayError::Busy(format!("replay {} is running", replay.id)));
        }
        let twin = running.iter().find(|other| {
            let (own, theirs) = (&replay.order, &other.order);
            own.source == Source::DeadLetters
                && theirs.source == Source::DeadLetters
                && own.selection.destination == theirs.selection.destination
                && !own.dry_run
                && !theirs.dry_run
        });
        if let Some(twin) = twin {
            let message = format!("replay {} works on the same dead letters", twin.id);
            return Err(ReplayError::Busy(message));
        }
        if running.len() >= RUNNING_MAX {
            let message = format!("{RUNNING_MAX} replays are running; wait for one to end");
            return Err(ReplayError::Busy(message));
        }
        if seen.len() >= REPLAYS_MAX {
            seen.retain(|_, other| other.phase == Phase::Running);
        }
        seen.insert(replay.id.clone(), replay.clone());
        Ok(())
    }

    fn dismiss(&self, id: &str) {
        self.seen.lock().remove(id);
    }

    fn note(&self, replay: Replay) {
        self.seen.lock().insert(replay.id.clone(), replay);
    }
}

/// Letters that are to go.
#[derive(Default)]
struct Chosen {
    numbers: Vec<Range<u64>>,
    left: Vec<DeadLetter>,
    records: u64,
    /// About how much is kept and written anew.
    bytes: usize,
    at_end: bool,
}

impl Chosen {
    fn read(
        letters: &mut dyn Iterator<Item = io::Result<StoredLetter>>,
        filter: &Filter,
        mut gaps: run::Gaps,
        end: u64,
    ) -> io::Result<Self> {
        let mut chosen = Self::default();
        for stored in letters {
            let stored = stored?;
            if stored.numbers.start >= end {
                break;
            }
            let is_meant = filter.takes_letter(stored.numbers.start, &stored.letter);
            let batch = letters::batch(&stored).filter(|_| is_meant);
            let divided = batch.map(|(batch, _)| filter.divide(&batch, None));
            chosen.add(stored, divided.unwrap_or_default(), &mut gaps);
            if chosen.numbers.len() >= DROPS_MAX || chosen.bytes >= KEPT_BYTES {
                return Ok(chosen);
            }
        }
        chosen.at_end = true;
        Ok(chosen)
    }

    fn add(&mut self, stored: StoredLetter, divided: Divided, gaps: &mut run::Gaps) {
        if let Some((_, records)) = divided.picked {
            gaps.note(&stored.numbers);
            self.records += u64::from(records);
            self.left.extend(divided.left.map(|left| run::remainder(&stored.letter, left)));
        } else if gaps.are_many() {
            self.left.push(stored.letter);
        } else {
            return;
        }
        self.bytes += self.left.last().map_or(0, |letter| letter.payload.len());
        self.numbers.push(stored.numbers);
    }
}
