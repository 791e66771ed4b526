//! From records to rows.

use bessemer_pipeline::{Delivery, Part, RecordId};
use bessemer_record::Signal;
use bessemer_record::json::write_any_value;
use bessemer_record::value::{AnyValue, Map};
use bessemer_record::view::{
    BatchRecord, LogRecordView, LogsView, MetricData, MetricView, MetricsView, NumberPointView,
    Repeated, ResourceView, SpanView, TracesView,
};
use rusqlite::{CachedStatement, Connection, params};

/// Keys whose value is a column.
const CLASSIFICATION: &str = "ai.classification";
const SERVICE: &str = "service.name";
/// The status code of a span that failed, and the severity it is shown with.
const SPAN_ERROR: i32 = 2;
const ERROR: u8 = 17;

/// One row, without its id.
struct Row {
    time: u64,
    severity_number: u8,
    severity: String,
    body: String,
}

/// Writes every record of the delivery; those already there stay as they are.
pub(super) fn insert(connection: &Connection, delivery: &Delivery) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT OR IGNORE INTO events (id, time, signal, service, severity_number, severity,
             classification, body, attributes, resource)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for part in &delivery.parts {
        match delivery.signal {
            Signal::Logs => logs(&mut statement, part)?,
            Signal::Traces => spans(&mut statement, part)?,
            Signal::Metrics => metrics(&mut statement, part)?,
        }
    }
    Ok(())
}

fn logs(statement: &mut CachedStatement<'_>, part: &Part) -> rusqlite::Result<()> {
    let records = LogsView::new(&part.payload).records();
    for (number, BatchRecord { resource, record, .. }) in (part.first.number..).zip(records) {
        let row = of_log(&record, part);
        write(statement, (part, number), Signal::Logs, &row, (record.attributes(), resource))?;
    }
    Ok(())
}

fn of_log(record: &LogRecordView<'_>, part: &Part) -> Row {
    let time = [record.time_unix_nano(), record.observed_time_unix_nano()];
    Row {
        time: time.into_iter().find(|time| *time > 0).unwrap_or(part.meta.received_at),
        severity_number: u8::try_from(record.severity_number()).unwrap_or(0),
        severity: record.severity_text().as_str().to_owned(),
        body: plain(record.body()),
    }
}

fn spans(statement: &mut CachedStatement<'_>, part: &Part) -> rusqlite::Result<()> {
    let records = TracesView::new(&part.payload).records();
    for (number, BatchRecord { resource, record, .. }) in (part.first.number..).zip(records) {
        let row = of_span(&record, part);
        write(statement, (part, number), Signal::Traces, &row, (record.attributes(), resource))?;
    }
    Ok(())
}

fn of_span(record: &SpanView<'_>, part: &Part) -> Row {
    let failed = record.status().code() == SPAN_ERROR;
    let end = record.end_time_unix_nano();
    Row {
        time: if end > 0 { end } else { part.meta.received_at },
        severity_number: if failed { ERROR } else { 0 },
        severity: if failed { "ERROR".to_owned() } else { String::new() },
        body: record.name().as_str().to_owned(),
    }
}

/// A metric is one row; its points take as many record numbers as there are.
fn metrics(statement: &mut CachedStatement<'_>, part: &Part) -> rusqlite::Result<()> {
    let mut number = part.first.number;
    for BatchRecord { resource, record, .. } in MetricsView::new(&part.payload).records() {
        let row = of_metric(&record, part);
        let (_, attributes) = first_point(&record);
        write(statement, (part, number), Signal::Metrics, &row, (attributes, resource))?;
        number += record.data().len().max(1) as u64;
    }
    Ok(())
}

fn of_metric(record: &MetricView<'_>, part: &Part) -> Row {
    let (time, _) = first_point(record);
    Row {
        time: if time > 0 { time } else { part.meta.received_at },
        severity_number: 0,
        severity: String::new(),
        body: record.name().as_str().to_owned(),
    }
}

/// Time and attributes of a metric's first data point; zero and none when it has no point.
fn first_point<'a>(record: &MetricView<'a>) -> (u64, Map<'a>) {
    let found = match record.data() {
        MetricData::Empty => None,
        MetricData::Gauge(gauge) => number(gauge.points()),
        MetricData::Sum(sum) => number(sum.points()),
        MetricData::Histogram(histogram) => histogram
            .points()
            .iter()
            .next()
            .map(|point| (point.time_unix_nano(), point.attributes())),
        MetricData::ExponentialHistogram(histogram) => histogram
            .points()
            .iter()
            .next()
            .map(|point| (point.time_unix_nano(), point.attributes())),
        MetricData::Summary(summary) => {
            summary.points().iter().next().map(|point| (point.time_unix_nano(), point.attributes()))
        }
    };
    found.unwrap_or_default()
}

fn number<'a>(points: Repeated<'a, NumberPointView<'a>>) -> Option<(u64, Map<'a>)> {
    points.iter().next().map(|point| (point.time_unix_nano(), point.attributes()))
}

fn write(
    statement: &mut CachedStatement<'_>,
    (part, number): (&Part, u64),
    signal: Signal,
    row: &Row,
    (attributes, resource): (Map<'_>, ResourceView<'_>),
) -> rusqlite::Result<()> {
    let id = RecordId { incarnation: part.first.incarnation, number };
    let text = |map: Map<'_>, key: &str| map.get(key).map(plain).unwrap_or_default();
    statement.execute(params![
        id.to_string(),
        i64::try_from(row.time).unwrap_or(i64::MAX),
        signal.as_str(),
        text(resource.attributes(), SERVICE),
        row.severity_number,
        row.severity,
        text(attributes, CLASSIFICATION),
        row.body,
        object(attributes),
        object(resource.attributes()),
    ])?;
    Ok(())
}

/// Text as it is, anything else as JSON.
fn plain(value: AnyValue<'_>) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None if value.is_empty() => String::new(),
        None => json(value),
    }
}

fn object(map: Map<'_>) -> String {
    json(AnyValue::Map(map))
}

fn json(value: AnyValue<'_>) -> String {
    let mut text = Vec::new();
    write_any_value(value, &mut text);
    String::from_utf8(text).unwrap_or_default()
}
