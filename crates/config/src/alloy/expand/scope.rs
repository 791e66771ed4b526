//! What names mean in a unit.

use super::{EntryKind, Unit};
use crate::alloy::evaluate::{Evaluated, Scope};
use crate::alloy::module::FileScope;
use crate::alloy::stdlib;
use crate::catalog;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Location, Source};
use crate::value::{Data, Reference, Value};

impl Scope for Unit<'_> {
    fn variable(&self, name: &str, source: &Source) -> Option<Value> {
        let own = self.variables.get(name).cloned();
        own.or_else(|| self.outer.and_then(|outer| outer.variable(name, source)))
            .or_else(|| FileScope.variable(name, source))
    }

    fn component(&self, path: &[&str], at: &Location) -> Option<(usize, Evaluated)> {
        let longest = (1..=path.len()).rev().find_map(|count| {
            let name = path.get(..count)?.join(".");
            Some((count, *self.names.get(&name)?))
        });
        let Some((count, index)) = longest else {
            return match self.outer {
                Some(outer) => outer.component(path, at),
                None => self.elsewhere(path, at),
            };
        };
        let entry = self.entries.get(index)?;
        let value = match &entry.kind {
            EntryKind::Instance { .. } => self.exports(index, at),
            EntryKind::Component(_) | EntryKind::Foreach | EntryKind::Unknown => {
                let reference = Reference { node: entry.id.clone(), export: String::new() };
                Ok(Value::new(Data::Reference(reference), at.clone()))
            }
        };
        Some((count, value))
    }

    fn unknown(&self, path: &[&str], at: &Location) -> Diagnostic {
        let first = path.first().copied().unwrap_or_default();
        let Some((_, component)) = path.split_last().filter(|(_, rest)| rest.len() > 1) else {
            let message = format!("identifier {first:?} does not exist");
            let mut names: Vec<&str> = stdlib::first_names().collect();
            names.extend(self.first_names());
            return Diagnostic::error(Code::Dangling, at, message).with_nearest(first, names);
        };
        let wanted = component.join(".");
        let message = format!("component \"{wanted}\" does not exist");
        Diagnostic::error(Code::Dangling, at, message).with_nearest(&wanted, self.all_names())
    }
}

impl Unit<'_> {
    /// A component of a known kind that no text of this dialect declares: another dialect may. The
    /// check of the whole graph finds out.
    fn elsewhere(&self, path: &[&str], at: &Location) -> Option<(usize, Evaluated)> {
        let kinds = self.engine.context.catalog;
        if !self.prefix.is_empty() {
            // Inside of a custom component only its own names and arguments count.
            return None;
        }
        let (count, row) = (3..path.len()).rev().find_map(|count| {
            let kind = path.get(..count - 1)?.join(".");
            Some((count, catalog::row(kinds, &kind)?))
        })?;
        let node = format!("{}.{}", row.name, path.get(count - 1)?);
        let reference = Reference { node, export: String::new() };
        Some((count, Ok(Value::new(Data::Reference(reference), at.clone()))))
    }

    fn all_names(&self) -> Vec<&str> {
        let own = self.names.keys().map(String::as_str);
        own.chain(self.outer.into_iter().flat_map(|outer| outer.all_names())).collect()
    }

    fn first_names(&self) -> Vec<&str> {
        let firsts = self.all_names().into_iter().filter_map(|name| name.split('.').next());
        firsts.chain(self.variables.keys().map(String::as_str)).collect()
    }
}
