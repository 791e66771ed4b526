//! What a draft does to bytes is what the same operations do to decoded objects.

#![expect(clippy::cast_possible_truncation, reason = "a test has few outputs and few groups")]

use opentelemetry_proto::tonic::common::v1::any_value::Value as Kind;
use opentelemetry_proto::tonic::common::v1::{AnyValue as ProstValue, KeyValue};
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::oracle::{self, Model, Random, Record};
use crate::tail::TailsBuilder;
use crate::value::{Value, encode_key_value};
use crate::wire::put_len_delimited;

const OUTPUTS: usize = 3;

fn signal() -> impl Strategy<Value = Signal> {
    prop::sample::select(Signal::ALL.to_vec())
}

fn pair(key: &str, value: Kind) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(ProstValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// Sets of attributes, some with keys that the random records have, too.
fn tails() -> (Arc<Tails>, Vec<(TailId, Vec<KeyValue>)>) {
    let sets: [&[(&str, Value, Kind)]; 3] = [
        &[("ai.class", Value::String("info".into()), Kind::StringValue("info".into()))],
        &[
            ("level", Value::Int(-3), Kind::IntValue(-3)),
            ("class", Value::Bool(true), Kind::BoolValue(true)),
        ],
        &[
            ("service.name", Value::Double(0.5), Kind::DoubleValue(0.5)),
            ("", Value::Bytes(vec![0xFF]), Kind::BytesValue(vec![0xFF])),
            ("ai.class", Value::String("x".repeat(200)), Kind::StringValue("x".repeat(200))),
        ],
    ];
    let mut builder = TailsBuilder::default();
    let mut known = Vec::new();
    for set in sets {
        let ours: Vec<_> =
            set.iter().map(|(key, value, _)| ((*key).to_owned(), value.clone())).collect();
        let theirs = set.iter().map(|(key, _, kind)| pair(key, kind.clone())).collect();
        known.push((builder.add(&ours), theirs));
    }
    (builder.build(), known)
}

fn attributes_number(signal: Signal) -> u32 {
    if signal == Signal::Traces { SPAN_ATTRIBUTES } else { LOG_ATTRIBUTES }
}

fn append_edit(number: u32) -> impl Fn(&[u8], &mut Vec<u8>) {
    move |message, out| {
        let mut edited = Vec::new();
        encode_key_value("edited", &Value::Int(7), &mut edited);
        out.extend_from_slice(message);
        put_len_delimited(out, number, &edited);
    }
}

fn tail_model(record: &mut Record, set: &[KeyValue]) {
    for attributes in record.attributes() {
        attributes.retain(|old| set.iter().all(|new| new.key != old.key));
        attributes.extend_from_slice(set);
    }
}

/// Edits, tails and drops at random, to the draft and to its model.
fn process(draft: &mut Draft, model: &mut Model, random: &mut Random) {
    let (_, sets) = tails();
    let signal = draft.signal();
    for (group, resource) in model.resources.iter_mut().enumerate() {
        if random.one_in(4) {
            draft.replace_resource(group as u32, append_edit(1));
            let edited = resource.identity.get_or_insert_default();
            edited.attributes.push(pair("edited", Kind::IntValue(7)));
        }
    }
    let scopes = model.resources.iter_mut().flat_map(|resource| &mut resource.children);
    for (group, scope) in scopes.enumerate() {
        if random.one_in(4) {
            draft.replace_scope(group as u32, append_edit(3));
            let edited = scope.identity.get_or_insert_default();
            edited.attributes.push(pair("edited", Kind::IntValue(7)));
        }
    }
    for (index, record) in model.items().into_iter().enumerate() {
        if random.one_in(4) && signal != Signal::Metrics {
            draft.replace_item(index, append_edit(attributes_number(signal)));
            record.attributes()[0].push(pair("edited", Kind::IntValue(7)));
        }
        for _ in 0..random.below(4) {
            let (id, set) = &sets[random.below(sets.len())];
            draft.set_tail(index, *id);
            tail_model(record, set);
        }
    }
}

fn same_lookups(draft: &Draft, model: &mut Model) {
    let keys = ["service.name", "level", "", "class", "ai.class", "edited", "absent"];
    for (index, record) in model.items().into_iter().enumerate() {
        for key in keys {
            let expected = record.attributes().first().and_then(|attributes| {
                let pair = attributes.iter().find(|pair| pair.key == key)?;
                Some(pair.value.clone().unwrap_or_default())
            });
            let found = draft.attribute_message(index, key.as_bytes());
            let found = found.map(|value| ProstValue::decode(value).unwrap());
            assert_eq!(found, expected, "{key:?} of item {index}");
        }
        if let Record::Log(log) = record {
            let body = log.body.clone().and_then(|body| body.value);
            let expected =
                if let Some(Kind::StringValue(text)) = body { text } else { String::new() };
            assert_eq!(draft.body(index), expected.as_bytes());
            let severity = u8::try_from(log.severity_number).unwrap_or(0);
            assert_eq!(draft.items()[index].severity, severity);
        }
    }
}

fn same_batches(draft: &mut Draft, model: &Model, routes: &[u16]) {
    for (item, route) in draft.items_mut().iter_mut().zip(routes) {
        item.route = *route;
    }
    let emitted = draft.emit(|item| item.route, OUTPUTS);
    for output in 0..OUTPUTS as u16 {
        let mut expected = model.clone().filtered(|index, _| routes[index] == output);
        let records: u32 = expected.items().into_iter().map(Record::records).sum();
        let found = emitted.iter().find(|emitted| emitted.output == output);
        if expected.resources.is_empty() {
            assert!(found.is_none(), "an empty batch for output {output}");
            continue;
        }
        let found = found.unwrap();
        assert_eq!(found.records, records);
        let checked = Checked::check(draft.signal(), found.bytes.clone(), &Limits::default());
        assert_eq!(checked.unwrap().records(), records);
        let mut written = Model::decode(draft.signal(), &found.bytes);
        if found.bytes.as_ptr() == draft.input().as_ptr() {
            // Handed on as it came, containers without an item included.
            written = written.filtered(|_, _| true);
        }
        assert_same(&written, &expected);
    }
}

/// Compares item by item, as whole batches are too long to be read.
fn assert_same(found: &Model, expected: &Model) {
    let (found_items, expected_items) = (found.clone().flat(), expected.clone().flat());
    for (found, expected) in found_items.iter().zip(&expected_items) {
        assert_eq!(found, expected);
    }
    assert_eq!(found_items.len(), expected_items.len());
    assert!(found == expected, "containers differ");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_draft_writes_what_decoding_editing_and_encoding_would(signal in signal(), seed: u64) {
        let random = &mut Random::new(seed);
        let mut bytes = oracle::request(signal, random);
        if random.one_in(3) {
            bytes = oracle::disguised(signal, &bytes, random);
        }
        let (registry, _) = tails();
        let limits = Limits::default();
        let mut draft = Draft::check(signal, bytes.clone().into(), &limits, &registry).unwrap();
        let mut model = Model::decode(signal, &bytes);
        prop_assert_eq!(draft.len(), model.items().len());
        same_lookups(&draft, &mut model);
        let outputs = 1 + random.below(OUTPUTS + 1);
        let mut routes: Vec<u16> =
            (0..draft.len()).map(|_| random.below(outputs) as u16).collect();
        same_batches(&mut draft, &model, &routes);

        let mut fork = draft.fork();
        let untouched = model.clone();
        process(&mut draft, &mut model, random);
        if random.one_in(2) {
            draft.compact();
        }
        same_lookups(&draft, &mut model);
        for (index, route) in routes.iter_mut().enumerate() {
            if random.one_in(10) {
                draft.drop_item(index);
                *route = u16::MAX;
            }
        }
        same_batches(&mut draft, &model, &routes);
        let routes: Vec<u16> = routes.iter().map(|route| route % OUTPUTS as u16).collect();
        same_batches(&mut fork, &untouched, &routes);
    }
}

fn logs(seed: u64) -> Vec<u8> {
    (seed..seed + 100)
        .map(|seed| oracle::request(Signal::Logs, &mut Random::new(seed)))
        .find(|bytes| Model::decode(Signal::Logs, bytes).items().len() > 5)
        .unwrap()
}

fn draft(bytes: &[u8], tails: &Arc<Tails>) -> Draft {
    let bytes = Bytes::copy_from_slice(bytes);
    Draft::check(Signal::Logs, bytes, &Limits::default(), tails).unwrap()
}

#[test]
fn a_batch_that_nobody_changed_is_handed_on_without_a_copy() {
    let mut draft = draft(&logs(1), &Tails::none());
    let emitted = draft.emit(|_| 2, 3);
    assert_eq!(emitted.len(), 1);
    assert_eq!(emitted[0].output, 2);
    assert_eq!(emitted[0].bytes.as_ptr(), draft.input().as_ptr());
}

#[test]
fn a_batch_that_goes_nowhere_is_no_batch() {
    let mut draft = draft(&logs(1), &Tails::none());
    assert!(draft.emit(|_| u16::MAX, 3).is_empty());
    assert!(draft.emit(|_| 3, 3).is_empty());
    for index in 0..draft.len() {
        draft.drop_item(index);
    }
    assert!(draft.emit(|_| 0, 3).is_empty());
    assert!(self::draft(&[], &Tails::none()).emit(|_| 0, 1).is_empty());
}

#[test]
fn an_edit_after_a_tail_keeps_the_tail_and_brings_no_key_twice() {
    let (registry, sets) = tails();
    let bytes = logs(3);
    let mut draft = draft(&bytes, &registry);
    draft.set_tail(0, sets[0].0);
    draft.replace_item(0, |record, out| {
        let mut pair = Vec::new();
        encode_key_value("ai.class", &Value::String("stale".into()), &mut pair);
        out.extend_from_slice(record);
        put_len_delimited(out, LOG_ATTRIBUTES, &pair);
    });
    let mut model = Model::decode(Signal::Logs, &bytes);
    tail_model(model.items()[0], &sets[0].1);
    let emitted = draft.emit(|_| 0, 1);
    let written = Model::decode(Signal::Logs, &emitted[0].bytes);
    assert_same(&written, &model.filtered(|_, _| true));
}

#[test]
fn unknown_fields_of_containers_reach_every_output() {
    let record = |body: &str| {
        let mut value = Vec::new();
        put_len_delimited(&mut value, 1, body.as_bytes());
        let mut record = Vec::new();
        put_len_delimited(&mut record, 5, &value);
        record
    };
    let mut scope = Vec::new();
    put_len_delimited(&mut scope, 2, &record("one"));
    put_len_delimited(&mut scope, 90, b"in scope");
    put_len_delimited(&mut scope, 2, &record("two"));
    let mut resource = Vec::new();
    put_len_delimited(&mut resource, 91, b"before scopes");
    put_len_delimited(&mut resource, 2, &scope);
    put_len_delimited(&mut resource, 92, b"after scopes");
    let mut request = Vec::new();
    put_len_delimited(&mut request, 1, &resource);
    put_len_delimited(&mut request, 93, b"at the top");
    let mut draft = draft(&request, &Tails::none());
    draft.items_mut()[1].route = 1;
    let emitted = draft.emit(|item| item.route, 2);
    for (emitted, body) in emitted.iter().zip(["one", "two"]) {
        let text = String::from_utf8_lossy(&emitted.bytes).into_owned();
        for part in [body, "in scope", "before scopes", "after scopes", "at the top"] {
            assert!(text.contains(part), "{part} is not in {text:?}");
        }
    }
}

#[test]
fn a_resource_in_two_parts_is_one() {
    let part = |key: &str| {
        let mut pair = Vec::new();
        encode_key_value(key, &Value::Bool(true), &mut pair);
        let mut resource = Vec::new();
        put_len_delimited(&mut resource, 1, &pair);
        resource
    };
    let mut resource = Vec::new();
    put_len_delimited(&mut resource, 1, &part("first"));
    put_len_delimited(&mut resource, 2, &[0x12, 0x00]);
    put_len_delimited(&mut resource, 1, &part("second"));
    let mut request = Vec::new();
    put_len_delimited(&mut request, 1, &resource);
    let mut draft = draft(&request, &Tails::none());
    assert!(draft.resource_attribute(0, b"first").is_some());
    assert!(draft.resource_attribute(0, b"second").is_some());
    assert!(draft.is_unchanged());
    draft.replace_resource(0, |resource, out| out.extend_from_slice(resource));
    let emitted = draft.emit(|_| 0, 1);
    let model = Model::decode(Signal::Logs, &emitted[0].bytes);
    assert_same(&model, &Model::decode(Signal::Logs, &request));
}

#[test]
fn bodies_are_folded_in_one_text_that_knows_whose_they_are() {
    let bytes = logs(5);
    let draft = draft(&bytes, &Tails::none());
    let mut folded = Folded::default();
    draft.bodies_lowercase(&mut folded);
    draft.bodies_lowercase(&mut folded);
    assert_eq!(folded.len(), draft.len());
    let mut offset = 0;
    for index in 0..draft.len() {
        let body = draft.body(index).to_ascii_lowercase();
        assert_eq!(folded.body(index), body);
        for inside in offset..=offset + body.len() {
            assert_eq!(folded.item_at(inside), index);
        }
        offset += body.len() + 1;
    }
    assert_eq!(offset, folded.text().len());
}

#[test]
fn columns_of_a_draft_are_used_again() {
    let bytes = logs(1);
    let first = draft(&bytes, &Tails::none());
    let room = first.columns.items.as_ptr();
    drop(first);
    assert_eq!(draft(&bytes, &Tails::none()).columns.items.as_ptr(), room);
}

#[test]
fn an_item_takes_one_cache_line_at_most() {
    assert!(size_of::<Item>() <= 48);
}
