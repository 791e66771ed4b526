//! Medians of the rounds, as rows for people and for programs.

use serde::Serialize;

use super::measure::Measurement;
use crate::figures::{float, median};

/// One system in one case.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) case: &'static str,
    pub(crate) system: &'static str,
    pub(crate) ack: &'static str,
    pub(crate) records_per_s: f64,
    pub(crate) records_per_cpu_s: f64,
    pub(crate) rss_peak_bytes: u64,
    pub(crate) disk_bytes: u64,
    pub(crate) lost: Option<u64>,
    pub(crate) ack_p50_ms: f64,
    pub(crate) ack_p99_ms: f64,
    pub(crate) extra: Option<u64>,
    pub(crate) throttled: u64,
    pub(crate) failed: u64,
    pub(crate) unanswered: u64,
    pub(crate) cpu_s: f64,
    pub(crate) rounds: usize,
}

/// Figures of speed are medians; memory, disk and loss are the worst of the rounds.
pub(crate) fn medians(measured: &[Measurement]) -> Vec<Row> {
    let mut keys: Vec<(&str, &str)> = Vec::new();
    for one in measured {
        if !keys.contains(&(one.case, one.system)) {
            keys.push((one.case, one.system));
        }
    }
    let rounds_of = |&(case, system): &(&str, &str)| {
        measured.iter().filter(|one| (one.case, one.system) == (case, system)).collect::<Vec<_>>()
    };
    keys.iter().filter_map(|key| row(&rounds_of(key))).collect()
}

fn row(rounds: &[&Measurement]) -> Option<Row> {
    let first = rounds.first()?;
    let middle = |figure: fn(&Measurement) -> f64| {
        median(rounds.iter().map(|round| figure(round)).collect())
    };
    let worst = |figure: fn(&Measurement) -> u64| {
        rounds.iter().map(|round| figure(round)).max().unwrap_or_default()
    };
    Some(Row {
        case: first.case,
        system: first.system,
        ack: first.ack,
        records_per_s: middle(Measurement::records_per_s),
        records_per_cpu_s: middle(Measurement::records_per_cpu_s),
        rss_peak_bytes: worst(|round| round.rss_peak_bytes),
        disk_bytes: worst(|round| round.disk_bytes),
        lost: rounds.iter().filter_map(|round| round.lost).max(),
        ack_p50_ms: middle(|round| round.load.ack.p50_ms),
        ack_p99_ms: middle(|round| round.load.ack.p99_ms),
        extra: rounds.iter().filter_map(|round| round.extra).max(),
        throttled: worst(|round| round.load.throttled),
        failed: worst(|round| round.load.failed),
        unanswered: worst(|round| round.load.unanswered),
        cpu_s: middle(|round| round.cpu_s),
        rounds: rounds.len(),
    })
}

/// The table as lines of text.
pub(crate) fn lines(rows: &[Row]) -> Vec<String> {
    let head = format!(
        "{:<9} {:<9} {:<9} {:>9} {:>9} {:>7} {:>8} {:>8} {:>9} {:>8} {:>8}",
        "case",
        "system",
        "ack",
        "krec/s",
        "krec/cpu",
        "x peer",
        "rss MB",
        "disk MB",
        "lost",
        "p50 ms",
        "p99 ms"
    );
    std::iter::once(head).chain(rows.iter().map(|row| line(row, rows))).collect()
}

fn line(row: &Row, rows: &[Row]) -> String {
    let peer = rows.iter().find(|other| other.case == row.case && other.system == "otelcol");
    let times = peer.map_or_else(String::new, |peer| {
        format!("{:.1}", row.records_per_cpu_s / peer.records_per_cpu_s)
    });
    let lost = row.lost.map_or_else(|| "-".to_owned(), |lost| lost.to_string());
    format!(
        "{:<9} {:<9} {:<9} {:>9.0} {:>9.0} {:>7} {:>8.0} {:>8.0} {:>9} {:>8.2} {:>8.2}",
        row.case,
        row.system,
        row.ack,
        row.records_per_s / 1e3,
        row.records_per_cpu_s / 1e3,
        times,
        float(row.rss_peak_bytes) / 1e6,
        float(row.disk_bytes) / 1e6,
        lost,
        row.ack_p50_ms,
        row.ack_p99_ms,
    )
}
