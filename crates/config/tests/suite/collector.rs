//! Collector files in YAML: sections, pipelines, what expands, what is merged.

use bessemer_config::{Diagnostic, Graph, Loaded, decode};
use bessemer_runtime::Span;
use std::time::Duration;

use crate::catalog::{Attributes, Exporter, Fake, graph, load_arguments, load_as};

pub(crate) fn yaml(text: &str) -> Graph {
    shown(load_as("test.yaml", text)).graph
}

fn shown(loaded: Result<Loaded, Vec<Diagnostic>>) -> Loaded {
    loaded.unwrap_or_else(|found| panic!("{}", bessemer_config::render(&found, false)))
}

/// The findings as `line:column severity code message` lines.
fn findings(text: &str) -> Vec<String> {
    let found = match load_as("test.yaml", text) {
        Ok(loaded) => loaded.warnings,
        Err(found) => found,
    };
    let line = |finding: &Diagnostic| finding.to_string().replace("test.yaml:", "");
    found.iter().map(line).collect()
}

fn edges(graph: &Graph) -> Vec<String> {
    let line = |edge: &bessemer_config::Edge| {
        let short = |id: &str| id.trim_start_matches("otelcol.").to_owned();
        format!("{} -{}-> {}", short(&edge.from), edge.signal, short(&edge.to))
    };
    graph.edges.iter().map(line).collect()
}

const WHOLE: &str = r"
extensions:
  basicauth/creds:
    username: me
    password: ${env:TOKEN}
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: localhost:${env:PORT}
        max_recv_msg_size: 4MiB
      http:
processors:
  batch:
    timeout: 5s
  attributes:
    actions:
      - {key: a, action: insert, value: 1}
      - {key: b, action: delete}
exporters:
  otlp/backup:
    endpoint: backup:4317
    compression: gzip
    timeout: 3s
    headers:
      x-version: 1.10
    auth:
      authenticator: basicauth/creds
service:
  extensions: [basicauth/creds]
  pipelines:
    traces:
      receivers: [otlp]
      processors: [attributes, batch]
      exporters: [otlp/backup]
    logs:
      receivers: [otlp]
      exporters: [otlp/backup]
";

/// The same as [`WHOLE`].
const WHOLE_IN_ALLOY: &str = r#"
otelcol.exporter.otlp "backup" {
  timeout = "3s"
  client {
    endpoint    = "backup:4317"
    compression = "gzip"
    headers     = { "x-version" = "1.10" }
    auth        = otelcol.auth.basic.creds.handler
  }
}
otelcol.auth.basic "creds" {
  username = "me"
  password = sys.env("TOKEN")
}
otelcol.receiver.otlp "default" {
  grpc {
    endpoint          = "localhost:" + sys.env("PORT")
    max_recv_msg_size = "4MiB"
  }
  http { }
  output {
    traces = [otelcol.processor.attributes.default.input]
    logs   = [otelcol.exporter.otlp.backup.input]
  }
}
otelcol.processor.attributes "default" {
  action {
    key    = "a"
    action = "insert"
    value  = 1
  }
  action {
    key    = "b"
    action = "delete"
  }
  output { traces = [otelcol.processor.batch.default.input] }
}
otelcol.processor.batch "default" {
  timeout = "5s"
  output { traces = [otelcol.exporter.otlp.backup.input] }
}
"#;

#[test]
fn equal_configurations_give_equal_graphs_in_equal_order() {
    let (first, second) = (yaml(WHOLE), graph(WHOLE_IN_ALLOY));
    assert_eq!(first, second, "{}", print(&first));
    assert_eq!(print(&first), print(&second));
    assert_eq!(edges(&first), edges(&second));
}

fn print(graph: &Graph) -> String {
    bessemer_config::dialects()[0].print(graph, &Fake)
}

#[test]
fn settings_decode_as_those_of_alloy_do() {
    let graph = yaml(WHOLE);
    let exporter: Exporter =
        decode(&graph.node("otelcol.exporter.otlp.backup").unwrap().settings).unwrap();
    assert_eq!(exporter.timeout, Some(Span(Duration::from_secs(3))));
    assert_eq!(exporter.client.headers.unwrap()["x-version"], "1.10");
    assert_eq!(exporter.client.auth.unwrap().node, "otelcol.auth.basic.creds");
    let attributes: Attributes =
        decode(&graph.node("otelcol.processor.attributes.default").unwrap().settings).unwrap();
    assert_eq!(attributes.action.len(), 2);
    assert_eq!(attributes.action[0].value, Some(1.into()));
}

#[test]
fn a_processor_that_pipelines_of_one_signal_share_is_one_for_each_of_them() {
    let text = r"
receivers: {otlp: {protocols: {grpc: }}, otlp/b: {protocols: {grpc: }}}
processors: {batch: }
exporters: {otlp: {endpoint: a}, otlp/b: {endpoint: b}}
service:
  pipelines:
    logs: {receivers: [otlp], processors: [batch], exporters: [otlp]}
    logs/b: {receivers: [otlp/b], processors: [batch], exporters: [otlp/b]}
    traces/b: {receivers: [otlp/b], processors: [batch], exporters: [otlp/b]}
";
    assert_eq!(
        edges(&yaml(text)),
        [
            "processor.batch.default -logs-> exporter.otlp.default",
            "processor.batch.default_b -logs-> exporter.otlp.b",
            "processor.batch.default_b -traces-> exporter.otlp.b",
            "receiver.otlp.b -logs-> processor.batch.default_b",
            "receiver.otlp.b -traces-> processor.batch.default_b",
            "receiver.otlp.default -logs-> processor.batch.default",
        ]
    );
}

#[test]
fn a_connector_ends_one_pipeline_and_starts_another() {
    let text = r"
receivers: {otlp: {protocols: {grpc: }}}
connectors: {spanmetrics: }
exporters: {otlp: {endpoint: a}}
service:
  pipelines:
    traces: {receivers: [otlp], exporters: [spanmetrics]}
    metrics: {receivers: [spanmetrics], exporters: [otlp]}
";
    assert_eq!(
        edges(&yaml(text)),
        [
            "connector.spanmetrics.default -metrics-> exporter.otlp.default",
            "receiver.otlp.default -traces-> connector.spanmetrics.default",
        ]
    );
}

#[test]
fn a_pipeline_that_a_table_names_is_reached_through_the_table_only() {
    let text = r"
receivers: {otlp: {protocols: {grpc: }}}
processors:
  batch:
  routing:
    from_attribute: class
    default_pipelines: [logs/info]
    table: [{value: critical, pipelines: [critical]}]
exporters: {otlp: {endpoint: a}}
service:
  pipelines:
    logs: {receivers: [otlp], processors: [routing]}
    logs/critical: {receivers: [routing], processors: [batch], exporters: [otlp]}
    logs/info: {receivers: [routing], exporters: [otlp]}
";
    let graph = yaml(text);
    assert_eq!(
        edges(&graph),
        [
            "bessemer.pipeline.critical -logs-> processor.batch.default",
            "bessemer.pipeline.logs_info -logs-> exporter.otlp.default",
            "processor.batch.default -logs-> exporter.otlp.default",
            "receiver.otlp.default -logs-> processor.routing.default",
        ]
    );
    assert_eq!(graph.links.len(), 2, "{:?}", graph.links);
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_place() {
    let text = r"recievers: {}
receivers:
  otpl:
exporters:
  otlp:
    endpoint: a
    client: {compresion: gzip}
    timeout: soon
service:
  extensions: [basicauth]
  pipelines:
    trace:
      receivers: [otpl]
    logs:
      receivers: [otlp]
      exporters: [otlp, oltp]
      processor: []
";
    assert_eq!(
        findings(text),
        [
            "1:1: error BSM-0106: a configuration has no section \"recievers\"; did you mean \
             \"receivers\"?",
            "3:3: error BSM-0105: unknown receiver \"otpl\"; did you mean \"otlp\"?",
            "7:14: error BSM-0106: client has no setting \"compresion\"; did you mean \
             \"compression\"?",
            "8:14: error BSM-0107: \"timeout\": \"soon\" is not a duration: write 5s or 1m30s",
            "10:16: error BSM-0110: extension \"basicauth\" does not exist",
            "12:5: error BSM-0106: pipeline \"trace\" is of no known signal; did you mean \
             \"traces\"?",
            "15:19: error BSM-0110: receiver or connector \"otlp\" does not exist; did you mean \
             \"otpl\"?",
            "16:25: error BSM-0110: exporter or connector \"oltp\" does not exist; did you mean \
             \"otlp\"?",
            "17:7: error BSM-0106: a pipeline has no \"processor\"; did you mean \"processors\"?",
        ]
    );
}

#[test]
fn extensions_that_are_built_in_are_checked_and_said_to_have_no_effect() {
    let text = r"
extensions:
  health_check: {endpoint: 'localhost:13133'}
  file_storage: {directory: /tmp, timeout: 1s, direktory: /tmp}
";
    let found = findings(text);
    assert!(found[2].contains("4:48: error BSM-0106: file_storage has no setting"), "{found:?}");
    let found = findings(&text.replace(", direktory: /tmp", ""));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("the admin port answers /health"), "{found:?}");
}

#[test]
fn telemetry_of_the_process_is_taken_as_far_as_it_means_something() {
    let text = r"
service:
  telemetry:
    logs: {level: DEBUG, encoding: json}
    metrics: {level: none}
";
    let loaded = shown(load_as("test.yaml", text));
    let logging = loaded.graph.option("logging").unwrap();
    assert_eq!(logging.get("level").unwrap().as_str(), Some("debug"));
    assert_eq!(logging.get("format").unwrap().as_str(), Some("json"));
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
}

const SMALL: &str = r"
receivers: {otlp: {protocols: {grpc: {endpoint: 'a:1'}}}}
exporters:
  otlp:
    endpoint: 'b:1'
service: {pipelines: {logs: {receivers: [otlp], exporters: [otlp]}}}
";

fn endpoint(graph: &Graph, id: &str, block: &str) -> String {
    let settings = &graph.node(id).unwrap().settings;
    settings.get(block).unwrap().get("endpoint").unwrap().as_str().unwrap().to_owned()
}

#[test]
fn files_are_merged_in_order_and_settings_come_last() {
    let over = "exporters: {otlp: {endpoint: 'c:1'}, otlp/two: {endpoint: 'd:1'}}\n\
                service: {pipelines: {logs: {exporters: [otlp, otlp/two]}}}\n";
    let files = [("a.yaml", SMALL), ("b.yaml", over)];
    let settings = ["receivers.otlp.protocols.grpc.endpoint=z:1"];
    let loaded = shown(load_arguments(&["file:a.yaml", "b.yaml"], &settings, &files)).graph;
    assert_eq!(endpoint(&loaded, "otelcol.exporter.otlp.default", "client"), "c:1");
    assert_eq!(endpoint(&loaded, "otelcol.receiver.otlp.default", "grpc"), "z:1");
    assert_eq!(loaded.edges.len(), 2);
    let inline = "yaml:exporters: {otlp: {endpoint: 'i:1'}}";
    let loaded = shown(load_arguments(&["a.yaml", inline], &[], &files)).graph;
    assert_eq!(endpoint(&loaded, "otelcol.exporter.otlp.default", "client"), "i:1");
    let wrong = load_arguments(&["a.yaml"], &["exporters..x=1", "x"], &files).unwrap_err();
    assert_eq!(wrong.len(), 2, "{wrong:?}");
}

#[test]
fn texts_in_three_dialects_make_one_graph() {
    let alloy = r#"
otelcol.processor.batch "b" {
  output { logs = [otelcol.exporter.otlp.default.input, bessemer.pipeline.integrations.input] }
}
"#;
    let yaml = r"
receivers: {otlp: {protocols: {grpc: }}}
exporters: {otlp: {endpoint: 'b:1'}}
service: {pipelines: {logs: {receivers: [otlp], exporters: [otelcol.processor.batch/b]}}}
";
    let files = [("a.alloy", alloy), ("b.yaml", yaml)];
    let graph = shown(load_arguments(&["a.alloy", "b.yaml", "env:CONFIG"], &[], &files)).graph;
    assert_eq!(
        edges(&graph),
        [
            "bessemer.pipeline.integrations -logs-> bessemer.exporter.csv.a",
            "processor.batch.b -logs-> bessemer.pipeline.integrations",
            "processor.batch.b -logs-> exporter.otlp.default",
            "receiver.otlp.default -logs-> processor.batch.b",
        ]
    );
}

fn value(text: &str) -> Result<String, Vec<String>> {
    let whole = SMALL.replace("'b:1'", text);
    match load_as("test.yaml", &whole) {
        Ok(loaded) => Ok(endpoint(&loaded.graph, "otelcol.exporter.otlp.default", "client")),
        Err(found) => Err(found.iter().map(ToString::to_string).collect()),
    }
}

#[test]
fn what_expands_is_text_and_stays_a_scalar() {
    for (text, expected) in [
        ("a${env:PORT}b", "a4317b"),
        ("'${PORT}'", "4317"),
        ("\"${env:NONE:-x:1}\"", "x:1"),
        ("'${NONE:-${env:PORT}}'", "4317"),
        ("$$${PORT}", "$4317"),
        ("$${PORT}", "${PORT}"),
        ("a$b", "a$b"),
        ("'${yaml:''q''}'", "q"),
        // Neither its newline nor its braces become structure, and it is not expanded again.
        ("${env:EVIL}", "x\nexporters: {otlp/evil: {endpoint: \"${env:TOKEN}\"}}"),
    ] {
        assert_eq!(value(text), Ok(expected.to_owned()), "{text}");
    }
    for (text, expected) in [
        ("'${env:'", "without"),
        ("'${http:x}'", "no known source"),
        ("'${env:a-b}'", "no name of an environment variable"),
        ("'${file:nowhere}'", "nowhere"),
        ("'x${yaml:[1]}'", "can not stand inside of text"),
    ] {
        let found = value(text).unwrap_err();
        assert!(found[0].contains(expected), "{text}: {found:?}");
    }
}

#[test]
fn files_may_hold_any_value_and_end_when_they_hold_themselves() {
    let main = "receivers: {otlp: {protocols: {grpc: }}}\nexporters: '${file:e.yaml}'\n";
    let files = [("a.yaml", main), ("e.yaml", "otlp: {endpoint: a}\notlp/b: {endpoint: b}\n")];
    let loaded = shown(load_arguments(&["a.yaml"], &[], &files)).graph;
    assert_eq!(loaded.nodes.len(), 3);
    let files = [("a.yaml", main), ("e.yaml", "otlp: {endpoint: a}\nx: '${file:e.yaml}'\n")];
    let found = load_arguments(&["a.yaml"], &[], &files).unwrap_err();
    assert!(found.iter().any(|finding| finding.to_string().contains("deeper than")), "{found:?}");
}

#[test]
fn a_printed_file_reads_back_and_names_variables() {
    let graph = yaml(WHOLE);
    let printed = bessemer_config::dialects()[1].print(&graph, &Fake);
    assert!(printed.contains("${env:TOKEN}") && !printed.contains("hunter2"), "{printed}");
    assert_eq!(yaml(&printed), graph, "{printed}");
    insta::with_settings!({snapshot_path => "../golden", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("collector_printed", printed);
    });
}
