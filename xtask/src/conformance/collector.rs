//! Whole Collector files: those whose components exist here load, and every one that can be read
//! can be written, in every dialect, and read again.

use std::path::Path;

use anyhow::Result;
use bessemer_config::{
    Catalog, Context, FixedEnvironment, Loaded, MemorySources, Source, dialects, load_text,
};
use serde_json::Value as Json;

use super::graphs::Anything;
use super::pairs::{components, exists};
use super::{Tally, catalogs, rows};

/// Every file.
pub(super) fn run(folder: &Path) -> Result<Vec<Tally>> {
    let catalogs = catalogs();
    let mut ours = Tally::new("otelcol-yaml (ours load)");
    let mut inverse = Tally::new("otelcol-yaml (print is the inverse)");
    for row in rows(&folder.join("full-configs.jsonl"))? {
        let file = row.get("file").and_then(Json::as_str).unwrap_or_default();
        let Ok(text) = std::fs::read_to_string(folder.join(file)) else {
            ours.count(file, Some("the file is missing".to_owned()));
            continue;
        };
        let names = components(&row);
        if !names.is_empty() && names.iter().all(|name| exists(name, &catalogs)) {
            ours.count(file, load("case.yaml", &text, &catalogs).err());
        } else {
            ours.skip();
        }
        match load("case.yaml", &text, &Anything) {
            Ok(loaded) => inverse.count(file, round_trip(&loaded)),
            // What no Collector accepts either has no graph to print.
            Err(_) => inverse.skip(),
        }
    }
    Ok(vec![ours, inverse])
}

fn load(name: &str, text: &str, catalog: &dyn Catalog) -> Result<Loaded, String> {
    let environment = FixedEnvironment::default();
    let sources = MemorySources::default();
    let context = Context { sources: &sources, environment: &environment, catalog };
    load_text(&Source::new(name, text), &context).map_err(|found| {
        let error = found.iter().find(|finding| finding.is_error());
        error.map(ToString::to_string).unwrap_or_default()
    })
}

fn round_trip(loaded: &Loaded) -> Option<String> {
    for dialect in dialects() {
        let printed = dialect.print(&loaded.graph, &Anything);
        let ending = dialect.extensions().first().copied().unwrap_or_default();
        match load(&format!("printed.{ending}"), &printed, &Anything) {
            Err(problem) => return Some(format!("{}: {problem}", dialect.name())),
            Ok(again) if again.graph != loaded.graph => {
                return Some(format!("{} differs:\n{printed}", dialect.name()));
            }
            Ok(_) => {}
        }
    }
    None
}
