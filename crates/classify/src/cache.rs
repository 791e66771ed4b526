//! Verdicts that were paid for once: in memory, in a shared Redis, and in the state of this node.
//!
//! Memory ([`Verdicts`]) is keyed by template and is all that the flow looks at. The levels below
//! are asked only for a question that is about to be put to an LLM; what they know is promoted
//! upward. Their key is a hash of the text and of a version: another prompt, model or policy finds
//! nothing of the old one. A level that is slow or broken is a miss and a number in the metrics.

pub mod durable;
pub mod flight;
pub mod redis;
pub mod shared;

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use bessemer_pipeline::metrics::llm::{CacheLabels, LlmMetrics};

use crate::llm::ask::{REASON_BYTES_MAX, TemplateId, Verdict, Verdicts, plain};
use crate::llm::redact::Redacted;
use durable::Durable;
use shared::Guarded;

/// Bytes of a verdict as it is kept, at most; what is larger was not written by us.
pub const ENTRY_BYTES_MAX: usize = 4 << 10;

/// Names a verdict in the lower levels: 128 bits of a hash over version and text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// The key of `text` under a version.
    pub fn new(version: u64, text: &Redacted) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let hash =
            digest(&SHA256, &[&version.to_be_bytes()[..], text.as_str().as_bytes()].concat());
        let halves = hash.as_ref().iter().take(16).flat_map(|byte| [byte >> 4, byte & 15]);
        let digits = halves.filter_map(|half| DIGITS.get(usize::from(half)));
        Self(digits.map(|digit| char::from(*digit)).collect())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// All levels together.
#[derive(Debug)]
pub struct Caches {
    verdicts: Arc<Verdicts>,
    shared: Option<Guarded>,
    durable: Arc<Durable>,
    version: u64,
    metrics: Counts,
}

impl Caches {
    /// `version` is a hash of everything that a verdict depends on beside the text.
    pub fn new(
        verdicts: Arc<Verdicts>,
        shared: Option<Guarded>,
        durable: Durable,
        version: u64,
        metrics: &LlmMetrics,
    ) -> Self {
        let metrics = Counts(metrics.cache.clone());
        Self { verdicts, shared, durable: Arc::new(durable), version, metrics }
    }

    /// The key of a text.
    pub fn key(&self, text: &Redacted) -> Key {
        Key::new(self.version, text)
    }

    /// What the flow looks at.
    pub fn verdicts(&self) -> &Arc<Verdicts> {
        &self.verdicts
    }

    /// The verdicts on these questions that any level knows, now in memory too, in their order.
    pub async fn find(&self, questions: &[(TemplateId, Key)]) -> Vec<Option<Arc<Verdict>>> {
        let mut found: Vec<Option<Arc<Verdict>>> =
            questions.iter().map(|(template, _)| self.verdicts.get(*template)).collect();
        self.metrics.looked("memory", &found);
        self.ask_shared(questions, &mut found).await;
        let promoted = self.ask_durable(questions, &mut found).await;
        if let Some(shared) = &self.shared {
            // What only this node knew is told to the others.
            shared.put(&promoted).await;
        }
        found
    }

    async fn ask_shared(
        &self,
        questions: &[(TemplateId, Key)],
        found: &mut [Option<Arc<Verdict>>],
    ) {
        let missing = missing(found);
        let Some(shared) = self.shared.as_ref().filter(|_| !missing.is_empty()) else { return };
        let keys = missing.iter().filter_map(|place| questions.get(*place));
        let keys: Vec<Key> = keys.map(|(_, key)| key.clone()).collect();
        match shared.get(&keys).await {
            Ok(answers) => self.take(questions, found, &missing, answers, "shared"),
            Err(error) => self.metrics.count("shared", error.label(), missing.len()),
        }
    }

    /// What is found is returned too, to be promoted.
    async fn ask_durable(
        &self,
        questions: &[(TemplateId, Key)],
        found: &mut [Option<Arc<Verdict>>],
    ) -> Vec<(Key, Vec<u8>)> {
        let missing = missing(found);
        if missing.is_empty() {
            return Vec::new();
        }
        let keys = missing.iter().filter_map(|place| questions.get(*place));
        let keys: Vec<Key> = keys.map(|(_, key)| key.clone()).collect();
        let durable = Arc::clone(&self.durable);
        let asked = keys.clone();
        let read = tokio::task::spawn_blocking(move || durable.get(&asked)).await;
        let Ok(Ok(answers)) = read else {
            self.metrics.count("durable", "error", missing.len());
            return Vec::new();
        };
        let known = keys.into_iter().zip(answers.clone());
        let known = known.filter_map(|(key, bytes)| Some((key, bytes?))).collect();
        self.take(questions, found, &missing, answers, "durable");
        known
    }

    fn take(
        &self,
        questions: &[(TemplateId, Key)],
        found: &mut [Option<Arc<Verdict>>],
        missing: &[usize],
        answers: Vec<Option<Vec<u8>>>,
        level: &'static str,
    ) {
        let mut read = Vec::with_capacity(missing.len());
        for (place, bytes) in missing.iter().zip(answers) {
            let template = questions.get(*place).map(|(template, _)| *template);
            let verdict = bytes.as_deref().zip(template).and_then(|(bytes, template)| {
                decode(bytes).map(|verdict| Arc::new(Verdict { template, ..verdict }))
            });
            if bytes.is_some() && verdict.is_none() {
                self.metrics.count(level, "unreadable", 1);
            }
            if let Some(verdict) = &verdict {
                self.verdicts.put(Arc::clone(verdict));
            }
            read.push(verdict.clone());
            if let Some(slot) = found.get_mut(*place) {
                *slot = verdict;
            }
        }
        self.metrics.looked(level, &read);
    }

    /// The verdict on a template that this node has kept. Reads the disk.
    pub fn kept(&self, template: TemplateId, text: &Redacted) -> Option<Arc<Verdict>> {
        let bytes = self.durable.get(&[self.key(text)]).ok()?.pop()??;
        decode(&bytes).map(|verdict| Arc::new(Verdict { template, ..verdict }))
    }

    /// Keeps new verdicts in every level.
    pub async fn keep(&self, verdicts: Vec<(Key, Arc<Verdict>)>) {
        let mut entries = Vec::with_capacity(verdicts.len());
        for (key, verdict) in verdicts {
            if let Ok(bytes) = serde_json::to_vec(&*verdict) {
                entries.push((key, bytes));
            }
            self.verdicts.put(verdict);
        }
        if let Some(shared) = &self.shared {
            shared.put(&entries).await;
        }
        let (durable, count) = (Arc::clone(&self.durable), entries.len());
        let written = tokio::task::spawn_blocking(move || durable.put(entries)).await;
        if !matches!(written, Ok(Ok(()))) {
            self.metrics.count("durable", "error", count);
        }
    }

    /// Forgets a template in every level: an operator knows better.
    pub async fn forget(&self, template: TemplateId, text: &Redacted) {
        self.verdicts.forget(template);
        let key = self.key(text);
        if let Some(shared) = &self.shared {
            shared.remove(&key).await;
        }
        let durable = Arc::clone(&self.durable);
        let removed = tokio::task::spawn_blocking(move || durable.remove(&key)).await;
        if !matches!(removed, Ok(Ok(()))) {
            self.metrics.count("durable", "error", 1);
        }
    }
}

fn missing(found: &[Option<Arc<Verdict>>]) -> Vec<usize> {
    found.iter().enumerate().filter(|(_, known)| known.is_none()).map(|(place, _)| place).collect()
}

/// Reads what a level had. Others can write there, so nothing is taken on trust.
fn decode(bytes: &[u8]) -> Option<Verdict> {
    if bytes.len() > ENTRY_BYTES_MAX {
        return None;
    }
    let verdict: Verdict = serde_json::from_slice(bytes).ok()?;
    let name = |text: &str| plain(text, REASON_BYTES_MAX);
    (0.0..=1.0).contains(&verdict.confidence).then(|| Verdict {
        reason: name(&verdict.reason),
        provider: name(&verdict.provider),
        model: name(&verdict.model),
        ..verdict
    })
}

#[derive(Debug)]
struct Counts(
    prometheus_client::metrics::family::Family<CacheLabels, bessemer_pipeline::metrics::Counter>,
);

impl Counts {
    fn looked(&self, level: &'static str, found: &[Option<Arc<Verdict>>]) {
        let hits = found.iter().flatten().count();
        self.count(level, "hit", hits);
        self.count(level, "miss", found.len() - hits);
    }

    fn count(&self, level: &'static str, outcome: &'static str, by: usize) {
        let counter = self.0.get_or_create_owned(&CacheLabels { level, outcome });
        counter.inc_by(by as u64);
    }
}

#[cfg(test)]
mod tests;
