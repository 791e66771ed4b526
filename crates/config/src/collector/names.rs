//! Names of components: `otlp/backup` under `exporters` is `otelcol.exporter.otlp` with the label
//! `backup`; without a label it is `default`.

use crate::alloy;
use crate::catalog::{self, Catalog, Role, RowInfo};

/// The label of a component whose name has none.
pub(super) const DEFAULT: &str = "default";

/// A part of the document that defines components.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    Extensions,
    Receivers,
    Processors,
    Connectors,
    Exporters,
}

impl Section {
    pub(super) const ALL: [Self; 5] =
        [Self::Extensions, Self::Receivers, Self::Processors, Self::Connectors, Self::Exporters];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Extensions => "extensions",
            Self::Receivers => "receivers",
            Self::Processors => "processors",
            Self::Connectors => "connectors",
            Self::Exporters => "exporters",
        }
    }

    /// What a component here is, in one word.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Extensions => "extension",
            Self::Receivers => "receiver",
            Self::Processors => "processor",
            Self::Connectors => "connector",
            Self::Exporters => "exporter",
        }
    }

    /// Where components of a role are defined.
    pub(super) fn of(role: Role) -> Self {
        match role {
            Role::Receiver => Self::Receivers,
            Role::Processor => Self::Processors,
            Role::Connector | Role::Pipeline => Self::Connectors,
            Role::Exporter => Self::Exporters,
            Role::Extension | Role::Storage => Self::Extensions,
        }
    }

    /// What the kinds of components here start with, the most usual first.
    fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::Extensions => {
                &["otelcol.extension.", "otelcol.auth.", "otelcol.storage.", "bessemer.extension."]
            }
            Self::Receivers => &["otelcol.receiver.", "bessemer.receiver."],
            Self::Processors => &["otelcol.processor.", "bessemer.processor."],
            Self::Connectors => &["otelcol.connector.", "bessemer.connector."],
            Self::Exporters => &["otelcol.exporter.", "bessemer.exporter."],
        }
    }
}

/// The component of a type: `otlp`, or a whole kind such as `bessemer.exporter.store`.
pub(super) fn row(catalog: &dyn Catalog, section: Section, name: &str) -> Option<RowInfo> {
    let fits = |row: &RowInfo| Section::of(row.role) == section;
    if name.contains('.') {
        return catalog::row(catalog, name).filter(fits);
    }
    let kinds = section.prefixes().iter().map(|prefix| format!("{prefix}{name}"));
    kinds.filter_map(|kind| catalog::row(catalog, &kind)).find(fits)
}

/// The kind of a type that no component has.
pub(super) fn unknown_kind(section: Section, name: &str) -> String {
    let prefix = section.prefixes().first().copied().unwrap_or_default();
    if name.contains('.') { name.to_owned() } else { format!("{prefix}{name}") }
}

/// Extensions that a Collector knows by a name of its own.
const EXTENSIONS: [(&str, &str); 4] = [
    ("otelcol.auth.basic", "basicauth"),
    ("otelcol.auth.bearer", "bearertokenauth"),
    ("otelcol.auth.headers", "headers_setter"),
    ("otelcol.auth.oauth2", "oauth2client"),
];

/// The type that a Collector knows, or the shortest that means a kind.
pub(super) fn type_of(catalog: &dyn Catalog, section: Section, kind: &str) -> String {
    if let Some((_, name)) = EXTENSIONS.iter().find(|(known, _)| *known == kind) {
        return (*name).to_owned();
    }
    let short = section.prefixes().iter().filter_map(|prefix| kind.strip_prefix(prefix));
    let means_it = |name: &&str| row(catalog, section, name).is_some_and(|row| row.name == kind);
    short.filter(|name| !name.contains('.')).find(means_it).unwrap_or(kind).to_owned()
}

/// The types that are known in a section.
pub(super) fn types(catalog: &dyn Catalog, section: Section) -> Vec<String> {
    let kinds = catalog.kinds().into_iter();
    kinds
        .filter(|kind| {
            catalog::row(catalog, kind).is_some_and(|row| Section::of(row.role) == section)
        })
        .map(|kind| type_of(catalog, section, &kind))
        .collect()
}

/// Type and label of a name.
pub(super) fn split(name: &str) -> (&str, String) {
    match name.split_once('/') {
        None => (name.trim(), DEFAULT.to_owned()),
        Some((kind, label)) => (kind.trim(), label_of(label.trim())),
    }
}

/// The name of a type with a label.
pub(super) fn join(kind: &str, label: &str) -> String {
    if label == DEFAULT { kind.to_owned() } else { format!("{kind}/{label}") }
}

/// Text as a label: what can not stand in one becomes an underscore.
pub(crate) fn label_of(text: &str) -> String {
    if alloy::is_label(text) {
        return text.to_owned();
    }
    let is_kept = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut label: String = text.chars().map(|c| if is_kept(c) { c } else { '_' }).collect();
    if !alloy::is_label(&label) {
        label.insert(0, '_');
    }
    label
}
