//! What operators said of templates: it stands above what rules, model and LLM say.

use std::sync::OnceLock;

use bessemer_pipeline::services::Corrected;
use bessemer_record::{TailId, Tails, Value};

use super::super::encode::{FIRM, Said};
use super::super::settings::AttributeNames;
use super::{Judge, Known, head};
use crate::class::Class;
use crate::llm;
use crate::llm::redact::Redacted;
use crate::templates::TemplateId;
use crate::templates::mask::mask;

/// Corrections of one component at most.
pub(in crate::classify) const CORRECTIONS_MAX: usize = 10_000;

/// A correction, and its attributes once they are encoded.
#[derive(Debug)]
pub(in crate::classify) struct Ruled {
    shown: Corrected,
    class: Class,
    tail: Option<TailId>,
}

impl Ruled {
    pub(in crate::classify) fn new(class: Class, shown: Corrected) -> Self {
        Self { shown, class, tail: None }
    }

    /// Encodes the attributes; false when there is no room for another set.
    fn encode(&mut self, tails: &Tails, names: &AttributeNames) -> bool {
        if self.tail.is_none() {
            let reason = operator_reason(&self.shown.note);
            let said = Said {
                class: self.class,
                confidence: 1.0,
                tier: "operator",
                reason: &reason,
                model: None,
            };
            let mut attributes = said.attributes(names);
            if !names.template.is_empty() {
                let template = Value::String(self.shown.template.clone());
                attributes.push((names.template.clone(), template));
            }
            self.tail = tails.learn(&attributes);
        }
        self.tail.is_some()
    }

    fn put_on(&self, known: &Known) {
        let holds = known.label.overruled_above < FIRM || self.shown.over_firm_rules;
        known.corrected.set(self.tail.filter(|_| holds).map(|tail| (self.class, tail)));
    }
}

/// The sentence in `ai.reason`.
pub(in crate::classify) fn operator_reason(note: &str) -> String {
    let colon = if note.is_empty() { "" } else { ": " };
    format!("corrected by an operator{colon}{note}")
}

impl Judge {
    /// A correction that can be held; `None` when there is no room for it.
    pub(in crate::classify) fn ruled(&self, class: Class, shown: Corrected) -> Option<Ruled> {
        let mut ruled = Ruled::new(class, shown);
        if let Some(tails) = self.home.get()
            && !ruled.encode(tails, &self.names)
        {
            return None;
        }
        Some(ruled)
    }

    /// Puts a correction on every label of its template, those that are made later too.
    pub(in crate::classify) fn hold(&self, template: TemplateId, ruled: Ruled) {
        let mut learned = self.learned.lock();
        self.labels_of(template).for_each(|known| ruled.put_on(known));
        learned.corrected.insert(template, ruled);
    }

    /// Takes a correction back.
    pub(in crate::classify) fn release(&self, template: TemplateId) {
        let mut learned = self.learned.lock();
        learned.corrected.remove(&template);
        self.labels_of(template).for_each(|known| known.corrected.set(None));
    }

    fn labels_of(&self, template: TemplateId) -> impl Iterator<Item = &Known> {
        let known = self.known.iter().map_while(OnceLock::get);
        known.filter(move |known| known.template == Some(template))
    }

    /// Puts the correction of its template on a new label.
    pub(super) fn correct_new(&self, known: &Known, ruled: Option<&mut Ruled>, tails: &Tails) {
        let Some(ruled) = ruled else { return };
        if ruled.encode(tails, &self.names) {
            ruled.put_on(known);
        } else {
            let template = &ruled.shown.template;
            tracing::warn!(template, "there is no room for the label that an operator set");
        }
    }

    /// All corrections.
    pub(in crate::classify) fn corrections(&self) -> Vec<Corrected> {
        let learned = self.learned.lock();
        learned.corrected.values().map(|ruled| ruled.shown.clone()).collect()
    }

    /// The correction of a template.
    pub(in crate::classify) fn correction(&self, template: TemplateId) -> Option<Corrected> {
        self.learned.lock().corrected.get(&template).map(|ruled| ruled.shown.clone())
    }

    /// The correction of the template of a body.
    pub(in crate::classify) fn correction_of(&self, body: &str) -> Option<Corrected> {
        let mut masked = Vec::new();
        mask(head(body.as_bytes()), &mut masked);
        let learned = self.learned.lock();
        let templates = learned.templates.as_ref()?;
        let id = templates.peek(&masked, &|word| self.is_telling(word));
        learned.corrected.get(&id).map(|ruled| ruled.shown.clone())
    }

    /// The words of a template.
    pub(in crate::classify) fn text_of(&self, template: TemplateId) -> Option<String> {
        self.learned.lock().templates.as_ref()?.text_of(template)
    }

    /// The template of a body, new if it has none yet; `None` without templates.
    pub(in crate::classify) fn learn_template(&self, body: &str) -> Option<TemplateId> {
        let mut masked = Vec::new();
        mask(head(body.as_bytes()), &mut masked);
        let mut learned = self.learned.lock();
        let templates = learned.templates.as_mut()?;
        Some(templates.find(&masked, &|word| self.is_telling(word)).0)
    }

    /// Forgets what an LLM said of a template, in every cache.
    pub(in crate::classify) async fn forget(&self, template: TemplateId) {
        let Some(raiser) = &self.raiser else { return };
        let text = self.text_of(template).unwrap_or_default();
        raiser.tier.forget(llm::TemplateId(template.0), &Redacted::new(&text)).await;
    }
}
