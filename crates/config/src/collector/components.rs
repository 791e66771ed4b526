//! The sections of a document as components.

use std::collections::BTreeMap;

use super::names::{self, Section};
use super::{Reader, service, settings};
use crate::catalog::RowInfo;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::Node;
use crate::source::Location;
use crate::value::{Data, Object, Value};

/// Components that a document may define.
const COMPONENTS_MAX: usize = 10_000;

/// A component as it is defined.
pub(super) struct Component {
    pub(super) section: Section,
    /// As it is written: `otlp/backup`.
    pub(super) name: String,
    pub(super) row: Option<RowInfo>,
    pub(super) node: Node,
}

/// The components of a document.
pub(super) struct Components {
    pub(super) all: Vec<Component>,
}

impl Components {
    /// The component that a name means in one of the sections.
    pub(super) fn find(&self, sections: &[Section], name: &str) -> Option<usize> {
        sections.iter().find_map(|section| {
            let is_it = |known: &Component| known.section == *section && known.name == name;
            self.all.iter().position(is_it)
        })
    }

    /// The names in sections, for suggestions.
    pub(super) fn names<'c>(&'c self, sections: &'c [Section]) -> impl Iterator<Item = &'c str> {
        let is_in = |known: &&Component| sections.contains(&known.section);
        self.all.iter().filter(is_in).map(|known| known.name.as_str())
    }
}

/// Takes the sections out of a document.
pub(super) fn read(reader: &mut Reader<'_>, document: &mut Object) -> Components {
    let mut all = Vec::new();
    let mut extensions = BTreeMap::new();
    for section in Section::ALL {
        let Some(field) = document.remove(section.as_str()) else { continue };
        let entries = match field.value.data {
            Data::Object(object) => object.fields,
            Data::Null => continue,
            _ => {
                let message = format!("\"{}\" should be a map", section.as_str());
                reader.report(Code::WrongValue, &field.value.at, message);
                continue;
            }
        };
        for entry in entries {
            if section == Section::Extensions
                && service::extension(reader, &entry.name, &entry.name_at, &entry.value)
            {
                continue;
            }
            if all.len() >= COMPONENTS_MAX {
                let message = format!("more than {COMPONENTS_MAX} components");
                reader.report(Code::Limit, &entry.name_at, message);
                return Components { all };
            }
            let component =
                component(reader, section, &entry.name, &entry.name_at, entry.value, &extensions);
            if section == Section::Extensions {
                extensions.insert(component.name.clone(), component.node.id.clone());
            }
            all.push(component);
        }
    }
    Components { all }
}

fn component(
    reader: &mut Reader<'_>,
    section: Section,
    name: &str,
    at: &Location,
    value: Value,
    extensions: &BTreeMap<String, String>,
) -> Component {
    let (kind, label) = names::split(name);
    let row = names::row(reader.context.catalog, section, kind);
    let node = if let Some(row) = &row {
        let mut settings = settings::read(value, row, extensions, &mut reader.diagnostics);
        settings.at = at.clone();
        Node::new(&row.name, &label, settings, at.clone())
    } else {
        unknown(reader, section, kind, at);
        let kind = names::unknown_kind(section, kind);
        let node = Node::new(&kind, &label, Value::block(at.clone()), at.clone());
        reader.incomplete.insert(node.id.clone());
        node
    };
    Component { section, name: name.to_owned(), row, node }
}

fn unknown(reader: &mut Reader<'_>, section: Section, kind: &str, at: &Location) {
    let types = names::types(reader.context.catalog, section);
    let message = format!("unknown {} \"{kind}\"", section.noun());
    let finding = Diagnostic::error(Code::UnknownComponent, at, message)
        .with_nearest(kind, types.iter().map(String::as_str));
    reader.diagnostics.push(finding);
}

impl Reader<'_> {
    pub(super) fn report(&mut self, code: Code, at: &Location, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(code, at, message));
    }

    pub(super) fn warn(&mut self, code: Code, at: &Location, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::warning(code, at, message));
    }
}
