//! What templates promise: ids that stay, bounds that hold, words that tell are kept apart.

use std::collections::BTreeMap;

use bessemer_pipeline::state::{MemoryState, State as _};
use proptest::prelude::*;

use super::mask::mask;
use super::*;

fn is_telling(word: &[u8]) -> bool {
    matches!(word, b"failed" | b"done")
}

fn find(templates: &mut Templates, body: &str) -> TemplateId {
    let mut masked = Vec::new();
    mask(body.as_bytes(), &mut masked);
    let (id, seen) = templates.find(&masked, &is_telling);
    seen.fetch_add(1, Ordering::Relaxed);
    id
}

#[test]
fn bodies_that_differ_in_what_varies_have_one_template() {
    let mut templates = Templates::new(100);
    let first = find(&mut templates, "user mira opened report 12 in zone north");
    assert_eq!(find(&mut templates, "user tomas opened report 7 in zone north"), first);
    assert_eq!(find(&mut templates, "user mira opened report 8 in zone south"), first);
    let shown = &templates.shown(10)[0];
    assert_eq!(shown.text, "user <*> opened report <*> in zone <*>");
    assert_eq!(shown.count, 3);
}

#[test]
fn a_word_that_tells_is_never_made_variable() {
    let mut templates = Templates::new(100);
    let done = find(&mut templates, "copy of large file number 12 to store done");
    let failed = find(&mut templates, "copy of large file number 12 to store failed");
    assert_ne!(done, failed);
}

#[test]
fn the_rarest_are_forgotten_and_memory_is_bounded() {
    let mut templates = Templates::new(16);
    let often = "alpha beta gamma often seen";
    let id = find(&mut templates, often);
    for _ in 0..50 {
        find(&mut templates, often);
    }
    for letter in 'a'..='z' {
        for other in 'a'..='z' {
            find(&mut templates, &format!("{letter}{other} is a body of its own"));
            assert!(templates.len() <= 16);
        }
    }
    assert_eq!(find(&mut templates, often), id);
    assert!(templates.shown(100).iter().any(|shown| shown.count > 50));
}

fn store(templates: &mut Templates, state: &MemoryState) {
    loop {
        let changes = templates.take_changes();
        if changes.is_empty() {
            return;
        }
        state.apply("c", &changes).unwrap();
    }
}

#[test]
fn what_is_forgotten_is_forgotten_in_the_state_too() {
    let state = MemoryState::default();
    let mut templates = Templates::new(16);
    for letter in 'a'..='z' {
        find(&mut templates, &format!("{letter} is a body of its own"));
        store(&mut templates, &state);
    }
    assert_eq!(state.scan("c", "template/", 100).unwrap().len(), templates.len());
}

#[test]
fn a_count_is_stored_again_once_when_it_has_moved() {
    let (state, mut templates) = (MemoryState::default(), Templates::new(100));
    find(&mut templates, "belt is slow");
    find(&mut templates, "gate is open");
    store(&mut templates, &state);
    for _ in 0..3 {
        find(&mut templates, "gate is open");
    }
    templates.change_counted();
    assert_eq!(templates.take_changes().len(), 1);
    templates.change_counted();
    assert_eq!(templates.take_changes(), []);
}

proptest! {
    /// Scenario: bodies come, the process ends, others come in any order.
    /// Promise: a body that was known before has the id that it had.
    #[test]
    fn ids_stay_over_a_restart_in_any_order(
        bodies in prop::collection::vec("(user|job) [a-d]{1,2} (failed|done|at) [a-c] [x-z] end", 1..30),
        order in any::<u64>(),
    ) {
        let state = MemoryState::default();
        let mut before = Templates::new(100);
        // Until templates have become as general as these bodies make them.
        for body in bodies.iter().cycle().take(bodies.len() * 8) {
            find(&mut before, body);
        }
        let known: BTreeMap<&String, TemplateId> =
            bodies.iter().map(|body| (body, find(&mut before, body))).collect();
        store(&mut before, &state);
        let mut after = Templates::new(100);
        after.restore(&state, "c").unwrap();
        prop_assert_eq!(before.len(), after.len());
        let mut again: Vec<&String> = bodies.iter().collect();
        again.sort_by_key(|body| xxh3_64(body.as_bytes()) ^ order);
        for body in again {
            prop_assert_eq!(find(&mut after, body), known[body], "{}", body);
        }
    }

    #[test]
    fn any_bytes_have_a_template(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut templates = Templates::new(16);
        let mut masked = Vec::new();
        mask(&body, &mut masked);
        let (first, _) = templates.find(&masked, &is_telling);
        prop_assert_eq!(templates.find(&masked, &is_telling).0, first);
    }
}
