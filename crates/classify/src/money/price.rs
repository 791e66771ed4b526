//! What models cost. The list is `data/prices.json`, with its source and the date it was read;
//! settings come first.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Amount, MILLION, Micros};
use crate::llm::provider::Usage;

/// Tokens that a provider adds to what was sent: roles, tools, the structure.
const TOKENS_ADDED: u64 = 1_000;

const LIST: &str = include_str!("../../data/prices.json");

static PRICES: LazyLock<BTreeMap<String, Price>> = LazyLock::new(|| {
    // A test reads the constant.
    serde_json::from_str::<List>(LIST).map(|list| list.models).unwrap_or_default()
});

#[derive(Deserialize)]
struct List {
    #[serde(rename = "as_of")]
    _as_of: String,
    #[serde(rename = "terms")]
    _terms: String,
    #[serde(rename = "source")]
    _source: String,
    models: BTreeMap<String, Price>,
}

/// The list price of a model, each for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// What a million tokens read cost, at the highest rate that the provider may apply.
    pub input: Amount,
    /// What a million tokens written cost, reasoning included.
    pub output: Amount,
}

impl Price {
    /// What one's own server costs.
    pub const FREE: Self = Self { input: Amount(Micros(0)), output: Amount(Micros(0)) };

    /// The list price of `model`; a dated version costs what the model costs.
    pub fn listed(model: &str) -> Option<Self> {
        PRICES.get(model).or_else(|| PRICES.get(undated(model))).copied()
    }

    /// What was used costs this much; a part of a millionth counts as one.
    pub fn of(&self, usage: Usage) -> Micros {
        let cost = |tokens: u64, price: Amount| u128::from(tokens) * u128::from(price.0.0);
        let cost = cost(usage.input, self.input).saturating_add(cost(usage.output, self.output));
        Micros(u64::try_from(cost.div_ceil(u128::from(MILLION))).unwrap_or(u64::MAX))
    }

    /// No request of `bytes` with an answer of at most `output` tokens costs more: no tokenizer
    /// makes more than one token of a byte.
    pub fn at_most(&self, bytes: u64, output: u64) -> Micros {
        self.of(Usage { input: bytes.saturating_add(TOKENS_ADDED), output })
    }
}

/// `gpt-4.1-2025-04-14` and `claude-haiku-4-5-20251001` without their dates.
fn undated(model: &str) -> &str {
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((name, last)) = model.rsplit_once('-') else { return model };
    if digits(last, 8) {
        return name;
    }
    let day = name.rsplit_once('-').filter(|(_, month)| digits(last, 2) && digits(month, 2));
    let month = day.and_then(|(name, _)| name.rsplit_once('-'));
    month.filter(|(_, year)| digits(year, 4)).map_or(model, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_and_knows_the_default_models() {
        let list: List = serde_json::from_str(LIST).unwrap();
        assert_eq!(list.models.len(), PRICES.len());
        for model in ["grok-4.20-non-reasoning", "gpt-4.1-mini", "claude-haiku-4-5"] {
            assert!(Price::listed(model).is_some(), "{model}");
        }
    }

    #[test]
    fn a_dated_version_costs_what_the_model_costs() {
        assert_eq!(undated("gpt-4.1-2025-04-14"), "gpt-4.1");
        assert_eq!(undated("claude-haiku-4-5-20251001"), "claude-haiku-4-5");
        assert_eq!(undated("gpt-4.1-mini"), "gpt-4.1-mini");
        assert_eq!(Price::listed("gpt-4.1-2025-04-14"), Price::listed("gpt-4.1"));
        assert_eq!(Price::listed("nobody"), None);
    }

    #[test]
    fn a_part_of_a_millionth_is_rounded_up() {
        let price = Price { input: Amount(Micros(100_000)), output: Amount(Micros(400_000)) };
        assert_eq!(price.of(Usage { input: 1, output: 0 }), Micros(1));
        assert_eq!(price.of(Usage { input: 1_000_000, output: 1_000_000 }), Micros(500_000));
        let most = Price { input: Amount(Micros(u64::MAX)), ..price };
        assert_eq!(most.at_most(u64::MAX, u64::MAX), Micros(u64::MAX));
    }
}
