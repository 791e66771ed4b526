//! What became of each record of a batch: whether it leaves for a destination by any of its ways.
//!
//! An item is known by its origin, its place in the batch as it came: processors and branches may
//! move, divide and add items. The columns are reused from batch to batch; nothing is allocated or
//! locked for a record.

use bessemer_record::Item;

/// The fates of the items of one batch.
#[derive(Debug, Default)]
pub(crate) struct Fates {
    items: Vec<Fate>,
    copies: u64,
    /// Records of items that were added, on the way with most of them.
    added: u32,
    /// Ways so far.
    ways: u32,
}

#[derive(Debug, Clone, Copy)]
struct Fate {
    came: u32,
    left: u32,
    /// What left on the way of this number: pieces of one item add up.
    here: u32,
    way: u32,
}

/// The fates of a batch, counted in log records, spans and data points.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    /// Left beyond what came: a metric that grew data points or was added.
    pub(crate) generated: u32,
    /// Left by no way.
    pub(crate) filtered: u32,
    /// Left by at least one way.
    pub(crate) kept: u32,
    /// Left, counted once for each destination of each way.
    pub(crate) copies: u64,
    /// Of those, saved because two ways to one destination came out equal.
    pub(crate) merged: u64,
}

impl Fates {
    /// Starts with the items as they came.
    pub(crate) fn begin(&mut self, items: &[Item]) {
        (self.copies, self.added, self.ways) = (0, 0, 0);
        self.items.clear();
        let fate = |item: &Item| Fate { came: item.records, left: 0, here: 0, way: 0 };
        self.items.extend(items.iter().map(fate));
    }

    /// Notes the items that leave here, for as many destinations as `destinations` says.
    pub(crate) fn note(&mut self, items: &[Item], destinations: impl Fn(&Item) -> u32) {
        self.ways = self.ways.wrapping_add(1);
        let mut added = 0_u32;
        for item in items {
            let count = destinations(item);
            if count == 0 {
                continue;
            }
            self.copies += u64::from(item.records) * u64::from(count);
            match item.origin().and_then(|origin| self.items.get_mut(origin)) {
                Some(fate) => fate.leave(item.records, self.ways),
                None => added = added.saturating_add(item.records),
            }
        }
        self.added = self.added.max(added);
    }

    /// Adds up. Of a metric whose branches keep different data points, as many as the longest
    /// branch keeps count as kept.
    pub(crate) fn sum(&self) -> Sum {
        let (kept, generated) = (self.added, self.added);
        let mut sum = Sum { kept, generated, copies: self.copies, ..Sum::default() };
        for Fate { came, left, .. } in &self.items {
            sum.kept = sum.kept.saturating_add(*left);
            sum.filtered = sum.filtered.saturating_add(came.saturating_sub(*left));
            sum.generated = sum.generated.saturating_add(left.saturating_sub(*came));
        }
        sum
    }
}

impl Sum {
    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            generated: self.generated.saturating_add(other.generated),
            filtered: self.filtered.saturating_add(other.filtered),
            kept: self.kept.saturating_add(other.kept),
            copies: self.copies.saturating_add(other.copies),
            merged: self.merged.saturating_add(other.merged),
        }
    }
}

impl Fate {
    fn leave(&mut self, records: u32, way: u32) {
        if self.way != way {
            (self.way, self.here) = (way, 0);
        }
        self.here = self.here.saturating_add(records);
        self.left = self.left.max(self.here);
    }
}
