//! Alloy syntax: the primary dialect.
//!
//! `scanner` cuts a text into words, `parser` makes a `tree` of them, `expand` resolves names and
//! custom components, `evaluate` gives expressions their values, `lower` makes settings of blocks;
//! the result is a graph. `format` and `print` go the other way.
//!
//! The language is described at <https://grafana.com/docs/alloy/latest/get-started/syntax/>.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::diagnostic::Diagnostic;
use crate::dialect::{Context, Dialect, Read};
use crate::environment::Environment;
use crate::graph::Graph;
use crate::source::{Location, Source};
use crate::value::Value;

mod evaluate;
mod expand;
mod format;
mod literal;
mod lower;
mod module;
mod operate;
mod parser;
mod print;
mod scanner;
mod stdlib;
mod token;
mod tree;

pub use parser::Strictness;

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct Alloy {
    strictness: Strictness,
}

impl Alloy {
    /// The dialect with or without what is accepted beyond Alloy.
    pub fn new(strictness: Strictness) -> Self {
        Self { strictness }
    }
}

impl Default for Alloy {
    fn default() -> Self {
        Self::new(Strictness::Lenient)
    }
}

impl Dialect for Alloy {
    fn name(&self) -> &'static str {
        "alloy"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["alloy", "river"]
    }

    fn read(&self, texts: &[Arc<Source>], context: &Context<'_>) -> Read {
        let engine = expand::Engine::new(context, self.strictness);
        let graph = engine.run(texts);
        Read {
            graph,
            diagnostics: engine.diagnostics.into_inner(),
            incomplete: engine.incomplete.into_inner(),
        }
    }

    fn print(&self, graph: &Graph, catalog: &dyn Catalog) -> String {
        print::print(graph, catalog)
    }
}

/// Whether text can be the label of a component.
pub(crate) fn is_label(text: &str) -> bool {
    scanner::is_name(text)
}

/// The syntax errors and repairs of a text, in the order in which a reader meets them.
pub fn check_syntax(source: &Arc<Source>, strictness: Strictness) -> Vec<Diagnostic> {
    let findings = parser::parse(source, strictness).findings;
    findings.into_iter().map(|finding| finding.bind(source)).collect()
}

/// The syntax errors of a text that should be one expression.
pub fn check_expression(source: &Arc<Source>, strictness: Strictness) -> Vec<Diagnostic> {
    let (_, findings) = parser::parse_expression(source, strictness);
    findings.into_iter().map(|finding| finding.bind(source)).collect()
}

/// Formats a text; comments stay, meaning does not change.
pub fn format(source: &Arc<Source>, strictness: Strictness) -> Result<String, Vec<Diagnostic>> {
    let parsed = parser::parse(source, strictness);
    let findings: Vec<_> =
        parsed.findings.into_iter().map(|finding| finding.bind(source)).collect();
    if findings.iter().any(Diagnostic::is_error) {
        return Err(findings);
    }
    Ok(format::format(source, &parsed.file))
}

/// Evaluates a text that is one expression, with variables.
pub fn evaluate(
    source: &Arc<Source>,
    variables: &BTreeMap<String, Value>,
    environment: &dyn Environment,
) -> Result<Value, Vec<Diagnostic>> {
    let (expression, findings) = parser::parse_expression(source, Strictness::Alloy);
    if !findings.is_empty() {
        return Err(findings.into_iter().map(|finding| finding.bind(source)).collect());
    }
    let scope = Variables { variables };
    let evaluator = evaluate::Evaluator { scope: &scope, source, environment };
    evaluator.expression(&expression).map_err(|finding| vec![*finding])
}

/// A scope of variables only.
struct Variables<'a> {
    variables: &'a BTreeMap<String, Value>,
}

impl evaluate::Scope for Variables<'_> {
    fn variable(&self, name: &str, source: &Source) -> Option<Value> {
        let variable = self.variables.get(name).cloned();
        variable.or_else(|| module::FileScope.variable(name, source))
    }

    fn component(&self, _: &[&str], _: &Location) -> Option<(usize, evaluate::Evaluated)> {
        None
    }

    fn unknown(&self, path: &[&str], at: &Location) -> Diagnostic {
        module::FileScope.unknown(path, at)
    }
}
