//! Where a worker takes batches from: two journal lanes and two memory queues, urgent first.

use std::ops::Range;
use std::sync::Arc;

use bessemer_journal::{Lane, Reader, Stored};
use tokio::sync::mpsc;

use crate::delivery::direct::Direct;
use crate::delivery::parcel::{Origin, Parcel};
use crate::exporter::{Part, RecordId};
use crate::meta::Meta;

/// One in this many turns serves the normal lane first, so that a flood of urgent records cannot
/// starve it.
const NORMAL_TURN: u32 = 10;

/// The queues of one exporter.
pub(crate) struct Source {
    pub(crate) urgent: Reader,
    pub(crate) normal: Reader,
    pub(crate) urgent_direct: mpsc::Receiver<Direct>,
    pub(crate) normal_direct: mpsc::Receiver<Direct>,
    pub(crate) turn: u32,
}

impl Source {
    /// The next batch; waits for one. Dropping the future loses none.
    pub(crate) async fn next(&mut self) -> Parcel {
        loop {
            let (stored, lane) = tokio::select! {
                biased;
                Some(direct) = self.urgent_direct.recv() => return of_direct(direct),
                stored = next_of(&mut self.urgent) => (stored, Lane::Urgent),
                Some(direct) = self.normal_direct.recv() => return of_direct(direct),
                stored = next_of(&mut self.normal) => (stored, Lane::Normal),
            };
            if let Some(parcel) = of_stored(stored, lane) {
                return parcel;
            }
        }
    }

    /// The next batch if there is one.
    pub(crate) fn try_next(&mut self) -> Option<Parcel> {
        self.turn = self.turn.wrapping_add(1);
        if self.turn.is_multiple_of(NORMAL_TURN) {
            self.try_normal().or_else(|| self.try_urgent())
        } else {
            self.try_urgent().or_else(|| self.try_normal())
        }
    }

    /// Lets another reader take over a lane.
    pub(crate) fn rewind(&mut self, lane: Lane, reader: Reader) {
        *self.reader(lane) = reader;
    }

    /// The next batch of a lane of the journal; waits for one. Dropping the future loses none.
    pub(crate) async fn next_in(&mut self, lane: Lane) -> Parcel {
        loop {
            if let Some(parcel) = of_stored(next_of(self.reader(lane)).await, lane) {
                return parcel;
            }
        }
    }

    fn reader(&mut self, lane: Lane) -> &mut Reader {
        match lane {
            Lane::Urgent => &mut self.urgent,
            Lane::Normal => &mut self.normal,
        }
    }

    fn try_urgent(&mut self) -> Option<Parcel> {
        take(&mut self.urgent_direct, &mut self.urgent, Lane::Urgent)
    }

    fn try_normal(&mut self) -> Option<Parcel> {
        take(&mut self.normal_direct, &mut self.normal, Lane::Normal)
    }

    /// The next batch that is only in memory, for shutdown.
    pub(crate) fn try_next_direct(&mut self) -> Option<Direct> {
        self.urgent_direct.try_recv().or_else(|_| self.normal_direct.try_recv()).ok()
    }
}

/// The next entry; never when the journal was closed.
async fn next_of(reader: &mut Reader) -> Stored {
    match reader.next().await {
        Some(stored) => stored,
        None => std::future::pending().await,
    }
}

fn take(direct: &mut mpsc::Receiver<Direct>, reader: &mut Reader, lane: Lane) -> Option<Parcel> {
    direct.try_recv().ok().map(of_direct).or_else(|| of_stored(reader.try_next()?, lane))
}

fn of_direct(direct: Direct) -> Parcel {
    let origin = Origin::Memory(direct.lane, direct.group, direct.share);
    Parcel::new(direct.signal, direct.part, origin, direct.encoded)
}

/// `None` for an entry whose meta is not ours, which the checksums make a defect of this program.
fn of_stored(stored: Stored, lane: Lane) -> Option<Parcel> {
    let Some((signal, meta)) = Meta::decode(&stored.meta) else {
        tracing::error!(sequence = stored.sequence, "a journal entry has unknown meta; skipped");
        return None;
    };
    let part = Part {
        first: RecordId { incarnation: stored.incarnation, number: stored.sequence },
        records: stored.items,
        meta: Arc::new(meta),
        payload: stored.payload,
    };
    let (first, settled) = (stored.sequence, stored.settled);
    let whole = Parcel::new(signal, part, Origin::Journal(lane), None);
    if settled.is_empty() { Some(whole) } else { unsettled(&whole, first, &settled) }
}

/// What a crash left of an entry that was settled in part.
fn unsettled(whole: &Parcel, first: u64, settled: &[Range<u64>]) -> Option<Parcel> {
    let offset = |number: u64| {
        let offset = u32::try_from(number.saturating_sub(first)).unwrap_or(u32::MAX);
        offset.min(whole.records())
    };
    let mut start = 0;
    let mut left: Option<Parcel> = None;
    let gaps = settled.iter().map(|range| (offset(range.start), offset(range.end)));
    for (gap_start, gap_end) in gaps.chain(std::iter::once((whole.records(), 0))) {
        if start < gap_start {
            let piece = whole.range(start..gap_start);
            match &mut left {
                Some(left) => left.join(piece),
                None => left = Some(piece),
            }
        }
        start = start.max(gap_end);
    }
    left
}
