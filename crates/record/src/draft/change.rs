//! Edits: messages replaced, tails set, items dropped, metrics divided.

use std::ops::Range;
use std::sync::Arc;

use super::{Draft, Item, NO_ORIGIN, State, emit, rewrite};
use crate::check::{Extent, Facts, Part, facts};
use crate::edit::{Field, replace_fields};
use crate::signal::Signal;
use crate::tail::{LOG_ATTRIBUTES, SPAN_ATTRIBUTES, TailId};

/// An arena of more than this is compacted before the next edit: 1 GiB.
const ARENA_BYTES_MAX: usize = 1 << 30;

/// The field of the schema's URL in what holds the items of a resource or of a scope.
pub(super) const SCHEMA_URL: u32 = 3;

impl Draft {
    /// Replaces the message of an item by what `edit` appends to the vector.
    ///
    /// What it appends must be a well-formed message of the same type; if it is not, the item
    /// stays.
    pub fn replace_item(&mut self, index: usize, edit: impl FnOnce(&[u8], &mut Vec<u8>)) {
        self.edit_item(index, |message, out| {
            edit(message, out);
            true
        });
    }

    /// Does the same if `edit` says that what it appended is another message; else the item stays.
    pub fn edit_item(&mut self, index: usize, edit: impl FnOnce(&[u8], &mut Vec<u8>) -> bool) {
        self.make_room();
        let Some(item) = self.columns.items.get(index).copied() else { return };
        if item.state == State::Dropped {
            return;
        }
        let mut is_changed = false;
        let message =
            self.write(item.state, item.message, |message, out| is_changed = edit(message, out));
        if !is_changed {
            return self.arena.truncate(message.start as usize);
        }
        let Some(facts) = facts(self.signal, message.of(&self.arena)) else {
            debug_assert!(false, "an edit wrote a damaged message");
            return;
        };
        self.changed = true;
        if let Some(item) = self.columns.items.get_mut(index) {
            item.settle(message, facts);
        }
        if item.tail != TailId::NONE {
            self.remove_keys_of(index, item.tail);
        }
    }

    /// Replaces the `Resource` of a group by what `edit` appends to the vector.
    pub fn replace_resource(&mut self, group: u32, edit: impl FnOnce(&[u8], &mut Vec<u8>)) {
        self.replace_identity(Part::Resource, group as usize, edit);
    }

    /// Replaces the `InstrumentationScope` of a group by what `edit` appends to the vector.
    pub fn replace_scope(&mut self, group: u32, edit: impl FnOnce(&[u8], &mut Vec<u8>)) {
        self.replace_identity(Part::Scope, group as usize, edit);
    }

    /// Sets the URL of the schema of a resource group.
    pub fn set_resource_schema(&mut self, group: u32, url: &[u8]) {
        self.replace_schema(Part::Resource, group as usize, url);
    }

    /// Sets the URL of the schema of a scope group.
    pub fn set_scope_schema(&mut self, group: u32, url: &[u8]) {
        self.replace_schema(Part::Scope, group as usize, url);
    }

    /// Adds a set of attributes to a record: to each data point of a metric. Attributes that it has
    /// under the same keys are removed.
    pub fn set_tail(&mut self, index: usize, id: TailId) {
        let (Some(item), Some(tail)) = (self.columns.items.get_mut(index), self.tails.get(id))
        else {
            return;
        };
        if item.state == State::Dropped || item.tail == id {
            return;
        }
        self.changed = true;
        let first = item.tail == TailId::NONE && item.keys & tail.keys == 0;
        if first && self.signal != Signal::Metrics {
            item.tail = id;
        } else {
            self.set_tail_with_care(index, id);
        }
    }

    /// Does the same where there are points, an earlier tail or perhaps the same keys.
    fn set_tail_with_care(&mut self, index: usize, id: TailId) {
        let Some(item) = self.columns.items.get(index).copied() else { return };
        let tails = Arc::clone(&self.tails);
        let Some(tail) = tails.get(id) else { return };
        if self.signal == Signal::Metrics {
            return self.replace_item(index, |metric, out| rewrite::tail_points(metric, tail, out));
        }
        if item.tail != TailId::NONE {
            self.settle_tail(index);
        }
        if self.columns.items.get(index).is_some_and(|item| item.keys & tail.keys != 0) {
            self.remove_keys_of(index, id);
        }
        if let Some(item) = self.columns.items.get_mut(index) {
            item.tail = id;
        }
    }

    /// Takes an item out: it is in no output.
    pub fn drop_item(&mut self, index: usize) {
        if let Some(item) = self.columns.items.get_mut(index) {
            item.state = State::Dropped;
            self.changed = true;
        }
    }

    /// Keeps of a metric the data points whose number, from 0, is in the range.
    pub(crate) fn keep_points(&mut self, index: usize, range: Range<u32>) {
        self.replace_item(index, |metric, out| rewrite::keep_points(metric, &range, out));
    }

    /// Makes several metrics of one where `pieces` says so: it is told the bytes of a batch with a
    /// metric without its data points, and the bytes of each of these.
    pub(crate) fn divide_metrics(&mut self, pieces: impl Fn(usize, &[usize]) -> Vec<Range<u32>>) {
        let mut items = Vec::with_capacity(self.len());
        for index in 0..self.len() {
            let Some(item) = self.items().get(index).copied() else { continue };
            let (base, points) = rewrite::point_sizes(self.message(&item));
            let fixed = emit::field_len(base) + self.overhead(index, None);
            let pieces = pieces(fixed, &points);
            if pieces.len() < 2 {
                items.push(item);
                continue;
            }
            for piece in pieces {
                self.keep_points(index, piece);
                items.extend(self.items().get(index).copied());
                if let Some(slot) = self.columns.items.get_mut(index) {
                    *slot = item;
                }
            }
        }
        self.columns.items = items;
    }

    /// Puts several items in the place of one, in this order, each with a message of its own; all
    /// else that is known of the item is true of each.
    pub fn divide_item(&mut self, index: usize, messages: &[Vec<u8>]) {
        let Some(item) = self.columns.items.get(index).copied() else { return };
        let mut pieces = Vec::with_capacity(messages.len());
        for message in messages {
            self.replace_item(index, |_, out| out.extend_from_slice(message));
            pieces.extend(self.items().get(index).copied());
            if let Some(slot) = self.columns.items.get_mut(index) {
                *slot = item;
            }
        }
        // Into nothing is a change as well.
        self.changed = true;
        self.columns.items.splice(index..=index, pieces);
    }

    /// Adds an item with a message of its own to the scope of another one; all else that is known of
    /// that one is true of it.
    pub fn add_item(&mut self, like: usize, message: &[u8]) {
        self.settle_tail(like);
        let Some(item) = self.columns.items.get(like).copied() else { return };
        self.replace_item(like, |_, out| out.extend_from_slice(message));
        let Some(slot) = self.columns.items.get_mut(like) else { return };
        let added = std::mem::replace(slot, item);
        self.columns.items.push(Item { origin: NO_ORIGIN, ..added });
    }

    /// Lets no batch be the input itself, in which containers without an item take room.
    pub(crate) fn drop_empty_containers(&mut self) {
        self.changed = true;
    }

    /// The bytes that an item takes in a batch.
    pub(crate) fn item_len(&self, index: usize) -> usize {
        emit::field_len(self.item_bytes(index).len())
    }

    /// The bytes that the containers of an item add to a batch in which those of `open`, numbers of
    /// a resource and a scope, are written last. At most, as lengths of lengths are not known yet.
    pub(crate) fn overhead(&self, index: usize, open: Option<(u32, u32)>) -> usize {
        const HEADER_BYTES_MAX: usize = 6;
        let (resource, scope) = (self.resource_group(index), self.scope_group(index));
        if open == Some((resource, scope)) {
            return 0;
        }
        let mut bytes = HEADER_BYTES_MAX + self.columns.rests_len(Part::Scope, scope);
        if open.is_none_or(|(open, _)| open != resource) {
            bytes += HEADER_BYTES_MAX + self.columns.rests_len(Part::Resource, resource);
        }
        if open.is_none() {
            bytes += self.columns.request_rests().iter().map(|rest| rest.len()).sum::<usize>();
        }
        bytes
    }

    /// Makes the tail part of the message, if there is one: so that another can follow, or that an
    /// edit of the message sees all attributes.
    pub fn settle_tail(&mut self, index: usize) {
        let Some(item) = self.columns.items.get_mut(index) else { return };
        if item.tail == TailId::NONE {
            return;
        }
        let id = std::mem::replace(&mut item.tail, TailId::NONE);
        let tails = Arc::clone(&self.tails);
        let (Some(tail), signal) = (tails.get(id), self.signal) else { return };
        self.replace_item(index, |message, out| {
            out.extend_from_slice(message);
            out.extend_from_slice(if signal == Signal::Traces { tail.span() } else { tail.log() });
        });
    }

    /// Removes the attributes from a record that a tail will bring.
    fn remove_keys_of(&mut self, index: usize, id: TailId) {
        let number = match self.signal {
            Signal::Logs => LOG_ATTRIBUTES,
            Signal::Traces => SPAN_ATTRIBUTES,
            Signal::Metrics => return,
        };
        let tails = Arc::clone(&self.tails);
        let Some(tail) = tails.get(id) else { return };
        if !rewrite::has_key_of(self.item_bytes(index), number, tail) {
            return;
        }
        let Some(item) = self.columns.items.get_mut(index) else { return };
        let kept = std::mem::replace(&mut item.tail, TailId::NONE);
        self.replace_item(index, |message, out| rewrite::without(message, number, tail, out));
        if let Some(item) = self.columns.items.get_mut(index) {
            item.tail = kept;
        }
    }

    fn replace_identity(
        &mut self,
        part: Part,
        group: usize,
        edit: impl FnOnce(&[u8], &mut Vec<u8>),
    ) {
        self.make_room();
        let containers =
            if part == Part::Scope { &self.columns.scopes } else { &self.columns.resources };
        let Some(container) = containers.get(group).copied() else { return };
        let identity = self.write(container.state, container.identity, edit);
        let head = self.columns.head_with(part, group, identity, &self.input, &mut self.arena);
        let containers = if part == Part::Scope {
            &mut self.columns.scopes
        } else {
            &mut self.columns.resources
        };
        if let Some(container) = containers.get_mut(group) {
            container.state = State::Edited;
            container.identity = identity;
            container.head = Some(head);
            self.changed = true;
        }
    }

    fn replace_schema(&mut self, part: Part, group: usize, url: &[u8]) {
        self.replace_identity(part, group, |identity, out| out.extend_from_slice(identity));
        let containers = if part == Part::Scope {
            &mut self.columns.scopes
        } else {
            &mut self.columns.resources
        };
        let Some(container) = containers.get_mut(group) else { return };
        let Some(head) = container.head else { return };
        let before = head.of(&self.arena).to_vec();
        let contents: &[Field<'_>] = if url.is_empty() { &[] } else { &[Field::Bytes(url)] };
        let start = self.arena.len();
        replace_fields(&before, SCHEMA_URL, &[], contents, &mut self.arena);
        container.head = Some(Extent::new(start, self.arena.len()));
    }

    /// Lets `edit` append to the arena what it makes of some bytes; returns where that is.
    fn write(
        &mut self,
        state: State,
        extent: Extent,
        edit: impl FnOnce(&[u8], &mut Vec<u8>),
    ) -> Extent {
        let start = self.arena.len();
        if state == State::Edited {
            let source = extent.of(&self.arena).to_vec();
            edit(&source, &mut self.arena);
        } else {
            edit(extent.of(&self.input), &mut self.arena);
        }
        Extent::new(start, self.arena.len())
    }

    /// Keeps positions in the arena within 32 bits.
    fn make_room(&mut self) {
        if self.arena.len() > ARENA_BYTES_MAX {
            self.compact();
        }
    }

    /// Forgets what the arena holds of messages that were edited again.
    pub(super) fn compact(&mut self) {
        let old = std::mem::take(&mut self.arena);
        let mut keep = |extent: &mut Extent| {
            let start = self.arena.len();
            self.arena.extend_from_slice(extent.of(&old));
            *extent = Extent::new(start, self.arena.len());
        };
        let columns = &mut self.columns;
        for container in columns.scopes.iter_mut().chain(&mut columns.resources) {
            if container.state == State::Edited {
                keep(&mut container.identity);
            }
            if let Some(head) = &mut container.head {
                keep(head);
            }
        }
        for item in columns.items.iter_mut().filter(|item| item.state == State::Edited) {
            let body = (item.body.start - item.message.start, item.body.len());
            keep(&mut item.message);
            let start = (item.message.start + body.0) as usize;
            item.body = Extent::new(start, start + body.1);
        }
    }
}

impl Item {
    /// Points to a message in the arena.
    fn settle(&mut self, message: Extent, facts: Facts) {
        self.state = State::Edited;
        self.message = message;
        self.body =
            Extent { start: message.start + facts.body.start, end: message.start + facts.body.end };
        self.keys = facts.keys;
        self.records = facts.records;
        self.severity = facts.severity;
    }
}
