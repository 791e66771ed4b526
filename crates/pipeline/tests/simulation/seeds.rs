//! Worlds made of a seed: several lives, moody destinations, a failing disk.

use std::sync::Arc;
use std::time::Duration;

use bessemer_journal::disk::mem::{Call, Fault, Rule};
use bessemer_pipeline::Refusal;
use bessemer_pipeline::metrics::component;
use bessemer_runtime::{Clock, Random, SystemRandom};

use crate::net::{Destination, Mood};
use crate::world::{End, Live, World};
use crate::{size, stages};

const CLIENTS: u64 = 3;
const DAY: Duration = Duration::from_hours(24);

/// What a world went through.
#[derive(Default)]
struct Tally {
    worlds: u64,
    crashes: u64,
    records: u64,
    duplicates: u64,
    virtual_time: Duration,
}

fn mood(random: &SystemRandom) -> Mood {
    let drawn = random.next_u64();
    let period = Duration::from_millis(200 + drawn % 5_000);
    let up_share = 1 + drawn / 7 % 4;
    Mood {
        up: Box::new(move |now| {
            now.as_millis() % period.as_millis() < period.as_millis() * u128::from(up_share) / 4
        }),
        latency: Duration::from_millis(1 + drawn / 11 % 400),
        retry_percent: drawn / 13 % 30,
        answer_lost_percent: drawn / 17 % 10,
        wish: drawn.is_multiple_of(3).then(|| Duration::from_millis(drawn / 19 % 60_000)),
        refuses: if drawn.is_multiple_of(2) { |id| id % 23 == 5 } else { |_| false },
        names_refused: true,
        dies_of: |_| false,
        records_max: if drawn.is_multiple_of(5) { 7 } else { usize::MAX },
        concurrency: 1 + usize::try_from(drawn / 23 % 6).unwrap(),
    }
}

// Once a disk is well and the destinations are up.
fn calm(random: &SystemRandom) -> Mood {
    let Mood { refuses, records_max, .. } = mood(random);
    Mood { refuses, records_max, ..Mood::default() }
}

fn plan_faults(world: &World) {
    for _ in 0..world.random.next_u64() % 3 {
        let drawn = world.random.next_u64();
        let (call, fault) = match drawn % 8 {
            0 | 1 => (Call::Sync, Fault::Io),
            2 => (Call::Write, Fault::Full),
            3 => (Call::Write, Fault::Short),
            4 => (Call::SyncDir, Fault::Io),
            5 => (Call::Create, Fault::Full),
            6 => (Call::Write, Fault::Quota),
            _ => (Call::Write, Fault::Io),
        };
        let (after, times) = (drawn / 8 % 60, 1 + drawn / 512 % 4);
        world.disk.fail(Rule { call: Some(call), after, times, fault });
    }
}

async fn client(live: Arc<Live>, seed: u64, batches: u64) {
    let random = SystemRandom::seeded(seed);
    for _ in 0..batches {
        live.clock.sleep(random.between(Duration::ZERO, Duration::from_millis(300))).await;
        match live.send(1 + random.next_u64() % 30).await {
            Ok(()) => {}
            Err(
                Refusal::Overloaded { retry_after, .. } | Refusal::Unavailable { retry_after, .. },
            ) => {
                live.clock.sleep(retry_after).await;
            }
            Err(refusal) => panic!("a good batch was refused for good: {refusal}"),
        }
    }
}

/// One life under load that a crash or a stop ends.
fn troubled_life(world: &mut World) {
    let random = Arc::clone(&world.random);
    plan_faults(world);
    let end = match random.next_u64() % 5 {
        0 => End::Stop,
        1 | 2 => End::Kill,
        _ => End::PowerCut,
    };
    let length = random.between(Duration::from_millis(50), Duration::from_secs(20));
    let batches = 5 + random.next_u64() % 40;
    world.slow = Duration::from_millis(random.next_u64() % 100);
    world.live(|live| async move {
        let clients = async {
            let all = (0..CLIENTS).map(|_| client(Arc::clone(&live), random.next_u64(), batches));
            futures_util::future::join_all(all).await;
            live.clock.sleep(DAY).await;
        };
        tokio::select! {
            biased;
            () = clients => {}
            () = live.clock.sleep(length) => {}
        }
        end
    });
}

/// Everything heals: all of it arrives, and the books balance.
fn last_life(world: &mut World) -> Tally {
    for destination in &world.net {
        destination.set(calm(&world.random));
    }
    world.slow = Duration::ZERO;
    let before: u64 = world.held().values().map(|held| held.queued.len() as u64).sum();
    let metrics = world.live(|live| async move {
        client(Arc::clone(&live), 1, 5).await;
        assert!(live.settled(DAY).await, "not everything arrived within a day");
        End::Stop
    });
    let held = world.held();
    let after: u64 = held.values().map(|held| held.queued.len() as u64).sum();
    assert_eq!(after, 0, "{held:?}");
    let sum = |family: &dyn Fn(&str) -> u64| -> u64 { world.readers().map(family).sum() };
    let delivered = sum(&|id| metrics.delivered.get_or_create_owned(&component(id)).get());
    let dead = sum(&|id| metrics.dead.get_or_create_owned(&component(id)).get());
    let routed_by = |id: &str| metrics.routed.get_or_create_owned(&component(id)).get();
    let routed = routed_by("in") + routed_by(stages::ID);
    assert_eq!(before + routed, delivered + dead + after, "the books do not balance");
    for id in ["in"].into_iter().chain(world.readers()) {
        let open = metrics.unaccounted.get_or_create_owned(&component(id)).get();
        let holds = open == 0 || world.is_damaged();
        assert!(holds, "unaccounted for by {id}: {open}");
    }
    let records = world.ledger.acked().len() as u64 * world.net.len() as u64;
    let duplicates = world.net.iter().map(|destination| destination.duplicates()).sum();
    Tally { worlds: 1, crashes: 0, records, duplicates, virtual_time: world.now }
}

/// Plays the world of a seed; its trace and what it went through.
fn play(seed: u64, stage: Option<Duration>) -> (u64, Tally) {
    let random = SystemRandom::seeded(seed);
    let net = ["a", "b"].map(|id| Destination::new(id, mood(&random)));
    let mut world = World::new(seed, net.to_vec());
    world.stage = stage;
    world.ordered = random.next_u64().is_multiple_of(4);
    let lives = 1 + random.next_u64() % 4;
    for _ in 0..lives {
        troubled_life(&mut world);
    }
    let mut tally = last_life(&mut world);
    tally.crashes = lives;
    (world.trace, tally)
}

// Says how to play it again when it fails.
fn play_or_say(seed: u64, stage: Option<Duration>) -> Tally {
    struct Replay(u64);
    impl Drop for Replay {
        fn drop(&mut self) {
            if std::thread::panicking() {
                let seed = self.0;
                size::say(&format!(
                    "SEED={seed} fails; replay: SEED={seed} cargo test -p bessemer-pipeline --test \
                     simulation whatever"
                ));
            }
        }
    }
    let _replay = Replay(seed);
    play(seed, stage).1
}

fn add(all: &mut Tally, one: &Tally) {
    all.worlds += one.worlds;
    all.crashes += one.crashes;
    all.records += one.records;
    all.duplicates += one.duplicates;
    all.virtual_time += one.virtual_time;
}

fn known_seeds() -> Vec<u64> {
    let lines = include_str!("seeds.txt").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a proof takes real time, nothing under test sees it"
)]
fn begin() -> std::time::Instant {
    std::time::Instant::now()
}

/// Scenario: clients, two moody destinations, a failing disk, stops, kills and power cuts.
/// Promise: what was acknowledged is delivered, queued or dead at every moment; nothing else is;
/// nothing is changed; in the end all of it is delivered or dead and the books balance.
#[test]
fn whatever_a_seed_brings_what_was_acknowledged_is_accounted_for() {
    if let Some(seed) = size::only_seed() {
        let tally = play_or_say(seed, None);
        return size::say(&format!("seed {seed}: {} records hold", tally.records));
    }
    let soak = size::soak_time();
    if soak.is_none() {
        for seed in known_seeds() {
            play_or_say(seed, None);
        }
    }
    let time = soak.unwrap_or(size::sized(Duration::from_secs(3), Duration::from_mins(1)));
    let first = size::soak_seed();
    let (begin, mut seed, mut all) = (begin(), first, Tally::default());
    while begin.elapsed() < time {
        add(&mut all, &play_or_say(seed, None));
        seed += 1;
    }
    let Tally { worlds, crashes, records, duplicates, virtual_time } = all;
    if soak.is_some() {
        let hours = virtual_time.as_secs() / 3600;
        return size::say(&format!(
            "soak-row {{\"kind\":\"simulation\",\"seed_first\":{first},\"seed_end\":{seed},\
             \"worlds\":{worlds},\"crashes\":{crashes},\"virtual_hours\":{hours},\
             \"records_checked\":{records},\"duplicates\":{duplicates},\"lost\":0,\"corrupt\":0}}"
        ));
    }
    size::say(&format!(
        "simulation: {worlds} worlds, {crashes} lives ended, {records} records checked, \
         {duplicates} duplicates, 0 lost, {virtual_time:?} of virtual time"
    ));
}

/// Seeds of worlds with a stage that once failed.
const KNOWN_WITH_STAGE: [u64; 1] = [1063];

/// Scenario: the same with a stage that holds every other record before the destinations.
/// Promise: the same; a record that is held has not left the journal.
#[test]
fn whatever_a_seed_brings_what_a_stage_holds_is_accounted_for() {
    let interval = |seed: u64| Some(Duration::from_millis(100 + seed * 977 % 9_000));
    if let Some(seed) = size::only_seed() {
        let tally = play_or_say(seed, interval(seed));
        return size::say(&format!("seed {seed} with a stage: {} records hold", tally.records));
    }
    for seed in KNOWN_WITH_STAGE {
        play_or_say(seed, interval(seed));
    }
    let time = size::sized(Duration::from_secs(2), Duration::from_mins(1));
    let (begin, mut seed, mut all) = (begin(), size::soak_seed(), Tally::default());
    while begin.elapsed() < time {
        add(&mut all, &play_or_say(seed, interval(seed)));
        seed += 1;
    }
    let Tally { worlds, crashes, records, .. } = all;
    size::say(&format!(
        "stages: {worlds} worlds, {crashes} lives ended, {records} records checked, 0 lost"
    ));
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 50..50 + size::sized(3, 40) {
        let (first, _) = play(seed, None);
        let (again, _) = play(seed, None);
        assert_eq!(first, again, "seed {seed}");
    }
}
