//! Reading the entries of a segment without their content: who was to get which number.

use std::io;
use std::ops::Range;

use crate::block;
use crate::catalog::Segment;
use crate::disk::OpenMode;
use crate::entry::{Lane, Routes};
use crate::format::DATA_START;
use crate::log::Env;
use crate::scan::{Found, Scanner};

/// An entry without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub numbers: Range<u64>,
    pub routes: Routes,
    pub lane: Lane,
    pub bytes: u64,
    pub appended_unix_nanos: u64,
}

/// The entries of a segment in blocks that touch `wanted`, over damage.
pub(crate) fn seen(env: &Env, segment: &Segment, wanted: &Range<u64>) -> io::Result<Vec<Seen>> {
    let file = env.disk.open(&segment.path, OpenMode::Read)?;
    let mut scanner = Scanner::new(file, segment.guard.clone(), DATA_START, segment.limit);
    let end = segment.end.min(wanted.end);
    let mut found = Vec::new();
    loop {
        match scanner.look()? {
            Found::Block(header) if header.first >= end => return Ok(found),
            Found::Block(header) => {
                if header.end > wanted.start {
                    let opened = scanner.read(&header)?;
                    let entries = opened.and_then(|opened| block::decode(&header, opened));
                    found.extend(entries.into_iter().flatten().map(|entry| Seen {
                        numbers: entry.sequence..entry.end(),
                        routes: entry.routes,
                        lane: entry.lane,
                        bytes: entry.bytes(),
                        appended_unix_nanos: entry.appended_unix_nanos,
                    }));
                }
                scanner.pass(&header);
            }
            Found::Damage { next } => scanner.offset = next,
            Found::End => return Ok(found),
        }
    }
}
