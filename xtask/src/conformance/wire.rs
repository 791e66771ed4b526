//! Encodings that other exporters were seen to send: a configuration, records, and the wire object.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use bessemer_config::{Settings, Source, read_document};
use bessemer_exporters::PLANNERS;
use bessemer_exporters::http::Plan;
use bessemer_pipeline::{Context, Delivery, Meta, Part, RecordId};
use bytes::Buf as _;
use serde_json::{Value as Json, json};

use super::{Tally, batches, rows};

/// How the cases of one component are read.
struct Subject {
    file: &'static str,
    component: &'static str,
    /// What its configuration lacks: where to send, and credentials.
    settings: fn(&Json) -> Json,
    /// The wire objects of a request body.
    wire: fn(&[u8]) -> Result<Vec<Json>>,
}

const SUBJECTS: [Subject; 2] = [
    Subject {
        file: "splunkhec",
        component: "otelcol.exporter.splunkhec",
        settings: splunkhec,
        wire: concatenated,
    },
    Subject {
        file: "elasticsearch",
        component: "otelcol.exporter.elasticsearch",
        settings: elasticsearch,
        wire: documents,
    },
];

/// Files of components that come later.
const LATER: [&str; 3] = ["awscloudwatchlogs", "azuremonitor", "kafka"];

pub(super) fn run(folder: &Path) -> Result<Vec<Tally>> {
    let mut tallies = Vec::new();
    for subject in &SUBJECTS {
        let mut tally = Tally::new(&format!("wire/{}", subject.file));
        for row in rows(&folder.join(format!("{}.jsonl", subject.file)))? {
            let id = row.get("id").and_then(Json::as_str).unwrap_or_default();
            let problem = judged(subject, &row).unwrap_or_else(|error| Some(format!("{error:#}")));
            tally.count(id, problem);
        }
        tallies.push(tally);
    }
    for file in LATER {
        let mut tally = Tally::new(&format!("wire/{file}"));
        rows(&folder.join(format!("{file}.jsonl")))?.iter().for_each(|_| tally.skip());
        tallies.push(tally);
    }
    tallies.retain(|tally| tally.total() + tally.skipped > 0);
    Ok(tallies)
}

/// What is wrong with what we send for a case.
fn judged(subject: &Subject, row: &Json) -> Result<Option<String>> {
    let (config, input) = (row.get("config"), row.get("input"));
    let settings = settings(&(subject.settings)(config.unwrap_or(&Json::Null)))?;
    let planner = PLANNERS.iter().find(|(name, _)| *name == subject.component);
    let (_, planner) = planner.context("no such exporter")?;
    let exporter = planner(&settings, &Context::detached())
        .map_err(|error| anyhow!("the configuration is refused: {error:?}"))?;
    let signal = batches::signal(row)?;
    let mut input = input.cloned().unwrap_or_default();
    add_schemas(&mut input, config.unwrap_or(&Json::Null));
    let batch = batches::read(signal, &input)?;
    let part = Part {
        first: RecordId { incarnation: 1, number: 1 },
        records: batch.records(),
        meta: Arc::new(Meta::default()),
        payload: batch.into_bytes(),
    };
    let plan = exporter.plan(&Delivery { signal, parts: vec![part], encoded: None });
    let wire = row.get("wire").unwrap_or(&Json::Null);
    if row.get("error").is_some_and(|error| !error.is_null()) {
        let is_refused = plan.calls.is_empty() && !plan.verdicts.is_empty();
        return Ok((!is_refused).then(|| "is sent, and should be refused".to_owned()));
    }
    compared(&sent(subject, plan)?, wire)
}

fn settings(config: &Json) -> Result<Settings> {
    read_document(&Source::new("case.json", config.to_string()))
        .map_err(|findings| anyhow!("the configuration is no JSON: {findings:?}"))
}

fn sent(subject: &Subject, plan: Plan) -> Result<Json> {
    let mut all = Vec::new();
    for mut call in plan.calls {
        let length = call.request.body.len();
        all.extend((subject.wire)(&call.request.body.copy_to_bytes(length))?);
    }
    Ok(Json::Array(all))
}

/// One object stands for a list of one; nothing sent is an empty list, text or null.
fn compared(found: &Json, expected: &Json) -> Result<Option<String>> {
    let expected = if let Json::String(text) = expected {
        let text = if text.is_empty() { "[]" } else { text };
        serde_json::from_str(text)?
    } else {
        expected.clone()
    };
    let expected = match expected {
        Json::Null => json!([]),
        Json::Array(_) => expected,
        Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_) => json!([expected]),
    };
    Ok(batches::difference(&plain(found), &plain(&expected)))
}

/// With numbers as floating point: 2 and 2.0 are one number in JSON.
fn plain(json: &Json) -> Json {
    match json {
        Json::Number(number) => number.as_f64().map_or(Json::Null, Json::from),
        Json::Array(items) => items.iter().map(plain).collect(),
        Json::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), plain(value))).collect()
        }
        Json::Null | Json::Bool(_) | Json::String(_) => json.clone(),
    }
}

fn with(config: &Json, more: Json) -> Json {
    let mut all = config.as_object().cloned().unwrap_or_default();
    if let Json::Object(more) = more {
        all.extend(more);
    }
    Json::Object(all)
}

fn splunkhec(config: &Json) -> Json {
    with(config, json!({ "endpoint": "http://127.0.0.1:1", "token": "t" }))
}

fn concatenated(body: &[u8]) -> Result<Vec<Json>> {
    let objects = serde_json::Deserializer::from_slice(body).into_iter();
    Ok(objects.collect::<Result<_, _>>()?)
}

fn elasticsearch(config: &Json) -> Json {
    let mut mapping = json!({ "dedot": config.get("dedot").is_none_or(|dedot| dedot == true) });
    if let (Some(mode), Some(mapping)) = (config.get("mapping_mode"), mapping.as_object_mut()) {
        mapping.insert("mode".to_owned(), mode.clone());
    }
    json!({ "client": { "endpoint": "http://127.0.0.1:1" }, "mapping": mapping })
}

/// The first document of a bulk request: the cases know no events of spans, which are others.
fn documents(body: &[u8]) -> Result<Vec<Json>> {
    let line = body.split(|byte| *byte == b'\n').nth(1).context("no document")?;
    Ok(vec![serde_json::from_slice(line)?])
}

/// Puts the schemas of a case's configuration where OTLP has them.
fn add_schemas(input: &mut Json, config: &Json) {
    let schema = |name: &str| config.get(name).and_then(Json::as_str).map(Json::from);
    let (resource, scope) = (schema("resource_schema_url"), schema("scope_schema_url"));
    let Some(groups) = input.as_object_mut() else { return };
    let groups = groups.values_mut().filter_map(Json::as_array_mut).flatten();
    for group in groups.filter_map(Json::as_object_mut) {
        let lists = group.iter_mut().filter(|(name, _)| name.starts_with("scope"));
        let scopes = lists.filter_map(|(_, list)| list.as_array_mut()).flatten();
        for one in scopes.filter_map(Json::as_object_mut) {
            one.extend(scope.iter().map(|url| ("schemaUrl".to_owned(), url.clone())));
        }
        group.extend(resource.iter().map(|url| ("schemaUrl".to_owned(), url.clone())));
    }
}
