//! The least that Bessemer must reach, as ratios of the same run.

use super::table::Row;
use crate::figures::float;

const RSS_BYTES_MAX: u64 = 150_000_000;

/// A ratio of records per CPU-second.
struct Floor {
    case: &'static str,
    /// The rows it is compared with; the fastest of them counts.
    beside: &'static [(&'static str, &'static str)],
    at_least: f64,
}

const fn floor(
    case: &'static str,
    beside: &'static [(&'static str, &'static str)],
    at_least: f64,
) -> Floor {
    Floor { case, beside, at_least }
}

const ROUTED: &[(&str, &str)] = &[("c", "otelcol"), ("c-memory", "otelcol")];

const FLOORS: &[Floor] = &[
    floor("a", &[("a", "otelcol")], 10.0),
    floor("a", &[("a", "null")], 0.3),
    floor("a-sync", &[("a-sync", "otelcol")], 10.0),
    floor("a-sync", &[("a", "null")], 0.3),
    floor("a-gzip", &[("a-gzip", "otelcol")], 5.0),
    floor("b", &[("b", "otelcol")], 10.0),
    floor("b", &[("b", "null")], 0.3),
    floor("b-memory", &[("b-memory", "otelcol")], 10.0),
    floor("b-memory", &[("b", "null")], 0.3),
    floor("c", ROUTED, 15.0),
    floor("c-memory", ROUTED, 15.0),
    floor("d", &[("d", "otelcol")], 10.0),
    floor("e-http", &[("e-http", "otelcol")], 10.0),
    floor("e-grpc", &[("e-grpc", "otelcol")], 10.0),
];

/// One line a floor; those without both rows are named as not measured.
pub(crate) fn lines(rows: &[Row]) -> Vec<String> {
    let mut lines: Vec<_> = FLOORS.iter().map(|floor| ratio(floor, rows)).collect();
    lines.push(memory(rows));
    lines
}

fn ratio(floor: &Floor, rows: &[Row]) -> String {
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
    match per_cpu_s(floor.case, "bessemer") {
        Some(ours) if fastest > 0.0 => {
            let ratio = ours / fastest;
            let verdict = if ratio >= floor.at_least { "met   " } else { "missed" };
            format!("{verdict} {what}: {ratio:.2}")
        }
        _ => format!("not measured {what}"),
    }
}

fn memory(rows: &[Row]) -> String {
    let what = "f: RSS peak <= 150 MB with all destinations dead";
    match rows.iter().find(|row| row.case == "f" && row.system == "bessemer") {
        Some(row) => {
            let is_met = row.rss_peak_bytes <= RSS_BYTES_MAX;
            let verdict = if is_met { "met   " } else { "missed" };
            format!("{verdict} {what}: {:.1} MB", float(row.rss_peak_bytes) / 1e6)
        }
        None => format!("not measured {what}"),
    }
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
        lines(rows).into_iter().find(|line| line.contains(what)).unwrap()
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
        assert!(lines(&[]).iter().all(|line| line.starts_with("not measured")));
    }
}
