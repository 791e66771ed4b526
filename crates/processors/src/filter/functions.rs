//! Functions that only the conditions of this processor have: they look into a metric's points.

#![expect(clippy::unnecessary_wraps, reason = "the language can call nothing of another type")]

use bessemer_ottl::functions::need;
use bessemer_ottl::{Call, Context, Evaluate, Function, Functions, Kind, Record, RunError, Value};
use bessemer_record::view::MetricView;

use super::legacy::any_point;

static FUNCTIONS: [Function; 2] = [
    Function::new("HasAttrKeyOnDatapoint", &[need("key", Kind::Text)], Evaluate::Reader(has_key))
        .only_in(&[Context::Metric]),
    Function::new(
        "HasAttrOnDatapoint",
        &[need("key", Kind::Text), need("expectedVal", Kind::Text)],
        Evaluate::Reader(has_value),
    )
    .only_in(&[Context::Metric]),
];

/// The language's own functions and those of the filter's conditions.
pub fn functions() -> Functions {
    Functions::standard().with(&FUNCTIONS)
}

fn has_key(call: &Call<'_>, record: &Record<'_>) -> Result<Value, RunError> {
    let metric = MetricView::new(record.message(Context::Metric));
    Ok(Value::Bool(any_point(&metric, |labels| labels.get(call.text(0)).is_some())))
}

fn has_value(call: &Call<'_>, record: &Record<'_>) -> Result<Value, RunError> {
    let metric = MetricView::new(record.message(Context::Metric));
    let is_wanted = |text: Option<&str>| text == Some(call.text(1));
    Ok(Value::Bool(any_point(&metric, |labels| {
        is_wanted(labels.get(call.text(0)).and_then(bessemer_record::value::AnyValue::as_str))
    })))
}
