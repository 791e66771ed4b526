//! Opens what a crash can leave: after every change of the disk, for many fates of what was not
//! synced, and again after crashes of the recovery itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bessemer_journal::MemDisk;
use bessemer_journal::disk::mem::{Fate, Image, Unit, chance};
use bessemer_runtime::{Random, SystemRandom};

use crate::promise::Tally;
use crate::scenario::Scenario;
use crate::size;

/// Fates drawn by chance for one image, beside the systematic ones.
const FATES_BY_CHANCE: usize = 20;
/// Units of an image that are spared, or lost, one at a time.
const SINGLES_MAX: usize = 16;
/// One state in this many is crashed again while it recovers.
const NESTED_EVERY: u64 = 24;
/// Crashes of one recovery.
const NESTED_DEPTH: usize = 3;
/// Threads of a full proof.
const THREADS: u64 = 2;

/// The fates tried at an image with so many undecided units.
fn fates(units: usize) -> usize {
    match units {
        0 => 1,
        1 => 4,
        _ => 4 + 2 * units.min(SINGLES_MAX) + FATES_BY_CHANCE,
    }
}

/// The disk that fate `number` leaves.
fn crash(image: &Image, number: usize, seed: u64) -> MemDisk {
    let singles = image.units().min(SINGLES_MAX);
    let same = |fate: Fate| image.after_power_cut(&mut |_| fate);
    let odd = |single: usize, fate: Fate, others: Fate| {
        let mut unit = 0;
        image.after_power_cut(&mut |_| {
            unit += 1;
            if unit == single + 1 { fate } else { others }
        })
    };
    match number {
        0 => image.after_kill(),
        1 => same(Fate::Reverted),
        2 => same(Fate::Zeroed),
        3 => same(Fate::Garbage(seed)),
        _ if number < 4 + singles => odd(number - 4, Fate::Kept, Fate::Reverted),
        _ if number < 4 + 2 * singles => odd(number - 4 - singles, Fate::Reverted, Fate::Kept),
        _ => {
            let random = SystemRandom::seeded(seed);
            image.after_power_cut(&mut |unit: Unit| chance(unit, &random))
        }
    }
}

/// Explores the crashes of one scenario.
fn explore(seed: u64) -> Tally {
    let scenario = Scenario::play(seed);
    let random = SystemRandom::seeded(seed ^ 0x5eed);
    let mut tally = Tally { scenarios: 1, ..Tally::default() };
    for (at, image) in scenario.images.iter().enumerate() {
        for number in 0..fates(image.units()) {
            let found = try_one(&scenario, (at, image, number), &random, &mut tally);
            if let Err(problem) = found {
                panic!(
                    "SEED={seed}: image {at}, fate {number}: {problem}\nreplay: SEED={seed} \
                     cargo test -p bessemer-journal --test proof crash"
                );
            }
        }
    }
    tally
}

fn try_one(
    scenario: &Scenario,
    (at, image, number): (usize, &Image, usize),
    random: &SystemRandom,
    tally: &mut Tally,
) -> Result<(), String> {
    let world = scenario.world.with_disk(crash(image, number, random.next_u64()));
    scenario.promise.check(&world, at, tally)?;
    if random.next_u64().is_multiple_of(NESTED_EVERY) {
        nested(scenario, world.disk, at, random, tally)?;
    }
    Ok(())
}

// Recovers, dies on the way, and so on: what was promised stays promised.
fn nested(
    scenario: &Scenario,
    mut disk: MemDisk,
    at: usize,
    random: &SystemRandom,
    tally: &mut Tally,
) -> Result<(), String> {
    for _ in 0..NESTED_DEPTH {
        disk = disk.after_kill();
        disk.keep_images();
        let world = scenario.world.with_disk(disk.clone());
        let (mut live, _) = world.try_open().map_err(|error| error.to_string())?;
        world.clock.advance(Duration::from_secs(2));
        live.engine.maintain();
        drop(live);
        let images = disk.take_images();
        let Some(count) = u64::try_from(images.len()).ok().filter(|count| *count > 0) else {
            return Ok(());
        };
        let image = &images[usize::try_from(random.next_u64() % count).unwrap_or_default()];
        disk = image.after_power_cut(&mut |unit| chance(unit, random));
        scenario.promise.check(&scenario.world.with_disk(disk.clone()), at, tally)?;
    }
    Ok(())
}

/// Seeds that found something once.
fn known_seeds() -> Vec<u64> {
    let lines = include_str!("seeds.txt").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect()
}

/// Explores seed after seed for a while, on some threads.
fn explore_for(time: Duration, first: u64, threads: u64) -> (Tally, u64) {
    let next = AtomicU64::new(first);
    let begin = clock();
    let work = || {
        let mut tally = Tally::default();
        while begin.elapsed() < time {
            tally.add(explore(next.fetch_add(1, Ordering::Relaxed)));
        }
        tally
    };
    let mut all = Tally::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            match worker.join() {
                Ok(tally) => all.add(tally),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    (all, next.into_inner())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a proof takes real time, nothing under test sees it"
)]
fn clock() -> std::time::Instant {
    std::time::Instant::now()
}

/// Scenario: the power goes, or the process is killed, after any change of the disk, also during
/// recovery. Promise: what was acknowledged is served, intact, in order and under its number, until
/// it is settled; what was settled for a second is not served again; dead letters are kept.
#[test]
fn no_crash_state_loses_or_corrupts_what_was_acknowledged() {
    if let Some(seed) = size::only_seed() {
        let tally = explore(seed);
        return size::say(&format!("seed {seed}: {} crash states hold", tally.states));
    }
    if let Some(time) = size::soak_time() {
        let first = size::soak_seed();
        let (tally, end) = explore_for(time, first, 1);
        return size::say(&tally.row(first, end));
    }
    for seed in known_seeds() {
        explore(seed);
    }
    let time = size::sized(Duration::from_secs(3), Duration::from_mins(4));
    let threads = size::sized(1, THREADS);
    let (tally, end) = explore_for(time, 1_000, threads);
    let rate = tally.states / time.as_secs();
    size::say(&format!(
        "crash states: {} ({rate}/s on {threads} threads), seeds 1000..{end}, {} records checked, \
         0 lost, 0 corrupt",
        tally.states, tally.records
    ));
    assert!(tally.states > 1_000, "{} states", tally.states);
}
