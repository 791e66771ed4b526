//! Opening a journal: what is on disk, what of it is ours, where every sink stands.
//!
//! Nothing found is changed here: files are read, cursors placed, and what needs doing (footers,
//! deletions) is left to the janitor. Only the lock and, in a new directory, the directories are
//! made.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use crate::cache::Cache;
use crate::catalog::{Catalog, Segment};
use crate::core::{Core, Cursors};
use crate::cursor::{Areas, CursorFile, CursorsError};
use crate::dead::DeadWriter;
use crate::disk::LockGuard;
use crate::error::OpenError;
use crate::format::{COMPONENT_ID_BYTES_MAX, Kind, NUMBERS_SKIPPED, SINKS_MAX};
use crate::janitor::Janitor;
use crate::lock;
use crate::log::{Env, Log, make_dir};
use crate::logs::{LogSpecs, is_dead_area_id, unescape};
use crate::mailbox::Mailbox;
use crate::options::{Options, SinkSpec};
use crate::recover::{Held, Inventory, load, take_inventory};
use crate::report::{Cause, OpenReport, Parked};
use crate::spill::Spiller;
use crate::stats::Trouble;
use crate::tail::Tail;
use crate::writer::{Request, Writer};

mod backlog;
mod place;

/// The parts of an open journal.
pub(crate) struct Opened {
    pub core: Arc<Core>,
    pub writer: Writer,
    pub janitor: Janitor,
    pub requests: Arc<Mailbox<Request>>,
    pub report: OpenReport,
}

/// Whether the journal gets threads of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drive {
    Threads,
    Stepped,
}

/// A log found under a component's id.
#[derive(Default)]
pub(crate) struct Found {
    pub id: String,
    pub segments: Vec<Segment>,
    pub next_id: u64,
    /// No number below this may be given: it may be taken in a segment whose key is missing.
    pub next_floor: u64,
    pub held: Vec<Held>,
}

/// All that was found in the directory.
struct Everything {
    areas: Areas,
    inventory: Inventory,
    spills: Vec<Found>,
    dead: Vec<Found>,
    lock: Box<dyn LockGuard>,
    drive: Drive,
}

struct Opening {
    env: Env,
    options: Options,
    incarnation: u64,
    logs: LogSpecs,
    report: OpenReport,
    blanks: Vec<PathBuf>,
}

/// Opens the journal in `options.dir`.
pub(crate) fn open(
    env: Env,
    options: Options,
    specs: &[SinkSpec],
    drive: Drive,
) -> Result<Opened, OpenError> {
    check_sinks(specs)?;
    let dir = options.dir.clone();
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| OpenError::Io { path, source }
    };
    let main_dir = dir.join("main");
    make_dir(&*env.disk, &main_dir).map_err(failed(&main_dir))?;
    let lock = lock::take(&*env.disk, &dir)?;
    let cursor_path = dir.join("cursors");
    let areas = read_cursors(&env, &cursor_path)?;
    let mut inventory = take_inventory(&env, &main_dir, Kind::Main).map_err(failed(&main_dir))?;
    let spills = inventories_below(&env, &dir, Kind::Spill).map_err(failed(&dir))?;
    let dead = inventories_below(&env, &dir, Kind::Dead).map_err(failed(&dir))?;
    let beside = spills.iter().chain(&dead).map(|(_, inventory)| inventory);
    let incarnation = incarnation(&env, &areas, &inventory, beside);
    inventory.keep_only(incarnation);
    let mut report = OpenReport { incarnation, ..OpenReport::default() };
    let areas = if areas.incarnation.is_none_or(|found| found == incarnation) {
        areas
    } else {
        report.parked.push(put_aside(&env, &cursor_path).map_err(failed(&cursor_path))?);
        Areas::default()
    };
    let logs = LogSpecs::new(&options, incarnation);
    let mut opening = Opening { env, options, incarnation, logs, report, blanks: Vec::new() };
    let spills = opening.load_all(spills).map_err(failed(&dir))?;
    let dead = opening.load_all(dead).map_err(failed(&dir))?;
    let everything = Everything { areas, inventory, spills, dead, lock, drive };
    opening.assemble(specs, everything).map_err(failed(&dir))
}

fn read_cursors(env: &Env, path: &Path) -> Result<Areas, OpenError> {
    let path = path.to_path_buf();
    Areas::read(env, &path).map_err(|error| match error {
        CursorsError::Io(source) => OpenError::Io { path, source },
        CursorsError::Version(version) => OpenError::Version { path, version },
        CursorsError::Locked(reason) => OpenError::CursorsSealed { path, reason },
    })
}

/// The sinks that the cursor file in `dir` knows.
pub(crate) fn known_sinks(env: &Env, dir: &Path) -> Result<Vec<SinkSpec>, OpenError> {
    let areas = read_cursors(env, &dir.join("cursors"))?;
    let ids = areas.all().map(|saved| &saved.id).filter(|id| !is_dead_area_id(id));
    Ok(ids.filter(|id| !id.is_empty()).map(|id| SinkSpec::new(id.as_str())).collect())
}

fn check_sinks(specs: &[SinkSpec]) -> Result<(), OpenError> {
    if specs.len() > SINKS_MAX {
        return Err(OpenError::TooManySinks(specs.len()));
    }
    for (n, spec) in specs.iter().enumerate() {
        if spec.id.is_empty() || spec.id.len() > COMPONENT_ID_BYTES_MAX {
            return Err(OpenError::SinkId(spec.id.clone()));
        }
        if specs.iter().take(n).any(|other| other.id == spec.id) {
            return Err(OpenError::DuplicateSink(spec.id.clone()));
        }
    }
    Ok(())
}

// What is in the directories below that of a kind, by the component id they are named after.
pub(crate) fn inventories_below(
    env: &Env,
    dir: &Path,
    kind: Kind,
) -> io::Result<Vec<(String, Inventory)>> {
    let below = dir.join(if kind == Kind::Dead { "dead" } else { "spill" });
    let mut found = Vec::new();
    for name in env.disk.list(&below)? {
        let Some(id) = name.to_str().and_then(unescape) else { continue };
        found.push((id, take_inventory(env, &below.join(&name), kind)?));
    }
    Ok(found)
}

// The cursor file says which journal this is, unless all segments disagree. Without it, and with
// nothing in the main log, dead letters and what was spilled still belong to somebody.
pub(crate) fn incarnation<'a>(
    env: &Env,
    areas: &Areas,
    main: &Inventory,
    mut beside: impl Iterator<Item = &'a Inventory>,
) -> u64 {
    let backed = |incarnation: &u64| {
        let mut headers = main.headers().map(|header| header.incarnation).peekable();
        headers.peek().is_none() || headers.any(|one| one == *incarnation)
    };
    let said = areas.incarnation.filter(backed);
    let found = || main.incarnation().or_else(|| beside.find_map(Inventory::incarnation));
    said.or_else(found).unwrap_or_else(|| env.random.next_u64())
}

// What another journal wrote says nothing about this one, and may be wanted there.
fn put_aside(env: &Env, cursors: &Path) -> io::Result<Parked> {
    let path = cursors.with_extension("foreign");
    env.disk.rename(cursors, &path)?;
    let reason = "it belongs to another journal".into();
    Ok(Parked { path, cause: Cause::Stranger, reason, key: None })
}

impl Opening {
    fn load_all(&mut self, inventories: Vec<(String, Inventory)>) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for (id, mut inventory) in inventories {
            inventory.keep_only(self.incarnation);
            let next_id = inventory.next_id;
            let after = |first: u64| first.saturating_add(NUMBERS_SKIPPED);
            let next_floor = inventory.newest_locked().map_or(0, after);
            let held = inventory.held(next_floor);
            let segments = self.load(&inventory, std::slice::from_ref(&id))?;
            found.push(Found { id, segments, next_id, next_floor, held });
        }
        Ok(found)
    }

    fn load(&mut self, inventory: &Inventory, ids: &[String]) -> io::Result<Vec<Segment>> {
        let recovered = load(&self.env, inventory, ids)?;
        self.report.parked.extend(inventory.parked.iter().cloned());
        self.report.parked.extend(recovered.parked);
        self.report.corrupt_blocks += recovered.corrupt_blocks;
        self.report.torn_tails.extend(recovered.torn);
        self.report.lost.extend(recovered.lost);
        self.blanks.extend(inventory.blank.iter().cloned());
        Ok(recovered.segments)
    }

    fn assemble(mut self, specs: &[SinkSpec], found: Everything) -> io::Result<Opened> {
        let Everything { areas, inventory, spills, dead, lock, drive } = found;
        let ids = place::all_ids(specs, &inventory, &spills);
        let next_id = inventory.next_id;
        let torn_before = self.report.torn_tails.len();
        let newest_locked = inventory.newest_locked();
        let unreadable = inventory.unreadable || newest_locked.is_some();
        let segments = self.load(&inventory, &ids)?;
        let torn = unreadable || self.report.torn_tails.len() > torn_before;
        let end = segments.last().map(|segment| segment.end);
        let next = place::next_number(&areas, end.max(newest_locked), torn);
        let held = place::held(&inventory, &spills, next);
        let main = Arc::new(Catalog::new(segments));
        let sinks = place::sinks(specs, &ids, &spills);
        let placed = place::cursors(&sinks, &areas, &main, next, &held);
        self.report.cursors_lost = placed.lost;
        let books = backlog::count(&self.env, &sinks, &placed.saved, &main, &areas);
        let books = place::books(&sinks, &areas, books);
        let wanted = place::wanted_areas(&sinks, (&placed.lanes, &books), &dead, &areas, next);
        let (env, incarnation) = (self.env.clone(), self.incarnation);
        let path = self.options.dir.join("cursors");
        let mut file = CursorFile::open(env.clone(), path, incarnation, areas, wanted);
        let dead: Vec<DeadWriter> =
            dead.into_iter().map(|found| self.logs.dead_writer(&env, found, &mut file)).collect();
        let areas = sinks.iter().map(|sink| file.area(&sink.spec.id)).collect();
        self.report.finish(&main, &sinks, next);
        self.env.counters.torn(self.report.torn_tails.len() as u64);
        self.env.counters.corrupt(self.report.corrupt_blocks);
        let core = Arc::new(Core {
            incarnation,
            cache: Mutex::new(Cache::new(self.options.cache_bytes, next)),
            sinks,
            cursors: Mutex::new(Cursors { lanes: placed.lanes, file, areas, books, noted: false }),
            tail: Tail::new(next),
            chores: Arc::default(),
            dead: Mutex::new(dead.iter().map(|dead| Arc::clone(&dead.shared)).collect()),
            parked_files: self.report.parked.len(),
            closed: AtomicBool::new(false),
            starved: AtomicBool::new(false),
            trouble: Trouble::default(),
            read_inline: drive == Drive::Stepped,
            main: Arc::clone(&main),
            options: self.options,
            env: env.clone(),
        });
        let spillers = spillers(&core, &self.logs, &spills);
        let log = Log::new(env, self.logs.main(specs, core.sinks.len()), main, next_id, end);
        let requests: Arc<Mailbox<_>> = Arc::default();
        let writer = Writer::new(Arc::clone(&core), log, Arc::clone(&requests), next);
        let janitor = Janitor {
            core: Arc::clone(&core),
            spillers,
            dead,
            logs: self.logs,
            blanks: self.blanks,
            cursors_synced_at: std::time::Duration::ZERO,
            _lock: lock,
        };
        Ok(Opened { core, writer, janitor, requests, report: self.report })
    }
}

fn spillers(core: &Arc<Core>, logs: &LogSpecs, found: &[Found]) -> Vec<Spiller> {
    let sinks = core.sinks.iter().enumerate();
    let spillers = sinks.map(|(number, sink)| {
        let found = found.iter().find(|found| found.id == sink.spec.id);
        let next_id = found.map_or(1, |found| found.next_id);
        let spec = logs.spill(&sink.spec.id, number, core.sinks.len());
        let end = sink.spill.end();
        let log = Log::new(core.env.clone(), spec, Arc::clone(&sink.spill), next_id, end);
        Spiller::new(number, log)
    });
    spillers.collect()
}
