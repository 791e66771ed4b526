//! A log record of plain values, and what statements do to it.

use std::cmp::Ordering;

use aws_lc_rs::digest;
use bessemer_ottl::{Context, ErrorMode, Program, Record};
use bessemer_record::edit::Field;
use bessemer_record::value::{Value, encode_any_value, encode_key_value};
use bessemer_record::view::LogRecordView;
use proptest::prelude::*;
use regex::{NoExpand, Regex};

use super::{now, statement};

const KEYS: [&str; 4] = ["a", "b", "url.path", "long"];
const TEXTS: [&str; 7] =
    ["", "one", "two words", "/api/12/\u{e9}/345", "in 512 ms", "\u{e9} \u{e9} \u{e9} \u{e9}", "9"];
const PATTERNS: [&str; 7] =
    ["[0-9]+", "in [5-9][0-9]{2} ms", "one|two", "^/api", "\u{e9}", "w[a-z]*", "\\\\d{2}"];

#[derive(Debug, Clone, PartialEq)]
struct Model {
    severity_number: i64,
    severity_text: String,
    body: Value,
    attributes: Vec<(String, Value)>,
    resource: Vec<(String, Value)>,
}

#[derive(Debug, Clone)]
enum Source {
    Literal(Value),
    Attribute(&'static str),
    Resource(&'static str),
    Body,
    BodyText,
    SeverityNumber,
    SeverityText,
    Concat(Vec<Source>),
    Sha256(Box<Source>),
}

#[derive(Debug, Clone)]
enum Test {
    Compare(Source, &'static str, Source),
    IsMatch(Source, &'static str),
    HasPrefix(Source, Source),
    IsString(Source),
    Not(Box<Test>),
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
}

#[derive(Debug, Clone)]
enum Edit {
    Set(Source, Source),
    DeleteKey(&'static str),
    KeepKeys(Vec<&'static str>),
    Replace(Source, &'static str, &'static str),
    Truncate(usize),
}

/// What cannot be done: the record stays and the statement is reported.
#[derive(Debug)]
struct Refused;

type Done<T> = Result<T, Refused>;

fn get(entries: &[(String, Value)], key: &str) -> Value {
    entries
        .iter()
        .find(|(found, _)| found == key)
        .map(|(_, value)| value.clone())
        .unwrap_or_default()
}

fn put(entries: &mut Vec<(String, Value)>, key: &str, value: Value) {
    match entries.iter_mut().find(|(found, _)| found == key) {
        Some((_, present)) => *present = value,
        None => entries.push((key.to_owned(), value)),
    }
}

/// The text form of a scalar; nothing of null.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Double(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

impl Source {
    fn written(&self) -> String {
        match self {
            Self::Literal(Value::String(text)) => format!("{text:?}"),
            Self::Literal(Value::Double(number)) => format!("{number:?}"),
            Self::Literal(Value::Null) => "nil".to_owned(),
            Self::Literal(value) => text(value).unwrap(),
            Self::Attribute(key) => format!("attributes[{key:?}]"),
            Self::Resource(key) => format!("resource.attributes[{key:?}]"),
            Self::Body => "body".to_owned(),
            Self::BodyText => "body.string".to_owned(),
            Self::SeverityNumber => "severity_number".to_owned(),
            Self::SeverityText => "severity_text".to_owned(),
            Self::Concat(parts) => {
                let parts: Vec<_> = parts.iter().map(Self::written).collect();
                format!("Concat([{}], \"-\")", parts.join(", "))
            }
            Self::Sha256(inner) => format!("SHA256({})", inner.written()),
        }
    }

    fn value(&self, model: &Model) -> Done<Value> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Attribute(key) => get(&model.attributes, key),
            Self::Resource(key) => get(&model.resource, key),
            Self::Body => model.body.clone(),
            Self::BodyText => Value::String(text(&model.body).unwrap_or_default()),
            Self::SeverityNumber => Value::Int(model.severity_number),
            Self::SeverityText => Value::String(model.severity_text.clone()),
            Self::Concat(parts) => {
                let values = parts.iter().map(|part| part.value(model));
                let values = values.collect::<Done<Vec<_>>>()?;
                let texts = values.iter().map(|value| text(value).unwrap_or("<nil>".to_owned()));
                Value::String(texts.collect::<Vec<_>>().join("-"))
            }
            Self::Sha256(inner) => match inner.value(model)? {
                Value::String(text) => {
                    Value::String(hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref()))
                }
                _ => return Err(Refused),
            },
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "the numbers of this test are small")]
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Int(left), Value::Double(right)) => (*left as f64).partial_cmp(right),
        (Value::Double(left), Value::Int(right)) => left.partial_cmp(&(*right as f64)),
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(right),
        _ => None,
    }
}

impl Test {
    fn written(&self) -> String {
        match self {
            Self::Compare(left, operator, right) => {
                format!("{} {operator} {}", left.written(), right.written())
            }
            Self::IsMatch(source, pattern) => {
                format!("IsMatch({}, \"{pattern}\")", source.written())
            }
            Self::HasPrefix(source, prefix) => {
                format!("HasPrefix({}, {})", source.written(), prefix.written())
            }
            Self::IsString(source) => format!("IsString({})", source.written()),
            Self::Not(inner) => format!("not ({})", inner.written()),
            Self::And(left, right) => format!("({}) and ({})", left.written(), right.written()),
            Self::Or(left, right) => format!("({}) or ({})", left.written(), right.written()),
        }
    }

    fn holds(&self, model: &Model) -> Done<bool> {
        Ok(match self {
            Self::Compare(left, operator, right) => {
                let order = order(&left.value(model)?, &right.value(model)?);
                match *operator {
                    "==" => order == Some(Ordering::Equal),
                    "!=" => order != Some(Ordering::Equal),
                    "<" => order == Some(Ordering::Less),
                    _ => order.is_some_and(Ordering::is_ge),
                }
            }
            Self::IsMatch(source, pattern) => {
                let regex = Regex::new(&pattern.replace("\\\\", "\\")).unwrap();
                text(&source.value(model)?).is_some_and(|text| regex.is_match(&text))
            }
            Self::HasPrefix(source, prefix) => match source.value(model)? {
                Value::String(text) => match prefix.value(model)? {
                    Value::String(prefix) => text.starts_with(&prefix),
                    _ => return Err(Refused),
                },
                _ => return Err(Refused),
            },
            Self::IsString(source) => matches!(source.value(model)?, Value::String(_)),
            Self::Not(inner) => !inner.holds(model)?,
            Self::And(left, right) => left.holds(model)? && right.holds(model)?,
            Self::Or(left, right) => left.holds(model)? || right.holds(model)?,
        })
    }
}

impl Edit {
    fn written(&self) -> String {
        match self {
            Self::Set(target, source) => format!("set({}, {})", target.written(), source.written()),
            Self::DeleteKey(key) => format!("delete_key(attributes, {key:?})"),
            Self::KeepKeys(keys) => format!("keep_keys(attributes, {keys:?})"),
            Self::Replace(target, pattern, new) => {
                format!("replace_pattern({}, \"{pattern}\", \"{new}\")", target.written())
            }
            Self::Truncate(limit) => format!("truncate_all(attributes, {limit})"),
        }
    }

    fn run(&self, model: &mut Model) -> Done<()> {
        match self {
            Self::Set(target, source) => match source.value(model)? {
                Value::Null => {}
                value => assign(model, target, value),
            },
            Self::DeleteKey(key) => model.attributes.retain(|(found, _)| found != key),
            Self::KeepKeys(keys) => {
                model.attributes.retain(|(found, _)| keys.contains(&found.as_str()));
            }
            Self::Replace(target, pattern, new) => {
                let Value::String(text) = target.value(model)? else { return Ok(()) };
                let regex = Regex::new(&pattern.replace("\\\\", "\\")).unwrap();
                if regex.is_match(&text) {
                    let new = regex.replace_all(&text, NoExpand(new)).into_owned();
                    assign(model, target, Value::String(new));
                }
            }
            Self::Truncate(limit) => {
                for (_, value) in &mut model.attributes {
                    if let Value::String(text) = value {
                        text.truncate(text.floor_char_boundary(*limit));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Sets what a path leads to, if it can hold such a value.
fn assign(model: &mut Model, target: &Source, value: Value) {
    match (target, value) {
        (Source::Attribute(key), value) => put(&mut model.attributes, key, value),
        (Source::Resource(key), value) => put(&mut model.resource, key, value),
        (Source::Body, value) => model.body = value,
        (Source::SeverityNumber, Value::Int(number)) => model.severity_number = number,
        (Source::SeverityText, Value::String(text)) => model.severity_text = text,
        _ => {}
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => prop::sample::select(TEXTS.to_vec()).prop_map(|text| Value::String(text.to_owned())),
        2 => prop::sample::select(vec![0, 1, 9, 17, 500]).prop_map(Value::Int),
        1 => prop::sample::select(vec![0.5, 2.5, 17.0]).prop_map(Value::Double),
        1 => any::<bool>().prop_map(Value::Bool),
    ]
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(KEYS.to_vec())
}

fn path() -> impl Strategy<Value = Source> {
    prop_oneof![
        4 => key().prop_map(Source::Attribute),
        1 => key().prop_map(Source::Resource),
        1 => Just(Source::Body),
        1 => Just(Source::SeverityNumber),
        1 => Just(Source::SeverityText),
    ]
}

fn source() -> impl Strategy<Value = Source> {
    let leaf = prop_oneof![
        4 => path(),
        2 => scalar().prop_map(Source::Literal),
        1 => Just(Source::Literal(Value::Null)),
        1 => Just(Source::BodyText),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Source::Concat),
            inner.prop_map(|inner| Source::Sha256(Box::new(inner))),
        ]
    })
}

fn test() -> impl Strategy<Value = Test> {
    let operator = prop::sample::select(vec!["==", "!=", "<", ">="]);
    let pattern = prop::sample::select(PATTERNS.to_vec());
    let leaf = prop_oneof![
        3 => (source(), operator, source()).prop_map(|(left, operator, right)| {
            Test::Compare(left, operator, right)
        }),
        2 => (source(), pattern).prop_map(|(source, pattern)| Test::IsMatch(source, pattern)),
        1 => (source(), source()).prop_map(|(source, prefix)| Test::HasPrefix(source, prefix)),
        1 => source().prop_map(Test::IsString),
    ];
    leaf.prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Test::Not(Box::new(inner))),
            (inner.clone(), inner.clone())
                .prop_map(|(left, right)| Test::And(Box::new(left), Box::new(right))),
            (inner.clone(), inner)
                .prop_map(|(left, right)| Test::Or(Box::new(left), Box::new(right))),
        ]
    })
}

fn edit() -> impl Strategy<Value = Edit> {
    let pattern = prop::sample::select(PATTERNS.to_vec());
    let new = prop::sample::select(vec!["", "{id}", "12", "\u{e9}"]);
    prop_oneof![
        4 => (path(), source()).prop_map(|(target, source)| Edit::Set(target, source)),
        1 => key().prop_map(Edit::DeleteKey),
        1 => prop::collection::vec(key(), 0..4).prop_map(Edit::KeepKeys),
        2 => (path(), pattern, new).prop_map(|(path, pattern, new)| Edit::Replace(path, pattern, new)),
        1 => (0..12_usize).prop_map(Edit::Truncate),
    ]
}

fn entries() -> impl Strategy<Value = Vec<(String, Value)>> {
    prop::collection::vec((key().prop_map(str::to_owned), scalar()), 0..6)
}

fn model() -> impl Strategy<Value = Model> {
    let severity = (0..25_i64, prop::sample::select(TEXTS.to_vec()).prop_map(str::to_owned));
    (severity, scalar(), entries(), entries()).prop_map(|(severity, body, attributes, resource)| {
        let (severity_number, severity_text) = severity;
        Model { severity_number, severity_text, body, attributes, resource }
    })
}

/// The messages of the record and of its resource.
fn encoded(model: &Model) -> (Vec<u8>, Vec<u8>) {
    let list = |number: u32, entries: &[(String, Value)], out: &mut Vec<u8>| {
        for (key, value) in entries {
            let mut pair = Vec::new();
            encode_key_value(key, value, &mut pair);
            Field::Bytes(&pair).put(number, out);
        }
    };
    let (mut record, mut resource, mut body) = (Vec::new(), Vec::new(), Vec::new());
    Field::Fixed64(7).put(1, &mut record);
    Field::Varint(model.severity_number.cast_unsigned()).put(2, &mut record);
    Field::Bytes(model.severity_text.as_bytes()).put(3, &mut record);
    encode_any_value(&model.body, &mut body);
    Field::Bytes(&body).put(5, &mut record);
    list(6, &model.attributes, &mut record);
    Field::Fixed64(9).put(11, &mut record);
    list(1, &model.resource, &mut resource);
    (record, resource)
}

fn decoded(record: &[u8], resource: &[u8]) -> Model {
    let view = LogRecordView::new(record);
    assert_eq!((view.time_unix_nano(), view.observed_time_unix_nano()), (7, 9));
    let owned = |entries: bessemer_record::value::Map<'_>| {
        entries.iter().map(|(key, value)| (key.as_str().to_owned(), value.to_value())).collect()
    };
    Model {
        severity_number: view.severity_number().into(),
        severity_text: view.severity_text().as_str().to_owned(),
        body: view.body().to_value(),
        attributes: owned(view.attributes()),
        resource: owned(bessemer_record::view::ResourceView::new(resource).attributes()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Promise: what statements make of a record in place is what they make of its plain values, and
    /// those that fail are the same.
    #[test]
    fn statements_do_to_bytes_what_they_do_to_values(
        model in model(),
        statements in prop::collection::vec((edit(), prop::option::of(test())), 1..10),
    ) {
        let texts: Vec<String> = statements
            .iter()
            .map(|(edit, test)| match test {
                Some(test) => format!("{} where {}", edit.written(), test.written()),
                None => edit.written(),
            })
            .collect();
        let compiled = texts.iter().map(|text| statement(Context::Log, text).unwrap());
        let program = Program::new(Context::Log, compiled.collect(), ErrorMode::Ignore);
        let (own, resource) = encoded(&model);
        let mut record = Record::new(Context::Log, &resource, &[], &[], &own);
        let mut told = Vec::new();
        program.run_record(&mut record, &now(), &mut |source, _| told.push(source.to_owned())).unwrap();

        let (mut expected, mut failed) = (model, Vec::new());
        for ((edit, test), text) in statements.iter().zip(&texts) {
            let outcome = test.as_ref().map_or(Ok(true), |test| test.holds(&expected));
            let outcome = outcome.and_then(|holds| if holds { edit.run(&mut expected) } else { Ok(()) });
            if outcome.is_err() {
                failed.push(text.clone());
            }
        }
        let found = decoded(record.message(Context::Log), record.message(Context::Resource));
        prop_assert_eq!(found, expected, "{:#?}", texts);
        prop_assert_eq!(told, failed);
    }
}
