//! Trains a model: chooses the features, fits the weights, calibrates the probabilities.
//!
//! Deterministic: the same examples in the same order give the same model on the same machine.
//! A part of the examples is held out to fit the temperature, then all are used.

use std::collections::BTreeMap;

use thiserror::Error;
use xxhash_rust::xxh3::Xxh3;

use super::features::{self, Feature, Source};
use super::table::Table;
use super::text::{head, read};
use super::{FEATURES_MAX, Model, Part, Report, softmax, verdict};
use crate::class::Class;
use crate::evaluate::Evaluation;

/// Examples at most.
pub const EXAMPLES_MAX: usize = 1_000_000;
/// Distinct features that are counted at most; later ones are not seen.
const SEEN_MAX: usize = 4_000_000;
/// Features that stand in fewer examples are not used.
const EXAMPLES_PER_FEATURE_MIN: f32 = 2.0;
/// Features of the examples; the others are left to the model that is trained further.
const OWN_FEATURES_MAX: usize = 7_000;
const EPOCHS: usize = 6;
const RATE: f32 = 0.5;
const DECAY: f32 = 1e-5;
/// A class is weighted at most this much against the others.
const BALANCE_MAX: f32 = 8.0;
/// One in so many message shapes is held out.
const HELD_OUT: u64 = 5;

/// A message whose class is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The message.
    pub text: String,
    /// The OpenTelemetry number, or 0.
    pub severity: u8,
    /// Its class.
    pub class: Class,
}

/// What a training starts from.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// The name of the model.
    pub name: String,
    /// Where the examples came from.
    pub sources: Vec<String>,
    /// A model whose knowledge is kept where the examples say nothing.
    pub base: Option<&'a Model>,
    /// What the probabilities are calibrated on.
    pub held_out: HeldOut,
}

/// Which examples are held out of a first training to calibrate the probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldOut {
    /// One fifth of the shapes of messages.
    Shapes,
    /// So many from the start.
    First(usize),
}

/// Why a model cannot be trained.
#[derive(Debug, Error)]
pub enum TrainError {
    /// No examples, or of one class only.
    #[error("examples of at least two classes are needed")]
    Classes,
    /// More than fit.
    #[error("more than {EXAMPLES_MAX} examples")]
    TooMany,
}

/// Trains a model.
pub fn train(plan: &Plan<'_>, examples: &[Example]) -> Result<Model, TrainError> {
    if examples.len() > EXAMPLES_MAX {
        return Err(TrainError::TooMany);
    }
    let classes = Class::ALL.iter().filter(|class| examples.iter().any(|e| e.class == **class));
    if classes.count() < 2 {
        return Err(TrainError::Classes);
    }
    let all: Vec<&Example> = examples.iter().collect();
    let (held_out, rest) = split(plan.held_out, &all);
    let mut trial = fit(plan, &rest);
    trial.temperature = temperature(&trial, &held_out);
    let mut quality = Evaluation::default();
    for example in &held_out {
        quality.add(example.class, trial.judge(&example.text, example.severity));
    }
    let mut model = fit(plan, &all);
    model.temperature = trial.temperature;
    model.report = Report {
        held_out: held_out.len() as u64,
        held_out_macro_f1: shown(quality.macro_f1()),
        held_out_calibration_error: shown(quality.calibration_error()),
        ..report(plan, examples)
    };
    Ok(model)
}

fn split<'e>(held_out: HeldOut, all: &[&'e Example]) -> (Vec<&'e Example>, Vec<&'e Example>) {
    match held_out {
        HeldOut::Shapes => {
            all.iter().partition(|example| shape(&example.text).is_multiple_of(HELD_OUT))
        }
        HeldOut::First(count) => {
            let (held_out, rest) = all.split_at(count.min(all.len()));
            (held_out.to_vec(), rest.to_vec())
        }
    }
}

/// The hash of a message without its numbers and names of files: messages of one shape stay on one
/// side of the split.
pub fn shape(text: &str) -> u64 {
    let mut hash = Xxh3::new();
    for token in read(text).tokens {
        hash.update(&token.hash.to_le_bytes());
    }
    hash.digest()
}

/// XXH3 of all examples in their order, hexadecimal.
pub fn digest(examples: &[Example]) -> String {
    let mut digest = Xxh3::new();
    for example in examples {
        digest.update(example.class.as_str().as_bytes());
        digest.update(&[0, example.severity]);
        digest.update(example.text.as_bytes());
        digest.update(&[0]);
    }
    format!("{:016x}", digest.digest())
}

fn report(plan: &Plan<'_>, examples: &[Example]) -> Report {
    let mut counts = [0; 3];
    for example in examples {
        if let Some(count) = counts.get_mut(usize::from(example.class.code()) - 1) {
            *count += 1;
        }
    }
    Report {
        name: plan.name.clone(),
        sources: plan.sources.clone(),
        examples: counts,
        digest: digest(examples),
        held_out: 0,
        held_out_macro_f1: 0.0,
        held_out_calibration_error: 0.0,
    }
}

/// A measure as the report shows it; so few digits are read back as they were written.
fn shown(measure: f64) -> f64 {
    (measure * 1e4).round() / 1e4
}

/// In how many examples a feature stands, by class.
#[derive(Debug, Clone, Copy)]
struct Seen {
    source: Source,
    counts: [f32; 3],
}

/// Chooses features and fits weights; the temperature stays 1.
fn fit(plan: &Plan<'_>, examples: &[&Example]) -> Model {
    let mut model = choose(plan, examples);
    let rows: Vec<Row> = examples.iter().map(|example| row(&model, example)).collect();
    let balance = balance(examples);
    let mut slopes = vec![[1e-4_f32; 3]; model.parts.len()];
    let mut bias_slopes = [1e-4_f32; 3];
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..EPOCHS {
        shuffle(&mut order, &mut random);
        for index in &order {
            if let Some(row) = rows.get(*index) {
                learn(&mut model, row, &balance, &mut slopes, &mut bias_slopes);
            }
        }
    }
    model
}

/// An example as features of the model, in units of their length.
struct Row {
    features: Vec<(usize, f32)>,
    class: usize,
}

fn row(model: &Model, example: &Example) -> Row {
    let mut known: Vec<(usize, f32)> = Vec::new();
    found_in(example, |feature| {
        let place = model.table.find(feature.key);
        known.extend(place.and_then(|at| Some((at, model.parts.get(at)?.value))));
    });
    let square: f32 = known.iter().map(|(_, value)| value * value).sum();
    let norm = square.sqrt().max(f32::MIN_POSITIVE);
    let features = known.into_iter().map(|(at, value)| (at, value / norm)).collect();
    Row { features, class: usize::from(example.class.code()) - 1 }
}

fn found_in(example: &Example, found: impl FnMut(Feature)) {
    let text = read(&example.text);
    features::features(&text, head(example.text.as_bytes()), example.severity, found);
}

/// One step of `AdaGrad` on the cross entropy.
fn learn(
    model: &mut Model,
    row: &Row,
    balance: &[f32; 3],
    slopes: &mut [[f32; 3]],
    bias_slopes: &mut [f32; 3],
) {
    let mut sums = model.bias;
    for (index, value) in &row.features {
        let Some(part) = model.parts.get(*index) else { continue };
        for (sum, weight) in sums.iter_mut().zip(part.weights) {
            *sum += value * weight;
        }
    }
    let mut errors = softmax(sums);
    let weight = balance.get(row.class).copied().unwrap_or(1.0);
    if let Some(own) = errors.get_mut(row.class) {
        *own -= 1.0;
    }
    let errors = errors.map(|error| error * weight);
    for (index, value) in &row.features {
        let (Some(part), Some(slopes)) = (model.parts.get_mut(*index), slopes.get_mut(*index))
        else {
            continue;
        };
        for ((weight, slope), error) in part.weights.iter_mut().zip(slopes).zip(errors) {
            descend(weight, slope, error * value + DECAY * *weight);
        }
    }
    for ((bias, slope), error) in model.bias.iter_mut().zip(bias_slopes).zip(errors) {
        descend(bias, slope, error);
    }
}

fn descend(weight: &mut f32, slope: &mut f32, gradient: f32) {
    *slope += gradient * gradient;
    *weight -= RATE * gradient / slope.sqrt();
}

/// Rare classes count more, by the root of how rare they are.
fn balance(examples: &[&Example]) -> [f32; 3] {
    let mut counts = [0.0_f32; 3];
    for example in examples {
        if let Some(count) = counts.get_mut(usize::from(example.class.code()) - 1) {
            *count += 1.0;
        }
    }
    let mean = counts.iter().sum::<f32>() / 3.0;
    counts.map(|count| if count > 0.0 { (mean / count).sqrt().min(BALANCE_MAX) } else { 1.0 })
}

fn shuffle(order: &mut [usize], random: &mut u64) {
    for last in (1..order.len()).rev() {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        let other = usize::try_from(*random % (last as u64 + 1)).unwrap_or(last);
        order.swap(last, other);
    }
}

/// The features that separate the classes most, then those of the base.
fn choose(plan: &Plan<'_>, examples: &[&Example]) -> Model {
    let seen = count(examples);
    let mut totals = [0.0_f32; 3];
    for example in examples {
        if let Some(total) = totals.get_mut(usize::from(example.class.code()) - 1) {
            *total += 1.0;
        }
    }
    let total: f32 = totals.iter().sum();
    let mut ranked: Vec<(f32, u32, Seen)> = seen
        .into_iter()
        .filter(|(_, seen)| seen.counts.iter().sum::<f32>() >= EXAMPLES_PER_FEATURE_MIN)
        .map(|(key, seen)| (separation(&seen, totals, total), key, seen))
        .collect();
    ranked.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
    ranked.truncate(if plan.base.is_some() { OWN_FEATURES_MAX } else { FEATURES_MAX });
    let mut chosen: BTreeMap<u32, Part> = BTreeMap::new();
    for (_, key, seen) in ranked {
        let idf = 1.0 + ((1.0 + total) / (1.0 + seen.counts.iter().sum::<f32>())).ln();
        chosen.insert(key, Part { value: idf * seen.source.weight(), weights: [0.0; 3] });
    }
    let mut bias = [0.0; 3];
    if let Some(base) = plan.base {
        bias = base.bias;
        inherit(base, &mut chosen);
    }
    let report = report(plan, &[]);
    let table = Table::new(chosen.keys().copied().collect());
    let parts = chosen.into_values().collect();
    Model { report, table, parts, bias, temperature: 1.0 }
}

/// Takes over what the base knows, strongest features first, as far as there is room.
fn inherit(base: &Model, chosen: &mut BTreeMap<u32, Part>) {
    let strength = |part: &Part| part.weights.into_iter().map(f32::abs).sum::<f32>() * part.value;
    let mut known: Vec<(&u32, &Part)> = base.table.keys().iter().zip(&base.parts).collect();
    known.sort_by(|one, other| strength(other.1).total_cmp(&strength(one.1)));
    for (key, part) in known {
        if chosen.contains_key(key) || chosen.len() < FEATURES_MAX {
            chosen.insert(*key, *part);
        }
    }
}

fn count(examples: &[&Example]) -> BTreeMap<u32, Seen> {
    let mut seen: BTreeMap<u32, Seen> = BTreeMap::new();
    let mut own = BTreeMap::new();
    for example in examples {
        own.clear();
        found_in(example, |feature| {
            own.insert(feature.key, feature.source);
        });
        for (key, source) in &own {
            if seen.len() >= SEEN_MAX && !seen.contains_key(key) {
                continue;
            }
            let entry = seen.entry(*key).or_insert(Seen { source: *source, counts: [0.0; 3] });
            if let Some(count) = entry.counts.get_mut(usize::from(example.class.code()) - 1) {
                *count += 1.0;
            }
        }
    }
    seen
}

/// How far the classes of a feature are from those of all examples.
fn separation(seen: &Seen, totals: [f32; 3], total: f32) -> f32 {
    let stands = seen.counts.iter().sum::<f32>();
    let mut most = 0.0_f32;
    for (count, class) in seen.counts.into_iter().zip(totals) {
        let expected = stands * class / total;
        most = most.max((count - expected).abs() / expected.max(0.5).sqrt());
    }
    most * seen.source.weight()
}

/// The temperature that makes the held-out classes most probable.
fn temperature(model: &Model, held_out: &[&Example]) -> f32 {
    let mut best = (f32::MAX, 1.0);
    if held_out.is_empty() {
        return best.1;
    }
    let sums = |example: &&Example| {
        let sums = model.sums(&read(&example.text), &example.text, example.severity);
        (sums, usize::from(example.class.code()) - 1)
    };
    let known: Vec<([f32; 3], usize)> = held_out.iter().map(sums).collect();
    for step in 0_u8..40 {
        let temperature = 0.25 * 1.08_f32.powi(i32::from(step));
        let loss = known.iter().map(|(sums, class)| loss(*sums, temperature, *class)).sum();
        if loss < best.0 {
            best = (loss, temperature);
        }
    }
    best.1
}

fn loss(sums: [f32; 3], temperature: f32, class: usize) -> f32 {
    let own = verdict(sums, temperature).probabilities.get(class).copied();
    -own.unwrap_or_default().max(1e-6).ln()
}
