//! Pages: their 16-byte headers and the arithmetic of bytes that flow around those.

use super::{BLOCK_HEADER_BYTES, PAGE_BYTES, PAGE_HEADER_BYTES, PAGE_HEADER_LEN, bytes_at};

const MAGIC: u16 = 0x50B5;
/// Blocks start at multiples of this, which is what a search for one relies on.
pub(crate) const ALIGNMENT: u64 = ALIGNMENT_LEN as u64;
pub(crate) const ALIGNMENT_LEN: usize = 8;
/// Groups start at multiples of this: a sector that was synced is never written again, so a power
/// cut that ruins the sectors being written cannot reach what was acknowledged.
pub(crate) const GROUP_ALIGNMENT: u64 = 4096;

/// What stands at the start of every page but the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageHeader {
    /// Number of the page in its segment.
    pub page: u32,
    /// Offset in the page of the first block that starts in it; zero when none does.
    pub first_block: u32,
}

impl PageHeader {
    /// The header as written, its checksum bound to the segment by `seed`.
    pub(crate) fn encode(self, seed: u32) -> [u8; PAGE_HEADER_LEN] {
        let mut out = [0; PAGE_HEADER_LEN];
        let mut tail = Vec::with_capacity(12);
        tail.extend_from_slice(&MAGIC.to_le_bytes());
        tail.extend_from_slice(&[super::VERSION_PLAIN, 0]);
        tail.extend_from_slice(&self.page.to_le_bytes());
        tail.extend_from_slice(&self.first_block.to_le_bytes());
        let crc = crc32c::crc32c_append(seed, &tail);
        for (to, from) in out.iter_mut().zip(crc.to_le_bytes().into_iter().chain(tail)) {
            *to = from;
        }
        out
    }

    /// The header of page `page`, unless its bytes are not what was written for that page.
    pub(crate) fn decode(bytes: &[u8], seed: u32, page: u32) -> Option<Self> {
        let crc = u32::from_le_bytes(bytes_at(bytes, 0)?);
        let tail: [u8; 12] = bytes_at(bytes, 4)?;
        let found = Self {
            page: u32::from_le_bytes(bytes_at(&tail, 4)?),
            first_block: u32::from_le_bytes(bytes_at(&tail, 8)?),
        };
        (crc32c::crc32c_append(seed, &tail) == crc && found.page == page).then_some(found)
    }
}

/// The page that holds the byte at `offset`.
pub(crate) fn page_of(offset: u64) -> u32 {
    u32::try_from(offset / PAGE_BYTES).unwrap_or(u32::MAX)
}

/// The offset of a page.
pub(crate) fn page_start(page: u32) -> u64 {
    u64::from(page) * PAGE_BYTES
}

/// Where `len` bytes that start at `offset` end, page headers between them counted in.
pub(crate) fn advance(offset: u64, len: u64) -> u64 {
    let content = PAGE_BYTES - PAGE_HEADER_BYTES;
    let within = (offset % PAGE_BYTES).saturating_sub(PAGE_HEADER_BYTES);
    let total = within + len;
    // The end of a page stays the end of that page; it is not yet the start of the next.
    let (pages, rest) = match (total / content, total % content) {
        (pages, 0) if pages > 0 && len > 0 => (pages - 1, content),
        other => other,
    };
    offset - offset % PAGE_BYTES + pages * PAGE_BYTES + PAGE_HEADER_BYTES + rest
}

/// Where the block after data that ends at `offset` starts.
pub(crate) fn block_start(offset: u64) -> u64 {
    let aligned = offset.next_multiple_of(ALIGNMENT);
    let within = aligned % PAGE_BYTES;
    if within == 0 {
        aligned + PAGE_HEADER_BYTES
    } else if PAGE_BYTES - within < BLOCK_HEADER_BYTES {
        aligned - within + PAGE_BYTES + PAGE_HEADER_BYTES
    } else {
        aligned.max(aligned - within + PAGE_HEADER_BYTES)
    }
}

/// Where the first block of the next group starts, after data that ends at `offset`.
pub(crate) fn group_start(offset: u64) -> u64 {
    block_start(offset.next_multiple_of(GROUP_ALIGNMENT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn advancing_in_two_steps_is_advancing_once(
            start in 0..3 * PAGE_BYTES, first in 1..200_000_u64, second in 1..200_000_u64,
        ) {
            let start = block_start(start);
            let middle = advance(start, first);
            prop_assert_eq!(advance(middle, second), advance(start, first + second));
        }

        #[test]
        fn a_block_header_never_crosses_a_page(offset in 0..10 * PAGE_BYTES) {
            let start = block_start(offset);
            prop_assert!(start >= offset && start.is_multiple_of(ALIGNMENT));
            prop_assert!(start % PAGE_BYTES >= PAGE_HEADER_BYTES);
            prop_assert!(start % PAGE_BYTES + BLOCK_HEADER_BYTES <= PAGE_BYTES);
            prop_assert_eq!(block_start(start), start);
            let group = group_start(offset);
            let at_top = group % PAGE_BYTES == PAGE_HEADER_BYTES;
            let header = if at_top { PAGE_HEADER_BYTES } else { 0 };
            prop_assert!(group >= offset && (group - header).is_multiple_of(GROUP_ALIGNMENT));
        }
    }

    #[test]
    fn a_block_starts_where_its_header_just_fits_and_never_in_that_of_a_page() {
        let (page, header) = (7 * PAGE_BYTES, PAGE_HEADER_BYTES);
        let last = page - BLOCK_HEADER_BYTES;
        assert_eq!([last - 7, last].map(block_start), [last; 2]);
        assert_eq!([last + 1, last + 8, page - 1].map(block_start), [page + header; 3]);
        assert_eq!([page, page + 3, page + 8, page + 16].map(block_start), [page + header; 4]);
    }

    #[test]
    fn a_page_header_is_read_only_in_its_own_page_and_segment() {
        let header = PageHeader { page: 7, first_block: 4096 };
        let bytes = header.encode(99);
        assert_eq!(PageHeader::decode(&bytes, 99, 7), Some(header));
        assert_eq!(PageHeader::decode(&bytes, 99, 8), None);
        assert_eq!(PageHeader::decode(&bytes, 98, 7), None);
        assert_eq!(PageHeader::decode(&[0; 16], 0, 0), None);
    }
}
