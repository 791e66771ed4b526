//! A batch that is being edited and routed.
//!
//! One walk over the bytes checks them and builds an index of the records. Processors then change
//! columns of that index: classes, routes, tails of added attributes. What they rewrite goes to an
//! arena beside the input. [`Draft::emit`] writes one batch for each output by copying ranges, as
//! long as possible, of input and arena.

mod change;
mod emit;
mod fold;
mod index;
mod regroup;
mod rewrite;
mod texts;

use std::sync::Arc;

use bytes::Bytes;

use crate::check::{CheckError, Checked, Extent, Part, key_and_value, key_bit, walk};
use crate::edit::{Field, field};
use crate::limits::Limits;
use crate::signal::Signal;
use crate::tail::{LOG_ATTRIBUTES, SPAN_ATTRIBUTES, TailId, Tails};
use crate::value::AnyValue;
use index::{Columns, Indexer};

pub use emit::Emitted;
pub use fold::Folded;

/// The origin of an item that a processor added.
const NO_ORIGIN: u32 = u32::MAX;

/// One log record, span or metric in a [`Draft`].
#[derive(Debug, Clone, Copy)]
pub struct Item {
    /// Whatever the classifier makes of it: 0 none, 1 info, 2 warning, 3 critical.
    pub class: u8,
    /// The severity number of a log record; 0 if unset.
    pub severity: u8,
    state: State,
    /// Where it goes; what the number means is up to the program.
    pub route: u16,
    /// Data points of a metric, else 1.
    pub records: u32,
    scope: u32,
    /// Its place in the batch as it came; [`NO_ORIGIN`] for one that was added.
    origin: u32,
    tail: TailId,
    message: Extent,
    body: Extent,
    keys: u64,
}

/// Where the bytes of an item are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the input, as they came.
    Input,
    /// In the arena.
    Edited,
    /// Nowhere any more.
    Dropped,
}

impl Item {
    /// The place in the batch as it came of the item that this one is, or is a piece of; none when a
    /// processor added it.
    pub fn origin(&self) -> Option<usize> {
        (self.origin != NO_ORIGIN).then_some(self.origin as usize)
    }

    /// Whether a processor dropped it.
    pub fn is_dropped(&self) -> bool {
        self.state == State::Dropped
    }
}

/// A checked batch, indexed, to be edited and routed.
#[derive(Debug)]
pub struct Draft {
    signal: Signal,
    input: Bytes,
    tails: Arc<Tails>,
    columns: Columns,
    /// Messages that processors wrote.
    arena: Vec<u8>,
    records: u32,
    changed: bool,
}

impl Draft {
    /// Checks a batch that came from outside and indexes it on the way.
    pub fn check(
        signal: Signal,
        bytes: Bytes,
        limits: &Limits,
        tails: &Arc<Tails>,
    ) -> Result<Self, CheckError> {
        let mut indexer = Indexer::new(signal, &bytes);
        walk(signal, &bytes, limits, &mut indexer)?;
        let (columns, arena, records) = indexer.finish();
        let tails = Arc::clone(tails);
        Ok(Self { signal, input: bytes, tails, columns, arena, records, changed: false })
    }

    /// Indexes a batch that is known to be well formed; of a damaged one, nothing.
    pub fn from_checked(checked: &Checked, tails: &Arc<Tails>) -> Self {
        let limits = Limits {
            depth_max: u32::MAX,
            record_bytes_max: usize::MAX,
            batch_bytes_max: usize::MAX,
        };
        let bytes = checked.bytes().clone();
        Self::check(checked.signal(), bytes, &limits, tails).unwrap_or_else(|_| Self {
            signal: checked.signal(),
            input: Bytes::new(),
            tails: Arc::clone(tails),
            columns: Columns::take(),
            arena: Vec::new(),
            records: 0,
            changed: true,
        })
    }

    /// The kind of telemetry.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// The bytes that the draft was made of.
    pub fn input(&self) -> &Bytes {
        &self.input
    }

    /// The attribute sets that can be added to its records.
    pub fn tails(&self) -> &Arc<Tails> {
        &self.tails
    }

    /// The number of log records, spans or data points that came.
    pub fn records(&self) -> u32 {
        self.records
    }

    /// The number of items: log records, spans or metrics, dropped ones included.
    pub fn len(&self) -> usize {
        self.columns.items.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.columns.items.is_empty()
    }

    /// The items in the order of the batch.
    pub fn items(&self) -> &[Item] {
        &self.columns.items
    }

    /// The items, to set classes and routes.
    pub fn items_mut(&mut self) -> &mut [Item] {
        &mut self.columns.items
    }

    /// Whether every item is as it came.
    pub fn is_unchanged(&self) -> bool {
        !self.changed
    }

    /// The current message of an item, without its tail; empty if it was dropped.
    #[inline]
    pub fn item_bytes(&self, index: usize) -> &[u8] {
        self.columns.items.get(index).map_or(&[], |item| self.message(item))
    }

    /// The body of a log record if it is a string, else nothing.
    #[inline]
    pub fn body(&self, index: usize) -> &[u8] {
        self.columns.items.get(index).map_or(&[], |item| self.body_of(item))
    }

    #[inline]
    fn message(&self, item: &Item) -> &[u8] {
        self.bytes_of(item.state, item.message)
    }

    #[inline]
    fn body_of(&self, item: &Item) -> &[u8] {
        self.bytes_of(item.state, item.body)
    }

    #[inline]
    fn bytes_of(&self, state: State, extent: Extent) -> &[u8] {
        match state {
            State::Input => extent.of(&self.input),
            State::Edited => extent.of(&self.arena),
            State::Dropped => &[],
        }
    }

    /// An attribute of a record, its tail included; of a metric, of its first data point.
    pub fn attribute(&self, index: usize, key: &[u8]) -> Option<AnyValue<'_>> {
        self.attribute_message(index, key).map(AnyValue::new)
    }

    fn attribute_message(&self, index: usize, key: &[u8]) -> Option<&[u8]> {
        let item = self.columns.items.get(index)?;
        let bit = key_bit(key);
        if item.tail != TailId::NONE
            && let Some(tail) = self.tails.get(item.tail)
            && tail.keys & bit != 0
            && let Some(pair) = tail.pair(key)
        {
            return Some(key_and_value(pair).1);
        }
        if item.keys & bit == 0 {
            return None;
        }
        let message = self.message(item);
        match self.signal {
            Signal::Logs => rewrite::attribute(message, LOG_ATTRIBUTES, key),
            Signal::Traces => rewrite::attribute(message, SPAN_ATTRIBUTES, key),
            Signal::Metrics => rewrite::point_attribute(message, key),
        }
    }

    /// The number of the resource that an item belongs to: groups are numbered from 0.
    pub fn resource_group(&self, index: usize) -> u32 {
        let scope = self.scope_group(index);
        self.columns.scopes.get(scope as usize).map_or(0, |scope| scope.parent)
    }

    /// The number of the scope that an item belongs to: groups are numbered from 0.
    pub fn scope_group(&self, index: usize) -> u32 {
        self.columns.items.get(index).map_or(0, |item| item.scope)
    }

    /// The number of the resource that a scope belongs to.
    pub fn scope_resource(&self, scope: u32) -> u32 {
        self.columns.scopes.get(scope as usize).map_or(0, |scope| scope.parent)
    }

    /// The number of resources, those without an item included.
    pub fn resource_groups(&self) -> u32 {
        index::number(self.columns.resources.len())
    }

    /// The number of scopes, those without an item included.
    pub fn scope_groups(&self) -> u32 {
        index::number(self.columns.scopes.len())
    }

    /// The `Resource` message of a group; empty if there is none.
    pub fn group_resource(&self, group: u32) -> &[u8] {
        let resource = self.columns.resources.get(group as usize);
        resource.map_or(&[], |resource| self.bytes_of(resource.state, resource.identity))
    }

    /// The `InstrumentationScope` message of a group; empty if there is none.
    pub fn group_scope(&self, group: u32) -> &[u8] {
        let scope = self.columns.scopes.get(group as usize);
        scope.map_or(&[], |scope| self.bytes_of(scope.state, scope.identity))
    }

    /// The `Resource` message of an item; empty if there is none.
    pub fn resource(&self, index: usize) -> &[u8] {
        self.group_resource(self.resource_group(index))
    }

    /// The `InstrumentationScope` message of an item; empty if there is none.
    pub fn scope(&self, index: usize) -> &[u8] {
        self.group_scope(self.scope_group(index))
    }

    /// The URL of the schema of a resource group; empty if there is none.
    pub fn group_resource_schema(&self, group: u32) -> &[u8] {
        self.schema(Part::Resource, self.columns.resources.get(group as usize))
    }

    /// The URL of the schema of a scope group; empty if there is none.
    pub fn group_scope_schema(&self, group: u32) -> &[u8] {
        self.schema(Part::Scope, self.columns.scopes.get(group as usize))
    }

    fn schema(&self, part: Part, container: Option<&index::Container>) -> &[u8] {
        let Some(container) = container else { return &[] };
        let of = |bytes| field(bytes, change::SCHEMA_URL).and_then(Field::bytes);
        if let Some(head) = container.head {
            return of(head.of(&self.arena)).unwrap_or_default();
        }
        let (before, after) = self.columns.rests(part, container);
        let found = before.iter().chain(after).filter_map(|rest| of(rest.of(&self.input))).last();
        found.unwrap_or_default()
    }

    /// An attribute of an item's resource.
    pub fn resource_attribute(&self, index: usize, key: &[u8]) -> Option<AnyValue<'_>> {
        rewrite::attribute(self.resource(index), 1, key).map(AnyValue::new)
    }

    /// An attribute of an item's scope.
    pub fn scope_attribute(&self, index: usize, key: &[u8]) -> Option<AnyValue<'_>> {
        rewrite::attribute(self.scope(index), 3, key).map(AnyValue::new)
    }

    /// A second draft of the same content, to be edited independently. Bytes are shared.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            signal: self.signal,
            input: self.input.clone(),
            tails: Arc::clone(&self.tails),
            columns: self.columns.fork(),
            arena: self.arena.clone(),
            records: self.records,
            changed: self.changed,
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        std::mem::take(&mut self.columns).give_back();
    }
}

#[cfg(test)]
mod moves;
#[cfg(test)]
mod tests;
