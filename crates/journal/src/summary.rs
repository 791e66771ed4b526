//! How many records and bytes of a segment concern each route bit and lane.

use crate::entry::{Lane, Routes};

/// Records and raw bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub records: u64,
    pub bytes: u64,
}

/// The tallies of a segment. Grows with the highest bit used: at most 512 rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    rows: Vec<Tally>,
    /// Raw bytes of all entries, each counted once.
    pub total_bytes: u64,
}

/// Entries in a row that share routes and lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub routes: Routes,
    pub lane: Lane,
    pub tally: Tally,
}

impl Summary {
    /// The tally of one bit in one lane.
    pub(crate) fn get(&self, bit: u8, lane: Lane) -> Tally {
        self.rows.get(row(bit, lane as u8)).copied().unwrap_or_default()
    }

    /// Counts a part in.
    pub(crate) fn add(&mut self, part: &Part) {
        self.total_bytes += part.tally.bytes;
        for bit in part.routes.bits() {
            let tally = self.entry(row(bit, part.lane as u8));
            tally.records += part.tally.records;
            tally.bytes += part.tally.bytes;
        }
    }

    /// Sets the tally of one row.
    pub(crate) fn set(&mut self, bit: u8, lane: u8, tally: Tally) {
        *self.entry(row(bit, lane)) = tally;
    }

    /// The rows that are not zero: bit, lane, tally.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u8, u8, Tally)> {
        self.rows.iter().enumerate().filter(|(_, tally)| tally.records > 0).map(|(row, tally)| {
            let bit = u8::try_from(row / 2).unwrap_or(u8::MAX);
            (bit, u8::from(row % 2 == 1), *tally)
        })
    }

    #[expect(clippy::indexing_slicing, reason = "resized to hold the row just before")]
    fn entry(&mut self, row: usize) -> &mut Tally {
        if self.rows.len() <= row {
            self.rows.resize(row + 1, Tally::default());
        }
        &mut self.rows[row]
    }
}

impl Part {
    /// Adds an entry to the last part, or as a new one when its routes or lane differ.
    pub(crate) fn extend(parts: &mut Vec<Self>, routes: Routes, lane: Lane, tally: Tally) {
        match parts.last_mut() {
            Some(last) if last.routes == routes && last.lane == lane => {
                last.tally.records += tally.records;
                last.tally.bytes += tally.bytes;
            }
            _ => parts.push(Self { routes, lane, tally }),
        }
    }
}

fn row(bit: u8, lane: u8) -> usize {
    usize::from(bit) * 2 + usize::from(lane & 1)
}
