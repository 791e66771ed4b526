//! The walk over a whole request: containers, then blocks of items.

#![expect(
    clippy::cast_possible_truncation,
    reason = "positions fit 32 bits, as larger batches are refused here"
)]
#![expect(
    clippy::inline_always,
    reason = "a call in the loop over fields, or a tally in memory, costs a third more"
)]

use super::error::{CheckError, CheckErrorKind};
use super::exact;
use super::facts::{Extent, Facts};
use super::fast::Scan;
use super::fields::Tally;
use super::text::high_bytes;
use crate::limits::Limits;
use crate::schema;
use crate::signal::Signal;
use crate::wire::LEN;

/// Items are checked in blocks of about this size, so that the count of bytes outside ASCII, which
/// goes over a block a second time, finds it in the first-level cache.
const BLOCK_BYTES: u32 = 16 << 10;

/// Offsets are 32 bits wide, with room to add to them.
const BATCH_BYTES_MAX: usize = i32::MAX as usize;

/// The tag of the items in a scope, and of the scopes in a resource.
const TAG_ITEM: u8 = 0x12;

/// A message that holds others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The request.
    Request,
    /// `ResourceLogs` and the like.
    Resource,
    /// `ScopeLogs` and the like.
    Scope,
}

/// Is told what the walk passes, in the order of the bytes.
pub(crate) trait Visitor {
    /// A `ResourceLogs`, `ResourceSpans` or `ResourceMetrics` begins.
    fn open_resource(&mut self) {}
    /// A `ScopeLogs`, `ScopeSpans` or `ScopeMetrics` begins.
    fn open_scope(&mut self) {}
    /// A field of a container that is not in the list that the container is for.
    fn rest(&mut self, _part: Part, _field: Extent) {}
    /// The `Resource` or `InstrumentationScope` of the open container. May come more than once.
    fn identity(&mut self, _part: Part, _message: Extent) {}
    /// A log record, span or metric.
    fn item(&mut self, message: Extent, facts: Facts);
}

/// Checks a request and tells the visitor what it holds.
pub(crate) fn walk<V: Visitor>(
    signal: Signal,
    bytes: &[u8],
    limits: &Limits,
    visitor: &mut V,
) -> Result<(), CheckError> {
    let max = limits.batch_bytes_max.min(BATCH_BYTES_MAX);
    if bytes.len() > max {
        let kind = CheckErrorKind::BatchTooLarge { size: bytes.len(), max };
        return Err(CheckError { offset: max, kind, path: Box::default() });
    }
    let scan = Scan::new(signal, bytes, limits);
    let mut walk = Walk { bytes, limits, signal, scan, text_is_ascii: true, visitor };
    if walk.request().is_some() {
        return Ok(());
    }
    Err(exact::explain(signal, bytes, limits).unwrap_or_else(|| {
        debug_assert!(false, "the fast check refused what the exact one accepts");
        CheckError { offset: 0, kind: CheckErrorKind::Truncated, path: Box::default() }
    }))
}

struct Walk<'a, V> {
    bytes: &'a [u8],
    limits: &'a Limits,
    signal: Signal,
    scan: Scan<'a>,
    /// What the last block held, and the next is expected to hold.
    text_is_ascii: bool,
    visitor: &'a mut V,
}

impl<V: Visitor> Walk<'_, V> {
    fn request(&mut self) -> Option<()> {
        let end = self.bytes.len() as u32;
        let mut position = 0;
        while position < end {
            let field = self.field(Part::Request, position, end)?;
            if field.number == 1 {
                self.visitor.open_resource();
                self.resource(field.content, field.end)?;
            } else {
                self.visitor.rest(Part::Request, Extent { start: position, end: field.end });
            }
            position = field.end;
        }
        Some(())
    }

    fn resource(&mut self, start: u32, end: u32) -> Option<()> {
        let mut position = start;
        while position < end {
            let field = self.field(Part::Resource, position, end)?;
            if field.number == 2 {
                self.visitor.open_scope();
                self.scope(field.content, field.end)?;
            } else {
                self.other(Part::Resource, position, &field)?;
            }
            position = field.end;
        }
        Some(())
    }

    fn scope(&mut self, start: u32, end: u32) -> Option<()> {
        let mut position = start;
        while position < end {
            if *self.bytes.get(position as usize)? == TAG_ITEM {
                position = self.block(position, end)?;
                continue;
            }
            let field = self.field(Part::Scope, position, end)?;
            if field.number == 2 {
                // The tag has more bytes than it needs.
                self.item::<true>(field.content, field.end, &mut Tally::default())?;
            } else {
                self.other(Part::Scope, position, &field)?;
            }
            position = field.end;
        }
        Some(())
    }

    /// Checks a field of a container that is neither container nor item.
    fn other(&mut self, part: Part, start: u32, field: &FieldAt) -> Option<()> {
        match (part, field.number) {
            (Part::Resource, 1) => {
                let message = &schema::RESOURCE;
                self.scan.message::<true>(message, field.content, field.end)?;
                self.visitor.identity(part, Extent { start: field.content, end: field.end });
            }
            (Part::Scope, 1) => {
                let message = &schema::SCOPE;
                self.scan.message::<true>(message, field.content, field.end)?;
                self.visitor.identity(part, Extent { start: field.content, end: field.end });
            }
            _ => {}
        }
        self.visitor.rest(part, Extent { start, end: field.end });
        Some(())
    }

    /// Checks the items that begin at `start`, about [`BLOCK_BYTES`] of them.
    fn block(&mut self, start: u32, end: u32) -> Option<u32> {
        let stop = end.min(start + BLOCK_BYTES);
        self.scan.explained = 0;
        if !self.text_is_ascii {
            let block_end = self.items::<true>(start, stop, end)?;
            let high = high_bytes(self.bytes.get(start as usize..block_end as usize)?);
            self.text_is_ascii = high == self.scan.explained;
            return Some(block_end);
        }
        let block_end = self.items::<false>(start, stop, end)?;
        let high = high_bytes(self.bytes.get(start as usize..block_end as usize)?);
        if high != self.scan.explained {
            self.text_is_ascii = false;
            self.verify(start, block_end)?;
        }
        Some(block_end)
    }

    fn items<const VERIFY: bool>(&mut self, start: u32, stop: u32, end: u32) -> Option<u32> {
        let mut tally = Tally::default();
        let mut position = start;
        while position < stop && *self.bytes.get(position as usize)? == TAG_ITEM {
            let (content, next) = self.scan.input.content(position + 1, end, &mut tally)?;
            self.item::<VERIFY>(content, next, &mut tally)?;
            position = next;
        }
        self.scan.explained += tally.explained;
        Some(position)
    }

    #[inline(always)]
    fn item<const VERIFY: bool>(&mut self, start: u32, end: u32, tally: &mut Tally) -> Option<()> {
        if (end - start) as usize > self.limits.record_bytes_max {
            return None;
        }
        let facts = self.scan.item::<VERIFY>(start, end, tally)?;
        self.visitor.item(Extent { start, end }, facts);
        Some(())
    }

    /// Validates the text of items that have passed in every other respect.
    #[cold]
    fn verify(&mut self, start: u32, end: u32) -> Option<()> {
        let mut tally = Tally::default();
        let mut position = start;
        while position < end {
            let (content, next) = self.scan.input.content(position + 1, end, &mut tally)?;
            self.scan.item::<true>(content, next, &mut tally)?;
            position = next;
        }
        Some(())
    }

    fn field(&mut self, part: Part, start: u32, end: u32) -> Option<FieldAt> {
        let (number, wire_type, value) = exact::tag(self.bytes, start as usize)?;
        let known = number < if part == Part::Request { 2 } else { 4 };
        if !known {
            let message = schema::request(self.signal);
            // Number 1 is known to every container, and this one is not: any table will do.
            let range = (start as usize, end as usize);
            let end = exact::field_end(self.bytes, range, message, self.limits)? as u32;
            return Some(FieldAt { number, content: end, end });
        }
        if number == 0 || wire_type != LEN {
            return None;
        }
        let (content, end) = self.scan.input.content(value as u32, end, &mut Tally::default())?;
        if part != Part::Request && number == 3 {
            let schema_url = self.bytes.get(content as usize..end as usize)?;
            std::str::from_utf8(schema_url).ok()?;
        }
        Some(FieldAt { number, content, end })
    }
}

struct FieldAt {
    number: u32,
    content: u32,
    end: u32,
}
