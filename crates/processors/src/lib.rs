//! Processors: one file each, and the table of them.

mod attributes;
mod batch;
mod compliance;
mod connector_count;
mod connector_forward;
mod connector_routing;
mod cost;
mod filter;
mod groupbyattrs;
mod logdedup;
mod memory_limiter;
mod pipeline;
mod probabilistic_sampler;
mod redaction;
mod resource;
mod resourcedetection;
mod routing;
mod transform;

pub use filter::condition_functions;
pub use transform::statement_functions;

use bessemer_pipeline::catalog::{ALL_SIGNALS, Role, Row, Stability, schema_of};
use bessemer_record::Signal;

/// Signals that have something to sample by.
const SAMPLED: &[Signal] = &[Signal::Logs, Signal::Traces];

/// Every component of this crate.
pub const CATALOG: &[Row] = &[
    Row {
        name: "otelcol.processor.attributes",
        aliases: &[],
        role: Role::Processor,
        signals: ALL_SIGNALS,
        stability: Stability::Stable,
        summary: "Inserts, changes, hashes, extracts, converts and deletes record attributes.",
        example: attributes::EXAMPLE,
        ports: &[],
        schema: schema_of::<attributes::Settings>,
        build: attributes::build,
    },
    Row {
        name: "otelcol.processor.batch",
        aliases: &[],
        role: Role::Processor,
        signals: ALL_SIGNALS,
        stability: Stability::Stable,
        summary: "Sets how the exporters behind it assemble deliveries: size, limit and time.",
        example: batch::EXAMPLE,
        ports: &[],
        schema: schema_of::<batch::Settings>,
        build: batch::build,
    },
    Row {
        name: "otelcol.processor.filter",
        aliases: &[],
        role: Role::Processor,
        signals: ALL_SIGNALS,
        stability: Stability::Preview,
        summary: "Drops records by what to include and what to exclude.",
        example: filter::EXAMPLE,
        ports: &[],
        schema: schema_of::<filter::Settings>,
        build: filter::build,
    },
    Row {
        name: "otelcol.processor.groupbyattrs",
        aliases: &[],
        role: Role::Processor,
        signals: ALL_SIGNALS,
        stability: Stability::Preview,
        summary: "Moves attributes of records to their resources and joins equal resources.",
        example: groupbyattrs::EXAMPLE,
        ports: &[],
        schema: schema_of::<groupbyattrs::Settings>,
        build: groupbyattrs::build,
    },
    Row {
        name: "otelcol.processor.logdedup",
        aliases: &["otelcol.processor.log_dedup"],
        role: Role::Processor,
        signals: &[Signal::Logs],
        stability: Stability::Preview,
        summary: "Sends equal log records on as one, with how many there were.",
        example: logdedup::EXAMPLE,
        ports: &[],
        schema: schema_of::<logdedup::Settings>,
        build: logdedup::build,
    },
    Row {
        name: "otelcol.processor.memory_limiter",
        aliases: &[],
        role: Role::Processor,
        signals: ALL_SIGNALS,
        stability: Stability::Stable,
        summary: "Refuses new data while the process uses too much memory.",
        example: memory_limiter::EXAMPLE,
        ports: &[],
        schema: schema_of::<memory_limiter::Settings>,
        build: memory_limiter::build,
    },
    Row {
        name: "otelcol.processor.probabilistic_sampler",
        aliases: &[],
        role: Role::Processor,
        signals: SAMPLED,
        stability: Stability::Stable,
        summary: "Keeps a share of log records and spans, decided by their trace ids.",
        example: probabilistic_sampler::EXAMPLE,
        ports: &[],
        schema: schema_of::<probabilistic_sampler::Settings>,
        build: probabilistic_sampler::build,
    },
    Row {
        name: "otelcol.processor.redaction",
        aliases: &[],
        role: Role::Processor,
        signals: ALL_SIGNALS,
        stability: Stability::Stable,
        summary: "Removes attributes that are not allowed and masks values that are blocked.",
        example: redaction::EXAMPLE,
        ports: &[],
        schema: schema_of::<redaction::Settings>,
        build: redaction::build,
    },
    Row {
        name: "otelcol.processor.resource",
        aliases: &[],
        role: Role::Processor,
        signals: ALL_SIGNALS,
        stability: Stability::Stable,
        summary: "Inserts, changes, hashes, extracts, converts and deletes resource attributes.",
        example: resource::EXAMPLE,
        ports: &[],
        schema: schema_of::<resource::Settings>,
        build: resource::build,
    },
    Row {
        name: "otelcol.processor.resourcedetection",
        aliases: &[],
        role: Role::Processor,
        signals: ALL_SIGNALS,
        stability: Stability::Stable,
        summary: "Adds what is known of host, container and pod to resources.",
        example: resourcedetection::EXAMPLE,
        ports: &[],
        schema: schema_of::<resourcedetection::Settings>,
        build: resourcedetection::build,
    },
    Row {
        name: "otelcol.processor.routing",
        aliases: &[],
        role: Role::Processor,
        signals: ALL_SIGNALS,
        stability: Stability::Stable,
        summary: "Chooses pipelines for each record by the value of an attribute.",
        example: routing::EXAMPLE,
        ports: &[],
        schema: schema_of::<routing::Settings>,
        build: routing::build,
    },
    Row {
        name: "otelcol.processor.transform",
        aliases: &[],
        role: Role::Processor,
        signals: ALL_SIGNALS,
        stability: Stability::Preview,
        summary: "Runs statements in the OpenTelemetry Transformation Language over records.",
        example: transform::EXAMPLE,
        ports: &[],
        schema: schema_of::<transform::Settings>,
        build: transform::build,
    },
    Row {
        name: "otelcol.connector.count",
        aliases: &[],
        role: Role::Connector,
        signals: ALL_SIGNALS,
        stability: Stability::Preview,
        summary: "Counts spans, span events, metrics, data points and log records as metrics.",
        example: connector_count::EXAMPLE,
        ports: &[],
        schema: schema_of::<connector_count::Settings>,
        build: connector_count::build,
    },
    Row {
        name: "otelcol.connector.forward",
        aliases: &[],
        role: Role::Connector,
        signals: ALL_SIGNALS,
        stability: Stability::Stable,
        summary: "Hands the records of pipelines on to other pipelines as they are.",
        example: connector_forward::EXAMPLE,
        ports: &[],
        schema: schema_of::<connector_forward::Settings>,
        build: connector_forward::build,
    },
    Row {
        name: "otelcol.connector.routing",
        aliases: &[],
        role: Role::Connector,
        signals: ALL_SIGNALS,
        stability: Stability::Preview,
        summary: "Chooses pipelines for each record by the value of an attribute.",
        example: connector_routing::EXAMPLE,
        ports: &[],
        schema: schema_of::<connector_routing::Settings>,
        build: connector_routing::build,
    },
    Row {
        name: "bessemer.processor.compliance",
        aliases: &[],
        role: Role::Processor,
        signals: ALL_SIGNALS,
        stability: Stability::Preview,
        summary: "Finds personal data and secrets and redacts, hashes, tags, drops or blocks them.",
        example: compliance::EXAMPLE,
        ports: &[],
        schema: schema_of::<compliance::Settings>,
        build: compliance::build,
    },
    Row {
        name: "bessemer.processor.cost",
        aliases: &[],
        role: Role::Processor,
        signals: ALL_SIGNALS,
        stability: Stability::Preview,
        summary: "Samples, deduplicates, trims and drops by class and budget, never what is critical.",
        example: cost::EXAMPLE,
        ports: &[],
        schema: schema_of::<cost::Settings>,
        build: cost::build,
    },
    Row {
        name: "bessemer.pipeline",
        aliases: &[],
        role: Role::Pipeline,
        signals: ALL_SIGNALS,
        stability: Stability::Stable,
        summary: "Names a set of inputs so that routing tables can refer to it.",
        example: pipeline::EXAMPLE,
        ports: &[],
        schema: schema_of::<pipeline::Settings>,
        build: pipeline::build,
    },
];
