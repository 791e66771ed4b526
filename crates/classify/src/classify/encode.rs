//! Labels as attributes that are encoded once.

use std::cell::RefCell;
use std::collections::BTreeMap;

use bessemer_pipeline::Context;
use bessemer_record::{TailId, Value};

use super::settings::AttributeNames;
use crate::class::Class;
use crate::rules::RuleSettings;

/// A label that no model may overrule.
pub(super) const FIRM: f64 = 1.0;

/// A class, and the attributes that say so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Label {
    pub(super) class: Class,
    pub(super) tail: TailId,
    /// The model is heard if it is surer than this.
    pub(super) overruled_above: f64,
    /// The number of the rule that gives it, from one; zero for none.
    pub(super) rule: u16,
}

/// The labels of one rule: without a word, and for each of its words.
#[derive(Debug)]
pub(super) struct RuleLabels {
    pub(super) plain: Label,
    pub(super) by_word: BTreeMap<usize, Label>,
}

/// What a label says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) class: Class,
    pub(super) confidence: f64,
    pub(super) tier: &'a str,
    pub(super) reason: &'a str,
    pub(super) model: Option<&'a str>,
}

impl Said<'_> {
    /// The same as attributes; those without a name are left out.
    pub(super) fn attributes(&self, names: &AttributeNames) -> Vec<(String, Value)> {
        let text = |text: &str| Value::String(text.to_owned());
        let mut attributes = vec![
            (&names.classification, text(self.class.as_str())),
            (&names.confidence, Value::Double(self.confidence)),
            (&names.tier, text(self.tier)),
            (&names.reason, text(self.reason)),
        ];
        attributes.extend(self.model.map(|model| (&names.model, text(model))));
        attributes
            .into_iter()
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, value)| (name.clone(), value))
            .collect()
    }
}

/// Encodes the labels that rules give, when the config is loaded.
pub(super) struct Encoder<'a> {
    pub(super) names: &'a AttributeNames,
    context: &'a Context,
    made: RefCell<BTreeMap<u32, Vec<(String, Value)>>>,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(names: &'a AttributeNames, context: &'a Context) -> Self {
        Self { names, context, made: RefCell::default() }
    }

    /// The attributes of all labels so far, by the number of their tail.
    pub(super) fn made(&self) -> BTreeMap<u32, Vec<(String, Value)>> {
        self.made.borrow().clone()
    }

    pub(super) fn label(&self, class: Class, confidence: f64, reason: &str) -> Label {
        let said = Said { class, confidence, tier: "rules", reason, model: None };
        let attributes = said.attributes(self.names);
        let tail = self.context.tails.lock().add(&attributes);
        self.made.borrow_mut().insert(tail.index(), attributes);
        Label { class, tail, overruled_above: FIRM, rule: 0 }
    }

    /// The labels of the rule with this number; `words` are those of all rules, in order.
    pub(super) fn rule(&self, rule: &RuleSettings, number: u16, words: &[String]) -> RuleLabels {
        let overruled_above = if rule.weak { rule.confidence } else { FIRM };
        let label = |reason: &str| {
            let label = self.label(rule.class, rule.confidence, reason);
            Label { overruled_above, rule: number, ..label }
        };
        let mut by_word = BTreeMap::new();
        for own in &rule.words {
            if let Ok(word) = words.binary_search(&own.to_ascii_lowercase()) {
                by_word.insert(word, label(&rule_reason(rule, Some(own))));
            }
        }
        RuleLabels { plain: label(&rule_reason(rule, None)), by_word }
    }
}

/// Names the rule and the word it found, else its conditions.
pub(super) fn rule_reason(rule: &RuleSettings, word: Option<&str>) -> String {
    match word {
        Some(word) => format!("rule {}: body contains \"{word}\"", rule.name),
        None => format!("rule {}{}", rule.name, conditions(rule)),
    }
}

fn conditions(rule: &RuleSettings) -> String {
    let mut parts = Vec::new();
    if !rule.services.is_empty() {
        parts.push(format!("service is {}", rule.services.join(", ")));
    }
    if let Some(severity) = &rule.severity_min {
        parts.push(format!("severity is {severity} or above"));
    }
    parts.extend(rule.except.iter().map(|word| format!("body lacks {word:?}")));
    if let Some(regex) = &rule.regex {
        parts.push(format!("body matches {regex:?}"));
    }
    parts.extend(
        rule.attribute.iter().map(|condition| format!("attribute {:?} matches", condition.key)),
    );
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}
