//! Corrections from the operator to the label of the next record.

use bessemer_pipeline::{Scratch, Step as _};
use bessemer_record::json::from_otlp_json;
use bessemer_record::{Draft, Limits, Signal, Tails};
use serde_json::json;

use super::super::settings::{ModelSettings, Settings, TemplateSettings};
use super::super::text_of;
use super::*;

/// One process; another one with the same context has the same state.
struct Lab {
    classify: Arc<Classify>,
    corrections: Corrections,
    tails: Arc<Tails>,
}

fn lab(context: &Context) -> Lab {
    let settings = Settings {
        model: ModelSettings { enabled: true, ..ModelSettings::default() },
        templates: TemplateSettings { enabled: true, ..TemplateSettings::default() },
        ..Settings::default()
    };
    let classify = Arc::new(Classify::new(&settings, context).unwrap());
    let corrections = Corrections::open(&classify, context).unwrap();
    let tails = std::mem::take(&mut *context.tails.lock()).build();
    Lab { classify, corrections, tails }
}

fn context() -> Context {
    Context::detached().of("bessemer.processor.classify.test")
}

impl Lab {
    /// Class, tier, reason and template of a record.
    fn label(&self, body: &str) -> [String; 4] {
        let request = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [
            { "severityNumber": 9, "body": { "stringValue": body } }
        ]}]}]});
        let limits = Limits::default();
        let checked = from_otlp_json(Signal::Logs, request.to_string().as_bytes(), &limits);
        let bytes = checked.unwrap().into_bytes();
        let mut draft = Draft::check(Signal::Logs, bytes, &limits, &self.tails).unwrap();
        self.classify.run(&mut draft, &mut Scratch::default());
        ["ai.classification", "ai.tier", "ai.reason", "ai.template"]
            .map(|key| draft.attribute(0, key.as_bytes()).map(text_of).unwrap_or_default())
    }

    async fn correct(&self, body: &str, class: &str) -> Result<Corrected, FeedbackError> {
        self.corrections.correct(of_message(body, class)).await
    }
}

fn of_message(body: &str, class: &str) -> Correction {
    Correction {
        message: Some(body.to_owned()),
        severity: 9,
        class: class.to_owned(),
        note: "seen it before".to_owned(),
        ..Correction::default()
    }
}

#[tokio::test]
async fn the_next_record_has_the_corrected_class_until_it_is_undone() {
    let lab = lab(&context());
    let before = lab.label("gate 9 rejected ticket 5512");
    assert_eq!([&*before[0], &*before[1]], ["warning", "model"]);
    let corrected = lab.correct("gate 10 rejected ticket 7", "info").await.unwrap();
    assert_eq!(corrected.template, before[3], "the template of the message");
    let reason = "corrected by an operator: seen it before";
    for body in ["gate 9 rejected ticket 5512", "gate 11 rejected ticket 80"] {
        assert_eq!(lab.label(body), ["info", "operator", reason, &*before[3]].map(str::to_owned));
    }
    assert_ne!(lab.label("boiler exploded, data lost")[1], "operator");
    assert_eq!(lab.corrections.corrected(), std::slice::from_ref(&corrected));
    assert_eq!(lab.corrections.undo(&corrected.template).await.unwrap(), corrected);
    assert_eq!(lab.label("gate 9 rejected ticket 5512"), before);
    assert_eq!(lab.corrections.corrected(), []);
}

/// Scenario: a process begins on what another one, which never ended in order, has on the disk.
/// Promise: the next one has the correction from its first record on, and it can be undone there.
#[tokio::test]
async fn a_correction_that_was_answered_holds_after_a_crash() {
    let context = context();
    let first = lab(&context);
    first.label("gate 9 rejected ticket 5512");
    let corrected = first.correct("gate 9 rejected ticket 5512", "critical").await.unwrap();
    let second = lab(&context);
    assert_eq!(second.corrections.corrected(), std::slice::from_ref(&corrected));
    let label = second.label("gate 12 rejected ticket 1");
    assert_eq!([&*label[0], &*label[1]], ["critical", "operator"]);
    second.corrections.undo(&corrected.template).await.unwrap();
    assert_eq!(lab(&context).corrections.corrected(), []);
    drop(first);
}

#[tokio::test]
async fn a_firm_rule_is_only_overruled_when_it_is_said_so() {
    let lab = lab(&context());
    let before = lab.label("heart attack of visitor 9 reported");
    let error = lab.correct("heart attack of visitor 9 reported", "info").await.unwrap_err();
    assert!(matches!(&error, FeedbackError::Conflict(text) if text.contains("security_incident")));
    let by_id = Correction {
        template: Some(before[3].clone()),
        class: "info".to_owned(),
        ..Correction::default()
    };
    lab.corrections.correct(by_id.clone()).await.unwrap();
    assert_eq!(lab.label("heart attack of visitor 9 reported"), before);
    let over = Correction { over_firm_rules: true, ..by_id };
    lab.corrections.correct(over).await.unwrap();
    let label = lab.label("heart attack of visitor 9 reported");
    assert_eq!([&*label[0], &*label[2]], ["info", "corrected by an operator"]);
}

#[tokio::test]
async fn an_explanation_is_that_of_the_corrected_label() {
    let lab = lab(&context());
    let corrected = lab.correct("gate 10 rejected ticket 7", "critical").await.unwrap();
    let attributes = Map::new();
    let question =
        Question { body: "gate 4 rejected ticket 1", severity: 9, attributes: &attributes };
    let found = Explainer::of(&lab.classify).explain(&question).unwrap();
    let label = lab.label("gate 4 rejected ticket 1");
    assert_eq!(label[..3], [found.class.as_str(), found.tier.as_str(), &found.reason]);
    assert_eq!(found.correction, Some(corrected));
}

#[tokio::test]
async fn what_is_wrong_with_a_correction_is_said_and_changes_nothing() {
    let lab = lab(&context());
    let gate = of_message("gate 9 rejected", "info");
    for wrong in [
        Correction { class: "Info".to_owned(), ..gate.clone() },
        Correction { message: None, ..gate.clone() },
        Correction { template: Some("00".repeat(8)), ..gate.clone() },
        Correction { message: Some(String::new()), ..gate.clone() },
        Correction { severity: 25, ..gate.clone() },
    ] {
        let error = lab.corrections.correct(wrong.clone()).await.unwrap_err();
        assert!(matches!(error, FeedbackError::Bad(_)), "{wrong:?}");
    }
    for unknown in ["00".repeat(8), "x".to_owned()] {
        let by_id = Correction { message: None, template: Some(unknown.clone()), ..gate.clone() };
        let error = lab.corrections.correct(by_id).await.unwrap_err();
        assert!(matches!(error, FeedbackError::NotFound(_)), "{unknown}");
        let error = lab.corrections.undo(&unknown).await.unwrap_err();
        assert!(matches!(error, FeedbackError::NotFound(_)), "{unknown}");
    }
    assert_eq!(lab.corrections.corrected(), []);
}
