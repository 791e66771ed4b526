//! The rules of a component: its own, those of files, the default ones; and how often each was used.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};

use bessemer_pipeline::SettingsError;
use bessemer_pipeline::services::Report;
use serde_json::{Value, json};

use super::settings::Settings;
use crate::class::Class;
use crate::rules::{RULES_MAX, RuleSettings, SERVICES_MAX, WORDS_MAX, default_rules};

/// Bytes of a file of rules at most.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// All rules in the order in which they are tried.
pub(super) fn all(settings: &Settings) -> Result<Vec<RuleSettings>, SettingsError> {
    let mut all = settings.rule.clone();
    for path in &settings.rule_files {
        all.extend(read(path)?);
    }
    if settings.default_rules {
        all.extend(default_rules());
    }
    let words: usize = all.iter().map(|rule| rule.words.len() + rule.except.len()).sum();
    let services: usize = all.iter().map(|rule| rule.services.len()).sum();
    if all.len() > RULES_MAX || words > WORDS_MAX || services > SERVICES_MAX {
        let problem = format!("{} rules with {words} words and {services} services", all.len());
        let remedy =
            format!("at most {RULES_MAX} rules, {WORDS_MAX} words and {SERVICES_MAX} services fit");
        return Err(SettingsError::new("rule", problem, remedy));
    }
    Ok(all)
}

/// The rules of a file.
fn read(path: &str) -> Result<Vec<RuleSettings>, SettingsError> {
    let refused = |problem: String| {
        let remedy = "name a file with a JSON list of rules, written as in the config";
        SettingsError::new("rule_files", format!("{path}: {problem}"), remedy)
    };
    let file = std::fs::File::open(path).map_err(|error| refused(error.to_string()))?;
    let mut bytes = Vec::new();
    let length = file
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| refused(error.to_string()))?;
    if length as u64 > FILE_BYTES_MAX {
        return Err(refused(format!("is longer than {FILE_BYTES_MAX} bytes")));
    }
    serde_json::from_slice(&bytes).map_err(|error| refused(error.to_string()))
}

/// How many records each rule labelled since the process began.
#[derive(Debug)]
pub(super) struct Hits {
    rules: Vec<(String, Class)>,
    /// First those that no rule labelled, then by rule.
    counts: Vec<AtomicU64>,
}

impl Hits {
    pub(super) fn new(rules: &[RuleSettings]) -> Self {
        Self {
            rules: rules.iter().map(|rule| (rule.name.clone(), rule.class)).collect(),
            counts: (0..=rules.len()).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Adds the counts of a batch.
    pub(super) fn add(&self, counts: &[u64]) {
        for (sum, count) in self.counts.iter().zip(counts).filter(|(_, count)| **count > 0) {
            sum.fetch_add(*count, Ordering::Relaxed);
        }
    }
}

impl Report for Hits {
    fn report(&self) -> Value {
        let mut counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let without = counts.next().unwrap_or_default();
        let hits: Vec<u64> = counts.collect();
        let rules = self.rules.iter().zip(&hits);
        let unused = rules.clone().filter(|(_, hits)| **hits == 0);
        json!({
            "rules": rules
                .map(|((name, class), hits)| json!({ "name": name, "class": class, "hits": hits }))
                .collect::<Vec<_>>(),
            "unused": unused.map(|((name, _), _)| name).collect::<Vec<_>>(),
            "without_rule": without,
        })
    }
}
