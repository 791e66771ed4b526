//! Texts become graphs: components, wires, links, references, options.

use bessemer_config::graph::render::{Form, render};
use bessemer_config::{Signal, Value, dialects};

use crate::catalog::{Fake, findings, graph, settings};

/// The example of the design: what the seed's routing looks like with its frame.
const ROUTED: &str = r#"
logging { level = "info" }

otelcol.receiver.otlp "in" {
  grpc { endpoint = "127.0.0.1:" + sys.env("PORT") }
  output { logs = [otelcol.processor.routing.intelligent.input] }
}

otelcol.processor.routing "intelligent" {
    from_attribute = "ai.classification"
    default_pipelines = ["info"]

    table = [
        {
            value = "critical"
            pipelines = ["critical", "info"]
        },
        {
            value = "info"
            pipelines = ["info"]
        }
    ]
}

bessemer.pipeline "critical" {
  to = [otelcol.exporter.otlp.local.input, loki.write.oncall.receiver]
}
bessemer.pipeline "info"     { to = [otelcol.exporter.otlp.local.input] }

otelcol.auth.basic "creds" {
  username = "me"
  password = env("TOKEN")
}

otelcol.exporter.otlp "local" {
  client {
    endpoint = "localhost:" + sys.env("PORT")
    auth     = otelcol.auth.basic.creds.handler
    headers  = { "api-key" = coalesce(env("KEY"), "none") }
  }
}

loki.write "oncall" { }
"#;

#[test]
fn a_text_becomes_components_wires_and_links() {
    let graph = graph(ROUTED);
    let edges: Vec<_> = graph
        .edges
        .iter()
        .map(|edge| format!("{} -{}-> {}", edge.from, edge.signal, edge.to))
        .collect();
    assert_eq!(
        edges,
        [
            "bessemer.pipeline.critical -logs-> loki.write.oncall",
            "bessemer.pipeline.critical -logs-> otelcol.exporter.otlp.local",
            "bessemer.pipeline.critical -metrics-> otelcol.exporter.otlp.local",
            "bessemer.pipeline.critical -traces-> otelcol.exporter.otlp.local",
            "bessemer.pipeline.info -logs-> otelcol.exporter.otlp.local",
            "bessemer.pipeline.info -metrics-> otelcol.exporter.otlp.local",
            "bessemer.pipeline.info -traces-> otelcol.exporter.otlp.local",
            "otelcol.receiver.otlp.in -logs-> otelcol.processor.routing.intelligent",
        ]
    );
    let links: Vec<_> =
        graph.links.iter().map(|link| format!("{} {}", link.from, link.to)).collect();
    assert_eq!(
        links,
        [
            "otelcol.exporter.otlp.local otelcol.auth.basic.creds",
            "otelcol.processor.routing.intelligent bessemer.pipeline.critical",
            "otelcol.processor.routing.intelligent bessemer.pipeline.info",
        ]
    );
    let level = graph.option("logging").and_then(|logging| logging.get("level"));
    assert_eq!(level.and_then(Value::as_str), Some("info"));
}

#[test]
fn expressions_are_evaluated_and_wiring_is_taken_out_of_settings() {
    let settings = settings(ROUTED, "otelcol.receiver.otlp.in");
    let endpoint = settings.get("grpc").and_then(|grpc| grpc.get("endpoint"));
    assert_eq!(endpoint.and_then(Value::as_str), Some("127.0.0.1:4317"));
    assert!(settings.get("output").is_none());
}

#[test]
fn values_know_their_place() {
    let settings = settings(ROUTED, "otelcol.exporter.otlp.local");
    let endpoint = settings.get("client").and_then(|client| client.get("endpoint")).unwrap();
    assert_eq!(endpoint.at.to_string(), "test.alloy:37:16");
}

#[test]
fn commas_missing_at_line_ends_are_repaired_with_a_warning() {
    let warnings = findings(ROUTED);
    assert!(warnings.iter().all(|warning| warning.contains("BSM-0153")), "{warnings:?}");
    assert_eq!(warnings.len(), 5, "{warnings:?}");
}

#[test]
fn printing_and_reading_back_is_the_identity() {
    let first = graph(ROUTED);
    let dialects = dialects();
    let printed = dialects[0].print(&first, &Fake);
    assert!(printed.contains("sys.env(\"TOKEN\")"), "{printed}");
    assert!(printed.contains("\"localhost:\" + sys.env(\"PORT\")"), "{printed}");
    assert!(!printed.contains("hunter2"), "{printed}");
    assert_eq!(graph(&printed), first, "{printed}");
}

#[test]
fn aliases_name_the_same_component() {
    let text = r#"
otelcol.receiver.otlp "in" { output { traces = [otelcol.exporter.otlp_grpc.x.input] } }
otelcol.exporter.otlp_grpc "x" { client { endpoint = "e:1" } }
"#;
    let graph = graph(text);
    assert_eq!(graph.nodes[1].id, "otelcol.exporter.otlp.x");
    assert_eq!(graph.edges[0].to, "otelcol.exporter.otlp.x");
}

#[test]
fn repeated_blocks_are_arrays_and_variants_keep_their_order() {
    let text = r#"
loki.process "p" {
  stage.json { field = "a" }
  stage.drop { }
  stage.json { field = "b" }
  forward_to = [loki.write.w.receiver]
}
loki.write "w" { }
"#;
    let settings = settings(text, "loki.process.p");
    let stages = settings.get("stage").and_then(Value::as_array).unwrap();
    let names: Vec<_> =
        stages.iter().map(|stage| stage.as_object().unwrap().fields[0].name.clone()).collect();
    assert_eq!(names, ["json", "drop", "json"]);
    assert_eq!(graph(text).edges[0].signal, Signal::Logs);
}

#[test]
fn a_graph_is_drawn_without_its_settings() {
    let graph = graph(ROUTED);
    for form in ["mermaid", "dot", "json"] {
        let drawn = render(&graph, Form::named(form).unwrap());
        assert!(!drawn.contains("hunter2") && drawn.contains("intelligent"), "{drawn}");
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../golden");
        settings.set_prepend_module_to_snapshot(false);
        settings.bind(|| insta::assert_snapshot!(format!("graph_{form}"), drawn));
    }
}

#[test]
fn metrics_made_from_spans_are_no_circle() {
    let text = r#"
otelcol.receiver.otlp "in" { output { traces = [otelcol.processor.batch.b.input] } }
otelcol.processor.batch "b" {
  output {
    traces  = [otelcol.connector.spanmetrics.s.input]
    metrics = [otelcol.exporter.otlp.x.input]
  }
}
otelcol.connector.spanmetrics "s" { output { metrics = [otelcol.processor.batch.b.input] } }
otelcol.exporter.otlp "x" { client { endpoint = "e:1" } }
"#;
    assert_eq!(findings(text), Vec::<String>::new());
}

#[test]
fn a_directory_of_the_disk_is_one_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "a.alloy",
        "otelcol.receiver.otlp \"in\" {\n output { logs = [otelcol.exporter.otlp.x.input] }\n}\n",
    );
    write("b.alloy", "otelcol.exporter.otlp \"x\" { client { endpoint = \"e:1\" } }\n");
    write("notes.txt", "not a configuration");
    let loaded =
        bessemer_config::load(&[folder.path()], &bessemer_config::SystemEnvironment, &Fake);
    let loaded = loaded.unwrap_or_else(|found| panic!("{found:?}"));
    assert_eq!(loaded.graph.nodes.len(), 2);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);

    let missing = bessemer_config::load(
        &[folder.path().join("c.alloy")],
        &bessemer_config::SystemEnvironment,
        &Fake,
    );
    assert_eq!(missing.unwrap_err()[0].code.as_str(), "BSM-0104");
}

#[test]
fn a_single_block_of_a_list_reads_back_as_one() {
    let text = "otelcol.processor.attributes \"a\" {\n action {\n key = \"k\"\n action = \"delet\
     e\"\n }\n}";
    let first = graph(text);
    let printed = dialects()[0].print(&first, &Fake);
    assert!(printed.contains("action {"), "{printed}");
    assert_eq!(graph(&printed), first);
}
