//! Views read what prost decodes, and nothing they are given makes them panic.

use crate::collect::{self, Plain};
use crate::generate::Dice;
use crate::{config, seed};
use bessemer_record::value::{AnyValue, Value};
use bessemer_record::view::{LogRecordView, LogsView, MetricsView, TracesView};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{self, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use proptest::prelude::*;
use prost::Message;

proptest! {
    #![proptest_config(config())]

    #[test]
    fn views_of_logs_read_what_prost_decodes(seed in seed()) {
        let request = Dice::new(&seed.0).logs();
        let bytes = request.encode_to_vec();
        let collected = collect::logs(LogsView::new(&bytes));
        prop_assert_eq!(collected.encode_to_vec(), request.plain().encode_to_vec());
    }

    #[test]
    fn views_of_traces_read_what_prost_decodes(seed in seed()) {
        let request = Dice::new(&seed.0).traces();
        let bytes = request.encode_to_vec();
        let collected = collect::traces(TracesView::new(&bytes));
        prop_assert_eq!(collected.encode_to_vec(), request.plain().encode_to_vec());
    }

    #[test]
    fn views_of_metrics_read_what_prost_decodes(seed in seed()) {
        let request = Dice::new(&seed.0).metrics();
        let bytes = request.encode_to_vec();
        let collected = collect::metrics(MetricsView::new(&bytes));
        prop_assert_eq!(collected.encode_to_vec(), request.plain().encode_to_vec());
    }

    #[test]
    fn a_value_survives_being_copied_and_encoded(seed in seed()) {
        let message = Dice::new(&seed.0).value(0).encode_to_vec();
        let view = AnyValue::new(&message);
        let owned = view.to_value();
        let mut encoded = Vec::new();
        bessemer_record::value::encode_any_value(&owned, &mut encoded);
        let mut copied = Vec::new();
        view.encode(&mut copied);
        let plain = |bytes: &[u8]| v1::AnyValue::decode(bytes).unwrap().plain().encode_to_vec();
        let expected = plain(&message);
        // An owned map has a value for every key.
        let copied_again = AnyValue::new(&encoded).to_value();
        prop_assert_eq!(format!("{copied_again:?}"), format!("{owned:?}"));
        prop_assert_eq!(plain(&copied), expected);
        let has_nan = format!("{owned:?}").contains("NaN");
        prop_assert_eq!(view == owned, !has_nan);
        prop_assert_eq!(view == AnyValue::new(&encoded), !has_nan);
    }

    #[test]
    fn records_are_iterated_with_their_resource_and_scope(seed in seed()) {
        let request = Dice::new(&seed.0).logs();
        let bytes = request.encode_to_vec();
        let mut expected = Vec::new();
        for group in &request.resource_logs {
            for scope in &group.scope_logs {
                for record in &scope.log_records {
                    let resource = group.resource.clone().unwrap_or_default().plain();
                    let scope = scope.scope.clone().unwrap_or_default().plain();
                    let record = record.clone().plain();
                    expected.push((resource.encode_to_vec(), scope.encode_to_vec(), record.encode_to_vec()));
                }
            }
        }
        let found: Vec<_> = LogsView::new(&bytes).records().map(|one| (
            collect::resource(one.resource).encode_to_vec(),
            collect::scope(one.scope).encode_to_vec(),
            collect::log_record(one.record).encode_to_vec(),
        )).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn damaged_batches_are_walked_without_panic(
        seed in seed(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        for mut bytes in [
            Dice::new(&seed.0).logs().encode_to_vec(),
            Dice::new(&seed.0).traces().encode_to_vec(),
            Dice::new(&seed.0).metrics().encode_to_vec(),
            seed.0,
        ] {
            if bytes.is_empty() {
                continue;
            }
            for (at, byte) in &damage {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            let _ = collect::logs(LogsView::new(&bytes)).encode_to_vec();
            let _ = collect::traces(TracesView::new(&bytes)).encode_to_vec();
            let _ = collect::metrics(MetricsView::new(&bytes)).encode_to_vec();
        }
    }
}

fn record(body: &str, severity: i32, keys: &[&str]) -> LogRecord {
    let attributes = keys.iter().map(|key| KeyValue { key: (*key).into(), ..KeyValue::default() });
    LogRecord {
        body: Some(v1::AnyValue { value: Some(any_value::Value::StringValue(body.into())) }),
        severity_number: severity,
        attributes: attributes.collect(),
        ..LogRecord::default()
    }
}

#[test]
fn of_a_field_that_stands_twice_the_last_one_counts() {
    let mut bytes = record("first", 9, &[]).encode_to_vec();
    bytes.extend(record("second", 17, &[]).encode_to_vec());
    let view = LogRecordView::new(&bytes);
    assert_eq!(view.body(), Value::String("second".into()));
    assert_eq!(view.severity_number(), 17);
}

#[test]
fn an_empty_body_after_a_body_does_not_hide_it() {
    let mut bytes = record("visible", 0, &[]).encode_to_vec();
    bytes.extend(
        LogRecord { body: Some(v1::AnyValue::default()), ..LogRecord::default() }.encode_to_vec(),
    );
    assert_eq!(LogRecordView::new(&bytes).body().as_str(), Some("visible"));
    assert_eq!(LogRecord::decode(&*bytes).unwrap(), record("visible", 0, &[]));
}

#[test]
fn a_list_with_other_fields_in_between_is_read_whole() {
    let mut bytes = record("", 0, &["a", "b"]).encode_to_vec();
    bytes.extend(record("body", 9, &["c"]).encode_to_vec());
    let keys: Vec<_> =
        LogRecordView::new(&bytes).attributes().iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["a", "b", "c"]);
}

#[test]
fn a_resource_that_stands_twice_is_merged_field_by_field() {
    let request = |count| ResourceLogs {
        resource: Some(opentelemetry_proto::tonic::resource::v1::Resource {
            dropped_attributes_count: count,
            ..Default::default()
        }),
        scope_logs: vec![ScopeLogs::default()],
        ..ResourceLogs::default()
    };
    let mut group = request(7).encode_to_vec();
    group.extend(request(0).encode_to_vec());
    let mut bytes = Vec::new();
    prost::encoding::bytes::encode(1, &group, &mut bytes);
    let oracle = ExportLogsServiceRequest::decode(&*bytes).unwrap();
    let collected = collect::logs(LogsView::new(&bytes));
    assert_eq!(collected.encode_to_vec(), oracle.plain().encode_to_vec());
}

#[test]
fn the_first_of_two_attributes_with_one_key_is_found() {
    let attribute = |number| KeyValue {
        key: "k".into(),
        value: Some(v1::AnyValue { value: Some(any_value::Value::IntValue(number)) }),
        ..KeyValue::default()
    };
    let record = LogRecord { attributes: vec![attribute(1), attribute(2)], ..LogRecord::default() };
    let bytes = record.encode_to_vec();
    let attributes = LogRecordView::new(&bytes).attributes();
    assert_eq!(attributes.get("k").and_then(AnyValue::as_int), Some(1));
    assert_eq!(attributes.len(), 2);
    assert!(attributes.get("other").is_none());
}

#[test]
fn values_nested_beyond_any_limit_are_walked_without_overflow() {
    let mut message = Vec::new();
    for _ in 0..100_000 {
        let mut outer = Vec::with_capacity(message.len() + 24);
        let mut array = Vec::with_capacity(message.len() + 12);
        prost::encoding::encode_key(1, prost::encoding::WireType::LengthDelimited, &mut array);
        prost::encoding::encode_varint(message.len() as u64, &mut array);
        prost::encoding::encode_key(5, prost::encoding::WireType::LengthDelimited, &mut outer);
        prost::encoding::encode_varint((array.len() + message.len()) as u64, &mut outer);
        outer.extend(array);
        outer.extend(message);
        message = outer;
        if message.len() > 100_000 {
            break;
        }
    }
    let view = AnyValue::new(&message);
    let mut json = Vec::new();
    bessemer_record::json::write_any_value(view, &mut json);
    assert!(format!("{:?}", view.to_value()).contains("Null"));
    assert!(view != AnyValue::new(&message), "too deep to say that they are equal");
    assert!(json.ends_with(b"]]]"));
}
