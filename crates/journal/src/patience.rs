//! Whether the writer should wait a moment before it syncs, because those it has just acknowledged
//! will likely be back.
//!
//! Many clients that wait for each acknowledgement fall into two crowds: one is in the sync, the other
//! waits for the next. A sync costs about the same for half of them as for all, so a short wait after
//! an acknowledgement puts both crowds into one sync. Whether it pays depends on how soon the clients
//! come back, which only trying tells: a wait in vain makes the next tries rarer.

use std::time::Duration;

/// A wait lasts at most this part of what the last commit took.
const SHARE: u32 = 4;
/// And at most this long, however slow the disk is.
const WAIT_MAX: Duration = Duration::from_millis(2);
/// With so many bytes waiting, what they cost is their transfer and not the sync.
const BYTES_ENOUGH: usize = 256 << 10;
/// After waits in vain at most so many groups are written without one.
const SKIP_MAX: u32 = 64;

/// What to wait for before the next group is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    /// Until so many requests are there,
    pub requests: usize,
    /// but no longer than this.
    pub at_most: Duration,
}

/// What the last groups say of the next.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// Requests that the last group acknowledged, and those that waited by then.
    crowd: usize,
    /// What the last commit took.
    took: Duration,
    /// Groups to be written without a wait.
    skip: u32,
    /// How many those will be after the next wait in vain.
    penalty: u32,
}

impl Patience {
    /// What to wait for when `waiting` requests of `bytes` are there.
    pub(crate) fn wait(&mut self, waiting: usize, bytes: usize) -> Option<Wait> {
        if waiting >= self.crowd || bytes >= BYTES_ENOUGH || self.took.is_zero() {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        Some(Wait { requests: self.crowd, at_most: (self.took / SHARE).min(WAIT_MAX) })
    }

    /// A wait has ended: how many requests there were before it and are now. It has paid if half of
    /// those who were missing have come.
    pub(crate) fn waited(&mut self, before: usize, now: usize) {
        let missing = self.crowd.saturating_sub(before);
        if now.saturating_sub(before) * 2 >= missing {
            self.penalty = 0;
        } else {
            self.penalty = (self.penalty * 2).clamp(1, SKIP_MAX);
            self.skip = self.penalty;
        }
    }

    /// A group of `acknowledged` requests took so long, and `waiting` have come since.
    pub(crate) fn committed(&mut self, acknowledged: usize, waiting: usize, took: Duration) {
        self.crowd = acknowledged + waiting;
        self.took = took;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SYNC: Duration = Duration::from_millis(4);

    #[test]
    fn a_single_client_is_never_waited_for() {
        let mut patience = Patience::default();
        for _ in 0..10 {
            assert_eq!(patience.wait(1, 400), None);
            patience.committed(1, 0, SYNC);
        }
    }

    #[test]
    fn two_crowds_become_one_group() {
        let mut patience = Patience::default();
        patience.committed(100, 100, SYNC);
        let wait = patience.wait(100, 40_000).unwrap();
        assert_eq!(wait, Wait { requests: 200, at_most: Duration::from_millis(1) });
        patience.waited(100, 200);
        patience.committed(200, 0, SYNC);
        assert!(patience.wait(1, 400).is_some());
    }

    #[test]
    fn many_bytes_are_written_at_once() {
        let mut patience = Patience::default();
        patience.committed(10, 10, SYNC);
        assert_eq!(patience.wait(10, BYTES_ENOUGH), None);
    }

    #[test]
    fn a_slow_disk_is_not_waited_for_in_proportion() {
        let mut patience = Patience::default();
        patience.committed(10, 10, Duration::from_secs(5));
        assert_eq!(patience.wait(10, 4_000).map(|wait| wait.at_most), Some(WAIT_MAX));
    }

    #[test]
    fn clients_that_stay_away_are_waited_for_more_and_more_rarely() {
        let mut patience = Patience::default();
        let mut waits = 0;
        for _ in 0..1_000 {
            patience.committed(50, 10, SYNC);
            if patience.wait(10, 4_000).is_some() {
                waits += 1;
                patience.waited(10, 11);
            }
        }
        assert!((10..30).contains(&waits), "{waits} waits in 1,000 groups");
    }

    #[test]
    fn clients_that_come_back_again_are_waited_for_again() {
        let mut patience = Patience::default();
        let mut group = |back: usize| {
            patience.committed(50, 10, SYNC);
            let wait = patience.wait(10, 4_000);
            if wait.is_some() {
                patience.waited(10, back);
            }
            wait.is_some()
        };
        for _ in 0..1_000 {
            group(10);
        }
        let groups = (0..200).filter(|_| group(60)).count();
        assert!(groups >= 200 - SKIP_MAX as usize - 1, "waited in {groups} of 200");
    }

    proptest! {
        #[test]
        fn waits_that_are_in_vain_cost_little_in_the_long_run(
            crowds in proptest::collection::vec((2_usize..300, 1_usize..300, 1_u64..20_000), 600),
        ) {
            let mut patience = Patience::default();
            let (mut committing, mut waiting) = (Duration::ZERO, Duration::ZERO);
            for (acknowledged, queued, micros) in crowds {
                let took = Duration::from_micros(micros);
                patience.committed(acknowledged, queued, took);
                committing += took;
                if let Some(wait) = patience.wait(queued, 1_000) {
                    prop_assert!(wait.at_most <= took / SHARE);
                    waiting += wait.at_most;
                    patience.waited(queued, queued);
                }
            }
            prop_assert!(waiting * 20 <= committing, "{waiting:?} of {committing:?}");
        }
    }
}
