//! What answers to bulk requests mean
//! (<https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk>).

use std::collections::BTreeMap;
use std::ops::Range;

use bessemer_net::dial::Answer;
use bessemer_pipeline::Verdict;
use http::StatusCode;
use serde::Deserialize;

use crate::http::by_status;
use crate::http::reason::said;

/// A document of this id is there already: it was sent before.
const CONFLICT: u16 = 409;
const TOO_MANY: u16 = 429;

#[derive(Deserialize)]
struct Bulk {
    errors: bool,
    #[serde(default)]
    items: Vec<BTreeMap<String, Item>>,
}

#[derive(Deserialize)]
struct Item {
    status: u16,
    error: Option<Cause>,
}

/// Servers of the first versions say text, later ones an object.
#[derive(Deserialize)]
#[serde(untagged)]
enum Cause {
    Object {
        #[serde(rename = "type", default)]
        kind: String,
        #[serde(default)]
        reason: String,
    },
    Text(String),
}

/// The verdict on a request with this many documents.
pub(super) fn verdict(answer: &Answer, documents: u32) -> Verdict {
    if answer.status != StatusCode::OK {
        return by_status(answer, |status| {
            matches!(status, StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE)
        });
    }
    let Ok(bulk) = serde_json::from_slice::<Bulk>(&answer.body) else {
        return Verdict::retry(format!("no answer to a bulk request: {}", said(answer)));
    };
    if !bulk.errors {
        return Verdict::Delivered;
    }
    let count = bulk.items.len();
    if u32::try_from(count) != Ok(documents) {
        return Verdict::retry(format!("the answer tells of {count} documents of {documents}"));
    }
    let mut parts: Vec<(Range<u32>, Verdict)> = Vec::new();
    for (place, item) in (0..).zip(bulk.items) {
        let verdict = item.into_values().next().map_or(Verdict::Delivered, of_item);
        match parts.last_mut() {
            _ if verdict == Verdict::Delivered => {}
            Some((range, last)) if range.end == place && *last == verdict => range.end += 1,
            _ => parts.push((place..place + 1, verdict)),
        }
    }
    if parts.is_empty() { Verdict::Delivered } else { Verdict::Split(parts) }
}

fn of_item(item: Item) -> Verdict {
    let status = item.status;
    if status < 300 || status == CONFLICT {
        return Verdict::Delivered;
    }
    let reason = match item.error {
        None => status.to_string(),
        Some(Cause::Text(text)) => format!("{status}: {text}"),
        Some(Cause::Object { kind, reason }) => format!("{status}: {kind}: {reason}"),
    };
    if status == TOO_MANY || status >= 500 {
        Verdict::retry(reason)
    } else {
        Verdict::Refused { status, reason }
    }
}
