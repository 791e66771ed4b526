//! One entry of a journal, for people and for programs.

use bessemer_journal::{Dumped, Lane};
use bessemer_pipeline::Meta;
use bessemer_record::json::to_otlp_json;
use bessemer_record::{Checked, Limits, Signal};
use serde_json::{Value, json};

pub(super) const HEADING: &str = "    SEQUENCE   RECORDS  LANE    SIGNAL      BYTES  APPENDED (UNIX NS)   SEGMENT  DESTINATIONS\n";

/// What was admitted once is shown, whatever the limits were.
const LIMITS: Limits =
    Limits { depth_max: 1024, record_bytes_max: usize::MAX, batch_bytes_max: usize::MAX };

pub(super) fn line(entry: &Dumped) -> String {
    let signal = Meta::decode(&entry.meta).map_or("-", |(signal, _)| signal.as_str());
    format!(
        "{:12}  {:8}  {:6}  {signal:7}  {:9}  {:19}  {:8x}  {}\n",
        entry.sequence,
        entry.items,
        lane(entry.lane),
        entry.payload.len(),
        entry.appended_at_unix_nanos,
        entry.segment,
        entry.sinks.join(","),
    )
}

pub(super) fn value(entry: &Dumped, payload: bool) -> Value {
    let meta = Meta::decode(&entry.meta);
    let mut value = json!({
        "log": entry.log,
        "segment": format!("{:016x}", entry.segment),
        "offset": entry.offset,
        "sequence": entry.sequence,
        "records": entry.items,
        "lane": lane(entry.lane),
        "destinations": entry.sinks,
        "appended_at_unix_nanos": entry.appended_at_unix_nanos,
        "payload_bytes": entry.payload.len(),
    });
    if let (Some(object), Some((signal, meta))) = (value.as_object_mut(), meta) {
        object.insert("signal".to_owned(), signal.as_str().into());
        object.insert("tenant".to_owned(), meta.tenant.into());
        object.insert("principal".to_owned(), meta.principal.into());
        object.insert("receiver".to_owned(), meta.receiver.into());
        object.insert("received_at_unix_nanos".to_owned(), meta.received_at.into());
        if payload {
            object.insert("payload".to_owned(), otlp(signal, entry));
        }
    }
    value
}

fn otlp(signal: Signal, entry: &Dumped) -> Value {
    match Checked::check(signal, entry.payload.clone(), &LIMITS) {
        Ok(batch) => serde_json::from_slice(&to_otlp_json(&batch)).unwrap_or_default(),
        Err(error) => json!({ "error": error.to_string() }),
    }
}

pub(super) fn lane(lane: Lane) -> &'static str {
    match lane {
        Lane::Urgent => "urgent",
        Lane::Normal => "normal",
    }
}
