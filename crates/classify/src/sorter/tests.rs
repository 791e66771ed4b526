//! The sorter as callers see it, without sockets but for the one that asks who may listen.

use bessemer_net::body::{Body, BodyLimits};
use bessemer_net::listen::{Handler as _, Peer};
use bessemer_runtime::Budget;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::*;
use crate::rules::AttributeCondition;

fn rules() -> Rules {
    let shop =
        AttributeCondition { key: "service.name".into(), value: Some("shop".into()), regex: None };
    let rule = json!({ "name": "shop", "class": "critical", "words": ["declined"] });
    let mut rule: RuleSettings = serde_json::from_value(rule).unwrap();
    rule.attribute.push(shop);
    Rules { rule: vec![rule], ..Rules::default() }
}

fn keys(keys: &[&str]) -> Keys {
    Keys::new(&keys.iter().copied().map(Secret::new).collect::<Vec<_>>()).unwrap()
}

fn front(keys: &[&str], rules: &Rules) -> Front {
    let context = Context::detached().of("bessemer.sorter.test");
    Front {
        keys: self::keys(keys),
        limits: BodyLimits::of_bytes(1 << 20),
        bodies: Budget::new(1 << 24),
        metrics: Arc::clone(&context.metrics),
        explainer: Explainer::new(rules, &context).unwrap(),
    }
}

async fn send(front: &Front, request: Request<Body>) -> (u16, Value) {
    let peer = Peer {
        address: "127.0.0.1:1".parse().unwrap(),
        listener: "sorter".into(),
        encrypted: false,
        identity: None,
    };
    let (parts, body) = front.handle(request, &peer).await.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (parts.status.as_u16(), serde_json::from_slice(&bytes).unwrap_or(Value::String(text)))
}

async fn classify(front: &Front, body: &str) -> (u16, Value) {
    send(front, Request::post("/classify").body(Body::full(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn a_record_gets_the_class_of_the_first_rule_that_matches() {
    let front = front(&[], &rules());
    let reason = "rule security_incident: body contains \"breach\"";
    for (asked, class, confidence, reason) in [
        (json!({ "message": "a Breach" }), "critical", 0.95, reason),
        (
            json!({ "message": "timeout", "level": "ERROR" }),
            "warning",
            0.85,
            "rule error_condition: severity is ERROR or above",
        ),
        (
            json!({ "message": "timeout", "level": 17, "more": [] }),
            "warning",
            0.85,
            "rule error_condition: severity is ERROR or above",
        ),
        (json!({ "message": "card declined" }), "info", 0.5, "no rule matches"),
        (
            json!({ "message": "card declined", "attributes": { "service.name": "shop", "n": 1 } }),
            "critical",
            0.9,
            "rule shop: body contains \"declined\"",
        ),
    ] {
        let (status, label) = classify(&front, &asked.to_string()).await;
        let expected = json!({
            "classification": class, "confidence": confidence, "tier": "rules", "reason": reason,
        });
        assert_eq!((status, label), (200, expected), "{asked}");
    }
}

#[tokio::test]
async fn several_records_are_answered_in_their_order_and_the_model_is_asked_when_enabled() {
    let model = ModelSettings { enabled: true, ..ModelSettings::default() };
    let front = front(&[], &Rules { model, ..Rules::default() });
    let asked = json!([{ "message": "attack" }, { "message": "gate 9 rejected ticket 5512" }]);
    let (status, labels) = classify(&front, &asked.to_string()).await;
    assert_eq!((status, labels.as_array().unwrap().len()), (200, 2));
    assert_eq!([&labels[0]["tier"], &labels[1]["tier"]], ["rules", "model"]);
    assert_eq!(
        [&labels[1]["classification"], &labels[1]["model"]],
        ["warning", "bessemer-default"]
    );
}

#[tokio::test]
async fn what_is_no_record_is_refused_with_the_reason() {
    let front = front(&[], &rules());
    for (body, status) in [("{}", 400), ("[{}]", 400), ("7", 400), ("{", 400), ("[]", 200)] {
        assert_eq!(classify(&front, body).await.0, status, "{body}");
    }
    let many = format!("[{}]", vec![r#"{"message":"a"}"#; 10_001].join(","));
    assert_eq!(classify(&front, &many).await.0, 413);
    let get = Request::get("/classify").body(Body::full("")).unwrap();
    assert_eq!(send(&front, get).await.0, 405);
    let odd = Request::get("/odd").body(Body::full("")).unwrap();
    assert_eq!(send(&front, odd).await.0, 404);
}

#[tokio::test]
async fn only_health_is_answered_without_a_key_where_there_are_keys() {
    let front = front(&["right"], &rules());
    assert_eq!(classify(&front, r#"{"message":"a"}"#).await.0, 401);
    for (path, key, status) in
        [("/health", "", 200), ("/metrics", "", 401), ("/metrics", "Bearer right", 200)]
    {
        let request = Request::get(path).header("authorization", key);
        let (found, text) = send(&front, request.body(Body::full("")).unwrap()).await;
        assert_eq!(found, status, "{path} {key}");
        if key.is_empty() {
            continue;
        }
        assert!(text.as_str().unwrap().contains("bessemer_"), "{text}");
    }
}

#[tokio::test]
async fn without_a_key_only_this_machine_is_listened_to() {
    let context = Context::detached().of("bessemer.sorter.test");
    let mut settings: Settings = serde_json::from_value(json!({})).unwrap();
    let explainer = || Explainer::new(&Rules::default(), &context).unwrap();
    settings.http = listen::Settings::at("0.0.0.0:0");
    let error = begin(&settings, keys(&[]), explainer(), &context, &Tasks::new()).unwrap_err();
    assert!(error.remedy.contains("api_keys"), "{error}");
    settings.http = listen::Settings::at("127.0.0.1:0");
    let tasks = Tasks::new();
    assert!(begin(&settings, keys(&[]), explainer(), &context, &tasks).is_ok());
    tasks.cancel();
}
