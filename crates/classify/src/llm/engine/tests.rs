//! The tier at work, on simulated time, against providers that speak the wire formats.

use std::sync::atomic::Ordering::SeqCst;

use bessemer_pipeline::metrics::llm::AttemptLabels;
use bessemer_pipeline::state::{MemoryState, State};
use bessemer_runtime::{Random, SystemClock, SystemRandom};

use super::*;
use crate::cache::durable::Durable;
use crate::class::Class;
use crate::llm::anthropic::Messages;
use crate::llm::ask::{Local, Offered, Verdicts};
use crate::llm::fake::{Fake, Mood};
use crate::llm::lab::injections;
use crate::llm::member::Terms;
use crate::llm::openai::{ChatCompletions, Flavor};
use crate::llm::provider::{LlmProvider, Wire};
use crate::llm::redact::Redacted;
use crate::money::{Amount, Price};

const SECOND: Duration = Duration::from_secs(1);

fn price() -> Price {
    Price { input: Amount(Micros(1_000_000)), output: Amount(Micros(5_000_000)) }
}

/// What outlives a process: the state, and the providers with their bills.
struct World {
    state: Arc<MemoryState>,
    fakes: Vec<Arc<Fake>>,
    cap: Option<Micros>,
}

/// One process.
struct Lab {
    engine: Arc<Engine>,
    asker: Asker,
    verdicts: Arc<Verdicts>,
    clock: Arc<SystemClock>,
    metrics: LlmMetrics,
    tasks: Tasks,
}

impl World {
    /// The four providers of the default order: Grok, `OpenAI`, Anthropic, local.
    fn new(moods: [Mood; 4]) -> Self {
        let prices = [price(), price(), price(), Price::FREE];
        let fakes = prices.into_iter().zip(moods).map(|(price, mood)| Fake::new(price, [mood]));
        Self { state: Arc::default(), fakes: fakes.collect(), cap: None }
    }

    fn start(&self) -> Lab {
        let clock = Arc::new(SystemClock::default());
        let state = Arc::clone(&self.state) as Arc<dyn State>;
        let metrics = LlmMetrics::default();
        let verdicts = Arc::new(Verdicts::default());
        let durable = Durable::open(Arc::clone(&state), 1).unwrap();
        let caches = Caches::new(Arc::clone(&verdicts), None, durable, 1, &metrics);
        let asker = Asker::new(1_000);
        let plan = Plan {
            id: "classify".into(),
            batch: 50,
            linger: 5 * SECOND,
            daily_budget: self.cap,
            tenant_daily_budget: None,
        };
        let names = [("grok", 10), ("openai", 15), ("claude", 20), ("local", 5)];
        let members = names.into_iter().zip(&self.fakes).zip(1..);
        let members = members
            .map(|((named, fake), priority)| member(named, priority, fake, &clock, &metrics));
        let engine = Engine::new(
            plan,
            (asker.clone(), Arc::new(caches)),
            Arc::new(Purse::open(state, Arc::clone(&clock) as Arc<dyn Clock>).unwrap()),
            members.collect(),
            Fences::new([9; 32]),
            (Arc::clone(&clock) as Arc<dyn Clock>, metrics.clone()),
        );
        let (engine, tasks) = (Arc::new(engine), Tasks::new());
        tasks.spawn(Arc::clone(&engine).run(tasks.clone()));
        Lab { engine, asker, verdicts, clock, metrics, tasks }
    }
}

fn member(
    (id, timeout): (&str, u32),
    priority: u32,
    fake: &Arc<Fake>,
    clock: &Arc<SystemClock>,
    metrics: &LlmMetrics,
) -> Arc<Member> {
    let provider: Arc<dyn LlmProvider> = match id {
        "claude" => Arc::new(Messages::new("m")),
        "local" => Arc::new(ChatCompletions::new("m", Flavor::Local)),
        "grok" => Arc::new(ChatCompletions::new("m", Flavor::Xai)),
        _ => Arc::new(ChatCompletions::new("m", Flavor::OpenAi)),
    };
    let terms = Terms {
        id: id.to_owned(),
        wire: if id == "claude" { Wire::Messages } else { Wire::Chat },
        priority,
        timeout: timeout * SECOND,
        attempts: 2,
        requests_per_minute: 0,
        tokens_per_minute: 0,
        price: fake.price,
        daily_budget: None,
    };
    let world =
        (Arc::clone(clock) as Arc<dyn Clock>, Arc::new(SystemRandom::seeded(5)) as Arc<dyn Random>);
    let both = (Arc::clone(fake) as _, Arc::clone(fake) as _);
    Arc::new(Member::new(terms, provider, both, world, metrics.clone()))
}

impl Lab {
    fn offer(&self, template: u64, text: &str) -> Offered {
        self.asker.offer(Question {
            template: TemplateId(template),
            text: Redacted::new(text),
            tenant: "acme".into(),
            local: Local { class: Class::Warning, confidence: 0.5 },
        })
    }

    /// Sixty questions at once.
    fn offer_many(&self, first: u64) {
        for number in first..first + 60 {
            self.offer(number, &format!("unit {number} reports class=warning state"));
        }
    }

    /// Asks about one template and waits for whatever comes of it.
    async fn ask(&self, template: u64, text: &str) -> Option<Arc<Verdict>> {
        assert_eq!(self.offer(template, text), Offered::Queued);
        self.asker.answered(&[TemplateId(template)]).await;
        self.verdicts.get(TemplateId(template))
    }

    fn count(&self, provider: &str, outcome: &'static str) -> u64 {
        let labels = AttemptLabels { provider: provider.into(), outcome };
        self.metrics.requests.get_or_create_owned(&labels).get()
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_provider_by_priority_judges_a_micro_batch() {
    let world = World::new(std::array::from_fn(|_| Mood::Says("critical")));
    let lab = world.start();
    let began = lab.clock.monotonic();
    for template in 0..50 {
        assert_eq!(
            lab.offer(template, &format!("disk of kind {template} failed")),
            Offered::Queued
        );
    }
    let all: Vec<TemplateId> = (0..50).map(TemplateId).collect();
    lab.asker.answered(&all).await;
    assert!(lab.clock.monotonic() < began + SECOND, "a full batch does not linger");
    assert_eq!(world.fakes[0].asked(), 1);
    assert_eq!(lab.verdicts.len(), 50);
    let verdict = lab.verdicts.get(TemplateId(7)).unwrap();
    assert_eq!((verdict.class, verdict.provider.as_str()), (Class::Critical, "grok"));
    assert!(verdict.cost > Micros(0));
}

#[tokio::test(start_paused = true)]
async fn whatever_providers_answer_the_next_one_is_asked_within_its_time() {
    let garbage = Mood::Body("<html>".into());
    let huge = Mood::Body(format!(
        "{{\"choices\":[{{\"message\":{{\"content\":\"{}\"}},\"finish_reason\":\"stop\"}}]}}",
        "x".repeat(5 << 20)
    ));
    for (mood, label, tries, limit) in [
        (Mood::Limited(2), "rate_limited", 2, 9),
        (Mood::Limited(60), "rate_limited", 1, 6),
        (Mood::Status(500), "unavailable", 2, 7),
        (Mood::Silent, "unavailable", 2, 27),
        (Mood::Cut, "unavailable", 2, 7),
        (garbage, "garbage", 1, 6),
        (huge, "garbage", 1, 6),
        (Mood::Refuses, "refused", 1, 6),
        (Mood::Truncates, "truncated", 1, 6),
        (Mood::Status(400), "rejected", 1, 6),
        (Mood::Status(401), "denied", 1, 6),
    ] {
        let world =
            World::new([mood.clone(), Mood::Status(503), Mood::Says("critical"), Mood::Down]);
        let lab = world.start();
        let began = lab.clock.monotonic();
        let verdict = lab.ask(1, "disk failed").await.unwrap();
        assert_eq!(verdict.provider, "claude", "{label}");
        assert_eq!(lab.count("grok", label), tries, "{label}");
        assert!(lab.clock.monotonic() < began + limit * SECOND, "{label}");
        lab.tasks.cancel();
    }
}

/// Scenario: a provider refuses a question with each status, and the free one of one's own answers.
/// Promise: what was refused before a model was asked costs nothing; what may have been billed stays
/// reserved, for the payer and for the tenant.
#[tokio::test(start_paused = true)]
async fn what_a_provider_refuses_unseen_is_given_back_and_no_other_failure_is() {
    for (mood, is_free) in [
        (Mood::Limited(60), true),
        (Mood::Status(401), true),
        (Mood::Status(403), true),
        (Mood::Status(404), true),
        (Mood::Status(413), true),
        (Mood::Status(400), false),
        (Mood::Status(500), false),
        (Mood::Cut, false),
    ] {
        let world = World::new([mood.clone(), Mood::Down, Mood::Down, Mood::Says("critical")]);
        let lab = world.start();
        assert_eq!(lab.ask(1, "disk failed").await.unwrap().provider, "local");
        assert!(world.fakes[0].asked() > 0);
        for (kind, name) in [("payer", "classify"), ("tenant", "acme"), ("provider", "grok")] {
            let spent = lab.engine.purse.spent(&Account::new(kind, name, None).name);
            assert_eq!(spent == Micros(0), is_free, "{mood:?} {kind}: {spent:?}");
        }
        lab.tasks.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_provider_rests_and_is_asked_again_once_it_is_back() {
    let world = World::new([Mood::Status(500), Mood::Says("info"), Mood::Down, Mood::Down]);
    let lab = world.start();
    for template in 1..10 {
        lab.ask(template, &format!("text {template}")).await.unwrap();
    }
    let asked = world.fakes[0].asked();
    assert!(asked <= 4, "{asked} requests to a provider that is down");
    world.fakes[0].set(Mood::Says("critical"));
    lab.clock.sleep(CARE_INTERVAL * 2).await;
    assert_eq!(lab.ask(100, "after the outage").await.unwrap().provider, "grok");
}

#[tokio::test(start_paused = true)]
async fn when_nobody_answers_a_template_rests_before_it_is_asked_again() {
    let world = World::new(std::array::from_fn(|_| Mood::Down));
    let lab = world.start();
    assert_eq!(lab.ask(1, "disk failed").await, None);
    assert_eq!(lab.offer(1, "disk failed"), Offered::Resting);
    lab.clock.sleep(REST_AFTER_FAILURE + CARE_INTERVAL).await;
    assert_eq!(lab.offer(1, "disk failed"), Offered::Queued);
}

#[tokio::test(start_paused = true)]
async fn at_the_cap_only_the_local_model_is_asked_and_that_is_said() {
    let mut world = World::new(std::array::from_fn(|_| Mood::Says("critical")));
    world.cap = Some(Micros(12_000));
    let lab = world.start();
    let mut by_local = 0;
    for template in 0..40 {
        let verdict = lab.ask(template, &format!("text {template}")).await.unwrap();
        by_local += u32::from(verdict.provider == "local");
    }
    let billed: u64 = world.fakes.iter().map(|fake| fake.billed.load(SeqCst)).sum();
    assert!(billed > 6_000 && billed <= 12_000, "{billed}");
    assert!(by_local > 5, "{by_local}");
    assert!(lab.engine.degraded().holds("acme"));
}

/// Scenario: any moods of all providers, thousands of questions, and the process dies again and
/// again in the middle of them.
/// Promise: the providers together never bill more than the cap.
#[tokio::test(start_paused = true)]
async fn over_deaths_and_every_mood_no_more_is_billed_than_the_cap() {
    for seed in 0..8 {
        let random = SystemRandom::seeded(seed);
        let mut world = World::new(std::array::from_fn(|_| Mood::Obeys));
        world.cap = Some(Micros(100_000));
        for fake in &world.fakes[..3] {
            *fake.moods.lock() = (0..200).map(|_| any_mood(&random)).collect();
        }
        for life in 0..6 {
            let lab = world.start();
            for batch in 0..40 {
                lab.offer_many(life * 10_000 + batch * 100);
                lab.clock.sleep(random.between(Duration::ZERO, 3 * SECOND)).await;
            }
            // Killed: nothing is settled, nothing is said good-bye to.
            lab.tasks.cancel();
        }
        let billed: u64 = world.fakes.iter().map(|fake| fake.billed.load(SeqCst)).sum();
        assert!(billed <= 100_000, "seed {seed}: {billed}");
        assert!(billed > 5_000, "seed {seed}: {billed} is not a trial");
    }
}

fn any_mood(random: &SystemRandom) -> Mood {
    match random.next_u64() % 10 {
        0 => Mood::Limited(1),
        1 => Mood::Status(500),
        2 => Mood::Cut,
        3 => Mood::Silent,
        4 => Mood::Body("garbage".into()),
        5 => Mood::Refuses,
        6 => Mood::Unreported,
        7 => Mood::Truncates,
        _ => Mood::Obeys,
    }
}

/// Scenario: a million records of 400 templates, some far more common than others, while one
/// request in ten fails.
/// Promise: at most 1.2 questions for each template.
#[tokio::test(start_paused = true)]
async fn a_million_records_cost_about_one_question_for_each_template() {
    let world = World::new([Mood::Obeys, Mood::Obeys, Mood::Down, Mood::Down]);
    let random = SystemRandom::seeded(3);
    let moods = (0..2_000).map(|_| {
        if random.next_u64().is_multiple_of(10) { Mood::Status(500) } else { Mood::Obeys }
    });
    *world.fakes[0].moods.lock() = moods.collect();
    let lab = world.start();
    let records = if std::env::var_os("BESSEMER_PROOF").is_some() { 1_000_000 } else { 200_000 };
    for record in 0..records {
        let (one, two) = (random.next_u64() % 400, random.next_u64() % 400);
        let template = one * two / 400;
        if lab.verdicts.get(TemplateId(template)).is_none() && lab.asker.wants(TemplateId(template))
        {
            lab.offer(template, &format!("service says class=warning number {template}"));
        }
        if record % 100 == 0 {
            lab.clock.sleep(Duration::from_millis(50)).await;
        }
    }
    let templates = lab.verdicts.len() as u64;
    let questions: u64 = world.fakes.iter().map(|fake| fake.questions.load(SeqCst)).sum();
    assert!(templates > 250, "{templates}");
    assert!(questions * 10 <= templates * 12, "{questions} questions for {templates} templates");
}

/// Scenario: 2,500 texts that try to talk the model into something, and a model that obeys every
/// one of them.
/// Promise: no severity is lowered, no label is invented, no text gets out of its fence.
#[tokio::test(start_paused = true)]
async fn no_injected_text_lowers_a_severity_or_invents_a_label() {
    let world = World::new(std::array::from_fn(|_| Mood::Obeys));
    let lab = world.start();
    let texts = injections();
    assert!(texts.len() >= 2_000);
    for (batch, texts) in texts.chunks(50).enumerate() {
        for (place, text) in texts.iter().enumerate() {
            lab.offer((batch * 50 + place) as u64, text);
        }
        let templates: Vec<TemplateId> =
            (0..texts.len()).map(|place| TemplateId((batch * 50 + place) as u64)).collect();
        lab.asker.answered(&templates).await;
        for template in templates {
            let Some(verdict) = lab.verdicts.get(template) else { continue };
            assert!(verdict.over(Class::Warning) >= Class::Warning);
            assert_eq!(verdict.over(Class::Critical), Class::Critical);
        }
    }
    for body in &*world.fakes[0].bodies.lock() {
        assert!(body.get("tools").is_none());
        let data = body["messages"][1]["content"].as_str().unwrap();
        let lines: Vec<&str> = data.lines().collect();
        let fence = lines[0];
        assert_eq!(lines.iter().filter(|line| line.contains(fence)).count(), 2);
        assert!(lines[1..lines.len() - 1].iter().all(|line| line.starts_with("{\"id\":")));
    }
}
