//! Critical templates of the past and the tickets that they got: what a new one is like.
//!
//! The likeness is looked for when the label of a template is made, once for each template and
//! process, and stands on its records in `ai.similar`. What is known is stored with the templates;
//! tickets at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bessemer_pipeline::Context;
use bessemer_pipeline::services::{FeedbackError, Like, Similar};
use bessemer_pipeline::state::{Change, State, StateError};
use bessemer_runtime::{BoxFuture, Clock};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::similar::{Exact, Vector, VectorStore};
use crate::templates::TemplateId;
use crate::templates::mask::mask;

/// Templates that are known at most; the oldest without a ticket makes way.
const INCIDENTS_MAX: usize = 2_000;
/// Alike ones that are told at most.
const LIKE_MAX: usize = 3;
/// The least likeness that is told.
const LEAST: f32 = 0.4;
/// Tickets of a template at most.
const TICKETS_MAX: usize = 16;
/// Bytes of the name of a ticket at most.
const TICKET_BYTES_MAX: usize = 64;
/// Where they are in the state of their component.
const PREFIX: &str = "incident/";
const NANOS_A_SECOND: u64 = 1_000_000_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Incident {
    text: String,
    tickets: Vec<String>,
    since_unix_s: u64,
}

/// All of one component.
pub(super) struct Incidents {
    state: Arc<dyn State>,
    component: String,
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
}

struct Inner {
    kept: BTreeMap<TemplateId, Incident>,
    store: Box<dyn VectorStore>,
    changed: BTreeSet<TemplateId>,
}

impl std::fmt::Debug for Incidents {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kept = self.inner.lock().kept.len();
        formatter.debug_struct("Incidents").field("kept", &kept).finish_non_exhaustive()
    }
}

impl Incidents {
    /// Reads what an earlier process kept; values that cannot be read are left out.
    pub(super) fn open(context: &Context) -> Result<Self, StateError> {
        let mut inner = Inner {
            kept: BTreeMap::new(),
            store: Box::new(Exact::default()),
            changed: BTreeSet::new(),
        };
        for (key, value) in context.state.scan(&context.id, PREFIX, INCIDENTS_MAX)? {
            let template = key.strip_prefix(PREFIX).and_then(TemplateId::of_text);
            if let (Some(template), Ok(incident)) = (template, serde_json::from_slice(&value)) {
                inner.put(template, incident);
            }
        }
        Ok(Self {
            state: Arc::clone(&context.state),
            component: context.id.clone(),
            clock: Arc::clone(&context.clock),
            inner: Mutex::new(inner),
        })
    }

    /// What a critical body is like, best first; the body's own template only where it has tickets.
    /// Its template is known afterwards.
    pub(super) fn meet(&self, template: TemplateId, body: &str) -> Vec<Like> {
        let text = masked(body);
        let mut inner = self.inner.lock();
        let like = inner.like(Some(template), &text);
        if !inner.kept.contains_key(&template) {
            inner.make_room();
            let since_unix_s = self.clock.unix_nanos() / NANOS_A_SECOND;
            inner.put(template, Incident { text, tickets: Vec::new(), since_unix_s });
            inner.changed.insert(template);
        }
        like
    }

    /// What must be stored; each change is told once.
    pub(super) fn take_changes(&self) -> Vec<Change> {
        let mut inner = self.inner.lock();
        let changed = std::mem::take(&mut inner.changed);
        changed.into_iter().filter_map(|template| inner.change(template)).collect()
    }

    /// Has everything stored anew.
    pub(super) fn change_all(&self) {
        let mut inner = self.inner.lock();
        let all: Vec<TemplateId> = inner.kept.keys().copied().collect();
        inner.changed.extend(all);
    }

    async fn give_tickets(&self, id: &str, tickets: Vec<String>) -> Result<Like, FeedbackError> {
        let is_name = |ticket: &String| {
            (1..=TICKET_BYTES_MAX).contains(&ticket.len())
                && ticket.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if tickets.len() > TICKETS_MAX || !tickets.iter().all(is_name) {
            return Err(FeedbackError::Bad(format!(
                "at most {TICKETS_MAX} tickets, each of 1 to {TICKET_BYTES_MAX} letters without spaces"
            )));
        }
        let unknown = || FeedbackError::NotFound(format!("no critical template {id} is known"));
        let template = TemplateId::of_text(id).ok_or_else(unknown)?;
        let (incident, change) = {
            let inner = self.inner.lock();
            let mut incident = inner.kept.get(&template).cloned().ok_or_else(unknown)?;
            incident.tickets = tickets;
            let bytes = serde_json::to_vec(&incident)
                .map_err(|error| FeedbackError::Unavailable(error.to_string()))?;
            (incident, Change::Put(key_of(template), bytes))
        };
        let (state, component) = (Arc::clone(&self.state), self.component.clone());
        let written = tokio::task::spawn_blocking(move || state.apply(&component, &[change]));
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(FeedbackError::Unavailable(error.to_string())),
            Err(_) => {
                let problem = "the process is on its way down".to_owned();
                return Err(FeedbackError::Unavailable(problem));
            }
        }
        tracing::info!(
            target: "audit", component = self.component, %template, tickets = ?incident.tickets,
            "a critical template got tickets"
        );
        let like = told(template, &incident, 1.0);
        self.inner.lock().put(template, incident);
        Ok(like)
    }
}

impl Inner {
    fn put(&mut self, template: TemplateId, incident: Incident) {
        self.store.put(template.0, Vector::of(&incident.text));
        self.kept.insert(template, incident);
    }

    fn make_room(&mut self) {
        if self.kept.len() < INCIDENTS_MAX {
            return;
        }
        let age = |incident: &Incident| (!incident.tickets.is_empty(), incident.since_unix_s);
        let oldest = self.kept.iter().min_by_key(|(_, incident)| age(incident));
        if let Some(oldest) = oldest.map(|(template, _)| *template) {
            self.kept.remove(&oldest);
            self.store.remove(oldest.0);
            self.changed.insert(oldest);
        }
    }

    fn change(&self, template: TemplateId) -> Option<Change> {
        let Some(incident) = self.kept.get(&template) else {
            return Some(Change::Delete(key_of(template)));
        };
        serde_json::to_vec(incident).ok().map(|bytes| Change::Put(key_of(template), bytes))
    }

    fn like(&self, own: Option<TemplateId>, text: &str) -> Vec<Like> {
        let found = self.store.nearest(&Vector::of(text), LIKE_MAX + 1, LEAST);
        let known = found.into_iter().filter_map(|(id, likeness)| {
            let incident = self.kept.get(&TemplateId(id))?;
            let is_told = own != Some(TemplateId(id)) || !incident.tickets.is_empty();
            is_told.then(|| told(TemplateId(id), incident, likeness))
        });
        known.take(LIKE_MAX).collect()
    }
}

impl Similar for Incidents {
    fn similar(&self, message: &str) -> Vec<Like> {
        self.inner.lock().like(None, &masked(message))
    }

    fn tickets<'a>(
        &'a self,
        template: &'a str,
        tickets: Vec<String>,
    ) -> BoxFuture<'a, Result<Like, FeedbackError>> {
        Box::pin(self.give_tickets(template, tickets))
    }
}

fn told(template: TemplateId, incident: &Incident, likeness: f32) -> Like {
    Like {
        template: template.to_string(),
        likeness,
        text: incident.text.clone(),
        tickets: incident.tickets.clone(),
        since_unix_s: incident.since_unix_s,
    }
}

/// A body without what varies.
fn masked(body: &str) -> String {
    let mut masked = Vec::new();
    mask(super::judge::head(body.as_bytes()), &mut masked);
    String::from_utf8_lossy(&masked).into_owned()
}

fn key_of(template: TemplateId) -> String {
    format!("{PREFIX}{template}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> TemplateId {
        TemplateId(number)
    }

    #[tokio::test]
    async fn a_new_incident_is_told_what_it_is_like_with_the_tickets_over_restarts() {
        let context = Context::detached().of("bessemer.processor.classify.test");
        let first = Incidents::open(&context).unwrap();
        assert!(first.meet(id(1), "database orders lost its disk 4").is_empty());
        assert!(first.meet(id(2), "user 7 was attacked").is_empty());
        context.state.apply(&first.component, &first.take_changes()).unwrap();
        let own = format!("{:016x}", 1);
        let named = first.tickets(&own, vec!["INC-7".to_owned()]).await.unwrap();
        assert_eq!(named.tickets, ["INC-7"]);
        let second = Incidents::open(&context).unwrap();
        let like = second.meet(id(3), "database billing lost its disk 9");
        assert_eq!(like.len(), 1, "{like:?}");
        assert_eq!((&*like[0].template, &*like[0].tickets), (&*own, &["INC-7".to_owned()][..]));
        assert!((LEAST..1.0).contains(&like[0].likeness), "{like:?}");
        let again = second.meet(id(1), "database orders lost its disk 5");
        assert_eq!(again[0].template, own, "its own past too, once it has a ticket");
        assert_eq!(second.similar("database payments lost its disk 1").len(), 2);
        assert!(second.similar("nothing alike").is_empty());
    }

    #[tokio::test]
    async fn what_is_no_ticket_and_what_is_not_known_is_refused() {
        let incidents = Incidents::open(&Context::detached().of("c")).unwrap();
        incidents.meet(id(1), "disk lost");
        let own = format!("{:016x}", 1);
        for wrong in [
            vec!["a b".to_owned()],
            vec![String::new()],
            vec!["x".repeat(65)],
            vec!["x".into(); 17],
        ] {
            let error = incidents.tickets(&own, wrong).await.unwrap_err();
            assert!(matches!(error, FeedbackError::Bad(_)), "{error}");
        }
        let error = incidents.tickets("00", Vec::new()).await.unwrap_err();
        assert!(matches!(error, FeedbackError::NotFound(_)), "{error}");
    }

    #[tokio::test]
    async fn those_with_tickets_stay_when_there_is_no_room() {
        let incidents = Incidents::open(&Context::detached().of("c")).unwrap();
        incidents.meet(id(1), "disk lost");
        incidents.tickets(&format!("{:016x}", 1), vec!["INC-1".to_owned()]).await.unwrap();
        for number in 2..INCIDENTS_MAX as u64 + 10 {
            incidents.meet(id(number), "x");
        }
        let inner = incidents.inner.lock();
        assert_eq!(inner.kept.len(), INCIDENTS_MAX);
        assert!(inner.kept.contains_key(&id(1)));
    }
}
