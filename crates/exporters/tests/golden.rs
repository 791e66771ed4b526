//! What each exporter over HTTP sends: its own example, given the same records of every signal.
//!
//! The snapshots under `golden/` hold each request as it stands before compression. To change one,
//! change the exporter, run with `INSTA_UPDATE=always`, and read the difference.

#![cfg(test)]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use bessemer_config::{Context as Reading, FixedEnvironment, MemorySources, Source, load_text};
use bessemer_exporters::http::Plan;
use bessemer_exporters::{CATALOG, PLANNERS};
use bessemer_pipeline::{Catalogs, Context, Delivery, Meta, Part, RecordId};
use bessemer_record::{Limits, Signal, json};
use bytes::Buf as _;

fn delivery(signal: Signal) -> Delivery {
    let path = format!("tests/golden/{signal}.json");
    let text = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let batch = json::from_otlp_json(signal, &text, &Limits::default()).unwrap();
    let part = Part {
        first: RecordId { incarnation: 7, number: 100 },
        records: batch.records(),
        meta: Arc::new(Meta::default()),
        payload: batch.into_bytes(),
    };
    Delivery { signal, parts: vec![part], encoded: None }
}

fn shown(plan: Plan) -> String {
    let mut out = String::new();
    for (records, verdict) in plan.verdicts {
        writeln!(out, "records {records:?}: {verdict:?}").unwrap();
    }
    for mut call in plan.calls {
        let records: Vec<_> = call.items.all().collect();
        writeln!(out, "{} {} (records {records:?})", call.request.method, call.request.path)
            .unwrap();
        let mut headers: Vec<String> =
            call.request.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        headers.sort();
        writeln!(out, "{}\n", headers.join("\n")).unwrap();
        let length = call.request.body.len();
        let body = call.request.body.copy_to_bytes(length);
        writeln!(out, "{}", std::str::from_utf8(&body).unwrap()).unwrap();
    }
    out.replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

#[test]
fn the_example_of_each_exporter_sends_what_its_snapshot_says() {
    let catalogs = Catalogs::new(&[CATALOG]);
    for (name, planner) in PLANNERS {
        let row = catalogs.find(name).unwrap();
        let sources = MemorySources::default();
        let environment = FixedEnvironment::default();
        let reading = Reading { sources: &sources, environment: &environment, catalog: &catalogs };
        let loaded = load_text(&Source::new("example.alloy", row.example), &reading);
        let graph = loaded.unwrap_or_else(|found| panic!("{name}: {found:?}")).graph;
        let node = graph.node(&format!("{name}.example")).unwrap();
        let exporter = planner(&node.settings, &Context::detached()).unwrap();
        for signal in row.signals {
            let sent = shown(exporter.plan(&delivery(*signal)));
            let mut settings = insta::Settings::clone_current();
            settings.set_snapshot_path("golden");
            settings.set_prepend_module_to_snapshot(false);
            let short = name.rsplit('.').next().unwrap();
            settings.bind(|| insta::assert_snapshot!(format!("{short}_{signal}"), sent));
        }
    }
}
