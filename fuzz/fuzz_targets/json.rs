//! JSON is accepted exactly if it is JSON, what is read passes the check, and batches survive JSON.
#![no_main]

use bessemer_record::{Checked, Limits, Signal, json};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, rest)) = input.split_first() else { return };
    let signal = Signal::ALL[usize::from(choice % 3)];
    text(signal, rest);
    bytes(signal, rest);
});

fn text(signal: Signal, text: &[u8]) {
    // serde_json refuses numbers beyond a double, and this crate nesting beyond 512.
    if serde_json::from_slice::<serde_json::Value>(text).is_ok() {
        assert_eq!(json::validate(text), Ok(()));
    } else if let Ok(()) = json::validate(text) {
        let error = serde_json::from_slice::<serde_json::Value>(text).expect_err("refused above");
        let reason = error.to_string();
        let is_limit = reason.contains("out of range") || reason.contains("recursion limit");
        assert!(is_limit, "{reason}");
    }
    match json::from_otlp_json(signal, text, &Limits::default()) {
        Err(error) => assert!(error.offset <= text.len()),
        Ok(batch) => {
            let checked = Checked::check(signal, batch.bytes().clone(), &Limits::default());
            assert_eq!(checked.expect("what is read passes the check").records(), batch.records());
            let again = there_and_back(&batch);
            assert_eq!(canonical(&again), canonical(&batch));
        }
    }
}

fn bytes(signal: Signal, bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    if let Ok(batch) = Checked::check(signal, bytes, &Limits::default()) {
        assert_eq!(canonical(&there_and_back(&batch)), canonical(&batch));
    }
}

fn there_and_back(batch: &Checked) -> Checked {
    let text = json::to_otlp_json(batch);
    json::from_otlp_json(batch.signal(), &text, &Limits::default()).expect("own JSON is read")
}

/// The batch as prost writes it, with the one NaN that JSON has.
fn canonical(batch: &Checked) -> String {
    let bytes = batch.bytes().clone();
    let decoded = match batch.signal() {
        Signal::Logs => format!("{:?}", ExportLogsServiceRequest::decode(bytes)),
        Signal::Traces => format!("{:?}", ExportTraceServiceRequest::decode(bytes)),
        Signal::Metrics => format!("{:?}", ExportMetricsServiceRequest::decode(bytes)),
    };
    // An implicit field keeps its sign in JSON and loses it in prost's own encoding.
    decoded.replace("-0.0", "0.0")
}
