//! The one writer: what waits becomes a group, the group becomes durable, then all of it is
//! acknowledged.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::block::{Block, Builder};
use crate::core::Core;
use crate::entry::{Append, Entry};
use crate::error::{AppendError, FullOf};
use crate::format::{DATA_START, FOOTER_BYTES_MAX, GROUP_ALIGNMENT, LARGE_BYTES_MIN};
use crate::log::{CommitError, Log};
use crate::mailbox::Mailbox;
use crate::options::Compression;
use crate::patience::Patience;
use crate::stats;

/// When to try again after a refusal for lack of space.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How often a disk that failed is tried while nobody appends.
const PROBE_EVERY: Duration = Duration::from_secs(2);

/// What is kept free for the header of a new segment and the footers of two.
const SEGMENT_OVERHEAD_BYTES: u64 = DATA_START + 2 * (FOOTER_BYTES_MAX as u64 + GROUP_ALIGNMENT);

/// Where the entries of an append are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The number of the first record; the others follow without a gap.
    pub first: u64,
}

/// An append on its way to the writer.
pub(crate) struct Request {
    pub appends: Vec<Ready>,
    pub done: oneshot::Sender<Result<Appended, AppendError>>,
    pub room: OwnedSemaphorePermit,
}

/// An entry with the block that its task has built, if it is large.
pub(crate) struct Ready {
    pub append: Append,
    pub block: Option<Block>,
}

/// The writing side of the main log.
pub(crate) struct Writer {
    core: Arc<Core>,
    log: Log,
    requests: Arc<Mailbox<Request>>,
    /// The number of the next record.
    next: u64,
    /// When the disk last took or failed to take something.
    tried_at: Duration,
    patience: Patience,
}

impl Ready {
    pub(crate) fn new(append: Append, compression: Compression) -> Self {
        let large = append.payload.len() >= LARGE_BYTES_MIN;
        let block = large.then(|| Block::large(&append, compression));
        Self { append, block }
    }

    // What the entry takes on disk at most.
    fn bytes(&self) -> u64 {
        let raw = self.append.payload.len() + self.append.meta.len();
        self.block.as_ref().map_or(raw as u64, Block::stored_bytes)
    }
}

impl Request {
    /// Bytes that make a group larger.
    pub(crate) fn weight(&self) -> usize {
        let bytes = |ready: &Ready| ready.append.payload.len() + ready.append.meta.len();
        self.appends.iter().map(bytes).sum()
    }

    fn refuse(self, error: AppendError) {
        // Whoever asked may have gone away.
        drop(self.done.send(Err(error)));
    }
}

impl Writer {
    pub(crate) fn new(
        core: Arc<Core>,
        log: Log,
        requests: Arc<Mailbox<Request>>,
        next: u64,
    ) -> Self {
        let (tried_at, patience) = (Duration::ZERO, Patience::default());
        Self { core, log, requests, next, tried_at, patience }
    }

    /// Writes groups until the mailbox is closed and empty.
    pub(crate) fn run(&mut self) {
        while self.requests.wait((!self.core.trouble.is_over()).then_some(PROBE_EVERY)) {
            self.gather();
            self.step();
        }
        self.finish();
    }

    // Waits a moment for those that were just acknowledged, where that has paid.
    fn gather(&mut self) {
        let (before, bytes) = self.requests.load(Request::weight);
        let Some(wait) = self.patience.wait(before, bytes) else { return };
        self.requests.gather(wait.requests, wait.at_most);
        self.patience.waited(before, self.requests.len());
    }

    /// Writes what waits as one group; says whether anything did.
    pub(crate) fn step(&mut self) -> bool {
        let requests = self.requests.take(self.core.options.group_bytes, Request::weight);
        let (count, any) = (requests.len(), !requests.is_empty());
        if any {
            let start = self.core.env.clock.monotonic();
            self.write(requests);
            let took = self.core.env.clock.monotonic().saturating_sub(start);
            self.patience.committed(count, self.requests.len(), took);
        } else if !self.core.trouble.is_over() {
            self.probe();
        }
        any
    }

    // Those who ask whether we are ready send nothing while we are not: no append would ever show
    // that the disk is well again.
    fn probe(&mut self) {
        let now = self.core.env.clock.monotonic();
        if now.saturating_sub(self.tried_at) < PROBE_EVERY {
            return;
        }
        self.tried_at = now;
        match self.log.probe(self.next) {
            Ok(()) => self.core.trouble.end(),
            Err(error) => self.core.trouble.begin(&error),
        }
    }

    /// Closes the segment being written.
    pub(crate) fn finish(&mut self) {
        self.log.retire();
    }

    fn write(&mut self, requests: Vec<Request>) {
        let used = self.core.disk_bytes() + SEGMENT_OVERHEAD_BYTES;
        let mut room = self.core.options.budget_bytes.saturating_sub(used);
        let mut builder = Builder::new(self.core.options.compression);
        let (mut accepted, mut entries) = (Vec::new(), Vec::new());
        let mut next = self.next;
        let now = self.core.env.clock.unix_nanos();
        for mut request in requests {
            let bytes: u64 = request.appends.iter().map(Ready::bytes).sum();
            let bytes = bytes + bytes / 1024 + GROUP_ALIGNMENT;
            let numbered = number(&mut request, next, now);
            if let Some(of) = self.full(&numbered, bytes, room) {
                self.core.env.counters.refused();
                // What is settled may not be deleted yet.
                self.core.chores.wake();
                request.refuse(AppendError::Full { of, retry_after: RETRY_AFTER });
                continue;
            }
            room -= bytes;
            accepted.push((request.done, next, request.room));
            for (entry, ready) in numbered.iter().zip(request.appends) {
                builder.push(entry, ready.block);
                next = entry.end();
            }
            entries.extend(numbered);
        }
        let result = self.commit(builder.finish(), entries, next);
        for (done, first, room) in accepted {
            drop(room);
            drop(done.send(result.clone().map(|()| Appended { first })));
        }
    }

    fn full(&self, entries: &[Entry], bytes: u64, room: u64) -> Option<FullOf> {
        if bytes > room {
            return Some(FullOf::Budget);
        }
        self.core.blocked_sink(entries).map(|sink| FullOf::Sink(sink.spec.id.clone()))
    }

    fn commit(
        &mut self,
        blocks: Vec<Block>,
        entries: Vec<Entry>,
        next: u64,
    ) -> Result<(), AppendError> {
        if blocks.is_empty() {
            return Ok(());
        }
        self.tried_at = self.core.env.clock.monotonic();
        self.log.commit(&blocks).map_err(|error| self.failed(error))?;
        self.core.starved.store(false, Ordering::Relaxed);
        self.core.trouble.end();
        self.core.env.counters.appended(stats::Appended {
            entries: entries.len() as u64,
            records: next - self.next,
            bytes_raw: entries.iter().map(Entry::bytes).sum(),
            bytes_stored: blocks.iter().map(Block::stored_bytes).sum(),
        });
        self.next = next;
        self.core.publish(entries, blocks.into_iter().flat_map(|block| block.parts));
        Ok(())
    }

    fn failed(&self, error: CommitError) -> AppendError {
        match error {
            CommitError::Full(error) => {
                self.core.trouble.begin(&error);
                self.core.starved.store(true, Ordering::Relaxed);
                self.core.chores.wake();
                AppendError::Full { of: FullOf::Disk, retry_after: RETRY_AFTER }
            }
            CommitError::Io(error) => {
                self.core.trouble.begin(&error);
                AppendError::Io(Arc::new(error))
            }
        }
    }
}

// Also after a panic: nobody may wait for a writer that is gone.
impl Drop for Writer {
    fn drop(&mut self) {
        self.requests.close();
        drop(self.requests.take(usize::MAX, |_| 0));
    }
}

fn number(request: &mut Request, first: u64, now: u64) -> Vec<Entry> {
    let mut next = first;
    let entries = request.appends.iter().map(|Ready { append, .. }| {
        let sequence = next;
        next += u64::from(append.items);
        Entry {
            sequence,
            items: append.items,
            routes: append.routes,
            lane: append.lane,
            meta: append.meta.clone(),
            payload: append.payload.clone(),
            appended_unix_nanos: now,
        }
    });
    entries.collect()
}
