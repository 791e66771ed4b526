//! Settings between the shape of Collector files and the one of the graph.
//!
//! The schema of a component decides: which maps are blocks, which names are lists, where what
//! stands at the top in the Collector belongs into the block `client`, and what names another
//! component. What no rule names stays as it is, so that the check reports it.

use std::collections::BTreeMap;

use crate::catalog::RowInfo;
use crate::diagnostic::{Code, Diagnostic};
use crate::schema::Shape;
use crate::source::Location;
use crate::substitute;
use crate::value::{Data, Field, Form, Object, Reference, Value};

/// The block that holds what an exporter needs to connect.
const CLIENT: &str = "client";
/// The map that holds the protocols of a receiver.
const PROTOCOLS: &str = "protocols";
/// Where it stands in a Collector file.
const AUTHENTICATOR: &str = "authenticator";
/// What an authenticator offers.
const HANDLER: &str = "handler";
/// Receivers whose blocks stand under `protocols`.
const WITH_PROTOCOLS: [&str; 1] = ["otelcol.receiver.otlp"];
/// Lists that have a plural name in the Collector: kind, name here, name there.
const PLURALS: [(&str, &str, &str); 1] = [("otelcol.processor.attributes", "action", "actions")];

/// The settings of a component from a Collector file. `extensions` maps names to ids.
pub(super) fn read(
    value: Value,
    row: &RowInfo,
    extensions: &BTreeMap<String, String>,
    findings: &mut Vec<Diagnostic>,
) -> Value {
    let shape = Shape::of(&row.schema);
    let at = value.at.clone();
    let fields = match value.data {
        Data::Object(object) => object.fields,
        Data::Null => Vec::new(),
        _ => {
            let message = format!("the settings of {} should be a map", row.name);
            findings.push(Diagnostic::error(Code::WrongValue, &value.at, message));
            Vec::new()
        }
    };
    let mut object = Object { fields: Vec::new(), form: Form::Block };
    for field in fields {
        place(&mut object, field, shape);
    }
    let mut settings = Value::new(Data::Object(object), at);
    let mut reader = Reader { extensions, findings };
    reader.value(&mut settings, shape);
    settings
}

/// Where no schema says otherwise, a name without a value has settings that are all defaults: in
/// other dialects null is how a text says that a setting is not given.
fn fill(value: &mut Value) {
    match &mut value.data {
        Data::Null => value.data = Data::Object(Object::default()),
        Data::Object(object) => object.fields.iter_mut().for_each(|field| fill(&mut field.value)),
        Data::Array(_)
        | Data::Bool(_)
        | Data::Number(_)
        | Data::String(_)
        | Data::Secret(_)
        | Data::OptionalSecret { .. }
        | Data::Reference(_) => {}
    }
}

/// Puts a field where the schema has it.
fn place(object: &mut Object, field: Field, shape: Shape<'_>) {
    if shape.property(&field.name).is_some() {
        return insert(object, field);
    }
    if field.name == PROTOCOLS {
        let inner = match field.value.data {
            Data::Object(inner) => inner.fields,
            _ => Vec::new(),
        };
        return inner.into_iter().for_each(|field| insert(object, field));
    }
    let client = shape.property(CLIENT).and_then(|client| client.property(&field.name));
    if client.is_none() {
        return insert(object, field);
    }
    let at = field.name_at.clone();
    if object.get(CLIENT).is_none() {
        object.set(CLIENT, at.clone(), Value::block(at));
    }
    let client = object.fields.iter_mut().find(|field| field.name == CLIENT);
    if let Some(client) = client.and_then(|client| client.value.as_object_mut()) {
        insert(client, field);
    }
}

/// Adds a field, or its fields to the map of the same name.
fn insert(object: &mut Object, field: Field) {
    let known = object.fields.iter_mut().find(|known| known.name == field.name);
    match (known, field.value.data) {
        (
            Some(Field { value: Value { data: Data::Object(known), .. }, .. }),
            Data::Object(inner),
        ) => {
            inner.fields.into_iter().for_each(|field| insert(known, field));
        }
        (_, data) => {
            let value = Value { data, ..field.value };
            object.set(field.name, field.name_at, value);
        }
    }
}

struct Reader<'a> {
    extensions: &'a BTreeMap<String, String>,
    findings: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn value(&mut self, value: &mut Value, shape: Shape<'_>) {
        if shape.is_reference() {
            return self.reference(value);
        }
        if value.data == Data::Null && shape.takes_block() {
            value.data = Value::block(Location::nowhere()).data;
        }
        match &mut value.data {
            Data::Array(items) => {
                let inner = shape.item();
                for item in items {
                    self.value(item, inner);
                }
            }
            Data::Object(object) => self.object(object, shape),
            Data::Null
            | Data::Bool(_)
            | Data::Number(_)
            | Data::String(_)
            | Data::Secret(_)
            | Data::OptionalSecret { .. }
            | Data::Reference(_) => {}
        }
    }

    fn object(&mut self, object: &mut Object, shape: Shape<'_>) {
        if shape.takes_block() {
            object.form = Form::Block;
        }
        for field in &mut object.fields {
            if shape.property(&field.name).is_none()
                && let Some(singular) = field.name.strip_suffix('s')
                && shape.property(singular).is_some_and(Shape::takes_list)
            {
                field.name = singular.to_owned();
            }
            match shape.property(&field.name).or_else(|| shape.open()) {
                Some(inner) => self.value(&mut field.value, inner),
                None => fill(&mut field.value),
            }
        }
        if shape.takes_block() {
            // Null is how a text says that a setting is not given.
            object.fields.retain(|field| field.value.data != Data::Null);
        }
    }

    /// What stands beside the name of an authenticator.
    fn unused(&mut self, value: &Value) {
        let fields = value.as_object().map_or(&[][..], |object| &object.fields);
        for field in fields.iter().filter(|field| field.name != AUTHENTICATOR) {
            let finding = if field.name == "request_params" {
                let message = "\"request_params\" is accepted and has no effect";
                Diagnostic::warning(Code::Ignored, &field.name_at, message)
            } else {
                let message = format!("auth has no setting \"{}\"", field.name);
                Diagnostic::error(Code::UnknownSetting, &field.name_at, message)
                    .with_nearest(&field.name, [AUTHENTICATOR])
            };
            self.findings.push(finding);
        }
    }

    /// `auth: { authenticator: NAME }` or the name alone.
    fn reference(&mut self, value: &mut Value) {
        self.unused(value);
        let named = value.get(AUTHENTICATOR).unwrap_or(value);
        let Some(name) = named.as_str().map(str::to_owned) else { return };
        let at = named.at.clone();
        if let Some(id) = self.extensions.get(&name) {
            let reference = Reference { node: id.clone(), export: HANDLER.to_owned() };
            *value = Value::new(Data::Reference(reference), at);
            return;
        }
        let message = format!("extension \"{name}\" does not exist");
        let names = self.extensions.keys().map(String::as_str);
        self.findings
            .push(Diagnostic::error(Code::Dangling, &at, message).with_nearest(&name, names));
        value.data = Data::Null;
    }
}

/// Settings as a Collector file has them. `extensions` maps ids to names.
pub(super) fn write(
    settings: &Value,
    row: Option<&RowInfo>,
    extensions: &BTreeMap<String, String>,
) -> Value {
    let shape = row.map(|row| Shape::of(&row.schema));
    let kind = row.map_or("", |row| row.name.as_str());
    let mut out = Object::default();
    for field in settings.as_object().map_or(&[][..], |object| &object.fields) {
        let value = named(&field.name, &field.value, extensions);
        let plural = PLURALS.iter().find(|(of, name, _)| *of == kind && *name == field.name);
        let name = plural.map_or(field.name.as_str(), |(.., plural)| plural);
        let is_flat = |inner: &Field| {
            inner.name != PROTOCOLS
                && shape.is_some_and(|shape| {
                    shape.property(&inner.name).is_none()
                        && shape
                            .property(CLIENT)
                            .is_some_and(|client| client.property(&inner.name).is_some())
                })
        };
        match value.data {
            Data::Object(inner) if name == CLIENT && !inner.fields.is_empty() => {
                let (flat, rest) = inner.fields.into_iter().partition::<Vec<_>, _>(is_flat);
                out.fields.extend(flat);
                if !rest.is_empty() {
                    let rest = Object { fields: rest, form: Form::Literal };
                    out.set(CLIENT, Location::nowhere(), object_value(rest));
                }
            }
            data => out.set(name, Location::nowhere(), Value::new(data, Location::nowhere())),
        }
    }
    if WITH_PROTOCOLS.contains(&kind) {
        out = with_protocols(out);
    }
    object_value(out)
}

fn with_protocols(object: Object) -> Object {
    let is_protocol = |field: &Field| matches!(field.name.as_str(), "grpc" | "http");
    let (protocols, rest) = object.fields.into_iter().partition::<Vec<_>, _>(is_protocol);
    let mut out = Object::default();
    if !protocols.is_empty() {
        let protocols = Object { fields: protocols, form: Form::Literal };
        out.set(PROTOCOLS, Location::nowhere(), object_value(protocols));
    }
    out.fields.extend(rest);
    out
}

fn object_value(object: Object) -> Value {
    Value::new(Data::Object(object), Location::nowhere())
}

/// A value with references as names and with its text as [`substitute`] reads it.
pub(super) fn plain(value: &Value, extensions: &BTreeMap<String, String>) -> Value {
    let data = match &value.data {
        Data::Array(items) => {
            Data::Array(items.iter().map(|item| plain(item, extensions)).collect())
        }
        Data::Object(object) => {
            let field = |field: &Field| Field {
                name: field.name.clone(),
                name_at: Location::nowhere(),
                value: named(&field.name, &field.value, extensions),
            };
            let fields = object.fields.iter().map(field).collect();
            Data::Object(Object { fields, form: Form::Literal })
        }
        Data::Reference(reference) => {
            let Reference { node, export } = reference;
            Data::String(format!("${{component:{node}:{export}}}"))
        }
        Data::String(_) | Data::Secret(_) | Data::OptionalSecret { .. } => {
            Data::String(substitute::written(value).unwrap_or_default())
        }
        Data::Null | Data::Bool(_) | Data::Number(_) => value.data.clone(),
    };
    Value::new(data, Location::nowhere())
}

/// The value of a name: an authenticator is written as the Collector does.
fn named(name: &str, value: &Value, extensions: &BTreeMap<String, String>) -> Value {
    let Data::Reference(reference) = &value.data else { return plain(value, extensions) };
    let extension = extensions.get(&reference.node).filter(|_| reference.export == HANDLER);
    let (Some(extension), "auth") = (extension, name) else { return plain(value, extensions) };
    let mut auth = Object::default();
    let authenticator = Value::string(extension.as_str(), Location::nowhere());
    auth.set(AUTHENTICATOR, Location::nowhere(), authenticator);
    object_value(auth)
}
