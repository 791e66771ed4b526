//! `bessemer dlq` and `bessemer replay`: what was refused, and sending records again.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use bessemer_pipeline::replay::{LetterRow, Order, Phase, Replay, Selection, Shown, Source};
use bessemer_runtime::{Clock, SystemClock};
use serde_json::json;

use super::directory;
use super::server::Server;
use crate::arguments::{
    Dlq, DlqDrop, DlqForm, DlqReplay, Letters, ListLetters, Records, Replay as ReplayArguments,
    ReplayHow,
};
use crate::output;

/// How often a running replay is asked how it fares.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const LETTERS: &str = "/api/v1/dead-letters";
const REPLAYS: &str = "/api/v1/replays";

pub(super) fn dlq(arguments: &Dlq) -> anyhow::Result<ExitCode> {
    match arguments {
        Dlq::List(list) => self::list(list),
        Dlq::Show(list) => show(list),
        Dlq::Replay(replay) => replay_letters(replay),
        Dlq::Drop(drop) => drop_letters(drop),
    }
}

fn list(arguments: &ListLetters) -> anyhow::Result<ExitCode> {
    let rows = letters(arguments, Shown::Facts)?;
    output::print(&match arguments.output {
        DlqForm::Json => format!("{}\n", serde_json::to_string_pretty(&rows)?),
        DlqForm::Table => table(&rows),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn show(arguments: &ListLetters) -> anyhow::Result<ExitCode> {
    let rows = letters(arguments, Shown::Records)?;
    output::print(&match arguments.output {
        DlqForm::Json => format!("{}\n", serde_json::to_string_pretty(&rows)?),
        DlqForm::Table => rows.iter().map(page).collect::<Result<Vec<_>, _>>()?.join("\n"),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn letters(arguments: &ListLetters, shown: Shown) -> anyhow::Result<Vec<LetterRow>> {
    match &arguments.holder.storage {
        Some(storage) => letters_in(storage, arguments, shown),
        None => letters_of_process(arguments, shown),
    }
}

fn letters_in(
    storage: &Path,
    arguments: &ListLetters,
    shown: Shown,
) -> anyhow::Result<Vec<LetterRow>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let now = clock.unix_nanos();
    let journal = directory::open(storage, &arguments.holder.keys, clock)?;
    let (selection, limit) = (selection(&arguments.letters), usize::from(arguments.limit));
    Ok(bessemer_pipeline::replay::letters(&journal, &selection, now, limit, shown)?)
}

fn letters_of_process(arguments: &ListLetters, shown: Shown) -> anyhow::Result<Vec<LetterRow>> {
    let Selection { destination, number, from, until, reason, status, class, condition } =
        selection(&arguments.letters);
    let server = Server::at(&arguments.holder.server)?;
    server.get(
        LETTERS,
        &[
            ("destination", destination),
            ("number", number.map(|number| number.to_string())),
            ("from", from),
            ("until", until),
            ("reason", reason),
            ("status", status),
            ("class", class),
            ("where", condition),
            ("limit", Some(arguments.limit.to_string())),
            ("records", Some((shown == Shown::Records).to_string())),
        ],
    )
}

fn drop_letters(arguments: &DlqDrop) -> anyhow::Result<ExitCode> {
    let selection = selection(&arguments.letters);
    if selection.is_everything() != arguments.all {
        bail!("say which letters are to go, or --all and nothing else");
    }
    let server = Server::at(&arguments.server.server)?;
    let answer: serde_json::Value = server.post(&format!("{LETTERS}/drop"), &selection)?;
    output::print(&match arguments.output {
        DlqForm::Json => format!("{answer}\n"),
        DlqForm::Table => {
            let records = answer.get("records").and_then(serde_json::Value::as_u64);
            format!("{} records dropped\n", records.unwrap_or_default())
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn replay_letters(arguments: &DlqReplay) -> anyhow::Result<ExitCode> {
    let selection = selection(&arguments.letters);
    start(Source::DeadLetters, selection, &arguments.how)
}

pub(super) fn replay(arguments: &ReplayArguments) -> anyhow::Result<ExitCode> {
    let how = &arguments.how;
    let server = Server::at(&how.server.server)?;
    if arguments.list {
        let all: Vec<Replay> = server.get(REPLAYS, &[])?;
        output::print(&match how.output {
            DlqForm::Json => format!("{}\n", serde_json::to_string_pretty(&all)?),
            DlqForm::Table => all.iter().map(line).collect(),
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(id) = &arguments.resume {
        let replay = server.post(&format!("{REPLAYS}/{id}/resume"), &json!({}))?;
        return follow(&server, replay, how.output);
    }
    let Records { from, until, class, condition } = arguments.records.clone();
    let destination = arguments.destination.clone();
    let selection =
        Selection { destination, from, until, class, condition, ..Selection::default() };
    start(Source::Journal, selection, how)
}

fn start(source: Source, selection: Selection, how: &ReplayHow) -> anyhow::Result<ExitCode> {
    let (to, rate, dry_run) = (how.to.clone(), how.rate, how.dry_run);
    let order = Order { source, selection, to, rate, dry_run };
    let server = Server::at(&how.server.server)?;
    let replay = server.post(REPLAYS, &order)?;
    follow(&server, replay, how.output)
}

/// Shows progress until the end. The process goes on when this command is ended.
fn follow(server: &Server, mut replay: Replay, form: DlqForm) -> anyhow::Result<ExitCode> {
    while replay.phase == Phase::Running {
        output::findings(line(&replay).trim_end());
        server.pause(LOOK_EVERY);
        replay = server.get(&format!("{REPLAYS}/{}", replay.id), &[])?;
    }
    output::print(&match form {
        DlqForm::Json => format!("{}\n", serde_json::to_string_pretty(&replay)?),
        DlqForm::Table => line(&replay),
    })?;
    if replay.phase == Phase::Stopped {
        bail!("replay stopped; bessemer replay --resume {} takes it up", replay.id);
    }
    Ok(ExitCode::SUCCESS)
}

fn selection(letters: &Letters) -> Selection {
    let Letters { destination, number, reason, status, records } = letters.clone();
    let Records { from, until, class, condition } = records;
    Selection { destination, number, from, until, reason, status, class, condition }
}

fn line(replay: &Replay) -> String {
    let phase = match replay.phase {
        Phase::Running => "running",
        Phase::Stopped => "stopped",
        Phase::Done => "done",
    };
    let Replay { id, records, position, first, end, note, order, .. } = replay;
    let all = end.saturating_sub(*first).max(1);
    let percent = position.saturating_sub(*first).min(all).saturating_mul(100) / all;
    let percent = if replay.phase == Phase::Done { 100 } else { percent };
    let verb = if order.dry_run { "would be replayed" } else { "replayed" };
    let note = if note.is_empty() { String::new() } else { format!(": {note}") };
    format!("{id}  {phase}  {percent} %  {records} records {verb}{note}\n")
}

fn table(rows: &[LetterRow]) -> String {
    let width = rows.iter().map(|row| row.destination.len()).max().unwrap_or_default().max(11);
    let head = ["DESTINATION", "NUMBER", "RECORDS", "SIGNAL", "REFUSED", "STATUS", "REASON"];
    let line = |cells: [&str; 7]| {
        let [destination, number, records, signal, refused, status, reason] = cells;
        let reason = reason.replace(['\n', '\r'], " ");
        format!(
            "{destination:width$}  {number:>8}  {records:>7}  {signal:7}  {refused:30}  \
             {status:6}  {reason}\n"
        )
    };
    let mut text = line(head);
    for row in rows {
        let (number, records) = (row.number.to_string(), row.records.to_string());
        let cells = [
            row.destination.as_str(),
            &number,
            &records,
            &row.signal,
            &row.refused_at,
            &row.status,
            &row.reason,
        ];
        text.push_str(&line(cells));
    }
    text
}

fn page(row: &LetterRow) -> anyhow::Result<String> {
    let request = serde_json::to_string_pretty(&row.request)?;
    Ok(format!("{}{request}\n", table(std::slice::from_ref(row))))
}
