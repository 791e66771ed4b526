//! The arguments of `bessemer ledger`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Holder;

#[derive(Debug, Subcommand)]
pub(crate) enum Ledger {
    /// Shows the books of every destination, what failed, and dead letters; or where one record is.
    Show(Show),
    /// Checks that no record is unaccounted for. Exits with 1 when one is, or when an expectation
    /// is not met.
    Reconcile(Reconcile),
}

/// Which ledger is asked.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Source {
    #[command(flatten)]
    pub(crate) holder: Holder,
    /// Form of the answer.
    #[arg(short, long, value_enum, default_value = "table")]
    pub(crate) output: Form,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Where this record is, by its number.
    #[arg(long, value_name = "N")]
    pub(crate) record: Option<u64>,
    /// One destination, by its component id.
    #[arg(long, value_name = "COMPONENT")]
    pub(crate) destination: Option<String>,
    /// Only what failed since then: a duration back from now, or RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    #[command(flatten)]
    pub(crate) source: Source,
}

#[derive(Debug, Args)]
pub(crate) struct Reconcile {
    /// A file of what is expected, one a line: a record number `N` or numbers `N-M` that must be
    /// accounted for, or `COMPONENT=COUNT`, the records that a receiver acknowledged since it was
    /// started or that were routed to a destination.
    #[arg(long, value_name = "FILE")]
    pub(crate) expect: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    Table,
    Json,
}
