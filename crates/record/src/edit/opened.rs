//! A message taken apart into its fields: read and changed any number of times, written once.
//!
//! The parts are places, not bytes: what is untouched stays where it is in the message, what is new
//! stands in a buffer beside it, and only [`Patch::write`] puts both together. Places need no
//! allocation for each message: their buffers go round on each thread.

mod pool;
mod slot;

use std::cell::OnceCell;

use super::Attribute;
use super::field::{Field, replace_fields};
use super::nested;
use crate::check::Extent;
use crate::value::AnyValue;
use crate::wire::{LEN, Reader, put_len_delimited, put_tag, put_varint};
use pool::Buffers;
use slot::{Origin, Slot, mark, take_apart};

/// With more than this made for one message, it is written in between: 16 MiB.
const MADE_BYTES_MAX: usize = 16 << 20;

/// What was changed in a message, apart from the message itself.
#[derive(Debug)]
pub struct Patch {
    /// A message that took the place of the one that was opened.
    instead: Option<Vec<u8>>,
    buffers: Buffers,
    /// Whether something is not as in the message.
    is_touched: bool,
}

impl Patch {
    /// Whether anything was changed.
    pub fn is_changed(&self) -> bool {
        self.is_touched || self.instead.is_some()
    }

    /// Appends what became of the message that was opened.
    pub fn write(&self, message: &[u8], out: &mut Vec<u8>) {
        let message = self.instead.as_deref().unwrap_or(message);
        out.reserve(message.len() + self.buffers.made.len());
        let mut copied = 0;
        let changed = self.buffers.slots.iter().filter(|slot| slot.origin != Origin::Message);
        for slot in changed.filter(|_| self.is_touched) {
            let untouched = message.get(copied..slot.was.start as usize);
            out.extend_from_slice(untouched.unwrap_or_default());
            copied = slot.was.end as usize;
            if slot.origin == Origin::Made {
                out.extend_from_slice(slot.field.of(&self.buffers.made));
            }
        }
        out.extend_from_slice(message.get(copied..).unwrap_or_default());
    }
}

impl Drop for Patch {
    fn drop(&mut self) {
        std::mem::take(&mut self.buffers).give_back();
    }
}

/// What becomes of further attributes under a key that is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twins {
    /// They stay.
    Kept,
    /// They are removed.
    Removed,
}

/// A message and what was changed in it.
#[derive(Debug)]
pub struct Opened<'m> {
    message: &'m [u8],
    /// The number of the field that holds its attributes.
    list: u32,
    patch: Patch,
    written: OnceCell<Vec<u8>>,
}

impl<'m> Opened<'m> {
    /// Takes a message apart that keeps its attributes in the field with this number.
    pub fn new(message: &'m [u8], list: u32) -> Self {
        let mut buffers = Buffers::take();
        take_apart(message, list, &mut buffers.slots);
        let patch = Patch { instead: None, buffers, is_touched: false };
        Self { message, list, patch, written: OnceCell::new() }
    }

    /// The number of the field that holds its attributes.
    pub fn list(&self) -> u32 {
        self.list
    }

    /// Whether anything was changed.
    pub fn is_changed(&self) -> bool {
        self.patch.is_changed()
    }

    /// The message as it is now.
    pub fn as_bytes(&self) -> &[u8] {
        if !self.patch.is_touched {
            return self.base();
        }
        self.written.get_or_init(|| {
            let mut out = Vec::new();
            self.patch.write(self.message, &mut out);
            out
        })
    }

    /// The message that the places are in.
    #[inline]
    fn base(&self) -> &[u8] {
        self.patch.instead.as_deref().unwrap_or(self.message)
    }

    /// What was changed, for the message that was opened.
    pub fn into_patch(self) -> Patch {
        self.patch
    }

    #[inline]
    fn of(&self, origin: Origin, extent: Extent) -> &[u8] {
        match origin {
            Origin::Message => extent.of(self.base()),
            Origin::Made => extent.of(&self.patch.buffers.made),
            Origin::Nowhere => &[],
        }
    }

    fn present(&self) -> impl DoubleEndedIterator<Item = &Slot> {
        self.patch.buffers.slots.iter().filter(|slot| slot.origin != Origin::Nowhere)
    }

    /// The field with this number; the last one counts.
    #[inline]
    pub fn field(&self, number: u32) -> Option<Field<'_>> {
        let slot = self.present().rev().find(|slot| slot.number == number)?;
        super::fields(self.of(slot.origin, slot.field)).next().map(|(_, field)| field)
    }

    /// The attributes, each with its key and its value, which is an `AnyValue` message.
    #[inline]
    pub fn attributes(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let slots = self.patch.buffers.slots.iter().filter(|slot| slot.mark != 0);
        slots.map(|slot| (self.of(slot.origin, slot.key), self.of(slot.origin, slot.value)))
    }

    /// The value of the first attribute with this key, an `AnyValue` message.
    #[inline]
    pub fn attribute(&self, key: &[u8]) -> Option<&[u8]> {
        let slot = self.patch.buffers.slots.get(self.position(key)?)?;
        Some(self.of(slot.origin, slot.value))
    }

    #[inline]
    fn position(&self, key: &[u8]) -> Option<usize> {
        let mark = mark(key);
        let is_it = |slot: &Slot| slot.mark == mark && self.of(slot.origin, slot.key) == key;
        self.patch.buffers.slots.iter().position(is_it)
    }

    /// Sets the value of an attribute to what `encode` appends, the fields of an `AnyValue`: where
    /// its key stands first, or else at the end. Returns whether that changed anything.
    pub fn set(&mut self, key: &[u8], twins: Twins, encode: impl FnOnce(&mut Vec<u8>)) -> bool {
        self.make_room();
        let made = &mut self.patch.buffers.made;
        let start = made.len();
        let pair = nested::open(self.list, made);
        put_len_delimited(made, 1, key);
        let value = nested::open(2, made);
        encode(made);
        nested::close(value, made);
        nested::close(pair, made);
        self.place_attribute(key, twins, start)
    }

    /// Sets the value of an attribute to an encoded `AnyValue`.
    pub fn set_value(&mut self, key: &[u8], twins: Twins, value: &[u8]) -> bool {
        self.make_room();
        let made = &mut self.patch.buffers.made;
        let start = made.len();
        let pair_len = nested::len(key.len()) + nested::len(value.len());
        put_tag(made, self.list, LEN);
        put_varint(made, pair_len as u64);
        put_len_delimited(made, 1, key);
        put_len_delimited(made, 2, value);
        let (end, key_end) = (made.len(), made.len() - nested::len(value.len()));
        let slot = Slot {
            number: self.list,
            mark: mark(key),
            origin: Origin::Made,
            was: Extent::default(),
            field: Extent::new(start, end),
            key: Extent::new(key_end - key.len(), key_end),
            value: Extent::new(end - value.len(), end),
        };
        self.place_slot(key, twins, start, slot)
    }

    /// Sets an attribute that was encoded before.
    pub fn set_encoded(&mut self, attribute: &Attribute, twins: Twins) -> bool {
        self.make_room();
        let made = &mut self.patch.buffers.made;
        let start = made.len();
        put_len_delimited(made, self.list, &attribute.entry);
        self.place_attribute(&attribute.key, twins, start)
    }

    /// Sets an attribute to the value of another one, if there is that one.
    pub fn copy(&mut self, from: &[u8], to: &[u8], twins: Twins) -> bool {
        self.make_room();
        let slot = self.position(from).and_then(|at| self.patch.buffers.slots.get(at)).copied();
        let Some(slot) = slot else { return false };
        let list = self.list;
        let (message, made) = self.sides();
        let start = made.len();
        let pair = nested::open(list, made);
        put_len_delimited(made, 1, to);
        let value = nested::open(2, made);
        append(slot.origin, slot.value, message, made);
        nested::close(value, made);
        nested::close(pair, made);
        self.place_attribute(to, twins, start)
    }

    /// Puts the attribute that was made last where its key stands first, or else at the end.
    fn place_attribute(&mut self, key: &[u8], twins: Twins, start: usize) -> bool {
        let slot = self.made_from(start);
        self.place_slot(key, twins, start, slot)
    }

    fn place_slot(&mut self, key: &[u8], twins: Twins, start: usize, mut slot: Slot) -> bool {
        let Some(at) = self.position(key) else {
            slot.was = self.end();
            self.patch.buffers.slots.push(slot);
            return self.touch();
        };
        let has_twins = twins == Twins::Removed && self.remove_twins(key, at);
        self.replace(at, slot, start) | has_twins
    }

    /// The attribute that was made last, which starts here.
    fn made_from(&self, start: usize) -> Slot {
        let made = &self.patch.buffers.made;
        let extent = Extent::new(start, made.len());
        let field = Reader::new(extent.of(made)).next();
        let pair = field.and_then(|(_, field)| field.bytes()).unwrap_or_default();
        Slot { origin: Origin::Made, ..Slot::attribute(self.list, pair, extent) }
    }

    /// Puts a field that was made last where another one is; returns whether it is another one.
    fn replace(&mut self, at: usize, made: Slot, start: usize) -> bool {
        let Some(present) = self.patch.buffers.slots.get(at).copied() else { return false };
        let is_same =
            self.of(present.origin, present.field) == made.field.of(&self.patch.buffers.made);
        if is_same {
            self.patch.buffers.made.truncate(start);
            return false;
        }
        if let Some(slot) = self.patch.buffers.slots.get_mut(at) {
            *slot = Slot { was: present.was, ..made };
        }
        self.touch()
    }

    fn remove_twins(&mut self, key: &[u8], first: usize) -> bool {
        let mut is_changed = false;
        for at in first + 1..self.patch.buffers.slots.len() {
            let Some(slot) = self.patch.buffers.slots.get(at).copied() else { break };
            if slot.mark == mark(key) && self.of(slot.origin, slot.key) == key {
                is_changed |= self.remove_at(at);
            }
        }
        is_changed
    }

    fn remove_at(&mut self, at: usize) -> bool {
        if let Some(slot) = self.patch.buffers.slots.get_mut(at) {
            slot.origin = Origin::Nowhere;
            slot.mark = 0;
        }
        self.touch()
    }

    /// Removes the attributes with this key; returns whether there was one.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let Some(at) = self.position(key) else { return false };
        self.remove_twins(key, at);
        self.remove_at(at)
    }

    /// Removes the attributes that are not kept; returns whether there was one.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&[u8], &[u8]) -> bool) -> bool {
        let mut is_changed = false;
        for at in 0..self.patch.buffers.slots.len() {
            let Some(slot) = self.patch.buffers.slots.get(at).copied() else { break };
            let part = |extent| self.of(slot.origin, extent);
            if slot.mark != 0 && !is_kept(part(slot.key), part(slot.value)) {
                is_changed |= self.remove_at(at);
            }
        }
        is_changed
    }

    /// Sets the value of each attribute for which `change` appends one and says so; returns whether
    /// any is another one.
    pub fn map(
        &mut self,
        mut change: impl FnMut(&[u8], AnyValue<'_>, &mut Vec<u8>) -> bool,
    ) -> bool {
        self.make_room();
        let mut is_changed = false;
        let mut value = Vec::new();
        for at in 0..self.patch.buffers.slots.len() {
            let Some(slot) = self.patch.buffers.slots.get(at).copied() else { break };
            let part = |extent| self.of(slot.origin, extent);
            value.clear();
            if slot.mark == 0
                || !change(part(slot.key), AnyValue::new(part(slot.value)), &mut value)
            {
                continue;
            }
            let list = self.list;
            let (message, made) = self.sides();
            let start = made.len();
            let pair = nested::open(list, made);
            let key = nested::open(1, made);
            append(slot.origin, slot.key, message, made);
            nested::close(key, made);
            put_len_delimited(made, 2, &value);
            nested::close(pair, made);
            let new = self.made_from(start);
            is_changed |= self.replace(at, new, start);
        }
        is_changed
    }

    /// Cuts texts among the values to at most this many bytes, at the border of a character; returns
    /// whether there was a longer one.
    pub fn truncate(&mut self, len_max: usize) -> bool {
        let is_longer = |value: &[u8]| {
            let text = || AnyValue::new(value).as_str();
            value.len() > len_max && text().is_some_and(|text| text.len() > len_max)
        };
        if !self.attributes().any(|(_, value)| is_longer(value)) {
            return false;
        }
        self.map(|_, value, out| {
            let Some(text) = value.as_str().filter(|text| text.len() > len_max) else {
                return false;
            };
            let kept = text.get(..text.floor_char_boundary(len_max)).unwrap_or_default();
            put_len_delimited(out, 1, kept.as_bytes());
            true
        })
    }

    /// Puts a field where its number stands first, or else at the end; none leaves it out. The
    /// fields of `without`, which are the other members of its `oneof`, are left out, too. Returns
    /// whether that changed anything.
    pub fn put(&mut self, number: u32, without: &[u32], contents: Option<Field<'_>>) -> bool {
        if number == self.list || without.contains(&self.list) {
            return self.put_all(number, without, contents.as_slice());
        }
        self.make_room();
        let mut pending = contents;
        let mut is_changed = false;
        for at in 0..self.patch.buffers.slots.len() {
            let Some(slot) = self.patch.buffers.slots.get(at).copied() else { break };
            if slot.origin == Origin::Nowhere {
                continue;
            }
            if slot.number == number {
                is_changed |= match pending.take() {
                    Some(field) => self.put_at(Some(at), number, field),
                    None => self.remove_at(at),
                };
            } else if without.contains(&slot.number) {
                is_changed |= self.remove_at(at);
            }
        }
        pending.is_some_and(|field| self.put_at(None, number, field)) || is_changed
    }

    fn put_at(&mut self, at: Option<usize>, number: u32, field: Field<'_>) -> bool {
        let made = &mut self.patch.buffers.made;
        let start = made.len();
        field.put(number, made);
        let extent = Extent::new(start, made.len());
        let slot = Slot { was: self.end(), ..Slot::field(number, Origin::Made, extent) };
        if let Some(at) = at {
            return self.replace(at, slot, start);
        }
        self.patch.buffers.slots.push(slot);
        self.touch()
    }

    /// Does the same with any number of contents, or where these are the attributes.
    pub fn put_all(&mut self, number: u32, without: &[u32], contents: &[Field<'_>]) -> bool {
        let mut out = Vec::with_capacity(self.base().len() + 64);
        replace_fields(self.as_bytes(), number, without, contents, &mut out);
        self.become_message(out)
    }

    /// Becomes another message; returns whether it is another one.
    pub fn become_message(&mut self, message: Vec<u8>) -> bool {
        if self.as_bytes() == message {
            return false;
        }
        self.start_from(message);
        true
    }

    fn start_from(&mut self, message: Vec<u8>) {
        self.patch.buffers.clear();
        take_apart(&message, self.list, &mut self.patch.buffers.slots);
        self.patch.instead = Some(message);
        self.patch.is_touched = false;
        self.written.take();
    }

    /// Forgets what was made and is no longer there, before that is too much.
    fn make_room(&mut self) {
        if self.patch.buffers.made.len() > MADE_BYTES_MAX {
            let written = self.as_bytes().to_vec();
            self.start_from(written);
        }
    }

    /// The message that the places are in, and the buffer beside it.
    fn sides(&mut self) -> (&[u8], &mut Vec<u8>) {
        let Patch { instead, buffers, .. } = &mut self.patch;
        (instead.as_deref().unwrap_or(self.message), &mut buffers.made)
    }

    fn end(&self) -> Extent {
        let len = self.base().len();
        Extent::new(len, len)
    }

    fn touch(&mut self) -> bool {
        self.written.take();
        self.patch.is_touched = true;
        true
    }
}

/// Appends to what was made bytes of the message or of itself.
fn append(origin: Origin, from: Extent, message: &[u8], made: &mut Vec<u8>) {
    match origin {
        Origin::Message => made.extend_from_slice(from.of(message)),
        Origin::Made => made.extend_from_within(from.start as usize..from.end as usize),
        Origin::Nowhere => {}
    }
}

#[cfg(test)]
mod tests;
