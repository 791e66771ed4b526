//! A shared limit in bytes: what is taken comes back when the permit drops.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number of bytes that all holders of permits share.
#[derive(Debug, Clone)]
pub struct Budget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limit: u64,
    used: AtomicU64,
}

/// Bytes taken from a [`Budget`], given back on drop.
#[derive(Debug)]
pub struct Permit {
    shared: Arc<Shared>,
    bytes: u64,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self { shared: Arc::new(Shared { limit, used: AtomicU64::new(0) }) }
    }

    /// Takes `bytes`, or nothing when that would pass the limit.
    pub fn try_take(&self, bytes: u64) -> Option<Permit> {
        let mut permit = self.empty();
        permit.try_grow(bytes).then_some(permit)
    }

    /// A permit of zero bytes, to be grown while a body of unknown length arrives.
    pub fn empty(&self) -> Permit {
        Permit { shared: Arc::clone(&self.shared), bytes: 0 }
    }

    /// Bytes taken now.
    pub fn used(&self) -> u64 {
        self.shared.used.load(Ordering::Relaxed)
    }

    /// The limit in bytes.
    pub fn limit(&self) -> u64 {
        self.shared.limit
    }
}

impl Permit {
    /// Takes `bytes` more, or leaves the permit as it is when that would pass the limit.
    #[must_use]
    pub fn try_grow(&mut self, bytes: u64) -> bool {
        let grown = self.shared.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|total| *total <= self.shared.limit)
        });
        if grown.is_ok() {
            self.bytes += bytes;
        }
        grown.is_ok()
    }

    /// Gives back all but `bytes`; keeps what is held when that is less.
    pub fn shrink_to(&mut self, bytes: u64) {
        let excess = self.bytes.saturating_sub(bytes);
        self.shared.used.fetch_sub(excess, Ordering::Relaxed);
        self.bytes -= excess;
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shared.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_never_passes_the_limit_and_comes_back() {
        let budget = Budget::new(10);
        let mut first = budget.try_take(6).unwrap();
        assert!(budget.try_take(5).is_none());
        assert!(first.try_grow(4));
        assert!(!first.try_grow(1));
        first.shrink_to(3);
        assert_eq!(budget.used(), 3);
        drop(first);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn an_overflowing_request_is_refused() {
        let budget = Budget::new(u64::MAX);
        let _held = budget.try_take(1).unwrap();
        assert!(budget.try_take(u64::MAX).is_none());
    }
}
