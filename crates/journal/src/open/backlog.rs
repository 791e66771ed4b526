//! What every sink has not settled and what it was routed since its books were saved, counted at
//! open: by the tallies of whole segments, and by their entries where a segment is cut.

use std::io;
use std::ops::Range;

use crate::account::Account;
use crate::catalog::{Catalog, Segment};
use crate::core::Sink;
use crate::cursor::{Areas, Saved};
use crate::entry::{Lane, SinkIndex};
use crate::log::Env;
use crate::seen::{Seen, seen};

/// What one sink asks of a segment in one lane.
struct Ask<'a> {
    sink: usize,
    lane: Lane,
    /// What is settled, as it was saved.
    saved: &'a Saved,
    /// Nothing below this number counts as queued.
    from: u64,
    /// Nothing below this number counts as new.
    floor: u64,
}

/// What is found for a sink.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    queued: u64,
    queued_bytes: u64,
    new: u64,
    /// A segment could not be read and its share was estimated.
    guessed: bool,
}

/// Sets the backlog of every sink; its books, brought up to date.
pub(super) fn count(
    env: &Env,
    sinks: &[Sink],
    lanes: &[[Saved; 2]],
    main: &Catalog,
    areas: &Areas,
) -> Vec<Account> {
    let known = |sink: &Sink| {
        let area = areas.get(&sink.spec.id)?;
        Some((area.books.account?, area.floor))
    };
    let floors: Vec<u64> = sinks.iter().map(|s| known(s).map_or(u64::MAX, |(_, f)| f)).collect();
    let mut counts = vec![Count::default(); sinks.len()];
    let asks = |sink: usize, above: u64| {
        let floor = floors.get(sink).copied().unwrap_or(u64::MAX).max(above);
        let saved = lanes.get(sink).into_iter().flatten();
        Lane::ALL.into_iter().zip(saved).map(move |(lane, saved)| Ask {
            sink,
            lane,
            saved,
            from: saved.low.max(above),
            floor,
        })
    };
    for segment in segments(main) {
        let all = sinks.iter().enumerate();
        let all = all.flat_map(|(number, sink)| asks(number, sink.spilled_to()));
        answer(env, &segment, all.collect(), &mut counts);
    }
    for (number, sink) in sinks.iter().enumerate() {
        for segment in segments(&sink.spill) {
            answer(env, &segment, asks(number, 0).collect(), &mut counts);
        }
    }
    let books = sinks.iter().zip(counts).map(|(sink, count)| {
        sink.backlog.add(count.queued, count.queued_bytes);
        match known(sink) {
            Some((account, _)) if count.guessed => {
                Account { routed: account.settled() + count.queued, ..account }
            }
            Some((account, _)) => {
                let routed = account.routed + count.new;
                Account { routed, ..account }.forgotten(count.queued)
            }
            None => Account::begin(count.queued),
        }
    });
    books.collect()
}

fn segments(catalog: &Catalog) -> Vec<Segment> {
    catalog.with(|segments| segments.cloned().collect())
}

fn answer(env: &Env, segment: &Segment, asks: Vec<Ask<'_>>, counts: &mut [Count]) {
    let mut entries: Option<io::Result<Vec<Seen>>> = None;
    for ask in asks {
        let Some(count) = counts.get_mut(ask.sink) else { continue };
        let tally = segment.tally(ask.sink, ask.lane);
        if tally.records == 0 || segment.end <= ask.from.min(ask.floor) {
            continue;
        }
        if !ask.cuts(segment) {
            if segment.header.first >= ask.from {
                count.queued += tally.records;
                count.queued_bytes += tally.bytes;
            }
            if segment.header.first >= ask.floor {
                count.new += tally.records;
            }
            continue;
        }
        let all = 0..u64::MAX;
        match entries.get_or_insert_with(|| seen(env, segment, &all)) {
            Ok(entries) => ask.count(segment, entries, count),
            Err(error) => {
                tracing::warn!(%error, segment = segment.id, "backlog estimated");
                ask.guess(segment, count);
            }
        }
    }
}

impl Ask<'_> {
    /// Whether a segment has records on both sides of what is asked.
    fn cuts(&self, segment: &Segment) -> bool {
        let within = |number: u64| segment.header.first < number && number < segment.end;
        let touches =
            |range: &Range<u64>| range.start < segment.end && range.end > segment.header.first;
        within(self.from) || within(self.floor) || self.saved.settled.iter().any(touches)
    }

    fn count(&self, segment: &Segment, entries: &[Seen], count: &mut Count) {
        let bit = segment.bits.get(self.sink).copied().flatten().map(SinkIndex);
        let own = |entry: &&Seen| {
            entry.lane == self.lane && bit.is_some_and(|bit| entry.routes.contains(bit))
        };
        for entry in entries.iter().filter(own) {
            let queued = self.queued(&entry.numbers);
            count.queued += queued;
            count.queued_bytes += if queued > 0 { entry.bytes } else { 0 };
            if entry.numbers.start >= self.floor {
                count.new += entry.numbers.end - entry.numbers.start;
            }
        }
    }

    fn queued(&self, numbers: &Range<u64>) -> u64 {
        let start = numbers.start.max(self.from);
        let whole = numbers.end.saturating_sub(start);
        let settled = self
            .saved
            .settled
            .iter()
            .map(|range| range.end.min(numbers.end).saturating_sub(range.start.max(start)));
        whole.saturating_sub(settled.sum())
    }

    fn guess(&self, segment: &Segment, count: &mut Count) {
        let tally = segment.tally(self.sink, self.lane);
        let whole = u128::from(segment.end - segment.header.first).max(1);
        let behind = u128::from(segment.end.saturating_sub(self.from.max(segment.header.first)));
        let share = |of: u64| u64::try_from(u128::from(of) * behind / whole).unwrap_or(u64::MAX);
        count.queued += share(tally.records);
        count.queued_bytes += share(tally.bytes);
        count.guessed = true;
    }
}
