//! Promises that name their scenario: dead, flapping and picky destinations, slow and full disks,
//! clocks that jump.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bessemer_pipeline::Refusal;
use bessemer_record::Limits;
use bessemer_runtime::Clock;

use crate::net::{Destination, Mood};
use crate::records;
use crate::size::{say, sized};
use crate::world::{End, Live, World};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
/// The longest wish of a destination that the engine honors, and its own longest wait beyond it.
const WISH_MAX: Duration = Duration::from_mins(5);
const OWN_WAIT_MAX: Duration = Duration::from_secs(30);

fn down() -> Mood {
    Mood { up: Box::new(|_| false), ..Mood::default() }
}

async fn send_each(live: &Live, batches: u64, size: u64, every: Duration) {
    for _ in 0..batches {
        live.send(size).await.unwrap();
        live.clock.sleep(every).await;
    }
}

/// Scenario: one of two destinations is dead for 72 hours while records come, two kills included.
/// Promise: nothing is dropped by age or number of tries; the other gets everything at once; when
/// it is back, it gets everything, the oldest first.
#[test]
fn a_destination_dead_for_72_hours_gets_everything_when_it_is_back() {
    let net = [Destination::new("dead", down()), Destination::new("well", Mood::default())];
    let mut world = World::new(72, net.to_vec());
    world.ordered = true;
    for day in 0..3 {
        world.live(|live| async move {
            for hour in 0..24 {
                // Below seven records a batch has no urgent one: one lane, one order.
                send_each(&live, 3, 5, Duration::from_secs(20)).await;
                live.clock.sleep(Duration::from_mins(59)).await;
                assert!(!live.engine.status().destinations()[0].healthy, "hour {hour}");
            }
            if day == 1 { End::PowerCut } else { End::Kill }
        });
        assert!(net[0].taken().is_empty());
        assert_eq!(net[1].taken().len(), (day + 1) * 360, "isolation");
    }
    assert!(world.now >= 3 * DAY);
    net[0].set(Mood::default());
    world.live(|live| async move {
        assert!(live.settled(HOUR).await, "an hour is enough for three days");
        End::Stop
    });
    assert_eq!(net[0].taken(), world.ledger.acked());
    let seen = net[0].seen.lock();
    let order: Vec<u64> =
        seen.log.iter().filter(|entry| entry.2).flat_map(|entry| entry.1.clone()).collect();
    assert!(order.is_sorted(), "the oldest come first");
}

/// Scenario: up for a second, down for a second, for 1,000 hours.
/// Promise: nothing is lost, and every record arrives within minutes: nothing sticks.
#[test]
fn a_destination_that_flaps_for_1000_hours_loses_nothing_and_never_sticks() {
    let flapping = Mood { up: Box::new(|now| now.as_secs().is_multiple_of(2)), ..Mood::default() };
    let net = [Destination::new("flapping", flapping)];
    let mut world = World::new(8, net.to_vec());
    let hours = sized(20, 1_000);
    world.live(|live| async move {
        for _ in 0..hours {
            send_each(&live, 4, 9, Duration::from_millis(700)).await;
            live.clock.sleep(Duration::from_secs(3_597)).await;
            let queue = &live.engine.status().destinations()[0];
            assert_eq!(queue.queue_records, 0, "stuck at {:?}", live.clock.now());
        }
        End::Stop
    });
    assert!(world.now >= HOUR * (hours - 1));
    assert_eq!(net[0].taken(), world.ledger.acked());
    say(&format!("flapping: {hours} virtual hours"));
}

/// Scenario: a stop while one destination is down, another slow, then a start.
/// Promise: the stop ends within its grace, nothing is lost, nothing is sent twice.
#[test]
fn a_clean_stop_with_a_destination_down_loses_nothing_and_repeats_nothing() {
    for seed in 0..sized(6, 60) {
        let slow = Mood { latency: Duration::from_millis(900), ..Mood::default() };
        let net = [Destination::new("down", down()), Destination::new("slow", slow)];
        let mut world = World::new(seed, net.to_vec());
        world.live(|live| async move {
            send_each(&live, 10, 12, Duration::from_millis(50)).await;
            End::Stop
        });
        net[0].set(Mood::default());
        world.live(|live| async move {
            assert!(live.settled(HOUR).await);
            End::Stop
        });
        for destination in &net {
            assert_eq!(destination.taken(), world.ledger.acked(), "{}", destination.id);
            assert_eq!(destination.duplicates(), 0, "{} at seed {seed}", destination.id);
        }
    }
}

/// Promise: 413 halves a delivery until it fits, down to one record; one that never fits is a dead
/// letter; all others arrive once.
#[test]
fn a_delivery_that_is_too_large_is_halved_until_it_fits() {
    for (records_max, sends_max) in [(1, 2 * 64), (7, 32), (33, 4)] {
        let picky = Mood { records_max, ..Mood::default() };
        let net = [Destination::new("picky", picky)];
        let mut world = World::new(413, net.to_vec());
        world.live(|live| async move {
            live.send(6).await.unwrap();
            assert!(live.settled(HOUR).await);
            live.send(64).await.unwrap();
            assert!(live.settled(HOUR).await);
            End::Stop
        });
        assert_eq!(net[0].taken(), world.ledger.acked());
        assert_eq!(net[0].duplicates(), 0);
        let sends = net[0].seen.lock().log.len();
        assert!(sends <= sends_max + 12, "{sends} sends at {records_max}");
    }
}

/// Scenario: one record brings the destination down whenever it is in a delivery; others flow.
/// Promise: once suspect it fails log2(n) + 1 times more, and is buried alone; every other record is
/// delivered, once.
#[test]
fn a_poison_record_is_isolated_by_halving_and_buried_alone() {
    let size = 64;
    let deadly = Mood { dies_of: |id| id == 37, ..Mood::default() };
    let net = [Destination::new("frail", deadly)];
    let mut world = World::new(9, net.to_vec());
    world.live(|live| async move {
        live.send(size).await.unwrap();
        // Others that succeed are what makes a parcel suspect.
        for _ in 0..600 {
            live.send(2).await.unwrap();
            live.clock.sleep(Duration::from_secs(1)).await;
        }
        assert!(live.settled(HOUR).await);
        End::Stop
    });
    let held = world.held();
    assert_eq!(held["frail"].dead, [37], "buried alone");
    let mut all = world.ledger.acked();
    all.remove(&37);
    assert_eq!(net[0].taken(), all);
    assert_eq!(net[0].duplicates(), 0);
    let seen = net[0].seen.lock();
    let sizes: BTreeSet<usize> =
        seen.log.iter().filter(|entry| entry.1.contains(&37)).map(|entry| entry.1.len()).collect();
    assert!(sizes.len() <= 8, "halved, not probed: {sizes:?}");
    let failures = seen.log.iter().filter(|entry| entry.1.contains(&37)).count();
    // Five tries make it suspect; then one failure for each halving, and the last alone.
    let bound = 5 + usize::try_from(size.ilog2()).unwrap() + 1;
    assert!(failures <= bound, "{failures} failures, at most {bound}");
}

/// Scenario: "come back in 2 s", "in a minute", and "in 31 years".
/// Promise: no sooner than asked, and never later than the cap.
#[test]
fn a_wish_to_come_back_later_is_honored_but_capped() {
    for wish in [2, 60, 200, 1_000_000_000].map(Duration::from_secs) {
        let busy = Mood { up: Box::new(|now| now > HOUR), wish: Some(wish), ..Mood::default() };
        let net = [Destination::new("busy", busy)];
        let mut world = World::new(1, net.to_vec());
        world.live(|live| async move {
            live.send(3).await.unwrap();
            assert!(live.settled(DAY).await, "{wish:?} is capped");
            End::Stop
        });
        let seen = net[0].seen.lock();
        assert!(seen.log.len() > 3, "{} tries", seen.log.len());
        for pair in seen.log.windows(2) {
            let gap = pair[1].0.saturating_sub(pair[0].0);
            assert!(gap >= wish.min(WISH_MAX), "{gap:?} after a wish of {wish:?}");
            let longest = wish.min(WISH_MAX) + OWN_WAIT_MAX + Duration::from_secs(1);
            assert!(gap <= longest, "{gap:?} after a wish of {wish:?}");
        }
    }
}

/// Scenario: one round of the journal's work takes up to half a minute.
/// Promise: an answer waits for it; what was answered survives a power cut at once.
#[test]
fn a_slow_disk_makes_answers_wait_and_never_lie() {
    let net = [Destination::new("a", Mood::default())];
    let mut world = World::new(13, net.to_vec());
    for slow in [2, 30].map(Duration::from_secs) {
        world.slow = slow;
        for _ in 0..3 {
            world.live(|live| async move {
                for _ in 0..4 {
                    live.send(10).await.unwrap();
                }
                End::PowerCut
            });
        }
    }
    assert!(world.now > Duration::from_mins(1), "the disk was slow: {:?}", world.now);
}

/// Scenario: the disk fills up while a destination is down, then the destination comes back.
/// Promise: clients are told to come back later; at zero bytes free delivery goes on; deletion
/// makes room and clients are served again, all without a restart. Readiness says so, and when it is over.
#[test]
fn a_full_disk_tells_clients_to_come_back_and_drains_at_zero_bytes_free() {
    let net = [Destination::new("a", Mood { up: Box::new(|now| now > HOUR), ..Mood::default() })];
    let mut world = World::new(10, net.to_vec());
    world.disk.set_capacity(Some(6 << 20));
    let disk = world.disk.clone();
    world.live(|live| async move {
        let refusal = loop {
            match live.send(400).await {
                Ok(()) => {}
                Err(refusal) => break refusal,
            }
            assert!(live.clock.now() < HOUR, "never full");
        };
        let Refusal::Overloaded { retry_after, .. } = refusal else { panic!("{refusal:?}") };
        assert!(retry_after > Duration::ZERO);
        let ready = live.engine.status().readiness();
        assert!(ready.unwrap_err().starts_with("journal failing: "), "told to who asks");
        disk.set_capacity(Some(0));
        assert!(live.settled(DAY).await, "delivery goes on without space");
        live.clock.sleep(Duration::from_secs(5)).await;
        assert!(live.engine.status().readiness().is_err(), "nothing can be written yet");
        disk.set_capacity(Some(6 << 20));
        live.clock.sleep(Duration::from_secs(5)).await;
        assert_eq!(live.engine.status().readiness(), Ok(()), "before anybody sends");
        live.send(400).await.expect("there is room again within five seconds");
        assert!(live.settled(DAY).await);
        End::Stop
    });
    assert_eq!(net[0].taken(), world.ledger.acked());
}

/// Scenario: a destination takes seconds for few records, then nothing for a minute, while clients send
/// more than that all the time and come back when they are told to.
/// Promise: they are told so, nothing that was acknowledged is lost, and once the destination is back
/// all of it is there.
#[test]
fn a_throttled_destination_with_an_outage_pushes_back_and_loses_nothing() {
    let outage = Duration::from_mins(1)..Duration::from_mins(2);
    let throttled = Mood {
        up: Box::new(move |now| !outage.contains(&now)),
        latency: Duration::from_secs(4),
        records_max: 500,
        concurrency: 1,
        ..Mood::default()
    };
    let net = [Destination::new("far", throttled)];
    let mut world = World::new(110, net.to_vec());
    world.journal_bytes_max = 6 << 20;
    world.live(|live| async move {
        let mut pushed_back = 0;
        while live.clock.now() < Duration::from_mins(3) {
            match live.send(400).await {
                Ok(()) => live.clock.sleep(Duration::from_millis(20)).await,
                Err(Refusal::Overloaded { retry_after, .. }) => {
                    pushed_back += 1;
                    live.clock.sleep(retry_after).await;
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!(pushed_back > 0, "clients are pushed back");
        assert!(live.settled(DAY).await);
        End::Stop
    });
    assert_eq!(net[0].taken(), world.ledger.acked());
}

/// Scenario: the wall clock jumps by days and years, forth and back, also before 1970, amid
/// retries.
/// Promise: nothing is lost, nothing waits for the jump, nothing panics.
#[test]
fn a_wall_clock_that_jumps_changes_nothing_that_is_promised() {
    const DAY_NANOS: i64 = 86_400_000_000_000;
    let year = 365 * DAY_NANOS;
    for jump in [DAY_NANOS, -DAY_NANOS, 10 * year, -10 * year, -70 * year, 200 * year] {
        let moody = Mood { retry_percent: 40, ..Mood::default() };
        let net = [Destination::new("a", moody)];
        let mut world = World::new(21, net.to_vec());
        for _ in 0..2 {
            world.live(|live| async move {
                send_each(&live, 3, 9, Duration::from_millis(300)).await;
                live.clock.jump(jump);
                send_each(&live, 3, 9, Duration::from_millis(300)).await;
                assert!(live.settled(Duration::from_mins(10)).await, "waits for {jump}");
                live.clock.jump(-jump);
                live.send(9).await.unwrap();
                End::Kill
            });
        }
        world.live(|live| async move {
            live.clock.jump(jump);
            assert!(live.settled(Duration::from_mins(10)).await);
            End::Stop
        });
        assert_eq!(net[0].taken(), world.ledger.acked());
    }
}

/// Promise: a record of exactly the limit survives a kill; one byte more is refused for good, and
/// neither kept nor delivered.
#[test]
fn a_record_at_the_limit_survives_a_kill_and_one_above_is_never_taken() {
    let limit = Limits::default().record_bytes_max;
    let net = [Destination::new("a", down())];
    let mut world = World::new(14, net.to_vec());
    world.journal_bytes_max = 256 << 20;
    world.live(|live| async move {
        assert_eq!(sized_record(&live, limit).await, Ok(1));
        let refused = sized_record(&live, limit + 1).await;
        assert!(
            matches!(&refused, Err(Refusal::Check(error)) if error.is_too_large()),
            "{refused:?}"
        );
        End::Kill
    });
    let held = world.held();
    assert_eq!(held["a"].queued.len(), 1, "the one at the limit and no other");
}

// A record whose message takes so many bytes.
async fn sized_record(live: &Live, bytes: usize) -> Result<u32, Refusal> {
    let id = live.ledger.claim(1).start;
    let incoming = records::padded(id, bytes);
    live.poke.notify_one();
    let sent = live.outlet.send(incoming);
    let poke = Arc::clone(&live.poke);
    let answer = futures_util::future::join(sent, async move {
        poke.notify_one();
    });
    let (answer, ()) = answer.await;
    match &answer {
        Ok(_) => live.ledger.ack(id..id + 1),
        Err(_) => drop(live.ledger.notes.lock().rejected.insert(id)),
    }
    answer
}
