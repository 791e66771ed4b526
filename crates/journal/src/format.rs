//! The journal on disk: segments of pages, blocks that flow through them, and how damage is passed.
//!
//! **Constraints.** An entry that was acknowledged is on disk and synced. Damage costs the blocks
//! it touches and nothing else. A key and a nonce never meet twice. Deleting needs no free space
//! and starting deletes nothing. Opening reads headers and footers only, and the one segment that
//! was not sealed.
//!
//! **Layout.** A directory holds `lock`, `cursors`, `main/`, `spill/<sink>/`, `dead/<sink>/` and
//! `quarantine/`; the middle three hold segments named `<id, 16 hex digits>.segment`:
//!
//! ```text
//! page 0   segment header at byte 0, the same again at byte 32 Ki
//! page 1.. 16-byte page header, then blocks; a block may run over many pages, and is then
//!          interrupted by their headers; its own 120-byte header never crosses a page
//! block    header (CRC32C seeded by salt, segment id and offset) | plain bytes | body bytes
//!          plain and body share a second CRC32C; body is LZ4, or as it came when that is no gain
//! footer   once sealed: end of data, last number, records and bytes per route bit and lane
//! ```
//!
//! All integers are little endian. A block holds many small entries (at most 256 KiB together,
//! all in the body) or one larger entry (its head and meta plain, its payload in the body). A page
//! header says where the first block that starts in its page begins; that is where a reader goes
//! after damage.
//!
//! **Seal** (version 2, where the journal has keys). The segment header names the key, carries it
//! wrapped if its source wants that, and ends in a tag over all of it. A salt that no other segment
//! has gives the segment subkeys of its own; a block is sealed by AES-256-GCM with its offset as
//! nonce, after compression, bound to journal, segment, offset and its own header. That header stays
//! readable, and carries the tag and a code of its own, so that a block may be passed unread. Footers
//! and cursor slots are sealed whole. What each secret is made of: `cipher.rs`, decision 11.
//!
//! **Write.** Bytes once synced are never written again: a group starts in a 4 KiB sector of its
//! own. One writer. Every open starts a new segment with a new salt at its first append; an
//! old tail is never continued. A group of entries becomes blocks, one vectored write, one
//! fdatasync. When either fails the segment is abandoned at its last synced byte, the group goes to
//! a new one, and whatever the old one holds past that is void: *a segment ends where the record
//! numbers of the next one begin.*
//!
//! **Read.** Forward from a record number. A block whose routes or lanes do not concern the reader
//! is passed by its header. A header or payload that does not match its checksum is counted, and
//! the search for the next block goes on in that page, then page by page.
//!
//! **Delete.** Cursors synced, directory synced, then unlink, oldest first. The newest segment
//! stays, for the record numbers. A segment with damage is moved to `quarantine/` instead.
//!
//! **Recovery.** Segments with a footer are trusted by their headers. One without is scanned, all
//! its checksums verified and synced; what follows the last complete block is the torn tail. Then
//! it is sealed: cut behind its last non-zero byte and given a footer, so that a second open finds
//! nothing to do. Segments that cannot be read, or belong to another journal, stay where they are
//! and are reported.

mod block;
mod footer;
mod page;
mod segment;

pub(crate) use block::{BlockHeader, Codec, MAGIC as BLOCK_MAGIC};
pub(crate) use footer::{FOOTER_BYTES_MAX, Footer, TRAILER_BYTES, trailer_body_len};
pub(crate) use page::{
    ALIGNMENT, ALIGNMENT_LEN, GROUP_ALIGNMENT, PageHeader, advance, block_start, group_start,
    page_of, page_start,
};
pub(crate) use segment::{HeaderError, Kind, Seal, SegmentHeader};

/// The newest version on disk that this build reads and writes; newer ones are refused by name.
pub const VERSION: u8 = 2;
/// The version of what is neither sealed nor compressed by zstd, written so that builds that know
/// neither read it.
pub const VERSION_PLAIN: u8 = 1;
/// Bytes of a page.
pub const PAGE_BYTES: u64 = PAGE_LEN as u64;
/// Bytes of the header of every page but the first.
pub const PAGE_HEADER_BYTES: u64 = PAGE_HEADER_LEN as u64;
/// Bytes of a block header.
pub const BLOCK_HEADER_BYTES: u64 = BLOCK_HEADER_LEN as u64;
/// Most bytes of small entries that share a block, before compression.
pub const GROUPED_BYTES_MAX: usize = 256 << 10;
/// Most bytes of one entry's payload.
pub const PAYLOAD_BYTES_MAX: usize = 72 << 20;
/// Most bytes of one entry's meta.
pub const META_BYTES_MAX: usize = 64 << 10;
/// Most bytes of a component id, so that 256 of them fit the segment header.
pub const COMPONENT_ID_BYTES_MAX: usize = 120;
/// Most sinks one open can route to: the bits of [`crate::Routes`].
pub const SINKS_MAX: usize = 256;
/// The same sizes for arrays.
pub(crate) const PAGE_LEN: usize = 64 << 10;
pub(crate) const PAGE_HEADER_LEN: usize = 16;
pub(crate) const BLOCK_HEADER_LEN: usize = 120;
/// Most bytes of a segment header; also the offset of its second copy.
pub(crate) const SEGMENT_HEADER_BYTES_MAX: usize = 32 << 10;
/// Where the first block of a segment starts.
pub(crate) const DATA_START: u64 = PAGE_BYTES + PAGE_HEADER_BYTES;
/// Payloads of at least this many bytes get a block of their own, built by the appending task.
pub(crate) const LARGE_BYTES_MIN: usize = 32 << 10;
/// Record numbers left out after a tail that could not be read to its end, so that no number is
/// given twice.
pub(crate) const NUMBERS_SKIPPED: u64 = 1 << 32;

/// `Option<[u8; N]>` of the bytes at `offset`.
pub(crate) fn bytes_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..offset.checked_add(N)?)?.try_into().ok()
}
