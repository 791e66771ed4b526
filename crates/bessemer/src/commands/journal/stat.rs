//! What a journal holds, for people and for programs.

use std::fmt::Write as _;

use bessemer_journal::{Cause, Lane, LaneStat, LogStat, Parked, SinkStat, Stat};
use serde_json::{Value, json};

use super::entry::lane;

/// What a page of text says of each destination's lane.
pub(super) fn table(stat: &Stat) -> String {
    let owner = stat.owner.map_or_else(|| "nobody".to_owned(), |pid| format!("process {pid}"));
    let mut text = format!("journal {:016x}, lock file names {owner}\n", stat.incarnation);
    logs(&mut text, stat);
    sinks(&mut text, stat);
    for parked in &stat.parked {
        line(&mut text, format_args!("\nnot served: {}: {}", parked.path.display(), parked.reason));
    }
    if stat.quarantined > 0 {
        line(&mut text, format_args!("\n{} files in quarantine", stat.quarantined));
    }
    text
}

fn logs(text: &mut String, stat: &Stat) {
    let width = stat.logs.iter().map(|log| log.name.len()).max().unwrap_or_default().max(4);
    line(
        text,
        format_args!("\n{:width$}  SEGMENTS  UNSEALED          BYTES  DAMAGED  NUMBERS", "LOG"),
    );
    for log in &stat.logs {
        let LogStat { name, segments, unsealed, bytes, damaged_blocks, numbers, .. } = log;
        let keys = log.keys.join(",");
        let keys = if keys.is_empty() { keys } else { format!("  keys {keys}") };
        line(
            text,
            format_args!(
                "{name:width$}  {segments:8}  {unsealed:8}  {bytes:13}  {damaged_blocks:7}  {}..{}{keys}",
                numbers.start, numbers.end
            ),
        );
    }
}

fn sinks(text: &mut String, stat: &Stat) {
    let width = stat.sinks.iter().map(|sink| sink.id.len()).max().unwrap_or_default().max(11);
    line(
        text,
        format_args!(
            "\n{:width$}  LANE        BACKLOG          BYTES  LOWEST UNSETTLED",
            "DESTINATION"
        ),
    );
    for sink in &stat.sinks {
        for (lane, count) in lanes(sink) {
            let LaneStat { low, settled, backlog_records, backlog_bytes } = count;
            let ranges = match settled.len() {
                0 => String::new(),
                count => format!(", {count} ranges settled above"),
            };
            let lost = if sink.has_cursor { "" } else { ", no cursor" };
            line(
                text,
                format_args!(
                    "{:width$}  {lane:6}  {backlog_records:11}  {backlog_bytes:13}  {low}{ranges}{lost}",
                    sink.id
                ),
            );
        }
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    writeln!(text, "{arguments}").unwrap_or_default();
}

fn lanes(sink: &SinkStat) -> impl Iterator<Item = (&'static str, &LaneStat)> {
    Lane::ALL.map(lane).into_iter().zip(&sink.lanes)
}

pub(super) fn value(stat: &Stat) -> Value {
    json!({
        "incarnation": format!("{:016x}", stat.incarnation),
        "lock_names_process": stat.owner,
        "logs": stat.logs.iter().map(log).collect::<Vec<_>>(),
        "destinations": stat.sinks.iter().map(sink).collect::<Vec<_>>(),
        "not_served": stat.parked.iter().map(parked).collect::<Vec<_>>(),
        "quarantined_files": stat.quarantined,
    })
}

fn log(log: &LogStat) -> Value {
    json!({
        "log": log.name,
        "segments": log.segments,
        "unsealed_segments": log.unsealed,
        "bytes": log.bytes,
        "first_number": log.numbers.start,
        "end_number": log.numbers.end,
        "damaged_blocks": log.damaged_blocks,
        "keys": log.keys,
    })
}

fn sink(sink: &SinkStat) -> Value {
    let lanes = lanes(sink).map(|(name, lane)| {
        json!({
            "lane": name,
            "lowest_unsettled": lane.low,
            "settled_above": lane.settled.iter().map(|range| [range.start, range.end]).collect::<Vec<_>>(),
            "backlog_records": lane.backlog_records,
            "backlog_bytes": lane.backlog_bytes,
        })
    });
    json!({ "id": sink.id, "has_cursor": sink.has_cursor, "lanes": lanes.collect::<Vec<_>>() })
}

fn parked(parked: &Parked) -> Value {
    let cause = match parked.cause {
        Cause::Stranger => "stranger",
        Cause::Locked => "key",
        Cause::Newer => "version",
        Cause::Damaged => "damage",
    };
    json!({ "path": parked.path, "cause": cause, "reason": parked.reason, "key": parked.key })
}
