//! Writing the batches of the outputs.
//!
//! Sizes come first, then one buffer of exactly that size is filled. Neighbors that stay neighbors
//! are copied in one piece.

use bytes::Bytes;

use super::index::Container;
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
    /// Writes the batches of `outputs` outputs. `by` says which one an item belongs to, counted from
    /// 0; any other number, such as `u16::MAX`, means none. Outputs without an item get no batch.
    ///
    /// A draft that is unchanged and belongs to one output is its input.
    pub fn emit(&mut self, by: impl Fn(&Item) -> u16, outputs: usize) -> Vec<Emitted> {
        let output_of = |item: &Item| match item.state {
            State::Dropped => usize::MAX,
            State::Input | State::Edited => usize::from(by(item)),
        };
        let Some(first) = self.items().first().map(output_of) else { return Vec::new() };
        let mut numbers = Vec::with_capacity(self.len());
        let mut counts = vec![0_usize; outputs];
        for item in self.items() {
            let output = output_of(item);
            if let Some(count) = counts.get_mut(output) {
                *count += 1;
            }
            numbers.push(output as u16);
        }
        if counts.get(first) == Some(&self.len()) {
            return vec![self.emit_all(first as u16)];
        }
        let order = sorted(&numbers, &counts);
        let mut emitted = Vec::with_capacity(counts.iter().filter(|count| **count > 0).count());
        let mut rest = order.as_slice();
        for (output, count) in counts.iter().enumerate() {
            let (indices, after) = rest.split_at_checked(*count).unwrap_or_default();
            rest = after;
            if !indices.is_empty() {
                emitted.push(self.write_batch(output as u16, indices.iter().copied()));
            }
        }
        emitted
    }

    fn emit_all(&self, output: u16) -> Emitted {
        if self.changed {
            return self.write_batch(output, 0..self.len() as u32);
        }
        Emitted { output, bytes: self.input.clone(), records: self.records }
    }

    fn write_batch(&self, output: u16, indices: impl Iterator<Item = u32> + Clone) -> Emitted {
        let writer = Writer { draft: self, tails: TailBytes::new(self.signal, &self.tails) };
        let plan = writer.plan(indices.clone());
        let bytes = Bytes::from(writer.write(&plan, indices));
        Emitted { output, bytes, records: plan.records }
    }
}

/// The numbers of the items that have an output, by output and then in their order.
fn sorted(numbers: &[u16], counts: &[usize]) -> Vec<u32> {
    let mut starts: Vec<usize> = counts
        .iter()
        .scan(0, |sum, count| {
            let start = *sum;
            *sum += count;
            Some(start)
        })
        .collect();
    let mut order = vec![0_u32; counts.iter().sum()];
    for (index, number) in numbers.iter().enumerate() {
        if let Some(start) = starts.get_mut(usize::from(*number)) {
            if let Some(slot) = order.get_mut(*start) {
                *slot = index as u32;
            }
            *start += 1;
        }
    }
    order
}

/// The tails as fields of the signal's items.
struct TailBytes<'a> {
    tails: &'a Tails,
    signal: Signal,
}

impl<'a> TailBytes<'a> {
    fn new(signal: Signal, tails: &'a Tails) -> Self {
        Self { tails, signal }
    }

    #[inline]
    fn get(&self, id: TailId) -> &'a [u8] {
        if id == TailId::NONE {
            return &[];
        }
        let Some(tail) = self.tails.get(id) else { return &[] };
        if self.signal == Signal::Traces { tail.span() } else { tail.log() }
    }
}

/// The sizes of everything with a length in front.
struct Plan {
    resources: Vec<Planned>,
    scopes: Vec<Planned>,
    bytes: usize,
    records: u32,
}

/// A container of the output.
#[derive(Default)]
struct Planned {
    /// Its number in the draft.
    group: u32,
    /// The number of its scopes or items in this output.
    children: u32,
    /// The bytes of its content.
    bytes: usize,
}

struct Writer<'a> {
    draft: &'a Draft,
    tails: TailBytes<'a>,
}

impl Writer<'_> {
    fn plan(&self, indices: impl Iterator<Item = u32>) -> Plan {
        let columns = &self.draft.columns;
        let mut scopes: Vec<Planned> = Vec::with_capacity(columns.scopes.len().min(64));
        let mut records = 0_u32;
        let mut open = Planned::default();
        for index in indices {
            let Some(item) = columns.items.get(index as usize) else { continue };
            if item.scope != open.group && open.children > 0 {
                scopes.push(std::mem::take(&mut open));
            }
            open.group = item.scope;
            open.children += 1;
            open.bytes += field_len(item.message.len() + self.tails.get(item.tail).len());
            records = records.saturating_add(item.records);
        }
        scopes.push(open);
        let mut resources: Vec<Planned> = Vec::with_capacity(columns.resources.len().min(64));
        for planned in &mut scopes {
            let Some(scope) = columns.scopes.get(planned.group as usize) else { continue };
            planned.bytes += columns.rests_len(Part::Scope, planned.group);
            let bytes = field_len(planned.bytes);
            match resources.last_mut() {
                Some(last) if last.group == scope.parent => {
                    last.children += 1;
                    last.bytes += bytes;
                }
                _ => resources.push(Planned { group: scope.parent, children: 1, bytes }),
            }
        }
        let mut bytes = columns.request_rests().iter().map(|rest| rest.len()).sum();
        for planned in &mut resources {
            planned.bytes += columns.rests_len(Part::Resource, planned.group);
            bytes += field_len(planned.bytes);
        }
        Plan { resources, scopes, bytes, records }
    }

    fn write(&self, plan: &Plan, mut indices: impl Iterator<Item = u32>) -> Vec<u8> {
        let (draft, columns) = (self.draft, &self.draft.columns);
        let mut out = Vec::with_capacity(plan.bytes);
        self.put_rests(columns.request_rests(), &mut out);
        let mut scopes = plan.scopes.iter();
        for planned in &plan.resources {
            let Some(resource) = columns.resources.get(planned.group as usize) else { continue };
            put_header(&mut out, TAG_RESOURCE, planned.bytes);
            let after = self.put_head(Part::Resource, resource, &mut out);
            for planned in scopes.by_ref().take(planned.children as usize) {
                let Some(scope) = columns.scopes.get(planned.group as usize) else { continue };
                put_header(&mut out, TAG_CHILD, planned.bytes);
                let after = self.put_head(Part::Scope, scope, &mut out);
                let items = indices.by_ref().take(planned.children as usize);
                self.put_items(items, &mut out);
                self.put_rests(after, &mut out);
            }
            self.put_rests(after, &mut out);
        }
        debug_assert_eq!(out.len(), plan.bytes, "{} {:?}", draft.signal, draft.input.len());
        out
    }

    /// Writes what stands before the list of a container; returns what stands after it.
    fn put_head(&self, part: Part, container: &Container, out: &mut Vec<u8>) -> &[Extent] {
        if let Some(head) = container.head {
            out.extend_from_slice(head.of(&self.draft.arena));
            return &[];
        }
        let (before, after) = self.draft.columns.rests(part, container);
        self.put_rests(before, out);
        after
    }

    fn put_rests(&self, rests: &[Extent], out: &mut Vec<u8>) {
        for rest in rests {
            out.extend_from_slice(rest.of(&self.draft.input));
        }
    }

    fn put_items(&self, indices: impl Iterator<Item = u32>, out: &mut Vec<u8>) {
        let draft = self.draft;
        // Items of the input that follow each other there and here.
        let mut run = Extent::default();
        for index in indices {
            let Some(item) = draft.columns.items.get(index as usize) else { continue };
            let len = item.message.len();
            if item.state == State::Input && item.tail == TailId::NONE {
                // The shortest tag and length fit between the two: nothing else can be there.
                if run.end as usize + field_len(len) - len == item.message.start as usize {
                    run.end = item.message.end;
                    continue;
                }
                out.extend_from_slice(run.of(&draft.input));
                put_header(out, TAG_CHILD, len);
                run = item.message;
                continue;
            }
            out.extend_from_slice(run.of(&draft.input));
            run = Extent::default();
            let tail = self.tails.get(item.tail);
            put_header(out, TAG_CHILD, len + tail.len());
            out.extend_from_slice(draft.message(item));
            out.extend_from_slice(tail);
        }
        out.extend_from_slice(run.of(&draft.input));
    }
}

fn put_header(out: &mut Vec<u8>, tag: u8, len: usize) {
    out.push(tag);
    put_varint(out, len as u64);
}

/// The length of a field with a one-byte tag.
#[inline]
pub(super) fn field_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}
