//! Settings of `bessemer.processor.cost`, as they are written.

use std::collections::BTreeMap;
use std::time::Duration;

use bessemer_pipeline::SettingsError;
use bessemer_runtime::{ByteSize, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::class::Class;

/// Records that one `dedupe` rule remembers at most, whatever is asked for.
const ENTRIES_MAX: u64 = 10_000_000;
/// A budget is for this long at least: its spending is stored some hundred times in a period.
const PERIOD_MIN: Duration = Duration::from_mins(1);
/// Bytes to which `value_bytes_max` cuts at least.
const VALUE_BYTES_MIN: u64 = 16;

/// Settings of `bessemer.processor.cost`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Where the records behind this processor go, as `prices`, metrics and reports name it. One
    /// processor stands before each destination that has a budget of its own.
    pub destination: String,
    /// Money per GB (10^9 bytes) by destination. Only that of `destination` counts here, so one
    /// table can serve all processors. A destination that is not in it costs nothing.
    #[serde(default)]
    pub prices: BTreeMap<String, f64>,
    /// What the money is, for reports.
    #[serde(default = "currency")]
    pub currency: String,
    /// The attribute of a record or of its resource that holds its class, where the record was not
    /// classified by this process. The higher class counts. A record without a class and with the
    /// severity `FATAL` is critical.
    #[serde(default = "class_attribute")]
    pub class_attribute: String,
    /// What may be spent.
    #[serde(default)]
    pub budget: Option<BudgetSettings>,
    /// What to do, in this order, each rule with what those before it left. Critical records pass
    /// all of them untouched.
    #[serde(default)]
    pub rule: Vec<RuleSettings>,
}

fn currency() -> String {
    "USD".to_owned()
}

fn class_attribute() -> String {
    "ai.classification".to_owned()
}

/// What may be spent in a period. A budget stops nothing by itself: rules with `budget_used` do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BudgetSettings {
    /// How long the budget is for, at least a minute; periods are counted from 1970-01-01 UTC.
    #[serde(default = "period")]
    pub period: Span,
    /// Log records, spans and data points.
    #[serde(default)]
    pub records: Option<u64>,
    /// Bytes of the records as OTLP, without their resources and without compression.
    #[serde(default)]
    pub bytes: Option<ByteSize>,
    /// Money, by the price of `destination`.
    #[serde(default)]
    pub money: Option<f64>,
}

fn period() -> Span {
    Span(Duration::from_hours(24))
}

/// One way to spend less.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleSettings {
    /// `drop` takes records out. `sample` keeps `percentage` of log records and spans, by the hash
    /// of the trace id or else of the record. `dedupe` keeps the first of equal log records in
    /// `window`. `aggregate` keeps of the log records of a batch that differ in numbers only the
    /// first, with their count in `bessemer.aggregated`. `trim` makes records shorter.
    pub action: Action,
    /// Classes it is for: `info`, `warning`, `unclassified`.
    #[serde(default = "classes")]
    pub classes: Vec<Class>,
    /// Condition in OTTL on the log record, span or metric that has to hold as well; also
    /// `path matches "expression"`. Where it fails on a record, the rule is not for it.
    #[serde(default)]
    pub condition: Option<String>,
    /// Percentage of the budget from which the rule is at work; 0 is always.
    #[serde(default)]
    pub budget_used: f64,
    /// With `sample`: the share that is kept.
    #[serde(default)]
    pub percentage: Option<f64>,
    /// With `dedupe`: how long after the first record its equals are taken out. Equal is what has
    /// the same resource, scope, severity, body and attributes; times and trace ids do not count.
    #[serde(default = "window")]
    pub window: Span,
    /// With `dedupe`: records that are remembered at most; what does not fit passes.
    #[serde(default = "entries_max")]
    pub entries_max: u64,
    /// With `trim`: keys of attributes to remove.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// With `trim`: bytes to which text attributes are cut, at least 16.
    #[serde(default)]
    pub value_bytes_max: Option<ByteSize>,
    /// With `trim`: bytes to which text bodies of log records are cut.
    #[serde(default)]
    pub body_bytes_max: Option<ByteSize>,
}

fn classes() -> Vec<Class> {
    vec![Class::Info]
}

fn window() -> Span {
    Span(Duration::from_mins(1))
}

fn entries_max() -> u64 {
    100_000
}

/// What a rule does.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// Takes records out.
    Drop,
    /// Keeps a share.
    Sample,
    /// Keeps the first of equal ones.
    Dedupe,
    /// Keeps one for many.
    Aggregate,
    /// Makes records shorter.
    Trim,
}

impl Action {
    /// As in the settings.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Sample => "sample",
            Self::Dedupe => "dedupe",
            Self::Aggregate => "aggregate",
            Self::Trim => "trim",
        }
    }
}

impl Settings {
    /// Money per GB at the destination.
    pub(super) fn price(&self) -> f64 {
        self.prices.get(&self.destination).copied().unwrap_or(0.0)
    }

    /// Refuses what is well typed and makes no sense.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        if self.destination.is_empty() {
            let remedy = "name where the records go, such as \"datadog\"";
            return Err(SettingsError::new("destination", "is empty", remedy));
        }
        if let Some((name, price)) = self.prices.iter().find(|(_, price)| !is_amount(**price)) {
            let problem = format!("are {price} for {name:?}");
            return Err(SettingsError::new("prices", problem, "write money per GB"));
        }
        self.budget.as_ref().map_or(Ok(()), |budget| self.check_budget(budget))?;
        let mut rules = self.rule.iter().enumerate();
        rules.try_for_each(|(index, rule)| self.check_rule(&format!("rule[{index}]"), rule))
    }

    fn check_budget(&self, budget: &BudgetSettings) -> Result<(), SettingsError> {
        let refused = |setting: &str, problem: &str, remedy: &str| {
            Err(SettingsError::new(&format!("budget.{setting}"), problem, remedy))
        };
        let zero = [
            ("records", budget.records == Some(0)),
            ("bytes", budget.bytes == Some(ByteSize(0))),
            ("money", budget.money.is_some_and(|money| !is_amount(money) || money == 0.0)),
        ];
        if let Some((setting, _)) = zero.iter().find(|(_, is_wrong)| *is_wrong) {
            return refused(setting, "is not above zero", "write a greater one, or remove it");
        }
        if budget.period.0 < PERIOD_MIN {
            return refused("period", "is below a minute", "write a duration such as \"24h\"");
        }
        if budget.money.is_some() && self.price() == 0.0 {
            return refused("money", "has no price", "add the destination to prices");
        }
        if budget.records.is_none() && budget.bytes.is_none() && budget.money.is_none() {
            return refused("records", "is not set", "write records, bytes or money");
        }
        Ok(())
    }

    fn check_rule(&self, path: &str, rule: &RuleSettings) -> Result<(), SettingsError> {
        let refused = |setting: &str, problem: &str, remedy: &str| {
            Err(SettingsError::new(&format!("{path}.{setting}"), problem, remedy))
        };
        let is_trim = rule.action == Action::Trim;
        let is_any_trimmed = !rule.attributes.is_empty()
            || rule.value_bytes_max.is_some()
            || rule.body_bytes_max.is_some();
        let share = rule.percentage.filter(|share| (0.0..=100.0).contains(share));
        match () {
            () if rule.classes.is_empty() => refused("classes", "is empty", "name classes"),
            () if rule.classes.contains(&Class::Critical) => {
                let problem = "names critical, and critical records are never touched";
                refused("classes", problem, "write info, warning or unclassified")
            }
            () if !is_amount(rule.budget_used) => {
                refused("budget_used", "is no percentage", "write a number such as 80")
            }
            () if rule.budget_used > 0.0 && self.budget.is_none() => {
                refused("budget_used", "has no budget", "add a budget block")
            }
            () if (rule.action == Action::Sample) != share.is_some() => {
                let remedy = "write a number from 0 to 100 with sample, and none otherwise";
                refused("percentage", "does not fit the action", remedy)
            }
            () if rule.action == Action::Dedupe && rule.window.0.is_zero() => {
                refused("window", "is zero", "write a duration such as \"1m\"")
            }
            () if !(1..=ENTRIES_MAX).contains(&rule.entries_max) => {
                let remedy = format!("write a number from 1 to {ENTRIES_MAX}");
                refused("entries_max", "is out of range", &remedy)
            }
            () if is_trim != is_any_trimmed => {
                let remedy = "write attributes, value_bytes_max or body_bytes_max with trim";
                refused("attributes", "does not fit the action", remedy)
            }
            () if rule.value_bytes_max.is_some_and(|max| max.0 < VALUE_BYTES_MIN) => {
                refused("value_bytes_max", "is below 16", "write at least 16")
            }
            () if rule.attributes.contains(&self.class_attribute) => {
                let problem = "removes the class that routing goes by";
                refused("attributes", problem, "remove class_attribute from it")
            }
            () => Ok(()),
        }
    }
}

/// Whether a number can be an amount.
fn is_amount(number: f64) -> bool {
    number.is_finite() && number >= 0.0
}
