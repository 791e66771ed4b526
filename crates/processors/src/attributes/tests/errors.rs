//! Settings that are refused, and what is said of them; settings as the configuration writes them.

#![expect(clippy::needless_pass_by_value, reason = "tables of json! read better unborrowed")]

use std::sync::Arc;

use bessemer_config::{
    Context as ConfigContext, FixedEnvironment, MemorySources, Source as ConfigSource, decode,
    load_text,
};
use bessemer_pipeline::Catalogs;
use serde_json::json;

use super::*;

/// The path and the problem.
fn refused(json: serde_json::Value) -> (String, String) {
    let error = Attributes::new(&settings(json), &Context::detached()).unwrap_err();
    assert!(!error.remedy.is_empty());
    (error.path, error.problem)
}

#[track_caller]
fn check_action(action: serde_json::Value, setting: &str, problem: &str) {
    let first = json!({ "key": "a", "action": "delete" });
    let (path, found) = refused(json!({ "action": [first, action] }));
    assert_eq!(path, format!("action[1].{setting}"), "{action}");
    assert!(found.contains(problem), "{action}: {found}");
}

#[test]
fn actions_name_what_they_miss_and_what_they_do_not_take() {
    for (action, setting, problem) in [
        (json!({}), "action", "not set"),
        (json!({ "action": "insrt", "key": "a" }), "action", "insrt"),
        (json!({ "action": "insert", "value": 1 }), "key", "not set"),
        (json!({ "action": "insert", "key": "a" }), "value", "not set"),
        (json!({ "action": "insert", "key": "a", "value": null }), "value", "not set"),
        (
            json!({ "action": "update", "key": "a", "value": 1, "from_attribute": "b" }),
            "from_attribute",
            "beside value",
        ),
        (
            json!({ "action": "upsert", "key": "a", "from_context": "client.address" }),
            "from_context",
            "can not be",
        ),
        (
            json!({ "action": "upsert", "key": "a", "value": 1, "from_context": "metadata.x" }),
            "from_context",
            "beside another",
        ),
        (
            json!({ "action": "delete", "key": "a", "condition": "attributes[" }),
            "condition",
            "which is wrong at",
        ),
        (
            json!({ "action": "upsert", "key": "a", "value": 1, "pattern": "x" }),
            "pattern",
            "nothing that upsert takes",
        ),
        (json!({ "action": "delete" }), "key", "not set"),
        (json!({ "action": "delete", "key": "a", "value": 1 }), "value", "nothing that delete"),
        (
            json!({ "action": "delete", "key": "a", "hash_function": "sha256" }),
            "hash_function",
            "nothing that delete",
        ),
        (json!({ "action": "hash", "pattern": "(" }), "pattern", "unclosed group"),
        (
            json!({ "action": "hash", "key": "a", "from_attribute": "b" }),
            "from_attribute",
            "nothing that hash",
        ),
        (json!({ "action": "extract", "key": "a" }), "pattern", "not set"),
        (json!({ "action": "extract", "pattern": "(a)" }), "key", "not set"),
        (json!({ "action": "extract", "key": "a", "pattern": "b" }), "pattern", "no group"),
        (
            json!({ "action": "extract", "key": "a", "pattern": "(?P<b>.)(.)" }),
            "pattern",
            "with and without a name",
        ),
        (json!({ "action": "convert", "key": "a" }), "converted_type", "not set"),
        (
            json!({ "action": "convert", "key": "a", "converted_type": "int", "pattern": "x" }),
            "pattern",
            "nothing that convert",
        ),
    ] {
        check_action(action, setting, problem);
    }
}

#[test]
fn filters_name_what_is_wrong_with_them() {
    for (block, setting, problem) in [
        (json!({ "match_type": "strict" }), "", "nothing to match"),
        (json!({ "match_type": "regexp", "services": ["a", "("] }), ".services", "unclosed"),
        (
            json!({ "match_type": "strict", "span_kinds": ["SERVER"] }),
            ".span_kinds",
            "no kind of span",
        ),
        (
            json!({ "match_type": "strict", "log_severity": { "min": "info" } }),
            ".log_severity.min",
            "no severity",
        ),
        (
            json!({
                "match_type": "regexp", "attribute": [{ "key": "a" }, { "key": "b", "value": 1 }],
            }),
            ".attribute[1].value",
            "no text",
        ),
        (
            json!({ "match_type": "strict", "resource": [{ "key": "" }] }),
            ".resource[0].key",
            "empty",
        ),
        (json!({ "match_type": "regexp", "library": [{ "name": "[" }] }), ".library", "class"),
        (
            json!({ "match_type": "strict", "log_bodies": ["a"], "span_names": ["b"] }),
            "",
            "different signals",
        ),
    ] {
        for name in ["include", "exclude"] {
            let (path, found) = refused(json!({ name: block }));
            assert_eq!(path, format!("{name}{setting}"), "{block}");
            assert!(found.contains(problem), "{block}: {found}");
        }
    }
}

fn load(text: &str) -> Result<Settings, String> {
    static ROWS: &[&[bessemer_pipeline::Row]] = &[crate::CATALOG];
    let catalog = Catalogs::new(ROWS);
    let (sources, environment) = (MemorySources::default(), FixedEnvironment::default());
    let context = ConfigContext { sources: &sources, environment: &environment, catalog: &catalog };
    let source: Arc<ConfigSource> = ConfigSource::new("test.alloy", text);
    let render = |findings: Vec<_>| bessemer_config::render(&findings, false);
    let loaded = load_text(&source, &context).map_err(render)?;
    let node = loaded.graph.node("otelcol.processor.attributes.example").unwrap();
    decode(&node.settings).map_err(render)
}

#[test]
fn the_example_loads_and_builds() {
    let settings = load(EXAMPLE).unwrap();
    assert_eq!(settings.action.len(), 3);
    assert!(Attributes::new(&settings, &Context::detached()).is_ok());
}

#[test]
fn values_keep_the_type_they_are_written_with() {
    let settings = load(
        r#"otelcol.processor.attributes "example" {
             include {
               match_type = "strict"
               services   = ["a"]
               regexp {
                 cache_enabled         = true
                 cache_max_num_entries = 10
               }
               attribute {
                 key   = "x"
                 value = "1"
               }
               library {
                 name = "lib"
               }
             }
             exclude {
               match_type = "regexp"
               log_severity {
                 min             = "WARN2"
                 match_undefined = true
               }
             }
             action {
               key    = "a"
               action = "insert"
               value  = 123
             }
             action {
               key    = "b"
               action = "upsert"
               value  = "123"
             }
             action {
               key    = "c"
               action = "upsert"
               value  = 1.5
             }
             action {
               key    = "d"
               action = "UPDATE"
               value  = false
             }
             action {
               key    = "e"
               action = "upsert"
               value  = [1, {x = "y"}]
             }
             output {
               logs = []
             }
           }"#,
    )
    .unwrap();
    let values: Vec<_> = settings.action.iter().map(|one| one.value.clone().unwrap().0).collect();
    let map = Value::Map(vec![("x".into(), Value::String("y".into()))]);
    let expected = [
        Value::Int(123),
        Value::String("123".into()),
        Value::Double(1.5),
        Value::Bool(false),
        Value::Array(vec![Value::Int(1), map]),
    ];
    assert_eq!(values, expected);
    let include = settings.include.as_ref().unwrap();
    assert_eq!(include.attribute[0].value, Some(Literal(Value::String("1".into()))));
    assert!(Attributes::new(&settings, &Context::detached()).is_ok());
}

#[test]
fn a_setting_that_does_not_exist_is_refused() {
    let text = EXAMPLE.replace("key       = \"user.email\"", "conditions = \"true\"");
    let error = load(&text).unwrap_err();
    assert!(error.contains("conditions"), "{error}");
}
