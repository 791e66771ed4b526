//! The arguments of `bessemer journal`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Keys, ListForm};

#[derive(Debug, Subcommand)]
pub(crate) enum Journal {
    /// Counts what is there: segments, numbers, cursors, what is queued for each destination, keys,
    /// damage. Reads only, also beside a running process.
    Stat(Place),
    /// Prints entries in the order of their numbers. Reads only, also beside a running process.
    Dump(Dump),
    /// Verifies every header, block, seal, footer and cursor, and that no number is missing. Reads
    /// only, also beside a running process. Exits with 1 when something is damaged, with 2 when
    /// nothing is but not all could be verified.
    Fsck(Place),
    /// Moves files that cannot be read to quarantine/ and tells what stays. Never deletes, never
    /// writes to a segment; refuses while a process has the journal open. A start never needs it.
    Repair(Place),
}

/// Where a journal is and what opens it.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Place {
    /// The data directory, as `run` has it.
    #[arg(long = "storage.path", value_name = "DIR", default_value = "data")]
    pub(crate) storage: PathBuf,
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// Form of the answer.
    #[arg(short, long, value_enum, default_value = "table")]
    pub(crate) output: ListForm,
}

#[derive(Debug, Args)]
pub(crate) struct Dump {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The log: `main`, `spill/ID` or `dead/ID` with the id of a destination.
    #[arg(long, value_name = "LOG", default_value = "main")]
    pub(crate) log: String,
    /// The first number that is wanted.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) from: u64,
    /// Entries printed at most.
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) limit: u64,
    /// Adds the records as OTLP JSON; needs the form json or ndjson. Those of dead letters are not
    /// shown.
    #[arg(long)]
    pub(crate) payload: bool,
}
