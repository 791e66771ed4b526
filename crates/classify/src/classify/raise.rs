//! Labels that an LLM raises: of templates that rules and the model are unsure of.
//!
//! Nothing here waits. The first record of such a template puts a question and gets the local label;
//! once a verdict is there, further records get its class if it is higher. A verdict that came into
//! memory moves a number, so a record whose number is the same costs two loads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bessemer_record::{Draft, TailId, Tails, Value};
use xxhash_rust::xxh3::xxh3_64;

use super::encode::{Label, Said};
use super::settings::AttributeNames;
use super::text_of;
use crate::cell::LabelCell;
use crate::class::Class;
use crate::llm::tier::{Settings as TierSettings, Tier};
use crate::llm::{Local, Question, Redacted, TemplateId, Verdict};

/// Bytes of a tenant's name at most.
const TENANT_BYTES_MAX: usize = 128;
/// A question that was not taken is put again with every so many records.
const RETRY_EVERY: u64 = 64;

/// A label that may be raised.
#[derive(Debug)]
pub(super) struct Ask {
    template: TemplateId,
    /// The attributes of the local label.
    base: Vec<(String, Value)>,
    local: Local,
    /// The state of the verdicts that was looked at last, less one; zero for none.
    looked: AtomicU64,
    forgets: AtomicU64,
    is_judged: AtomicBool,
    raised: LabelCell,
    sent: Sent,
    degraded: OnceLock<Label>,
}

impl Ask {
    /// Which template it is about.
    pub(super) fn template(&self) -> TemplateId {
        self.template
    }

    /// A record goes on with the local label.
    pub(super) fn send(&self, now: u64) {
        if self.sent.count.fetch_add(1, Ordering::Relaxed) == 0 {
            self.sent.first.store(now, Ordering::Relaxed);
        }
        self.sent.last.store(now, Ordering::Relaxed);
    }

    /// The records that went on with the local label.
    pub(super) fn sent(&self) -> Span {
        let load = |value: &AtomicU64| value.load(Ordering::Relaxed);
        Span {
            count: load(&self.sent.count),
            first: load(&self.sent.first),
            last: load(&self.sent.last),
        }
    }

    pub(super) fn new(template: u64, base: &[(String, Value)], local: Local) -> Self {
        Self {
            template: TemplateId(template),
            base: base.to_vec(),
            local,
            looked: AtomicU64::new(0),
            forgets: AtomicU64::new(0),
            is_judged: AtomicBool::new(false),
            raised: LabelCell::default(),
            sent: Sent::default(),
            degraded: OnceLock::new(),
        }
    }
}

/// Records that went on with a label that an LLM may yet raise.
#[derive(Debug, Default)]
struct Sent {
    count: AtomicU64,
    first: AtomicU64,
    last: AtomicU64,
}

/// How many these were, and from when to when, in nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    pub(super) count: u64,
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Span {
    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        if self.count == 0 || other.count == 0 {
            return if self.count == 0 { other } else { self };
        }
        Self {
            count: self.count + other.count,
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }
}

/// What a question is made of, if one is put.
pub(super) struct About<'a> {
    /// The words of the template.
    pub(super) text: &'a dyn Fn() -> Option<String>,
    /// Whose record it is.
    pub(super) tenant: &'a dyn Fn() -> Arc<str>,
    /// What it is like, once it is critical.
    pub(super) similar: &'a dyn Fn() -> Option<(String, Value)>,
}

/// A name that takes little memory, and another one for each other name.
fn bounded(tenant: &str) -> String {
    if tenant.len() <= TENANT_BYTES_MAX {
        return tenant.to_owned();
    }
    let cut = tenant.floor_char_boundary(TENANT_BYTES_MAX - 17);
    let hash = xxh3_64(tenant.as_bytes());
    format!("{}~{hash:016x}", tenant.get(..cut).unwrap_or_default())
}

/// Raises labels by verdicts.
#[derive(Debug)]
pub(super) struct Raiser {
    pub(super) tier: Tier,
    names: AttributeNames,
    below: f64,
    tenant_attribute: Vec<u8>,
}

impl Raiser {
    pub(super) fn new(tier: Tier, names: AttributeNames, settings: &TierSettings) -> Self {
        let tenant_attribute = settings.tenant_attribute.clone().into_bytes();
        Self { tier, names, below: settings.ask_below, tenant_attribute }
    }

    /// Whose record it is, as far as its resource says; empty for nobody in particular.
    pub(super) fn tenant_of(&self, draft: &Draft, item: usize) -> Arc<str> {
        if self.tenant_attribute.is_empty() {
            return "".into();
        }
        let value = draft.resource_attribute(item, &self.tenant_attribute);
        bounded(&value.map(text_of).unwrap_or_default()).into()
    }

    /// Whether an LLM is asked about a label: something to raise, and not sure enough.
    pub(super) fn asks(&self, class: Class, confidence: f64) -> bool {
        class < Class::Critical && confidence < self.below
    }

    /// The label of the `count`th record, and whether a verdict may yet raise it.
    pub(super) fn label(
        &self,
        tails: &Tails,
        ask: &Ask,
        label: Label,
        count: u64,
        about: &About<'_>,
    ) -> (Label, bool) {
        let now = self.tier.verdicts.generation() + 1;
        let is_news = ask.looked.swap(now, Ordering::Relaxed) != now;
        let is_judged = || ask.is_judged.load(Ordering::Relaxed);
        if is_news || (count.is_multiple_of(RETRY_EVERY) && !is_judged()) {
            self.look(tails, ask, about);
        }
        if let Some((class, tail)) = ask.raised.get(tails) {
            return (Label { class, tail, rule: 0, ..label }, false);
        }
        let is_open = !is_judged();
        if is_open && self.tier.degraded.any() && self.tier.degraded.holds(&(about.tenant)()) {
            return (self.degraded(tails, ask, label), true);
        }
        (label, is_open)
    }

    fn look(&self, tails: &Tails, ask: &Ask, about: &About<'_>) {
        let verdict = self.tier.verdicts.get(ask.template);
        let forgets = self.tier.verdicts.forgets();
        let is_forgotten = ask.forgets.swap(forgets, Ordering::Relaxed) != forgets;
        let Some(verdict) = verdict else {
            // What only made way for others in memory still holds.
            if is_forgotten {
                ask.raised.set(None);
                ask.is_judged.store(false, Ordering::Relaxed);
            }
            return self.put_question(ask, about);
        };
        ask.is_judged.store(true, Ordering::Relaxed);
        if ask.raised.class() != Some(verdict.class) {
            let is_higher = verdict.raises(ask.local.class);
            let raised = is_higher.then(|| self.raised(tails, ask, &verdict, about));
            ask.raised.set(raised.flatten());
        }
    }

    fn put_question(&self, ask: &Ask, about: &About<'_>) {
        if !self.tier.asker.wants(ask.template) {
            return;
        }
        if let Some(text) = (about.text)() {
            let text = Redacted::new(&text);
            let (template, local) = (ask.template, ask.local);
            // Whatever becomes of it, a later record asks again if there is no verdict.
            let tenant = (about.tenant)();
            let _offered = self.tier.asker.offer(Question { template, text, tenant, local });
        }
    }

    fn raised(
        &self,
        tails: &Tails,
        ask: &Ask,
        verdict: &Verdict,
        about: &About<'_>,
    ) -> Option<(Class, TailId)> {
        let said = Said {
            class: verdict.over(ask.local.class),
            confidence: verdict.confidence,
            tier: "llm",
            reason: &verdict.reason,
            model: Some(&verdict.model),
        };
        let mut attributes = said.attributes(&self.names);
        let template = |(name, _): &&(String, Value)| *name == self.names.template;
        attributes.extend(ask.base.iter().find(template).cloned());
        if said.class == Class::Critical {
            attributes.extend((about.similar)());
        }
        Some((said.class, tails.learn(&attributes)?))
    }

    /// The local label, with the word that nobody was asked.
    fn degraded(&self, tails: &Tails, ask: &Ask, label: Label) -> Label {
        if self.names.degraded.is_empty() {
            return label;
        }
        let make = || {
            let mut attributes = ask.base.clone();
            attributes.push((self.names.degraded.clone(), Value::String("budget".to_owned())));
            tails.learn(&attributes).map_or(label, |tail| Label { tail, ..label })
        };
        *ask.degraded.get_or_init(make)
    }
}

#[cfg(test)]
mod tests;
