//! Settings of `bessemer.processor.classify`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::class::Class;
use crate::rules::RuleSettings;
use crate::templates::TEMPLATES_DEFAULT;

/// Settings of `bessemer.processor.classify`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Rules in the order in which they are tried, before the default ones.
    pub rule: Vec<RuleSettings>,
    /// Files with further rules, each a JSON list of them; tried after `rule`, in their order.
    pub rule_files: Vec<String>,
    /// Whether the default rules follow: `unauthorized`, `breach`, `attack` or `malicious` in the
    /// body is critical (0.95), severity ERROR or above is a warning (0.85).
    pub default_rules: bool,
    /// The label of records that no rule matches.
    pub default: DefaultLabel,
    /// The local model.
    pub model: ModelSettings,
    /// Templates of log bodies.
    pub templates: TemplateSettings,
    /// Critical templates of the past that a critical record is like.
    pub similar: SimilarSettings,
    /// LLMs that are asked, beside the flow, about templates that no firm rule matches and the model
    /// is unsure of; they can raise a class and never lower it. Implies templates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub llm: Option<crate::llm::tier::Settings>,
    /// Names of the attributes that carry the label; an empty name leaves that attribute out.
    pub attributes: AttributeNames,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rule: Vec::new(),
            rule_files: Vec::new(),
            default_rules: true,
            default: DefaultLabel::default(),
            model: ModelSettings::default(),
            templates: TemplateSettings::default(),
            similar: SimilarSettings::default(),
            llm: None,
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
    /// The tier that decided: `rules`, `model`, `llm` or `operator`.
    pub tier: String,
    /// The rule and what it matched, the model and the words that spoke for the class, or what the
    /// LLM gave as its reason.
    pub reason: String,
    /// The name of the model, where it decided.
    pub model: String,
    /// The template of the body, where templates are enabled.
    pub template: String,
    /// Up to three critical templates of the past that a critical record is like, each with its
    /// likeness from 0 to 1 and its tickets.
    pub similar: String,
    /// `budget` where an LLM would have been asked and its budget is spent.
    pub degraded: String,
}

impl Default for AttributeNames {
    fn default() -> Self {
        Self {
            classification: "ai.classification".into(),
            confidence: "ai.confidence".into(),
            tier: "ai.tier".into(),
            reason: "ai.reason".into(),
            model: "ai.model".into(),
            template: "ai.template".into(),
            similar: "ai.similar".into(),
            degraded: "ai.degraded".into(),
        }
    }
}

/// Settings of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSettings {
    /// Whether the model labels log records that no rule matches, or only a weak one.
    pub enabled: bool,
    /// A file that `bessemer train` wrote; empty for the model inside the binary.
    pub file: String,
    /// The public key that must have signed `file`, 64 hexadecimal digits as `bessemer train --sign-key`
    /// prints them; empty if a file need not be signed.
    pub public_key: String,
    /// The model is not heard unless it is surer than this, from 0 to 1.
    pub confidence_min: f64,
}

impl Default for ModelSettings {
    fn default() -> Self {
        let (file, public_key) = (String::new(), String::new());
        Self { enabled: false, file, public_key, confidence_min: 0.0 }
    }
}

/// Settings of critical templates of the past.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SimilarSettings {
    /// Whether critical records say what they are like. Implies templates.
    pub enabled: bool,
}

/// Settings of templates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TemplateSettings {
    /// Whether log records get the id of the template of their body.
    pub enabled: bool,
    /// Templates that are kept, from 16 to 100,000; then the rarest of the older ones are forgotten.
    pub max: usize,
}

impl Default for TemplateSettings {
    fn default() -> Self {
        Self { enabled: false, max: TEMPLATES_DEFAULT }
    }
}
