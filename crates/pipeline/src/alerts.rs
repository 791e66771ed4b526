//! What an operator should look at before it hurts: a destination far behind, a disk that fills up.
//!
//! An alert is raised at its limit and over once the figure is a tenth below it, so that a figure
//! that stays at the limit does not raise one again and again.

use std::collections::BTreeMap;
use std::time::Duration;

use bessemer_journal::{SinkStats, Stats};
use bessemer_runtime::{ByteSize, Span};
use parking_lot::Mutex;
use serde::Serialize;

use crate::catalog::QueueSettings;
use crate::metrics::{AlertLabels, Metrics, component};

/// Share of a destination's budget, in percent, at which its backlog raises an alert unless told
/// otherwise.
const BUDGET_PERCENT: u64 = 80;
/// The component of alerts about what all destinations share.
const JOURNAL: &str = "journal";

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// The bytes that wait for a destination.
    Backlog,
    /// How long the oldest record has waited for a destination.
    Age,
    /// A destination's queue is at its budget: records are refused, or become dead letters.
    Budget,
    /// The share of the journal's budget that is in use.
    Disk,
}

/// Something an operator should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// Component id, or `journal`.
    pub component: String,
    /// What it is about.
    pub alert: AlertKind,
    /// The figure and its limit in a sentence.
    pub message: String,
}

/// When to alert about one destination.
#[derive(Debug)]
pub(crate) struct Rule {
    id: String,
    backlog: Option<u64>,
    age: Duration,
    budget: Option<u64>,
}

/// Raised alerts and when to raise more.
#[derive(Debug)]
pub(crate) struct Alerts {
    /// In the order of the journal's sinks.
    rules: Vec<Rule>,
    disk_percent: u8,
    raised: Mutex<BTreeMap<(String, AlertKind), String>>,
}

/// A figure that has a limit.
struct Figure<'a> {
    component: &'a str,
    kind: AlertKind,
    value: u64,
    limit: u64,
}

impl AlertKind {
    /// Its name in labels and on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backlog => "backlog",
            Self::Age => "age",
            Self::Budget => "budget",
            Self::Disk => "disk",
        }
    }
}

impl std::fmt::Display for Alert {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "alert {} {}: {}", self.alert.as_str(), self.component, self.message)
    }
}

impl Rule {
    pub(crate) fn new(id: &str, queue: &QueueSettings) -> Self {
        let budget = queue.budget.map(|size| size.0);
        let backlog = queue.alert_backlog.map(|size| size.0);
        Self {
            id: id.to_owned(),
            backlog: backlog.or_else(|| budget.map(|bytes| bytes / 100 * BUDGET_PERCENT)),
            age: queue.alert_age.0,
            budget,
        }
    }

    fn figures<'a>(&'a self, sink: &SinkStats) -> [Figure<'a>; 3] {
        let (bytes, age) = (sink.backlog_bytes, sink.oldest_age.as_secs());
        let figure = |kind, value, limit| Figure { component: &self.id, kind, value, limit };
        [
            figure(AlertKind::Backlog, bytes, self.backlog.unwrap_or_default()),
            figure(AlertKind::Age, age, self.age.as_secs()),
            figure(AlertKind::Budget, bytes, self.budget.unwrap_or_default()),
        ]
    }
}

impl Figure<'_> {
    fn is_over(&self, before: bool) -> bool {
        let limit = if before { self.limit - self.limit / 10 } else { self.limit };
        self.value >= limit
    }

    fn sentence(&self) -> String {
        let (value, limit) = (self.value, self.limit);
        match self.kind {
            AlertKind::Backlog => format!("{value} bytes wait, limit {}", ByteSize(limit)),
            AlertKind::Age => {
                let limit = Span(Duration::from_secs(limit));
                format!("the oldest record has waited for {value}s, limit {limit}")
            }
            AlertKind::Budget => {
                format!(
                    "{value} bytes wait, all that its queue.budget of {} holds",
                    ByteSize(limit)
                )
            }
            AlertKind::Disk => format!("{value} bytes on disk, limit {}", ByteSize(limit)),
        }
    }
}

impl Alerts {
    /// With a limit of `disk_percent` of the journal's budget.
    pub(crate) fn new(rules: Vec<Rule>, disk_percent: u8) -> Self {
        Self { rules, disk_percent, raised: Mutex::default() }
    }

    /// Those that are raised now, by component.
    pub(crate) fn raised(&self) -> Vec<Alert> {
        let raised = self.raised.lock();
        let alert = |((component, kind), message): (&(String, AlertKind), &String)| Alert {
            component: component.clone(),
            alert: *kind,
            message: message.clone(),
        };
        raised.iter().map(alert).collect()
    }

    /// Raises and ends alerts by what the journal holds now, and shows what that is.
    pub(crate) fn look(&self, stats: &Stats, metrics: &Metrics) {
        let as_gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        metrics.journal_bytes.set(as_gauge(stats.disk_bytes));
        metrics.journal_budget.set(as_gauge(stats.budget_bytes));
        metrics.journal_failing.set(i64::from(stats.trouble.is_some()));
        for (rule, sink) in self.rules.iter().zip(&stats.sinks) {
            let spilled = metrics.spill_bytes.get_or_create_owned(&component(&rule.id));
            spilled.set(as_gauge(sink.spill_bytes));
            rule.figures(sink).iter().for_each(|figure| self.note(figure, metrics));
        }
        let limit = stats.budget_bytes / 100 * u64::from(self.disk_percent);
        let (component, kind, value) = (JOURNAL, AlertKind::Disk, stats.disk_bytes);
        self.note(&Figure { component, kind, value, limit }, metrics);
    }

    /// A limit of nothing is none.
    fn note(&self, figure: &Figure<'_>, metrics: &Metrics) {
        if figure.limit == 0 {
            return;
        }
        let (component, alert) = (figure.component.to_owned(), figure.kind.as_str());
        let mut raised = self.raised.lock();
        let key = (component.clone(), figure.kind);
        let before = raised.contains_key(&key);
        let is_over = figure.is_over(before);
        let labels = AlertLabels { component, alert };
        metrics.alert.get_or_create_owned(&labels).set(i64::from(is_over));
        if is_over {
            let message = figure.sentence();
            if !before {
                tracing::warn!(component = labels.component, alert, message, "alert raised");
            }
            raised.insert(key, message);
        } else if before {
            tracing::info!(component = labels.component, alert, "alert over");
            raised.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AlertKind::{Age, Backlog, Budget, Disk};
    use super::*;

    fn check(alerts: &Alerts, stats: &Stats, expected: &[(&str, AlertKind)]) {
        let metrics = Metrics::default();
        alerts.look(stats, &metrics);
        let raised = alerts.raised();
        let found: Vec<(&str, AlertKind)> =
            raised.iter().map(|alert| (alert.component.as_str(), alert.alert)).collect();
        assert_eq!(found, expected);
        let page = metrics.render();
        for (component, kind) in expected {
            let alert = kind.as_str();
            let line = format!("bessemer_alert{{component=\"{component}\",alert=\"{alert}\"}} 1");
            assert!(page.contains(&line), "{page}");
        }
        assert_eq!(page.matches("} 1\n").count(), expected.len(), "{page}");
    }

    #[test]
    fn an_alert_is_raised_at_its_limit_and_over_a_tenth_below_it() {
        let queue = QueueSettings {
            budget: Some(ByteSize(1_000)),
            alert_age: Span(Duration::from_secs(100)),
            ..QueueSettings::default()
        };
        let alerts = Alerts::new(vec![Rule::new("a", &queue)], 90);
        let stats = |backlog_bytes, age, disk_bytes| Stats {
            sinks: vec![SinkStats {
                backlog_bytes,
                oldest_age: Duration::from_secs(age),
                ..SinkStats::default()
            }],
            budget_bytes: 10_000,
            disk_bytes,
            ..Stats::default()
        };
        check(&alerts, &stats(799, 99, 8_999), &[]);
        check(&alerts, &stats(800, 0, 0), &[("a", Backlog)]);
        check(&alerts, &stats(721, 100, 9_000), &[("a", Backlog), ("a", Age), ("journal", Disk)]);
        check(&alerts, &stats(719, 91, 8_101), &[("a", Age), ("journal", Disk)]);
        check(&alerts, &stats(1_000, 90, 8_099), &[("a", Backlog), ("a", Age), ("a", Budget)]);
    }

    #[test]
    fn without_a_budget_and_a_limit_no_backlog_is_too_large() {
        let queue = QueueSettings { alert_age: Span(Duration::ZERO), ..QueueSettings::default() };
        let alerts = Alerts::new(vec![Rule::new("a", &queue)], 0);
        let oldest_age = Duration::from_hours(1_000);
        let sink = SinkStats { backlog_bytes: u64::MAX, oldest_age, ..SinkStats::default() };
        let stats = Stats { sinks: vec![sink], disk_bytes: 7, ..Stats::default() };
        check(&alerts, &stats, &[]);
    }
}
