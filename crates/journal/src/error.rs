//! What can go wrong, by what the caller would do about it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::format::{
    COMPONENT_ID_BYTES_MAX, META_BYTES_MAX, PAYLOAD_BYTES_MAX, SINKS_MAX, VERSION,
};

/// Why a journal was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("journal {dir} is in use by {owner}", dir = dir.display(), owner = named(*owner))]
    Locked {
        /// The journal's directory.
        dir: PathBuf,
        /// The id of that process, if its lock file says so.
        owner: Option<u32>,
    },
    /// The directory cannot be used.
    #[error("journal {path}: {source}", path = path.display())]
    Io {
        /// What could not be used.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A newer build wrote it.
    #[error(
        "{path} has format version {version}, this build reads up to {VERSION}; a newer build \
         opens it", path = path.display()
    )]
    Version {
        /// What has the version.
        path: PathBuf,
        /// Which one.
        version: u8,
    },
    /// The key of the cursor file is missing: who has received what is not known.
    #[error(
        "cursor file {path}: {reason}; give the key it was written with, or rename the file to \
         start every destination at its oldest record; nothing was changed", path = path.display()
    )]
    CursorsSealed {
        /// The cursor file.
        path: PathBuf,
        /// Which key, and what is wrong with it.
        reason: String,
    },
    /// More sinks than route bits.
    #[error("{0} sinks, at most {SINKS_MAX} can be routed to")]
    TooManySinks(usize),
    /// An id that does not fit the segment header.
    #[error("component id {0:?} must have 1 to {COMPONENT_ID_BYTES_MAX} bytes")]
    SinkId(String),
    /// Two sinks of one id.
    #[error("two sinks are called {0:?}")]
    DuplicateSink(String),
}

fn named(owner: Option<u32>) -> String {
    owner.map_or_else(|| "another process".into(), |pid| format!("process {pid}"))
}

/// What is full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FullOf {
    /// The journal's budget is used up.
    Budget,
    /// The budget of one sink is used up, and it is set to block.
    Sink(String),
    /// The disk has no space.
    Disk,
}

/// Why an append was not acknowledged. None of it will be delivered for sure; some of it may be.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// No space; delivery and deletion go on, and appends do once there is some.
    #[error("journal full: {of:?}")]
    Full {
        /// What is full.
        of: FullOf,
        /// When to try again.
        retry_after: Duration,
    },
    /// A payload or meta above its limit. It will never be accepted.
    #[error(
        "entry of {bytes} bytes; the limit is {PAYLOAD_BYTES_MAX} for a payload, {META_BYTES_MAX} \
         for its meta"
    )]
    TooLarge {
        /// Bytes of what is too large.
        bytes: usize,
    },
    /// An entry without items: it would have no number.
    #[error("entry without items")]
    NoItems,
    /// The disk failed, in two segments. The next append starts a new one.
    #[error("journal disk: {0}")]
    Io(Arc<io::Error>),
    /// The journal is closed.
    #[error("journal closed")]
    Closed,
}

/// Why a dead letter was not kept. What it was to hold must stay unsettled.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DeadLetterError {
    /// The budget of this sink's dead letters is used up, or the disk is full.
    #[error("dead letters of {sink}: no space")]
    Full {
        /// The sink.
        sink: String,
    },
    /// A payload or meta above its limit.
    #[error("dead letter of {bytes} bytes is too large")]
    TooLarge {
        /// Bytes of what is too large.
        bytes: usize,
    },
    /// The disk failed.
    #[error("dead letters: {0}")]
    Io(Arc<io::Error>),
    /// No sink has this number or id.
    #[error("no such sink")]
    UnknownSink,
    /// The journal is closed.
    #[error("journal closed")]
    Closed,
}
