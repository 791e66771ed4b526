//! Arguments of `ottl`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What is run, and on which record.
#[derive(Debug, Args)]
pub(crate) struct Ottl {
    /// A statement or a condition; read from standard input if neither this nor --file is given.
    #[arg(value_name = "TEXT", conflicts_with = "file")]
    pub(crate) text: Option<String>,
    /// A file with statements that run one after the other, or with conditions: one on each line.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// A file with the record; read from standard input if this is not given. Either an export
    /// request in OTLP JSON, or an object with `body`, `severity`, `name`, `value`, `attributes` and
    /// `resource`, or any other JSON, which is then the body.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// What paths start from; follows from the prefixes of the paths or from the record unless given.
    #[arg(long, value_enum)]
    pub(crate) context: Option<OttlContext>,
}

/// A context by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub(crate) enum OttlContext {
    Resource,
    Scope,
    Log,
    Span,
    SpanEvent,
    Metric,
    DataPoint,
}
