//! Detectors on any text in any place: nothing panics, no record is lost, what leaves passes the
//! check, and a card number beside the text never leaves.
#![no_main]

use std::sync::{Arc, LazyLock};

use bessemer_config::value::{Field, Form, Object};
use bessemer_config::{Data, Location, Value};
use bessemer_pipeline::{Built, Context, Scratch, Step};
use bessemer_processors::CATALOG;
use bessemer_record::{Checked, Draft, Limits, Signal, Tails};
use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Kind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;

const CARD: &str = "4111 1111 1111 1111";

/// The step with every pack.
static STEP: LazyLock<Arc<dyn Step>> = LazyLock::new(|| {
    let row = CATALOG.iter().find(|row| row.name == "bessemer.processor.compliance");
    let value = |data| Value::new(data, Location::nowhere());
    let packs = ["gdpr", "pci_dss", "hipaa", "secrets"];
    let packs = packs.map(|pack| value(Data::String(pack.to_owned()))).to_vec();
    let packs = Field {
        name: "packs".to_owned(),
        name_at: Location::nowhere(),
        value: value(Data::Array(packs)),
    };
    let settings = value(Data::Object(Object { fields: vec![packs], form: Form::Block }));
    let built = (row.expect("a row").build)(&settings, &Context::detached().of("fuzz"));
    let Ok(Built::Step(step)) = built else { panic!("no step") };
    step
});

fn text(text: &str) -> AnyValue {
    AnyValue { value: Some(Kind::StringValue(text.to_owned())) }
}

fn attribute(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn request(key: &str, body: &str) -> ExportLogsServiceRequest {
    let list = AnyValue {
        value: Some(Kind::ArrayValue(ArrayValue { values: vec![text(body), text(CARD)] })),
    };
    let record = LogRecord {
        body: Some(text(body)),
        attributes: vec![attribute(key, text(body)), attribute("list", list)],
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }],
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&length, rest)) = input.split_first() else { return };
    let (key, body) = rest.split_at(rest.len().min(usize::from(length % 24)));
    let (key, body) = (String::from_utf8_lossy(key), String::from_utf8_lossy(body));
    let bytes = request(&key, &body).encode_to_vec().into();
    let Ok(batch) = Checked::check(Signal::Logs, bytes, &Limits::default()) else { return };
    let mut draft = Draft::from_checked(&batch, &Tails::none());
    STEP.run(&mut draft, &mut Scratch::default());
    let left = draft.emit(|_| 0, 1).into_iter().next().expect("a batch");
    assert_eq!(left.records, 1);
    let left = Checked::check(Signal::Logs, left.bytes, &Limits::default()).expect("a sound batch");
    let list = ExportLogsServiceRequest::decode(&left.bytes()[..]).expect("a request");
    let record = &list.resource_logs[0].scope_logs[0].log_records[0];
    let list = record.attributes.iter().rev().find(|attribute| attribute.key == "list");
    assert!(!format!("{list:?}").contains(CARD), "{list:?}");
});
