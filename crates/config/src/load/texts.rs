//! The texts of one configuration, sorted by their dialects.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::dialect_of;
use crate::diagnostic::{Code, Diagnostic};
use crate::dialect::{Context, Dialect};
use crate::source::{Location, Source};

/// Names in a setting of the command line.
const SETTING_DEPTH_MAX: usize = 16;

pub(super) struct Texts<'d> {
    dialects: &'d [Box<dyn Dialect>],
    pub(super) by_dialect: Vec<Vec<Arc<Source>>>,
    pub(super) findings: Vec<Diagnostic>,
}

impl<'d> Texts<'d> {
    pub(super) fn new(dialects: &'d [Box<dyn Dialect>]) -> Self {
        let by_dialect = dialects.iter().map(|_| Vec::new()).collect();
        Self { dialects, by_dialect, findings: Vec::new() }
    }

    /// Adds a text; its name selects the dialect, the first if none knows it.
    pub(super) fn add(&mut self, source: &Arc<Source>) {
        let index = dialect_of(Path::new(source.name()), self.dialects).unwrap_or(0);
        self.by_dialect.get_mut(index).into_iter().for_each(|list| list.push(Arc::clone(source)));
    }

    /// Adds a text in the dialect of a name.
    pub(super) fn add_as(&mut self, name: &str, source: &Arc<Source>) {
        let index = self.dialects.iter().position(|dialect| dialect.name() == name).unwrap_or(0);
        self.by_dialect.get_mut(index).into_iter().for_each(|list| list.push(Arc::clone(source)));
    }

    /// Takes a text that the command line holds or names by a scheme; else gives the path.
    pub(super) fn take_inline(&mut self, path: &Path, context: &Context<'_>) -> Option<PathBuf> {
        let text = path.to_str().unwrap_or_default();
        match text.split_once(':') {
            Some(("file", path)) => return Some(PathBuf::from(path)),
            Some(("yaml", yaml)) => self.add_as("yaml", &Source::new("yaml:", yaml)),
            Some(("env", name)) => self.variable(name, context),
            Some(_) | None => return Some(path.to_owned()),
        }
        None
    }

    fn variable(&mut self, name: &str, context: &Context<'_>) {
        let Some(held) = context.environment.variable(name) else {
            let message = format!("env:{name}: the environment variable is not set");
            let finding = Diagnostic::error(Code::File, &Location::nowhere(), message);
            return self.findings.push(finding);
        };
        let is_json = held.trim_start().starts_with(['[', '{']);
        let dialect = if is_json { "json" } else { "yaml" };
        self.add_as(dialect, &Source::new(format!("env:{name}"), held));
    }

    /// Adds `a.b=c`, or `a::b=c` where names have dots, as the YAML that it stands for.
    pub(super) fn set(&mut self, setting: &str) {
        let Some((path, value)) = setting.split_once('=') else {
            return self.refuse(setting, "a setting is written name.name=value");
        };
        let separator = if path.contains("::") { "::" } else { "." };
        let names: Vec<&str> = path.split(separator).collect();
        if names.len() > SETTING_DEPTH_MAX || names.iter().any(|name| name.is_empty()) {
            let problem = format!("between 1 and {SETTING_DEPTH_MAX} names are wanted");
            return self.refuse(setting, &problem);
        }
        if value.contains(['\n', '\r']) {
            return self.refuse(setting, "a value is one line");
        }
        let mut text = String::new();
        for (depth, name) in names.iter().enumerate() {
            let quoted = serde_json::Value::from(*name);
            if depth > 0 {
                text.push('\n');
                text.push_str(&" ".repeat(depth));
            }
            text.push_str(&quoted.to_string());
            text.push(':');
        }
        let source = Source::new(format!("--set {path}"), format!("{text} {value}\n"));
        self.add_as("yaml", &source);
    }

    fn refuse(&mut self, setting: &str, problem: &str) {
        let message = format!("--set {setting}: {problem}");
        self.findings.push(Diagnostic::error(Code::Syntax, &Location::nowhere(), message));
    }
}
