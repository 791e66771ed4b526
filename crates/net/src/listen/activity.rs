//! What a connection is doing, counted by its parts, and what follows from it.
//!
//! Counters are written by the I/O, the service and the answers' bodies, and judged at a tick: no
//! timer is set or cleared per request. A tick is at most a quarter of the shortest limit, so a
//! limit is kept to within a quarter.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::settings::Limits;

/// Shared counters of one connection.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Requests whose headers were read.
    pub(super) started: AtomicU64,
    /// Requests in the handler.
    pub(super) handling: AtomicU32,
    /// Answers not yet taken over by the protocol.
    pub(super) replying: AtomicU32,
    /// Of these, answers that wait for our own next bytes.
    pub(super) waiting: AtomicU32,
    /// Bytes arrived since the last request, with none in the handler: headers are on their way.
    pub(super) head_open: AtomicBool,
    pub(super) received: AtomicU64,
    pub(super) sent: AtomicU64,
    /// Times that the connection was judged.
    pub(super) ticks: AtomicU32,
    /// The socket takes no more bytes.
    pub(super) write_blocked: AtomicBool,
}

impl Activity {
    pub(super) fn on_read(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Relaxed);
        if self.handling.load(Relaxed) == 0 {
            self.head_open.store(true, Relaxed);
        }
    }

    pub(super) fn on_write(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Relaxed);
        self.write_blocked.store(false, Relaxed);
    }

    /// Bytes received and sent.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.received.load(Relaxed), self.sent.load(Relaxed))
    }

    pub(super) fn on_request(&self) {
        self.started.fetch_add(1, Relaxed);
        self.handling.fetch_add(1, Relaxed);
        self.head_open.store(false, Relaxed);
    }
}

/// What a tick decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    Fine,
    /// Nothing to do for too long: say goodbye and let the protocol close.
    Idle,
    /// The client keeps us waiting: close.
    TooSlow,
}

/// Which protocol is judged: bytes between two requests mean headers in HTTP/1 only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// The judge of one connection: how long each condition has held.
#[derive(Debug)]
pub(super) struct Judge {
    tick: Duration,
    header: Duration,
    write: Duration,
    idle: Duration,
    started: u64,
    sent: u64,
    head_for: Duration,
    stuck_for: Duration,
    idle_for: Duration,
}

impl Judge {
    pub(super) fn new(limits: &Limits) -> Self {
        let (header, write, idle) =
            (limits.header_timeout.0, limits.write_timeout.0, limits.idle_timeout.0);
        let tick = header.min(write).min(idle) / 4;
        let tick = tick.clamp(Duration::from_millis(10), Duration::from_secs(5));
        let zero = Duration::ZERO;
        Self {
            tick,
            header,
            write,
            idle,
            started: 0,
            sent: 0,
            head_for: zero,
            stuck_for: zero,
            idle_for: zero,
        }
    }

    /// Whether nothing is begun that a goodbye would have to wait for.
    pub(super) fn is_quiet(&self, activity: &Activity) -> bool {
        let held = activity.handling.load(Relaxed) + activity.replying.load(Relaxed);
        let unsent = activity.write_blocked.load(Relaxed);
        held == 0 && !unsent && activity.started.load(Relaxed) == self.started
    }

    /// Whether nothing happened for one whole tick, so that it is likely to stay so.
    pub(super) fn may_park(&self, activity: &Activity) -> bool {
        let head_open = activity.head_open.load(Relaxed);
        self.idle_for >= self.tick * 2 && !head_open && self.is_quiet(activity)
    }

    /// The time between two calls of [`Judge::judge`].
    pub(super) fn tick(&self) -> Duration {
        self.tick
    }

    pub(super) fn judge(&mut self, activity: &Activity, protocol: Protocol) -> Judgement {
        activity.ticks.fetch_add(1, Relaxed);
        let (started, sent) = (activity.started.load(Relaxed), activity.sent.load(Relaxed));
        let (moved, wrote) = (started != self.started, sent != self.sent);
        (self.started, self.sent) = (started, sent);
        let replying = activity.replying.load(Relaxed);
        let untaken = replying.saturating_sub(activity.waiting.load(Relaxed));
        let blocked = activity.write_blocked.load(Relaxed) || untaken > 0;
        self.stuck_for = self.longer(self.stuck_for, blocked && !wrote);
        let busy = moved || replying > 0 || activity.handling.load(Relaxed) > 0;
        let head = protocol == Protocol::Http1 && activity.head_open.load(Relaxed);
        self.head_for = self.longer(self.head_for, head && !busy);
        self.idle_for = self.longer(self.idle_for, !busy);
        if self.stuck_for >= self.write || self.head_for >= self.header {
            Judgement::TooSlow
        } else if self.idle_for >= self.idle + self.write {
            // It was told to close and did not.
            Judgement::TooSlow
        } else if self.idle_for >= self.idle {
            Judgement::Idle
        } else {
            Judgement::Fine
        }
    }

    fn longer(&self, held: Duration, holds: bool) -> Duration {
        if holds { held + self.tick } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ticks until the judgement changes from fine, at most ten minutes of them.
    fn after(activity: &Activity, protocol: Protocol) -> Option<(Judgement, Duration)> {
        let mut judge = Judge::new(&Limits::default());
        (1..=240).find_map(|tick| {
            let judgement = judge.judge(activity, protocol);
            (judgement != Judgement::Fine).then(|| (judgement, judge.tick() * tick))
        })
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn headers_that_do_not_end_are_too_slow_in_http1() {
        let activity = Activity::default();
        activity.on_read(1);
        assert_eq!(after(&activity, Protocol::Http1), Some((Judgement::TooSlow, seconds(10))));
    }

    #[test]
    fn pings_between_http2_requests_are_not_headers() {
        let activity = Activity::default();
        activity.on_read(17);
        assert_eq!(after(&activity, Protocol::Http2), Some((Judgement::Idle, seconds(120))));
    }

    #[test]
    fn a_request_in_the_handler_is_never_judged() {
        let activity = Activity::default();
        activity.on_request();
        activity.on_read(100);
        assert_eq!(after(&activity, Protocol::Http1), None);
    }

    #[test]
    fn an_answer_that_is_not_taken_is_too_slow_and_a_stream_that_waits_for_us_is_not() {
        let activity = Activity::default();
        activity.replying.store(1, Relaxed);
        let judged = after(&activity, Protocol::Http2);
        assert_eq!(judged, Some((Judgement::TooSlow, seconds(20))));
        activity.waiting.store(1, Relaxed);
        assert_eq!(after(&activity, Protocol::Http2), None);
        activity.write_blocked.store(true, Relaxed);
        let judged = after(&activity, Protocol::Http1);
        assert_eq!(judged, Some((Judgement::TooSlow, seconds(20))));
    }
}
