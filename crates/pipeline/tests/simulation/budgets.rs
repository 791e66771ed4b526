//! Promises about the budget of one destination's queue.

use std::time::Duration;

use bessemer_pipeline::catalog::{QueueSettings, WhenFull};
use bessemer_pipeline::{AlertKind, Refusal};
use bessemer_runtime::{ByteSize, Clock};

use crate::net::{Destination, Mood};
use crate::world::{End, World};

const BUDGET: u64 = 20_000;
/// Below seven records a batch has no urgent one: one lane, one order.
const SIZE: u64 = 6;

fn world(seed: u64, when_full: WhenFull) -> World {
    let down = Mood { up: Box::new(|_| false), ..Mood::default() };
    let net = vec![Destination::new("dead", down), Destination::new("well", Mood::default())];
    let mut world = World::new(seed, net);
    let budget = Some(ByteSize(BUDGET));
    world.queues.insert("dead", QueueSettings { budget, when_full, ..QueueSettings::default() });
    world.ordered = true;
    world
}

/// Scenario: a destination is dead and ten times its budget comes for it, in two lives; then it is
/// back.
/// Promise: nobody is refused and the other destination gets all; the oldest become dead letters
/// with the reason, the rest stays within the budget and arrives, and none is in neither.
#[test]
fn over_its_budget_the_oldest_of_a_dead_destination_become_dead_letters() {
    let mut world = world(2, WhenFull::DeadLetter);
    let (dead, well) = (world.net[0].clone(), world.net[1].clone());
    for end in [End::PowerCut, End::Kill] {
        world.live(|live| async move {
            for _ in 0..150 {
                live.send(SIZE).await.expect("nobody waits for the dead one");
                live.clock.sleep(Duration::from_secs(1)).await;
            }
            live.clock.sleep(Duration::from_secs(10)).await;
            let queue = &live.engine.status().destinations()[0];
            assert!(queue.queue_bytes < BUDGET, "{} bytes", queue.queue_bytes);
            assert!(queue.dead_records > 0 && queue.queue_records > 0, "{queue:?}");
            end
        });
    }
    assert_eq!(well.taken(), world.ledger.acked(), "isolation");
    let held = &world.held()["dead"];
    let newest_dead = held.dead.iter().max().unwrap();
    assert!(held.queued.iter().all(|id| id > newest_dead), "the oldest go first");
    dead.set(Mood::default());
    world.live(|live| async move {
        assert!(live.settled(Duration::from_hours(1)).await);
        End::Stop
    });
    let mut all = dead.taken();
    assert!(!all.is_empty(), "what fits is delivered");
    all.extend(&world.held()["dead"].dead);
    assert_eq!(all, world.ledger.acked());
}

/// Scenario: the same, with the default.
/// Promise: clients are told to come back, by the name of the destination; nothing becomes a dead
/// letter, and once the destination takes records, clients are served again.
#[test]
fn over_its_budget_a_destination_that_blocks_sends_clients_away_and_loses_nothing() {
    let mut world = world(3, WhenFull::Block);
    let dead = world.net[0].clone();
    world.live(|live| async move {
        let refusal = loop {
            match live.send(SIZE).await {
                Ok(()) => assert!(live.ledger.acked().len() < 1_000, "never full"),
                Err(refusal) => break refusal,
            }
        };
        let Refusal::Overloaded { reason, .. } = &refusal else { panic!("{refusal:?}") };
        assert!(reason.contains("dead"), "{reason}");
        assert_eq!(live.engine.status().readiness(), Ok(()), "other batches are taken");
        dead.set(Mood::default());
        assert!(live.settled(Duration::from_hours(1)).await);
        live.send(SIZE).await.expect("there is room again");
        assert!(live.settled(Duration::from_hours(1)).await);
        End::Stop
    });
    let held = &world.held()["dead"];
    assert!(held.dead.is_empty() && held.queued.is_empty());
    assert_eq!(world.net[0].taken(), world.ledger.acked());
}

/// Scenario: one of two destinations is dead for half an hour, then back.
/// Promise: alerts say which is behind, by bytes before its budget is used up and by age after a
/// quarter of an hour; they name no other, and end once it has caught up.
#[test]
fn alerts_name_the_destination_that_is_behind_until_it_has_caught_up() {
    let mut world = world(4, WhenFull::Block);
    let dead = world.net[0].clone();
    world.live(|live| async move {
        let raised = || {
            let alerts = live.engine.status().alerts();
            assert!(alerts.iter().all(|alert| alert.component == "dead"), "{alerts:?}");
            alerts.iter().map(|alert| alert.alert).collect::<Vec<_>>()
        };
        live.send(SIZE).await.unwrap();
        live.clock.sleep(Duration::from_mins(1)).await;
        assert_eq!(raised(), []);
        while live.engine.status().destinations()[0].queue_bytes < BUDGET / 10 * 9 {
            live.send(SIZE).await.unwrap();
        }
        live.clock.sleep(Duration::from_secs(2)).await;
        assert_eq!(raised(), [AlertKind::Backlog]);
        live.clock.sleep(Duration::from_mins(15)).await;
        assert_eq!(raised(), [AlertKind::Backlog, AlertKind::Age]);
        while live.send(SIZE).await.is_ok() {}
        live.clock.sleep(Duration::from_secs(2)).await;
        assert_eq!(raised(), [AlertKind::Backlog, AlertKind::Age, AlertKind::Budget]);
        dead.set(Mood::default());
        assert!(live.settled(Duration::from_hours(1)).await);
        live.clock.sleep(Duration::from_secs(2)).await;
        assert_eq!(raised(), []);
        End::Stop
    });
}
