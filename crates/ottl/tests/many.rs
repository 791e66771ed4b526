//! Many statements and conditions: a record that none of them is about costs the same as with few,
//! and what they do is what they do one by one.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails its test")]

use bessemer_ottl::{
    Compiler, Condition, Conditions, Context, Environment, ErrorMode, Functions, Program, Record,
    Statement,
};
use bessemer_record::json::from_otlp_json;
use bessemer_record::{Draft, Limits, Signal, Tails};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// Conditions of each shape that is looked up, none of which holds for the record of these tests.
const SHAPES: [fn(usize) -> String; 9] = [
    |at| format!("attributes[\"key{}\"] == \"other{at}\"", at % 8),
    |at| format!("attributes[\"absent{at}\"] != nil"),
    |at| format!("body == \"text {at}\""),
    |at| format!("IsMatch(body, \"needle{at}[0-9]+\")"),
    |at| format!("IsMatch(attributes[\"key1\"], \"^(?:hay|straw){at}$\")"),
    |at| format!("severity_number == {}", at + 100),
    |at| format!("resource.attributes[\"service.name\"] == \"service{at}\" and body != nil"),
    |at| format!("severity_number > 5 and attributes[\"key2\"] == {}", at + 100),
    |at| format!("severity_text == \"S{at}\" or IsMatch(body, \".*error code {at}.*\")"),
];

fn functions() -> &'static Functions {
    static FUNCTIONS: std::sync::LazyLock<Functions> =
        std::sync::LazyLock::new(Functions::standard);
    &FUNCTIONS
}

fn statement(text: &str) -> Statement {
    Compiler::new(Context::Log, functions()).statement(text).unwrap()
}

fn condition(text: &str) -> Condition {
    Compiler::new(Context::Log, functions()).condition(text).unwrap()
}

fn draft(attributes: &Json, body: &Json) -> Draft {
    let record = json!({
        "severityNumber": 9, "severityText": "INFO", "body": body, "attributes": attributes,
    });
    let service = json!([{ "key": "service.name", "value": { "stringValue": "shop" } }]);
    let batch = json!({ "resourceLogs": [{
        "resource": { "attributes": service },
        "scopeLogs": [{ "logRecords": [record] }],
    }] });
    let limits = Limits::default();
    let checked = from_otlp_json(Signal::Logs, batch.to_string().as_bytes(), &limits).unwrap();
    Draft::from_checked(&checked, &Tails::none())
}

/// A record with ten attributes and a body in words.
fn usual() -> Draft {
    let attribute = |at: usize| json!({ "key": format!("key{at}"), "value": { "stringValue": format!("value{at}") } });
    let attributes: Vec<Json> = (0..10).map(attribute).collect();
    draft(&json!(attributes), &json!({ "stringValue": "GET /cart 200 in 12 ms" }))
}

fn now() -> Environment {
    Environment::at(0)
}

/// Promise: with 1,000 statements a record that none of them is about takes at most twice the steps
/// that it takes with 24, for each shape of condition that is looked up and for all together.
#[test]
fn a_record_that_no_statement_is_about_costs_the_same_for_1000_as_for_24() {
    let draft = usual();
    let steps = |count: usize, shapes: &[fn(usize) -> String]| {
        let text = |at: usize| format!("set(body, 1) where {}", shapes[at % shapes.len()](at));
        let statements = (0..count).map(|at| statement(&text(at))).collect();
        let program = Program::new(Context::Log, statements, ErrorMode::Propagate);
        let mut record = Record::of_item(&draft, 0);
        program.run_record(&mut record, &now(), &mut |_, _| {}).unwrap();
        assert_eq!(record.take_changed(Context::Log), None);
        record.steps()
    };
    for shapes in SHAPES.chunks(1).chain([&SHAPES[..]]) {
        let (few, many) = (steps(24, shapes), steps(1_000, shapes));
        assert!(many <= 2 * few, "{}: {few} steps became {many}", shapes[0](0));
    }
}

#[test]
fn a_record_that_no_condition_matches_costs_the_same_for_1000_as_for_24() {
    let draft = usual();
    let steps = |count: usize| {
        let all = (0..count).map(|at| condition(&SHAPES[at % SHAPES.len()](at))).collect();
        let record = Record::of_item(&draft, 0);
        let holds = Conditions::new(all).any(&record, &now(), &mut |_, error| Err(error));
        assert_eq!(holds, Ok(false));
        record.steps()
    };
    let (few, many) = (steps(24), steps(1_000));
    assert!(many <= 2 * few, "{few} steps became {many}");
}

/// Texts of conditions over a small world, so that many of them hold.
fn test() -> impl Strategy<Value = String> {
    let path = prop::sample::select(vec![
        "attributes[\"a\"]",
        "attributes[\"b\"]",
        "attributes[\"m\"][\"x\"]",
        "body",
        "severity_number",
        "severity_text",
        "resource.attributes[\"service.name\"]",
        "body.string",
        "cache[\"c\"]",
    ]);
    let literal = prop::sample::select(vec![
        "\"one\"",
        "\"two words\"",
        "\"\"",
        "1",
        "2.0",
        "9",
        "nil",
        "true",
        "\"INFO\"",
        "0x01",
    ]);
    let pattern = prop::sample::select(vec![
        "one",
        "^two",
        "(?i)WORDS",
        ".*",
        "one|1",
        "(?:two|one) ?w",
        "9",
    ]);
    let operator = prop::sample::select(vec!["==", "!=", "<", ">="]);
    let leaf = prop_oneof![
        (path.clone(), operator, literal.clone())
            .prop_map(|(path, operator, literal)| format!("{path} {operator} {literal}")),
        (literal, path.clone()).prop_map(|(literal, path)| format!("{literal} == {path}")),
        (path, pattern).prop_map(|(path, pattern)| format!("IsMatch({path}, \"{pattern}\")")),
        Just("HasPrefix(attributes[\"a\"], \"o\")".to_owned()),
        Just("true".to_owned()),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone())
                .prop_map(|(left, right)| format!("({left}) and ({right})")),
            (inner.clone(), inner.clone())
                .prop_map(|(left, right)| format!("({left}) or ({right})")),
            inner.prop_map(|inner| format!("not ({inner})")),
        ]
    })
}

fn edit() -> impl Strategy<Value = String> {
    let target = prop::sample::select(vec![
        "attributes[\"a\"]",
        "attributes[\"b\"]",
        "body",
        "severity_number",
        "severity_text",
        "resource.attributes[\"service.name\"]",
        "cache[\"c\"]",
    ]);
    let value = prop::sample::select(vec!["\"one\"", "\"two words\"", "1", "9", "2.0", "body"]);
    prop_oneof![
        (target, value).prop_map(|(target, value)| format!("set({target}, {value})")),
        Just("delete_key(attributes, \"a\")".to_owned()),
    ]
}

fn stored() -> impl Strategy<Value = Json> {
    prop_oneof![
        prop::sample::select(vec!["one", "two words", "Words", "", "9"])
            .prop_map(|text| json!({ "stringValue": text })),
        prop::sample::select(vec![1, 2, 9]).prop_map(|number| json!({ "intValue": number })),
        prop::sample::select(vec![1.0, 2.5]).prop_map(|number| json!({ "doubleValue": number })),
        Just(json!({})),
        Just(json!({ "bytesValue": "AQ==" })),
        Just(json!({ "kvlistValue": { "values": [
            { "key": "x", "value": { "stringValue": "one" } },
        ] } })),
    ]
}

fn attributes() -> impl Strategy<Value = Json> {
    let key = prop::sample::select(vec!["a", "b", "m"]);
    let one = (key, stored()).prop_map(|(key, value)| json!({ "key": key, "value": value }));
    prop::collection::vec(one, 0..4).prop_map(Json::from)
}

proptest! {
    /// Promise: statements that are looked up do and report what they do and report one by one.
    #[test]
    fn many_statements_do_what_they_do_one_by_one(
        texts in prop::collection::vec((edit(), test()), 12..40),
        attributes in attributes(),
        body in stored(),
    ) {
        let texts = texts.iter().map(|(edit, test)| format!("{edit} where {test}"));
        let statements: Vec<Statement> = texts.map(|text| statement(&text)).collect();
        let draft = draft(&attributes, &body);
        let (mut alone, mut reports) = (Record::of_item(&draft, 0), Vec::new());
        for statement in &statements {
            if let Err(error) = statement.run(&mut alone, &now()) {
                reports.push((statement.source().to_owned(), error));
            }
        }
        let program = Program::new(Context::Log, statements, ErrorMode::Ignore);
        let (mut together, mut told) = (Record::of_item(&draft, 0), Vec::new());
        let mut report = |source: &str, error: &_| told.push((source.to_owned(), Clone::clone(error)));
        program.run_record(&mut together, &now(), &mut report).unwrap();
        for part in [Context::Log, Context::Resource] {
            prop_assert_eq!(together.message(part), alone.message(part));
        }
        prop_assert_eq!(told, reports);
    }

    /// Promise: of conditions that are looked up one holds exactly if one holds by itself.
    #[test]
    fn many_conditions_hold_as_they_do_one_by_one(
        texts in prop::collection::vec(test(), 12..40),
        attributes in attributes(),
        body in stored(),
    ) {
        let all: Vec<Condition> = texts.iter().map(|text| condition(text)).collect();
        let draft = draft(&attributes, &body);
        let record = Record::of_item(&draft, 0);
        let expected = all.iter().any(|one| one.holds(&record, &now()).unwrap_or_default());
        let ignored = &mut |_: &Condition, _| Ok::<(), ()>(());
        prop_assert_eq!(Conditions::new(all).any(&record, &now(), ignored), Ok(expected));
    }
}
