//! The local model: which class does a message have, judged by its words and shape.
//!
//! A linear model over at most 10,000 features (TF-IDF of words, pairs of words and characters,
//! and the shape of the message) with calibrated probabilities. It is deterministic, needs no
//! network, and every decision is a sum whose parts can be named.

mod features;
pub mod file;
pub mod sign;
mod table;
pub mod text;
pub mod train;

use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use crate::class::Class;
use features::Feature;
use table::Table;
use text::{Text, head, read};

/// Features of a model at most.
pub const FEATURES_MAX: usize = 10_000;
/// Tokens that an explanation names at most.
pub const NAMED_MAX: usize = 3;

/// How far the classes of a word must be apart, times its value, for the word to tell something: most
/// words of the training do, names do not.
const TELLING_MIN: f32 = 8.0;

/// What was known of a model when it was trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The name in `ai.model`.
    pub name: String,
    /// Where the examples came from.
    pub sources: Vec<String>,
    /// How many examples, by class: info, warning, critical.
    pub examples: [u64; 3],
    /// XXH3 of all examples in their order, hexadecimal.
    pub digest: String,
    /// Examples that were held out to calibrate the probabilities.
    pub held_out: u64,
    /// Macro-F1 on the examples that were held out.
    pub held_out_macro_f1: f64,
    /// Expected calibration error on the examples that were held out.
    pub held_out_calibration_error: f64,
}

/// A trained model.
#[derive(Debug, Clone)]
pub struct Model {
    report: Report,
    table: Table,
    /// What each feature adds, by its place in the table.
    parts: Vec<Part>,
    bias: [f32; 3],
    /// Divides the sums before they become probabilities.
    temperature: f32,
}

/// What one feature adds to the sums of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Part {
    /// The value of the feature where it stands: IDF times the weight of its kind.
    value: f32,
    weights: [f32; 3],
}

/// The sums over the features of a message.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    classes: [f32; 3],
    square: f32,
}

impl Sums {
    #[inline]
    fn add(&mut self, part: Part) {
        for (sum, weight) in self.classes.iter_mut().zip(part.weights) {
            *sum += weight * part.value;
        }
        self.square += part.value * part.value;
    }
}

/// What a model says about a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// The most probable class.
    pub class: Class,
    /// Its probability.
    pub confidence: f32,
    /// Probabilities of info, warning and critical.
    pub probabilities: [f32; 3],
}

/// A token that speaks for the class of a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Named {
    /// The token as it stands in the message.
    pub text: String,
    /// The first byte in the message.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// What the token adds to the score of the class, against the mean of the others.
    pub weight: f32,
}

impl Model {
    /// The model inside the binary; `None` only when the build is damaged.
    pub fn embedded() -> Option<Arc<Self>> {
        static EMBEDDED: LazyLock<Option<Arc<Model>>> = LazyLock::new(|| {
            file::decode(include_bytes!("../data/default.model"), None).ok().map(Arc::new)
        });
        EMBEDDED.clone()
    }

    /// What was known when it was trained.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// How many features it knows.
    pub fn features(&self) -> usize {
        self.table.keys().len()
    }

    /// Judges a message; `severity` is the OpenTelemetry number, or 0 when it is not known.
    pub fn judge(&self, message: &str, severity: u8) -> Verdict {
        verdict(self.sums(&read(message), message, severity), self.temperature)
    }

    /// Judges a message without some of its tokens.
    pub fn judge_without(&self, message: &str, severity: u8, named: &[Named]) -> Verdict {
        let mut text = read(message);
        text.tokens.retain(|token| named.iter().all(|named| named.start != token.start));
        verdict(self.sums(&text, message, severity), self.temperature)
    }

    /// The tokens that speak most for `class`, strongest first.
    pub fn explain(&self, message: &str, severity: u8, class: Class) -> Vec<Named> {
        let text = read(message);
        let mut by_token = vec![0.0_f32; text.tokens.len()];
        let mut square = 0.0_f32;
        let found = |feature: Feature| {
            let Some(part) = self.part(feature.key) else { return };
            square += part.value * part.value;
            let Some(sum) = feature.token.and_then(|token| by_token.get_mut(token)) else { return };
            *sum += part.value * margin(part.weights, class);
        };
        features::features(&text, head(message.as_bytes()), severity, found);
        let norm = square.sqrt().max(f32::MIN_POSITIVE);
        let mut named: Vec<Named> = text
            .tokens
            .iter()
            .zip(by_token)
            .filter(|(_, weight)| *weight > 0.0)
            .map(|(token, weight)| Named {
                text: message.get(token.start..token.end).unwrap_or_default().to_owned(),
                start: token.start,
                end: token.end,
                weight: weight / norm,
            })
            .collect();
        named.sort_by(|one, other| other.weight.total_cmp(&one.weight));
        named.truncate(NAMED_MAX);
        named
    }

    /// Whether a word speaks for or against a class, by itself.
    pub fn is_telling(&self, word: &[u8]) -> bool {
        let word = String::from_utf8_lossy(word);
        read(&word).tokens.iter().any(|token| {
            self.part(features::word_key(token)).is_some_and(|part| {
                let most = part.weights.into_iter().fold(f32::MIN, f32::max);
                let least = part.weights.into_iter().fold(f32::MAX, f32::min);
                (most - least) * part.value >= TELLING_MIN
            })
        })
    }

    #[inline]
    fn part(&self, key: u32) -> Option<Part> {
        self.parts.get(self.table.find(key)?).copied()
    }

    /// The sum of each class, in units of the length of all features.
    fn sums(&self, text: &Text, message: &str, severity: u8) -> [f32; 3] {
        let mut sums = Sums::default();
        features::features(text, head(message.as_bytes()), severity, |feature| {
            if let Some(part) = self.part(feature.key) {
                sums.add(part);
            }
        });
        let norm = sums.square.sqrt().max(f32::MIN_POSITIVE);
        let mut scores = self.bias;
        for (score, sum) in scores.iter_mut().zip(sums.classes) {
            *score += sum / norm;
        }
        scores
    }
}

/// How much more a feature speaks for `class` than for the mean of the others.
fn margin(weights: [f32; 3], class: Class) -> f32 {
    let own = usize::from(class.code()) - 1;
    let mut margin = 0.0;
    for (index, weight) in weights.into_iter().enumerate() {
        margin += if index == own { weight } else { -weight / 2.0 };
    }
    margin
}

fn verdict(sums: [f32; 3], temperature: f32) -> Verdict {
    let probabilities = softmax(sums.map(|sum| sum / temperature));
    let mut best = (Class::Info, 0.0);
    for (class, probability) in Class::ALL.into_iter().zip(probabilities) {
        if probability > best.1 {
            best = (class, probability);
        }
    }
    Verdict { class: best.0, confidence: best.1, probabilities }
}

fn softmax(sums: [f32; 3]) -> [f32; 3] {
    let most = sums.into_iter().fold(f32::MIN, f32::max);
    let powers = sums.map(|sum| (sum - most).exp());
    let total: f32 = powers.iter().sum();
    powers.map(|power| power / total)
}

#[cfg(test)]
mod tests;
