//! What goes in is found again, once.

use super::*;
use bessemer_pipeline::{Meta, Part, RecordId};
use bessemer_record::{Limits, Signal, json};

fn delivery(bodies: &[(&str, &str, u64)]) -> Delivery {
    let records: Vec<serde_json::Value> = bodies
        .iter()
        .map(|(body, class, time)| {
            serde_json::json!({
                "timeUnixNano": time.to_string(), "severityNumber": 17,
                "body": { "stringValue": body },
                "attributes": [{ "key": "ai.classification", "value": { "stringValue": class } }],
            })
        })
        .collect();
    let service = serde_json::json!({ "key": "service.name", "value": { "stringValue": "shop" } });
    let request = serde_json::json!({ "resourceLogs": [{
        "resource": { "attributes": [service] }, "scopeLogs": [{ "logRecords": records }],
    }] });
    let text = request.to_string();
    let checked = json::from_otlp_json(Signal::Logs, text.as_bytes(), &Limits::default()).unwrap();
    Delivery {
        signal: Signal::Logs,
        parts: vec![Part {
            first: RecordId { incarnation: 7, number: 100 },
            records: checked.records(),
            meta: Arc::new(Meta::default()),
            payload: checked.into_bytes(),
        }],
        encoded: None,
    }
}

fn store(folder: &std::path::Path, events_max: u64) -> Inner {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _guard = runtime.enter();
    let inner = Inner {
        path: folder.join("deep").join("events.db"),
        retention: Duration::from_secs(u64::MAX / 2_000_000_000),
        events_max,
        clock: Arc::new(bessemer_runtime::SystemClock::default()),
        writer: Mutex::new(None),
        reader: Mutex::new(None),
        pruned_at: AtomicU64::new(0),
    };
    inner.open().unwrap();
    inner
}

fn ask(store: &Inner, filter: &EventFilter) -> EventPage {
    query::page(store.reader.lock().as_ref().unwrap(), filter).unwrap()
}

fn bodies(page: &EventPage) -> Vec<&str> {
    page.events.iter().map(|event| event.body.as_str()).collect()
}

#[test]
fn events_are_found_by_every_condition_and_a_second_delivery_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 0);
    let sent = delivery(&[("disk \"full\" now", "critical", 10), ("all well", "info", 20)]);
    store.write(&sent).unwrap();
    store.write(&sent).unwrap();
    let all = EventFilter { limit: 10, ..EventFilter::default() };
    assert_eq!(bodies(&ask(&store, &all)), ["all well", "disk \"full\" now"]);
    for filter in [
        EventFilter { classification: Some("critical".into()), ..all.clone() },
        EventFilter { text: Some("FULL disk".into()), ..all.clone() },
        EventFilter { until: Some(20), ..all.clone() },
        EventFilter { text: Some("\"full\" OR well".into()), until: Some(0), ..all.clone() },
    ] {
        let expected: &[&str] = if filter.until == Some(0) { &[] } else { &["disk \"full\" now"] };
        assert_eq!(bodies(&ask(&store, &filter)), expected, "{filter:?}");
    }
    let other = EventFilter { service: Some("other".into()), ..all };
    assert!(ask(&store, &other).events.is_empty());
}

#[test]
fn pages_follow_each_other_without_gap_or_overlap() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 0);
    let names: Vec<String> = (0..7).map(|index| format!("event {index}")).collect();
    let records: Vec<(&str, &str, u64)> =
        names.iter().map(|name| (name.as_str(), "info", 5)).collect();
    store.write(&delivery(&records)).unwrap();
    let mut seen = Vec::new();
    let mut filter = EventFilter { limit: 3, ..EventFilter::default() };
    loop {
        let page = ask(&store, &filter);
        seen.extend(page.events.iter().map(|event| event.body.clone()));
        let Some(cursor) = page.next_cursor else { break };
        filter.cursor = Some(cursor);
    }
    seen.sort();
    assert_eq!(seen, names);
}

#[test]
fn the_oldest_events_go_when_there_are_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 2);
    store.write(&delivery(&[("a", "info", 1), ("b", "info", 2), ("c", "info", 3)])).unwrap();
    store.prune(store.writer.lock().as_ref().unwrap()).unwrap();
    let left = ask(&store, &EventFilter { limit: 10, ..EventFilter::default() });
    assert_eq!(bodies(&left), ["c", "b"]);
}
