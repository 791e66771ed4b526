//! Says that a template was raised: one record `bessemer.template.escalated`, through the pipeline
//! behind the processor.
//!
//! What was delivered before is neither changed nor sent again. The record says how many there were
//! since this process began and from when to when, and the template, by which they are found; their
//! numbers are given by the journal, after the labels.

use std::sync::Arc;
use std::time::Duration;

use bessemer_pipeline::receiver::{Receiver, StartError};
use bessemer_pipeline::stateful::{Lane, Made};
use bessemer_pipeline::{Meta, Outlet};
use bessemer_record::json::from_otlp_json;
use bessemer_record::{Limits, Signal};
use bessemer_runtime::{BoxFuture, Clock, Tasks};
use serde_json::{Value, json};

use super::judge::Judge;
use super::raise::Span;
use super::settings::AttributeNames;
use crate::class::Class;
use crate::llm::escalations::{Escalation, Escalations};

/// The name of the record.
const NAME: &str = "bessemer.template.escalated";
/// How long it waits after a refusal at most.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// Puts the records of one component into the pipeline.
pub(super) struct Speaker {
    judge: Arc<Judge>,
    escalations: Arc<Escalations>,
    component: String,
    clock: Arc<dyn Clock>,
}

impl Speaker {
    /// `None` where no LLM is asked.
    pub(super) fn of(judge: &Arc<Judge>, component: &str, clock: &Arc<dyn Clock>) -> Option<Self> {
        Some(Self {
            escalations: judge.escalations()?,
            judge: Arc::clone(judge),
            component: component.to_owned(),
            clock: Arc::clone(clock),
        })
    }

    async fn run(self, outlet: Outlet, tasks: Tasks) {
        loop {
            for one in self.escalations.pending() {
                tokio::select! {
                    () = tasks.cancelled() => return,
                    () = self.tell(&outlet, one) => {}
                }
            }
            tokio::select! {
                () = tasks.cancelled() => return,
                () = self.escalations.arrived() => {}
            }
        }
    }

    async fn tell(&self, outlet: &Outlet, one: Escalation) {
        let before = self.judge.sent(one.template);
        if let Some(made) = record(&one, before, self.judge.names(), self.clock.unix_nanos()) {
            while let Err(refusal) = outlet.say(std::slice::from_ref(&made)).await {
                let component = &self.component;
                tracing::warn!(component, %refusal, "a raised template cannot be told");
                match refusal.retry_after() {
                    Some(wait) => self.clock.sleep(wait.min(RETRY_MAX)).await,
                    None => break,
                }
            }
        }
        let escalations = Arc::clone(&self.escalations);
        let written = tokio::task::spawn_blocking(move || escalations.told(&one)).await;
        if let Ok(Err(error)) = written {
            let component = &self.component;
            tracing::warn!(component, %error, "that a raised template was told is not kept");
        }
    }
}

impl Receiver for Speaker {
    fn start(
        self: Box<Self>,
        outlet: Outlet,
        tasks: Tasks,
    ) -> BoxFuture<'static, Result<(), StartError>> {
        if outlet.accepts(Signal::Logs) {
            tasks.spawn(self.run(outlet, tasks.clone()));
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The record of one; `before` are the records that had the lower class.
fn record(one: &Escalation, before: Span, names: &AttributeNames, now: u64) -> Option<Made> {
    let (severity, lane) = match one.class {
        Class::Critical => (17, Lane::Urgent),
        Class::Warning | Class::Info => (13, Lane::Normal),
    };
    let template = format!("{:016x}", one.template.0);
    let text = |text: &str| json!({ "stringValue": text });
    let number = |number: u64| json!({ "intValue": number.to_string() });
    let said = [
        ("event.name", text(NAME)),
        (&*names.classification, text(one.class.as_str())),
        (&*names.confidence, json!({ "doubleValue": one.confidence })),
        (&*names.tier, text("llm")),
        (&*names.reason, text(&one.reason)),
        (&*names.model, text(&one.model)),
        (&*names.template, text(&template)),
        ("bessemer.escalation.from", text(one.from.as_str())),
        ("bessemer.escalation.text", text(&one.text)),
        ("bessemer.escalation.provider", text(&one.provider)),
        ("bessemer.escalation.count", number(before.count)),
        ("bessemer.escalation.first_unix_nano", number(before.first)),
        ("bessemer.escalation.last_unix_nano", number(before.last)),
    ];
    let attributes: Vec<Value> = said
        .into_iter()
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| json!({ "key": name, "value": value }))
        .collect();
    let (from, class) = (one.from.as_str(), one.class.as_str());
    let body = format!("template {template} is {class} and was {from}: {}", one.reason);
    let request = json!({ "resourceLogs": [{
        "resource": { "attributes": [{ "key": "service.name", "value": text("bessemer") }] },
        "scopeLogs": [{ "logRecords": [{
            "timeUnixNano": one.at.to_string(),
            "observedTimeUnixNano": now.to_string(),
            "severityNumber": severity,
            "severityText": if severity == 17 { "ERROR" } else { "WARN" },
            "eventName": NAME,
            "body": text(&body),
            "attributes": attributes,
        }] }],
    }] });
    let checked = from_otlp_json(Signal::Logs, request.to_string().as_bytes(), &Limits::default());
    let meta = Meta { tenant: one.tenant.clone(), received_at: now, ..Meta::default() };
    Some(Made { signal: Signal::Logs, lane, bytes: checked.ok()?.into_bytes(), meta })
}

#[cfg(test)]
mod tests {
    use bessemer_record::{Draft, Tails};

    use super::super::text_of;
    use super::*;
    use crate::llm::TemplateId;

    #[test]
    fn the_record_says_what_was_raised_by_whom_and_what_went_before() {
        let one = Escalation {
            template: TemplateId(0x2a),
            tenant: "acme".to_owned(),
            text: "pump <*> stands".to_owned(),
            from: Class::Info,
            class: Class::Critical,
            confidence: 0.9,
            reason: "a pump stands still".to_owned(),
            provider: "bessemer.llm.local.judge".to_owned(),
            model: "m".to_owned(),
            at: 5,
            is_told: false,
        };
        let before = Span { count: 3, first: 1, last: 4 };
        let made = record(&one, before, &AttributeNames::default(), 6).unwrap();
        assert_eq!((made.lane, &*made.meta.tenant), (Lane::Urgent, "acme"));
        let limits = Limits::default();
        let draft = Draft::check(Signal::Logs, made.bytes, &limits, &Tails::none()).unwrap();
        let text = |key: &str| draft.attribute(0, key.as_bytes()).map(text_of).unwrap_or_default();
        for (key, value) in [
            ("event.name", NAME),
            ("ai.classification", "critical"),
            ("ai.tier", "llm"),
            ("ai.reason", "a pump stands still"),
            ("ai.template", "000000000000002a"),
            ("bessemer.escalation.from", "info"),
            ("bessemer.escalation.text", "pump <*> stands"),
            ("bessemer.escalation.provider", "bessemer.llm.local.judge"),
            ("bessemer.escalation.count", "3"),
            ("bessemer.escalation.first_unix_nano", "1"),
            ("bessemer.escalation.last_unix_nano", "4"),
        ] {
            assert_eq!(text(key), value, "{key}");
        }
    }
}
