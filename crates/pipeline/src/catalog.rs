//! What a component says of itself, and what building it yields. Each component crate has a
//! constant table of rows; `bessemer` joins them into [`Catalogs`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bessemer_config::catalog::RowInfo;
pub use bessemer_config::catalog::{Role, Stability};
use bessemer_config::{Diagnostic, Settings};
use bessemer_record::{Limits, Signal, TailsBuilder};
use bessemer_runtime::{Budget, ByteSize, Clock, Random, Span, SystemClock, SystemRandom};
use parking_lot::Mutex;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::assembly::Assembly;
use crate::exporter::Exporter;
use crate::gate::Gate;
use crate::metrics::Metrics;
use crate::outlet::Ack;
use crate::receiver::Receiver;
use crate::services::Services;
use crate::state::{MemoryState, State};
use crate::stateful::Stateful;
use crate::step::{Derive, Route, Step};

/// One component in a catalogue.
#[derive(Debug)]
pub struct Row {
    /// Full name as in Alloy syntax: `otelcol.receiver.otlp`.
    pub name: &'static str,
    /// Other names that mean the same.
    pub aliases: &'static [&'static str],
    /// Its part in the graph.
    pub role: Role,
    /// Signals it handles.
    pub signals: &'static [Signal],
    /// How settled it is.
    pub stability: Stability,
    /// One sentence for lists and the reference.
    pub summary: &'static str,
    /// A complete block that loads, with the label `"example"`.
    pub example: &'static str,
    /// Endpoints it listens on unless told otherwise.
    pub ports: &'static [&'static str],
    /// Its settings.
    pub schema: fn() -> Schema,
    /// Makes it from settings; touches neither disk nor network.
    pub build: Build,
}

/// Makes a component.
pub type Build = fn(&Settings, &Context) -> Result<Built, BuildError>;

/// All three signals, in the order of every table.
pub const ALL_SIGNALS: &[Signal] = &[Signal::Logs, Signal::Metrics, Signal::Traces];

/// What a component may use.
#[derive(Clone)]
pub struct Context {
    /// Id in the graph: `otelcol.receiver.otlp.in`.
    pub id: String,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// What components publish for each other.
    pub services: Arc<Services>,
    /// Small durable state.
    pub state: Arc<dyn State>,
    /// The data directory.
    pub storage: PathBuf,
    /// Bytes of request bodies in memory over all receivers.
    pub bodies: Budget,
    /// Limits of records.
    pub limits: Limits,
    /// Where steps register attribute sets that they append to records.
    pub tails: Arc<Mutex<TailsBuilder>>,
}

impl Context {
    /// What the components of one process share, with the clocks of the machine.
    pub fn new(storage: PathBuf, bodies_bytes: u64, limits: Limits, state: Arc<dyn State>) -> Self {
        Self {
            id: String::new(),
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(SystemRandom::default()),
            metrics: Arc::new(Metrics::default()),
            services: Arc::new(Services::default()),
            state,
            storage,
            bodies: Budget::new(bodies_bytes),
            limits,
            tails: Arc::new(Mutex::new(TailsBuilder::default())),
        }
    }

    /// The same for checks and tests, where nothing is kept.
    pub fn detached() -> Self {
        let state = Arc::new(MemoryState::default());
        Self::new(PathBuf::from("data"), 1 << 20, Limits::default(), state)
    }

    /// The same for the component with this id.
    #[must_use]
    pub fn of(&self, id: &str) -> Self {
        Self { id: id.to_owned(), ..self.clone() }
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Context").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A component that was built.
pub enum Built {
    /// A receiver, what its acknowledgement means, and the endpoints it will listen on.
    Receiver {
        /// The receiver.
        receiver: Box<dyn Receiver>,
        /// What its acknowledgement means.
        ack: Ack,
        /// How long a client waits for `ack = "delivered"`.
        ack_timeout: Duration,
        /// Endpoints, to find two components on one.
        listens: Vec<String>,
    },
    /// A step of the fused program.
    Step(Arc<dyn Step>),
    /// A router.
    Route(Arc<dyn Route>),
    /// A connector from one kind of records to another.
    Derive(Arc<dyn Derive>),
    /// A processor that holds records over batches.
    Stateful(Arc<dyn Stateful>),
    /// Admission.
    Gate(Arc<dyn Gate>),
    /// How exporters behind it assemble deliveries, and what it admits.
    Assembly(Assembly, Option<Arc<dyn Gate>>),
    /// A destination and whether it is `ordered`.
    Exporter {
        /// The exporter.
        exporter: Arc<dyn Exporter>,
        /// How its queue behaves.
        queue: QueueSettings,
    },
    /// A named set of inputs.
    Pipeline,
    /// Serves other components or other programs; records never pass it.
    Extension {
        /// Endpoints, to find two components on one.
        listens: Vec<String>,
    },
}

impl Built {
    /// What puts records of the component's own into the pipeline behind it.
    pub(crate) fn speaker(&self) -> Option<Box<dyn Receiver>> {
        match self {
            Self::Step(step) => step.speaker(),
            Self::Stateful(stage) => stage.speaker(),
            Self::Receiver { .. }
            | Self::Route(_)
            | Self::Derive(_)
            | Self::Gate(_)
            | Self::Assembly(..)
            | Self::Exporter { .. }
            | Self::Pipeline
            | Self::Extension { .. } => None,
        }
    }

    /// The endpoints on which it will listen.
    pub fn listens(&self) -> &[String] {
        match self {
            Self::Receiver { listens, .. } | Self::Extension { listens } => listens,
            Self::Step(_)
            | Self::Route(_)
            | Self::Derive(_)
            | Self::Stateful(_)
            | Self::Gate(_)
            | Self::Assembly(..)
            | Self::Exporter { .. }
            | Self::Pipeline => &[],
        }
    }
}

impl std::fmt::Debug for Built {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Receiver { .. } => "Receiver",
            Self::Step(_) => "Step",
            Self::Route(_) => "Route",
            Self::Derive(_) => "Derive",
            Self::Stateful(_) => "Stateful",
            Self::Gate(_) => "Gate",
            Self::Assembly(..) => "Assembly",
            Self::Exporter { .. } => "Exporter",
            Self::Pipeline => "Pipeline",
            Self::Extension { .. } => "Extension",
        })
    }
}

/// What happens to records for a destination whose queue is at its budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// Receivers refuse what is routed to it with 429 until there is room, so a batch that also
    /// goes elsewhere waits too.
    #[default]
    Block,
    /// The oldest go to its dead-letter log, with the reason, until the rest fits; everything else
    /// flows on. Once that log is full too, as `block`.
    DeadLetter,
}

/// The queue of a destination; the same block in every exporter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QueueSettings {
    /// Bytes that this destination's backlog may hold, counted before compression. Unset for no
    /// limit of its own beside the journal's.
    pub budget: Option<ByteSize>,
    /// What happens at that budget: `block` refuses new records, `dead_letter` moves the oldest out
    /// of the way.
    pub when_full: WhenFull,
    /// Deliver strictly in order, one delivery at a time.
    pub ordered: bool,
    /// Bytes of its backlog at which an alert is raised: 80 % of `budget` unless set, never without
    /// either.
    pub alert_backlog: Option<ByteSize>,
    /// How long the oldest record may wait until an alert is raised; `0` for never.
    pub alert_age: Span,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            budget: None,
            when_full: WhenFull::default(),
            ordered: false,
            alert_backlog: None,
            alert_age: Span(Duration::from_mins(15)),
        }
    }
}

/// Settings that are well typed and still wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}; {remedy}")]
pub struct SettingsError {
    /// Dotted path of the setting.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

impl SettingsError {
    /// An error at `path`.
    pub fn new(path: &str, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { path: path.to_owned(), problem: problem.into(), remedy: remedy.into() }
    }
}

/// Why a component was not built.
#[derive(Debug)]
pub enum BuildError {
    /// The settings do not have the right shape.
    Shape(Vec<Diagnostic>),
    /// A value is wrong.
    Value(SettingsError),
}

impl From<SettingsError> for BuildError {
    fn from(error: SettingsError) -> Self {
        Self::Value(error)
    }
}

impl From<Vec<Diagnostic>> for BuildError {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self::Shape(diagnostics)
    }
}

/// Reads settings into a component's own type.
pub fn read<T: DeserializeOwned>(settings: &Settings) -> Result<T, BuildError> {
    bessemer_config::decode(settings).map_err(BuildError::Shape)
}

/// The JSON schema of a settings type, for a row.
pub fn schema_of<T: JsonSchema>() -> Schema {
    SchemaGenerator::default().into_root_schema_for::<T>()
}

/// A component that comes with a later version: what is checked of it today.
#[derive(Debug)]
pub struct Planned {
    /// Full name as in Alloy syntax.
    pub name: &'static str,
    /// Other names that mean the same.
    pub aliases: &'static [&'static str],
    /// Its part in the graph.
    pub role: Role,
    /// Signals it will handle.
    pub signals: &'static [Signal],
    /// Its settings.
    pub schema: fn() -> Schema,
}

impl Planned {
    fn info(&self) -> RowInfo {
        RowInfo {
            name: self.name.to_owned(),
            aliases: self.aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            role: self.role,
            signals: self.signals.to_vec(),
            stability: Stability::Planned,
            schema: (self.schema)(),
        }
    }
}

/// Every catalogue of the binary.
#[derive(Debug, Clone)]
pub struct Catalogs {
    rows: Vec<&'static Row>,
    planned: &'static [Planned],
}

impl Catalogs {
    /// Joins tables, sorted by name.
    pub fn new(tables: &[&'static [Row]]) -> Self {
        let mut rows: Vec<&'static Row> = tables.iter().flat_map(|table| table.iter()).collect();
        rows.sort_by_key(|row| row.name);
        Self { rows, planned: &[] }
    }

    /// The same with components that can be named and not be built; a row of the same name counts.
    #[must_use]
    pub fn with_planned(self, planned: &'static [Planned]) -> Self {
        Self { planned, ..self }
    }

    /// All rows by name.
    pub fn rows(&self) -> &[&'static Row] {
        &self.rows
    }

    /// The row with this name or alias.
    pub fn find(&self, name: &str) -> Option<&'static Row> {
        self.rows.iter().copied().find(|row| row.name == name || row.aliases.contains(&name))
    }
}

impl bessemer_config::Catalog for Catalogs {
    fn row(&self, kind: &str) -> Option<RowInfo> {
        let Some(row) = self.find(kind) else {
            let is_it = |row: &&Planned| row.name == kind || row.aliases.contains(&kind);
            return self.planned.iter().find(is_it).map(Planned::info);
        };
        Some(RowInfo {
            name: row.name.to_owned(),
            aliases: row.aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            role: row.role,
            signals: row.signals.to_vec(),
            stability: row.stability,
            schema: (row.schema)(),
        })
    }

    fn kinds(&self) -> Vec<String> {
        let planned = self.planned.iter().map(|row| row.name);
        self.rows.iter().map(|row| row.name).chain(planned).map(str::to_owned).collect()
    }
}
