//! What a destination may cost in a period, and what it has cost so far.
//!
//! Spending is kept over restarts without a write for each batch: what is stored is always a little
//! ahead of what was spent, by a hundredth of the budget. After a crash the budget counts as that
//! much more used, never as less.

use std::sync::Arc;

use bessemer_pipeline::Context;
use bessemer_pipeline::state::{Change, State};
use bessemer_runtime::Clock;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::report::Amount;
use super::settings::{BudgetSettings, Settings};

/// Under which the spending is stored.
const KEY: &str = "spending";
/// What is stored is ahead of what was spent by this part of the budget.
const AHEAD: u64 = 100;
/// A GB, as prices count it.
const GB: f64 = 1e9;

/// A budget and what was spent of it.
pub(super) struct Spending {
    component: String,
    clock: Arc<dyn Clock>,
    state: Arc<dyn State>,
    limits: Option<Limits>,
    period: Mutex<Period>,
}

/// A budget without money: its price makes bytes of that.
#[derive(Debug, Clone, Copy)]
struct Limits {
    period_nanos: u64,
    records: Option<u64>,
    bytes: Option<u64>,
}

/// The current period.
#[derive(Debug, Clone, Copy, Default)]
struct Period {
    number: u64,
    spent: Amount,
    stored: Amount,
}

/// The stored form.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    period_nanos: u64,
    number: u64,
    spent: Amount,
}

impl Limits {
    fn new(settings: &BudgetSettings, price: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "casts of positive numbers stop at the greatest integer"
        )]
        let by_money = settings.money.map(|money| ((money / price * GB) as u64).max(1));
        let bytes = settings.bytes.map(|bytes| bytes.0);
        Self {
            period_nanos: u64::try_from(settings.period.0.as_nanos()).unwrap_or(u64::MAX).max(1),
            records: settings.records,
            bytes: by_money.into_iter().chain(bytes).min(),
        }
    }

    fn share(&self, spent: Amount) -> f64 {
        let part =
            |(spent, limit): (u64, Option<u64>)| limit.map_or(0.0, |limit| ratio(spent, limit));
        part((spent.records, self.records)).max(part((spent.bytes, self.bytes)))
    }

    /// What to store so that it is not needed again soon.
    fn ahead(&self, spent: Amount) -> Amount {
        Amount {
            records: spent.records.saturating_add(self.records.unwrap_or(0) / AHEAD),
            bytes: spent.bytes.saturating_add(self.bytes.unwrap_or(0) / AHEAD),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

/// The price of bytes.
pub(super) fn money(bytes: u64, price: f64) -> f64 {
    ratio(bytes, 1) / GB * price
}

impl Spending {
    pub(super) fn new(settings: &Settings, context: &Context) -> Self {
        let limits = settings.budget.as_ref().map(|budget| Limits::new(budget, settings.price()));
        let stored = limits.and_then(|limits| stored(context, &limits));
        Self {
            component: context.id.clone(),
            clock: Arc::clone(&context.clock),
            state: Arc::clone(&context.state),
            limits,
            period: Mutex::new(stored.unwrap_or_default()),
        }
    }

    /// Nanoseconds since the Unix epoch.
    pub(super) fn now(&self) -> u64 {
        self.clock.unix_nanos()
    }

    /// What was spent in the period of `now`.
    pub(super) fn spent(&self, now: u64) -> Amount {
        let Some(limits) = &self.limits else { return Amount::default() };
        let period = self.period.lock();
        if period.number == now / limits.period_nanos { period.spent } else { Amount::default() }
    }

    /// The part of the budget that an amount is; nothing without a budget.
    pub(super) fn share(&self, spent: Amount) -> f64 {
        self.limits.as_ref().map_or(0.0, |limits| limits.share(spent))
    }

    /// Enters what was spent.
    pub(super) fn charge(&self, now: u64, amount: Amount) {
        let Some(limits) = &self.limits else { return };
        let mut period = self.period.lock();
        let number = now / limits.period_nanos;
        if period.number != number {
            *period = Period { number, ..Period::default() };
        }
        period.spent = period.spent.and(amount);
        if period.spent.records > period.stored.records || period.spent.bytes > period.stored.bytes
        {
            period.stored = limits.ahead(period.spent);
            self.store(limits, &period);
        }
    }

    /// A failure leaves the budget right until the process ends.
    fn store(&self, limits: &Limits, period: &Period) {
        let Limits { period_nanos, .. } = *limits;
        let stored = Stored { period_nanos, number: period.number, spent: period.stored };
        let Ok(bytes) = serde_json::to_vec(&stored) else { return };
        if let Err(error) = self.state.apply(&self.component, &[Change::Put(KEY.into(), bytes)]) {
            tracing::warn!(component = self.component, %error, "spending was not stored");
        }
    }
}

fn stored(context: &Context, limits: &Limits) -> Option<Period> {
    let bytes = match context.state.get(&context.id, KEY) {
        Ok(bytes) => bytes?,
        Err(error) => {
            tracing::warn!(component = context.id, %error, "spending could not be read");
            return None;
        }
    };
    let stored: Stored = serde_json::from_slice(&bytes).ok()?;
    (stored.period_nanos == limits.period_nanos).then_some(Period {
        number: stored.number,
        spent: stored.spent,
        stored: stored.spent,
    })
}

impl std::fmt::Debug for Spending {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Spending").field("limits", &self.limits).finish_non_exhaustive()
    }
}
