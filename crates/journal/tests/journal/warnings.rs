//! What is told to whoever reads the log of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bessemer_journal::disk::mem::{Call, Fault, Rule};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, span};

use crate::harness::{Live, World, normal};

/// Counts warnings that say `text`.
struct Counting {
    text: &'static str,
    count: Arc<AtomicUsize>,
}

impl tracing::Subscriber for Counting {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut said = Said(String::new());
        event.record(&mut said);
        if said.0.contains(self.text) {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Said(String);

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// How often a warning is said while a hundred appends meet a disk that fails, ten a second.
fn said_while_the_disk_fails(call: Call, text: &'static str, act: fn(&mut Live)) -> usize {
    let world = World::new(1);
    let mut live = world.open();
    live.append(vec![normal(0, 100)]).unwrap();
    world.disk.fail(Rule { call: Some(call), after: 0, times: u64::MAX, fault: Fault::Io });
    let count = Arc::new(AtomicUsize::new(0));
    tracing::subscriber::with_default(Counting { text, count: Arc::clone(&count) }, || {
        for _ in 0..100 {
            act(&mut live);
            world.clock.advance(Duration::from_millis(100));
        }
    });
    count.load(Ordering::Relaxed)
}

#[test]
fn a_disk_that_stays_dead_is_warned_of_and_does_not_fill_the_log() {
    let append = |live: &mut Live| drop(live.append(vec![normal(1, 100)]).unwrap_err());
    let maintain = |live: &mut Live| {
        drop(live.append(vec![normal(1, 100)]));
        live.engine.maintain();
    };
    for (call, text, act) in [
        (Call::Sync, "segment abandoned", append as fn(&mut Live)),
        (Call::Sync, "journal failing", append),
        (Call::Sync, "cursor file not", maintain),
    ] {
        let said = said_while_the_disk_fails(call, text, act);
        assert!((1..=2).contains(&said), "{text}: said {said} times in ten seconds");
    }
}
