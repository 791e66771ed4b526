//! Converters of times and durations.

use std::sync::Arc;

use super::{Call, Function, Kind, Literals, Prepared, may, need};
use crate::error::RunError;
use crate::layout::Layout;
use crate::pattern::literal;
use crate::value::{Time, Value};

const TIME: &[super::Parameter] = &[need("time", Kind::Time)];
const DURATION: &[super::Parameter] = &[need("duration", Kind::Duration)];

pub(super) const LIST: &[Function] = &[
    Function::converter("Duration", &[need("duration", Kind::Text)], duration),
    Function::converter("Now", &[], |call| Ok(Value::Time(call.now()))),
    Function::converter(
        "Time",
        &[
            need("time", Kind::Text),
            need("format", Kind::Word),
            may("location", Kind::Word),
            may("locale", Kind::Word),
        ],
        parse,
    )
    .preparing(prepare_parsing),
    Function::converter(
        "FormatTime",
        &[need("time", Kind::Time), need("format", Kind::Word)],
        |call| Ok(Value::String(call.layout()?.format(call.time(0))?)),
    )
    .preparing(|literals| {
        Ok(Prepared::Layout(Arc::new(Layout::new(literal(literals, 1), "", "")?)))
    }),
    Function::converter(
        "TruncateTime",
        &[need("time", Kind::Time), need("duration", Kind::Duration)],
        truncate,
    ),
    Function::converter("Unix", &[need("seconds", Kind::Int), may("nanoseconds", Kind::Int)], unix),
    Function::converter("UnixNano", TIME, |call| since(call, 1)),
    Function::converter("UnixMicro", TIME, |call| since(call, 1_000)),
    Function::converter("UnixMilli", TIME, |call| since(call, 1_000_000)),
    Function::converter("UnixSeconds", TIME, |call| since(call, 1_000_000_000)),
    Function::converter("Year", TIME, |call| part(call, |it| i64::from(it.year()))),
    Function::converter("Month", TIME, |call| part(call, |it| i64::from(it.month()))),
    Function::converter("Day", TIME, |call| part(call, |it| i64::from(it.day()))),
    Function::converter("Hour", TIME, |call| part(call, |it| i64::from(it.hour()))),
    Function::converter("Minute", TIME, |call| part(call, |it| i64::from(it.minute()))),
    Function::converter("Second", TIME, |call| part(call, |it| i64::from(it.second()))),
    Function::converter("Nanosecond", TIME, |call| {
        part(call, |it| i64::from(it.subsec_nanosecond()))
    }),
    Function::converter("Weekday", TIME, |call| {
        part(call, |it| i64::from(it.weekday().to_sunday_zero_offset()))
    }),
    Function::converter("Nanoseconds", DURATION, |call| whole(call, 1)),
    Function::converter("Microseconds", DURATION, |call| whole(call, 1_000)),
    Function::converter("Milliseconds", DURATION, |call| whole(call, 1_000_000)),
    Function::converter("Seconds", DURATION, |call| fraction(call, 1_000_000_000)),
    Function::converter("Minutes", DURATION, |call| fraction(call, 60_000_000_000)),
    Function::converter("Hours", DURATION, |call| fraction(call, 3_600_000_000_000)),
];

type Made = Result<Value, RunError>;

fn duration(call: &Call<'_>) -> Made {
    let text = call.text(0);
    let nanos = nanoseconds(text);
    nanos.map(Value::Duration).ok_or_else(|| RunError::invalid(format!("{text:?} is no duration")))
}

/// Numbers with units, such as `1h30m` or `-1.5s`.
fn nanoseconds(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total = 0_i128;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.bytes().take_while(|byte| !byte.is_ascii_digit() && *byte != b'.');
        let (unit, after) = after.split_at_checked(letters.count())?;
        total += scaled(number, unit)?;
        rest = after;
    }
    i64::try_from(sign * total).ok()
}

fn scaled(number: &str, unit: &str) -> Option<i128> {
    let unit: i128 = match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut total = if whole.is_empty() { 0 } else { whole.parse::<i64>().ok()?.into() } * unit;
    let mut scale = unit;
    for digit in fraction.chars().take(18) {
        total += i128::from(digit.to_digit(10)?) * scale / 10;
        scale /= 10;
    }
    Some(total)
}

fn prepare_parsing(literals: &Literals<'_>) -> Result<Prepared, String> {
    let text = |at| literal(literals, at);
    Ok(Prepared::Layout(Arc::new(Layout::new(text(1), text(2), text(3))?)))
}

fn parse(call: &Call<'_>) -> Made {
    call.layout()?.parse(call.text(0), call.now()).map(Value::Time)
}

fn truncate(call: &Call<'_>) -> Made {
    // Multiples are counted from the year 1, as those who wrote the language do.
    const YEAR_1: i128 = -62_135_596_800 * 1_000_000_000;
    let (time, step) = (call.time(0), i128::from(call.duration(1)));
    if step <= 0 {
        return Ok(Value::Time(time));
    }
    let unix_nano = time.unix_nano - (time.unix_nano - YEAR_1).rem_euclid(step);
    Ok(Value::Time(Time { unix_nano, ..time }))
}

fn unix(call: &Call<'_>) -> Made {
    let seconds = i128::from(call.int_or(0, 0)) * 1_000_000_000;
    Ok(Value::Time(Time::utc(seconds + i128::from(call.int_or(1, 0)))))
}

fn since(call: &Call<'_>, unit: i128) -> Made {
    let count = call.time(0).unix_nano.div_euclid(unit);
    let count = i64::try_from(count).map_err(|_| RunError::invalid("the time is out of range"))?;
    Ok(Value::Int(count))
}

fn part(call: &Call<'_>, part: fn(&jiff::civil::DateTime) -> i64) -> Made {
    Ok(Value::Int(part(&call.time(0).civil()?)))
}

fn whole(call: &Call<'_>, unit: i64) -> Made {
    Ok(Value::Int(call.duration(0) / unit))
}

/// Whole units and the rest are divided apart, so that large durations keep their precision.
#[expect(clippy::cast_precision_loss, reason = "a float is wanted")]
fn fraction(call: &Call<'_>, unit: i64) -> Made {
    let nanos = call.duration(0);
    Ok(Value::Float((nanos / unit) as f64 + (nanos % unit) as f64 / unit as f64))
}
