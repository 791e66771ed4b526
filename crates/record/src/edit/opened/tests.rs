//! An opened message against edits that write the whole message each time.

use proptest::prelude::*;

use super::slot::key_and_value;
use super::*;
use crate::edit::{Occurrence, Target, edit_occurrences, map, upsert};
use crate::value::{Value, any_value_len, encode_any_value, encode_key_value};
use crate::wire::{GROUP_END, GROUP_START, LEN, put_tag, put_varint};

/// The attributes of a log record.
const LIST: u32 = 6;

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["a", "b", "ab", "bb", "a.b", ""]).prop_map(str::to_owned),
        Just("k".repeat(200)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        (0..3_i64).prop_map(Value::Int),
        prop::sample::select(vec![0, 1, 120, 300]).prop_map(|len| Value::String("x".repeat(len))),
        Just(Value::Map(vec![("m".to_owned(), Value::Bool(true))])),
    ]
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(any_value_len(value));
    encode_any_value(value, &mut out);
    out
}

/// One field as it may stand in a message, in usual encodings and in others that are valid.
fn part() -> impl Strategy<Value = Vec<u8>> {
    let pair = (key(), value(), 0..4_u8).prop_map(|(key, value, form)| {
        let mut pair = Vec::new();
        match form {
            0 => {
                put_len_delimited(&mut pair, 2, &encoded(&value));
                put_len_delimited(&mut pair, 1, key.as_bytes());
            }
            1 => {
                encode_key_value(&key, &value, &mut pair);
                put_len_delimited(&mut pair, 2, &[]);
                Field::Varint(7).put(9, &mut pair);
            }
            _ => encode_key_value(&key, &value, &mut pair),
        }
        let mut out = Vec::new();
        put_len_delimited(&mut out, LIST, &pair);
        out
    });
    let plain = (1..9_u32, 0..4_u64, 0..3_u8).prop_map(|(number, content, form)| {
        let mut out = Vec::new();
        match form {
            0 => Field::Varint(content).put(number, &mut out),
            1 => Field::Fixed64(content).put(number, &mut out),
            _ if number != LIST => put_len_delimited(&mut out, number, b"text"),
            _ => {}
        }
        out
    });
    let odd = (1..3_u8).prop_map(|form| {
        let mut out = Vec::new();
        if form == 1 {
            put_tag(&mut out, 1_000, GROUP_START);
            put_varint(&mut out, 8);
            put_varint(&mut out, 300);
            put_tag(&mut out, 1_000, GROUP_END);
        } else {
            // A length in more bytes than it needs.
            put_tag(&mut out, 3, LEN);
            out.extend([0x81, 0x00, b'y']);
        }
        out
    });
    prop_oneof![4 => pair, 3 => plain, 1 => odd]
}

#[derive(Debug, Clone)]
enum Step {
    Set(String, Value, Twins),
    SetEncoded(String, Value),
    SetValue(String, Value, Twins),
    Truncate(usize),
    Copy(String, String),
    Remove(String),
    Retain(usize),
    Map(usize),
    Put(u32, Option<u64>),
    PutText(u32, usize),
    Repeat(u32, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let twins = || prop::sample::select(vec![Twins::Kept, Twins::Removed]);
    prop_oneof![
        (key(), value(), twins()).prop_map(|(key, value, twins)| Step::Set(key, value, twins)),
        (key(), value(), twins()).prop_map(|(key, value, twins)| Step::SetValue(key, value, twins)),
        (0..130_usize).prop_map(Step::Truncate),
        (key(), value()).prop_map(|(key, value)| Step::SetEncoded(key, value)),
        (key(), key()).prop_map(|(from, to)| Step::Copy(from, to)),
        key().prop_map(Step::Remove),
        (0..3_usize).prop_map(Step::Retain),
        (0..9_usize).prop_map(Step::Map),
        (1..9_u32, prop::option::of(0..3_u64)).prop_map(|(number, bits)| Step::Put(number, bits)),
        (1..9_u32, 0..300_usize).prop_map(|(number, len)| Step::PutText(number, len)),
        (1..9_u32, 0..3_usize).prop_map(|(number, count)| Step::Repeat(number, count)),
    ]
}

/// Makes one step on the message that is open.
fn make(step: &Step, opened: &mut Opened<'_>) {
    match step {
        Step::Set(key, value, twins) => {
            opened.set(key.as_bytes(), *twins, |out| encode_any_value(value, out));
        }
        Step::SetEncoded(key, value) => {
            opened.set_encoded(&Attribute::new(key, value), Twins::Removed);
        }
        Step::SetValue(key, value, twins) => {
            opened.set_value(key.as_bytes(), *twins, &encoded(value));
        }
        Step::Truncate(len_max) => {
            opened.truncate(*len_max);
        }
        Step::Copy(from, to) => {
            opened.copy(from.as_bytes(), to.as_bytes(), Twins::Removed);
        }
        Step::Remove(key) => {
            opened.remove(key.as_bytes());
        }
        Step::Retain(len) => {
            opened.retain(|key, _| key.len() != *len);
        }
        Step::Map(len) => {
            opened.map(|key, value, out| shortened(key, value, *len, out));
        }
        Step::Put(number, bits) => {
            opened.put(*number, &[7], bits.map(Field::Varint));
        }
        Step::PutText(number, len) => {
            let text = "t".repeat(*len);
            opened.put(*number, &[], Some(Field::Bytes(text.as_bytes())));
        }
        Step::Repeat(number, count) => {
            opened.put_all(*number, &[], &vec![Field::Bytes(b""); *count]);
        }
    }
}

fn shortened(key: &[u8], value: AnyValue<'_>, len: usize, out: &mut Vec<u8>) -> bool {
    let is_longer = value.as_str().is_some_and(|text| text.len() > len) && key != b"ab";
    if is_longer {
        put_len_delimited(out, 1, &b"xxxxxxxxx"[..len]);
    }
    is_longer
}

/// The message that the same step makes of a whole message.
fn written(step: &Step, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match step {
        Step::Set(key, value, Twins::Kept) | Step::SetValue(key, value, Twins::Kept) => {
            set_first(message, key, value, &mut out);
        }
        Step::Truncate(len_max) => {
            crate::edit::truncate(Target::Log, message, *len_max, &mut out);
        }
        Step::Set(key, value, Twins::Removed)
        | Step::SetValue(key, value, Twins::Removed)
        | Step::SetEncoded(key, value) => {
            upsert(Target::Log, message, &Attribute::new(key, value), &mut out);
        }
        Step::Copy(from, to) => {
            let pairs = crate::view::LogRecordView::new(message).attributes();
            let Some(value) = pairs.get(from) else { return message.to_vec() };
            upsert(Target::Log, message, &Attribute::copied(to, value), &mut out);
        }
        Step::Remove(key) => {
            crate::edit::delete(Target::Log, message, key, &mut out);
        }
        Step::Retain(len) => {
            crate::edit::delete_where(Target::Log, message, |key, _| key.len() == *len, &mut out);
        }
        Step::Map(len) => {
            let change = |key: crate::value::Text<'_>, value: AnyValue<'_>| {
                let is_changed = shortened(key.as_bytes(), value, *len, &mut Vec::new());
                is_changed.then(|| Value::String("x".repeat(*len)))
            };
            map(Target::Log, message, change, &mut out);
        }
        Step::Put(number, bits) => {
            replace_fields(message, *number, &[7], bits.map(Field::Varint).as_slice(), &mut out);
        }
        Step::PutText(number, len) => {
            let text = "t".repeat(*len);
            replace_fields(message, *number, &[], &[Field::Bytes(text.as_bytes())], &mut out);
        }
        Step::Repeat(number, count) => {
            let contents = vec![Field::Bytes(&b""[..]); *count];
            replace_fields(message, *number, &[], &contents, &mut out);
        }
    }
    out
}

fn set_first(message: &[u8], key: &str, value: &Value, out: &mut Vec<u8>) {
    let mut pair = Vec::new();
    encode_key_value(key, value, &mut pair);
    let mut is_set = false;
    let decide = |found: &[u8]| {
        if is_set || found.get(key_and_value(found).0) != Some(key.as_bytes()) {
            return Occurrence::Kept;
        }
        is_set = true;
        Occurrence::Replaced(&pair)
    };
    edit_occurrences(message, LIST, decide, out);
    if !is_set {
        put_len_delimited(out, LIST, &pair);
    }
}

#[test]
fn what_is_set_again_and_again_does_not_pile_up() {
    let text = "x".repeat(1 << 20);
    let mut opened = Opened::new(&[], LIST);
    for number in 0..40_u64 {
        opened.put(3, &[], Some(Field::Bytes(text.as_bytes())));
        opened.put(2, &[], Some(Field::Varint(number)));
        opened.put(3, &[], Some(Field::Bytes(b"")));
        assert!(opened.patch.buffers.made.len() <= MADE_BYTES_MAX + text.len() + 16);
    }
    assert_eq!(opened.field(2), Some(Field::Varint(39)));
    assert_eq!(opened.as_bytes().len(), 4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Promise: what is read of an opened message after each step, and what is written of it in the
    /// end, is what the same steps make of it when each writes the whole message.
    #[test]
    fn an_opened_message_is_what_edits_of_the_whole_message_make_of_it(
        parts in prop::collection::vec(part(), 0..12),
        steps in prop::collection::vec(step(), 0..8),
    ) {
        let message = parts.concat();
        let mut opened = Opened::new(&message, LIST);
        let mut expected = message.clone();
        for step in &steps {
            make(step, &mut opened);
            expected = written(step, &expected);
            prop_assert_eq!(opened.as_bytes(), &expected, "{:?}", step);
            let afresh = Opened::new(&expected, LIST);
            for number in 1..9 {
                prop_assert_eq!(opened.field(number), afresh.field(number));
            }
            let pairs: Vec<_> = afresh.attributes().collect();
            prop_assert_eq!(opened.attributes().collect::<Vec<_>>(), pairs.clone());
            for (key, _) in &pairs {
                prop_assert_eq!(opened.attribute(key), afresh.attribute(key));
            }
        }
        let is_changed = opened.is_changed();
        let mut out = Vec::new();
        opened.into_patch().write(&message, &mut out);
        prop_assert!(is_changed || message == expected);
        prop_assert_eq!(out, expected);
    }
}
