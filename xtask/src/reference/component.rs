//! One page per component, their index and their common JSON Schema.

use std::fmt::Write;

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::schema;

/// What `bessemer components -o json --schemas` says of a component.
#[derive(Debug, Deserialize)]
pub(super) struct Component {
    pub(super) name: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(alias = "role")]
    kind: String,
    signals: Vec<String>,
    stability: String,
    summary: String,
    #[serde(default)]
    ports: Vec<String>,
    #[serde(default)]
    example: String,
    schema: Value,
}

impl Component {
    pub(super) fn page(&self) -> String {
        let mut page = format!("# {}\n\n{}\n\n", self.name, self.summary.trim());
        self.write_facts(&mut page);
        if !self.example.trim().is_empty() {
            write_line(
                &mut page,
                format_args!("\n## Example\n\n```alloy\n{}\n```", self.example.trim()),
            );
        }
        page.push_str("\n## Settings\n");
        if let Some(text) = self.schema.get("description").and_then(Value::as_str) {
            write_line(&mut page, format_args!("\n{}", text.trim()));
        }
        page.push_str(&schema::tables(&self.schema));
        page
    }

    fn write_facts(&self, page: &mut String) {
        page.push_str("| | |\n|---|---|\n");
        for (name, value) in [
            ("Kind", self.kind.clone()),
            ("Signals", self.signals.join(", ")),
            ("Stability", self.stability.clone()),
            ("Also named", self.aliases.join(", ")),
            ("Listens on", self.ports.join(", ")),
        ] {
            if !value.is_empty() {
                write_line(page, format_args!("| {name} | {value} |"));
            }
        }
    }
}

/// The list of all components, by kind.
pub(super) fn index(components: &[Component]) -> String {
    let mut page = String::from(
        "# Reference\n\n[Command line](cli.md). [JSON Schema of all settings](schema.json).\n",
    );
    let mut kinds: Vec<&str> = components.iter().map(|row| row.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        write_line(
            &mut page,
            format_args!("\n## {kind}\n\n| Name | Signals | Stability | |\n|---|---|---|---|"),
        );
        for row in components.iter().filter(|row| row.kind == kind) {
            let Component { name, stability, .. } = row;
            let signals = row.signals.join(", ");
            let summary = row.summary.lines().next().unwrap_or_default();
            write_line(
                &mut page,
                format_args!(
                    "| [{name}](components/{name}.md) | {signals} | {stability} | {summary} |"
                ),
            );
        }
    }
    page
}

/// One schema whose properties are the components. Each keeps its own `$defs`: its `$id` makes the
/// references inside it relative to itself.
pub(super) fn schema(components: &[Component]) -> Result<String> {
    let mut properties = Map::new();
    for row in components {
        let mut schema = row.schema.clone();
        if let Value::Object(fields) = &mut schema {
            fields.remove("$schema");
            fields.insert("$id".into(), json!(format!("bessemer:{}", row.name)));
        }
        properties.insert(row.name.clone(), schema);
    }
    let whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of Bessemer's components, by name",
        "type": "object",
        "properties": properties,
    });
    Ok(format!("{}\n", serde_json::to_string_pretty(&whole)?))
}

fn write_line(page: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    page.write_fmt(line).unwrap_or_default();
    page.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Component {
        serde_json::from_value(json!({
            "name": "otelcol.exporter.debug",
            "aliases": ["debug"],
            "kind": "exporter",
            "signals": ["logs", "traces"],
            "stability": "stable",
            "ports": ["127.0.0.1:1"],
            "summary": "Prints what it is given.",
            "example": "otelcol.exporter.debug \"d\" { }\n",
            "schema": {"$schema": "x", "type": "object", "description": "How it prints.", "properties": {"verbosity": {"type": "string"}}},
        }))
        .unwrap()
    }

    #[test]
    fn a_page_has_facts_example_and_settings() {
        assert_eq!(
            sample().page(),
            "# otelcol.exporter.debug\n\nPrints what it is given.\n\n\
             | | |\n|---|---|\n| Kind | exporter |\n| Signals | logs, traces |\n\
             | Stability | stable |\n| Also named | debug |\n| Listens on | 127.0.0.1:1 |\n\n\
             ## Example\n\n```alloy\notelcol.exporter.debug \"d\" { }\n```\n\n\
             ## Settings\n\nHow it prints.\n\n| Name | Type | Required | Default | |\n|---|---|---|---|---|\n\
             | `verbosity` | string | no |  |  |\n"
        );
    }

    #[test]
    fn the_index_links_each_component_under_its_kind() {
        let page = index(&[sample()]);
        assert!(page.contains("\n## exporter\n"), "{page}");
        let row =
            "| [otelcol.exporter.debug](components/otelcol.exporter.debug.md) | logs, traces |";
        assert!(page.contains(row), "{page}");
    }

    #[test]
    fn the_schema_keeps_references_inside_each_component() {
        let text = schema(&[sample()]).unwrap();
        let whole: Value = serde_json::from_str(&text).unwrap();
        let one = &whole["properties"]["otelcol.exporter.debug"];
        assert_eq!(one["$id"], "bessemer:otelcol.exporter.debug");
        assert_eq!(one.get("$schema"), None);
    }
}
