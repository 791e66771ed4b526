//! `${...}` in the text of values: environment variables, files, and text that is YAML.
//!
//! What a variable holds stays one scalar, whatever it looks like: nobody who can set a variable
//! can add a component, and what it holds is not expanded again. A file or a `yaml:` text that is a
//! whole value may be any value.

use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::dialect::Context;
use crate::source::{Location, Source};
use crate::value::{Data, Origin, Part, Reference, Value};
use crate::yaml;

/// Files inside files, and `${` inside `${`.
const DEPTH_MAX: usize = 8;
/// Values that files and texts may add.
const INCLUDES_MAX: usize = 100;

const SCHEMES: [&str; 4] = ["env", "file", "yaml", "component"];

/// Replaces every `${...}` of a tree; what can not be replaced is reported and becomes nothing.
pub(crate) fn substitute(value: &mut Value, context: &Context<'_>) -> Vec<Diagnostic> {
    let mut substitution = Substitution { context, findings: Vec::new(), includes: 0 };
    substitution.value(value, 0);
    substitution.findings
}

struct Substitution<'a> {
    context: &'a Context<'a>,
    findings: Vec<Diagnostic>,
    includes: usize,
}

/// What one `${...}` became.
enum Piece {
    Text(String, Part),
    Value(Value),
}

impl Substitution<'_> {
    fn report(&mut self, code: Code, at: &Location, message: String) {
        self.findings.push(Diagnostic::error(code, at, message));
    }

    fn value(&mut self, value: &mut Value, depth: usize) {
        match &mut value.data {
            Data::String(text) if text.contains('$') => {
                let text = std::mem::take(text);
                let at = value.at.clone();
                *value = self.text(&text, &at, depth);
            }
            Data::Array(items) => items.iter_mut().for_each(|item| self.value(item, depth)),
            Data::Object(object) => {
                object.fields.iter_mut().for_each(|field| self.value(&mut field.value, depth));
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

    fn text(&mut self, text: &str, at: &Location, depth: usize) -> Value {
        let mut parts: Vec<Part> = Vec::new();
        let mut whole = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            literal(&mut parts, &mut whole, before);
            if let Some(after) = after.strip_prefix('$') {
                literal(&mut parts, &mut whole, "$");
                rest = after;
                continue;
            }
            let Some(inner) = after.strip_prefix('{') else {
                literal(&mut parts, &mut whole, "$");
                rest = after;
                continue;
            };
            let Some(end) = closing(inner) else {
                self.report(Code::Syntax, at, "\"${\" without \"}\"".to_owned());
                return Value::string("", at.clone());
            };
            let (expression, after) = (inner.get(..end), inner.get(end + 1..));
            rest = after.unwrap_or_default();
            match self.expression(expression.unwrap_or_default(), at, depth) {
                Some(Piece::Text(piece, part)) => {
                    whole.push_str(&piece);
                    parts.push(part);
                }
                Some(Piece::Value(value)) if parts.is_empty() && rest.is_empty() => return value,
                Some(Piece::Value(value)) => {
                    if let Some(piece) = scalar_text(&value) {
                        literal(&mut parts, &mut whole, &piece);
                    } else {
                        let message = "a list or map can not stand inside of text".to_owned();
                        self.report(Code::WrongValue, at, message);
                    }
                }
                None => return Value::string("", at.clone()),
            }
        }
        literal(&mut parts, &mut whole, rest);
        let is_literal = parts.iter().all(|part| matches!(part, Part::Text(_)));
        let origin = if is_literal { None } else { Some(Origin::of(parts)) };
        Value { data: Data::String(whole), at: at.clone(), origin }
    }

    /// The value of what stands between `${` and `}`.
    fn expression(&mut self, expression: &str, at: &Location, depth: usize) -> Option<Piece> {
        if depth >= DEPTH_MAX {
            self.report(Code::Limit, at, format!("\"${{\" nested deeper than {DEPTH_MAX}"));
            return None;
        }
        let inner = if expression.contains("${") {
            self.text(expression, at, depth + 1).text()?.to_owned()
        } else {
            expression.to_owned()
        };
        let (scheme, rest) = match inner.split_once(':') {
            // "${X:-default}" has no scheme.
            Some((_, rest)) if rest.starts_with('-') => ("env", inner.as_str()),
            Some((scheme, rest)) => (scheme, rest),
            None => ("env", inner.as_str()),
        };
        match scheme {
            "env" => self.variable(rest, at),
            "file" => self.file(rest, at, depth),
            "yaml" => {
                let source = Source::new(format!("{} (yaml:)", at.file()), rest);
                self.include(&source, at, depth).map(Piece::Value)
            }
            "component" => {
                let (node, export) = rest.split_once(':').unwrap_or((rest, "input"));
                let reference = Reference { node: node.to_owned(), export: export.to_owned() };
                Some(Piece::Value(Value::new(Data::Reference(reference), at.clone())))
            }
            other => {
                let message = format!("\"{other}:\" is no known source of values");
                let finding = Diagnostic::error(Code::Evaluation, at, message)
                    .with_help("write $$ for a dollar sign")
                    .with_nearest(other, SCHEMES);
                self.findings.push(finding);
                None
            }
        }
    }

    fn variable(&mut self, rest: &str, at: &Location) -> Option<Piece> {
        let (name, default) = match rest.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (rest, None),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !name.chars().all(is_name) || name.starts_with(|c: char| !c.is_alphabetic() && c != '_')
        {
            let message = format!("\"{name}\" is no name of an environment variable");
            self.report(Code::Evaluation, at, message);
            return None;
        }
        let held = self.context.environment.variable(name);
        if let Some(default) = default {
            let held = held.filter(|held| !held.is_empty());
            let text = held.unwrap_or_else(|| default.to_owned());
            return Some(Piece::Text(text, Part::Defaulted(name.to_owned(), default.to_owned())));
        }
        if held.is_none() {
            let message = format!("the environment variable {name} is not set");
            self.findings.push(
                Diagnostic::warning(Code::Evaluation, at, message)
                    .with_help(format!("set it, or give a default: ${{env:{name}:-default}}")),
            );
        }
        Some(Piece::Text(held.unwrap_or_default(), Part::Variable(name.to_owned())))
    }

    fn file(&mut self, path: &str, at: &Location, depth: usize) -> Option<Piece> {
        let content = match self.context.sources.read(Path::new(path)) {
            Ok(content) => content,
            Err(error) => {
                self.report(Code::File, at, format!("{path}: {error}"));
                return None;
            }
        };
        let is_line = !content.trim_end_matches(['\n', '\r']).contains('\n');
        if is_line && !content.contains(": ") {
            let content = content.trim_end_matches(['\n', '\r']).to_owned();
            let part = Part::File { path: path.to_owned(), content: content.clone() };
            return Some(Piece::Text(content, part));
        }
        let source = Source::new(path, content);
        self.include(&source, at, depth).map(Piece::Value)
    }

    fn include(&mut self, source: &Arc<Source>, at: &Location, depth: usize) -> Option<Value> {
        self.includes += 1;
        if self.includes > INCLUDES_MAX || depth + 1 >= DEPTH_MAX {
            let message = format!("more than {INCLUDES_MAX} files, or deeper than {DEPTH_MAX}");
            self.report(Code::Limit, at, message);
            return None;
        }
        let (value, findings) = yaml::parse(source);
        self.findings.extend(findings);
        let mut value = value?;
        self.value(&mut value, depth + 1);
        Some(value)
    }
}

fn literal(parts: &mut Vec<Part>, whole: &mut String, text: &str) {
    if text.is_empty() {
        return;
    }
    whole.push_str(text);
    match parts.last_mut() {
        Some(Part::Text(last)) => last.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

/// Where the brace stands that closes an expression.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn scalar_text(value: &Value) -> Option<String> {
    match &value.data {
        Data::Null => Some(String::new()),
        Data::Bool(truth) => Some(truth.to_string()),
        Data::Number(number) => {
            let written = value.origin.as_ref().and_then(Origin::written);
            Some(written.map_or_else(|| number.to_string(), str::to_owned))
        }
        Data::String(text) => Some(text.clone()),
        Data::Secret(_)
        | Data::OptionalSecret { .. }
        | Data::Array(_)
        | Data::Object(_)
        | Data::Reference(_) => None,
    }
}

/// The text that [`substitute`] reads as this value; with variables by their names.
pub(crate) fn written(value: &Value) -> Option<String> {
    let text = value.text()?;
    let Some(origin) = &value.origin else { return Some(escaped(text)) };
    let reads_back = |part: &Part| match part {
        Part::Defaulted(_, default) => {
            closing(&format!("{default}}}")) == Some(default.len()) && !default.contains("${")
        }
        Part::Text(_) | Part::Variable(_) | Part::File { .. } => true,
    };
    if !origin.parts().iter().all(reads_back) {
        return Some(escaped(text));
    }
    let part = |part: &Part| match part {
        Part::Text(text) => escaped(text),
        Part::Variable(name) => format!("${{env:{name}}}"),
        Part::Defaulted(name, default) => format!("${{env:{name}:-{default}}}"),
        Part::File { path, .. } => format!("${{file:{path}}}"),
    };
    Some(origin.parts().iter().map(part).collect())
}

fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}
