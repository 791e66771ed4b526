//! Alloy syntax: verdicts with positions, values of expressions, the formatter.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use bessemer_config::alloy::{self, Strictness};
use bessemer_config::{Data, Diagnostic, FixedEnvironment, Source, Value};
use bessemer_runtime::Secret;
use serde_json::Value as Json;

use super::{Tally, files, graphs, rows};

pub(super) fn run(folder: &Path) -> Result<Vec<Tally>> {
    Ok(vec![
        syntax(folder)?,
        expectations(folder)?,
        markers(folder)?,
        values(folder)?,
        printer(folder)?,
        formatter(folder)?,
        graphs::round_trips(folder)?,
    ])
}

fn text<'j>(row: &'j Json, key: &str) -> &'j str {
    row.get(key).and_then(Json::as_str).unwrap_or_default()
}

/// Compares a verdict and the position of the first error.
fn compare(is_valid: bool, expected: Option<&str>, findings: &[Diagnostic]) -> Option<String> {
    let first = findings
        .first()
        .map(|finding| format!("{}:{}: {}", finding.line(), finding.column(), finding.message));
    match (is_valid, expected, first) {
        (true, _, Some(first)) => Some(format!("should be accepted, got {first}")),
        (false, expected, None) => Some(format!("should be refused: {expected:?}")),
        (false, Some(expected), Some(first)) if position(expected) != position(&first) => {
            Some(format!("expected {expected}, got {first}"))
        }
        (true, _, None) | (false, ..) => None,
    }
}

/// `line:column` at the start of a message.
fn position(message: &str) -> Option<(usize, usize)> {
    let mut parts = message.split(':');
    Some((parts.next()?.trim().parse().ok()?, parts.next()?.trim().parse().ok()?))
}

fn syntax(folder: &Path) -> Result<Tally> {
    let mut tally = Tally::new("alloy/syntax.jsonl");
    for row in rows(&folder.join("syntax.jsonl"))? {
        let source = Source::new("case", text(&row, "text"));
        let findings = if text(&row, "kind") == "expression" {
            alloy::check_expression(&source, Strictness::Alloy)
        } else {
            alloy::check_syntax(&source, Strictness::Alloy)
        };
        let is_valid = row.get("syntax_ok") == Some(&Json::Bool(true));
        let first = row.get("errors").and_then(|errors| errors.get(0)).and_then(Json::as_str);
        tally.count(text(&row, "id"), compare(is_valid, first, &findings));
    }
    Ok(tally)
}

fn expectations(folder: &Path) -> Result<Tally> {
    let mut tally = Tally::new("alloy/expectations.jsonl");
    for row in rows(&folder.join("expectations.jsonl"))? {
        let file = text(&row, "file");
        let Ok(content) = std::fs::read_to_string(folder.join(file)) else {
            tally.count(file, Some("the file is missing".to_owned()));
            continue;
        };
        let findings = alloy::check_syntax(&Source::new(file, content), Strictness::Alloy);
        let is_valid = row.get("syntax_ok") == Some(&Json::Bool(true));
        let expected = row.get("error").and_then(Json::as_str);
        tally.count(file, compare(is_valid, expected, &findings));
    }
    Ok(tally)
}

/// Files whose comments say which error stands at the word before them.
fn markers(folder: &Path) -> Result<Tally> {
    const MARK: &str = "/* ERROR \"";
    let mut tally = Tally::new("alloy/invalid");
    for path in files(&folder.join("invalid"))? {
        let content = std::fs::read_to_string(&path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let source = Source::new(name.as_str(), content.as_str());
        let findings = alloy::check_syntax(&source, Strictness::Alloy);
        let found: Vec<_> =
            findings.iter().map(|finding| (finding.line(), finding.column())).collect();
        let mut problem = None;
        let mut count = 0;
        for (at, _) in content.match_indices(MARK) {
            count += 1;
            let place = source.position(word_before(&content, at));
            if !found.contains(&place) {
                problem = Some(format!("no error at {place:?}, only at {found:?}"));
            }
        }
        if count != found.len() && problem.is_none() {
            problem = Some(format!("{count} errors expected, got {findings:?}"));
        }
        tally.count(&name, problem);
    }
    Ok(tally)
}

/// Where the word that ends before a place starts.
fn word_before(content: &str, at: usize) -> usize {
    let before = content.get(..at).unwrap_or_default().trim_end();
    for quote in ['"', '`'] {
        if let Some(body) = before.strip_suffix(quote) {
            return body.rfind(quote).unwrap_or(0);
        }
    }
    let word = before.trim_end_matches(|next: char| next.is_alphanumeric() || next == '_');
    if word.len() < before.len() { word.len() } else { before.len().saturating_sub(1) }
}

fn values(folder: &Path) -> Result<Tally> {
    let mut tally = Tally::new("alloy/eval.jsonl");
    for row in rows(&folder.join("eval.jsonl"))? {
        let mut environment = FixedEnvironment::default();
        for (name, value) in row.get("env").and_then(Json::as_object).into_iter().flatten() {
            environment = environment.with(name, value.as_str().unwrap_or_default());
        }
        let scope = row.get("scope").and_then(Json::as_object).into_iter().flatten();
        let variables: BTreeMap<String, Value> =
            scope.map(|(name, value)| (name.clone(), variable(name, value))).collect();
        let source: Arc<Source> = Source::new("case", text(&row, "expr"));
        let result = alloy::evaluate(&source, &variables, &environment);
        tally.count(text(&row, "id"), judge(&row, result));
    }
    Ok(tally)
}

/// A variable of a row. The rows write an optional secret as its two fields, and a secret as plain
/// text under a name that says so.
fn variable(name: &str, value: &Json) -> Value {
    let data = match (value.get("IsSecret"), value.get("Value")) {
        (Some(is_secret), Some(inner)) => Data::OptionalSecret {
            text: Secret::new(inner.as_str().unwrap_or_default()),
            is_secret: is_secret == &Json::Bool(true),
        },
        _ => match value.as_str() {
            Some(inner) if name.starts_with("secret") => Data::Secret(Secret::new(inner)),
            _ => Value::from(value.clone()).data,
        },
    };
    Value { data, ..Value::default() }
}

fn judge(row: &Json, result: Result<Value, Vec<Diagnostic>>) -> Option<String> {
    let is_error = text(row, "expect") == "error";
    let value = match result {
        Err(_) if is_error => return None,
        Err(findings) => return Some(format!("{:?}", findings.first().map(ToString::to_string))),
        Ok(value) if is_error => return Some(format!("should fail, got {:?}", value.data)),
        Ok(value) => value,
    };
    let expected = row.get("value").cloned().unwrap_or_default();
    let shown = plain(&value);
    let kind = text(row, "type");
    let is_secret = matches!(value.kind(), "secret" | "optional secret");
    if Value::from(expected.clone()) != Value::from(shown.clone()) {
        return Some(format!("expected {expected}, got {shown}"));
    }
    (!is_secret && kind != value.kind()).then(|| format!("expected {kind}, got {}", value.kind()))
}

/// A value in the notation of the rows.
fn plain(value: &Value) -> Json {
    match &value.data {
        Data::Null => Json::Null,
        Data::Bool(truth) => Json::Bool(*truth),
        Data::Number(number) => match number.whole().and_then(|whole| i64::try_from(whole).ok()) {
            Some(whole) => Json::from(whole),
            None => Json::from(number.as_f64()),
        },
        Data::String(text) => Json::from(text.as_str()),
        Data::Secret(text) => Json::from(text.expose()),
        Data::OptionalSecret { text, is_secret } => {
            serde_json::json!({ "IsSecret": is_secret, "Value": text.expose() })
        }
        Data::Array(items) => Json::Array(items.iter().map(plain).collect()),
        Data::Object(object) => {
            let field =
                |field: &bessemer_config::value::Field| (field.name.clone(), plain(&field.value));
            Json::Object(object.fields.iter().map(field).collect())
        }
        Data::Reference(reference) => Json::from(reference.to_string()),
    }
}

/// The formatter's own cases: a text and what it becomes.
fn printer(folder: &Path) -> Result<Tally> {
    let mut tally = Tally::new("alloy/printer");
    for path in files(&folder.join("printer"))? {
        if path.extension().is_none_or(|ending| ending != "in") {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let source = Source::new(name.as_str(), std::fs::read_to_string(&path)?);
        let formatted = alloy::format(&source, Strictness::Alloy);
        let expected = std::fs::read_to_string(path.with_extension("expect"));
        let is_refused = name.ends_with("_error.in") || path.with_extension("error").exists();
        let problem = match (formatted, expected) {
            (Err(_), _) if is_refused => None,
            (Ok(_), _) if is_refused => Some("should be refused".to_owned()),
            (Err(findings), _) => Some(format!("{findings:?}")),
            (Ok(text), Ok(expected)) if text.trim_end() != expected.trim_end() => {
                Some(format!("expected\n{expected}\ngot\n{text}"))
            }
            (Ok(text), _) => unstable(&text),
        };
        tally.count(&name, problem);
    }
    Ok(tally)
}

/// Formatting a formatted text must change nothing.
fn unstable(text: &str) -> Option<String> {
    match alloy::format(&Source::new("formatted", text), Strictness::Alloy) {
        Err(findings) => Some(format!("the result is not valid: {:?}", findings.first())),
        Ok(again) if again != text => Some(format!("not stable:\n{text}\nbecomes\n{again}")),
        Ok(_) => None,
    }
}

/// Every valid text: formatted once it is valid and stable.
fn formatter(folder: &Path) -> Result<Tally> {
    let mut tally = Tally::new("alloy (format is stable)");
    for path in files(folder)? {
        if path.extension().is_none_or(|ending| ending != "alloy") {
            continue;
        }
        let name = path.strip_prefix(folder)?.to_string_lossy().into_owned();
        let source = Source::new(name.as_str(), std::fs::read_to_string(&path)?);
        if let Ok(formatted) = alloy::format(&source, Strictness::Alloy) {
            tally.count(&name, unstable(&formatted));
        }
    }
    Ok(tally)
}
