//! Telemetry for the demo, sent as any client would: OTLP JSON over HTTP to the demo's receiver.

use std::sync::Arc;
use std::time::Duration;

use bessemer_net::dial;
use bessemer_runtime::{Random, Tasks};
use bytes::Bytes;
use http::uri::PathAndQuery;
use serde_json::{Value, json};

use super::Ports;
use crate::run::Running;

/// Requests per second; the records are spread over them.
const REQUESTS_PER_SECOND: u32 = 5;

const SERVICES: [&str; 4] = ["checkout", "payments", "inventory", "gateway"];

/// Severity number and text, and what a record says; a number stands in place of `{}`.
type Message = (u8, &'static str, &'static str);

const ROUTINE: [Message; 5] = [
    (9, "INFO", "order {} accepted"),
    (9, "INFO", "cache refreshed, {} entries"),
    (9, "INFO", "request served in {} ms"),
    (5, "DEBUG", "connection {} reused"),
    (9, "INFO", "user {} signed in"),
];

const TROUBLE: [Message; 4] = [
    (13, "WARN", "queue length {} is above target"),
    (17, "ERROR", "database timeout after {} ms"),
    (17, "ERROR", "payment provider answered {}"),
    (13, "WARN", "Unauthorized login attempt for account {}"),
];

/// Sends `rate` records per second until cancelled.
pub(super) fn start(running: &Running, ports: Ports, rate: u32) -> anyhow::Result<Tasks> {
    let tasks = Tasks::new();
    if rate == 0 {
        return Ok(tasks);
    }
    let context = running.context.clone();
    let settings = dial::Settings {
        endpoint: format!("http://127.0.0.1:{}", ports.http),
        ..dial::Settings::default()
    };
    let (clock, random) = (Arc::clone(&context.clock), Arc::clone(&context.random));
    let client = dial::Client::new(&settings, clock, random)?;
    let stop = tasks.clone();
    tasks.spawn(async move {
        let pause = Duration::from_secs(1) / REQUESTS_PER_SECOND;
        let per_request = rate.div_ceil(REQUESTS_PER_SECOND);
        loop {
            let now = context.clock.unix_nanos();
            for (path, body) in requests(now, per_request, &context.random) {
                let path = PathAndQuery::from_static(path);
                let body = vec![Bytes::from(body.to_string())];
                let request = dial::Request::post(path, body).content_type("application/json");
                if let Err(error) = client.send(&request).await {
                    tracing::warn!(%error, "the demo's own receiver did not take a request");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = context.clock.sleep(pause) => {}
            }
        }
    });
    Ok(tasks)
}

fn requests(now: u64, records: u32, random: &Arc<dyn Random>) -> [(&'static str, Value); 3] {
    let service = pick(&SERVICES, random).copied().unwrap_or_default();
    let resource =
        json!({ "attributes": [text("service.name", service), text("demo.generated", "true")] });
    let scope = json!({ "name": "bessemer.demo" });
    let logs: Vec<Value> = (0..records).map(|_| log(now, random)).collect();
    [
        (
            "/v1/logs",
            json!({ "resourceLogs": [{ "resource": resource.clone(), "scopeLogs": [{ "scope": scope.clone(), "logRecords": logs }] }] }),
        ),
        (
            "/v1/traces",
            json!({ "resourceSpans": [{ "resource": resource.clone(), "scopeSpans": [{ "scope": scope.clone(), "spans": [span(now, random)] }] }] }),
        ),
        (
            "/v1/metrics",
            json!({ "resourceMetrics": [{ "resource": resource, "scopeMetrics": [{ "scope": scope, "metrics": [gauge(now, random)] }] }] }),
        ),
    ]
}

fn log(now: u64, random: &Arc<dyn Random>) -> Value {
    // Routine is common and trouble is rare, as in life.
    let routine = random.next_u64() % 100 < 85;
    let messages: &[Message] = if routine { &ROUTINE } else { &TROUBLE };
    let (number, severity, body) = pick(messages, random).copied().unwrap_or_default();
    json!({
        "timeUnixNano": now.to_string(),
        "severityNumber": number,
        "severityText": severity,
        "body": { "stringValue": body.replace("{}", &(random.next_u64() % 1000).to_string()) },
        "attributes": [text("http.route", "/api/orders"), text("host.name", "demo-1")],
    })
}

fn span(now: u64, random: &Arc<dyn Random>) -> Value {
    let start = now - (1 + random.next_u64() % 200) * 1_000_000;
    json!({
        "traceId": format!("{:016x}{:016x}", random.next_u64() | 1, random.next_u64()),
        "spanId": format!("{:016x}", random.next_u64() | 1),
        "name": "POST /api/orders",
        "kind": 2,
        "startTimeUnixNano": start.to_string(),
        "endTimeUnixNano": now.to_string(),
        "status": {},
    })
}

fn gauge(now: u64, random: &Arc<dyn Random>) -> Value {
    let value = random.next_u64() % 100;
    json!({
        "name": "queue.length",
        "unit": "1",
        "gauge": { "dataPoints": [{ "timeUnixNano": now.to_string(), "asInt": value.to_string() }] },
    })
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn pick<'a, T>(from: &'a [T], random: &Arc<dyn Random>) -> Option<&'a T> {
    let index = random.next_u64().checked_rem(from.len() as u64)?;
    from.get(usize::try_from(index).ok()?)
}
