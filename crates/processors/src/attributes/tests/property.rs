//! Random programs on random records do what the same actions do on decoded lists, written plainly.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the numbers are small"
)]

use proptest::prelude::*;

use super::super::settings::{
    ActionSettings, AttributeSettings, ConvertedType, MatchSettings, MatchType,
};
use super::*;

const KEYS: [&str; 5] = ["a", "b", "ab", "b.c", "class"];
const PATTERNS: [&str; 4] = ["^a", "b", "^b\\.", "x"];

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(&KEYS[..]).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-20_i64..20).prop_map(Value::Int),
        (-9_i32..9).prop_map(|number| Value::Double(f64::from(number) / 2.0)),
        any::<bool>().prop_map(Value::Bool),
        prop::sample::select(&["", "7", "-1.5", "k=v", "x=y z", "x"][..])
            .prop_map(|text| Value::String(text.to_owned())),
        Just(Value::String("long ".repeat(40))),
        Just(Value::Array(vec![Value::Null, Value::Int(1)])),
        Just(Value::Null),
    ]
}

fn list() -> impl Strategy<Value = Pairs> {
    prop::collection::vec((key(), value()), 0..5)
}

fn action() -> impl Strategy<Value = ActionSettings> {
    let constant = value().prop_filter("null is no constant", |value| *value != Value::Null);
    let source = prop_oneof![
        3 => constant.prop_map(|value| (Some(Literal(value)), None)),
        1 => key().prop_map(|from| (None, Some(from))),
    ];
    let set = (prop::sample::select(&["insert", "update", "upsert"][..]), key(), source).prop_map(
        |(action, key, (value, from_attribute))| ActionSettings {
            key,
            action: action.to_owned(),
            value,
            from_attribute,
            ..ActionSettings::default()
        },
    );
    let picked = prop_oneof![
        key().prop_map(|key| (key, None)),
        prop::sample::select(&PATTERNS[..]).prop_map(|text| (String::new(), Some(text.to_owned()))),
        (key(), prop::sample::select(&PATTERNS[..]))
            .prop_map(|(key, text)| (key, Some(text.to_owned()))),
    ];
    let pick = (prop::sample::select(&["delete", "hash"][..]), picked).prop_map(
        |(action, (key, pattern))| ActionSettings {
            key,
            action: action.to_owned(),
            pattern,
            ..ActionSettings::default()
        },
    );
    let extract = key().prop_map(|key| ActionSettings {
        key,
        action: "extract".to_owned(),
        pattern: Some("(?P<a>[a-z])=(?P<b>[a-z])".to_owned()),
        ..ActionSettings::default()
    });
    let types = [ConvertedType::Int, ConvertedType::Double, ConvertedType::String];
    let convert =
        (key(), prop::sample::select(types.to_vec())).prop_map(|(key, to)| ActionSettings {
            key,
            action: "convert".to_owned(),
            converted_type: Some(to),
            ..ActionSettings::default()
        });
    prop_oneof![6 => set, 2 => pick, 1 => extract, 1 => convert]
}

fn filter() -> impl Strategy<Value = Option<MatchSettings>> {
    let wanted =
        prop::option::of(value().prop_filter("null matches any", |one| *one != Value::Null));
    let test = (key(), wanted).prop_map(|(key, value)| {
        let attribute = vec![AttributeSettings { key, value: value.map(Literal) }];
        MatchSettings { attribute, ..matching_nothing() }
    });
    prop_oneof![3 => Just(None), 1 => test.prop_map(Some)]
}

fn matching_nothing() -> MatchSettings {
    MatchSettings {
        match_type: MatchType::Strict,
        regexp: None,
        services: Vec::new(),
        span_names: Vec::new(),
        span_kinds: Vec::new(),
        log_bodies: Vec::new(),
        log_severity_texts: Vec::new(),
        log_severity: None,
        metric_names: Vec::new(),
        attribute: Vec::new(),
        resource: Vec::new(),
        library: Vec::new(),
    }
}

fn get(list: &Pairs, key: &str) -> Option<Value> {
    list.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
}

fn put(list: &mut Pairs, key: &str, value: Value) {
    list.retain(|(known, _)| known != key);
    list.push((key.to_owned(), value));
}

fn sha256(bytes: &[u8]) -> Value {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let digits: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Value::String(digits.concat())
}

fn hash(list: &mut Pairs, key: &str) {
    let Some(value) = get(list, key) else { return };
    let hashed = match value {
        Value::String(text) => sha256(text.as_bytes()),
        Value::Bool(truth) => sha256(&[u8::from(truth)]),
        Value::Int(number) => sha256(&number.to_le_bytes()),
        Value::Double(number) => sha256(&number.to_le_bytes()),
        Value::Null | Value::Bytes(_) | Value::Array(_) | Value::Map(_) => {
            Value::String(String::new())
        }
    };
    put(list, key, hashed);
}

fn convert(value: Value, to: ConvertedType) -> Value {
    match (to, value) {
        (ConvertedType::Int, Value::Double(number)) => Value::Int(number.trunc() as i64),
        (ConvertedType::Int, Value::Bool(truth)) => Value::Int(i64::from(truth)),
        (ConvertedType::Int, Value::String(text)) if text == "7" => Value::Int(7),
        (ConvertedType::Double, Value::Int(number)) => Value::Double(number as f64),
        (ConvertedType::Double, Value::Bool(truth)) => Value::Double(f64::from(u8::from(truth))),
        (ConvertedType::Double, Value::String(text)) if text == "7" => Value::Double(7.0),
        (ConvertedType::Double, Value::String(text)) if text == "-1.5" => Value::Double(-1.5),
        (ConvertedType::String, Value::Int(number)) => Value::String(number.to_string()),
        (ConvertedType::String, Value::Double(number)) => Value::String(number.to_string()),
        (ConvertedType::String, Value::Bool(truth)) => Value::String(truth.to_string()),
        (ConvertedType::String, Value::Null) => Value::String(String::new()),
        (ConvertedType::String, Value::Array(_)) => Value::String("[null,1]".to_owned()),
        (_, other) => other,
    }
}

/// One action on a decoded list.
fn act(settings: &ActionSettings, list: &mut Pairs) {
    let key = settings.key.as_str();
    let is_picked = |known: &str| {
        let pattern = settings.pattern.as_ref().map(|text| regex::Regex::new(text).unwrap());
        pattern.is_some_and(|pattern| pattern.is_match(known))
    };
    match settings.action.as_str() {
        "insert" | "update" | "upsert" => {
            let constant = settings.value.as_ref().map(|literal| literal.0.clone());
            let copied = settings.from_attribute.as_ref().and_then(|from| get(list, from));
            let is_present = get(list, key).is_some();
            let is_wanted = match settings.action.as_str() {
                "insert" => !is_present,
                "update" => is_present,
                _ => true,
            };
            if let (true, Some(value)) = (is_wanted, constant.or(copied)) {
                put(list, key, value);
            }
        }
        "delete" => list.retain(|(known, _)| known != key && !is_picked(known)),
        "hash" => {
            hash(list, key);
            for picked in KEYS.into_iter().filter(|known| is_picked(known)) {
                hash(list, picked);
            }
        }
        "extract" => {
            let Some(Value::String(text)) = get(list, key) else { return };
            let pairs = [("k=v", "k", "v"), ("x=y z", "x", "y")];
            if let Some((_, a, b)) = pairs.into_iter().find(|(whole, ..)| *whole == text) {
                put(list, "a", Value::String(a.to_owned()));
                put(list, "b", Value::String(b.to_owned()));
            }
        }
        _ => {
            if let (Some(value), Some(to)) = (get(list, key), settings.converted_type) {
                let converted = convert(value.clone(), to);
                if converted != value {
                    put(list, key, converted);
                }
            }
        }
    }
}

fn is_match(block: &MatchSettings, list: &Pairs) -> bool {
    block.attribute.iter().all(|test| {
        get(list, &test.key)
            .is_some_and(|value| test.value.as_ref().is_none_or(|wanted| wanted.0 == value))
    })
}

fn model(settings: &Settings, earlier: &Pairs, mut list: Pairs) -> Pairs {
    for (key, value) in earlier {
        put(&mut list, key, value.clone());
    }
    let is_in = settings.include.as_ref().is_none_or(|block| is_match(block, &list))
        && !settings.exclude.as_ref().is_some_and(|block| is_match(block, &list));
    if is_in {
        settings.action.iter().for_each(|action| act(action, &mut list));
    }
    sorted(list)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn bytes_are_changed_as_lists_would_be(
        action in prop::collection::vec(action(), 0..5),
        include in filter(),
        exclude in filter(),
        earlier in prop_oneof![2 => Just(Pairs::new()), 1 => list()],
        records in prop::collection::vec(list(), 1..4),
    ) {
        let settings = Settings { action, include, exclude };
        let expected: Vec<Pairs> =
            records.iter().map(|list| model(&settings, &earlier, list.clone())).collect();
        for signal in SIGNALS {
            let out = run(&settings, &earlier, signal, request(signal, &records));
            let found = attributes(signal, &out);
            let kinds = if signal == Signal::Metrics { 5 } else { 1 };
            prop_assert_eq!(found.len(), kinds * records.len());
            for lists in found.chunks(records.len()) {
                prop_assert_eq!(lists, &expected[..], "{:?}", signal);
            }
        }
    }
}
