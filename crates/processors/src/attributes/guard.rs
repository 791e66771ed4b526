//! `condition`: what has to hold on a record for an action to run.
//!
//! It is a condition in OTTL. Beside that, `path matches "expression"` is understood, which the
//! language does not have: it means `IsMatch(path, "expression")`.

use bessemer_ottl::{Condition, Context, Functions, Record};
use bessemer_pipeline::{Scratch, SettingsError};
use bessemer_record::{Draft, Signal};

use crate::filter::conditions::{Failures, compile};

/// Where the conditions of actions on records are read.
pub(crate) const RECORDS: &[Context] = &[Context::Log, Context::Span, Context::DataPoint];

/// What of a record an action is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Included {
    /// The record, or all data points of the metric.
    All,
    /// None of it.
    Nothing,
    /// Some data points of a metric, by their order.
    Points(Vec<bool>),
}

impl Included {
    /// The record or nothing.
    pub(crate) fn whole(is_included: bool) -> Self {
        if is_included { Self::All } else { Self::Nothing }
    }

    /// Whether the list of attributes with this number is included.
    pub(crate) fn takes(&self, at: usize) -> bool {
        match self {
            Self::All => true,
            Self::Nothing => false,
            Self::Points(points) => points.get(at).copied().unwrap_or(false),
        }
    }
}

/// A condition, compiled for each context in which it makes sense.
#[derive(Debug)]
pub(crate) struct Guard {
    conditions: Vec<Condition>,
}

impl Guard {
    /// Compiles a condition; one that makes sense in no context is refused.
    pub(crate) fn compile(
        path: &str,
        text: &str,
        contexts: &[Context],
    ) -> Result<Self, SettingsError> {
        let text = without_matches(text);
        let functions = Functions::standard();
        let mut conditions = Vec::new();
        let mut refused = None;
        for context in contexts {
            match compile(path, *context, &functions, &text) {
                Ok(condition) => conditions.push(condition),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match refused {
            Some(error) if conditions.is_empty() => Err(error),
            _ => Ok(Self { conditions }),
        }
    }

    fn in_context(&self, context: Context) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.context() == context)
    }

    /// What of an item it holds for. It sees what earlier steps appended, too.
    pub(crate) fn included(
        &self,
        draft: &mut Draft,
        index: usize,
        failures: &Failures,
        scratch: &mut Scratch,
    ) -> Included {
        if draft.signal() != Signal::Metrics {
            return Included::whole(self.holds_for_item(draft, index, failures, scratch));
        }
        let Some(condition) = self.in_context(Context::DataPoint) else {
            return Included::Nothing;
        };
        let outcomes = condition.holds_for_children(draft, index, &failures.environment());
        let held = outcomes.into_iter().map(|outcome| failures.holds(condition, outcome, scratch));
        Included::Points(held.collect())
    }

    /// Whether it holds for a log record, a span or a metric.
    pub(crate) fn holds_for_item(
        &self,
        draft: &mut Draft,
        index: usize,
        failures: &Failures,
        scratch: &mut Scratch,
    ) -> bool {
        let context = match draft.signal() {
            Signal::Logs => Context::Log,
            Signal::Traces => Context::Span,
            Signal::Metrics => Context::Metric,
        };
        let Some(condition) = self.in_context(context) else { return false };
        draft.settle_tail(index);
        let outcome = condition.holds_for_item(draft, index, &failures.environment());
        failures.holds(condition, outcome, scratch)
    }

    /// Whether it holds for a resource.
    pub(crate) fn holds_for_resource(
        &self,
        resource: &[u8],
        failures: &Failures,
        scratch: &mut Scratch,
    ) -> bool {
        let Some(condition) = self.in_context(Context::Resource) else { return false };
        let record = Record::new(Context::Resource, resource, &[], &[], &[]);
        let outcome = condition.holds(&record, &failures.environment());
        failures.holds(condition, outcome, scratch)
    }
}

/// The text with `IsMatch` in the place of `matches`.
fn without_matches(text: &str) -> String {
    let mut words = words(text);
    while let Some(at) = words.iter().position(|word| *word == "matches") {
        let (Some(before), Some(after)) =
            (at.checked_sub(1).and_then(|before| words.get(before)), words.get(at + 1))
        else {
            break;
        };
        let path = before.trim_start_matches(['(', '!']);
        let pattern = after.trim_end_matches(')');
        let opened = before.strip_suffix(path).unwrap_or_default();
        let closed = after.strip_prefix(pattern).unwrap_or_default();
        let call = format!("{opened}IsMatch({path}, {pattern}){closed}");
        words.splice(at - 1..at + 2, [call]);
    }
    words.join(" ")
}

/// The text cut at white space outside quotes.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut is_quoted, mut is_escaped) = (false, false);
    for next in text.chars() {
        is_quoted ^= next == '"' && !is_escaped;
        is_escaped = is_quoted && next == '\\' && !is_escaped;
        if next.is_whitespace() && !is_quoted {
            words.push(String::new());
        } else if let Some(word) = words.last_mut() {
            word.push(next);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_becomes_a_call_and_nothing_else_changes() {
        for (text, expected) in [
            (r#"attributes["a b"] != nil"#, r#"attributes["a b"] != nil"#),
            (r#"a matches ".*-ui$""#, r#"IsMatch(a, ".*-ui$")"#),
            (r#"!(a matches "x y" or b)"#, r#"!(IsMatch(a, "x y") or b)"#),
            (
                r#"(a matches "(x)") and b matches "\"z""#,
                r#"(IsMatch(a, "(x)")) and IsMatch(b, "\"z")"#,
            ),
            (r#"body == "it matches this""#, r#"body == "it matches this""#),
            ("matches", "matches"),
        ] {
            assert_eq!(without_matches(text), expected);
        }
    }

    #[test]
    fn a_condition_that_makes_sense_nowhere_is_refused_and_one_for_one_signal_is_not() {
        let error = Guard::compile("action[0].condition", "nonsense(", RECORDS).unwrap_err();
        assert_eq!(error.path, "action[0].condition");
        let guard = Guard::compile("x", "severity_number > 8", RECORDS).unwrap();
        assert_eq!(guard.conditions.len(), 1);
    }
}
