//! A test as it is written, in a block or in a file.

use std::collections::BTreeMap;

use bessemer_config::Signal;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// One test.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Case {
    /// What it promises: in a block this is the label.
    pub(super) name: String,
    /// The id of the receiver through which the records come; not needed where there is only one.
    pub(super) receiver: Option<String>,
    signal: SignalName,
    /// Request headers, by name.
    pub(super) headers: BTreeMap<String, String>,
    /// The records that come in.
    pub(super) record: Vec<Record>,
    /// Instead of records: an export request in OTLP JSON, as text or as the object itself.
    pub(super) batch: Option<Json>,
    /// What has to come out.
    pub(super) expect: Vec<Expect>,
}

impl Case {
    pub(super) fn signal(&self) -> Signal {
        match self.signal {
            SignalName::Logs => Signal::Logs,
            SignalName::Metrics => Signal::Metrics,
            SignalName::Traces => Signal::Traces,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SignalName {
    #[default]
    Logs,
    Metrics,
    Traces,
}

/// A record that comes in: a log record, a span, or a metric with one data point.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::commands) struct Record {
    /// The body of a log record.
    pub(in crate::commands) body: Option<Json>,
    /// The severity text of a log record; where it is well known, the number follows.
    pub(in crate::commands) severity: Option<String>,
    /// The name of a span or metric.
    pub(in crate::commands) name: Option<String>,
    /// The value of a metric.
    pub(in crate::commands) value: Option<f64>,
    pub(in crate::commands) attributes: Map<String, Json>,
    pub(in crate::commands) resource: Map<String, Json>,
}

/// What has to come out, at one destination or altogether.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Expect {
    /// The id of an exporter; without it, all records that leave are meant, each once.
    pub(super) destination: Option<String>,
    /// How many records; without it, one or more.
    pub(super) count: Option<usize>,
    /// The class of every record.
    pub(super) class: Option<String>,
    /// What every record holds: `body`, `name`, `severity_text`, `severity_number`,
    /// `attributes.KEY`, `resource.KEY`, `scope.KEY`. Null means that it is absent.
    pub(super) fields: BTreeMap<String, Json>,
}
