//! Ends a body that stops or trickles.
//!
//! The clock is not read per chunk: one timer ticks at half the idle time and compares how far the
//! body came. A body that stops is ended after one to one and a half idle times; one that trickles,
//! as soon as its average is too low after the first idle time.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use super::BodyLimits;

/// The watch over one body; arms itself when the body first has to be waited for.
pub(super) struct Slow {
    tick: Duration,
    rate_min: u64,
    timer: Option<Pin<Box<Sleep>>>,
    ticks: u32,
    quiet_ticks: u32,
    seen: usize,
}

impl Slow {
    pub(super) fn new(limits: &BodyLimits) -> Self {
        let tick = (limits.idle / 2).max(Duration::from_millis(1));
        let rate_min = limits.rate_min;
        Self { tick, rate_min, timer: None, ticks: 0, quiet_ticks: 0, seen: 0 }
    }

    /// Ready when the body, of which `received` bytes came so far, is too slow.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, received: usize) -> Poll<()> {
        let tick = self.tick;
        loop {
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(tick)));
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.timer = None;
            if self.is_too_slow(received) {
                return Poll::Ready(());
            }
        }
    }

    fn is_too_slow(&mut self, received: usize) -> bool {
        self.ticks = self.ticks.saturating_add(1);
        self.quiet_ticks = if received == self.seen { self.quiet_ticks + 1 } else { 0 };
        self.seen = received;
        let least = self.tick.saturating_mul(self.ticks).as_secs().saturating_mul(self.rate_min);
        self.quiet_ticks >= 2 || (self.ticks >= 2 && (received as u64) < least)
    }
}
