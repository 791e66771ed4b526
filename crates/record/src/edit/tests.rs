//! What an edit leaves as it is; that edits equal edits of objects is proved in `tests/oracle`.

use super::*;
use crate::view::LogRecordView;
use crate::wire::put_tag;

/// A record with an attribute, a field that no version of OTLP knows, and another attribute.
fn record() -> Vec<u8> {
    let mut record = Vec::new();
    put_len_delimited(&mut record, 6, &Attribute::new("a", &Value::Int(1)).entry);
    put_tag(&mut record, 1000, crate::wire::VARINT);
    record.push(7);
    put_len_delimited(&mut record, 6, &Attribute::new("b", &Value::Int(2)).entry);
    record
}

fn attributes(record: &[u8]) -> Vec<(&str, Value)> {
    let attributes = LogRecordView::new(record).attributes();
    attributes.iter().map(|(key, value)| (key.as_str(), value.to_value())).collect()
}

#[test]
fn unknown_fields_survive_edits() {
    let mut out = Vec::new();
    let attribute = Attribute::new("a", &Value::String("x".repeat(200)));
    assert!(upsert(Target::Log, &record(), &attribute, &mut out));
    assert!(out.windows(3).any(|bytes| bytes == [0xC0, 0x3E, 7]));
    let expected = [("a", Value::String("x".repeat(200))), ("b", Value::Int(2))];
    assert_eq!(attributes(&out), expected);
}

#[test]
fn an_edit_that_finds_nothing_copies_and_says_so() {
    let message = record();
    let absent = Attribute::new("absent", &Value::Int(1));
    let present = Attribute::new("a", &Value::Int(9));
    for edit in [
        &(|out: &mut _| update(Target::Log, &message, &absent, out))
            as &dyn Fn(&mut Vec<u8>) -> bool,
        &|out| insert(Target::Log, &message, &present, out),
        &|out| delete(Target::Log, &message, "absent", out),
        &|out| delete_where(Target::Log, &message, |_, _| false, out),
        &|out| rename(Target::Log, &message, "absent", "a", out),
        &|out| rename(Target::Log, &message, "a", "a", out),
        &|out| truncate(Target::Log, &message, 3, out),
        &|out| truncate_body(&message, 3, out),
    ] {
        let mut out = Vec::new();
        assert!(!edit(&mut out));
        assert_eq!(out, message);
    }
}

#[test]
fn a_renamed_attribute_replaces_the_one_that_had_its_name() {
    let mut out = Vec::new();
    assert!(rename(Target::Log, &record(), "b", "a", &mut out));
    assert_eq!(attributes(&out), [("a", Value::Int(2))]);
}

#[test]
fn text_is_cut_at_the_border_of_a_character() {
    let mut message = Vec::new();
    set_body(&[], &Value::String("a\u{e9}\u{1F600}".into()), &mut message);
    for (len, cut) in [(0, ""), (1, "a"), (2, "a"), (3, "a\u{e9}"), (6, "a\u{e9}")] {
        let mut out = Vec::new();
        assert!(truncate_body(&message, len, &mut out));
        assert_eq!(LogRecordView::new(&out).body().as_str(), Some(cut));
    }
    assert!(!truncate_body(&message, 7, &mut Vec::new()));
}

#[test]
fn lengths_of_every_width_are_put_in_front() {
    for len in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152] {
        let mut out = vec![9];
        let content = nested::open(3, &mut out);
        out.resize(out.len() + len, 5);
        nested::close(content, &mut out);
        let mut expected = vec![9];
        put_len_delimited(&mut expected, 3, &vec![5; len]);
        assert!(out == expected, "{len}");
    }
}

#[test]
fn a_rewritten_list_keeps_the_bytes_of_what_it_does_not_touch() {
    let constant = Attribute::new("c", &Value::Bool(true));
    let mut out = Vec::new();
    assert!(rewrite(
        Target::Log,
        &record(),
        |list| {
            list.set(&constant);
            list.set(&Attribute::new("b", &Value::String("x".repeat(200))));
            list.remove("a");
            assert_eq!(list.keys().map(Text::as_str).collect::<Vec<_>>(), ["b", "c"]);
            list.remove_where(|key| key == "c");
            list.copy("b", "d");
        },
        &mut out
    ));
    assert!(out.starts_with(&[0xC0, 0x3E, 7]), "the field that OTLP does not know is first now");
    let long = Value::String("x".repeat(200));
    assert_eq!(attributes(&out), [("b", long.clone()), ("d", long)]);
}

#[test]
fn a_rewritten_list_that_is_as_before_is_no_change() {
    let same = Attribute::new("a", &Value::Int(1));
    let mut out = Vec::new();
    assert!(!rewrite(
        Target::Log,
        &record(),
        |list| {
            list.set(&same);
            list.remove("absent");
        },
        &mut out
    ));
    assert_eq!(out, record());
}

#[test]
fn setting_an_attribute_that_stands_twice_leaves_it_once() {
    let mut message = record();
    put_len_delimited(&mut message, 6, &Attribute::new("a", &Value::Int(3)).entry);
    let mut out = Vec::new();
    let change = |list: &mut List<'_>| {
        assert_eq!(list.get("a").and_then(AnyValue::as_int), Some(1));
        list.set(&Attribute::new("a", &Value::Int(1)));
    };
    assert!(rewrite(Target::Log, &message, change, &mut out));
    assert_eq!(attributes(&out), [("a", Value::Int(1)), ("b", Value::Int(2))]);
}
