//! Every metric of the process, registered in one place and counted without a lock.
//!
//! Label values are component ids, signals, classes and fixed reasons: their number is bounded by
//! the config, never by the data.

pub mod cost;
pub mod llm;

use std::sync::atomic::{AtomicI64, AtomicU64};

use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter as ClientCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge as ClientGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use cost::CostMetrics;
use llm::LlmMetrics;

/// A number that only grows.
pub type Counter = ClientCounter<u64, AtomicU64>;
/// A number that is set.
pub type Gauge = ClientGauge<i64, AtomicI64>;

/// Labels of a component's metric.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ComponentLabels {
    /// Component id.
    pub component: String,
}

/// Labels of a metric with one more dimension.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SignalLabels {
    /// Component id.
    pub component: String,
    /// `logs`, `metrics` or `traces`.
    pub signal: &'static str,
}

/// Labels of what was turned away.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabels {
    /// Component id.
    pub component: String,
    /// One of a fixed set of words.
    pub reason: &'static str,
}

/// Labels of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AlertLabels {
    /// Component id, or `journal`.
    pub component: String,
    /// One of a fixed set of words.
    pub alert: &'static str,
}

/// Labels of what was classified.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ClassLabels {
    /// Component id.
    pub component: String,
    /// `critical`, `warning` or `info`.
    pub class: &'static str,
}

/// Labels of what the compliance processor found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FindingLabels {
    /// Component id.
    pub component: String,
    /// One of a fixed set of detectors.
    pub detector: &'static str,
    /// What was done about it.
    pub action: &'static str,
}

/// Labels of findings by policy pack.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PackLabels {
    /// Component id.
    pub component: String,
    /// Name of the pack.
    pub pack: String,
}

/// The registry and the families that the engine and components count in.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    /// Records that a receiver took in, before processing.
    pub received: Family<SignalLabels, Counter>,
    /// Records that a receiver acknowledged.
    pub accepted: Family<SignalLabels, Counter>,
    /// Batches that were turned away, by reason.
    pub refused: Family<ReasonLabels, Counter>,
    /// Records that processors added: data points, counts, and what a stage made of those it held.
    pub generated: Family<ComponentLabels, Counter>,
    /// Records that a stage made others of.
    pub folded: Family<ComponentLabels, Counter>,
    /// Records that end in no destination.
    pub filtered: Family<ComponentLabels, Counter>,
    /// Records that go to at least one destination, each counted once.
    pub kept: Family<ComponentLabels, Counter>,
    /// Copies saved because two ways to one destination came out equal.
    pub merged: Family<ComponentLabels, Counter>,
    /// What the books of a receiver or destination do not explain; zero.
    pub unaccounted: Family<ComponentLabels, Gauge>,
    /// Records times destinations they were routed to.
    pub routed: Family<ComponentLabels, Counter>,
    /// Records by class.
    pub classified: Family<ClassLabels, Counter>,
    /// Personal data and secrets that were found.
    pub findings: Family<FindingLabels, Counter>,
    /// The same by the policy packs that ask for it.
    pub pack_findings: Family<PackLabels, Counter>,
    /// What the cost processor lets pass and saves.
    pub cost: CostMetrics,
    /// What LLMs are asked and cost.
    pub llm: LlmMetrics,
    /// Records that a destination took.
    pub delivered: Family<ComponentLabels, Counter>,
    /// Deliveries that were tried again.
    pub retried: Family<ComponentLabels, Counter>,
    /// Records that went to a dead-letter log.
    pub dead: Family<ComponentLabels, Counter>,
    /// Records that a destination took and threw away by its own word.
    pub rejected: Family<ComponentLabels, Counter>,
    /// Records on their way in a destination's queue.
    pub queue_records: Family<ComponentLabels, Gauge>,
    /// Bytes in a destination's queue.
    pub queue_bytes: Family<ComponentLabels, Gauge>,
    /// Age of the oldest record in a destination's queue, seconds.
    pub queue_age: Family<ComponentLabels, Gauge>,
    /// Bytes of a destination's spill log.
    pub spill_bytes: Family<ComponentLabels, Gauge>,
    /// Whether an alert is raised.
    pub alert: Family<AlertLabels, Gauge>,
    /// Bytes of the journal and all spill logs.
    pub journal_bytes: Gauge,
    /// What they may be at most.
    pub journal_budget: Gauge,
    /// Whether the disk takes no append.
    pub journal_failing: Gauge,
    /// Whether the last delivery succeeded.
    pub destination_up: Family<ComponentLabels, Gauge>,
    /// Time of one delivery attempt, seconds.
    pub delivery_seconds: Family<ComponentLabels, Histogram, fn() -> Histogram>,
    /// Records processed per second over the last ten seconds.
    pub processing_rate: Gauge,
}

fn delivery_histogram() -> Histogram {
    Histogram::new([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Mutex::new(Registry::default()),
            received: Family::default(),
            accepted: Family::default(),
            refused: Family::default(),
            generated: Family::default(),
            folded: Family::default(),
            filtered: Family::default(),
            kept: Family::default(),
            merged: Family::default(),
            unaccounted: Family::default(),
            routed: Family::default(),
            classified: Family::default(),
            findings: Family::default(),
            pack_findings: Family::default(),
            cost: CostMetrics::default(),
            llm: LlmMetrics::default(),
            delivered: Family::default(),
            retried: Family::default(),
            dead: Family::default(),
            rejected: Family::default(),
            queue_records: Family::default(),
            queue_bytes: Family::default(),
            queue_age: Family::default(),
            spill_bytes: Family::default(),
            alert: Family::default(),
            journal_bytes: Gauge::default(),
            journal_budget: Gauge::default(),
            journal_failing: Gauge::default(),
            destination_up: Family::default(),
            delivery_seconds: Family::new_with_constructor(delivery_histogram),
            processing_rate: Gauge::default(),
        };
        metrics.register_flow();
        metrics.register_books();
        metrics.register_compliance();
        metrics.cost.register(&mut metrics.registry.lock());
        metrics.llm.register(&mut metrics.registry.lock());
        metrics.register_destinations();
        metrics.register_journal();
        metrics
    }
}

impl Metrics {
    fn register_flow(&self) {
        let mut registry = self.registry.lock();
        let all = &mut *registry;
        all.register("bessemer_received_records", "Records received", self.received.clone());
        all.register("bessemer_accepted_records", "Records acknowledged", self.accepted.clone());
        all.register(
            "bessemer_refused_batches",
            "Batches refused, by reason",
            self.refused.clone(),
        );
        all.register(
            "bessemer_routed_records",
            "Records times the destinations they were routed to, by receiver",
            self.routed.clone(),
        );
        all.register("bessemer_classified_records", "Records by class", self.classified.clone());
        all.register(
            "telemetry_processing_rate",
            "Records processed per second over the last ten seconds",
            self.processing_rate.clone(),
        );
    }

    /// Records of all signals that a receiver acknowledged.
    pub(crate) fn accepted_in_all(&self, receiver: &str) -> u64 {
        let signals = crate::engine::SIGNALS.map(|signal| {
            let labels = SignalLabels { component: receiver.to_owned(), signal: signal.as_str() };
            self.accepted.get_or_create_owned(&labels).get()
        });
        signals.iter().sum()
    }

    fn register_books(&self) {
        let mut registry = self.registry.lock();
        let mut counter = |name: &str, help: &str, family: &Family<ComponentLabels, Counter>| {
            registry.register(name, help, family.clone());
        };
        let filtered = "Acknowledged records that end in no destination";
        counter("bessemer_filtered_records", filtered, &self.filtered);
        let kept = "Acknowledged records that go to at least one destination, each counted once";
        counter("bessemer_kept_records", kept, &self.kept);
        let generated = "Records that processors added to what came";
        counter("bessemer_generated_records", generated, &self.generated);
        let folded = "Records that a stage with memory took in and made others of";
        counter("bessemer_folded_records", folded, &self.folded);
        let merged = "Copies saved because two ways to one destination came out equal";
        counter("bessemer_merged_records", merged, &self.merged);
        let help = "Records that the books of a receiver or destination do not explain; not 0 is \
                    an alarm";
        registry.register("bessemer_unaccounted_records", help, self.unaccounted.clone());
    }

    fn register_compliance(&self) {
        let mut registry = self.registry.lock();
        let all = &mut *registry;
        all.register(
            "bessemer_compliance_findings",
            "Personal data and secrets found, by detector and action",
            self.findings.clone(),
        );
        all.register(
            "bessemer_compliance_pack_findings",
            "Personal data and secrets found, by policy pack",
            self.pack_findings.clone(),
        );
    }

    fn register_destinations(&self) {
        let mut registry = self.registry.lock();
        let all = &mut *registry;
        all.register("bessemer_delivered_records", "Records delivered", self.delivered.clone());
        all.register("bessemer_retried_deliveries", "Deliveries tried again", self.retried.clone());
        all.register("bessemer_dead_records", "Records in dead-letter logs", self.dead.clone());
        all.register(
            "bessemer_rejected_records",
            "Records that a destination took and threw away by its own word",
            self.rejected.clone(),
        );
        all.register("bessemer_queue_records", "Records queued", self.queue_records.clone());
        all.register("bessemer_queue_bytes", "Bytes queued on disk", self.queue_bytes.clone());
        all.register(
            "bessemer_queue_age_seconds",
            "Age of the oldest queued record",
            self.queue_age.clone(),
        );
        all.register(
            "bessemer_destination_up",
            "1 when the last delivery succeeded, 0 while it is retried",
            self.destination_up.clone(),
        );
        all.register(
            "bessemer_delivery_seconds",
            "Time of a delivery attempt",
            self.delivery_seconds.clone(),
        );
    }

    fn register_journal(&self) {
        let mut registry = self.registry.lock();
        let all = &mut *registry;
        all.register("bessemer_alert", "1 while an alert is raised", self.alert.clone());
        all.register(
            "bessemer_spill_bytes",
            "Bytes of a slow destination's own log on disk",
            self.spill_bytes.clone(),
        );
        all.register(
            "bessemer_journal_bytes",
            "Bytes of the journal on disk, spill logs included",
            self.journal_bytes.clone(),
        );
        all.register(
            "bessemer_journal_budget_bytes",
            "Bytes the journal may take on disk",
            self.journal_budget.clone(),
        );
        all.register(
            "bessemer_journal_failing",
            "1 while the disk takes no append",
            self.journal_failing.clone(),
        );
    }

    /// The counter of records that destination `id` threw away.
    pub fn rejected_of(&self, id: &str) -> Counter {
        self.rejected.get_or_create_owned(&component(id))
    }

    /// Adds a counter of a component's own; the name gets `_total` when printed.
    pub fn counter(&self, name: &str, help: &str) -> Counter {
        let counter = Counter::default();
        self.registry.lock().register(name, help, counter.clone());
        counter
    }

    /// Adds a gauge of a component's own.
    pub fn gauge(&self, name: &str, help: &str) -> Gauge {
        let gauge = Gauge::default();
        self.registry.lock().register(name, help, gauge.clone());
        gauge
    }

    /// All metrics in the `OpenMetrics` text format, with the closing `# EOF`.
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(8 << 10);
        if encode(&mut text, &self.registry.lock()).is_err() {
            text.clear();
            text.push_str("# metrics could not be encoded\n");
        }
        text
    }
}

/// Labels of `component`.
pub fn component(id: &str) -> ComponentLabels {
    ComponentLabels { component: id.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_holds_what_was_counted() {
        let metrics = Metrics::default();
        metrics
            .received
            .get_or_create(&SignalLabels { component: "otlp.in".into(), signal: "logs" })
            .inc_by(7);
        metrics.processing_rate.set(42);
        let page = metrics.render();
        assert!(
            page.contains(
                "bessemer_received_records_total{component=\"otlp.in\",signal=\"logs\"} 7"
            ),
            "{page}"
        );
        assert!(page.contains("telemetry_processing_rate 42"));
        assert!(page.ends_with("# EOF\n"));
    }
}
