//! Settings of `otelcol.processor.resourcedetection`, as they are written.

use std::collections::BTreeMap;
use std::time::Duration;

use bessemer_runtime::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of `otelcol.processor.resourcedetection`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// What to ask, in this order: `env` reads `OTEL_RESOURCE_ATTRIBUTES`, `system` the host,
    /// `docker` the container this process runs in, `k8s` its pod. Of two that know an attribute
    /// the first one counts.
    pub detectors: Vec<DetectorName>,
    /// Replace attributes that a resource has already; otherwise only absent ones are added.
    #[serde(rename = "override")]
    pub is_override: bool,
    /// How long the Docker daemon may take to answer. It is asked once, when the first batch
    /// arrives, and only for attributes that nothing else knows.
    pub timeout: Span,
    /// Taken for compatibility: the environment has no attributes to choose from.
    pub env: DetectorSettings,
    /// Which attributes of the host to add: `host.name` and `os.type` unless told otherwise.
    pub system: SystemSettings,
    /// Which attributes of the container to add: `container.id` unless told otherwise.
    pub docker: DetectorSettings,
    /// Which attributes of the pod to add: `k8s.namespace.name`, `k8s.pod.name` and
    /// `k8s.node.name` unless told otherwise.
    pub k8s: DetectorSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            detectors: vec![DetectorName::Env],
            is_override: true,
            timeout: Span(Duration::from_secs(5)),
            env: DetectorSettings::default(),
            system: SystemSettings::default(),
            docker: DetectorSettings::default(),
            k8s: DetectorSettings::default(),
        }
    }
}

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DetectorName {
    /// Environment variables.
    Env,
    /// The host.
    System,
    /// The container.
    Docker,
    /// The pod.
    K8s,
}

/// Which attributes a detector adds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DetectorSettings {
    /// Attributes to add or leave out, by name; underscores may stand for dots.
    pub resource_attributes: BTreeMap<String, Toggle>,
}

/// Which attributes of the host are added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SystemSettings {
    /// Where the name of the host comes from; the first source that knows it counts. `os` is what
    /// the kernel calls it.
    pub hostname_sources: Vec<HostnameSource>,
    /// Attributes to add or leave out, by name; underscores may stand for dots.
    pub resource_attributes: BTreeMap<String, Toggle>,
}

/// Where the name of a host comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HostnameSource {
    /// The kernel.
    Os,
}

/// Whether an attribute is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Toggle {
    /// Add it.
    pub enabled: bool,
}
