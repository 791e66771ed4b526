//! Cases of the transformation language: statements on a record, syntax, arithmetic, comparison.

mod records;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anyhow::Result;
use bessemer_ottl::{
    Comparison, Compiler, Context, Environment, ErrorMode, Functions, Program, Record, Value,
    check_condition, check_statement, compare,
};
use bessemer_record::{Draft, Limits, Signal, Tails};
use serde_json::Value as Json;

use super::{Tally, rows};

/// Late in 2024, when the cases were made.
const NOW_UNIX_NANO: u64 = 1_733_702_400_000_000_000;

const RECORD_FILES: [&str; 4] =
    ["ottl_e2e", "ottl_e2e_newer", "ottl_functions", "ottl_readme_examples"];

/// Runs all files.
pub(super) fn run(folder: &Path) -> Result<Vec<Tally>> {
    let mut tallies = Vec::new();
    for name in RECORD_FILES {
        tallies.push(tally(folder, name, on_record)?);
    }
    tallies.push(tally(folder, "ottl_grammar", grammar)?);
    tallies.push(tally(folder, "ottl_math", arithmetic)?);
    tallies.push(tally(folder, "ottl_compare", comparison)?);
    Ok(tallies)
}

fn tally(
    folder: &Path,
    name: &str,
    judge: fn(&Json) -> Option<Result<(), String>>,
) -> Result<Tally> {
    let mut tally = Tally::new(&format!("ottl/{name}.jsonl"));
    for row in rows(&folder.join(format!("{name}.jsonl")))? {
        let id = row.get("id").and_then(Json::as_str).unwrap_or_default().to_owned();
        match catch_unwind(AssertUnwindSafe(|| judge(&row))) {
            Ok(None) => {}
            Ok(Some(verdict)) => tally.count(&id, verdict.err()),
            Err(_) => tally.count(&id, Some("panic".to_owned())),
        }
    }
    Ok(tally)
}

fn statements(row: &Json) -> Vec<String> {
    let texts =
        row["statements"].as_array().cloned().unwrap_or_else(|| vec![row["statement"].clone()]);
    texts.iter().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
}

fn on_record(row: &Json) -> Option<Result<(), String>> {
    let context = Context::from_name(row["context"].as_str().unwrap_or("log"))?;
    let expect = row["expect"].as_str().unwrap_or("ok");
    let outcome = executed(row, context);
    Some(match (expect, outcome) {
        ("ok", Ok(found)) => records::compared(&found, &row["expected"]),
        ("ok", Err(Failure::Compile(error) | Failure::Run(error))) => Err(error),
        ("parse_error", Err(Failure::Compile(_))) | ("runtime_error", Err(Failure::Run(_))) => {
            Ok(())
        }
        ("parse_error", _) => Err("should not compile".to_owned()),
        (_, Err(Failure::Compile(error))) => Err(format!("should compile: {error}")),
        (_, _) => Err("should fail on the record".to_owned()),
    })
}

enum Failure {
    Compile(String),
    Run(String),
}

/// What the statements make of the input.
fn executed(row: &Json, context: Context) -> Result<Json, Failure> {
    let functions = Functions::standard();
    let compiler = Compiler::new(context, &functions);
    let compile = |text: &String| {
        compiler.statement(text).map_err(|error| Failure::Compile(format!("{text}: {error}")))
    };
    let compiled = statements(row).iter().map(compile).collect::<Result<Vec<_>, _>>()?;
    let program = Program::new(context, compiled, ErrorMode::Propagate);
    let run = |error: String| Failure::Run(error);
    let signal = signal(&row["input"]);
    let text = row["input"].to_string();
    let limits = Limits::default();
    let checked = bessemer_record::json::from_otlp_json(signal, text.as_bytes(), &limits)
        .map_err(|error| run(error.to_string()))?;
    let tails = Tails::none();
    let mut draft = Draft::from_checked(&checked, &tails);
    let environment = Environment::at(NOW_UNIX_NANO);
    program
        .run(&mut draft, &environment, &mut |_, _| {})
        .map_err(|error| run(error.to_string()))?;
    let emitted = draft.emit(|_| 0, 1);
    let bytes = emitted.first().map(|emitted| emitted.bytes.clone()).unwrap_or_default();
    let checked = bessemer_record::Checked::check(signal, bytes, &limits)
        .map_err(|error| run(error.to_string()))?;
    let json = bessemer_record::json::to_otlp_json(&checked);
    serde_json::from_slice(&json).map_err(|error| run(error.to_string()))
}

fn signal(input: &Json) -> Signal {
    if input.get("resourceSpans").is_some() {
        Signal::Traces
    } else if input.get("resourceMetrics").is_some() {
        Signal::Metrics
    } else {
        Signal::Logs
    }
}

fn grammar(row: &Json) -> Option<Result<(), String>> {
    let text = row["text"].as_str()?;
    let checked = match row["kind"].as_str() {
        Some("statement") => check_statement(text),
        _ => check_condition(text),
    };
    Some(match (checked, row["syntax_ok"].as_bool().unwrap_or_default()) {
        (Ok(()), true) | (Err(_), false) => Ok(()),
        (Ok(()), false) => Err(format!("should be refused: {text}")),
        (Err(error), true) => Err(format!("{text}: {error}")),
    })
}

fn arithmetic(row: &Json) -> Option<Result<(), String>> {
    if row["needs_test_paths"].as_bool() == Some(true) {
        return None;
    }
    let functions = Functions::standard();
    let compiled = Compiler::new(Context::Log, &functions).value(row["expr"].as_str()?);
    let record = Record::new(Context::Log, &[], &[], &[], &[]);
    let found = compiled
        .map_err(|error| error.to_string())
        .and_then(|value| value.evaluate(record, &Environment::at(0)).map_err(|it| it.to_string()));
    let result = &row["result"];
    let wanted = match (result["intValue"].as_str(), &result["doubleValue"]) {
        (Some(number), _) => Value::Int(number.parse().ok()?),
        (None, Json::String(infinite)) => {
            Value::Float(if infinite == "-Inf" { f64::NEG_INFINITY } else { f64::INFINITY })
        }
        (None, number) => {
            let Some(number) = number.as_f64() else {
                let is_error = found.is_err();
                return Some(if is_error {
                    Ok(())
                } else {
                    Err(format!("should fail: {found:?}"))
                });
            };
            Value::Float(number)
        }
    };
    Some(match found {
        Ok(found) if found == wanted => Ok(()),
        other => Err(format!("{other:?} is not {wanted:?}")),
    })
}

fn comparison(row: &Json) -> Option<Result<(), String>> {
    let name = row["name"].as_str().unwrap_or_default();
    // The rows give values without their types; the names say which side is a float.
    let sides: Vec<&str> = name.split(' ').collect();
    let left = literal(row["a"].as_str()?, sides.contains(&"float64") && sides.len() == 1)?;
    let right = literal(row["b"].as_str()?, false)?;
    let all = [
        ("eq", Comparison::Equal),
        ("ne", Comparison::NotEqual),
        ("lt", Comparison::Less),
        ("lte", Comparison::LessOrEqual),
        ("gt", Comparison::Greater),
        ("gte", Comparison::GreaterOrEqual),
    ];
    let wrong = all
        .into_iter()
        .find(|(key, operator)| row[*key].as_bool() != Some(compare(&left, *operator, &right)));
    Some(match wrong {
        None => Ok(()),
        Some((key, _)) => Err(format!("{name}: {key} of {left:?} and {right:?}")),
    })
}

/// A value as the rows write it.
fn literal(text: &str, is_float: bool) -> Option<Value> {
    if let Some(inner) = text.strip_prefix('"') {
        return Some(Value::from(inner.strip_suffix('"')?));
    }
    if let Some(inner) = text.strip_prefix("[]byte{") {
        let bytes = inner.trim_end_matches('}').split(',').filter(|byte| !byte.trim().is_empty());
        let bytes =
            bytes.map(|byte| u8::from_str_radix(byte.trim().trim_start_matches("0x"), 16).ok());
        return bytes.collect::<Option<Vec<_>>>().map(Value::Bytes);
    }
    match text {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        "<nil>" | "[]byte(nil)" => Some(Value::Nil),
        number => match number.parse::<i64>() {
            Ok(number) if !is_float => Some(Value::Int(number)),
            _ => number.parse().ok().map(Value::Float),
        },
    }
}
