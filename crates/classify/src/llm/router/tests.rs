//! The router against providers that speak the wire formats, without sockets.

use std::sync::atomic::Ordering::SeqCst;

use bessemer_net::body::{Body, BodyLimits};
use bessemer_net::listen::{Handler as _, Peer, Reply};
use bessemer_pipeline::state::{MemoryState, State};
use bessemer_runtime::{Budget, Clock, Random, SystemClock, SystemRandom};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::*;
use crate::llm::anthropic::Messages;
use crate::llm::fake::{Fake, Mood};
use crate::llm::member::{Member, Terms};
use crate::llm::openai::{ChatCompletions, Flavor};
use crate::llm::provider::{LlmProvider, Wire};
use crate::money::Purse;

struct Lab {
    front: Front,
    fakes: Vec<Arc<Fake>>,
    purse: Arc<Purse>,
}

fn reference(id: &str) -> Reference {
    Reference { node: id.to_owned(), export: String::new() }
}

fn settings(endpoint: &str) -> Settings {
    let http = json!({ "endpoint": endpoint });
    serde_json::from_value(json!({ "http": http, "providers": [] })).unwrap()
}

/// Two that speak chat completions, `one` before `two`, and one that speaks messages.
fn lab(moods: [Mood; 3], change: impl FnOnce(&mut Settings)) -> Lab {
    let price = Price { input: Amount(Micros(1_000_000)), output: Amount(Micros(5_000_000)) };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let random: Arc<dyn Random> = Arc::new(SystemRandom::seeded(5));
    let context = Context::detached().of("bessemer.llm.router.main");
    let mut members = Vec::new();
    let mut fakes = Vec::new();
    for ((id, mood), priority) in ["one", "two", "claude"].into_iter().zip(moods).zip(1..) {
        let fake = Fake::new(price, [mood]);
        let wire = if id == "claude" { Wire::Messages } else { Wire::Chat };
        let provider: Arc<dyn LlmProvider> = match wire {
            Wire::Chat => Arc::new(ChatCompletions::new(format!("model-{id}"), Flavor::OpenAi)),
            Wire::Messages => Arc::new(Messages::new("model-claude")),
        };
        let terms = Terms {
            id: id.to_owned(),
            wire,
            priority,
            timeout: Duration::from_secs(5),
            attempts: 1,
            requests_per_minute: 0,
            tokens_per_minute: 0,
            price,
            daily_budget: None,
        };
        let world = (Arc::clone(&clock), Arc::clone(&random));
        let both = (Arc::clone(&fake) as _, Arc::clone(&fake) as _);
        let metrics = context.metrics.llm.clone();
        members.push(Arc::new(Member::new(terms, provider, both, world, metrics)));
        fakes.push(fake);
    }
    let mut settings = settings("127.0.0.1:0");
    settings.providers = ["one", "two", "claude"].map(reference).to_vec();
    change(&mut settings);
    let state: Arc<dyn State> = Arc::new(MemoryState::default());
    let purse = Arc::new(Purse::open(state, clock).unwrap());
    let (keys, calls_max) = (Keys::new(&settings.api_keys).unwrap(), settings.calls_max);
    let relay = Relay::new(settings, &context, members, Arc::clone(&purse), Tasks::new()).unwrap();
    let front = Front {
        keys,
        limits: BodyLimits::of_bytes(1 << 20),
        bodies: Budget::new(1 << 24),
        calls: Arc::new(Semaphore::new(calls_max)),
        relay: Arc::new(relay),
    };
    Lab { front, fakes, purse }
}

impl Lab {
    async fn send(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Response<Reply> {
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::full(body.to_string())).unwrap();
        let peer = Peer {
            address: "127.0.0.1:1".parse().unwrap(),
            listener: "router".into(),
            encrypted: false,
            identity: None,
        };
        self.front.handle(request, &peer).await
    }

    async fn chat(&self, model: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Value) {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] });
        read(self.send("/v1/chat/completions", headers, &body).await).await
    }

    fn spent(&self) -> u64 {
        self.purse.spent("payer/bessemer.llm.router.main").0
    }
}

async fn read(response: Response<Reply>) -> (u16, HeaderMap, Value) {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), parts.headers, serde_json::from_slice(&bytes).unwrap_or_default())
}

fn well() -> [Mood; 3] {
    std::array::from_fn(|_| Mood::Says("info"))
}

#[tokio::test(start_paused = true)]
async fn a_failing_provider_is_passed_over_with_the_model_of_the_next() {
    for mood in [Mood::Status(500), Mood::Status(401), Mood::Limited(60), Mood::Cut, Mood::Down] {
        let lab = lab([mood, Mood::Says("info"), Mood::Down], |_| {});
        let (status, _, answer) = lab.chat("model-one", &[]).await;
        assert_eq!((status, &answer["object"]), (200, &json!("chat.completion")));
        assert_eq!(lab.fakes[1].bodies.lock()[0]["model"], "model-two");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_provider_calls_the_callers_fault_is_told_to_the_caller_alone() {
    let lab = lab([Mood::Status(400), Mood::Says("info"), Mood::Down], |_| {});
    assert_eq!(lab.chat("model-one", &[]).await.0, 400);
    assert_eq!(lab.fakes[1].asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_model_and_the_preferred_provider_decide_who_is_first() {
    let lab = lab(well(), |settings| {
        settings.model.push(Mapping {
            name: "fast".into(),
            provider: reference("two"),
            target: Some("gpt-4.1-nano".into()),
            price: None,
        });
    });
    lab.chat("model-two", &[]).await;
    lab.chat("fast", &[]).await;
    lab.chat("model-one", &[("x-bessemer-provider", "two")]).await;
    let models: Vec<Value> =
        lab.fakes[1].bodies.lock().iter().map(|body| body["model"].clone()).collect();
    assert_eq!(models, ["model-two", "gpt-4.1-nano", "model-two"]);
    assert_eq!(lab.fakes[0].asked(), 0);
    let (status, _, error) = lab.chat("nobody", &[]).await;
    assert_eq!((status, &error["error"]["code"]), (404, &json!("model_not_found")));
}

#[tokio::test(start_paused = true)]
async fn each_protocol_goes_where_it_is_spoken() {
    let lab = lab(well(), |_| {});
    let body = json!({
        "model": "model-claude", "max_tokens": 100, "messages": [{ "role": "user", "content": "x" }]
    });
    let (status, _, answer) = read(lab.send("/v1/messages", &[], &body).await).await;
    assert_eq!((status, &answer["type"]), (200, &json!("message")));
    let mut tools = body.clone();
    tools["tools"] = json!([]);
    let (status, _, error) = read(lab.send("/v1/chat/completions", &[], &tools).await).await;
    assert_eq!((status, &error["error"]["type"]), (404, &json!("not_found_error")));
}

#[tokio::test(start_paused = true)]
async fn no_more_is_spent_than_the_budget_and_the_caller_is_told_not_to_come_again() {
    let lab = lab(well(), |settings| settings.daily_budget = Amount(Micros(24_000)));
    let mut refused = 0;
    for _ in 0..200 {
        let (status, headers, error) = lab.chat("model-one", &[]).await;
        if status == 429 {
            assert_eq!(error["error"]["code"], "insufficient_quota");
            assert_eq!(headers["x-should-retry"], "false");
            refused += 1;
        }
    }
    let billed: u64 = lab.fakes.iter().map(|fake| fake.billed.load(SeqCst)).sum();
    assert!(billed <= 24_000 && refused > 0, "{billed} {refused}");
    assert_eq!(lab.spent(), billed);
}

#[tokio::test(start_paused = true)]
async fn the_other_format_stands_in_where_all_of_it_can_be_said() {
    let message = json!({
        "id": "1", "type": "message", "model": "m", "content": [{ "type": "text", "text": "pong" }],
        "stop_reason": "end_turn", "usage": { "input_tokens": 5, "output_tokens": 2 }
    });
    let lab = lab([Mood::Status(503), Mood::Down, Mood::Body(message.to_string())], |_| {});
    let (status, _, answer) = lab.chat("model-one", &[]).await;
    assert_eq!((status, &answer["object"]), (200, &json!("chat.completion")), "{answer}");
    assert_eq!(answer["choices"][0]["message"]["content"], "pong");
    assert_eq!(answer["usage"]["total_tokens"], 7);
    let asked = lab.fakes[2].bodies.lock()[0].clone();
    assert_eq!((&asked["model"], &asked["max_tokens"]), (&json!("model-claude"), &json!(4096)));
    let body = json!({
        "model": "model-one", "tools": [], "messages": [{ "role": "user", "content": "x" }]
    });
    let (status, ..) = read(lab.send("/v1/chat/completions", &[], &body).await).await;
    assert_ne!(status, 200, "tools are not translated");
    assert_eq!(lab.fakes[2].asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_the_other_format_is_translated_and_paid() {
    let lab = lab([Mood::Body(STREAM.into()), Mood::Down, Mood::Down], |_| {});
    let body = json!({
        "model": "model-claude", "max_tokens": 100, "stream": true,
        "messages": [{ "role": "user", "content": "x" }]
    });
    let before = lab.spent();
    let response = lab.send("/v1/messages", &[], &body).await;
    assert_eq!(response.status(), 200);
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.starts_with("event: message_start\n"), "{text}");
    assert!(text.contains("\"text\":\"a\"") && text.contains("\"output_tokens\":3"), "{text}");
    assert!(text.ends_with("data: {\"type\":\"message_stop\"}\n\n"), "{text}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(lab.fakes[0].bodies.lock()[0]["stream_options"]["include_usage"], true);
    assert_eq!(lab.spent() - before, 70 + 3 * 5);
}

#[tokio::test(start_paused = true)]
async fn the_same_call_is_answered_again_only_where_settings_say_so() {
    let kept = lab(well(), |settings| settings.cache = Some(answers::Settings::default()));
    let (_, first, answer) = kept.chat("model-one", &[]).await;
    let spent = kept.spent();
    let (status, again, same) = kept.chat("model-one", &[]).await;
    assert_eq!((status, same), (200, answer));
    assert!(!first.contains_key("x-bessemer-cache"));
    assert_eq!(again["x-bessemer-cache"], "hit");
    assert_eq!((kept.fakes[0].asked(), kept.spent()), (1, spent));
    let without = lab(well(), |_| {});
    without.chat("model-one", &[]).await;
    without.chat("model-one", &[]).await;
    assert_eq!(without.fakes[0].asked(), 2);
}

const STREAM: &str = concat!(
    "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":70,\"completion_tokens\":3,\"total_tokens\":73}}\n\n",
    "data: [DONE]\n\n",
);

#[tokio::test(start_paused = true)]
async fn a_stream_passes_in_events_after_a_fallback_and_is_paid_by_its_usage() {
    let lab = lab([Mood::Status(503), Mood::Body(STREAM.into()), Mood::Down], |_| {});
    let body = json!({ "model": "model-one", "stream": true, "messages": [{ "role": "user", "content": "x" }] });
    let before = lab.spent();
    let response = lab.send("/v1/chat/completions", &[], &body).await;
    assert_eq!(response.status(), 200);
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.starts_with("data: {\"choices\":[{") && text.ends_with("data: [DONE]\n\n"));
    assert!(!text.contains("usage"), "the caller did not ask for it");
    assert_eq!(lab.fakes[1].bodies.lock()[0]["stream_options"]["include_usage"], true);
    // The first attempt told no usage and stays reserved; the second cost what it said.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let first = lab.fakes[0].price.at_most(body_bytes(&lab.fakes[0]), default_tokens()).0;
    let second = 70 + 3 * 5;
    assert_eq!(lab.spent() - before, first + second);
}

fn body_bytes(fake: &Fake) -> u64 {
    fake.bodies.lock()[0].to_string().len() as u64
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_leaves_ends_the_stream_and_its_money_stays_reserved() {
    let lab = lab([Mood::Body(STREAM.into()), Mood::Down, Mood::Down], |_| {});
    let body = json!({ "model": "model-one", "stream": true, "messages": [{ "role": "user", "content": "x" }] });
    drop(lab.send("/v1/chat/completions", &[], &body).await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let most = lab.fakes[0].price.at_most(body_bytes(&lab.fakes[0]), default_tokens()).0;
    assert_eq!(lab.spent(), most);
}

#[tokio::test(start_paused = true)]
async fn without_a_key_of_the_router_nobody_is_asked() {
    let lab = lab(well(), |settings| settings.api_keys = vec![Secret::new("s3cret-key")]);
    for headers in [&[][..], &[("authorization", "Bearer s3cret-kez")], &[("x-api-key", "")]] {
        assert_eq!(lab.chat("model-one", headers).await.0, 401);
    }
    assert_eq!(lab.fakes[0].asked(), 0);
    for headers in [&[("authorization", "Bearer s3cret-key")], &[("x-api-key", "s3cret-key")]] {
        assert_eq!(lab.chat("model-one", headers).await.0, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_no_bounded_price_is_refused() {
    let lab = lab(well(), |_| {});
    for extra in [
        json!({ "tools": [{ "type": "web_search_20250305", "name": "web_search" }] }),
        json!({ "web_search_options": {} }),
        json!({ "n": 100 }),
        json!({ "modalities": ["text", "audio"] }),
    ] {
        let mut body = json!({ "model": "model-one", "messages": [] });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let (status, _, _) = read(lab.send("/v1/chat/completions", &[], &body).await).await;
        assert_eq!(status, 400, "{extra}");
    }
    assert_eq!(lab.fakes[0].asked(), 0);
}

#[tokio::test]
async fn an_address_that_others_reach_is_refused_without_keys() {
    let context = Context::detached().of("bessemer.llm.router.main");
    let keys = Keys::new(&[]).unwrap();
    let error = begin(settings("0.0.0.0:0"), keys, &context, &Tasks::new()).unwrap_err();
    assert!(error.problem.contains("without a key"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_are_under_way_than_allowed_until_an_answer_is_gone() {
    let lab = lab(well(), |settings| settings.calls_max = 1);
    let body = json!({ "model": "model-one", "messages": [{ "role": "user", "content": "x" }] });
    let first = lab.send("/v1/chat/completions", &[], &body).await;
    assert_eq!(first.status(), 200);
    let second = lab.send("/v1/chat/completions", &[], &body).await;
    assert_eq!(
        (second.status().as_u16(), second.headers()["retry-after"].as_bytes()),
        (429, &b"1"[..])
    );
    assert!(!first.into_body().collect().await.unwrap().to_bytes().is_empty());
    assert_eq!(lab.send("/v1/chat/completions", &[], &body).await.status(), 200);
}
