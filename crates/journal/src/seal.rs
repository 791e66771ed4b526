//! What happens to segments after they are written: they are sealed, and one day deleted.

use std::io::{self, IoSlice};
use std::ops::ControlFlow;
use std::path::Path;

use crate::blocks::{Seen, walk};
use crate::catalog::{Catalog, Keep, Segment, Stage};
use crate::disk::{OpenMode, is_full, write_all};
use crate::format::{Footer, GROUP_ALIGNMENT, SegmentHeader};
use crate::log::Env;
use crate::quarantine;
use crate::recover::Readable;

/// The directories that deletion concerns.
#[derive(Clone, Copy)]
pub(crate) struct Dirs<'a> {
    pub log: &'a Path,
    pub quarantine: &'a Path,
}

/// Gives every retired segment its footer and its unused space back; says how many.
pub(crate) fn seal_retired(env: &Env, catalog: &Catalog) -> usize {
    let retired = |segment: &&Segment| segment.stage == Stage::Retired;
    let segments: Vec<Segment> = catalog.with(|all| all.filter(retired).cloned().collect());
    for segment in &segments {
        match seal(env, segment) {
            Ok(file_bytes) => catalog.update(segment.id, |segment| {
                segment.stage = Stage::Sealed;
                segment.file_bytes = file_bytes;
            }),
            // A full disk may have space later; anything else is not tried again on this file.
            Err(error) if is_full(&error) => {}
            Err(error) => {
                tracing::warn!(%error, segment = segment.id, "segment stays without footer");
                catalog.update(segment.id, |segment| segment.stage = Stage::Poisoned);
            }
        }
    }
    segments.len()
}

fn seal(env: &Env, segment: &Segment) -> io::Result<u64> {
    let file = env.disk.open(&segment.path, OpenMode::Write)?;
    let start = segment.limit.max(segment.nonzero_end).next_multiple_of(GROUP_ALIGNMENT);
    let footer = Footer {
        data_end: segment.limit,
        end: segment.end,
        last_unix_nanos: segment.last_unix_nanos,
        damaged: segment.damaged,
        summary: segment.summary.clone(),
    };
    let bytes = footer.encode(&segment.guard, &env.salt()?)?;
    file.truncate(start)?;
    write_all(&*file, start, &mut [IoSlice::new(&bytes)])?;
    file.fdatasync()?;
    Ok(start + bytes.len() as u64)
}

/// Deletes the oldest segments while `free` says so. The caller has made the cursors durable that
/// `free` goes by. Damaged segments are moved to `quarantine` instead. Says how many went.
pub(crate) fn delete_oldest(
    env: &Env,
    dirs: Dirs<'_>,
    catalog: &Catalog,
    keep: Keep,
    free: impl FnMut(&Segment) -> bool,
) -> usize {
    let ids = catalog.oldest(keep, free);
    if ids.is_empty() {
        return 0;
    }
    // Before the old names go, the new ones must be sure to stay.
    if let Err(error) = env.disk.sync_dir(dirs.log) {
        env.warn("nothing deleted: directory not synced", &dirs.log.display(), &error);
        return 0;
    }
    let mut deleted = 0;
    for segment in ids.into_iter().filter_map(|id| catalog.remove(id)) {
        match dispose(env, dirs.quarantine, &segment) {
            Ok(()) => deleted += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => deleted += 1,
            Err(error) => {
                env.warn("segment not deleted, tried again", &segment.path.display(), &error);
                catalog.insert(segment);
            }
        }
    }
    deleted
}

// A process that came upon damage may have died before it put the segment aside.
pub(crate) fn is_damaged(env: &Env, segment: &Segment) -> io::Result<bool> {
    let readable = Readable {
        path: segment.path.clone(),
        header: SegmentHeader::clone(&segment.header),
        guard: segment.guard.clone(),
    };
    let mut place = None;
    walk(env, &readable, segment.end, &mut |seen| match seen {
        Seen::Entries(..) => ControlFlow::Continue(()),
        Seen::Damage(offset) => {
            place = Some(offset);
            ControlFlow::Break(())
        }
    })?;
    if let Some(offset) = place {
        env.counters.corrupt(1);
        tracing::error!(segment = segment.id, offset, "damaged segment is kept in quarantine");
    }
    Ok(place.is_some())
}

fn dispose(env: &Env, quarantine: &Path, segment: &Segment) -> io::Result<()> {
    if segment.damaged == 0 && !(segment.unread && is_damaged(env, segment)?) {
        return env.disk.unlink(&segment.path);
    }
    quarantine::put(&*env.disk, quarantine, &segment.path)?;
    env.counters.quarantined(segment.file_bytes);
    Ok(())
}
