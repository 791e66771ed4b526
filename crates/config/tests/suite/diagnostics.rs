//! Everything that is wrong is said at once, at its place, with the nearest name.

use bessemer_config::{MemorySources, Sources, render};

use crate::catalog::{findings, load};

fn check(text: &str, expected: &[&str]) {
    assert_eq!(findings(text), expected, "{text}");
}

#[test]
fn all_errors_are_told_at_once_with_their_lines() {
    let text = r#"otelcol.receiver.otlp "in" {
  grpc { endpiont = "127.0.0.1:4317" }
  htp { }
  output {
    logs   = [otelcol.processor.batch.bacth.input]
    metric = [otelcol.exporter.otlp.x.input]
  }
}

otelcol.processor.batch "batch" {
  send_batch_size = "many"
  timeout         = true
  output { logs = [otelcol.exporter.otlp.x.handler, otelcol.receiver.otlp.in.input] }
}

otelcol.exporter.otpl "y" { }

otelcol.exporter.otlp "x" {
  client {
    compression = "gzp"
    token       = missing
  }
}

otelcol.exporter.otlp { client { endpoint = "e:1" } }

otelcol.processor.routing "r" {
  from_attribute    = "class"
  default_pipelines = ["crtical"]
  output { traces = [loki.write.w.receiver] }
}

loki.write "w" { }

bessemer.pipeline "critical" { to = [loki.write.w.receiver] }
"#;
    let found = load(text).expect_err("this must not load");
    insta::with_settings!({ snapshot_path => "../golden", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("all_errors_at_once", render(&found, false));
    });
}

#[test]
fn a_circle_of_components_is_shown() {
    let text = r#"
otelcol.processor.batch "a" { output { logs = [otelcol.processor.batch.b.input] } }
otelcol.processor.batch "b" { output { logs = [otelcol.processor.batch.a.input] } }
"#;
    check(
        text,
        &["3:48: error BSM-0111: records would go in a circle: otelcol.processor.batch.a -> \
         otelcol.processor.batch.b -> otelcol.processor.batch.a"],
    );
}

#[test]
fn unwired_components_warn_and_load() {
    let text = "otelcol.receiver.otlp \"in\" { }\notelcol.processor.batch \"b\" { }\notelcol.aut\
     h.basic \"c\" {\n username = \"u\"\n password = \"p\"\n}\n";
    check(
        text,
        &[
            "1:1: warning BSM-0151: otelcol.receiver.otlp.in sends its records nowhere: it has n\
             o output",
            "2:1: warning BSM-0151: otelcol.processor.batch.b is not wired: no output names it a\
             nd it has none",
        ],
    );
}

#[test]
fn an_exporter_with_an_output_is_refused() {
    let text = r#"
otelcol.exporter.otlp "x" {
  client { endpoint = "e:1" }
  output { logs = [otelcol.processor.batch.b.input] }
}
otelcol.processor.batch "b" { }
"#;
    check(
        text,
        &[
            "4:20: error BSM-0112: otelcol.exporter.otlp.x sends nothing on: it is of the role exporter",
        ],
    );
}

#[test]
fn what_is_declared_or_given_twice_is_refused() {
    let text = "otelcol.processor.batch \"b\" { }\notelcol.processor.batch \"b\" {\n timeout = \
     \"1s\"\n timeout = \"2s\"\n}\n";
    check(
        text,
        &[
            "2:1: error BSM-0109: otelcol.processor.batch.b is declared twice; the first is at t\
             est.alloy:1:1",
            "4:2: error BSM-0109: attribute \"timeout\" is given twice",
        ],
    );
}

#[test]
fn a_block_that_may_stand_once_is_refused_the_second_time() {
    let text = "otelcol.exporter.otlp \"x\" {\n client { endpoint = \"a\" }\n client { endpoint \
     = \"b\" }\n}\n";
    check(text, &["3:2: error BSM-0109: block \"client\" may be given only once"]);
}

#[test]
fn expressions_that_have_no_value_say_why() {
    let expression = |text: &str, expected: &str| {
        let text = format!("otelcol.processor.batch \"b\" {{\n send_batch_size = {text}\n}}");
        let found = findings(&text);
        assert_eq!(found, [format!("2:{expected}")], "{text}");
    };
    expression("1 + \"a\"", "24: error BSM-0102: should be number, got string");
    expression("1 / 0", "24: error BSM-0102: divide by zero error");
    expression(
        "string.fromat(\"x\")",
        "20: error BSM-0102: string has no function \"fromat\"; did you mean \"format\"?",
    );
    expression("[1][3]", "24: error BSM-0102: index 3 is out of range of array with length 1");
    expression(
        "constants.hostnam",
        "30: error BSM-0102: field \"hostnam\" does not exist; did you mean \"hostname\"?",
    );
    expression(
        "otelcol.processor.batch.b.input + 1",
        "20: error BSM-0102: otelcol.processor.batch.b.input is known only at run time; \
         use it as it is; operators and functions need a value at load",
    );
    expression(
        "otelcol.processor.batch.c.size",
        "20: error BSM-0110: component \"otelcol.processor.batch.c\" does not exist; \
         did you mean \"otelcol.processor.batch.b\"?",
    );
    expression("sys.env", "20: error BSM-0102: sys.env is a function and must be called");
}

#[test]
fn attributes_and_unknown_blocks_at_the_top_are_refused() {
    check(
        "x = 1\nlogin { }\n",
        &[
            "1:1: error BSM-0114: attribute \"x\" can not stand here; settings belong into the b\
             lock of a component",
            "2:1: error BSM-0105: unknown component \"login\"",
            "2:1: error BSM-0108: login needs a label; write login \"default\" {",
        ],
    );
}

#[test]
fn deep_nesting_is_an_error_and_no_crash() {
    for (open, close) in
        [("[", "]"), ("(", ")"), ("{a = ", "}"), ("1||1&&1==1+1*[", "]"), ("-", "1")]
    {
        let (open, close) = (open.repeat(10_000), close.repeat(10_000));
        let text = format!("logging {{\na = {open}{close}\n}}");
        let found = findings(&text);
        assert!(found[0].contains("nested deeper than 256 levels"), "{:?}", found[0]);
    }
    let blocks = "a {\n".repeat(10_000);
    assert!(findings(&blocks)[0].contains("nested deeper than 256 levels"));
}

#[test]
fn long_chains_of_operators_are_no_nesting() {
    let sum = vec!["1"; 100_000].join(" + ");
    let text = format!("otelcol.processor.batch \"b\" {{\n send_batch_size = {sum}\n}}");
    assert!(findings(&text)[0].contains("BSM-0151"));
}

#[test]
fn findings_of_hopeless_texts_are_bounded() {
    let text = "}\n#\n".repeat(50_000);
    let found = load(&text).expect_err("this must not load");
    assert!(found.len() <= 1000, "{}", found.len());
}

#[test]
fn values_that_only_an_attack_makes_are_refused() {
    let mut text = String::from(
        "declare \"d0\" {\n export \"v\" { value = \"0123456789abcdef\" }\n}\nd0 \"x\" { }\n",
    );
    for level in 1..25 {
        let below = level - 1;
        let value = if below == 0 { "d0.x.v".to_owned() } else { format!("d{below}.x.v") };
        let part = format!(
            "declare \"d{level}\" {{\n argument \"v\" {{ }}\n export \"v\" {{ value = argument.v\
             .value + argument.v.value }}\n}}\nd{level} \"x\" {{ v = {value} }}\n"
        );
        text.push_str(&part);
    }
    let found = findings(&text);
    assert!(found[0].contains("BSM-0103"), "{found:?}");
}

#[test]
fn a_missing_file_is_an_error_without_a_place() {
    assert!(MemorySources::default().read(std::path::Path::new("x")).is_err());
    let found = crate::catalog::load_files(&[]).map(|loaded| loaded.graph.nodes.len());
    assert_eq!(found.ok(), Some(0));
}
