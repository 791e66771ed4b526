//! Why a message has its label: the rule with what it matched, the words the model went by, and what
//! an LLM said of its template.

use std::ops::Range;
use std::sync::Arc;

use bessemer_pipeline::services::{Corrected, Explain};
use bessemer_pipeline::{Context, SettingsError};
use bessemer_record::json::from_otlp_json;
use bessemer_record::{Draft, Limits, Signal, Tails};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::encode::{Label, rule_reason};
use super::judge::{model_reason, operator_reason};
use super::settings::Settings;
use super::{Classify, FIRM};
use crate::class::Class;
use crate::llm::Verdict;
use crate::model::Named;
use crate::money::Amount;
use crate::rules::RuleSettings;

/// The tier that a label comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decider {
    /// A rule, or the default where none matches.
    Rules,
    /// The local model.
    Model,
    /// An LLM.
    Llm,
    /// An operator.
    Operator,
}

impl Decider {
    /// The word in `ai.tier`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Model => "model",
            Self::Llm => "llm",
            Self::Operator => "operator",
        }
    }
}

/// The label of a message and what speaks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The class.
    pub class: Class,
    /// How sure, from 0 to 1.
    pub confidence: f64,
    /// Which tier decided.
    pub tier: Decider,
    /// The sentence in `ai.reason`.
    pub reason: String,
    /// The rule that decided, or that the model overruled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<MatchedRule>,
    /// What the model says, if there is one, whether it decided or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Opinion>,
    /// What an LLM said of the template, if one was asked, whether it decided or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub llm: Option<Ruling>,
    /// What an operator said of the template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correction: Option<Corrected>,
    /// The id of the template, if templates are enabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// What an LLM said of a template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ruling {
    /// The class; a lower one than the cheaper tiers gave changes nothing.
    pub class: Class,
    /// How sure, from 0 to 1.
    pub confidence: f64,
    /// Why, in the words of the LLM.
    pub reason: String,
    /// Component id of the provider that was asked.
    pub provider: String,
    /// The model that answered.
    pub model: String,
    /// Hash of the instructions and of the question as they were asked, hexadecimal.
    pub prompt: String,
    /// This template's share of what the request cost.
    pub cost: Amount,
}

impl Ruling {
    fn of(verdict: &Verdict) -> Self {
        Self {
            class: verdict.class,
            confidence: verdict.confidence,
            reason: verdict.reason.clone(),
            provider: verdict.provider.clone(),
            model: verdict.model.clone(),
            prompt: format!("{:016x}", verdict.prompt),
            cost: Amount(verdict.cost),
        }
    }
}

/// A rule and what of the body it matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchedRule {
    /// Its name.
    pub name: String,
    /// Whether the model may overrule it.
    pub weak: bool,
    /// Where its word and its expression stand; empty for a rule on severity or attributes alone.
    pub spans: Vec<Span>,
}

/// A part of a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// What stands there.
    pub text: String,
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// What the model says of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opinion {
    /// Its name.
    pub name: String,
    /// The class.
    pub class: Class,
    /// How sure, from 0 to 1.
    pub confidence: f32,
    /// The words that speak most for the class, strongest first.
    pub words: Vec<Named>,
    /// The probability of the class without these words.
    pub confidence_without_words: f32,
}

/// A log record whose label is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Its body.
    pub body: &'a str,
    /// Its severity number, zero for none.
    pub severity: u8,
    /// Its attributes, which stand for those of its resource too; values that are no text, number or
    /// truth value are left out.
    pub attributes: &'a Map<String, Value>,
}

/// A component's answers to why.
#[derive(Debug)]
pub struct Explainer(Arc<Classify>);

impl Explainer {
    /// Of a component with these settings.
    pub fn new(settings: &Settings, context: &Context) -> Result<Self, SettingsError> {
        Ok(Self(Arc::new(Classify::new(settings, context)?)))
    }

    pub(super) fn of(classify: &Arc<Classify>) -> Self {
        Self(Arc::clone(classify))
    }

    /// Why a log record has its label; `None` for one that is longer than a record may be.
    pub fn explain(&self, question: &Question<'_>) -> Option<Explanation> {
        let (classify, body) = (&*self.0, question.body);
        let draft = draft_of(question)?;
        let folded = body.to_ascii_lowercase();
        let mut words = Vec::new();
        if let Some(scan) = &classify.scan {
            scan.words(folded.as_bytes(), |word| words.push(word));
        }
        let service = classify.services.of_item(&draft, 0);
        let (rules, severity) = classify.by_rules((&draft, 0, service), &words, folded.as_bytes());
        let rule = classify.settings.get(usize::from(rules.rule).wrapping_sub(1));
        let judge = classify.keeper.as_ref().map(|keeper| &keeper.judge);
        let model = judge.and_then(|judge| judge.opinion(body, severity));
        let mut explanation = Explanation {
            class: rules.class,
            confidence: rule.map_or(classify.default_confidence, |rule| rule.confidence),
            tier: Decider::Rules,
            reason: rule.map_or_else(
                || "no rule matches".to_owned(),
                |rule| rule_reason(rule, word_in(rule, &folded).map(|(word, _)| word)),
            ),
            rule: rule.map(|rule| matched(classify, rules, rule, body)),
            template: judge.and_then(|judge| judge.template_of(body.as_bytes())),
            model,
            llm: judge.and_then(|judge| judge.verdict_of(body)).map(|said| Ruling::of(&said)),
            correction: judge.and_then(|judge| judge.correction_of(body)),
        };
        if rules.overruled_above < FIRM {
            explanation.overrule(rules.overruled_above);
            let sure = explanation.model.as_ref().map_or(0.0, |model| f64::from(model.confidence));
            if judge.is_some_and(|judge| judge.asks(explanation.class, sure)) {
                explanation.raise();
            }
        }
        explanation.correct(rules.overruled_above < FIRM);
        Some(explanation)
    }
}

impl Explanation {
    /// Lets the model decide if it is surer than this.
    fn overrule(&mut self, above: f64) {
        if let Some(model) = &self.model
            && f64::from(model.confidence) > above
        {
            self.tier = Decider::Model;
            self.reason = model_reason(&model.name, &model.words);
            self.class = model.class;
            self.confidence = f64::from(model.confidence);
        }
    }

    /// Lets the LLM decide if it said more.
    fn raise(&mut self) {
        if let Some(said) = self.llm.as_ref().filter(|said| said.class > self.class) {
            self.tier = Decider::Llm;
            self.reason.clone_from(&said.reason);
            self.class = said.class;
            self.confidence = said.confidence;
        }
    }

    /// Lets the operator decide.
    fn correct(&mut self, is_weak: bool) {
        let holds = |said: &&Corrected| is_weak || said.over_firm_rules;
        if let Some(said) = self.correction.as_ref().filter(holds)
            && let Some(class) = Class::named(&said.class)
        {
            self.tier = Decider::Operator;
            self.reason = operator_reason(&said.note);
            self.class = class;
            self.confidence = 1.0;
        }
    }
}

impl Explain for Explainer {
    fn explain(&self, message: &str, severity: u8) -> Value {
        let attributes = Map::new();
        let question = Question { body: message, severity, attributes: &attributes };
        json!(Self::explain(self, &question))
    }
}

/// A batch of one log record.
fn draft_of(question: &Question<'_>) -> Option<Draft> {
    let attributes: Vec<Value> = question.attributes.iter().filter_map(attribute).collect();
    let resource = json!({ "attributes": attributes.clone() });
    let request = json!({ "resourceLogs": [{ "resource": resource, "scopeLogs": [{ "logRecords": [{
        "severityNumber": question.severity,
        "body": { "stringValue": question.body },
        "attributes": attributes,
    }] }] }] });
    let limits = Limits::default();
    let text = request.to_string();
    let checked = from_otlp_json(Signal::Logs, text.as_bytes(), &limits).ok()?;
    Some(Draft::from_checked(&checked, &Tails::none()))
}

fn attribute((key, value): (&String, &Value)) -> Option<Value> {
    let kind = match value {
        Value::String(_) => "stringValue",
        Value::Bool(_) => "boolValue",
        Value::Number(number) if number.is_i64() => "intValue",
        Value::Number(_) => "doubleValue",
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    Some(json!({ "key": key, "value": { kind: value } }))
}

/// The first word of a rule in a folded body, and where.
fn word_in<'r>(rule: &'r RuleSettings, folded: &str) -> Option<(&'r str, Range<usize>)> {
    let found = rule.words.iter().filter_map(|word| {
        let start = folded.find(&word.to_ascii_lowercase())?;
        Some((&**word, start..start + word.len()))
    });
    found.min_by_key(|(_, range)| range.end)
}

fn matched(classify: &Classify, label: Label, rule: &RuleSettings, body: &str) -> MatchedRule {
    let word = word_in(rule, &body.to_ascii_lowercase()).map(|(_, range)| range);
    let compiled = classify.rules.get(usize::from(label.rule).wrapping_sub(1));
    let regex = compiled.and_then(|rule| rule.regex.as_ref());
    let found = regex.and_then(|regex| regex.find(body.as_bytes())).map(|found| found.range());
    let span = |range: Range<usize>| Span {
        text: body.get(range.clone()).unwrap_or_default().to_owned(),
        start: range.start,
        end: range.end,
    };
    MatchedRule {
        name: rule.name.clone(),
        weak: rule.weak,
        spans: word.into_iter().chain(found).map(span).collect(),
    }
}
