//! Walking the blocks of a segment, over damage.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::active::ZEROS;
use crate::disk::{DiskFile, read_full};
use crate::format::{
    ALIGNMENT, ALIGNMENT_LEN, BLOCK_HEADER_BYTES, BLOCK_HEADER_LEN, BLOCK_MAGIC, BlockHeader,
    PAGE_BYTES, PAGE_HEADER_BYTES, PAGE_HEADER_LEN, PageHeader, page_of, page_start,
};
use crate::guard::Guard;

/// A place in a segment, from which blocks are found in order.
pub(crate) struct Scanner {
    file: Arc<dyn DiskFile>,
    guard: Guard,
    /// Where the next block is expected.
    pub offset: u64,
    /// Nothing is read from here on.
    pub limit: u64,
    /// Behind the last byte that is not zero, as far as searches for blocks have seen.
    pub nonzero_end: u64,
}

/// What is found at a place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A block. Its payload is not verified yet.
    Block(BlockHeader),
    /// No block where one was expected, but one at a later offset.
    Damage { next: u64 },
    /// No block from here on.
    End,
}

impl Scanner {
    pub(crate) fn new(file: Arc<dyn DiskFile>, guard: Guard, offset: u64, limit: u64) -> Self {
        Self { file, guard, offset, limit, nonzero_end: 0 }
    }

    /// Looks at the place; does not move.
    pub(crate) fn look(&mut self) -> io::Result<Found> {
        if self.offset + BLOCK_HEADER_BYTES > self.limit {
            self.search(self.offset);
            return Ok(Found::End);
        }
        let mut bytes = [0; BLOCK_HEADER_LEN];
        let count = read_full(&*self.file, self.offset, &mut bytes)?;
        let found = bytes.get(..count).unwrap_or_default();
        if let Some(header) = self.accept(found, self.offset) {
            return Ok(Found::Block(header));
        }
        Ok(match self.search(self.offset + ALIGNMENT) {
            Some(next) => Found::Damage { next },
            None => Found::End,
        })
    }

    /// The next offset from which a block can be read, when the current one cannot: for damage
    /// that shows as a failing read.
    pub(crate) fn search_past(&mut self) -> Option<u64> {
        self.search(self.offset + ALIGNMENT)
    }

    /// Reads the bytes of the block at the place, as they were before they were sealed; none when
    /// they are not those that were written.
    pub(crate) fn read(&self, header: &BlockHeader) -> io::Result<Option<Bytes>> {
        let stored = self.read_stored(header)?;
        Ok(self.guard.open_block(header, self.offset, stored))
    }

    fn read_stored(&self, header: &BlockHeader) -> io::Result<Bytes> {
        let start = self.offset + BLOCK_HEADER_BYTES;
        let span = usize::try_from(header.data_end(self.offset) - start).unwrap_or_default();
        let mut span = vec![0; span];
        let count = read_full(&*self.file, start, &mut span)?;
        span.truncate(count);
        let first = usize::try_from(PAGE_BYTES - start % PAGE_BYTES).unwrap_or_default();
        if start.is_multiple_of(PAGE_BYTES) || span.len() > first {
            return Ok(without_page_headers(&span, start));
        }
        Ok(span.into())
    }

    /// Moves behind the block at the place.
    pub(crate) fn pass(&mut self, header: &BlockHeader) {
        self.offset = header.next_start(self.offset);
    }

    // A block that claims to end behind the limit is no block of this segment.
    fn accept(&self, bytes: &[u8], offset: u64) -> Option<BlockHeader> {
        BlockHeader::decode(bytes, &self.guard, offset)
            .filter(|header| header.data_end(offset) <= self.limit)
    }

    fn search(&mut self, from: u64) -> Option<u64> {
        let mut page = page_of(from);
        let mut from = Some(from);
        while page_start(page) < self.limit {
            if let Some(found) = self.search_page(page, from) {
                return Some(found);
            }
            from = None;
            page += 1;
        }
        None
    }

    // `from` names where in the page to start; without it the page header is asked first.
    fn search_page(&mut self, page: u32, from: Option<u64>) -> Option<u64> {
        let start = page_start(page);
        if from.is_none()
            && let Some(header) = self.page_header(page)
        {
            self.nonzero_end = self.nonzero_end.max(start + PAGE_HEADER_BYTES);
            if header.first_block == 0 {
                self.nonzero_end = self.nonzero_end.max((start + PAGE_BYTES).min(self.limit));
                return None;
            }
        }
        let len = usize::try_from(PAGE_BYTES.min(self.limit - start)).unwrap_or_default();
        let mut bytes = vec![0; len];
        let count = read_full(&*self.file, start, &mut bytes).unwrap_or_default();
        bytes.truncate(count);
        let used = used_len(&bytes);
        if used == 0 {
            return None;
        }
        self.nonzero_end = self.nonzero_end.max(start + used as u64);
        let first = from.map_or(PAGE_HEADER_BYTES, |from| from - start);
        let candidates = (first..used as u64).step_by(ALIGNMENT_LEN);
        candidates.map(|at| start + at).find(|offset| {
            let at = usize::try_from(offset - start).unwrap_or(usize::MAX);
            let here = bytes.get(at..).unwrap_or_default();
            here.starts_with(&BLOCK_MAGIC) && self.accept(here, *offset).is_some()
        })
    }

    fn page_header(&self, page: u32) -> Option<PageHeader> {
        let mut bytes = [0; PAGE_HEADER_LEN];
        read_full(&*self.file, page_start(page), &mut bytes).ok()?;
        PageHeader::decode(&bytes, self.guard.seed, page)
    }
}

/// The length of `bytes` without the zeros at their end.
pub(crate) fn used_len(bytes: &[u8]) -> usize {
    // Reserved pages are the common case and the comparison of whole slices is fast.
    if ZEROS.get(..bytes.len()).is_some_and(|zeros| zeros == bytes) {
        return 0;
    }
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

fn without_page_headers(span: &[u8], start: u64) -> Bytes {
    let mut out = Vec::with_capacity(span.len());
    let mut rest = span;
    let mut offset = start;
    while !rest.is_empty() {
        if offset.is_multiple_of(PAGE_BYTES) {
            let header = PAGE_HEADER_LEN.min(rest.len());
            rest = rest.get(header..).unwrap_or_default();
            offset += PAGE_HEADER_BYTES;
        }
        let room = usize::try_from(PAGE_BYTES - offset % PAGE_BYTES).unwrap_or_default();
        let (here, next) = rest.split_at(room.min(rest.len()));
        out.extend_from_slice(here);
        offset += here.len() as u64;
        rest = next;
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_at_the_end_are_not_used() {
        for (bytes, used) in [(&[][..], 0), (&[0; 9], 0), (&[0, 1], 2), (&[1, 0, 0], 1)] {
            assert_eq!(used_len(bytes), used, "{bytes:?}");
        }
    }
}
