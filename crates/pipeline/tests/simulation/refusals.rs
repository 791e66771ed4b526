//! Destinations that refuse a whole delivery for some of its records and do not say which.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bessemer_runtime::{Clock, Random};

use crate::net::{Destination, Mood};
use crate::size::sized;
use crate::world::{End, World};

const HOUR: Duration = Duration::from_hours(1);
/// How long the destination is down at first, so that what arrived apart is delivered together.
const DOWN: Duration = Duration::from_secs(20);

fn strict(refuses: fn(u64) -> bool) -> Mood {
    Mood {
        up: Box::new(|now| now > DOWN),
        refuses,
        names_refused: false,
        concurrency: 1,
        ..Mood::default()
    }
}

fn buried(world: &World) -> BTreeSet<u64> {
    world.held()["strict"].dead.iter().copied().collect()
}

/// How many deliveries were not taken since the destination is up.
fn refusals(destination: &Destination) -> usize {
    let seen = destination.seen.lock();
    seen.log.iter().filter(|(at, _, taken)| *at > DOWN && !taken).count()
}

/// Scenario: 1,200 records arrive in 60 batches and are delivered together; 24 of them bring 400 on
/// whatever they are sent with.
/// Promise: exactly those are dead, one by one; the others are delivered, once; a culprit costs as
/// many refusals as it takes to halve the delivery down to it.
#[test]
fn a_400_buries_the_records_at_fault_and_no_others() {
    let is_refused = |id: u64| id % 50 == 17;
    let net = [Destination::new("strict", strict(is_refused))];
    let mut world = World::new(400, net.to_vec());
    world.live(|live| async move {
        for _ in 0..60 {
            live.send(20).await.unwrap();
        }
        assert!(live.settled(HOUR).await);
        End::Stop
    });
    let (bad, good): (BTreeSet<u64>, BTreeSet<u64>) =
        world.ledger.acked().into_iter().partition(|id| is_refused(*id));
    assert_eq!(bad.len(), 24);
    assert_eq!(buried(&world), bad);
    assert_eq!(world.held()["strict"].dead.len(), bad.len(), "each once");
    assert_eq!(net[0].taken(), good);
    assert_eq!(net[0].duplicates(), 0);
    let joined = net[0].seen.lock().log.iter().map(|(_, ids, _)| ids.len()).max().unwrap();
    assert!(joined > 200, "deliveries of several batches, not {joined} records");
    let depth = 2 + usize::try_from(joined.ilog2()).unwrap();
    let refusals = refusals(&net[0]);
    assert!(refusals <= bad.len() * depth, "{refusals} refusals for {} culprits", bad.len());
}

/// Scenario: everything is refused: 4,000 records in one batch.
/// Promise: all are dead, after a search that gave up early.
#[test]
fn a_destination_that_refuses_everything_is_not_asked_about_each_record() {
    let net = [Destination::new("strict", strict(|_| true))];
    let mut world = World::new(401, net.to_vec());
    world.live(|live| async move {
        live.clock.sleep(DOWN + Duration::from_secs(1)).await;
        live.send(4_000).await.unwrap();
        assert!(live.settled(HOUR).await);
        End::Stop
    });
    assert_eq!(buried(&world), world.ledger.acked());
    assert!(net[0].taken().is_empty());
    // Two lanes search apart: the patience of each, and the pieces that were waiting then.
    let refusals = refusals(&net[0]);
    assert!(refusals <= 2 * (64 + 12), "{refusals} refusals");
}

/// Scenario: a batch of which every record is refused is delivered together with good ones.
/// Promise: the search for the first is no reason to bury the others.
#[test]
fn a_batch_that_is_refused_throughout_takes_no_other_along() {
    let net = [Destination::new("strict", strict(|id| (2_000..4_000).contains(&id)))];
    let mut world = World::new(402, net.to_vec());
    world.live(|live| async move {
        for _ in 0..4 {
            live.send(2_000).await.unwrap();
        }
        assert!(live.settled(HOUR).await);
        End::Stop
    });
    let (bad, good): (BTreeSet<u64>, BTreeSet<u64>) =
        world.ledger.acked().into_iter().partition(|id| (2_000..4_000).contains(id));
    assert_eq!(bad.len(), 2_000);
    assert_eq!(buried(&world), bad);
    assert_eq!(net[0].taken(), good);
}

/// Scenario: the process is killed, or the power cut, at moments of such searches that a seed draws.
/// Promise: in the end exactly the records at fault are dead and all others delivered.
#[test]
fn a_crash_amid_a_search_loses_and_buries_nothing_else() {
    let is_refused = |id: u64| id % 13 == 3;
    for seed in 0..sized(12, 400) {
        let net = [Destination::new("strict", strict(is_refused))];
        let mut world = World::new(seed, net.to_vec());
        for _ in 0..3 {
            let random = Arc::clone(&world.random);
            let length = random.between(Duration::from_secs(1), Duration::from_secs(30));
            let end = if random.next_u64().is_multiple_of(2) { End::Kill } else { End::PowerCut };
            world.live(|live| async move {
                for _ in 0..10 {
                    live.send(30).await.unwrap();
                }
                live.clock.sleep(length).await;
                end
            });
        }
        world.live(|live| async move {
            assert!(live.settled(HOUR).await, "seed {seed}");
            End::Stop
        });
        let (bad, good): (BTreeSet<u64>, BTreeSet<u64>) =
            world.ledger.acked().into_iter().partition(|id| is_refused(*id));
        assert_eq!(buried(&world), bad, "seed {seed}");
        assert!(net[0].taken().is_superset(&good), "seed {seed}");
        assert!(net[0].taken().is_disjoint(&bad), "seed {seed}");
    }
}
