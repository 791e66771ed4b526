//! JSON out and in gives the same batch, and agrees with the serde form of the oracle where that is
//! right.
//!
//! Where it is not: it misses fields that are absent because they have their default value, it knows
//! NaN and the infinities only in quantiles, and it reads fractions less than exactly.

use crate::generate::Dice;
use crate::{config, seed};
use bessemer_record::{Checked, Limits, Signal, json};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;
use prost::Message;

fn checked(signal: Signal, bytes: Vec<u8>) -> Checked {
    Checked::check(signal, Bytes::from(bytes), &Limits::default()).unwrap()
}

/// Writes a batch as JSON, reads it back and returns both; the count must be the same.
fn there_and_back(batch: &Checked) -> (String, Checked) {
    let text = json::to_otlp_json(batch);
    json::validate(&text).unwrap();
    let read = json::from_otlp_json(batch.signal(), &text, &Limits::default())
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&text)));
    assert_eq!(read.records(), batch.records());
    let again = checked(batch.signal(), read.bytes().to_vec());
    assert_eq!(again.records(), batch.records());
    (String::from_utf8(text).unwrap(), read)
}

/// Puts a message into a request as the only record, as often as given, in one piece.
fn in_request(message: &[u8]) -> Vec<u8> {
    let mut request = message.to_vec();
    for number in [2, 2, 1] {
        let mut outer = Vec::new();
        prost::encoding::bytes::encode(number, &request, &mut outer);
        request = outer;
    }
    request
}

/// Two encoded messages one after the other are one message in which everything stands twice.
fn joined<M: Message>(one: &M, other: &M) -> Vec<u8> {
    [one.encode_to_vec(), other.encode_to_vec()].concat()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn messages_that_hold_everything_twice_are_merged_in_json(seed in seed()) {
        let mut dice = Dice::new(&seed.0);
        let logs = joined(&dice.log_record(), &dice.log_record());
        let (_, read) = there_and_back(&checked(Signal::Logs, in_request(&logs)));
        let expected = ExportLogsServiceRequest::decode(&*in_request(&logs)).unwrap().encode_to_vec();
        prop_assert_eq!(ExportLogsServiceRequest::decode(read.into_bytes()).unwrap().encode_to_vec(), expected);

        let spans = joined(&dice.span(), &dice.span());
        let (_, read) = there_and_back(&checked(Signal::Traces, in_request(&spans)));
        let expected = ExportTraceServiceRequest::decode(&*in_request(&spans)).unwrap().encode_to_vec();
        prop_assert_eq!(ExportTraceServiceRequest::decode(read.into_bytes()).unwrap().encode_to_vec(), expected);
    }

    #[test]
    fn metrics_that_hold_everything_twice_are_merged_in_json(seed in seed()) {
        let mut dice = Dice::new(&seed.0);
        let metrics = in_request(&joined(&dice.metric(), &dice.metric()));
        let batch = Checked::trusted(Signal::Metrics, metrics.clone().into(), 0);
        let text = json::to_otlp_json(&batch);
        let read = json::from_otlp_json(Signal::Metrics, &text, &Limits::default()).unwrap();
        let expected = ExportMetricsServiceRequest::decode(&*metrics).unwrap().encode_to_vec();
        let found = ExportMetricsServiceRequest::decode(read.into_bytes()).unwrap();
        prop_assert_eq!(found.encode_to_vec(), expected);
    }
}

macro_rules! properties {
    ($signal:expr, $request:ty, $draw:ident, $same:ident, $oracle_reads:ident, $oracle_writes:ident) => {
        proptest! {
            #![proptest_config(config())]

            #[test]
            fn $same(seed in seed()) {
                let request = Dice::new(&seed.0).$draw();
                let (_, read) = there_and_back(&checked($signal, request.encode_to_vec()));
                let decoded = <$request>::decode(read.bytes().clone()).unwrap();
                prop_assert_eq!(decoded.encode_to_vec(), request.encode_to_vec());
            }

            #[test]
            fn $oracle_reads(seed in seed()) {
                let request = Dice::full(&seed.0).$draw();
                let (text, _) = there_and_back(&checked($signal, request.encode_to_vec()));
                let read: $request = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(read.encode_to_vec(), request.encode_to_vec());
            }

            #[test]
            fn $oracle_writes(seed in seed()) {
                let request = Dice::new(&seed.0).$draw();
                let (text, _) = there_and_back(&checked($signal, request.encode_to_vec()));
                prop_assume!(!text.contains("\"NaN\"") && !text.contains("Infinity\""));
                let text = serde_json::to_vec(&request).unwrap();
                let read = json::from_otlp_json($signal, &text, &Limits::default()).unwrap();
                let decoded = <$request>::decode(read.bytes().clone()).unwrap();
                prop_assert_eq!(decoded.encode_to_vec(), request.encode_to_vec());
            }
        }
    };
}

properties!(
    Signal::Logs,
    ExportLogsServiceRequest,
    logs,
    logs_survive_json,
    the_oracle_reads_logs_in_json,
    logs_are_read_from_the_json_of_the_oracle
);
properties!(
    Signal::Traces,
    ExportTraceServiceRequest,
    traces,
    traces_survive_json,
    the_oracle_reads_traces_in_json,
    traces_are_read_from_the_json_of_the_oracle
);
properties!(
    Signal::Metrics,
    ExportMetricsServiceRequest,
    metrics,
    metrics_survive_json,
    the_oracle_reads_metrics_in_json,
    metrics_are_read_from_the_json_of_the_oracle
);
