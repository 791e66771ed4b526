//! A stage that holds every other record and sends on what it held as one batch; promises about it.

use std::sync::Arc;
use std::time::Duration;

use bessemer_journal::Lane;
use bessemer_journal::disk::mem::{Call, Fault, Rule};
use bessemer_pipeline::metrics::component;
use bessemer_pipeline::outlet::Ack;
use bessemer_pipeline::stateful::{HELD, PASSES};
use bessemer_pipeline::{Holding, LedgerQuery, Made, Meta, Part, Scratch, Stateful, Step};
use bessemer_record::{Draft, Signal, Tails};
use bessemer_runtime::Clock;
use bytes::Bytes;

use crate::net::Destination;
use crate::records;
use crate::world::{End, World};

/// The id of the stage.
pub(crate) const ID: &str = "stage";
/// A record that the step behind the stage refuses, with its whole batch.
const REFUSED: u64 = 100;
const MINUTE: Duration = Duration::from_mins(1);

pub(crate) struct Hoard {
    pub(crate) interval: Duration,
}

#[derive(Default)]
struct Pile([Vec<u8>; 2]);

impl Stateful for Hoard {
    fn choose(&self, draft: &mut Draft, _: &mut Scratch) {
        for (number, item) in draft.items_mut().iter_mut().enumerate() {
            item.route = if number % 2 == 0 { HELD } else { PASSES };
        }
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn hold(&self, _: &Arc<Tails>) -> Box<dyn Holding> {
        Box::new(Pile::default())
    }
}

impl Holding for Pile {
    fn take(&mut self, _: Signal, lane: Lane, part: &Part) {
        self.0[lane as usize].extend_from_slice(&part.payload);
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    fn emit(&mut self, _: u64) -> Vec<Made> {
        let piles = Lane::ALL.into_iter().zip(std::mem::take(&mut self.0));
        let made = |(lane, pile): (Lane, Vec<u8>)| Made {
            signal: Signal::Logs,
            lane,
            bytes: Bytes::from(pile),
            meta: Meta::default(),
        };
        piles.filter(|(_, pile)| !pile.is_empty()).map(made).collect()
    }
}

/// Refuses a batch with a certain record that was held, if it is on.
pub(crate) struct Picky(pub(crate) bool);

impl Step for Picky {
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch) {
        let refused = records::body(REFUSED);
        if self.0 && (0..draft.len()).any(|index| draft.body(index) == refused.as_bytes()) {
            scratch.refusal = Some("not this one".to_owned());
        }
    }
}

fn world() -> (Arc<Destination>, World) {
    let net = Destination::new("well", crate::net::Mood::default());
    let mut world = World::new(5, vec![Arc::clone(&net)]);
    world.stage = Some(MINUTE);
    (net, world)
}

/// Scenario: ten records of which five are held, for a minute.
/// Promise: the five others leave at once, these after the minute, and no book is open: what was
/// held counts as folded, what was made of it as generated.
#[test]
fn what_is_held_leaves_when_the_interval_is_over() {
    let (net, mut world) = world();
    let metrics = world.live(|live| async move {
        live.send(10).await.unwrap();
        live.clock.sleep(MINUTE / 2).await;
        let queued: Vec<u64> =
            live.engine.status().destinations().iter().map(|one| one.queue_records).collect();
        assert_eq!(queued, [5, 0], "the stage and the destination");
        live.clock.sleep(MINUTE).await;
        let page = live.engine.ledger().page(&LedgerQuery::default()).unwrap();
        assert!(page.receivers.iter().all(|row| row.unaccounted == 0), "{page:?}");
        let stage = page.receivers.iter().find(|row| row.id == ID).unwrap();
        let books = (stage.accepted, stage.generated, stage.folded, stage.kept, stage.filtered);
        assert_eq!(books, (5, 5, 5, 5, 0));
        End::Kill
    });
    assert_eq!(net.taken(), world.ledger.acked());
    assert_eq!(net.duplicates(), 0);
    assert_eq!(metrics.folded.get_or_create_owned(&component(ID)).get(), 5);
}

/// Scenario: a stop in the middle of an interval. Promise: what was held is delivered first.
#[test]
fn a_stop_lets_nothing_be_held() {
    let (net, mut world) = world();
    world.live(|live| async move {
        live.send(10).await.unwrap();
        End::Stop
    });
    assert_eq!(net.taken(), world.ledger.acked());
}

/// Scenario: a kill in the middle of an interval. Promise: what was held comes again and leaves.
#[test]
fn what_was_held_at_a_kill_leaves_in_the_next_life() {
    let (net, mut world) = world();
    world.live(|live| async move {
        live.send(10).await.unwrap();
        live.clock.sleep(MINUTE / 2).await;
        End::PowerCut
    });
    assert_eq!(net.taken().len(), 5);
    world.live(|live| async move {
        assert!(live.settled(3 * MINUTE).await);
        End::Kill
    });
    assert_eq!(net.taken(), world.ledger.acked());
    assert_eq!(net.duplicates(), 0);
}

/// Scenario: the disk is full when the interval is over, and well again when the process is stopped
/// before the next try.
/// Promise: what the stage made and could not append is delivered all the same.
#[test]
fn a_stop_after_a_failed_append_lets_nothing_be_lost() {
    let (net, mut world) = world();
    let disk = world.disk.clone();
    world.live(|live| async move {
        live.send(10).await.unwrap();
        live.clock.sleep(MINUTE / 2).await;
        disk.fail(Rule { call: Some(Call::Write), after: 0, times: 1_000, fault: Fault::Full });
        live.clock.sleep(MINUTE / 2 + Duration::from_millis(500)).await;
        let queue = &live.engine.status().destinations()[0];
        assert!(!queue.healthy && queue.queue_records == 5, "{queue:?}");
        disk.heal();
        End::Stop
    });
    assert_eq!(net.taken(), world.ledger.acked());
}

/// Scenario: a step behind the stage refuses the batch that the stage made.
/// Promise: the records that it stands for are in the dead-letter log of the stage, and what comes
/// later passes.
#[test]
fn what_is_refused_behind_a_stage_is_in_its_dead_letters() {
    let (net, mut world) = world();
    world.picky = true;
    world.live(|live| async move {
        for _ in 0..11 {
            live.send(10).await.unwrap();
        }
        assert!(live.settled(3 * MINUTE).await);
        live.send(10).await.unwrap();
        assert!(live.settled(3 * MINUTE).await);
        End::Kill
    });
    let held = world.held();
    assert!(held[ID].dead.contains(&REFUSED), "{held:?}");
    assert_eq!(held[ID].dead.len() + net.taken().len(), 120);
    assert!(net.taken().contains(&110), "what came later passes");
}

/// Scenario: acknowledgements that do not wait for the journal.
/// Promise: what a stage is to hold is in the journal all the same before it is acknowledged.
#[test]
fn what_a_stage_holds_is_in_the_journal_whatever_an_acknowledgement_means() {
    for ack in [Ack::Memory, Ack::Delivered] {
        let (net, mut world) = world();
        world.ack = ack;
        world.live(|live| async move {
            live.send(10).await.unwrap();
            live.clock.sleep(MINUTE / 2).await;
            End::PowerCut
        });
        assert_eq!(net.taken().len(), 5, "{ack:?}");
        assert_eq!(world.held()[ID].queued.len(), 5, "{ack:?}");
    }
}
