//! The boundary between text and graph. What one dialect can say, any other can.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::diagnostic::Diagnostic;
use crate::environment::Environment;
use crate::graph::Graph;
use crate::source::{Source, Sources};

/// What reading a configuration may ask for.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Where imported files are read.
    pub sources: &'a dyn Sources,
    /// Environment variables and facts about the host.
    pub environment: &'a dyn Environment,
    /// The components that exist.
    pub catalog: &'a dyn Catalog,
}

/// What reading gave: everything that could be understood, and every finding.
#[derive(Debug, Default)]
pub struct Read {
    /// The graph; incomplete if there are errors.
    pub graph: Graph,
    /// Errors and warnings, in the order they were found.
    pub diagnostics: Vec<Diagnostic>,
    /// Ids of components about which one of the errors says everything: of no known kind, mostly.
    pub incomplete: BTreeSet<String>,
}

/// A way of writing a configuration down.
pub trait Dialect {
    /// The name, as `convert --to` takes it.
    fn name(&self) -> &'static str;

    /// The file name endings that select it, without a dot.
    fn extensions(&self) -> &'static [&'static str];

    /// Reads texts that belong together.
    fn read(&self, texts: &[Arc<Source>], context: &Context<'_>) -> Read;

    /// Writes a graph down; reading it back gives an equal graph.
    fn print(&self, graph: &Graph, catalog: &dyn Catalog) -> String;
}
