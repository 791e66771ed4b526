//! Settings of processors.

use std::collections::BTreeMap;

use bessemer_runtime::Span;
use schemars::JsonSchema;
use serde::Deserialize;

/// Statements of the OpenTelemetry Transformation Language.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Transform {
    /// What happens when a statement fails.
    error_mode: Option<String>,
    /// Statements for traces.
    trace_statements: Option<Vec<Group>>,
    /// Statements for metrics.
    metric_statements: Option<Vec<Group>>,
    /// Statements for logs.
    log_statements: Option<Vec<Group>>,
}

/// Statements in one context.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    /// What they are about.
    context: Option<String>,
    /// The statements.
    statements: Vec<String>,
    /// Conditions, one of which must hold.
    conditions: Option<Vec<String>>,
    /// What happens when one fails.
    error_mode: Option<String>,
}

/// Attributes of the machine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResourceDetection {
    /// What is asked, in this order.
    detectors: Option<Vec<String>>,
    /// Replaces attributes that are there.
    r#override: Option<bool>,
    /// The time that detection has.
    timeout: Option<Span>,
    /// What the host says.
    system: Option<Detector>,
    /// What Docker says.
    docker: Option<Detector>,
    /// What Kubernetes says.
    k8s: Option<Detector>,
    /// What the environment says.
    env: Option<Detector>,
}

/// One detector.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Detector {
    /// Which attributes are taken.
    resource_attributes: Option<BTreeMap<String, Enabled>>,
    /// Where the name of the host comes from.
    hostname_sources: Option<Vec<String>>,
}

/// Whether an attribute is taken.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Enabled {
    /// Whether.
    enabled: bool,
}
