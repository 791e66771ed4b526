//! A list of attributes while it is changed by key. Entries stay bytes, so that what is not touched
//! is copied as it is.

use super::splice::Splice;
use super::{Attribute, EditList, Target, each_list, entry};
use crate::value::{AnyValue, KeyValue, Text};
use crate::view::Message;
use crate::wire::{Reader, put_len_delimited};

/// The attributes of one message: `'m` is that message, `'c` what new attributes are borrowed from.
#[derive(Debug)]
pub struct List<'m, 'c> {
    /// Those of the message in its order, removed ones included, then new ones.
    entries: Vec<Option<Pair<'m, 'c>>>,
    is_changed: bool,
}

/// The `KeyValue` message of one attribute.
#[derive(Debug)]
enum Pair<'m, 'c> {
    Message(&'m [u8]),
    Shared(&'c [u8]),
    Own(Vec<u8>),
}

impl Pair<'_, '_> {
    fn bytes(&self) -> &[u8] {
        #[expect(clippy::match_same_arms, reason = "the bytes live for different times")]
        match self {
            Self::Message(bytes) => bytes,
            Self::Shared(bytes) => bytes,
            Self::Own(bytes) => bytes,
        }
    }

    fn read(&self) -> KeyValue<'_> {
        KeyValue::read(self.bytes())
    }
}

impl<'m, 'c> List<'m, 'c> {
    fn read(message: &'m [u8], number: u32) -> Self {
        let pairs = Reader::new(message).filter(|(found, _)| *found == number);
        let entries = pairs.filter_map(|(_, pair)| pair.bytes()).map(Pair::Message).map(Some);
        Self { entries: entries.collect(), is_changed: false }
    }

    fn pairs(&self) -> impl Iterator<Item = KeyValue<'_>> {
        self.entries.iter().flatten().map(Pair::read)
    }

    /// The value of the first attribute with this key.
    pub fn get(&self, key: &str) -> Option<AnyValue<'_>> {
        let mut pairs = self.pairs();
        pairs.find(|pair| pair.key.as_bytes() == key.as_bytes()).map(KeyValue::value)
    }

    /// Whether there is an attribute with this key.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The attributes in the order of the message, new ones last; a key may stand twice.
    pub fn iter(&self) -> impl Iterator<Item = (Text<'_>, AnyValue<'_>)> {
        self.pairs().map(|pair| (pair.key, pair.value()))
    }

    /// The keys in the order of the message, those of new attributes last.
    pub fn keys(&self) -> impl Iterator<Item = Text<'_>> {
        self.pairs().map(|pair| pair.key)
    }

    /// Sets an attribute, whether its key is present or not.
    pub fn set(&mut self, attribute: &'c Attribute) {
        self.place(&attribute.key, Pair::Shared(&attribute.entry));
    }

    /// Sets an attribute that was made for this list alone.
    pub fn put(&mut self, attribute: Attribute) {
        self.place(&attribute.key, Pair::Own(attribute.entry));
    }

    /// Removes an attribute.
    pub fn remove(&mut self, key: &str) {
        self.remove_where(|found| found.as_bytes() == key.as_bytes());
    }

    /// Removes the attributes whose key a predicate picks.
    pub fn remove_where(&mut self, mut is_picked: impl FnMut(Text<'_>) -> bool) {
        for entry in &mut self.entries {
            if entry.as_ref().is_some_and(|pair| is_picked(pair.read().key)) {
                *entry = None;
                self.is_changed = true;
            }
        }
    }

    /// Puts the pair where its key stands first, and nowhere else.
    fn place(&mut self, key: &[u8], pair: Pair<'m, 'c>) {
        let mut pair = Some(pair);
        for entry in &mut self.entries {
            let Some(present) = entry.as_ref().filter(|pair| pair.read().key.as_bytes() == key)
            else {
                continue;
            };
            let is_same = pair.as_ref().is_some_and(|new| new.bytes() == present.bytes());
            let new = pair.take();
            if !is_same {
                *entry = new;
                self.is_changed = true;
            }
        }
        if pair.is_some() {
            self.entries.push(pair);
            self.is_changed = true;
        }
    }

    /// Appends the message with the changed list; returns whether it did change.
    fn write(&self, message: &[u8], number: u32, out: &mut Vec<u8>) -> bool {
        if !self.is_changed {
            out.extend_from_slice(message);
            return false;
        }
        let mut entries = self.entries.iter();
        let mut splice = Splice::new(message, out);
        while let Some(field) = splice.next() {
            if entry(field, number).is_none() {
                continue;
            }
            match entries.next() {
                Some(Some(Pair::Message(_))) => {}
                Some(Some(pair)) => put_len_delimited(splice.take_out(), number, pair.bytes()),
                Some(None) | None => drop(splice.take_out()),
            }
        }
        splice.finish();
        for pair in entries.flatten() {
            put_len_delimited(out, number, pair.bytes());
        }
        true
    }
}

/// Lets a function change each list of attributes.
pub fn rewrite<'c>(
    target: Target,
    message: &[u8],
    mut change: impl FnMut(&mut List<'_, 'c>),
    out: &mut Vec<u8>,
) -> bool {
    let edit: &mut EditList<'_> = &mut |holder, number, out| {
        let mut list = List::read(holder, number);
        change(&mut list);
        list.write(holder, number, out)
    };
    each_list(target, message, out, edit)
}
