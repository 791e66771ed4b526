//! The segment being written: where its next group goes, and how blocks are laid over pages.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::block::Block;
use crate::disk::{Disk, DiskFile, OpenMode, is_full, reserve, write_all};
use crate::format::{
    BLOCK_HEADER_BYTES, DATA_START, PAGE_BYTES, PAGE_HEADER_BYTES, PAGE_LEN, PageHeader,
    SEGMENT_HEADER_BYTES_MAX, SegmentHeader, advance, block_start, group_start, page_of,
};

/// A page of nothing.
pub(crate) static ZEROS: [u8; PAGE_LEN] = [0; PAGE_LEN];

/// The segment being written.
pub(crate) struct Active {
    pub id: u64,
    pub path: PathBuf,
    pub header: Arc<SegmentHeader>,
    file: Arc<dyn DiskFile>,
    seed: u32,
    /// Where the next group starts; all before it is synced.
    pub offset: u64,
    /// Nothing in it was synced yet, not even its name.
    pub fresh: bool,
}

impl Active {
    /// Creates the file of a segment, with its header, not yet synced.
    pub(crate) fn create(
        disk: &dyn Disk,
        path: PathBuf,
        header: SegmentHeader,
        len: Option<u64>,
    ) -> io::Result<Self> {
        let file = disk.open(&path, OpenMode::CreateNew)?;
        let made = Self::prepare(&*file, &header, len);
        if let Err(error) = made {
            // Holds nothing yet, and its space may be what others wait for.
            remove(disk, &path);
            return Err(error);
        }
        Ok(Self {
            id: header.id,
            path,
            seed: header.seed(),
            header: Arc::new(header),
            file,
            offset: DATA_START,
            fresh: true,
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
    pub(crate) fn write(&self, blocks: &[Block]) -> io::Result<u64> {
        let mut layout = Layout { own: Vec::new(), pieces: Vec::new(), seed: self.seed };
        let end = layout.lay_out(self.offset, blocks);
        let start = page_header_or(self.offset);
        let mut slices: Vec<IoSlice<'_>> = layout.slices().collect();
        write_all(&*self.file, start, &mut slices)?;
        Ok(end)
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

/// Removes a file that holds nothing; says whether it is gone.
pub(crate) fn remove(disk: &dyn Disk, path: &Path) -> bool {
    let removed = disk.unlink(path);
    if let Err(error) = &removed {
        tracing::warn!(%error, path = %path.display(), "empty segment not removed");
    }
    removed.is_ok()
}

/// Where a write of a block at `offset` begins: a block at the start of its page comes with the
/// header of that page.
fn page_header_or(offset: u64) -> u64 {
    if offset % PAGE_BYTES == PAGE_HEADER_BYTES { offset - PAGE_HEADER_BYTES } else { offset }
}

struct Layout<'a> {
    own: Vec<u8>,
    pieces: Vec<Piece<'a>>,
    seed: u32,
}

enum Piece<'a> {
    Own(Range<usize>),
    Given(&'a [u8]),
}

impl<'a> Layout<'a> {
    fn lay_out(&mut self, start: u64, blocks: &'a [Block]) -> u64 {
        let mut offset = start;
        let mut end = start;
        for (n, block) in blocks.iter().enumerate() {
            let header = block.header(n + 1 == blocks.len());
            end = header.data_end(offset);
            let next = header.next_start(offset);
            if offset % PAGE_BYTES == PAGE_HEADER_BYTES {
                self.page_header(offset, offset);
            }
            let own = self.own.len();
            header.encode(self.seed, offset, &mut self.own);
            self.pieces.push(Piece::Own(own..self.own.len()));
            let mut at = offset + BLOCK_HEADER_BYTES;
            for part in [&block.plain[..], &block.body[..]] {
                at = self.flow(at, part, next);
            }
            if !header.group_end {
                let pad = usize::try_from(page_header_or(next) - end).unwrap_or_default();
                self.pieces.push(Piece::Given(ZEROS.get(..pad).unwrap_or_default()));
            }
            offset = next;
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
        self.own.extend_from_slice(&PageHeader { page, first_block }.encode(self.seed));
        self.pieces.push(Piece::Own(own..self.own.len()));
    }

    fn slices(&self) -> impl Iterator<Item = IoSlice<'_>> {
        self.pieces.iter().map(|piece| match piece {
            Piece::Own(range) => IoSlice::new(self.own.get(range.clone()).unwrap_or_default()),
            Piece::Given(bytes) => IoSlice::new(bytes),
        })
    }
}
