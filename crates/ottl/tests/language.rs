//! What values, comparisons and calculations come to, and what bounds them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that panics fails its test")]

use bessemer_ottl::{Compiler, Context, Environment, Functions, Limits, Record, RunError, Value};
use proptest::prelude::*;

const NOW: u64 = 1_700_000_000_000_000_000;

fn evaluate(source: &str, limits: Limits) -> Result<Value, RunError> {
    let functions = Functions::standard();
    let compiler = Compiler::new(Context::Log, &functions).with_limits(limits);
    let value = compiler.value(source).map_err(|error| RunError::Invalid(error.to_string()))?;
    let record = Record::new(Context::Log, &[], &[], &[], &[]);
    value.evaluate(record, &Environment::at(NOW))
}

fn check(source: &str, expected: impl Into<Value>) {
    assert_eq!(evaluate(source, Limits::default()), Ok(expected.into()), "{source}");
}

fn holds(condition: &str) -> bool {
    let functions = Functions::standard();
    let compiled = Compiler::new(Context::Log, &functions).condition(condition);
    let compiled = compiled.unwrap_or_else(|error| panic!("{condition}: {error}"));
    let record = Record::new(Context::Log, &[], &[], &[], &[]);
    compiled.holds(&record, &Environment::at(NOW)).unwrap()
}

#[test]
fn calculations_have_the_type_of_their_numbers() {
    check("1 + 2 * 3", 7);
    check("(1 + 2) * 3", 9);
    check("7 / 2", 3);
    check("-7 / 2", -3);
    check("10 - 2 - 3", 5);
    check("7.0 / 2.0", 3.5);
    check("1.5 + .5", 2.0);
    check("9223372036854775807 + 1", i64::MIN);
    check("Seconds(Duration(\"1m\") + Duration(\"30s\"))", 90.0);
    check("UnixSeconds(Unix(100) + Duration(\"1m\"))", 160);
    check("UnixSeconds(Duration(\"1m\") + Unix(100))", 160);
    check("Seconds(Unix(100) - Unix(40))", 60.0);
}

#[test]
fn calculations_that_have_no_answer_are_errors() {
    for source in [
        "1 / 0",
        "1.0 / 0.0",
        "1 + 1.0",
        "1 + \"1\"",
        "nil + 1",
        "Unix(1) + Unix(1)",
        "Unix(1) * Duration(\"1s\")",
        "Duration(\"1s\") - Unix(1)",
    ] {
        assert!(evaluate(source, Limits::default()).is_err(), "{source}");
    }
}

/// One value of each type, and where it stands: values of one class are compared, others differ.
const VALUES: [(&str, &str); 10] = [
    ("true", "bool"),
    ("1", "number"),
    ("1.5", "number"),
    ("\"1\"", "string"),
    ("0x01", "bytes"),
    ("nil", "nil"),
    ("Unix(1)", "time"),
    ("Duration(\"1s\")", "duration"),
    ("[1]", "list"),
    ("{\"a\": 1}", "map"),
];

#[test]
fn values_of_two_types_are_only_unequal() {
    for (left, class) in VALUES {
        assert!(holds(&format!("{left} == {left}")), "{left}");
        assert!(!holds(&format!("{left} != {left}")), "{left}");
        for (right, _) in VALUES.into_iter().filter(|(_, other)| *other != class) {
            assert!(holds(&format!("{left} != {right}")), "{left} {right}");
            for operator in ["==", "<", "<=", ">", ">="] {
                assert!(!holds(&format!("{left} {operator} {right}")), "{left} {operator} {right}");
            }
        }
    }
}

#[test]
fn values_of_one_type_have_an_order() {
    for condition in [
        "false < true",
        "1 < 1.5",
        "1.5 > 1",
        "1 == 1.0",
        "\"a\" < \"b\"",
        "0x01 < 0x02",
        "Unix(1) < Unix(2)",
        "nil <= nil and nil >= nil and not (nil < nil)",
        "Duration(\"1s\") >= Duration(\"1000ms\")",
    ] {
        assert!(holds(condition), "{condition}");
    }
}

#[test]
fn not_binds_before_and_and_that_before_or() {
    assert!(holds("true or false and false"));
    assert!(!holds("(true or false) and false"));
    assert!(holds("not false and true"));
    assert!(!holds("not (true or false)"));
    assert!(holds("not 1 == 2"));
}

#[test]
fn converters_give_what_the_language_says() {
    check("Int(\"12\")", 12);
    check("Int(\"2.0\")", Value::Nil);
    check("Int(2.9)", 2);
    check("Int(true)", 1);
    check("Double(\"2.5\")", 2.5);
    check("Double(\"x\")", Value::Nil);
    check("String(true)", "true");
    check("String(nil)", Value::Nil);
    check("Hex(1.1)", "3ff199999999999a");
    check("Hex(true)", "01");
    check("Concat([\"a\", 1, [2], nil], \"-\")", "a-1-[2]-<nil>");
    check("ConvertCase(\"myMetric\", \"snake\")", "my_metric");
    check("ConvertCase(\"my_metric\", \"camel\")", "MyMetric");
    check("Substring(\"123456789\", 0, 3)", "123");
    check("Split(\"A|B|C\", \"|\")[1]", "B");
    check("Len([1, 2])", 2);
    check("ParseJSON(\"{\\\"a\\\":[1]}\")[\"a\"][0]", 1.0);
    check("ParseKeyValue(\"k1=v1 k2=v2\")[\"k2\"]", "v2");
    check("ParseCSV(\"1,x\", \"n,t\")[\"t\"]", "x");
    check("Milliseconds(Duration(\"1m1ms\"))", 60_001);
    check("Hours(Duration(\"90m\"))", 1.5);
    check("Year(Now())", 2023);
    check("UnixNano(Now())", NOW.cast_signed());
    check("FNV(\"name\")", -4_270_347_329_889_690_746);
    check("IsMatch(12, \"^1\")", true);
    check("IsMatch(nil, \".*\")", false);
    check("Log(1)", 0.0);
    check("Format(\"%02d-%s\", [7, \"x\"])", "07-x");
}

/// What a Collector of version 0.149 answers.
#[test]
fn texts_of_values_are_those_of_the_collector() {
    check("String(Unix(5))", "\"1970-01-01T00:00:05Z\"");
    check("String(Duration(\"1m\"))", "60000000000");
    check("String({\"u\": \"<&>\"})", "{\"u\":\"\\u003c\\u0026\\u003e\"}");
    check("Concat([Unix(5), true], \"|\")", "\"1970-01-01T00:00:05Z\"|true");
    check("Format(\"%s|%d\", [nil, nil])", "%!s(<nil>)|%!d(<nil>)");
    check("Format(\"%q\", [10])", "'\\n'");
    check("trace_id.string", "00000000000000000000000000000000");
    check("Decode(\"h\u{e9}llo\", \"us-ascii\")", "h\u{e9}llo");
    check("Log(3)", 1.098_612_288_668_109_6);
    check("Log(42)", 3.737_669_618_283_368_4);
    check("IsInCIDR(\"nowhere\", [\"10.0.0.0/8\"])", false);
}

#[test]
fn camel_case_keeps_letters_and_digits_alone() {
    for (text, expected) in [
        ("HTTPServer_name-42x", "HttpserverName42X"),
        ("1,\\\"a,b\\\",c", "1abc"),
        ("h\u{e9}llo w", "HlloW"),
        ("aGVsbG8gd29ybGQ=", "AGvsbG8Gd29YbGq"),
        (" a b ", "AB"),
    ] {
        check(&format!("ToCamelCase(\"{text}\")"), expected);
    }
}

#[test]
fn addresses_are_taken_apart_as_the_collector_does() {
    for (url, part, expected) in [
        ("http://a.b/c%20d?x#y", "path", "/c d"),
        ("http://h/a b", "original", "http://h/a%20b"),
        ("http://[::1]:80/x.tar.gz", "domain", "::1"),
        ("mailto:a@b.c", "path", ""),
        ("HTTP://H.com/", "scheme", "http"),
        ("HTTP://H.com/", "original", "http://H.com/"),
        ("hello World", "original", "hello%20World"),
        ("x/y:z", "path", "x/y:z"),
    ] {
        check(&format!("URL(\"{url}\")[\"url.{part}\"]"), expected);
    }
    for url in ["", "http://a b/", "http://host:port/", "http://h/%zz", "12:30:00"] {
        assert!(evaluate(&format!("URL(\"{url}\")"), Limits::default()).is_err(), "{url}");
    }
}

#[test]
fn converters_refuse_what_they_cannot_convert() {
    for source in [
        "Substring(\"abc\", 2, 3)",
        "Duration(\"3 weeks\")",
        "Len(1)",
        "Log(0)",
        "Log(false)",
        "ParseJSON(\"{\")",
        "ParseKeyValue(\"\")",
        "Split(nil, \"|\")",
        "Split(\"a\", \"|\")[1]",
        "SHA256(1)",
        "Sort([[1]])",
        "Hex(trace_id)",
        "IsValidLuhn(\"4x\")",
        "ParseSimplifiedXML(\"text\")",
    ] {
        assert!(evaluate(source, Limits::default()).is_err(), "{source}");
    }
}

#[test]
fn a_value_larger_than_its_bound_is_refused() {
    let limits = Limits { value_bytes_max: 8, ..Limits::default() };
    let source = "Concat([\"12345\", severity_number, \"67890\"], \"\")";
    assert_eq!(evaluate(source, limits), Err(RunError::TooLarge { bytes_max: 8 }));
    check(source, "12345067890");
}

#[test]
fn more_steps_than_their_bound_are_refused() {
    let limits = Limits { steps_max: 2, ..Limits::default() };
    let source = "Len([Int(severity_number), Int(severity_number), Int(severity_number)])";
    assert_eq!(evaluate(source, limits), Err(RunError::TooLong { steps_max: 2 }));
    check(source, 3);
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        (-1e9..1e9_f64).prop_map(|number| format!("{number:.3}")),
        "[a-z|%=, ]{0,6}".prop_map(|text| format!("{text:?}")),
        prop::sample::select(vec![
            "nil",
            "true",
            "0x00ff",
            "body",
            "attributes",
            "severity_number"
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let functions = ["Int", "Double", "String", "Len", "Hex", "ParseJSON", "Duration", "Log"];
        prop_oneof![
            (inner.clone(), prop::sample::select(vec!["+", "-", "*", "/"]), inner.clone())
                .prop_map(|(left, operator, right)| format!("({left} {operator} {right})")),
            (prop::sample::select(functions.to_vec()), inner.clone())
                .prop_map(|(name, argument)| format!("{name}({argument})")),
            prop::collection::vec(inner.clone(), 0..3)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            inner.prop_map(|value| format!("{{\"k\": {value}}}")),
        ]
    })
}

proptest! {
    /// Promise: no text makes the compiler panic.
    #[test]
    fn any_text_compiles_or_is_an_error(text in "\\PC{0,60}") {
        let functions = Functions::standard();
        let compiler = Compiler::new(Context::Log, &functions);
        drop(compiler.statement(&text));
        drop(compiler.condition(&text));
    }

    /// Promise: what compiles has a value or an error, and compares with anything.
    #[test]
    fn expressions_run_and_compare(left in expression(), right in expression()) {
        let functions = Functions::standard();
        let compiler = Compiler::new(Context::Log, &functions);
        let record = Record::new(Context::Log, &[], &[], &[], &[]);
        let run = |operator: &str| {
            let condition = compiler.condition(&format!("{left} {operator} {right}")).ok()?;
            condition.holds(&record, &Environment::at(NOW)).ok()
        };
        prop_assert_eq!(run("==").map(|holds| !holds), run("!="));
        if let (Some(less), Some(greater)) = (run("<"), run(">")) {
            prop_assert!(!(less && greater));
        }
    }
}
