//! What a directory of segments holds: read at open, changed by nobody before that.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::block;
use crate::catalog::{Segment, Stage};
use crate::disk::{DiskFile, OpenMode, is_damage, read_full};
use crate::format::{
    DATA_START, FOOTER_BYTES_MAX, Footer, HeaderError, Kind, PAGE_BYTES, SEGMENT_HEADER_BYTES_MAX,
    SegmentHeader, TRAILER_BYTES, trailer_body_len,
};
use crate::guard::Guard;
use crate::keys::KeyError;
use crate::log::{Env, segment_name};
use crate::report::{Cause, Lost, Parked, TornTail};
use crate::scan::{Found, Scanner, used_len};
use crate::summary::Summary;

/// The files of a directory that look like segments.
#[derive(Default)]
pub(crate) struct Inventory {
    pub readable: Vec<Readable>,
    /// Those whose key is missing or wrong, which are among the parked too.
    pub locked: Vec<(PathBuf, SegmentHeader)>,
    pub parked: Vec<Parked>,
    /// Files that a crash left before anything was synced to them.
    pub blank: Vec<PathBuf>,
    /// Higher than the id in any file name.
    pub next_id: u64,
    /// A segment may be among the parked that held the highest numbers.
    pub unreadable: bool,
}

/// Record numbers in segments whose key is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub numbers: Range<u64>,
    /// The sinks that may want them.
    pub components: Vec<String>,
}

/// A segment whose header was read, and can be believed.
#[derive(Clone)]
pub(crate) struct Readable {
    pub path: PathBuf,
    pub header: SegmentHeader,
    pub guard: Guard,
}

/// A log as found.
#[derive(Default)]
pub(crate) struct Recovered {
    pub segments: Vec<Segment>,
    pub torn: Vec<TornTail>,
    pub lost: Vec<Lost>,
    pub parked: Vec<Parked>,
    pub corrupt_blocks: u64,
}

/// Lists a directory and reads the headers of its segments.
pub(crate) fn take_inventory(env: &Env, dir: &Path, kind: Kind) -> io::Result<Inventory> {
    let mut inventory = Inventory { next_id: 1, ..Inventory::default() };
    let mut names = env.disk.list(dir)?;
    names.sort();
    for name in names {
        let path = dir.join(&name);
        let Some(id) = id_in(&name) else {
            inventory.park(path, Cause::Stranger, "its name is not that of a segment");
            continue;
        };
        inventory.next_id = inventory.next_id.max(id.saturating_add(1));
        match patiently(|| read_header(env, &path)) {
            Ok(Ok(header)) if header.id != id => {
                let reason = format!("it is a copy of segment {:016x}", header.id);
                inventory.park(path, Cause::Stranger, &reason);
            }
            Ok(Ok(header)) if header.kind != kind => {
                inventory.park(path, Cause::Stranger, "it belongs to a log of another kind");
            }
            Ok(Ok(header)) => match unlock(env, &header)? {
                Ok(guard) => inventory.readable.push(Readable { path, header, guard }),
                Err(reason) => inventory.lock(path, header, &reason),
            },
            Ok(Err(HeaderError::Magic)) if is_blank(env, &path) => inventory.blank.push(path),
            Ok(Err(error)) => {
                let newer = matches!(error, HeaderError::Version(_));
                let cause = if newer { Cause::Newer } else { Cause::Damaged };
                inventory.park(path, cause, &error.to_string());
                inventory.unreadable = true;
            }
            Err(error) if is_damage(&error) => {
                inventory.park(path, Cause::Damaged, &error.to_string());
                inventory.unreadable = true;
            }
            // Out of handles or permissions: to go on would be to pass over good records.
            Err(error) => return Err(error),
        }
    }
    Ok(inventory)
}

impl Inventory {
    fn park(&mut self, path: PathBuf, cause: Cause, reason: &str) {
        tracing::warn!(path = %path.display(), reason, "segment parked");
        self.parked.push(Parked { path, cause, reason: reason.into(), key: None });
    }

    fn lock(&mut self, path: PathBuf, header: SegmentHeader, reason: &str) {
        tracing::error!(path = %path.display(), reason, "segment parked until its key is given");
        let key = header.seal.as_ref().map(|seal| seal.key_id.clone());
        let cause = Cause::Locked;
        self.parked.push(Parked { path: path.clone(), cause, reason: reason.into(), key });
        self.locked.push((path, header));
    }

    /// All headers, those of locked segments too: what they say of themselves is not proven.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &SegmentHeader> + Clone {
        let readable = self.readable.iter().map(|readable| &readable.header);
        readable.chain(self.locked.iter().map(|(_, header)| header))
    }

    /// The incarnation of most segments.
    pub(crate) fn incarnation(&self) -> Option<u64> {
        let all = self.headers().map(|header| header.incarnation);
        let count = |one: u64| all.clone().filter(|of| *of == one).count();
        all.clone().max_by_key(|one| count(*one))
    }

    /// Parks the segments of other journals.
    pub(crate) fn keep_only(&mut self, incarnation: u64) {
        let (own, foreign): (Vec<_>, Vec<_>) = std::mem::take(&mut self.readable)
            .into_iter()
            .partition(|readable| readable.header.incarnation == incarnation);
        self.readable = own;
        for Readable { path, header, .. } in foreign {
            let reason = format!("it belongs to journal {:016x}", header.incarnation);
            self.park(path, Cause::Stranger, &reason);
        }
        self.locked.retain(|(_, header)| header.incarnation == incarnation);
    }

    /// The record numbers that are taken by segments whose key is missing, and by whom they may be
    /// wanted. Where nothing says where the newest one ends, it is taken to be `newest_end`.
    pub(crate) fn held(&self, newest_end: u64) -> Vec<Held> {
        let end_of = |header: &SegmentHeader| {
            let next = self.headers().filter(|other| other.id > header.id);
            let next = next.min_by_key(|other| other.id).map(|other| other.first);
            next.unwrap_or(newest_end).max(header.first)
        };
        let held = self.locked.iter().map(|(_, header)| Held {
            numbers: header.first..end_of(header),
            components: header.components.iter().map(|(_, id)| id.clone()).collect(),
        });
        held.collect()
    }

    /// The first number of the newest segment, if that is one whose key is missing.
    pub(crate) fn newest_locked(&self) -> Option<u64> {
        let newest = self.headers().max_by_key(|header| header.id)?;
        let is_locked = self.locked.iter().any(|(_, header)| header.id == newest.id);
        is_locked.then_some(newest.first)
    }
}

// A source that cannot be asked refuses the whole open: what it would unlock must not be passed.
fn unlock(env: &Env, header: &SegmentHeader) -> io::Result<Result<Guard, String>> {
    let Some(seal) = &header.seal else { return Ok(Ok(Guard::plain(header))) };
    let id = &seal.key_id;
    let Some(keys) = &env.keys else {
        return Ok(Err(format!("it is sealed with key {id:?}, and no keys are configured")));
    };
    let key = match keys.find(id, &seal.wrapped) {
        Ok(key) => key,
        Err(error @ KeyError::Unavailable { .. }) => return Err(io::Error::other(error)),
        Err(KeyError::Unknown(_)) => {
            return Ok(Err(format!(
                "it is sealed with key {id:?}, which no source has; give that key and restart"
            )));
        }
    };
    let guard = Guard::unlock(header, &key)?;
    let wrong = || {
        format!(
            "key {id:?} as given does not fit: another key has its name, or the header was changed"
        )
    };
    Ok(guard.ok_or_else(wrong))
}

pub(crate) fn id_in(name: &Path) -> Option<u64> {
    let digits = name.to_str()?.strip_suffix(".segment")?;
    let id = u64::from_str_radix(digits, 16).ok()?;
    (segment_name(id) == name.to_str()?).then_some(id)
}

fn read_header(env: &Env, path: &Path) -> io::Result<Result<SegmentHeader, HeaderError>> {
    let file = env.disk.open(path, OpenMode::Read)?;
    let mut bytes = vec![0; SEGMENT_HEADER_BYTES_MAX];
    let mut verdict = Err(HeaderError::Magic);
    for copy in [0, SEGMENT_HEADER_BYTES_MAX as u64] {
        let count = read_full(&*file, copy, &mut bytes)?;
        match SegmentHeader::decode(bytes.get(..count).unwrap_or_default()) {
            Ok(header) => return Ok(Ok(header)),
            // Of two reasons the more telling one.
            Err(HeaderError::Magic) => {}
            Err(error) => verdict = Err(error),
        }
    }
    Ok(verdict)
}

// A header is synced with the first group, before anything is acknowledged: a file of zeros never
// held anything.
fn is_blank(env: &Env, path: &Path) -> bool {
    let Ok(file) = env.disk.open(path, OpenMode::Read) else { return false };
    let mut bytes = vec![0; usize::try_from(PAGE_BYTES).unwrap_or_default()];
    for offset in (0..).step_by(bytes.len()) {
        match read_full(&*file, offset, &mut bytes) {
            Ok(0) => return true,
            Ok(count) if used_len(bytes.get(..count).unwrap_or_default()) == 0 => {}
            _ => return false,
        }
    }
    false
}

/// Runs `act` again when the drive fails: what it cannot read twice it cannot read.
pub(crate) fn patiently<T>(mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    act().or_else(|error| if is_damage(&error) { act() } else { Err(error) })
}

/// Loads the segments of an inventory: sealed ones by their footers, others by a scan.
pub(crate) fn load(env: &Env, inventory: &Inventory, sinks: &[String]) -> io::Result<Recovered> {
    let mut readable = inventory.readable.clone();
    readable.sort_by_key(|readable| readable.header.id);
    let mut recovered = Recovered::default();
    // What a segment holds from the first number of the next one on is void.
    let mut bounds: Vec<u64> = readable.iter().skip(1).map(|next| next.header.first).collect();
    bounds.push(u64::MAX);
    let mut end: Option<(u64, u64)> = None;
    for (readable, bound) in readable.into_iter().zip(bounds) {
        let header = &readable.header;
        let locked_between = |before: u64| {
            inventory.locked.iter().any(|(_, locked)| (before..header.id).contains(&locked.id))
        };
        if let Some((before, end)) = end
            && end < header.previous_end
            && !locked_between(before)
        {
            recovered.lost.push(Lost { records: end..header.previous_end });
        }
        match patiently(|| load_segment(env, &readable, bound)) {
            Ok((mut segment, torn)) => {
                end = Some((segment.id, segment.end));
                recovered.torn.extend(torn);
                recovered.corrupt_blocks += segment.damage.len() as u64;
                segment.bits = sinks.iter().map(|id| segment.header.bit_of(id)).collect();
                recovered.segments.push(segment);
            }
            Err(error) if !is_damage(&error) => return Err(error),
            Err(error) => {
                let Readable { path, .. } = readable;
                tracing::warn!(%error, path = %path.display(), "segment parked");
                let (cause, reason) = (Cause::Damaged, error.to_string());
                recovered.parked.push(Parked { path, cause, reason, key: None });
            }
        }
    }
    Ok(recovered)
}

fn load_segment(
    env: &Env,
    readable: &Readable,
    bound: u64,
) -> io::Result<(Segment, Option<TornTail>)> {
    let Readable { path, header, guard } = readable;
    let file = env.disk.open(path, OpenMode::Read)?;
    let file_bytes = file.size()?;
    let mut segment = Segment {
        id: header.id,
        path: path.clone(),
        guard: guard.clone(),
        stage: Stage::Sealed,
        limit: DATA_START,
        nonzero_end: 0,
        end: header.first,
        file_bytes,
        last_unix_nanos: header.created_unix_nanos,
        summary: Summary::default(),
        damaged: 0,
        unread: false,
        damage: Vec::new(),
        bits: Vec::new(),
        header: Arc::new(header.clone()),
    };
    if let Some(footer) = read_footer(&*file, file_bytes, guard) {
        segment.limit = footer.data_end;
        segment.end = footer.end.min(bound).max(segment.header.first);
        segment.last_unix_nanos = footer.last_unix_nanos;
        segment.summary = footer.summary;
        segment.damaged = footer.damaged;
        segment.unread = true;
        return Ok((segment, None));
    }
    let torn = scan(file, &mut segment, bound);
    // What is served must be on the disk: the sync that the last process did not get to.
    let synced = env.disk.open(path, OpenMode::Write).and_then(|file| file.fdatasync());
    segment.stage = match synced {
        Ok(()) => Stage::Retired,
        Err(error) => {
            tracing::warn!(%error, segment = segment.id, "recovered segment not synced");
            Stage::Poisoned
        }
    };
    Ok((segment, torn))
}

pub(crate) fn read_footer(file: &dyn DiskFile, len: u64, guard: &Guard) -> Option<Footer> {
    let wanted = len.min((FOOTER_BYTES_MAX + TRAILER_BYTES) as u64);
    let mut bytes = vec![0; usize::try_from(wanted).ok()?];
    let count = read_full(file, len - wanted, &mut bytes).ok()?;
    let (rest, trailer) =
        bytes.get(..count)?.split_at_checked(count.checked_sub(TRAILER_BYTES)?)?;
    let body = rest.get(rest.len().checked_sub(trailer_body_len(trailer)?)?..)?;
    Footer::decode(body, trailer, guard).filter(|footer| footer.data_end <= len)
}

fn scan(file: Arc<dyn DiskFile>, segment: &mut Segment, bound: u64) -> Option<TornTail> {
    let guard = segment.guard.clone();
    let mut scanner = Scanner::new(file, guard, DATA_START, segment.file_bytes);
    // Blocks that could not be read since the last that could: damage if another follows.
    let mut suspect = Vec::new();
    loop {
        let next = match patiently(|| scanner.look()) {
            Ok(Found::Block(header)) if header.first >= bound => break,
            Ok(Found::Block(header)) => {
                let intact = header.first >= segment.end && accept(&scanner, &header, segment);
                if intact {
                    segment.damage.append(&mut suspect);
                } else {
                    suspect.push(scanner.offset);
                    scanner.nonzero_end = scanner.nonzero_end.max(header.data_end(scanner.offset));
                }
                scanner.pass(&header);
                continue;
            }
            Ok(Found::Damage { next }) => Some(next),
            Ok(Found::End) => None,
            Err(_) => scanner.search_past(),
        };
        let Some(next) = next else { break };
        suspect.push(scanner.offset);
        scanner.offset = next;
    }
    segment.damaged = u32::try_from(segment.damage.len()).unwrap_or(u32::MAX);
    segment.nonzero_end = scanner.nonzero_end;
    let bytes = segment.nonzero_end.saturating_sub(segment.limit);
    (bytes > 0).then_some(TornTail { segment: segment.id, bytes })
}

// Counts a block in, if its payload is what was written.
fn accept(scanner: &Scanner, header: &crate::format::BlockHeader, segment: &mut Segment) -> bool {
    let read = patiently(|| scanner.read(header));
    let parts = read.ok().flatten().and_then(|opened| block::parts(header, opened));
    let Some(parts) = parts else { return false };
    for part in &parts {
        segment.summary.add(part);
    }
    segment.limit = header.data_end(scanner.offset);
    segment.end = header.end;
    segment.last_unix_nanos = segment.last_unix_nanos.max(header.appended_unix_nanos);
    true
}
