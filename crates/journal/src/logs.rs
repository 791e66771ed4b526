//! Where the logs of a journal are and how each is set up.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::catalog::Catalog;
use crate::cursor::{Cursor, CursorFile};
use crate::dead::{DeadLog, DeadWriter};
use crate::format::Kind;
use crate::log::{Env, Log, LogSpec};
use crate::open::Found;
use crate::options::{Compression, Options, SinkSpec};

/// Smallest share of a budget that a segment takes: deletion works by whole segments.
const SEGMENTS_PER_BUDGET: u64 = 8;
/// Smallest size at which a segment is closed.
const SEGMENT_BYTES_MIN: u64 = 256 << 10;

/// How logs are set up.
#[derive(Debug, Clone)]
pub(crate) struct LogSpecs {
    dir: PathBuf,
    incarnation: u64,
    segment_bytes: u64,
    budget_bytes: u64,
    dead_budget_bytes: u64,
    preallocate: bool,
    sync: bool,
    compression: Compression,
}

impl LogSpecs {
    pub(crate) fn new(options: &Options, incarnation: u64) -> Self {
        Self {
            dir: options.dir.clone(),
            incarnation,
            segment_bytes: options.segment_bytes,
            budget_bytes: options.budget_bytes,
            dead_budget_bytes: options.dead_budget_bytes,
            preallocate: options.preallocate,
            sync: options.sync,
            compression: options.compression,
        }
    }

    /// The main log, whose route bits are the numbers of the configured sinks.
    pub(crate) fn main(&self, specs: &[SinkSpec], sinks: usize) -> LogSpec {
        let components = (0..=u8::MAX).zip(specs.iter().map(|spec| spec.id.clone())).collect();
        let bit = |sink| u8::try_from(sink).ok().filter(|_| sink < specs.len());
        let bits = (0..sinks).map(bit).collect();
        self.spec(Kind::Main, self.dir.join("main"), components, bits)
    }

    /// The spill log of one sink, which is its route bit 0.
    pub(crate) fn spill(&self, id: &str, sink: usize, sinks: usize) -> LogSpec {
        let bits = (0..sinks).map(|other| (other == sink).then_some(0)).collect();
        let dir = self.dir.join("spill").join(escape(id));
        self.spec(Kind::Spill, dir, vec![(0, id.into())], bits)
    }

    fn dead(&self, id: &str) -> LogSpec {
        let dir = self.dir.join("dead").join(escape(id));
        // Dead letters come singly: what is reserved for them would mostly stay empty.
        let spec = self.spec(Kind::Dead, dir, vec![(0, id.into())], vec![Some(0)]);
        LogSpec { preallocate: false, ..spec }
    }

    /// The dead-letter log of a sink, on top of what was found of it.
    pub(crate) fn dead_writer(&self, env: &Env, found: Found, file: &mut CursorFile) -> DeadWriter {
        let spec = self.dead(&found.id);
        let catalog = Arc::new(Catalog::new(found.segments));
        let area = file.area(&dead_area_id(&found.id));
        let saved = file.saved(area);
        let end = catalog.end();
        let next = end.unwrap_or_default().max(saved.floor).max(found.next_floor);
        let mut dropped = Cursor::restore(saved.lane(crate::Lane::Normal));
        dropped.hold(&found.held.into_iter().map(|held| held.numbers).collect::<Vec<_>>());
        let shared = Arc::new(DeadLog {
            id: found.id,
            dir: spec.dir.clone(),
            dropped: Mutex::new(dropped),
            catalog: Arc::clone(&catalog),
            area,
        });
        DeadWriter { shared, log: Log::new(env.clone(), spec, catalog, found.next_id, end), next }
    }

    fn spec(
        &self,
        kind: Kind,
        dir: PathBuf,
        components: Vec<(u8, String)>,
        bits: Vec<Option<u8>>,
    ) -> LogSpec {
        let budget = if kind == Kind::Dead { self.dead_budget_bytes } else { self.budget_bytes };
        let share = (budget / SEGMENTS_PER_BUDGET).max(SEGMENT_BYTES_MIN);
        LogSpec {
            dir,
            kind,
            incarnation: self.incarnation,
            components,
            bits,
            segment_bytes: self.segment_bytes.min(share),
            preallocate: self.preallocate,
            sync: self.sync,
            compression: self.compression,
        }
    }
}

/// The id under which the cursor file keeps what was dropped of a dead-letter log.
pub(crate) fn dead_area_id(id: &str) -> String {
    format!("dead/{id}")
}

/// Whether an area is that of a dead-letter log.
pub(crate) fn is_dead_area_id(id: &str) -> bool {
    id.starts_with("dead/")
}

/// The name of the directory of a component's log.
fn escape(id: &str) -> String {
    id.bytes().map(escape_byte).collect()
}

fn escape_byte(byte: u8) -> String {
    // A leading dot would hide the directory or mean another one; no dot starts a byte of its own.
    if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') {
        char::from(byte).into()
    } else {
        format!("%{byte:02X}")
    }
}

/// The component id of a directory, unless the name is not one that [`escape`] makes.
pub(crate) fn unescape(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let hex = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().filter(|id| escape(id) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_has_one_directory_and_back() {
        for id in ["otelcol.exporter.otlp.a-b_c", "..", "a/b", "%41", "\u{e9}", "A"] {
            let name = escape(id);
            assert!(!name.contains(['/', '.']), "{name}");
            assert_eq!(unescape(&name).as_deref(), Some(id));
        }
        for stranger in ["a.b", "%4", "%zz", "%41"] {
            assert_eq!(unescape(stranger), None, "{stranger}");
        }
    }
}
