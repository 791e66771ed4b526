//! Views: the fields of a checked batch read in place, without decoding it and without allocation.
//!
//! A view reads the fields of its message once, in one walk, when it is made; nested messages are
//! read when the caller steps into them. Nothing here fails: where bytes are damaged after all, the
//! walk ends and what was not read has its protobuf default. Where a sender wrote a field twice, the
//! last one counts, as protobuf says; of a list inside a message that stands twice, only the part in
//! the last one that has any is seen.
//!
//! Field numbers: <https://github.com/open-telemetry/opentelemetry-proto>.

mod batch;
mod fields;
mod logs;
mod metrics;
mod numbers;
mod points;
mod repeated;
mod traces;

pub use batch::{
    Batch, BatchRecord, EntityRefView, LogsView, MetricsView, ResourceGroup, ResourceView,
    ScopeGroup, ScopeView, TracesView,
};
pub use logs::LogRecordView;
pub use metrics::{
    ExponentialHistogramView, GaugeView, HistogramView, MetricData, MetricView, SumView,
    SummaryView, Temporality,
};
pub use numbers::{Doubles, Integers};
pub use points::{
    BucketsView, ExemplarView, ExponentialHistogramPointView, HistogramPointView, Number,
    NumberPointView, QuantileView, SummaryPointView,
};
pub use repeated::{Message, Repeated, RepeatedIter};
pub use traces::{EventView, LinkView, SpanView, StatusView};
