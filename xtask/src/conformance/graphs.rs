//! Whole configurations: what is read can be written and read again.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use bessemer_config::alloy::Alloy;
use bessemer_config::{
    Catalog, Context, Dialect, FixedEnvironment, MemorySources, Read, Role, RowInfo, Source,
    Stability,
};
use schemars::json_schema;

use super::{Tally, files};

/// Knows every component that looks like one, and nothing of its settings.
pub(super) struct Anything;

impl Catalog for Anything {
    fn row(&self, kind: &str) -> Option<RowInfo> {
        let role = match kind.split('.').nth(1)? {
            "receiver" | "source" | "scrape" => Role::Receiver,
            "exporter" | "write" | "remote_write" => Role::Exporter,
            "connector" => Role::Connector,
            "auth" | "extension" => Role::Extension,
            "storage" => Role::Storage,
            _ => Role::Processor,
        };
        Some(RowInfo {
            name: kind.to_owned(),
            aliases: Vec::new(),
            role,
            signals: Vec::new(),
            stability: Stability::Stable,
            schema: json_schema!({}),
        })
    }

    fn kinds(&self) -> Vec<String> {
        Vec::new()
    }
}

fn read(name: &str, text: &str) -> Read {
    let environment = FixedEnvironment::default();
    let sources = MemorySources::default();
    let context = Context { sources: &sources, environment: &environment, catalog: &Anything };
    let source: Arc<Source> = Source::new(name, text);
    Alloy::default().read(&[source], &context)
}

/// Of the valid texts those that make a graph alone: printing and reading it back is the identity.
pub(super) fn round_trips(folder: &Path) -> Result<Tally> {
    let mut tally = Tally::new("alloy (print is the inverse)");
    for path in files(folder)? {
        if path.extension().is_none_or(|ending| ending != "alloy") {
            continue;
        }
        let name = path.strip_prefix(folder)?.to_string_lossy().into_owned();
        let first = read(&name, &std::fs::read_to_string(&path)?);
        if first.diagnostics.iter().any(bessemer_config::Diagnostic::is_error) {
            continue;
        }
        let printed = Alloy::default().print(&first.graph, &Anything);
        let second = read("printed", &printed);
        let problem = if let Some(finding) = second.diagnostics.iter().find(|f| f.is_error()) {
            Some(format!("{finding}\n{printed}"))
        } else {
            (first.graph != second.graph).then(|| format!("differs:\n{printed}"))
        };
        tally.count(&name, problem);
    }
    Ok(tally)
}
