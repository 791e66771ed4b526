//! The worker of a stage with memory: reads the journal by a cursor of its own, lets the stage hold
//! what it reads, and settles it once what the stage made of it is in the journal too.
//!
//! A crash between the two leaves both: the records come again and are sent on again, as after any
//! delivery whose answer was lost. Nothing is held anywhere but in the journal, and a holding is
//! emptied early where its limits are reached.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bessemer_journal::{DeadLetter, Lane, Outcome, SinkIndex};
use bessemer_record::Signal;
use bessemer_runtime::Tasks;
use bytes::Bytes;

use crate::delivery::parcel::{Origin, Parcel};
use crate::delivery::source::Source;
use crate::engine::Hub;
use crate::exporter::Part;
use crate::metrics::{Counter, component};
use crate::outlet::{Outlet, Refusal, slot};
use crate::stateful::{Holding, Made, Stateful};
use crate::status::Health;

/// Bytes of memory from which a holding is emptied.
pub const HELD_BYTES_MAX: usize = 8 << 20;
/// Bytes of records in the journal that one holding stands for at most, but for the last part.
const TAKEN_BYTES_MAX: u64 = 64 << 20;
/// Parts that one holding stands for at most.
const TAKEN_PARTS_MAX: usize = 16 << 10;
/// How long the worker waits after a refusal at most.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// The share of the journal that all stages together may leave unsettled. Beyond it, receivers
/// refuse what is routed to them: so others can always make the room that a stage needs to go on.
pub(crate) const BACKLOG_SHARE: u64 = 4;

/// What the engine hands to the worker of a stage.
pub(crate) struct Seat {
    pub(crate) id: String,
    pub(crate) sink: SinkIndex,
    pub(crate) stage: Arc<dyn Stateful>,
    pub(crate) outlet: Outlet,
    pub(crate) health: Arc<Health>,
    pub(crate) config_hash: u64,
}

/// Records that were read and are not settled.
#[derive(Default)]
struct Taken {
    numbers: [Vec<Range<u64>>; 2],
    records: [u64; 3],
    parts: usize,
    bytes: u64,
    /// When the first one was read.
    since: Duration,
}

impl Taken {
    fn add(&mut self, signal: Signal, lane: Lane, part: &Part) {
        self.parts += 1;
        self.bytes += part.payload.len() as u64;
        if let Some(records) = self.records.get_mut(slot(signal)) {
            *records += u64::from(part.records);
        }
        let Some(ranges) = self.numbers.get_mut(lane as usize) else { return };
        let numbers = part.numbers();
        match ranges.last_mut() {
            Some(last) if last.end == numbers.start => last.end = numbers.end,
            _ => ranges.push(numbers),
        }
    }

    fn is_full(&self) -> bool {
        self.parts >= TAKEN_PARTS_MAX || self.bytes >= TAKEN_BYTES_MAX
    }

    fn of(&self, lane: Lane) -> &[Range<u64>] {
        self.numbers.get(lane as usize).map_or(&[], Vec::as_slice)
    }
}

/// Whether the worker goes on.
#[derive(PartialEq, Eq)]
enum Next {
    Go,
    Stop,
}

/// Reads, holds and sends on until told to stop.
pub(crate) struct Holder {
    seat: Seat,
    hub: Arc<Hub>,
    source: Source,
    tasks: Tasks,
    holding: Box<dyn Holding>,
    /// What the stage made and nothing has taken yet.
    made: Vec<Made>,
    /// All that `holding` and `made` stand for.
    taken: Taken,
    delivered: Counter,
    dead: Counter,
}

impl Holder {
    pub(crate) fn new(seat: Seat, hub: Arc<Hub>, source: Source, tasks: Tasks) -> Self {
        let labels = component(&seat.id);
        Self {
            holding: seat.stage.hold(&seat.outlet.tails()),
            delivered: hub.metrics().delivered.get_or_create_owned(&labels),
            dead: hub.metrics().dead.get_or_create_owned(&labels),
            made: Vec::new(),
            taken: Taken::default(),
            seat,
            hub,
            source,
            tasks,
        }
    }

    /// Runs until the tasks are cancelled, then sends on what was held and is there.
    pub(crate) async fn run(mut self) {
        while self.turn().await == Next::Go {
            // A backlog is served from memory without waiting: others want the thread too.
            tokio::task::yield_now().await;
        }
        while let Some(parcel) = self.source.try_next() {
            self.take(&parcel);
            if self.is_full() && self.send_on().await.is_err() {
                return;
            }
        }
        if let Err(refusal) = self.send_on().await {
            let component = &self.seat.id;
            tracing::warn!(%component, %refusal, "held records stay in the journal");
        }
    }

    async fn turn(&mut self) -> Next {
        let due = self.due().map(|wait| (wait, self.holding.ready()));
        let clock = Arc::clone(&self.hub.clock);
        let over = async {
            let Some((wait, ready)) = due else { return std::future::pending().await };
            tokio::select! {
                () = clock.sleep(wait) => {}
                () = ready => {}
            }
        };
        let parcel = tokio::select! {
            biased;
            () = self.tasks.cancelled() => return Next::Stop,
            () = over => None,
            parcel = self.source.next() => Some(parcel),
        };
        if let Some(parcel) = &parcel {
            self.take(parcel);
        }
        if parcel.is_none() || self.is_full() { self.flush().await } else { Next::Go }
    }

    /// When what is held has to be sent on; never while nothing is.
    fn due(&self) -> Option<Duration> {
        let at = self.taken.since + self.seat.stage.interval();
        (self.taken.parts > 0).then(|| at.saturating_sub(self.hub.clock.monotonic()))
    }

    fn is_full(&self) -> bool {
        self.taken.is_full() || self.holding.bytes() >= HELD_BYTES_MAX
    }

    fn take(&mut self, parcel: &Parcel) {
        if self.taken.parts == 0 {
            self.taken.since = self.hub.clock.monotonic();
        }
        for (part, origin) in parcel.delivery.parts.iter().zip(&parcel.origins) {
            let (Origin::Journal(lane) | Origin::Memory(lane, ..)) = origin;
            self.holding.take(parcel.delivery.signal, *lane, part);
            self.taken.add(parcel.delivery.signal, *lane, part);
        }
    }

    /// Sends on what is held, whatever time it takes.
    async fn flush(&mut self) -> Next {
        loop {
            let Err(refusal) = self.send_on().await else { return Next::Go };
            if self.seat.health.fail(&refusal.to_string()) {
                let component = &self.seat.id;
                tracing::warn!(%component, %refusal, "what a stage made is not taken");
            }
            let Some(wait) = refusal.retry_after() else {
                return self.bury(&refusal).await;
            };
            tokio::select! {
                biased;
                () = self.tasks.cancelled() => return Next::Stop,
                () = self.hub.clock.sleep(wait.min(RETRY_MAX)) => {}
            }
        }
    }

    /// The same in one try.
    async fn send_on(&mut self) -> Result<(), Refusal> {
        if self.taken.parts == 0 {
            return Ok(());
        }
        self.made.extend(self.holding.emit(self.hub.clock.unix_nanos()));
        self.seat.outlet.put(&self.made, self.taken.records).await?;
        self.made.clear();
        self.seat.health.recover();
        let taken = std::mem::take(&mut self.taken);
        self.delivered.inc_by(taken.records.iter().sum());
        for lane in Lane::ALL {
            self.hub.journal.settle_as(self.seat.sink, lane, taken.of(lane), Outcome::Delivered);
        }
        Ok(())
    }

    /// What nothing behind the stage will ever take goes to its dead-letter log: the records as they
    /// were read, which the journal still has.
    async fn bury(&mut self, refusal: &Refusal) -> Next {
        let taken = std::mem::take(&mut self.taken);
        self.made.clear();
        self.seat.health.recover();
        for lane in Lane::ALL {
            let Some(end) = taken.of(lane).last().map(|range| range.end) else { continue };
            self.source.rewind(lane, self.hub.journal.reader(self.seat.sink, lane));
            loop {
                let parcel = tokio::select! {
                    biased;
                    () = self.tasks.cancelled() => return Next::Stop,
                    parcel = self.source.next_in(lane) => parcel,
                };
                let Some(part) = parcel.delivery.parts.last() else { continue };
                if part.first.number >= end {
                    self.take(&parcel);
                    break;
                }
                let is_last = part.numbers().end >= end;
                if self.bury_parcel(&parcel, lane, refusal).await == Next::Stop {
                    return Next::Stop;
                }
                if is_last {
                    break;
                }
            }
        }
        Next::Go
    }

    async fn bury_parcel(&self, parcel: &Parcel, lane: Lane, refusal: &Refusal) -> Next {
        let signal = parcel.delivery.signal;
        let letter = |part: &Part| DeadLetter {
            records: part.numbers(),
            lane,
            refused_at_unix_nanos: self.hub.clock.unix_nanos(),
            reason: refusal.to_string(),
            status: String::new(),
            config_hash: self.seat.config_hash,
            meta: Bytes::from(part.meta.encode(signal)),
            payload: part.payload.clone(),
        };
        let letters: Vec<DeadLetter> = parcel.delivery.parts.iter().map(letter).collect();
        while let Err(error) = self.hub.journal.dead_letter(self.seat.sink, letters.clone()).await {
            let component = &self.seat.id;
            tracing::error!(%component, %error, "dead-letter log takes nothing; waiting");
            tokio::select! {
                biased;
                () = self.tasks.cancelled() => return Next::Stop,
                () = self.hub.clock.sleep(RETRY_MAX) => {}
            }
        }
        self.dead.inc_by(u64::from(parcel.records()));
        let numbers: Vec<Range<u64>> = parcel.delivery.parts.iter().map(Part::numbers).collect();
        self.hub.journal.settle_as(self.seat.sink, lane, &numbers, Outcome::Dead);
        Next::Go
    }
}
