//! Blocks in memory: entries gathered and compressed on the way in, checked and parted on the way
//! out.

use std::cell::RefCell;

use bytes::{Buf, Bytes};
use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};
use zstd::bulk::Compressor;

use crate::cipher::TAG_BYTES;
use crate::entry::{Append, Entry, Head, Lane, Routes};
use crate::format::{BlockHeader, Codec, GROUPED_BYTES_MAX, LARGE_BYTES_MIN};
use crate::options::Compression;
use crate::summary::{Part, Tally};

/// Bytes of the compression buffer that a thread keeps.
const SCRATCH_BYTES_KEPT: usize = 1 << 20;
/// The level of zstd: those above it cost more than they save at the speed of a disk.
const ZSTD_LEVEL: i32 = 1;

/// A block ready to be written anywhere.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub plain: Vec<u8>,
    pub body: Bytes,
    pub codec: Codec,
    pub raw_bytes: u32,
    pub payload_crc: u32,
    pub entries: u32,
    pub first: u64,
    pub end: u64,
    pub appended_unix_nanos: u64,
    pub parts: Vec<Part>,
}

struct Scratch {
    table: CompressTable,
    zstd: Option<Compressor<'static>>,
    out: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> =
        RefCell::new(Scratch { table: CompressTable::large(), zstd: None, out: Vec::new() });
}

impl Block {
    /// The block of one large entry. Its number and time are set when it is written.
    pub(crate) fn large(append: &Append, compression: Compression) -> Self {
        let head = Head {
            gap: 0,
            items: append.items,
            routes: append.routes,
            lane: append.lane,
            meta_len: append.meta.len(),
            payload_len: append.payload.len(),
        };
        let mut plain = Vec::with_capacity(Head::BYTES_MAX + append.meta.len());
        head.encode(&mut plain);
        plain.extend_from_slice(&append.meta);
        let tally = Tally {
            records: u64::from(append.items),
            bytes: (append.meta.len() + append.payload.len()) as u64,
        };
        let part = Part { routes: append.routes, lane: append.lane, tally };
        Self::seal(plain, &append.payload, compression, vec![part], 1)
    }

    fn seal(
        plain: Vec<u8>,
        raw: &Bytes,
        compression: Compression,
        parts: Vec<Part>,
        entries: u32,
    ) -> Self {
        let shrunk = match compression {
            Compression::Lz4 => compress(raw, Codec::Lz4),
            Compression::Zstd => compress(raw, Codec::Zstd),
            Compression::None => None,
        };
        let (codec, body) = shrunk.unwrap_or_else(|| (Codec::None, raw.clone()));
        let payload_crc = crc32c::crc32c_append(crc32c::crc32c(&plain), &body);
        let raw_bytes = u32::try_from(raw.len()).unwrap_or(u32::MAX);
        let (first, end, appended_unix_nanos) = (0, 0, 0);
        Self {
            plain,
            body,
            codec,
            raw_bytes,
            payload_crc,
            entries,
            first,
            end,
            appended_unix_nanos,
            parts,
        }
    }

    /// Bytes of plain and body.
    pub(crate) fn stored_bytes(&self) -> u64 {
        (self.plain.len() + self.body.len()) as u64
    }

    /// The union of the routes of all entries.
    pub(crate) fn routes(&self) -> Routes {
        self.parts.iter().fold(Routes::default(), |union, part| union.union(&part.routes))
    }

    /// What stands before the block on disk.
    pub(crate) fn header(&self, group_end: bool) -> BlockHeader {
        let small = |len: u64| u32::try_from(len).unwrap_or(u32::MAX);
        BlockHeader {
            payload_crc: self.payload_crc,
            stored_bytes: small(self.stored_bytes()),
            plain_bytes: small(self.plain.len() as u64),
            raw_bytes: self.raw_bytes,
            entries: self.entries,
            codec: self.codec,
            uniform: self.parts.len() == 1,
            group_end,
            lanes: self.parts.iter().fold(0, |mask, part| mask | part.lane.mask()),
            first: self.first,
            end: self.end,
            records: self.parts.iter().map(|part| part.tally.records).sum(),
            appended_unix_nanos: self.appended_unix_nanos,
            routes: self.routes(),
            tag: [0; TAG_BYTES],
        }
    }
}

// The result is copied out of a buffer that the thread keeps: allocating the worst case for every
// payload would cost a page fault per 4 KiB, which is more than the copy of what remains.
fn compress(raw: &[u8], codec: Codec) -> Option<(Codec, Bytes)> {
    SCRATCH.with_borrow_mut(|scratch| {
        let worst = get_maximum_output_size(raw.len());
        if scratch.out.len() < worst {
            scratch.out.resize(worst, 0);
        }
        let len = match codec {
            Codec::None => return None,
            Codec::Lz4 => {
                compress_into_with_table(raw, &mut scratch.out, &mut scratch.table).ok()?
            }
            Codec::Zstd => {
                let zstd = match &mut scratch.zstd {
                    Some(zstd) => zstd,
                    none => none.insert(Compressor::new(ZSTD_LEVEL).ok()?),
                };
                zstd.compress_to_buffer(raw, &mut scratch.out[..]).ok()?
            }
        };
        let worthwhile = len + len / 16 < raw.len();
        let shrunk = scratch.out.get(..len).filter(|_| worthwhile).map(Bytes::copy_from_slice);
        if scratch.out.len() > SCRATCH_BYTES_KEPT {
            scratch.out = Vec::new();
        }
        shrunk.map(|shrunk| (codec, shrunk))
    })
}

fn decompress(codec: Codec, body: Bytes, raw_bytes: u32) -> Option<Bytes> {
    if codec == Codec::None {
        return Some(body);
    }
    let mut out = vec![0; raw_bytes as usize];
    let len = match codec {
        Codec::None => return None,
        Codec::Lz4 => lz4_flex::block::decompress_into(&body, &mut out).ok()?,
        Codec::Zstd => zstd::bulk::decompress_to_buffer(&body, &mut out[..]).ok()?,
    };
    (len == out.len()).then(|| out.into())
}

/// Gathers entries, in order, into blocks.
pub(crate) struct Builder {
    compression: Compression,
    blocks: Vec<Block>,
    raw: Vec<u8>,
    parts: Vec<Part>,
    entries: u32,
    first: u64,
    end: u64,
    appended_unix_nanos: u64,
}

impl Builder {
    pub(crate) fn new(compression: Compression) -> Self {
        Self {
            compression,
            blocks: Vec::new(),
            raw: Vec::new(),
            parts: Vec::new(),
            entries: 0,
            first: 0,
            end: 0,
            appended_unix_nanos: 0,
        }
    }

    /// Adds an entry, whose block the appending task may have built already.
    pub(crate) fn push(&mut self, entry: &Entry, built: Option<Block>) {
        let large = entry.payload.len() >= LARGE_BYTES_MIN;
        if built.is_some() || large {
            self.flush();
            let block = built.unwrap_or_else(|| Block::large(&entry.as_append(), self.compression));
            self.blocks.push(Block {
                first: entry.sequence,
                end: entry.end(),
                appended_unix_nanos: entry.appended_unix_nanos,
                ..block
            });
            return;
        }
        let len = Head::BYTES_MAX + entry.meta.len() + entry.payload.len();
        let other_time = entry.appended_unix_nanos != self.appended_unix_nanos;
        if self.raw.len() + len > GROUPED_BYTES_MAX || other_time {
            self.flush();
        }
        if self.entries == 0 {
            (self.first, self.end) = (entry.sequence, entry.sequence);
            self.appended_unix_nanos = entry.appended_unix_nanos;
        }
        let head = entry.head(entry.sequence - self.end);
        head.encode(&mut self.raw);
        self.raw.extend_from_slice(&entry.meta);
        self.raw.extend_from_slice(&entry.payload);
        let tally = Tally { records: u64::from(entry.items), bytes: entry.bytes() };
        Part::extend(&mut self.parts, entry.routes, entry.lane, tally);
        self.entries += 1;
        self.end = entry.end();
    }

    /// The blocks of all that was pushed.
    pub(crate) fn finish(mut self) -> Vec<Block> {
        self.flush();
        self.blocks
    }

    fn flush(&mut self) {
        if self.entries == 0 {
            return;
        }
        let raw = Bytes::from(std::mem::take(&mut self.raw));
        let parts = std::mem::take(&mut self.parts);
        let block = Block::seal(Vec::new(), &raw, self.compression, parts, self.entries);
        self.blocks.push(Block {
            first: self.first,
            end: self.end,
            appended_unix_nanos: self.appended_unix_nanos,
            ..block
        });
        self.entries = 0;
    }
}

impl Entry {
    /// The entry as it was given to append.
    pub(crate) fn as_append(&self) -> Append {
        Append {
            routes: self.routes,
            lane: self.lane,
            items: self.items,
            meta: self.meta.clone(),
            payload: self.payload.clone(),
        }
    }

    fn head(&self, gap: u64) -> Head {
        Head {
            gap,
            items: self.items,
            routes: self.routes,
            lane: self.lane,
            meta_len: self.meta.len(),
            payload_len: self.payload.len(),
        }
    }
}

/// The entries of a block whose bytes are those that were written, as [`crate::guard::Guard`]
/// says; or `None` when they make no sense all the same.
pub(crate) fn decode(header: &BlockHeader, opened: Bytes) -> Option<Vec<Entry>> {
    let mut body = opened;
    let plain = body.split_to((header.plain_bytes as usize).min(body.len()));
    let raw = decompress(header.codec, body, header.raw_bytes)?;
    let entries = if plain.is_empty() {
        decode_grouped(header, raw)?
    } else {
        vec![decode_large(header, plain, raw)?]
    };
    let complete = entries.len() == header.entries as usize
        && entries.last().is_some_and(|last| last.end() == header.end);
    complete.then_some(entries)
}

fn decode_large(header: &BlockHeader, mut plain: Bytes, payload: Bytes) -> Option<Entry> {
    let head = Head::decode(&mut plain)?;
    let fits = head.meta_len == plain.len() && head.payload_len == payload.len();
    fits.then(|| entry(header, header.first + head.gap, &head, plain, payload))
}

fn decode_grouped(header: &BlockHeader, mut raw: Bytes) -> Option<Vec<Entry>> {
    let mut entries = Vec::with_capacity((header.entries as usize).min(GROUPED_BYTES_MAX));
    let mut sequence = header.first;
    while raw.has_remaining() {
        let head = Head::decode(&mut raw)?;
        if head.meta_len.checked_add(head.payload_len)? > raw.len() {
            return None;
        }
        let meta = raw.split_to(head.meta_len);
        let payload = raw.split_to(head.payload_len);
        sequence = sequence.checked_add(head.gap)?;
        let entry = entry(header, sequence, &head, meta, payload);
        sequence = sequence.checked_add(u64::from(entry.items))?;
        entries.push(entry);
    }
    Some(entries)
}

fn entry(header: &BlockHeader, sequence: u64, head: &Head, meta: Bytes, payload: Bytes) -> Entry {
    Entry {
        sequence,
        items: head.items,
        routes: head.routes,
        lane: head.lane,
        meta,
        payload,
        appended_unix_nanos: header.appended_unix_nanos,
    }
}

/// The parts of a block: from its header when it is uniform, else from its entries.
pub(crate) fn parts(header: &BlockHeader, opened: Bytes) -> Option<Vec<Part>> {
    if header.uniform {
        // Not worth decompressing: the bytes then include the heads.
        let bytes = u64::from(header.plain_bytes) + u64::from(header.raw_bytes);
        let lane = if header.lanes == Lane::Urgent.mask() { Lane::Urgent } else { Lane::Normal };
        let tally = Tally { records: header.records, bytes };
        return Some(vec![Part { routes: header.routes, lane, tally }]);
    }
    let entries = decode(header, opened)?;
    let mut parts = Vec::new();
    for entry in &entries {
        let tally = Tally { records: u64::from(entry.items), bytes: entry.bytes() };
        Part::extend(&mut parts, entry.routes, entry.lane, tally);
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::SinkIndex;

    fn entry(sequence: u64, len: usize, time: u64) -> Entry {
        Entry {
            sequence,
            items: 2,
            routes: Routes::to([SinkIndex(u8::try_from(sequence % 3).unwrap())]),
            lane: if sequence.is_multiple_of(5) { Lane::Urgent } else { Lane::Normal },
            meta: Bytes::from(format!("meta {sequence}")),
            payload: (0..len).map(|n| u8::try_from(n % 7 * 31).unwrap()).collect(),
            appended_unix_nanos: time,
        }
    }

    fn check_round_trip(entries: &[Entry], compression: Compression) -> Vec<Block> {
        let mut builder = Builder::new(compression);
        for entry in entries {
            builder.push(entry, None);
        }
        let blocks = builder.finish();
        let mut read = Vec::new();
        for block in &blocks {
            let stored = Bytes::from([&block.plain[..], &block.body[..]].concat());
            let header = block.header(false);
            let records = |parts: &[Part]| -> Vec<_> {
                parts.iter().map(|part| (part.routes, part.lane, part.tally.records)).collect()
            };
            assert_eq!(records(&parts(&header, stored.clone()).unwrap()), records(&block.parts));
            read.extend(decode(&header, stored).unwrap());
        }
        assert_eq!(read, entries);
        blocks
    }

    #[test]
    fn small_entries_share_blocks_and_large_ones_own_theirs() {
        let sizes = [10, 0, LARGE_BYTES_MIN, 500, 1 << 20, 7];
        let entries: Vec<_> = (0..).zip(sizes).map(|(n, len)| entry(100 + 2 * n, len, 9)).collect();
        for compression in [Compression::Lz4, Compression::Zstd, Compression::None] {
            let blocks = check_round_trip(&entries, compression);
            let counts: Vec<_> = blocks.iter().map(|block| block.entries).collect();
            assert_eq!(counts, [2, 1, 1, 1, 1]);
        }
    }

    #[test]
    fn numbers_left_out_and_times_of_old_survive_a_copy() {
        check_round_trip(&[entry(5, 9, 1), entry(50, 9, 1), entry(52, 9, 2)], Compression::Lz4);
    }

    #[test]
    fn a_grouped_block_stays_within_its_limit() {
        let entries: Vec<_> = (0..100).map(|n| entry(n * 2, 20_000, 1)).collect();
        let blocks = check_round_trip(&entries, Compression::Lz4);
        assert!(blocks.iter().all(|block| block.raw_bytes as usize <= GROUPED_BYTES_MAX));
        assert!(blocks.len() > 7 && blocks[0].body.len() * 4 < GROUPED_BYTES_MAX);
    }

    fn blocks_of(entries: &[Entry]) -> usize {
        check_round_trip(entries, Compression::None).len()
    }

    #[test]
    fn a_block_is_filled_up_to_the_last_byte_that_fits() {
        let mut entries: Vec<_> = (0..12).map(|n| entry(n * 2, 20_000, 1)).collect();
        let raw = check_round_trip(&entries, Compression::None)[0].raw_bytes as usize;
        entries.push(entry(24, 0, 1));
        let room = GROUPED_BYTES_MAX - raw - Head::BYTES_MAX - entries[12].meta.len();
        assert!(room < LARGE_BYTES_MIN, "the first block is the only one so far");
        for (len, expected) in [(room - 1, 1), (room, 1), (room + 1, 2)] {
            entries[12] = entry(24, len, 1);
            assert_eq!(blocks_of(&entries), expected, "{len} bytes for {room}");
        }
    }

    #[test]
    fn a_large_entry_that_nobody_built_a_block_for_gets_its_own() {
        let blocks = check_round_trip(&[entry(0, LARGE_BYTES_MIN, 1)], Compression::None);
        assert_eq!(blocks[0].body.len(), LARGE_BYTES_MIN, "the payload and nothing else");
        assert!(!blocks[0].plain.is_empty());
    }

    #[test]
    fn what_a_sixteenth_of_its_size_is_not_saved_on_is_stored_as_it_is() {
        let mut word = 1_u64;
        let mut random = || {
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            word.to_be_bytes()[0]
        };
        let noise: Vec<u8> = (0..2_000).map(|_| random()).collect();
        let mut equal = 0;
        for zeros in 0..400 {
            let raw = [&noise[..], &vec![0; zeros]].concat();
            let mut out = vec![0; get_maximum_output_size(raw.len())];
            let table = &mut CompressTable::large();
            let len = compress_into_with_table(&raw, &mut out, table).unwrap();
            let kept = len + len / 16;
            equal += usize::from(kept == raw.len());
            let shrunk = compress(&raw, Codec::Lz4).map(|(_, bytes)| bytes.len());
            assert_eq!(shrunk, (kept < raw.len()).then_some(len), "{zeros} zeros");
        }
        assert!(equal > 0, "the very edge was not met");
    }

    #[test]
    fn a_thread_keeps_room_to_compress_but_not_that_of_the_largest() {
        let kept = || SCRATCH.with_borrow(|scratch| scratch.out.len());
        compress(&vec![1; 50_000], Codec::Lz4);
        assert!((50_000..=SCRATCH_BYTES_KEPT).contains(&kept()), "{}", kept());
        compress(&vec![1; 4 << 20], Codec::Lz4);
        assert!(kept() <= SCRATCH_BYTES_KEPT, "{}", kept());
    }

    #[test]
    fn a_block_whose_content_is_not_what_its_header_says_is_no_block() {
        for len in [10, LARGE_BYTES_MIN] {
            let block = check_round_trip(&[entry(6, len, 1)], Compression::None).remove(0);
            let stored = Bytes::from([&block.plain[..], &block.body[..]].concat());
            let header = block.header(false);
            let check = |header: BlockHeader, stored: Bytes| decode(&header, stored).is_some();
            assert!(check(header.clone(), stored.clone()));
            assert!(!check(BlockHeader { entries: 2, ..header.clone() }, stored.clone()));
            assert!(!check(BlockHeader { end: header.end + 1, ..header.clone() }, stored.clone()));
            let plain_bytes = header.plain_bytes.saturating_sub(1);
            if plain_bytes > 0 {
                assert!(!check(BlockHeader { plain_bytes, ..header.clone() }, stored.clone()));
                assert!(!check(header.clone(), stored.slice(..stored.len() - 1)));
            }
        }
    }

    #[test]
    fn the_bytes_of_a_uniform_block_are_told_by_its_header() {
        for len in [10, LARGE_BYTES_MIN] {
            let block = check_round_trip(&[entry(6, len, 1)], Compression::None).remove(0);
            let [part] = &parts(&block.header(false), Bytes::new()).unwrap()[..] else { panic!() };
            assert_eq!(part.tally.bytes, (block.plain.len() + block.body.len()) as u64);
        }
    }

    /// Scenario: damage that the checksum does not see, by chance or because it was made to match.
    #[test]
    fn no_flipped_bit_of_a_block_makes_the_decoder_panic() {
        for compression in [Compression::Lz4, Compression::Zstd, Compression::None] {
            let blocks = check_round_trip(&[entry(0, 40, 1), entry(2, 40, 1)], compression);
            let stored = [&blocks[0].plain[..], &blocks[0].body[..]].concat();
            for bit in 0..stored.len() * 8 {
                let mut flipped = stored.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                decode(&blocks[0].header(false), flipped.into());
            }
        }
    }
}
