//! The verdict of the check is that of `prost`, whatever the bytes.

#![expect(clippy::cast_possible_truncation, reason = "the numbers of a test are small")]

use proptest::prelude::*;

use super::*;
use crate::oracle::{self, Random};
use crate::wire::{LEN, put_len_delimited, put_tag, put_varint};

const WIDE: Limits =
    Limits { depth_max: 1_000, record_bytes_max: usize::MAX, batch_bytes_max: usize::MAX };

fn verdict(signal: Signal, bytes: &[u8]) -> Result<u32, CheckError> {
    let checked = Checked::check(signal, Bytes::copy_from_slice(bytes), &WIDE);
    let exact = exact::explain(signal, bytes, &WIDE);
    assert_eq!(checked.as_ref().err(), exact.as_ref(), "fast and exact check differ");
    if let Some(error) = exact {
        assert!(error.offset <= bytes.len(), "{error}");
    }
    checked.map(|checked| checked.records())
}

fn same_verdict_as_prost(signal: Signal, bytes: &[u8]) {
    let (ours, theirs) = (verdict(signal, bytes), oracle::decodes(signal, bytes));
    assert_eq!(ours.is_ok(), theirs, "{signal} {ours:?} {bytes:02X?}");
}

fn signal() -> impl Strategy<Value = Signal> {
    prop::sample::select(Signal::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_prost_writes_is_accepted(signal in signal(), seed: u64) {
        let bytes = oracle::request(signal, &mut Random::new(seed));
        prop_assert!(verdict(signal, &bytes).is_ok());
    }

    #[test]
    fn unusual_encodings_are_accepted_and_counted_alike(signal in signal(), seed: u64) {
        let random = &mut Random::new(seed);
        let bytes = oracle::request(signal, random);
        let disguised = oracle::disguised(signal, &bytes, random);
        prop_assert_eq!(oracle::canonical(signal, &disguised), bytes.clone());
        prop_assert_eq!(verdict(signal, &disguised), verdict(signal, &bytes));
    }

    #[test]
    fn damaged_bytes_get_the_verdict_of_prost(signal in signal(), seed: u64) {
        let random = &mut Random::new(seed);
        let mut original = oracle::request(signal, random);
        if random.one_in(3) {
            original = oracle::disguised(signal, &original, random);
        }
        for _ in 0..400 {
            let mut bytes = original.clone();
            for _ in 0..=random.below(2) {
                damage(&mut bytes, random);
            }
            same_verdict_as_prost(signal, &bytes);
        }
    }

    #[test]
    fn noise_gets_the_verdict_of_prost(signal in signal(), seed: u64) {
        let random = &mut Random::new(seed);
        for _ in 0..200 {
            let mut bytes = Vec::new();
            for _ in 0..random.below(8) {
                put_tag(&mut bytes, random.below(14) as u32, random.below(7) as u8);
                put_varint(&mut bytes, random.below(6) as u64);
            }
            same_verdict_as_prost(signal, &bytes);
        }
    }

    #[test]
    fn a_request_cut_at_any_byte_gets_the_verdict_of_prost(signal in signal(), seed: u64) {
        let bytes = oracle::request(signal, &mut Random::new(seed));
        for end in 0..bytes.len().min(3_000) {
            same_verdict_as_prost(signal, &bytes[..end]);
        }
    }

    #[test]
    fn the_fast_check_finds_the_facts_that_readers_find(signal in signal(), seed: u64) {
        let random = &mut Random::new(seed);
        let bytes = oracle::request(signal, random);
        let mut found = Vec::new();
        walk(signal, &bytes, &WIDE, &mut Collector(&mut found)).unwrap();
        for (message, facts) in found {
            let item = message.of(&bytes);
            let slow = facts::facts_of_any(signal, item, message.start as usize);
            prop_assert_eq!(facts.body.of(&bytes), slow.body.of(&bytes));
            prop_assert_eq!((facts.keys, facts.records), (slow.keys, slow.records));
            prop_assert_eq!(facts.severity, slow.severity);
        }
    }
}

struct Collector<'a>(&'a mut Vec<(Extent, Facts)>);

impl Visitor for Collector<'_> {
    fn item(&mut self, message: Extent, facts: Facts) {
        self.0.push((message, facts));
    }
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    const BYTES: [u8; 12] =
        [0x00, 0x01, 0x07, 0x08, 0x0A, 0x12, 0x1A, 0x2A, 0x32, 0x7F, 0x80, 0xFF];
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len());
    match random.below(7) {
        0 => bytes.truncate(at),
        1 => bytes[at] = bytes[at].wrapping_add(1),
        2 => bytes[at] = bytes[at].wrapping_sub(1),
        3 => bytes.insert(at, BYTES[random.below(BYTES.len())]),
        4 => drop(bytes.remove(at)),
        5 => bytes[at] ^= 1 << random.below(8),
        _ => bytes[at] = BYTES[random.below(BYTES.len())],
    }
}

/// A request with one log record whose body is made of `depth` values, each inside the one before.
fn nested(depth: u32, map: bool) -> Vec<u8> {
    let mut value = vec![0x10, 0x01];
    for _ in 1..depth {
        let mut inner = Vec::new();
        if map {
            let mut pair = vec![0x0A, 0x01, b'k'];
            put_len_delimited(&mut pair, 2, &value);
            put_len_delimited(&mut inner, 1, &pair);
        } else {
            put_len_delimited(&mut inner, 1, &value);
        }
        value.clear();
        put_len_delimited(&mut value, if map { 6 } else { 5 }, &inner);
    }
    in_request(&field(5, &value))
}

fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_len_delimited(&mut out, number, content);
    out
}

fn in_request(record: &[u8]) -> Vec<u8> {
    field(1, &field(2, &field(2, record)))
}

fn check(bytes: &[u8], limits: &Limits) -> Result<Checked, CheckError> {
    Checked::check(Signal::Logs, Bytes::copy_from_slice(bytes), limits)
}

#[test]
fn values_nest_to_the_limit_and_no_deeper_on_a_small_stack() {
    let depths = || {
        for map in [false, true] {
            assert!(check(&nested(64, map), &Limits::default()).is_ok());
            let bytes = nested(65, map);
            let error = check(&bytes, &Limits::default()).unwrap_err();
            assert_eq!(error.kind, CheckErrorKind::TooDeep { max: 64 });
            // The innermost value, of two bytes, is the one too many.
            assert_eq!(error.offset, bytes.len() - 2);
            assert!(check(&nested(20_000, map), &Limits::default()).is_err());
            let limits = Limits { depth_max: u32::MAX, ..Limits::default() };
            assert!(check(&nested(20_000, map), &limits).is_ok());
        }
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(depths).unwrap().join().unwrap();
}

/// A small request of what clients usually write, in which nothing but text is at the ends.
fn usual(signal: Signal) -> Vec<u8> {
    let attribute = |value: &[u8]| {
        let mut pair = field(1, b"key");
        pair.extend_from_slice(&field(2, value));
        pair
    };
    let values: [&[u8]; 5] = [
        &field(1, b"t"),
        &[0x18, 0x80, 0x80, 0x01],
        &[0x10, 1],
        &[0x21, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F],
        &[],
    ];
    let number = match signal {
        Signal::Logs => 6,
        Signal::Traces => 9,
        Signal::Metrics => 7,
    };
    let mut item = vec![0x11, 0x80, 2, 3, 4, 5, 6, 7, 8];
    if signal == Signal::Logs {
        item[0] = 0x09;
        item.extend_from_slice(&[0x10, 9]);
        item.extend_from_slice(&field(3, b"I"));
        item.extend_from_slice(&field(5, &field(1, b"body")));
    }
    for value in values {
        item.extend_from_slice(&field(number, &attribute(value)));
    }
    if signal == Signal::Traces {
        item =
            [field(1, &[0x9A; 16]), field(2, &[7; 8]), field(5, b"n"), item.split_off(9)].concat();
    }
    if signal == Signal::Metrics {
        item = [field(1, b"m"), field(5, &field(1, &item))].concat();
    }
    let second = field(if signal == Signal::Logs { 3 } else { 1 }, b"second");
    let scope = [field(1, &field(1, b"s")), field(2, &item), field(2, &second)].concat();
    field(1, &[field(1, &field(1, &attribute(values[0]))), field(2, &scope)].concat())
}

#[test]
fn any_byte_of_a_usual_request_may_be_any_other() {
    for signal in Signal::ALL {
        let original = usual(signal);
        assert!(verdict(signal, &original).is_ok());
        for at in 0..original.len() {
            let mut bytes = original.clone();
            for byte in 0..=u8::MAX {
                bytes[at] = byte;
                same_verdict_as_prost(signal, &bytes);
            }
        }
    }
}

#[test]
fn any_two_bytes_of_a_usual_request_may_make_up_for_each_other() {
    for signal in Signal::ALL {
        let original = usual(signal);
        for first in 0..original.len() {
            for second in first + 1..original.len() {
                let mut bytes = original.clone();
                (bytes[first], bytes[second]) = (0xFF, 0xFF);
                same_verdict_as_prost(signal, &bytes);
                for change in [0x0101_u16, 0x01FF, 0xFF01, 0xFFFF] {
                    let [left, right] = change.to_be_bytes();
                    bytes[first] = original[first].wrapping_add(left);
                    bytes[second] = original[second].wrapping_add(right);
                    same_verdict_as_prost(signal, &bytes);
                }
            }
        }
    }
}

#[test]
fn no_field_reaches_into_the_message_after_it() {
    let point = |tail: &[u8]| field(5, &field(1, tail));
    let cases: [(Signal, Vec<u8>); 12] = [
        (Signal::Logs, vec![0x09, 1, 2, 3, 4, 5, 6, 7]),
        (Signal::Logs, vec![0x10, 1, 0x59, 1, 2, 3, 4, 5, 6, 7]),
        (Signal::Logs, vec![0x45, 1, 2, 3]),
        (Signal::Logs, vec![0x10]),
        (Signal::Logs, vec![0x38, 0x80]),
        (Signal::Logs, vec![0x1A, 1]),
        (Signal::Logs, vec![0x4A, 8, 1, 2, 3, 4, 5, 6, 7]),
        (Signal::Logs, vec![0x2A, 2, 0x0A, 1]),
        (Signal::Traces, vec![0x39, 1, 2, 3, 4, 5, 6, 7]),
        (Signal::Traces, vec![0x85, 0x01, 1, 2, 3]),
        (Signal::Metrics, point(&[0x11, 1, 2, 3, 4, 5, 6, 7])),
        (Signal::Metrics, point(&[0x40])),
    ];
    for (signal, item) in cases {
        let scope = [field(2, &item), field(2, &[])].concat();
        let bytes = [field(1, &field(2, &scope)), field(1, b"\x1A\x02ok")].concat();
        assert!(verdict(signal, &bytes).is_err(), "{signal} {item:02X?}");
        same_verdict_as_prost(signal, &bytes);
    }
}

#[test]
fn groups_nest_to_their_limit_and_no_deeper() {
    for (depth, accepted) in [(1, true), (32, true), (33, false), (50_000, false)] {
        let mut record = Vec::new();
        for _ in 0..depth {
            put_tag(&mut record, 100, 3);
        }
        for _ in 0..depth {
            put_tag(&mut record, 100, 4);
        }
        assert_eq!(check(&in_request(&record), &Limits::default()).is_ok(), accepted, "{depth}");
    }
}

#[test]
fn a_record_may_be_as_large_as_the_limit() {
    let limits = Limits { record_bytes_max: 100, ..Limits::default() };
    for (size, accepted) in [(100, true), (101, false)] {
        let record = field(3, &vec![b'x'; size - 2]);
        assert_eq!(record.len(), size);
        let result = check(&in_request(&record), &limits);
        assert_eq!(result.is_ok(), accepted, "{size}");
        if let Err(error) = result {
            assert!(error.is_too_large());
            assert_eq!(error.kind, CheckErrorKind::RecordTooLarge { size: 101, max: 100 });
            assert_eq!(error.offset, 6);
        }
    }
}

#[test]
fn a_batch_may_be_as_large_as_the_limit() {
    let bytes = in_request(&field(3, &[b'x'; 50]));
    for (max, accepted) in [(bytes.len(), true), (bytes.len() - 1, false)] {
        let limits = Limits { batch_bytes_max: max, ..Limits::default() };
        let result = check(&bytes, &limits);
        assert_eq!(result.is_ok(), accepted);
        assert!(result.err().is_none_or(|error| error.is_too_large()));
    }
}

#[test]
fn an_error_names_the_byte_and_the_field() {
    let checks: [(&[u8], &str); 6] = [
        (
            &field(5, &field(1, b"ab\xFFcd")),
            "invalid UTF-8 at byte 12 (resource_logs.scope_logs.log_records.body.string_value)",
        ),
        (
            &field(6, &field(1, b"\xC3")),
            "invalid UTF-8 at byte 10 (resource_logs.scope_logs.log_records.attributes.key)",
        ),
        (
            &[0x2A, 0x05, 0x00],
            "a field ends after its message at byte 6 (resource_logs.scope_logs.log_records)",
        ),
        (&[0x00], "invalid tag at byte 6 (resource_logs.scope_logs.log_records)"),
        (&[0x28, 0x01], "wrong wire type at byte 6 (resource_logs.scope_logs.log_records.body)"),
        (&[0xA4, 0x01], "invalid group at byte 6 (resource_logs.scope_logs.log_records)"),
    ];
    for (record, message) in checks {
        let error = check(&in_request(record), &Limits::default()).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let top = check(&[0x0A, 0xFF], &Limits::default()).unwrap_err();
    assert_eq!(top.to_string(), "a field ends after its message at byte 1");
}

#[test]
fn text_is_validated_wherever_it_is_and_however_long() {
    for signal in Signal::ALL {
        let random = &mut Random::new(11);
        let mut refused = 0;
        for _ in 0..60 {
            let bytes = oracle::request(signal, random);
            let Some(at) = bytes.windows(4).position(|text| text == "\u{1F525}".as_bytes()) else {
                continue;
            };
            let mut bytes = bytes;
            bytes[at + 3] = b'x';
            assert!(verdict(signal, &bytes).is_err());
            refused += 1;
        }
        assert!(refused > 10, "{signal}: {refused}");
    }
}

#[test]
fn text_outside_ascii_is_accepted_in_any_block_of_a_long_batch() {
    let mut scope = Vec::new();
    for index in 0..2_000 {
        let wide = if index % 700 < 3 { "Stra\u{DF}e \u{1F525}" } else { "street fire" };
        put_len_delimited(&mut scope, 2, &field(5, &field(1, wide.repeat(3).as_bytes())));
    }
    let bytes = field(1, &field(2, &scope));
    assert_eq!(verdict(Signal::Logs, &bytes), Ok(2_000));
    let last = bytes.iter().rposition(|byte| *byte == 0xA5).unwrap();
    let mut damaged = bytes;
    damaged[last] = b'x';
    assert_eq!(verdict(Signal::Logs, &damaged).unwrap_err().kind, CheckErrorKind::Utf8);
}

#[test]
fn numbers_that_look_like_text_do_not_hide_text_that_is_not() {
    // A time with one byte less outside ASCII than it could have, and a text with one too many.
    for time in [0_u64, 0x80, u64::MAX] {
        let mut record = vec![0x09];
        record.extend_from_slice(&time.to_le_bytes());
        record.extend_from_slice(&field(3, b"\x80"));
        assert!(check(&in_request(&record), &Limits::default()).is_err());
    }
}

#[test]
fn an_empty_request_is_well_formed() {
    for signal in Signal::ALL {
        let checked = Checked::check(signal, Bytes::new(), &Limits::default()).unwrap();
        assert!(checked.is_empty());
    }
    let mut empty = Vec::new();
    put_tag(&mut empty, 1, LEN);
    put_varint(&mut empty, 0);
    assert_eq!(verdict(Signal::Logs, &empty), Ok(0));
}
