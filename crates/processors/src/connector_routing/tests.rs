//! Where records go.

use bessemer_pipeline::program::NO_ROUTE;
use bessemer_pipeline::{Route, Scratch, SettingsError};
use bessemer_record::json::from_otlp_json;
use bessemer_record::{Draft, Limits, Signal, Tails};
use serde_json::{Value as Json, json};

use super::*;
use crate::attributes::testing::{JSON_SIGNALS, attributes};

fn choice(settings: Json) -> Result<Choice, SettingsError> {
    Choice::new(&serde_json::from_value(settings).unwrap(), &Context::detached())
}

/// The pipelines of every record or piece of a metric, and the records in it.
fn sent(settings: Json, signal: Signal, batch: &Json, scratch: &mut Scratch) -> Vec<(String, u32)> {
    let choice = choice(settings).unwrap();
    let batch = from_otlp_json(signal, batch.to_string().as_bytes(), &Limits::default()).unwrap();
    let mut draft = Draft::from_checked(&batch, &Tails::none());
    choice.run(&mut draft, scratch);
    let name = |route: u16| match route {
        NO_ROUTE => "nowhere".to_owned(),
        route => choice.targets()[usize::from(route)].join("+"),
    };
    draft.items().iter().map(|item| (name(item.route), item.records)).collect()
}

fn logs() -> Json {
    let record = |name: &str| attributes(&[("name", name)]);
    JSON_SIGNALS[0].request(&[
        (record("r1"), vec![record("a"), record("b")]),
        (record("r2"), vec![record("c")]),
    ])
}

fn of_logs(settings: Json) -> Vec<String> {
    let sent = sent(settings, Signal::Logs, &logs(), &mut Scratch::default());
    sent.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn the_first_row_that_holds_decides() {
    let table = json!([
        { "context": "log", "condition": "attributes[\"name\"] == \"b\"", "pipelines": ["x"] },
        { "statement": "route() where attributes[\"name\"] == \"r1\"", "pipelines": ["y"] },
    ]);
    assert_eq!(of_logs(json!({ "table": table, "default_pipelines": ["z"] })), ["y", "x", "z"]);
    assert_eq!(of_logs(json!({ "table": table })), ["y", "x", "nowhere"]);
}

#[test]
fn every_row_that_holds_counts_where_records_may_match_more_than_once() {
    let table = json!([
        { "context": "log", "condition": "attributes[\"name\"] == \"b\"", "pipelines": ["x"] },
        { "condition": "attributes[\"name\"] == \"r1\"", "pipelines": ["y", "x"] },
    ]);
    let settings = json!({ "table": table, "match_once": false, "default_pipelines": ["z"] });
    assert_eq!(of_logs(settings), ["y+x", "x+y", "z"]);
}

#[test]
fn the_request_decides_on_all_records() {
    let table = json!([{ "context": "request", "condition": "request[\"X-A\"] == \"1\"", "pipelines": ["x"] }]);
    for (value, expected) in [("1", "x"), ("2", "nowhere")] {
        let mut scratch =
            Scratch { headers: vec![("x-a".to_owned(), value.to_owned())], ..Scratch::default() };
        let sent = sent(json!({ "table": table }), Signal::Logs, &logs(), &mut scratch);
        assert!(sent.iter().all(|(name, _)| name == expected), "{sent:?}");
    }
}

#[test]
fn points_of_a_metric_go_each_their_own_way() {
    let point = |name: &str| json!({ "asInt": "1", "attributes": attributes(&[("name", name)]) });
    let points = [point("a"), point("b"), point("a"), point("c")];
    let batch = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [
        { "name": "m", "gauge": { "dataPoints": points } },
        { "name": "n", "gauge": { "dataPoints": [point("b")] } },
    ] }] }] });
    let table = json!([
        { "context": "datapoint", "condition": "attributes[\"name\"] == \"a\"", "pipelines": ["x"] },
        { "context": "metric", "condition": "name == \"n\"", "pipelines": ["y"] },
    ]);
    let settings = json!({ "table": table, "default_pipelines": ["z"] });
    let found = sent(settings, Signal::Metrics, &batch, &mut Scratch::default());
    assert_eq!(found, [("x".to_owned(), 2), ("z".to_owned(), 2), ("y".to_owned(), 1)]);
}

#[test]
fn wrong_tables_are_refused_with_their_row() {
    let row = json!({ "condition": "true", "pipelines": ["x"] });
    for (settings, path) in [
        (json!({}), "table"),
        (json!({ "table": vec![row.clone(); 9], "match_once": false }), "table"),
        (json!({ "table": [row, { "pipelines": ["x"] }] }), "table[1].condition"),
        (json!({ "table": [{ "value": "a", "pipelines": ["x"] }] }), "table[0].value"),
        (
            json!({ "table": [{ "condition": "bdy == 1", "pipelines": ["x"] }] }),
            "table[0].condition",
        ),
        (json!({ "table": [{ "statement": "drop()", "pipelines": ["x"] }] }), "table[0].condition"),
    ] {
        assert_eq!(choice(settings).unwrap_err().path, path);
    }
}
