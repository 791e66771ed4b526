//! A ledger as text for people.

use bessemer_pipeline::LedgerPage;
use bessemer_pipeline::ledger::{DestinationRow, RecordRow, State};

use super::expect::Finding;

/// The books of a destination without what stands in them.
pub(super) fn books(row: &DestinationRow) -> serde_json::Value {
    serde_json::json!({
        "id": row.id,
        "routed": row.routed,
        "delivered": row.delivered,
        "dead": row.dead,
        "dropped": row.dropped,
        "queued": row.queued,
        "unaccounted": row.unaccounted,
    })
}

/// The word for a state.
pub(super) fn state(state: State) -> &'static str {
    match state {
        State::Queued => "queued",
        State::Attempt => "attempt",
        State::Delivered => "delivered",
        State::Refused => "refused",
        State::Dead => "dead",
        State::Settled => "settled",
        State::Unreadable => "unreadable",
    }
}

/// A whole answer; of one about a record, that record.
pub(super) fn page(page: &LedgerPage) -> String {
    if let Some(record) = &page.record {
        return self::record(record, page.next_record);
    }
    let mut text = both_books(page);
    let mut rows = vec![row(["DESTINATION", "RECORDS", "STATE", "SINCE", "REASON"])];
    for destination in &page.destinations {
        for one in &destination.exceptions {
            let state = format!("attempt {}", one.failed_tries.saturating_add(1));
            let records = numbers(one.first, one.last);
            rows.push(row([&destination.id, &records, &state, &one.since, &one.reason]));
        }
        for one in &destination.dead_letters {
            let state = format!("{} {}", state(one.state), one.status);
            let records = numbers(one.first, one.last);
            rows.push(row([&destination.id, &records, state.trim_end(), &one.at, &one.reason]));
        }
    }
    if rows.len() > 1 {
        text.push('\n');
        text.push_str(&aligned(&rows));
    }
    text
}

/// The outcome of a reconciliation.
pub(super) fn reconciled(page: &LedgerPage, findings: &[Finding], balanced: bool) -> String {
    let mut text = both_books(page);
    let missed: Vec<&Finding> = findings.iter().filter(|finding| !finding.met).collect();
    for finding in &missed {
        text.push_str("expected ");
        text.push_str(&finding.expected);
        text.push_str(", found ");
        text.push_str(&finding.found);
        text.push('\n');
    }
    let verdict = if balanced { "every record is" } else { "records are not" };
    let (met, all) = (findings.len() - missed.len(), findings.len());
    text + &format!("{verdict} accounted for; {met} of {all} expectations met\n")
}

fn both_books(page: &LedgerPage) -> String {
    let mut text = String::new();
    if !page.receivers.is_empty() {
        let mut rows =
            vec![row(["RECEIVER", "ACCEPTED", "GENERATED", "KEPT", "FILTERED", "UNACCOUNTED"])];
        for one in &page.receivers {
            rows.push(vec![
                one.id.clone(),
                one.accepted.to_string(),
                one.generated.to_string(),
                one.kept.to_string(),
                one.filtered.to_string(),
                one.unaccounted.to_string(),
            ]);
        }
        text.push_str(&aligned(&rows));
        text.push('\n');
    }
    let mut rows = vec![row([
        "DESTINATION",
        "ROUTED",
        "DELIVERED",
        "DEAD",
        "DROPPED",
        "QUEUED",
        "UNACCOUNTED",
    ])];
    for one in &page.destinations {
        rows.push(vec![
            one.id.clone(),
            one.routed.to_string(),
            one.delivered.to_string(),
            one.dead.to_string(),
            one.dropped.to_string(),
            one.queued.to_string(),
            one.unaccounted.to_string(),
        ]);
    }
    text.push_str(&aligned(&rows));
    text
}

fn record(record: &RecordRow, next: u64) -> String {
    if record.number >= next {
        return format!("record {} does not exist yet; the next is {next}\n", record.number);
    }
    let appended = record.appended.as_deref().unwrap_or("at a time no longer known");
    let lane = record.lane.as_deref().unwrap_or("unknown");
    let mut text = format!("record {}, appended {appended}, lane {lane}\n\n", record.number);
    let mut rows = vec![row(["DESTINATION", "STATE", "AT", "AFTER", "REASON"])];
    for place in &record.destinations {
        let attempt = place.attempt.map(|attempt| format!(" {attempt}")).unwrap_or_default();
        let status = place.status.as_ref().map(|status| format!(" {status}")).unwrap_or_default();
        let word = format!("{}{attempt}{status}", state(place.state));
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        rows.push(vec![
            place.destination.clone(),
            word,
            text(&place.at),
            text(&place.after),
            text(&place.reason),
        ]);
    }
    text.push_str(&aligned(&rows));
    text
}

fn numbers(first: u64, last: u64) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// Columns as wide as their widest cell.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}
