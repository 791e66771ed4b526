//! A metric with its five kinds of data.

use super::fields::{Piece, attributes, boolean, list, text, view};
use super::points::{
    ExponentialHistogramPointView, HistogramPointView, NumberPointView, SummaryPointView,
};
use super::repeated::Repeated;
use crate::value::{Map, Text};
use crate::wire::WireValue;

view! {
    /// A `Metric`.
    MetricView {
        /// Its name.
        name: Text<'a> = 1, text;
        /// What it measures, in words.
        description: Text<'a> = 2, text;
        /// Its unit in UCUM.
        unit: Text<'a> = 3, text;
        /// What describes the metric itself rather than its points.
        metadata: Map<'a> = 12, attributes;
        /// Its points.
        data: MetricData<'a> = 5 | 7 | 9 | 10 | 11, data;
    }
}

/// The data of a metric.
#[derive(Debug, Clone, Copy, Default)]
pub enum MetricData<'a> {
    /// None set.
    #[default]
    Empty,
    /// Values that are what they are at a time.
    Gauge(GaugeView<'a>),
    /// Values that add up.
    Sum(SumView<'a>),
    /// Distributions over given buckets.
    Histogram(HistogramView<'a>),
    /// Distributions over exponential buckets.
    ExponentialHistogram(ExponentialHistogramView<'a>),
    /// Quantiles computed by the source.
    Summary(SummaryView<'a>),
}

impl MetricData<'_> {
    /// The number of data points, counted by walking them.
    pub fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Gauge(gauge) => gauge.points.len(),
            Self::Sum(sum) => sum.points.len(),
            Self::Histogram(histogram) => histogram.points.len(),
            Self::ExponentialHistogram(histogram) => histogram.points.len(),
            Self::Summary(summary) => summary.points.len(),
        }
    }

    /// Whether there is no data point.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn data<'a>(field: &mut MetricData<'a>, piece: &Piece<'a>) {
    let WireValue::Bytes(bytes) = piece.value else { return };
    match (piece.number, field) {
        (5, MetricData::Gauge(gauge)) => gauge.absorb(bytes),
        (7, MetricData::Sum(sum)) => sum.absorb(bytes),
        (9, MetricData::Histogram(histogram)) => histogram.absorb(bytes),
        (10, MetricData::ExponentialHistogram(histogram)) => histogram.absorb(bytes),
        (11, MetricData::Summary(summary)) => summary.absorb(bytes),
        (5, field) => *field = MetricData::Gauge(GaugeView::new(bytes)),
        (7, field) => *field = MetricData::Sum(SumView::new(bytes)),
        (9, field) => *field = MetricData::Histogram(HistogramView::new(bytes)),
        (10, field) => {
            *field = MetricData::ExponentialHistogram(ExponentialHistogramView::new(bytes));
        }
        (_, field) => *field = MetricData::Summary(SummaryView::new(bytes)),
    }
}

/// Whether a point tells the change since the last one or since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Temporality {
    /// Not said, or a number that OTLP does not know.
    #[default]
    Unspecified,
    /// The change since the last point.
    Delta,
    /// The change since the start.
    Cumulative,
}

fn temporality(field: &mut Temporality, piece: &Piece<'_>) {
    if let WireValue::Varint(number) = piece.value {
        *field = match number {
            1 => Temporality::Delta,
            2 => Temporality::Cumulative,
            _ => Temporality::Unspecified,
        };
    }
}

view! {
    /// A `Gauge`.
    GaugeView {
        /// Its points.
        points: Repeated<'a, NumberPointView<'a>> = 1, list;
    }
}

view! {
    /// A `Sum`.
    SumView {
        /// Its points.
        points: Repeated<'a, NumberPointView<'a>> = 1, list;
        /// What each point tells.
        temporality: Temporality = 2, temporality;
        /// Whether it never falls.
        is_monotonic: bool = 3, boolean;
    }
}

view! {
    /// A `Histogram`.
    HistogramView {
        /// Its points.
        points: Repeated<'a, HistogramPointView<'a>> = 1, list;
        /// What each point tells.
        temporality: Temporality = 2, temporality;
    }
}

view! {
    /// An `ExponentialHistogram`.
    ExponentialHistogramView {
        /// Its points.
        points: Repeated<'a, ExponentialHistogramPointView<'a>> = 1, list;
        /// What each point tells.
        temporality: Temporality = 2, temporality;
    }
}

view! {
    /// A `Summary`.
    SummaryView {
        /// Its points.
        points: Repeated<'a, SummaryPointView<'a>> = 1, list;
    }
}
