//! What a ledger answers, in the form of the API and the command.

use std::io;

use bessemer_journal::{Lane, Standing};
use serde::{Deserialize, Serialize};

use super::attempts::Attempt;
use super::place::{self, RecordPlace};
use super::{LETTERS_MAX, Ledger, LedgerQuery, Sheet, seconds};
use crate::metrics::component;

/// An answer of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerPage {
    /// The journal that record numbers belong to, as 16 hexadecimal digits.
    pub incarnation: String,
    /// The number of the next record.
    pub next_record: u64,
    /// Receivers since the process started; none for a directory nobody runs on.
    pub receivers: Vec<ReceiverRow>,
    /// Destinations over all lives of the journal.
    pub destinations: Vec<DestinationRow>,
    /// The record that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordRow>,
}

/// `accepted + generated = kept + filtered + folded`, in records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiverRow {
    /// Component id.
    pub id: String,
    /// Acknowledged.
    pub accepted: u64,
    /// Records that processors added: data points, counts, and what a stage made of those it held.
    pub generated: u64,
    /// Became part of what a stage made; 0 for a receiver.
    #[serde(default)]
    pub folded: u64,
    /// Ended in no destination.
    pub filtered: u64,
    /// Went to at least one destination, each counted once.
    pub kept: u64,
    /// Kept, counted once for each destination.
    pub routed: u64,
    /// What does not add up; 0.
    pub unaccounted: i64,
}

/// `routed = delivered + dead + dropped + queued`, in records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationRow {
    /// Component id.
    pub id: String,
    /// Appended to the journal for it.
    pub routed: u64,
    /// Taken by it.
    pub delivered: u64,
    /// In its dead-letter log, or once there.
    pub dead: u64,
    /// Given up on purpose.
    pub dropped: u64,
    /// Not settled.
    pub queued: u64,
    /// What does not add up; 0.
    pub unaccounted: i64,
    /// Its lanes, urgent first.
    pub lanes: Vec<LaneRow>,
    /// Deliveries that failed and are tried again.
    pub exceptions: Vec<Exception>,
    /// Its dead letters, the oldest 1,000 of those asked for; with a record, those that hold it.
    pub dead_letters: Vec<DeadLetterRow>,
}

/// How far a destination has come in a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneRow {
    /// `urgent` or `normal`.
    pub lane: String,
    /// All of its numbers below are settled.
    pub settled_below: u64,
    /// First and last of the ranges settled above that.
    pub settled: Vec<[u64; 2]>,
    /// When it had come how far.
    pub marks: Vec<MarkRow>,
}

/// All numbers below were settled by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkRow {
    /// The number.
    pub below: u64,
    /// RFC 3339.
    pub at: String,
}

/// Records that failed together and are tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// `urgent` or `normal`.
    pub lane: String,
    /// The first record.
    pub first: u64,
    /// The last record.
    pub last: u64,
    /// Tries that failed.
    pub failed_tries: u32,
    /// When it failed first, RFC 3339.
    pub since: String,
    /// When it failed last, RFC 3339.
    pub last_failed: String,
    /// What the destination said.
    pub reason: String,
}

/// Records in a dead-letter log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterRow {
    /// `refused` by the destination's answer, else `dead`.
    pub state: State,
    /// The first record.
    pub first: u64,
    /// The last record.
    pub last: u64,
    /// When, RFC 3339.
    pub at: String,
    /// What the destination answered.
    pub status: String,
    /// Why.
    pub reason: String,
}

/// What is known of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordRow {
    /// Its number.
    pub number: u64,
    /// When it was appended, RFC 3339; unknown once its segment is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appended: Option<String>,
    /// Its lane, `urgent` or `normal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// Where it stands, by destination.
    pub destinations: Vec<RecordPlace>,
}

/// Where a record stands with a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits to be tried.
    Queued,
    /// Is tried, or waits to be tried again.
    Attempt,
    /// Was taken.
    Delivered,
    /// Was refused by an answer, and is in the dead-letter log.
    Refused,
    /// Is in the dead-letter log for another reason.
    Dead,
    /// Is done with; that it was delivered can no longer be told from other ends.
    Settled,
    /// Is in a segment that cannot be read.
    Unreadable,
}

/// Whose books do not balance, and by how many records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// Component ids.
    pub unaccounted: Vec<(String, i64)>,
}

/// Seconds since the epoch as RFC 3339.
pub(super) fn time(unix_s: u64) -> String {
    let seconds = i64::try_from(unix_s).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| unix_s.to_string(), |at| at.to_string())
}

pub(super) fn lane_name(lane: Lane) -> String {
    match lane {
        Lane::Urgent => "urgent".to_owned(),
        Lane::Normal => "normal".to_owned(),
    }
}

pub(super) fn page(ledger: &Ledger, query: &LedgerQuery) -> io::Result<LedgerPage> {
    let standings = ledger.journal.standings();
    let wanted = |id: &str| query.destination.as_deref().is_none_or(|wanted| wanted == id);
    let record = query.record.map(|number| place::record(ledger, &standings, number, wanted));
    let mut destinations = Vec::new();
    for (number, standing) in standings.iter().enumerate().filter(|(_, one)| wanted(&one.id)) {
        let sheet = ledger.sheets.get(number).cloned().unwrap_or_default();
        destinations.push(destination(ledger, standing, &sheet, query)?);
    }
    Ok(LedgerPage {
        incarnation: format!("{:016x}", ledger.journal.incarnation()),
        next_record: ledger.journal.stats().next_sequence,
        receivers: receivers(ledger),
        destinations,
        record: record.transpose()?,
    })
}

pub(super) fn receivers(ledger: &Ledger) -> Vec<ReceiverRow> {
    let Some((metrics, ids)) = &ledger.receivers else { return Vec::new() };
    let row = |id: &String| {
        let labels = component(id);
        ReceiverRow {
            id: id.clone(),
            accepted: metrics.accepted_in_all(id),
            generated: metrics.generated.get_or_create_owned(&labels).get(),
            folded: metrics.folded.get_or_create_owned(&labels).get(),
            filtered: metrics.filtered.get_or_create_owned(&labels).get(),
            kept: metrics.kept.get_or_create_owned(&labels).get(),
            routed: metrics.routed.get_or_create_owned(&labels).get(),
            unaccounted: metrics.unaccounted.get_or_create_owned(&labels).get(),
        }
    };
    ids.iter().map(row).collect()
}

fn destination(
    ledger: &Ledger,
    standing: &Standing,
    sheet: &Sheet,
    query: &LedgerQuery,
) -> io::Result<DestinationRow> {
    let account = standing.account;
    let recent = |unix_s: u64| query.since_unix_s.is_none_or(|since| unix_s >= since);
    let rows = sheet.attempts.all();
    let mut letters = Vec::new();
    for letter in ledger.journal.dead_letters(&standing.id).into_iter().flatten() {
        let letter = letter?.letter;
        let asked = query.record.is_none_or(|number| letter.records.contains(&number));
        let recent = recent(seconds(letter.refused_at_unix_nanos));
        if asked && recent && letters.len() < LETTERS_MAX {
            letters.push(DeadLetterRow {
                state: place::state_of(&letter.status),
                first: letter.records.start,
                last: letter.records.end.saturating_sub(1),
                at: time(seconds(letter.refused_at_unix_nanos)),
                status: letter.status,
                reason: letter.reason,
            });
        }
    }
    Ok(DestinationRow {
        id: standing.id.clone(),
        routed: account.routed,
        delivered: account.delivered,
        dead: account.dead,
        dropped: account.dropped,
        queued: standing.queued,
        unaccounted: account.unaccounted(standing.queued),
        lanes: standing.lanes.iter().map(|lane| lane_row(lane, sheet)).collect(),
        exceptions: rows.iter().filter(|row| recent(row.last_unix_s)).map(exception).collect(),
        dead_letters: letters,
    })
}

fn lane_row(lane: &bessemer_journal::LaneStanding, sheet: &Sheet) -> LaneRow {
    let marks = sheet.marks(lane.lane);
    LaneRow {
        lane: lane_name(lane.lane),
        settled_below: lane.low,
        settled: lane.settled.iter().map(|range| [range.start, range.end - 1]).collect(),
        marks: marks
            .all()
            .iter()
            .map(|mark| MarkRow { below: mark.below, at: time(mark.unix_s) })
            .collect(),
    }
}

fn exception(row: &Attempt) -> Exception {
    Exception {
        lane: lane_name(row.lane),
        first: row.numbers.start,
        last: row.numbers.end.saturating_sub(1),
        failed_tries: row.failed,
        since: time(row.since_unix_s),
        last_failed: time(row.last_unix_s),
        reason: row.reason.clone(),
    }
}
