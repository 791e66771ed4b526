//! The same statements over the same records, through a real Collector and through Bessemer: what
//! comes out is equal.
//!
//! Statements and records are drawn from a seed. A statement that fails on a record is passed over on
//! both sides, so a failure and a value that is absent are the same here; the outside cases tell them
//! apart. What the two are known to do differently stands in the decision on the versions of the
//! language and is not drawn.

use std::net::SocketAddr;

use serde_json::{Value as Json, json};

use crate::WITHIN;
use crate::collector::Collector;
use crate::counterparty::is_live;
use crate::fake::Fake;
use crate::lab::Lab;
use crate::load::Http;
use crate::process::wait_until;
use crate::records::Records;

/// Programs of each signal, statements of each, and records that pass them.
const PROGRAMS: u64 = 6;
const STATEMENTS: usize = 60;
const RECORDS: usize = 40;

/// Draws from a seed (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((word ^ (word >> 31)) % end as u64).unwrap()
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }
}

/// What is drawn from, by context.
struct World {
    context: &'static str,
    /// The setting of the processor that takes statements of this signal.
    section: &'static str,
    signal: &'static str,
    paths: &'static [&'static str],
}

const PATHS: [&str; 14] = [
    "attributes[\"s\"]",
    "attributes[\"n\"]",
    "attributes[\"d\"]",
    "attributes[\"t\"]",
    "attributes[\"l\"]",
    "attributes[\"m\"]",
    "attributes[\"m\"][\"x\"]",
    "attributes[\"m\"][\"in\"][\"y\"]",
    "attributes[\"l\"][0]",
    "attributes[\"l\"][1]",
    "attributes[\"js\"]",
    "attributes[\"kv\"]",
    "attributes[\"none\"]",
    "resource.attributes[\"r\"]",
];
const LOG_PATHS: [&str; 7] = [
    "body",
    "severity_number",
    "severity_text",
    "time_unix_nano",
    "trace_id.string",
    "span_id.string",
    "instrumentation_scope.name",
];
const SPAN_PATHS: [&str; 9] = [
    "name",
    "kind",
    "kind.string",
    "status.code",
    "status.message",
    "start_time_unix_nano",
    "trace_state[\"a\"]",
    "parent_span_id.string",
    "dropped_attributes_count",
];
const EVENT_PATHS: [&str; 6] = [
    "name",
    "time_unix_nano",
    "dropped_attributes_count",
    "span.name",
    "span.kind",
    "span.status.message",
];
const METRIC_PATHS: [&str; 6] =
    ["name", "description", "unit", "type", "aggregation_temporality", "is_monotonic"];
const POINT_PATHS: [&str; 7] = [
    "value_int",
    "value_double",
    "time_unix_nano",
    "start_time_unix_nano",
    "flags",
    "metric.name",
    "metric.unit",
];
/// Of these a float can be made, or there is none.
const NUMBERS: [&str; 3] =
    ["resource.dropped_attributes_count", "attributes[\"number\"]", "attributes[\"absent\"]"];
const LITERALS: [&str; 12] = [
    "\"\"",
    "\"one\"",
    "\"two words\"",
    "0",
    "1",
    "-7",
    "9",
    "2.5",
    "true",
    "nil",
    "[1, \"a\"]",
    "{\"x\": {\"y\": 2.0}}",
];
const PATTERNS: [&str; 6] =
    ["one", "^[a-z]+$", "(?i)TWO", "[0-9]{2,}", ".*word.*", "\\\\bk=(\\\\w+)"];

const LOGS: World =
    World { context: "log", section: "log_statements", signal: "logs", paths: &LOG_PATHS };
const SPANS: World =
    World { context: "span", section: "trace_statements", signal: "traces", paths: &SPAN_PATHS };
const EVENTS: World = World {
    context: "spanevent",
    section: "trace_statements",
    signal: "traces",
    paths: &EVENT_PATHS,
};
const METRICS: World = World {
    context: "metric",
    section: "metric_statements",
    signal: "metrics",
    paths: &METRIC_PATHS,
};
const POINTS: World = World {
    context: "datapoint",
    section: "metric_statements",
    signal: "metrics",
    paths: &POINT_PATHS,
};

impl World {
    fn path(&self, dice: &mut Dice) -> String {
        let at = dice.below(PATHS.len() + self.paths.len());
        (*PATHS.iter().chain(self.paths).nth(at).unwrap()).to_owned()
    }

    fn value(&self, dice: &mut Dice, depth: usize) -> String {
        if depth == 0 || dice.below(3) == 0 {
            return if dice.below(3) == 0 {
                dice.one(&LITERALS).to_owned()
            } else {
                self.path(dice)
            };
        }
        let mut inner = || self.path(dice);
        let (first, second) = (inner(), inner());
        match dice.below(22) {
            0 => format!("Int({first})"),
            1 => format!("Double({})", dice.one(&NUMBERS)),
            2 => format!("String({first})"),
            3 => format!("Len({first})"),
            4 => {
                let kind = dice.one(&["String", "Int", "Double", "Bool", "Map", "List"]);
                format!("Is{kind}({first})")
            }
            5 => {
                let case = dice.one(&["lower", "upper", "snake", "camel"]);
                format!("ConvertCase({first}, \"{case}\")")
            }
            6 => format!("Concat([{first}, \"x\", {second}], \"-\")"),
            7 => format!("Substring({first}, {}, {})", dice.below(4), 1 + dice.below(3)),
            8 => format!("Split({first}, \"{}\")", dice.one(&[" ", "=", "o"])),
            9 => format!("{}(String({first}))", dice.one(&["SHA256", "SHA1", "MD5", "FNV"])),
            10 => format!("IsMatch({first}, \"{}\")", dice.one(&PATTERNS)),
            11 => format!("ParseJSON({first})"),
            12 => format!("ParseKeyValue({first})"),
            13 => format!("Index({first}, {})", dice.one(&["\"o\"", "1", "\"a\""])),
            14 => format!("HasPrefix({first}, \"o\")"),
            15 => format!("Trim({first})"),
            16 => format!("ExtractPatterns({first}, \"(?P<k>[a-z]+)=?(?P<v>\\\\\\\\d*)\")"),
            17 => format!("Int({first}) {} Int({second})", dice.one(&["+", "-", "*", "/"])),
            18 => {
                let number = dice.one(&NUMBERS);
                format!("Double({number}) {} 2.5", dice.one(&["+", "-", "*", "/"]))
            }
            19 => format!("Sort({first})"),
            20 => format!("[{first}, {second}, 3]"),
            _ => format!("UnixMilli(Unix(Int({first}))) "),
        }
    }

    fn condition(&self, dice: &mut Dice, depth: usize) -> String {
        if depth > 0 && dice.below(3) == 0 {
            let (left, right) = (self.condition(dice, depth - 1), self.condition(dice, depth - 1));
            return match dice.below(3) {
                0 => format!("({left} and {right})"),
                1 => format!("({left} or {right})"),
                _ => format!("not ({left})"),
            };
        }
        if dice.below(4) == 0 {
            return format!("IsMatch({}, \"{}\")", self.path(dice), dice.one(&PATTERNS));
        }
        let operator = dice.one(&["==", "!=", "<", "<=", ">", ">="]);
        format!("{} {operator} {}", self.path(dice), self.value(dice, 1))
    }

    fn statement(&self, dice: &mut Dice, at: usize) -> String {
        let editor = match dice.below(20) {
            0 => format!("delete_key(attributes[\"m\"], \"{}\")", dice.one(&["x", "in", "none"])),
            1 => "keep_keys(attributes[\"m\"], [\"x\", \"in\"])".to_owned(),
            2 => {
                format!("replace_pattern(attributes[\"s\"], \"{}\", \"<$0>\")", dice.one(&PATTERNS))
            }
            3 => "replace_all_patterns(attributes, \"value\", \"two\", \"2\")".to_owned(),
            4 => "replace_match(attributes[\"s\"], \"*wo*\", \"matched\")".to_owned(),
            5 => format!("append(attributes[\"l\"], {})", dice.one(&["\"z\"", "5", "1.5"])),
            6 => "merge_maps(attributes[\"m\"], ParseJSON(attributes[\"js\"]), \"upsert\")"
                .to_owned(),
            7 => "flatten(attributes[\"m\"], \"p\")".to_owned(),
            8 => "truncate_all(attributes[\"m\"], 2)".to_owned(),
            9 => format!("set({}, {})", dice.one(&PATHS), dice.one(&LITERALS)),
            10 => format!("set(cache[\"c\"], {})", self.value(dice, 1)),
            11 => format!("set(attributes[\"o{at}\"], cache[\"c\"])"),
            12..15 => format!("set(attributes[\"h{at}\"], true)"),
            _ => format!("set(attributes[\"o{at}\"], {})", self.value(dice, 2)),
        };
        if dice.below(2) == 0 {
            return editor;
        }
        format!("{editor} where {}", self.condition(dice, 2))
    }

    fn program(&self, dice: &mut Dice) -> Vec<String> {
        (0..STATEMENTS).map(|at| self.placed(&self.statement(dice, at))).collect()
    }

    /// A metric has no attributes of its own: its statements are about those of its resource.
    fn placed(&self, statement: &str) -> String {
        if self.context != "metric" {
            return statement.to_owned();
        }
        let (own, whole) = ("attributes[", "resource.attributes[");
        let parts: Vec<String> =
            statement.split(whole).map(|part| part.replace(own, whole)).collect();
        parts.join(whole).replace("(attributes,", "(resource.attributes,")
    }

    /// A request with one record, which no other one equals.
    fn request(&self, dice: &mut Dice, number: usize) -> Json {
        let mut attributes = vec![attribute("number", &json!({ "intValue": number }))];
        for (key, values) in stored() {
            if dice.below(5) > 0 {
                attributes.push(attribute(key, &values[dice.below(values.len())]));
            }
        }
        let text = dice.one(&["one", "two words", "k=12 v=3", "{\"a\": [1, \"b\"]}"]);
        let mut of_resource = vec![attribute("r", &json!({ "stringValue": "one" }))];
        if self.context == "metric" {
            of_resource.append(&mut attributes);
        }
        let resource = json!({ "attributes": of_resource });
        let scope = json!({ "name": "scope", "version": "1" });
        let attributes = json!(attributes);
        match self.signal {
            "logs" => {
                let scopes =
                    json!([{ "scope": scope, "logRecords": [log(dice, text, &attributes)] }]);
                json!({ "resourceLogs": [{ "resource": resource, "scopeLogs": scopes }] })
            }
            "metrics" => {
                let scopes =
                    json!([{ "scope": scope, "metrics": [metric(dice, text, &attributes)] }]);
                json!({ "resourceMetrics": [{ "resource": resource, "scopeMetrics": scopes }] })
            }
            _ => {
                let span = span(dice, text, &attributes, self.context == "spanevent");
                let scopes = json!([{ "scope": scope, "spans": [span] }]);
                json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": scopes }] })
            }
        }
    }

    /// What comes out at the end of a process that has these statements, for each request.
    fn passed(&self, address: SocketAddr, requests: &[Json], fake: &Fake) -> Vec<Records> {
        let mut http = Http::connect(address).unwrap();
        let kind = "content-type: application/json\r\n";
        let mut passed = |request: &Json| {
            let path = format!("/v1/{}", self.signal);
            let answer = http.post(&path, kind, request.to_string().as_bytes()).unwrap();
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
            wait_until(WITHIN, "delivered", || fake.count() >= 1);
            fake.take()
        };
        requests.iter().map(&mut passed).collect()
    }
}

const TRACE: &str = "0102030405060708090a0b0c0d0e0f10";
const SPAN: &str = "0102030405060708";
const TIME: &str = "1700000000123456789";

fn log(dice: &mut Dice, text: &str, attributes: &Json) -> Json {
    json!({
        "timeUnixNano": TIME, "severityNumber": dice.below(25),
        "severityText": dice.one(&["", "INFO", "one"]), "body": { "stringValue": text },
        "attributes": attributes, "traceId": TRACE, "spanId": SPAN,
    })
}

/// A span with these attributes, or with one event that has them.
fn span(dice: &mut Dice, text: &str, attributes: &Json, is_event: bool) -> Json {
    let mut span = json!({
        "traceId": TRACE, "spanId": SPAN, "name": text, "kind": dice.below(6),
        "traceState": dice.one(&["", "a=1,b=2"]), "startTimeUnixNano": TIME,
        "status": { "code": 1 + dice.below(2), "message": text },
    });
    if is_event {
        let name = dice.one(&["", "one", "exception"]);
        span["events"] = json!([{ "name": name, "timeUnixNano": TIME, "attributes": attributes }]);
    } else {
        span["attributes"] = attributes.clone();
    }
    span
}

/// A gauge or a sum with one point.
fn metric(dice: &mut Dice, text: &str, attributes: &Json) -> Json {
    let mut point =
        json!({ "timeUnixNano": TIME, "attributes": attributes, "flags": dice.below(2) });
    if dice.below(2) == 0 {
        point["asInt"] = json!(dice.one(&["0", "9", "-7"]));
    } else {
        point["asDouble"] = json!([2.5, -0.125, 0.0][dice.below(3)]);
    }
    let mut metric = json!({ "name": dice.one(&["one", "http.requests"]), "description": text });
    metric["unit"] = json!(dice.one(&["", "ms", "By"]));
    if dice.below(2) == 0 {
        metric["gauge"] = json!({ "dataPoints": [point] });
    } else {
        let (temporality, is_monotonic) = (1 + dice.below(2), dice.below(2) == 0);
        metric["sum"] = json!({
            "dataPoints": [point], "aggregationTemporality": temporality,
            "isMonotonic": is_monotonic,
        });
    }
    metric
}

fn attribute(key: &str, value: &Json) -> Json {
    json!({ "key": key, "value": value })
}

/// The attributes that a record may have, with their values.
fn stored() -> Vec<(&'static str, Vec<Json>)> {
    let texts = |texts: &[&str]| texts.iter().map(|text| json!({ "stringValue": text })).collect();
    let list = json!({ "arrayValue": { "values": [
        { "stringValue": "a" }, { "intValue": "2" }, { "doubleValue": 2.5 },
    ] } });
    let words =
        json!({ "arrayValue": { "values": [{ "stringValue": "b" }, { "stringValue": "a" }] } });
    let map = json!({ "kvlistValue": { "values": [
        { "key": "x", "value": { "stringValue": "one" } },
        { "key": "in", "value": { "kvlistValue": { "values": [
            { "key": "y", "value": { "intValue": "3" } },
        ] } } },
    ] } });
    let small = json!({ "kvlistValue": { "values": [
        { "key": "x", "value": { "doubleValue": 4.0 } },
    ] } });
    vec![
        ("s", texts(&["", "one", "two words", "Camel_case-12x", "12", "2.5"])),
        (
            "n",
            vec![
                json!({ "intValue": "0" }),
                json!({ "intValue": "9" }),
                json!({ "intValue": "-7" }),
            ],
        ),
        ("d", vec![json!({ "doubleValue": 2.5 }), json!({ "doubleValue": -0.125 })]),
        ("t", vec![json!({ "boolValue": true }), json!({ "boolValue": false })]),
        ("l", vec![list, words]),
        ("m", vec![map, small]),
        ("js", texts(&["{\"x\": 1, \"z\": {\"q\": [true, null]}}", "[1, \"two\"]", "{"])),
        ("kv", texts(&["k=1 v=\"two words\"", "k", "a=b=c d=e"])),
    ]
}

fn agrees(world: &World, seed: u64) {
    let mut dice = Dice(seed);
    let program = world.program(&mut dice);
    let requests: Vec<Json> = (0..RECORDS).map(|at| world.request(&mut dice, at)).collect();
    let section = world.section;
    let escaped: Vec<String> = program.iter().map(|text| text.replace('$', "$$")).collect();
    let groups = json!([{ "context": world.context, "statements": escaped }]);
    let processors = json!({ "transform": { "error_mode": "ignore", section: groups } });
    let theirs = Fake::start();
    let exporters = json!({ "otlp_http": { "endpoint": theirs.url() } }).to_string();
    let processors = processors.to_string();
    let collector = Collector::start_with(&exporters, "otlp_http", &processors, "[transform]");
    let expected = world.passed(collector.http, &requests, &theirs);
    drop(collector);

    let ours = Fake::start();
    let statements: Vec<String> = program.iter().map(|text| format!("`{text}`,")).collect();
    let blocks = format!(
        r#"
otelcol.processor.transform "program" {{
  error_mode = "ignore"
  {section} {{
    context    = "{}"
    statements = [
      {}
    ]
  }}
  output {{
    {signal} = [otelcol.exporter.otlphttp.out.input]
  }}
}}
otelcol.exporter.otlphttp "out" {{
  client {{ endpoint = "{}" }}
}}
"#,
        world.context,
        statements.join("\n      "),
        ours.url(),
        signal = world.signal,
    );
    let lab = Lab::start_with("otelcol.processor.transform.program.input", &blocks, Vec::new());
    let found = world.passed(lab.http, &requests, &ours);
    drop(lab);
    let way = format!("seed {seed}:\n{}\n", program.join("\n"));
    for (expected, found) in expected.iter().zip(&found) {
        expected.assert_equal(found, &way);
    }
}

/// The seeds to play: those of every run, or the one that is asked for.
fn seeds() -> Vec<u64> {
    match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().expect("a number")],
        Err(_) => (1..=PROGRAMS).collect(),
    }
}

fn agrees_on_every_seed(world: &World) {
    if is_live() {
        for seed in seeds() {
            agrees(world, seed);
        }
    }
}

#[test]
fn statements_make_of_log_records_what_the_collector_makes() {
    agrees_on_every_seed(&LOGS);
}

#[test]
fn statements_make_of_spans_what_the_collector_makes() {
    agrees_on_every_seed(&SPANS);
}

#[test]
fn statements_make_of_span_events_what_the_collector_makes() {
    agrees_on_every_seed(&EVENTS);
}

#[test]
fn statements_make_of_metrics_what_the_collector_makes() {
    agrees_on_every_seed(&METRICS);
}

#[test]
fn statements_make_of_data_points_what_the_collector_makes() {
    agrees_on_every_seed(&POINTS);
}
