//! What the cost processor lets pass and what it saves.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::{Counter, Gauge};

/// Labels of what goes to a destination.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DestinationLabels {
    /// Component id.
    pub component: String,
    /// As its settings name it.
    pub destination: String,
}

/// Labels of what was saved.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SavingLabels {
    /// Component id.
    pub component: String,
    /// As its settings name it.
    pub destination: String,
    /// What saved it: `drop`, `sample`, `dedupe`, `aggregate` or `trim`.
    pub action: &'static str,
}

/// The families of the cost processor.
#[derive(Debug, Default)]
pub struct CostMetrics {
    /// Records that went on.
    pub passed_records: Family<DestinationLabels, Counter>,
    /// Their bytes.
    pub passed_bytes: Family<DestinationLabels, Counter>,
    /// Records that were taken out.
    pub saved_records: Family<SavingLabels, Counter>,
    /// Bytes that were taken out.
    pub saved_bytes: Family<SavingLabels, Counter>,
    /// What these bytes would have cost, in millionths of the currency.
    pub saved_micros: Family<DestinationLabels, Gauge>,
    /// The part of the budget that is used, in thousandths.
    pub budget_used_permille: Family<DestinationLabels, Gauge>,
}

impl CostMetrics {
    pub(super) fn register(&self, all: &mut Registry) {
        let Self { passed_records, passed_bytes, saved_records, saved_bytes, .. } = self;
        let records = "Records that the cost processor let pass";
        all.register("bessemer_cost_passed_records", records, passed_records.clone());
        let bytes = "Bytes that the cost processor let pass";
        all.register("bessemer_cost_passed_bytes", bytes, passed_bytes.clone());
        let records = "Records that the cost processor took out";
        all.register("bessemer_cost_saved_records", records, saved_records.clone());
        let bytes = "Bytes that the cost processor took out";
        all.register("bessemer_cost_saved_bytes", bytes, saved_bytes.clone());
        let money = "Price of the bytes that were taken out, in millionths of the currency";
        all.register("bessemer_cost_saved_micros", money, self.saved_micros.clone());
        let used = "Part of the budget that is used, in thousandths";
        all.register("bessemer_cost_budget_used_permille", used, self.budget_used_permille.clone());
    }
}
