//! Records before, while and after an LLM is asked about their template.

use std::sync::Arc;
use std::time::Duration;

use bessemer_config::value::Reference;
use bessemer_pipeline::metrics::llm::AvoidedLabels;
use bessemer_pipeline::services::{Correction, Feedback as _};
use bessemer_pipeline::{Context, Scratch, Step as _};
use bessemer_record::{Draft, Limits, Signal, json};
use serde_json::json;

use super::super::correct::Corrections;
use super::super::explain::{Explainer, Explanation, Question as WhyQuestion};
use super::super::{Classify, Settings, text_of};
use super::*;
use crate::llm::Offered;
use crate::llm::lab::{injections, verdict};
use crate::llm::tier::Settings as TierSettings;
use crate::money::Micros;

struct Lab {
    classify: Arc<Classify>,
    tails: Arc<Tails>,
    context: Context,
}

impl Lab {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut TierSettings)) -> Self {
        let provider =
            Reference { node: "bessemer.llm.local.own".to_owned(), export: String::new() };
        let mut tier = TierSettings::of(vec![provider]);
        change(&mut tier);
        let settings = Settings { llm: Some(tier), ..Settings::default() };
        let context = Context::detached().of("bessemer.processor.classify.test");
        let classify = Arc::new(Classify::new(&settings, &context).unwrap());
        let tails = std::mem::take(&mut *context.tails.lock()).build();
        Self { classify, tails, context }
    }

    fn tier(&self) -> &Tier {
        &self.classify.keeper.as_ref().unwrap().judge.raiser().tier
    }

    /// Class, tier, reason and degradation of a record.
    fn label(&self, body: &str, severity: u8) -> [String; 4] {
        self.label_of(&json!({ "severityNumber": severity, "body": { "stringValue": body } }))
    }

    fn label_of(&self, record: &serde_json::Value) -> [String; 4] {
        self.label_from(&json!({}), record)
    }

    fn label_from(&self, resource: &serde_json::Value, record: &serde_json::Value) -> [String; 4] {
        let logs = json!({ "resource": resource, "scopeLogs": [{ "logRecords": [record] }] });
        let request = json!({ "resourceLogs": [logs] });
        let limits = Limits::default();
        let text = request.to_string();
        let checked = json::from_otlp_json(Signal::Logs, text.as_bytes(), &limits).unwrap();
        let mut draft =
            Draft::check(Signal::Logs, checked.into_bytes(), &limits, &self.tails).unwrap();
        self.classify.run(&mut draft, &mut Scratch::default());
        ["ai.classification", "ai.tier", "ai.reason", "ai.degraded"]
            .map(|key| draft.attribute(0, key.as_bytes()).map(text_of).unwrap_or_default())
    }

    /// Why a record has its label.
    fn explain(&self, body: &str, severity: u8) -> Explanation {
        let attributes = serde_json::Map::new();
        let question = WhyQuestion { body, severity, attributes: &attributes };
        Explainer::of(&self.classify).explain(&question).unwrap()
    }

    /// The one question that waits.
    fn question(&self) -> Question {
        let mut taken = self.tier().asker.take(10);
        assert_eq!(taken.len(), 1);
        taken.remove(0)
    }

    fn answer(&self, template: TemplateId, class: Class) {
        let reason = "a pump that stands still".to_owned();
        let verdict = Verdict { reason, ..verdict(template.0, class) };
        self.tier().verdicts.put(Arc::new(verdict));
        self.tier().asker.settle([template]);
    }
}

#[test]
fn records_go_on_with_their_local_label_until_a_verdict_raises_it() {
    let lab = Lab::new();
    let local = lab.label("pump 7 of user jane@example.org stands", 9);
    assert_eq!([&*local[0], &*local[1]], ["info", "rules"]);
    assert_eq!(lab.label("pump 8 of user jane@example.org stands", 9), local);
    let question = lab.question();
    assert!(!question.text.as_str().contains("jane"), "{}", question.text.as_str());
    lab.answer(question.template, Class::Critical);
    let raised = lab.label("pump 9 of user jane@example.org stands", 9);
    assert_eq!(raised[..3], ["critical", "llm", "a pump that stands still"]);
    lab.tier().verdicts.forget(question.template);
    assert_eq!(lab.label("pump 7 of user jane@example.org stands", 9), local);
}

#[test]
fn a_question_is_paid_by_whom_the_resource_names_and_the_name_is_bounded() {
    let asked_by = |attribute: &str, tenant: &str| {
        let lab = Lab::with(|tier| tier.tenant_attribute = attribute.to_owned());
        let value = json!({ "stringValue": tenant });
        let resource = json!({ "attributes": [{ "key": "team", "value": value }] });
        lab.label_from(&resource, &json!({ "body": { "stringValue": "pump stands" } }));
        lab.question().tenant.to_string()
    };
    assert_eq!(asked_by("team", "acme"), "acme");
    assert_eq!(asked_by("other", "acme"), "", "nobody in particular");
    assert_eq!(asked_by("", "acme"), "", "not set");
    let [one, two] = ["a", "b"].map(|end| asked_by("team", &format!("{}{end}", "x".repeat(500))));
    assert!(one.len() <= TENANT_BYTES_MAX && one != two, "{one} {two}");
}

#[test]
fn records_that_no_llm_is_asked_about_are_counted_by_what_made_that_needless() {
    let lab = Lab::new();
    let avoided = || {
        let count = |by| {
            let labels = AvoidedLabels { component: lab.context.id.clone(), by };
            lab.context.metrics.llm.avoided.get_or_create_owned(&labels).get()
        };
        ["rules", "model", "verdict", "operator"].map(count)
    };
    lab.label("attack on gate 3", 9);
    assert_eq!(avoided(), [1, 0, 0, 0]);
    lab.label("pump stands", 9);
    assert_eq!(avoided(), [1, 0, 0, 0], "an LLM is asked about it");
    lab.answer(lab.question().template, Class::Critical);
    lab.label("pump stands", 9);
    lab.label("pump stands", 9);
    assert_eq!(avoided(), [1, 0, 2, 0]);
}

#[test]
fn an_explanation_tells_who_said_what_for_how_much_and_whether_it_decided() {
    let lab = Lab::new();
    lab.label("pump 7 stands", 9);
    assert_eq!(lab.explain("pump 7 stands", 9).llm, None, "nobody was asked yet");
    lab.answer(lab.question().template, Class::Warning);
    let found = lab.explain("pump 8 stands", 9);
    let said = found.llm.clone().unwrap();
    assert_eq!((&*said.provider, &*said.model, &*said.prompt), ("p", "m", "0000000000000007"));
    assert_eq!((said.class, said.cost.0), (Class::Warning, Micros(3)));
    let label = lab.label("pump 8 stands", 9);
    let own = [found.class.as_str(), found.tier.as_str(), &found.reason];
    assert_eq!(label[..3], own, "the explanation is that of the label");
    assert_eq!(own, ["warning", "llm", "a pump that stands still"]);
    // ERROR makes it a warning by rule; the same template, and nothing to raise.
    let ruled = lab.explain("pump 8 stands", 17);
    assert_eq!((ruled.tier.as_str(), ruled.llm), ("rules", Some(said)));
}

#[tokio::test]
async fn a_correction_stands_above_the_verdict_and_has_it_forgotten() {
    let lab = Lab::new();
    let local = lab.label("pump stands", 9);
    lab.answer(lab.question().template, Class::Critical);
    assert_eq!(lab.label("pump stands", 9)[1], "llm");
    let corrections = Corrections::open(&lab.classify, &lab.context).unwrap();
    let correction = Correction {
        message: Some("pump stands".to_owned()),
        class: "info".to_owned(),
        ..Correction::default()
    };
    let corrected = corrections.correct(correction).await.unwrap();
    let label = lab.label("pump stands", 9);
    assert_eq!([&*label[0], &*label[1]], ["info", "operator"]);
    assert!(lab.tier().asker.is_empty(), "nobody is asked about what an operator knows");
    corrections.undo(&corrected.template).await.unwrap();
    assert_eq!(lab.label("pump stands", 9), local, "the verdict is gone");
    assert_eq!(lab.question().text.as_str(), "pump stands", "and may come again");
}

#[test]
fn a_verdict_never_lowers_and_firm_rules_are_not_questioned() {
    let lab = Lab::new();
    let firm = lab.label("attack on gate 3", 9);
    assert_eq!(firm[0], "critical");
    assert!(lab.tier().asker.is_empty());
    let local = lab.label("pump stands", 9);
    lab.answer(lab.question().template, Class::Info);
    assert_eq!(lab.label("pump stands", 9), local);
}

#[test]
fn at_the_budget_records_say_that_nobody_was_asked() {
    let lab = Lab::new();
    let local = lab.label("pump stands", 9);
    lab.tier().degraded.begin(&"".into(), true);
    let degraded = lab.label("pump stands", 9);
    assert_eq!((&degraded[..3], &*degraded[3]), (&local[..3], "budget"));
    lab.answer(lab.question().template, Class::Info);
    assert_eq!(lab.label("pump stands", 9), local, "a verdict that is there counts");
}

#[test]
fn a_template_that_rests_is_asked_about_by_a_later_record() {
    let lab = Lab::new();
    lab.label("pump stands", 9);
    let question = lab.question();
    lab.tier().asker.rest([question.template], Duration::from_mins(1));
    assert_eq!(lab.tier().asker.offer(question), Offered::Resting);
    lab.tier().asker.wake(Duration::from_mins(1));
    for _ in 0..RETRY_EVERY {
        lab.label("pump stands", 9);
    }
    lab.question();
}

/// Scenario: a text that gives orders stands in a body, in an attribute, or in a user agent, and a model
/// obeys whatever class it names.
/// Promise: no record is worth less than the rules say, and nothing of an attribute leaves the process.
#[test]
fn no_order_in_any_field_lowers_a_record_and_attributes_are_not_sent() {
    const MARK: &str = "qzxmark";
    let lab = Lab::new();
    let obeyed = |text: &str| {
        let named = text.split_once("class=").map_or("info", |(_, rest)| rest);
        let word = named.split(' ').next().unwrap_or_default();
        Class::named(word)
    };
    for (number, text) in injections().iter().enumerate() {
        let text = text.get(..text.floor_char_boundary(1_000)).unwrap();
        let order = format!("{MARK} {text}");
        let bodies = [("attack on gate", 9, Class::Critical), ("copy failed", 17, Class::Warning)];
        let (body, severity, least) = bodies[number % 2];
        for field in ["body", "note", "user_agent.original", "http.request.header.user-agent"] {
            let body = if field == "body" { format!("{body} {text}") } else { body.to_owned() };
            let attribute = json!({ "key": field, "value": { "stringValue": order } });
            let record = json!({
                "severityNumber": severity, "body": { "stringValue": body }, "attributes": [attribute]
            });
            let labelled = |lab: &Lab| Class::named(&lab.label_of(&record)[0]).unwrap();
            assert!(labelled(&lab) >= least, "{field} {text}");
            for question in lab.tier().asker.take(10) {
                assert!(!question.text.as_str().contains(MARK), "{field}");
                match obeyed(text) {
                    Some(class) => lab.answer(question.template, class),
                    None => lab.tier().asker.settle([question.template]),
                }
            }
            assert!(labelled(&lab) >= least, "after the verdict, {field} {text}");
        }
    }
}
