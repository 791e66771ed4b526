//! Converters between types, and questions about them.

use bessemer_record::value::AnyValue;

use super::{Call, Evaluate, Function, Kind, Site, need};
use crate::context::Context;
use crate::error::RunError;
use crate::record::Record;
use crate::seen::Seen;
use crate::text;
use crate::value::Value;

const ANY: &[super::Parameter] = &[need("target", Kind::Any)];

pub(super) const LIST: &[Function] = &[
    Function::converter("Bool", ANY, to_bool),
    Function::converter("Double", &[need("target", Kind::FloatLike)], same),
    Function::converter("Int", &[need("target", Kind::IntLike)], same),
    Function::converter("String", &[need("target", Kind::TextLike)], same),
    Function::converter("Hex", ANY, hex),
    Function::asker("IsBool", ANY, |site| is(site, |it| matches!(it, Seen::Bool(_)))),
    Function::asker("IsDouble", ANY, |site| is(site, |it| matches!(it, Seen::Float(_)))),
    Function::asker("IsInt", ANY, |site| is(site, |it| matches!(it, Seen::Int(_)))),
    Function::asker("IsList", ANY, |site| is(site, is_list)),
    Function::asker("IsMap", ANY, |site| is(site, is_map)),
    Function::asker("IsString", ANY, |site| is(site, |it| matches!(it, Seen::Text(_)))),
    Function::new("IsRootSpan", &[], Evaluate::Reader(is_root_span))
        .only_in(&[Context::Span, Context::SpanEvent]),
    Function::converter("SpanID", &[need("bytes", Kind::Bytes)], id)
        .preparing(|literals| super::web::check_id(literals, 8)),
    Function::converter("TraceID", &[need("bytes", Kind::Bytes)], id)
        .preparing(|literals| super::web::check_id(literals, 16)),
    Function::converter("ProfileID", &[need("bytes", Kind::Bytes)], id)
        .preparing(|literals| super::web::check_id(literals, 16)),
];

fn same(call: &Call<'_>) -> Result<Value, RunError> {
    Ok(call.value(0).clone())
}

fn is(site: &Site<'_>, question: fn(&Seen<'_>) -> bool) -> Result<bool, RunError> {
    let mut room = Vec::new();
    Ok(question(&site.see(0, &mut room)?))
}

fn is_list(it: &Seen<'_>) -> bool {
    match it {
        Seen::Stored(value) => matches!(value, AnyValue::Array(_)),
        Seen::Value(value) => matches!(**value, Value::List(_) | Value::Messages(_)),
        _ => false,
    }
}

fn is_map(it: &Seen<'_>) -> bool {
    match it {
        Seen::Stored(value) => matches!(value, AnyValue::Map(_)),
        Seen::Value(value) => matches!(**value, Value::Map(_)),
        _ => false,
    }
}

fn to_bool(call: &Call<'_>) -> Result<Value, RunError> {
    match call.value(0) {
        Value::Nil => Ok(Value::Nil),
        Value::Bool(truth) => Ok(Value::Bool(*truth)),
        Value::Int(number) => Ok(Value::Bool(*number != 0)),
        Value::Float(number) => Ok(Value::Bool(*number != 0.0)),
        Value::String(text) => match text.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
            _ => Err(RunError::invalid(format!("{text:?} is no truth value"))),
        },
        other => Err(other.mismatch("a bool")),
    }
}

fn hex(call: &Call<'_>) -> Result<Value, RunError> {
    let digits = match call.value(0) {
        Value::Nil => String::new(),
        Value::Bool(truth) => text::hex(&[u8::from(*truth)]),
        Value::Int(number) => text::hex(&number.to_be_bytes()),
        Value::Float(number) => text::hex(&number.to_bits().to_be_bytes()),
        Value::String(bytes) => text::hex(bytes.as_bytes()),
        Value::Bytes(bytes) => text::hex(bytes),
        other => return Err(other.mismatch("a value with bytes")),
    };
    Ok(Value::String(digits))
}

fn id(call: &Call<'_>) -> Result<Value, RunError> {
    match call.value(0) {
        Value::Bytes(bytes) => Ok(Value::Id(bytes.clone())),
        other => Err(other.mismatch("bytes")),
    }
}

fn is_root_span(_: &Call<'_>, record: &Record<'_>) -> Result<Value, RunError> {
    const PARENT_SPAN_ID: u32 = 4;
    let span = record.message(Context::Span);
    let parent = bessemer_record::edit::field(span, PARENT_SPAN_ID);
    let parent = parent.and_then(bessemer_record::edit::Field::bytes).unwrap_or_default();
    Ok(Value::Bool(parent.iter().all(|byte| *byte == 0)))
}
