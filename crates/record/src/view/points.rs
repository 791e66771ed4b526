//! Data points of metrics, and the exemplars in them.

use super::fields::{
    Piece, attributes, bytes, double, doubles, fixed64, fixed64s, list, optional_double, sint32,
    uint32, varints, view,
};
use super::numbers::{Doubles, Integers};
use super::repeated::Repeated;
use crate::value::Map;
use crate::wire::WireValue;

/// The value of a data point or an exemplar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A signed integer.
    Int(i64),
    /// A floating point number.
    Double(f64),
}

/// In both messages the integer has field number 6, and the double what is left.
fn number(field: &mut Option<Number>, piece: &Piece<'_>) {
    if let WireValue::Fixed64(bits) = piece.value {
        *field = Some(match piece.number {
            6 => Number::Int(bits.cast_signed()),
            _ => Number::Double(f64::from_bits(bits)),
        });
    }
}

view! {
    /// A `NumberDataPoint` of a gauge or a sum.
    NumberPointView {
        /// What tells this series from others.
        attributes: Map<'a> = 7, attributes;
        /// When counting began, in nanoseconds since 1970.
        start_time_unix_nano: u64 = 2, fixed64;
        /// When it was measured, in nanoseconds since 1970.
        time_unix_nano: u64 = 3, fixed64;
        /// What was measured.
        value: Option<Number> = 4 | 6, number;
        /// Single measurements behind the value.
        exemplars: Repeated<'a, ExemplarView<'a>> = 5, list;
        /// Bit 0 says that no value was recorded.
        flags: u32 = 8, uint32;
    }
}

view! {
    /// A `HistogramDataPoint`.
    HistogramPointView {
        /// What tells this series from others.
        attributes: Map<'a> = 9, attributes;
        /// When counting began, in nanoseconds since 1970.
        start_time_unix_nano: u64 = 2, fixed64;
        /// When it was measured, in nanoseconds since 1970.
        time_unix_nano: u64 = 3, fixed64;
        /// The number of values.
        count: u64 = 4, fixed64;
        /// Their sum.
        sum: Option<f64> = 5, optional_double;
        /// How many values fell into each bucket: one more than there are bounds.
        bucket_counts: Integers<'a> = 6, fixed64s;
        /// The upper bounds of the buckets, each included in its bucket.
        explicit_bounds: Doubles<'a> = 7, doubles;
        /// Single measurements behind the counts.
        exemplars: Repeated<'a, ExemplarView<'a>> = 8, list;
        /// Bit 0 says that no value was recorded.
        flags: u32 = 10, uint32;
        /// The smallest value.
        min: Option<f64> = 11, optional_double;
        /// The largest value.
        max: Option<f64> = 12, optional_double;
    }
}

view! {
    /// An `ExponentialHistogramDataPoint`.
    ExponentialHistogramPointView {
        /// What tells this series from others.
        attributes: Map<'a> = 1, attributes;
        /// When counting began, in nanoseconds since 1970.
        start_time_unix_nano: u64 = 2, fixed64;
        /// When it was measured, in nanoseconds since 1970.
        time_unix_nano: u64 = 3, fixed64;
        /// The number of values.
        count: u64 = 4, fixed64;
        /// Their sum.
        sum: Option<f64> = 5, optional_double;
        /// The base of the buckets is 2 to the power of 2 to the power of minus this.
        scale: i32 = 6, sint32;
        /// How many values are zero within the threshold.
        zero_count: u64 = 7, fixed64;
        /// The buckets of positive values.
        positive: BucketsView<'a> = 8, buckets;
        /// The buckets of negative values.
        negative: BucketsView<'a> = 9, buckets;
        /// Bit 0 says that no value was recorded.
        flags: u32 = 10, uint32;
        /// Single measurements behind the counts.
        exemplars: Repeated<'a, ExemplarView<'a>> = 11, list;
        /// The smallest value.
        min: Option<f64> = 12, optional_double;
        /// The largest value.
        max: Option<f64> = 13, optional_double;
        /// The largest distance from zero that counts as zero.
        zero_threshold: f64 = 14, double;
    }
}

view! {
    /// The `Buckets` of one sign of an exponential histogram.
    BucketsView {
        /// The index of the first bucket.
        offset: i32 = 1, sint32;
        /// How many values fell into each bucket.
        bucket_counts: Integers<'a> = 2, varints;
    }
}

fn buckets<'a>(field: &mut BucketsView<'a>, piece: &Piece<'a>) {
    if let Some(bytes) = piece.value.bytes() {
        field.absorb(bytes);
    }
}

view! {
    /// A `SummaryDataPoint`.
    SummaryPointView {
        /// What tells this series from others.
        attributes: Map<'a> = 7, attributes;
        /// When counting began, in nanoseconds since 1970.
        start_time_unix_nano: u64 = 2, fixed64;
        /// When it was measured, in nanoseconds since 1970.
        time_unix_nano: u64 = 3, fixed64;
        /// The number of values.
        count: u64 = 4, fixed64;
        /// Their sum.
        sum: f64 = 5, double;
        /// The quantiles.
        quantiles: Repeated<'a, QuantileView<'a>> = 6, list;
        /// Bit 0 says that no value was recorded.
        flags: u32 = 8, uint32;
    }
}

view! {
    /// A `ValueAtQuantile`.
    QuantileView {
        /// The quantile, from 0 to 1.
        quantile: f64 = 1, double;
        /// The value at the quantile.
        value: f64 = 2, double;
    }
}

view! {
    /// An `Exemplar`: one measurement.
    ExemplarView {
        /// Attributes of the measurement that the series does not have.
        filtered_attributes: Map<'a> = 7, attributes;
        /// When it was measured, in nanoseconds since 1970.
        time_unix_nano: u64 = 2, fixed64;
        /// What was measured.
        value: Option<Number> = 3 | 6, number;
        /// The span it was measured in.
        span_id: &'a [u8] = 4, bytes;
        /// The trace it was measured in.
        trace_id: &'a [u8] = 5, bytes;
    }
}
