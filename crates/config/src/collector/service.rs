//! What `service` says beside pipelines, extensions that are no components, and settings of the
//! process.

use bessemer_runtime::Span;

use super::Reader;
use super::components::Components;
use super::names::Section;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::Setting;
use crate::source::Location;
use crate::value::{Data, Field, Form, Object, Value};

/// The section for settings of the process, as blocks in Alloy syntax.
pub(super) const OPTIONS: &str = "bessemer";

const PARTS: [&str; 3] = ["extensions", "pipelines", "telemetry"];

/// Extensions that this process needs no component for: type, its settings, what stands for it.
const BUILT_IN: [(&str, &[&str], &str); 5] = [
    (
        "health_check",
        &["endpoint", "path", "tls", "check_collector_pipeline", "response_body", "auth"],
        "the admin port answers /health, /livez and /readyz",
    ),
    ("file_storage", &["directory", "timeout", "compaction", "fsync", "create_directory"], STORAGE),
    (
        "pprof",
        &["endpoint", "save_to_file", "block_profile_fraction", "mutex_profile_fraction"],
        "",
    ),
    ("zpages", &["endpoint", "expvar"], ""),
    ("memory_ballast", &["size_mib", "size_in_percentage"], ""),
];
const STORAGE: &str = "queues are always kept in the journal, under --storage.path";

/// Whether an extension is built in; its settings are checked.
pub(super) fn extension(reader: &mut Reader<'_>, name: &str, at: &Location, value: &Value) -> bool {
    let kind = name.split('/').next().unwrap_or(name);
    let Some((_, settings, instead)) = BUILT_IN.iter().find(|(known, ..)| *known == kind) else {
        return false;
    };
    for field in value.as_object().map_or(&[][..], |object| &object.fields) {
        if !settings.contains(&field.name.as_str()) {
            let message = format!("{kind} has no setting \"{}\"", field.name);
            let finding = Diagnostic::error(Code::UnknownSetting, &field.name_at, message)
                .with_nearest(&field.name, settings.iter().copied());
            reader.diagnostics.push(finding);
        }
    }
    if let Some(timeout) = value.get("timeout")
        && timeout.as_str().is_none_or(|text| text.parse::<Span>().is_err())
    {
        let message = "\"timeout\" should be a duration such as \"5s\"";
        reader.report(Code::WrongValue, &timeout.at, message);
    }
    let finding = Diagnostic::warning(
        Code::Ignored,
        at,
        format!("extension \"{name}\" is accepted and has no effect"),
    );
    let finding = if instead.is_empty() { finding } else { finding.with_help(*instead) };
    reader.diagnostics.push(finding);
    true
}

/// Takes `service` out of a document: its pipelines, and settings of the process.
pub(super) fn read(
    reader: &mut Reader<'_>,
    document: &mut Object,
    components: &Components,
    options: &mut Vec<Setting>,
) -> Option<Value> {
    let service = document.remove("service")?;
    let Data::Object(mut parts) = service.value.data else {
        if service.value.data != Data::Null {
            reader.report(Code::WrongValue, &service.value.at, "\"service\" should be a map");
        }
        return None;
    };
    if let Some(extensions) = parts.remove("extensions") {
        self::extensions(reader, &extensions.value, components);
    }
    if let Some(telemetry) = parts.remove("telemetry") {
        self::telemetry(reader, &telemetry, options);
    }
    let pipelines = parts.remove("pipelines").map(|field| field.value);
    for field in &parts.fields {
        let message = format!("service has no \"{}\"", field.name);
        let finding = Diagnostic::error(Code::UnknownSetting, &field.name_at, message)
            .with_nearest(&field.name, PARTS);
        reader.diagnostics.push(finding);
    }
    pipelines
}

fn extensions(reader: &mut Reader<'_>, value: &Value, components: &Components) {
    let items = value.as_array().unwrap_or(std::slice::from_ref(value));
    for item in items.iter().filter(|item| item.data != Data::Null) {
        let Some(name) = item.as_str() else {
            let message = format!("should be the name of an extension, got {}", item.kind());
            reader.report(Code::WrongValue, &item.at, message);
            continue;
        };
        let kind = name.split('/').next().unwrap_or(name);
        let is_known = components.find(&[Section::Extensions], name).is_some()
            || BUILT_IN.iter().any(|(known, ..)| *known == kind);
        if !is_known {
            let message = format!("extension \"{name}\" does not exist");
            let finding = Diagnostic::error(Code::Dangling, &item.at, message)
                .with_nearest(name, components.names(&[Section::Extensions]));
            reader.diagnostics.push(finding);
        }
    }
}

/// `telemetry.logs` becomes `logging`; the rest has no effect.
fn telemetry(reader: &mut Reader<'_>, field: &Field, options: &mut Vec<Setting>) {
    for part in field.value.as_object().map_or(&[][..], |object| &object.fields) {
        let message = format!("service.telemetry.{} is accepted and has no effect", part.name);
        match part.name.as_str() {
            "logs" => options.extend(logging(reader, part)),
            "metrics" => {
                let help = "the admin port serves /metrics";
                let finding = Diagnostic::warning(Code::Ignored, &part.name_at, message);
                reader.diagnostics.push(finding.with_help(help));
            }
            "traces" | "resource" => reader.warn(Code::Ignored, &part.name_at, message),
            name => {
                let message = format!("service.telemetry has no \"{name}\"");
                let finding = Diagnostic::error(Code::UnknownSetting, &part.name_at, message)
                    .with_nearest(name, ["logs", "metrics", "traces", "resource"]);
                reader.diagnostics.push(finding);
            }
        }
    }
}

fn logging(reader: &mut Reader<'_>, part: &Field) -> Option<Setting> {
    let mut object = Object { fields: Vec::new(), form: Form::Block };
    for field in part.value.as_object().map_or(&[][..], |object| &object.fields) {
        let text = field.value.as_str().map(str::to_lowercase);
        match (field.name.as_str(), text) {
            ("level", Some(level)) => {
                object.set(
                    "level",
                    field.name_at.clone(),
                    Value::string(level, field.value.at.clone()),
                );
            }
            ("encoding", Some(encoding)) => {
                let format = if encoding == "json" { "json" } else { "logfmt" };
                object.set(
                    "format",
                    field.name_at.clone(),
                    Value::string(format, field.value.at.clone()),
                );
            }
            _ => {
                let message =
                    format!("service.telemetry.logs.{} is accepted and has no effect", field.name);
                reader.warn(Code::Ignored, &field.name_at, message);
            }
        }
    }
    if object.fields.is_empty() {
        return None;
    }
    let at = part.name_at.clone();
    let value = Value::new(Data::Object(object), at.clone());
    Some(Setting { name: "logging".to_owned(), label: String::new(), value, at })
}

/// Takes the settings of the process out of a document.
pub(super) fn options(document: &mut Object, options: &mut Vec<Setting>) {
    let Some(field) = document.remove(OPTIONS) else { return };
    let Data::Object(object) = field.value.data else { return };
    for field in object.fields {
        let (name, label) = field.name.split_once('/').unwrap_or((field.name.as_str(), ""));
        options.push(Setting {
            name: name.to_owned(),
            label: label.to_owned(),
            value: field.value,
            at: field.name_at,
        });
    }
}
