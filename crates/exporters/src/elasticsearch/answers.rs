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

/// Where a reason begins to quote the document, which may hold what must not be in a log.
const QUOTED: &str = "Preview of field's value";

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

fn unquoted(reason: &str) -> &str {
    reason.split(QUOTED).next().unwrap_or_default().trim_end()
}

fn of_item(item: Item) -> Verdict {
    let status = item.status;
    if status < 300 || status == CONFLICT {
        return Verdict::Delivered;
    }
    let reason = match item.error {
        None => status.to_string(),
        Some(Cause::Text(text)) => format!("{status}: {}", unquoted(&text)),
        Some(Cause::Object { kind, reason }) => format!("{status}: {kind}: {}", unquoted(&reason)),
    };
    if status == TOO_MANY || status >= 500 {
        Verdict::retry(reason)
    } else {
        Verdict::Refused { status, reason }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reason_does_not_quote_the_document() {
        let reason = "failed to parse field [n] of type [long] in document with id 'a'. \
            Preview of field's value: 'canary'";
        let error = json!({ "type": "document_parsing_exception", "reason": reason });
        let body =
            json!({ "errors": true, "items": [{ "create": { "status": 400, "error": error } }] });
        let (status, headers) = (StatusCode::OK, HeaderMap::new());
        let answer = Answer { status, headers, body: body.to_string().into() };
        let told = format!("{:?}", verdict(&answer, 1));
        assert!(told.contains("failed to parse field [n]"), "{told}");
        assert!(!told.contains("canary"), "{told}");
    }
}
