//! JSON: a list of integrations, or a Collector file written in JSON.
//!
//! A list, as `INTEGRATIONS_CONFIG` holds it, has one object for each destination: `type`, `name`,
//! `enabled` and `config`. Those that are enabled become exporters, and one pipeline named
//! `integrations` that leads to all of them, so that other texts can send to it.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not named is treated alike, whatever it is"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use bessemer_record::Signal;

use crate::catalog::{self, Catalog, PIPELINE, RowInfo};
use crate::collector;
use crate::diagnostic::{Code, Diagnostic};
use crate::dialect::{Context, Dialect, Read};
use crate::graph::{Edge, Graph, Node};
use crate::source::{Location, Source};
use crate::substitute::substitute;
use crate::value::{Data, Object, Value};
use crate::yaml;

mod print;

/// The label of the pipeline that leads to every integration.
const ALL: &str = "integrations";
/// Integrations that a list may have.
const INTEGRATIONS_MAX: usize = 250;
/// The kinds that integrations have.
const KINDS: [(&str, &str); 6] = [
    ("local_api", "bessemer.exporter.local_api"),
    ("zabbix", "bessemer.exporter.zabbix"),
    ("elk", "bessemer.exporter.elk"),
    ("csv", "bessemer.exporter.csv"),
    ("json", "bessemer.exporter.json"),
    ("webhook", "bessemer.exporter.webhook"),
];
const FIELDS: [&str; 4] = ["type", "name", "enabled", "config"];

/// The dialect.
#[derive(Debug, Clone, Copy, Default)]
pub struct Integrations;

impl Dialect for Integrations {
    fn name(&self) -> &'static str {
        "json"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["json"]
    }

    fn read(&self, texts: &[Arc<Source>], context: &Context<'_>) -> Read {
        let mut reader = Reader { context, read: Read::default(), names: BTreeMap::new() };
        let mut document = Value::new(Data::Object(Object::default()), Location::nowhere());
        for source in texts {
            let Some(mut tree) = reader.parse(source) else { continue };
            reader.read.diagnostics.extend(substitute(&mut tree, context));
            match tree.data {
                Data::Array(items) => items.into_iter().for_each(|item| reader.integration(item)),
                Data::Object(ref object) if object.get("type").is_some() => {
                    reader.integration(tree);
                }
                Data::Object(_) => collector::merge(&mut document, tree),
                _ => reader.report(
                    Code::WrongValue,
                    &tree.at,
                    format!("a list of integrations is wanted, got a {}", tree.kind()),
                ),
            }
        }
        reader.pipeline();
        let mut read = reader.read;
        let rest = collector::read(document, std::mem::take(&mut read.diagnostics), context);
        read.graph.merge(rest.graph);
        read.diagnostics = rest.diagnostics;
        read.incomplete.extend(rest.incomplete);
        read
    }

    fn print(&self, graph: &Graph, catalog: &dyn Catalog) -> String {
        let list = print::list(graph);
        print::text(&list.unwrap_or_else(|| collector::tree(graph, catalog)))
    }
}

struct Reader<'a> {
    context: &'a Context<'a>,
    read: Read,
    /// Where the enabled integration of a name stands.
    names: BTreeMap<String, Location>,
}

impl Reader<'_> {
    fn report(&mut self, code: Code, at: &Location, message: impl Into<String>) {
        self.read.diagnostics.push(Diagnostic::error(code, at, message));
    }

    /// The tree of a text, which must be JSON and not only YAML.
    fn parse(&mut self, source: &Arc<Source>) -> Option<Value> {
        let is_json: Result<serde::de::IgnoredAny, _> = serde_json::from_str(source.text());
        if let Err(error) = is_json {
            let start = source.line_start(error.line().max(1));
            let at = (start + error.column().saturating_sub(1)).min(source.text().len());
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default().to_owned();
            self.report(Code::Syntax, &Location::new(source, at..at), message);
            return None;
        }
        let (tree, findings) = yaml::parse(source);
        self.read.diagnostics.extend(findings);
        tree
    }

    fn integration(&mut self, entry: Value) {
        let at = entry.at.clone();
        let Data::Object(mut entry) = entry.data else {
            let message = format!("an integration is an object, got {}", entry.kind());
            return self.report(Code::WrongValue, &at, message);
        };
        for field in &entry.fields {
            if !FIELDS.contains(&field.name.as_str()) {
                let message = format!("an integration has no \"{}\"", field.name);
                let finding = Diagnostic::error(Code::UnknownSetting, &field.name_at, message)
                    .with_nearest(&field.name, FIELDS);
                self.read.diagnostics.push(finding);
            }
        }
        let Some((kind, kind_at)) = self.text(&entry, "type", &at) else { return };
        let Some((name, name_at)) = self.text(&entry, "name", &at) else { return };
        match entry.get("enabled").map(|value| &value.data) {
            None | Some(Data::Bool(true)) => {}
            Some(Data::Bool(false)) => return,
            Some(_) => {
                return self.report(Code::WrongValue, &at, "\"enabled\" should be true or false");
            }
        }
        let Some((_, row)) = self.kind(&kind, &kind_at) else { return };
        if let Some(first) = self.names.insert(name.clone(), name_at.clone()) {
            let message = format!("two enabled integrations are named \"{name}\"");
            let finding = Diagnostic::error(Code::Duplicate, &name_at, message)
                .with_help(format!("the first is at {first}; rename or disable one"));
            return self.read.diagnostics.push(finding);
        }
        if self.names.len() > INTEGRATIONS_MAX {
            let message = format!("more than {INTEGRATIONS_MAX} integrations");
            return self.report(Code::Limit, &at, message);
        }
        let config = entry.remove("config").map_or_else(Value::default, |field| field.value);
        let mut settings = collector::settings(config, &row, &mut self.read.diagnostics);
        settings.at = at;
        let label = collector::label_of(&name);
        self.read.graph.nodes.push(Node::new(&row.name, &label, settings, name_at));
    }

    fn text(&mut self, entry: &Object, name: &str, at: &Location) -> Option<(String, Location)> {
        match entry.get(name) {
            Some(Value { data: Data::String(text), at, .. }) if !text.is_empty() => {
                Some((text.clone(), at.clone()))
            }
            Some(value) => {
                let message = format!("\"{name}\" should be a name, got {}", value.kind());
                self.report(Code::WrongValue, &value.at, message);
                None
            }
            None => {
                self.report(Code::Missing, at, format!("an integration needs \"{name}\""));
                None
            }
        }
    }

    fn kind(&mut self, name: &str, at: &Location) -> Option<(&'static str, RowInfo)> {
        let known = KINDS.iter().find(|(known, _)| *known == name);
        let row = known.and_then(|(_, kind)| catalog::row(self.context.catalog, kind));
        if let (Some((_, kind)), Some(row)) = (known, row) {
            return Some((kind, row));
        }
        let message = format!("unknown type of integration \"{name}\"");
        let finding = Diagnostic::error(Code::UnknownComponent, at, message)
            .with_nearest(name, KINDS.iter().map(|(known, _)| *known));
        self.read.diagnostics.push(finding);
        None
    }

    /// The pipeline that leads to every integration.
    fn pipeline(&mut self) {
        let graph = &mut self.read.graph;
        let Some(first) = graph.nodes.first() else { return };
        let at = first.at.clone();
        let pipeline = Node::new(PIPELINE, ALL, Value::block(at.clone()), at);
        for node in &graph.nodes {
            let edge = |signal| Edge {
                from: pipeline.id.clone(),
                signal,
                to: node.id.clone(),
                at: node.at.clone(),
            };
            graph.edges.extend(Signal::ALL.map(edge));
        }
        graph.nodes.push(pipeline);
    }
}
