//! The namespace `array`.

use super::Call;
use crate::alloy::evaluate::Evaluated;
use crate::alloy::operate;
use crate::alloy::token::Operator;
use crate::diagnostic::Diagnostic;
use crate::value::{Data, Form, Object, Value};

/// Arrays one behind the other. A reference to an array that another component offers stays an
/// element: who decodes the setting accepts both.
pub(super) fn concat(call: &Call<'_>) -> Evaluated {
    let mut all = Vec::new();
    for value in &call.arguments {
        if let Data::Array(items) = &value.data {
            all.extend(items.iter().cloned());
        } else if let Data::Reference(_) = &value.data {
            all.push(value.clone());
        } else {
            return Err(call.wrong_type(value, "array"));
        }
    }
    Ok(call.value(Data::Array(all)))
}

/// Joins the objects of two arrays that agree in the named fields.
pub(super) fn combine_maps(call: &Call<'_>) -> Evaluated {
    let count = call.arguments.len();
    if !(3..=4).contains(&count) {
        return Err(call.fail(format_args!("expected 3 or 4 arguments, got {count}")));
    }
    let left = objects(call, 0)?;
    let right = objects(call, 1)?;
    let mut conditions = Vec::new();
    for value in call.array(2)? {
        let Data::String(name) = &value.data else {
            return Err(call.wrong_type(value, "string"));
        };
        conditions.push(name.as_str());
    }
    if conditions.is_empty() {
        return Err(call.fail_at(call.argument(2)?, "merge conditions must not be empty"));
    }
    let keeps_unmatched = count == 4 && call.bool(3)?;
    let mut joined = Vec::new();
    for (whole, left) in call.array(0)?.iter().zip(&left) {
        for right in &right {
            if agree(left, right, &conditions)? {
                joined.push(call.value(Data::Object(merged(left, right))));
            } else if keeps_unmatched {
                // Once per partner that does not match, as Alloy does.
                joined.push(whole.clone());
            }
        }
    }
    Ok(call.value(Data::Array(joined)))
}

fn objects<'a>(call: &'a Call<'_>, index: usize) -> Result<Vec<&'a Object>, Box<Diagnostic>> {
    let object =
        |value: &'a Value| value.as_object().ok_or_else(|| call.wrong_type(value, "object"));
    call.array(index)?.iter().map(object).collect()
}

fn agree(left: &Object, right: &Object, conditions: &[&str]) -> Result<bool, Box<Diagnostic>> {
    for name in conditions {
        let (Some(a), Some(b)) = (left.get(name), right.get(name)) else {
            return Ok(false);
        };
        if operate::binary(a, Operator::Equal, b)? != Data::Bool(true) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn merged(left: &Object, right: &Object) -> Object {
    let mut merged = Object { form: Form::Literal, ..left.clone() };
    for field in &right.fields {
        merged.set(field.name.clone(), field.name_at.clone(), field.value.clone());
    }
    merged
}

/// Groups objects by the text in one of their fields; groups stand in the order of their first.
pub(super) fn group_by(call: &Call<'_>) -> Evaluated {
    if call.arguments.len() != 3 {
        return Err(call.fail(format_args!("expected 3 arguments, got {}", call.arguments.len())));
    }
    let items = call.array(0)?;
    let Data::String(key) = &call.argument(1)?.data else {
        return Err(call.wrong_type(call.argument(1)?, "string"));
    };
    let drops_missing = call.bool(2)?;
    let mut groups: Vec<(String, Vec<Value>)> = Vec::new();
    for item in items {
        let object = item.as_object().ok_or_else(|| call.wrong_type(item, "object"))?;
        let name = match object.get(key) {
            None if drops_missing => continue,
            None => String::new(),
            Some(value) => {
                let Data::String(name) = &value.data else {
                    return Err(call.wrong_type(value, "string"));
                };
                name.clone()
            }
        };
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, group)) => group.push(item.clone()),
            None => groups.push((name, vec![item.clone()])),
        }
    }
    let group = |(name, items): (String, Vec<Value>)| {
        let mut object = Object::default();
        object.set(key.clone(), call.at.clone(), call.string(name));
        object.set("items", call.at.clone(), call.value(Data::Array(items)));
        call.value(Data::Object(object))
    };
    Ok(call.value(Data::Array(groups.into_iter().map(group).collect())))
}
