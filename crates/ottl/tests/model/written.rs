//! Statements together, on a record that is taken apart, against each of them alone, on the bytes
//! that the one before it left.

use bessemer_ottl::{Context, ErrorMode, Program, Record, Statement};
use proptest::prelude::*;
use prost::Message as _;

use super::{now, statement};

#[expect(dead_code, reason = "shared with the properties of records, which use all of it")]
#[path = "../../../record/tests/oracle/generate.rs"]
mod generate;

/// Paths that some contexts have; where one has none, the statement is left out.
const PATHS: [&str; 38] = [
    "attributes",
    "attributes[\"a\"]",
    "attributes[\"b\"]",
    "attributes[\"new\"]",
    "attributes[\"a\"][\"b\"]",
    "attributes[\"a\"][0]",
    "attributes[attributes[\"b\"]]",
    "resource.attributes[\"a\"]",
    "resource.attributes",
    "instrumentation_scope.name",
    "instrumentation_scope.attributes[\"b\"]",
    "body",
    "body.string",
    "body[\"a\"]",
    "severity_number",
    "severity_text",
    "time",
    "time_unix_nano",
    "flags",
    "trace_id",
    "span_id.string",
    "trace_state",
    "trace_state[\"a\"]",
    "name",
    "kind",
    "kind.string",
    "status.message",
    "status.code",
    "status",
    "events",
    "dropped_attributes_count",
    "span.name",
    "metric.name",
    "metric.description",
    "value_int",
    "value_double",
    "count",
    "bucket_counts",
];

const VALUES: [&str; 14] = [
    "\"text\"",
    "\"a longer text with 12 numbers 3456 and more\"",
    "\"\"",
    "1",
    "-7",
    "2.5",
    "true",
    "nil",
    "0x0102",
    "[1, \"a\"]",
    "{\"a\": 1, \"b\": {\"c\": \"d\"}}",
    "Concat([name, attributes[\"a\"], 5], \"-\")",
    "Split(\"a b c\", \" \")",
    "Now()",
];

/// Statements with the places P (a path), T (a path or a value), in the order of what is drawn.
const EDITS: [&str; 22] = [
    "set(P, T)",
    "set(P, T)",
    "set(attributes[\"a\"], T)",
    "set(attributes[\"new\"], T)",
    "set(P, SHA256(T))",
    "set(P, Concat([T, T], \", \"))",
    "set(P, ToUpperCase(T))",
    "set(P, Len(T))",
    "append(P, T)",
    "delete_key(P, \"a\")",
    "delete_key(attributes, \"b\")",
    "delete_keys(P, [\"a\", \"b\"])",
    "keep_keys(P, [\"a\", \"new\"])",
    "delete_matching_keys(P, \"^[ab]$\")",
    "truncate_all(P, 5)",
    "truncate_all(attributes, 2)",
    "limit(P, 2, [\"b\"])",
    "merge_maps(P, T, \"upsert\")",
    "flatten(P)",
    "replace_pattern(P, \"[a-z]+\", \"x\")",
    "replace_pattern(P, \"(?P<one>[a-z])\", \"$one-\", SHA256)",
    "replace_all_patterns(P, \"value\", \"[0-9]\", \"n\")",
];

const TESTS: [&str; 9] = [
    "true",
    "T == T",
    "T != nil",
    "T < T",
    "IsMatch(T, \"[a-z]\")",
    "IsString(T)",
    "IsMap(T) or IsList(T)",
    "HasPrefix(T, T)",
    "not (T >= 1)",
];

fn filled(template: &str, paths: &[usize], values: &[usize]) -> String {
    let (mut paths, mut values) = (paths.iter().cycle(), values.iter().cycle());
    let mut out = String::new();
    for char in template.chars() {
        match char {
            'P' => out.push_str(PATHS[paths.next().unwrap() % PATHS.len()]),
            'T' => {
                let at = values.next().unwrap() % (PATHS.len() + VALUES.len());
                out.push_str(PATHS.get(at).unwrap_or_else(|| &VALUES[at - PATHS.len()]));
            }
            other => out.push(other),
        }
    }
    out
}

/// Some names of functions have a capital P or T of their own.
fn text() -> impl Strategy<Value = String> {
    let drawn = (
        prop::sample::select(EDITS.to_vec()),
        prop::option::of(prop::sample::select(TESTS.to_vec())),
        prop::collection::vec(0..PATHS.len(), 1..3),
        prop::collection::vec(0..PATHS.len() + VALUES.len(), 1..4),
    );
    drawn.prop_map(|(edit, test, paths, values)| {
        let edit = edit.replace("ToUpperCase(T)", "\u{1}(T)");
        let edit = edit.replace("HasPrefix", "\u{2}");
        let text = match test {
            Some(test) => format!("{edit} where {}", test.replace("HasPrefix", "\u{2}")),
            None => edit,
        };
        let text = filled(&text, &paths, &values);
        text.replace('\u{1}', "ToUpperCase").replace('\u{2}', "HasPrefix")
    })
}

/// The messages of a record: resource, scope, what is around it, itself.
type Parts = [Vec<u8>; 4];

const POINT_FIELDS: [u32; 5] = [5, 7, 9, 10, 11];

fn parts(context: Context, bytes: &[u8]) -> Parts {
    let mut dice = generate::Dice::new(bytes);
    let request = match context {
        Context::Log => dice.logs().encode_to_vec(),
        Context::Metric | Context::DataPoint => dice.metrics().encode_to_vec(),
        _ => dice.traces().encode_to_vec(),
    };
    let child = |message: &[u8], number: u32| -> Vec<u8> {
        let found = bessemer_record::edit::fields(message).find(|(found, _)| *found == number);
        found.and_then(|(_, field)| field.bytes()).unwrap_or_default().to_vec()
    };
    let group = child(&request, 1);
    let (resource, scopes) = (child(&group, 1), child(&group, 2));
    let (scope, item) = (child(&scopes, 1), child(&scopes, 2));
    match context {
        Context::SpanEvent => {
            let event = child(&item, 11);
            [resource, scope, item, event]
        }
        Context::DataPoint => {
            let data = POINT_FIELDS.iter().map(|number| child(&item, *number));
            let data = data.max_by_key(Vec::len).unwrap_or_default();
            let point = child(&data, 1);
            [resource, scope, item, point]
        }
        _ => [resource, scope, Vec::new(), item],
    }
}

fn record(context: Context, parts: &Parts) -> Record<'_> {
    let [resource, scope, outer, own] = parts;
    Record::new(context, resource, scope, outer, own)
}

/// What the parts are called in a context.
fn names(context: Context) -> [Context; 4] {
    let outer = match context {
        Context::SpanEvent => Context::Span,
        _ => Context::Metric,
    };
    [Context::Resource, Context::Scope, outer, context]
}

fn has_outer(context: Context) -> bool {
    matches!(context, Context::SpanEvent | Context::DataPoint)
}

/// Runs each statement alone, on what the one before it left.
fn one_by_one(
    context: Context,
    statements: &[Statement],
    mut parts: Parts,
) -> (Parts, Vec<(String, String)>) {
    let mut told = Vec::new();
    for statement in statements {
        let before = parts.clone();
        let mut record = record(context, &before);
        if let Err(error) = statement.run(&mut record, &now()) {
            told.push((statement.source().to_owned(), error.to_string()));
        }
        for (at, name) in names(context).into_iter().enumerate() {
            if (at != 2 || has_outer(context))
                && let Some(message) = record.take_changed(name)
            {
                parts[at] = message;
            }
        }
    }
    (parts, told)
}

fn together(
    context: Context,
    statements: Vec<Statement>,
    parts: &Parts,
) -> (Parts, Vec<(String, String)>) {
    let program = Program::new(context, statements, ErrorMode::Ignore);
    let mut record = record(context, parts);
    let mut told = Vec::new();
    let mut report = |source: &str, error: &bessemer_ottl::RunError| {
        told.push((source.to_owned(), error.to_string()));
    };
    program.run_record(&mut record, &now(), &mut report).unwrap();
    let mut after = parts.clone();
    for (at, name) in names(context).into_iter().enumerate() {
        if at != 2 || has_outer(context) {
            after[at] = record.message(name).to_vec();
        }
    }
    (after, told)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// Promise: a record on which statements ran is byte for byte what each of them alone makes of
    /// the bytes that the one before it left, and the same statements fail for the same reason.
    #[test]
    fn statements_together_write_what_each_alone_writes(
        context in prop::sample::select(vec![
            Context::Log, Context::Log, Context::Span, Context::SpanEvent, Context::Metric,
            Context::DataPoint,
        ]),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        texts in prop::collection::vec(text(), 3..12),
    ) {
        let statements: Vec<Statement> =
            texts.iter().filter_map(|text| statement(context, text)).collect();
        let parts = parts(context, &bytes);
        let expected = one_by_one(context, &statements, parts.clone());
        let found = together(context, statements, &parts);
        prop_assert_eq!(found, expected, "{:#?}", texts);
    }
}
