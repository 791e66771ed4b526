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
    /// How many items whoever waits wants to find; fewer need not wake it.
    wanted: usize,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        let inner = Inner { items: VecDeque::new(), closed: false, woken: false, wanted: 1 };
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
        let enough = inner.items.len() >= inner.wanted;
        drop(inner);
        if enough {
            self.ready.notify_one();
        }
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

    /// Waits until so many items are there, the close or the timeout.
    pub(crate) fn gather(&self, wanted: usize, timeout: Duration) {
        let mut inner = self.inner.lock();
        inner.wanted = wanted;
        let missing = |inner: &mut Inner<T>| inner.items.len() < wanted && !inner.closed;
        self.ready.wait_while_for(&mut inner, missing, timeout);
        inner.wanted = 1;
    }

    /// How many items wait.
    pub(crate) fn len(&self) -> usize {
        self.inner.lock().items.len()
    }

    /// How many items wait, and what they weigh together.
    pub(crate) fn load(&self, weight: impl Fn(&T) -> usize) -> (usize, usize) {
        let inner = self.inner.lock();
        (inner.items.len(), inner.items.iter().map(weight).sum())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(items: &[usize]) -> Mailbox<usize> {
        let mailbox = Mailbox::default();
        for item in items {
            mailbox.push(*item).unwrap();
        }
        mailbox
    }

    #[test]
    fn the_item_that_reaches_the_limit_is_the_last_taken() {
        let mailbox = holding(&[4, 4, 4, 9, 1]);
        assert_eq!(mailbox.take(8, |item| *item), [4, 4]);
        assert_eq!(mailbox.take(5, |item| *item), [4, 9]);
        assert!(mailbox.take(0, |item| *item).is_empty());
        assert_eq!(mailbox.take(usize::MAX, |item| *item), [1]);
    }

    #[test]
    fn a_wake_ends_one_wait_and_no_other() {
        let mailbox = holding(&[]);
        mailbox.wake();
        assert!(mailbox.wait(None), "nothing is closed");
        assert!(!mailbox.inner.lock().woken, "it is used up");
    }

    #[test]
    fn an_item_a_wake_and_the_close_reach_a_thread_that_waits() {
        let tell: [fn(&Mailbox<usize>); 3] =
            [|mailbox| mailbox.push(1).unwrap(), Mailbox::wake, Mailbox::close];
        let goes_on = tell.map(|tell| {
            let mailbox = std::sync::Arc::new(holding(&[]));
            let waiting = std::sync::Arc::clone(&mailbox);
            let thread = std::thread::spawn(move || waiting.wait(None));
            tell(&mailbox);
            thread.join().unwrap()
        });
        assert_eq!(goes_on, [true, true, false]);
    }

    #[test]
    fn a_closed_mailbox_takes_nothing_and_gives_what_it_holds() {
        let mailbox = holding(&[1]);
        mailbox.close();
        assert_eq!(mailbox.push(2), Err(2));
        assert!(mailbox.wait(None), "one is left");
        assert_eq!(mailbox.take(9, |item| *item), [1]);
        assert!(!mailbox.wait(None));
    }

    #[test]
    fn what_waits_is_counted_and_weighed() {
        let mailbox = holding(&[5, 0, 7]);
        assert_eq!((mailbox.len(), mailbox.load(|item| *item)), (3, (3, 12)));
        mailbox.take(1, |item| *item);
        assert_eq!((mailbox.len(), mailbox.load(|item| *item)), (2, (2, 7)));
    }

    /// Scenario: three are wanted and one is there; then more come, or the mailbox is closed.
    #[test]
    fn gathering_ends_with_the_last_that_is_wanted_and_with_the_close() {
        for (pushed, closed, expected) in [(2, false, 3), (1, true, 2)] {
            let mailbox = std::sync::Arc::new(holding(&[1]));
            let gathering = std::sync::Arc::clone(&mailbox);
            let thread = std::thread::spawn(move || {
                gathering.gather(3, Duration::from_hours(1));
                gathering.len()
            });
            for _ in 0..1_000 {
                std::thread::yield_now();
            }
            (0..pushed).for_each(|item| mailbox.push(item).unwrap());
            if closed {
                mailbox.close();
            }
            assert_eq!(thread.join().unwrap(), expected);
        }
    }

    #[test]
    fn gathering_takes_no_longer_than_it_may() {
        let mailbox = holding(&[1]);
        mailbox.gather(2, Duration::from_millis(1));
        assert_eq!(mailbox.len(), 1);
        mailbox.gather(1, Duration::from_hours(1));
    }
}
