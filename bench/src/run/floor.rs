//! What Bessemer is held to: floors, as ratios of the same run, and what a run must never show.
//!
//! A floor that is missed is said and fails nothing: ratios of one short run on a shared machine
//! differ by a third. Far below what was measured before is a defect and fails the run, and so are
//! a lost record, a refused request and memory above its bound.

use super::table::Row;
use crate::figures::float;

const RSS_BYTES_MAX: u64 = 150_000_000;

/// A ratio of records per CPU-second.
struct Floor {
    case: &'static str,
    /// The rows it is compared with; the fastest of them counts.
    beside: &'static [(&'static str, &'static str)],
    at_least: f64,
    /// Below it the run fails: the floor, or three quarters of the least that was measured so far
    /// where that is less.
    held: f64,
}

const fn floor(
    case: &'static str,
    beside: &'static [(&'static str, &'static str)],
    at_least: f64,
    held: f64,
) -> Floor {
    Floor { case, beside, at_least, held }
}

const ROUTED: &[(&str, &str)] = &[("c", "otelcol"), ("c-memory", "otelcol")];

const FLOORS: &[Floor] = &[
    floor("a", &[("a", "otelcol")], 10.0, 10.0),
    floor("a", &[("a", "null")], 0.3, 0.28),
    floor("a-sync", &[("a-sync", "otelcol")], 10.0, 10.0),
    floor("a-sync", &[("a", "null")], 0.3, 0.22),
    floor("a-gzip", &[("a-gzip", "otelcol")], 5.0, 5.0),
    floor("b", &[("b", "otelcol")], 10.0, 3.5),
    floor("b", &[("b", "null")], 0.3, 0.2),
    floor("b-memory", &[("b-memory", "otelcol")], 10.0, 2.7),
    floor("b-memory", &[("b", "null")], 0.3, 0.14),
    floor("c", ROUTED, 15.0, 11.0),
    floor("c-memory", ROUTED, 15.0, 9.6),
    floor("d", &[("d", "otelcol")], 10.0, 9.6),
    floor("e-http", &[("e-http", "otelcol")], 10.0, 10.0),
    floor("e-grpc", &[("e-grpc", "otelcol")], 10.0, 6.3),
    floor("g", &[("g", "otelcol")], 10.0, 3.2),
    floor("h", &[("h", "otelcol")], 3.7, 2.7),
    floor("i", &[("i", "otelcol")], 3.1, 2.3),
    floor("j", &[("j", "otelcol")], 10.0, 7.5),
    floor("k", &[("c", "bessemer")], 0.75, 0.32),
];

/// What a check found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// One line a floor; those without both rows are named as not measured.
    pub(crate) lines: Vec<String>,
    /// What must not be.
    pub(crate) broken: Vec<String>,
}

/// Holds rows to the floors and to what must never be.
pub(crate) fn check(rows: &[Row]) -> Findings {
    let mut findings = Findings::default();
    for floor in FLOORS {
        compare(floor, rows, &mut findings);
    }
    memory(rows, &mut findings);
    for row in rows.iter().filter(|row| row.system == "bessemer") {
        let unwanted = [("lost", row.lost.unwrap_or(0)), ("failed", row.failed)];
        for (what, count) in unwanted.into_iter().filter(|(_, count)| *count > 0) {
            findings.broken.push(format!("{}: {count} {what}", row.case));
        }
    }
    findings
}

fn compare(floor: &Floor, rows: &[Row], findings: &mut Findings) {
    let per_cpu_s = |case: &str, system: &str| {
        rows.iter()
            .find(|row| row.case == case && row.system == system)
            .map(|row| row.records_per_cpu_s)
    };
    let (names, peers): (Vec<_>, Vec<_>) = floor
        .beside
        .iter()
        .map(|(case, system)| (format!("{system} in {case}"), per_cpu_s(case, system)))
        .unzip();
    let fastest = peers.into_iter().flatten().fold(0.0, f64::max);
    let what = format!("{} >= {} x {}", floor.case, floor.at_least, names.join(" or "));
    let Some(ours) = per_cpu_s(floor.case, "bessemer").filter(|_| fastest > 0.0) else {
        findings.lines.push(format!("not measured {what}"));
        return;
    };
    let ratio = ours / fastest;
    findings.lines.push(format!("{} {what}: {ratio:.2}", verdict(ratio >= floor.at_least)));
    if ratio < floor.held {
        let least = floor.held;
        findings.broken.push(format!("{what}: {ratio:.2} is below {least}, held so far"));
    }
}

fn memory(rows: &[Row], findings: &mut Findings) {
    let what = "f: RSS peak <= 150 MB with all destinations dead";
    let Some(row) = rows.iter().find(|row| row.case == "f" && row.system == "bessemer") else {
        findings.lines.push(format!("not measured {what}"));
        return;
    };
    let is_met = row.rss_peak_bytes <= RSS_BYTES_MAX;
    let line = format!("{} {what}: {:.1} MB", verdict(is_met), float(row.rss_peak_bytes) / 1e6);
    if !is_met {
        findings.broken.push(line.clone());
    }
    findings.lines.push(line);
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "met   " } else { "missed" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(case: &'static str, system: &'static str, records_per_cpu_s: f64) -> Row {
        Row {
            case,
            system,
            ack: "memory",
            records_per_s: 0.0,
            records_per_cpu_s,
            rss_peak_bytes: 150_000_001,
            disk_bytes: 0,
            lost: None,
            ack_p50_ms: 0.0,
            ack_p99_ms: 0.0,
            extra: None,
            throttled: 0,
            failed: 0,
            unanswered: 0,
            cpu_s: 0.0,
            rounds: 1,
        }
    }

    fn line(rows: &[Row], what: &str) -> String {
        check(rows).lines.into_iter().find(|line| line.contains(what)).unwrap()
    }

    #[test]
    fn a_ratio_below_its_floor_is_missed_and_is_not_rounded_up() {
        let rows = [row("a", "bessemer", 9.999), row("a", "otelcol", 1.0), row("a", "null", 30.0)];
        assert!(line(&rows, "a >= 10").starts_with("missed"));
        assert!(line(&rows, "a >= 0.3").starts_with("met"));
    }

    #[test]
    fn the_fastest_form_of_the_peer_is_the_one_to_beat() {
        let rows =
            [row("c", "bessemer", 20.0), row("c", "otelcol", 1.0), row("c-memory", "otelcol", 2.0)];
        assert!(line(&rows, "c >= 15").starts_with("missed"));
    }

    #[test]
    fn memory_is_held_to_its_byte_and_an_absent_row_is_said() {
        assert!(line(&[row("f", "bessemer", 1.0)], "RSS").starts_with("missed"));
        assert!(check(&[]).lines.iter().all(|line| line.starts_with("not measured")));
    }

    #[test]
    fn a_missed_floor_fails_nothing_until_it_is_far_below_what_was_held() {
        let peer = row("b", "otelcol", 1.0);
        let missed = check(&[row("b", "bessemer", 9.0), peer.clone()]);
        assert!(missed.lines.iter().any(|line| line.starts_with("missed b >= 10")));
        assert!(missed.broken.is_empty());
        let broken = check(&[row("b", "bessemer", 3.4), peer]).broken;
        assert!(broken.iter().any(|line| line.starts_with("b >= 10")), "{broken:?}");
    }

    #[test]
    fn what_is_lost_or_failed_or_too_large_breaks_the_run_for_us_alone() {
        let lossy = |system| Row { lost: Some(1), failed: 2, ..row("a", system, 1.0) };
        assert_eq!(check(&[lossy("bessemer")]).broken, ["a: 1 lost", "a: 2 failed"]);
        assert!(check(&[lossy("otelcol")]).broken.is_empty());
        let large = check(&[row("f", "bessemer", 1.0)]).broken;
        assert!(large.iter().any(|line| line.contains("RSS")), "{large:?}");
    }
}
