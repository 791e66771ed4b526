//! Spill logs: the entries of a slow sink, moved out of the way of the others.
//!
//! An entry keeps its number in the spill log, so the sink's cursors go on as if nothing had
//! happened; only where numbers below `spilled_to` are found has changed. A segment is spilled when
//! that makes the disk emptier: when those who still need it need a part of it only. A destination
//! that everything is routed to has nothing to gain from a copy of everything.

use std::sync::atomic::Ordering;

use crate::block::{Block, Builder};
use crate::catalog::{Segment, Stage};
use crate::core::{Core, Sink};
use crate::entry::{Entry, Lane, Routes, SinkIndex};
use crate::log::Log;
use crate::walk::{Walk, Wanted};

/// Raw bytes copied between two looks at what else there is to do.
const STEP_BYTES: u64 = 8 << 20;
/// A segment is spilled when what is needed of it is at most this share, in percent.
const SHARE_PERCENT_MAX: u64 = 75;

/// The writing side of a sink's spill log.
pub(crate) struct Spiller {
    pub sink: usize,
    pub log: Log,
    walk: Walk,
}

/// Entries of one sink that are to be copied.
struct Span {
    from: u64,
    until: u64,
}

impl Spiller {
    pub(crate) fn new(sink: usize, log: Log) -> Self {
        Self { sink, log, walk: Walk::default() }
    }

    /// Copies some entries if the sink is too far behind; says whether it did.
    pub(crate) fn step(&mut self, core: &Core) -> bool {
        let Some(sink) = core.sinks.get(self.sink) else { return false };
        let Some(span) = due(core, self.sink) else { return false };
        let Some((entries, position)) = self.gather(core, &span) else { return false };
        let room = core.options.budget_bytes.saturating_sub(core.disk_bytes());
        let mut builder = Builder::new(core.options.compression);
        for entry in &entries {
            builder.push(entry, None);
        }
        let blocks = builder.finish();
        if blocks.iter().map(Block::stored_bytes).sum::<u64>() > room {
            return false;
        }
        if let Err(error) = self.log.commit(&blocks) {
            core.env.warn("spill log not written, tried again", &sink.spec.id, &error);
            return false;
        }
        // Only now do readers look there, and may the shared segments go.
        sink.spilled_to.fetch_max(position, Ordering::AcqRel);
        true
    }

    /// Closes the log once all of it is settled, so that it can be deleted.
    pub(crate) fn retire_if_drained(&mut self, core: &Core, lows: [u64; 2]) {
        let drained =
            |sink: &Sink| sink.spill.end().is_some_and(|end| lows.iter().all(|low| *low >= end));
        if core.sinks.get(self.sink).is_some_and(drained) {
            self.log.retire();
        }
    }

    fn gather(&mut self, core: &Core, span: &Span) -> Option<(Vec<Entry>, u64)> {
        let wanted = Wanted { sink: self.sink, lane: None };
        let lows = core.lows().get(self.sink).copied()?;
        let (mut entries, mut bytes, mut position) = (Vec::new(), 0, span.from);
        while position < span.until && bytes < STEP_BYTES {
            let batch = match self.walk.read(&core.env, &core.main, wanted, position) {
                Ok(batch) => batch,
                Err(error) => {
                    core.env.warn("entry to be spilled not read, tried again", &self.sink, &error);
                    return None;
                }
            };
            position = batch.position;
            for entry in batch.entries {
                let [urgent, normal] = lows;
                let low = if entry.lane == Lane::Urgent { urgent } else { normal };
                if entry.end() > low && entry.sequence < span.until {
                    bytes += entry.bytes();
                    // In its own log the sink is the only one, with bit 0.
                    entries.push(Entry { routes: Routes::to([SinkIndex(0)]), ..entry });
                }
            }
            if batch.at_end {
                break;
            }
        }
        Some((entries, position.min(span.until)))
    }
}

// What is to be copied next for a sink: its part of the oldest segment that it alone keeps.
fn due(core: &Core, sink: usize) -> Option<Span> {
    let lows = core.lows();
    let own = lows.get(sink).copied()?;
    let needs = |segment: &Segment, sink: usize| {
        lows.get(sink).is_some_and(|lows| core.needs(segment, sink, *lows))
    };
    core.main.with(|segments| {
        let needed: Vec<&Segment> = segments.filter(|s| needs(s, sink)).collect();
        let behind: u64 = needed.iter().map(|segment| segment.file_bytes).sum();
        let oldest = needed.first().filter(|segment| segment.stage != Stage::Active)?;
        let share: u64 = (0..core.sinks.len())
            .filter(|other| needs(oldest, *other))
            .map(|other| Lane::ALL.map(|lane| oldest.tally(other, lane).bytes))
            .map(|lanes| lanes.iter().sum::<u64>())
            .sum();
        let worthwhile = share <= oldest.summary.total_bytes / 100 * SHARE_PERCENT_MAX;
        let spilled_to = core.sinks.get(sink).map_or(0, Sink::spilled_to);
        let from = own.into_iter().min().unwrap_or_default().max(spilled_to);
        let from = from.max(oldest.header.first);
        (worthwhile && behind > core.options.spill_after_bytes())
            .then_some(Span { from, until: oldest.end })
    })
}
