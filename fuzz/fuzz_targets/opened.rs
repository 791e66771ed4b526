//! What is changed in a message that was taken apart is what edits make of it that write the whole
//! message each time; changes of bytes that are no message end without a panic.
#![no_main]

use bessemer_record::edit::{self, Attribute, Field, Opened, Target, Twins};
use bessemer_record::value::AnyValue;
use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;

#[expect(dead_code, reason = "shared with the property tests, which use all of it")]
#[path = "../../crates/record/tests/oracle/generate.rs"]
mod generate;

/// The field of a log record that holds its attributes.
const LIST: u32 = 6;
const STEPS: usize = 12;

fuzz_target!(|input: &[u8]| {
    let Some((&[len], rest)) = input.split_first_chunk() else { return };
    let (steps, message) = rest.split_at(rest.len().min(usize::from(len)));
    let is_message = LogRecord::decode(message).is_ok();
    let mut dice = generate::Dice::new(steps);
    let mut opened = Opened::new(message, LIST);
    let mut expected = message.to_vec();
    for _ in 0..STEPS {
        expected = step(&mut dice, &mut opened, &expected);
        assert!(!is_message || opened.as_bytes() == expected);
        let pairs = opened.attributes().count();
        assert!(!is_message || pairs == attributes(&expected));
    }
    let mut out = Vec::new();
    opened.into_patch().write(message, &mut out);
    assert!(!is_message || out == expected, "what is written in the end is what was there");
});

fn attributes(message: &[u8]) -> usize {
    LogRecord::decode(message).map_or(0, |record| record.attributes.len())
}

/// Makes one change in both ways; returns the whole message that it gives.
fn step(dice: &mut generate::Dice<'_>, opened: &mut Opened<'_>, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let key = dice.key();
    match dice.below(7) {
        0 | 1 => {
            let value = dice.value(0).encode_to_vec();
            let attribute = Attribute::copied(&key, AnyValue::new(&value));
            edit::upsert(Target::Log, message, &attribute, &mut out);
            if dice.below(2) == 0 {
                opened.set_encoded(&attribute, Twins::Removed);
            } else {
                let mut encoded = Vec::new();
                AnyValue::new(&value).encode(&mut encoded);
                opened.set_value(key.as_bytes(), Twins::Removed, &encoded);
            }
        }
        2 => {
            opened.remove(key.as_bytes());
            edit::delete(Target::Log, message, &key, &mut out);
        }
        3 => {
            let len_max = usize::from(dice.below(9));
            opened.truncate(len_max);
            edit::truncate(Target::Log, message, len_max, &mut out);
        }
        4 => {
            let is_out = |value: AnyValue<'_>| value.as_int().is_some() || value.is_empty();
            opened.retain(|_, value| !is_out(AnyValue::new(value)));
            edit::delete_where(Target::Log, message, |_, value| is_out(value), &mut out);
        }
        5 => {
            let (number, bits) = ([2, 7][usize::from(dice.below(2))], dice.u64());
            let contents = [Field::Varint(bits)];
            opened.put(number, &[5], Some(contents[0]));
            edit::replace_fields(message, number, &[5], &contents, &mut out);
        }
        _ => {
            let contents = vec![Field::Bytes(b""); usize::from(dice.below(3))];
            opened.put_all(LIST, &[], &contents);
            edit::replace_fields(message, LIST, &[], &contents, &mut out);
        }
    }
    out
}
