//! What a user expects of a ledger, and whether it is so.

use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::{Context as _, bail};
use bessemer_pipeline::ledger::State;
use bessemer_pipeline::{LedgerPage, LedgerQuery};
use serde::Serialize;

use super::source::Asker;

/// Record numbers of one file at most: each is looked up.
const RECORDS_MAX: u64 = 10_000;
/// Bytes of a file at most.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    Records(RangeInclusive<u64>),
    Count { component: String, records: u64 },
}

/// How an expectation was met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) expected: String,
    pub(super) found: String,
    pub(super) met: bool,
}

/// Reads a file of expectations.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Expected>> {
    let name = path.display();
    let bytes = std::fs::metadata(path).with_context(|| format!("cannot read {name}"))?.len();
    if bytes > FILE_BYTES_MAX {
        bail!("{name} has {bytes} bytes, at most {FILE_BYTES_MAX} are read");
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    let mut all = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = number + 1;
        all.push(parse(line).with_context(|| {
            format!("{name}:{at}: {line:?} is no record number N, no N-M and no COMPONENT=COUNT")
        })?);
    }
    let records: u64 = all.iter().map(Expected::records).fold(0, u64::saturating_add);
    if records > RECORDS_MAX {
        bail!("{name} names {records} records, at most {RECORDS_MAX} are looked up");
    }
    Ok(all)
}

fn parse(line: &str) -> Option<Expected> {
    if let Some((component, count)) = line.rsplit_once('=') {
        let (component, records) = (component.trim().to_owned(), count.trim().parse().ok()?);
        return Some(Expected::Count { component, records });
    }
    let (first, last) = line.split_once('-').unwrap_or((line, line));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some(Expected::Records(first..=last))
}

impl Expected {
    fn records(&self) -> u64 {
        match self {
            Self::Records(numbers) => (numbers.end() - numbers.start()).saturating_add(1),
            Self::Count { .. } => 0,
        }
    }
}

/// Compares a ledger with what is expected of it.
pub(super) fn judge(
    asker: &mut Asker,
    page: &LedgerPage,
    expected: &[Expected],
) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for one in expected {
        match one {
            Expected::Count { component, records } => {
                findings.push(counted(page, component, *records));
            }
            Expected::Records(numbers) => {
                for number in numbers.clone() {
                    findings.push(placed(asker, page, number)?);
                }
            }
        }
    }
    Ok(findings)
}

fn counted(page: &LedgerPage, component: &str, records: u64) -> Finding {
    let receiver = page.receivers.iter().find(|row| row.id == component).map(|row| row.accepted);
    let destination = page.destinations.iter().find(|row| row.id == component);
    let found = receiver.or_else(|| destination.map(|row| row.routed));
    Finding {
        expected: format!("{component}={records}"),
        found: found.map_or_else(|| "no such component".to_owned(), |count| count.to_string()),
        met: found == Some(records),
    }
}

fn placed(asker: &mut Asker, page: &LedgerPage, number: u64) -> anyhow::Result<Finding> {
    let expected = number.to_string();
    if number >= page.next_record {
        return Ok(Finding { expected, found: "no such record".to_owned(), met: false });
    }
    let query = LedgerQuery { record: Some(number), ..LedgerQuery::default() };
    let row = asker.ask(&query)?.record;
    let places = row.map(|row| row.destinations).unwrap_or_default();
    let lost = places.iter().any(|place| place.state == State::Unreadable);
    let words: Vec<String> = places
        .iter()
        .map(|place| format!("{} {}", place.destination, super::table::state(place.state)))
        .collect();
    let found = if words.is_empty() { "nowhere".to_owned() } else { words.join(", ") };
    Ok(Finding { expected, found, met: !lost && !places.is_empty() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbers_ranges_and_counts() {
        assert_eq!(parse("7"), Some(Expected::Records(7..=7)));
        assert_eq!(parse("7 - 9"), Some(Expected::Records(7..=9)));
        let component = "otelcol.exporter.otlp.a-b".to_owned();
        let count = Expected::Count { component, records: 12 };
        assert_eq!(parse("otelcol.exporter.otlp.a-b = 12"), Some(count));
        for wrong in ["", "x", "9-7", "a=b", "-1"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
