//! How good a model is: counts of what it said against what was true.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::class::Class;
use crate::model::Verdict;

/// Steps of confidence in which the calibration error is measured.
const STEPS: usize = 10;
/// The share of critical ones that alerts must find.
const ALERT_RECALL: f64 = 0.95;

/// Counts over messages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evaluation {
    /// By true class, then by the class that was said; info, warning, critical.
    confusion: [[f64; 3]; 3],
    /// By step of confidence: messages, right ones, sum of the confidence.
    steps: [[f64; 3]; STEPS],
    /// The probability of critical, and whether it was.
    alerts: Vec<(f32, bool)>,
}

/// What an evaluation comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Messages, or templates.
    pub count: f64,
    /// The share that was right.
    pub accuracy: f64,
    /// Mean F1 of the classes that stand in the labels or were said.
    pub macro_f1: f64,
    /// Mean distance of confidence and accuracy.
    pub calibration_error: f64,
    /// The share of critical ones that was not called info.
    pub critical_not_info: f64,
    /// The precision of alerts where the least probability of critical that makes an alert is
    /// chosen so that at least 95 of 100 critical ones are found.
    pub alert_precision: f64,
    /// Info, warning, critical.
    pub classes: Vec<ClassSummary>,
    /// By true class, then by the class that was said; info, warning, critical.
    pub confusion: [[f64; 3]; 3],
}

/// One class in a summary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassSummary {
    /// The class.
    pub class: Class,
    /// The share of those called so that are so.
    pub precision: f64,
    /// The share of those that are so that were called so.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// How many are so.
    pub support: f64,
}

impl Evaluation {
    /// Counts one message.
    pub fn add(&mut self, truth: Class, said: Verdict) {
        let cell = self.confusion.get_mut(position(truth));
        if let Some(cell) = cell.and_then(|row| row.get_mut(position(said.class))) {
            *cell += 1.0;
        }
        let critical = said.probabilities.last().copied().unwrap_or_default();
        self.alerts.push((critical, truth == Class::Critical));
        // The step is found by comparing, which needs no cast.
        let edges = (1..STEPS).filter(|edge| f64::from(said.confidence) >= edge_of(*edge));
        if let Some([count, right, sum]) = self.steps.get_mut(edges.count()) {
            *count += 1.0;
            *right += if truth == said.class { 1.0 } else { 0.0 };
            *sum += f64::from(said.confidence);
        }
    }

    /// Counts what another one counted.
    pub fn merge(&mut self, other: &Self) {
        self.alerts.extend(&other.alerts);
        for (row, others) in self.confusion.iter_mut().zip(&other.confusion) {
            row.iter_mut().zip(others).for_each(|(cell, more)| *cell += more);
        }
        for (step, others) in self.steps.iter_mut().zip(&other.steps) {
            step.iter_mut().zip(others).for_each(|(sum, more)| *sum += more);
        }
    }

    /// Everything in one value.
    pub fn summary(&self) -> Summary {
        let count = self.count();
        let critical = self.support(Class::Critical);
        let missed = self.cell(Class::Critical, Class::Info);
        Summary {
            count,
            accuracy: share(Class::ALL.iter().map(|class| self.cell(*class, *class)).sum(), count),
            macro_f1: self.macro_f1(),
            calibration_error: self.calibration_error(),
            critical_not_info: if critical > 0.0 {
                share(critical - missed, critical)
            } else {
                1.0
            },
            alert_precision: self.alert_precision(),
            classes: Class::ALL.map(|class| self.class(class)).to_vec(),
            confusion: self.confusion,
        }
    }

    /// Mean F1 of the classes that stand in the labels or were said.
    pub fn macro_f1(&self) -> f64 {
        let present = Class::ALL.into_iter().filter(|class| {
            self.support(*class) > 0.0 || Class::ALL.iter().any(|t| self.cell(*t, *class) > 0.0)
        });
        let (mut sum, mut count) = (0.0, 0.0);
        for class in present {
            sum += self.class(class).f1;
            count += 1.0;
        }
        share(sum, count)
    }

    /// Mean distance of confidence and accuracy over steps of confidence.
    pub fn calibration_error(&self) -> f64 {
        let distance = self.steps.iter().map(|[_, right, sum]| (right - sum).abs()).sum();
        share(distance, self.count())
    }

    /// Precision at the highest threshold that finds enough; equal probabilities stand together.
    fn alert_precision(&self) -> f64 {
        let needed = self.support(Class::Critical) * ALERT_RECALL;
        let mut ranked = self.alerts.clone();
        ranked.sort_by(|one, other| other.0.total_cmp(&one.0));
        let (mut found, mut said) = (0.0, 0.0);
        for equal in ranked.chunk_by(|one, other| one.0.total_cmp(&other.0).is_eq()) {
            for (_, is_critical) in equal {
                found += f64::from(u8::from(*is_critical));
                said += 1.0;
            }
            if found >= needed {
                break;
            }
        }
        share(found, said)
    }

    fn class(&self, class: Class) -> ClassSummary {
        let right = self.cell(class, class);
        let said: f64 = Class::ALL.iter().map(|truth| self.cell(*truth, class)).sum();
        let support = self.support(class);
        let (precision, recall) = (share(right, said), share(right, support));
        let f1 = share(2.0 * precision * recall, precision + recall);
        ClassSummary { class, precision, recall, f1, support }
    }

    fn count(&self) -> f64 {
        self.confusion.iter().flatten().sum()
    }

    fn support(&self, class: Class) -> f64 {
        self.confusion.get(position(class)).map_or(0.0, |row| row.iter().sum())
    }

    fn cell(&self, truth: Class, said: Class) -> f64 {
        let row = self.confusion.get(position(truth));
        row.and_then(|row| row.get(position(said))).copied().unwrap_or_default()
    }
}

/// All lines of one template; it has one vote.
#[derive(Debug, Clone, Default)]
pub struct Votes {
    truth: BTreeMap<Class, u64>,
    probabilities: [f32; 3],
    lines: f32,
}

impl Votes {
    /// Counts one line.
    pub fn add(&mut self, truth: Class, said: Verdict) {
        *self.truth.entry(truth).or_default() += 1;
        self.lines += 1.0;
        for (sum, probability) in self.probabilities.iter_mut().zip(said.probabilities) {
            *sum += probability;
        }
    }

    /// The most frequent label; the more urgent one of two.
    pub fn truth(&self) -> Class {
        let most = self.truth.iter().max_by_key(|(class, count)| (**count, **class));
        most.map_or(Class::Info, |(class, _)| *class)
    }

    /// The class with the highest mean probability.
    pub fn said(&self) -> Verdict {
        let probabilities = self.probabilities.map(|sum| sum / self.lines.max(1.0));
        let mut best = (Class::Info, 0.0);
        for (class, probability) in Class::ALL.into_iter().zip(probabilities) {
            if probability > best.1 {
                best = (class, probability);
            }
        }
        Verdict { class: best.0, confidence: best.1, probabilities }
    }
}

fn position(class: Class) -> usize {
    usize::from(class.code()) - 1
}

fn edge_of(step: usize) -> f64 {
    u8::try_from(step).map_or(1.0, f64::from) / 10.0
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation(pairs: &[(Class, Class)]) -> Evaluation {
        let mut evaluation = Evaluation::default();
        for (truth, said) in pairs {
            let probabilities = [0.0; 3];
            evaluation.add(*truth, Verdict { class: *said, confidence: 0.75, probabilities });
        }
        evaluation
    }

    #[test]
    fn measures_are_those_of_a_table_by_hand() {
        use Class::{Critical, Info, Warning};
        let found =
            evaluation(&[(Info, Info), (Info, Info), (Warning, Info), (Critical, Critical)]);
        let summary = found.summary();
        assert!((summary.accuracy - 0.75).abs() < 1e-9);
        // F1 is 0.8 for info, 0 for warning, 1 for critical.
        assert!((summary.macro_f1 - 0.6).abs() < 1e-9);
        assert!((summary.critical_not_info - 1.0).abs() < 1e-9);
        assert!(summary.calibration_error < 1e-9);
    }

    #[test]
    fn a_class_that_is_nowhere_does_not_count() {
        let found = evaluation(&[(Class::Info, Class::Info)]);
        assert!((found.macro_f1() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_precision_of_alerts_is_taken_where_enough_are_found() {
        let mut found = Evaluation::default();
        for (critical, truth) in [
            (0.9, Class::Critical),
            (0.8, Class::Info),
            (0.7, Class::Critical),
            (0.7, Class::Warning),
            (0.1, Class::Info),
        ] {
            let probabilities = [1.0 - critical, 0.0, critical];
            found.add(truth, Verdict { class: truth, confidence: critical, probabilities });
        }
        assert!((found.summary().alert_precision - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_critical_one_called_info_is_seen() {
        let found = evaluation(&[(Class::Critical, Class::Info)]);
        assert!(found.summary().critical_not_info.abs() < 1e-9);
    }
}
