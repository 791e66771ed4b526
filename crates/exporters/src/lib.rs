//! Exporters: one file each, and the table of them.

mod debug;
mod file;
mod nop;
mod otlp;
mod otlphttp;
mod planned;
mod store;

use bessemer_pipeline::catalog::{ALL_SIGNALS, Planned, Role, Row, Stability, schema_of};

/// Components that come with later versions.
pub const PLANNED: &[Planned] = planned::PLANNED;

/// Every component of this crate.
pub const CATALOG: &[Row] = &[
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
];
