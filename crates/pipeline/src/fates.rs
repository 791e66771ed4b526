//! What became of each record of a batch: whether it leaves for a destination by any of its ways.
//!
//! Forks and branches copy a draft and never change the order of its items, so an item is known by
//! its place. The columns are reused from batch to batch; nothing is allocated or locked for a
//! record.

use bessemer_record::Item;

/// The fates of the items of one batch.
#[derive(Debug, Default)]
pub(crate) struct Fates {
    items: Vec<Fate>,
    copies: u64,
}

#[derive(Debug, Clone, Copy)]
struct Fate {
    came: u32,
    left: u32,
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
        self.copies = 0;
        self.items.clear();
        self.items.extend(items.iter().map(|item| Fate { came: item.records, left: 0 }));
    }

    /// Notes the items that leave here, for as many destinations as `destinations` says.
    pub(crate) fn note(&mut self, items: &[Item], destinations: impl Fn(&Item) -> u32) {
        // Items that a step added are behind those that came.
        let places = self.items.len().max(items.len());
        self.items.resize(places, Fate { came: 0, left: 0 });
        for (fate, item) in self.items.iter_mut().zip(items) {
            let count = destinations(item);
            if count > 0 {
                self.copies += u64::from(item.records) * u64::from(count);
                fate.left = fate.left.max(item.records);
            }
        }
    }

    /// Adds up. Of a metric whose branches keep different data points, as many as the longest
    /// branch keeps count as kept.
    pub(crate) fn sum(&self) -> Sum {
        let mut sum = Sum { copies: self.copies, ..Sum::default() };
        for Fate { came, left } in &self.items {
            sum.kept = sum.kept.saturating_add(*left);
            sum.filtered = sum.filtered.saturating_add(came.saturating_sub(*left));
            sum.generated = sum.generated.saturating_add(left.saturating_sub(*came));
        }
        sum
    }
}
