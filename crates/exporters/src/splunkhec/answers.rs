//! What the collector's answers mean
//! (<https://docs.splunk.com/Documentation/Splunk/latest/Data/TroubleshootHTTPEventCollector>).

use std::collections::BTreeMap;

use bessemer_net::dial::Answer;
use bessemer_pipeline::Verdict;
use http::StatusCode;
use serde::Deserialize;

use crate::http::by_status;
use crate::http::reason::said;

/// Codes that blame the request for its channel, or the token for having no acknowledgment: to be
/// settled in a configuration, while records wait.
const CHANNEL_CODES: [u32; 3] = [10, 11, 14];

/// The body of an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reply {
    code: u32,
    #[serde(rename = "invalid-event-number")]
    invalid_event: Option<u32>,
    #[serde(rename = "ackId")]
    ack_id: Option<u64>,
    acks: BTreeMap<String, bool>,
}

fn reply(answer: &Answer) -> Reply {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// The number under which the collector acknowledges events later.
pub(super) fn ack_id(answer: &Answer) -> Option<u64> {
    reply(answer).ack_id
}

/// What is known of events that were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acked {
    Indexed,
    NotYet,
    /// The token has no acknowledgment.
    Never,
}

/// What the collector says of events that it took.
pub(super) fn acked(answer: &Answer) -> Acked {
    let reply = reply(answer);
    if reply.code == 14 {
        Acked::Never
    } else if answer.is_success() && !reply.acks.is_empty() && reply.acks.values().all(|is| *is) {
        Acked::Indexed
    } else {
        Acked::NotYet
    }
}

/// The verdict on a request with this many events.
pub(super) fn verdict(answer: &Answer, events: u32) -> Verdict {
    if answer.status != StatusCode::BAD_REQUEST {
        return by_status(answer, |status| {
            matches!(status, StatusCode::UNAUTHORIZED | StatusCode::PAYLOAD_TOO_LARGE)
        });
    }
    let reply = reply(answer);
    if CHANNEL_CODES.contains(&reply.code) {
        return Verdict::retry(said(answer));
    }
    let refused = Verdict::Refused { status: 400, reason: said(answer) };
    match reply.invalid_event {
        Some(event) if event < events && events > 1 => only(event, events, refused),
        _ => refused,
    }
}

/// One event is refused, the others are sent again.
fn only(event: u32, events: u32, refused: Verdict) -> Verdict {
    let others = || Verdict::retry("the collector refused another event of the request");
    let parts = [(0..event, others()), (event..event + 1, refused), (event + 1..events, others())];
    Verdict::Split(parts.into_iter().filter(|(range, _)| !range.is_empty()).collect())
}
