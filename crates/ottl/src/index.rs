//! Which of many conditions can hold for a record, found without asking each.
//!
//! Conditions with a guard stand under the path that it is about. A record is looked at once: its
//! attributes in one walk with one lookup of each key, other fields each once; a value is looked up
//! among the texts and numbers that conditions compare it with, and one automaton scans it for all
//! texts that their patterns need. So a record that matches nothing costs the same, however many
//! conditions there are over the same paths.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use bessemer_record::value::AnyValue;

use crate::error::RunError;
use crate::expression::{Key, Path, Test};
use crate::functions::{Kind, admit};
use crate::guard::{EXACT_MAX, Guard, Wanted, guards};
use crate::paths::Entry;
use crate::program::Environment;
use crate::record::Record;
use crate::value::Value;

/// Guarded conditions from which an index pays.
const GUARDED_MIN: usize = 8;
/// Bytes of the texts of one automaton at most; with more, conditions are evaluated as they are.
const AUTOMATON_BYTES_MAX: usize = 1 << 20;

/// Conditions by what they need.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    /// Those that have to be evaluated for every record.
    always: Set,
    maps: Vec<Attributes>,
    fields: Vec<(Path, Slot)>,
}

/// The conditions on one list of attributes, by key.
#[derive(Debug, Clone)]
struct Attributes {
    path: Path,
    slots: HashMap<Vec<u8>, Slot>,
}

/// The conditions on one value.
#[derive(Debug, Clone, Default)]
struct Slot {
    texts: HashMap<String, Vec<usize>>,
    numbers: HashMap<i64, Vec<usize>>,
    present: Vec<usize>,
    literals: Vec<(Vec<u8>, usize)>,
    automaton: Option<AhoCorasick>,
}

/// Numbers of conditions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Set {
    words: Vec<u64>,
}

impl Set {
    fn with_room(count: usize) -> Self {
        Self { words: vec![0; count.div_ceil(64)] }
    }

    fn add(&mut self, number: usize) {
        if let Some(word) = self.words.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }

    fn contains(&self, number: usize) -> bool {
        self.words.get(number / 64).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    /// The least number in it that is not below another one.
    pub(crate) fn next(&self, from: usize) -> Option<usize> {
        let mut mask = u64::MAX << (from % 64);
        for (at, word) in self.words.iter().enumerate().skip(from / 64) {
            let rest = word & mask;
            if rest != 0 {
                return Some(at * 64 + rest.trailing_zeros() as usize);
            }
            mask = u64::MAX;
        }
        None
    }
}

impl Index {
    /// Sorts conditions by their guards, where they are many enough; one without a condition holds
    /// always.
    pub(crate) fn new<'t>(tests: impl Iterator<Item = Option<&'t Test>>) -> Option<Self> {
        let guarded: Vec<Option<Vec<Guard<'t>>>> = tests.map(|test| guards(test?)).collect();
        if guarded.iter().flatten().count() < GUARDED_MIN {
            return None;
        }
        let always = Set::with_room(guarded.len());
        let mut index = Self { always, maps: Vec::new(), fields: Vec::new() };
        for (number, guards) in guarded.iter().enumerate() {
            match guards {
                Some(guards) => guards.iter().for_each(|guard| index.add(number, guard)),
                None => index.always.add(number),
            }
        }
        index.finish();
        Some(index)
    }

    fn add(&mut self, number: usize, guard: &Guard<'_>) {
        let slot = self.slot(guard.path);
        match &guard.wanted {
            Wanted::Text(text) => slot.texts.entry((*text).to_owned()).or_default().push(number),
            Wanted::Number(wanted) => slot.numbers.entry(*wanted).or_default().push(number),
            Wanted::Present => slot.present.push(number),
            Wanted::Containing(texts) => {
                slot.literals.extend(texts.iter().map(|text| (text.clone(), number)));
            }
        }
    }

    fn slot(&mut self, path: &Path) -> &mut Slot {
        let is_same = |other: &Path| {
            other.context == path.context && std::ptr::eq::<Entry>(other.entry, path.entry)
        };
        if let Some(key) = path.keys.first().and_then(Key::fixed_text) {
            let at = self.maps.iter().position(|map| is_same(&map.path)).unwrap_or_else(|| {
                self.maps.push(Attributes { path: path.without_keys(), slots: HashMap::new() });
                self.maps.len() - 1
            });
            #[expect(clippy::indexing_slicing, reason = "found or pushed just now")]
            return self.maps[at].slots.entry(key.as_bytes().to_vec()).or_default();
        }
        let at = self.fields.iter().position(|(other, _)| is_same(other)).unwrap_or_else(|| {
            self.fields.push((path.clone(), Slot::default()));
            self.fields.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found or pushed just now")]
        &mut self.fields[at].1
    }

    fn finish(&mut self) {
        let of_maps = self.maps.iter_mut().flat_map(|map| map.slots.values_mut());
        for slot in of_maps.chain(self.fields.iter_mut().map(|(_, slot)| slot)) {
            slot.finish(&mut self.always);
        }
    }

    /// Whether a condition has to be evaluated for every record.
    pub(crate) fn is_always(&self, number: usize) -> bool {
        self.always.contains(number)
    }

    /// The conditions that can hold for a record, and some that cannot.
    pub(crate) fn candidates(
        &self,
        record: &Record<'_>,
        environment: &Environment,
    ) -> Result<Set, RunError> {
        let mut found = self.always.clone();
        for map in &self.maps {
            for (key, value) in record.attributes(&map.path) {
                record.step()?;
                if let Some(slot) = map.slots.get(key) {
                    slot.look(value, record, &mut found)?;
                }
            }
        }
        for (path, slot) in &self.fields {
            match record.text(path) {
                Some(text) => {
                    record.step()?;
                    slot.text(text, record, &mut found)?;
                }
                None => slot.value(record.get(path, environment)?, record, &mut found)?,
            }
        }
        Ok(found)
    }
}

impl Slot {
    fn finish(&mut self, always: &mut Set) {
        if self.literals.is_empty() {
            return;
        }
        let bytes: usize = self.literals.iter().map(|(text, _)| text.len()).sum();
        let mut builder = AhoCorasick::builder();
        // Every text that is there has to be told, so texts may overlap.
        builder.match_kind(MatchKind::Standard).kind(Some(AhoCorasickKind::ContiguousNFA));
        let built = builder.build(self.literals.iter().map(|(text, _)| text));
        match built {
            Ok(automaton) if bytes <= AUTOMATON_BYTES_MAX => self.automaton = Some(automaton),
            _ => self.literals.drain(..).for_each(|(_, number)| always.add(number)),
        }
    }

    fn look(
        &self,
        value: AnyValue<'_>,
        record: &Record<'_>,
        found: &mut Set,
    ) -> Result<(), RunError> {
        if let AnyValue::Str(text) = value {
            return self.text(text.as_bytes(), record, found);
        }
        self.value(Value::read(value), record, found)
    }

    fn text(&self, text: &[u8], record: &Record<'_>, found: &mut Set) -> Result<(), RunError> {
        self.present.iter().for_each(|number| found.add(*number));
        let equal = std::str::from_utf8(text).ok().and_then(|text| self.texts.get(text));
        equal.into_iter().flatten().for_each(|number| found.add(*number));
        if let Some(automaton) = &self.automaton {
            record.step()?;
            for hit in automaton.find_overlapping_iter(text) {
                if let Some((_, number)) = self.literals.get(hit.pattern().as_usize()) {
                    found.add(*number);
                }
            }
        }
        Ok(())
    }

    fn value(&self, value: Value, record: &Record<'_>, found: &mut Set) -> Result<(), RunError> {
        if let Value::String(text) = &value {
            return self.text(text.as_bytes(), record, found);
        }
        if value.is_nil() {
            return Ok(());
        }
        self.present.iter().for_each(|number| found.add(*number));
        let equal = number(&value).and_then(|number| self.numbers.get(&number));
        equal.into_iter().flatten().for_each(|number| found.add(*number));
        if self.automaton.is_none() {
            return Ok(());
        }
        match admit(Kind::TextLike, value)? {
            Value::String(text) => self.text(text.as_bytes(), record, found),
            _ => Ok(()),
        }
    }
}

/// The integer that a value is equal to, as far as integers are looked up.
#[expect(clippy::cast_possible_truncation, reason = "it has no fraction and is small")]
#[expect(clippy::cast_precision_loss, reason = "the bound is exact")]
fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::Float(number) => {
            let is_whole = number.fract() == 0.0 && number.abs() < EXACT_MAX as f64;
            is_whole.then_some(*number as i64)
        }
        _ => None,
    }
}
