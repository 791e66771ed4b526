//! Warnings that a disk which stays dead would bring again at every call: each kind is said at once
//! and then at most every so often, with how many were withheld.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use parking_lot::Mutex;

/// How often a warning of one kind is said.
const EVERY: Duration = Duration::from_secs(10);

/// What was said when, by kind. Kinds are written in the code, so there are few.
#[derive(Debug, Default)]
pub(crate) struct Repeats(Mutex<BTreeMap<&'static str, Said>>);

#[derive(Debug)]
struct Said {
    at: Duration,
    withheld: u64,
}

impl Repeats {
    /// Warns that an error was met with `of`, unless that was said a moment before `now`.
    pub(crate) fn warn(
        &self,
        now: Duration,
        kind: &'static str,
        of: &dyn Display,
        error: &dyn Display,
    ) {
        if let Some(withheld) = self.due(now, kind) {
            tracing::warn!(%error, %of, withheld, "{kind}");
        }
    }

    // How many were withheld since the last, if this one is to be said.
    fn due(&self, now: Duration, kind: &'static str) -> Option<u64> {
        let mut kinds = self.0.lock();
        let Some(said) = kinds.get_mut(kind) else {
            kinds.insert(kind, Said { at: now, withheld: 0 });
            return Some(0);
        };
        if now.saturating_sub(said.at) < EVERY {
            said.withheld += 1;
            return None;
        }
        said.at = now;
        Some(std::mem::take(&mut said.withheld))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_said_at_once_and_then_every_ten_seconds_with_how_many_were_withheld() {
        let repeats = Repeats::default();
        let due = |millis| repeats.due(Duration::from_millis(millis), "abandoned");
        let answers = [5, 5, 9_000, 10_004, 10_005, 20_004, 20_005, 90_000].map(due);
        assert_eq!(answers, [Some(0), None, None, None, Some(3), None, Some(1), Some(0)]);
    }

    #[test]
    fn warnings_of_one_kind_do_not_silence_another() {
        let repeats = Repeats::default();
        assert_eq!(repeats.due(Duration::ZERO, "abandoned"), Some(0));
        assert_eq!(repeats.due(Duration::ZERO, "not synced"), Some(0));
        assert_eq!(repeats.due(Duration::ZERO, "abandoned"), None);
    }
}
