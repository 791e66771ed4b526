//! What config must know of components to check a configuration: nothing of what they do.

use bessemer_record::Signal;
use schemars::{Schema, json_schema};

/// The kind of the built-in block that names a list of destinations.
pub const PIPELINE: &str = "bessemer.pipeline";

/// The built-in kind for the directory of a queue. It is known and has no effect: queues are
/// always in the journal.
pub(crate) const STORAGE: &str = "otelcol.storage.file";

/// The components that exist.
pub trait Catalog {
    /// The row of a kind, by its name or one of its aliases.
    fn row(&self, kind: &str) -> Option<RowInfo>;

    /// The names of all kinds, for suggestions.
    fn kinds(&self) -> Vec<String>;
}

/// One component of the catalogue.
#[derive(Debug, Clone)]
pub struct RowInfo {
    /// The name that nodes get as their kind: `otelcol.exporter.otlp`.
    pub name: String,
    /// Other names under which it can be written.
    pub aliases: Vec<String>,
    /// Its place in a pipeline.
    pub role: Role,
    /// The signals that it takes or makes; empty means any.
    pub signals: Vec<Signal>,
    /// How much its settings may still change.
    pub stability: Stability,
    /// The schema of its settings. Beyond JSON Schema it may carry, on a property, `x-aliases` with
    /// other names of that property and `format` with `reference`, `pipeline`, `size` or
    /// `duration`.
    pub schema: Schema,
}

/// The place of a component in a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Records come in.
    Receiver,
    /// Records pass, changed or not.
    Processor,
    /// Records of one signal or pipeline go in, records of another come out.
    Connector,
    /// Records go out.
    Exporter,
    /// A named list of destinations.
    Pipeline,
    /// Serves other components: authentication, for example.
    Extension,
    /// Keeps state for other components.
    Storage,
}

impl Role {
    /// The name used in listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receiver => "receiver",
            Self::Processor => "processor",
            Self::Connector => "connector",
            Self::Exporter => "exporter",
            Self::Pipeline => "pipeline",
            Self::Extension => "extension",
            Self::Storage => "storage",
        }
    }

    /// Its place in listings: records go from low to high.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Self::Extension | Self::Storage => 0,
            Self::Receiver => 1,
            Self::Processor => 2,
            Self::Connector => 3,
            Self::Pipeline => 4,
            Self::Exporter => 5,
        }
    }

    /// Whether records can be sent to it.
    pub fn has_input(self) -> bool {
        matches!(self, Self::Processor | Self::Connector | Self::Exporter | Self::Pipeline)
    }

    /// Whether records come out of it.
    pub fn has_output(self) -> bool {
        matches!(self, Self::Receiver | Self::Processor | Self::Connector | Self::Pipeline)
    }
}

/// How much a component may still change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stability {
    /// Settings change with a notice and an alias for one minor version.
    Stable,
    /// Settings may change with a notice.
    Preview,
    /// Anything may change.
    Experimental,
    /// Its settings are checked; it comes with a later version and can not run.
    Planned,
}

impl Stability {
    /// The name used in listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Preview => "preview",
            Self::Experimental => "experimental",
            Self::Planned => "planned",
        }
    }
}

/// The row of a kind, with [`PIPELINE`] and [`STORAGE`] known to every catalogue.
pub(crate) fn row(catalog: &dyn Catalog, kind: &str) -> Option<RowInfo> {
    catalog.row(kind).or_else(|| match kind {
        PIPELINE => Some(pipeline()),
        STORAGE => Some(storage()),
        _ => None,
    })
}

fn storage() -> RowInfo {
    let any = json_schema!({ "type": "object" });
    RowInfo { name: STORAGE.to_owned(), role: Role::Storage, schema: any, ..pipeline() }
}

fn pipeline() -> RowInfo {
    RowInfo {
        name: PIPELINE.to_owned(),
        aliases: Vec::new(),
        role: Role::Pipeline,
        signals: Vec::new(),
        stability: Stability::Stable,
        schema: json_schema!({ "type": "object", "additionalProperties": false }),
    }
}
