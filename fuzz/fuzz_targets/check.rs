//! What the check accepts, prost decodes, views walk and JSON carries; what it refuses, it refuses at
//! an offset inside the batch.
#![no_main]

use bessemer_record::view::{LogsView, MetricsView, TracesView};
use bessemer_record::{Checked, Limits, Signal, json, split};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

#[expect(dead_code, reason = "shared with the property tests, which use all of it")]
#[path = "../../crates/record/tests/oracle/collect.rs"]
mod collect;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    let signal = Signal::ALL[usize::from(choice % 3)];
    let bytes = Bytes::copy_from_slice(bytes);
    let limits = Limits { depth_max: 16, record_bytes_max: 1 << 12, batch_bytes_max: 1 << 14 };
    match Checked::check(signal, bytes.clone(), &limits) {
        Err(error) => assert!(error.offset <= bytes.len(), "{error:?}"),
        Ok(batch) => accepted(signal, &batch),
    }
});

fn accepted(signal: Signal, batch: &Checked) {
    let records = match signal {
        Signal::Logs => {
            let request = ExportLogsServiceRequest::decode(batch.bytes().clone());
            let request = request.expect("prost decodes what the check accepts");
            collect::logs(LogsView::new(batch.bytes()));
            let scopes = request.resource_logs.iter().flat_map(|group| &group.scope_logs);
            scopes.map(|group| group.log_records.len()).sum::<usize>()
        }
        Signal::Traces => {
            let request = ExportTraceServiceRequest::decode(batch.bytes().clone());
            let request = request.expect("prost decodes what the check accepts");
            collect::traces(TracesView::new(batch.bytes()));
            let scopes = request.resource_spans.iter().flat_map(|group| &group.scope_spans);
            scopes.map(|group| group.spans.len()).sum()
        }
        Signal::Metrics => {
            let request = ExportMetricsServiceRequest::decode(batch.bytes().clone());
            request.expect("prost decodes what the check accepts");
            collect::metrics(MetricsView::new(batch.bytes()));
            // Where a metric has two kinds of data, points of the one that is dropped count too.
            batch.records() as usize
        }
    };
    assert_eq!(batch.records() as usize, records);
    json::validate(&json::to_otlp_json(batch)).expect("JSON");
    let parts = split::split(batch, 2, usize::MAX);
    let sum: u32 = parts.iter().map(Checked::records).sum();
    assert_eq!(sum, batch.records(), "no record is lost by splitting");
}
