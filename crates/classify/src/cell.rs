//! A label that is changed while records read it, without a lock: one number.

use std::sync::atomic::{AtomicU64, Ordering};

use bessemer_record::{TailId, Tails};

use crate::class::Class;

/// Bits of the number that hold the tail; the class stands above them, and zero is no label.
const TAIL_BITS: u32 = 32;

/// A class and the attributes that say so, or nothing.
#[derive(Debug, Default)]
pub struct LabelCell(AtomicU64);

impl LabelCell {
    /// What is in it; `tails` is the registry that knows the attributes.
    #[inline]
    pub fn get(&self, tails: &Tails) -> Option<(Class, TailId)> {
        // Whoever sees the number sees the tail too, which was learned before.
        let packed = self.0.load(Ordering::Acquire);
        if packed == 0 {
            return None;
        }
        let class = Class::of_code(u8::try_from(packed >> TAIL_BITS).ok()?)?;
        let tail = u32::try_from(packed & u64::from(u32::MAX)).ok()?;
        Some((class, tails.named(tail)?))
    }

    /// The class that is in it.
    pub fn class(&self) -> Option<Class> {
        let packed = self.0.load(Ordering::Acquire);
        Class::of_code(u8::try_from(packed >> TAIL_BITS).ok()?)
    }

    /// Puts a label in, or takes it out.
    pub fn set(&self, label: Option<(Class, TailId)>) {
        let packed = label.map_or(0, |(class, tail)| {
            u64::from(class.code()) << TAIL_BITS | u64::from(tail.index())
        });
        self.0.store(packed, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use bessemer_record::Value;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_put_in_is_read_again_and_out_is_out(
            labels in proptest::collection::vec(proptest::option::of((0_usize..3, 0_usize..5)), 1..20),
        ) {
            let tails = Tails::none();
            let attribute = |n: usize| [("key".to_owned(), Value::String(n.to_string()))];
            let learned: Vec<TailId> =
                (0..5).map(|n| tails.learn(&attribute(n)).unwrap()).collect();
            let cell = LabelCell::default();
            prop_assert_eq!(cell.get(&tails), None);
            for label in labels {
                let label = label.map(|(class, tail)| (Class::ALL[class], learned[tail]));
                cell.set(label);
                prop_assert_eq!(cell.get(&tails), label);
                prop_assert_eq!(cell.class(), label.map(|(class, _)| class));
            }
        }
    }

    /// Scenario: one thread changes a label, another reads it.
    /// Promise: what is read is one of the labels, and never the class of one with the tail of another.
    #[test]
    fn a_reader_sees_a_whole_label_or_none() {
        let tails = Tails::none();
        let of = |class: Class| {
            let said = [("class".to_owned(), Value::String(class.as_str().to_owned()))];
            (class, tails.learn(&said).unwrap())
        };
        let labels = [None, Some(of(Class::Warning)), Some(of(Class::Critical))];
        let cell = LabelCell::default();
        std::thread::scope(|scope| {
            scope.spawn(|| labels.iter().cycle().take(30_000).for_each(|label| cell.set(*label)));
            for _ in 0..30_000 {
                assert!(labels.contains(&cell.get(&tails)));
            }
        });
    }
}
