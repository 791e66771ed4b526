//! Small batches in OTLP JSON, and steps run over them: what the tests of all processors share.

use std::sync::Arc;

use bessemer_pipeline::{Scratch, Step};
use bessemer_record::json::{from_otlp_json, to_otlp_json};
use bessemer_record::{Checked, Draft, Limits, Signal, Tails};
use serde_json::{Value as Json, json};

/// The words that a signal has in OTLP JSON.
pub(crate) struct JsonSignal {
    pub(crate) signal: Signal,
    pub(crate) resources: &'static str,
    pub(crate) scopes: &'static str,
    pub(crate) items: &'static str,
}

pub(crate) const JSON_SIGNALS: [JsonSignal; 3] = [
    JsonSignal {
        signal: Signal::Logs,
        resources: "resourceLogs",
        scopes: "scopeLogs",
        items: "logRecords",
    },
    JsonSignal {
        signal: Signal::Metrics,
        resources: "resourceMetrics",
        scopes: "scopeMetrics",
        items: "metrics",
    },
    JsonSignal {
        signal: Signal::Traces,
        resources: "resourceSpans",
        scopes: "scopeSpans",
        items: "spans",
    },
];

impl JsonSignal {
    /// One resource with one record, both with text attributes.
    pub(crate) fn batch(&self, resource: &[(&str, &str)], record: &[(&str, &str)]) -> Json {
        self.request(&[(attributes(resource), vec![attributes(record)])])
    }

    /// Resources with records, by their attributes.
    pub(crate) fn request(&self, groups: &[(Json, Vec<Json>)]) -> Json {
        let group = |(resource, records): &(Json, Vec<Json>)| {
            let items: Vec<Json> = records.iter().map(|record| self.item(record)).collect();
            let is_empty = resource.as_array().is_some_and(Vec::is_empty);
            let resource = if is_empty { json!({}) } else { json!({ "attributes": resource }) };
            json!({
                "resource": resource,
                self.scopes: [{ "scope": { "name": "lib" }, self.items: items }],
            })
        };
        json!({ self.resources: groups.iter().map(group).collect::<Vec<_>>() })
    }

    fn item(&self, attributes: &Json) -> Json {
        match self.signal {
            Signal::Logs => json!({ "attributes": attributes }),
            Signal::Traces => json!({ "name": "span", "attributes": attributes }),
            Signal::Metrics => json!({
                "name": "metric",
                "gauge": { "dataPoints": [{ "asDouble": 1.5, "attributes": attributes }] },
            }),
        }
    }
}

/// Text attributes as OTLP JSON.
pub(crate) fn attributes(pairs: &[(&str, &str)]) -> Json {
    let pair =
        |(key, value): &(&str, &str)| json!({ "key": key, "value": { "stringValue": value } });
    pairs.iter().map(pair).collect()
}

/// What a step makes of a batch; an empty object if nothing is left.
pub(crate) fn through(step: &dyn Step, signal: Signal, batch: &Json) -> Json {
    through_with(step, signal, batch, &mut Scratch::default())
}

/// The same with scratch that holds something for the step, or what it left there.
pub(crate) fn through_with(
    step: &dyn Step,
    signal: Signal,
    batch: &Json,
    scratch: &mut Scratch,
) -> Json {
    through_tails(step, signal, batch, scratch, &Tails::none())
}

/// The same for a step that appends attribute sets.
pub(crate) fn through_tails(
    step: &dyn Step,
    signal: Signal,
    batch: &Json,
    scratch: &mut Scratch,
    tails: &Arc<Tails>,
) -> Json {
    let limits = Limits::default();
    let batch = from_otlp_json(signal, batch.to_string().as_bytes(), &limits).unwrap();
    let mut draft = Draft::from_checked(&batch, tails);
    step.run(&mut draft, scratch);
    let emitted = draft.emit(|item| if item.is_dropped() { u16::MAX } else { 0 }, 1);
    let Some(output) = emitted.into_iter().next() else { return json!({}) };
    let checked: Checked = Checked::check(signal, output.bytes, &limits).unwrap();
    serde_json::from_slice(&to_otlp_json(&checked)).unwrap()
}
