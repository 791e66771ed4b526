//! Tries a parcel until every record in it is settled: delivered, or in the dead-letter log.
//!
//! Retries have no end. A parcel that keeps failing while others succeed is halved until its
//! culprit stands alone, which is then dead-lettered; a parcel too large is halved at once, and so
//! is one whose content is refused (`search`).

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bessemer_journal::{DeadLetter, Lane, Outcome, SinkIndex};
use bessemer_runtime::{Random, Tasks};
use bytes::Bytes;
use prometheus_client::metrics::histogram::Histogram;

use crate::catalog::WhenFull;
use crate::delivery::backoff;
use crate::delivery::direct::Direct;
use crate::delivery::parcel::{Origin, Parcel};
use crate::delivery::search::Pieces;
use crate::engine::Hub;
use crate::exporter::{Exporter, Part, Verdict};
use crate::ledger::{self, Sheet};
use crate::metrics::{Counter, Gauge, Metrics, component};
use crate::status::Health;

/// Failures in a row, while other parcels succeed, that make a parcel suspect.
const SUSPECT_TRIES: u32 = 5;
/// The status by which a destination says that a request is too large.
const TOO_LARGE: u16 = 413;
/// How long a worker waits when the dead-letter log takes nothing.
const DEAD_LETTER_WAIT: Duration = Duration::from_secs(5);
/// How often a wait for the next try looks whether the queue is over its budget.
const OVERFLOW_LOOK: Duration = Duration::from_secs(1);

/// A verdict on some of the records of a parcel.
type Ranged = (Range<u32>, Verdict);

/// One destination and how its parcels fare.
pub(crate) struct Tries {
    pub(crate) id: String,
    pub(crate) sink: SinkIndex,
    pub(crate) exporter: Arc<dyn Exporter>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) tasks: Tasks,
    pub(crate) config_hash: u64,
    pub(crate) counters: Counters,
    when_full: WhenFull,
    sheet: Arc<Sheet>,
    successes: AtomicU64,
    health: Arc<Health>,
}

/// Metrics of one destination, looked up once.
pub(crate) struct Counters {
    delivered: Counter,
    retried: Counter,
    dead: Counter,
    up: Gauge,
    seconds: Histogram,
}

impl Counters {
    pub(crate) fn new(metrics: &Metrics, id: &str) -> Self {
        let labels = component(id);
        let up = metrics.destination_up.get_or_create_owned(&labels);
        up.set(1);
        Self {
            delivered: metrics.delivered.get_or_create_owned(&labels),
            retried: metrics.retried.get_or_create_owned(&labels),
            dead: metrics.dead.get_or_create_owned(&labels),
            up,
            seconds: metrics.delivery_seconds.get_or_create_owned(&labels),
        }
    }
}

/// What the engine hands to a destination's worker.
pub(crate) struct Destination {
    pub(crate) id: String,
    pub(crate) sink: SinkIndex,
    pub(crate) exporter: Arc<dyn Exporter>,
    pub(crate) config_hash: u64,
    pub(crate) when_full: WhenFull,
    pub(crate) sheet: Arc<Sheet>,
    pub(crate) health: Arc<Health>,
}

impl Tries {
    pub(crate) fn new(
        to: Destination,
        hub: Arc<Hub>,
        random: Arc<dyn Random>,
        tasks: Tasks,
    ) -> Self {
        Self {
            counters: Counters::new(hub.metrics(), &to.id),
            id: to.id,
            sink: to.sink,
            exporter: to.exporter,
            config_hash: to.config_hash,
            when_full: to.when_full,
            sheet: to.sheet,
            hub,
            random,
            tasks,
            successes: AtomicU64::new(0),
            health: to.health,
        }
    }

    /// Whether the last try failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.health.is_failing()
    }

    /// Settles every record of the parcel, or leaves what is left where a restart finds it.
    pub(crate) async fn settle(&self, parcel: Parcel) {
        let mut pieces = Pieces::of(parcel);
        while let Some(next) = pieces.next() {
            self.settle_one(next, &mut pieces).await;
        }
    }

    async fn settle_one(&self, mut parcel: Parcel, pieces: &mut Pieces) {
        let successes = self.successes.load(Ordering::Relaxed);
        while !parcel.is_abandoned() {
            if self.overflows(&parcel) {
                return self.give_way(&parcel).await;
            }
            let (after, reason) = match self.attempt(&parcel).await {
                Verdict::Delivered => {
                    pieces.taken();
                    return self.delivered(&parcel);
                }
                Verdict::Refused { status, reason } => {
                    return self.refused(&parcel, status, &reason, pieces).await;
                }
                Verdict::Split(mut verdicts) => {
                    verdicts.sort_by_key(|(range, _)| range.start);
                    match put_off(&verdicts, parcel.records()) {
                        Some(whole) => whole,
                        None => return self.split(&parcel, verdicts, pieces).await,
                    }
                }
                Verdict::Retry { after, reason } => (after, reason),
            };
            self.note_failure(&mut parcel, &reason);
            let pause = backoff::wait(parcel.tries, after, &*self.random);
            if !self.is_suspect(&parcel, successes) {
                tokio::select! {
                    biased;
                    () = self.hub.clock.sleep(pause) => {}
                    () = self.overflow(&parcel) => continue,
                    () = self.tasks.cancelled() => return self.leave(&parcel).await,
                }
            }
            // Others may have succeeded meanwhile: then to send it whole again would prove nothing.
            if self.is_suspect(&parcel, successes) {
                return self.isolate(&parcel, &reason, pieces).await;
            }
        }
    }

    /// Whether a parcel used up its tries while others succeeded.
    fn is_suspect(&self, parcel: &Parcel, successes: u64) -> bool {
        parcel.tries >= SUSPECT_TRIES && self.successes.load(Ordering::Relaxed) > successes
    }

    /// Whether a parcel is to make room: parcels are taken in order, so it is of the oldest.
    fn overflows(&self, parcel: &Parcel) -> bool {
        self.when_full == WhenFull::DeadLetter
            && parcel.is_journaled()
            && self.hub.journal.is_over_budget(self.sink)
    }

    /// Completes when a parcel is to make room.
    async fn overflow(&self, parcel: &Parcel) {
        if self.when_full == WhenFull::Block || !parcel.is_journaled() {
            std::future::pending::<()>().await;
        }
        while !self.overflows(parcel) {
            self.hub.clock.sleep(OVERFLOW_LOOK).await;
        }
    }

    async fn give_way(&self, parcel: &Parcel) {
        let last = self.health.reason();
        let cause = last.map(|reason| format!("; it fails: {reason}")).unwrap_or_default();
        let reason = format!("the budget of the destination's queue is used up{cause}");
        self.bury(parcel, 0, &reason).await;
    }

    async fn attempt(&self, parcel: &Parcel) -> Verdict {
        let started = self.hub.clock.monotonic();
        let verdict = self.exporter.deliver(&parcel.delivery).await;
        let took = self.hub.clock.monotonic().saturating_sub(started);
        self.counters.seconds.observe(took.as_secs_f64());
        verdict
    }

    fn note_failure(&self, parcel: &mut Parcel, reason: &str) {
        parcel.tries = parcel.tries.saturating_add(1);
        self.counters.retried.inc();
        self.counters.up.set(0);
        if self.health.fail(reason) {
            tracing::warn!(component = %self.id, reason, "destination fails, deliveries are retried");
        }
        let now = self.hub.clock.unix_nanos();
        for (part, origin) in parcel.delivery.parts.iter().zip(&parcel.origins) {
            match origin {
                Origin::Journal(lane) => {
                    let row = ledger::failed((*lane, part.numbers()), parcel.tries, now, reason);
                    self.sheet.attempts.fail(row);
                }
                Origin::Memory(_, Some(group), _) => group.note(&format!("{}: {reason}", self.id)),
                Origin::Memory(..) => {}
            }
        }
    }

    fn note_success(&self) {
        self.successes.fetch_add(1, Ordering::Relaxed);
        self.counters.up.set(1);
        if self.health.recover() {
            tracing::info!(component = %self.id, "destination takes deliveries again");
        }
    }

    /// The destination answered, so it lives: its other parcels are not suspect.
    fn note_answer(&self) {
        self.counters.up.set(1);
        self.health.recover();
    }

    fn delivered(&self, parcel: &Parcel) {
        self.note_success();
        self.counters.delivered.inc_by(u64::from(parcel.records()));
        self.settle_parts(parcel, Outcome::Delivered);
    }

    fn settle_parts(&self, parcel: &Parcel, outcome: Outcome) {
        for (part, origin) in parcel.delivery.parts.iter().zip(&parcel.origins) {
            match origin {
                Origin::Journal(lane) => {
                    let numbers = part.numbers();
                    self.sheet.attempts.settle(*lane, &numbers);
                    self.hub.journal.settle_as(self.sink, *lane, &[numbers], outcome);
                }
                Origin::Memory(_, Some(group), _) => group.settle(part.records),
                Origin::Memory(..) => {}
            }
        }
    }

    async fn refused(&self, parcel: &Parcel, status: u16, reason: &str, pieces: &mut Pieces) {
        self.note_answer();
        let both = if status == TOO_LARGE {
            parcel.halves()
        } else if self.exporter.blames_content(status) {
            pieces.divide(parcel)
        } else {
            None
        };
        match both {
            Some(both) => pieces.push_both(both),
            None => self.bury(parcel, status, reason).await,
        }
    }

    async fn split(&self, parcel: &Parcel, verdicts: Vec<Ranged>, pieces: &mut Pieces) {
        let longest = longest_wait(&verdicts);
        let mut next = 0;
        for (range, verdict) in verdicts {
            let range = range.start.clamp(next, parcel.records())..range.end.min(parcel.records());
            if range.is_empty() {
                continue;
            }
            self.delivered_range(parcel, next..range.start);
            next = range.end;
            let some = parcel.range(range);
            match verdict {
                Verdict::Delivered => self.delivered(&some),
                Verdict::Refused { status, reason } => {
                    self.note_answer();
                    self.bury(&some, status, &reason).await;
                }
                Verdict::Retry { .. } | Verdict::Split(_) => pieces.push(some),
            }
        }
        self.delivered_range(parcel, next..parcel.records());
        if !pieces.is_empty() {
            tokio::select! {
                biased;
                () = self.hub.clock.sleep(backoff::wait(1, longest, &*self.random)) => {}
                () = self.tasks.cancelled() => {}
            }
        }
    }

    fn delivered_range(&self, parcel: &Parcel, range: Range<u32>) {
        if !range.is_empty() {
            self.delivered(&parcel.range(range));
        }
    }

    /// Halves a suspect parcel; a lone suspect record is the culprit.
    async fn isolate(&self, parcel: &Parcel, reason: &str, pieces: &mut Pieces) {
        let Some((mut first, mut second)) = parcel.halves() else {
            let reason =
                format!("failed {} times while others were delivered: {reason}", parcel.tries);
            return self.bury(parcel, 0, &reason).await;
        };
        // Their parent used up the patience: one more failure halves them again.
        first.tries = SUSPECT_TRIES - 1;
        second.tries = SUSPECT_TRIES - 1;
        pieces.push_both((first, second));
    }

    /// Writes every part to the dead-letter log, durably, and settles it. Waits while the log
    /// takes nothing: a record is never dropped because its grave is full.
    async fn bury(&self, parcel: &Parcel, status: u16, reason: &str) {
        for (part, origin) in parcel.delivery.parts.iter().zip(&parcel.origins) {
            let single = Parcel {
                delivery: crate::exporter::Delivery {
                    signal: parcel.delivery.signal,
                    parts: vec![part.clone()],
                    encoded: None,
                },
                origins: vec![origin.clone()],
                tries: 0,
            };
            if self.write_dead(&single, part, status, reason).await {
                self.counters.dead.inc_by(u64::from(part.records));
                self.settle_parts(&single, Outcome::Dead);
            }
        }
    }

    async fn write_dead(&self, single: &Parcel, part: &Part, status: u16, reason: &str) -> bool {
        loop {
            let letter = DeadLetter {
                records: part.numbers(),
                lane: lane_of(single),
                refused_at_unix_nanos: self.hub.clock.unix_nanos(),
                reason: reason.to_owned(),
                status: if status == 0 { String::new() } else { status.to_string() },
                config_hash: self.config_hash,
                meta: Bytes::from(part.meta.encode(single.delivery.signal)),
                payload: part.payload.clone(),
            };
            let Err(error) = self.hub.journal.dead_letter(self.sink, vec![letter]).await else {
                tracing::warn!(component = %self.id, records = part.records, status, reason, "dead-lettered");
                return true;
            };
            tracing::error!(component = %self.id, %error, "dead-letter log takes nothing; waiting");
            tokio::select! {
                biased;
                () = self.hub.clock.sleep(DEAD_LETTER_WAIT) => {}
                () = self.tasks.cancelled() => {
                    self.leave(single).await;
                    return false;
                }
            }
        }
    }

    /// On the way down: what only memory holds goes to the journal.
    pub(crate) async fn leave(&self, parcel: &Parcel) {
        for (part, origin) in parcel.delivery.parts.iter().zip(&parcel.origins) {
            if let Origin::Memory(lane, None, _) = origin {
                self.rescue(&direct(parcel, part, *lane)).await;
            }
        }
    }

    pub(crate) async fn rescue(&self, direct: &Direct) {
        if direct.group.is_some() {
            return;
        }
        if let Err(error) = self.hub.rescue(self.sink, direct).await {
            let records = direct.part.records;
            tracing::error!(component = %self.id, records, %error, "records acknowledged from memory are lost");
        }
    }
}

/// The wait and the reason of verdicts, in order, that put all records off: that is no answer to any of them.
fn put_off(verdicts: &[Ranged], records: u32) -> Option<(Option<Duration>, String)> {
    let mut next = 0;
    let mut reason = None;
    for (range, verdict) in verdicts {
        match verdict {
            Verdict::Retry { reason: own, .. } if range.start <= next => {
                next = next.max(range.end);
                reason.get_or_insert_with(|| own.clone());
            }
            Verdict::Retry { .. }
            | Verdict::Delivered
            | Verdict::Refused { .. }
            | Verdict::Split(_) => return None,
        }
    }
    reason.filter(|_| next >= records).map(|reason| (longest_wait(verdicts), reason))
}

/// The longest wait that the destination asks for with any of the records.
fn longest_wait(verdicts: &[Ranged]) -> Option<Duration> {
    let waits = verdicts.iter().map(|(_, verdict)| match verdict {
        Verdict::Retry { after, .. } => *after,
        Verdict::Delivered | Verdict::Refused { .. } | Verdict::Split(_) => None,
    });
    waits.max().flatten()
}

fn lane_of(single: &Parcel) -> Lane {
    match single.origins.first() {
        Some(Origin::Journal(lane) | Origin::Memory(lane, ..)) => *lane,
        None => Lane::Normal,
    }
}

fn direct(parcel: &Parcel, part: &Part, lane: Lane) -> Direct {
    Direct::new(parcel.delivery.signal, lane, part.clone(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(range: Range<u32>, seconds: Option<u64>) -> Ranged {
        (range, Verdict::Retry { after: seconds.map(Duration::from_secs), reason: "busy".into() })
    }

    #[test]
    fn only_what_puts_off_every_record_is_no_answer() {
        let whole = [later(0..2, None), later(2..5, Some(7)), later(5..6, Some(3))];
        assert_eq!(put_off(&whole, 6), Some((Some(Duration::from_secs(7)), "busy".into())));
        assert_eq!(put_off(&whole, 7), None, "the last was delivered");
        assert_eq!(put_off(&whole[1..], 6), None, "the first were delivered");
        assert_eq!(put_off(&[], 0), None);
        let refused = [later(0..1, None), (1..2, Verdict::refused("never"))];
        assert_eq!(put_off(&refused, 2), None);
    }
}
