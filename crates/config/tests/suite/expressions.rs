//! Expressions and the standard library, through the public interface.

use std::collections::BTreeMap;

use bessemer_config::{Data, Diagnostic, Source, Value, alloy};
use bessemer_runtime::Secret;
use serde_json::json;

use crate::catalog::environment;

fn evaluate(text: &str) -> Result<Value, Diagnostic> {
    let secret = Value { data: Data::Secret(Secret::new("s3cret")), ..Value::default() };
    let object = Value::from(json!({ "list": [1, 2], "name": "n" }));
    let variables = BTreeMap::from([("secret".to_owned(), secret), ("object".to_owned(), object)]);
    let source = Source::new("e", text);
    alloy::evaluate(&source, &variables, &environment()).map_err(|mut found| found.swap_remove(0))
}

fn check(text: &str, expected: serde_json::Value) {
    match evaluate(text) {
        Ok(value) => assert_eq!(value, Value::from(expected), "{text}"),
        Err(finding) => panic!("{text}: {finding}"),
    }
}

fn refuse(text: &str, column: usize, reason: &str) {
    let finding = evaluate(text).expect_err(text);
    assert_eq!(finding.column(), column, "{text}: {finding}");
    assert!(finding.message.contains(reason), "{text}: {finding}");
}

#[test]
fn operators_have_the_precedence_of_the_language() {
    check("1 + 2 * 3 - 4 / 2", json!(5));
    check("2 ^ 3 ^ 2", json!(512));
    check("-2 ^ 2", json!(4));
    check("1 < 2 && 2 < 1 || !false", json!(true));
    check("\"a\" < \"b\" == true", json!(true));
    check("7 % 4 + 0.5", json!(3.5));
    check("(1 + 2) * 3", json!(9));
    check("[1, [2]] == [1.0, [2]]", json!(true));
    check("{ a = 1 } != { a = 2 }", json!(true));
}

#[test]
fn values_are_reached_by_name_and_index() {
    check("object.list[1]", json!(2));
    check("object[\"name\"]", json!("n"));
    check("object[\"missing\"]", json!(null));
    check("{ \"a b\" = [{ c = 3 }] }[\"a b\"][0].c", json!(3));
    refuse("object.nmae", 8, "does not exist");
    refuse("object.list[2]", 13, "out of range");
    refuse("object.list.x", 1, "cannot access field");
}

#[test]
fn every_function_is_there_under_all_its_names() {
    check("coalesce(\"\", 0, [], {}, null, \"x\")", json!("x"));
    check("sys.env(\"PORT\") + env(\"MISSING\")", json!("4317"));
    check("array.concat([1], [], [2]) == concat([1, 2])", json!(true));
    check("string.join([\"a\", 1], \"-\") + join([], \"-\")", json!("a-1"));
    check("string.split(\"abc\", \"\") == split(\"a,b,c\", \",\")", json!(true));
    check("string.replace(\"a.b.c\", \".\", \"\") + replace(\"x\", \"x\", \"y\")", json!("abcy"));
    check(
        "string.to_upper(\"\u{e4}b\") + to_upper(\"c\") + to_lower(\"D\") + string.to_lower(\"E\")",
        json!("\u{c4}BCde"),
    );
    check(
        "string.trim(\"xxaxx\", \"x\") + trim(\" a \", \" \") + trim_space(\"\\n b \")",
        json!("aab"),
    );
    check("trim_prefix(\"ab\", \"a\") + string.trim_suffix(\"ab\", \"b\")", json!("ba"));
    check("string.format(\"%s-%03d\", \"a\", 7) + format(\"%v\", true)", json!("a-007true"));
    check("encoding.from_json(\"{\\\"a\\\": [1]}\").a[0] + json_decode(\"2\")", json!(3));
    check("encoding.from_yaml(\"a:\\n- 1\") == yaml_decode(\"{a: [1]}\")", json!(true));
    check(
        "encoding.from_base64(encoding.to_base64(\"hi?\")) + base64_decode(\"aGk=\")",
        json!("hi?hi"),
    );
    check("encoding.from_URLbase64(encoding.to_URLbase64(\"??>\"))", json!("??>"));
    check("encoding.url_decode(encoding.url_encode(\"a b&c/\u{e9}\"))", json!("a b&c/\u{e9}"));
    check(
        "encoding.to_json({ b = [1.5, null], a = \"<\" })",
        json!("{\"a\":\"\\u003c\",\"b\":[1.5,null]}"),
    );
    check(
        "json_path(\"{\\\"a\\\": [{\\\"b\\\": 1}, {\\\"b\\\": 2}]}\", \"$.a[?(@.b > 1)].b\")",
        json!([2]),
    );
    check("file.path_join(\"a/\", \"../b\", \"c.alloy\")", json!("b/c.alloy"));
    check("convert.nonsensitive(secret) + nonsensitive(secret)", json!("s3crets3cret"));
    check(
        "constants.os != \"\" && constants.arch != \"\" && constants.hostname != \"\"",
        json!(true),
    );
    check(
        "array.combine_maps([{ a = 1 }], [{ a = 2 }, { a = 1, b = 3 }], [\"a\"], true)",
        json!([{ "a": 1 }, { "a": 1, "b": 3 }]),
    );
    check(
        "array.group_by([{ t = \"x\" }, { n = 1 }], \"t\", true)",
        json!([{ "t": "x", "items": [{ "t": "x" }] }]),
    );
}

#[test]
fn secrets_do_not_become_text_by_accident() {
    refuse("string.to_upper(secret)", 17, "secrets may not be converted into strings");
    refuse("string.format(\"%s\", secret)", 21, "secrets may not be converted into strings");
    refuse("encoding.to_json({ a = secret })", 24, "no JSON form");
    assert!(matches!(evaluate("\"Bearer \" + secret").unwrap().data, Data::Secret(_)));
    assert_eq!(format!("{:?}", evaluate("secret").unwrap().data), "Secret(***)");
}

#[test]
fn functions_say_what_is_wrong_with_their_arguments() {
    refuse("string.split(\"a\")", 1, "expected 2 args, got 1");
    refuse("string.join(\"a\", \",\")", 13, "should be array, got string");
    refuse("encoding.from_json(\"{\")", 1, "encoding.from_json");
    refuse("encoding.from_base64(\"%\")", 1, "encoding.from_base64");
    refuse("encoding.to_json([1])", 18, "should be object, got array");
    refuse("array.combine_maps([], [], [])", 28, "must not be empty");
    refuse("missing(1)", 1, "identifier \"missing\" does not exist");
    refuse("1 + true", 5, "should be one of [number string capsule] for binop +, got bool");
    refuse("\"a\"(1)", 1, "should be function, got string");
}
