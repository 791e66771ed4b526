//! What the LLM tier and the LLM router ask, wait for and pay.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{Counter, Gauge};

/// Labels of a provider.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ProviderLabels {
    /// Component id of the provider.
    pub provider: String,
}

/// Labels of what became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AttemptLabels {
    /// Component id of the provider.
    pub provider: String,
    /// `ok`, or why not: one of a fixed set of words.
    pub outcome: &'static str,
}

/// Labels of tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TokenLabels {
    /// Component id of the provider.
    pub provider: String,
    /// `input` or `output`.
    pub direction: &'static str,
}

/// Labels of what became of a question about a template.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct QuestionLabels {
    /// Component id of who asks.
    pub component: String,
    /// One of a fixed set of words.
    pub outcome: &'static str,
}

/// Labels of records that no LLM was asked about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AvoidedLabels {
    /// Component id of who labels.
    pub component: String,
    /// Why not: `rules`, `model`, `verdict` or `operator`.
    pub by: &'static str,
}

/// Labels of a level of the cache of verdicts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CacheLabels {
    /// `memory`, `shared` or `durable`.
    pub level: &'static str,
    /// `hit`, `miss`, `written`, or why it gave no answer.
    pub outcome: &'static str,
}

/// The families of the LLM tier and the LLM router.
#[derive(Debug, Clone)]
pub struct LlmMetrics {
    /// Attempts.
    pub requests: Family<AttemptLabels, Counter>,
    /// Time of an attempt, seconds.
    pub seconds: Family<ProviderLabels, Histogram, fn() -> Histogram>,
    /// Tokens that providers report.
    pub tokens: Family<TokenLabels, Counter>,
    /// What was spent, in millionths of the currency.
    pub spent_micros: Family<ProviderLabels, Counter>,
    /// The part of it that no provider reported: reservations of lost answers.
    pub unreported_micros: Family<ProviderLabels, Counter>,
    /// Whether the provider is asked.
    pub up: Family<ProviderLabels, Gauge>,
    /// Questions about templates.
    pub questions: Family<QuestionLabels, Counter>,
    /// Records that no LLM was asked about, where one might have been.
    pub avoided: Family<AvoidedLabels, Counter>,
    /// Look-ups and writes of verdicts.
    pub cache: Family<CacheLabels, Counter>,
}

impl Default for LlmMetrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(attempt_histogram),
            tokens: Family::default(),
            spent_micros: Family::default(),
            unreported_micros: Family::default(),
            up: Family::default(),
            questions: Family::default(),
            avoided: Family::default(),
            cache: Family::default(),
        }
    }
}

fn attempt_histogram() -> Histogram {
    Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0])
}

impl LlmMetrics {
    pub(super) fn register(&self, all: &mut Registry) {
        let requests = "Attempts to ask an LLM provider, by how they ended";
        all.register("bessemer_llm_requests", requests, self.requests.clone());
        let seconds = "Time of an attempt to ask an LLM provider";
        all.register("bessemer_llm_request_seconds", seconds, self.seconds.clone());
        let tokens = "Tokens that LLM providers report";
        all.register("bessemer_llm_tokens", tokens, self.tokens.clone());
        let spent = "Spent on LLM providers, in millionths of the currency";
        all.register("bessemer_llm_spent_micros", spent, self.spent_micros.clone());
        let unreported = "The part of it that stays reserved because no usage was reported";
        all.register("bessemer_llm_unreported_micros", unreported, self.unreported_micros.clone());
        let up = "1 while an LLM provider is asked, 0 while it rests after failures";
        all.register("bessemer_llm_provider_up", up, self.up.clone());
        let questions = "Questions about templates, by what became of them";
        all.register("bessemer_llm_questions", questions, self.questions.clone());
        let avoided = "Records that no LLM was asked about because something cheaper knew";
        all.register("bessemer_llm_avoided", avoided, self.avoided.clone());
        let cache = "Look-ups and writes of verdicts, by level and outcome";
        all.register("bessemer_llm_cache", cache, self.cache.clone());
    }
}
