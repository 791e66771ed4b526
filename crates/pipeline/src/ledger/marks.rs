//! When a lane had come how far: a few marks, dense at the end and ever thinner before.

/// Marks of one lane at most.
pub(crate) const MARKS_MAX: usize = 12;

/// All numbers below were settled by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) below: u64,
    pub(crate) unix_s: u64,
}

/// The marks of one lane, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks(Vec<Mark>);

/// Between which times a number was settled; open where no mark says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Between {
    pub(crate) after_unix_s: Option<u64>,
    pub(crate) before_unix_s: Option<u64>,
}

impl Marks {
    /// Marks as they were kept; those that run backwards are left out.
    pub(crate) fn restored(marks: Vec<Mark>) -> Self {
        let mut restored = Self::default();
        for mark in marks {
            restored.note(mark.below, mark.unix_s);
        }
        restored
    }

    pub(crate) fn all(&self) -> &[Mark] {
        &self.0
    }

    /// Notes how far the lane has come, if that is farther than before.
    pub(crate) fn note(&mut self, below: u64, unix_s: u64) {
        match self.0.last_mut() {
            Some(last) if below <= last.below || unix_s < last.unix_s => return,
            Some(last) if unix_s == last.unix_s => last.below = below,
            _ => self.0.push(Mark { below, unix_s }),
        }
        if self.0.len() > MARKS_MAX {
            self.thin(unix_s);
        }
    }

    /// When a settled number was settled.
    pub(crate) fn between(&self, number: u64) -> Between {
        let at = self.0.partition_point(|mark| mark.below <= number);
        let time = |at: usize| self.0.get(at).map(|mark| mark.unix_s);
        Between { after_unix_s: at.checked_sub(1).and_then(time), before_unix_s: time(at) }
    }

    // Takes out the mark whose gap would be the smallest for its age.
    fn thin(&mut self, now: u64) {
        let loss = |window: &[Mark]| match window {
            [before, this, after] => {
                let age = now.saturating_sub(this.unix_s) + 1;
                u128::from(after.unix_s - before.unix_s) * 1000 / u128::from(age)
            }
            _ => u128::MAX,
        };
        let losses = self.0.windows(3).map(loss).enumerate();
        if let Some((before, _)) = losses.min_by_key(|(_, loss)| *loss) {
            self.0.remove(before + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_number_lies_between_its_marks_whatever_was_thinned(
            steps in proptest::collection::vec((1..50_u64, 1..500_u64), 1..200),
            asked in 0..5000_u64,
        ) {
            let mut marks = Marks::default();
            let mut all = Vec::new();
            let (mut below, mut now) = (0, 0);
            for (more, seconds) in steps {
                (below, now) = (below + more, now + seconds);
                marks.note(below, now);
                all.push(Mark { below, unix_s: now });
            }
            prop_assert!(marks.all().len() <= MARKS_MAX);
            prop_assert_eq!(marks.all().last(), all.last());
            let truth = all.iter().find(|mark| mark.below > asked);
            let found = marks.between(asked);
            let Some(truth) = truth else {
                prop_assert_eq!(found.before_unix_s, None);
                return Ok(());
            };
            prop_assert!(found.before_unix_s.is_some_and(|time| time >= truth.unix_s));
            prop_assert!(found.after_unix_s.is_none_or(|time| time < truth.unix_s));
        }
    }

    #[test]
    fn the_last_minute_stays_finer_than_the_last_day() {
        let mut marks = Marks::default();
        for second in 1..86_400 {
            marks.note(second, second);
        }
        let width = |number: u64| {
            let found = marks.between(number);
            found.before_unix_s.unwrap() - found.after_unix_s.unwrap_or_default()
        };
        assert!(width(86_398) <= 2, "{marks:?}");
        assert!(width(86_340) <= 120, "{marks:?}");
        assert!(width(40_000) <= 86_400);
    }
}
