//! Dead letters as people read them.

use bessemer_journal::{DeadLetters, Journal, Lane, StoredLetter};
use bessemer_record::{Checked, Signal, json};
use serde::{Deserialize, Serialize};

use super::ReplayError;
use super::selection::{Filter, MARK_HEADER, Selection};
use crate::meta::Meta;

/// Letters of one answer at most.
pub const LETTERS_MAX: usize = 10_000;
/// Bytes of records that one answer shows at most; then it ends early.
const SHOWN_BYTES_MAX: usize = 32 << 20;

/// Whether the records themselves are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// What is known about the letters.
    Facts,
    /// That, and the records as OTLP JSON.
    Records,
}

/// A dead letter, as far as it is meant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LetterRow {
    /// The destination that refused it.
    pub destination: String,
    /// Its first number in the log of that destination: names it.
    pub number: u64,
    /// How many of its records are meant.
    pub records: u32,
    /// The journal's number of the first record of the letter.
    pub first_record: u64,
    /// When it was refused, RFC 3339.
    pub refused_at: String,
    /// When it was received, RFC 3339.
    pub received_at: String,
    /// `logs`, `metrics` or `traces`.
    pub signal: String,
    /// `urgent` or `normal`.
    pub lane: String,
    /// What the destination answered; empty when it never did.
    pub status: String,
    /// Why, in words.
    pub reason: String,
    /// Component id of the receiver.
    pub receiver: String,
    /// The tenant, empty for none.
    pub tenant: String,
    /// The replay it came with, if it did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replay: Option<String>,
    /// Which configuration was running, in hexadecimal.
    pub config_hash: String,
    /// The records, as an OTLP export request in JSON.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request: Option<serde_json::Value>,
}

/// The dead letters that are meant, by destination and then the oldest first; at most `limit`.
/// Blocks on the disk.
pub fn letters(
    journal: &Journal,
    selection: &Selection,
    now_unix_nanos: u64,
    limit: usize,
    shown: Shown,
) -> Result<Vec<LetterRow>, ReplayError> {
    let filter = Filter::new(selection, now_unix_nanos)?;
    let mut rows = Vec::new();
    let mut bytes = 0;
    for destination in named(journal, selection)? {
        for stored in open(journal, &destination, selection) {
            if rows.len() >= limit.min(LETTERS_MAX) || bytes >= SHOWN_BYTES_MAX {
                return Ok(rows);
            }
            let stored = stored?;
            if let Some(row) = row(&destination, &stored, &filter, shown) {
                bytes += if shown == Shown::Records { stored.letter.payload.len() } else { 0 };
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

/// The ids of the logs that are meant.
pub(crate) fn named(journal: &Journal, selection: &Selection) -> Result<Vec<String>, ReplayError> {
    let logs = journal.dead_letter_logs();
    match &selection.destination {
        None => Ok(logs),
        Some(id) if logs.contains(id) => Ok(vec![id.clone()]),
        Some(id) => {
            let known = if logs.is_empty() { "there are none".to_owned() } else { logs.join(", ") };
            Err(ReplayError::NotFound(format!("no dead letters of {id:?}; logs: {known}")))
        }
    }
}

/// The letters of a log, from the one that a selection names.
pub(crate) fn open(
    journal: &Journal,
    id: &str,
    selection: &Selection,
) -> impl Iterator<Item = std::io::Result<StoredLetter>> + use<> {
    let first = selection.number.unwrap_or_default();
    let letters: Option<DeadLetters> = journal.dead_letters(id);
    letters.into_iter().flat_map(move |letters| letters.starting_at(first))
}

/// The batch in a letter and what is known of it; none when it was not written by this program.
pub(crate) fn batch(stored: &StoredLetter) -> Option<(Checked, Meta)> {
    let (signal, meta) = Meta::decode(&stored.letter.meta)?;
    let numbers = stored.numbers.end.saturating_sub(stored.numbers.start);
    let records = u32::try_from(numbers).unwrap_or(u32::MAX);
    Some((Checked::trusted(signal, stored.letter.payload.clone(), records), meta))
}

fn row(
    destination: &str,
    stored: &StoredLetter,
    filter: &Filter,
    shown: Shown,
) -> Option<LetterRow> {
    let letter = &stored.letter;
    if !filter.takes_letter(stored.numbers.start, letter) {
        return None;
    }
    let (batch, meta) = batch(stored)?;
    let (payload, records) = filter.divide(&batch, None).picked?;
    let request = (shown == Shown::Records).then(|| {
        let picked = Checked::trusted(batch.signal(), payload, records);
        serde_json::from_slice(&json::to_otlp_json(&picked)).unwrap_or_default()
    });
    Some(LetterRow {
        destination: destination.to_owned(),
        number: stored.numbers.start,
        records,
        first_record: letter.records.start,
        refused_at: rfc3339(letter.refused_at_unix_nanos),
        received_at: rfc3339(meta.received_at),
        signal: Signal::as_str(batch.signal()).to_owned(),
        lane: if letter.lane == Lane::Urgent { "urgent" } else { "normal" }.to_owned(),
        status: letter.status.clone(),
        reason: letter.reason.clone(),
        replay: meta.header(MARK_HEADER).map(str::to_owned),
        receiver: meta.receiver,
        tenant: meta.tenant,
        config_hash: format!("{:016x}", letter.config_hash),
        request,
    })
}

fn rfc3339(unix_nanos: u64) -> String {
    let timestamp = jiff::Timestamp::from_nanosecond(i128::from(unix_nanos));
    timestamp.map(|timestamp| timestamp.to_string()).unwrap_or_default()
}
