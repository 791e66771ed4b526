//! YAML as such: what it may hold, and how much.

use crate::catalog::load_as;

/// The findings of a text that stands under a key nobody knows.
fn findings(text: &str) -> Vec<String> {
    let found = load_as("test.yaml", text).err().unwrap_or_default();
    found.iter().map(ToString::to_string).collect()
}

fn refused(text: &str, expected: &str) {
    let found = findings(text);
    assert!(found.iter().any(|line| line.contains(expected)), "{expected}: {found:?}");
}

#[test]
fn aliases_and_merge_keys_are_resolved() {
    let text = r"
exporters:
  otlp: &base {endpoint: 'a:1', compression: gzip}
  otlp/b: {<<: *base, endpoint: 'b:1'}
  otlp/c: *base
";
    let graph = load_as("test.yaml", text).unwrap().graph;
    let client = |id: &str| graph.node(id).unwrap().settings.get("client").unwrap().clone();
    let b = client("otelcol.exporter.otlp.b");
    assert_eq!(b.get("endpoint").unwrap().as_str(), Some("b:1"));
    assert_eq!(b.get("compression").unwrap().as_str(), Some("gzip"));
    assert_eq!(client("otelcol.exporter.otlp.c"), client("otelcol.exporter.otlp.default"));
}

#[test]
fn what_is_no_yaml_is_refused_at_its_place() {
    refused("a: b: c\n", "test.yaml:1:5: error BSM-0101");
    refused("a:\n\t- b\n", "test.yaml:2:2: error BSM-0101");
    refused("a: *b\n", "test.yaml:1:4: error BSM-0101");
    refused("a: 1\n---\nb: 1\n", "a second document");
    refused("a: !custom x\n", "the tag !custom is not known");
    refused("receivers: {}\nexporters: {}\nreceivers: {}\n", "3:1: error BSM-0109");
    refused("? [a]\n: b\n", "a key must be a scalar");
    refused("- a\n", "a configuration is a map");
}

#[test]
fn bombs_of_aliases_end_at_the_limit() {
    let mut lines = vec!["a0: &a0 [x, x, x, x, x, x, x, x, x]".to_owned()];
    for level in 1..12 {
        let inner = format!("*a{}", level - 1);
        let items = [inner.as_str(); 9].join(", ");
        lines.push(format!("a{level}: &a{level} [{items}]"));
    }
    let text = lines.join("\n");
    refused(&text, "BSM-0103");
    refused("a: &a [*a]\n", "can not stand in what it names");
    let long = "x".repeat(1 << 20);
    let aliases = "*l, ".repeat(20);
    refused(&format!("l: &l {long}\nm: [{aliases}]\n"), "BSM-0103");
}

/// Promise: no depth overflows the stack, not even a small one.
#[test]
fn depth_ends_at_the_limit_on_a_small_stack() {
    let check = || {
        for (open, close) in [("[", "]"), ("{a: ", "}")] {
            for depth in [65, 100, 10_000, 200_000] {
                let text = format!("a: {}x{}", open.repeat(depth), close.repeat(depth));
                assert!(!findings(&text).is_empty(), "{depth}");
            }
        }
        let lines: Vec<String> = (0..2000).map(|depth| " ".repeat(depth) + "a:").collect();
        let block = lines.join("\n");
        assert!(!findings(&block).is_empty());
        let deep = format!("x: '{}'", "${yaml:".repeat(5000) + &"}".repeat(5000));
        assert!(!findings(&deep).is_empty());
    };
    let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(check).unwrap();
    thread.join().unwrap();
}
