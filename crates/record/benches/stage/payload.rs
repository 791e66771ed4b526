//! The benchmarks' payload: one export request of 1,000 log records in 4 resources.

#![expect(clippy::cast_possible_truncation, reason = "the random numbers are small")]

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

/// Records in the request.
pub(crate) const RECORDS: usize = 1_000;
const RESOURCES: usize = 4;
const SECURITY: [&str; 4] = ["Unauthorized", "breach", "ATTACK", "malicious"];

/// Encodes the request: about 311 KB, 1 % with a security word, 5 % of severity ERROR.
pub(crate) fn logs() -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let per_resource = RECORDS / RESOURCES;
    let resource_logs = (0..RESOURCES)
        .map(|index| ResourceLogs {
            resource: Some(resource(index)),
            scope_logs: vec![ScopeLogs {
                scope: Some(InstrumentationScope {
                    name: "com.example.shop.checkout".into(),
                    version: "1.24.0".into(),
                    ..InstrumentationScope::default()
                }),
                log_records: (0..per_resource)
                    .map(|record| log_record(index * per_resource + record, &mut random))
                    .collect(),
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        })
        .collect();
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

fn resource(index: usize) -> Resource {
    Resource {
        attributes: vec![
            text("service.name", format!("shop-checkout-{index}")),
            text("service.version", "2026.8.1".into()),
            text("host.name", format!("ip-10-0-{index}-17.eu-central-1.compute.internal")),
            text("deployment.environment.name", "production".into()),
        ],
        ..Resource::default()
    }
}

fn log_record(index: usize, random: &mut impl FnMut(u64) -> u64) -> LogRecord {
    let error = index % 20 == 7;
    let mut body = format!(
        "GET /api/v2/orders/{:06}/items completed for customer {:05} from cache shard {} with \
         {} rows in {} ms",
        random(1_000_000),
        random(100_000),
        random(64),
        random(400),
        random(2_000),
    );
    if index % 100 == 42 {
        let word = SECURITY[(index / 100) % SECURITY.len()];
        body = format!("{word} access to /admin/keys refused for {:05}: {body}", random(100_000));
    }
    while body.len() < 118 {
        body.push_str(" ok");
    }
    LogRecord {
        time_unix_nano: 1_785_000_000_000_000_000 + index as u64 * 1_000_003,
        severity_number: if error { 17 } else { 9 },
        severity_text: if error { "ERROR" } else { "INFO" }.into(),
        body: Some(AnyValue { value: Some(Value::StringValue(body)) }),
        attributes: vec![
            text("http.method", ["GET", "POST", "PUT"][random(3) as usize].into()),
            integer("http.status_code", if error { 500 } else { 200 }),
            text("url.path", format!("/api/v2/orders/{}", random(1_000_000))),
            text("customer.id", format!("c-{:08}", random(100_000_000))),
            integer("duration_us", random(4_000_000).cast_signed()),
            text("cloud.region", "eu-central-1".into()),
        ],
        ..LogRecord::default()
    }
}

fn text(key: &str, value: String) -> KeyValue {
    pair(key, Value::StringValue(value))
}

fn integer(key: &str, value: i64) -> KeyValue {
    pair(key, Value::IntValue(value))
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
