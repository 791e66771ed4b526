//! One writer of one directory of segments: groups go in, durable or not at all.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bessemer_runtime::{Clock, Random};

use crate::active::Active;
use crate::block::Block;
use crate::catalog::{Catalog, Segment, Stage};
use crate::disk::{Disk, is_full};
use crate::format::{DATA_START, Kind, Seal, SegmentHeader, VERSION, VERSION_PLAIN};
use crate::guard::Guard;
use crate::keys::{Keyring, SALT_BYTES};
use crate::options::Compression;
use crate::repeats::Repeats;
use crate::stats::Counters;
use crate::summary::Summary;

/// What every part of the journal uses of the world.
#[derive(Clone)]
pub(crate) struct Env {
    pub disk: Arc<dyn Disk>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub counters: Arc<Counters>,
    pub repeats: Arc<Repeats>,
    /// Nothing new is sealed without.
    pub keys: Option<Arc<Keyring>>,
}

impl Env {
    /// Warns of what a disk that stays dead would bring at every call.
    pub(crate) fn warn(&self, kind: &'static str, of: &dyn Display, error: &dyn Display) {
        self.repeats.warn(self.clock.monotonic(), kind, of, error);
    }

    /// Bytes that distinguish a file from all others.
    pub(crate) fn salt(&self) -> io::Result<[u8; SALT_BYTES]> {
        if let Some(keys) = &self.keys {
            return keys.salt();
        }
        let mut salt = [0; SALT_BYTES];
        for half in salt.chunks_mut(8) {
            half.copy_from_slice(&self.random.next_u64().to_le_bytes());
        }
        Ok(salt)
    }
}

/// What distinguishes a log from others.
#[derive(Debug, Clone)]
pub(crate) struct LogSpec {
    pub dir: PathBuf,
    pub kind: Kind,
    pub incarnation: u64,
    /// Component ids by route bit, for segments that are created from now on.
    pub components: Vec<(u8, String)>,
    /// The route bit of every sink, by number.
    pub bits: Vec<Option<u8>>,
    pub segment_bytes: u64,
    pub preallocate: bool,
    pub sync: bool,
    pub compression: Compression,
}

/// The writing side of a log.
pub(crate) struct Log {
    env: Env,
    spec: LogSpec,
    catalog: Arc<Catalog>,
    active: Option<Active>,
    next_id: u64,
    /// The number after the last record that was committed, if there was one.
    end: Option<u64>,
    has_dir: bool,
}

/// Why a group was not committed. The log is ready for the next.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommitError {
    /// The disk has no space.
    #[error("{0}")]
    Full(#[source] io::Error),
    /// The disk failed twice, in two segments.
    #[error("{0}")]
    Io(#[source] io::Error),
}

impl Log {
    pub(crate) fn new(
        env: Env,
        spec: LogSpec,
        catalog: Arc<Catalog>,
        next_id: u64,
        end: Option<u64>,
    ) -> Self {
        Self { env, spec, catalog, active: None, next_id, end, has_dir: false }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.spec.dir
    }

    /// Writes and syncs a group of blocks in ascending order. After an error none of it counts and
    /// its numbers may be given again.
    pub(crate) fn commit(&mut self, blocks: &[Block]) -> Result<(), CommitError> {
        let Some(last) = blocks.last() else { return Ok(()) };
        let full =
            |active: &Active| !active.fresh && active.size_with(blocks) > self.spec.segment_bytes;
        if self.active.as_ref().is_some_and(full) {
            self.retire();
        }
        if let Err(error) = self.attempt(blocks) {
            if is_full(&error) {
                // The writer says it, once.
                tracing::debug!(%error, log = %self.spec.dir.display(), "segment left");
            } else {
                self.env.warn("segment abandoned", &self.spec.dir.display(), &error);
            }
            self.abandon(&error);
            if let Err(error) = self.attempt(blocks) {
                self.abandon(&error);
                let kind = if is_full(&error) { CommitError::Full } else { CommitError::Io };
                return Err(kind(error));
            }
        }
        self.end = Some(last.end);
        Ok(())
    }

    /// Closes the segment being written; the next group starts a new one.
    pub(crate) fn retire(&mut self) {
        let Some(active) = self.active.take() else { return };
        if active.fresh {
            self.remove(&active);
            return;
        }
        self.catalog.update(active.id, |segment| segment.stage = Stage::Retired);
    }

    /// Whether a group that starts at `first` could be written: writes and syncs a segment without
    /// content and removes it.
    pub(crate) fn probe(&mut self, first: u64) -> io::Result<()> {
        if self.active.is_some() {
            return Ok(());
        }
        let active = self.create(first)?;
        let written = active.probe().and_then(|()| self.env.disk.sync_dir(&self.spec.dir));
        self.remove(&active);
        written
    }

    // Removes a segment that holds nothing; says whether it is gone.
    fn remove(&self, active: &Active) -> bool {
        let removed = self.env.disk.unlink(&active.path);
        if let Err(error) = &removed {
            self.env.warn("empty segment not removed", &active.path.display(), error);
        }
        removed.is_ok()
    }

    fn attempt(&mut self, blocks: &[Block]) -> io::Result<()> {
        if self.active.is_none() {
            let first = blocks.first().map_or(0, |block| block.first);
            self.active = Some(self.create(first)?);
        }
        let Some(active) = &mut self.active else { return Err(io::ErrorKind::NotFound.into()) };
        let end = active.write(blocks)?;
        if self.spec.sync {
            let before = self.env.clock.monotonic();
            active.sync()?;
            if active.fresh {
                self.env.disk.sync_dir(&self.spec.dir)?;
            }
            self.env.counters.synced(self.env.clock.monotonic().saturating_sub(before));
        }
        let (fresh, id) = (active.fresh, active.id);
        active.accept(end);
        if fresh {
            self.catalog.insert(entered(active, &self.spec));
        }
        self.catalog.update(id, |segment| extend(segment, blocks, end));
        Ok(())
    }

    fn create(&mut self, first: u64) -> io::Result<Active> {
        if !self.has_dir {
            make_dir(&*self.env.disk, &self.spec.dir)?;
            self.has_dir = true;
        }
        let id = self.next_id;
        self.next_id += 1;
        let key = self.env.keys.as_ref().map(|keys| keys.next()).transpose()?;
        let plain = key.is_none() && self.spec.compression != Compression::Zstd;
        let mut header = SegmentHeader {
            version: if plain { VERSION_PLAIN } else { VERSION },
            kind: self.spec.kind,
            incarnation: self.spec.incarnation,
            id,
            first,
            previous_end: self.end.unwrap_or(first),
            created_unix_nanos: self.env.clock.unix_nanos(),
            salt: self.env.salt()?,
            components: self.spec.components.clone(),
            seal: key.as_ref().map(|key| Seal {
                key_id: key.id.clone(),
                wrapped: key.wrapped.clone(),
                tag: Default::default(),
            }),
        };
        let guard = match &key {
            Some(key) => Guard::seal(&mut header, &key.key)?,
            None => Guard::plain(&header),
        };
        let path = self.spec.dir.join(segment_name(id));
        let reserve = self.spec.preallocate.then_some(self.spec.segment_bytes);
        Active::create(&*self.env.disk, path, header, guard, reserve)
    }

    // A segment that failed is never written to or synced again. What it holds of the failed group
    // is void once another segment starts at the same number.
    fn abandon(&mut self, error: &io::Error) {
        let Some(active) = self.active.take() else { return };
        self.env.counters.abandoned();
        if active.fresh {
            if !self.remove(&active) {
                let segment = Segment { stage: Stage::Poisoned, ..entered(&active, &self.spec) };
                self.catalog.insert(segment);
            }
            return;
        }
        // Without space nothing was synced in vain; a footer gives back what was reserved.
        let stage = if is_full(error) { Stage::Retired } else { Stage::Poisoned };
        self.catalog.update(active.id, |segment| segment.stage = stage);
    }
}

/// Makes a directory whose name survives a power cut, with all above it that may be new.
pub(crate) fn make_dir(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    disk.create_dir_all(dir)?;
    for (level, above) in dir.ancestors().skip(1).enumerate() {
        // The last ancestor of a relative path is the empty one.
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        match disk.sync_dir(above) {
            Err(error) if level == 0 || !is_not_ours(&error) => return Err(error),
            Err(error) => {
                tracing::debug!(%error, dir = %above.display(), "directory above not synced");
            }
            Ok(()) => {}
        }
    }
    Ok(())
}

// A directory that cannot even be asked to sync was not made by us either.
fn is_not_ours(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(error.kind(), InvalidInput | PermissionDenied | ReadOnlyFilesystem | Unsupported)
}

/// The file name of a segment.
pub(crate) fn segment_name(id: u64) -> String {
    format!("{id:016x}.segment")
}

fn entered(active: &Active, spec: &LogSpec) -> Segment {
    Segment {
        id: active.id,
        path: active.path.clone(),
        header: Arc::clone(&active.header),
        guard: active.guard.clone(),
        stage: Stage::Active,
        limit: DATA_START,
        nonzero_end: 0,
        end: active.header.first,
        file_bytes: DATA_START,
        last_unix_nanos: active.header.created_unix_nanos,
        summary: Summary::default(),
        damaged: 0,
        unread: false,
        damage: Vec::new(),
        bits: spec.bits.clone(),
    }
}

fn extend(segment: &mut Segment, blocks: &[Block], limit: u64) {
    segment.limit = limit;
    segment.file_bytes = limit;
    for block in blocks {
        segment.end = block.end;
        segment.last_unix_nanos = block.appended_unix_nanos;
        for part in &block.parts {
            segment.summary.add(part);
        }
    }
}
