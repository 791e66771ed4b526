//! What is in flight to a destination: a delivery, and for each of its parts where to settle it.

use std::ops::Range;
use std::sync::Arc;

use bessemer_journal::Lane;
use bessemer_net::body::Encoded;
use bessemer_record::{Checked, Signal, split};

use crate::delivery::ack::AckGroup;
use crate::delivery::window::Share;
use crate::exporter::{Delivery, Part};

/// Where a part came from and so where it is settled.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// The journal: settled by record number.
    Journal(Lane),
    /// Memory: settled with the client that waits, if one does. The share of the window is given
    /// back when the last destination drops it.
    Memory(Lane, Option<Arc<AckGroup>>, #[expect(dead_code, reason = "held")] Option<Arc<Share>>),
}

/// Parts of one signal on their way to one destination.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    pub(crate) delivery: Delivery,
    /// One for each part.
    pub(crate) origins: Vec<Origin>,
    /// Failed tries of exactly this parcel.
    pub(crate) tries: u32,
}

impl Parcel {
    pub(crate) fn new(
        signal: Signal,
        part: Part,
        origin: Origin,
        encoded: Option<Encoded>,
    ) -> Self {
        Self {
            delivery: Delivery { signal, parts: vec![part], encoded },
            origins: vec![origin],
            tries: 0,
        }
    }

    /// Adds parts of the same signal.
    pub(crate) fn join(&mut self, other: Self) {
        self.delivery.encoded = None;
        self.delivery.parts.extend(other.delivery.parts);
        self.origins.extend(other.origins);
    }

    pub(crate) fn records(&self) -> u32 {
        self.delivery.records()
    }

    /// Whether every client that waited for a part has left, so that sending it again is theirs.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.origins.iter().all(
            |origin| matches!(origin, Origin::Memory(_, Some(group), _) if group.is_abandoned()),
        )
    }

    /// Whether a part of it takes space in the journal.
    pub(crate) fn is_journaled(&self) -> bool {
        self.origins.iter().any(|origin| matches!(origin, Origin::Journal(_)))
    }

    /// Two parcels with about half of the records each; `None` for a single record.
    pub(crate) fn halves(&self) -> Option<(Self, Self)> {
        let records = self.records();
        (records > 1).then(|| (self.range(0..records / 2), self.range(records / 2..records)))
    }

    /// Two parcels with about half of the parts each; `None` for a single part.
    pub(crate) fn halves_between_parts(&self) -> Option<(Self, Self)> {
        let parts = &self.delivery.parts;
        let first = parts.iter().take(parts.len() / 2).map(|part| part.records).sum();
        (parts.len() > 1).then(|| (self.range(0..first), self.range(first..self.records())))
    }

    /// The records of `range`, counted over all parts.
    pub(crate) fn range(&self, range: Range<u32>) -> Self {
        let mut parts = Vec::new();
        let mut origins = Vec::new();
        let mut start = 0;
        for (part, origin) in self.delivery.parts.iter().zip(&self.origins) {
            let end = start + part.records;
            let (from, until) = (range.start.max(start), range.end.min(end));
            if from < until {
                parts.push(cut(self.delivery.signal, part, from - start..until - start));
                origins.push(origin.clone());
            }
            start = end;
        }
        Self {
            delivery: Delivery { signal: self.delivery.signal, parts, encoded: None },
            origins,
            tries: 0,
        }
    }
}

fn cut(signal: Signal, part: &Part, range: Range<u32>) -> Part {
    if range == (0..part.records) {
        return part.clone();
    }
    let records = range.end - range.start;
    let whole = Checked::trusted(signal, part.payload.clone(), part.records);
    let mut first = part.first;
    first.number += u64::from(range.start);
    Part {
        first,
        records,
        meta: Arc::clone(&part.meta),
        payload: split::range(&whole, range.start, records).into_bytes(),
    }
}
