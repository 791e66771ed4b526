//! A small catalogue, and short ways to load a text with it.

use std::path::PathBuf;
use std::sync::Arc;

use bessemer_config::{
    Catalog, Context, Diagnostic, FixedEnvironment, Graph, Loaded, MemorySources, PipelineName,
    Reference, Request, Role, RowInfo, Settings, Signal, Source, Stability, load_request,
    load_text,
};
use bessemer_runtime::{ByteSize, Secret, Span};
use schemars::{JsonSchema, Schema, schema_for};
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Receiver {
    pub(crate) grpc: Option<Listener>,
    pub(crate) http: Option<Listener>,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listener {
    pub(crate) endpoint: Option<String>,
    pub(crate) max_recv_msg_size: Option<ByteSize>,
    #[serde(default)]
    pub(crate) include_metadata: bool,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exporter {
    pub(crate) client: Client,
    pub(crate) timeout: Option<Span>,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Client {
    pub(crate) endpoint: String,
    pub(crate) compression: Option<Compression>,
    pub(crate) token: Option<Secret>,
    pub(crate) headers: Option<std::collections::BTreeMap<String, String>>,
    pub(crate) auth: Option<Reference>,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Compression {
    Gzip,
    Zstd,
    None,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attributes {
    #[serde(default)]
    pub(crate) action: Vec<Action>,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the setting has the name of its block")]
pub(crate) struct Action {
    pub(crate) key: String,
    pub(crate) action: String,
    pub(crate) value: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Routing {
    pub(crate) from_attribute: String,
    #[serde(default)]
    pub(crate) default_pipelines: Vec<PipelineName>,
    #[serde(default)]
    pub(crate) table: Vec<Row>,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) value: String,
    pub(crate) pipelines: Vec<PipelineName>,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    #[serde(default)]
    pub(crate) send_batch_size: u32,
    pub(crate) timeout: Option<Span>,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Process {
    #[serde(default)]
    pub(crate) stage: Vec<Stage>,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    Json { field: String },
    Drop {},
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Basic {
    pub(crate) username: String,
    pub(crate) password: Secret,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Csv {
    pub(crate) output_dir: String,
    pub(crate) rotation: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Zabbix {
    pub(crate) zabbix_server: String,
    pub(crate) host: String,
}

pub(crate) struct Fake;

const KINDS: [(&str, Role, &[Signal]); 12] = [
    ("otelcol.receiver.otlp", Role::Receiver, &[]),
    ("otelcol.processor.batch", Role::Processor, &[]),
    ("otelcol.processor.attributes", Role::Processor, &[]),
    ("otelcol.processor.routing", Role::Processor, &[Signal::Logs]),
    ("otelcol.connector.spanmetrics", Role::Connector, &[]),
    ("otelcol.exporter.otlp", Role::Exporter, &[]),
    ("otelcol.auth.basic", Role::Extension, &[]),
    ("loki.process", Role::Processor, &[Signal::Logs]),
    ("loki.write", Role::Exporter, &[Signal::Logs]),
    ("bessemer.exporter.store", Role::Exporter, &[]),
    ("bessemer.exporter.csv", Role::Exporter, &[Signal::Logs]),
    ("bessemer.exporter.zabbix", Role::Exporter, &[Signal::Logs]),
];

impl Catalog for Fake {
    fn row(&self, kind: &str) -> Option<RowInfo> {
        let kind = match kind {
            "otelcol.exporter.otlp_grpc" => "otelcol.exporter.otlp",
            "otelcol.auth.basicauth" => "otelcol.auth.basic",
            _ => kind,
        };
        let (name, role, signals) = KINDS.iter().find(|(name, ..)| *name == kind)?;
        Some(RowInfo {
            name: (*name).to_owned(),
            aliases: Vec::new(),
            role: *role,
            signals: signals.to_vec(),
            stability: if kind.ends_with("zabbix") {
                Stability::Planned
            } else {
                Stability::Stable
            },
            schema: schema(kind),
        })
    }

    fn kinds(&self) -> Vec<String> {
        KINDS.iter().map(|(name, ..)| (*name).to_owned()).collect()
    }
}

fn schema(kind: &str) -> Schema {
    match kind {
        "otelcol.receiver.otlp" => schema_for!(Receiver),
        "otelcol.processor.batch" => schema_for!(Batch),
        "otelcol.processor.attributes" => schema_for!(Attributes),
        "otelcol.processor.routing" => schema_for!(Routing),
        "otelcol.exporter.otlp" => schema_for!(Exporter),
        "otelcol.auth.basic" => schema_for!(Basic),
        "loki.process" => schema_for!(Process),
        "bessemer.exporter.csv" => schema_for!(Csv),
        "bessemer.exporter.zabbix" => schema_for!(Zabbix),
        _ => Schema::default(),
    }
}

pub(crate) fn environment() -> FixedEnvironment {
    FixedEnvironment::default()
        .with("TOKEN", "hunter2")
        .with("PORT", "4317")
        .with("EVIL", "x\nexporters: {otlp/evil: {endpoint: \"${env:TOKEN}\"}}")
        .with(
            "CONFIG",
            "[{\"type\": \"csv\", \"name\": \"a\", \"config\": {\"output_dir\": \"/x\"}}]",
        )
}

pub(crate) fn load(text: &str) -> Result<Loaded, Vec<Diagnostic>> {
    load_as("test.alloy", text)
}

/// Loads a text in the dialect that its name selects.
pub(crate) fn load_as(name: &str, text: &str) -> Result<Loaded, Vec<Diagnostic>> {
    let (sources, environment) = (MemorySources::default(), environment());
    let context = Context { sources: &sources, environment: &environment, catalog: &Fake };
    let source: Arc<Source> = Source::new(name, text);
    load_text(&source, &context)
}

/// Loads files; the first is the configuration.
pub(crate) fn load_files(files: &[(&str, &str)]) -> Result<Loaded, Vec<Diagnostic>> {
    let first: Vec<&str> = files.first().map(|(name, _)| *name).into_iter().collect();
    load_arguments(&first, &[], files)
}

/// Loads what a command line names.
pub(crate) fn load_arguments(
    paths: &[&str],
    settings: &[&str],
    files: &[(&str, &str)],
) -> Result<Loaded, Vec<Diagnostic>> {
    let mut sources = MemorySources::default();
    for (name, text) in files {
        sources = sources.with(*name, *text);
    }
    let environment = environment();
    let context = Context { sources: &sources, environment: &environment, catalog: &Fake };
    let settings: Vec<String> = settings.iter().map(|text| (*text).to_owned()).collect();
    let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    load_request(&Request { paths: &paths, settings: &settings, dialect: None }, &context)
}

pub(crate) fn graph(text: &str) -> Graph {
    match load(text) {
        Ok(loaded) => loaded.graph,
        Err(findings) => panic!("{}", bessemer_config::render(&findings, false)),
    }
}

pub(crate) fn settings(text: &str, id: &str) -> Settings {
    graph(text).node(id).unwrap_or_else(|| panic!("no {id}")).settings.clone()
}

/// The findings as `line:column severity code message` lines.
pub(crate) fn findings(text: &str) -> Vec<String> {
    let found = match load(text) {
        Ok(loaded) => loaded.warnings,
        Err(found) => found,
    };
    let line = |finding: &Diagnostic| {
        finding.to_string().strip_prefix("test.alloy:").unwrap_or_default().to_owned()
    };
    found.iter().map(line).collect()
}
