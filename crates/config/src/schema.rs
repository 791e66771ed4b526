//! Settings against the JSON schema of a component: unknown names, wrong types, missing settings.
//!
//! Decoding finds the first mistake, this finds all of them, with the nearest valid names. It also
//! gives values the form that decoding expects: one block where a list is wanted becomes a list of
//! one, a number where text is wanted becomes text, and text where a number is wanted a number.
//! What a schema says in ways that are not understood here is left to decoding.

use std::collections::BTreeMap;

use schemars::Schema;
use serde_json::Value as Json;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Location;
use crate::value::{Data, Value};

mod check;
mod convert;

pub(crate) use check::check;
pub(crate) use convert::number;

/// References that are followed in a row.
const HOPS_MAX: usize = 32;

/// A part of a schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape<'s> {
    node: &'s Json,
    root: &'s Json,
}

impl<'s> Shape<'s> {
    /// The whole schema.
    pub(crate) fn of(schema: &'s Schema) -> Self {
        Self { node: schema.as_value(), root: schema.as_value() }.resolved()
    }

    fn at(self, node: &'s Json) -> Self {
        Self { node, root: self.root }.resolved()
    }

    /// The part that a `$ref` stands for.
    fn resolved(mut self) -> Self {
        for _ in 0..HOPS_MAX {
            let Some(target) = self.node.get("$ref").and_then(Json::as_str) else { break };
            let Some(node) = target.strip_prefix('#').and_then(|path| self.root.pointer(path))
            else {
                break;
            };
            self.node = node;
        }
        self
    }

    fn get(self, key: &str) -> Option<&'s Json> {
        self.node.get(key)
    }

    fn parts(self, key: &str) -> Vec<Self> {
        let parts = self.get(key).and_then(Json::as_array);
        parts.into_iter().flatten().map(|part| self.at(part)).collect()
    }

    /// Every schema that an object here must meet, this one included.
    fn layers(self) -> Vec<Self> {
        let mut layers = vec![self];
        layers.extend(self.parts("allOf").into_iter().flat_map(Shape::layers));
        layers
    }

    /// The alternatives, without "nothing".
    fn alternatives(self) -> Vec<Self> {
        let mut parts = self.parts("anyOf");
        parts.extend(self.parts("oneOf"));
        parts.retain(|part| part.get("type").and_then(Json::as_str) != Some("null"));
        parts
    }

    /// Every property with its name.
    fn properties(self) -> Vec<(&'s str, Self)> {
        let own = |layer: Self| {
            let properties = layer.get("properties").and_then(Json::as_object);
            let pair = move |(name, node): (&'s String, &'s Json)| {
                (name.as_str(), Self { node, root: self.root })
            };
            properties.into_iter().flatten().map(pair)
        };
        self.layers().into_iter().flat_map(own).collect()
    }

    /// The schema of a property, by its name or an alias.
    pub(crate) fn property(self, name: &str) -> Option<Self> {
        let named = self.properties().into_iter().find(|(known, part)| {
            *known == name || part.strings("x-aliases").any(|alias| alias == name)
        });
        let found = named.map(|(_, part)| part.resolved());
        found.or_else(|| {
            self.alternatives().into_iter().find_map(|alternative| alternative.property(name))
        })
    }

    /// The schema of the elements, if this is an array; else this.
    pub(crate) fn item(self) -> Self {
        if let Some(items) = self.get("items") {
            return self.at(items);
        }
        let array = self.alternatives().into_iter().find(|part| part.get("items").is_some());
        array.map_or(self, Self::item)
    }

    /// For a block `a.b` where only `a` is a property and an array: the property and the variant.
    pub(crate) fn ordered(self, name: &str) -> Option<(&str, &str)> {
        let (property, variant) = name.split_once('.')?;
        if self.property(name).is_some() {
            return None;
        }
        self.property(property)?.allows("array").then_some((property, variant))
    }

    /// Whether names that are not listed are refused.
    pub(crate) fn is_closed(self) -> bool {
        let says_no = |key| self.get(key) == Some(&Json::Bool(false));
        says_no("additionalProperties") || says_no("unevaluatedProperties")
    }

    fn strings(self, key: &str) -> impl Iterator<Item = &'s str> {
        self.get(key).and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
    }

    /// The types that are named; empty if any is allowed.
    fn types(self) -> Vec<&'s str> {
        match self.get("type") {
            Some(Json::String(name)) => vec![name],
            Some(Json::Array(_)) => self.strings("type").collect(),
            _ => Vec::new(),
        }
    }

    fn allows(self, name: &str) -> bool {
        let types = self.types();
        let own = types.contains(&name) || (name == "integer" && types.contains(&"number"));
        own || self.alternatives().into_iter().any(|part| part.allows(name))
    }

    /// Whether it names what another component offers.
    pub(crate) fn is_reference(self) -> bool {
        self.format() == "reference"
            || self.alternatives().into_iter().any(|part| part.format() == "reference")
    }

    fn is_pipeline(self) -> bool {
        self.format() == "pipeline"
            || self.alternatives().iter().any(|part| part.format() == "pipeline")
    }

    /// Whether it has named settings, as a block does.
    pub(crate) fn takes_block(self) -> bool {
        !self.properties().is_empty()
            || self.alternatives().into_iter().any(|part| !part.properties().is_empty())
    }

    /// Whether it may be a list.
    pub(crate) fn takes_list(self) -> bool {
        self.allows("array")
    }

    /// The schema of names that are not listed.
    pub(crate) fn open(self) -> Option<Self> {
        let own = self.get("additionalProperties").filter(|part| part.is_object());
        own.map(|part| self.at(part))
            .or_else(|| self.alternatives().into_iter().find_map(Self::open))
    }

    fn format(self) -> &'s str {
        self.get("format").and_then(Json::as_str).unwrap_or_default()
    }
}

/// The pipelines that settings name, with their places.
pub(crate) fn pipelines(settings: &Value, schema: &Schema) -> Vec<(String, Location)> {
    let mut found = Vec::new();
    collect_pipelines(settings, Shape::of(schema), &mut found);
    found
}

fn collect_pipelines(value: &Value, shape: Shape<'_>, found: &mut Vec<(String, Location)>) {
    let named = shape.is_pipeline();
    match &value.data {
        Data::String(name) if named => found.push((name.clone(), value.at.clone())),
        Data::Array(items) => {
            for item in items {
                collect_pipelines(item, shape.item(), found);
            }
        }
        Data::Object(object) => {
            for field in &object.fields {
                if let Some(part) = shape.property(&field.name).or_else(|| shape.open()) {
                    collect_pipelines(&field.value, part, found);
                }
            }
        }
        Data::Null
        | Data::Bool(_)
        | Data::Number(_)
        | Data::String(_)
        | Data::Secret(_)
        | Data::OptionalSecret { .. }
        | Data::Reference(_) => {}
    }
}

/// Gives pipelines that settings name other names.
pub(crate) fn rename_pipelines(
    settings: &mut Value,
    schema: &Schema,
    names: &BTreeMap<String, String>,
) {
    if !names.is_empty() {
        rename(settings, Shape::of(schema), names);
    }
}

fn rename(value: &mut Value, shape: Shape<'_>, names: &BTreeMap<String, String>) {
    let is_named = shape.is_pipeline();
    match &mut value.data {
        Data::String(name) if is_named => {
            if let Some(other) = names.get(name) {
                name.clone_from(other);
            }
        }
        Data::Array(items) => items.iter_mut().for_each(|item| rename(item, shape.item(), names)),
        Data::Object(object) => {
            for field in &mut object.fields {
                if let Some(part) = shape.property(&field.name).or_else(|| shape.open()) {
                    rename(&mut field.value, part, names);
                }
            }
        }
        Data::Null
        | Data::Bool(_)
        | Data::Number(_)
        | Data::String(_)
        | Data::Secret(_)
        | Data::OptionalSecret { .. }
        | Data::Reference(_) => {}
    }
}

fn wrong(at: &Location, message: String) -> Diagnostic {
    Diagnostic::error(Code::WrongValue, at, message)
}
