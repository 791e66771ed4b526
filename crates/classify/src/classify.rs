//! `bessemer.processor.classify`: the rules tier. Own rules come first in their order, then the
//! defaults; the first rule that matches labels the record.
//!
//! One scan finds the words of all rules in all bodies of a batch. A record in which no word
//! stands, under rules that only ask for words and severity, is labelled by a table of 25
//! severities. The label is a set of attributes encoded when the config is loaded. Where the model
//! is enabled, it labels what no rule matches, and overrules weak rules where it is surer; where
//! templates are enabled, every log record gets the one of its body; where LLMs are named, they are
//! asked about templates that stay unsure, and raise.

mod correct;
mod encode;
mod escalate;
pub mod explain;
mod incidents;
mod judge;
mod keeper;
mod raise;
mod services;
mod sets;
mod settings;
mod wait;

use std::collections::BTreeMap;
use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::read;
use bessemer_pipeline::metrics::{ClassLabels, Counter};
use bessemer_pipeline::receiver::Receiver;
use bessemer_pipeline::services::Report;
use bessemer_pipeline::stateful::HELD;
use bessemer_pipeline::{Built, Context, Scratch, SettingsError, Step, catalog::BuildError};
use bessemer_record::value::AnyValue;
use bessemer_record::{Draft, Signal};

use crate::class::Class;
use crate::llm::tier::Tier;
use crate::rules::{Attribute, Rule, RuleSettings};
use crate::scan::Scan;
use correct::Corrections;
use encode::{Encoder, FIRM, Label, RuleLabels};
use explain::Explainer;
use incidents::Incidents;
use judge::{Judge, Judged, Subject, Why};
use keeper::Keeper;
use raise::{Ask, Raiser};
use services::{OTHERS, Services};
use sets::Hits;
pub use settings::{
    AttributeNames, DefaultLabel, ModelSettings, Settings, SimilarSettings, TemplateSettings,
};
use wait::{Load, Turn, Waiting};

/// A block that loads.
pub const EXAMPLE: &str = r#"bessemer.processor.classify "example" {
  rule {
    name  = "payment_failures"
    class = "critical"
    words = ["payment declined", "card refused"]
  }

  output {
    logs = []
  }
}
"#;

/// Numbers of severity, zero for none.
const SEVERITIES: usize = 25;
/// Bytes of a structured body that are searched at most.
const STRUCTURED_BYTES_MAX: usize = 64 << 10;

/// The processor.
#[derive(Debug)]
struct Classify {
    rules: Vec<Rule>,
    /// For each rule, the label without a word and one for each of its words, by word.
    labels: Vec<RuleLabels>,
    default: Label,
    default_confidence: f64,
    keeper: Option<Keeper>,
    scan: Option<Scan>,
    /// What each word means to which rules.
    words: Vec<WordRules>,
    settings: Vec<RuleSettings>,
    hits: Arc<Hits>,
    services: Services,
    /// The label by service and severity of a record without any word; `None` where a rule must look
    /// closer.
    by_severity: Option<Vec<[Label; SEVERITIES]>>,
    counters: [Counter; 3],
    /// Where LLMs are asked: records that none was asked about, by why not.
    avoided: Option<[Counter; 4]>,
}

/// Builds the processor.
pub fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    let classify = classify(&settings, context)?;
    let Some((llm, wait)) = settings.llm.as_ref().and_then(|llm| Some((llm, llm.wait?))) else {
        return Ok(Built::Step(classify));
    };
    let judge = classify.keeper.as_ref().map(|keeper| Arc::clone(&keeper.judge));
    let Some(asker) = judge.and_then(|judge| judge.asker()) else {
        return Ok(Built::Step(classify));
    };
    let waiting = Waiting::new(classify, asker, wait.0, llm.wait_records_max);
    Ok(Built::Stateful(Arc::new(waiting)))
}

/// The processor as a step of a program.
pub fn step(settings: &Settings, context: &Context) -> Result<Arc<dyn Step>, SettingsError> {
    Ok(classify(settings, context)?)
}

/// The processor, with what it publishes.
fn classify(settings: &Settings, context: &Context) -> Result<Arc<Classify>, SettingsError> {
    let classify = Arc::new(Classify::new(settings, context)?);
    let hits: Arc<dyn Report> = Arc::clone(&classify.hits) as Arc<dyn Report>;
    context.services.publish_report("rules", &context.id, hits);
    context.services.publish_explain(&context.id, Arc::new(Explainer::of(&classify)));
    if let Some(incidents) = classify.keeper.as_ref().and_then(|keeper| keeper.judge.incidents()) {
        context.services.publish_similar(&context.id, incidents);
    }
    if let Some(corrections) = Corrections::open(&classify, context) {
        context.services.publish_feedback(&context.id, Arc::new(corrections));
    }
    Ok(classify)
}

impl Classify {
    fn new(settings: &Settings, context: &Context) -> Result<Self, SettingsError> {
        let all = sets::all(settings)?;
        let rules = all.iter().map(Rule::compile).collect::<Result<Vec<_>, _>>()?;
        let (words, word_rules) = collect_words(&all);
        let hits = Arc::new(Hits::new(&all));
        let encoder = Encoder::new(&settings.attributes, context);
        let labels = all.iter().zip(1..).map(|(rule, number)| encoder.rule(rule, number, &words));
        let labels = labels.collect();
        let default = &settings.default;
        let unmatched = encoder.label(default.class, default.confidence, "no rule matches");
        let heard_above = confidence_min(&settings.model)?;
        let raiser = settings.llm.as_ref().map(|llm| {
            let tier = Tier::new(llm, context)?;
            Ok::<_, SettingsError>(Raiser::new(tier, settings.attributes.clone(), llm))
        });
        let raiser = raiser.transpose()?;
        let incidents = settings.similar.enabled.then(|| Incidents::open(context).map(Arc::new));
        let incidents = incidents.transpose().map_err(|error| {
            SettingsError::new("similar", error.to_string(), "check the data directory")
        })?;
        let judge = Judge::new(settings, (raiser, incidents), &encoder)?;
        let mut classify = Self {
            default: Label { overruled_above: heard_above, ..unmatched },
            default_confidence: default.confidence,
            keeper: judge.map(|judge| Keeper::new(judge, context)),
            scan: Scan::new(&words)?,
            rules,
            labels,
            words: word_rules,
            services: Services::new(&all),
            settings: all,
            hits,
            by_severity: None,
            avoided: settings.llm.as_ref().map(|_| Why::ALL.map(|why| why.counter(context))),
            counters: Class::ALL.map(|class| {
                let labels = ClassLabels { component: context.id.clone(), class: class.as_str() };
                context.metrics.classified.get_or_create_owned(&labels)
            }),
        };
        if !classify.rules.iter().any(Rule::needs_record) {
            let table = |service| {
                std::array::from_fn(|severity| {
                    let severity = u8::try_from(severity).unwrap_or(0);
                    classify.first_match(&[], (service, severity), None)
                })
            };
            classify.by_severity = Some(classify.services.numbers().map(table).collect());
        }
        Ok(classify)
    }

    /// The label of the first rule that matches.
    fn first_match(
        &self,
        words: &[usize],
        (service, severity): (u16, u8),
        record: Option<(&Draft, usize, &[u8])>,
    ) -> Label {
        for (index, rule) in self.rules.iter().enumerate() {
            let meant = |word: &&usize| self.words.get(**word);
            let word = words.iter().find(|word| meant(word).is_some_and(|own| own.finds(index)));
            let holds = (!rule.has_words || word.is_some())
                && !words.iter().any(|word| meant(&word).is_some_and(|own| own.excepts(index)))
                && severity >= rule.severity_min
                && self.services.has(index, service)
                && (!rule.needs_record()
                    || record
                        .is_some_and(|(draft, item, body)| looks_closer(rule, draft, item, body)));
            if !holds {
                continue;
            }
            if let Some(labels) = self.labels.get(index) {
                return word
                    .and_then(|word| labels.by_word.get(word))
                    .copied()
                    .unwrap_or(labels.plain);
            }
        }
        self.default
    }

    /// What the rules say of a record of a service.
    fn by_rules(
        &self,
        (draft, item, service): (&Draft, usize, u16),
        words: &[usize],
        body: &[u8],
    ) -> (Label, u8) {
        let severity = severity_of(draft, item);
        let label = match (&self.by_severity, words) {
            (Some(tables), []) => {
                let table = tables.get(usize::from(service));
                let label = table.and_then(|table| table.get(usize::from(severity)));
                label.copied().unwrap_or(self.default)
            }
            _ => self.first_match(words, (service, severity), Some((draft, item, body))),
        };
        (label, severity)
    }

    /// The judge, if it has something to say of this batch.
    fn judge(&self, draft: &Draft) -> Option<&Judge> {
        let judge = self.keeper.as_ref().map(|keeper| &*keeper.judge)?;
        (draft.signal() == Signal::Logs && judge.serves(draft.tails())).then_some(judge)
    }
}

/// Labels the records of one batch.
struct Labelling<'a> {
    classify: &'a Classify,
    judge: Option<&'a Judge>,
    buffer: &'a mut Vec<u8>,
    /// The number of the service of each resource; empty where it does not matter.
    services: Vec<u16>,
    counts: [u64; 3],
    /// Records by the number of the rule that labelled them.
    by_rule: Vec<u64>,
    turn: Turn<'a>,
    /// When the batch came, nanoseconds since the Unix epoch.
    now: u64,
    /// What is held.
    load: Load,
    /// Records that no LLM is asked about, by why not.
    avoided: [u64; 4],
}

impl Labelling<'_> {
    fn item(&mut self, draft: &mut Draft, item: usize, words: &[usize], folded: &[u8]) {
        let service = match &*self.services {
            [] => OTHERS,
            services => {
                services.get(draft.resource_group(item) as usize).copied().unwrap_or(OTHERS)
            }
        };
        let (rules, severity) = self.classify.by_rules((draft, item, service), words, folded);
        let label = match self.judge {
            Some(judge) if judge.has_templates() || rules.overruled_above < FIRM => {
                let own = draft.body(item);
                let body = if own.is_empty() { folded } else { own };
                let is_first = self.turn.is_first();
                let tenant = || judge.tenant_of(draft, item);
                let subject = Subject { body, severity, rules, is_first, tenant: &tenant };
                let Judged { label, ask, why } = judge.label(draft.tails(), subject, self.buffer);
                match ask {
                    Some(ask) => self.open(judge, ask, draft, item),
                    None => self.count_avoided(why),
                }
                label
            }
            _ => {
                self.count_avoided(Why::Rules);
                rules
            }
        };
        draft.set_tail(item, label.tail);
        if let Some(item) = draft.items_mut().get_mut(item) {
            item.class = label.class.code();
        }
        let class = self.counts.get_mut(usize::from(label.class.code()) - 1);
        let rule = self.by_rule.get_mut(usize::from(label.rule));
        for count in class.into_iter().chain(rule) {
            *count += 1;
        }
    }

    fn count_avoided(&mut self, why: Why) {
        if let Some(count) = self.avoided.get_mut(why as usize) {
            *count += 1;
        }
    }

    /// What becomes of a record whose label an LLM may yet raise.
    fn open(&mut self, judge: &Judge, ask: &Ask, draft: &mut Draft, item: usize) {
        match &mut self.turn {
            Turn::Look(awaited) => {
                if judge.is_asked(ask) {
                    awaited.insert(ask.template());
                }
            }
            Turn::Hold(room) => {
                let bytes = draft.item_bytes(item).len();
                let is_held = judge.is_asked(ask) && room.takes(self.load, bytes);
                if let Some(one) = draft.items_mut().get_mut(item).filter(|_| is_held) {
                    one.route = HELD;
                    self.load.add(bytes);
                } else {
                    ask.send(self.now);
                }
            }
            Turn::Pass | Turn::Release => ask.send(self.now),
        }
    }
}

impl Step for Classify {
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch) {
        let _load = self.label(draft, scratch, Turn::Pass);
    }

    fn speaker(&self) -> Option<Box<dyn Receiver>> {
        let keeper = self.keeper.as_ref()?;
        Some(Box::new(keeper.speaker()?))
    }
}

impl Classify {
    /// Labels all records of a batch; says what of it is held.
    fn label(&self, draft: &mut Draft, scratch: &mut Scratch, turn: Turn<'_>) -> Load {
        draft.texts_lowercase(STRUCTURED_BYTES_MAX, &mut scratch.folded);
        let judge = self.judge(draft);
        let mut labelling = Labelling {
            classify: self,
            judge,
            buffer: &mut scratch.bytes,
            services: self.services.of_resources(draft),
            counts: [0; 3],
            by_rule: vec![0; self.rules.len() + 1],
            turn,
            now: self.keeper.as_ref().map_or(0, Keeper::now),
            load: Load::default(),
            avoided: [0; 4],
        };
        let mut next = 0;
        if let Some(scan) = &self.scan {
            let mut words = Vec::new();
            scan.bodies(&scratch.folded, |item, body| {
                for quiet in next..item {
                    labelling.item(draft, quiet, &[], scratch.folded.body(quiet));
                }
                words.clear();
                scan.words(body, |word| words.push(word));
                labelling.item(draft, item, &words, body);
                next = item + 1;
            });
        }
        for quiet in next..draft.len() {
            labelling.item(draft, quiet, &[], scratch.folded.body(quiet));
        }
        let Labelling { counts, by_rule, turn, load, now, avoided, .. } = labelling;
        if turn.is_first() {
            for (counter, count) in self.counters.iter().zip(counts) {
                counter.inc_by(count);
            }
            self.hits.add(&by_rule);
            for (counter, count) in self.avoided.iter().flatten().zip(avoided) {
                counter.inc_by(count);
            }
        }
        if let Some(keeper) = &self.keeper {
            keeper.store_when_due(now);
        }
        load
    }
}

/// The severity number; by name when a record has only that.
fn severity_of(draft: &Draft, item: usize) -> u8 {
    match draft.items().get(item) {
        Some(known) if known.severity > 0 => known.severity,
        _ => draft.severity_text(item).and_then(crate::rules::severity).unwrap_or(0),
    }
}

fn looks_closer(rule: &Rule, draft: &Draft, item: usize, folded: &[u8]) -> bool {
    let body = draft.body(item);
    let body = if body.is_empty() { folded } else { body };
    rule.regex.as_ref().is_none_or(|regex| regex.is_match(body))
        && rule.attributes.iter().all(|attribute| attribute_holds(attribute, draft, item))
}

fn attribute_holds(attribute: &Attribute, draft: &Draft, item: usize) -> bool {
    let found = draft
        .attribute(item, &attribute.key)
        .or_else(|| draft.scope_attribute(item, &attribute.key))
        .or_else(|| draft.resource_attribute(item, &attribute.key));
    let Some(found) = found else { return false };
    if attribute.value.is_none() && attribute.regex.is_none() {
        return true;
    }
    let text = text_of(found);
    attribute.value.as_ref().is_none_or(|value| *value == text)
        && attribute.regex.as_ref().is_none_or(|regex| regex.is_match(text.as_bytes()))
}

fn text_of(value: AnyValue<'_>) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    if let Some(number) = value.as_int() {
        return number.to_string();
    }
    if let Some(number) = value.as_double() {
        return number.to_string();
    }
    value.as_bool().map(|flag| flag.to_string()).unwrap_or_default()
}

fn confidence_min(settings: &ModelSettings) -> Result<f64, SettingsError> {
    if (0.0..=1.0).contains(&settings.confidence_min) {
        return Ok(settings.confidence_min);
    }
    let problem = format!("{} is not between 0 and 1", settings.confidence_min);
    Err(SettingsError::new("model.confidence_min", problem, "write 0.6"))
}

/// The rules that look for a word, and those that must not find it.
#[derive(Debug, Default)]
struct WordRules {
    finds: Vec<usize>,
    excepts: Vec<usize>,
}

impl WordRules {
    fn finds(&self, rule: usize) -> bool {
        self.finds.contains(&rule)
    }

    fn excepts(&self, rule: usize) -> bool {
        self.excepts.contains(&rule)
    }
}

/// Every distinct word once, folded, and what it means.
fn collect_words(rules: &[RuleSettings]) -> (Vec<String>, Vec<WordRules>) {
    let mut index: BTreeMap<String, WordRules> = BTreeMap::new();
    for (rule, settings) in rules.iter().enumerate() {
        for word in &settings.words {
            index.entry(word.to_ascii_lowercase()).or_default().finds.push(rule);
        }
        for word in &settings.except {
            index.entry(word.to_ascii_lowercase()).or_default().excepts.push(rule);
        }
    }
    index.into_iter().unzip()
}

#[cfg(test)]
mod tests;
