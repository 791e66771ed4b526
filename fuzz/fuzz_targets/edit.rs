//! An edit of a message that prost decodes gives one that it decodes, with the edit done; an edit of
//! anything else ends without a panic.
#![no_main]

use bessemer_record::edit::{self, Attribute, Target};
use bessemer_record::value::{AnyValue, Value};
use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

#[expect(dead_code, reason = "shared with the property tests, which use all of it")]
#[path = "../../crates/record/tests/oracle/generate.rs"]
mod generate;

fuzz_target!(|input: &[u8]| {
    let Some((&[choice, len], rest)) = input.split_first_chunk() else { return };
    let (edits, message) = rest.split_at(rest.len().min(usize::from(len)));
    let mut dice = generate::Dice::new(edits);
    let key = dice.key();
    let value = dice.value(0).encode_to_vec();
    let attribute = Attribute::copied(&key, AnyValue::new(&value));
    let targets = [Target::Log, Target::Span, Target::Metric, Target::Resource, Target::Scope];
    let target = targets[usize::from(choice) % targets.len()];

    let mut out = Vec::new();
    edit::upsert(target, message, &attribute, &mut out);
    same_validity(target, message, &out);
    let mut again = Vec::new();
    assert!(!edit::insert(target, &out, &attribute, &mut again) || !decodes(target, message));
    assert!(!decodes(target, message) || again == out, "what was set is there");

    let mut out = Vec::new();
    edit::delete(target, message, &key, &mut out);
    same_validity(target, message, &out);
    let mut again = Vec::new();
    assert!(!edit::delete(target, &out, &key, &mut again) || !decodes(target, message));
    assert!(!decodes(target, message) || attributes(target, &out).iter().all(|one| one.key != key));

    for edit in [
        &(|out: &mut Vec<u8>| edit::rename(target, message, &key, &dice_key(edits), out))
            as &dyn Fn(&mut Vec<u8>) -> bool,
        &|out| edit::truncate(target, message, usize::from(len), out),
        &|out| edit::update(target, message, &attribute, out),
        &|out| edit::map(target, message, |_, value| Some(value.to_value()), out),
        &|out| edit::delete_where(target, message, |_, value| value.is_empty(), out),
    ] {
        let mut out = Vec::new();
        edit(&mut out);
        same_validity(target, message, &out);
    }
    if target == Target::Log {
        let mut out = Vec::new();
        edit::set_body(message, &Value::Bool(true), &mut out);
        edit::set_time(&out.clone(), 7, &mut out);
    }
});

/// A key that does not depend on the first one drawn.
fn dice_key(edits: &[u8]) -> String {
    generate::Dice::new(edits.get(1..).unwrap_or_default()).key()
}

fn same_validity(target: Target, before: &[u8], after: &[u8]) {
    assert!(decodes(target, after) || !decodes(target, before));
}

fn decodes(target: Target, message: &[u8]) -> bool {
    match target {
        Target::Log => LogRecord::decode(message).is_ok(),
        Target::Span | Target::SpanEvents => Span::decode(message).is_ok(),
        Target::Metric => Metric::decode(message).is_ok(),
        Target::Resource => Resource::decode(message).is_ok(),
        Target::Scope => InstrumentationScope::decode(message).is_ok(),
    }
}

/// The attributes of a message; of a metric the property tests look at the points.
fn attributes(target: Target, message: &[u8]) -> Vec<KeyValue> {
    match target {
        Target::Log => LogRecord::decode(message).unwrap_or_default().attributes,
        Target::Span => Span::decode(message).unwrap_or_default().attributes,
        Target::SpanEvents => {
            let events = Span::decode(message).unwrap_or_default().events;
            events.into_iter().flat_map(|event| event.attributes).collect()
        }
        Target::Metric => Vec::new(),
        Target::Resource => Resource::decode(message).unwrap_or_default().attributes,
        Target::Scope => InstrumentationScope::decode(message).unwrap_or_default().attributes,
    }
}
