//! Records from the batch that they came in to the one that they leave in.

use bessemer_config::value::Reference;
use bessemer_pipeline::exporter::RecordId;
use bessemer_pipeline::{Context, Meta};
use bessemer_record::json::from_otlp_json;
use bessemer_record::{Limits, Tails};
use proptest::prelude::*;
use serde_json::json;

use super::super::settings::Settings;
use super::super::text_of;
use super::*;
use crate::llm::lab::verdict;
use crate::llm::tier::{Settings as TierSettings, Tier};

/// Templates that records have here.
const TEMPLATES: [&str; 4] = ["pump stands", "valve stands", "belt stands", "attack seen"];

struct Lab {
    stage: Waiting,
    tails: Arc<Tails>,
    next: u64,
}

/// A record: its body and class.
type Shown = (String, String);

fn lab(records_max: u64) -> Lab {
    let provider = Reference { node: "bessemer.llm.local.own".to_owned(), export: String::new() };
    let settings = Settings { llm: Some(TierSettings::of(vec![provider])), ..Settings::default() };
    let context = Context::detached().of("bessemer.processor.classify.test");
    let classify = Arc::new(Classify::new(&settings, &context).unwrap());
    let tails = std::mem::take(&mut *context.tails.lock()).build();
    let asker = tier(&classify).asker.clone();
    let stage = Waiting::new(classify, asker, Duration::from_secs(5), records_max);
    Lab { stage, tails, next: 0 }
}

fn tier(classify: &Classify) -> &Tier {
    &classify.keeper.as_ref().unwrap().judge.raiser().tier
}

impl Lab {
    /// Sends a batch; what passed, and what is in the journal for the stage.
    fn send(&mut self, bodies: &[String]) -> (Vec<Shown>, Option<Part>) {
        let record = |body: &String| json!({ "body": { "stringValue": body } });
        let records: Vec<_> = bodies.iter().map(record).collect();
        let request = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": records }] }] });
        let limits = Limits::default();
        let checked = from_otlp_json(Signal::Logs, request.to_string().as_bytes(), &limits);
        let bytes = checked.unwrap().into_bytes();
        let mut draft = Draft::check(Signal::Logs, bytes, &limits, &self.tails).unwrap();
        let mut scratch = Scratch::default();
        self.stage.choose(&mut draft, &mut scratch);
        let (mut passed, mut held) = (Vec::new(), None);
        for emitted in draft.emit(|item| item.route, 2) {
            if emitted.output == PASSES {
                passed = shown(&emitted.bytes);
            } else {
                let first = RecordId { incarnation: 1, number: self.next };
                self.next += u64::from(emitted.records);
                let (records, payload) = (emitted.records, emitted.bytes);
                held = Some(Part { first, records, meta: Arc::new(Meta::default()), payload });
            }
        }
        std::mem::take(&mut scratch.after).run();
        (passed, held)
    }

    /// An LLM answers every question that waits.
    fn answer(&self, class: Class) {
        let tier = tier(&self.stage.classify);
        for question in tier.asker.take(usize::MAX) {
            tier.verdicts.put(Arc::new(verdict(question.template.0, class)));
            tier.asker.settle([question.template]);
        }
    }
}

fn shown(bytes: &bytes::Bytes) -> Vec<Shown> {
    let limits = Limits::default();
    let draft = Draft::check(Signal::Logs, bytes.clone(), &limits, &Tails::none()).unwrap();
    let class = |item| draft.attribute(item, b"ai.classification").map(text_of).unwrap_or_default();
    let body = |item| String::from_utf8_lossy(draft.body(item)).into_owned();
    (0..draft.len()).map(|item| (body(item), class(item))).collect()
}

fn released(holding: &mut Box<dyn Holding>) -> Vec<Shown> {
    holding.emit(0).iter().flat_map(|made| shown(&made.bytes)).collect()
}

#[tokio::test]
async fn a_record_that_waits_leaves_with_the_class_of_the_verdict() {
    let mut lab = lab(100);
    let (passed, held) = lab.send(&["pump stands".to_owned(), "attack seen".to_owned()]);
    assert_eq!(passed, [("attack seen".to_owned(), "critical".to_owned())]);
    let mut holding = lab.stage.hold(&lab.tails);
    holding.take(Signal::Logs, Lane::Normal, &held.unwrap());
    let mut ready = holding.ready();
    assert!(futures_pending(&mut ready).await, "nobody answered");
    lab.answer(Class::Critical);
    ready.await;
    let made = holding.emit(0);
    assert_eq!(made[0].lane, Lane::Urgent);
    assert_eq!(shown(&made[0].bytes), [("pump stands".to_owned(), "critical".to_owned())]);
    assert!(lab.send(&["pump stands".to_owned()]).1.is_none(), "the template is known now");
}

async fn futures_pending(future: &mut BoxFuture<'static, ()>) -> bool {
    tokio::select! {
        biased;
        () = future => false,
        () = std::future::ready(()) => true,
    }
}

/// Scenario: the process ends while records wait; another one reads them from the journal.
/// Promise: the question is put again, and they wait again.
#[tokio::test]
async fn what_waited_when_the_process_died_is_asked_about_anew() {
    let mut first = lab(100);
    let (_, held) = first.send(&["pump stands".to_owned()]);
    let second = lab(100);
    let mut holding = second.stage.hold(&second.tails);
    holding.take(Signal::Logs, Lane::Normal, &held.unwrap());
    assert!(futures_pending(&mut holding.ready()).await);
    second.answer(Class::Warning);
    holding.ready().await;
    assert_eq!(released(&mut holding), [("pump stands".to_owned(), "warning".to_owned())]);
}

proptest! {
    /// Promise: whatever is sent, held, answered and let go, and in which order: every record leaves
    /// once, none with a lower class than its own, and no more wait than may.
    #[test]
    fn every_record_leaves_once_and_no_more_wait_than_may(
        turns in proptest::collection::vec(
            (proptest::collection::vec(0_usize..4, 1..8), proptest::option::of(0_usize..3), any::<bool>()),
            1..20,
        ),
        records_max in 1_u64..12,
    ) {
        let mut lab = lab(records_max);
        let mut holding = lab.stage.hold(&lab.tails);
        let (mut sent, mut left, mut waiting) = (Vec::new(), Vec::new(), 0_u64);
        for (bodies, verdict, is_over) in turns {
            let bodies: Vec<String> = bodies.iter().map(|at| TEMPLATES[*at].to_owned()).collect();
            sent.extend(bodies.clone());
            let (passed, held) = lab.send(&bodies);
            left.extend(passed);
            if let Some(part) = held {
                waiting += u64::from(part.records);
                prop_assert!(waiting <= records_max, "{waiting} of {records_max}");
                holding.take(Signal::Logs, Lane::Normal, &part);
            }
            if let Some(class) = verdict {
                lab.answer(Class::ALL[class]);
            }
            if is_over || holding.bytes() == usize::MAX {
                left.extend(released(&mut holding));
                waiting = 0;
            }
        }
        left.extend(released(&mut holding));
        prop_assert!(left.iter().all(|(body, class)| body != "attack seen" || class == "critical"));
        let mut bodies: Vec<String> = left.into_iter().map(|(body, _)| body).collect();
        bodies.sort();
        sent.sort();
        prop_assert_eq!(bodies, sent);
    }
}
