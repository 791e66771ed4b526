//! What each action does, on all signals alike.

#![expect(clippy::needless_pass_by_value, reason = "tables of json! read better unborrowed")]

use serde_json::json;

use super::*;

#[track_caller]
fn check(actions: serde_json::Value, before: serde_json::Value, after: serde_json::Value) {
    let (before, after) = (pairs(&before), sorted(pairs(&after)));
    check_pairs(&settings(json!({ "action": actions })), &before, &after);
}

#[track_caller]
fn check_pairs(settings: &Settings, before: &Pairs, after: &Pairs) {
    for signal in SIGNALS {
        let out = run(settings, &Vec::new(), signal, request(signal, std::slice::from_ref(before)));
        for found in attributes(signal, &out) {
            assert_eq!(found, *after, "{signal:?}");
        }
    }
}

#[test]
fn insert_sets_what_is_absent() {
    let insert = json!([{ "key": "a", "action": "insert", "value": 123 }]);
    check(insert.clone(), json!({}), json!({ "a": 123 }));
    check(insert.clone(), json!({ "b": 1 }), json!({ "a": 123, "b": 1 }));
    check(insert, json!({ "a": "x" }), json!({ "a": "x" }));
    let copy = json!([{ "key": "a", "action": "insert", "from_attribute": "b" }]);
    check(copy.clone(), json!({}), json!({}));
    check(
        copy.clone(),
        json!({ "b": [1, { "c": null }] }),
        json!({ "a": [1, { "c": null }], "b": [1, { "c": null }] }),
    );
    check(copy, json!({ "a": 1, "b": 2 }), json!({ "a": 1, "b": 2 }));
}

#[test]
fn update_sets_what_is_present() {
    let update = json!([{ "key": "a", "action": "update", "value": 1.5 }]);
    check(update.clone(), json!({}), json!({}));
    check(update, json!({ "a": "x", "b": 1 }), json!({ "a": 1.5, "b": 1 }));
    let copy = json!([{ "key": "a", "action": "update", "from_attribute": "b" }]);
    check(copy.clone(), json!({ "b": 1 }), json!({ "b": 1 }));
    check(copy.clone(), json!({ "a": 1 }), json!({ "a": 1 }));
    check(copy, json!({ "a": 1, "b": true }), json!({ "a": true, "b": true }));
}

#[test]
fn upsert_sets_in_any_case_and_the_name_of_an_action_may_be_in_capitals() {
    let upsert = json!([{ "key": "a", "action": "UPSERT", "value": "v" }]);
    check(upsert.clone(), json!({}), json!({ "a": "v" }));
    check(upsert, json!({ "a": 7, "b": 1 }), json!({ "a": "v", "b": 1 }));
    let copy = json!([{ "key": "a", "action": "Upsert", "from_attribute": "b" }]);
    check(copy.clone(), json!({ "a": 1 }), json!({ "a": 1 }));
    check(copy, json!({ "b": 2 }), json!({ "a": 2, "b": 2 }));
}

#[test]
fn delete_takes_a_key_a_pattern_or_both() {
    let before = json!({ "ab": 1, "b": 2, "c": 3 });
    check(json!([{ "key": "b", "action": "delete" }]), before.clone(), json!({ "ab": 1, "c": 3 }));
    check(json!([{ "pattern": "b", "action": "delete" }]), before.clone(), json!({ "c": 3 }));
    check(
        json!([{ "pattern": "^b", "action": "delete" }]),
        before.clone(),
        json!({ "ab": 1, "c": 3 }),
    );
    let both = json!([{ "key": "c", "pattern": "^b", "action": "delete" }]);
    check(both, before.clone(), json!({ "ab": 1 }));
    check(json!([{ "key": "x", "pattern": "y", "action": "delete" }]), before.clone(), before);
}

#[test]
fn hash_writes_sha256_of_text_and_of_the_bytes_of_scalars() {
    let hash = json!([
        { "key": "text", "action": "hash" },
        { "key": "int", "action": "hash", "hash_function": "sha256" },
        { "pattern": "^(dou|bo|em)", "action": "hash" },
        { "key": "list", "action": "hash" },
    ]);
    check(
        hash,
        json!({
            "text": "john.doe@example.com", "int": 10, "double": 99.1, "bool": true, "empty": "",
            "list": [1], "other": "kept",
        }),
        json!({
            "text": "836f82db99121b3481011f16b49dfa5fbc714a0d1b1b9f784a1ebbbf5b39577f",
            "int": "a111f275cc2e7588000001d300a31e76336d15b9d314cd1a1d8f3d3556975eed",
            "double": "05fabd78b01be9692863cb0985f600c99da82979af18db5c55173c2a30adb924",
            "bool": "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a",
            "empty": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "list": "", "other": "kept",
        }),
    );
}

#[test]
fn extract_makes_named_groups_attributes() {
    let extract = json!([{
        "key": "path", "action": "extract",
        "pattern": r"^\/api\/v1\/document\/(?P<id>.*)\/(?:update|(?P<verb>x))\/(?<version>.*)$",
    }]);
    check(
        extract.clone(),
        json!({ "path": "/api/v1/document/123/update/v1", "id": 7 }),
        json!({
            "path": "/api/v1/document/123/update/v1", "id": "123", "verb": "", "version": "v1",
        }),
    );
    check(extract.clone(), json!({ "path": "/other" }), json!({ "path": "/other" }));
    check(extract.clone(), json!({ "path": 5 }), json!({ "path": 5 }));
    check(extract, json!({}), json!({}));
    let own = json!([{ "key": "a", "action": "extract", "pattern": "(?P<a>[0-9]+)(?P<b>.)" }]);
    check(own, json!({ "a": "x12y" }), json!({ "a": "12", "b": "y" }));
}

#[test]
fn extract_makes_the_first_of_unnamed_groups_the_value_of_the_key() {
    let extract = json!([{ "key": "user", "action": "extract", "pattern": "^([^@]+)@(.+)$" }]);
    check(extract.clone(), json!({ "user": "jo@x.org" }), json!({ "user": "jo" }));
    check(extract, json!({ "user": "jo" }), json!({ "user": "jo" }));
}

#[test]
fn convert_changes_the_type_where_it_can() {
    let to = |kind: &str| json!([{ "key": "a", "action": "convert", "converted_type": kind }]);
    for (kind, before, after) in [
        ("int", json!("123"), json!(123)),
        ("int", json!("+7"), json!(7)),
        ("int", json!("int-10"), json!("int-10")),
        ("int", json!("12.5"), json!("12.5")),
        ("int", json!("9223372036854775808"), json!("9223372036854775808")),
        ("int", json!(-123.6), json!(-123)),
        ("int", json!(true), json!(1)),
        ("int", json!(false), json!(0)),
        ("int", json!(5), json!(5)),
        ("int", json!([5]), json!([5])),
        ("double", json!("3.141e2"), json!(314.1)),
        ("double", json!("123"), json!(123.0)),
        ("double", json!("1e999"), json!("1e999")),
        ("double", json!(12), json!(12.0)),
        ("double", json!(true), json!(1.0)),
        ("double", json!(1.5), json!(1.5)),
        ("double", json!({ "b": 1 }), json!({ "b": 1 })),
        ("string", json!(99.1), json!("99.1")),
        ("string", json!(100.0), json!("100")),
        ("string", json!(1e21), json!("1e+21")),
        ("string", json!(-5), json!("-5")),
        ("string", json!(true), json!("true")),
        ("string", json!("x"), json!("x")),
        ("string", json!(null), json!("")),
        ("string", json!({ "b": [1, "<\""], "a": null }), json!(r#"{"a":null,"b":[1,"<\""]}"#)),
    ] {
        check(to(kind), json!({ "a": before, "b": 1 }), json!({ "a": after, "b": 1 }));
    }
    check(to("int"), json!({ "b": "1" }), json!({ "b": "1" }));
}

#[test]
fn every_action_sees_what_those_before_it_did() {
    let actions = json!([
        { "key": "a", "action": "insert", "value": "12 apples" },
        { "key": "a", "action": "extract", "pattern": "(?P<count>[0-9]+) (?P<fruit>.*)" },
        { "key": "count", "action": "convert", "converted_type": "int" },
        { "key": "copy", "action": "upsert", "from_attribute": "count" },
        { "key": "a", "action": "delete" },
        { "key": "a", "action": "insert", "from_attribute": "fruit" },
        { "key": "fruit", "action": "delete" },
    ]);
    check(actions, json!({}), json!({ "a": "apples", "count": 12, "copy": 12 }));
}

#[test]
fn constants_alone_are_set_like_one_by_one() {
    let constants = json!([
        { "key": "a", "action": "insert", "value": 1 },
        { "key": "b", "action": "insert", "value": 1 },
        { "key": "b", "action": "upsert", "value": 2 },
        { "key": "c", "action": "upsert", "value": 3 },
        { "key": "c", "action": "insert", "value": 4 },
        { "key": "a", "action": "insert", "value": 5 },
    ]);
    check(constants.clone(), json!({ "x": 0 }), json!({ "x": 0, "a": 1, "b": 2, "c": 3 }));
    check(constants.clone(), json!({ "a": 9, "b": 9 }), json!({ "a": 9, "b": 2, "c": 3 }));
    check(constants, json!({ "c": 9 }), json!({ "a": 1, "b": 2, "c": 3 }));
}

#[test]
fn an_attribute_that_stands_twice_is_gone_or_single_once_an_action_touches_it() {
    let twice: Pairs = vec![
        ("a".into(), Value::String("secret".into())),
        ("b".into(), Value::Int(1)),
        ("a".into(), Value::String("also secret".into())),
    ];
    let delete = settings(json!({ "action": [{ "key": "a", "action": "delete" }] }));
    check_pairs(&delete, &twice, &vec![("b".into(), Value::Int(1))]);
    let hash = settings(json!({ "action": [{ "pattern": "a", "action": "hash" }] }));
    let digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let once = vec![("a".into(), Value::String(digest.into())), ("b".into(), Value::Int(1))];
    check_pairs(&hash, &twice, &once);
}

#[test]
fn a_batch_on_which_nothing_is_to_do_is_not_copied() {
    let settings = settings(json!({ "action": [
        { "key": "a", "action": "insert", "value": 1 },
        { "key": "x", "action": "delete" },
        { "pattern": "^y", "action": "hash" },
        { "key": "a", "action": "update", "value": 5 },
    ] }));
    for signal in SIGNALS {
        let before = request(signal, &[pairs(&json!({ "a": 5 })), pairs(&json!({ "a": 5 }))]);
        let bytes = Bytes::from(before);
        let context = Context::detached();
        let step = Attributes::new(&settings, &context).unwrap();
        let tails = std::mem::take(&mut *context.tails.lock());
        let limits = Limits::default();
        let mut draft = Draft::check(signal, bytes, &limits, &tails.build()).unwrap();
        step.run(&mut draft, &mut Scratch::default());
        assert!(draft.is_unchanged(), "{signal:?}");
    }
}

#[test]
fn actions_see_and_change_attributes_that_an_earlier_step_appended() {
    let settings = settings(json!({ "action": [
        { "key": "class", "action": "delete" },
        { "key": "copy", "action": "insert", "from_attribute": "reason" },
        { "key": "reason", "action": "update", "value": "none" },
    ] }));
    let earlier = pairs(&json!({ "class": "critical", "reason": "why", "kept": 1 }));
    for signal in SIGNALS {
        let before = request(signal, &[pairs(&json!({ "class": "own" }))]);
        let out = run(&settings, &earlier, signal, before);
        let expected = sorted(pairs(&json!({ "copy": "why", "reason": "none", "kept": 1 })));
        for found in attributes(signal, &out) {
            assert_eq!(found, expected);
        }
    }
}
