//! What is done beside the writer: cursors made durable, segments sealed and deleted, slow sinks
//! spilled, dead letters written. None of it makes an append wait.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::catalog::{Keep, Segment};
use crate::core::Core;
use crate::dead::{DeadLetter, DeadLog, DeadWriter};
use crate::disk::LockGuard;
use crate::error::DeadLetterError;
use crate::logs::LogSpecs;
use crate::open::Found;
use crate::seal::{Dirs, delete_oldest, seal_retired};
use crate::spill::Spiller;

/// Chores taken in one go.
const CHORES_MAX: usize = 1024;

/// What the janitor is asked to do.
pub(crate) enum Chore {
    /// Keep dead letters.
    Bury {
        sink: String,
        letters: Vec<DeadLetter>,
        done: oneshot::Sender<Result<(), DeadLetterError>>,
        room: OwnedSemaphorePermit,
    },
    /// Forget dead letters.
    Drop {
        sink: String,
        numbers: Vec<Range<u64>>,
        done: oneshot::Sender<Result<(), DeadLetterError>>,
    },
}

/// All that is done beside the writer.
pub(crate) struct Janitor {
    pub core: Arc<Core>,
    pub spillers: Vec<Spiller>,
    pub dead: Vec<DeadWriter>,
    pub logs: LogSpecs,
    /// Files without content that a crash left.
    pub blanks: Vec<PathBuf>,
    pub cursors_synced_at: Duration,
    /// Keeps other processes out until the last file is closed.
    pub _lock: Box<dyn LockGuard>,
}

impl Janitor {
    /// Works until the mailbox is closed and empty.
    pub(crate) fn run(&mut self) {
        let interval = self.core.options.cursor_sync_interval;
        let chores = Arc::clone(&self.core.chores);
        while chores.wait(Some(interval)) {
            self.step();
        }
        self.finish();
    }

    /// Does what there is to do.
    pub(crate) fn step(&mut self) {
        self.work();
        self.maintain();
    }

    /// Does what is left to do before the directory is given up.
    pub(crate) fn finish(&mut self) {
        self.work();
        for dead in &mut self.dead {
            dead.log.retire();
        }
        for spiller in &mut self.spillers {
            spiller.log.retire();
        }
        self.core.save_cursors();
        self.core.sync_cursors();
        self.maintain();
    }

    fn work(&mut self) {
        let chores = self.core.chores.take(CHORES_MAX, |_| 1);
        // Letters that came together for one sink share a sync.
        let mut burials: BTreeMap<String, (Vec<DeadLetter>, Vec<_>)> = BTreeMap::new();
        for chore in chores {
            match chore {
                Chore::Bury { sink, letters, done, room } => {
                    let burial = burials.entry(sink).or_default();
                    burial.0.extend(letters);
                    burial.1.push((done, room));
                }
                Chore::Drop { sink, numbers, done } => {
                    // Whoever asked may have gone away.
                    drop(done.send(self.drop_letters(&sink, &numbers)));
                }
            }
        }
        for (sink, (letters, waiting)) in burials {
            let result = self.bury(&sink, &letters);
            for (done, room) in waiting {
                drop(room);
                drop(done.send(result.clone()));
            }
        }
    }

    fn bury(&mut self, sink: &str, letters: &[DeadLetter]) -> Result<(), DeadLetterError> {
        if !self.dead.iter().any(|dead| dead.shared.id == sink) {
            if !self.core.sinks.iter().any(|known| known.spec.id == sink) {
                return Err(DeadLetterError::UnknownSink);
            }
            let found = Found { id: sink.into(), next_id: 1, ..Found::default() };
            let file = &mut self.core.cursors.lock().file;
            let opened = self.logs.dead_writer(&self.core.env, found, file);
            self.core.dead.lock().push(Arc::clone(&opened.shared));
            self.dead.push(opened);
        }
        let options = &self.core.options;
        let dead = self.dead.iter_mut().find(|dead| dead.shared.id == sink);
        let dead = dead.ok_or(DeadLetterError::UnknownSink)?;
        let buried =
            dead.bury(&self.core.env, letters, options.dead_budget_bytes, options.compression);
        if let Some(known) = self.core.sinks.iter().find(|known| known.spec.id == sink) {
            let full = matches!(buried, Err(DeadLetterError::Full { .. }));
            known.grave_full.store(full, Ordering::Relaxed);
        }
        buried
    }

    fn drop_letters(&mut self, sink: &str, numbers: &[Range<u64>]) -> Result<(), DeadLetterError> {
        let dead = self.dead.iter_mut().find(|dead| dead.shared.id == sink);
        let dead = dead.ok_or(DeadLetterError::UnknownSink)?;
        let saved = {
            let mut dropped = dead.shared.dropped.lock();
            for range in numbers {
                dropped.settle(range.start..range.end.min(dead.next));
            }
            dropped.save()
        };
        if saved.low >= dead.next {
            dead.log.retire();
        }
        let lanes = [saved.clone(), saved];
        self.core.cursors.lock().file.write(dead.shared.area, dead.next, lanes);
        self.core.sync_cursors();
        Ok(())
    }

    fn maintain(&mut self) {
        let core = Arc::clone(&self.core);
        seal_retired(&core.env, &core.main);
        for sink in &core.sinks {
            seal_retired(&core.env, &sink.spill);
        }
        for dead in &self.dead {
            seal_retired(&core.env, &dead.shared.catalog);
        }
        self.blanks.retain(|path| {
            let removed = core.env.disk.unlink(path);
            removed.is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound)
        });
        if self.spillers.iter_mut().any(|spiller| spiller.step(&core)) {
            core.chores.wake();
        }
        self.sync_cursors_if_due();
        self.delete();
    }

    fn sync_cursors_if_due(&mut self) {
        let now = self.core.env.clock.monotonic();
        let lows = self.core.lows();
        let due = now.saturating_sub(self.cursors_synced_at)
            >= self.core.options.cursor_sync_interval
            || !self
                .core
                .main
                .oldest(self.keep(), |segment| !self.needed(segment, &lows))
                .is_empty();
        if due {
            self.core.save_cursors();
            self.core.sync_cursors();
            self.cursors_synced_at = now;
        }
    }

    // On a full disk the newest segment may be what fills it, with no room for another behind it.
    fn keep(&self) -> Keep {
        if self.core.starved.load(Ordering::Relaxed) {
            Keep::Above(self.core.durable_floor())
        } else {
            Keep::Newest
        }
    }

    fn needed(&self, segment: &Segment, lows: &[[u64; 2]]) -> bool {
        lows.iter().enumerate().any(|(sink, lows)| self.core.needs(segment, sink, *lows))
    }

    fn delete(&mut self) {
        let core = Arc::clone(&self.core);
        let lows = core.durable_lows();
        let quarantine = core.options.dir.join("quarantine");
        let dir = core.options.dir.join("main");
        let dirs = Dirs { log: &dir, quarantine: &quarantine };
        let mut retained = self.settled_bytes(&lows);
        // Replay is a courtesy: it gives way when the budget gets tight.
        let budget = core.options.budget_bytes;
        let tight = budget.saturating_sub(core.disk_bytes()) < budget / 8
            || core.starved.load(Ordering::Relaxed);
        delete_oldest(&core.env, dirs, &core.main, self.keep(), |segment| {
            let free =
                !self.needed(segment, &lows) && (tight || !self.is_retained(segment, retained));
            retained = retained.saturating_sub(segment.file_bytes);
            free
        });
        for spiller in &mut self.spillers {
            let Some(sink) = core.sinks.get(spiller.sink) else { continue };
            let lows = lows.get(spiller.sink).copied().unwrap_or_default();
            spiller.retire_if_drained(&core, lows);
            let dirs = Dirs { log: spiller.log.dir(), quarantine: &quarantine };
            let settled = |segment: &Segment| lows.iter().all(|low| *low >= segment.end);
            delete_oldest(&core.env, dirs, &sink.spill, Keep::Active, settled);
        }
        for dead in &self.dead {
            let [low, _] = core.cursors.lock().file.durable_lows(dead.shared.area);
            let dirs = Dirs { log: &dead.shared.dir, quarantine: &quarantine };
            let dropped = |segment: &Segment| low >= segment.end;
            delete_oldest(&core.env, dirs, &dead.shared.catalog, Keep::Active, dropped);
        }
    }

    fn settled_bytes(&self, lows: &[[u64; 2]]) -> u64 {
        self.core.main.with(|segments| {
            let settled = segments.take_while(|segment| !self.needed(segment, lows));
            settled.map(|segment| segment.file_bytes).sum()
        })
    }

    fn is_retained(&self, segment: &Segment, settled_bytes: u64) -> bool {
        let options = &self.core.options;
        let age = self.core.env.clock.unix_nanos().saturating_sub(segment.last_unix_nanos);
        let young = Duration::from_nanos(age) < options.retention_age;
        settled_bytes <= options.retention_bytes || young
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        self.core.chores.close();
        drop(self.core.chores.take(usize::MAX, |_| 0));
    }
}

/// The shared part of a dead-letter log by its sink's id.
pub(crate) fn dead_log(core: &Core, sink: &str) -> Option<Arc<DeadLog>> {
    core.dead.lock().iter().find(|log| log.id == sink).map(Arc::clone)
}
