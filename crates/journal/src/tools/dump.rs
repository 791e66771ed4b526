//! The entries of a log as they lie there, in the order of their numbers.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::{Inspector, LogFiles, ToolError};
use crate::blocks::{Seen, walk};
use crate::entry::{Entry, Lane};
use crate::recover::Readable;

/// An entry and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dumped {
    /// The log: `main`, `spill/ID` or `dead/ID`.
    pub log: String,
    /// The segment's id.
    pub segment: u64,
    /// Where in the segment its block starts.
    pub offset: u64,
    /// The number of its first record.
    pub sequence: u64,
    /// How many records it holds.
    pub items: u32,
    /// Its lane.
    pub lane: Lane,
    /// The sinks it goes to.
    pub sinks: Vec<String>,
    /// When it was appended.
    pub appended_at_unix_nanos: u64,
    /// As appended; of a dead letter, with the reason before it.
    pub meta: Bytes,
    /// As appended.
    pub payload: Bytes,
}

impl Inspector {
    /// Shows the entries of the log called `name` that reach to number `from` or beyond it, until
    /// `show` has enough. False when there is no such log.
    pub fn dump(
        &self,
        name: &str,
        from: u64,
        show: &mut dyn FnMut(Dumped) -> ControlFlow<()>,
    ) -> Result<bool, ToolError> {
        let listing = self.listing()?;
        let Some(log) = listing.logs.iter().find(|log| log.name == name) else { return Ok(false) };
        let mut flow = ControlFlow::Continue(());
        for (readable, bound) in log.segments().filter(|(_, bound)| *bound > from) {
            let walked = walk(&self.env, readable, bound, &mut |seen| {
                let Seen::Entries(offset, entries) = seen else { return ControlFlow::Continue(()) };
                let wanted = entries.into_iter().filter(|entry| entry.end() > from);
                let mut wanted = wanted.map(|entry| dumped(log, readable, offset, entry));
                flow = wanted.try_for_each(&mut *show);
                flow
            });
            match walked {
                // Deleted meanwhile, because all of it is settled.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                other => drop(other.map_err(self.failed())?),
            }
            if flow.is_break() {
                break;
            }
        }
        Ok(true)
    }
}

fn dumped(log: &LogFiles, readable: &Readable, offset: u64, entry: Entry) -> Dumped {
    let named = |(bit, _): &&(u8, String)| entry.routes.contains(crate::SinkIndex(*bit));
    let sinks = readable.header.components.iter().filter(named).map(|(_, id)| id.clone());
    Dumped {
        log: log.name.clone(),
        segment: readable.header.id,
        offset,
        sequence: entry.sequence,
        items: entry.items,
        lane: entry.lane,
        sinks: sinks.collect(),
        appended_at_unix_nanos: entry.appended_unix_nanos,
        meta: entry.meta,
        payload: entry.payload,
    }
}
