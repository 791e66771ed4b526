//! The segment being written: where its next group goes, and how blocks are laid over pages.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::block::Block;
use crate::disk::{Disk, DiskFile, OpenMode, is_full, reserve, write_all};
use crate::format::{
    BLOCK_HEADER_BYTES, BlockHeader, DATA_START, PAGE_BYTES, PAGE_HEADER_BYTES, PAGE_LEN,
    PageHeader, SEGMENT_HEADER_BYTES_MAX, SegmentHeader, advance, block_start, group_start,
    page_of,
};
use crate::guard::Guard;

/// A page of nothing.
pub(crate) static ZEROS: [u8; PAGE_LEN] = [0; PAGE_LEN];

/// Pages that a probe of the disk writes.
const PROBE_PAGES: usize = 16;
/// The largest room for sealed bytes that is kept for the next group.
const SEALED_KEPT_BYTES_MAX: usize = 8 << 20;

/// The segment being written.
pub(crate) struct Active {
    pub id: u64,
    pub path: PathBuf,
    pub header: Arc<SegmentHeader>,
    pub guard: Guard,
    file: Arc<dyn DiskFile>,
    /// Where the next group starts; all before it is synced.
    pub offset: u64,
    /// Nothing in it was synced yet, not even its name.
    pub fresh: bool,
    /// Room for what is sealed, kept from group to group: new memory costs a fault a page.
    sealed: Vec<u8>,
}

impl Active {
    /// Creates the file of a segment, with its header, not yet synced.
    pub(crate) fn create(
        disk: &dyn Disk,
        path: PathBuf,
        header: SegmentHeader,
        guard: Guard,
        len: Option<u64>,
    ) -> io::Result<Self> {
        let file = disk.open(&path, OpenMode::CreateNew)?;
        let made = Self::prepare(&*file, &header, len);
        if let Err(error) = made {
            // Holds nothing yet, and its space may be what others wait for.
            if let Err(error) = disk.unlink(&path) {
                tracing::debug!(%error, path = %path.display(), "unmade segment not removed");
            }
            return Err(error);
        }
        Ok(Self {
            id: header.id,
            path,
            guard,
            header: Arc::new(header),
            file,
            offset: DATA_START,
            fresh: true,
            sealed: Vec::new(),
        })
    }

    fn prepare(file: &dyn DiskFile, header: &SegmentHeader, len: Option<u64>) -> io::Result<()> {
        if let Some(len) = len {
            // No room for a whole segment may still be room for a group.
            reserve(file, len)
                .or_else(|error| if is_full(&error) { Ok(()) } else { Err(error) })?;
        }
        let bytes = header.encode();
        for copy in [0, SEGMENT_HEADER_BYTES_MAX as u64] {
            write_all(file, copy, &mut [IoSlice::new(&bytes)])?;
        }
        Ok(())
    }

    /// Bytes the segment will have once `blocks` are written.
    pub(crate) fn size_with(&self, blocks: &[Block]) -> u64 {
        let mut end = self.offset;
        for block in blocks {
            end = advance(block_start(end) + BLOCK_HEADER_BYTES, block.stored_bytes());
        }
        end
    }

    /// Writes a group behind the last; says where its data ends. What it wrote counts only once
    /// [`Active::accept`] is told so, and is otherwise void.
    pub(crate) fn write(&mut self, blocks: &[Block]) -> io::Result<u64> {
        let mut sealed = std::mem::take(&mut self.sealed);
        let written = self.write_through(blocks, &mut sealed);
        if sealed.capacity() <= SEALED_KEPT_BYTES_MAX {
            self.sealed = sealed;
        }
        written
    }

    fn write_through(&self, blocks: &[Block], sealed: &mut Vec<u8>) -> io::Result<u64> {
        let placed = self.place(blocks, sealed)?;
        let mut layout = Layout { own: Vec::new(), pieces: Vec::new(), guard: &self.guard };
        let end = layout.lay_out(self.offset, &placed);
        let start = page_header_or(self.offset);
        let mut slices: Vec<IoSlice<'_>> = layout.slices().collect();
        write_all(&*self.file, start, &mut slices)?;
        Ok(end)
    }

    // Where each block goes. Sealing needs a copy, of what is left after compression: the payload
    // itself may be in use elsewhere. Sealed is here and once: an offset of a segment is written to
    // by its only writer, and a segment whose write failed is never written to again.
    fn place<'a>(
        &self,
        blocks: &'a [Block],
        sealed: &'a mut Vec<u8>,
    ) -> io::Result<Vec<Placed<'a>>> {
        if self.guard.is_sealed() {
            let bytes: u64 = blocks.iter().map(Block::stored_bytes).sum();
            sealed.clear();
            sealed.reserve(usize::try_from(bytes).unwrap_or_default());
            for block in blocks {
                sealed.extend_from_slice(&block.plain);
                sealed.extend_from_slice(&block.body);
            }
        }
        let mut sealed = sealed.as_mut_slice();
        let mut offset = self.offset;
        let mut placed = Vec::with_capacity(blocks.len());
        for (n, block) in blocks.iter().enumerate() {
            let mut header = block.header(n + 1 == blocks.len());
            let mut parts = [&block.plain[..], &block.body[..]];
            if self.guard.is_sealed() {
                let len = block.plain.len() + block.body.len();
                let bytes = sealed.split_off_mut(..len).unwrap_or_default();
                self.guard.seal_block(&mut header, offset, bytes)?;
                parts = [bytes, &[]];
            }
            let next = header.next_start(offset);
            placed.push(Placed { header, offset, parts });
            offset = next;
        }
        Ok(placed)
    }

    /// Writes and syncs as much of nothing as a large group takes. Zeros are void, as what a
    /// reservation left is.
    pub(crate) fn probe(&self) -> io::Result<()> {
        let mut slices = [IoSlice::new(&ZEROS); PROBE_PAGES];
        write_all(&*self.file, DATA_START, &mut slices)?;
        self.sync()
    }

    /// Makes what was written durable. A second call after a failed one would lie.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.fdatasync()?;
        if self.file.is_linked()? { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Takes data up to `end` as written for good.
    pub(crate) fn accept(&mut self, end: u64) {
        assert!(end > self.offset, "a group has bytes");
        self.offset = group_start(end);
        self.fresh = false;
    }
}

/// Where a write of a block at `offset` begins: a block at the start of its page comes with the
/// header of that page.
fn page_header_or(offset: u64) -> u64 {
    if offset % PAGE_BYTES == PAGE_HEADER_BYTES { offset - PAGE_HEADER_BYTES } else { offset }
}

/// A block and where it goes, its bytes as they are stored.
struct Placed<'a> {
    header: BlockHeader,
    offset: u64,
    parts: [&'a [u8]; 2],
}

struct Layout<'a> {
    own: Vec<u8>,
    pieces: Vec<Piece<'a>>,
    guard: &'a Guard,
}

enum Piece<'a> {
    Own(Range<usize>),
    Given(&'a [u8]),
}

impl<'a> Layout<'a> {
    fn lay_out(&mut self, start: u64, blocks: &[Placed<'a>]) -> u64 {
        let mut end = start;
        for Placed { header, offset, parts } in blocks {
            let offset = *offset;
            end = header.data_end(offset);
            let next = header.next_start(offset);
            if offset % PAGE_BYTES == PAGE_HEADER_BYTES {
                self.page_header(offset, offset);
            }
            let own = self.own.len();
            header.encode(self.guard, offset, &mut self.own);
            self.pieces.push(Piece::Own(own..self.own.len()));
            let mut at = offset + BLOCK_HEADER_BYTES;
            for part in *parts {
                at = self.flow(at, part, next);
            }
            if !header.group_end {
                let pad = usize::try_from(page_header_or(next) - end).unwrap_or_default();
                self.pieces.push(Piece::Given(ZEROS.get(..pad).unwrap_or_default()));
            }
        }
        end
    }

    // Places the bytes of a block from `at` on, with a header wherever they enter a page.
    fn flow(&mut self, mut at: u64, mut bytes: &'a [u8], next: u64) -> u64 {
        while !bytes.is_empty() {
            if at.is_multiple_of(PAGE_BYTES) {
                self.page_header(at, next);
                at += PAGE_HEADER_BYTES;
            }
            let room = usize::try_from(PAGE_BYTES - at % PAGE_BYTES).unwrap_or_default();
            let (here, rest) = bytes.split_at(room.min(bytes.len()));
            self.pieces.push(Piece::Given(here));
            at += here.len() as u64;
            bytes = rest;
        }
        at
    }

    // The header of the page of `at`, where `next` is the first block that can start in it.
    fn page_header(&mut self, at: u64, next: u64) {
        let page = page_of(at);
        let first_block = if page_of(next) == page { next % PAGE_BYTES } else { 0 };
        let first_block = u32::try_from(first_block).unwrap_or_default();
        let own = self.own.len();
        self.own.extend_from_slice(&PageHeader { page, first_block }.encode(self.guard.seed));
        self.pieces.push(Piece::Own(own..self.own.len()));
    }

    fn slices(&self) -> impl Iterator<Item = IoSlice<'_>> {
        self.pieces.iter().map(|piece| match piece {
            Piece::Own(range) => IoSlice::new(self.own.get(range.clone()).unwrap_or_default()),
            Piece::Given(bytes) => IoSlice::new(bytes),
        })
    }
}
