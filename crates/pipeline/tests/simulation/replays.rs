//! Replays over crashes at any step: what was dead or retained is never lost by being sent again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bessemer_pipeline::replay::{Order, Phase, Selection, Shown, Source};
use bessemer_pipeline::state::{MemoryState, State};
use bessemer_pipeline::{ReplayError, Replays, Retention};
use bessemer_runtime::{Clock, SystemRandom};

use crate::net::{Destination, Mood};
use crate::size::sized;
use crate::world::{End, Live, World};

const HOUR: Duration = Duration::from_hours(1);
/// The name under which replays are kept.
const KEPT_AS: &str = "bessemer.replay";

fn refuses_all() -> Mood {
    Mood { refuses: |_| true, ..Mood::default() }
}

fn replays(live: &Live, state: &Arc<MemoryState>, seed: u64) -> Replays {
    let state: Arc<dyn State> = Arc::<MemoryState>::clone(state);
    live.engine.replays(state, Arc::new(SystemRandom::seeded(seed)))
}

fn order(source: Source, condition: Option<&str>) -> Order {
    let selection = Selection {
        destination: Some("a".into()),
        condition: condition.map(str::to_owned),
        ..Selection::default()
    };
    Order { source, selection, to: None, rate: None, dry_run: false }
}

async fn ended(live: &Live, replays: &Replays, id: &str) -> Phase {
    let deadline = live.clock.now() + HOUR;
    loop {
        let replay = replays.replay(id).unwrap();
        if replay.phase != Phase::Running {
            return replay.phase;
        }
        assert!(live.clock.now() < deadline, "a replay that never ends: {replay:?}");
        live.clock.sleep(Duration::from_millis(10)).await;
    }
}

/// Batches of which the destination refused every record.
fn with_dead_letters(seed: u64) -> (World, Arc<Destination>) {
    let a = Destination::new("a", refuses_all());
    let mut world = World::new(seed, vec![Arc::clone(&a)]);
    world.live(|live| async move {
        for _ in 0..12 {
            live.send(10).await.unwrap();
        }
        assert!(live.settled(HOUR).await);
        End::Stop
    });
    (world, a)
}

fn dead(world: &World) -> BTreeSet<u64> {
    world.held()["a"].dead.iter().copied().collect()
}

/// Scenario: dead letters of which a condition means a part are replayed; the process is killed, or
/// loses power, after each number of milliseconds; then the replay is resumed.
/// Promise: at no point is a record lost; at the end exactly what was meant is delivered, and
/// exactly what was not is still dead.
#[test]
fn a_crash_at_any_step_of_a_replay_of_dead_letters_loses_nothing() {
    for step in 0..sized(24, 400) {
        let (mut world, a) = with_dead_letters(step);
        let all = world.ledger.acked();
        assert_eq!(dead(&world), all);
        a.set(Mood::default());
        let state = Arc::new(MemoryState::default());
        let kept = Arc::clone(&state);
        world.live(|live| async move {
            let condition = Some("time_unix_nano < 65");
            let started = replays(&live, &kept, step).start(order(Source::DeadLetters, condition));
            started.unwrap();
            live.clock.sleep(Duration::from_millis(step * 3)).await;
            if step % 2 == 0 { End::Kill } else { End::PowerCut }
        });
        let kept = Arc::clone(&state);
        world.live(|live| async move {
            let replays = replays(&live, &kept, 1_000 + step);
            let known = replays.replays().unwrap();
            assert_eq!(known.len(), 1);
            if known[0].phase != Phase::Done {
                replays.resume(&known[0].id).unwrap();
            }
            assert_eq!(ended(&live, &replays, &known[0].id).await, Phase::Done);
            assert!(live.settled(HOUR).await);
            End::Stop
        });
        let (meant, others): (BTreeSet<u64>, BTreeSet<u64>) =
            all.into_iter().partition(|id| *id < 65);
        assert!(a.taken().is_superset(&meant), "step {step}");
        assert!(a.taken().is_disjoint(&others), "step {step}");
        assert!(dead(&world).is_superset(&others), "step {step}");
        assert!(dead(&world).is_disjoint(&meant), "step {step}");
    }
}

/// Scenario: every call of the disk fails once or twice during a replay.
/// Promise: nothing is lost, and the replay ends by itself.
#[test]
fn a_disk_that_fails_during_a_replay_loses_nothing() {
    use bessemer_journal::disk::mem::{Call, Fault, Rule};
    for after in 0..sized(12, 80) {
        for call in [Call::Sync, Call::Write, Call::Read] {
            let (mut world, a) = with_dead_letters(after);
            a.set(Mood::default());
            let all = world.ledger.acked();
            let disk = world.disk.clone();
            world.live(|live| async move {
                disk.fail(Rule { call: Some(call), after, times: 2, fault: Fault::Io });
                let replays = replays(&live, &Arc::default(), after);
                let id = replays.start(order(Source::DeadLetters, None)).unwrap().id;
                assert_eq!(ended(&live, &replays, &id).await, Phase::Done);
                assert!(live.settled(HOUR).await);
                End::Stop
            });
            assert_eq!(a.taken(), all, "{call:?} {after}");
            assert!(dead(&world).is_empty(), "{call:?} {after}");
        }
    }
}

/// Promise: a dry run counts what a replay would send, and neither the disk nor the state of the
/// process has changed after it.
#[test]
fn a_dry_run_counts_and_changes_nothing() {
    let (mut world, a) = with_dead_letters(3);
    a.set(Mood::default());
    let before = dead(&world);
    let state = Arc::new(MemoryState::default());
    let kept = Arc::clone(&state);
    world.live(|live| async move {
        let replays = replays(&live, &kept, 1);
        let dry =
            Order { dry_run: true, ..order(Source::DeadLetters, Some("time_unix_nano < 65")) };
        let id = replays.start(dry).unwrap().id;
        assert_eq!(ended(&live, &replays, &id).await, Phase::Done);
        assert_eq!(replays.replay(&id).unwrap().records, 65);
        live.clock.sleep(Duration::from_secs(5)).await;
        assert_eq!(live.engine.status().destinations()[0].queue_records, 0);
        End::Stop
    });
    assert_eq!(dead(&world), before);
    assert!(a.taken().is_empty());
    assert!(state.scan(KEPT_AS, "", 10).unwrap().is_empty());
}

/// Scenario: records that two destinations have are replayed from what the journal retains, to
/// the second, over a crash.
/// Promise: the second gets each again and the first gets none; what came after the start of the
/// replay, its own copies included, is not replayed.
#[test]
fn what_the_journal_retains_is_replayed_where_it_is_wanted_over_a_crash() {
    for step in 0..sized(12, 100) {
        let net = [Destination::new("a", Mood::default()), Destination::new("b", Mood::default())];
        let mut world = World::new(step, net.to_vec());
        world.retention = Retention { bytes: 1 << 20, age: Duration::ZERO };
        world.live(|live| async move {
            for _ in 0..12 {
                live.send(10).await.unwrap();
            }
            assert!(live.settled(HOUR).await);
            End::Stop
        });
        let state = Arc::new(MemoryState::default());
        let kept = Arc::clone(&state);
        world.live(|live| async move {
            let to_b = Order {
                to: Some("b".into()),
                rate: Some(40),
                ..order(Source::Journal, Some("time_unix_nano >= 20"))
            };
            let replays = replays(&live, &kept, step);
            replays.start(to_b).unwrap();
            live.send(5).await.unwrap();
            live.clock.sleep(Duration::from_millis(step * 300)).await;
            End::Kill
        });
        let kept = Arc::clone(&state);
        world.live(|live| async move {
            let replays = replays(&live, &kept, 1_000 + step);
            let id = replays.replays().unwrap()[0].id.clone();
            if replays.replay(&id).unwrap().phase != Phase::Done {
                replays.resume(&id).unwrap();
                assert_eq!(ended(&live, &replays, &id).await, Phase::Done);
            }
            assert!(live.settled(HOUR).await);
            End::Stop
        });
        let count = |of: &Destination| -> BTreeMap<u64, u32> { of.seen.lock().taken.clone() };
        let (a, b) = (count(&net[0]), count(&net[1]));
        assert!((0..20).all(|id| b[&id] == 1), "step {step}: not meant");
        assert!((20..120).all(|id| b[&id] >= 2), "step {step}: meant");
        assert!((0..120).all(|id| a[&id] == 1), "step {step}: not asked for");
    }
}

/// Promise: two replays never work on the same dead letters, and one without a destination, of an
/// unknown one, or with a condition that is none, is refused with what is wrong.
#[test]
fn a_replay_that_makes_no_sense_is_refused_in_words() {
    let (mut world, _) = with_dead_letters(4);
    world.live(|live| async move {
        let replays = replays(&live, &Arc::default(), 1);
        let mut nameless = order(Source::DeadLetters, None);
        nameless.selection.destination = None;
        assert!(matches!(replays.start(nameless), Err(ReplayError::Bad(_))));
        let mut unknown = order(Source::DeadLetters, None);
        unknown.to = Some("nowhere".into());
        let refused = replays.start(unknown).unwrap_err();
        assert!(refused.to_string().contains("known: a"), "{refused}");
        let wrong = replays.start(order(Source::DeadLetters, Some("severity >>"))).unwrap_err();
        assert!(matches!(wrong, ReplayError::Bad(_)), "{wrong}");
        let mut slow = order(Source::DeadLetters, None);
        slow.rate = Some(1);
        replays.start(slow.clone()).unwrap();
        assert!(matches!(replays.start(slow), Err(ReplayError::Busy(_))));
        End::Kill
    });
}

/// Scenario: every other of 200 letters is dropped, more runs than a log remembers.
/// Promise: none of them comes back with the next start, and none of the others is lost.
#[test]
fn letters_dropped_from_between_others_stay_gone_after_a_restart() {
    let a = Destination::new("a", refuses_all());
    let mut world = World::new(6, vec![a]);
    world.live(|live| async move {
        for _ in 0..200 {
            live.send(1).await.unwrap();
            assert!(live.settled(HOUR).await);
        }
        End::Stop
    });
    world.live(|live| async move {
        let replays = replays(&live, &Arc::default(), 1);
        let condition = Some("Int(time_unix_nano) / 2 * 2 == time_unix_nano".to_owned());
        let selection = Selection { condition, ..Selection::default() };
        assert_eq!(replays.drop_letters(selection).await.unwrap(), 100);
        live.ledger.notes.lock().acked.retain(|id| id % 2 == 1);
        End::Kill
    });
    assert_eq!(dead(&world), (0..200).filter(|id| id % 2 == 1).collect());
}

/// Promise: dropping a part of the letters keeps the rest, with reason and status, over a kill.
#[test]
fn dropped_records_are_gone_and_the_others_stay_dead() {
    let (mut world, _) = with_dead_letters(5);
    world.live(|live| async move {
        let replays = replays(&live, &Arc::default(), 1);
        let condition = Some("time_unix_nano >= 33".to_owned());
        let selection = Selection { condition, ..Selection::default() };
        assert_eq!(replays.drop_letters(selection).await.unwrap(), 120 - 33);
        let rows = replays.letters(Selection::default(), 100, Shown::Records).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.records).sum::<u32>(), 33);
        assert!(rows.iter().all(|row| row.status == "400" && row.request.is_some()));
        // What was dropped is no promise any more.
        live.ledger.notes.lock().acked.retain(|id| *id < 33);
        End::Kill
    });
    assert_eq!(dead(&world), (0..33).collect());
}
