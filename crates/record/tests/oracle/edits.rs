//! Edits of bytes give what the same edits of decoded objects give.

use crate::generate::{Dice, KEYS};
use crate::{config, seed};
use bessemer_record::edit::{self, Attribute, Target};
use bessemer_record::value::{self, Value};
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use prost::Message;

/// A message with lists of attributes.
trait Edited: Message + Default + Clone {
    const TARGET: Target;
    fn draw(dice: &mut Dice<'_>) -> Self;
    fn lists(&mut self) -> Vec<&mut Vec<KeyValue>>;
}

impl Edited for LogRecord {
    const TARGET: Target = Target::Log;
    fn draw(dice: &mut Dice<'_>) -> Self {
        dice.log_record()
    }
    fn lists(&mut self) -> Vec<&mut Vec<KeyValue>> {
        vec![&mut self.attributes]
    }
}

impl Edited for Span {
    const TARGET: Target = Target::Span;
    fn draw(dice: &mut Dice<'_>) -> Self {
        dice.span()
    }
    fn lists(&mut self) -> Vec<&mut Vec<KeyValue>> {
        vec![&mut self.attributes]
    }
}

impl Edited for Resource {
    const TARGET: Target = Target::Resource;
    fn draw(dice: &mut Dice<'_>) -> Self {
        dice.resource()
    }
    fn lists(&mut self) -> Vec<&mut Vec<KeyValue>> {
        vec![&mut self.attributes]
    }
}

impl Edited for InstrumentationScope {
    const TARGET: Target = Target::Scope;
    fn draw(dice: &mut Dice<'_>) -> Self {
        dice.scope()
    }
    fn lists(&mut self) -> Vec<&mut Vec<KeyValue>> {
        vec![&mut self.attributes]
    }
}

impl Edited for Metric {
    const TARGET: Target = Target::Metric;
    fn draw(dice: &mut Dice<'_>) -> Self {
        dice.metric()
    }
    fn lists(&mut self) -> Vec<&mut Vec<KeyValue>> {
        use metric::Data;
        match &mut self.data {
            None => vec![],
            Some(Data::Gauge(d)) => d.data_points.iter_mut().map(|p| &mut p.attributes).collect(),
            Some(Data::Sum(d)) => d.data_points.iter_mut().map(|p| &mut p.attributes).collect(),
            Some(Data::Histogram(d)) => {
                d.data_points.iter_mut().map(|p| &mut p.attributes).collect()
            }
            Some(Data::ExponentialHistogram(d)) => {
                d.data_points.iter_mut().map(|p| &mut p.attributes).collect()
            }
            Some(Data::Summary(d)) => d.data_points.iter_mut().map(|p| &mut p.attributes).collect(),
        }
    }
}

/// One edit, for bytes and for objects.
#[derive(Debug)]
enum Edit {
    Insert(String, AnyValue),
    Update(String, AnyValue),
    Upsert(String, AnyValue),
    Delete(String),
    DeleteEmptyAndB,
    Rename(String, String),
    Truncate(usize),
}

impl Edit {
    fn draw(dice: &mut Dice<'_>) -> Self {
        let key = dice.key();
        match dice.below(7) {
            0 => Self::Insert(key, dice.value(0)),
            1 => Self::Update(key, dice.value(0)),
            2 => Self::Upsert(key, dice.value(0)),
            3 => Self::Delete(key),
            4 => Self::DeleteEmptyAndB,
            5 => Self::Rename(key, dice.key()),
            _ => Self::Truncate(usize::from(dice.below(8))),
        }
    }

    fn of_bytes(&self, target: Target, message: &[u8], out: &mut Vec<u8>) -> bool {
        match self {
            Self::Insert(key, value) => edit::insert(target, message, &attribute(key, value), out),
            Self::Update(key, value) => edit::update(target, message, &attribute(key, value), out),
            Self::Upsert(key, value) => edit::upsert(target, message, &attribute(key, value), out),
            Self::Delete(key) => edit::delete(target, message, key, out),
            Self::DeleteEmptyAndB => {
                let is_picked = |key: value::Text<'_>, value: value::AnyValue<'_>| {
                    value.is_empty() || key == "b"
                };
                edit::delete_where(target, message, is_picked, out)
            }
            Self::Rename(from, to) => edit::rename(target, message, from, to, out),
            Self::Truncate(len) => edit::truncate(target, message, *len, out),
        }
    }

    fn of_objects(&self, list: &mut Vec<KeyValue>) {
        let holds = |list: &[KeyValue], key: &str| list.iter().any(|entry| entry.key == key);
        match self {
            Self::Insert(key, value) => {
                if !holds(list, key) {
                    list.push(entry(key, Some(value)));
                }
            }
            Self::Update(key, value) => set_first(list, key, value),
            Self::Upsert(key, value) => {
                if !holds(list, key) {
                    list.push(entry(key, None));
                }
                set_first(list, key, value);
            }
            Self::Delete(key) => list.retain(|entry| entry.key != *key),
            Self::DeleteEmptyAndB => list.retain(|entry| {
                entry.key != "b" && entry.value.as_ref().is_some_and(|value| value.value.is_some())
            }),
            Self::Rename(from, to) => {
                if from != to
                    && let Some(at) = list.iter().position(|entry| entry.key == *from)
                {
                    let value = list[at].value.clone();
                    list[at].key = "\u{0}moved".into();
                    list.retain(|entry| entry.key != *from && entry.key != *to);
                    let moved = list.iter_mut().find(|entry| entry.key == "\u{0}moved").unwrap();
                    *moved = entry(to, value.as_ref());
                }
            }
            Self::Truncate(len) => {
                for entry in list {
                    if let Some(AnyValue { value: Some(any_value::Value::StringValue(text)) }) =
                        &mut entry.value
                    {
                        let end = (0..=*len).rev().find(|end| text.is_char_boundary(*end));
                        text.truncate(end.unwrap_or(0));
                    }
                }
            }
        }
    }
}

fn entry(key: &str, value: Option<&AnyValue>) -> KeyValue {
    KeyValue { key: key.into(), value: value.cloned(), ..KeyValue::default() }
}

fn set_first(list: &mut Vec<KeyValue>, key: &str, value: &AnyValue) {
    let mut is_first = true;
    list.retain_mut(|entry| {
        let is_kept = entry.key != key || is_first;
        if entry.key == key {
            entry.value = Some(value.clone());
            is_first = false;
        }
        is_kept
    });
}

fn attribute(key: &str, value: &AnyValue) -> Attribute {
    Attribute::copied(key, value::AnyValue::new(&value.encode_to_vec()))
}

fn check<M: Edited>(seed: &[u8]) {
    let mut dice = Dice::new(seed);
    let edits: Vec<_> = (0..4).map(|_| Edit::draw(&mut dice)).collect();
    let mut object = M::draw(&mut dice);
    let mut bytes = object.encode_to_vec();
    for edit in edits {
        let mut out = b"before".to_vec();
        let is_changed = edit.of_bytes(M::TARGET, &bytes, &mut out);
        let out = out.strip_prefix(b"before").expect("edits append").to_vec();
        object.lists().into_iter().for_each(|list| edit.of_objects(list));
        let edited = M::decode(&*out).unwrap_or_else(|error| panic!("{error} after {edit:?}"));
        assert_eq!(edited.encode_to_vec(), object.encode_to_vec(), "{edit:?}");
        assert!(is_changed || out == bytes, "{edit:?} changed bytes and said it did not");
        bytes = out;
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn edits_of_log_records_equal_edits_of_objects(seed in seed()) {
        check::<LogRecord>(&seed.0);
    }

    #[test]
    fn edits_of_spans_equal_edits_of_objects(seed in seed()) {
        check::<Span>(&seed.0);
    }

    #[test]
    fn edits_of_data_points_equal_edits_of_objects(seed in seed()) {
        check::<Metric>(&seed.0);
    }

    #[test]
    fn edits_of_resources_equal_edits_of_objects(seed in seed()) {
        check::<Resource>(&seed.0);
    }

    #[test]
    fn edits_of_scopes_equal_edits_of_objects(seed in seed()) {
        check::<InstrumentationScope>(&seed.0);
    }

    #[test]
    fn fields_of_a_log_record_are_set(seed in seed()) {
        let mut dice = Dice::new(&seed.0);
        let (severity, time, text) = (dice.i64() as i32, dice.u64(), dice.text());
        let body = dice.value(0);
        let mut record = dice.log_record();
        let bytes = record.encode_to_vec();
        let edited = |set: &dyn Fn(&[u8], &mut Vec<u8>)| {
            let mut out = Vec::new();
            set(&bytes, &mut out);
            LogRecord::decode(&*out).unwrap().encode_to_vec()
        };
        let owned = value::AnyValue::new(&body.encode_to_vec()).to_value();
        let mut encoded = Vec::new();
        value::encode_any_value(&owned, &mut encoded);

        let with_body = edited(&|bytes, out| edit::set_body(bytes, &owned, out));
        let with_number = edited(&|bytes, out| edit::set_severity_number(bytes, severity, out));
        let with_text = edited(&|bytes, out| edit::set_severity_text(bytes, &text, out));
        let with_time = edited(&|bytes, out| edit::set_time(bytes, time, out));
        let observed = edited(&|bytes, out| edit::set_observed_time(bytes, time, out));

        let original = record.clone();
        record.body = Some(AnyValue::decode(&*encoded).unwrap());
        prop_assert_eq!(with_body, record.encode_to_vec());
        record = LogRecord { severity_number: severity, ..original.clone() };
        prop_assert_eq!(with_number, record.encode_to_vec());
        record = LogRecord { severity_text: text.clone(), ..original.clone() };
        prop_assert_eq!(with_text, record.encode_to_vec());
        record = LogRecord { time_unix_nano: time, ..original.clone() };
        prop_assert_eq!(with_time, record.encode_to_vec());
        record = LogRecord { observed_time_unix_nano: time, ..original };
        prop_assert_eq!(observed, record.encode_to_vec());
    }

    #[test]
    fn edits_of_damaged_messages_do_not_panic(message in seed(), edits in seed()) {
        let edit = Edit::draw(&mut Dice::new(&edits.0));
        let targets = [Target::Log, Target::Span, Target::Metric, Target::Resource, Target::Scope];
        for target in targets {
            let mut out = Vec::new();
            let is_changed = edit.of_bytes(target, &message.0, &mut out);
            prop_assert!(is_changed || out.len() >= message.0.len());
        }
    }
}

#[test]
fn a_map_of_values_is_applied_to_each_data_point() {
    let point = |key: &str| opentelemetry_proto::tonic::metrics::v1::NumberDataPoint {
        attributes: vec![entry(key, None)],
        ..Default::default()
    };
    let gauge = opentelemetry_proto::tonic::metrics::v1::Gauge {
        data_points: vec![point("a"), point("b")],
    };
    let metric = Metric { data: Some(metric::Data::Gauge(gauge)), ..Metric::default() };
    let mut out = Vec::new();
    let changed = |_: value::Text<'_>, _: value::AnyValue<'_>| Some(Value::Int(7));
    assert!(edit::map(Target::Metric, &metric.encode_to_vec(), changed, &mut out));
    let mut edited = Metric::decode(&*out).unwrap();
    let seven = AnyValue { value: Some(any_value::Value::IntValue(7)) };
    let values: Vec<_> = edited.lists().into_iter().map(|list| list[0].value.clone()).collect();
    assert_eq!(values, [Some(seven.clone()), Some(seven)]);
    assert!(KEYS.contains(&"a"));
}
