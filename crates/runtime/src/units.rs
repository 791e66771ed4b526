//! Sizes and durations as people write them: `10MB`, `64MiB`, `1m30s`, `200ms`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A number of bytes; written as a number, `10MB` (10^6) or `64MiB` (2^20).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// A duration in Go's notation: `1h30m`, `5s`, `200ms`; a bare number is nanoseconds there, refused here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Duration);

/// Why a size or duration could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {what}: write {example}")]
pub struct UnitError {
    text: String,
    what: &'static str,
    example: &'static str,
}

const SIZE_UNITS: [(&str, u64); 14] = [
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("k", 1_000),
    ("m", 1_000_000),
    ("g", 1_000_000_000),
    ("t", 1_000_000_000_000),
    ("b", 1),
    ("", 1),
];

const SPAN_UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

impl ByteSize {
    /// `count` times 2^20 bytes.
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// The size as an index or capacity; saturates on narrow machines.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError { text: text.into(), what: "size", example: "10MB or 64MiB" };
        let trimmed = text.trim();
        let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = trimmed.split_at_checked(digits).ok_or_else(error)?;
        let unit = unit.trim().to_ascii_lowercase();
        let factor = SIZE_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(error)?.1;
        let number: u64 = number.parse().map_err(|_| error())?;
        number.checked_mul(factor).map(Self).ok_or_else(error)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, factor) in [
            ("TiB", 1_u64 << 40),
            ("GiB", 1 << 30),
            ("MiB", 1 << 20),
            ("KiB", 1 << 10),
            ("GB", 1_000_000_000),
            ("MB", 1_000_000),
            ("KB", 1_000),
        ] {
            if self.0 >= factor && self.0.is_multiple_of(factor) {
                return write!(formatter, "{}{unit}", self.0 / factor);
            }
        }
        write!(formatter, "{}B", self.0)
    }
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError { text: text.into(), what: "duration", example: "5s or 1m30s" };
        let mut rest = text.trim();
        if rest == "0" {
            return Ok(Self(Duration::ZERO));
        }
        let mut total = 0_f64;
        if rest.is_empty() {
            return Err(error());
        }
        while !rest.is_empty() {
            let number = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.');
            let (number, tail) = rest.split_at_checked(number.count()).ok_or_else(error)?;
            let unit_length = tail.find(|c: char| c.is_ascii_digit() || c == '.');
            let (unit, tail) =
                tail.split_at_checked(unit_length.unwrap_or(tail.len())).ok_or_else(error)?;
            let factor = SPAN_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(error)?.1;
            let number: f64 = number.parse().map_err(|_| error())?;
            #[expect(clippy::cast_precision_loss, reason = "unit factors are exact in f64")]
            {
                total += number * factor as f64;
            }
            rest = tail;
        }
        if total > 9.2e18 {
            return Err(error());
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded above"
        )]
        let nanos = total.round() as u64;
        Ok(Self(Duration::from_nanos(nanos)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let (unit, factor) = [("s", 1_000_000_000_u128), ("ms", 1_000_000), ("us", 1_000)]
            .into_iter()
            .find(|(_, factor)| nanos.is_multiple_of(*factor))
            .unwrap_or(("ns", 1));
        let count = nanos / factor;
        if unit == "s" && count >= 60 {
            let (hours, minutes, seconds) = (count / 3600, count / 60 % 60, count % 60);
            for (value, name) in [(hours, "h"), (minutes, "m"), (seconds, "s")] {
                if value > 0 {
                    write!(formatter, "{value}{name}")?;
                }
            }
            return Ok(());
        }
        write!(formatter, "{count}{unit}")
    }
}

struct Text<T>(std::marker::PhantomData<T>);

impl<T: FromStr<Err = UnitError> + FromNumber> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(T::EXPECTING)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        T::from_number(number).ok_or_else(|| E::custom(format!("expected {}", T::EXPECTING)))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        let number = u64::try_from(number).map_err(|_| E::custom("must not be negative"))?;
        self.visit_u64(number)
    }
}

trait FromNumber: Sized {
    const EXPECTING: &'static str;
    fn from_number(number: u64) -> Option<Self>;
}

impl FromNumber for ByteSize {
    const EXPECTING: &'static str = "a size such as \"10MB\" or \"64MiB\"";
    fn from_number(number: u64) -> Option<Self> {
        Some(Self(number))
    }
}

impl FromNumber for Span {
    const EXPECTING: &'static str = "a duration such as \"5s\" or \"1m30s\"";
    fn from_number(number: u64) -> Option<Self> {
        (number == 0).then_some(Self(Duration::ZERO))
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text(std::marker::PhantomData))
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "format": "size" })
    }
}

/// A setting that other programs have and that has no effect here: any value is taken, and the
/// check of a configuration warns of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl Serialize for Ignored {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }
}

impl JsonSchema for Ignored {
    fn schema_name() -> Cow<'static, str> {
        "ignored".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "format": "ignored" })
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "duration" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_size(text: &str, expected: Option<u64>) {
        assert_eq!(text.parse::<ByteSize>().ok().map(|size| size.0), expected, "{text}");
    }

    #[test]
    fn sizes_are_read_in_decimal_and_binary_units() {
        check_size("10MB", Some(10_000_000));
        check_size("64MiB", Some(64 << 20));
        check_size("17", Some(17));
        check_size(" 1 KiB ", Some(1024));
        check_size("MB", None);
        check_size("1XB", None);
        check_size("99999999999999999999TB", None);
    }

    #[test]
    fn durations_are_read_in_go_notation() {
        let nanos = |text: &str| text.parse::<Span>().ok().map(|span| span.0.as_nanos());
        assert_eq!(nanos("1h30m"), Some(5_400_000_000_000));
        assert_eq!(nanos("1.5s"), Some(1_500_000_000));
        assert_eq!(nanos("200ms"), Some(200_000_000));
        assert_eq!(nanos("0"), Some(0));
        for bad in ["", "5", "s", "5 s", "1x", "-1s"] {
            assert_eq!(nanos(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_printed_reads_back_equal() {
        for text in ["10MB", "64MiB", "1B", "3GiB"] {
            assert_eq!(text.parse::<ByteSize>().unwrap().to_string(), text);
        }
        for text in ["1h30m", "5s", "200ms", "1m", "0s"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
    }
}
