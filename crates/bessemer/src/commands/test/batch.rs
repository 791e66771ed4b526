//! From the records of a test to an export request.

use anyhow::{anyhow, bail};
use bessemer_config::Signal;
use bessemer_record::Limits;
use bessemer_record::json::from_otlp_json;
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use super::case::{Case, Record};

/// The request that a test sends.
pub(super) fn request(case: &Case) -> anyhow::Result<Bytes> {
    let text = match (&case.batch, case.record.is_empty()) {
        (Some(_), false) => bail!("write either records or a batch"),
        (None, true) => bail!("there is no record; write a record block or a batch"),
        (Some(Json::String(batch)), true) => batch.clone(),
        (Some(batch), true) => batch.to_string(),
        (None, false) => joined(case.signal(), &case.record).to_string(),
    };
    let batch = from_otlp_json(case.signal(), text.as_bytes(), &Limits::default())
        .map_err(|error| anyhow!("the batch is no OTLP JSON: {error}"))?;
    Ok(batch.bytes().clone())
}

/// The request of these records, in OTLP JSON.
pub(in crate::commands) fn joined(signal: Signal, records: &[Record]) -> Json {
    let (resources, scopes, items) = match signal {
        Signal::Logs => ("resourceLogs", "scopeLogs", "logRecords"),
        Signal::Metrics => ("resourceMetrics", "scopeMetrics", "metrics"),
        Signal::Traces => ("resourceSpans", "scopeSpans", "spans"),
    };
    let group = |record: &Record| {
        json!({
            "resource": { "attributes": attributes(&record.resource) },
            scopes: [{ items: [item(signal, record)] }],
        })
    };
    json!({ resources: records.iter().map(group).collect::<Vec<_>>() })
}

fn item(signal: Signal, record: &Record) -> Json {
    let attributes = attributes(&record.attributes);
    let name = record.name.as_deref().unwrap_or_default();
    match signal {
        Signal::Logs => {
            let severity = record.severity.as_deref().unwrap_or_default();
            json!({
                "body": record.body.as_ref().map(any_value),
                "severityText": severity,
                "severityNumber": severity_number(severity),
                "attributes": attributes,
            })
        }
        Signal::Metrics => {
            let point =
                json!({ "asDouble": record.value.unwrap_or_default(), "attributes": attributes });
            json!({ "name": name, "gauge": { "dataPoints": [point] } })
        }
        Signal::Traces => json!({ "name": name, "attributes": attributes }),
    }
}

fn attributes(pairs: &Map<String, Json>) -> Json {
    pairs.iter().map(|(key, value)| json!({ "key": key, "value": any_value(value) })).collect()
}

fn any_value(value: &Json) -> Json {
    match value {
        Json::Null => json!({}),
        Json::Bool(truth) => json!({ "boolValue": truth }),
        Json::Number(number) => match number.as_i64() {
            Some(number) => json!({ "intValue": number.to_string() }),
            None => json!({ "doubleValue": number }),
        },
        Json::String(text) => json!({ "stringValue": text }),
        Json::Array(values) => {
            json!({ "arrayValue": { "values": values.iter().map(any_value).collect::<Vec<_>>() } })
        }
        Json::Object(pairs) => json!({ "kvlistValue": { "values": attributes(pairs) } }),
    }
}

fn severity_number(text: &str) -> u8 {
    match text.to_ascii_uppercase().as_str() {
        "TRACE" => 1,
        "DEBUG" => 5,
        "INFO" => 9,
        "WARN" | "WARNING" => 13,
        "ERROR" => 17,
        "FATAL" | "CRITICAL" => 21,
        _ => 0,
    }
}
