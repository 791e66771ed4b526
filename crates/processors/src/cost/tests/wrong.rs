//! Settings that are refused.

use super::*;

#[track_caller]
fn check(settings: Json, path: &str) {
    let text = settings.to_string();
    let error = cost(settings, &Context::detached()).map(|_| ()).unwrap_err();
    assert_eq!(error.path, path, "{text}");
}

#[test]
fn wrong_settings_are_refused_where_they_stand() {
    check(json!({ "destination": "" }), "destination");
    check(json!({ "destination": "a", "prices": { "a": -1.0 } }), "prices");
    let budget = |budget: Json| json!({ "destination": "a", "budget": budget });
    check(budget(json!({})), "budget.records");
    check(budget(json!({ "records": 0 })), "budget.records");
    check(budget(json!({ "money": 5.0 })), "budget.money");
    check(budget(json!({ "records": 1, "period": "1s" })), "budget.period");
    for (rule, setting) in [
        (json!({ "action": "drop", "classes": [] }), "classes"),
        (json!({ "action": "drop", "classes": ["critical"] }), "classes"),
        (json!({ "action": "drop", "budget_used": 50 }), "budget_used"),
        (json!({ "action": "drop", "percentage": 5 }), "percentage"),
        (json!({ "action": "drop", "condition": "nonsense(" }), "condition"),
        (json!({ "action": "sample" }), "percentage"),
        (json!({ "action": "sample", "percentage": 101 }), "percentage"),
        (json!({ "action": "dedupe", "window": "0s" }), "window"),
        (json!({ "action": "dedupe", "entries_max": 0 }), "entries_max"),
        (json!({ "action": "trim" }), "attributes"),
        (json!({ "action": "trim", "value_bytes_max": 8 }), "value_bytes_max"),
        (json!({ "action": "trim", "attributes": ["ai.classification"] }), "attributes"),
    ] {
        check(rules(json!([rule])), &format!("rule[0].{setting}"));
    }
}
