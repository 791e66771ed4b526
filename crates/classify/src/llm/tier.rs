//! What the classify processor gets of the LLM tier, and how the tier begins.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bessemer_config::value::Reference;
use bessemer_pipeline::metrics::llm::{AvoidedLabels, LlmMetrics, QuestionLabels};
use bessemer_pipeline::receiver::StartError;
use bessemer_pipeline::services::Report;
use bessemer_pipeline::{Context, SettingsError};
use bessemer_runtime::{Span, Tasks};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use super::ask::{Asker, QUESTIONS_MAX, TemplateId, VERDICTS_DEFAULT, Verdict, Verdicts};
use super::engine::{Degraded, Engine, Plan};
use super::escalations::Escalations;
use super::member::Member;
use super::prompt::{self, Fences, QUESTIONS_MAX as BATCH_MAX};
use super::provider::Usage;
use super::redact::Redacted;
use crate::cache::Caches;
use crate::cache::durable::Durable;
use crate::cache::redis::{Redis, Settings as CacheSettings};
use crate::cache::shared::Guarded;
use crate::money::{Account, Amount, Micros, Price, Purse};

/// Providers of one tier at most.
const PROVIDERS_MAX: usize = 16;
/// The time that a record may wait at most.
const WAIT_MAX: Duration = Duration::from_mins(10);
/// Verdicts in memory at most.
const MEMORY_MAX: usize = 1_000_000;

/// Settings of the LLM tier of a classify processor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Who is asked: `bessemer.llm.*` components, in the order of their `priority`.
    pub providers: Vec<Reference>,
    /// The local label is questioned when it is less sure than this, from 0 to 1; without a model,
    /// every label that no firm rule gave.
    #[serde(default = "default_ask_below")]
    pub ask_below: f64,
    /// Templates in one request at most, up to 50.
    #[serde(default = "default_batch")]
    pub batch: usize,
    /// How long the first template of a request waits for more.
    #[serde(default = "default_linger")]
    pub linger: Span,
    /// What all requests may cost in a UTC day; then labels are local and say so.
    #[serde(default = "default_budget")]
    pub daily_budget: Amount,
    /// What the requests for one tenant's records may cost in a UTC day; unset, only the budget of
    /// all counts.
    #[serde(default)]
    pub tenant_daily_budget: Option<Amount>,
    /// The resource attribute that names the tenant, which the own pipeline must have set: a name that
    /// anyone can send makes as many budgets. Unset, nobody in particular pays.
    #[serde(default)]
    pub tenant_attribute: String,
    /// Verdicts in memory.
    #[serde(default = "default_memory")]
    pub cache_size: usize,
    /// How long a record waits at most while an LLM is asked about its template, up to 10 minutes;
    /// unset, records go on at once and only later ones are raised. What waits is in the journal.
    #[serde(default)]
    pub wait: Option<Span>,
    /// Records that wait at most, and no more than 16 MiB of them; further ones go on at once.
    #[serde(default = "default_wait_records")]
    pub wait_records_max: u64,
    /// A Redis or Valkey in which nodes share verdicts.
    #[serde(default)]
    pub cache: Option<CacheSettings>,
}

impl Settings {
    /// The default settings with these providers.
    pub fn of(providers: Vec<Reference>) -> Self {
        Self {
            providers,
            ask_below: default_ask_below(),
            batch: default_batch(),
            linger: default_linger(),
            daily_budget: default_budget(),
            tenant_daily_budget: None,
            tenant_attribute: String::new(),
            cache_size: default_memory(),
            wait: None,
            wait_records_max: default_wait_records(),
            cache: None,
        }
    }
}

fn default_ask_below() -> f64 {
    0.75
}

fn default_batch() -> usize {
    BATCH_MAX
}

fn default_linger() -> Span {
    Span(Duration::from_secs(5))
}

fn default_budget() -> Amount {
    Amount(Micros(5_000_000))
}

fn default_memory() -> usize {
    VERDICTS_DEFAULT
}

fn default_wait_records() -> u64 {
    10_000
}

/// The tier, as the processor sees it.
#[derive(Debug, Clone)]
pub struct Tier {
    /// Takes questions.
    pub asker: Asker,
    /// Has verdicts.
    pub verdicts: Arc<Verdicts>,
    /// Whose budget is spent.
    pub degraded: Arc<Degraded>,
    /// Templates that were raised.
    pub escalations: Arc<Escalations>,
    caches: Arc<OnceLock<Arc<Caches>>>,
}

impl Tier {
    /// The tier of the component that `context` is of; it begins to ask when the process starts.
    pub fn new(settings: &Settings, context: &Context) -> Result<Self, SettingsError> {
        check(settings)?;
        let redis = settings.cache.as_ref().map(Redis::new).transpose();
        let redis = redis
            .map_err(|error| SettingsError { path: format!("llm.{}", error.path), ..error })?;
        let escalations = Escalations::open(Arc::clone(&context.state), &context.id);
        let escalations = escalations.map_err(|error| {
            SettingsError::new("llm", error.to_string(), "check the data directory")
        })?;
        let tier = Self {
            escalations: Arc::new(escalations),
            asker: Asker::new(QUESTIONS_MAX),
            verdicts: Arc::new(Verdicts::new(settings.cache_size)),
            degraded: Arc::default(),
            caches: Arc::default(),
        };
        members_exist("llm.providers", &settings.providers, context);
        let (own, settings, world) = (tier.clone(), settings.clone(), context.clone());
        context.services.on_start(move |tasks| {
            let begun = own.begin(&settings, redis, &world, &tasks);
            Box::pin(std::future::ready(begun))
        });
        Ok(tier)
    }

    /// What was said of a template, in memory or, under its text, in the state of this node; that
    /// reads the disk.
    pub fn known(&self, template: TemplateId, text: Option<&Redacted>) -> Option<Arc<Verdict>> {
        let kept = || self.caches.get()?.kept(template, text?);
        self.verdicts.get(template).or_else(kept)
    }

    /// Forgets what was said of a template, in every cache: an operator knows better.
    pub async fn forget(&self, template: TemplateId, text: &Redacted) {
        match self.caches.get() {
            Some(caches) => caches.forget(template, text).await,
            None => self.verdicts.forget(template),
        }
    }

    fn begin(
        &self,
        settings: &Settings,
        redis: Option<Redis>,
        context: &Context,
        tasks: &Tasks,
    ) -> Result<(), StartError> {
        let members = members(&settings.providers, context)?;
        let version = version(&members);
        let metrics = context.metrics.llm.clone();
        let (state, clock) = (Arc::clone(&context.state), Arc::clone(&context.clock));
        let shared = redis.zip(settings.cache.as_ref()).map(|(redis, cache)| {
            Guarded::new(Arc::new(redis), Arc::clone(&clock), cache.timeout.0, &metrics)
        });
        let durable =
            Durable::open(state, version).map_err(|error| not_started(context, &error))?;
        let caches = Caches::new(Arc::clone(&self.verdicts), shared, durable, version, &metrics);
        let caches = Arc::new(caches);
        drop(self.caches.set(Arc::clone(&caches)));
        let fences = Fences::random()
            .ok_or_else(|| not_started(context, &"the system gives no random bytes"))?;
        let plan = Plan {
            id: context.id.clone(),
            batch: settings.batch,
            linger: settings.linger.0,
            daily_budget: Some(settings.daily_budget.0),
            tenant_daily_budget: settings.tenant_daily_budget.map(|amount| amount.0),
        };
        let asked = (self.asker.clone(), caches);
        let purse = purse(context)?;
        let standing = Standing {
            payer: context.id.clone(),
            daily_budget: settings.daily_budget.0,
            purse: Arc::clone(&purse),
            members: members.clone(),
            degraded: Some(Arc::clone(&self.degraded)),
            metrics: metrics.clone(),
        };
        context.services.publish_report("llm", &context.id, Arc::new(standing));
        let engine = Engine::new(plan, asked, purse, members, fences, (clock, metrics));
        let engine = engine.with_degraded(Arc::clone(&self.degraded));
        let engine = engine.with_escalations(Arc::clone(&self.escalations));
        tasks.spawn(Arc::new(engine).run(tasks.clone()));
        Ok(())
    }
}

/// Where a tier or a router stands today, for the admin API.
pub(crate) struct Standing {
    pub(crate) payer: String,
    pub(crate) daily_budget: Micros,
    pub(crate) purse: Arc<Purse>,
    pub(crate) members: Vec<Arc<Member>>,
    pub(crate) degraded: Option<Arc<Degraded>>,
    /// Records that no LLM was asked about are counted here.
    pub(crate) metrics: LlmMetrics,
}

/// Tokens of the answer about one record, and bytes of a token of its prompt, for an estimate.
const TOKENS_OF_ONE: u64 = 60;
const BYTES_A_TOKEN: u64 = 4;

impl Standing {
    /// Records that no LLM was asked about since the process began, and what asking about each alone
    /// would have cost at the list price of the provider that is asked first: an estimate.
    fn avoided(&self) -> Value {
        let count = |by: &'static str| {
            let labels = AvoidedLabels { component: self.payer.clone(), by };
            self.metrics.avoided.get_or_create_owned(&labels).get()
        };
        let labels = QuestionLabels { component: self.payer.clone(), outcome: "known" };
        let cache = self.metrics.questions.get_or_create_owned(&labels).get();
        let [rules, model, verdict, operator] =
            ["rules", "model", "verdict", "operator"].map(count);
        let first = self.members.iter().min_by_key(|member| member.terms().priority);
        let price = first.map_or(Price::FREE, |member| member.terms().price);
        let input = prompt::bytes_of_one() / BYTES_A_TOKEN;
        let each = price.of(Usage { input, output: TOKENS_OF_ONE });
        let all = rules + model + verdict + operator + cache;
        json!({
            "rules": rules, "model": model, "verdict": verdict, "operator": operator,
            "cache": cache, "saved_estimate": Micros(each.0.saturating_mul(all)).to_string()
        })
    }
}

impl Report for Standing {
    fn report(&self) -> Value {
        let spent = |kind: &str, name: &str| {
            self.purse.spent(&Account::new(kind, name, None).name).to_string()
        };
        let providers = self.members.iter().map(|member| {
            let terms = member.terms();
            json!({
                "id": terms.id, "model": member.model(), "priority": terms.priority,
                "up": member.is_up(), "spent_today": spent("provider", &terms.id),
                "daily_budget": terms.daily_budget.map(|budget| budget.to_string())
            })
        });
        let is_spent = self.degraded.as_ref().is_some_and(|degraded| degraded.holds(""));
        let degraded = match (self.purse.is_damaged(), is_spent) {
            (true, _) => Some("damaged"),
            (false, true) => Some("budget"),
            (false, false) => None,
        };
        json!({
            "spent_today": spent("payer", &self.payer),
            "daily_budget": self.daily_budget.to_string(),
            "degraded": degraded,
            "avoided": self.avoided(),
            "providers": providers.collect::<Vec<_>>()
        })
    }
}

/// The one purse of the process: an account has one book, whoever charges it.
pub(crate) fn purse(context: &Context) -> Result<Arc<Purse>, StartError> {
    let (state, clock) = (Arc::clone(&context.state), Arc::clone(&context.clock));
    let opened = context.services.shared(|| Purse::open(state, clock));
    opened.map_err(|error| not_started(context, &error))
}

/// The components that are named, once all are built.
pub(crate) fn members(
    providers: &[Reference],
    context: &Context,
) -> Result<Vec<Arc<Member>>, StartError> {
    find_members("providers", providers, context).map_err(|error| StartError {
        component: context.id.clone(),
        problem: format!("{} {}", error.path, error.problem),
        remedy: error.remedy,
    })
}

/// Has it said before the start if one of them is no LLM; `path` is the setting that names them.
pub(crate) fn members_exist(path: &'static str, providers: &[Reference], context: &Context) {
    let (providers, world) = (providers.to_vec(), context.clone());
    context
        .services
        .on_built(&context.id, move || find_members(path, &providers, &world).map(|_| ()));
}

fn find_members(
    path: &str,
    providers: &[Reference],
    context: &Context,
) -> Result<Vec<Arc<Member>>, SettingsError> {
    let find = |(index, reference): (usize, &Reference)| {
        context.services.find::<Member>(&reference.node).ok_or_else(|| {
            let path = format!("{path}[{index}]");
            let problem = format!("names {reference}, which is not an LLM");
            SettingsError::new(&path, problem, "name bessemer.llm.* components")
        })
    };
    providers.iter().enumerate().map(find).collect()
}

/// Changes with everything that a verdict depends on beside its text.
fn version(members: &[Arc<Member>]) -> u64 {
    let mut models: Vec<(u32, &str)> =
        members.iter().map(|member| (member.terms().priority, member.model())).collect();
    models.sort_unstable();
    xxh3_64(format!("{} {models:?}", prompt::version()).as_bytes())
}

fn check(settings: &Settings) -> Result<(), SettingsError> {
    let wrong = |path: &str, problem: &str, remedy: &str| {
        Err(SettingsError::new(&format!("llm.{path}"), problem, remedy))
    };
    if settings.tenant_daily_budget.is_some() && settings.tenant_attribute.is_empty() {
        let remedy = "name the resource attribute that names the tenant";
        return wrong("tenant_attribute", "is not given beside tenant_daily_budget", remedy);
    }
    if settings.providers.is_empty() || settings.providers.len() > PROVIDERS_MAX {
        return wrong("providers", "has none or too many", "name 1 to 16 bessemer.llm components");
    }
    if !(0.0..=1.0).contains(&settings.ask_below) {
        return wrong("ask_below", "is not between 0 and 1", "write 0.75");
    }
    if !(1..=BATCH_MAX).contains(&settings.batch) {
        return wrong("batch", "is out of range", "write 1 to 50");
    }
    if settings.wait.is_some_and(|wait| wait.0.is_zero() || wait.0 > WAIT_MAX) {
        return wrong("wait", "is out of range", "write 5s, at most 10m, or leave it out");
    }
    if settings.wait_records_max == 0 {
        return wrong("wait_records_max", "lets no record wait", "write 10000, or no `wait`");
    }
    if !(1..=MEMORY_MAX).contains(&settings.cache_size) {
        return wrong("cache_size", "is out of range", "write 1 to 1000000");
    }
    Ok(())
}

fn not_started(context: &Context, problem: &dyn std::fmt::Display) -> StartError {
    StartError {
        component: context.id.clone(),
        problem: format!("the LLM tier cannot begin: {problem}"),
        remedy: "check the data directory".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Settings)) -> String {
        let provider = Reference { node: "bessemer.llm.local.own".into(), export: String::new() };
        let mut settings = Settings::of(vec![provider]);
        change(&mut settings);
        Tier::new(&settings, &Context::detached().of("c")).unwrap_err().path
    }

    #[test]
    fn what_is_wrong_is_named_by_its_setting() {
        assert_eq!(refused(|settings| settings.providers.clear()), "llm.providers");
        assert_eq!(refused(|settings| settings.batch = 51), "llm.batch");
        assert_eq!(refused(|settings| settings.ask_below = 1.5), "llm.ask_below");
        assert_eq!(refused(|settings| settings.cache_size = 0), "llm.cache_size");
        let budget = Some(Amount(Micros(1)));
        let path = refused(|settings| settings.tenant_daily_budget = budget);
        assert_eq!(path, "llm.tenant_attribute");
        assert_eq!(refused(|settings| settings.wait = Some(Span(Duration::ZERO))), "llm.wait");
        assert_eq!(refused(|settings| settings.wait_records_max = 0), "llm.wait_records_max");
        let cache = serde_json::json!({ "url": "http://nowhere" });
        let cache: CacheSettings = serde_json::from_value(cache).unwrap();
        assert_eq!(refused(|settings| settings.cache = Some(cache)), "llm.cache.url");
    }

    #[tokio::test]
    async fn a_name_that_is_no_llm_is_told_before_the_start_and_ends_it() {
        let context = Context::detached().of("c");
        let provider = Reference { node: "bessemer.llm.local.own".into(), export: String::new() };
        drop(Tier::new(&Settings::of(vec![provider]), &context).unwrap());
        let (id, told) = context.services.check().pop().unwrap();
        assert_eq!((id.as_str(), told.path.as_str()), ("c", "llm.providers[0]"));
        let error = context.services.start(&Tasks::new()).await.unwrap_err();
        assert!(error.problem.contains("bessemer.llm.local.own, which is not an LLM"), "{error}");
        assert!(error.remedy.contains("bessemer.llm.*"), "{error}");
    }
}
