//! The same pipelines in Collector YAML and in Alloy syntax: both must give one graph.
//!
//! Where every component of a pair exists here, the graphs are compared with their settings; of the
//! others only the wiring is. Labels do not count: the two languages name components differently.
//! Nor does what stands in one text only because the defaults of the two languages differ: settings
//! that have their default here, durations of zero, and the ways to write the local host.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use bessemer_config::{
    Catalog, Context, Diagnostic, FixedEnvironment, Graph, MemorySources, Source, Stability,
    load_text,
};
use serde_json::Value as Json;

use super::effective::effective;
use super::graphs::Anything;
use super::{Tally, catalogs, rows};

/// Rounds in which a component learns of those around it; longer chains are told apart by their
/// parts.
const ROUNDS: usize = 12;

/// Every pair, judged as far as its components exist.
pub(super) fn run(folder: &Path) -> Result<Vec<Tally>> {
    let catalogs = catalogs();
    let mut whole = Tally::new("alloy/pairs.jsonl (graphs)");
    let mut wiring = Tally::new("alloy/pairs.jsonl (wiring)");
    for row in rows(&folder.join("pairs.jsonl"))? {
        let text = |key: &str| row.get(key).and_then(Json::as_str).unwrap_or_default();
        let read = |key: &str| std::fs::read_to_string(folder.join("pairs").join(text(key)));
        let (Ok(yaml), Ok(alloy)) = (read("yaml"), read("alloy")) else {
            wiring.count(text("yaml"), Some("a file is missing".to_owned()));
            continue;
        };
        if components(&row).iter().all(|name| exists(name, &catalogs)) {
            whole.count(text("yaml"), differs(&yaml, &alloy, &catalogs, Detail::Settings));
        } else {
            whole.skip();
        }
        wiring.count(text("yaml"), differs(&yaml, &alloy, &Anything, Detail::Wiring));
    }
    Ok(vec![whole, wiring])
}

/// The components of a row as `section:type`.
pub(super) fn components(row: &Json) -> Vec<String> {
    let names = row.get("components").and_then(Json::as_array).into_iter().flatten();
    names.filter_map(Json::as_str).map(str::to_owned).collect()
}

/// Whether a component is one of this version.
pub(super) fn exists(name: &str, catalog: &dyn Catalog) -> bool {
    let Some((role, kind)) = name.split_once(':') else { return false };
    let prefixes: &[&str] = match role {
        "extension" => &["otelcol.auth.", "otelcol.extension."],
        _ => &[],
    };
    if matches!(kind, "health_check" | "file_storage" | "zpages" | "pprof") {
        return true;
    }
    let own = format!("otelcol.{role}.");
    let kinds = prefixes.iter().copied().chain([own.as_str()]);
    let mut found = kinds.filter_map(|prefix| catalog.row(&format!("{prefix}{kind}")));
    found.any(|row| row.stability != Stability::Planned)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Settings,
    Wiring,
}

fn differs(yaml: &str, alloy: &str, catalog: &dyn Catalog, detail: Detail) -> Option<String> {
    let load = |name: &str, text: &str| {
        let environment = FixedEnvironment::default();
        let sources = MemorySources::default();
        let context = Context { sources: &sources, environment: &environment, catalog };
        load_text(&Source::new(name, text), &context)
    };
    let first = match load("pair.yaml", yaml) {
        Ok(loaded) => loaded.graph,
        Err(found) => return Some(first_error(&found)),
    };
    let second = match load("pair.alloy", alloy) {
        Ok(loaded) => loaded.graph,
        Err(found) => return Some(first_error(&found)),
    };
    let (first, second) = (shape(&first, catalog, detail), shape(&second, catalog, detail));
    let only = |a: &[String], b: &[String]| {
        a.iter().find(|line| !b.contains(line)).cloned().unwrap_or_default()
    };
    (first != second)
        .then(|| format!("yaml: {}; alloy: {}", only(&first, &second), only(&second, &first)))
}

fn first_error(found: &[Diagnostic]) -> String {
    let error = found.iter().find(|finding| finding.is_error());
    error.map(ToString::to_string).unwrap_or_default()
}

/// A graph without labels: each component as what it is, with what stands around it.
fn shape(graph: &Graph, catalog: &dyn Catalog, detail: Detail) -> Vec<String> {
    let mut colors: BTreeMap<String, String> = BTreeMap::new();
    for node in &graph.nodes {
        let settings = match detail {
            Detail::Settings => effective(&node.settings, &node.kind, catalog).to_string(),
            Detail::Wiring => String::new(),
        };
        // Types are spelled alike up to underscores: `splunk_hec` and `splunkhec`.
        colors.insert(node.id.clone(), format!("{} {settings}", node.kind.replace('_', "")));
    }
    let base = colors.clone();
    for _ in 0..ROUNDS {
        let known = |id: &str| colors.get(id).cloned().unwrap_or_default();
        let next = base.iter().map(|(id, own)| {
            let mut around: Vec<String> = Vec::new();
            for edge in &graph.edges {
                if edge.from == *id {
                    around.push(format!("{}>{}", edge.signal, digest(&known(&edge.to))));
                }
                if edge.to == *id {
                    around.push(format!("{}<{}", edge.signal, digest(&known(&edge.from))));
                }
            }
            if detail == Detail::Settings {
                let links = graph.links.iter().filter(|link| link.from == *id);
                around.extend(links.map(|link| format!("uses {}", digest(&known(&link.to)))));
            }
            around.sort();
            (id.clone(), format!("{own} {around:?}"))
        });
        colors = next.collect();
    }
    let wired = |id: &&String| {
        detail == Detail::Settings
            || graph.edges.iter().any(|edge| edge.from == **id || edge.to == **id)
    };
    let mut shape: Vec<String> = colors.keys().filter(wired).map(|id| known(&colors, id)).collect();
    shape.sort();
    shape
}

fn known(colors: &BTreeMap<String, String>, id: &str) -> String {
    colors.get(id).cloned().unwrap_or_default()
}

/// A short stand-in for a long text.
fn digest(text: &str) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
