//! The functions and constants of Alloy's standard library, with its deprecated short names.

use super::evaluate::Evaluated;
use crate::diagnostic::{Code, Diagnostic};
use crate::environment::Environment;
use crate::source::Location;
use crate::value::{Data, Field, Form, Object, Origin, Value};

mod array;
mod encoding;
mod go_format;
mod json;
mod json_path;
mod text;
mod yaml;

/// A call with its evaluated arguments.
pub(crate) struct Call<'a> {
    /// The name as it was written.
    pub(crate) name: String,
    pub(crate) arguments: Vec<Value>,
    pub(crate) at: Location,
    pub(crate) environment: &'a dyn Environment,
}

/// A function of the library.
pub(crate) type Function = fn(&Call<'_>) -> Evaluated;

const FUNCTIONS: &[(&str, Function)] = &[
    ("coalesce", coalesce),
    ("json_path", json_path::json_path),
    ("array.combine_maps", array::combine_maps),
    ("array.concat", array::concat),
    ("array.group_by", array::group_by),
    ("convert.nonsensitive", nonsensitive),
    ("encoding.from_URLbase64", encoding::from_url_base64),
    ("encoding.from_base64", encoding::from_base64),
    ("encoding.from_json", encoding::from_json),
    ("encoding.from_yaml", encoding::from_yaml),
    ("encoding.to_URLbase64", encoding::to_url_base64),
    ("encoding.to_base64", encoding::to_base64),
    ("encoding.to_json", encoding::to_json),
    ("encoding.url_decode", encoding::url_decode),
    ("encoding.url_encode", encoding::url_encode),
    ("file.path_join", text::path_join),
    ("string.format", text::format),
    ("string.join", text::join),
    ("string.replace", text::replace),
    ("string.split", text::split),
    ("string.to_lower", text::to_lower),
    ("string.to_upper", text::to_upper),
    ("string.trim", text::trim),
    ("string.trim_prefix", text::trim_prefix),
    ("string.trim_space", text::trim_space),
    ("string.trim_suffix", text::trim_suffix),
    ("sys.env", env),
    // Deprecated since the functions have namespaces.
    ("base64_decode", encoding::from_base64),
    ("concat", array::concat),
    ("env", env),
    ("format", text::format),
    ("join", text::join),
    ("json_decode", encoding::from_json),
    ("nonsensitive", nonsensitive),
    ("replace", text::replace),
    ("split", text::split),
    ("to_lower", text::to_lower),
    ("to_upper", text::to_upper),
    ("trim", text::trim),
    ("trim_prefix", text::trim_prefix),
    ("trim_space", text::trim_space),
    ("trim_suffix", text::trim_suffix),
    ("yaml_decode", encoding::from_yaml),
];

/// The function that a path of names starts with, and how many names it takes.
pub(crate) fn function(path: &[&str]) -> Option<(Function, usize)> {
    let find = |name: &str| FUNCTIONS.iter().find(|(known, _)| *known == name);
    let first = path.first()?;
    if let Some((_, function)) = find(first) {
        return Some((*function, 1));
    }
    let name = format!("{first}.{}", path.get(1)?);
    find(&name).map(|(_, function)| (*function, 2))
}

/// The functions of a namespace, if there is one of that name.
pub(crate) fn members(namespace: &str) -> Option<Vec<&'static str>> {
    let member = |(name, _): &(&'static str, Function)| {
        name.split_once('.').filter(|(space, _)| *space == namespace).map(|(_, member)| member)
    };
    let members: Vec<_> = FUNCTIONS.iter().filter_map(member).collect();
    (!members.is_empty()).then_some(members)
}

/// Every name that an expression may start with, for suggestions.
pub(crate) fn first_names() -> impl Iterator<Item = &'static str> {
    let first = |(name, _): &(&'static str, Function)| name.split('.').next().unwrap_or(name);
    FUNCTIONS.iter().map(first).chain(std::iter::once("constants"))
}

/// The object `constants`.
pub(crate) fn constants(environment: &dyn Environment, at: Location) -> Value {
    let os = if std::env::consts::OS == "macos" { "darwin" } else { std::env::consts::OS };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    };
    let pairs = [
        ("hostname", environment.hostname()),
        ("os", os.to_owned()),
        ("arch", arch.to_owned()),
        ("version", concat!("v", env!("CARGO_PKG_VERSION")).to_owned()),
    ];
    let field = |(name, text): (&str, String)| Field {
        name: name.to_owned(),
        name_at: at.clone(),
        value: Value::string(text, at.clone()),
    };
    let fields = pairs.into_iter().map(field).collect();
    Value::new(Data::Object(Object { fields, form: Form::Literal }), at)
}

#[expect(clippy::unnecessary_box_returns, reason = "boxed is how results carry findings")]
impl Call<'_> {
    /// A finding about the call as a whole.
    fn fail(&self, message: impl std::fmt::Display) -> Box<Diagnostic> {
        let message = format!("{}: {message}", self.name);
        Box::new(Diagnostic::error(Code::Evaluation, &self.at, message))
    }

    /// A finding about a value.
    fn fail_at(&self, value: &Value, message: impl std::fmt::Display) -> Box<Diagnostic> {
        if let Data::Reference(reference) = &value.data {
            let message = format!("{}: {reference} is known only at run time", self.name);
            return Box::new(Diagnostic::error(Code::Evaluation, &value.at, message));
        }
        let at = if value.at.is_somewhere() { &value.at } else { &self.at };
        Box::new(Diagnostic::error(Code::Evaluation, at, format!("{}: {message}", self.name)))
    }

    fn wrong_type(&self, value: &Value, expected: &str) -> Box<Diagnostic> {
        self.fail_at(value, format_args!("should be {expected}, got {}", value.kind()))
    }

    fn exactly(&self, count: usize) -> Result<(), Box<Diagnostic>> {
        if self.arguments.len() == count {
            return Ok(());
        }
        Err(self.fail(format_args!("expected {count} args, got {}", self.arguments.len())))
    }

    fn argument(&self, index: usize) -> Result<&Value, Box<Diagnostic>> {
        self.arguments
            .get(index)
            .ok_or_else(|| self.fail(format_args!("expected at least {} args", index + 1)))
    }

    /// An argument as text; numbers are written out.
    fn text(&self, index: usize) -> Result<String, Box<Diagnostic>> {
        self.text_of(self.argument(index)?)
    }

    fn text_of(&self, value: &Value) -> Result<String, Box<Diagnostic>> {
        match &value.data {
            Data::Null => Ok(String::new()),
            Data::String(text) => Ok(text.clone()),
            Data::Number(number) => Ok(number.to_string()),
            Data::OptionalSecret { text, is_secret: false } => Ok(text.expose().to_owned()),
            Data::Secret(_) | Data::OptionalSecret { .. } => {
                let finding = self.fail_at(value, "secrets may not be converted into strings");
                Err(Box::new(finding.with_help("convert.nonsensitive makes it a string")))
            }
            Data::Bool(_) | Data::Array(_) | Data::Object(_) | Data::Reference(_) => {
                Err(self.wrong_type(value, "string"))
            }
        }
    }

    fn array(&self, index: usize) -> Result<&[Value], Box<Diagnostic>> {
        let value = self.argument(index)?;
        value.as_array().ok_or_else(|| self.wrong_type(value, "array"))
    }

    fn bool(&self, index: usize) -> Result<bool, Box<Diagnostic>> {
        let value = self.argument(index)?;
        if let Data::Bool(truth) = value.data {
            Ok(truth)
        } else {
            Err(self.wrong_type(value, "bool"))
        }
    }

    fn string(&self, text: impl Into<String>) -> Value {
        Value::string(text, self.at.clone())
    }

    fn value(&self, data: Data) -> Value {
        Value::new(data, self.at.clone())
    }
}

fn env(call: &Call<'_>) -> Evaluated {
    call.exactly(1)?;
    let name = call.text(0)?;
    let text = call.environment.variable(&name).unwrap_or_default();
    Ok(Value { origin: Some(Origin::variable(name)), ..call.string(text) })
}

fn nonsensitive(call: &Call<'_>) -> Evaluated {
    call.exactly(1)?;
    let value = call.argument(0)?;
    match &value.data {
        Data::Secret(text) | Data::OptionalSecret { text, .. } => Ok(call.string(text.expose())),
        Data::String(text) => Ok(call.string(text)),
        Data::Null => Ok(call.string("")),
        Data::Bool(_) | Data::Number(_) | Data::Array(_) | Data::Object(_) | Data::Reference(_) => {
            Err(call.wrong_type(value, "secret"))
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "one signature for all functions")]
fn coalesce(call: &Call<'_>) -> Evaluated {
    let first = call.arguments.iter().find(|value| !is_zero(&value.data));
    let found = first.or(call.arguments.last()).cloned();
    Ok(found.unwrap_or_else(|| call.value(Data::Null)))
}

/// Null, false, zero, and empty text, array or object.
fn is_zero(data: &Data) -> bool {
    match data {
        Data::Null => true,
        Data::Bool(truth) => !truth,
        Data::Number(number) => number.as_f64() == 0.0,
        Data::String(text) => text.is_empty(),
        Data::Secret(text) => text.expose().is_empty(),
        Data::OptionalSecret { text, is_secret } => text.expose().is_empty() && !is_secret,
        Data::Array(items) => items.is_empty(),
        Data::Object(object) => object.fields.is_empty(),
        Data::Reference(_) => false,
    }
}
