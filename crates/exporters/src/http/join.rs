//! Puts the verdicts of several calls together into the verdict of the delivery.

use std::ops::Range;

use bessemer_pipeline::Verdict;

use super::items::Items;

/// The status by which the engine halves a delivery.
const TOO_LARGE: u16 = 413;

/// What is known so far of each record; a record that nothing is said of was delivered.
#[derive(Debug)]
pub(crate) struct Outcome {
    records: u32,
    /// Ranges that did not go well, in the order of their calls.
    said: Vec<(Range<u32>, u32)>,
    /// What was said, each once in a row.
    verdicts: Vec<Verdict>,
}

impl Outcome {
    pub(crate) fn new(records: u32) -> Self {
        Self { records, said: Vec::new(), verdicts: Vec::new() }
    }

    /// Notes a verdict on a range of records.
    pub(crate) fn note(&mut self, records: Range<u32>, verdict: Verdict) {
        let index = self.index(verdict);
        self.said.push((records, index));
    }

    /// Notes the verdict of a call, whose ranges count its items.
    pub(crate) fn note_call(&mut self, items: &Items, verdict: Verdict) {
        match verdict {
            Verdict::Delivered => {}
            Verdict::Split(parts) => {
                for (range, verdict) in parts {
                    if verdict != Verdict::Delivered {
                        let index = self.index(verdict);
                        self.said.extend(items.records(range).map(|records| (records, index)));
                    }
                }
            }
            Verdict::Retry { .. } | Verdict::Refused { .. } => {
                let index = self.index(verdict);
                self.said.extend(items.all().map(|records| (records, index)));
            }
        }
    }

    /// The verdict of the delivery. `divides` says by which status several records are refused for
    /// what only some of them may be at fault for; such ranges are sent again alone, so that the
    /// engine can look for those.
    pub(crate) fn verdict(mut self, divides: impl Fn(u16) -> bool) -> Verdict {
        if self.said.is_empty() {
            return Verdict::Delivered;
        }
        let mut ranges = self.ranges();
        if let [(range, index)] = ranges.as_slice()
            && *range == (0..self.records)
        {
            return self.take(*index);
        }
        if ranges.iter().all(|(_, index)| self.is_retry(*index)) && covers(&ranges, self.records) {
            return ranges.pop().map_or(Verdict::Delivered, |(_, index)| self.take(index));
        }
        let parts = ranges.into_iter().map(|(range, index)| {
            let verdict = self.verdicts.get(slot(index)).cloned().unwrap_or(Verdict::Delivered);
            (range.clone(), alone(range, verdict, &divides))
        });
        Verdict::Split(parts.collect())
    }

    fn index(&mut self, verdict: Verdict) -> u32 {
        if self.verdicts.last() != Some(&verdict) {
            self.verdicts.push(verdict);
        }
        u32::try_from(self.verdicts.len() - 1).unwrap_or(u32::MAX)
    }

    fn is_retry(&self, index: u32) -> bool {
        matches!(self.verdicts.get(slot(index)), Some(Verdict::Retry { .. }))
    }

    fn take(&mut self, index: u32) -> Verdict {
        self.verdicts
            .get_mut(slot(index))
            .map_or(Verdict::Delivered, |verdict| std::mem::replace(verdict, Verdict::Delivered))
    }

    /// The ranges sorted and without overlap, neighbors of one verdict joined. Of a record that
    /// several items hold a part of, a retry counts before a refusal: nothing is given up early.
    fn ranges(&self) -> Vec<(Range<u32>, u32)> {
        const NOTHING: u32 = u32::MAX;
        let mut marks = vec![NOTHING; slot(self.records)];
        for (range, index) in &self.said {
            let range = slot(range.start)..slot(range.end.min(self.records));
            for mark in marks.get_mut(range).into_iter().flatten() {
                if *mark == NOTHING || (self.is_retry(*index) && !self.is_retry(*mark)) {
                    *mark = *index;
                }
            }
        }
        let mut ranges: Vec<(Range<u32>, u32)> = Vec::new();
        for (record, mark) in (0..self.records).zip(marks) {
            match ranges.last_mut() {
                _ if mark == NOTHING => {}
                Some((range, index)) if *index == mark && range.end == record => {
                    range.end = record + 1;
                }
                _ => ranges.push((record..record + 1, mark)),
            }
        }
        ranges
    }
}

fn slot(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

fn covers(ranges: &[(Range<u32>, u32)], records: u32) -> bool {
    ranges.iter().map(|(range, _)| range.end - range.start).sum::<u32>() == records
}

fn alone(range: Range<u32>, verdict: Verdict, divides: &impl Fn(u16) -> bool) -> Verdict {
    if let Verdict::Refused { status, reason } = &verdict
        && range.len() > 1
        && (*status == TOO_LARGE || divides(*status))
    {
        return Verdict::retry(reason.clone());
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16) -> Verdict {
        Verdict::Refused { status, reason: "no".into() }
    }

    fn items(records: impl IntoIterator<Item = u32>) -> Items {
        let mut items = Items::default();
        records.into_iter().for_each(|record| items.push(record..record + 1));
        items
    }

    fn check(records: u32, noted: Vec<(Items, Verdict)>, expected: &Verdict) {
        let mut outcome = Outcome::new(records);
        for (items, verdict) in noted {
            outcome.note_call(&items, verdict);
        }
        assert_eq!(outcome.verdict(|status| status == 400), *expected);
    }

    #[test]
    fn one_verdict_on_everything_is_no_split() {
        check(4, vec![(items(0..4), Verdict::Delivered)], &Verdict::Delivered);
        check(4, vec![(items(0..4), refused(413))], &refused(413));
        let halves = vec![(items(0..2), Verdict::retry("a")), (items(2..4), Verdict::retry("b"))];
        check(4, halves, &Verdict::retry("b"));
    }

    #[test]
    fn item_numbers_become_sorted_ranges_of_records() {
        let parts = vec![(0..1, refused(4)), (3..4, refused(4)), (1..2, Verdict::Delivered)];
        let mixed = items([3, 2, 1, 0]);
        let expected = Verdict::Split(vec![(0..1, refused(4)), (3..4, refused(4))]);
        check(4, vec![(mixed, Verdict::Split(parts))], &expected);
        let neighbors = Verdict::Split(vec![(0..1, refused(4)), (1..2, refused(4))]);
        check(3, vec![(items(0..3), neighbors)], &Verdict::Split(vec![(0..2, refused(4))]));
    }

    #[test]
    fn a_record_in_two_items_is_tried_again_before_it_is_refused() {
        let mut both = Items::default();
        both.push(0..1);
        both.push(0..1);
        let parts = vec![(0..1, refused(4)), (1..2, Verdict::retry("busy"))];
        let expected = Verdict::Split(vec![(0..1, Verdict::retry("busy"))]);
        check(2, vec![(both, Verdict::Split(parts))], &expected);
    }

    #[test]
    fn one_call_of_several_whose_content_is_blamed_is_sent_again_alone() {
        for status in [400, 413] {
            let calls = vec![(items(0..2), refused(status)), (items(2..4), Verdict::Delivered)];
            check(4, calls, &Verdict::Split(vec![(0..2, Verdict::retry("no"))]));
        }
        let single = vec![(items(0..1), refused(400)), (items(1..2), Verdict::Delivered)];
        check(2, single, &Verdict::Split(vec![(0..1, refused(400))]));
        let firm = vec![(items(0..2), refused(404)), (items(2..4), Verdict::Delivered)];
        check(4, firm, &Verdict::Split(vec![(0..2, refused(404))]));
    }
}
