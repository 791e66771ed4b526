//! What a record is worth.

use bessemer_record::Draft;
use bessemer_record::value::AnyValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The severity number from which a record without a class is critical: `FATAL`.
const FATAL: u8 = 21;

/// The classes, the least worth first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Class {
    /// Nothing classified the record.
    Unclassified,
    /// Of no urgency.
    Info,
    /// Worth a look.
    Warning,
    /// Never touched.
    Critical,
}

/// Finds the classes of records.
#[derive(Debug)]
pub(super) struct Classes {
    attribute: Vec<u8>,
}

impl Classes {
    pub(super) fn new(attribute: &str) -> Self {
        Self { attribute: attribute.as_bytes().to_vec() }
    }

    /// The higher of what was classified in this process and what the record says of itself.
    pub(super) fn of(&self, draft: &Draft, index: usize) -> Class {
        let Some(item) = draft.items().get(index) else { return Class::Critical };
        let here = match item.class {
            0 => Class::Unclassified,
            1 => Class::Info,
            2 => Class::Warning,
            _ => Class::Critical,
        };
        let own = draft.attribute(index, &self.attribute);
        let own = own.or_else(|| draft.resource_attribute(index, &self.attribute));
        let class = here.max(own.and_then(AnyValue::as_str).map_or(Class::Unclassified, named));
        if class == Class::Unclassified && item.severity >= FATAL { Class::Critical } else { class }
    }
}

fn named(name: &str) -> Class {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    match () {
        () if is("critical") => Class::Critical,
        () if is("warning") => Class::Warning,
        () if is("info") => Class::Info,
        () => Class::Unclassified,
    }
}
