//! The labels of log records beyond the rules: the model's class, and the template.
//!
//! A label with all its attributes is made once and then found again by the masked body
//! ([`crate::memo`]); behind that by the shape of the body, which does not know how long a number
//! is; only for a new shape is the template mined and the model asked. The three tables are bounded.
//! When no more labels can be made, records get what the rules say.

mod corrected;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use bessemer_pipeline::metrics::Counter;
use bessemer_pipeline::metrics::llm::AvoidedLabels;
use bessemer_pipeline::state::{Change, State, StateError};
use bessemer_pipeline::{Context, SettingsError};
use bessemer_record::{Draft, TailId, Tails, Value};
use parking_lot::Mutex;

use super::encode::{Encoder, FIRM, Label, Said};
use super::explain::Opinion;
use super::incidents::Incidents;
use super::raise::{About, Ask, Raiser, Span};
use super::settings::{AttributeNames, ModelSettings, Settings};
use crate::cell::LabelCell;
use crate::class::Class;
use crate::llm::escalations::Escalations;
use crate::llm::{self, Asker, Local, Redacted, Verdict};
use crate::memo::{Memo, NUMBER_MAX};
use crate::model::sign::{KeyError, PublicKey};
use crate::model::text::TEXT_BYTES_MAX;
use crate::model::{Model, Named, file};
use crate::templates::mask::mask;
use crate::templates::{Seen, Shown, TemplateId, Templates};
use corrected::Ruled;
pub(super) use corrected::{CORRECTIONS_MAX, operator_reason};

/// Shapes that are remembered at most; then all of them are forgotten at once.
const SHAPES_MAX: usize = 1 << 16;

/// Labels after which further ones are made without a template; the rest of the numbers is for them.
const BY_TEMPLATE_MAX: usize = NUMBER_MAX as usize - 1_024;

/// What a label says beyond the tail it is encoded in.
#[derive(Debug)]
struct Known {
    label: Label,
    /// Counts the records of the template.
    seen: Seen,
    /// What an LLM is asked, where the label is unsure.
    ask: Option<Ask>,
    template: Option<TemplateId>,
    /// The label that an operator set instead.
    corrected: LabelCell,
    is_by_model: bool,
}

/// A log record to be labelled.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) body: &'a [u8],
    pub(super) severity: u8,
    /// What the rules say of it.
    pub(super) rules: Label,
    /// Whether it is counted.
    pub(super) is_first: bool,
    /// Whose it is.
    pub(super) tenant: &'a dyn Fn() -> Arc<str>,
}

/// A label, and what an LLM may be asked about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged<'a> {
    pub(super) label: Label,
    /// Where no verdict is there yet.
    pub(super) ask: Option<&'a Ask>,
    /// Why no LLM is asked, where none is.
    pub(super) why: Why,
}

/// Why no LLM is asked about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// What the rules say is sure enough.
    Rules,
    /// The model is sure enough.
    Model,
    /// One was asked about its template before.
    Verdict,
    /// An operator said it.
    Operator,
}

impl Why {
    pub(super) const ALL: [Self; 4] = [Self::Rules, Self::Model, Self::Verdict, Self::Operator];

    fn as_str(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Model => "model",
            Self::Verdict => "verdict",
            Self::Operator => "operator",
        }
    }

    /// What counts such records.
    pub(super) fn counter(self, context: &Context) -> Counter {
        let labels = AvoidedLabels { component: context.id.clone(), by: self.as_str() };
        context.metrics.llm.avoided.get_or_create_owned(&labels)
    }
}

impl Judged<'_> {
    fn settled(label: Label, why: Why) -> Self {
        Self { label, ask: None, why }
    }
}

/// A label may be shared by all records for which these agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    /// Of the rule's label, where the model did not overrule it.
    rules: Option<TailId>,
    /// Class and hundredths of confidence of the model.
    model: Option<(Class, u8)>,
    template: Option<TemplateId>,
}

/// What grows while the process runs.
#[derive(Debug, Default)]
struct Learned {
    /// By shape, severity and what the rules say.
    shapes: HashMap<u64, u16>,
    numbers: HashMap<Key, u16>,
    templates: Option<Templates>,
    corrected: HashMap<TemplateId, Ruled>,
}

/// The model, the templates, and what was made of them.
#[derive(Debug)]
pub(super) struct Judge {
    model: Option<Arc<Model>>,
    raiser: Option<Raiser>,
    incidents: Option<Arc<Incidents>>,
    by_template: bool,
    names: AttributeNames,
    /// The attributes of the labels that rules give, to which a template is added.
    by_rules: BTreeMap<u32, Vec<(String, Value)>>,
    memo: Memo,
    /// By number less one.
    known: Box<[OnceLock<Known>]>,
    learned: Mutex<Learned>,
    /// The registry that the labels are encoded in.
    home: OnceLock<Arc<Tails>>,
}

impl Judge {
    /// `None` when neither model nor templates are enabled.
    pub(super) fn new(
        settings: &Settings,
        (raiser, incidents): (Option<Raiser>, Option<Arc<Incidents>>),
        encoder: &Encoder<'_>,
    ) -> Result<Option<Self>, SettingsError> {
        let (model, templates) = (&settings.model, &settings.templates);
        // A question is about a template, and so is an incident.
        let by_template = templates.enabled || raiser.is_some() || incidents.is_some();
        if !model.enabled && !by_template {
            return Ok(None);
        }
        let model = if model.enabled { Some(load(model)?) } else { None };
        let templates = by_template.then(|| Templates::new(templates.max));
        Ok(Some(Self {
            by_template,
            raiser,
            incidents,
            model,
            names: encoder.names.clone(),
            by_rules: encoder.made(),
            memo: Memo::default(),
            known: (0..NUMBER_MAX).map(|_| OnceLock::new()).collect(),
            learned: Mutex::new(Learned { templates, ..Learned::default() }),
            home: OnceLock::new(),
        }))
    }

    /// Whether the labels can be used in drafts of this registry: the first one that comes.
    pub(super) fn serves(&self, tails: &Arc<Tails>) -> bool {
        Arc::ptr_eq(self.home.get_or_init(|| Arc::clone(tails)), tails)
    }

    /// The label of a record.
    pub(super) fn label(
        &self,
        tails: &Tails,
        subject: Subject<'_>,
        buffer: &mut Vec<u8>,
    ) -> Judged<'_> {
        let Subject { body, severity, rules, is_first, tenant } = subject;
        let body = head(body);
        let hash = self.memo.hash(body, beside(severity, rules));
        let number = self.memo.get(hash).or_else(|| {
            let number = self.look_closer(tails, (body, severity), rules, buffer)?;
            self.memo.put(hash, number);
            Some(number)
        });
        let Some(known) = number.and_then(|number| self.known(number)) else {
            return Judged::settled(rules, Why::Rules);
        };
        let count = known.seen.fetch_add(u64::from(is_first), Ordering::Relaxed);
        if let Some((class, tail)) = known.corrected.get(tails) {
            return Judged::settled(Label { class, tail, rule: 0, ..known.label }, Why::Operator);
        }
        match (&self.raiser, &known.ask) {
            (Some(raiser), Some(ask)) => {
                let text = || self.learned.lock().templates.as_ref()?.text_of(known.template?);
                let similar = || self.similar_to(known.template?, body);
                let about = About { text: &text, tenant, similar: &similar };
                let (label, is_open) = raiser.label(tails, ask, known.label, count, &about);
                Judged { label, ask: is_open.then_some(ask), why: Why::Verdict }
            }
            _ if known.is_by_model => Judged::settled(known.label, Why::Model),
            _ => Judged::settled(known.label, Why::Rules),
        }
    }

    /// Whether an LLM is being asked now.
    pub(super) fn is_asked(&self, ask: &Ask) -> bool {
        self.raiser.as_ref().is_some_and(|own| own.tier.asker.is_pending(ask.template()))
    }

    /// The records of a template that went on with a label that an LLM may raise.
    pub(super) fn sent(&self, template: llm::TemplateId) -> Span {
        let asks =
            self.known.iter().map_while(OnceLock::get).filter_map(|known| known.ask.as_ref());
        let own = asks.filter(|ask| ask.template() == template);
        own.fold(Span::default(), |all, ask| all.and(ask.sent()))
    }

    /// Whose record it is, as far as its resource says.
    pub(super) fn tenant_of(&self, draft: &Draft, item: usize) -> Arc<str> {
        self.raiser.as_ref().map_or_else(|| "".into(), |raiser| raiser.tenant_of(draft, item))
    }

    /// Critical templates of the past.
    pub(super) fn incidents(&self) -> Option<Arc<Incidents>> {
        self.incidents.clone()
    }

    /// What the template of a critical body is like, as an attribute.
    fn similar_to(&self, template: TemplateId, body: &[u8]) -> Option<(String, Value)> {
        let incidents = self.incidents.as_ref()?;
        let like = incidents.meet(template, &String::from_utf8_lossy(body));
        let name = Some(&self.names.similar).filter(|name| !name.is_empty() && !like.is_empty())?;
        let texts = like.iter().map(|one| Value::String(one.to_string())).collect();
        Some((name.clone(), Value::Array(texts)))
    }

    /// The way to the LLMs.
    pub(super) fn asker(&self) -> Option<Asker> {
        self.raiser.as_ref().map(|raiser| raiser.tier.asker.clone())
    }

    /// Templates that an LLM raised.
    pub(super) fn escalations(&self) -> Option<Arc<Escalations>> {
        self.raiser.as_ref().map(|raiser| Arc::clone(&raiser.tier.escalations))
    }

    /// Names of the attributes of a label.
    pub(super) fn names(&self) -> &AttributeNames {
        &self.names
    }

    fn known(&self, number: u16) -> Option<&Known> {
        self.known.get(usize::from(number).checked_sub(1)?)?.get()
    }

    /// The number of the label of a body that the memo does not have; `None` when there is no room
    /// for another label.
    fn look_closer(
        &self,
        tails: &Tails,
        (body, severity): (&[u8], u8),
        rules: Label,
        buffer: &mut Vec<u8>,
    ) -> Option<u16> {
        let shape =
            mask(body, buffer) ^ beside(severity, rules).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if let Some(number) = self.learned.lock().shapes.get(&shape) {
            return Some(*number);
        }
        let text = String::from_utf8_lossy(body);
        let verdict = self.model.as_ref().map(|model| model.judge(&text, severity));
        let confidence = verdict.as_ref().map_or(0.0, |verdict| f64::from(verdict.confidence));
        let verdict =
            verdict.filter(|verdict| f64::from(verdict.confidence) > rules.overruled_above);
        let mut learned = self.learned.lock();
        let (template, seen) = match &mut learned.templates {
            Some(templates) => {
                let is_telling = |word: &[u8]| self.is_telling(word);
                let (id, seen) = templates.find(buffer, &is_telling);
                (Some(id), seen)
            }
            None => (None, Seen::default()),
        };
        let has_room = learned.numbers.len() < BY_TEMPLATE_MAX;
        let key = Key {
            rules: verdict.is_none().then_some(rules.tail),
            model: verdict.map(|verdict| (verdict.class, hundredths(verdict.confidence))),
            template: template.filter(|_| has_room),
        };
        let known = learned.numbers.get(&key).copied();
        let number = known.or_else(|| {
            let (label, attributes) = self.make(tails, key, rules, &text, severity)?;
            let number = u16::try_from(learned.numbers.len() + 1).ok()?;
            let ask = self.ask(key, (label, &attributes), rules, confidence);
            let corrected = LabelCell::default();
            let is_by_model = key.model.is_some();
            let template = key.template;
            let known = Known { label, seen, ask, template, corrected, is_by_model };
            let ruled = key.template.and_then(|template| learned.corrected.get_mut(&template));
            self.correct_new(&known, ruled, tails);
            self.known.get(usize::from(number) - 1)?.set(known).ok()?;
            learned.numbers.insert(key, number);
            Some(number)
        })?;
        learned.remember(shape, number);
        Some(number)
    }

    /// What an LLM is asked about a label that no firm rule gave and the model is unsure of.
    fn ask(
        &self,
        key: Key,
        (label, attributes): (Label, &[(String, Value)]),
        rules: Label,
        confidence: f64,
    ) -> Option<Ask> {
        let raiser = self.raiser.as_ref().filter(|_| rules.overruled_above < FIRM)?;
        let local = Local { class: label.class, confidence };
        raiser
            .asks(label.class, confidence)
            .then_some(key.template)
            .flatten()
            .map(|template| Ask::new(template.0, attributes, local))
    }

    /// Encodes a label, and says in which attributes.
    fn make(
        &self,
        tails: &Tails,
        key: Key,
        rules: Label,
        text: &str,
        severity: u8,
    ) -> Option<(Label, Vec<(String, Value)>)> {
        let mut attributes = match (key.model, &self.model) {
            (Some((class, hundredths)), Some(model)) => {
                let name = &model.report().name;
                let said = Said {
                    class,
                    confidence: f64::from(hundredths) / 100.0,
                    tier: "model",
                    reason: &model_reason(name, &model.explain(text, severity, class)),
                    model: Some(name),
                };
                said.attributes(&self.names)
            }
            _ => self.by_rules.get(&rules.tail.index()).cloned().unwrap_or_default(),
        };
        if let Some(template) = key.template.filter(|_| !self.names.template.is_empty()) {
            attributes.push((self.names.template.clone(), Value::String(template.to_string())));
        }
        let class = key.model.map_or(rules.class, |(class, _)| class);
        if let Some(template) = key.template.filter(|_| class == Class::Critical) {
            attributes.extend(self.similar_to(template, text.as_bytes()));
        }
        let tail = tails.learn(&attributes)?;
        let label = match key.model {
            Some((class, _)) => Label { class, tail, rule: 0, ..rules },
            None => Label { tail, ..rules },
        };
        Some((label, attributes))
    }

    /// What the model says of a body, if there is one.
    pub(super) fn opinion(&self, body: &str, severity: u8) -> Option<Opinion> {
        let model = self.model.as_ref()?;
        let verdict = model.judge(body, severity);
        let words = model.explain(body, severity, verdict.class);
        let without = model.judge_without(body, severity, &words).probabilities;
        let index = usize::from(verdict.class.code()) - 1;
        Some(Opinion {
            name: model.report().name.clone(),
            class: verdict.class,
            confidence: verdict.confidence,
            words,
            confidence_without_words: without.get(index).copied().unwrap_or_default(),
        })
    }

    /// The id of the template that a body has or would get, if there are templates.
    pub(super) fn template_of(&self, body: &[u8]) -> Option<String> {
        let mut masked = Vec::new();
        mask(head(body), &mut masked);
        let learned = self.learned.lock();
        let is_telling = |word: &[u8]| self.is_telling(word);
        learned.templates.as_ref().map(|all| all.peek(&masked, &is_telling).to_string())
    }

    /// What an LLM said of the template of a body, in memory or kept. May read the disk.
    pub(super) fn verdict_of(&self, body: &str) -> Option<Arc<Verdict>> {
        let tier = &self.raiser.as_ref()?.tier;
        let mut masked = Vec::new();
        mask(head(body.as_bytes()), &mut masked);
        let learned = self.learned.lock();
        let templates = learned.templates.as_ref()?;
        let id = templates.peek(&masked, &|word| self.is_telling(word));
        let text = templates.text_of(id).map(|text| Redacted::new(&text));
        drop(learned);
        tier.known(llm::TemplateId(id.0), text.as_ref())
    }

    /// Whether an LLM is asked about a label that no firm rule gave.
    pub(super) fn asks(&self, class: Class, confidence: f64) -> bool {
        self.raiser.as_ref().is_some_and(|raiser| raiser.asks(class, confidence))
    }

    fn is_telling(&self, word: &[u8]) -> bool {
        self.model.as_ref().is_some_and(|model| model.is_telling(word))
    }

    /// Takes in the templates that an earlier process stored.
    pub(super) fn restore(&self, state: &dyn State, component: &str) -> Result<(), StateError> {
        match &mut self.learned.lock().templates {
            Some(templates) => templates.restore(state, component),
            None => Ok(()),
        }
    }

    /// What must be stored of the templates.
    pub(super) fn take_changes(&self) -> Vec<Change> {
        let mut learned = self.learned.lock();
        let mut changes =
            learned.templates.as_mut().map(Templates::take_changes).unwrap_or_default();
        drop(learned);
        changes.extend(self.incidents.iter().flat_map(|incidents| incidents.take_changes()));
        changes
    }

    /// Has every template stored anew.
    pub(super) fn change_all(&self) {
        if let Some(templates) = &mut self.learned.lock().templates {
            templates.change_all();
        }
        if let Some(incidents) = &self.incidents {
            incidents.change_all();
        }
    }

    /// Has templates stored anew whose count has moved.
    pub(super) fn change_counted(&self) {
        if let Some(templates) = &mut self.learned.lock().templates {
            templates.change_counted();
        }
    }

    #[cfg(test)]
    pub(super) fn raiser(&self) -> &Raiser {
        self.raiser.as_ref().unwrap()
    }

    /// Whether every log record gets a template.
    pub(super) fn has_templates(&self) -> bool {
        self.by_template
    }

    /// The most frequent templates.
    pub(super) fn templates(&self, limit: usize) -> Vec<Shown> {
        let learned = self.learned.lock();
        learned.templates.as_ref().map(|all| all.shown(limit)).unwrap_or_default()
    }
}

impl Learned {
    fn remember(&mut self, shape: u64, number: u16) {
        if self.shapes.len() >= SHAPES_MAX {
            self.shapes.clear();
        }
        self.shapes.insert(shape, number);
    }
}

/// As much of a body as is looked at.
pub(super) fn head(body: &[u8]) -> &[u8] {
    body.get(..body.len().min(TEXT_BYTES_MAX)).unwrap_or_default()
}

/// What a label depends on beside the body.
fn beside(severity: u8, rules: Label) -> u64 {
    u64::from(severity) << 32 | u64::from(rules.tail.index())
}

/// Names the words that spoke most for the class, in the first body that got the label.
pub(super) fn model_reason(name: &str, words: &[Named]) -> String {
    let words: Vec<String> = words.iter().map(|named| format!("{:?}", named.text)).collect();
    if words.is_empty() {
        return format!("model {name}: shape of the body");
    }
    format!("model {name}: {}", words.join(", "))
}

/// A confidence in whole hundredths.
fn hundredths(confidence: f32) -> u8 {
    (0..=100_u8).rev().find(|step| confidence * 100.0 >= f32::from(*step)).unwrap_or_default()
}

fn load(settings: &ModelSettings) -> Result<Arc<Model>, SettingsError> {
    let refused = |problem: String| {
        SettingsError::new("model.file", problem, "name a file that `bessemer train` wrote")
    };
    let path = &settings.file;
    let key = demanded(settings)?;
    if path.is_empty() {
        return Model::embedded().ok_or_else(|| refused("the embedded model is damaged".into()));
    }
    let length = std::fs::metadata(path).map_err(|error| refused(error.to_string()))?.len();
    if length > file::FILE_BYTES_MAX as u64 {
        return Err(refused(format!("{path} is too long")));
    }
    let bytes = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
    let model = file::decode(&bytes, key.as_ref());
    model.map(Arc::new).map_err(|error| refused(format!("{path}: {error}")))
}

/// The key that must have signed the file, if one must.
fn demanded(settings: &ModelSettings) -> Result<Option<PublicKey>, SettingsError> {
    let refused = |problem: &str, remedy| SettingsError::new("model.public_key", problem, remedy);
    if settings.public_key.is_empty() {
        return Ok(None);
    }
    if settings.file.is_empty() {
        let problem = "there is no file that it could have signed";
        return Err(refused(problem, "set `model.file` too"));
    }
    let key = settings.public_key.parse();
    key.map(Some)
        .map_err(|error: KeyError| refused(&error.to_string(), "copy the key that it printed"))
}
