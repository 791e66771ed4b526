//! Where every sink stands at open, from what segments and cursor file say.

use std::ops::Range;
use std::sync::Arc;

use super::Found;
use crate::account::{Account, Books};
use crate::catalog::{Catalog, Segment};
use crate::core::Sink;
use crate::cursor::{Areas, Cursor, Saved, SavedArea};
use crate::entry::Lane;
use crate::format::NUMBERS_SKIPPED;
use crate::logs::dead_area_id;
use crate::options::SinkSpec;
use crate::recover::{Held, Inventory};

/// The cursors of all sinks.
pub(super) struct Placed {
    pub lanes: Vec<[Cursor; 2]>,
    /// What they were placed by.
    pub saved: Vec<[Saved; 2]>,
    /// Sinks whose cursor was lost.
    pub lost: Vec<String>,
}

/// The ids of all sinks: configured ones, then those that only the disk knows.
pub(super) fn all_ids(specs: &[SinkSpec], inventory: &Inventory, spills: &[Found]) -> Vec<String> {
    let mut ids: Vec<String> = specs.iter().map(|spec| spec.id.clone()).collect();
    let named = inventory.headers().flat_map(|header| &header.components);
    let spilled = spills.iter().map(|found| &found.id);
    for id in named.map(|(_, id)| id).chain(spilled) {
        if !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    ids
}

/// The number of the next record: above all that was ever given, as far as anything says so.
pub(super) fn next_number(areas: &Areas, end: Option<u64>, torn: bool) -> u64 {
    let found = end.unwrap_or_default().saturating_add(if torn { NUMBERS_SKIPPED } else { 0 });
    let said = areas
        .all()
        .filter(|saved| !saved.id.starts_with("dead/"))
        .flat_map(|saved| saved.lanes.iter().map(|lane| lane.low).chain([saved.floor]));
    said.fold(found, u64::max)
}

/// The numbers in segments whose key is missing. Of spill logs those that the main log has not.
pub(super) fn held(inventory: &Inventory, spills: &[Found], next: u64) -> Vec<Held> {
    let mut held = inventory.held(next);
    let in_main = inventory.headers().map(|header| header.first).min().unwrap_or(next);
    held.extend(spills.iter().flat_map(|found| &found.held).map(|held| {
        let Range { start, end } = held.numbers;
        Held { numbers: start..end.min(in_main), components: held.components.clone() }
    }));
    held.retain(|held| held.numbers.start < held.numbers.end);
    held
}

/// All sinks, with their spill logs.
pub(super) fn sinks(specs: &[SinkSpec], ids: &[String], spills: &[Found]) -> Vec<Sink> {
    let sinks = ids.iter().enumerate().map(|(number, id)| {
        let spec = specs.get(number).cloned().unwrap_or_else(|| SinkSpec::new(id.as_str()));
        let found = spills.iter().find(|found| found.id == *id);
        let mut segments = found.map(|found| found.segments.clone()).unwrap_or_default();
        for segment in &mut segments {
            let bit = segment.header.bit_of(id);
            segment.bits = (0..ids.len()).map(|other| bit.filter(|_| other == number)).collect();
        }
        Sink::new(spec, number >= specs.len(), Arc::new(Catalog::new(segments)))
    });
    sinks.collect()
}

/// Places the cursors.
pub(super) fn cursors(
    sinks: &[Sink],
    areas: &Areas,
    main: &Catalog,
    next: u64,
    held: &[Held],
) -> Placed {
    let mut placed = Placed { lanes: Vec::new(), saved: Vec::new(), lost: Vec::new() };
    for (number, sink) in sinks.iter().enumerate() {
        let concerns = |segment: &&Segment| {
            Lane::ALL.iter().any(|lane| segment.tally(number, *lane).records > 0)
        };
        let oldest = |catalog: &Catalog| {
            catalog.with(|mut all| all.find(concerns).map(|segment| segment.header.first))
        };
        let own = |held: &&Held| held.components.contains(&sink.spec.id);
        let held: Vec<_> = held.iter().filter(own).map(|held| held.numbers.clone()).collect();
        let oldest_held = held.iter().map(|numbers| numbers.start).min();
        let saved = areas.get(&sink.spec.id).map(|saved| saved.lanes.clone());
        let lanes = saved.unwrap_or_else(|| {
            // Unknown to the cursor file: new, or its slots are unreadable and it has entries.
            let found = [oldest(&sink.spill), oldest(main), oldest_held];
            let found = found.into_iter().flatten().min();
            if found.is_some() {
                placed.lost.push(sink.spec.id.clone());
            }
            let low = found.unwrap_or(next);
            [0, 1].map(|_| Saved { low, settled: Vec::new(), passed: low })
        });
        let mut cursors = lanes.each_ref().map(Cursor::restore);
        for cursor in &mut cursors {
            cursor.hold(&held);
        }
        placed.lanes.push(cursors);
        placed.saved.push(lanes);
    }
    placed
}

/// The books of all sinks, with the notes that were kept in them.
pub(super) fn books(sinks: &[Sink], areas: &Areas, accounts: Vec<Account>) -> Vec<Books> {
    let all = sinks.iter().zip(accounts).map(|(sink, account)| {
        let saved = areas.get(&sink.spec.id).map(|saved| saved.books.note.clone());
        Books { account: Some(account), note: saved.unwrap_or_default() }
    });
    all.collect()
}

/// The areas that the cursor file must have.
pub(super) fn wanted_areas(
    sinks: &[Sink],
    (lanes, books): (&[[Cursor; 2]], &[Books]),
    dead: &[Found],
    areas: &Areas,
    next: u64,
) -> Vec<SavedArea> {
    let of_sinks = sinks.iter().zip(lanes).zip(books).map(|((sink, lanes), books)| SavedArea {
        id: sink.spec.id.clone(),
        floor: next,
        lanes: lanes.each_ref().map(Cursor::save),
        books: books.clone(),
    });
    let of_dead = dead.iter().map(|found| {
        let id = dead_area_id(&found.id);
        areas.get(&id).cloned().unwrap_or(SavedArea { id, ..SavedArea::default() })
    });
    of_sinks.chain(of_dead).collect()
}
