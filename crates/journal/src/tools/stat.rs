//! What a journal holds, by log and by sink.
//!
//! Sealed segments are counted by their footers. Blocks are read only where a footer cannot say it:
//! in segments without one, and where a cursor stands in the middle.

use std::collections::BTreeSet;
use std::io;
use std::ops::{ControlFlow, Range};

use super::{Inspector, Listing, LogFiles, ToolError};
use crate::blocks::{Seen, walk};
use crate::cursor::{Cursor, Saved};
use crate::disk::OpenMode;
use crate::entry::{Entry, Lane, SinkIndex};
use crate::format::Footer;
use crate::recover::{Readable, read_footer};
use crate::report::Parked;
use crate::summary::Tally;

/// What a journal holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stat {
    /// The identity of the journal.
    pub incarnation: u64,
    /// The process that the lock file names; it may be gone.
    pub owner: Option<u32>,
    /// The main log, spill logs, dead-letter logs.
    pub logs: Vec<LogStat>,
    /// All sinks that a segment or the cursor file names.
    pub sinks: Vec<SinkStat>,
    /// Files that are not served, and why.
    pub parked: Vec<Parked>,
    /// Files in quarantine.
    pub quarantined: usize,
}

/// What a log holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogStat {
    /// `main`, `spill/ID` or `dead/ID`.
    pub name: String,
    /// Segments that can be read.
    pub segments: usize,
    /// Those of them without a footer.
    pub unsealed: usize,
    /// Bytes of their files.
    pub bytes: u64,
    /// From the first number of the oldest to the end of the newest.
    pub numbers: Range<u64>,
    /// Blocks known to be damaged.
    pub damaged_blocks: u64,
    /// The ids of the keys that its segments are sealed with, those that are missing too.
    pub keys: Vec<String>,
}

/// What is queued for a sink.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SinkStat {
    /// The component id.
    pub id: String,
    /// The cursor file knows it.
    pub has_cursor: bool,
    /// Urgent, then normal.
    pub lanes: [LaneStat; 2],
}

/// Where a sink stands in a lane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaneStat {
    /// The lowest number that is not settled.
    pub low: u64,
    /// Ranges settled above that.
    pub settled: Vec<Range<u64>>,
    /// Records that are not settled.
    pub backlog_records: u64,
    /// Their bytes, as they were appended.
    pub backlog_bytes: u64,
}

/// A cursor, and what was found behind it.
struct Count {
    saved: Saved,
    cursor: Cursor,
    /// Below this number its entries are in its spill log.
    spilled_to: u64,
    tally: Tally,
}

struct SinkCount {
    id: String,
    has_cursor: bool,
    lanes: [Count; 2],
}

/// What is known of a segment without reading its blocks.
struct Known<'a> {
    readable: &'a Readable,
    footer: Option<Footer>,
    file_bytes: u64,
    bound: u64,
}

impl Inspector {
    /// Counts what the journal holds.
    pub fn stat(&self) -> Result<Stat, ToolError> {
        let listing = self.listing()?;
        let quarantine = self.env.disk.list(&self.dir.join("quarantine")).map_err(self.failed())?;
        let mut stat = Stat {
            incarnation: listing.incarnation,
            owner: self.owner(),
            parked: listing.parked().cloned().collect(),
            quarantined: quarantine.len(),
            ..Stat::default()
        };
        let mut sinks: Vec<SinkCount> = ids(&listing).map(|id| begin(&listing, id)).collect();
        // Spill logs first: they say from where on the main log counts.
        let by_spill = |log: &&LogFiles| !log.name.starts_with("spill/");
        let (rest, spills): (Vec<_>, Vec<_>) = listing.logs.iter().partition(by_spill);
        for log in spills.into_iter().chain(rest) {
            stat.logs.push(self.log_stat(log, &mut sinks).map_err(self.failed())?);
        }
        stat.logs.sort_by_key(|log| (log.name != "main", log.name.clone()));
        stat.sinks = sinks.into_iter().map(SinkCount::finish).collect();
        Ok(stat)
    }

    fn log_stat(&self, log: &LogFiles, sinks: &mut [SinkCount]) -> io::Result<LogStat> {
        let mut stat = LogStat { name: log.name.clone(), ..LogStat::default() };
        stat.keys = keys(log);
        for (readable, bound) in log.segments() {
            let known = match self.known(readable, bound) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                known => known?,
            };
            if stat.segments == 0 {
                stat.numbers.start = readable.header.first;
            }
            stat.segments += 1;
            stat.unsealed += usize::from(known.footer.is_none());
            stat.bytes += known.file_bytes;
            let (end, damaged) = self.count(log, &known, sinks)?;
            stat.numbers.end = end.max(readable.header.first);
            stat.damaged_blocks += damaged;
        }
        if log.name.starts_with("spill/")
            && let Some(sink) = sinks.iter_mut().find(|sink| Some(&sink.id) == log.sink.as_ref())
        {
            sink.lanes.iter_mut().for_each(|lane| lane.spilled_to = stat.numbers.end);
        }
        Ok(stat)
    }

    fn known<'a>(&self, readable: &'a Readable, bound: u64) -> io::Result<Known<'a>> {
        let file = self.env.disk.open(&readable.path, OpenMode::Read)?;
        let file_bytes = file.size()?;
        let footer = read_footer(&*file, file_bytes, &readable.guard);
        Ok(Known { readable, footer, file_bytes, bound })
    }

    // Adds what a segment holds for each sink; says where it ends and how much of it is damaged.
    fn count(
        &self,
        log: &LogFiles,
        known: &Known<'_>,
        sinks: &mut [SinkCount],
    ) -> io::Result<(u64, u64)> {
        let mut exact = Vec::new();
        for sink in sinks.iter_mut().filter(|_| !log.name.starts_with("dead/")) {
            let own = log.sink.as_ref().is_none_or(|id| *id == sink.id);
            let Some(bit) = known.readable.header.bit_of(&sink.id).filter(|_| own) else {
                continue;
            };
            for (lane, count) in Lane::ALL.into_iter().zip(&mut sink.lanes) {
                if !count.add_whole(known, bit, lane) {
                    exact.push((bit, lane, count));
                }
            }
        }
        let known_damage = known.footer.as_ref().map(|footer| u64::from(footer.damaged));
        if let (Some(footer), true) = (&known.footer, exact.is_empty()) {
            return Ok((footer.end.min(known.bound), known_damage.unwrap_or_default()));
        }
        let mut damaged = 0;
        let walked = walk(&self.env, known.readable, known.bound, &mut |seen| {
            match seen {
                Seen::Damage(_) => damaged += 1,
                Seen::Entries(_, entries) => {
                    for (bit, lane, count) in &mut exact {
                        count.add_entries(&entries, *bit, *lane);
                    }
                }
            }
            ControlFlow::Continue(())
        })?;
        let end = walked.footer.map_or(walked.end, |footer| footer.end.min(known.bound));
        Ok((end, known_damage.unwrap_or_default().max(damaged)))
    }
}

impl Count {
    // Counts a sealed segment that is settled as a whole or not at all; false where it must be read.
    fn add_whole(&mut self, known: &Known<'_>, bit: u8, lane: Lane) -> bool {
        let Some(footer) = &known.footer else { return false };
        let numbers = known.readable.header.first..footer.end.min(known.bound);
        let from = self.saved.low.max(self.spilled_to);
        let tally = footer.summary.get(bit, lane);
        if numbers.end <= from || tally.records == 0 {
            return true;
        }
        let cut = |range: &Range<u64>| range.start < numbers.end && range.end > numbers.start;
        if numbers.start < from || self.saved.settled.iter().any(cut) {
            return false;
        }
        self.tally.records += tally.records;
        self.tally.bytes += tally.bytes;
        true
    }

    fn add_entries(&mut self, entries: &[Entry], bit: u8, lane: Lane) {
        let own = |entry: &&Entry| entry.lane == lane && entry.routes.contains(SinkIndex(bit));
        for entry in entries.iter().filter(own) {
            let start = entry.sequence.max(self.spilled_to);
            let unsettled = self.cursor.unsettled(start..entry.end().max(start));
            self.tally.records += unsettled;
            self.tally.bytes += if unsettled > 0 { entry.bytes() } else { 0 };
        }
    }
}

impl SinkCount {
    fn finish(self) -> SinkStat {
        let lanes = self.lanes.map(|count| LaneStat {
            low: count.saved.low,
            settled: count.saved.settled,
            backlog_records: count.tally.records,
            backlog_bytes: count.tally.bytes,
        });
        SinkStat { id: self.id, has_cursor: self.has_cursor, lanes }
    }
}

fn ids(listing: &Listing) -> impl Iterator<Item = String> + use<> {
    let in_headers = listing.main().into_iter().flat_map(|log| log.inventory.headers());
    let in_headers = in_headers.flat_map(|header| &header.components).map(|(_, id)| id);
    let in_logs = listing.logs.iter().filter_map(|log| log.sink.as_ref());
    let of_sink = |id: &&String| !id.is_empty() && !id.starts_with("dead/");
    let in_cursors = listing.areas.all().map(|saved| &saved.id).filter(of_sink);
    let all: BTreeSet<_> = in_headers.chain(in_logs).chain(in_cursors).cloned().collect();
    all.into_iter()
}

fn begin(listing: &Listing, id: String) -> SinkCount {
    let saved = listing.areas.get(&id);
    let lanes = Lane::ALL.map(|lane| {
        let saved = saved.map(|saved| saved.lane(lane).clone()).unwrap_or_default();
        let cursor = Cursor::restore(&saved);
        Count { saved, cursor, spilled_to: 0, tally: Tally::default() }
    });
    SinkCount { has_cursor: saved.is_some(), id, lanes }
}

fn keys(log: &LogFiles) -> Vec<String> {
    let sealed = log.inventory.headers().filter_map(|header| header.seal.as_ref());
    let ids: BTreeSet<_> = sealed.map(|seal| seal.key_id.clone()).collect();
    ids.into_iter().collect()
}
