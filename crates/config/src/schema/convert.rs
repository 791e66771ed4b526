//! Gives a value the form that its schema asks for, where no meaning is lost.

use super::Shape;
use crate::value::{Data, Field, Form, Number, Object, Origin, Value};

/// The one setting of a block that stands for the reference in it: `auth { authenticator = ... }`.
const AUTHENTICATOR: &str = "authenticator";

pub(super) fn convert(value: &mut Value, shape: Shape<'_>) {
    let is_list = value.as_array().is_some();
    if !is_list && value.is_block() && shape.allows("array") && !shape.allows("object") {
        let at = value.at.clone();
        let block = std::mem::take(value);
        *value = Value::new(Data::Array(vec![block]), at);
        return;
    }
    if let Some(fields) = pairs(value, shape) {
        value.data = Data::Object(Object { fields, form: Form::Literal });
        return;
    }
    if shape.is_reference()
        && let Some(Object { fields, .. }) = value.as_object()
        && let [field] = fields.as_slice()
        && field.name == AUTHENTICATOR
    {
        *value = field.value.clone();
        return;
    }
    let takes_number = shape.allows("integer") || shape.allows("number");
    if let Data::Number(number) = &value.data {
        let whole = number.whole().and_then(|whole| i64::try_from(whole).ok());
        if shape.allows("string") && !takes_number {
            let written = value.origin.take();
            let written = written.as_ref().and_then(Origin::written).map(str::to_owned);
            value.data = Data::String(written.unwrap_or_else(|| number.to_string()));
        } else if let (Number::Float(_), Some(whole)) = (number, whole)
            && !shape.allows("number")
        {
            value.data = Data::Number(Number::Int(whole));
        }
    } else if let Data::String(text) = &value.data
        && takes_number
        && !shape.allows("string")
        && let Some(number) = number(text)
    {
        value.data = Data::Number(number);
    } else if let Data::String(text) = &value.data
        && value.origin.is_some()
        && shape.allows("boolean")
        && !shape.allows("string")
        && let Ok(truth) = text.parse()
    {
        // Only what came from outside: a variable holds nothing but text.
        value.data = Data::Bool(truth);
    }
}

/// The fields of a map that is written as a list of names with their values, as newer Collector
/// files may have headers.
fn pairs(value: &Value, shape: Shape<'_>) -> Option<Vec<Field>> {
    let items = value.as_array().filter(|items| !items.is_empty())?;
    let is_map = shape.get("additionalProperties").is_some_and(serde_json::Value::is_object);
    if !is_map || shape.allows("array") {
        return None;
    }
    let field = |item: &Value| {
        let object = item.as_object().filter(|object| object.fields.len() == 2)?;
        let name = object.get("name")?;
        let value = object.get("value")?.clone();
        Some(Field { name: name.text()?.to_owned(), name_at: name.at.clone(), value })
    };
    items.iter().map(field).collect()
}

/// A number that is written as text.
pub(crate) fn number(text: &str) -> Option<Number> {
    if let Ok(number) = text.parse() {
        return Some(Number::Int(number));
    }
    if let Ok(number) = text.parse() {
        return Some(Number::Uint(number));
    }
    let is_float = text.contains(['.', 'e', 'E'])
        && text.starts_with(|c: char| c == '-' || c == '.' || c.is_ascii_digit());
    let number: f64 = text.parse().ok().filter(|_| is_float)?;
    number.is_finite().then_some(Number::Float(number))
}
