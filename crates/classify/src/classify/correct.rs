//! Takes corrections of operators: on the disk first, then on the labels, at once.
//!
//! A correction is of a template. It is no weight of the model: one example moves what the model
//! says of strangers, and cannot be taken back. `bessemer train` learns from all of them together,
//! as they are exported.

use std::sync::Arc;

use bessemer_pipeline::Context;
use bessemer_pipeline::services::{Corrected, Correction, Feedback, FeedbackError};
use bessemer_pipeline::state::{Change, State, StateError};
use bessemer_runtime::{BoxFuture, Clock};
use serde_json::Map;

use super::Classify;
use super::explain::{Explainer, Question};
use super::judge::{CORRECTIONS_MAX, Judge};
use crate::class::Class;
use crate::llm::ask::{REASON_BYTES_MAX, plain};
use crate::model::text::TEXT_BYTES_MAX;
use crate::templates::TemplateId;

/// Where they are in the state of their component.
const PREFIX: &str = "feedback/";
const NANOS_A_SECOND: u64 = 1_000_000_000;

/// The corrections of one component.
pub(super) struct Corrections {
    classify: Arc<Classify>,
    component: String,
    state: Arc<dyn State>,
    clock: Arc<dyn Clock>,
    /// One at a time, so that the disk and the labels agree about the last.
    turn: tokio::sync::Mutex<()>,
}

impl Corrections {
    /// Of a component that has templates, with what an earlier process kept.
    pub(super) fn open(classify: &Arc<Classify>, context: &Context) -> Option<Self> {
        let judge = &classify.keeper.as_ref()?.judge;
        if !judge.has_templates() {
            return None;
        }
        let corrections = Self {
            classify: Arc::clone(classify),
            component: context.id.clone(),
            state: Arc::clone(&context.state),
            clock: Arc::clone(&context.clock),
            turn: tokio::sync::Mutex::default(),
        };
        if let Err(error) = corrections.restore(judge) {
            let component = &corrections.component;
            tracing::error!(component, %error, "corrections of operators could not be read");
        }
        Some(corrections)
    }

    fn restore(&self, judge: &Judge) -> Result<(), StateError> {
        for (key, value) in self.state.scan(&self.component, PREFIX, CORRECTIONS_MAX)? {
            let read: Option<Corrected> = serde_json::from_slice(&value).ok();
            let class = read.as_ref().and_then(|read| Class::named(&read.class));
            let template = read.as_ref().and_then(|read| TemplateId::of_text(&read.template));
            let (Some(read), Some(class), Some(template)) = (read, class, template) else {
                let component = &self.component;
                tracing::error!(component, key, "a correction of an operator cannot be read");
                continue;
            };
            if let Some(ruled) = judge.ruled(class, read) {
                judge.hold(template, ruled);
            }
        }
        Ok(())
    }

    fn judge(&self) -> Result<&Arc<Judge>, FeedbackError> {
        let keeper = self.classify.keeper.as_ref();
        let without = || FeedbackError::NotFound("templates are not enabled".to_owned());
        keeper.map(|keeper| &keeper.judge).ok_or_else(without)
    }

    /// The template that is meant, and the text that is kept with it.
    fn find(&self, correction: &Correction) -> Result<(TemplateId, String), FeedbackError> {
        let judge = self.judge()?;
        match (&correction.template, &correction.message) {
            (Some(id), None) => {
                let id = TemplateId::of_text(id).ok_or_else(|| unknown(id))?;
                let text = judge.text_of(id).ok_or_else(|| unknown(&id.to_string()))?;
                Ok((id, text))
            }
            (None, Some(message)) => {
                self.check_message(correction, message)?;
                let id = judge.learn_template(message).ok_or_else(|| unknown(message))?;
                Ok((id, message.clone()))
            }
            _ => Err(FeedbackError::Bad("name a template or a message, and not both".to_owned())),
        }
    }

    /// Whether the class of this message can be set.
    fn check_message(&self, correction: &Correction, body: &str) -> Result<(), FeedbackError> {
        let severity = correction.severity;
        if body.is_empty() || body.len() > TEXT_BYTES_MAX || severity > 24 {
            return Err(FeedbackError::Bad(format!(
                "a message has 1 to {TEXT_BYTES_MAX} bytes and a severity from 0 to 24"
            )));
        }
        let attributes = Map::new();
        let question = Question { body, severity, attributes: &attributes };
        let found = Explainer::of(&self.classify).explain(&question);
        match found.and_then(|found| found.rule).filter(|rule| !rule.weak) {
            Some(rule) if !correction.over_firm_rules => Err(FeedbackError::Conflict(format!(
                "the rule {} is firm: change it, or send \"over_firm_rules\": true",
                rule.name
            ))),
            _ => Ok(()),
        }
    }

    /// Has a change on the disk, and with it the templates, so that ids stay what they are.
    async fn write(&self, change: Change) -> Result<(), FeedbackError> {
        let (classify, state) = (Arc::clone(&self.classify), Arc::clone(&self.state));
        let component = self.component.clone();
        let written = tokio::task::spawn_blocking(move || {
            if let Some(keeper) = &classify.keeper {
                keeper.flush();
            }
            state.apply(&component, &[change])
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(FeedbackError::Unavailable(error.to_string())),
            Err(_) => Err(FeedbackError::Unavailable("the process is on its way down".to_owned())),
        }
    }

    async fn take(&self, correction: Correction) -> Result<Corrected, FeedbackError> {
        let _turn = self.turn.lock().await;
        let judge = self.judge()?;
        let class = Class::named(&correction.class).ok_or_else(|| {
            FeedbackError::Bad("class is one of critical, warning, info".to_owned())
        })?;
        let (template, text) = self.find(&correction)?;
        if judge.correction(template).is_none() && judge.corrections().len() >= CORRECTIONS_MAX {
            let problem = format!("{CORRECTIONS_MAX} corrections are held, undo some");
            return Err(FeedbackError::Unavailable(problem));
        }
        let corrected = Corrected {
            template: template.to_string(),
            text,
            class: class.as_str().to_owned(),
            note: plain(&correction.note, REASON_BYTES_MAX),
            over_firm_rules: correction.over_firm_rules,
            at_unix_s: self.clock.unix_nanos() / NANOS_A_SECOND,
        };
        let ruled = judge.ruled(class, corrected.clone()).ok_or_else(|| {
            let problem = "there is no room for another label until the process begins again";
            FeedbackError::Unavailable(problem.to_owned())
        })?;
        let bytes = serde_json::to_vec(&corrected)
            .map_err(|error| FeedbackError::Unavailable(error.to_string()))?;
        self.write(Change::Put(key_of(template), bytes)).await?;
        judge.hold(template, ruled);
        judge.forget(template).await;
        tracing::info!(
            target: "audit", component = self.component, %template, class = corrected.class,
            note = corrected.note, over_firm_rules = corrected.over_firm_rules,
            "an operator corrected a class"
        );
        Ok(corrected)
    }

    async fn give_back(&self, id: &str) -> Result<Corrected, FeedbackError> {
        let _turn = self.turn.lock().await;
        let judge = self.judge()?;
        let template = TemplateId::of_text(id).ok_or_else(|| unknown(id))?;
        let corrected = judge.correction(template).ok_or_else(|| {
            FeedbackError::NotFound(format!("the class of template {id} is not corrected"))
        })?;
        self.write(Change::Delete(key_of(template))).await?;
        judge.release(template);
        tracing::info!(
            target: "audit", component = self.component, %template, class = corrected.class,
            "an operator took a correction back"
        );
        Ok(corrected)
    }
}

impl Feedback for Corrections {
    fn correct(&self, correction: Correction) -> BoxFuture<'_, Result<Corrected, FeedbackError>> {
        Box::pin(self.take(correction))
    }

    fn corrected(&self) -> Vec<Corrected> {
        let mut all = self.judge().map(|judge| judge.corrections()).unwrap_or_default();
        all.sort_by(|one, other| one.template.cmp(&other.template));
        all
    }

    fn undo<'a>(&'a self, template: &'a str) -> BoxFuture<'a, Result<Corrected, FeedbackError>> {
        Box::pin(self.give_back(template))
    }
}

fn key_of(template: TemplateId) -> String {
    format!("{PREFIX}{template}")
}

fn unknown(what: &str) -> FeedbackError {
    FeedbackError::NotFound(format!("no template {what} is known; /api/v1/templates lists them"))
}

#[cfg(test)]
mod tests;
