//! The books of a sink: what was routed to it and how that was settled, over all lives of a journal.
//!
//! They are saved in one slot with the cursor, so they agree with it after any crash. What was
//! appended after that slot is counted again at open, from the entries themselves.

use bytes::Bytes;

/// Bytes that may be kept beside a cursor for whoever settles.
pub const NOTE_BYTES_MAX: usize = 512;

/// How records were settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The destination took them.
    Delivered,
    /// They are in the sink's dead-letter log.
    Dead,
    /// They were given up on purpose.
    Dropped,
}

/// Records of one sink since the journal was made, each counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Account {
    /// Appended for it.
    pub routed: u64,
    /// Settled as delivered.
    pub delivered: u64,
    /// Settled as dead letters.
    pub dead: u64,
    /// Settled as dropped.
    pub dropped: u64,
}

/// What is saved beside a cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Books {
    /// None in a file of a build that kept no books.
    pub account: Option<Account>,
    /// What the journal keeps and does not read.
    pub note: Bytes,
}

impl Account {
    /// The books of a sink of which only the backlog is known.
    pub(crate) fn begin(queued: u64) -> Self {
        Self { routed: queued, ..Self::default() }
    }

    /// Records settled in any way.
    pub fn settled(&self) -> u64 {
        self.delivered.saturating_add(self.dead).saturating_add(self.dropped)
    }

    /// What is neither settled nor among the `queued`: more than zero when records were lost, less
    /// when some were settled twice.
    pub fn unaccounted(&self, queued: u64) -> i64 {
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        signed(self.routed) - signed(self.settled().saturating_add(queued))
    }

    /// Takes back settlements that a crash forgot: more ranges were settled than a slot holds, and
    /// what lay beyond is queued again. Deliveries are taken back first, as most are.
    pub(crate) fn forgotten(mut self, queued: u64) -> Self {
        let mut excess = u64::try_from(-self.unaccounted(queued)).unwrap_or_default();
        for count in [&mut self.delivered, &mut self.dead, &mut self.dropped] {
            let back = excess.min(*count);
            *count -= back;
            excess -= back;
        }
        self
    }

    pub(crate) fn settle(&mut self, records: u64, outcome: Outcome) {
        match outcome {
            Outcome::Delivered => self.delivered += records,
            Outcome::Dead => self.dead += records,
            Outcome::Dropped => self.dropped += records,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settlements_are_taken_back_as_far_as_they_were_forgotten_deliveries_first() {
        let check = |[delivered, dead, dropped]: [u64; 3], queued, expected: [u64; 3]| {
            let account = Account { routed: 10, delivered, dead, dropped };
            let after = account.forgotten(queued);
            assert_eq!([after.delivered, after.dead, after.dropped], expected, "{account:?}");
        };
        check([6, 4, 0], 0, [6, 4, 0]);
        check([6, 4, 3], 2, [1, 4, 3]);
        check([2, 3, 8], 7, [0, 0, 3]);
        check([1, 1, 1], 2, [1, 1, 1]);
    }

    #[test]
    fn what_is_neither_settled_nor_queued_is_unaccounted_for() {
        let account = Account { routed: 10, delivered: 3, dead: 2, dropped: 1 };
        assert_eq!(account.settled(), 6);
        assert_eq!([0, 4, 9].map(|queued| account.unaccounted(queued)), [4, 0, -5]);
        assert_eq!(Account::begin(7), Account { routed: 7, ..Account::default() });
    }
}
