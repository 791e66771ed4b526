//! What statements make of records that are around them: paths, indexes, what cannot be stored.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails its test")]

use bessemer_ottl::{Compiler, Context, Environment, ErrorMode, Functions, Program, RunError};
use bessemer_record::json::{from_otlp_json, to_otlp_json};
use bessemer_record::{Checked, Draft, Limits, Signal, Tails};
use serde_json::{Value as Json, json};

/// What statements of one context make of a batch.
fn run(context: Context, statements: &[&str], batch: &Json) -> Result<Json, RunError> {
    let signal = if batch.get("resourceSpans").is_some() { Signal::Traces } else { Signal::Logs };
    let functions = Functions::standard();
    let compiler = Compiler::new(context, &functions);
    let compiled = statements.iter().map(|text| compiler.statement(text).unwrap()).collect();
    let program = Program::new(context, compiled, ErrorMode::Propagate);
    let limits = Limits::default();
    let checked = from_otlp_json(signal, batch.to_string().as_bytes(), &limits).unwrap();
    let tails = Tails::none();
    let mut draft = Draft::from_checked(&checked, &tails);
    program.run(&mut draft, &Environment::at(0), &mut |_, _| {})?;
    let bytes = draft.emit(|_| 0, 1).remove(0).bytes;
    let after = Checked::check(signal, bytes, &limits).unwrap();
    Ok(serde_json::from_slice(&to_otlp_json(&after)).unwrap())
}

fn logs(attributes: &Json) -> Json {
    let record = json!({ "body": { "stringValue": "b" }, "attributes": attributes });
    let scopes = json!([{ "scope": { "name": "s" }, "logRecords": [record], "schemaUrl": "old" }]);
    json!({ "resourceLogs": [{ "resource": { "attributes": [] }, "scopeLogs": scopes }] })
}

fn attribute(key: &str, value: &Json) -> Json {
    json!([{ "key": key, "value": value }])
}

/// Scenario: a moment, a duration or an id is set where something else stands.
/// Promise: what stands there stays, since a record can store none of these.
#[test]
fn values_without_a_form_in_a_record_leave_what_is_there() {
    let before = logs(&attribute("a", &json!({ "stringValue": "x" })));
    for value in ["time", "Duration(\"1s\")", "trace_id", "SpanID(0x0102030405060708)"] {
        for target in ["attributes[\"a\"]", "body"] {
            let statement = format!("set({target}, {value})");
            let after = run(Context::Log, &[&statement], &before).unwrap();
            let record = "/resourceLogs/0/scopeLogs/0/logRecords/0";
            let of = |json: &Json| json.pointer(record).unwrap()["attributes"].clone();
            assert_eq!(of(&after), of(&before), "{statement}");
            assert_eq!(after.pointer(record).unwrap()["body"]["stringValue"], "b", "{statement}");
        }
    }
}

#[test]
fn an_index_into_a_text_or_a_number_is_refused_and_changes_nothing() {
    for value in [json!({ "stringValue": "x" }), json!({ "intValue": "1" })] {
        let before = logs(&attribute("a", &value));
        for target in ["attributes[\"a\"][\"k\"]", "attributes[\"a\"][0]"] {
            let statement = format!("set({target}, 1)");
            assert!(run(Context::Log, &[&statement], &before).is_err(), "{statement}");
        }
    }
}

#[test]
fn the_schema_of_a_resource_and_of_a_scope_is_read_and_set() {
    let before = logs(&json!([]));
    let scope = "/resourceLogs/0/scopeLogs/0";
    let set = ["set(attributes[\"was\"], schema_url)", "set(schema_url, \"new\")"];
    let after = run(Context::Scope, &set, &before).unwrap();
    let after = after.pointer(scope).unwrap();
    assert_eq!(after["schemaUrl"], "new");
    assert_eq!(after["scope"]["attributes"], attribute("was", &json!({ "stringValue": "old" })));
    assert_eq!(after["logRecords"].as_array().unwrap().len(), 1);

    let set = ["set(schema_url, \"r\")", "set(attributes[\"a\"], schema_url)"];
    let after = run(Context::Resource, &set, &before).unwrap();
    assert_eq!(after["resourceLogs"][0]["schemaUrl"], "r");
    let resource = &after["resourceLogs"][0]["resource"]["attributes"];
    assert_eq!(*resource, attribute("a", &json!({ "stringValue": "r" })));
    assert_eq!(after.pointer(scope).unwrap()["schemaUrl"], "old");
}

#[test]
fn an_event_knows_its_place() {
    let span = json!({ "name": "n", "events": [{ "name": "a" }, { "name": "b" }] });
    let batch = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [span] }] }] });
    let set = ["set(attributes[\"at\"], event_index)"];
    let after = run(Context::SpanEvent, &set, &batch).unwrap();
    let events = after.pointer("/resourceSpans/0/scopeSpans/0/spans/0/events").unwrap();
    for at in 0..2 {
        let expected = attribute("at", &json!({ "intValue": at.to_string() }));
        assert_eq!(events[at]["attributes"], expected);
    }
    assert!(run(Context::SpanEvent, &["set(event_index, 1)"], &batch).is_err());
}
