//! Deliveries that failed and are tried again: the rows of a ledger that are no range.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use bessemer_journal::Lane;
use parking_lot::Mutex;

/// Rows of one destination at most; what fails beyond them shows as in flight.
pub(crate) const ROWS_MAX: usize = 64;
/// Bytes of a reason that a row keeps.
pub(crate) const REASON_BYTES_MAX: usize = 256;

/// Records that failed together and are to be tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) lane: Lane,
    pub(crate) numbers: Range<u64>,
    /// Tries that failed.
    pub(crate) failed: u32,
    pub(crate) since_unix_s: u64,
    pub(crate) last_unix_s: u64,
    pub(crate) reason: String,
}

/// The rows of one destination. While nothing fails, a settlement costs one load.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    open: AtomicUsize,
    rows: Mutex<Vec<Attempt>>,
}

impl Attempts {
    pub(crate) fn restored(rows: Vec<Attempt>) -> Self {
        Self { open: AtomicUsize::new(rows.len()), rows: Mutex::new(rows) }
    }

    pub(crate) fn all(&self) -> Vec<Attempt> {
        self.rows.lock().clone()
    }

    /// Notes a failure; what failed before as part of something larger is known since then.
    pub(crate) fn fail(&self, mut row: Attempt) {
        row.reason.truncate(row.reason.floor_char_boundary(REASON_BYTES_MAX));
        let mut rows = self.rows.lock();
        let overlapping = |other: &&Attempt| other.lane == row.lane && touch(other, &row.numbers);
        if let Some(before) = rows.iter().filter(overlapping).map(|other| other.since_unix_s).min()
        {
            row.since_unix_s = before.min(row.since_unix_s);
        }
        cut(&mut rows, row.lane, &row.numbers);
        if rows.len() < ROWS_MAX {
            rows.push(row);
        }
        self.open.store(rows.len(), Ordering::Release);
    }

    /// Forgets what was settled.
    pub(crate) fn settle(&self, lane: Lane, numbers: &Range<u64>) {
        if self.open.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut rows = self.rows.lock();
        cut(&mut rows, lane, numbers);
        self.open.store(rows.len(), Ordering::Release);
    }
}

fn touch(row: &Attempt, numbers: &Range<u64>) -> bool {
    row.numbers.start < numbers.end && numbers.start < row.numbers.end
}

// Takes numbers out of all rows; what is left of a row on either side stays a row.
fn cut(rows: &mut Vec<Attempt>, lane: Lane, numbers: &Range<u64>) {
    let (hit, mut kept): (Vec<_>, Vec<_>) =
        std::mem::take(rows).into_iter().partition(|row| row.lane == lane && touch(row, numbers));
    for row in hit {
        let sides = [row.numbers.start..numbers.start, numbers.end..row.numbers.end];
        for side in sides.into_iter().filter(|side| side.start < side.end) {
            if kept.len() < ROWS_MAX {
                kept.push(Attempt { numbers: side, ..row.clone() });
            }
        }
    }
    *rows = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(numbers: Range<u64>, failed: u32, at: u64) -> Attempt {
        let (lane, reason) = (Lane::Normal, "503".to_owned());
        Attempt { lane, numbers, failed, since_unix_s: at, last_unix_s: at, reason }
    }

    #[test]
    fn a_half_of_what_failed_is_known_since_the_whole_failed() {
        let attempts = Attempts::default();
        attempts.fail(row(0..10, 4, 100));
        attempts.fail(row(0..5, 5, 200));
        let rows = attempts.all();
        let half = rows.iter().find(|row| row.numbers == (0..5)).unwrap();
        assert_eq!((half.failed, half.since_unix_s, half.last_unix_s), (5, 100, 200));
        assert!(rows.iter().any(|row| row.numbers == (5..10) && row.failed == 4), "{rows:?}");
    }

    #[test]
    fn what_is_settled_is_no_row_and_rows_are_bounded() {
        let attempts = Attempts::default();
        attempts.fail(row(0..10, 1, 1));
        attempts.settle(Lane::Urgent, &(0..10));
        assert_eq!(attempts.all().len(), 1, "another lane");
        attempts.settle(Lane::Normal, &(0..10));
        assert!(attempts.all().is_empty());
        for number in 0..1000 {
            attempts.fail(row(number * 2..number * 2 + 1, 1, 1));
        }
        assert_eq!(attempts.all().len(), ROWS_MAX);
    }
}
