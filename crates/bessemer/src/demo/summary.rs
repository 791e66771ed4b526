//! What the demo shows: rates, classes, routes, the last critical records with their reasons.

use std::time::Duration;

use bessemer_pipeline::metrics::{ClassLabels, component};
use bessemer_pipeline::{Context, Event, EventFilter, Status};
use bessemer_runtime::Tasks;

use super::Ports;
use crate::output;
use crate::run::Running;

const EVERY: Duration = Duration::from_secs(1);
const CLASSIFY: &str = "bessemer.processor.classify.rules";
const CLASSES: [&str; 3] = ["critical", "warning", "info"];
/// Critical records shown.
const CRITICAL_SHOWN: u32 = 3;
/// Columns of a body shown.
const BODY_COLUMNS: usize = 60;
/// Moves up and clears what was printed last.
const UP_AND_CLEAR: &str = "\x1b[J";

/// Says what runs, where to look and what is generated.
pub(super) fn introduce(running: &Running, ports: Ports, rate: u32) -> std::io::Result<()> {
    let admin = running.admin;
    let source = if rate == 0 {
        "nothing is generated; send OTLP to the ports above".to_owned()
    } else {
        format!("about {rate} log records per second are generated here, marked demo.generated")
    };
    output::print(&format!(
        "Bessemer {} demo\n\
         \x20 OTLP gRPC   127.0.0.1:{}\n\
         \x20 OTLP HTTP   http://127.0.0.1:{}/v1/{{logs,metrics,traces}}\n\
         \x20 events      http://{admin}/api/v1/events?classification=critical\n\
         \x20 metrics     http://{admin}/metrics\n\
         \x20 graph       http://{admin}/api/v1/graph?format=mermaid\n\
         \x20 health      http://{admin}/health\n\
         \x20 {source}\n\
         \x20 Ctrl-C drains and ends\n\n",
        env!("CARGO_PKG_VERSION"),
        ports.grpc,
        ports.http,
    ))
}

/// Prints a summary every second until cancelled.
pub(super) fn start(running: &Running) -> Tasks {
    let tasks = Tasks::new();
    let (stop, context, status) = (tasks.clone(), running.context.clone(), running.engine.status());
    let live = output::is_terminal();
    tasks.spawn(async move {
        let mut lines = 0;
        let mut before = classes(&context);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = context.clock.sleep(EVERY) => {}
            }
            let now = classes(&context);
            let text = page(&context, &status, before, now).await;
            before = now;
            let rewind = if live && lines > 0 {
                format!("\x1b[{lines}F{UP_AND_CLEAR}")
            } else {
                String::new()
            };
            lines = text.lines().count();
            if output::print(&format!("{rewind}{text}")).is_err() {
                return;
            }
        }
    });
    tasks
}

/// The totals at the end.
pub(super) fn conclude(context: &Context) -> std::io::Result<()> {
    let totals = classes(context);
    let text: Vec<String> =
        CLASSES.iter().zip(totals).map(|(class, count)| format!("{count} {class}")).collect();
    output::print(&format!("done: {}\n", text.join(", ")))
}

fn classes(context: &Context) -> [u64; 3] {
    CLASSES.map(|class| {
        let labels = ClassLabels { component: CLASSIFY.to_owned(), class };
        context.metrics.classified.get_or_create_owned(&labels).get()
    })
}

async fn page(context: &Context, status: &Status, before: [u64; 3], now: [u64; 3]) -> String {
    let rate: u64 = now.iter().zip(before).map(|(now, before)| now - before).sum();
    let counts: Vec<String> =
        CLASSES.iter().zip(now).map(|(class, count)| format!("{class} {count:<8}")).collect();
    let mut lines = vec![format!("{rate:>6} records/s   {}", counts.concat())];
    for destination in status.destinations() {
        let labels = component(&destination.id);
        let delivered = context.metrics.delivered.get_or_create_owned(&labels).get();
        let state = if destination.healthy { "ok" } else { "retrying" };
        lines.push(format!(
            "       -> {:34} {state:9} delivered {delivered:<8} queued {}",
            destination.id, destination.queue_records
        ));
    }
    for event in last_critical(context).await {
        lines.push(format!("  critical  {}", describe(&event)));
    }
    lines.push(String::new());
    lines.join("\n")
}

async fn last_critical(context: &Context) -> Vec<Event> {
    let Some(store) = context.services.event_query(None) else { return Vec::new() };
    let filter = EventFilter {
        classification: Some("critical".to_owned()),
        limit: CRITICAL_SHOWN,
        ..EventFilter::default()
    };
    store.query(filter).await.map(|page| page.events).unwrap_or_default()
}

fn describe(event: &Event) -> String {
    let body: String = event.body.chars().filter(|c| !c.is_control()).take(BODY_COLUMNS).collect();
    let reason = event.attributes.get("ai.reason").and_then(|reason| reason.as_str()).unwrap_or("");
    format!("{}: {body}  [{reason}]", event.service)
}
