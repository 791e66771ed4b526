//! Lists of integrations in JSON.

use bessemer_config::{Diagnostic, Graph, dialects};

use crate::catalog::{Fake, load_as};

const LIST: &str = r#"[
  {"type": "csv", "name": "csv-backup", "enabled": true,
   "config": {"output_dir": "/x/${TOKEN}", "rotation": "daily"}},
  {"type": "csv", "name": "csv-backup", "enabled": false, "config": {}}
]"#;

fn json(text: &str) -> Result<Graph, Vec<String>> {
    let lines = |found: Vec<Diagnostic>| found.iter().map(ToString::to_string).collect();
    load_as("test.json", text).map(|loaded| loaded.graph).map_err(lines)
}

#[test]
fn enabled_integrations_become_exporters_behind_one_pipeline() {
    let graph = json(LIST).unwrap();
    let ids: Vec<&str> = graph.nodes.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(ids, ["bessemer.pipeline.integrations", "bessemer.exporter.csv.csv_backup"]);
    let settings = &graph.nodes[1].settings;
    assert_eq!(settings.get("output_dir").unwrap().as_str(), Some("/x/hunter2"));
    assert_eq!(graph.edges.len(), 1, "only logs: {:?}", graph.edges);
}

#[test]
fn a_list_is_printed_as_a_list_and_reads_back() {
    let graph = json(LIST).unwrap();
    let printed = dialects()[2].print(&graph, &Fake);
    assert!(printed.starts_with('[') && printed.contains("${env:TOKEN}"), "{printed}");
    assert_eq!(json(&printed).unwrap(), graph);
}

#[test]
fn what_is_wrong_is_said_with_place_and_nearest_name() {
    for (text, expected) in [
        (r#"[{"type": "cvs", "name": "a"}]"#, "test.json:1:11: error BSM-0105"),
        (r#"[{"type": "cvs", "name": "a"}]"#, "did you mean \"csv\"?"),
        (r#"[{"type": "csv", "name": "a"}]"#, "needs \"output_dir\""),
        (r#"[{"type": "csv", "name": "a", "konfig": {}}]"#, "has no \"konfig\""),
        (r#"[{"name": "a"}]"#, "needs \"type\""),
        (r#"[{"type": "csv", "name": "a", "enabled": 1}]"#, "should be true or false"),
        ("[\n  {...}\n]", "test.json:2:4: error BSM-0101"),
        ("a: 1", "BSM-0101"),
        ("7", "a list of integrations is wanted"),
    ] {
        let found = json(text).unwrap_err().join("\n");
        assert!(found.contains(expected), "{text}: {found}");
    }
    let two = LIST.replace("false", "true").replace("{}", "{\"output_dir\": \"/y\"}");
    let found = json(&two).unwrap_err();
    assert!(found[0].contains("two enabled integrations are named"), "{found:?}");
}

#[test]
fn an_integration_that_can_not_run_yet_says_so_and_is_checked() {
    let text = r#"{"type": "zabbix", "name": "z", "config": {"zabbix_server": "z", "host": "h"}}"#;
    let found = json(text).unwrap_err();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("BSM-0115"), "{found:?}");
    let found = json(&text.replace("host", "hots")).unwrap_err();
    assert!(found.iter().any(|line| line.contains("did you mean \"host\"?")), "{found:?}");
}

#[test]
fn a_collector_file_may_be_written_in_json() {
    let text = r#"{
  "receivers": {"otlp": {"protocols": {"grpc": null}}},
  "exporters": {"otlp": {"endpoint": "a:1"}},
  "service": {"pipelines": {"logs": {"receivers": ["otlp"], "exporters": ["otlp"]}}}
}"#;
    let graph = json(text).unwrap();
    assert_eq!(graph.edges.len(), 1);
    assert_eq!(json(&dialects()[2].print(&graph, &Fake)).unwrap(), graph);
}
