//! `service.pipelines`: which components follow which, for which signal.

use bessemer_record::Signal;

use super::Reader;
use super::components::Components;
use super::names::Section;
use crate::catalog;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Location;
use crate::value::{Data, Field, Value};

/// Pipelines that a document may have.
const PIPELINES_MAX: usize = 10_000;

/// Where a sender may be defined; processors are an extension of ours.
const SENDERS: &[Section] = &[Section::Receivers, Section::Connectors, Section::Processors];
const STEPS: &[Section] = &[Section::Processors];
const TAKERS: &[Section] = &[Section::Exporters, Section::Connectors, Section::Processors];

/// One pipeline.
pub(super) struct Pipeline {
    pub(super) signal: Signal,
    /// As it is written: `traces/backup`.
    pub(super) key: String,
    /// What stands behind the slash.
    pub(super) name: String,
    pub(super) at: Location,
    pub(super) receivers: Vec<Use>,
    pub(super) processors: Vec<Use>,
    pub(super) exporters: Vec<Use>,
}

/// A component that a pipeline names.
pub(super) struct Use {
    pub(super) target: Target,
    pub(super) at: Location,
}

/// What a name in a pipeline means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// A component of this document, by its number.
    Own(usize),
    /// The id of a component that another text declares.
    Foreign(String),
}

/// Reads the pipelines; what is wrong is reported.
pub(super) fn read(
    reader: &mut Reader<'_>,
    value: &Value,
    components: &Components,
) -> Vec<Pipeline> {
    let Some(object) = value.as_object() else {
        if value.data != Data::Null {
            reader.report(Code::WrongValue, &value.at, "\"pipelines\" should be a map");
        }
        return Vec::new();
    };
    if object.fields.len() > PIPELINES_MAX {
        let message = format!("more than {PIPELINES_MAX} pipelines");
        reader.report(Code::Limit, &value.at, message);
        return Vec::new();
    }
    object.fields.iter().filter_map(|field| pipeline(reader, field, components)).collect()
}

fn pipeline(reader: &mut Reader<'_>, field: &Field, components: &Components) -> Option<Pipeline> {
    let (signal, name) = field.name.split_once('/').unwrap_or((field.name.as_str(), ""));
    let Some(signal) = Signal::ALL.into_iter().find(|known| known.as_str() == signal) else {
        let message = format!("pipeline \"{}\" is of no known signal", field.name);
        let names = Signal::ALL.iter().map(|signal| signal.as_str());
        let finding = Diagnostic::error(Code::UnknownSetting, &field.name_at, message)
            .with_help("write logs, metrics or traces, or one of them, a slash and a name")
            .with_nearest(signal, names);
        reader.diagnostics.push(finding);
        return None;
    };
    let mut pipeline = Pipeline {
        signal,
        key: field.name.clone(),
        name: name.to_owned(),
        at: field.name_at.clone(),
        receivers: Vec::new(),
        processors: Vec::new(),
        exporters: Vec::new(),
    };
    let Some(parts) = field.value.as_object() else {
        let message = format!("pipeline \"{}\" should be a map", field.name);
        reader.report(Code::WrongValue, &field.value.at, message);
        return None;
    };
    for part in &parts.fields {
        let (list, sections, noun) = match part.name.as_str() {
            "receivers" => (&mut pipeline.receivers, SENDERS, "receiver or connector"),
            "processors" => (&mut pipeline.processors, STEPS, "processor"),
            "exporters" => (&mut pipeline.exporters, TAKERS, "exporter or connector"),
            _ => {
                let message = format!("a pipeline has no \"{}\"", part.name);
                let names = ["receivers", "processors", "exporters"];
                let finding = Diagnostic::error(Code::UnknownSetting, &part.name_at, message)
                    .with_nearest(&part.name, names);
                reader.diagnostics.push(finding);
                continue;
            }
        };
        *list = uses(reader, &part.value, components, sections, noun);
    }
    Some(pipeline)
}

/// The id of a component of another text: `kind/label` or `kind.label`.
fn foreign(reader: &Reader<'_>, name: &str) -> String {
    let parts = name.split_once('/').or_else(|| name.rsplit_once('.'));
    let (kind, label) = parts.unwrap_or((name, ""));
    match catalog::row(reader.context.catalog, kind) {
        Some(row) => format!("{}.{label}", row.name),
        None => format!("{kind}.{label}"),
    }
}

fn uses(
    reader: &mut Reader<'_>,
    value: &Value,
    components: &Components,
    sections: &[Section],
    noun: &str,
) -> Vec<Use> {
    let items = match &value.data {
        Data::Array(items) => items.as_slice(),
        Data::Null => &[],
        // One name where a list is wanted.
        _ => std::slice::from_ref(value),
    };
    let mut uses: Vec<Use> = Vec::new();
    for item in items {
        let Some(name) = item.as_str() else {
            let message = format!("should be the name of a {noun}, got {}", item.kind());
            reader.report(Code::WrongValue, &item.at, message);
            continue;
        };
        let target = match components.find(sections, name) {
            Some(index) => Target::Own(index),
            None if name.split('/').next().is_some_and(|kind| kind.contains('.')) => {
                Target::Foreign(foreign(reader, name))
            }
            None => {
                let message = format!("{noun} \"{name}\" does not exist");
                let finding = Diagnostic::error(Code::Dangling, &item.at, message)
                    .with_nearest(name, components.names(sections));
                reader.diagnostics.push(finding);
                continue;
            }
        };
        if uses.iter().any(|known| known.target == target) {
            reader.report(Code::Duplicate, &item.at, format!("\"{name}\" is named twice"));
            continue;
        }
        uses.push(Use { target, at: item.at.clone() });
    }
    uses
}
