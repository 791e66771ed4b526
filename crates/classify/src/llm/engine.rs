//! Takes questions off the queue in micro-batches and brings verdicts back.
//!
//! Beside the flow: nothing here makes a record wait. A batch is looked up in the caches, what is
//! left goes to the providers by priority, and what nobody could say rests before it is asked
//! again, so that a template costs about one call in its life. A batch holds records of one tenant:
//! one pays for it, and no prompt mixes what belongs to two.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bessemer_pipeline::metrics::llm::{LlmMetrics, QuestionLabels};
use bessemer_runtime::{Clock, Tasks};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::ask::{Asker, Question, TemplateId, Verdict};
use super::escalations::{Escalation, Escalations};
use super::member::{Member, Miss};
use super::prompt::{Fences, Prompt, QUESTIONS_MAX};
use super::provider::Answered;
use crate::cache::flight::{Flight, Flights};
use crate::cache::{Caches, Key};
use crate::money::{Account, Micros, Overdrawn, Purse};

/// Batches that are being asked about at a time.
const BATCHES_MAX: usize = 4;
/// Keys that are being asked about at a time.
const FLIGHTS_MAX: usize = BATCHES_MAX * QUESTIONS_MAX * 2;
/// A template that no provider could be asked about rests this long.
const REST_AFTER_FAILURE: Duration = Duration::from_mins(1);
/// One that a model left out or judged in no valid way rests this long.
const REST_AFTER_SILENCE: Duration = Duration::from_mins(30);
/// How often resting templates and providers are looked after.
const CARE_INTERVAL: Duration = Duration::from_secs(15);
/// Tenants that are remembered as being at their cap; beyond them all are.
const DEGRADED_MAX: usize = 1_000;

/// How questions are gathered and paid.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Component id of who asks.
    pub id: String,
    /// Questions of a batch at most.
    pub batch: usize,
    /// How long the first of a batch waits for more.
    pub linger: Duration,
    /// What all questions may cost in a day.
    pub daily_budget: Option<Micros>,
    /// What the questions of one tenant may cost in a day.
    pub tenant_daily_budget: Option<Micros>,
}

/// The tier at work.
pub struct Engine {
    plan: Plan,
    asker: Asker,
    caches: Arc<Caches>,
    purse: Arc<Purse>,
    members: Vec<Arc<Member>>,
    fences: Fences,
    flights: Flights<Key>,
    degraded: Arc<Degraded>,
    escalations: Option<Arc<Escalations>>,
    clock: Arc<dyn Clock>,
    metrics: LlmMetrics,
}

/// Whose money for today is spent.
#[derive(Debug, Default)]
pub struct Degraded {
    /// Whether it is so for anyone: what every record asks, without the lock.
    any: AtomicBool,
    spent: Mutex<Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    all: bool,
    tenants: BTreeSet<Arc<str>>,
}

impl Degraded {
    /// Whether records of `tenant` get local labels only, because the budget is spent.
    pub fn holds(&self, tenant: &str) -> bool {
        if !self.any() {
            return false;
        }
        let spent = self.spent.lock();
        spent.all || spent.tenants.contains(tenant)
    }

    /// Whether it is so for anyone.
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// The money of `tenant`, or of all, is spent.
    pub(crate) fn begin(&self, tenant: &Arc<str>, is_all: bool) {
        let mut spent = self.spent.lock();
        self.any.store(true, Ordering::Release);
        if is_all || spent.tenants.len() >= DEGRADED_MAX {
            spent.all = true;
        } else {
            spent.tenants.insert(Arc::clone(tenant));
        }
    }

    fn end(&self, tenant: &str) {
        let mut spent = self.spent.lock();
        spent.all = false;
        spent.tenants.remove(tenant);
        self.any.store(!spent.tenants.is_empty(), Ordering::Release);
    }
}

/// A question, where its verdict is kept, and the right to ask about it.
struct Open {
    question: Question,
    key: Key,
    _flight: Flight<Key>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl Engine {
    /// A tier that asks `members`, in the order of their priority.
    pub fn new(
        plan: Plan,
        (asker, caches): (Asker, Arc<Caches>),
        purse: Arc<Purse>,
        mut members: Vec<Arc<Member>>,
        fences: Fences,
        (clock, metrics): (Arc<dyn Clock>, LlmMetrics),
    ) -> Self {
        members.sort_by_key(|member| member.terms().priority);
        let (flights, degraded) = (Flights::new(FLIGHTS_MAX), Arc::default());
        Self {
            plan,
            asker,
            caches,
            purse,
            members,
            fences,
            flights,
            degraded,
            escalations: None,
            clock,
            metrics,
        }
    }

    /// Whose budget is spent, shared with whoever labels records.
    pub fn degraded(&self) -> &Arc<Degraded> {
        &self.degraded
    }

    /// The same state for one that was given out before the engine was made.
    #[must_use]
    pub fn with_degraded(self, degraded: Arc<Degraded>) -> Self {
        Self { degraded, ..self }
    }

    /// Tells of templates that are raised.
    #[must_use]
    pub fn with_escalations(self, escalations: Arc<Escalations>) -> Self {
        Self { escalations: Some(escalations), ..self }
    }

    /// Works until `tasks` is cancelled; then takes no further question.
    pub async fn run(self: Arc<Self>, tasks: Tasks) {
        let slots = Arc::new(Semaphore::new(BATCHES_MAX));
        let carer = Arc::clone(&self);
        let cared = tasks.clone();
        tasks.spawn(async move { carer.care(cared).await });
        loop {
            let batch = tokio::select! {
                () = tasks.cancelled() => break,
                batch = self.gather() => batch,
            };
            for questions in by_tenant(batch) {
                let slot = tokio::select! {
                    () = tasks.cancelled() => break,
                    slot = Arc::clone(&slots).acquire_owned() => slot,
                };
                let (engine, stop) = (Arc::clone(&self), tasks.clone());
                tasks.spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = engine.judge(questions) => {}
                    }
                    drop(slot);
                });
            }
        }
        self.asker.close();
    }

    /// Wakes what rested long enough, and asks resting providers whether they are back.
    async fn care(&self, tasks: Tasks) {
        loop {
            tokio::select! {
                () = tasks.cancelled() => return,
                () = self.clock.sleep(CARE_INTERVAL) => {}
            }
            self.asker.wake(self.clock.monotonic());
            for member in &self.members {
                member.probe().await;
            }
        }
    }

    /// The next micro-batch: full, or as many as came within the time of the first.
    async fn gather(&self) -> Vec<Question> {
        while self.asker.is_empty() {
            self.asker.arrived().await;
        }
        let until = self.clock.monotonic() + self.plan.linger;
        while self.asker.len() < self.plan.batch {
            let left = until.saturating_sub(self.clock.monotonic());
            if left.is_zero() {
                break;
            }
            tokio::select! {
                () = self.asker.arrived() => {}
                () = self.clock.sleep(left) => {}
            }
        }
        self.asker.take(self.plan.batch)
    }

    /// Brings verdicts on questions of one tenant.
    pub async fn judge(&self, questions: Vec<Question>) {
        let open = self.look_up(questions).await;
        let Some(tenant) = open.first().map(|one| Arc::clone(&one.question.tenant)) else { return };
        let templates: Vec<TemplateId> = open.iter().map(|one| one.question.template).collect();
        let Some((member, prompt, answered, cost)) = self.ask(&open, &tenant).await else {
            self.count("failed", templates.len());
            return self.rest(templates, REST_AFTER_FAILURE);
        };
        let judged = self.keep(&open, &member, &prompt, answered, cost).await;
        self.count("judged", judged.len());
        self.count("silent", templates.len() - judged.len());
        self.asker.settle(judged.iter().copied());
        let silent = templates.into_iter().filter(|one| !judged.contains(one)).collect();
        self.rest(silent, REST_AFTER_SILENCE);
    }

    fn rest(&self, templates: Vec<TemplateId>, length: Duration) {
        self.asker.rest(templates, self.clock.monotonic() + length);
    }

    /// Settles what a cache knows or another batch asks, and returns the rest.
    async fn look_up(&self, questions: Vec<Question>) -> Vec<Open> {
        let keys = questions.iter().map(|one| (one.template, self.caches.key(&one.text)));
        let keys: Vec<(TemplateId, Key)> = keys.collect();
        let found = self.caches.find(&keys).await;
        let mut open = Vec::new();
        let mut settled = Vec::new();
        let mut raised = Vec::new();
        for ((question, (template, key)), known) in questions.into_iter().zip(keys).zip(found) {
            raised.extend(known.as_ref().and_then(|known| self.escalation(&question, known)));
            let flight = if known.is_some() { None } else { self.flights.lead(&key) };
            match flight {
                Some(flight) => open.push(Open { question, key, _flight: flight }),
                None => settled.push(template),
            }
        }
        self.escalate(raised).await;
        self.count("known", settled.len());
        self.asker.settle(settled);
        open
    }

    /// The answer of the first provider that gives one.
    async fn ask(
        &self,
        open: &[Open],
        tenant: &Arc<str>,
    ) -> Option<(Arc<Member>, Prompt, Answered, Micros)> {
        let accounts = [
            Account::new("payer", &self.plan.id, self.plan.daily_budget),
            Account::new("tenant", tenant, self.plan.tenant_daily_budget),
        ];
        let prompt = || Prompt::new(open.iter().map(|one| &one.question), &self.fences);
        for member in &self.members {
            match member.ask(prompt, &self.purse, &accounts).await {
                Ok((prompt, answered, cost)) => {
                    if cost > Micros(0) {
                        self.degraded.end(tenant);
                    }
                    return Some((Arc::clone(member), prompt, answered, cost));
                }
                Err(Miss::Budget(Overdrawn::Cap { account, .. })) => {
                    // A provider's own cap leaves the others.
                    if let Some(own) = accounts.iter().position(|own| own.name == account) {
                        self.degraded.begin(tenant, own == 0);
                    }
                }
                Err(Miss::Budget(error)) => {
                    tracing::warn!(%error, "no LLM is asked");
                    self.degraded.begin(tenant, true);
                }
                Err(Miss::Resting) => {}
                Err(Miss::Failed(failure)) => {
                    let provider = &member.terms().id;
                    tracing::debug!(%provider, %failure, "an LLM gave no verdicts");
                }
            }
        }
        None
    }

    fn escalation(&self, question: &Question, verdict: &Verdict) -> Option<Escalation> {
        Escalation::of(question, verdict, self.clock.unix_nanos())
    }

    /// Has it told that templates were raised.
    async fn escalate(&self, raised: Vec<Escalation>) {
        let Some(escalations) = self.escalations.clone().filter(|_| !raised.is_empty()) else {
            return;
        };
        let written = tokio::task::spawn_blocking(move || escalations.add(raised)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(component = self.plan.id, %error, "raised templates cannot be written");
        }
    }

    /// Keeps the verdicts of an answer; the templates that got one.
    async fn keep(
        &self,
        open: &[Open],
        member: &Member,
        prompt: &Prompt,
        answered: Answered,
        cost: Micros,
    ) -> Vec<TemplateId> {
        self.count("ignored", answered.ignored);
        let share = Micros(cost.0 / (open.len() as u64).max(1));
        let kept = answered.judged.into_iter().filter_map(|judged| {
            let Open { question, key, .. } = open.get(judged.question)?;
            let verdict = Verdict {
                template: question.template,
                class: judged.class,
                confidence: judged.confidence,
                reason: judged.reason,
                provider: member.terms().id.clone(),
                model: member.model().to_owned(),
                prompt: prompt.hash(judged.question),
                cost: share,
            };
            Some((key.clone(), question, Arc::new(verdict)))
        });
        let kept: Vec<_> = kept.collect();
        let raised: Vec<_> =
            kept.iter().filter_map(|(_, question, one)| self.escalation(question, one)).collect();
        self.count("raised", raised.len());
        // On the disk before the verdict, which would else be all that is known after a crash.
        self.escalate(raised).await;
        let templates = kept.iter().map(|(_, _, verdict)| verdict.template).collect();
        self.caches.keep(kept.into_iter().map(|(key, _, verdict)| (key, verdict)).collect()).await;
        templates
    }

    fn count(&self, outcome: &'static str, by: usize) {
        if by > 0 {
            let labels = QuestionLabels { component: self.plan.id.clone(), outcome };
            self.metrics.questions.get_or_create_owned(&labels).inc_by(by as u64);
        }
    }
}

fn by_tenant(questions: Vec<Question>) -> impl Iterator<Item = Vec<Question>> {
    let mut groups: BTreeMap<Arc<str>, Vec<Question>> = BTreeMap::new();
    for question in questions {
        groups.entry(Arc::clone(&question.tenant)).or_default().push(question);
    }
    groups.into_values()
}

#[cfg(test)]
mod tests;
