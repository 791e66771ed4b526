//! Actions that run only where a condition holds, and values from request headers.

use bessemer_record::Tails;
use serde_json::json;

use super::*;
use crate::attributes::testing::{JSON_SIGNALS, through_tails};

/// The step and the attribute sets that it appends.
fn built(actions: &serde_json::Value) -> (Attributes, Arc<Tails>) {
    let context = Context::detached();
    let step = Attributes::new(&settings(json!({ "action": actions })), &context).unwrap();
    let tails = std::mem::take(&mut *context.tails.lock()).build();
    (step, tails)
}

#[test]
fn an_action_runs_only_where_its_condition_holds() {
    let (step, tails) = built(&json!([{
        "key": "tier", "action": "insert", "value": "frontend",
        "condition": "resource.attributes[\"service.name\"] matches \".*-ui$\"",
    }]));
    for signal in JSON_SIGNALS {
        for (service, expected) in
            [("shop-ui", &[("a", "b"), ("tier", "frontend")][..]), ("shop", &[("a", "b")])]
        {
            let resource = [("service.name", service)];
            let out = through_tails(
                &step,
                signal.signal,
                &signal.batch(&resource, &[("a", "b")]),
                &mut Scratch::default(),
                &tails,
            );
            assert_eq!(out, signal.batch(&resource, expected), "{service}");
        }
    }
}

#[test]
fn a_condition_sees_what_the_actions_before_it_did() {
    let (step, tails) = built(&json!([
        { "key": "a", "action": "upsert", "value": "new" },
        { "key": "saw", "action": "insert", "value": "new", "condition": "attributes[\"a\"] == \"new\"" },
        { "key": "a", "action": "delete", "condition": "attributes[\"saw\"] != nil" },
    ]));
    for signal in JSON_SIGNALS {
        let out = through_tails(
            &step,
            signal.signal,
            &signal.batch(&[], &[("a", "old")]),
            &mut Scratch::default(),
            &tails,
        );
        assert_eq!(out, signal.batch(&[], &[("saw", "new")]));
    }
}

#[test]
fn a_condition_is_asked_of_each_data_point() {
    let (step, tails) = built(&json!([
        { "key": "pii", "action": "delete", "condition": "attributes[\"keep\"] == nil" },
    ]));
    let records = [pairs(&json!({ "pii": "x" })), pairs(&json!({ "pii": "y", "keep": true }))];
    let batch = request(Signal::Metrics, &records);
    let limits = Limits::default();
    let mut draft = Draft::check(Signal::Metrics, Bytes::from(batch), &limits, &tails).unwrap();
    step.run(&mut draft, &mut Scratch::default());
    let out = draft.emit(|_| 0, 1).into_iter().next().unwrap().bytes;
    let expected = [Pairs::new(), sorted(pairs(&json!({ "pii": "y", "keep": true })))];
    for lists in attributes(Signal::Metrics, &out).chunks(2) {
        assert_eq!(lists, expected);
    }
}

#[test]
fn an_action_whose_condition_makes_no_sense_for_a_signal_does_not_run_on_it() {
    let (step, tails) = built(&json!([
        { "key": "a", "action": "delete", "condition": "severity_number == SEVERITY_NUMBER_UNSPECIFIED" },
    ]));
    for signal in JSON_SIGNALS {
        let out = through_tails(
            &step,
            signal.signal,
            &signal.batch(&[], &[("a", "b"), ("c", "d")]),
            &mut Scratch::default(),
            &tails,
        );
        let is_log = signal.signal == Signal::Logs;
        let expected = if is_log { &[("c", "d")][..] } else { &[("a", "b"), ("c", "d")] };
        assert_eq!(out, signal.batch(&[], expected));
    }
}

#[test]
fn a_value_comes_from_request_headers_or_nothing_is_done() {
    let (step, tails) = built(&json!([
        { "key": "tenant", "action": "upsert", "from_context": "metadata.X-Tenant" },
    ]));
    let header = |value: &str| ("x-tenant".to_owned(), value.to_owned());
    for (headers, expected) in [
        (vec![], &[("a", "b")][..]),
        (vec![header("one")], &[("a", "b"), ("tenant", "one")]),
        (vec![header("one"), header("two")], &[("a", "b"), ("tenant", "one;two")]),
    ] {
        for signal in JSON_SIGNALS {
            let mut scratch = Scratch { headers: headers.clone(), ..Scratch::default() };
            let batch = signal.batch(&[], &[("a", "b")]);
            let out = through_tails(&step, signal.signal, &batch, &mut scratch, &tails);
            assert_eq!(out, signal.batch(&[], expected));
        }
    }
}

#[test]
fn extract_searches_another_attribute_and_sets_the_key_to_the_last_group() {
    let (step, tails) = built(&json!([{
        "key": "env", "action": "extract", "from_attribute": "ns", "pattern": "^(.*)-(dev|prod)$",
    }]));
    for signal in JSON_SIGNALS {
        let batch = signal.batch(&[], &[("ns", "shop-dev")]);
        let out = through_tails(&step, signal.signal, &batch, &mut Scratch::default(), &tails);
        assert_eq!(out, signal.batch(&[], &[("ns", "shop-dev"), ("env", "dev")]));
    }
}
