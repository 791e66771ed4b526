//! Settings of `otelcol.processor.attributes`, as they are written.

use std::fmt;

use bessemer_record::Value;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Settings of `otelcol.processor.attributes`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// What to do with the attributes of a log record, a span or each data point of a metric. Every
    /// action sees what those before it did.
    pub action: Vec<ActionSettings>,
    /// Only what matches has its attributes changed; the rest passes as it is.
    pub include: Option<MatchSettings>,
    /// What matches passes as it is; looked at after `include`.
    pub exclude: Option<MatchSettings>,
}

/// One action.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ActionSettings {
    /// Key of the attribute to act on. Only `delete` and `hash` with a `pattern` do without.
    pub key: String,
    /// `insert` sets an attribute that is absent, `update` one that is present, `upsert` either;
    /// `delete` removes it; `hash` replaces its value by a hash; `extract` sets attributes from
    /// what the groups of `pattern` capture in its value; `convert` changes its type.
    pub action: String,
    /// The value to set: a string, a number or a truth value.
    pub value: Option<Literal>,
    /// Key of the attribute whose value is copied; where it is absent, nothing is done. With
    /// `extract` it is the attribute to search instead of `key`; groups without names then set `key`
    /// to the last of them.
    pub from_attribute: Option<String>,
    /// `metadata.` and the name of a request header whose value is taken; several values are joined
    /// by `;`. Only headers that the receiver keeps are there; without one, nothing is done.
    pub from_context: Option<String>,
    /// Regular expression (RE2). With `delete` and `hash` it picks attributes by key, anywhere in
    /// the key unless anchored. With `extract` each named group becomes the attribute of its name;
    /// where no group has a name, the first one becomes the value of `key`.
    pub pattern: Option<String>,
    /// The type that `convert` makes of the value. What cannot be converted stays as it is.
    pub converted_type: Option<ConvertedType>,
    /// The hash that `hash` computes, written in lower-case hexadecimal digits.
    pub hash_function: Option<HashFunction>,
    /// Condition in OTTL that has to hold for the action to run; also `path matches "expression"`,
    /// which means `IsMatch`. It sees what the actions before it did, and is asked of each data
    /// point of a metric. Where it makes no sense for a signal (`severity_number` of a span) or
    /// fails on a record, the action does not run.
    pub condition: Option<String>,
}

/// What `convert` can make of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConvertedType {
    /// A whole number; fractions are cut off, truth values become 1 and 0.
    Int,
    /// A floating point number.
    Double,
    /// Text; lists and maps as JSON.
    String,
}

/// What `hash` can compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HashFunction {
    /// SHA-256.
    Sha256,
}

/// Properties that all have to match. A property that a signal does not have never matches it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MatchSettings {
    /// `strict` compares text as a whole, `regexp` looks for regular expressions (RE2) in it.
    pub match_type: MatchType,
    /// Taken for compatibility. It has no effect: matching is linear and keeps no cache.
    #[serde(default)]
    pub regexp: Option<RegexpSettings>,
    /// Service names (`service.name` of the resource); one has to match.
    #[serde(default)]
    pub services: Vec<String>,
    /// Names of spans; one has to match.
    #[serde(default)]
    pub span_names: Vec<String>,
    /// Kinds of spans, such as `SPAN_KIND_SERVER`; one has to match.
    #[serde(default)]
    pub span_kinds: Vec<String>,
    /// Bodies of log records; one has to match.
    #[serde(default)]
    pub log_bodies: Vec<String>,
    /// Severity texts of log records; one has to match.
    #[serde(default)]
    pub log_severity_texts: Vec<String>,
    /// Severity numbers of log records.
    #[serde(default)]
    pub log_severity: Option<SeveritySettings>,
    /// Names of metrics; one has to match.
    #[serde(default)]
    pub metric_names: Vec<String>,
    /// Attributes of the log record, the span or the data point; all have to match.
    #[serde(default)]
    pub attribute: Vec<AttributeSettings>,
    /// Attributes of the resource; all have to match.
    #[serde(default)]
    pub resource: Vec<AttributeSettings>,
    /// Instrumentation libraries; one has to match.
    #[serde(default)]
    pub library: Vec<LibrarySettings>,
}

impl MatchSettings {
    /// No properties yet.
    pub(crate) fn none(match_type: MatchType) -> Self {
        Self {
            match_type,
            regexp: None,
            services: Vec::new(),
            span_names: Vec::new(),
            span_kinds: Vec::new(),
            log_bodies: Vec::new(),
            log_severity_texts: Vec::new(),
            log_severity: None,
            metric_names: Vec::new(),
            attribute: Vec::new(),
            resource: Vec::new(),
            library: Vec::new(),
        }
    }
}

/// How text is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MatchType {
    /// As a whole.
    Strict,
    /// By regular expressions.
    Regexp,
}

/// The cache of match results that the Collector has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RegexpSettings {
    /// Has no effect.
    #[serde(alias = "cacheenabled")]
    #[schemars(extend("x-aliases" = ["cacheenabled"]))]
    pub cache_enabled: bool,
    /// Has no effect.
    #[serde(alias = "cachemaxnumentries")]
    #[schemars(extend("x-aliases" = ["cachemaxnumentries"]))]
    pub cache_max_num_entries: u64,
}

/// An attribute to match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttributeSettings {
    /// Its key.
    pub key: String,
    /// Its value; if it is not given, any value matches. With `regexp` it is an expression for the
    /// value as text.
    #[serde(default)]
    pub value: Option<Literal>,
}

/// An instrumentation library to match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LibrarySettings {
    /// Its name.
    pub name: String,
    /// Its version; if it is not given, any version matches.
    #[serde(default)]
    pub version: Option<String>,
}

/// A range of severities to match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeveritySettings {
    /// The lowest severity that matches, from `TRACE` to `FATAL4`.
    pub min: String,
    /// Whether log records without a severity match.
    #[serde(default)]
    pub match_undefined: bool,
}

/// A value of any type, as settings can write it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Literal(pub Value);

impl JsonSchema for Literal {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "value".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({})
    }

    fn inline_schema() -> bool {
        true
    }
}

impl Serialize for Literal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, serializer)
    }
}

fn serialize<S: Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Value::Null => serializer.serialize_unit(),
        Value::Bool(truth) => serializer.serialize_bool(*truth),
        Value::Int(number) => serializer.serialize_i64(*number),
        Value::Double(number) => serializer.serialize_f64(*number),
        Value::String(text) => serializer.serialize_str(text),
        Value::Bytes(bytes) => serializer.serialize_bytes(bytes),
        Value::Array(values) => serializer.collect_seq(values.iter().cloned().map(Literal)),
        Value::Map(entries) => {
            serializer.collect_map(entries.iter().map(|(key, value)| (key, Literal(value.clone()))))
        }
    }
}

impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyLiteral).map(Literal)
    }
}

struct AnyLiteral;

impl<'de> Visitor<'de> for AnyLiteral {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string, a number, a truth value, a list or an object")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number)
            .map(Value::Int)
            .map_err(|_| E::custom(format!("{number} is above {}", i64::MAX)))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Double(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Literal(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, Literal(value))) = fields.next_entry()? {
            entries.push((key, value));
        }
        Ok(Value::Map(entries))
    }
}
