//! Exporters and what proves to destinations who sends: one file each, and the table of them.

mod auth_basic;
mod auth_bearer;
mod auth_oauth2;
mod debug;
mod elasticsearch;
mod file;
pub mod http;
mod nop;
mod otlp;
mod otlphttp;
mod planned;
mod splunkhec;
mod store;

use bessemer_config::Settings;
use bessemer_pipeline::Context;
use bessemer_pipeline::catalog::{
    ALL_SIGNALS, BuildError, Planned, Role, Row, Stability, schema_of,
};

use bessemer_record::Signal;

use http::HttpExporter;

/// Components that come with later versions.
pub const PLANNED: &[Planned] = planned::PLANNED;

/// Every component of this crate.
pub const CATALOG: &[Row] = &[
    Row {
        name: "bessemer.exporter.elk",
        aliases: &[],
        role: Role::Exporter,
        signals: &[Signal::Logs],
        stability: Stability::Preview,
        summary: "Indexes events in Elasticsearch, an index for each day.",
        example: elasticsearch::ELK_EXAMPLE,
        ports: &[],
        schema: schema_of::<elasticsearch::Elk>,
        build: elasticsearch::build_elk,
    },
    Row {
        name: "bessemer.exporter.nop",
        aliases: &["otelcol.exporter.nop"],
        role: Role::Exporter,
        signals: ALL_SIGNALS,
        stability: Stability::Stable,
        summary: "Takes everything and keeps nothing, for measurements.",
        example: nop::EXAMPLE,
        ports: &[],
        schema: schema_of::<nop::Settings>,
        build: nop::build,
    },
    Row {
        name: "bessemer.exporter.store",
        aliases: &[],
        role: Role::Exporter,
        signals: ALL_SIGNALS,
        stability: Stability::Preview,
        summary: "The embedded event store: SQLite with full-text search, asked by /api/v1/events.",
        example: store::EXAMPLE,
        ports: &[],
        schema: schema_of::<store::Settings>,
        build: store::build,
    },
    Row {
        name: "otelcol.auth.basic",
        aliases: &["otelcol.auth.basicauth"],
        role: Role::Extension,
        signals: &[],
        stability: Stability::Stable,
        summary: "User and password: exporters send them, receivers ask for them.",
        example: auth_basic::EXAMPLE,
        ports: &[],
        schema: schema_of::<auth_basic::Settings>,
        build: auth_basic::build,
    },
    Row {
        name: "otelcol.auth.bearer",
        aliases: &["otelcol.auth.bearertokenauth"],
        role: Role::Extension,
        signals: &[],
        stability: Stability::Stable,
        summary: "A token in a header: exporters send it, receivers ask for it.",
        example: auth_bearer::EXAMPLE,
        ports: &[],
        schema: schema_of::<auth_bearer::Settings>,
        build: auth_bearer::build,
    },
    Row {
        name: "otelcol.auth.oauth2",
        aliases: &["otelcol.auth.oauth2client"],
        role: Role::Extension,
        signals: &[],
        stability: Stability::Stable,
        summary: "Tokens of an OAuth 2.0 server by client credentials, for exporters to send.",
        example: auth_oauth2::EXAMPLE,
        ports: &[],
        schema: schema_of::<auth_oauth2::Settings>,
        build: auth_oauth2::build,
    },
    Row {
        name: "otelcol.exporter.debug",
        aliases: &[],
        role: Role::Exporter,
        signals: ALL_SIGNALS,
        stability: Stability::Stable,
        summary: "Writes what it gets to the log of the process.",
        example: debug::EXAMPLE,
        ports: &[],
        schema: schema_of::<debug::Settings>,
        build: debug::build,
    },
    Row {
        name: "otelcol.exporter.elasticsearch",
        aliases: &[],
        role: Role::Exporter,
        signals: &[Signal::Logs, Signal::Traces],
        stability: Stability::Preview,
        summary: "Indexes documents in Elasticsearch or OpenSearch.",
        example: elasticsearch::EXAMPLE,
        ports: &[],
        schema: schema_of::<elasticsearch::Settings>,
        build: elasticsearch::build,
    },
    Row {
        name: "otelcol.exporter.file",
        aliases: &[],
        role: Role::Exporter,
        signals: ALL_SIGNALS,
        stability: Stability::Stable,
        summary: "Appends OTLP JSON lines to a file, rotated by size and age.",
        example: file::EXAMPLE,
        ports: &[],
        schema: schema_of::<file::Settings>,
        build: file::build,
    },
    Row {
        name: "otelcol.exporter.otlp",
        aliases: &[],
        role: Role::Exporter,
        signals: ALL_SIGNALS,
        stability: Stability::Stable,
        summary: "Sends OTLP over gRPC.",
        example: otlp::EXAMPLE,
        ports: &[],
        schema: schema_of::<otlp::Settings>,
        build: otlp::build,
    },
    Row {
        name: "otelcol.exporter.otlphttp",
        aliases: &[],
        role: Role::Exporter,
        signals: ALL_SIGNALS,
        stability: Stability::Stable,
        summary: "Sends OTLP over HTTP, as protobuf or JSON.",
        example: otlphttp::EXAMPLE,
        ports: &[],
        schema: schema_of::<otlphttp::Settings>,
        build: otlphttp::build,
    },
    Row {
        name: "otelcol.exporter.splunkhec",
        aliases: &["otelcol.exporter.splunk_hec"],
        role: Role::Exporter,
        signals: ALL_SIGNALS,
        stability: Stability::Preview,
        summary: "Sends events and metrics to a Splunk HTTP event collector.",
        example: splunkhec::EXAMPLE,
        ports: &[],
        schema: schema_of::<splunkhec::Settings>,
        build: splunkhec::build,
    },
];

/// Makes what an exporter over HTTP decides by, apart from its connections.
pub type Planner = fn(&Settings, &Context) -> Result<Box<dyn HttpExporter>, BuildError>;

/// The exporters over HTTP by the names of their components: for tests of what they send.
pub const PLANNERS: &[(&str, Planner)] = &[
    ("bessemer.exporter.elk", elasticsearch::elk_planner),
    ("otelcol.exporter.elasticsearch", elasticsearch::planner),
    ("otelcol.exporter.splunkhec", splunkhec::planner),
];
