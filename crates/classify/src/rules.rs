//! Rules as users write them, and the defaults.

use std::borrow::Cow;

use bessemer_pipeline::SettingsError;
use regex::bytes::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::class::Class;

/// Rules of one component at most.
pub const RULES_MAX: usize = 1_000;
/// Words over all rules at most.
pub const WORDS_MAX: usize = 20_000;
/// Names of services over all rules at most.
pub const SERVICES_MAX: usize = 1_000;
/// Bytes that one compiled expression may take at most.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// One rule: it matches when every condition given holds; of several words one is enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSettings {
    /// Name in the reason.
    pub name: String,
    /// The class that the rule gives.
    pub class: Class,
    /// Services that the rule is for, by the `service.name` of their resource; all when empty.
    #[serde(default)]
    pub services: Vec<String>,
    /// How sure the rule is, from 0 to 1.
    #[serde(default = "default_confidence")]
    pub confidence: f64,
    /// Whether the model may overrule the rule, where it is surer than the rule.
    #[serde(default)]
    pub weak: bool,
    /// Words looked for anywhere in the body, in any case.
    #[serde(default)]
    pub words: Vec<String>,
    /// Words that must not stand in the body, in any case.
    #[serde(default)]
    pub except: Vec<String>,
    /// A regular expression looked for in the body; linear time, no look-around.
    #[serde(default)]
    pub regex: Option<String>,
    /// The least severity: a name such as `ERROR` or a number from 1 to 24.
    #[serde(default)]
    pub severity_min: Option<String>,
    /// Conditions on attributes of the record, its scope or its resource; all must hold.
    #[serde(default)]
    pub attribute: Vec<AttributeCondition>,
}

/// A condition on one attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttributeCondition {
    /// Key of the attribute; looked for in the record, then its scope, then its resource.
    pub key: String,
    /// The value as text; unset: the attribute must be there.
    #[serde(default)]
    pub value: Option<String>,
    /// An expression that the value as text must match.
    #[serde(default)]
    pub regex: Option<String>,
}

fn default_confidence() -> f64 {
    0.9
}

/// The rules that apply after the user's own: security words, then errors.
pub fn default_rules() -> Vec<RuleSettings> {
    let rule = |name: &str, class, confidence| RuleSettings {
        name: name.to_owned(),
        class,
        services: Vec::new(),
        confidence,
        weak: false,
        words: Vec::new(),
        except: Vec::new(),
        regex: None,
        severity_min: None,
        attribute: Vec::new(),
    };
    let words = ["unauthorized", "breach", "attack", "malicious"].map(str::to_owned).to_vec();
    vec![
        RuleSettings { words, ..rule("security_incident", Class::Critical, 0.95) },
        RuleSettings {
            severity_min: Some("ERROR".to_owned()),
            weak: true,
            ..rule("error_condition", Class::Warning, 0.85)
        },
    ]
}

/// A rule ready to run, without its words, which one scan finds for all rules.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) has_words: bool,
    pub(crate) regex: Option<Regex>,
    pub(crate) severity_min: u8,
    pub(crate) attributes: Vec<Attribute>,
}

/// A compiled condition on one attribute.
#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<String>,
    pub(crate) regex: Option<Regex>,
}

impl Rule {
    /// Whether the rule must look at the record itself and not only at its index.
    pub(crate) fn needs_record(&self) -> bool {
        self.regex.is_some() || !self.attributes.is_empty()
    }

    pub(crate) fn compile(settings: &RuleSettings) -> Result<Self, SettingsError> {
        let path = format!("rule {:?}", settings.name);
        if settings.name.is_empty() {
            return Err(SettingsError::new("rule.name", "is empty", "name the rule"));
        }
        if !(0.0..=1.0).contains(&settings.confidence) {
            let problem = format!("confidence {} is not between 0 and 1", settings.confidence);
            return Err(SettingsError::new(&path, problem, "write a number such as 0.9"));
        }
        if settings.words.iter().chain(&settings.except).any(String::is_empty) {
            return Err(SettingsError::new(&path, "has an empty word", "remove it"));
        }
        if *settings == (RuleSettings { name: settings.name.clone(), ..unconditional(settings) }) {
            let remedy =
                "give services, words, regex, severity_min or attribute, or use the default block";
            return Err(SettingsError::new(&path, "has no condition", remedy));
        }
        let attributes =
            settings.attribute.iter().map(|condition| Attribute::compile(&path, condition));
        Ok(Self {
            has_words: !settings.words.is_empty(),
            regex: compile_regex(&path, settings.regex.as_deref())?,
            severity_min: match &settings.severity_min {
                Some(text) => severity(text).ok_or_else(|| {
                    let remedy = "write TRACE, DEBUG, INFO, WARN, ERROR, FATAL or 1 to 24";
                    SettingsError::new(&path, format!("unknown severity {text:?}"), remedy)
                })?,
                None => 0,
            },
            attributes: attributes.collect::<Result<_, _>>()?,
        })
    }
}

fn unconditional(settings: &RuleSettings) -> RuleSettings {
    RuleSettings {
        services: Vec::new(),
        words: Vec::new(),
        regex: None,
        severity_min: None,
        attribute: Vec::new(),
        ..settings.clone()
    }
}

impl Attribute {
    fn compile(path: &str, condition: &AttributeCondition) -> Result<Self, SettingsError> {
        Ok(Self {
            key: condition.key.clone().into_bytes(),
            value: condition.value.clone(),
            regex: compile_regex(path, condition.regex.as_deref())?,
        })
    }
}

fn compile_regex(path: &str, pattern: Option<&str>) -> Result<Option<Regex>, SettingsError> {
    let Some(pattern) = pattern else { return Ok(None) };
    match RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build() {
        Ok(regex) => Ok(Some(regex)),
        Err(error) => {
            let remedy = "write a regular expression in RE2 syntax";
            Err(SettingsError::new(path, error.to_string(), remedy))
        }
    }
}

/// The OpenTelemetry severity number of a name or number; names mean the lowest of their four.
pub(crate) fn severity(text: &str) -> Option<u8> {
    if let Ok(number) = text.parse::<u8>() {
        return (1..=24).contains(&number).then_some(number);
    }
    let upper: Cow<'_, str> = text.to_ascii_uppercase().into();
    match &*upper {
        "TRACE" => Some(1),
        "DEBUG" => Some(5),
        "INFO" | "INFORMATION" | "NOTICE" => Some(9),
        "WARN" | "WARNING" => Some(13),
        "ERROR" | "ERR" | "SEVERE" | "FAILURE" => Some(17),
        "FATAL" | "CRITICAL" | "EMERGENCY" | "ALERT" | "EMERG" | "CRIT" | "PANIC" => Some(21),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_are_read_by_name_and_number() {
        for (text, expected) in
            [("error", Some(17)), ("ERROR", Some(17)), ("24", Some(24)), ("25", None), ("x", None)]
        {
            assert_eq!(severity(text), expected, "{text}");
        }
    }

    #[test]
    fn a_rule_without_a_condition_is_refused_by_name() {
        let mut rule = default_rules().remove(0);
        rule.words.clear();
        let error = Rule::compile(&rule).unwrap_err();
        assert!(error.to_string().contains("security_incident"), "{error}");
    }

    #[test]
    fn a_broken_expression_is_refused_with_its_place() {
        let rule = RuleSettings { regex: Some("(".into()), ..default_rules().remove(0) };
        assert!(Rule::compile(&rule).unwrap_err().problem.contains("unclosed group"));
    }
}
