//! Writing the batches of the outputs.
//!
//! Two passes over the items, whatever the number of outputs: the first finds the sizes, the second
//! fills one buffer of exactly that size for each output. Neighbors that stay neighbors are copied
//! in one piece.

#![expect(
    clippy::cast_possible_truncation,
    reason = "outputs are numbered with 16 bits, and bytes are cut out of lengths on purpose"
)]

use bytes::Bytes;

use super::index::{Columns, Container};
use super::{Draft, Item, State};
use crate::check::{Extent, Part};
use crate::signal::Signal;
use crate::tail::{TailId, Tails};
use crate::wire::{put_varint, varint_len};

/// The tag of the resources in a request.
const TAG_RESOURCE: u8 = 0x0A;
/// The tag of the scopes in a resource and of the items in a scope.
const TAG_CHILD: u8 = 0x12;

/// The batch of one output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emitted {
    /// The number of the output.
    pub output: u16,
    /// An export request.
    pub bytes: Bytes,
    /// The number of log records, spans or data points in it.
    pub records: u32,
}

impl Draft {
    /// Writes the batches of `outputs` outputs. `by` says which one an item belongs to, counted
    /// from 0; any other number, such as `u16::MAX`, means none. Outputs without an item get no
    /// batch.
    ///
    /// A draft that is unchanged and belongs to one output is its input.
    pub fn emit(&mut self, by: impl Fn(&Item) -> u16, outputs: usize) -> Vec<Emitted> {
        let Some(first) = self.items().first().map(&by) else { return Vec::new() };
        if !self.changed && self.items().iter().all(|item| by(item) == first) {
            let (bytes, records) = (self.input.clone(), self.records);
            let known = usize::from(first) < outputs;
            return known
                .then_some(Emitted { output: first, bytes, records })
                .into_iter()
                .collect();
        }
        if !self.items().is_sorted_by_key(|item| item.scope) {
            self.columns.items.sort_by_key(|item| item.scope);
        }
        let tails = TailBytes { tails: &self.tails, signal: self.signal };
        let mut plans: Vec<Plan> = std::iter::repeat_with(Plan::default).take(outputs).collect();
        let mut numbers = Vec::with_capacity(self.len());
        for item in self.items() {
            let number = if item.is_dropped() { u16::MAX } else { by(item) };
            numbers.push(number);
            if let Some(plan) = plans.get_mut(usize::from(number)) {
                plan.add(item, tails.get(item.tail).len());
            }
        }
        let columns = &self.columns;
        let mut writers: Vec<Writer<'_>> =
            plans.into_iter().map(|plan| Writer::new(self, plan.finish(columns))).collect();
        for (item, number) in columns.items.iter().zip(numbers) {
            if let Some(writer) = writers.get_mut(usize::from(number)) {
                writer.put(item, &tails);
            }
        }
        let emitted = writers.into_iter().enumerate().filter(|(_, writer)| writer.plan.items > 0);
        emitted.map(|(output, writer)| writer.finish(output as u16)).collect()
    }
}

/// The tails as fields of the signal's items.
struct TailBytes<'a> {
    tails: &'a Tails,
    signal: Signal,
}

impl<'a> TailBytes<'a> {
    #[inline]
    fn get(&self, id: TailId) -> &'a [u8] {
        if id == TailId::NONE {
            return &[];
        }
        let Some(tail) = self.tails.get(id) else { return &[] };
        if self.signal == Signal::Traces { tail.span() } else { tail.log() }
    }
}

/// The sizes of everything in a batch that has a length in front.
#[derive(Default)]
struct Plan {
    resources: Vec<Planned>,
    scopes: Vec<Planned>,
    /// The last of the scopes, while items are added.
    open: Planned,
    bytes: usize,
    records: u32,
    items: u32,
}

/// A container of a batch.
#[derive(Default)]
struct Planned {
    /// Its number in the draft.
    group: u32,
    /// The number of its scopes or items in this batch.
    children: u32,
    /// The bytes of its content.
    bytes: usize,
}

impl Plan {
    #[inline]
    fn add(&mut self, item: &Item, tail: usize) {
        if item.scope != self.open.group && self.open.children > 0 {
            self.scopes.push(std::mem::take(&mut self.open));
        }
        self.open.group = item.scope;
        self.open.children += 1;
        self.open.bytes += field_len(item.message.len() + tail);
        self.records = self.records.saturating_add(item.records);
        self.items += 1;
    }

    /// Adds up the containers from the inside to the outside.
    fn finish(mut self, columns: &Columns) -> Self {
        if self.items == 0 {
            return self;
        }
        self.scopes.push(std::mem::take(&mut self.open));
        for planned in &mut self.scopes {
            let parent = columns.scopes.get(planned.group as usize).map_or(0, |scope| scope.parent);
            planned.bytes += columns.rests_len(Part::Scope, planned.group);
            let bytes = field_len(planned.bytes);
            match self.resources.last_mut() {
                Some(last) if last.group == parent => {
                    last.children += 1;
                    last.bytes += bytes;
                }
                _ => self.resources.push(Planned { group: parent, children: 1, bytes }),
            }
        }
        self.bytes = columns.request_rests().iter().map(|rest| rest.len()).sum();
        for planned in &mut self.resources {
            planned.bytes += columns.rests_len(Part::Resource, planned.group);
            self.bytes += field_len(planned.bytes);
        }
        self
    }
}

/// Fills the buffer of one output.
struct Writer<'a> {
    draft: &'a Draft,
    plan: Plan,
    out: Vec<u8>,
    /// Items of the input, not yet copied, that follow each other there and here.
    run: Extent,
    /// Items still to come in the open scope, scopes still to come in the open resource.
    items_left: u32,
    scopes_left: u32,
    next_scope: usize,
    next_resource: usize,
    /// The open containers.
    scope: Option<&'a Container>,
    resource: Option<&'a Container>,
}

impl<'a> Writer<'a> {
    fn new(draft: &'a Draft, plan: Plan) -> Self {
        let mut writer = Self {
            draft,
            out: Vec::with_capacity(plan.bytes),
            plan,
            run: Extent::default(),
            items_left: 0,
            scopes_left: 0,
            next_scope: 0,
            next_resource: 0,
            scope: None,
            resource: None,
        };
        if writer.plan.items > 0 {
            writer.put_rests(draft.columns.request_rests());
        }
        writer
    }

    #[inline]
    fn put(&mut self, item: &Item, tails: &TailBytes<'_>) {
        if self.items_left == 0 {
            self.next_scope();
        }
        self.items_left = self.items_left.saturating_sub(1);
        let len = item.message.len();
        if item.state == State::Input && item.tail == TailId::NONE {
            // The shortest tag and length fit between the two: nothing else can be there.
            if self.run.end as usize + field_len(len) - len == item.message.start as usize {
                self.run.end = item.message.end;
                return;
            }
            self.put_run();
            put_header(&mut self.out, TAG_CHILD, len);
            self.run = item.message;
            return;
        }
        self.put_run();
        let tail = tails.get(item.tail);
        put_header(&mut self.out, TAG_CHILD, len + tail.len());
        self.out.extend_from_slice(self.draft.message(item));
        self.out.extend_from_slice(tail);
    }

    #[inline]
    fn put_run(&mut self) {
        if self.run.end > 0 {
            self.out.extend_from_slice(self.run.of(&self.draft.input));
            self.run = Extent::default();
        }
    }

    #[inline(never)]
    fn next_scope(&mut self) {
        let columns = &self.draft.columns;
        self.close_scope();
        if self.scopes_left == 0 {
            self.close_resource();
            if let Some(planned) = self.plan.resources.get(self.next_resource) {
                self.resource = columns.resources.get(planned.group as usize);
                self.scopes_left = planned.children;
                self.next_resource += 1;
                put_header(&mut self.out, TAG_RESOURCE, planned.bytes);
                self.put_before(Part::Resource, self.resource);
            }
        }
        if let Some(planned) = self.plan.scopes.get(self.next_scope) {
            self.scope = columns.scopes.get(planned.group as usize);
            self.items_left = planned.children;
            self.scopes_left = self.scopes_left.saturating_sub(1);
            self.next_scope += 1;
            put_header(&mut self.out, TAG_CHILD, planned.bytes);
            self.put_before(Part::Scope, self.scope);
        }
    }

    fn close_scope(&mut self) {
        self.put_run();
        let scope = self.scope.take();
        self.put_after(Part::Scope, scope);
    }

    fn close_resource(&mut self) {
        let resource = self.resource.take();
        self.put_after(Part::Resource, resource);
    }

    fn finish(mut self, output: u16) -> Emitted {
        self.close_scope();
        self.close_resource();
        debug_assert_eq!(self.out.len(), self.plan.bytes, "sizes of output {output}");
        Emitted { output, bytes: Bytes::from(self.out), records: self.plan.records }
    }

    /// Writes what stands before the list of a container.
    fn put_before(&mut self, part: Part, container: Option<&Container>) {
        let Some(container) = container else { return };
        match container.head {
            Some(head) => self.out.extend_from_slice(head.of(&self.draft.arena)),
            None => self.put_rests(self.draft.columns.rests(part, container).0),
        }
    }

    /// Writes what stands after the list of a container.
    fn put_after(&mut self, part: Part, container: Option<&Container>) {
        if let Some(container) = container
            && container.head.is_none()
        {
            self.put_rests(self.draft.columns.rests(part, container).1);
        }
    }

    fn put_rests(&mut self, rests: &[Extent]) {
        for rest in rests {
            self.out.extend_from_slice(rest.of(&self.draft.input));
        }
    }
}

#[inline]
fn put_header(out: &mut Vec<u8>, tag: u8, len: usize) {
    // Nearly all records; the sizes are known to the compiler, so these are stores, not copies.
    match len {
        0..0x80 => out.extend_from_slice(&[tag, len as u8]),
        0x80..0x4000 => out.extend_from_slice(&[tag, len as u8 | 0x80, (len >> 7) as u8]),
        _ => {
            out.push(tag);
            put_varint(out, len as u64);
        }
    }
}

/// The length of a field with a one-byte tag.
#[inline]
pub(super) fn field_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}
