//! Several texts as one document: later ones add to maps and replace everything else.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::dialect::Context;
use crate::source::{Location, Source};
use crate::substitute::substitute;
use crate::value::{Data, Field, Object, Value};
use crate::yaml;

/// The merged document of texts, with `${...}` replaced.
pub(super) fn read(texts: &[Arc<Source>], context: &Context<'_>) -> (Value, Vec<Diagnostic>) {
    let mut document = Value::new(Data::Object(Object::default()), Location::nowhere());
    let mut findings = Vec::new();
    for source in texts {
        let (tree, more) = yaml::parse(source);
        findings.extend(more);
        let Some(mut tree) = tree else { continue };
        findings.extend(substitute(&mut tree, context));
        if !matches!(tree.data, Data::Object(_) | Data::Null) {
            let message = format!("a configuration is a map, this is a {}", tree.kind());
            findings.push(Diagnostic::error(Code::WrongValue, &tree.at, message));
            continue;
        }
        merge(&mut document, tree);
    }
    (document, findings)
}

/// Maps are merged by name; a null leaves what is there; everything else replaces it.
pub(crate) fn merge(value: &mut Value, other: Value) {
    match (&mut value.data, other.data) {
        (Data::Object(object), Data::Object(other)) => {
            other.fields.into_iter().for_each(|field| add(object, field));
        }
        (Data::Object(_), Data::Null) => {}
        (_, data) => *value = Value { data, ..other },
    }
}

fn add(object: &mut Object, field: Field) {
    match object.fields.iter_mut().find(|known| known.name == field.name) {
        Some(known) => merge(&mut known.value, field.value),
        None => object.fields.push(field),
    }
}
