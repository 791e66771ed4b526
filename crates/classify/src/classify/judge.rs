//! The model tier: labels of records that no rule matched, remembered by the masked body.
//!
//! The masked body has every digit but a lone zero replaced, in one pass of eight bytes at a time.
//! The model sees no more than that of a number, so two bodies with one mask have one label. The
//! memory is a table of fixed size in which a newer body takes the place of an older one; each entry
//! is one atomic word, so workers share it without a lock.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bessemer_pipeline::SettingsError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Encoder, Label};
use crate::class::Class;
use crate::model::text::TEXT_BYTES_MAX;
use crate::model::{Model, file};

/// Bodies that are remembered at most; a power of two.
const REMEMBERED_MAX: usize = 1 << 16;
/// Bits of an entry that hold the label; the others hold the hash.
const LABEL_BITS: u32 = 10;
/// Steps of confidence: hundredths.
const STEPS: usize = 101;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Settings of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSettings {
    /// Whether the model labels log records that no rule matches.
    pub enabled: bool,
    /// A file that `bessemer train` wrote; empty for the model inside the binary.
    pub file: String,
    /// Below this confidence the default label is given instead, from 0 to 1.
    pub confidence_min: f64,
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self { enabled: false, file: String::new(), confidence_min: 0.0 }
    }
}

/// A model with the labels it can give.
#[derive(Debug)]
pub(super) struct Judge {
    model: Arc<Model>,
    confidence_min: f64,
    /// By class, then by hundredths of confidence.
    labels: Vec<Label>,
    default: Label,
    remembered: Vec<AtomicU64>,
    /// Differs from process to process, so that nobody can prepare bodies with one hash.
    seed: u64,
}

impl Judge {
    /// The model that the settings name; `None` when it is not enabled.
    pub(super) fn new(
        settings: &ModelSettings,
        encoder: &Encoder<'_>,
        default: Label,
    ) -> Result<Option<Self>, SettingsError> {
        if !settings.enabled {
            return Ok(None);
        }
        if !(0.0..=1.0).contains(&settings.confidence_min) {
            let problem = format!("{} is not between 0 and 1", settings.confidence_min);
            return Err(SettingsError::new("model.confidence_min", problem, "write 0.6"));
        }
        let model = load(&settings.file)?;
        let name = &model.report().name;
        let reason = format!("model {name}: words and shape of the body");
        let mut labels = Vec::new();
        for class in Class::ALL {
            for step in 0..STEPS {
                let confidence = u8::try_from(step).map_or(1.0, f64::from) / 100.0;
                labels.push(encoder.model_label(class, confidence, &reason, name));
            }
        }
        Ok(Some(Self {
            confidence_min: settings.confidence_min,
            labels,
            default,
            remembered: (0..REMEMBERED_MAX).map(|_| AtomicU64::new(0)).collect(),
            seed: RandomState::new().build_hasher().finish(),
            model,
        }))
    }

    /// The label of a body.
    pub(super) fn label(&self, body: &[u8], severity: u8) -> Label {
        let body = body.get(..body.len().min(TEXT_BYTES_MAX)).unwrap_or_default();
        let hash = masked_hash(body, self.seed ^ u64::from(severity));
        let slot = usize::try_from(hash >> 48).unwrap_or_default() % REMEMBERED_MAX;
        let Some(slot) = self.remembered.get(slot) else { return self.default };
        let entry = slot.load(Ordering::Relaxed);
        let low = (1 << LABEL_BITS) - 1;
        if entry & low != 0 && entry & !low == hash & !low {
            return self.at(entry & low);
        }
        let number = self.judge(body, severity);
        slot.store(hash & !low | number, Ordering::Relaxed);
        self.at(number)
    }

    /// The label of a number: 1 is the default, then all of the model's.
    fn at(&self, number: u64) -> Label {
        let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(2));
        index.and_then(|index| self.labels.get(index)).copied().unwrap_or(self.default)
    }

    fn judge(&self, body: &[u8], severity: u8) -> u64 {
        let verdict = self.model.judge(&String::from_utf8_lossy(body), severity);
        if f64::from(verdict.confidence) < self.confidence_min {
            return 1;
        }
        let step = (1..STEPS).filter(|step| reaches(verdict.confidence, *step)).count();
        let class = usize::from(verdict.class.code()) - 1;
        (class * STEPS + step + 2) as u64
    }
}

/// Whether a confidence is at least so many hundredths.
fn reaches(confidence: f32, step: usize) -> bool {
    u8::try_from(step).is_ok_and(|step| f64::from(confidence) * 100.0 >= f64::from(step))
}

fn load(path: &str) -> Result<Arc<Model>, SettingsError> {
    let refused = |problem: String| {
        SettingsError::new("model.file", problem, "name a file that `bessemer train` wrote")
    };
    if path.is_empty() {
        return Model::embedded().ok_or_else(|| refused("the embedded model is damaged".into()));
    }
    let length = std::fs::metadata(path).map_err(|error| refused(error.to_string()))?.len();
    if length > file::FILE_BYTES_MAX as u64 {
        return Err(refused(format!("{path} is too long")));
    }
    let bytes = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
    file::decode(&bytes).map(Arc::new).map_err(|error| refused(error.to_string()))
}

/// The hash of a body in which all digits but lone zeros are the same.
fn masked_hash(body: &[u8], seed: u64) -> u64 {
    let (chunks, rest) = body.as_chunks::<8>();
    let mut hash = seed ^ (body.len() as u64);
    let mut digit_before = 0;
    for chunk in chunks {
        (hash, digit_before) = mix(hash, u64::from_le_bytes(*chunk), digit_before);
    }
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    (hash, _) = mix(hash, u64::from_le_bytes(last), digit_before);
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash ^ (hash >> 32)
}

/// Takes eight bytes in; also says whether the last of them is a digit.
fn mix(hash: u64, word: u64, digit_before: u64) -> (u64, u64) {
    let lifted = word ^ (ONES * 0x30);
    let over_nine = (lifted & !HIGH) + ONES * 0x76;
    let digits = !(over_nine | lifted) & HIGH;
    let not_zero = ((lifted & !HIGH) + ONES * 0x7f) | lifted;
    let zeros = digits & !not_zero;
    let lone = zeros & !(digits << 8 | digit_before) & !(digits >> 8);
    let masked = word & !((digits >> 7) * 0x0f) | (lone >> 7);
    let mixed = (hash ^ masked).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed.rotate_left(31), digits >> 56)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_of_one_length_share_a_mask_and_a_lone_zero_does_not() {
        let hash = |text: &str| masked_hash(text.as_bytes(), 7);
        assert_eq!(hash("sent 1234 bytes, took 17 ms"), hash("sent 9870 bytes, took 20 ms"));
        assert_ne!(hash("failed=0"), hash("failed=7"));
        assert_ne!(hash("sent 12 bytes"), hash("sent 12 Bytes"));
        assert_ne!(hash("read 12 of 3"), hash("read 1 of 32"));
    }

    proptest! {
        /// Promise: what is remembered for a mask is what the model says of each body with it.
        #[test]
        fn bodies_with_one_mask_get_one_verdict(
            parts in prop::collection::vec(("[a-zA-Z =:/.-]{1,12}", 1_u32..99_999, 1_u32..99_999), 1..6),
        ) {
            let model = Model::embedded().unwrap();
            let (mut one, mut other) = (String::new(), String::new());
            for (text, first, second) in parts {
                let first = first.to_string();
                let second = format!("{second:0>width$}", width = first.len());
                one.push_str(&text);
                other.push_str(&text);
                one.push_str(&first);
                other.extend(second.chars().skip(second.len() - first.len()));
            }
            if masked_hash(one.as_bytes(), 1) == masked_hash(other.as_bytes(), 1) {
                prop_assert_eq!(model.judge(&one, 0), model.judge(&other, 0));
            }
        }
    }
}
