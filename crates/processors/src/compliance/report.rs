//! What was found: in metrics and for the admin port.

use std::collections::BTreeMap;
use std::sync::Arc;

use bessemer_pipeline::Metrics;
use bessemer_pipeline::metrics::{FindingLabels, PackLabels};
use bessemer_pipeline::services::Report;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::detect::{ALL, Detector};
use super::pack::Pack;
use super::settings::Action;

/// Counts of one component.
#[derive(Debug)]
pub(super) struct Counts {
    component: String,
    metrics: Arc<Metrics>,
    packs: Vec<Pack>,
    totals: Mutex<Totals>,
}

#[derive(Debug, Default)]
struct Totals {
    records: u64,
    records_with_findings: u64,
    findings: BTreeMap<(Detector, &'static str), u64>,
}

impl Counts {
    pub(super) fn new(component: &str, metrics: Arc<Metrics>, packs: Vec<Pack>) -> Self {
        Self { component: component.to_owned(), metrics, packs, totals: Mutex::default() }
    }

    /// Adds what a batch held.
    pub(super) fn add(&self, records: u64, touched: u64, findings: &[(Detector, Action)]) {
        let mut counted: BTreeMap<(Detector, &'static str), u64> = BTreeMap::new();
        for (detector, action) in findings {
            *counted.entry((*detector, action.name())).or_default() += 1;
        }
        for ((detector, action), count) in &counted {
            let labels = FindingLabels {
                component: self.component.clone(),
                detector: detector.name(),
                action,
            };
            self.metrics.findings.get_or_create(&labels).inc_by(*count);
            for pack in self.packs.iter().filter(|pack| covers(pack, *detector)) {
                let labels =
                    PackLabels { component: self.component.clone(), pack: pack.name.clone() };
                self.metrics.pack_findings.get_or_create(&labels).inc_by(*count);
            }
        }
        let mut totals = self.totals.lock();
        totals.records += records;
        totals.records_with_findings += touched;
        for (key, count) in counted {
            *totals.findings.entry(key).or_default() += count;
        }
    }
}

fn covers(pack: &Pack, detector: Detector) -> bool {
    pack.detectors.contains_key(detector.name())
        || (detector == Detector::Key && !pack.keys.is_empty())
}

impl Report for Counts {
    fn report(&self) -> Value {
        let totals = self.totals.lock();
        let of = |detector: Detector| -> Value {
            let own = totals.findings.iter().filter(|((one, _), _)| *one == detector);
            own.map(|((_, action), count)| ((*action).to_owned(), json!(count))).collect()
        };
        let detectors: serde_json::Map<String, Value> = ALL
            .into_iter()
            .map(|detector| (detector.name().to_owned(), of(detector)))
            .filter(|(_, actions)| actions.as_object().is_some_and(|actions| !actions.is_empty()))
            .collect();
        let packs: Vec<Value> = self
            .packs
            .iter()
            .map(|pack| {
                let own = totals.findings.iter().filter(|((one, _), _)| covers(pack, *one));
                let count: u64 = own.map(|(_, count)| count).sum();
                json!({ "name": pack.name, "title": pack.title, "findings": count })
            })
            .collect();
        json!({
            "records": totals.records,
            "records_with_findings": totals.records_with_findings,
            "findings": detectors,
            "packs": packs,
        })
    }
}
