//! How critical is a record: every one gets critical, warning or info, a confidence and the
//! reason.

pub mod cache;
pub mod class;
pub mod classify;
pub mod dataset;
pub mod evaluate;
pub mod memo;
pub mod model;
pub mod llm;
pub mod money;
pub mod rules;
#[cfg(test)]
mod samples;
mod scan;
pub mod templates;

use bessemer_pipeline::catalog::{ALL_SIGNALS, Role, Row, Stability, schema_of};

pub use class::Class;

/// Every component of this crate.
pub const CATALOG: &[Row] = &[Row {
    name: "bessemer.processor.classify",
    aliases: &[],
    role: Role::Processor,
    signals: ALL_SIGNALS,
    stability: Stability::Preview,
    summary: "Labels every record critical, warning or info, with a confidence and the reason.",
    example: classify::EXAMPLE,
    ports: &[],
    schema: schema_of::<classify::Settings>,
    build: classify::build,
}];
