//! `bessemer.processor.classify`: the rules tier. Own rules come first in their order, then the
//! defaults; the first rule that matches labels the record.
//!
//! One scan finds the words of all rules in all bodies of a batch. A record in which no word
//! stands, under rules that only ask for words and severity, is labelled by a table of 25
//! severities. The label is a set of attributes encoded when the config is loaded. Where the model
//! is enabled, it labels what no rule matches.

mod judge;

use std::collections::BTreeMap;
use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::read;
use bessemer_pipeline::metrics::{ClassLabels, Counter};
use bessemer_pipeline::{Built, Context, Scratch, SettingsError, Step, catalog::BuildError};
use bessemer_record::value::AnyValue;
use bessemer_record::{Draft, Signal, TailId, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::class::Class;
use crate::rules::{Attribute, RULES_MAX, Rule, RuleSettings, WORDS_MAX, default_rules};
use crate::scan::Scan;
use judge::{Judge, ModelSettings};

/// A block that loads.
pub const EXAMPLE: &str = r#"bessemer.processor.classify "example" {
  rule {
    name  = "payment_failures"
    class = "critical"
    words = ["payment declined", "card refused"]
  }

  output {
    logs = []
  }
}
"#;

/// Numbers of severity, zero for none.
const SEVERITIES: usize = 25;
/// Bytes of a structured body that are searched at most.
const STRUCTURED_BYTES_MAX: usize = 64 << 10;

/// Settings of `bessemer.processor.classify`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Rules in the order in which they are tried, before the default ones.
    pub rule: Vec<RuleSettings>,
    /// Whether the default rules follow: `unauthorized`, `breach`, `attack` or `malicious` in the
    /// body is critical (0.95), severity ERROR or above is a warning (0.85).
    pub default_rules: bool,
    /// The label of records that no rule matches.
    pub default: DefaultLabel,
    /// The local model.
    pub model: ModelSettings,
    /// Names of the attributes that carry the label; an empty name leaves that attribute out.
    pub attributes: AttributeNames,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rule: Vec::new(),
            default_rules: true,
            default: DefaultLabel::default(),
            model: ModelSettings::default(),
            attributes: AttributeNames::default(),
        }
    }
}

/// The label of records that no rule matches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DefaultLabel {
    /// The class.
    pub class: Class,
    /// How sure, from 0 to 1.
    pub confidence: f64,
}

impl Default for DefaultLabel {
    fn default() -> Self {
        Self { class: Class::Info, confidence: 0.5 }
    }
}

/// Names of the attributes that carry the label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AttributeNames {
    /// `critical`, `warning` or `info`.
    pub classification: String,
    /// A number from 0 to 1.
    pub confidence: String,
    /// The tier that decided: `rules` or `model`.
    pub tier: String,
    /// The rule and what it matched, or the model.
    pub reason: String,
    /// The name of the model, where it decided.
    pub model: String,
}

impl Default for AttributeNames {
    fn default() -> Self {
        Self {
            classification: "ai.classification".into(),
            confidence: "ai.confidence".into(),
            tier: "ai.tier".into(),
            reason: "ai.reason".into(),
            model: "ai.model".into(),
        }
    }
}

/// The processor.
#[derive(Debug)]
struct Classify {
    rules: Vec<Rule>,
    /// For each rule, the label without a word and one for each of its words, by word.
    labels: Vec<RuleLabels>,
    default: Label,
    judge: Option<Judge>,
    scan: Option<Scan>,
    /// Rules of each word.
    word_rules: Vec<Vec<usize>>,
    /// The label by severity of a record without any word; `None` where a rule must look closer.
    by_severity: Option<[Label; SEVERITIES]>,
    counters: [Counter; 3],
}

#[derive(Debug)]
struct RuleLabels {
    plain: Label,
    by_word: BTreeMap<usize, Label>,
}

#[derive(Debug, Clone, Copy)]
struct Label {
    class: Class,
    tail: TailId,
    by_rule: bool,
}

/// Builds the processor.
pub fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    Ok(Built::Step(Arc::new(Classify::new(&settings, context)?)))
}

impl Classify {
    fn new(settings: &Settings, context: &Context) -> Result<Self, SettingsError> {
        let mut all = settings.rule.clone();
        if settings.default_rules {
            all.extend(default_rules());
        }
        check_counts(&all)?;
        let rules = all.iter().map(Rule::compile).collect::<Result<Vec<_>, _>>()?;
        let (words, word_rules) = collect_words(&all);
        let labels =
            all.iter().map(|rule| rule_labels(rule, &words, &settings.attributes, context));
        let labels = labels.collect();
        let default = &settings.default;
        let encoder = Encoder { names: &settings.attributes, context };
        let unmatched = encoder.label(default.class, default.confidence, "no rule matches");
        let default = Label { by_rule: false, ..unmatched };
        let mut classify = Self {
            default,
            judge: Judge::new(&settings.model, &encoder, default)?,
            scan: Scan::new(&words)?,
            rules,
            labels,
            word_rules,
            by_severity: None,
            counters: Class::ALL.map(|class| {
                let labels = ClassLabels { component: context.id.clone(), class: class.as_str() };
                context.metrics.classified.get_or_create_owned(&labels)
            }),
        };
        if !classify.rules.iter().any(Rule::needs_record) {
            let label =
                |severity| classify.first_match(&[], u8::try_from(severity).unwrap_or(0), None);
            classify.by_severity = Some(std::array::from_fn(label));
        }
        Ok(classify)
    }

    /// The label of the first rule that matches.
    fn first_match(
        &self,
        words: &[usize],
        severity: u8,
        record: Option<(&Draft, usize, &[u8])>,
    ) -> Label {
        for (index, rule) in self.rules.iter().enumerate() {
            let word = words.iter().find(|word| {
                self.word_rules.get(**word).is_some_and(|rules| rules.contains(&index))
            });
            let holds = (!rule.has_words || word.is_some())
                && severity >= rule.severity_min
                && (!rule.needs_record()
                    || record
                        .is_some_and(|(draft, item, body)| looks_closer(rule, draft, item, body)));
            if !holds {
                continue;
            }
            if let Some(labels) = self.labels.get(index) {
                return word
                    .and_then(|word| labels.by_word.get(word))
                    .copied()
                    .unwrap_or(labels.plain);
            }
        }
        self.default
    }

    fn label_item(&self, draft: &mut Draft, item: usize, words: &[usize], body: &[u8]) -> Class {
        let severity = severity_of(draft, item);
        let label = match (&self.by_severity, words) {
            (Some(table), []) => table.get(usize::from(severity)).copied().unwrap_or(self.default),
            _ => self.first_match(words, severity, Some((draft, item, body))),
        };
        let label = match &self.judge {
            Some(judge) if !label.by_rule && draft.signal() == Signal::Logs => {
                let own = draft.body(item);
                judge.label(if own.is_empty() { body } else { own }, severity)
            }
            _ => label,
        };
        draft.set_tail(item, label.tail);
        if let Some(item) = draft.items_mut().get_mut(item) {
            item.class = label.class.code();
        }
        label.class
    }
}

impl Step for Classify {
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch) {
        draft.texts_lowercase(STRUCTURED_BYTES_MAX, &mut scratch.folded);
        let mut counts = [0_u64; 3];
        let mut count = |class: Class| {
            if let Some(count) = counts.get_mut(usize::from(class.code()) - 1) {
                *count += 1;
            }
        };
        let mut next = 0;
        if let Some(scan) = &self.scan {
            let mut words = Vec::new();
            scan.bodies(&scratch.folded, |item, body| {
                for quiet in next..item {
                    count(self.label_item(draft, quiet, &[], scratch.folded.body(quiet)));
                }
                words.clear();
                scan.words(body, |word| words.push(word));
                count(self.label_item(draft, item, &words, body));
                next = item + 1;
            });
        }
        for quiet in next..draft.len() {
            count(self.label_item(draft, quiet, &[], scratch.folded.body(quiet)));
        }
        for (counter, count) in self.counters.iter().zip(counts) {
            counter.inc_by(count);
        }
    }
}

/// The severity number; by name when a record has only that.
fn severity_of(draft: &Draft, item: usize) -> u8 {
    match draft.items().get(item) {
        Some(known) if known.severity > 0 => known.severity,
        _ => draft.severity_text(item).and_then(crate::rules::severity).unwrap_or(0),
    }
}

fn looks_closer(rule: &Rule, draft: &Draft, item: usize, folded: &[u8]) -> bool {
    let body = draft.body(item);
    let body = if body.is_empty() { folded } else { body };
    rule.regex.as_ref().is_none_or(|regex| regex.is_match(body))
        && rule.attributes.iter().all(|attribute| attribute_holds(attribute, draft, item))
}

fn attribute_holds(attribute: &Attribute, draft: &Draft, item: usize) -> bool {
    let found = draft
        .attribute(item, &attribute.key)
        .or_else(|| draft.scope_attribute(item, &attribute.key))
        .or_else(|| draft.resource_attribute(item, &attribute.key));
    let Some(found) = found else { return false };
    if attribute.value.is_none() && attribute.regex.is_none() {
        return true;
    }
    let text = text_of(found);
    attribute.value.as_ref().is_none_or(|value| *value == text)
        && attribute.regex.as_ref().is_none_or(|regex| regex.is_match(text.as_bytes()))
}

fn text_of(value: AnyValue<'_>) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    if let Some(number) = value.as_int() {
        return number.to_string();
    }
    if let Some(number) = value.as_double() {
        return number.to_string();
    }
    value.as_bool().map(|flag| flag.to_string()).unwrap_or_default()
}

fn check_counts(rules: &[RuleSettings]) -> Result<(), SettingsError> {
    let words: usize = rules.iter().map(|rule| rule.words.len()).sum();
    if rules.len() > RULES_MAX || words > WORDS_MAX {
        let problem = format!("{} rules with {words} words", rules.len());
        let remedy = format!("at most {RULES_MAX} rules and {WORDS_MAX} words fit");
        return Err(SettingsError::new("rule", problem, remedy));
    }
    Ok(())
}

/// Every distinct word once, folded, and the rules it belongs to.
fn collect_words(rules: &[RuleSettings]) -> (Vec<String>, Vec<Vec<usize>>) {
    let mut index: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (rule, settings) in rules.iter().enumerate() {
        for word in &settings.words {
            index.entry(word.to_ascii_lowercase()).or_default().push(rule);
        }
    }
    index.into_iter().unzip()
}

fn rule_labels(
    rule: &RuleSettings,
    words: &[String],
    names: &AttributeNames,
    context: &Context,
) -> RuleLabels {
    let encoder = Encoder { names, context };
    let plain = format!("rule {}{}", rule.name, conditions(rule));
    let mut by_word = BTreeMap::new();
    for own in &rule.words {
        if let Ok(word) = words.binary_search(&own.to_ascii_lowercase()) {
            let reason = format!("rule {}: body contains \"{own}\"", rule.name);
            by_word.insert(word, encoder.label(rule.class, rule.confidence, &reason));
        }
    }
    RuleLabels { plain: encoder.label(rule.class, rule.confidence, &plain), by_word }
}

fn conditions(rule: &RuleSettings) -> String {
    let mut parts = Vec::new();
    if let Some(severity) = &rule.severity_min {
        parts.push(format!("severity is {severity} or above"));
    }
    if let Some(regex) = &rule.regex {
        parts.push(format!("body matches {regex:?}"));
    }
    parts.extend(
        rule.attribute.iter().map(|condition| format!("attribute {:?} matches", condition.key)),
    );
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}

struct Encoder<'a> {
    names: &'a AttributeNames,
    context: &'a Context,
}

impl Encoder<'_> {
    fn label(&self, class: Class, confidence: f64, reason: &str) -> Label {
        self.encode(class, confidence, "rules", reason, None)
    }

    fn model_label(&self, class: Class, confidence: f64, reason: &str, model: &str) -> Label {
        let label = self.encode(class, confidence, "model", reason, Some(model));
        Label { by_rule: false, ..label }
    }

    fn encode(
        &self,
        class: Class,
        confidence: f64,
        tier: &str,
        reason: &str,
        model: Option<&str>,
    ) -> Label {
        let text = |text: &str| Value::String(text.to_owned());
        let attributes: Vec<(String, Value)> = [
            (&self.names.classification, Some(text(class.as_str()))),
            (&self.names.confidence, Some(Value::Double(confidence))),
            (&self.names.tier, Some(text(tier))),
            (&self.names.reason, Some(text(reason))),
            (&self.names.model, model.map(text)),
        ]
        .into_iter()
        .filter(|(name, _)| !name.is_empty())
        .filter_map(|(name, value)| Some((name.clone(), value?)))
        .collect();
        Label { class, tail: self.context.tails.lock().add(&attributes), by_rule: true }
    }
}

#[cfg(test)]
mod tests;
