//! The record of `bessemer ottl`, in whichever form it is written.

use anyhow::{Context as _, anyhow};
use bessemer_config::Signal;
use bessemer_ottl::Context;
use bessemer_record::json::from_otlp_json;
use bessemer_record::{Checked, Limits};
use serde_json::Value as Json;

use crate::commands::test::batch::joined;
use crate::commands::test::case::Record;

/// The names by which OTLP JSON of each signal is known.
const REQUESTS: [(&str, Signal); 3] = [
    ("resourceLogs", Signal::Logs),
    ("resourceMetrics", Signal::Metrics),
    ("resourceSpans", Signal::Traces),
];

/// Reads an export request, a record as tests have it, or JSON that is the body of a log record.
pub(super) fn read(text: &str, context: Option<Context>) -> anyhow::Result<Checked> {
    let json: Json = serde_json::from_str(text).context("the record is no JSON")?;
    let request = REQUESTS.into_iter().find(|(name, _)| json.get(name).is_some());
    let (signal, request) = match request {
        Some((_, signal)) => (signal, json),
        None => (signal_of(context), alone(json, signal_of(context))),
    };
    from_otlp_json(signal, request.to_string().as_bytes(), &Limits::default())
        .map_err(|error| anyhow!("the record is no OTLP JSON: {error}"))
}

fn signal_of(context: Option<Context>) -> Signal {
    match context {
        Some(Context::Span | Context::SpanEvent) => Signal::Traces,
        Some(Context::Metric | Context::DataPoint) => Signal::Metrics,
        Some(Context::Resource | Context::Scope | Context::Log) | None => Signal::Logs,
    }
}

fn alone(json: Json, signal: Signal) -> Json {
    let record = serde_json::from_value(json.clone())
        .unwrap_or_else(|_| Record { body: Some(json), ..Record::default() });
    joined(signal, &[record])
}
