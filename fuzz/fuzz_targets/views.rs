//! Views of any bytes end without a panic, and of a well-formed batch say what prost says.
#![no_main]

use bessemer_record::value::AnyValue;
use bessemer_record::view::{LogsView, MetricsView, TracesView};
use collect::Plain;
use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

#[path = "../../crates/record/tests/oracle/collect.rs"]
mod collect;

fuzz_target!(|bytes: &[u8]| {
    // Gathering recurses as deep as the value, which only a check bounds.
    if bytes.len() > 1 << 12 {
        return;
    }
    collect::logs(LogsView::new(bytes));
    collect::traces(TracesView::new(bytes));
    collect::metrics(MetricsView::new(bytes));
    let value = AnyValue::new(bytes);
    let _ = (value.to_value(), value == AnyValue::new(bytes));

    // Encoding what prost decoded puts every field in its place and leaves it once.
    if let Ok(request) = ExportLogsServiceRequest::decode(bytes) {
        let bytes = request.encode_to_vec();
        let found = collect::logs(LogsView::new(&bytes)).encode_to_vec();
        assert_eq!(found, request.plain().encode_to_vec());
    }
    if let Ok(request) = ExportTraceServiceRequest::decode(bytes) {
        let bytes = request.encode_to_vec();
        let found = collect::traces(TracesView::new(&bytes)).encode_to_vec();
        assert_eq!(found, request.plain().encode_to_vec());
    }
    if let Ok(request) = ExportMetricsServiceRequest::decode(bytes) {
        let bytes = request.encode_to_vec();
        let found = collect::metrics(MetricsView::new(&bytes)).encode_to_vec();
        assert_eq!(found, request.plain().encode_to_vec());
    }
});
