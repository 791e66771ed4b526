//! The runner against a destination on loopback that answers by a script.

use std::time::Duration;

use super::fake::{Fake, logs};
use super::items::Items;
use super::link::Compression;
use super::*;
use bessemer_net::body::Encoding;
use bessemer_net::dial::Settings as DialSettings;
use bessemer_pipeline::Context;
use bessemer_runtime::Secret;
use http::uri::PathAndQuery;

use crate::otlp::settings::{Retry, SendingQueue};

/// Sends two records in each call, refuses the record `bad` itself, and asks once more at `202`.
struct Pairs;

impl HttpExporter for Pairs {
    fn plan(&self, delivery: &Delivery) -> Plan {
        let mut plan = Plan::default();
        let records = delivery.records();
        for start in (0..records).step_by(2) {
            let mut items = Items::default();
            (start..records.min(start + 2)).for_each(|record| items.push(record..record + 1));
            let path = PathAndQuery::from_static("/take");
            let body = format!("records from {start}").repeat(20);
            plan.calls.push(Call { request: Request::post(path, body.into_bytes()), items });
        }
        plan
    }

    fn judge(&self, _: &Call, exchange: &Exchange<'_>) -> Next {
        if exchange.answer.status == 202 {
            let request = Request::get(PathAndQuery::from_static("/later"));
            return Next::Ask { after: Duration::ZERO, request: Box::new(request) };
        }
        Next::Settle(by_status(exchange.answer, |status| matches!(status.as_u16(), 400 | 413)))
    }

    fn blames_content(&self, status: u16) -> bool {
        status == 400
    }
}

fn exporter(fake: &Fake, encoding: Encoding) -> Arc<dyn Exporter> {
    let client = DialSettings { endpoint: fake.url(), ..DialSettings::default() };
    let retry = Retry { enabled: false, ..Retry::default() };
    let compression = Compression { encoding, from: 50 };
    let link = Link::new(
        (&client, &retry, &SendingQueue::default()),
        compression,
        vec![Secret::new("canary-token")],
        &Context::detached(),
    );
    OverHttp::shared(Pairs, link.unwrap())
}

async fn deliver(fake: &Fake, records: usize) -> Verdict {
    let exporter = exporter(fake, Encoding::Identity);
    exporter.deliver(&logs(&vec!["x"; records])).await
}

fn retry(reason: &str) -> Verdict {
    Verdict::Retry { after: None, reason: reason.to_owned() }
}

#[tokio::test]
async fn all_calls_are_sent_in_order_and_one_verdict_comes_back() {
    let fake = Fake::scripted(&[(200, "")]);
    assert_eq!(deliver(&fake, 5).await, Verdict::Delivered);
    let bodies: Vec<String> = fake.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies.len(), 3);
    assert!(
        bodies
            .iter()
            .zip([0, 2, 4])
            .all(|(body, at)| body.starts_with(&format!("records from {at}")))
    );
}

#[tokio::test]
async fn behind_a_call_that_is_tried_later_nothing_is_sent() {
    let fake = Fake::scripted(&[(200, ""), (503, "busy")]);
    let verdict = deliver(&fake, 6).await;
    let busy = retry("503 Service Unavailable: busy");
    assert_eq!(verdict, Verdict::Split(vec![(2..6, busy)]));
    assert_eq!(fake.seen().len(), 2);
}

#[tokio::test]
async fn a_whole_delivery_that_is_tried_later_keeps_the_wish_of_the_destination() {
    let fake = Fake::scripted(&[(503, "retry-after: 7\n\nbusy")]);
    let after = Some(Duration::from_secs(7));
    let reason = "503 Service Unavailable: busy".to_owned();
    assert_eq!(deliver(&fake, 6).await, Verdict::Retry { after, reason });
}

#[tokio::test]
async fn one_call_too_large_is_sent_again_alone_and_then_halved() {
    let fake = Fake::scripted(&[(413, ""), (200, "")]);
    let reason = "413 Payload Too Large";
    assert_eq!(deliver(&fake, 4).await, Verdict::Split(vec![(0..2, retry(reason))]));
    let fake = Fake::scripted(&[(413, "")]);
    let refused = Verdict::Refused { status: 413, reason: reason.to_owned() };
    assert_eq!(deliver(&fake, 2).await, refused);
}

#[tokio::test]
async fn a_destination_may_be_asked_again_before_the_verdict() {
    let fake = Fake::scripted(&[(202, ""), (202, ""), (200, "")]);
    assert_eq!(deliver(&fake, 2).await, Verdict::Delivered);
    let lines: Vec<String> = fake.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(lines, ["POST /take", "GET /later", "GET /later"]);
}

#[tokio::test]
async fn what_a_destination_repeats_of_our_secrets_is_not_shown() {
    let fake = Fake::scripted(&[(400, "canary-token is\nwrong")]);
    let shown = format!("{:?}", deliver(&fake, 2).await);
    assert!(shown.contains("*** iswrong") && !shown.contains("canary"), "{shown}");
}

#[tokio::test]
async fn bodies_from_a_size_on_are_compressed() {
    let fake = Fake::scripted(&[(200, "")]);
    let exporter = exporter(&fake, Encoding::Gzip);
    assert_eq!(exporter.deliver(&logs(&["x", "y"])).await, Verdict::Delivered);
    let seen = &fake.seen()[0];
    assert_eq!(seen.header("content-encoding"), Some("gzip"));
    assert!(seen.body.starts_with("records from 0records"));
}

#[tokio::test]
async fn a_destination_that_does_not_answer_is_tried_later() {
    let fake = Fake::scripted(&[(200, "")]);
    let exporter = exporter(&fake, Encoding::Identity);
    exporter.close().await;
    assert_eq!(exporter.deliver(&logs(&["x"])).await, retry("shutting down"));
}
