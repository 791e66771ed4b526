//! Receivers: one file each, and the table of them.

mod otlp;

use bessemer_pipeline::catalog::{ALL_SIGNALS, Role, Row, Stability, schema_of};

/// Every component of this crate.
pub const CATALOG: &[Row] = &[Row {
    name: "otelcol.receiver.otlp",
    aliases: &[],
    role: Role::Receiver,
    signals: ALL_SIGNALS,
    stability: Stability::Stable,
    summary: "Takes OTLP in over gRPC and HTTP (protobuf and JSON).",
    example: otlp::EXAMPLE,
    ports: &["127.0.0.1:4317", "127.0.0.1:4318"],
    schema: schema_of::<otlp::Settings>,
    build: otlp::build,
}];
