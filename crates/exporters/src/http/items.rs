//! Which records an item of a request is made of.
//!
//! Most requests hold one item for each record in the order of the delivery, and that costs one run.
//! A histogram that becomes several events, points that become one document, and a service that
//! wants another order cost a run for each place where the pattern breaks.

use std::ops::Range;

/// Consecutive items. As many as there are records: one record each; otherwise it is one item, and
/// all of the records are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    item: u32,
    items: u32,
    records: Range<u32>,
}

/// The items of a request in their order, each with the records of the delivery that it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Items {
    runs: Vec<Run>,
    len: u32,
}

impl Items {
    /// The number of items.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an item that holds these records, or a part of them.
    pub fn push(&mut self, records: Range<u32>) {
        let item = self.len;
        self.len += 1;
        if let Some(last) = self.runs.last_mut()
            && last.is_each()
            && records.len() == 1
            && last.item + last.items == item
            && last.records.end == records.start
        {
            last.items += 1;
            last.records.end = records.end;
            return;
        }
        self.runs.push(Run { item, items: 1, records });
    }

    /// Puts further records into the last item.
    pub fn join(&mut self, records: Range<u32>) {
        let Some(item) = self.len.checked_sub(1) else { return self.push(records) };
        // What is joined is a run of its own: the one before may go on to the left.
        self.runs.push(Run { item, items: 1, records });
    }

    /// The records that these items hold, in the order of the items.
    pub fn records(&self, items: Range<u32>) -> impl Iterator<Item = Range<u32>> {
        let first = self.runs.partition_point(|run| run.item + run.items <= items.start);
        let runs = self.runs.iter().skip(first);
        runs.take_while(move |run| run.item < items.end).map(move |run| run.cut(&items))
    }

    /// The records of all items.
    pub fn all(&self) -> impl Iterator<Item = Range<u32>> {
        self.records(0..self.len)
    }
}

impl Run {
    /// Whether each item is one record.
    fn is_each(&self) -> bool {
        self.records.len() == usize::try_from(self.items).unwrap_or(usize::MAX)
    }

    fn cut(&self, items: &Range<u32>) -> Range<u32> {
        if !self.is_each() {
            return self.records.clone();
        }
        let from = items.start.saturating_sub(self.item).min(self.items);
        let until = (items.end - self.item).min(self.items);
        self.records.start + from..self.records.start + until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_record_an_item_in_order_is_one_run() {
        let mut items = Items::default();
        (7..1007).for_each(|record| items.push(record..record + 1));
        assert_eq!(items.runs.len(), 1);
        assert!(items.records(3..5).eq(std::iter::once(10..12)));
        assert!(items.all().eq(std::iter::once(7..1007)));
    }

    #[test]
    fn an_item_may_hold_records_from_several_places() {
        let mut items = Items::default();
        items.push(0..1);
        items.push(1..2);
        items.join(5..6);
        items.push(2..3);
        assert_eq!(items.len(), 3);
        assert_eq!(items.records(1..2).collect::<Vec<_>>(), [1..2, 5..6]);
        assert!(items.records(2..3).eq(std::iter::once(2..3)));
    }

    proptest! {
        #[test]
        fn every_item_gives_back_its_records(
            given in proptest::collection::vec((0..50_u32, 0..4_u32, any::<bool>()), 0..40),
        ) {
            let mut items = Items::default();
            let mut expected: Vec<Vec<Range<u32>>> = Vec::new();
            for (start, len, joins) in given {
                let records = start..start + len;
                if let Some(last) = expected.last_mut().filter(|_| joins) {
                    items.join(records.clone());
                    last.push(records);
                } else {
                    items.push(records.clone());
                    expected.push(vec![records]);
                }
            }
            for (item, expected) in (0..).zip(&expected) {
                let found: Vec<u32> = items.records(item..item + 1).flatten().collect();
                let expected: Vec<u32> = expected.iter().cloned().flatten().collect();
                prop_assert_eq!(found, expected);
            }
            let all: Vec<u32> = items.all().flatten().collect();
            prop_assert_eq!(all, expected.concat().into_iter().flatten().collect::<Vec<u32>>());
        }
    }
}
