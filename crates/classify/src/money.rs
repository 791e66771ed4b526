//! Money for LLMs: prices, and purses that never pay more than their caps. No floats.
//!
//! The rule that makes a cap hard: before *each* attempt, retries and fallbacks included, the most
//! it can cost is reserved and on the disk; afterwards the reservation shrinks to what the provider
//! reports, and to nothing less when it reports nothing. Whatever dies in between stays paid.

pub mod price;
pub mod purse;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

pub use price::Price;
pub use purse::{Account, Overdrawn, Purse, Reservation};

/// An amount: millionths of a dollar unless the prices say otherwise.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Micros(pub u64);

/// Millionths in one.
pub(crate) const MILLION: u64 = 1_000_000;

impl fmt::Display for Micros {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / MILLION, self.0 % MILLION);
        let text = format!("{rest:06}");
        match text.trim_end_matches('0') {
            "" => write!(formatter, "{whole}"),
            rest => write!(formatter, "{whole}.{rest}"),
        }
    }
}

/// An amount of money in settings: `"25"`, `"0.40"` or a number; at most six decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(pub Micros);

/// Text that is no amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an amount: write 25 or \"0.40\", with six decimals at most")]
pub struct AmountError(String);

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let error = || AmountError(text.to_owned());
        let (whole, rest) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || rest.len() > 6 || !is_number(whole) || !is_number(rest) {
            return Err(error());
        }
        let whole: u64 = whole.parse().map_err(|_| error())?;
        let rest: u64 = format!("{rest:0<6}").parse().map_err(|_| error())?;
        let micros = whole.checked_mul(MILLION).and_then(|whole| whole.checked_add(rest));
        micros.map(|micros| Self(Micros(micros))).ok_or_else(error)
    }
}

struct AmountVisitor;

impl Visitor<'_> for AmountVisitor {
    type Value = Amount;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an amount such as 25 or \"0.40\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Amount, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Amount, E> {
        self.visit_str(&number.to_string())
    }

    // The shortest decimal text of a double is what was written, so nothing is computed with it.
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Amount, E> {
        self.visit_str(&number.to_string())
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AmountVisitor)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"] })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_exactly() {
        for (text, expected) in [
            ("25", Some(25_000_000)),
            ("0.4", Some(400_000)),
            ("0.000001", Some(1)),
            ("0.0000001", None),
            ("-1", None),
            ("", None),
            (".5", None),
            ("1e3", None),
            ("99999999999999999999", None),
        ] {
            let read = text.parse::<Amount>().ok().map(|amount| amount.0.0);
            assert_eq!(read, expected, "{text}");
        }
        let read: Amount = serde_json::from_str("0.1").unwrap();
        assert_eq!(read.0, Micros(100_000));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(micros in any::<u64>()) {
            let amount = Amount(Micros(micros));
            let text = serde_json::to_string(&amount).unwrap();
            prop_assert_eq!(serde_json::from_str::<Amount>(&text).unwrap(), amount);
        }
    }
}
