//! An append-only log of bytes that survives kill -9 and power loss; it knows no record.
//!
//! What it writes, and how it reads that back over damage, is told in [`mod@format`]. An entry is
//! appended once with the set of sinks it goes to; each sink reads it by a cursor of its own and
//! settles it. `append` completes after the sync of its group, so what was acknowledged is on disk:
//! it is served until it is settled, then its segment is deleted.
//!
//! Two threads do the work: the writer (append, sync, acknowledge) and the janitor (cursors,
//! footers, deletion, spill logs, dead letters). Readers read where they stand. All of them are
//! thin: the rules are synchronous code over [`Disk`], `Clock` and `Random`, and
//! [`Journal::open_stepped`] runs them without a thread.

mod account;
mod active;
mod block;
mod blocks;
mod cache;
mod catalog;
mod cipher;
mod core;
mod cursor;
mod dead;
pub mod disk;
mod entry;
mod error;
pub mod format;
mod guard;
mod history;
mod janitor;
mod journal;
mod keys;
mod lock;
mod log;
mod logs;
mod mailbox;
mod open;
mod options;
mod patience;
mod quarantine;
mod reader;
mod recover;
mod repeats;
mod report;
mod scan;
mod seal;
mod seen;
mod spill;
mod standing;
mod stats;
mod summary;
mod tail;
mod tools;
mod walk;
mod writer;

pub use account::{Account, NOTE_BYTES_MAX, Outcome};
pub use dead::{DeadLetter, DeadLetters, REASON_BYTES_MAX, STATUS_BYTES_MAX, StoredLetter};
pub use disk::{Disk, DiskFile, MemDisk, OpenMode, ReadOnlyDisk, RealDisk};
pub use entry::{Append, Lane, Routes, SinkIndex, Stored};
pub use error::{AppendError, DeadLetterError, FullOf, OpenError};
pub use history::{History, Past};
pub use journal::{Engine, Journal};
pub use keys::{
    CurrentKey, KEY_BYTES, KEY_ID_BYTES_MAX, Key, KeyError, KeySource, WRAPPED_KEY_BYTES_MAX,
};
pub use options::{Compression, Options, SinkSpec, WhenFull};
pub use reader::Reader;
pub use report::{Cause, Lost, OpenReport, Orphan, Parked, TornTail};
pub use standing::{LaneStanding, Place, Standing, Whereabouts};
pub use stats::{SinkStats, Stats};
pub use tools::{
    Check, Dumped, Finding, Inspector, LaneStat, LogStat, Moved, Repair, Severity, SinkStat, Stat,
    ToolError,
};
pub use writer::Appended;
