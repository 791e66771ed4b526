//! How far a sink has come in one lane: read, in flight, settled.
//!
//! Numbers below `position` were read or passed. Of those, the ones in flight are in
//! `outstanding`; the rest is settled or concerns others. `low` is the lowest number that may not
//! be forgotten. Numbers settled above it are in `settled`, where ranges grow together over numbers
//! that concern others, so that only what is truly in flight keeps them apart.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::standing::Place;

mod file;

pub(crate) use file::{Areas, CursorFile, CursorsError, SavedArea};

/// Settled ranges that are made durable: those next to the low end.
pub(crate) const RANGES_MAX: usize = 64;
/// Runs of numbers a cursor holds for missing keys; what is beyond comes back with its segment only
/// if nothing above it was settled.
const HELD_MAX: usize = RANGES_MAX / 2;
/// Entries one sink may have in flight in one lane.
pub(crate) const IN_FLIGHT_ENTRIES_MAX: usize = 65_536;

/// What a cursor file holds of a lane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Saved {
    pub low: u64,
    pub settled: Vec<Range<u64>>,
    /// Below this nothing is unsettled but what is held; the low end itself where nothing is.
    pub passed: u64,
}

/// The cursor of one sink in one lane.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    position: u64,
    outstanding: BTreeMap<u64, Flight>,
    settled: BTreeMap<u64, u64>,
    /// Numbers in segments that cannot be read until a key is given: passed, and never settled.
    held: Vec<Range<u64>>,
    epoch: u64,
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    end: u64,
    bytes: u64,
    appended_unix_nanos: u64,
}

/// What a reader may do with an entry it came upon.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// Nothing: it was settled before.
    Settled,
    /// Serve it; these parts were settled before.
    Serve(Vec<Range<u64>>),
}

/// What a settlement changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Freed {
    pub records: u64,
    pub bytes: u64,
}

impl Cursor {
    pub(crate) fn restore(saved: &Saved) -> Self {
        let settled = saved.settled.iter().map(|range| (range.start, range.end)).collect();
        Self { position: saved.low, settled, ..Self::default() }
    }

    /// The lowest number that is not settled.
    pub(crate) fn low(&self) -> u64 {
        self.outstanding.first_key_value().map_or(self.position, |(start, _)| *start)
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Which reader the cursor belongs to.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Entries in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.outstanding.len()
    }

    /// When the oldest entry in flight was appended.
    pub(crate) fn oldest_unix_nanos(&self) -> Option<u64> {
        self.outstanding.first_key_value().map(|(_, flight)| flight.appended_unix_nanos)
    }

    /// Whether more may be read: not while precision would be lost on disk, nor without bound.
    pub(crate) fn has_room(&self) -> bool {
        let behind = self.settled.range(..self.position).take(RANGES_MAX).count();
        self.outstanding.is_empty()
            || (behind < RANGES_MAX && self.outstanding.len() < IN_FLIGHT_ENTRIES_MAX)
    }

    /// Hands the cursor to a new reader, which starts at the lowest unsettled number.
    pub(crate) fn rewind(&mut self) -> u64 {
        self.position = self.low();
        self.outstanding.clear();
        self.epoch += 1;
        self.epoch
    }

    /// Takes note that the reader came to an entry of its own.
    pub(crate) fn give(
        &mut self,
        entry: Range<u64>,
        bytes: u64,
        appended_unix_nanos: u64,
    ) -> Given {
        let mut settled = self.settled_within(&entry);
        if entry.start < self.position {
            // The entry that the low end cuts in two: what lies below was settled.
            settled.insert(0, entry.start..self.position);
        }
        let mut at = entry.start;
        let mut bytes = bytes;
        let edges = settled.iter().map(|range| (range.start, range.end));
        for (start, end) in edges.chain([(entry.end, entry.end)]) {
            if at < start {
                self.outstanding.insert(at, Flight { end: start, bytes, appended_unix_nanos });
                bytes = 0;
            }
            at = end;
        }
        let all = self.outstanding.range(entry.clone()).next().is_none();
        self.skip_to(entry.end);
        if all { Given::Settled } else { Given::Serve(settled) }
    }

    /// Takes note that numbers below `position` do not concern this cursor, or were noted.
    pub(crate) fn skip_to(&mut self, position: u64) {
        self.position = self.position.max(position);
        self.prune();
    }

    /// Settles numbers that were read.
    pub(crate) fn settle(&mut self, range: Range<u64>) -> Freed {
        let mut freed = Freed::default();
        let mut hit: Vec<(u64, Flight)> = Vec::new();
        for (start, flight) in self.outstanding.range(..range.end).rev() {
            if flight.end <= range.start {
                break;
            }
            hit.push((*start, *flight));
        }
        for (start, flight) in hit {
            self.outstanding.remove(&start);
            let cut = start.max(range.start)..flight.end.min(range.end);
            freed.records += cut.end - cut.start;
            let mut bytes = flight.bytes;
            for rest in [start..cut.start, cut.end..flight.end] {
                if rest.start < rest.end {
                    self.outstanding.insert(rest.start, Flight { end: rest.end, bytes, ..flight });
                    bytes = 0;
                }
            }
            freed.bytes += bytes;
        }
        // Read by a reader that was replaced since: true all the same.
        let ahead = range.start.max(self.position)..range.end;
        if ahead.start < ahead.end {
            let known: u64 = self.settled_within(&ahead).iter().map(|r| r.end - r.start).sum();
            freed.records += ahead.end - ahead.start - known;
        }
        self.mark(range);
        self.prune();
        freed
    }

    /// Whether all of a range is settled.
    pub(crate) fn is_settled(&self, range: &Range<u64>) -> bool {
        range.end <= self.low() || self.settled_within(range).first() == Some(range)
    }

    /// Where a number that concerns this cursor stands.
    pub(crate) fn place(&self, number: u64) -> Place {
        let below = self.outstanding.range(..=number).next_back();
        if below.is_some_and(|(_, flight)| number < flight.end) {
            return Place::InFlight;
        }
        let one = number..number + 1;
        let is_settled = number < self.position || self.settled_within(&one).first() == Some(&one);
        if is_settled { Place::Settled } else { Place::Queued }
    }

    /// How many of some numbers are neither settled nor below the low end.
    pub(crate) fn unsettled(&self, numbers: Range<u64>) -> u64 {
        let start = numbers.start.max(self.low());
        let above = start..numbers.end.max(start);
        let settled: u64 =
            self.settled_within(&above).iter().map(|part| part.end - part.start).sum();
        above.end - above.start - settled
    }

    /// How many settled ranges lie above the low end.
    pub(crate) fn gaps(&self) -> usize {
        self.settled.len()
    }

    /// What of the cursor is made durable.
    pub(crate) fn save(&self) -> Saved {
        let passed = self.low();
        let settled = self.settled.iter().map(|(start, end)| *start..*end);
        if self.held.is_empty() {
            return Saved { low: passed, settled: settled.take(RANGES_MAX).collect(), passed };
        }
        let mut done = without(std::iter::once(0..passed).chain(settled), &self.held);
        let low =
            if done.first().is_some_and(|first| first.start == 0) { done.remove(0).end } else { 0 };
        done.truncate(RANGES_MAX);
        Saved { low, settled: done, passed }
    }

    /// Holds what of `numbers` is not settled: it is passed by, and served when it can be read by
    /// a later process.
    pub(crate) fn hold(&mut self, numbers: &[Range<u64>]) {
        let settled: Vec<_> = self.settled.iter().map(|(start, end)| *start..*end).collect();
        let settled: Vec<_> = std::iter::once(0..self.low()).chain(settled).collect();
        let held = without(numbers.iter().cloned(), &settled);
        self.held.extend(held.into_iter().take(HELD_MAX - self.held.len().min(HELD_MAX)));
    }

    fn settled_within(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        let before = self.settled.range(..range.end).rev();
        let mut found: Vec<Range<u64>> = before
            .take_while(|(_, end)| **end > range.start)
            .map(|(start, end)| (*start).max(range.start)..(*end).min(range.end))
            .collect();
        found.reverse();
        found
    }

    fn mark(&mut self, range: Range<u64>) {
        let Range { mut start, mut end } = range;
        if start >= end {
            return;
        }
        while let Some((s, e)) = self.settled.range(..=end).next_back().map(|(s, e)| (*s, *e)) {
            if e < start {
                break;
            }
            self.settled.remove(&s);
            (start, end) = (start.min(s), end.max(e));
        }
        if let Some((s, e)) = self.settled.range(..start).next_back().map(|(s, e)| (*s, *e))
            && self.concerns_others(e..start)
        {
            self.settled.remove(&s);
            start = s;
        }
        if let Some((s, e)) = self.settled.range(end..).next().map(|(s, e)| (*s, *e))
            && self.concerns_others(end..s)
        {
            self.settled.remove(&s);
            end = e;
        }
        self.settled.insert(start, end);
    }

    // Numbers that were passed and are not in flight.
    fn concerns_others(&self, range: Range<u64>) -> bool {
        range.end <= self.position && self.outstanding.range(range).next().is_none()
    }

    fn prune(&mut self) {
        // Settled up to the position and nothing in flight below: the position may go on.
        while self.outstanding.is_empty()
            && let Some((_, end)) = self.settled.range(..=self.position).next_back()
            && *end > self.position
        {
            self.position = *end;
        }
        let low = self.low();
        while let Some(first) = self.settled.first_entry()
            && *first.key() <= low
        {
            let end = first.remove();
            if end > low {
                self.settled.insert(low, end);
                break;
            }
        }
    }
}

// What of `ranges` is in none of `taken`, in order.
fn without(ranges: impl Iterator<Item = Range<u64>>, taken: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut left: Vec<Range<u64>> = ranges.collect();
    for hole in taken {
        let cut = |range: Range<u64>| {
            let before = range.start..range.end.min(hole.start);
            let after = range.start.max(hole.end)..range.end;
            [before, after].into_iter().filter(|part| part.start < part.end)
        };
        left = left.into_iter().flat_map(cut).collect();
    }
    left
}

#[cfg(test)]
mod tests;
