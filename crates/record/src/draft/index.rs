//! The columns of a draft, filled by the walk, and their reuse from batch to batch.

#![expect(
    clippy::cast_possible_truncation,
    reason = "there are less items than bytes, and these fit 32 bits"
)]

use std::cell::RefCell;

use super::{Item, State};
use crate::check::{Extent, Facts, Part, Visitor};
use crate::signal::Signal;
use crate::tail::TailId;
use crate::wire::{Reader, put_len_delimited};

/// Columns kept for reuse on each thread.
const POOLED_COLUMNS_MAX: usize = 4;
/// Columns of more items than this are not kept: 6 MiB.
const POOLED_ITEMS_MAX: usize = 128 << 10;

thread_local! {
    static POOL: RefCell<Vec<Columns>> = const { RefCell::new(Vec::new()) };
}

/// Everything that is known of a batch by position.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) items: Vec<Item>,
    pub(super) scopes: Vec<Container>,
    pub(super) resources: Vec<Container>,
    /// Fields of the request, of resources and of scopes that are in none of their lists.
    request_rests: Vec<Extent>,
    resource_rests: Vec<Extent>,
    scope_rests: Vec<Extent>,
}

/// A `ResourceLogs`, a `ScopeLogs` or the like of another signal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Container {
    /// For a scope, the number of its resource.
    pub(super) parent: u32,
    /// The `Resource` or `InstrumentationScope` message.
    pub(super) identity: Extent,
    /// Where the identity is.
    pub(super) state: State,
    /// All fields outside the list in the arena, after an edit of the identity.
    pub(super) head: Option<Extent>,
    /// The number of the first child.
    children: u32,
    /// The fields outside the list; the first `rests_before` precede it.
    rests: (u32, u32),
    rests_before: u32,
}

impl Columns {
    /// Empty columns, with room from an earlier batch if there is any.
    pub(super) fn take() -> Self {
        POOL.with_borrow_mut(Vec::pop).unwrap_or_default()
    }

    /// Keeps the room for a later batch.
    pub(super) fn give_back(mut self) {
        if self.items.capacity() == 0 || self.items.capacity() > POOLED_ITEMS_MAX {
            return;
        }
        self.items.clear();
        self.scopes.clear();
        self.resources.clear();
        self.request_rests.clear();
        self.resource_rests.clear();
        self.scope_rests.clear();
        // A draft can be dropped while its thread ends and the pool is gone: then it is just freed.
        POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < POOLED_COLUMNS_MAX {
                pool.push(self);
            }
        })
        .unwrap_or_default();
    }

    pub(super) fn fork(&self) -> Self {
        let mut fork = Self::take();
        fork.items.extend_from_slice(&self.items);
        fork.scopes.extend_from_slice(&self.scopes);
        fork.resources.extend_from_slice(&self.resources);
        fork.request_rests.extend_from_slice(&self.request_rests);
        fork.resource_rests.extend_from_slice(&self.resource_rests);
        fork.scope_rests.extend_from_slice(&self.scope_rests);
        fork
    }

    /// The fields of the request outside its list.
    pub(super) fn request_rests(&self) -> &[Extent] {
        &self.request_rests
    }

    /// The fields of a container before and after its list, as far as they are in the input.
    pub(super) fn rests(&self, part: Part, container: &Container) -> (&[Extent], &[Extent]) {
        let rests = if part == Part::Scope { &self.scope_rests } else { &self.resource_rests };
        let (start, end) = container.rests;
        let rests = rests.get(start as usize..end as usize).unwrap_or_default();
        rests.split_at_checked(container.rests_before as usize).unwrap_or_default()
    }

    /// The bytes of a container's fields outside its list.
    pub(super) fn rests_len(&self, part: Part, group: u32) -> usize {
        let containers = if part == Part::Scope { &self.scopes } else { &self.resources };
        let Some(container) = containers.get(group as usize) else { return 0 };
        if let Some(head) = container.head {
            return head.len();
        }
        let (before, after) = self.rests(part, container);
        before.iter().chain(after).map(|rest| rest.len()).sum()
    }

    /// Writes all fields outside a container's list to the arena, with a new identity.
    pub(super) fn head_with(
        &self,
        part: Part,
        group: usize,
        identity: Extent,
        input: &[u8],
        arena: &mut Vec<u8>,
    ) -> Extent {
        let identity = identity.of(arena).to_vec();
        let start = arena.len();
        put_len_delimited(arena, 1, &identity);
        let containers = if part == Part::Scope { &self.scopes } else { &self.resources };
        if let Some(container) = containers.get(group) {
            if let Some(head) = container.head {
                let head = head.of(arena).to_vec();
                copy_without_identity(&head, arena);
                return Extent::new(start, arena.len());
            }
            let (before, after) = self.rests(part, container);
            for rest in before.iter().chain(after) {
                copy_without_identity(rest.of(input), arena);
            }
        }
        Extent::new(start, arena.len())
    }
}

/// Copies all fields but those of number 1.
fn copy_without_identity(fields: &[u8], out: &mut Vec<u8>) {
    let mut reader = Reader::new(fields);
    let mut start = 0;
    while let Some((number, _)) = reader.next() {
        if number != 1 {
            out.extend_from_slice(fields.get(start..reader.offset()).unwrap_or_default());
        }
        start = reader.offset();
    }
}

/// Fills columns while the walk passes a batch.
pub(super) struct Indexer<'a> {
    input: &'a [u8],
    columns: Columns,
    arena: Vec<u8>,
    records: u32,
}

impl<'a> Indexer<'a> {
    pub(super) fn new(signal: Signal, input: &'a [u8]) -> Self {
        let mut columns = Columns::take();
        // Rather small items; growing is cheap once the columns are reused.
        let item_bytes = if signal == Signal::Metrics { 512 } else { 256 };
        columns.items.reserve((input.len() / item_bytes).min(POOLED_ITEMS_MAX));
        Self { input, columns, arena: Vec::new(), records: 0 }
    }

    pub(super) fn finish(self) -> (Columns, Vec<u8>, u32) {
        (self.columns, self.arena, self.records)
    }
}

/// The number that a column's entry has.
pub(super) fn number(index: usize) -> u32 {
    index as u32
}

fn container(parent: usize, children: usize, rests: usize) -> Container {
    Container {
        parent: parent as u32,
        identity: Extent::default(),
        state: State::Input,
        head: None,
        children: children as u32,
        rests: (rests as u32, rests as u32),
        rests_before: 0,
    }
}

impl Visitor for Indexer<'_> {
    fn open_resource(&mut self) {
        let (scopes, rests) = (self.columns.scopes.len(), self.columns.resource_rests.len());
        self.columns.resources.push(container(0, scopes, rests));
    }

    fn open_scope(&mut self) {
        let parent = self.columns.resources.len().saturating_sub(1);
        let (items, rests) = (self.columns.items.len(), self.columns.scope_rests.len());
        self.columns.scopes.push(container(parent, items, rests));
    }

    fn rest(&mut self, part: Part, field: Extent) {
        let columns = &mut self.columns;
        let (containers, rests, children) = match part {
            Part::Request => return columns.request_rests.push(field),
            Part::Resource => {
                (&mut columns.resources, &mut columns.resource_rests, columns.scopes.len())
            }
            Part::Scope => (&mut columns.scopes, &mut columns.scope_rests, columns.items.len()),
        };
        let Some(container) = containers.last_mut() else { return };
        if container.rests.0 < container.rests.1
            && let Some(last) = rests.last_mut()
            && last.end == field.start
        {
            last.end = field.end;
            return;
        }
        rests.push(field);
        container.rests.1 += 1;
        container.rests_before += u32::from(children == container.children as usize);
    }

    fn identity(&mut self, part: Part, message: Extent) {
        let scope = part == Part::Scope;
        let containers = if scope { &mut self.columns.scopes } else { &mut self.columns.resources };
        let Some(container) = containers.last_mut() else { return };
        if container.identity == Extent::default() {
            container.identity = message;
            return;
        }
        // A message that comes twice is, by the rules of protobuf, the two of them joined.
        let first = match container.state {
            State::Edited => container.identity.of(&self.arena).to_vec(),
            State::Input | State::Dropped => container.identity.of(self.input).to_vec(),
        };
        let start = self.arena.len();
        self.arena.extend_from_slice(&first);
        self.arena.extend_from_slice(message.of(self.input));
        container.identity = Extent::new(start, self.arena.len());
        container.state = State::Edited;
    }

    #[inline]
    fn item(&mut self, message: Extent, facts: Facts) {
        self.records = self.records.saturating_add(facts.records);
        let origin = self.columns.items.len() as u32;
        self.columns.items.push(Item {
            class: 0,
            severity: facts.severity,
            state: State::Input,
            route: 0,
            records: facts.records,
            scope: self.columns.scopes.len() as u32 - 1,
            origin,
            tail: TailId::NONE,
            message,
            body: facts.body,
            keys: facts.keys,
        });
    }
}
