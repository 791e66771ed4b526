//! The ledger: for every record number and destination where it stands, and books that balance.
//!
//! Ranges of settled numbers, books and a note ride on the journal's cursors. A row of its own has
//! only what is no range: deliveries that failed and are tried again (`attempts`), and dead
//! letters, which the journal keeps. When a record was delivered is told by a few marks for each
//! lane (`marks`). All of it is bounded, and none of it waits for the disk.

pub(crate) mod attempts;
pub(crate) mod marks;
mod note;
mod page;
mod place;

use std::io;
use std::sync::Arc;

use bessemer_journal::{Journal, Lane, LaneStanding, SinkIndex, Standing};
use bessemer_runtime::{Clock, Span};
use parking_lot::Mutex;

use crate::metrics::Metrics;
use attempts::{Attempt, Attempts};
use marks::Marks;
use note::Note;

pub use page::{
    Balance, DeadLetterRow, DestinationRow, Exception, LaneRow, LedgerPage, MarkRow, ReceiverRow,
    RecordRow, State,
};
pub use place::RecordPlace;

/// Dead letters of one destination that a page lists at most.
pub const LETTERS_MAX: usize = 1_000;
const NANOS: u64 = 1_000_000_000;

/// What is asked of a ledger.
#[derive(Debug, Clone, Default)]
pub struct LedgerQuery {
    /// One record, by its number.
    pub record: Option<u64>,
    /// One destination, by its id.
    pub destination: Option<String>,
    /// Exceptions that are no older than this.
    pub since_unix_s: Option<u64>,
}

/// What a destination's worker writes and the ledger reads.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    pub(crate) attempts: Attempts,
    marks: Mutex<[Marks; 2]>,
}

/// The ledger of a journal. Clones share it.
#[derive(Clone)]
pub struct Ledger {
    journal: Journal,
    /// One for each sink of the journal that is configured, in their order.
    sheets: Arc<Vec<Arc<Sheet>>>,
    clock: Arc<dyn Clock>,
    /// Receivers and what they counted; none for a directory nobody runs on.
    receivers: Option<(Arc<Metrics>, Arc<Vec<String>>)>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ledger").field("sheets", &self.sheets.len()).finish_non_exhaustive()
    }
}

impl Sheet {
    /// Marks go on where they were; what failed in another life is tried anew.
    fn resumed(standing: &Standing) -> Self {
        let Note { marks, .. } = Note::decode(&standing.note);
        Self { marks: Mutex::new(marks), ..Self::default() }
    }

    fn read(standing: &Standing) -> Self {
        let Note { marks, rows } = Note::decode(&standing.note);
        Self { attempts: Attempts::restored(rows), marks: Mutex::new(marks) }
    }

    fn note(&self, lanes: &[LaneStanding; 2], unix_s: u64) -> Note {
        let mut marks = self.marks.lock();
        for (marks, lane) in marks.iter_mut().zip(lanes) {
            marks.note(lane.low, unix_s);
        }
        let marks = marks.clone();
        Note { marks, rows: self.attempts.all() }
    }

    fn marks(&self, lane: Lane) -> Marks {
        let [urgent, normal] = &*self.marks.lock();
        match lane {
            Lane::Urgent => urgent.clone(),
            Lane::Normal => normal.clone(),
        }
    }
}

impl Ledger {
    pub(crate) fn resume(
        journal: Journal,
        clock: Arc<dyn Clock>,
        (metrics, receivers): (Arc<Metrics>, Vec<String>),
        sinks: usize,
    ) -> Self {
        let standings = journal.standings();
        let sheets =
            standings.iter().take(sinks).map(|standing| Arc::new(Sheet::resumed(standing)));
        let sheets = Arc::new(sheets.collect());
        Self { journal, sheets, clock, receivers: Some((metrics, Arc::new(receivers))) }
    }

    /// The ledger of a journal that was opened to be looked at.
    pub fn of(journal: Journal, clock: Arc<dyn Clock>) -> Self {
        let standings = journal.standings();
        let sheets = standings.iter().map(|standing| Arc::new(Sheet::read(standing))).collect();
        Self { journal, sheets: Arc::new(sheets), clock, receivers: None }
    }

    pub(crate) fn sheet(&self, sink: SinkIndex) -> Arc<Sheet> {
        self.sheets.get(usize::from(sink.0)).cloned().unwrap_or_default()
    }

    /// Takes note of how far every sink has come; kept beside the cursors.
    pub(crate) fn mark(&self) {
        let now = self.clock.unix_nanos() / NANOS;
        for ((number, standing), sheet) in
            self.journal.standings().iter().enumerate().zip(self.sheets.iter())
        {
            let note = sheet.note(&standing.lanes, now).encode();
            let sink = SinkIndex(u8::try_from(number).unwrap_or(u8::MAX));
            debug_assert!(note.len() <= bessemer_journal::NOTE_BYTES_MAX, "notes fit");
            if !self.journal.note(sink, note) {
                tracing::debug!(sink = standing.id, "ledger note too long, not kept");
            }
        }
    }

    /// Whether every book balances.
    pub fn balance(&self) -> Balance {
        let standings = self.journal.standings();
        let open = standings
            .iter()
            .map(|standing| (standing.id.clone(), standing.account.unaccounted(standing.queued)));
        let receivers = page::receivers(self).into_iter().map(|row| (row.id, row.unaccounted));
        let unaccounted = open.chain(receivers).filter(|(_, records)| *records != 0);
        Balance { unaccounted: unaccounted.collect() }
    }

    /// Answers a question. Reads the disk where it stands.
    pub fn page(&self, query: &LedgerQuery) -> io::Result<LedgerPage> {
        page::page(self, query)
    }
}

/// The time that is `text` back from now, or RFC 3339, or seconds since the epoch; in seconds since
/// the epoch.
pub fn since(text: &str, now_unix_nanos: u64) -> Result<u64, String> {
    if let Ok(unix_s) = text.parse::<u64>() {
        return Ok(unix_s);
    }
    if let Ok(back) = text.parse::<Span>() {
        return Ok(seconds(now_unix_nanos).saturating_sub(back.0.as_secs()));
    }
    let wrong = || format!("{text:?} is no time: write 1h or RFC 3339");
    let at: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
    u64::try_from(at.as_second()).map_err(|_| wrong())
}

pub(crate) fn seconds(unix_nanos: u64) -> u64 {
    unix_nanos / NANOS
}

/// A row of what failed, as a worker notes it.
pub(crate) fn failed(
    (lane, numbers): (Lane, std::ops::Range<u64>),
    failed: u32,
    now_unix_nanos: u64,
    reason: &str,
) -> Attempt {
    let now = seconds(now_unix_nanos);
    let reason = reason.to_owned();
    Attempt { lane, numbers, failed, since_unix_s: now, last_unix_s: now, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_three_forms() {
        let now = 10_000 * NANOS;
        assert_eq!(since("1h", now), Ok(6_400));
        assert_eq!(since("1970-01-01T00:00:07Z", now), Ok(7));
        assert_eq!(since("17", now), Ok(17));
        assert!(since("yesterday", now).unwrap_err().contains("RFC 3339"));
    }
}
