//! Every cut of a tail, every bit of a segment, every byte of the cursors: what is whole is served,
//! what is not is counted, nothing wrong is ever served.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bessemer_journal::disk::{Disk, OpenMode};
use bessemer_journal::{Append, Compression, Lane};
use bessemer_runtime::{Random, SystemRandom};

use crate::harness::{A, B, DIR, Live, World, entry};
use crate::size::{is_full, say, sized};

const PAGE: usize = 64 << 10;
const DAMAGE_COUNTED_MAX: usize = 4096;

/// One segment with a group for each entry, and where each group ends in the file.
struct Written {
    world: World,
    path: PathBuf,
    entries: Vec<Append>,
    ends: Vec<usize>,
}

impl Written {
    fn new(lengths: impl Iterator<Item = usize>, segment_bytes: u64) -> Self {
        let mut world = World::new(1);
        world.options.segment_bytes = segment_bytes;
        world.options.budget_bytes = segment_bytes * 16;
        world.options.compression = Compression::None;
        world.options.cache_bytes = 0;
        let mut live = world.open();
        let (mut entries, mut ends) = (Vec::new(), Vec::new());
        let path = Path::new(DIR).join("main/0000000000000001.segment");
        for (number, len) in (0..).zip(lengths) {
            let one = entry(number, len, &[A, B], Lane::Normal);
            live.append(vec![one.clone()]).unwrap();
            entries.push(one);
            let file = world.disk.open(&path, OpenMode::Read).unwrap();
            ends.push(usize::try_from(file.size().unwrap()).unwrap());
        }
        drop(live);
        assert_eq!(world.segments("main").len(), 1);
        Self { world, path, entries, ends }
    }

    /// The same, sealed by a second process.
    fn sealed(self) -> Self {
        let world = self.world.with_disk(self.world.disk.after_kill());
        world.open().engine.maintain();
        Self { world, ..self }
    }

    fn bytes(&self) -> Vec<u8> {
        self.world.disk.read(&self.path).unwrap()
    }

    /// The world with these bytes written over those at `offset`, and cut at `len`.
    fn damaged(&self, offset: usize, bytes: &[u8], len: Option<usize>) -> World {
        let world = self.world.with_disk(self.world.disk.after_kill());
        let file = world.disk.open(&self.path, OpenMode::Write).unwrap();
        if !bytes.is_empty() {
            let slices = [std::io::IoSlice::new(bytes)];
            assert_eq!(file.pwrite(offset as u64, &slices).unwrap(), bytes.len());
        }
        if let Some(len) = len {
            file.truncate(len as u64).unwrap();
        }
        world
    }

    /// The numbers of entries that are served, each of which must be as it was appended.
    fn served(&self, live: &Live) -> Vec<usize> {
        let mut reader = live.journal.reader(A, Lane::Normal);
        let mut served = Vec::new();
        while let Some(stored) = reader.try_next() {
            let text = std::str::from_utf8(&stored.meta).unwrap();
            let number: usize = text.rsplit(' ').next().unwrap().parse().unwrap();
            let appended = &self.entries[number];
            assert!(appended.payload == stored.payload, "a wrong payload was served");
            assert_eq!(appended.items, stored.items);
            served.push(number);
        }
        served
    }

    /// The group that the byte at `offset` belongs to.
    fn group_of(&self, offset: usize) -> usize {
        self.ends.partition_point(|end| *end <= offset)
    }
}

/// Promise: a tail cut at any byte of the last 64 KiB is opened; exactly the records that are whole
/// are served; the cut is counted once.
#[test]
fn a_tail_cut_at_any_of_65536_bytes_serves_exactly_what_is_whole() {
    let written = Written::new((0..90).map(|n| 50 + n * 37 % 1_700), 1 << 20);
    let len = *written.ends.last().unwrap();
    assert!(len > 2 * PAGE, "{len}");
    let mut opened = 0;
    for cut in (len - PAGE..len).step_by(sized(61, 1)) {
        let world = written.damaged(0, &[], Some(cut));
        let (mut live, report) = world.try_open().unwrap();
        let whole = written.ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(written.served(&live), (0..whole).collect::<Vec<_>>(), "cut at {cut}");
        assert!(report.torn_tails.len() <= 1, "{report:?}");
        assert_eq!(live.journal.stats().torn_tails, report.torn_tails.len() as u64);
        opened += 1;
        if cut.is_multiple_of(97) {
            live.engine.maintain();
            drop(live);
            let (_, again) = world.with_disk(world.disk.after_kill()).try_open().unwrap();
            assert!(again.torn_tails.is_empty(), "counted twice at {cut}");
        }
    }
    say(&format!("tail truncations: {opened} opened"));
    assert!(!is_full() || opened == 65_536);
}

/// Promise: any one bit of 8 KiB of blocks may flip: only the block it is in is lost, what follows
/// is served, and the loss is counted exactly.
fn check_flips(written: &Written) -> u64 {
    let bytes = written.bytes();
    let all: Vec<usize> = (0..written.entries.len()).collect();
    let mut flips = 0;
    for bit in (PAGE * 8..(PAGE + 8192) * 8).step_by(sized(67, 1)) {
        let offset = bit / 8;
        let world = written.damaged(offset, &[bytes[offset] ^ (1 << (bit % 8))], None);
        let (live, report) = world.try_open().unwrap();
        let served = written.served(&live);
        let lost: Vec<usize> = all.iter().copied().filter(|n| !served.contains(n)).collect();
        let hit = written.group_of(offset);
        assert!(lost.is_empty() || lost == [hit], "bit {bit} in {hit} cost {lost:?}");
        let counted = live.journal.stats().corrupt_blocks;
        let last = hit + 1 == written.entries.len() && !report.torn_tails.is_empty();
        assert!(counted == lost.len() as u64 || last, "bit {bit}: {counted} for {lost:?}");
        flips += 1;
    }
    flips
}

#[test]
fn any_of_65536_bits_of_an_unsealed_segment_may_flip() {
    let written = Written::new((0..3).map(|n| 900 + n * 700), 1 << 20);
    let flips = check_flips(&written);
    say(&format!("bit flips, unsealed: {flips}"));
    assert!(!is_full() || flips == 65_536);
}

#[test]
fn any_of_65536_bits_of_a_sealed_segment_may_flip() {
    let written = Written::new((0..3).map(|n| 900 + n * 700), 1 << 20).sealed();
    let flips = check_flips(&written);
    say(&format!("bit flips, sealed: {flips}"));
    assert!(!is_full() || flips == 65_536);
}

#[test]
fn any_bit_of_either_segment_header_may_flip() {
    let written = Written::new((0..3).map(|n| 900 + n * 700), 1 << 20).sealed();
    let bytes = written.bytes();
    for copy in [0, PAGE / 2] {
        for bit in (copy * 8..(copy + 160) * 8).step_by(sized(7, 1)) {
            let offset = bit / 8;
            let world = written.damaged(offset, &[bytes[offset] ^ (1 << (bit % 8))], None);
            assert_eq!(written.served(&world.open()), [0, 1, 2], "bit {bit}");
        }
    }
}

/// Promise: ten thousand flipped bits of a large segment cost the blocks they hit and no other.
#[test]
fn random_flips_in_a_large_segment_cost_only_the_blocks_they_hit() {
    let (megabytes, flips) = sized((4, 300), (128, 10_000));
    let count = megabytes * 256 - 32;
    let written = Written::new((0..count).map(|n| 2_500 + n % 1_000), (megabytes as u64) << 20);
    let written = written.sealed();
    let world = written.world.with_disk(written.world.disk.after_kill());
    let file = world.disk.open(&written.path, OpenMode::Write).unwrap();
    let random = SystemRandom::seeded(5);
    let span = (written.ends[count - 1] - PAGE) as u64;
    let mut hit = BTreeSet::new();
    for _ in 0..flips {
        let drawn = random.next_u64();
        let offset = PAGE + usize::try_from(drawn / 8 % span).unwrap();
        let mut byte = [0];
        file.pread(offset as u64, &mut byte).unwrap();
        byte[0] ^= 1 << (drawn % 8);
        file.pwrite(offset as u64, &[std::io::IoSlice::new(&byte)]).unwrap();
        hit.insert(written.group_of(offset));
    }
    let live = world.open();
    let served: BTreeSet<usize> = written.served(&live).into_iter().collect();
    let lost: BTreeSet<usize> = (0..count).filter(|number| !served.contains(number)).collect();
    assert!(lost.is_subset(&hit), "not hit and lost: {:?}", lost.difference(&hit));
    // Damage is remembered, and so counted, up to so many places of one segment.
    let counted = lost.len().min(DAMAGE_COUNTED_MAX) as u64;
    assert_eq!(live.journal.stats().corrupt_blocks, counted);
    say(&format!("random flips: {flips}, {} of {count} blocks lost, all of them hit", lost.len()));
}

// Where the header of the first block stands, and the checksum it would need.
fn resealed(bytes: &[u8], field: usize, value: u32) -> Vec<u8> {
    let at = PAGE + 16;
    let (id, salt) = (&bytes[32..40], &bytes[64..80]);
    let seed = crc32c::crc32c_append(crc32c::crc32c(salt), id);
    let mut header = bytes[at..at + 120].to_vec();
    header[field..field + 4].copy_from_slice(&value.to_le_bytes());
    let seed = crc32c::crc32c_append(seed, &(at as u64).to_le_bytes());
    let crc = crc32c::crc32c_append(seed, &header[8..]);
    header[4..8].copy_from_slice(&crc.to_le_bytes());
    header
}

/// Promise: lengths that lie, under a checksum that matches, cost the block that lies and what it
/// claims, never a wrong payload, a panic or memory without bound.
#[test]
fn lengths_that_lie_are_passed_whatever_they_claim() {
    let written = Written::new((0..12).map(|n| 700 + n * 100), 1 << 20).sealed();
    let bytes = written.bytes();
    let untouched = written.damaged(PAGE + 16, &resealed(&bytes, 4 + 60, 0), None);
    assert!(written.served(&untouched.open()).len() >= 11, "the test seals as the journal does");
    let lies = [0, 1, 119, 120, 4_096, 8_000, 40_000, 1 << 20, 76 << 20, 1 << 31, u32::MAX];
    for field in [12, 16, 20, 24] {
        for lie in lies {
            let world = written.damaged(PAGE + 16, &resealed(&bytes, field, lie), None);
            let served = written.served(&world.open());
            // What a lie covers in its own page may be lost with it, the rest is found again.
            let beyond = written.entries.len() - written.group_of(2 * PAGE).min(12);
            assert!(served.len() >= beyond, "field {field} = {lie}: {served:?}");
            assert!(served.contains(&11) || field == 12, "field {field} = {lie}: {served:?}");
        }
    }
}

/// Promise: a page of zeros anywhere costs the blocks in it, and the start succeeds.
#[test]
fn a_zeroed_page_anywhere_costs_the_blocks_in_it() {
    for sealed in [false, true] {
        let written = Written::new((0..60).map(|n| 500 + n * 90), 2 << 20);
        let written = if sealed { written.sealed() } else { written };
        let len = written.bytes().len();
        for start in (0..len).step_by(4096) {
            let zeros = vec![0; 4096.min(len - start)];
            let world = written.damaged(start, &zeros, None);
            let served = written.served(&world.open());
            let hit = written.group_of(start)..=written.group_of(start + zeros.len() - 1);
            let lost: Vec<usize> = (0..60).filter(|number| !served.contains(number)).collect();
            assert!(lost.iter().all(|number| hit.contains(number)), "page at {start}: {lost:?}");
        }
    }
}

/// Promise: any byte of the cursors may be wrong, or the file end anywhere: duplicates at most.
#[test]
fn any_byte_of_the_cursors_may_be_wrong_and_costs_duplicates_only() {
    let written = Written::new((0..8).map(|n| 300 + n), 1 << 20);
    let mut live = written.world.open();
    let served = live.read(A, Lane::Normal);
    live.settle_each(A, &served[..5]);
    written.world.clock.advance(std::time::Duration::from_secs(2));
    live.engine.maintain();
    drop(live);
    let cursors = Path::new(DIR).join("cursors");
    let bytes = written.world.disk.read(&cursors).unwrap();
    let check = |bytes: Vec<u8>, what: &str| {
        let world = written.world.with_disk(written.world.disk.after_kill());
        world.disk.overwrite(&cursors, bytes);
        let served = written.served(&world.open());
        assert!((5..8).all(|number| served.contains(&number)), "{what}: {served:?}");
    };
    for at in (0..bytes.len()).step_by(sized(13, 1)).filter(|at| at % 4096 < 300) {
        let mut wrong = bytes.clone();
        wrong[at] ^= 0xff;
        check(wrong, &format!("byte {at}"));
    }
    for len in (0..bytes.len()).step_by(sized(4_099, 61)) {
        check(bytes[..len].to_vec(), &format!("length {len}"));
    }
}
