//! The buffers of opened messages, reused from one to the next on each thread.

use std::cell::RefCell;

use super::Slot;

/// Buffers kept for reuse on each thread: of the few messages that are open at once.
const POOLED_MAX: usize = 4;
/// Buffers of more room than this are not kept: 64 KiB, and about as much for the places.
const POOLED_BYTES_MAX: usize = 64 << 10;

thread_local! {
    static POOL: RefCell<Vec<Buffers>> = const { RefCell::new(Vec::new()) };
}

/// The places of fields, and the bytes of those that are new.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub(super) slots: Vec<Slot>,
    pub(super) made: Vec<u8>,
}

impl Buffers {
    /// Empty buffers, with the room of earlier ones if there are any.
    #[inline]
    pub(super) fn take() -> Self {
        POOL.with_borrow_mut(Vec::pop).unwrap_or_default()
    }

    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.made.clear();
    }

    /// Keeps the room for a later message.
    #[inline]
    pub(super) fn give_back(mut self) {
        let bytes = self.slots.capacity() * size_of::<Slot>();
        if bytes > POOLED_BYTES_MAX || self.made.capacity() > POOLED_BYTES_MAX {
            return;
        }
        self.clear();
        POOL.with_borrow_mut(|pool| {
            if pool.len() < POOLED_MAX {
                pool.push(self);
            }
        });
    }
}
