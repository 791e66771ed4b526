//! Reading all of a segment, block by block, every checksum and seal verified.

use std::io;
use std::ops::ControlFlow;

use crate::block;
use crate::disk::{OpenMode, is_damage};
use crate::entry::Entry;
use crate::format::{BlockHeader, DATA_START, Footer};
use crate::log::Env;
use crate::recover::{Readable, patiently, read_footer};
use crate::scan::{Found, Scanner};

/// What is come upon in a segment.
pub(crate) enum Seen {
    /// The entries of a block, and where it is.
    Entries(u64, Vec<Entry>),
    /// A place at which a block was, or something that is none.
    Damage(u64),
}

/// A segment that was walked.
#[derive(Default)]
pub(crate) struct Walked {
    pub footer: Option<Footer>,
    pub file_bytes: u64,
    /// Behind the last block that could be read, and the number after its last record.
    pub data_end: u64,
    pub end: u64,
    /// Bytes after that which are not zero, where no footer says that nothing follows.
    pub torn_bytes: u64,
}

/// Reads a segment up to the number from which on it is void, until `visit` has enough.
pub(crate) fn walk(
    env: &Env,
    readable: &Readable,
    bound: u64,
    visit: &mut dyn FnMut(Seen) -> ControlFlow<()>,
) -> io::Result<Walked> {
    let file = env.disk.open(&readable.path, OpenMode::Read)?;
    let file_bytes = file.size()?;
    let footer = read_footer(&*file, file_bytes, &readable.guard);
    let limit = footer.as_ref().map_or(file_bytes, |footer| footer.data_end);
    let mut scanner = Scanner::new(file, readable.guard.clone(), DATA_START, limit);
    let mut walked = Walked {
        footer,
        file_bytes,
        data_end: DATA_START,
        end: readable.header.first,
        ..Walked::default()
    };
    let mut suspect = Vec::new();
    while let Some(header) = next(&mut scanner, &mut suspect)? {
        if header.first >= bound {
            break;
        }
        if let Some(entries) = read(&scanner, &header, walked.end) {
            let damage = suspect.drain(..).map(Seen::Damage);
            let seen = damage.chain([Seen::Entries(scanner.offset, entries)]);
            if seen.map(&mut *visit).any(|flow| flow.is_break()) {
                return Ok(walked);
            }
            walked.data_end = header.data_end(scanner.offset);
            walked.end = header.end;
        } else {
            suspect.push(scanner.offset);
            scanner.nonzero_end = scanner.nonzero_end.max(header.data_end(scanner.offset));
        }
        scanner.pass(&header);
    }
    walked.finish(&scanner, suspect, bound, visit);
    Ok(walked)
}

impl Walked {
    // With a footer all that it counts must be there; without, what was not completed is no damage.
    fn finish(
        &mut self,
        scanner: &Scanner,
        mut suspect: Vec<u64>,
        bound: u64,
        visit: &mut dyn FnMut(Seen) -> ControlFlow<()>,
    ) {
        let Some(footer) = &self.footer else {
            self.torn_bytes = scanner.nonzero_end.saturating_sub(self.data_end);
            return;
        };
        if suspect.is_empty() && self.end < footer.end.min(bound) {
            suspect.push(self.data_end);
        }
        for offset in suspect {
            if visit(Seen::Damage(offset)).is_break() {
                return;
            }
        }
    }
}

// The next block there is; what had to be passed to find it is suspect.
fn next(scanner: &mut Scanner, suspect: &mut Vec<u64>) -> io::Result<Option<BlockHeader>> {
    loop {
        // A journal that is open may have written the block since the first look.
        let looked = match scanner.look() {
            Ok(Found::Block(header)) => return Ok(Some(header)),
            _ => scanner.look(),
        };
        let next = match looked {
            Ok(Found::Block(header)) => return Ok(Some(header)),
            Ok(Found::Damage { next }) => Some(next),
            Ok(Found::End) => None,
            Err(error) if is_damage(&error) => scanner.search_past(),
            Err(error) => return Err(error),
        };
        let Some(next) = next else { return Ok(None) };
        suspect.push(scanner.offset);
        scanner.offset = next;
    }
}

fn read(scanner: &Scanner, header: &BlockHeader, end: u64) -> Option<Vec<Entry>> {
    let attempt = || {
        let opened = patiently(|| scanner.read(header)).ok().flatten()?;
        block::decode(header, opened)
    };
    (header.first >= end).then(|| attempt().or_else(attempt))?
}
