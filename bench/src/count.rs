//! Counts the records of an OTLP request by walking its top levels.

use std::collections::HashMap;
use std::io::Read;

use crate::wire::{Malformed, messages};

/// Compressed bodies of which the count is kept; the load has 16 distinct ones.
const REMEMBERED_MAX: usize = 256;
/// A larger body is not inflated, so that a bomb costs the sink nothing.
const INFLATED_BYTES_MAX: u64 = 256 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Logs,
    Metrics,
    Traces,
}

impl Signal {
    /// The signal that an HTTP path or a gRPC method carries.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        let path = path.split('?').next().unwrap_or(path);
        match path {
            "/v1/logs" | "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => {
                Some(Self::Logs)
            }
            "/v1/metrics" | "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => {
                Some(Self::Metrics)
            }
            "/v1/traces" | "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => {
                Some(Self::Traces)
            }
            _ => None,
        }
    }
}

/// Log records, spans or data points in the protobuf of an export request.
pub(crate) fn records(signal: Signal, request: &[u8]) -> Result<u64, Malformed> {
    let mut count = 0;
    for resource in messages(request, 1) {
        for scope in messages(resource?, 2) {
            for record in messages(scope?, 2) {
                count += if signal == Signal::Metrics {
                    data_points(record?)?
                } else {
                    record.map(|_| 1)?
                };
            }
        }
    }
    Ok(count)
}

/// Gauge, sum, histogram, exponential histogram, summary: each holds its points in field 1.
fn data_points(metric: &[u8]) -> Result<u64, Malformed> {
    let mut count = 0;
    for data in [5, 7, 9, 10, 11] {
        for content in messages(metric, data) {
            for point in messages(content?, 1) {
                count += point.map(|_| 1)?;
            }
        }
    }
    Ok(count)
}

/// Counts in gzip bodies, inflating a body that was counted before only once.
#[derive(Default)]
pub(crate) struct Inflated {
    remembered: HashMap<Vec<u8>, u64>,
}

impl Inflated {
    pub(crate) fn records(&mut self, signal: Signal, body: &[u8]) -> Result<u64, Malformed> {
        if let Some(&count) = self.remembered.get(body) {
            return Ok(count);
        }
        let mut raw = Vec::new();
        let mut decoder = flate2::read::MultiGzDecoder::new(body).take(INFLATED_BYTES_MAX);
        decoder.read_to_end(&mut raw).map_err(|_| Malformed)?;
        let count = records(signal, &raw)?;
        if self.remembered.len() < REMEMBERED_MAX {
            self.remembered.insert(body.to_vec(), count);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload;
    use crate::wire::put_bytes;

    fn wrapped(levels: &[u64], content: &[u8]) -> Vec<u8> {
        levels.iter().rev().fold(content.to_vec(), |inner, &number| {
            let mut outer = Vec::new();
            put_bytes(&mut outer, number, &inner);
            outer
        })
    }

    #[test]
    fn every_log_record_of_a_payload_is_counted() {
        let spec = payload::Spec { records: 37, ..payload::Spec::default() };
        for request in payload::requests(&spec) {
            assert_eq!(records(Signal::Logs, &request), Ok(37));
            let zipped = payload::gzip(&request);
            let mut inflated = Inflated::default();
            assert_eq!(inflated.records(Signal::Logs, &zipped), Ok(37));
            assert_eq!(inflated.records(Signal::Logs, &zipped), Ok(37));
        }
    }

    #[test]
    fn metrics_count_by_their_data_points() {
        let two_points = [wrapped(&[1], b""), wrapped(&[1], b"")].concat();
        let gauge = wrapped(&[1, 2, 2, 5], &two_points);
        let summary = wrapped(&[1, 2, 2, 11], &wrapped(&[1], b""));
        assert_eq!(records(Signal::Metrics, &[gauge, summary].concat()), Ok(3));
    }

    #[test]
    fn spans_count_and_an_empty_request_counts_none() {
        assert_eq!(records(Signal::Traces, &wrapped(&[1, 2, 2], b"")), Ok(1));
        assert_eq!(records(Signal::Traces, b""), Ok(0));
    }

    #[test]
    fn a_cut_request_is_malformed() {
        let spec = payload::Spec { records: 3, ..payload::Spec::default() };
        let request = payload::requests(&spec).remove(0);
        assert_eq!(records(Signal::Logs, &request[..request.len() - 1]), Err(Malformed));
    }
}
