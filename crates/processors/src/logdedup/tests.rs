//! Records through the stage as the engine hands them over, against a model that compares them as
//! decoded values.

use std::collections::BTreeMap;

use bessemer_pipeline::stateful::Lane;
use bessemer_pipeline::{Made, Meta, Part, RecordId};
use bessemer_record::json::{from_otlp_json, to_otlp_json};
use bessemer_record::{Checked, Limits, Signal, Tails};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

const SECOND: u64 = 1_000_000_000;

fn stage(settings: Json) -> LogDedup {
    let settings: Settings = serde_json::from_value(settings).unwrap();
    LogDedup::new(&settings, &Context::detached()).unwrap()
}

fn problem(settings: Json) -> String {
    let settings: Settings = serde_json::from_value(settings).unwrap();
    LogDedup::new(&settings, &Context::detached()).unwrap_err().path
}

fn request(groups: &[(&str, Vec<Json>)]) -> Json {
    let group = |(service, records): &(&str, Vec<Json>)| {
        let attributes = json!([{"key": "service.name", "value": {"stringValue": service}}]);
        let scope = json!({"scope": {"name": "lib"}, "logRecords": records});
        json!({"resource": {"attributes": attributes}, "scopeLogs": [scope]})
    };
    json!({ "resourceLogs": groups.iter().map(group).collect::<Vec<_>>() })
}

fn checked(request: &Json) -> Checked {
    let text = request.to_string();
    from_otlp_json(Signal::Logs, text.as_bytes(), &Limits::default()).unwrap()
}

fn part(request: &Json, meta: Meta) -> Part {
    let checked = checked(request);
    let first = RecordId { incarnation: 1, number: 0 };
    let records = checked.records();
    Part { first, records, meta: Arc::new(meta), payload: checked.into_bytes() }
}

fn at(second: u64) -> Meta {
    Meta { received_at: second * SECOND, ..Meta::default() }
}

/// What leaves, each batch as OTLP JSON.
fn leaving(held: &mut dyn Holding, second: u64) -> Vec<Json> {
    let made = held.emit(second * SECOND);
    let json = |made: Made| {
        let limits = Limits::default();
        let checked = Checked::check(Signal::Logs, made.bytes, &limits).unwrap();
        serde_json::from_slice(&to_otlp_json(&checked)).unwrap()
    };
    made.into_iter().map(json).collect()
}

fn records(request: &Json) -> Vec<Json> {
    let all = request["resourceLogs"].as_array().unwrap().iter();
    let scopes = all.flat_map(|group| group["scopeLogs"].as_array().unwrap());
    scopes.flat_map(|scope| scope["logRecords"].as_array().unwrap().clone()).collect()
}

fn attribute(record: &Json, key: &str) -> Option<Json> {
    let list = record["attributes"].as_array()?;
    let pair = list.iter().find(|pair| pair["key"] == key)?;
    Some(pair["value"].clone())
}

fn log(body: &str, attributes: &[(&str, &str)]) -> Json {
    let attributes: Vec<Json> = attributes
        .iter()
        .map(|(key, value)| json!({"key": key, "value": {"stringValue": value}}))
        .collect();
    json!({"body": {"stringValue": body}, "severityText": "INFO", "attributes": attributes})
}

/// How many records each one that leaves stands for, in order.
fn counts(stage: &LogDedup, records_in: Vec<Json>) -> Vec<(String, String)> {
    let mut held = stage.hold(&Tails::none());
    held.take(Signal::Logs, Lane::Normal, &part(&request(&[("a", records_in)]), at(1)));
    let out = leaving(&mut *held, 2);
    let count = |record: &Json| {
        let body = record["body"]["stringValue"].as_str().unwrap_or_default().to_owned();
        let count = attribute(record, "log_count").unwrap()["intValue"].clone();
        (body, count.as_str().unwrap().to_owned())
    };
    out.iter().flat_map(records).map(|record| count(&record)).collect()
}

fn told(counts: &[(&str, u32)]) -> Vec<(String, String)> {
    counts.iter().map(|(body, count)| ((*body).to_owned(), count.to_string())).collect()
}

/// Scenario: two equal records two minutes apart, in another order of their attributes.
/// Promise: one leaves, with how many, when the first and last came by the zone, and the times of
/// its namesake.
#[test]
fn equal_records_leave_as_one() {
    let stage = stage(json!({"timezone": "America/Los_Angeles", "log_count_attribute": "n"}));
    let mut held = stage.hold(&Tails::none());
    let one = log("disk full", &[("disk", "a"), ("host", "h")]);
    let two = log("disk full", &[("host", "h"), ("disk", "a")]);
    held.take(Signal::Logs, Lane::Normal, &part(&request(&[("a", vec![one])]), at(1_700_000_000)));
    held.take(Signal::Logs, Lane::Normal, &part(&request(&[("a", vec![two])]), at(1_700_000_120)));
    let out = leaving(&mut *held, 1_700_000_130);
    let [record] = <[Json; 1]>::try_from(records(&out[0])).unwrap();
    assert_eq!(attribute(&record, "n").unwrap(), json!({"intValue": "2"}));
    let first = json!({"stringValue": "2023-11-14T14:13:20-08:00"});
    assert_eq!(attribute(&record, "first_observed_timestamp").unwrap(), first);
    let last = json!({"stringValue": "2023-11-14T14:15:20-08:00"});
    assert_eq!(attribute(&record, "last_observed_timestamp").unwrap(), last);
    assert_eq!(record["timeUnixNano"], "1700000130000000000");
    assert_eq!(record["observedTimeUnixNano"], "1700000000000000000");
    assert_eq!(record["severityText"], "INFO");
    assert!(leaving(&mut *held, 1_700_000_140).is_empty(), "nothing is held afterwards");
}

#[test]
fn utc_is_written_with_a_z() {
    let mut held = stage(json!({})).hold(&Tails::none());
    held.take(Signal::Logs, Lane::Normal, &part(&request(&[("a", vec![log("x", &[])])]), at(7)));
    let record = records(&leaving(&mut *held, 8)[0]).remove(0);
    let first = json!({"stringValue": "1970-01-01T00:00:07Z"});
    assert_eq!(attribute(&record, "first_observed_timestamp").unwrap(), first);
}

#[test]
fn body_severity_attributes_resource_tenant_and_lane_keep_records_apart() {
    let mut held = stage(json!({"metadata_keys": ["X-Org"]})).hold(&Tails::none());
    let mut warning = log("x", &[]);
    warning["severityText"] = json!("WARN");
    let batch = request(&[
        ("a", vec![log("x", &[]), log("y", &[]), log("x", &[("k", "v")]), warning]),
        ("b", vec![log("x", &[])]),
    ]);
    let tenant = Meta { tenant: "t".to_owned(), ..at(1) };
    let org = Meta { headers: vec![("x-org".to_owned(), "o".to_owned())], ..at(1) };
    for meta in [at(1), tenant, org] {
        for lane in Lane::ALL {
            held.take(Signal::Logs, lane, &part(&batch, meta.clone()));
            held.take(Signal::Logs, lane, &part(&batch, meta.clone()));
        }
    }
    let made = held.emit(2);
    let tenants: Vec<&str> = made.iter().map(|made| made.meta.tenant.as_str()).collect();
    assert_eq!(tenants, ["", "", "t", "t", "", ""]);
    assert_eq!(made[4].meta.header("x-org"), Some("o"));
    let urgent: Vec<bool> = made.iter().map(|made| made.lane == Lane::Urgent).collect();
    assert_eq!(urgent, [true, false, true, false, true, false]);
    for made in made {
        let checked = Checked::check(Signal::Logs, made.bytes, &Limits::default()).unwrap();
        assert_eq!(checked.records(), 5);
    }
}

#[test]
fn excluded_fields_do_not_count_and_do_not_leave() {
    let stage = stage(json!({
        "exclude_fields": ["attributes.request\\.id", "attributes.src.ip", "body.timestamp"],
    }));
    let record = |id: &str, ip: &str, time: i64| {
        let string = |value: &str| json!({"stringValue": value});
        let body = json!([
            {"key": "timestamp", "value": {"intValue": time.to_string()}},
            {"key": "message", "value": string("m")},
        ]);
        let src = json!({"kvlistValue": {"values": [
            {"key": "ip", "value": string(ip)}, {"key": "port", "value": string("1")},
        ]}});
        json!({
            "body": {"kvlistValue": {"values": body}},
            "attributes": [{"key": "request.id", "value": string(id)}, {"key": "src", "value": src}],
        })
    };
    let mut held = stage.hold(&Tails::none());
    let batch = request(&[("a", vec![record("1", "x", 1), record("2", "y", 2)])]);
    held.take(Signal::Logs, Lane::Normal, &part(&batch, at(1)));
    let [only] = <[Json; 1]>::try_from(records(&leaving(&mut *held, 2)[0])).unwrap();
    assert_eq!(attribute(&only, "log_count").unwrap(), json!({"intValue": "2"}));
    assert_eq!(attribute(&only, "request.id"), None);
    let src = attribute(&only, "src").unwrap();
    assert_eq!(src["kvlistValue"]["values"].as_array().unwrap().len(), 1, "{src}");
    assert_eq!(only["body"]["kvlistValue"]["values"].as_array().unwrap().len(), 1);
}

#[test]
fn included_fields_alone_count_where_a_record_has_one() {
    let stage = stage(json!({"include_fields": ["attributes.id", "attributes.name"]}));
    let found = counts(
        &stage,
        vec![
            log("a", &[("id", "1"), ("noise", "1")]),
            log("b", &[("id", "1"), ("noise", "2")]),
            log("c", &[("name", "1")]),
            log("d", &[]),
            log("e", &[]),
            log("d", &[]),
        ],
    );
    assert_eq!(found, told(&[("a", 2), ("c", 1), ("d", 2), ("e", 1)]));
}

#[test]
fn conditions_let_everything_else_pass() {
    let stage = stage(json!({"conditions": [
        "attributes[\"ID\"] == 1", "resource.attributes[\"service.name\"] == \"b\"",
    ]}));
    let mut one = log("x", &[]);
    one["attributes"] = json!([{"key": "ID", "value": {"intValue": "1"}}]);
    let batch = request(&[("a", vec![log("x", &[]), one]), ("b", vec![log("x", &[])])]);
    let mut draft = Draft::from_checked(&checked(&batch), &Tails::none());
    stage.choose(&mut draft, &mut Scratch::default());
    let routes: Vec<u16> = draft.items().iter().map(|item| item.route).collect();
    assert_eq!(routes, [PASSES, HELD, HELD]);
}

#[test]
fn wrong_settings_are_named() {
    assert_eq!(problem(json!({"interval": "0s"})), "interval");
    assert_eq!(problem(json!({"timezone": "Nowhere/Land"})), "timezone");
    assert_eq!(problem(json!({"log_count_attribute": ""})), "log_count_attribute");
    assert_eq!(problem(json!({"exclude_fields": ["body"]})), "exclude_fields[0]");
    assert_eq!(problem(json!({"exclude_fields": ["severity.x"]})), "exclude_fields[0]");
    assert_eq!(problem(json!({"include_fields": ["body.x", "body.x"]})), "include_fields[1]");
    let both = json!({"include_fields": ["body.x"], "exclude_fields": ["body.y"]});
    assert_eq!(problem(both), "exclude_fields");
    assert_eq!(problem(json!({"conditions": ["nope("]})), "conditions[0]");
}

#[test]
fn what_is_held_takes_the_memory_that_it_says() {
    let mut held = stage(json!({})).hold(&Tails::none());
    assert_eq!(held.bytes(), 0);
    let batch = |body: String| request(&[("a", vec![log(&body, &[])])]);
    for number in 0..100 {
        held.take(Signal::Logs, Lane::Normal, &part(&batch(number.to_string()), at(1)));
    }
    let before = held.bytes();
    assert!(before > 100 * 40);
    for number in 0..100 {
        held.take(Signal::Logs, Lane::Normal, &part(&batch(number.to_string()), at(1)));
    }
    assert_eq!(held.bytes(), before, "equal records take nothing");
    held.emit(1);
    assert_eq!(held.bytes(), 0);
}

/// Service, body and attributes.
type Drawn = (u8, u8, Vec<(u8, u8)>);

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let attributes = proptest::collection::vec((0..3_u8, 0..2_u8), 0..3);
    proptest::collection::vec((0..2_u8, 0..3_u8, attributes), 0..40)
}

proptest! {
    /// Scenario: records of two services in any order, cut into parts anywhere.
    /// Promise: each different one leaves once, in the order in which the first came, the counts add
    /// up to what came, and how the parts were cut changes nothing.
    #[test]
    fn every_record_is_counted_once(drawn in drawn(), cut in 0..40_usize) {
        let mut model: BTreeMap<String, u64> = BTreeMap::new();
        let records_in: Vec<(String, Json)> = drawn
            .iter()
            .map(|(service, body, attributes)| {
                let attributes: BTreeMap<String, String> =
                    attributes.iter().map(|(k, v)| (format!("k{k}"), format!("v{v}"))).collect();
                let list: Vec<(&str, &str)> =
                    attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
                let (service, body) = (format!("s{service}"), format!("b{body}"));
                *model.entry(format!("{service} {body} {attributes:?}")).or_default() += 1;
                (service, log(&body, &list))
            })
            .collect();
        let stage = stage(json!({}));
        let emitted = |cut: usize| {
            let (left, right) = records_in.split_at(cut.min(records_in.len()));
            let mut held = stage.hold(&Tails::none());
            for piece in [left, right].into_iter().filter(|piece| !piece.is_empty()) {
                let groups: Vec<(&str, Vec<Json>)> = piece
                    .iter()
                    .map(|(service, record)| (service.as_str(), vec![record.clone()]))
                    .collect();
                held.take(Signal::Logs, Lane::Normal, &part(&request(&groups), at(1)));
            }
            leaving(&mut *held, 2)
        };
        let out = emitted(cut);
        prop_assert_eq!(&out, &emitted(0));
        let all: Vec<Json> = out.iter().flat_map(records).collect();
        prop_assert_eq!(all.len(), model.len());
        let count = |record: &Json| {
            let count = attribute(record, "log_count").unwrap();
            count["intValue"].as_str().unwrap().parse::<u64>().unwrap()
        };
        let mut found: Vec<u64> = all.iter().map(count).collect();
        let mut wanted: Vec<u64> = model.into_values().collect();
        prop_assert_eq!(found.iter().sum::<u64>(), drawn.len() as u64);
        found.sort_unstable();
        wanted.sort_unstable();
        prop_assert_eq!(found, wanted);
    }
}
