//! Templates that an LLM raised after records of them had gone on with a lower class: each is told
//! once, also over restarts.
//!
//! One is on the disk before the verdict that raised it is kept, and told when its record is in the
//! journal. A crash between the two tells it again; none is lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use bessemer_pipeline::state::{Change, State, StateError};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::ask::{Question, TemplateId, Verdict};
use crate::class::Class;

/// Escalations that are remembered at most; the oldest that was told makes way.
pub const ESCALATIONS_MAX: usize = 10_000;
/// Where they are in the state of their component.
const PREFIX: &str = "escalation/";

/// A template that was raised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Escalation {
    /// Which.
    pub template: TemplateId,
    /// Whose records.
    pub tenant: String,
    /// The template as the LLM saw it.
    pub text: String,
    /// The class that records had.
    pub from: Class,
    /// The class that they get now.
    pub class: Class,
    /// How sure, from 0 to 1.
    pub confidence: f64,
    /// Why, in the words of the LLM.
    pub reason: String,
    /// Component id of the provider.
    pub provider: String,
    /// The model that answered.
    pub model: String,
    /// When, in nanoseconds since the Unix epoch.
    pub at: u64,
    /// Whether its record is in the journal.
    pub is_told: bool,
}

impl Escalation {
    /// What a verdict makes of a question; nothing if it does not raise.
    pub fn of(question: &Question, verdict: &Verdict, at: u64) -> Option<Self> {
        verdict.raises(question.local.class).then(|| Self {
            template: question.template,
            tenant: question.tenant.to_string(),
            text: question.text.as_str().to_owned(),
            from: question.local.class,
            class: verdict.class,
            confidence: verdict.confidence,
            reason: verdict.reason.clone(),
            provider: verdict.provider.clone(),
            model: verdict.model.clone(),
            at,
            is_told: false,
        })
    }
}

/// All of one component.
pub struct Escalations {
    state: Arc<dyn State>,
    component: String,
    kept: Mutex<BTreeMap<TemplateId, Escalation>>,
    arrived: Notify,
}

impl std::fmt::Debug for Escalations {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kept = self.kept.lock().len();
        formatter.debug_struct("Escalations").field("kept", &kept).finish_non_exhaustive()
    }
}

impl Escalations {
    /// Reads what an earlier process kept; values that cannot be read are left out.
    pub fn open(state: Arc<dyn State>, component: &str) -> Result<Self, StateError> {
        let pairs = state.scan(component, PREFIX, ESCALATIONS_MAX)?;
        let read = pairs.iter().filter_map(|(_, value)| serde_json::from_slice(value).ok());
        let kept = read.map(|one: Escalation| (one.template, one)).collect();
        let (kept, arrived) = (Mutex::new(kept), Notify::new());
        Ok(Self { state, component: component.to_owned(), kept, arrived })
    }

    /// Keeps those that were not told yet at this class. Waits for the disk; what cannot be written
    /// is told all the same while this process lives.
    pub fn add(&self, raised: Vec<Escalation>) -> Result<(), StateError> {
        let mut kept = self.kept.lock();
        let mut changes = Vec::with_capacity(raised.len());
        for one in raised {
            if kept.get(&one.template).is_some_and(|known| known.class >= one.class) {
                continue;
            }
            changes.extend(make_room(&mut kept));
            changes.extend(put(&one));
            kept.insert(one.template, one);
        }
        if changes.is_empty() {
            return Ok(());
        }
        self.arrived.notify_one();
        self.state.apply(&self.component, &changes)
    }

    /// Those whose record is not in the journal, oldest first.
    pub fn pending(&self) -> Vec<Escalation> {
        let kept = self.kept.lock();
        let mut pending: Vec<Escalation> =
            kept.values().filter(|one| !one.is_told).cloned().collect();
        pending.sort_by_key(|one| one.at);
        pending
    }

    /// The record of this one is in the journal. Waits for the disk.
    pub fn told(&self, told: &Escalation) -> Result<(), StateError> {
        let mut kept = self.kept.lock();
        let Some(one) = kept.get_mut(&told.template).filter(|one| one.class == told.class) else {
            return Ok(());
        };
        one.is_told = true;
        let changes: Vec<Change> = put(one).into_iter().collect();
        self.state.apply(&self.component, &changes)
    }

    /// Completes once one was added since the last call.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }
}

/// Lets the oldest one go that was told, or the oldest of all, if there is no room for another.
fn make_room(kept: &mut BTreeMap<TemplateId, Escalation>) -> Option<Change> {
    if kept.len() < ESCALATIONS_MAX {
        return None;
    }
    let oldest = kept.values().min_by_key(|one| (!one.is_told, one.at))?.template;
    if kept.remove(&oldest).is_some_and(|one| !one.is_told) {
        let template = format!("{:016x}", oldest.0);
        tracing::warn!(template, "a raised template is not told: too many wait");
    }
    Some(Change::Delete(key(oldest)))
}

fn put(one: &Escalation) -> Option<Change> {
    serde_json::to_vec(one).ok().map(|bytes| Change::Put(key(one.template), bytes))
}

fn key(template: TemplateId) -> String {
    format!("{PREFIX}{:016x}", template.0)
}

#[cfg(test)]
mod tests {
    use bessemer_pipeline::state::MemoryState;

    use super::*;

    fn one(template: u64, class: Class) -> Escalation {
        Escalation {
            template: TemplateId(template),
            tenant: String::new(),
            text: "pump stands".to_owned(),
            from: Class::Info,
            class,
            confidence: 0.9,
            reason: "it stands".to_owned(),
            provider: "p".to_owned(),
            model: "m".to_owned(),
            at: template,
            is_told: false,
        }
    }

    #[test]
    fn each_is_told_once_over_restarts_and_again_only_when_it_rises() {
        let state: Arc<MemoryState> = Arc::default();
        let open = || Escalations::open(Arc::clone(&state) as Arc<dyn State>, "c").unwrap();
        let first = open();
        first.add(vec![one(1, Class::Warning), one(2, Class::Critical)]).unwrap();
        let second = open();
        assert_eq!(second.pending().len(), 2, "a crash lost none");
        second.told(&one(1, Class::Warning)).unwrap();
        second.add(vec![one(1, Class::Warning)]).unwrap();
        assert_eq!(second.pending(), [one(2, Class::Critical)]);
        let third = open();
        assert_eq!(third.pending(), [one(2, Class::Critical)]);
        third.add(vec![one(1, Class::Critical)]).unwrap();
        assert_eq!(third.pending(), [one(1, Class::Critical), one(2, Class::Critical)]);
    }

    #[test]
    fn those_that_were_told_make_way_first_and_the_bound_holds() {
        let state: Arc<MemoryState> = Arc::default();
        let all = Escalations::open(Arc::clone(&state) as Arc<dyn State>, "c").unwrap();
        let max = ESCALATIONS_MAX as u64;
        all.add((0..max).map(|number| one(number, Class::Warning)).collect()).unwrap();
        all.told(&one(7, Class::Warning)).unwrap();
        all.add(vec![one(max, Class::Warning)]).unwrap();
        let pending = all.pending();
        assert_eq!(pending.len(), ESCALATIONS_MAX);
        assert!(pending.iter().all(|one| one.template != TemplateId(7)));
        let kept = state.scan("c", PREFIX, 2 * ESCALATIONS_MAX).unwrap();
        assert_eq!(kept.len(), ESCALATIONS_MAX);
    }
}
