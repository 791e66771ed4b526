//! Reads configurations: text in some dialect becomes one graph of components, or everything that
//! is wrong with it, with line, column, and the nearest valid name.
//!
//! The way of a configuration: [`Sources`] give texts, a [`Dialect`] reads them into a [`Graph`]
//! with the help of the [`Environment`] and the [`Catalog`], the graph is checked, and each
//! component [`decode()`]s its own settings. Only this crate knows what a dialect looks like, only
//! it reads the environment; it does no other input or output and knows nothing of what components
//! do.

pub mod alloy;
pub mod catalog;
pub mod collector;
pub mod decode;
pub mod diagnostic;
pub mod dialect;
pub mod environment;
pub mod graph;
pub mod integrations;
pub mod load;
pub mod nearest;
mod schema;
pub mod source;
mod substitute;
pub mod value;
mod yaml;

use std::sync::Arc;

pub use bessemer_record::Signal;
pub use catalog::{Catalog, PIPELINE, Role, RowInfo, Stability};
pub use decode::decode;
pub use diagnostic::{Code, Diagnostic, Severity, render};
pub use dialect::{Context, Dialect, Read};
pub use environment::{Environment, FixedEnvironment, SystemEnvironment};
pub use graph::{Edge, Graph, Link, Node, Setting};
pub use load::{Loaded, Request, dialects, load, load_in, load_request, load_text};
pub use source::{DiskSources, Location, MemorySources, Source, Sources};
pub use value::{Data, Number, Object, PipelineName, Reference, Settings, Value};

/// Reads a text in YAML or JSON that is no configuration, such as a file of tests.
pub fn read_document(source: &Arc<Source>) -> Result<Value, Vec<Diagnostic>> {
    match yaml::parse(source) {
        (Some(document), findings) if findings.is_empty() => Ok(document),
        (_, findings) => Err(findings),
    }
}

/// Formats a text in Alloy syntax; `name` is what errors call it.
///
/// Commas that are missing at line ends are added.
pub fn format(name: &str, text: &str) -> Result<String, Vec<Diagnostic>> {
    let source: Arc<Source> = Source::new(name, text);
    alloy::format(&source, alloy::Strictness::Lenient)
}
