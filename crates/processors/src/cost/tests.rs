//! Rules on whole batches, and a generated hour.

mod hour;
mod wrong;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bessemer_record::Signal;
use bessemer_runtime::{BoxFuture, Clock};
use serde_json::{Value as Json, json};

use super::*;
use crate::attributes::testing::{attributes, through_with};

const SECOND: u64 = 1_000_000_000;

/// A clock that stands still until it is set.
#[derive(Debug, Default)]
struct Watch(AtomicU64);

impl Watch {
    fn set(&self, seconds: u64) {
        self.0.store(seconds * SECOND, Ordering::Relaxed);
    }
}

impl Clock for Watch {
    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn unix_nanos(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A step, its clock, and what the step shares with others.
struct Bench {
    cost: Cost,
    watch: Arc<Watch>,
    context: Context,
}

fn context(watch: &Arc<Watch>) -> Context {
    Context { clock: Arc::clone(watch) as _, ..Context::detached().of("cost") }
}

impl Bench {
    fn new(settings: Json) -> Self {
        let watch = Arc::new(Watch::default());
        let context = context(&watch);
        Self { cost: cost(settings, &context).unwrap(), watch, context }
    }

    /// What is left of a batch that is then safe.
    fn run(&self, signal: Signal, batch: &Json) -> Json {
        let mut scratch = Scratch::default();
        let out = through_with(&self.cost, signal, batch, &mut scratch);
        std::mem::take(&mut scratch.after).run();
        out
    }

    /// The bodies of what is left of log records.
    fn bodies(&self, records: &[Json]) -> Vec<String> {
        bodies(&self.run(Signal::Logs, &logs(records)))
    }

    fn report(&self) -> Json {
        self.context.services.reports("cost")["cost"].clone()
    }
}

fn cost(settings: Json, context: &Context) -> Result<Cost, SettingsError> {
    Cost::new(&serde_json::from_value(settings).unwrap(), context)
}

fn rules(rules: Json) -> Json {
    let mut settings = json!({ "destination": "datadog" });
    settings["rule"] = rules;
    settings
}

fn logs(records: &[Json]) -> Json {
    json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": records }] }] })
}

fn log(class: &str, body: &str) -> Json {
    let attributes = attributes(&[("ai.classification", class)]);
    json!({ "body": { "stringValue": body }, "attributes": attributes })
}

fn bodies(out: &Json) -> Vec<String> {
    let records = out.pointer("/resourceLogs/0/scopeLogs/0/logRecords").and_then(Json::as_array);
    let body = |record: &Json| record["body"]["stringValue"].as_str().unwrap().to_owned();
    records.map(|records| records.iter().map(body).collect()).unwrap_or_default()
}

#[test]
fn critical_records_pass_every_action_untouched() {
    for rule in [
        json!({ "action": "drop" }),
        json!({ "action": "sample", "percentage": 0 }),
        json!({ "action": "dedupe" }),
        json!({ "action": "aggregate" }),
        json!({ "action": "trim", "body_bytes_max": 1, "attributes": ["a"] }),
    ] {
        let mut rule = rule;
        rule["classes"] = json!(["info", "warning", "unclassified"]);
        let bench = Bench::new(rules(json!([rule])));
        let critical = log("critical", "disk is on fire");
        let batch = logs(&[critical.clone(), critical.clone(), critical]);
        assert_eq!(bench.run(Signal::Logs, &batch), batch);
        assert_eq!(bench.report()["critical_records"], 3);
        assert_eq!(bench.report()["saved"]["bytes"], 0);
    }
}

#[test]
fn a_record_without_a_class_and_with_severity_fatal_is_critical() {
    let rule = json!([{ "action": "drop", "classes": ["unclassified"] }]);
    let record = |severity: u32| {
        json!({
            "severityNumber": severity, "body": { "stringValue": severity.to_string() },
        })
    };
    assert_eq!(Bench::new(rules(rule)).bodies(&[record(20), record(21), record(0)]), ["21"]);
}

#[test]
fn a_rule_is_for_its_classes_and_its_condition_only() {
    let bench = Bench::new(rules(json!([{
        "action": "drop", "classes": ["info"], "condition": "body matches \"^health\"",
    }])));
    let records = [
        log("info", "health ok"),
        log("info", "order"),
        log("warning", "health bad"),
        log("", "health of nobody"),
    ];
    assert_eq!(bench.bodies(&records), ["order", "health bad", "health of nobody"]);
}

#[test]
fn sampling_decides_alike_for_a_trace_and_keeps_the_share() {
    let bench = Bench::new(rules(json!([{ "action": "sample", "percentage": 25 }])));
    let record = |index: u64| {
        let mut record = log("info", &index.to_string());
        record["traceId"] =
            json!(format!("{:032x}", (index / 2 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        record
    };
    let records: Vec<Json> = (0..4000).map(record).collect();
    let kept = bench.bodies(&records);
    assert!((800..1200).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept, bench.bodies(&records), "the same again");
    let mut traces =
        kept.chunks(2).map(|pair| pair.iter().map(|one| one.parse::<u64>().unwrap() / 2));
    assert!(traces.all(|mut pair| pair.next() == pair.next()));
}

#[test]
fn the_first_of_equal_records_passes_and_after_the_window_the_next_one() {
    let bench = Bench::new(rules(json!([{ "action": "dedupe", "window": "60s" }])));
    let mut later = log("info", "same");
    later["timeUnixNano"] = json!("5");
    let records = [log("info", "same"), log("info", "other"), later];
    assert_eq!(bench.bodies(&records), ["same", "other"]);
    bench.watch.set(59);
    assert!(bench.bodies(&records).is_empty());
    bench.watch.set(60);
    assert_eq!(bench.bodies(&records), ["same", "other"]);
    assert_eq!(bench.report()["saved_by_action"]["dedupe"]["records"], 5);
}

/// Scenario: the journal refuses a batch and its sender comes again.
/// Promise: the first record of its kind is not taken for a copy of itself.
#[test]
fn a_batch_that_did_not_become_safe_leaves_no_trace() {
    let bench = Bench::new(rules(json!([{ "action": "dedupe" }])));
    let batch = logs(&[log("info", "only one")]);
    let mut refused = Scratch::default();
    through_with(&bench.cost, Signal::Logs, &batch, &mut refused);
    drop(refused);
    assert_eq!(bench.report()["passed"]["records"], 0);
    assert_eq!(bench.run(Signal::Logs, &batch), batch);
    assert_eq!(bench.run(Signal::Logs, &batch), json!({}));
}

#[test]
fn one_record_stands_for_those_that_differ_in_numbers() {
    let bench = Bench::new(rules(json!([{ "action": "aggregate" }])));
    let records =
        [log("info", "took 12 ms"), log("info", "took 7 ms"), log("info", "took a while")];
    let out = bench.run(Signal::Logs, &logs(&records));
    assert_eq!(bodies(&out), ["took 12 ms", "took a while"]);
    let counts: Vec<Json> = (0..2)
        .map(|index| {
            let path = format!("/resourceLogs/0/scopeLogs/0/logRecords/{index}/attributes/1");
            out.pointer(&path).cloned().unwrap_or_default()
        })
        .collect();
    let two = json!({ "key": "bessemer.aggregated", "value": { "intValue": "2" } });
    assert_eq!(counts, [two, Json::Null]);
}

#[test]
fn trimming_removes_attributes_and_cuts_text() {
    let bench = Bench::new(rules(json!([{
        "action": "trim", "attributes": ["stack"], "value_bytes_max": 16, "body_bytes_max": 5,
    }])));
    let record = json!({
        "body": { "stringValue": "a long story" },
        "attributes": attributes(&[
            ("ai.classification", "info"), ("stack", "deep"), ("url", "/a/very/long/path/indeed"),
        ]),
    });
    let out = bench.run(Signal::Logs, &logs(&[record]));
    let expected = json!({
        "body": { "stringValue": "a lon" },
        "attributes": attributes(&[("ai.classification", "info"), ("url", "/a/very/long/pat")]),
    });
    assert_eq!(out, logs(&[expected]));
    let report = bench.report();
    assert_eq!(report["saved_by_action"]["trim"]["records"], 0);
    assert!(report["saved"]["bytes"].as_u64().unwrap() > 20);
}

#[test]
fn data_points_are_neither_sampled_nor_deduplicated() {
    let bench = Bench::new(rules(json!([
        { "action": "sample", "percentage": 0, "classes": ["unclassified"] },
        { "action": "dedupe", "classes": ["unclassified"] },
        { "action": "aggregate", "classes": ["unclassified"] },
    ])));
    let metric = crate::attributes::testing::JSON_SIGNALS[1].batch(&[], &[("a", "b")]);
    for _ in 0..2 {
        assert_eq!(bench.run(Signal::Metrics, &metric), metric);
    }
}

#[test]
fn a_rule_waits_for_its_part_of_the_budget_and_a_new_period_starts_anew() {
    let settings = json!({
        "destination": "datadog",
        "budget": { "records": 10, "period": "1h" },
        "rule": [{ "action": "drop", "budget_used": 80 }],
    });
    let bench = Bench::new(settings);
    let records: Vec<Json> = (0..12).map(|index| log("info", &index.to_string())).collect();
    assert_eq!(bench.bodies(&records).len(), 8);
    assert!(bench.bodies(&records).is_empty());
    assert_eq!(bench.report()["period"]["budget_used_percent"], 80.0);
    bench.watch.set(3600);
    assert_eq!(bench.bodies(&records).len(), 8);
}

#[test]
fn what_was_spent_is_known_after_a_restart_and_never_as_less() {
    let settings = json!({
        "destination": "datadog", "prices": { "datadog": 1000.0 },
        "budget": { "money": 1.0, "period": "1h" },
        "rule": [{ "action": "drop", "budget_used": 50 }],
    });
    let before = Bench::new(settings.clone());
    let text = "x".repeat(1000);
    let records: Vec<Json> = (0..300).map(|_| log("info", &text)).collect();
    before.bodies(&records);
    let spent = before.report()["period"]["budget_used_percent"].as_f64().unwrap();
    assert!(spent > 25.0 && spent < 50.0, "{spent}");
    let again = cost(settings, &before.context).unwrap();
    let kept = again.spending.share(again.spending.spent(0)) * 100.0;
    assert!((spent..=spent + 1.0).contains(&kept), "{spent} became {kept}");
}

/// Scenario: a process stores what it saw, sees more and is killed; another one starts, with the
/// same rule and then with another.
/// Promise: what was stored is known for as long as the window lasts and no longer; what was not
/// passes once more.
#[test]
fn equals_of_what_was_stored_are_taken_out_after_a_restart() {
    let settings = rules(json!([{ "action": "dedupe", "window": "60s" }]));
    let before = Bench::new(settings.clone());
    assert_eq!(before.bodies(&[log("info", "a"), log("info", "b")]).len(), 2);
    before.cost.memories[0].store();
    before.watch.set(30);
    assert_eq!(before.bodies(&[log("info", "c")]).len(), 1);
    let records = || [log("info", "a"), log("info", "b"), log("info", "c")];
    let bodies = |bench: &Bench| bench.bodies(&records());
    let again = |settings: &Json| Bench {
        cost: cost(settings.clone(), &before.context).unwrap(),
        watch: Arc::clone(&before.watch),
        context: before.context.clone(),
    };
    let second = again(&settings);
    assert_eq!(bodies(&second), ["c"]);
    second.cost.memories[0].store();
    before.watch.set(61);
    let third = again(&settings);
    assert_eq!(bodies(&third), ["a", "b"], "c came at 30");
    third.cost.memories[0].store();
    let pieces = || before.context.state.scan("cost", "dedupe/", 100).unwrap().len();
    assert_eq!(pieces(), 2, "the first piece is over");
    let other = again(&rules(json!([{ "action": "dedupe", "window": "50s" }])));
    assert_eq!(pieces(), 0, "another rule has another memory");
    assert_eq!(bodies(&other).len(), 3);
}

#[test]
fn a_batch_that_is_not_safe_is_not_remembered() {
    let settings = rules(json!([{ "action": "dedupe" }]));
    let bench = Bench::new(settings.clone());
    let mut scratch = Scratch::default();
    through_with(&bench.cost, Signal::Logs, &logs(&[log("info", "a")]), &mut scratch);
    bench.cost.memories[0].store();
    let again = Bench { cost: cost(settings, &bench.context).unwrap(), ..bench };
    assert_eq!(again.bodies(&[log("info", "a")]).len(), 1);
}
