//! Custom components: `declare`, `argument`, `export`, imports, `foreach`.

use bessemer_config::{Diagnostic, Graph, Value};

use crate::catalog::{graph, load_files};

fn ids(graph: &Graph) -> Vec<&str> {
    graph.nodes.iter().map(|node| node.id.as_str()).collect()
}

fn messages(files: &[(&str, &str)]) -> Vec<String> {
    let found = load_files(files).expect_err("this must not load");
    found.iter().map(|finding: &Diagnostic| finding.to_string()).collect()
}

#[test]
fn a_custom_component_becomes_what_it_consists_of() {
    let text = r#"
declare "buffered" {
  argument "to" { }
  argument "size" { optional = true  default = 100 }
  otelcol.processor.batch "b" {
    send_batch_size = argument.size.value * 2
    output { logs = argument.to.value }
  }
  export "input" { value = otelcol.processor.batch.b.input }
}
otelcol.receiver.otlp "in" { output { logs = [buffered.one.input, buffered.two.input] } }
buffered "one" { to = [otelcol.exporter.otlp.x.input] }
buffered "two" {
  to   = [otelcol.exporter.otlp.x.input]
  size = 7
}
otelcol.exporter.otlp "x" { client { endpoint = "e:1" } }
"#
    .replace("optional = true  default", "optional = true\ndefault");
    let graph = graph(&text);
    assert_eq!(
        ids(&graph),
        [
            "otelcol.receiver.otlp.in",
            "otelcol.processor.batch.buffered_one__b",
            "otelcol.processor.batch.buffered_two__b",
            "otelcol.exporter.otlp.x",
        ]
    );
    let sizes: Vec<_> = graph.nodes[1..3]
        .iter()
        .map(|node| node.settings.get("send_batch_size").cloned().unwrap())
        .collect();
    assert_eq!(sizes, [Value::from(serde_json::json!(200)), Value::from(serde_json::json!(14))]);
    let edges: Vec<_> =
        graph.edges.iter().map(|edge| (edge.from.as_str(), edge.to.as_str())).collect();
    assert_eq!(
        edges,
        [
            ("otelcol.processor.batch.buffered_one__b", "otelcol.exporter.otlp.x"),
            ("otelcol.processor.batch.buffered_two__b", "otelcol.exporter.otlp.x"),
            ("otelcol.receiver.otlp.in", "otelcol.processor.batch.buffered_one__b"),
            ("otelcol.receiver.otlp.in", "otelcol.processor.batch.buffered_two__b"),
        ]
    );
}

#[test]
fn modules_come_from_files_directories_and_strings_relative_to_who_imports_them() {
    let main = r#"
import.file "math" { filename = "lib/math.alloy" }
import.file "all" { filename = file.path_join(module_path, "parts") }
import.string "inline" { content = "declare \"three\" { export \"out\" { value = 3 } }" }
math.add "a" {
  a = 15
  b = all.two.x.out
}
all.two "x" { }
inline.three "y" { }
otelcol.processor.batch "b" { send_batch_size = math.add.a.sum + inline.three.y.out }
"#;
    let math = r#"
import.file "inner" { filename = file.path_join(module_path, "plus.alloy") }
declare "add" {
  argument "a" { }
  argument "b" { }
  inner.plus "p" {
    a = argument.a.value
    b = argument.b.value
  }
  export "sum" { value = inner.plus.p.sum }
}
"#;
    let plus = r#"
declare "plus" {
  argument "a" { }
  argument "b" { }
  export "sum" { value = argument.a.value + argument.b.value }
}
"#;
    let files = [
        ("etc/main.alloy", main),
        ("etc/lib/math.alloy", math),
        ("etc/lib/plus.alloy", plus),
        ("etc/parts/one.alloy", "declare \"one\" {\n export \"out\" { value = 1 }\n}"),
        (
            "etc/parts/two.alloy",
            "declare \"two\" {\n one \"o\" { }\n export \"out\" { value = one.o.out + 1 }\n}",
        ),
    ];
    let loaded = load_files(&files).unwrap_or_else(|found| panic!("{found:?}"));
    let size = loaded.graph.nodes[0].settings.get("send_batch_size").cloned();
    assert_eq!(size, Some(Value::from(serde_json::json!(20))));
}

#[test]
fn foreach_repeats_its_template_for_each_item() {
    let text = r#"
foreach "sizes" {
  collection = [{ n = 1 }, { n = 2 }]
  var        = "each"
  template {
    otelcol.processor.batch "b" {
      send_batch_size = each.n
      output { logs = [otelcol.exporter.otlp.x.input] }
    }
  }
}
otelcol.exporter.otlp "x" { client { endpoint = "e:1" } }
"#;
    let graph = graph(text);
    assert_eq!(
        ids(&graph),
        [
            "otelcol.processor.batch.foreach_sizes_0__b",
            "otelcol.processor.batch.foreach_sizes_1__b",
            "otelcol.exporter.otlp.x",
        ]
    );
    assert_eq!(graph.edges.len(), 2);
}

#[test]
fn modules_that_contain_themselves_are_refused() {
    let recursive = "declare \"a\" {\n a \"x\" { }\n}\na \"y\" { }\n";
    let found = messages(&[("m.alloy", recursive)]);
    assert!(found[0].contains("custom component \"a\" contains itself"), "{found:?}");

    let imports = "import.file \"m\" { filename = \"n.alloy\" }\n";
    let found = messages(&[("m.alloy", imports), ("n.alloy", imports)]);
    assert!(found[0].contains("imports itself"), "{found:?}");

    let mutual =
        "declare \"id\" {\n argument \"v\" { }\n export \"v\" { value = argument.v.value }\n}
id \"a\" { v = id.b.v }\nid \"b\" { v = id.a.v }\n";
    let found = messages(&[("m.alloy", mutual)]);
    assert!(found[0].contains("depends on what it exports itself"), "{found:?}");
}

#[test]
fn an_explosion_of_components_ends_at_the_limit() {
    let mut text = String::from("declare \"d0\" {\n otelcol.processor.batch \"b\" { }\n}\n");
    for level in 1..20 {
        let below = level - 1;
        let part =
            format!("declare \"d{level}\" {{\n d{below} \"l\" {{ }}\n d{below} \"r\" {{ }}\n}}\n");
        text.push_str(&part);
    }
    text.push_str("d19 \"x\" { }\n");
    let found = messages(&[("m.alloy", &text)]);
    assert!(
        found.iter().any(|message| message.contains("more than 10000 components")),
        "{found:?}"
    );
}

#[test]
fn arguments_are_checked_by_name() {
    let text = "declare \"d\" {\n argument \"size\" { }\n}\nd \"x\" { siez = 1 }\n";
    let found = messages(&[("m.alloy", text)]);
    assert_eq!(
        found,
        [
            "m.alloy:4:1: error BSM-0108: d needs the argument \"size\"",
            "m.alloy:4:9: error BSM-0106: d has no argument \"siez\"; did you mean \"size\"?",
        ]
    );
}

#[test]
fn missing_files_and_foreign_statements_are_named() {
    let found = messages(&[("m.alloy", "import.file \"x\" { filename = \"none.alloy\" }\n")]);
    assert!(found[0].contains("none.alloy") && found[0].starts_with("m.alloy:1:30"), "{found:?}");
    let found = messages(&[
        ("m.alloy", "import.file \"x\" { filename = \"n.alloy\" }\n"),
        ("n.alloy", "otelcol.processor.batch \"b\" { }\n"),
    ]);
    assert!(found[0].starts_with("n.alloy:1:1: error BSM-0114"), "{found:?}");
}
