//! What was spent and what was saved: in metrics and for the admin port.

use std::collections::BTreeMap;
use std::sync::Arc;

use bessemer_pipeline::metrics::cost::{DestinationLabels, SavingLabels};
use bessemer_pipeline::services::Report;
use bessemer_pipeline::{Context, Metrics};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::budget::{Spending, money};
use super::settings::{Action, Settings};

/// Records and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Amount {
    pub(super) records: u64,
    pub(super) bytes: u64,
}

impl Amount {
    pub(super) fn add(&mut self, records: u64, bytes: u64) {
        self.records = self.records.saturating_add(records);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    pub(super) fn and(mut self, other: Self) -> Self {
        self.add(other.records, other.bytes);
        self
    }
}

/// What became of records.
#[derive(Debug, Clone, Default)]
pub(super) struct Bill {
    /// What went on.
    pub(super) passed: Amount,
    /// Critical records among it.
    pub(super) critical: u64,
    saved: BTreeMap<Action, Amount>,
}

impl Bill {
    /// What an action saved.
    pub(super) fn saved(&mut self, action: Action) -> &mut Amount {
        self.saved.entry(action).or_default()
    }

    fn saved_in_all(&self) -> Amount {
        self.saved.values().fold(Amount::default(), |sum, one| sum.and(*one))
    }

    fn enter(&mut self, other: &Self) {
        self.passed = self.passed.and(other.passed);
        self.critical += other.critical;
        for (action, amount) in &other.saved {
            let all = self.saved(*action);
            *all = all.and(*amount);
        }
    }
}

/// The bill of one destination since the start of the process.
#[derive(Debug)]
pub(super) struct Account {
    labels: DestinationLabels,
    price: f64,
    currency: String,
    metrics: Arc<Metrics>,
    spending: Arc<Spending>,
    total: Mutex<Bill>,
}

impl Account {
    pub(super) fn new(settings: &Settings, context: &Context, spending: Arc<Spending>) -> Self {
        Self {
            labels: DestinationLabels {
                component: context.id.clone(),
                destination: settings.destination.clone(),
            },
            price: settings.price(),
            currency: settings.currency.clone(),
            metrics: Arc::clone(&context.metrics),
            spending,
            total: Mutex::default(),
        }
    }

    /// Enters what became of a batch that is safe now.
    pub(super) fn enter(&self, now: u64, bill: &Bill) {
        self.spending.charge(now, bill.passed);
        let cost = &self.metrics.cost;
        for (action, amount) in &bill.saved {
            let DestinationLabels { component, destination } = self.labels.clone();
            let labels = SavingLabels { component, destination, action: action.name() };
            cost.saved_records.get_or_create(&labels).inc_by(amount.records);
            cost.saved_bytes.get_or_create(&labels).inc_by(amount.bytes);
        }
        cost.passed_records.get_or_create(&self.labels).inc_by(bill.passed.records);
        cost.passed_bytes.get_or_create(&self.labels).inc_by(bill.passed.bytes);
        let mut total = self.total.lock();
        total.enter(bill);
        let saved = money(total.saved_in_all().bytes, self.price) * 1e6;
        cost.saved_micros.get_or_create(&self.labels).set(whole(saved));
        let used = self.spending.share(self.spending.spent(now)) * 1000.0;
        cost.budget_used_permille.get_or_create(&self.labels).set(whole(used));
    }

    fn figures(&self, amount: Amount) -> Value {
        let money = money(amount.bytes, self.price);
        json!({ "records": amount.records, "bytes": amount.bytes, "money": money })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "casts stop at the greatest integer")]
fn whole(number: f64) -> i64 {
    number as i64
}

impl Report for Account {
    fn report(&self) -> Value {
        let total = self.total.lock().clone();
        let by_action: serde_json::Map<String, Value> = total
            .saved
            .iter()
            .map(|(action, amount)| (action.name().to_owned(), self.figures(*amount)))
            .collect();
        let spent = self.spending.spent(self.spending.now());
        json!({
            "destination": self.labels.destination,
            "currency": self.currency,
            "price_per_gb": self.price,
            "passed": self.figures(total.passed),
            "critical_records": total.critical,
            "saved": self.figures(total.saved_in_all()),
            "saved_by_action": by_action,
            "period": {
                "spent": self.figures(spent),
                "budget_used_percent": self.spending.share(spent) * 100.0,
            },
        })
    }
}
