//! Settings as a tree whose every part knows where it was written.
//!
//! The tree is the same for every dialect: blocks are objects, repeated blocks are arrays of
//! objects, and what names another component is a [`Reference`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

pub use bessemer_runtime::Reference;
use bessemer_runtime::Secret;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::source::Location;

/// The settings of one component: an object.
pub type Settings = Value;

/// A value and where it was written.
#[derive(Debug, Clone, Default)]
pub struct Value {
    /// What it is.
    pub data: Data,
    /// Where the expression or block stands that gave it.
    pub at: Location,
    /// For text that holds environment variables: how it was put together, so that printing it
    /// shows their names and not what they hold. For numbers: how it was written, if otherwise
    /// than it would be printed.
    pub origin: Option<Origin>,
}

/// Text put together of literal parts and environment variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    parts: Arc<[Part]>,
}

/// A part of such text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// As it is.
    Text(String),
    /// What the environment variable of this name holds.
    Variable(String),
    /// What the environment variable holds, or the text if it is not set or empty.
    Defaulted(String, String),
    /// What the file at this path held.
    File {
        /// The path.
        path: String,
        /// What it held.
        content: String,
    },
}

impl Origin {
    /// Text that is one environment variable.
    pub fn variable(name: impl Into<String>) -> Self {
        Self { parts: Arc::new([Part::Variable(name.into())]) }
    }

    /// A number that was written in a way of its own.
    pub fn text(written: impl Into<String>) -> Self {
        Self { parts: Arc::new([Part::Text(written.into())]) }
    }

    /// Text put together of parts.
    pub fn of(parts: Vec<Part>) -> Self {
        Self { parts: parts.into() }
    }

    /// How a number was written, if that is what this says.
    pub fn written(&self) -> Option<&str> {
        match &*self.parts {
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The parts in their order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// How two texts one behind the other are put together, if one holds a variable.
    pub(crate) fn joined(first: &Value, second: &Value) -> Option<Self> {
        if first.origin.is_none() && second.origin.is_none() {
            return None;
        }
        let mut parts = Vec::new();
        for value in [first, second] {
            match &value.origin {
                Some(origin) => parts.extend_from_slice(&origin.parts),
                None => parts.push(Part::Text(value.text()?.to_owned())),
            }
        }
        Some(Self { parts: parts.into() })
    }
}

/// What a value is.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Data {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// Any number.
    Number(Number),
    /// Text.
    String(String),
    /// Text that must not be shown.
    Secret(Secret),
    /// Text that is a secret only if `is_secret`: the content of a file, for example.
    OptionalSecret {
        /// The text.
        text: Secret,
        /// Whether it must not be shown.
        is_secret: bool,
    },
    /// A list, or a block that was repeated.
    Array(Vec<Value>),
    /// Named values, or a block.
    Object(Object),
    /// Something that another component offers.
    Reference(Reference),
}

/// A number as it was written; numbers of different kinds compare by value.
#[derive(Debug, Clone, Copy)]
pub enum Number {
    /// A whole number.
    Int(i64),
    /// A whole number above `i64::MAX`.
    Uint(u64),
    /// Any other number.
    Float(f64),
}

/// Named values in the order they were written.
#[derive(Debug, Clone, Default)]
pub struct Object {
    /// The values; each name occurs once.
    pub fields: Vec<Field>,
    /// Whether it was written as a block.
    pub form: Form,
}

/// How an object was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// As a value: `name = { key = 1 }`.
    #[default]
    Literal,
    /// As a block: `name { key = 1 }`.
    Block,
}

/// One named value of an object.
#[derive(Debug, Clone)]
pub struct Field {
    /// The name.
    pub name: String,
    /// Where the name stands.
    pub name_at: Location,
    /// The value.
    pub value: Value,
}

/// The name of a pipeline in a settings type; one that nothing declares is an error at load.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(transparent)]
pub struct PipelineName(pub String);

impl JsonSchema for PipelineName {
    fn schema_name() -> Cow<'static, str> {
        "pipeline".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "pipeline" })
    }
}

impl Value {
    /// A value at a place.
    pub fn new(data: Data, at: Location) -> Self {
        Self { data, at, origin: None }
    }

    /// Text at a place.
    pub fn string(text: impl Into<String>, at: Location) -> Self {
        Self::new(Data::String(text.into()), at)
    }

    /// An empty block at a place.
    pub fn block(at: Location) -> Self {
        Self::new(Data::Object(Object { fields: Vec::new(), form: Form::Block }), at)
    }

    /// The value of a name, if this is an object that has it.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    /// The text, if it is text that may be shown.
    pub fn as_str(&self) -> Option<&str> {
        if self.kind() == "secret" { None } else { self.text() }
    }

    /// The text, secret or not.
    pub fn text(&self) -> Option<&str> {
        if let Data::Secret(text) | Data::OptionalSecret { text, .. } = &self.data {
            return Some(text.expose());
        }
        if let Data::String(text) = &self.data { Some(text) } else { None }
    }

    /// The items, if this is an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        if let Data::Array(items) = &self.data { Some(items) } else { None }
    }

    /// The named values, if this is an object.
    pub fn as_object(&self) -> Option<&Object> {
        if let Data::Object(object) = &self.data { Some(object) } else { None }
    }

    /// The named values, to change them, if this is an object.
    pub fn as_object_mut(&mut self) -> Option<&mut Object> {
        if let Data::Object(object) = &mut self.data { Some(object) } else { None }
    }

    /// Whether it was written as a block.
    pub fn is_block(&self) -> bool {
        self.as_object().is_some_and(|object| object.form == Form::Block)
    }

    /// Whether it is a block that was given more than once.
    pub fn is_repeated_block(&self) -> bool {
        self.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(Self::is_block))
    }

    /// The kind of value, as messages name it.
    pub fn kind(&self) -> &'static str {
        match &self.data {
            Data::Null => "null",
            Data::Bool(_) => "bool",
            Data::Number(_) => "number",
            Data::String(_) => "string",
            Data::Secret(_) | Data::OptionalSecret { is_secret: true, .. } => "secret",
            Data::OptionalSecret { is_secret: false, .. } => "optional secret",
            Data::Array(_) => "array",
            Data::Object(Object { form: Form::Block, .. }) => "block",
            Data::Object(_) => "object",
            Data::Reference(_) => "reference",
        }
    }

    /// Brings the fields of every object into the order of their names.
    pub(crate) fn sort(&mut self) {
        match &mut self.data {
            Data::Array(items) => items.iter_mut().for_each(Self::sort),
            Data::Object(object) => {
                object.fields.sort_by(|a, b| a.name.cmp(&b.name));
                object.fields.iter_mut().for_each(|field| field.value.sort());
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

    /// Every reference in the tree with its place.
    pub fn references(&self) -> Vec<(&Reference, &Location)> {
        let mut found = Vec::new();
        self.collect_references(&mut found);
        found
    }

    fn collect_references<'a>(&'a self, found: &mut Vec<(&'a Reference, &'a Location)>) {
        match &self.data {
            Data::Reference(reference) => found.push((reference, &self.at)),
            Data::Array(items) => items.iter().for_each(|item| item.collect_references(found)),
            Data::Object(object) => {
                object.fields.iter().for_each(|field| field.value.collect_references(found));
            }
            Data::Null
            | Data::Bool(_)
            | Data::Number(_)
            | Data::String(_)
            | Data::Secret(_)
            | Data::OptionalSecret { .. } => {}
        }
    }
}

impl PartialEq for Value {
    /// Equal in content, wherever the two were written.
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data
    }
}

impl Object {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.field(name).map(|field| &field.value)
    }

    /// The field of a name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Sets a name, in place if it is there.
    pub fn set(&mut self, name: impl Into<String>, name_at: Location, value: Value) {
        let name = name.into();
        match self.fields.iter_mut().find(|field| field.name == name) {
            Some(field) => field.value = value,
            None => self.fields.push(Field { name, name_at, value }),
        }
    }

    /// Takes a name out.
    pub fn remove(&mut self, name: &str) -> Option<Field> {
        let at = self.fields.iter().position(|field| field.name == name)?;
        Some(self.fields.remove(at))
    }
}

impl PartialEq for Object {
    /// Equal if the same names have equal values, in any order and however written.
    fn eq(&self, other: &Self) -> bool {
        let sorted = |object: &Self| -> BTreeMap<String, Value> {
            let pair = |field: &Field| (field.name.clone(), field.value.clone());
            object.fields.iter().map(pair).collect()
        };
        self.fields.len() == other.fields.len() && sorted(self) == sorted(other)
    }
}

impl Number {
    /// As a float, rounded if it must be.
    #[expect(clippy::cast_precision_loss, reason = "whole numbers above 2^53 round, as in Go")]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Uint(number) => number as f64,
            Self::Float(number) => number,
        }
    }

    /// As a signed whole number: fractions are cut, large numbers wrap.
    #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "as in Go")]
    pub fn as_i64(self) -> i64 {
        match self {
            Self::Int(number) => number,
            Self::Uint(number) => number as i64,
            Self::Float(number) => number as i64,
        }
    }

    /// The number without fraction or rounding, if that is possible.
    pub fn whole(self) -> Option<i128> {
        match self {
            Self::Int(number) => Some(number.into()),
            Self::Uint(number) => Some(number.into()),
            #[expect(clippy::cast_possible_truncation, reason = "bounded and without fraction")]
            Self::Float(number) if number.fract() == 0.0 && number.abs() < 1e19 => {
                Some(number as i128)
            }
            Self::Float(_) => None,
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self.whole(), other.whole()) {
            (Some(a), Some(b)) => a == b,
            (None, None) => self.as_f64().total_cmp(&other.as_f64()).is_eq(),
            _ => false,
        }
    }
}

impl std::fmt::Display for Number {
    /// Decimal digits without exponent: what a number becomes where text is wanted.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(number) => write!(formatter, "{number}"),
            Self::Uint(number) => write!(formatter, "{number}"),
            Self::Float(number) if number.is_infinite() => {
                formatter.write_str(if *number > 0.0 { "+Inf" } else { "-Inf" })
            }
            Self::Float(number) => write!(formatter, "{number}"),
        }
    }
}

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        let data = match json {
            serde_json::Value::Null => Data::Null,
            serde_json::Value::Bool(value) => Data::Bool(value),
            serde_json::Value::Number(number) => Data::Number(if let Some(int) = number.as_i64() {
                Number::Int(int)
            } else if let Some(uint) = number.as_u64() {
                Number::Uint(uint)
            } else {
                Number::Float(number.as_f64().unwrap_or(f64::NAN))
            }),
            serde_json::Value::String(text) => Data::String(text),
            serde_json::Value::Array(items) => {
                Data::Array(items.into_iter().map(Self::from).collect())
            }
            serde_json::Value::Object(map) => {
                let field = |(name, value)| Field {
                    name,
                    name_at: Location::nowhere(),
                    value: Self::from(value),
                };
                let fields = map.into_iter().map(field).collect();
                Data::Object(Object { fields, form: Form::Literal })
            }
        };
        Self::new(data, Location::nowhere())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value_across_kinds() {
        assert_eq!(Number::Int(3), Number::Float(3.0));
        assert_eq!(Number::Uint(7), Number::Int(7));
        assert_ne!(Number::Float(0.5), Number::Int(0));
        assert_eq!(Number::Float(1e21).to_string(), "1000000000000000000000");
    }

    #[test]
    fn objects_are_equal_in_any_order() {
        let parse =
            |text: &str| Value::from(serde_json::from_str::<serde_json::Value>(text).unwrap());
        assert_eq!(parse(r#"{"a":1,"b":[true]}"#), parse(r#"{"b":[true],"a":1.0}"#));
        assert_ne!(parse(r#"{"a":1}"#), parse(r#"{"a":1,"b":null}"#));
    }
}
