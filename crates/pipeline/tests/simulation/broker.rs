//! A broker and its consumer, simulated: what is fetched from the committed offset on is handed over,
//! and committed once the outlet has called it safe. This is how a receiver of a broker has to work.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bessemer_pipeline::Refusal;
use bessemer_runtime::{Clock, Random, SystemRandom};
use futures_util::future::join_all;
use parking_lot::Mutex;

use crate::net::{Destination, Mood};
use crate::size::{say, sized};
use crate::world::{End, Live, World};

const HOUR: Duration = Duration::from_hours(1);
/// Batches that are fetched and not committed.
const IN_FLIGHT: u64 = 4;

/// Holds records whose ids are their offsets, over all lives of the consumer.
struct Broker {
    end: u64,
    batch: u64,
    committed: Mutex<u64>,
}

impl Broker {
    fn committed(&self) -> u64 {
        *self.committed.lock()
    }

    /// The batches from an offset on.
    fn fetch(&self, from: u64) -> Vec<Range<u64>> {
        let starts = (0..IN_FLIGHT).map(|batch| from + batch * self.batch);
        let starts = starts.filter(|start| *start < self.end);
        starts.map(|start| start..(start + self.batch).min(self.end)).collect()
    }
}

/// Consumes until the broker has no more. Offsets are committed in order.
async fn consume(live: &Live, broker: &Broker, random: &SystemRandom) {
    while broker.committed() < broker.end {
        let batches = broker.fetch(broker.committed());
        let answers = join_all(batches.iter().map(|batch| live.hand_over(batch.clone()))).await;
        for (batch, answer) in batches.into_iter().zip(answers) {
            match answer {
                Ok(()) => *broker.committed.lock() = batch.end,
                Err(
                    Refusal::Overloaded { retry_after, .. }
                    | Refusal::Unavailable { retry_after, .. },
                ) => {
                    live.clock.sleep(retry_after).await;
                    break;
                }
                Err(refusal) => panic!("a good batch was refused for good: {refusal}"),
            }
        }
        live.clock.sleep(random.between(Duration::ZERO, Duration::from_millis(200))).await;
    }
}

/// Scenario: a consumer is killed, or its machine loses power, again and again between the hand-over
/// of a batch and the commit of its offset, at moments that a seed draws.
/// Promise: whatever was committed is on disk, delivered or dead, at any moment; in the end every
/// record has arrived.
#[test]
fn an_offset_is_committed_after_the_sync_and_a_killed_consumer_loses_nothing() {
    let mut again = 0;
    for seed in 0..sized(10, 400) {
        let net = [Destination::new("a", Mood::default())];
        let mut world = World::new(seed, net.to_vec());
        let random = Arc::clone(&world.random);
        let batch = 1 + random.next_u64() % 40;
        let end = world.ledger.claim(600).end;
        let broker = Arc::new(Broker { end, batch, committed: Mutex::default() });
        for _ in 0..6 {
            let (broker, random) = (Arc::clone(&broker), Arc::clone(&world.random));
            let length = random.between(Duration::from_millis(5), Duration::from_secs(2));
            let crash = if random.next_u64().is_multiple_of(2) { End::Kill } else { End::PowerCut };
            world.slow = Duration::from_millis(random.next_u64() % 50);
            let before = Arc::clone(&broker);
            world.live(|live| async move {
                tokio::select! {
                    biased;
                    () = consume(&live, &broker, &random) => {}
                    () = live.clock.sleep(length) => {}
                }
                crash
            });
            let acked = world.ledger.acked();
            assert!((0..before.committed()).all(|offset| acked.contains(&offset)), "seed {seed}");
        }
        let last = Arc::clone(&broker);
        let random = Arc::clone(&world.random);
        world.live(|live| async move {
            consume(&live, &last, &random).await;
            assert!(live.settled(HOUR).await);
            End::Stop
        });
        assert_eq!(net[0].taken(), (0..end).collect::<BTreeSet<u64>>(), "seed {seed}");
        again += net[0].duplicates();
    }
    say(&format!("broker: {again} records delivered twice"));
}
