//! What came out, beside what was expected.

use bessemer_config::nearest::nearest;
use bessemer_pipeline::Plan;
use bessemer_pipeline::program::Output;
use bessemer_record::json::to_otlp_json;
use bessemer_record::{Checked, Limits};
use serde_json::{Map, Value as Json};

use super::case::{Case, Expect};

/// The attribute that holds the class of a record.
const CLASS: &str = "attributes.ai.classification";

/// Everything that is not as the test expects it.
pub(super) fn problems(plan: &Plan, case: &Case, outputs: &[Output]) -> Vec<String> {
    if case.expect.is_empty() {
        return vec!["nothing is expected; write an expect block".to_owned()];
    }
    case.expect.iter().flat_map(|expect| of_one(plan, expect, outputs)).collect()
}

fn of_one(plan: &Plan, expect: &Expect, all: &[Output]) -> Vec<String> {
    let place = expect.destination.as_deref().unwrap_or("altogether");
    let sink = match &expect.destination {
        None => None,
        Some(id) => match plan.sinks.iter().position(|sink| sink == id) {
            Some(sink) => Some(sink),
            None => return vec![unknown(plan, id)],
        },
    };
    let is_meant = |output: &&Output| sink.is_none_or(|sink| sinks(output).any(|one| one == sink));
    let outputs = all.iter().filter(is_meant);
    let records: Vec<Seen> = outputs.flat_map(seen).collect();
    let mut problems = Vec::new();
    let is_count_right = match expect.count {
        Some(count) => records.len() == count,
        None => !records.is_empty(),
    };
    if !is_count_right {
        let wanted = expect.count.map_or("records".to_owned(), |count| format!("{count} records"));
        let elsewhere = whereabouts(plan, all);
        problems.push(format!("{place}: expected {wanted}, got {}; {elsewhere}", records.len()));
    }
    let class = expect.class.as_ref().map(|class| (CLASS, Json::String(class.clone())));
    let fields = expect.fields.iter().map(|(path, value)| (path.as_str(), value.clone()));
    for (path, wanted) in class.into_iter().chain(fields) {
        for record in &records {
            let found = record.field(path);
            if !is_equal(&found, &wanted) {
                problems.push(format!("{place}: expected {path} to be {wanted}, got {found}"));
            }
        }
    }
    problems
}

fn unknown(plan: &Plan, id: &str) -> String {
    let hint = nearest(id, plan.sinks.iter().map(String::as_str));
    let hint = hint.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
    format!("there is no exporter {id}{hint}")
}

fn sinks(output: &Output) -> impl Iterator<Item = usize> + use<> {
    output.routes.iter().map(|sink| usize::from(sink.0))
}

/// Where the records went.
fn whereabouts(plan: &Plan, outputs: &[Output]) -> String {
    let reached = |output: &Output| {
        let names: Vec<&str> =
            sinks(output).filter_map(|sink| plan.sinks.get(sink)).map(String::as_str).collect();
        format!("{} went to {}", output.records, names.join(", "))
    };
    if outputs.is_empty() {
        return "nothing left".to_owned();
    }
    outputs.iter().map(reached).collect::<Vec<_>>().join(", ")
}

/// A record that left: a log record, a span or a data point, and what stands around it.
struct Seen {
    record: Json,
    metric: Json,
    resource: Json,
    scope: Json,
}

fn seen(output: &Output) -> Vec<Seen> {
    let checked = Checked::check(output.signal, output.payload.clone(), &Limits::default());
    let Ok(checked) = checked else { return Vec::new() };
    let request: Json = serde_json::from_slice(&to_otlp_json(&checked)).unwrap_or_default();
    let mut found = Vec::new();
    for resource in children(&request, &["resourceLogs", "resourceMetrics", "resourceSpans"]) {
        for scope in children(resource, &["scopeLogs", "scopeMetrics", "scopeSpans"]) {
            for item in children(scope, &["logRecords", "metrics", "spans"]) {
                let part =
                    |holder: &Json, name: &str| holder.get(name).cloned().unwrap_or_default();
                let seen = |record: &Json, metric: &Json| Seen {
                    record: record.clone(),
                    metric: metric.clone(),
                    resource: part(resource, "resource"),
                    scope: part(scope, "scope"),
                };
                match points(item) {
                    Some(points) => found.extend(points.iter().map(|point| seen(point, item))),
                    None => found.push(seen(item, &Json::Null)),
                }
            }
        }
    }
    found
}

fn children<'j>(holder: &'j Json, names: &[&str]) -> &'j [Json] {
    let list = names.iter().find_map(|name| holder.get(*name)?.as_array());
    list.map_or(&[], Vec::as_slice)
}

/// The data points of a metric.
fn points(metric: &Json) -> Option<&Vec<Json>> {
    const KINDS: [&str; 5] = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"];
    KINDS.iter().find_map(|kind| metric.get(*kind)?.get("dataPoints")?.as_array())
}

impl Seen {
    /// What stands under a path; null if nothing does.
    fn field(&self, path: &str) -> Json {
        let attribute = |holder: &Json, key: &str| {
            let list = children(holder, &["attributes"]);
            let pair = list.iter().find(|pair| pair.get("key").and_then(Json::as_str) == Some(key));
            pair.and_then(|pair| pair.get("value")).map(plain).unwrap_or_default()
        };
        if let Some((holder, key)) = path.split_once('.') {
            return match holder {
                "attributes" => attribute(&self.record, key),
                "resource" => attribute(&self.resource, key),
                "scope" => attribute(&self.scope, key),
                _ => Json::Null,
            };
        }
        let name = match path {
            "severity_text" => "severityText",
            "severity_number" => "severityNumber",
            "event_name" => "eventName",
            other => other,
        };
        let found = self.record.get(name).or_else(|| self.metric.get(name));
        if path == "body" {
            found.map(plain).unwrap_or_default()
        } else {
            found.cloned().unwrap_or_default()
        }
    }
}

/// A value of OTLP JSON as plain JSON.
fn plain(value: &Json) -> Json {
    let Some((kind, inner)) = value.as_object().and_then(|fields| fields.iter().next()) else {
        return Json::Null;
    };
    match kind.as_str() {
        "intValue" => {
            let number = inner.as_str().and_then(|text| text.parse::<i64>().ok());
            number.map_or_else(|| inner.clone(), Json::from)
        }
        "arrayValue" => children(inner, &["values"]).iter().map(plain).collect(),
        "kvlistValue" => {
            let mut object = Map::new();
            for pair in children(inner, &["values"]) {
                let key = pair.get("key").and_then(Json::as_str).unwrap_or_default();
                object.insert(key.to_owned(), pair.get("value").map(plain).unwrap_or_default());
            }
            Json::Object(object)
        }
        _ => inner.clone(),
    }
}

/// Equal, where numbers are compared by value.
fn is_equal(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => {
            left == right || left.as_f64() == right.as_f64()
        }
        _ => left == right,
    }
}
