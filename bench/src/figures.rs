//! Numbers of a run: latencies in buckets of 3 % width, ratios, medians.

use std::time::Duration;

use serde::Serialize;

/// Values below this have a bucket each; above, every power of two has half as many.
const EXACT: u64 = 64;
const EXACT_BITS: u32 = 6;
const HALF: u64 = EXACT / 2;

/// Counts of durations in microseconds, in buckets at most 1/32 of their value wide.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latencies {
    buckets: Vec<u64>,
    count: u64,
    max_us: u64,
}

/// What a run says of its latencies.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[expect(clippy::struct_field_names, reason = "each name carries its unit into the report")]
pub(crate) struct Percentiles {
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Latencies {
    pub(crate) fn add(&mut self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let bucket = bucket(us);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
        self.count += 1;
        self.max_us = self.max_us.max(us);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.max_us = self.max_us.max(other.max_us);
    }

    pub(crate) fn percentiles(&self) -> Percentiles {
        Percentiles {
            p50_ms: self.at_most_ms(50),
            p90_ms: self.at_most_ms(90),
            p99_ms: self.at_most_ms(99),
            max_ms: float(self.max_us) / 1000.0,
        }
    }

    fn at_most_ms(&self, percent: u64) -> f64 {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return float(upper_us(bucket).min(self.max_us)) / 1000.0;
            }
        }
        0.0
    }
}

fn bucket(us: u64) -> usize {
    let bits = u64::BITS - us.leading_zeros();
    let shift = bits.saturating_sub(EXACT_BITS);
    usize::try_from(u64::from(shift) * HALF + (us >> shift)).unwrap_or(usize::MAX)
}

fn upper_us(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < EXACT {
        return bucket;
    }
    let shift = bucket / HALF - 1;
    (((bucket - shift * HALF) + 1) << shift) - 1
}

/// `value` as a float; exact below 2^53, which no count of a run reaches.
#[expect(clippy::cast_precision_loss, reason = "counts of a run stay below 2^53")]
pub(crate) fn float(value: u64) -> f64 {
    value as f64
}

/// The middle value, or the mean of the two in the middle; 0 for none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let at = |index: usize| values.get(index).copied().unwrap_or(0.0);
    if values.len().is_multiple_of(2) && middle > 0 {
        f64::midpoint(at(middle - 1), at(middle))
    } else {
        at(middle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_its_values_and_is_at_most_a_32nd_wide() {
        for us in (0..100_000).chain([1 << 30, (1 << 40) + 12_345]) {
            let upper = upper_us(bucket(us));
            assert!(upper >= us && upper - us <= us / 32, "{us} -> {upper}");
        }
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_values() {
        let (mut even, mut odd) = (Latencies::default(), Latencies::default());
        for ms in 1..=100 {
            let half = if ms % 2 == 0 { &mut even } else { &mut odd };
            half.add(Duration::from_millis(ms));
        }
        even.merge(&odd);
        let found = even.percentiles();
        assert!((found.p50_ms - 50.0).abs() < 50.0 / 32.0, "{found:?}");
        assert!((found.p99_ms - 99.0).abs() < 99.0 / 32.0, "{found:?}");
        assert!((found.max_ms - 100.0).abs() < f64::EPSILON, "{found:?}");
    }

    #[test]
    fn the_median_of_an_even_count_is_the_mean_of_the_middle_two() {
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < f64::EPSILON);
        assert!((median(vec![9.0, 1.0, 3.0]) - 3.0).abs() < f64::EPSILON);
        assert!(median(Vec::new()).abs() < f64::EPSILON);
    }
}
