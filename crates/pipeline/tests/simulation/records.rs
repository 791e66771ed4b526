//! Requests whose content follows from the ids of their records.

use std::ops::Range;

use bessemer_pipeline::{Incoming, Meta};
use bessemer_record::Signal;
use bessemer_record::view::LogsView;
use bytes::Bytes;

/// Between the body of a padded record and its padding.
const PADDED: char = '.';

/// The body of a record.
pub(crate) fn body(id: u64) -> String {
    format!("record {id} {:016x}", id.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// A request with these records.
pub(crate) fn incoming(ids: Range<u64>) -> Incoming {
    let bytes = request(ids.map(|id| (id, body(id))));
    Incoming { signal: Signal::Logs, bytes, encoded: None, meta: Meta::default(), permit: None }
}

/// A request with one record whose message takes so many bytes.
pub(crate) fn padded(id: u64, bytes: usize) -> Incoming {
    // Id, body and text each with a tag, and lengths of the widths that such sizes take.
    let overhead = 9 + 2 * (1 + varint_len(bytes));
    let mut text = body(id);
    while text.len() < bytes - overhead {
        text.push(PADDED);
    }
    let bytes = request(std::iter::once((id, text)));
    Incoming { signal: Signal::Logs, bytes, encoded: None, meta: Meta::default(), permit: None }
}

fn varint_len(value: usize) -> usize {
    usize::try_from(value.max(1).ilog2()).unwrap() / 7 + 1
}

/// The protobuf of an export request, its records by id and body.
pub(crate) fn request(records: impl Iterator<Item = (u64, String)>) -> Bytes {
    let mut scope = Vec::new();
    for (id, body) in records {
        let mut record = vec![1 << 3 | 1];
        record.extend_from_slice(&id.to_le_bytes());
        let mut text = Vec::new();
        field(1, body.as_bytes(), &mut text);
        field(5, &text, &mut record);
        field(2, &record, &mut scope);
    }
    let (mut resource, mut request) = (Vec::new(), Vec::new());
    field(2, &scope, &mut resource);
    field(1, &resource, &mut request);
    request.into()
}

fn field(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    let mut len = bytes.len();
    while len >= 0x80 {
        out.push(u8::try_from(len & 0x7f).unwrap() | 0x80);
        len >>= 7;
    }
    out.push(u8::try_from(len).unwrap());
    out.extend_from_slice(bytes);
}

/// The ids in a payload. Panics when a record is not what was sent under its id.
pub(crate) fn ids(payload: &[u8]) -> Vec<u64> {
    let view = LogsView::new(payload);
    let found = view.records().map(|found| {
        let id = found.record.time_unix_nano();
        let text = found.record.body().as_str().map(str::to_owned);
        assert!(
            text.is_some_and(|text| text.trim_end_matches(PADDED) == body(id)),
            "record {id} is corrupt"
        );
        id
    });
    found.collect()
}
