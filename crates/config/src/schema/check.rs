//! The comparison itself.

use schemars::Schema;
use serde_json::Value as Json;

use super::convert::convert;
use super::{Shape, wrong};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Location;
use crate::value::{Data, Field, Number, Object, Value};

/// Every mistake in the settings of a component; converts values on the way.
pub(crate) fn check(settings: &mut Value, schema: &Schema, subject: &str) -> Vec<Diagnostic> {
    let mut checker = Checker { findings: Vec::new() };
    checker.value(settings, Shape::of(schema), subject);
    checker.findings
}

/// Settings that components are known for elsewhere and that come with a later version.
const LATER: [&str; 8] = [
    "audience",
    "aws_secrets_manager",
    "claims",
    "client_certificate_key",
    "client_certificate_key_file",
    "client_certificate_key_id",
    "iss",
    "signature_algorithm",
];

/// Blocks that components are known for elsewhere and that mean nothing here; taken out.
const NO_EFFECT: [&str; 1] = ["debug_metrics"];

struct Checker {
    findings: Vec<Diagnostic>,
}

impl Checker {
    fn value(&mut self, value: &mut Value, shape: Shape<'_>, name: &str) {
        if shape.format() == "ignored" {
            let message = format!("\"{name}\" is accepted and has no effect");
            return self.findings.push(Diagnostic::warning(Code::Ignored, &value.at, message));
        }
        convert(value, shape);
        let alternatives = shape.alternatives();
        if !alternatives.is_empty() {
            self.alternatives(value, &alternatives, name);
            return;
        }
        if !self.is_expected(value, shape, name) {
            return;
        }
        let at = value.at.clone();
        match &mut value.data {
            Data::String(text) => self.text(text, &at, shape, name),
            Data::Number(number) => self.number(*number, &at, shape, name),
            Data::Array(items) => {
                for item in items.iter_mut().filter(|_| shape.get("items").is_some()) {
                    self.value(item, shape.item(), name);
                }
            }
            Data::Object(object) => self.object(object, &at, shape, name),
            Data::Null
            | Data::Bool(_)
            | Data::Secret(_)
            | Data::OptionalSecret { .. }
            | Data::Reference(_) => {}
        }
        for layer in shape.parts("allOf") {
            if !layer.alternatives().is_empty() {
                self.value(value, layer, name);
            }
        }
    }

    /// The value must fit one of the alternatives; the findings are those of the likeliest.
    fn alternatives(&mut self, value: &mut Value, parts: &[Shape<'_>], name: &str) {
        let constants: Vec<&str> = parts.iter().flat_map(|part| constants(*part)).collect();
        let is_choice = !constants.is_empty() && constants.len() >= parts.len();
        if let (true, Data::String(text)) = (is_choice, &value.data) {
            if !constants.contains(&text.as_str()) {
                self.findings.push(not_one_of(text, &value.at, &constants, name));
            }
            return;
        }
        let mut best: Option<(usize, Vec<Diagnostic>, Value)> = None;
        for part in parts {
            let mut attempt = Checker { findings: Vec::new() };
            let mut copy = value.clone();
            attempt.value(&mut copy, *part, name);
            // An alternative of another type is the least likely, however few findings it has.
            let penalty = if kind_fits(&copy, *part) { 0 } else { 1000 };
            let count =
                attempt.findings.len() + if attempt.findings.is_empty() { 0 } else { penalty };
            if best.as_ref().is_none_or(|(least, ..)| count < *least) {
                best = Some((count, attempt.findings, copy));
            }
        }
        if let Some((_, findings, copy)) = best {
            self.findings.extend(findings);
            *value = copy;
        }
    }

    /// Whether the value is of a type that the schema names; reports if not.
    fn is_expected(&mut self, value: &mut Value, shape: Shape<'_>, name: &str) -> bool {
        if value.is_repeated_block()
            && shape.allows("object")
            && !shape.allows("array")
            && let Some(second) = value.as_array().and_then(|items| items.get(1))
        {
            let message = format!("block \"{name}\" may be given only once");
            self.findings.push(Diagnostic::error(Code::Duplicate, &second.at, message));
            return false;
        }
        if matches!(value.data, Data::Reference(_)) {
            let is_wanted = shape.types().is_empty() || shape.format() == "reference";
            if !is_wanted {
                let message = format!("\"{name}\" needs a value that is known at load");
                let help = "what another component offers is known at run time only";
                self.findings.push(wrong(&value.at, message).with_help(help));
            }
            return false;
        }
        if shape.format() == "reference" {
            let message =
                format!("\"{name}\" should name what a component offers, got {}", value.kind());
            self.findings
                .push(wrong(&value.at, message).with_help("for example kind.label.handler"));
            return false;
        }
        if kind_fits(value, shape) {
            return true;
        }
        let expected = match shape.format() {
            "duration" => "a duration such as \"5s\"".to_owned(),
            "size" => "a size such as \"10MB\"".to_owned(),
            _ => shape.types().join(" or "),
        };
        let message = format!("\"{name}\" should be {expected}, got {}", value.kind());
        self.findings.push(wrong(&value.at, message));
        false
    }

    fn text(&mut self, text: &str, at: &Location, shape: Shape<'_>, name: &str) {
        let choices = constants(shape);
        if !choices.is_empty() && !choices.contains(&text) {
            self.findings.push(not_one_of(text, at, &choices, name));
        }
        let problem = match shape.format() {
            "duration" => text.parse::<bessemer_runtime::Span>().err(),
            "size" => text.parse::<bessemer_runtime::ByteSize>().err(),
            _ => None,
        };
        if let Some(problem) = problem {
            self.findings.push(wrong(at, format!("\"{name}\": {problem}")));
        }
    }

    fn number(&mut self, number: Number, at: &Location, shape: Shape<'_>, name: &str) {
        let limit = |key: &str| shape.get(key).and_then(Json::as_f64);
        let value = number.as_f64();
        let problem = if let Some(least) = limit("minimum").filter(|least| value < *least) {
            format!("must be at least {least}")
        } else if let Some(most) = limit("maximum").filter(|most| value > *most) {
            format!("must be at most {most}")
        } else if let Some(least) = limit("exclusiveMinimum").filter(|least| value <= *least) {
            format!("must be above {least}")
        } else {
            return;
        };
        self.findings.push(wrong(at, format!("\"{name}\" {problem}, got {number}")));
    }

    fn object(&mut self, object: &mut Object, at: &Location, shape: Shape<'_>, name: &str) {
        let layers = shape.layers();
        let is_closed = layers.iter().any(|layer| layer.is_closed());
        let open = layers.iter().find_map(|layer| layer.get("additionalProperties"));
        let is_understood = layers.iter().all(|layer| layer.alternatives().is_empty());
        self.singular(object, shape);
        for field in &mut object.fields {
            if let Some(part) = shape.property(&field.name) {
                self.value(&mut field.value, part, &field.name);
            } else if let Some(part) = open.filter(|part| part.is_object()) {
                self.value(&mut field.value, shape.at(part), &field.name);
            } else if is_closed && is_understood && NO_EFFECT.contains(&field.name.as_str()) {
                let message = format!("\"{}\" is accepted and has no effect", field.name);
                self.findings.push(Diagnostic::warning(Code::Ignored, &field.name_at, message));
            } else if is_closed && is_understood && LATER.contains(&field.name.as_str()) {
                let message = format!("\"{}\" of {name} comes with a later version", field.name);
                self.findings.push(Diagnostic::error(Code::Later, &field.name_at, message));
            } else if is_closed && is_understood {
                let names = shape.properties().into_iter().map(|(name, _)| name);
                let what = if field.value.is_block() || field.value.is_repeated_block() {
                    "block"
                } else {
                    "setting"
                };
                let message = format!("{name} has no {what} \"{}\"", field.name);
                self.findings.push(
                    Diagnostic::error(Code::UnknownSetting, &field.name_at, message)
                        .with_nearest(&field.name, names),
                );
            }
        }
        if is_closed && is_understood {
            let is_void = |field: &Field| NO_EFFECT.contains(&field.name.as_str());
            object.fields.retain(|field| !is_void(field) || shape.property(&field.name).is_some());
        }
        for required in layers.iter().flat_map(|layer| layer.strings("required")) {
            let aliases: Vec<&str> = shape
                .property(required)
                .map(|part| part.strings("x-aliases").collect())
                .unwrap_or_default();
            let is_given = object.get(required).is_some()
                || aliases.iter().any(|alias| object.get(alias).is_some());
            if !is_given {
                let message = format!("{name} needs \"{required}\"");
                self.findings.push(Diagnostic::error(Code::Missing, at, message));
            }
        }
    }
}

impl Checker {
    /// One item under the singular of a list's name is a list of one.
    fn singular(&mut self, object: &mut Object, shape: Shape<'_>) {
        for at in 0..object.fields.len() {
            let Some(field) = object.fields.get(at) else { continue };
            let plural = format!("{}s", field.name);
            let is_list = |part: Shape<'_>| part.takes_list() && !part.allows("object");
            let is_wanted = shape.property(&field.name).is_none()
                && shape.property(&plural).is_some_and(is_list)
                && object.get(&plural).is_none();
            let Some(field) = object.fields.get_mut(at).filter(|_| is_wanted) else { continue };
            let message = format!("\"{}\" is read as \"{plural}\", a list", field.name);
            self.findings.push(Diagnostic::warning(Code::Repaired, &field.name_at, message));
            field.name = plural;
            if field.value.as_array().is_none() {
                let place = field.value.at.clone();
                let value = std::mem::take(&mut field.value);
                field.value = Value::new(Data::Array(vec![value]), place);
            }
        }
    }
}

fn constants(shape: Shape<'_>) -> Vec<&str> {
    let single = shape.get("const").and_then(Json::as_str);
    shape.strings("enum").chain(single).collect()
}

fn not_one_of(text: &str, at: &Location, choices: &[&str], name: &str) -> Diagnostic {
    let listed: Vec<_> = choices.iter().map(|choice| format!("\"{choice}\"")).collect();
    let message = format!("\"{name}\" can not be \"{text}\"; it is one of {}", listed.join(", "));
    wrong(at, message).with_nearest(text, choices.iter().copied())
}

fn kind_fits(value: &Value, shape: Shape<'_>) -> bool {
    let name = match &value.data {
        Data::Null | Data::Reference(_) => return true,
        Data::Bool(_) => "boolean",
        Data::Number(number) if number.whole().is_some() => "integer",
        Data::Number(_) => "number",
        Data::String(_) | Data::Secret(_) | Data::OptionalSecret { .. } => "string",
        Data::Array(_) => "array",
        Data::Object(_) => "object",
    };
    shape.types().is_empty() || shape.allows(name)
}
