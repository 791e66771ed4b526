//! A queue into a thread. Its bound is the permits that senders hold; see [`crate::Options`].

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// A queue into a thread.
pub(crate) struct Mailbox<T> {
    inner: Mutex<Inner<T>>,
    ready: Condvar,
}

struct Inner<T> {
    items: VecDeque<T>,
    closed: bool,
    woken: bool,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        let inner = Inner { items: VecDeque::new(), closed: false, woken: false };
        Self { inner: Mutex::new(inner), ready: Condvar::new() }
    }
}

impl<T> Mailbox<T> {
    /// Puts an item in; gives it back when the mailbox is closed.
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(item);
        }
        inner.items.push_back(item);
        drop(inner);
        self.ready.notify_one();
        Ok(())
    }

    /// Makes the next [`Mailbox::wait`] return at once.
    pub(crate) fn wake(&self) {
        self.inner.lock().woken = true;
        self.ready.notify_one();
    }

    /// Lets no more in.
    pub(crate) fn close(&self) {
        self.inner.lock().closed = true;
        self.ready.notify_all();
    }

    /// Waits for an item, a wake, the close or the timeout; false once closed and empty.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> bool {
        let mut inner = self.inner.lock();
        while inner.items.is_empty() && !inner.closed && !inner.woken {
            match timeout {
                Some(timeout) => {
                    if self.ready.wait_for(&mut inner, timeout).timed_out() {
                        break;
                    }
                }
                None => self.ready.wait(&mut inner),
            }
        }
        inner.woken = false;
        !(inner.closed && inner.items.is_empty())
    }

    /// Takes what waits, until `weight` of what was taken reaches `limit`.
    pub(crate) fn take(&self, limit: usize, weight: impl Fn(&T) -> usize) -> Vec<T> {
        let mut inner = self.inner.lock();
        let mut total = 0;
        let count = inner.items.iter().take_while(|item| {
            let fits = total < limit;
            total += weight(item);
            fits
        });
        let count = count.count();
        inner.items.drain(..count).collect()
    }
}
