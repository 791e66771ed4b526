//! Who is asked about a journal: the process that has it open, or its directory.

use std::path::PathBuf;

use clap::Args;

use super::Keys;

/// A running process, or the directory of one that is gone.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Holder {
    /// Address of the admin port of the running process.
    #[arg(
        long = "server",
        value_name = "ADDR",
        default_value = "127.0.0.1:12345",
        conflicts_with = "storage"
    )]
    pub(crate) server: String,
    /// Reads the data directory of a process that does not run; nothing in it is changed.
    #[arg(long = "storage.path", value_name = "DIR")]
    pub(crate) storage: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) keys: Keys,
}
