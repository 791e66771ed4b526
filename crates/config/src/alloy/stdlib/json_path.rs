//! `json_path`: looks values up in a JSON text.
//!
//! The path language of <https://goessner.net/articles/JsonPath/>: names, indexes from either end,
//! slices, unions, wildcards, descent, and filters with comparisons, `&&`, `||`, `!`.

use serde_json::Value as Json;

use super::{Call, json};
use crate::alloy::evaluate::Evaluated;
use crate::value::Data;

mod filter;
mod path;

/// Values that one look-up may visit or give.
const VISITS_MAX: usize = 1_000_000;

pub(super) fn json_path(call: &Call<'_>) -> Evaluated {
    call.exactly(2)?;
    let (text, path) = (call.text(0)?, call.text(1)?);
    let steps = path::parse(&path).map_err(|reason| call.fail(reason))?;
    let document: Json = serde_json::from_str(&text).map_err(|error| call.fail(error))?;
    let found = path::select(&steps, &document, &document)
        .ok_or_else(|| call.fail(format_args!("more than {VISITS_MAX} values")))?;
    let found = found.into_iter().map(|value| {
        let mut value = json::value(value.clone(), &call.at);
        whole_numbers(&mut value.data);
        value
    });
    Ok(call.value(Data::Array(found.collect())))
}

/// Whole numbers of a document stay whole here, unlike in `encoding.from_json`.
fn whole_numbers(data: &mut Data) {
    match data {
        Data::Number(number) => {
            let whole = number.whole().and_then(|whole| i64::try_from(whole).ok());
            if let Some(whole) = whole {
                *number = crate::value::Number::Int(whole);
            }
        }
        Data::Array(items) => items.iter_mut().for_each(|item| whole_numbers(&mut item.data)),
        Data::Object(object) => {
            object.fields.iter_mut().for_each(|field| whole_numbers(&mut field.value.data));
        }
        Data::Null
        | Data::Bool(_)
        | Data::String(_)
        | Data::Secret(_)
        | Data::OptionalSecret { .. }
        | Data::Reference(_) => {}
    }
}
