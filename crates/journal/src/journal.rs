//! The handle that the rest of the program holds, and the threads behind it.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::thread;

use bessemer_runtime::{Clock, Random};
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::account::Outcome;
use crate::core::{Core, Sink};
use crate::dead::{DeadLetter, DeadLetters};
use crate::disk::{Disk, ReadOnlyDisk};
use crate::entry::{Append, Lane, SinkIndex};
use crate::error::{AppendError, DeadLetterError, OpenError};
use crate::format::{META_BYTES_MAX, PAYLOAD_BYTES_MAX};
use crate::history::History;
use crate::janitor::{Chore, Janitor, dead_log};
use crate::keys::Keyring;
use crate::log::Env;
use crate::mailbox::Mailbox;
use crate::open::{Drive, Opened, known_sinks, open};
use crate::options::{Options, SinkSpec};
use crate::reader::Reader;
use crate::report::OpenReport;
use crate::standing::{Standing, Whereabouts};
use crate::stats::Stats;
use crate::writer::{Appended, Ready, Request, Writer};

/// Queued bytes are counted in units of this many.
const ROOM_UNIT_BYTES: usize = 1024;

/// A log of entries, appended once and read by every sink at its own pace. Clones share it; the
/// directory is given up when the last one is gone, or by [`Journal::close`].
#[derive(Clone)]
pub struct Journal {
    handle: Arc<Handle>,
}

struct Handle {
    core: Arc<Core>,
    requests: Arc<Mailbox<Request>>,
    room: Arc<Semaphore>,
    finished: Mutex<Option<oneshot::Receiver<()>>>,
}

/// The work of a journal without threads, for a caller that decides when it is done.
pub struct Engine {
    writer: Writer,
    janitor: Janitor,
}

impl Journal {
    /// Opens the journal in `options.dir` and starts its threads.
    pub fn open(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        options: Options,
        sinks: &[SinkSpec],
    ) -> Result<(Self, OpenReport), OpenError> {
        let dir = options.dir.clone();
        let env = environment(disk, clock, random, &options);
        let opened = open(env, options, sinks, Drive::Threads)?;
        let Opened { core, writer, janitor, requests, report } = opened;
        let finished =
            start(&core, writer, janitor).map_err(|source| OpenError::Io { path: dir, source })?;
        Ok((Self::new(core, requests, Some(finished)), report))
    }

    /// Opens the journal without threads: nothing is written or deleted but by [`Engine::step`].
    pub fn open_stepped(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        options: Options,
        sinks: &[SinkSpec],
    ) -> Result<(Self, Engine, OpenReport), OpenError> {
        let env = environment(disk, clock, random, &options);
        let opened = open(env, options, sinks, Drive::Stepped)?;
        let Opened { core, writer, janitor, requests, report } = opened;
        Ok((Self::new(core, requests, None), Engine { writer, janitor }, report))
    }

    /// Opens what a directory holds to be looked at: nothing is changed, no lock is taken, and
    /// nothing can be appended. Of a directory in use it shows what was there a moment ago.
    pub fn read_only(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        options: Options,
    ) -> Result<(Self, OpenReport), OpenError> {
        let disk = Arc::new(ReadOnlyDisk(disk));
        let env = environment(disk, clock, random, &options);
        let sinks = known_sinks(&env, &options.dir)?;
        let Opened { core, requests, report, .. } = open(env, options, &sinks, Drive::Stepped)?;
        Ok((Self::new(core, requests, None), report))
    }

    fn new(
        core: Arc<Core>,
        requests: Arc<Mailbox<Request>>,
        finished: Option<oneshot::Receiver<()>>,
    ) -> Self {
        let room = Arc::new(Semaphore::new(units(core.options.queue_bytes)));
        Self { handle: Arc::new(Handle { core, requests, room, finished: Mutex::new(finished) }) }
    }

    /// Appends entries; completes once they are on disk and synced, or none of them counts. Waits
    /// while too many bytes are queued. Giving up the future does not take the entries back.
    pub async fn append(&self, entries: Vec<Append>) -> Result<Appended, AppendError> {
        for entry in &entries {
            check(entry)?;
        }
        if entries.is_empty() {
            return Err(AppendError::NoItems);
        }
        let bytes = entries.iter().map(|entry| entry.payload.len() + entry.meta.len()).sum();
        let room = self.room(bytes).await.ok_or(AppendError::Closed)?;
        let compression = self.handle.core.options.compression;
        let appends = entries.into_iter().map(|entry| Ready::new(entry, compression)).collect();
        let (done, result) = oneshot::channel();
        let request = Request { appends, done, room };
        self.handle.requests.push(request).map_err(|_| AppendError::Closed)?;
        result.await.unwrap_or(Err(AppendError::Closed))
    }

    /// The reader of a sink in a lane. It starts at the lowest unsettled record and takes over from
    /// the reader before it.
    pub fn reader(&self, sink: SinkIndex, lane: Lane) -> Reader {
        Reader::new(Arc::clone(&self.handle.core), usize::from(sink.0), lane)
    }

    /// The reader of a sink that is configured no more, by the id in [`OpenReport::orphans`].
    pub fn orphan_reader(&self, id: &str, lane: Lane) -> Option<Reader> {
        let sink = self.orphan(id)?;
        Some(Reader::new(Arc::clone(&self.handle.core), sink, lane))
    }

    /// Records that a sink is done with records it read: delivered, or refused and their dead
    /// letter kept. Survives a crash of the process from here on, a power cut within a second.
    pub fn settle(&self, sink: SinkIndex, lane: Lane, records: Range<u64>) {
        self.settle_all(sink, lane, &[records]);
    }

    /// Settles several ranges at the cost of one.
    pub fn settle_all(&self, sink: SinkIndex, lane: Lane, records: &[Range<u64>]) {
        self.settle_as(sink, lane, records, Outcome::Delivered);
    }

    /// The same, with how they were settled.
    pub fn settle_as(&self, sink: SinkIndex, lane: Lane, records: &[Range<u64>], outcome: Outcome) {
        self.handle.core.settle(usize::from(sink.0), lane, records, outcome);
    }

    /// [`Journal::settle`] for a sink that is configured no more.
    pub fn settle_orphan(&self, id: &str, lane: Lane, records: Range<u64>) {
        if let Some(sink) = self.orphan(id) {
            self.handle.core.settle(sink, lane, &[records], Outcome::Delivered);
        }
    }

    /// Forgets all that is queued for a sink that is configured no more; false if there is none.
    pub fn drop_orphan(&self, id: &str) -> bool {
        let Some(sink) = self.orphan(id) else { return false };
        for lane in Lane::ALL {
            let all = 0..u64::MAX;
            self.handle.core.settle(sink, lane, &[all], Outcome::Dropped);
        }
        true
    }

    /// Keeps dead letters of a sink; completes once they are synced. On an error the records must
    /// stay unsettled.
    pub async fn dead_letter(
        &self,
        sink: SinkIndex,
        letters: Vec<DeadLetter>,
    ) -> Result<(), DeadLetterError> {
        let core = &self.handle.core;
        let known = core.sinks.get(usize::from(sink.0)).filter(|sink| !sink.orphan);
        let sink = known.ok_or(DeadLetterError::UnknownSink)?.spec.id.clone();
        letters.iter().try_for_each(DeadLetter::check)?;
        if letters.is_empty() {
            return Ok(());
        }
        let bytes = letters.iter().map(|letter| letter.payload.len() + letter.meta.len()).sum();
        let room = self.room(bytes).await.ok_or(DeadLetterError::Closed)?;
        let (done, result) = oneshot::channel();
        let chore = Chore::Bury { sink, letters, done, room };
        core.chores.push(chore).map_err(|_| DeadLetterError::Closed)?;
        result.await.unwrap_or(Err(DeadLetterError::Closed))
    }

    /// The dead letters of a sink by its id, oldest first; none when it has no log. Iterating
    /// blocks on the disk.
    pub fn dead_letters(&self, sink: &str) -> Option<DeadLetters> {
        let log = dead_log(&self.handle.core, sink)?;
        Some(DeadLetters::new(self.handle.core.env.clone(), log))
    }

    /// The ids of the sinks that have a dead-letter log, configured or not, in their order.
    pub fn dead_letter_logs(&self) -> Vec<String> {
        let logs = self.handle.core.dead.lock();
        let mut ids: Vec<String> = logs.iter().map(|log| log.id.clone()).collect();
        ids.sort_unstable();
        ids
    }

    /// The number after the last dead letter of a sink that is on disk.
    pub fn dead_letters_end(&self, sink: &str) -> u64 {
        let log = dead_log(&self.handle.core, sink);
        log.and_then(|log| log.catalog.end()).unwrap_or_default()
    }

    /// How many runs of dropped letters have letters before them that are kept. Runs beyond the
    /// first 64 come back with the next start.
    pub fn dead_letters_gaps(&self, sink: &str) -> usize {
        let log = dead_log(&self.handle.core, sink);
        log.map_or(0, |log| log.dropped.lock().gaps())
    }

    /// What the log still holds for a sink by its id, settled or not; none when no sink has it.
    pub fn history(&self, sink: &str, numbers: Range<u64>) -> Option<History> {
        History::new(&self.handle.core, sink, numbers)
    }

    /// Runs what blocks on the disk where no task waits for it.
    pub async fn beside<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        if self.handle.core.read_inline {
            return Ok(read());
        }
        tokio::task::spawn_blocking(read).await.map_err(io::Error::other)
    }

    /// Forgets dead letters by the numbers they were read with; completes once that is durable.
    pub async fn drop_dead_letters(
        &self,
        sink: &str,
        numbers: Vec<Range<u64>>,
    ) -> Result<(), DeadLetterError> {
        let (done, result) = oneshot::channel();
        let chore = Chore::Drop { sink: sink.into(), numbers, done };
        self.handle.core.chores.push(chore).map_err(|_| DeadLetterError::Closed)?;
        result.await.unwrap_or(Err(DeadLetterError::Closed))
    }

    /// What the journal holds and did.
    pub fn stats(&self) -> Stats {
        self.handle.core.stats()
    }

    /// Why the disk took no append, until it would take one again.
    pub fn trouble(&self) -> Option<String> {
        self.handle.core.trouble.get()
    }

    /// Whether a sink's budget is used up.
    pub fn is_over_budget(&self, sink: SinkIndex) -> bool {
        self.handle.core.sinks.get(usize::from(sink.0)).is_some_and(Sink::is_over_budget)
    }

    /// Where every sink stands: those of the configuration in their order, then others.
    pub fn standings(&self) -> Vec<Standing> {
        self.handle.core.standings()
    }

    /// What is known of one record number. Reads the disk where it stands.
    pub fn whereabouts(&self, number: u64) -> io::Result<Whereabouts> {
        self.handle.core.whereabouts(number)
    }

    /// The identity of the journal, constant over its life.
    pub fn incarnation(&self) -> u64 {
        self.handle.core.incarnation
    }

    /// Keeps a note beside a sink's cursor: durable with it, within a second, and without a sync of
    /// its own. False, and nothing kept, when it is over [`crate::NOTE_BYTES_MAX`].
    pub fn note(&self, sink: SinkIndex, note: Bytes) -> bool {
        self.handle.core.note(usize::from(sink.0), note)
    }

    /// Lets no more in, writes what waits, makes the cursors durable and gives the directory up.
    /// Readers get nothing more.
    pub async fn close(self) {
        self.handle.close();
        let finished = self.handle.finished.lock().take();
        if let Some(finished) = finished {
            // An error means that the thread is gone, which is what is waited for.
            finished.await.unwrap_or_default();
        }
    }

    async fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let all = units(self.handle.core.options.queue_bytes);
        let wanted = u32::try_from(units(bytes).min(all)).unwrap_or(u32::MAX);
        Arc::clone(&self.handle.room).acquire_many_owned(wanted).await.ok()
    }

    fn orphan(&self, id: &str) -> Option<usize> {
        self.handle.core.sinks.iter().position(|sink| sink.orphan && sink.spec.id == id)
    }
}

impl Handle {
    fn close(&self) {
        self.room.close();
        self.requests.close();
        self.core.close_readers();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

impl Engine {
    /// Writes what waits as one group; says whether anything waited.
    pub fn write(&mut self) -> bool {
        self.writer.step()
    }

    /// Does what a journal does beside writing: chores, cursors, deletion.
    pub fn maintain(&mut self) {
        self.janitor.step();
    }

    /// Both.
    pub fn step(&mut self) {
        self.write();
        self.maintain();
    }

    /// Ends in good order, as [`Journal::close`] does. Dropping the engine instead is a crash.
    pub fn finish(mut self) {
        while self.write() {}
        self.writer.finish();
        self.janitor.finish();
    }
}

fn environment(
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    options: &Options,
) -> Env {
    let keys = options.keys.as_ref().map(|source| Arc::new(Keyring::new(Arc::clone(source))));
    Env { disk, clock, random, counters: Arc::default(), repeats: Arc::default(), keys }
}

fn units(bytes: usize) -> usize {
    bytes.div_ceil(ROOM_UNIT_BYTES).max(1)
}

fn check(entry: &Append) -> Result<(), AppendError> {
    let (meta, payload) = (entry.meta.len(), entry.payload.len());
    match () {
        () if entry.items == 0 => Err(AppendError::NoItems),
        () if meta > META_BYTES_MAX => Err(AppendError::TooLarge { bytes: meta }),
        () if payload > PAYLOAD_BYTES_MAX => Err(AppendError::TooLarge { bytes: payload }),
        () => Ok(()),
    }
}

// The janitor outlives the writer, seals its last segment and lets the lock go.
fn start(
    core: &Arc<Core>,
    mut writer: Writer,
    mut janitor: Janitor,
) -> io::Result<oneshot::Receiver<()>> {
    let (finished, waiting) = oneshot::channel();
    let chores = Arc::clone(&core.chores);
    // What the last process left unsealed still counts with all that was reserved for it.
    chores.wake();
    thread::Builder::new().name("journal-janitor".into()).spawn(move || {
        janitor.run();
        drop(janitor);
        finished.send(()).unwrap_or_default();
    })?;
    let spawned = thread::Builder::new().name("journal-writer".into()).spawn(move || {
        writer.run();
        drop(writer);
        chores.close();
    });
    if let Err(error) = spawned {
        core.chores.close();
        return Err(error);
    }
    Ok(waiting)
}
