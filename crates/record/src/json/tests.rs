//! The rules of OTLP JSON one by one; that whole batches survive is proved in `tests/oracle`.

#![expect(
    clippy::float_cmp,
    clippy::string_slice,
    reason = "what is read is exact, and a cut inside a character fails the test"
)]

use super::*;
use crate::view::{LogRecordView, LogsView, MetricData, MetricsView, Number, TracesView};
use crate::{Limits, Signal, Value};

fn read(signal: Signal, text: &str) -> Result<Checked, JsonError> {
    from_otlp_json(signal, text.as_bytes(), &Limits::default())
}

/// A request with one log record.
fn with_record(record: &str) -> String {
    format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record}]}}]}}]}}"#)
}

fn with_body(body: &str) -> String {
    with_record(&format!(r#"{{"body":{body}}}"#))
}

/// Reads one log record, writes it again and returns its object.
fn rewritten(record: &str) -> String {
    let text = with_record(record);
    let batch = read(Signal::Logs, &text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let text = String::from_utf8(to_otlp_json(&batch)).unwrap();
    let prefix = with_record("").find("]}]}]}").unwrap();
    text[prefix..text.len() - "]}]}]}".len()].to_owned()
}

/// Reads one log record that has to be refused; returns what stands at the offset, and the reason.
fn refused(record: &str) -> (String, JsonErrorKind) {
    let text = with_record(record);
    let error = read(Signal::Logs, &text).expect_err(&text);
    (text[error.offset..].chars().take(6).collect(), error.kind)
}

fn one_body(text: &str) -> Value {
    let batch = read(Signal::Logs, &with_body(text)).unwrap();
    let record = LogsView::new(batch.bytes()).records().next().unwrap().record;
    record.body().to_value()
}

#[test]
fn requests_with_the_usual_fields_survive() {
    let examples = [
        (Signal::Logs, 1, include_str!("../../tests/data/otlp-examples/logs.json")),
        (Signal::Logs, 1, include_str!("../../tests/data/otlp-examples/events.json")),
        (Signal::Metrics, 4, include_str!("../../tests/data/otlp-examples/metrics.json")),
        (Signal::Traces, 1, include_str!("../../tests/data/otlp-examples/trace.json")),
    ];
    for (signal, records, text) in examples {
        let batch = read(signal, text).unwrap();
        assert_eq!(batch.records(), records);
        let written = to_otlp_json(&batch);
        assert!(!written.contains(&b'\n'), "one line");
        let again = read(signal, std::str::from_utf8(&written).unwrap()).unwrap();
        assert_eq!(again.bytes(), batch.bytes());

        let expected: serde_json::Value = serde_json::from_str(&canonical(text)).unwrap();
        let found: serde_json::Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(without_zeros(found), without_zeros(expected));
    }
}

/// The examples write ids in upper case, and whole doubles as integers.
fn canonical(text: &str) -> String {
    let mut text = text.to_owned();
    for id in ["5B8EFFF798038103D269B633813FC60C", "EEE19B7EC3C1B174", "EEE19B7EC3C1B173"] {
        text = text.replace(id, &id.to_lowercase());
    }
    text
}

/// Zeros are not written, except where presence says something; numbers compare as doubles.
fn without_zeros(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(key, value)| {
                let is_zero = value == &serde_json::json!(0) || value == &serde_json::json!("0");
                !is_zero || key == "min"
            })
            .map(|(key, value)| (key, without_zeros(value)))
            .collect(),
        Value::Array(values) => values.into_iter().map(without_zeros).collect(),
        Value::Number(number) => number.as_f64().into(),
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}

#[test]
fn ids_are_hexadecimal_in_any_case_and_written_in_lower_case() {
    assert_eq!(
        rewritten(r#"{"traceId":"5B8EFFF798038103d269b633813fc60c","spanId":"EEE19b7ec3c1b174"}"#),
        r#"{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"}"#
    );
    let hex = |text: &str| refused(&format!(r#"{{"traceId":{text}}}"#));
    for text in [r#""abc""#, r#""zz""#, r#""W47/95gDgQPSabYzgT/GDA==""#, "7", "[]"] {
        let (at, kind) = hex(text);
        assert!(text.starts_with(at.trim_end_matches(['}', ']'])), "{at} of {text}");
        assert!(matches!(kind, JsonErrorKind::WrongType { field: "traceId", .. }), "{kind:?}");
    }
}

#[test]
fn other_bytes_are_base64_in_either_alphabet() {
    let bytes = |text: &str| one_body(&format!(r#"{{"bytesValue":"{text}"}}"#));
    for text in ["+/8=", "+/8", "-_8=", "-_8", "\\u002b/8="] {
        assert_eq!(bytes(text), Value::Bytes(vec![0xFB, 0xFF]), "{text}");
    }
    assert_eq!(bytes(""), Value::Bytes(vec![]));
    assert_eq!(rewritten(r#"{"body":{"bytesValue":"-_8"}}"#), r#"{"body":{"bytesValue":"+/8="}}"#);
    let (at, kind) = refused(r#"{"body":{"bytesValue":"a*b"}}"#);
    assert_eq!(at, r#""a*b"}"#);
    assert!(matches!(kind, JsonErrorKind::WrongType { field: "bytesValue", .. }));
}

#[test]
fn enumerations_are_integers_only() {
    assert_eq!(rewritten(r#"{"severityNumber":10}"#), r#"{"severityNumber":10}"#);
    assert_eq!(rewritten(r#"{"severityNumber":99}"#), r#"{"severityNumber":99}"#);
    let (at, kind) = refused(r#"{"severityNumber":"SEVERITY_NUMBER_INFO"}"#);
    assert_eq!(
        (at.as_str(), kind),
        (r#""SEVER"#, JsonErrorKind::EnumName { field: "severityNumber" })
    );
    assert!(read(Signal::Logs, &with_record(r#"{"severityNumber":"10"}"#)).is_err());
}

#[test]
fn unknown_and_snake_case_keys_are_ignored() {
    let unknown =
        r#""new":{"a":[1,{"b":null},"\u00e4",[]],"c":{}},"time_unix_nano":"5","N":-0.5e+7"#;
    assert_eq!(rewritten(&format!(r#"{{{unknown},"eventName":"e"}}"#)), r#"{"eventName":"e"}"#);
    assert_eq!(rewritten(r#"{"severity_text":"x"}"#), "{}");
}

#[test]
fn keys_are_found_when_written_with_escapes() {
    assert_eq!(rewritten(r#"{"\u0065ventName":"e"}"#), r#"{"eventName":"e"}"#);
}

#[test]
fn integers_of_64_bits_are_strings_out_and_strings_or_numbers_in() {
    for text in ["18446744073709551615", "\"18446744073709551615\""] {
        assert_eq!(
            rewritten(&format!(r#"{{"timeUnixNano":{text}}}"#)),
            r#"{"timeUnixNano":"18446744073709551615"}"#
        );
    }
    let int = |text: &str| one_body(&format!(r#"{{"intValue":{text}}}"#));
    assert_eq!(int("-9223372036854775808"), Value::Int(i64::MIN));
    assert_eq!(int("\"9223372036854775807\""), Value::Int(i64::MAX));
    assert_eq!(int("\"-0\""), Value::Int(0));
    assert_eq!(int("0"), Value::Int(0));
}

#[test]
fn integers_with_fraction_exponent_or_other_text_are_refused() {
    for text in
        ["1.0", "1e3", "\"1e3\"", "\"\"", "\"+1\"", "\" 1\"", "\"01\"", "\"0x1\"", "true", "{}"]
    {
        let (at, kind) = refused(&format!(r#"{{"timeUnixNano":{text}}}"#));
        assert!(at.starts_with(&text[..1]), "{at}");
        assert!(matches!(kind, JsonErrorKind::WrongType { field: "timeUnixNano", .. }), "{text}");
    }
    for text in ["18446744073709551616", "-1", "\"100000000000000000000000\""] {
        let (_, kind) = refused(&format!(r#"{{"timeUnixNano":{text}}}"#));
        assert_eq!(kind, JsonErrorKind::OutOfRange { field: "timeUnixNano" }, "{text}");
    }
    let (_, kind) = refused(r#"{"flags":4294967296}"#);
    assert_eq!(kind, JsonErrorKind::OutOfRange { field: "flags" });
    let (_, kind) = refused(r#"{"severityNumber":2147483648}"#);
    assert_eq!(kind, JsonErrorKind::OutOfRange { field: "severityNumber" });
}

#[test]
fn doubles_are_numbers_or_the_names_of_what_json_has_no_number_for() {
    let double = |text: &str| {
        let Value::Double(number) = one_body(&format!(r#"{{"doubleValue":{text}}}"#)) else {
            panic!("{text} is no double")
        };
        number
    };
    assert_eq!(double("5"), 5.0);
    assert_eq!(double("\"-2.5e-3\""), -0.0025);
    assert_eq!(double("1e-400"), 0.0);
    assert_eq!(double("\"Infinity\""), f64::INFINITY);
    assert_eq!(double("\"-Infinity\""), f64::NEG_INFINITY);
    assert!(double("\"NaN\"").is_nan());
    assert!(double("-0").is_sign_negative());
    for (text, written) in
        [("-0.0", "-0.0"), ("0", "0.0"), ("1E21", "1e+21"), ("\"NaN\"", "\"NaN\"")]
    {
        let record = |text| format!(r#"{{"body":{{"doubleValue":{text}}}}}"#);
        assert_eq!(rewritten(&record(text)), record(written));
    }
    for text in ["\"inf\"", "\"nan\"", "\"1_0\"", "\"\"", "\"1 \"", "\" 1\"", "\".5\"", "true"] {
        let (_, kind) = refused(&format!(r#"{{"body":{{"doubleValue":{text}}}}}"#));
        assert!(matches!(kind, JsonErrorKind::WrongType { field: "doubleValue", .. }), "{text}");
    }
    let (_, kind) = refused(r#"{"body":{"doubleValue":1e400}}"#);
    assert_eq!(kind, JsonErrorKind::OutOfRange { field: "doubleValue" });
}

#[test]
fn null_is_the_default_value() {
    let nulls =
        r#"{"timeUnixNano":null,"body":null,"attributes":null,"traceId":null,"eventName":null}"#;
    assert_eq!(rewritten(nulls), "{}");
    assert_eq!(one_body(r#"{"stringValue":null}"#), Value::Null);
    assert_eq!(read(Signal::Logs, r#"{"resourceLogs":null}"#).unwrap().bytes().len(), 0);
    assert!(read(Signal::Logs, "null").is_err());
    let (at, _) = refused(r#"{"attributes":[null]}"#);
    assert_eq!(at, "null]}");
}

#[test]
fn the_last_of_several_equal_keys_counts() {
    for (record, kept) in [
        (r#"{"eventName":"a","eventName":"b"}"#, r#"{"eventName":"b"}"#),
        (r#"{"eventName":"a","eventName":""}"#, "{}"),
        (r#"{"eventName":"a","eventName":null}"#, "{}"),
        (r#"{"flags":1,"eventName":"e","flags":0}"#, r#"{"eventName":"e"}"#),
        (
            r#"{"attributes":[{"key":"a"},{"key":"b"}],"flags":1,"attributes":[{"key":"c"}]}"#,
            r#"{"flags":1,"attributes":[{"key":"c"}]}"#,
        ),
        (r#"{"body":{"stringValue":"a"},"body":{"intValue":1}}"#, r#"{"body":{"intValue":"1"}}"#),
        (r#"{"body":{"stringValue":"a","intValue":1}}"#, r#"{"body":{"intValue":"1"}}"#),
        (r#"{"body":{"intValue":1,"stringValue":null}}"#, r#"{"body":{"intValue":"1"}}"#),
        (r#"{"body":{"intValue":1},"body":{}}"#, r#"{"body":{}}"#),
    ] {
        assert_eq!(rewritten(record), kept, "{record}");
    }
}

#[test]
fn a_flood_of_equal_keys_costs_one_walk() {
    let attributes = format!(r#""attributes":[{}{{}}]"#, "{},".repeat(50_000));
    let record = format!("{{{attributes}{}}}", r#","flags":7"#.repeat(50_000));
    let batch = read(Signal::Logs, &with_record(&record)).unwrap();
    let record = LogsView::new(batch.bytes()).records().next().unwrap().record;
    assert_eq!((record.attributes().len(), record.flags()), (50_001, 7));
}

#[test]
fn strings_keep_every_character() {
    let text = concat!(
        r#"{"stringValue":"\u0000\u001F\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00"#,
        "\u{e9}\u{1F600}",
        r#"\u2028"}"#
    );
    let expected = "\u{0}\u{1f}\"\\/\u{8}\u{c}\n\r\t\u{e9}\u{1F600}\u{e9}\u{1F600}\u{2028}";
    assert_eq!(one_body(text), Value::String(expected.into()));
    let long = "x".repeat(300) + "\\n" + &"y".repeat(300);
    assert_eq!(
        one_body(&format!(r#"{{"stringValue":"{long}"}}"#)),
        Value::String(long.replace("\\n", "\n"))
    );
    let written = rewritten(&format!(r#"{{"body":{text}}}"#));
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&written).unwrap()["body"]["stringValue"],
        expected
    );
}

#[test]
fn lone_surrogates_are_refused_where_they_stand() {
    for escapes in [r"\uD83D", r"\uDE00", r"\uD83D\u0041", r"\uD83D\uD83D", r"\uD83Dx"] {
        let (at, kind) = refused(&format!(r#"{{"new":["ab{escapes}"]}}"#));
        assert_eq!((at.as_str(), kind), (&escapes[..6], JsonErrorKind::LoneSurrogate));
    }
}

#[test]
fn invalid_utf8_is_refused_where_it_stands() {
    let mut text = with_body(r#"{"stringValue":"@"}"#).into_bytes();
    let at = text.iter().position(|&byte| byte == b'@').unwrap();
    text[at] = 0xFF;
    let error = from_otlp_json(Signal::Logs, &text, &Limits::default()).unwrap_err();
    assert_eq!(error, JsonError { offset: at, kind: JsonErrorKind::Utf8 });
    assert_eq!(error.to_string(), format!("invalid UTF-8 at byte {at}"));
}

#[test]
fn values_nest_as_deep_as_the_limit_and_no_deeper() {
    let nested = |depth: usize| {
        let (open, close) = (r#"{"arrayValue":{"values":["#, "]}}");
        let levels = depth - 1;
        with_body(&format!(
            r#"{}{{"stringValue":"x"}}{}"#,
            open.repeat(levels),
            close.repeat(levels)
        ))
    };
    let batch = read(Signal::Logs, &nested(64)).unwrap();
    Checked::check(Signal::Logs, batch.bytes().clone(), &Limits::default()).unwrap();
    let error = read(Signal::Logs, &nested(65)).unwrap_err();
    assert_eq!(error.kind, JsonErrorKind::TooDeep { max: 64 });
    assert_eq!(error.offset, nested(65).find(r#"{"stringValue"#).unwrap());
    let limits = Limits { depth_max: u32::MAX, ..Limits::default() };
    let error = from_otlp_json(Signal::Logs, nested(5_000).as_bytes(), &limits).unwrap_err();
    assert_eq!(error.kind, JsonErrorKind::TooDeep { max: 256 });
    let deep = from_otlp_json(Signal::Logs, nested(256).as_bytes(), &limits).unwrap();
    assert_eq!(String::from_utf8(to_otlp_json(&deep)).unwrap(), nested(256));
}

#[test]
fn ignored_values_nest_to_a_fixed_limit() {
    let text = |depth: usize| format!(r#"{{"new":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(read(Signal::Logs, &text(512)).is_ok());
    let error = read(Signal::Logs, &text(513)).unwrap_err();
    assert_eq!(error, JsonError { offset: 519, kind: JsonErrorKind::NestedTooDeep { max: 512 } });
    assert!(read(Signal::Logs, &"[".repeat(100_000)).is_err());
    assert!(validate(r#"{"a":["#.repeat(100_000).as_bytes()).is_err());
}

#[test]
fn records_and_batches_above_their_limits_are_too_large() {
    let text = with_record(r#"{"eventName":"0123456789"}"#);
    let read = |limits| from_otlp_json(Signal::Logs, text.as_bytes(), &limits);
    let batch = read(Limits::default()).unwrap();
    let limits =
        Limits { record_bytes_max: 12, batch_bytes_max: batch.bytes().len(), depth_max: 1 };
    assert!(read(limits).is_ok());
    let error = read(Limits { record_bytes_max: 11, ..limits }).unwrap_err();
    assert_eq!(error.kind, JsonErrorKind::RecordTooLarge { size: 12, max: 11 });
    assert_eq!(error.offset, text.find(r#"{"eventName"#).unwrap());
    assert!(error.is_too_large());
    let max = batch.bytes().len() - 1;
    let error = read(Limits { batch_bytes_max: max, ..limits }).unwrap_err();
    assert!(matches!(error.kind, JsonErrorKind::BatchTooLarge { .. }) && error.is_too_large());
}

#[test]
fn packed_numbers_stop_at_the_batch_limit() {
    // Two characters become eight bytes.
    let numbers = "1,".repeat(10_000) + "1";
    let text = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{"bucketCounts":[{numbers}]}}]}}}}]}}]}}]}}"#
    );
    let limits = Limits { batch_bytes_max: 1_000, ..Limits::default() };
    let error = from_otlp_json(Signal::Metrics, text.as_bytes(), &limits).unwrap_err();
    assert!(matches!(error.kind, JsonErrorKind::BatchTooLarge { size: 1_001..1_100, .. }));
    assert_eq!(read(Signal::Metrics, &text).unwrap().records(), 1);
}

#[test]
fn spans_and_data_points_are_counted() {
    let spans = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"status":{"code":2}},{}]},{"spans":[{}]}]},{}]}"#;
    let batch = read(Signal::Traces, spans).unwrap();
    assert_eq!(batch.records(), 3);
    let first = TracesView::new(batch.bytes()).records().next().unwrap().record;
    assert_eq!(first.status().code(), 2);
    let metrics = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"asInt":"7"},{}]}},{}]}]}]}"#;
    let batch = read(Signal::Metrics, metrics).unwrap();
    assert_eq!(batch.records(), 2);
    let metric = MetricsView::new(batch.bytes()).records().next().unwrap().record;
    let MetricData::Gauge(gauge) = metric.data() else { panic!("not a gauge") };
    assert_eq!(gauge.points().iter().next().unwrap().value(), Some(Number::Int(7)));
}

#[test]
fn a_request_is_one_object_and_nothing_else() {
    for text in ["", " ", "[]", "1", "\"a\"", "{} {}", "{}x", "{", "\u{FEFF}{}"] {
        assert!(read(Signal::Logs, text).is_err(), "{text}");
    }
    assert!(read(Signal::Logs, " \t\r\n{ } \n").unwrap().is_empty());
    let error = read(Signal::Logs, r#"{"resourceLogs":[{]}"#).unwrap_err();
    assert_eq!(error.to_string(), "invalid JSON: expected a key in quotes at byte 18");
}

#[test]
fn wrong_types_are_refused_where_they_stand() {
    for (record, at) in [
        (r#"{"body":"text"}"#, "\"text\""),
        (r#"{"body":[1]}"#, "[1]}]}"),
        (r#"{"attributes":{}}"#, "{}}]}]"),
        (r#"{"eventName":1}"#, "1}]}]}"),
        (r#"{"body":{"boolValue":"true"}}"#, "\"true\""),
        (r#"{"body":{"boolValue":1}}"#, "1}}]}]"),
    ] {
        let (found, kind) = refused(record);
        assert_eq!(found, at);
        assert!(matches!(kind, JsonErrorKind::WrongType { .. }), "{kind:?}");
    }
}

/// Cases in the manner of <https://github.com/nst/JSONTestSuite>.
const ACCEPTED: &[&str] = &[
    "[]",
    "{}",
    "[[]   ]",
    "[\"\"]",
    "[1,null,true,false]",
    "[123e65]",
    "[0e+1]",
    "[0e1]",
    "[ 4]",
    "[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]",
    "[20e1]",
    "[-0]",
    "[-123]",
    "[-1]",
    "[1E22]",
    "[1E-2]",
    "[1E+2]",
    "[123.456e78]",
    "null",
    "{\"a\":\"b\",\"a\":\"b\"}",
    "{\"\":0}",
    "{\"foo\\u0000bar\": 42}",
    "{\n\"a\": \"b\"\n}",
    "[\"\\uD801\\udc37\"]",
    "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
    "[\"a/*b*/c/*d//e\"]",
    "\"\"",
    "[\"\\uFFFF\"]",
    "[\"\u{7f}\"]",
    "[\"\u{10FFFF}\"]",
    "[\"\\u0012\"]",
    "-0.1",
    " [] ",
    "[true\n]",
];

const REFUSED: &[&str] = &[
    "",
    " ",
    "[",
    "]",
    "{",
    "}",
    "[1 true]",
    "[\"\": 1]",
    "[\"\"],",
    "[,1]",
    "[1,,2]",
    "[1,]",
    "[1,,]",
    "[\"x\"]]",
    "[\"\",]",
    "[3[4]]",
    "[1:2]",
    "[fals]",
    "[nul]",
    "[tru]",
    "[True]",
    "nulll",
    "[++1]",
    "[+1]",
    "[-01]",
    "[-1.0.]",
    "[-2.]",
    "[-]",
    "[-NaN]",
    "[.-1]",
    "[.2e-3]",
    "[0.1.2]",
    "[0.3e+]",
    "[0.3e]",
    "[0.e1]",
    "[0E]",
    "[0E+]",
    "[1.0e]",
    "[1.0e-]",
    "[1eE2]",
    "[2.e3]",
    "[9.e+]",
    "[Inf]",
    "[NaN]",
    "[1+2]",
    "[0x1]",
    "[0x42]",
    "[Infinity]",
    "[012]",
    "[-012]",
    "[1 000.0]",
    "[1a]",
    "[- 1]",
    "{\"x\", null}",
    "{\"x\"::\"b\"}",
    "{a: \"b\"}",
    "{\"a\":\"a\" 123}",
    "{key: 'value'}",
    "{\"a\" b}",
    "{:\"b\"}",
    "{\"a\"}",
    "{1:1}",
    "{\"id\":0,}",
    "{\"id\":0,,}",
    "{'a':0}",
    "{\"a\":\"b\"}/**/",
    "{\"a\":\"b\",,\"c\":\"d\"}",
    "{\"a\": true} \"x\"",
    "[\"\\uD800\\u\"]",
    "[\"\\uD800\\u1\"]",
    "[\"\\u00A\"]",
    "[\"\\x00\"]",
    "[\"\\a\"]",
    "[\"\\\"]",
    "[\"\\u\"]",
    "[\"\\uqqqq\"]",
    "[\"new\nline\"]",
    "[\"\t\"]",
    "[\"\u{0}\"]",
    "[\"\u{1f}\"]",
    "\"\\",
    "\"",
    "['single']",
    "abc",
    "[\"asd]",
    "[\\n]",
    "[\u{c}]",
    "[\u{a0}]",
    "[\u{2060}]",
    "\u{feff}",
    "<null>",
    "[<null>]",
    "aa",
    "123\u{0}",
    "2@",
    "{}}",
    "{\"\":",
    "{]",
    "[\"a\",4,1,",
    "[{}",
    "[][]",
    "*",
    "{\"a\":/*comment*/\"b\"}",
    "[\"a\"",
    "#{}",
];

#[test]
fn json_is_what_rfc_8259_says() {
    for text in ACCEPTED {
        assert_eq!(validate(text.as_bytes()), Ok(()), "{text}");
        let unknown = format!(r#"{{"new":{text}}}"#);
        assert!(read(Signal::Logs, &unknown).is_ok(), "{unknown}");
    }
    for text in REFUSED {
        assert!(validate(text.as_bytes()).is_err(), "{text}");
        let unknown = format!(r#"{{"new":{text}}}"#);
        assert!(read(Signal::Logs, &unknown).is_err(), "{unknown}");
    }
}

#[test]
fn every_cut_of_a_request_is_refused_at_its_end() {
    let text = include_str!("../../tests/data/otlp-examples/logs.json").trim_end();
    for len in 0..text.len() {
        let error = read(Signal::Logs, &text[..len]).unwrap_err();
        assert!(error.offset <= len);
    }
}

#[test]
fn plain_json_of_a_value_is_what_a_person_would_write() {
    let value = Value::Map(vec![
        ("text".into(), Value::String("a\"b".into())),
        ("int".into(), Value::Int(-7)),
        ("double".into(), Value::Double(0.5)),
        ("nan".into(), Value::Double(f64::NAN)),
        ("bytes".into(), Value::Bytes(vec![1, 2])),
        ("list".into(), Value::Array(vec![Value::Bool(true), Value::Null])),
        ("map".into(), Value::Map(vec![])),
    ]);
    let mut record = Vec::new();
    crate::edit::set_body(&[], &value, &mut record);
    let mut out = Vec::new();
    write_any_value(LogRecordView::new(&record).body(), &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"text":"a\"b","int":-7,"double":0.5,"nan":"NaN","bytes":"AQI=","list":[true,null],"map":{}}"#
    );
}

#[test]
fn integers_are_written_with_all_their_digits() {
    let mut power = 1_u64;
    let mut numbers = vec![0, u64::MAX];
    while let Some(next) = power.checked_mul(10) {
        numbers.extend([power - 1, power, power + 1]);
        power = next;
    }
    for number in numbers {
        let mut out = Vec::new();
        write_unsigned(number, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
    }
    let mut out = Vec::new();
    write_integer(i64::MIN, &mut out);
    assert_eq!(out, i64::MIN.to_string().as_bytes());
}

#[test]
fn the_schema_agrees_with_that_of_the_check() {
    fn compare(here: &schema::Message, there: &crate::schema::Message, depth: u32) {
        // Values nest without end.
        if depth > 12 {
            return;
        }
        assert_eq!(here.fields.len(), there.fields.len());
        for field in here.fields {
            let other = there.field(field.number).unwrap_or_else(|| panic!("{}", field.name));
            assert_eq!(camel(other.name), field.name);
            let is_packed = field.is_packed();
            let wire_type = if is_packed { crate::wire::LEN } else { field.kind.wire_type() };
            assert_eq!(other.kind.wire_type(), wire_type, "{}", field.name);
            if let schema::Kind::Message(message) = field.kind {
                compare(message, other.kind.message().unwrap(), depth + 1);
            }
        }
    }
    fn camel(name: &str) -> String {
        let mut words = name.split('_');
        let mut camel = words.next().unwrap().to_owned();
        for word in words {
            camel.push_str(&word[..1].to_uppercase());
            camel.push_str(&word[1..]);
        }
        camel
    }
    for signal in Signal::ALL {
        compare(schema::request(signal), crate::schema::request(signal), 0);
    }
}
