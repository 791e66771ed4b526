//! Collector files: receivers, processors, exporters, connectors and extensions as maps, and
//! pipelines in `service` that say how they follow each other. In YAML, or in JSON.
//!
//! `document` merges texts into one tree, `components` makes nodes of its sections, `pipelines`
//! reads what follows what, `assemble` makes edges of it, `service` the rest; `print` goes the
//! other way with the help of `chains`. The format is described at
//! <https://opentelemetry.io/docs/collector/configuration/>.
//!
//! Beyond the Collector, so that every graph can be written: components of ours by their whole
//! kind (`bessemer.exporter.store/local`), processors among `receivers` and `exporters` of a
//! pipeline, components of other dialects by `kind/label`, settings of the process under
//! `bessemer`, and `${component:kind.label:export}` for what a component offers.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not named is treated alike, whatever it is"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::catalog::{Catalog, RowInfo};
use crate::diagnostic::Diagnostic;
use crate::dialect::{Context, Dialect, Read};
use crate::graph::Graph;
use crate::source::Source;
use crate::value::Value;
use crate::yaml;

mod assemble;
mod chains;
mod components;
mod document;
mod names;
mod pipelines;
mod print;
mod service;
mod settings;

pub(crate) use document::merge;
pub(crate) use names::label_of;

/// The dialect in YAML.
#[derive(Debug, Clone, Copy, Default)]
pub struct Collector;

impl Dialect for Collector {
    fn name(&self) -> &'static str {
        "yaml"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["yaml", "yml"]
    }

    fn read(&self, texts: &[Arc<Source>], context: &Context<'_>) -> Read {
        let (document, diagnostics) = document::read(texts, context);
        read(document, diagnostics, context)
    }

    fn print(&self, graph: &Graph, catalog: &dyn Catalog) -> String {
        yaml::write(&tree(graph, catalog))
    }
}

/// What reading shares.
struct Reader<'a> {
    context: &'a Context<'a>,
    diagnostics: Vec<Diagnostic>,
    incomplete: BTreeSet<String>,
}

/// The graph of a document.
pub(crate) fn read(document: Value, diagnostics: Vec<Diagnostic>, context: &Context<'_>) -> Read {
    let mut reader = Reader { context, diagnostics, incomplete: BTreeSet::new() };
    let graph = assemble::graph(&mut reader, document);
    Read { graph, diagnostics: reader.diagnostics, incomplete: reader.incomplete }
}

/// The document of a graph.
pub(crate) fn tree(graph: &Graph, catalog: &dyn Catalog) -> Value {
    print::tree(graph, catalog)
}

/// The settings of a component that no section holds.
pub(crate) fn settings(value: Value, row: &RowInfo, findings: &mut Vec<Diagnostic>) -> Value {
    settings::read(value, row, &BTreeMap::new(), findings)
}

/// Settings of such a component, to be written.
pub(crate) fn plain(value: &Value) -> Value {
    settings::plain(value, &BTreeMap::new())
}
