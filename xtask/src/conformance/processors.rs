//! Processors and the routing connector: a configuration, a batch in, a batch out.
//!
//! Components are made through their rows in the catalogue, from the settings of the case under the
//! names they have in a Collector configuration, and run over the batch as the engine runs them.

use std::path::Path;

use anyhow::{Context as _, Result};
use bessemer_config::value::{Field, Form, Object};
use bessemer_config::{Data, Number, Value};
use bessemer_pipeline::catalog::BuildError;
use bessemer_pipeline::{Built, Context, Scratch};
use bessemer_record::{Checked, Draft, Limits};
use serde_json::Value as Json;

use super::batches::{comparable, difference, read, signal};
use super::{Tally, rows};

const COMPONENTS: [&str; 5] = ["attributes", "filter", "resource", "redaction", "transform"];

pub(super) fn run(folder: &Path) -> Result<Vec<Tally>> {
    let mut tallies = Vec::new();
    for component in COMPONENTS {
        let file = format!("processor_{component}.jsonl");
        let mut tally = Tally::new(&format!("ottl/{file}"));
        for row in rows(&folder.join(&file))? {
            let id = row.get("id").and_then(Json::as_str).unwrap_or_default().to_owned();
            let problem = case(component, &row).unwrap_or_else(|error| Some(format!("{error:#}")));
            tally.count(&id, problem);
        }
        tallies.push(tally);
    }
    let mut tally = Tally::new("ottl/connector_routing.jsonl");
    for row in rows(&folder.join("connector_routing.jsonl"))? {
        let id = row.get("id").and_then(Json::as_str).unwrap_or_default().to_owned();
        tally.count(&id, routed(&row).unwrap_or_else(|error| Some(format!("{error:#}"))));
    }
    tallies.push(tally);
    Ok(tallies)
}

/// What is wrong with where the routing connector sends the records of a case.
fn routed(row: &Json) -> Result<Option<String>> {
    let signal = signal(row)?;
    let context = Context::detached();
    let settings = settings(row.get("config").unwrap_or(&Json::Null));
    let route = match build("otelcol.connector.routing", &settings, &context)? {
        Ok(Built::Route(route)) => route,
        Ok(other) => return Ok(Some(format!("{other:?} is no router"))),
        Err(reason) => return Ok(Some(reason)),
    };
    let batch = read(signal, row.get("input").context("no input")?)?;
    let mut draft = Draft::from_checked(&batch, &bessemer_record::Tails::none());
    let mut scratch = Scratch { headers: headers(row), ..Scratch::default() };
    route.run(&mut draft, &mut scratch);
    if let Some(reason) = scratch.refusal {
        return Ok(Some(reason));
    }
    let expected = row.get("expect").and_then(Json::as_object).context("no expectation")?;
    for (name, expected) in expected {
        let pipeline = format!("{signal}/{name}");
        let is_sent = |item: &bessemer_record::Item| {
            let targets = route.targets().get(usize::from(item.route));
            targets.is_some_and(|target| target.contains(&pipeline)) && !item.is_dropped()
        };
        let emitted = draft.fork().emit(|item| if is_sent(item) { 0 } else { u16::MAX }, 1);
        let found = emitted.into_iter().next();
        let found = found.map(|one| Checked::check(signal, one.bytes, &Limits::default()));
        let expected = (!expected.is_null()).then(|| read(signal, expected)).transpose()?;
        let found = comparable(found.transpose()?.as_ref())?;
        if let Some(problem) = difference(&found, &comparable(expected.as_ref())?) {
            return Ok(Some(format!("{pipeline}: {problem}")));
        }
    }
    Ok(None)
}

/// The headers of the request of a case, over either protocol.
fn headers(row: &Json) -> Vec<(String, String)> {
    let protocols = ["grpc", "http"]
        .into_iter()
        .filter_map(|name| row.get("request_metadata")?.get(name)?.as_object());
    let mut headers = Vec::new();
    for (name, values) in protocols.flatten() {
        let texts = values.as_array().into_iter().flatten().filter_map(Json::as_str);
        headers.extend(texts.map(|text| (name.to_ascii_lowercase(), text.to_owned())));
    }
    headers
}

/// What is wrong with the outcome of a case.
fn case(component: &str, row: &Json) -> Result<Option<String>> {
    let verdict = row.get("expect").and_then(Json::as_str).unwrap_or_default();
    let found = match processed(component, row)? {
        Ok(found) => found,
        Err(_) if verdict == "error" => return Ok(None),
        Err(reason) => return Ok(Some(reason)),
    };
    let expected = match verdict {
        "ok" => Some(read(signal(row)?, row.get("expected").context("no expected batch")?)?),
        "all_dropped" => None,
        other => return Ok(Some(format!("expected {other:?}, got a batch"))),
    };
    Ok(difference(&comparable(found.as_ref())?, &comparable(expected.as_ref())?))
}

/// What a component makes of the batch of a case, or why it does not run.
fn processed(component: &str, row: &Json) -> Result<std::result::Result<Option<Checked>, String>> {
    let signal = signal(row)?;
    let batch = read(signal, row.get("input").context("no input")?)?;
    let context = Context::detached();
    let settings = settings(row.get("config").unwrap_or(&Json::Null));
    let step = match build(&format!("otelcol.processor.{component}"), &settings, &context)? {
        Ok(Built::Step(step)) => step,
        Ok(other) => return Ok(Err(format!("{other:?} is no step"))),
        Err(reason) => return Ok(Err(reason)),
    };
    let tails = std::mem::take(&mut *context.tails.lock()).build();
    let mut draft = Draft::from_checked(&batch, &tails);
    let mut scratch = Scratch::default();
    step.run(&mut draft, &mut scratch);
    if let Some(reason) = scratch.refusal {
        return Ok(Err(reason));
    }
    let emitted = draft.emit(|item| if item.is_dropped() { u16::MAX } else { 0 }, 1);
    let Some(output) = emitted.into_iter().next() else { return Ok(Ok(None)) };
    Ok(Ok(Some(Checked::check(signal, output.bytes, &Limits::default())?)))
}

/// Makes a component by its row.
fn build(
    name: &str,
    settings: &Value,
    context: &Context,
) -> Result<std::result::Result<Built, String>> {
    let mut rows = bessemer_processors::CATALOG.iter();
    let row = rows.find(|row| row.name == name).with_context(|| format!("no component {name}"))?;
    Ok((row.build)(settings, &context.of(name)).map_err(|error| match error {
        BuildError::Value(error) => error.to_string(),
        BuildError::Shape(findings) => {
            let messages = findings.iter().map(|finding| finding.message.clone());
            messages.collect::<Vec<_>>().join("; ")
        }
    }))
}

/// Lists that have the name of one of their blocks here.
const BLOCKS: [(&str, &str); 4] = [
    ("actions", "action"),
    ("attributes", "attribute"),
    ("resources", "resource"),
    ("libraries", "library"),
];

/// The settings of a case under the names they have here.
fn settings(config: &Json) -> Value {
    // The actions of the resource processor are its `attributes` in both.
    let is_resource = config.get("attributes").is_some();
    let data = match config {
        Json::Null => Data::Null,
        Json::Bool(truth) => Data::Bool(*truth),
        Json::Number(number) => Data::Number(match number.as_i64() {
            Some(number) => Number::Int(number),
            None => Number::Float(number.as_f64().unwrap_or_default()),
        }),
        Json::String(text) => Data::String(text.clone()),
        Json::Array(items) => Data::Array(items.iter().map(settings).collect()),
        Json::Object(object) => {
            let is_match = object.contains_key("match_type");
            let field = |(name, value): (&String, &Json)| {
                let block = BLOCKS.iter().find(|(list, _)| list == name);
                let renamed = block.filter(|_| is_match || !is_resource || name == "actions");
                let name = renamed.map_or(name.as_str(), |(_, block)| block).to_owned();
                Field {
                    name,
                    name_at: bessemer_config::Location::default(),
                    value: settings(value),
                }
            };
            Data::Object(Object { fields: object.iter().map(field).collect(), form: Form::Literal })
        }
    };
    Value { data, ..Value::default() }
}
