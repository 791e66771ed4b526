//! Dead letters: what a destination refused for good, kept with the reason in a log of its own.

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use parking_lot::Mutex;

use crate::block::{Block, Builder};
use crate::catalog::Catalog;
use crate::cursor::Cursor;
use crate::entry::{Entry, Lane, Routes, SinkIndex, put_varint, take_varint};
use crate::error::DeadLetterError;
use crate::format::{GROUP_ALIGNMENT, META_BYTES_MAX, PAYLOAD_BYTES_MAX};
use crate::log::{CommitError, Env, Log};
use crate::options::Compression;
use crate::walk::{Walk, Wanted};

/// Bytes of a reason that are kept.
pub const REASON_BYTES_MAX: usize = 4096;
/// Bytes of a status that are kept.
pub const STATUS_BYTES_MAX: usize = 256;
const LETTER_VERSION: u8 = 1;

/// What is kept of records that a destination refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The numbers of the records.
    pub records: Range<u64>,
    /// The lane they came in.
    pub lane: Lane,
    /// When they were refused.
    pub refused_at_unix_nanos: u64,
    /// Why, in words; 4 KiB are kept.
    pub reason: String,
    /// What the destination answered: a status code or its name; 256 bytes are kept.
    pub status: String,
    /// Which configuration was running.
    pub config_hash: u64,
    /// The meta of the entry they were in.
    pub meta: Bytes,
    /// The records.
    pub payload: Bytes,
}

/// A dead letter with the number by which it can be dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLetter {
    /// The numbers it takes in its log.
    pub numbers: Range<u64>,
    /// What was kept.
    pub letter: DeadLetter,
}

/// The dead-letter log of a sink, as seen by those who read it.
pub(crate) struct DeadLog {
    pub id: String,
    pub dir: PathBuf,
    pub catalog: Arc<Catalog>,
    /// What was dropped.
    pub dropped: Mutex<Cursor>,
    /// Its area in the cursor file.
    pub area: usize,
}

/// Reads the letters of a log, oldest first. Blocks on the disk.
pub struct DeadLetters {
    env: Env,
    log: Arc<DeadLog>,
    walk: Walk,
    position: u64,
    ready: std::vec::IntoIter<Entry>,
}

impl DeadLog {
    /// Letters weigh as many numbers as they have records. Numbers between segments were never
    /// given, or are in segments whose key is missing.
    pub(crate) fn records(&self) -> u64 {
        let dropped = self.dropped.lock();
        self.catalog.with(|segments| {
            let kept = segments.map(|segment| dropped.unsettled(segment.header.first..segment.end));
            kept.sum()
        })
    }
}

impl DeadLetter {
    pub(crate) fn check(&self) -> Result<(), DeadLetterError> {
        let (meta, payload) = (self.meta.len(), self.payload.len());
        match (meta > META_BYTES_MAX, payload > PAYLOAD_BYTES_MAX) {
            (true, _) => Err(DeadLetterError::TooLarge { bytes: meta }),
            (_, true) => Err(DeadLetterError::TooLarge { bytes: payload }),
            _ => Ok(()),
        }
    }

    fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.meta.len() + self.reason.len() + 64);
        out.put_slice(&[LETTER_VERSION, self.lane as u8]);
        put_varint(&mut out, self.records.start);
        put_varint(&mut out, self.records.end);
        out.put_u64_le(self.refused_at_unix_nanos);
        out.put_u64_le(self.config_hash);
        for (text, max) in [(&self.reason, REASON_BYTES_MAX), (&self.status, STATUS_BYTES_MAX)] {
            let text = text.get(..text.floor_char_boundary(max)).unwrap_or_default();
            put_varint(&mut out, text.len() as u64);
            out.put_slice(text.as_bytes());
        }
        out.put_slice(&self.meta);
        out.into()
    }

    fn decode(mut meta: Bytes, payload: Bytes) -> Option<Self> {
        let version = meta.try_get_u8().ok()?;
        let lane = if meta.try_get_u8().ok()? == 0 { Lane::Urgent } else { Lane::Normal };
        let records = take_varint(&mut meta)?..take_varint(&mut meta)?;
        let refused_at_unix_nanos = meta.try_get_u64_le().ok()?;
        let config_hash = meta.try_get_u64_le().ok()?;
        let mut text = || {
            let len = usize::try_from(take_varint(&mut meta)?).ok()?;
            let text = (len <= meta.len()).then(|| meta.split_to(len))?;
            String::from_utf8(text.into()).ok()
        };
        let (reason, status) = (text()?, text()?);
        (version == LETTER_VERSION).then_some(Self {
            records,
            lane,
            refused_at_unix_nanos,
            reason,
            status,
            config_hash,
            meta,
            payload,
        })
    }
}

/// The writing side of a dead-letter log.
pub(crate) struct DeadWriter {
    pub shared: Arc<DeadLog>,
    pub log: Log,
    pub next: u64,
}

impl DeadWriter {
    /// Writes and syncs letters.
    pub(crate) fn bury(
        &mut self,
        env: &Env,
        letters: &[DeadLetter],
        budget: u64,
        compression: Compression,
    ) -> Result<(), DeadLetterError> {
        let full = || DeadLetterError::Full { sink: self.shared.id.clone() };
        let mut builder = Builder::new(compression);
        let mut next = self.next;
        for letter in letters {
            let records = letter.records.end.saturating_sub(letter.records.start);
            let entry = Entry {
                sequence: next,
                items: u32::try_from(records).unwrap_or(u32::MAX).max(1),
                routes: Routes::to([SinkIndex(0)]),
                lane: Lane::Normal,
                meta: letter.encode(),
                payload: letter.payload.clone(),
                appended_unix_nanos: env.clock.unix_nanos(),
            };
            builder.push(&entry, None);
            next = entry.end();
        }
        let blocks = builder.finish();
        let bytes = blocks.iter().map(Block::stored_bytes).sum::<u64>() + GROUP_ALIGNMENT;
        if self.shared.catalog.bytes() + bytes > budget {
            return Err(full());
        }
        self.log.commit(&blocks).map_err(|error| match error {
            CommitError::Full(_) => full(),
            CommitError::Io(error) => DeadLetterError::Io(Arc::new(error)),
        })?;
        self.next = next;
        Ok(())
    }
}

impl DeadLetters {
    pub(crate) fn new(env: Env, log: Arc<DeadLog>) -> Self {
        let position = log.dropped.lock().low();
        Self { env, log, walk: Walk::default(), position, ready: Vec::new().into_iter() }
    }

    /// Passes over what stands before a number of the log.
    #[must_use]
    pub fn starting_at(mut self, number: u64) -> Self {
        self.position = self.position.max(number);
        self
    }

    fn fill(&mut self) -> io::Result<bool> {
        let wanted = Wanted { sink: 0, lane: Some(Lane::Normal) };
        let batch = self.walk.read(&self.env, &self.log.catalog, wanted, self.position)?;
        self.position = batch.position;
        self.ready = batch.entries.into_iter();
        Ok(!batch.at_end)
    }
}

impl Iterator for DeadLetters {
    type Item = io::Result<StoredLetter>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            for entry in self.ready.by_ref() {
                let numbers = entry.sequence..entry.end();
                let dropped = self.log.dropped.lock().is_settled(&numbers);
                if let Some(letter) = DeadLetter::decode(entry.meta, entry.payload)
                    && !dropped
                {
                    return Some(Ok(StoredLetter { numbers, letter }));
                }
            }
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_reads_back_equal_but_for_what_is_cut() {
        let letter = DeadLetter {
            records: 1 << 40..(1 << 40) + 3,
            lane: Lane::Urgent,
            refused_at_unix_nanos: 17,
            reason: "\u{e9}".repeat(REASON_BYTES_MAX),
            status: "400".into(),
            config_hash: 99,
            meta: "meta".into(),
            payload: "payload".into(),
        };
        let read = DeadLetter::decode(letter.encode(), letter.payload.clone()).unwrap();
        let reason = "\u{e9}".repeat(REASON_BYTES_MAX / 2);
        assert_eq!(read, DeadLetter { reason, ..letter });
    }
}
