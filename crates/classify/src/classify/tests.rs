//! Labels of the default rules and of own ones.

use super::explain::Question;
use super::*;
use bessemer_pipeline::Scratch;
use bessemer_record::{Limits, Signal, json};
use proptest::prelude::*;
use serde_json::json;

/// Label and reason of every record in an OTLP JSON request.
fn labels(settings: &Settings, signal: Signal, request: &serde_json::Value) -> Vec<[String; 4]> {
    let context = Context::detached().of("bessemer.processor.classify.test");
    let classify = Classify::new(settings, &context).unwrap();
    let tails = std::mem::take(&mut *context.tails.lock()).build();
    let text = request.to_string();
    let checked = json::from_otlp_json(signal, text.as_bytes(), &Limits::default()).unwrap();
    let mut draft = Draft::check(signal, checked.into_bytes(), &Limits::default(), &tails).unwrap();
    classify.run(&mut draft, &mut Scratch::default());
    let text = |index: usize, key: &str| {
        draft.attribute(index, key.as_bytes()).map(text_of).unwrap_or_default()
    };
    let keys = ["ai.classification", "ai.confidence", "ai.tier", "ai.reason"];
    (0..draft.len()).map(|index| keys.map(|key| text(index, key))).collect()
}

fn logs(records: &[serde_json::Value]) -> serde_json::Value {
    json!({ "resourceLogs": [{
        "resource": { "attributes": [
            { "key": "service.name", "value": { "stringValue": "shop" } },
        ] },
        "scopeLogs": [{ "logRecords": records }],
    }] })
}

fn rule(name: &str) -> RuleSettings {
    RuleSettings {
        name: name.into(),
        class: Class::Critical,
        services: Vec::new(),
        confidence: 0.7,
        weak: false,
        words: Vec::new(),
        except: Vec::new(),
        regex: None,
        severity_min: None,
        attribute: Vec::new(),
    }
}

fn log(body: &str, severity: u8) -> serde_json::Value {
    json!({ "severityNumber": severity, "body": { "stringValue": body } })
}

fn check(
    settings: &Settings,
    record: &serde_json::Value,
    class: &str,
    confidence: &str,
    reason: &str,
) {
    let labels = labels(settings, Signal::Logs, &logs(std::slice::from_ref(record)));
    let expected = [class, confidence, "rules", reason].map(str::to_owned);
    assert_eq!(labels, [expected], "{record}");
}

#[test]
fn the_default_rules_are_security_words_then_errors_then_info() {
    let settings = Settings::default();
    let security = |word: &str| format!("rule security_incident: body contains \"{word}\"");
    for (body, severity, word) in [
        ("Unauthorized access", 9, "unauthorized"),
        ("data BREACH found", 17, "breach"),
        ("counterattack", 1, "attack"),
        ("xMALICIOUSx", 0, "malicious"),
    ] {
        check(&settings, &log(body, severity), "critical", "0.95", &security(word));
    }
    let error = "rule error_condition: severity is ERROR or above";
    for severity in [17, 20, 21, 24] {
        check(&settings, &log("timeout", severity), "warning", "0.85", error);
    }
    for severity in [0, 1, 9, 16] {
        check(&settings, &log("all well", severity), "info", "0.5", "no rule matches");
    }
    let by_text = json!({ "severityText": "Error", "body": { "stringValue": "x" } });
    check(&settings, &by_text, "warning", "0.85", error);
}

#[test]
fn a_structured_body_is_searched_and_so_are_spans() {
    let settings = Settings::default();
    let body = json!({ "kvlistValue": { "values": [
        { "key": "what", "value": { "stringValue": "Attack seen" } },
    ] } });
    let reason = "rule security_incident: body contains \"attack\"";
    check(&settings, &json!({ "body": body }), "critical", "0.95", reason);
    let spans = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [
        { "name": "login", "status": { "message": "Unauthorized", "code": 2 } },
        { "name": "login" },
    ] }] }] });
    let classes: Vec<String> =
        labels(&settings, Signal::Traces, &spans).into_iter().map(|[class, ..]| class).collect();
    assert_eq!(classes, ["critical", "info"]);
}

#[test]
fn metrics_are_labelled_on_every_point() {
    let metrics = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [
        { "name": "m", "gauge": { "dataPoints": [{ "asInt": "1" }, { "asInt": "2" }] } },
    ] }] }] });
    let labels = labels(&Settings::default(), Signal::Metrics, &metrics);
    assert_eq!(labels[0][0], "info");
}

#[test]
fn own_rules_come_first_and_every_condition_must_hold() {
    let attribute = crate::rules::AttributeCondition {
        key: "service.name".into(),
        value: Some("shop".into()),
        regex: None,
    };
    let settings = Settings {
        rule: vec![
            RuleSettings { words: vec!["calm".into()], class: Class::Info, ..rule("calm") },
            RuleSettings {
                regex: Some("code=5\\d\\d".into()),
                severity_min: Some("WARN".into()),
                attribute: vec![attribute],
                ..rule("shop_down")
            },
        ],
        ..Settings::default()
    };
    let calm = "rule calm: body contains \"calm\"";
    check(&settings, &log("calm attack", 9), "info", "0.7", calm);
    let down = "rule shop_down: severity is WARN or above, body matches \"code=5\\\\d\\\\d\", \
                attribute \"service.name\" matches";
    check(&settings, &log("code=503", 13), "critical", "0.7", down);
    check(&settings, &log("code=503", 9), "info", "0.5", "no rule matches");
    check(&settings, &log("code=404", 13), "info", "0.5", "no rule matches");
}

#[test]
fn a_rule_does_not_match_beside_a_word_it_excepts() {
    let calm = RuleSettings {
        words: vec!["failed".into()],
        except: vec!["0 Failed".into(), "drill".into()],
        ..rule("failure")
    };
    let loud = RuleSettings {
        severity_min: Some("WARN".into()),
        except: vec!["drill".into()],
        ..rule("loud")
    };
    let settings = Settings { rule: vec![calm, loud], ..Settings::default() };
    let failure = "rule failure: body contains \"failed\"";
    check(&settings, &log("copy failed", 9), "critical", "0.7", failure);
    check(&settings, &log("done, 0 failed", 9), "info", "0.5", "no rule matches");
    check(&settings, &log("drill: copy failed", 13), "info", "0.5", "no rule matches");
    let reason = "rule loud: severity is WARN or above, body lacks \"drill\"";
    check(&settings, &log("copy done", 13), "critical", "0.7", reason);
}

#[test]
fn a_rule_for_services_holds_for_their_resources_alone() {
    let only = |services: &[&str]| {
        let services = services.iter().map(|name| (*name).to_owned()).collect();
        let own = RuleSettings { services, ..rule("own") };
        Settings { rule: vec![own], ..Settings::default() }
    };
    let calm = log("belt runs", 9);
    check(
        &only(&["billing", "shop"]),
        &calm,
        "critical",
        "0.7",
        "rule own: service is billing, shop",
    );
    check(&only(&["billing"]), &calm, "info", "0.5", "no rule matches");
}

#[test]
fn every_resource_of_a_batch_has_its_own_rules() {
    let words = |service: &str, class| RuleSettings {
        services: vec![service.to_owned()],
        words: vec!["belt".into()],
        class,
        ..rule(service)
    };
    let settings = Settings {
        rule: vec![words("line", Class::Critical), words("shop", Class::Warning)],
        ..Settings::default()
    };
    let resource = |service: &str| {
        json!({
            "resource": { "attributes": [
                { "key": "service.name", "value": { "stringValue": service } },
            ] },
            "scopeLogs": [{ "logRecords": [log("belt runs", 9), log("gate open", 9)] }],
        })
    };
    let batch = json!({ "resourceLogs": [resource("shop"), resource("line"), resource("other")] });
    let classes: Vec<String> =
        labels(&settings, Signal::Logs, &batch).into_iter().map(|[class, ..]| class).collect();
    assert_eq!(classes, ["warning", "info", "critical", "info", "info", "info"]);
}

#[test]
fn rules_of_a_file_follow_own_ones_and_a_broken_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.json");
    let path_text = path.to_str().unwrap().to_owned();
    std::fs::write(&path, r#"[{"name":"filed","class":"warning","words":["belt"]}]"#).unwrap();
    let own = RuleSettings { words: vec!["belt torn".into()], ..rule("own") };
    let settings =
        Settings { rule: vec![own], rule_files: vec![path_text.clone()], ..Settings::default() };
    check(&settings, &log("belt 4", 9), "warning", "0.9", "rule filed: body contains \"belt\"");
    let own = "rule own: body contains \"belt torn\"";
    check(&settings, &log("belt torn", 9), "critical", "0.7", own);
    std::fs::write(&path, "{}").unwrap();
    let error = Classify::new(&settings, &Context::detached()).unwrap_err().to_string();
    assert!(error.contains(&path_text), "{error}");
}

#[test]
fn rules_are_counted_and_unused_ones_are_named() {
    let context = Context::detached().of("bessemer.processor.classify.test");
    let settings = Settings {
        rule: vec![RuleSettings { words: vec!["belt".into()], ..rule("belt") }],
        ..Settings::default()
    };
    let classify = Classify::new(&settings, &context).unwrap();
    let records: Vec<_> =
        ["belt 1", "attack", "belt attack", "calm"].map(|body| log(body, 0)).into();
    run(&classify, &context, &records);
    let report = classify.hits.report();
    assert_eq!(report["rules"][0], json!({ "name": "belt", "class": "critical", "hits": 2 }));
    assert_eq!(report["rules"][1]["hits"], 1);
    assert_eq!(
        (&report["unused"], &report["without_rule"]),
        (&json!(["error_condition"]), &json!(1))
    );
}

#[test]
fn an_earlier_label_is_replaced() {
    let record = json!({
        "body": { "stringValue": "breach" },
        "attributes": [{ "key": "ai.classification", "value": { "stringValue": "info" } }],
    });
    let reason = "rule security_incident: body contains \"breach\"";
    check(&Settings::default(), &record, "critical", "0.95", reason);
}

/// The records after labelling.
fn run(classify: &Classify, context: &Context, records: &[serde_json::Value]) -> Draft {
    let tails = std::mem::take(&mut *context.tails.lock()).build();
    let text = logs(records).to_string();
    let limits = Limits::default();
    let checked = json::from_otlp_json(Signal::Logs, text.as_bytes(), &limits).unwrap();
    let mut draft = Draft::check(Signal::Logs, checked.into_bytes(), &limits, &tails).unwrap();
    classify.run(&mut draft, &mut Scratch::default());
    draft
}

/// Values of attributes of every record after labelling.
fn judged(settings: &Settings, records: &[serde_json::Value], keys: &[&str]) -> Vec<Vec<String>> {
    let context = Context::detached().of("bessemer.processor.classify.test");
    let draft = run(&Classify::new(settings, &context).unwrap(), &context, records);
    let text = |index: usize, key: &&str| {
        draft.attribute(index, key.as_bytes()).map(text_of).unwrap_or_default()
    };
    (0..draft.len()).map(|index| keys.iter().map(|key| text(index, key)).collect()).collect()
}

fn all_tiers() -> Settings {
    Settings {
        model: ModelSettings { enabled: true, ..ModelSettings::default() },
        templates: TemplateSettings { enabled: true, ..TemplateSettings::default() },
        ..Settings::default()
    }
}

#[test]
fn records_of_one_template_have_its_id_whichever_tier_labels_them() {
    let bodies = ["gate 9 rejected ticket 5512", "gate 12 rejected ticket 8", "attack on gate 3"];
    let records: Vec<_> = bodies.iter().map(|body| log(body, 0)).collect();
    let found = judged(&all_tiers(), &records, &["ai.template", "ai.tier", "ai.classification"]);
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0][0].len(), 16);
    assert_ne!(found[0][0], found[2][0]);
    assert_eq!([&*found[0][1], &*found[0][2]], ["model", "warning"]);
    assert_eq!([&*found[2][1], &*found[2][2]], ["rules", "critical"]);
}

#[test]
fn the_reason_of_the_model_names_its_words() {
    let found = judged(&all_tiers(), &[log("gate 9 rejected ticket 5512", 0)], &["ai.reason"]);
    assert!(found[0][0].starts_with("model bessemer-default: \"rejected\""), "{}", found[0][0]);
}

#[test]
fn the_model_overrules_a_weak_rule_and_no_firm_one() {
    let records = [log("boiler exploded, data lost", 17), log("attack drill completed, all ok", 9)];
    let found = judged(&all_tiers(), &records, &["ai.tier", "ai.classification"]);
    assert_eq!(found, [["model", "critical"], ["rules", "critical"]]);
}

#[test]
fn a_critical_record_says_which_critical_template_it_is_like() {
    let similar = SimilarSettings { enabled: true };
    let settings = Settings { similar, ..Settings::default() };
    let context = Context::detached().of("bessemer.processor.classify.test");
    let bodies = [
        "attack on database orders lost disk",
        "second attack on database billing lost disk",
        "disk of database orders is well",
    ];
    let records = bodies.map(|body| log(body, 9));
    let draft = run(&Classify::new(&settings, &context).unwrap(), &context, &records);
    let has = |index| draft.attribute(index, b"ai.similar").is_some();
    assert_eq!([has(0), has(1), has(2)], [false, true, false]);
}

#[test]
fn what_is_remembered_depends_on_severity() {
    let records: Vec<_> = [9, 17, 9, 17].map(|severity| log("gate state 4", severity)).into();
    let found = judged(&all_tiers(), &records, &["ai.classification", "ai.confidence"]);
    assert_eq!(found[0], found[2]);
    assert_eq!(found[1], found[3]);
    assert_ne!(found[0], found[1]);
}

#[test]
fn spans_are_labelled_by_rules_alone() {
    let spans =
        json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [{ "name": "boiler lost" }] }] }] });
    assert_eq!(labels(&all_tiers(), Signal::Traces, &spans)[0][2], "rules");
}

/// Scenario: the process ends and another one begins with the same state.
/// Promise: a template has the id and the count that it had.
#[test]
fn templates_are_kept_over_a_restart() {
    let context = Context::detached().of("bessemer.processor.classify.test");
    let count = || {
        let classify = Classify::new(&all_tiers(), &context).unwrap();
        let judge = &classify.keeper.as_ref().unwrap().judge;
        let before = judge.templates(10);
        let rules = Label { overruled_above: 0.0, ..classify.default };
        let tails = std::mem::take(&mut *context.tails.lock()).build();
        let label = |body: &[u8]| {
            let tenant = || -> Arc<str> { "".into() };
            let subject = Subject { body, severity: 9, rules, is_first: true, tenant: &tenant };
            judge.label(&tails, subject, &mut Vec::new());
        };
        label(b"belt 4 is slow");
        label(b"belt 5 is slow");
        before
    };
    assert_eq!(count(), []);
    let kept = count();
    assert_eq!((&*kept[0].text, kept[0].count), ("belt <*> is slow", 2));
    let again = count();
    assert_eq!((&again[0].id, again[0].count), (&kept[0].id, 4));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Promise: the rule that an explanation names gives the same label when it is alone, and what it
    /// is said to have matched stands where it is said to.
    #[test]
    fn a_rule_applied_again_gives_the_label_of_the_explanation(
        rules in proptest::collection::vec(
            (proptest::collection::vec("[a-c]{1,2}", 0..3), proptest::option::of("[a-c]x?[a-c]"), 0_u8..20, 0_usize..3),
            1..6,
        ),
        body in "[a-cA-Cx ]{0,12}",
        severity in 0_u8..25,
    ) {
        let rules = rules.into_iter().enumerate().map(|(number, (words, regex, severity, class))| {
            let severity_min = Some(severity.max(1).to_string());
            let own = rule(&format!("rule{number}"));
            RuleSettings { words, regex, severity_min, class: Class::ALL[class], ..own }
        });
        let settings = Settings { rule: rules.collect(), ..Settings::default() };
        let explain = |settings: &Settings| {
            let explainer = Explainer::new(settings, &Context::detached()).unwrap();
            let attributes = serde_json::Map::new();
            let question = Question { body: &body, severity, attributes: &attributes };
            explainer.explain(&question).unwrap()
        };
        let found = explain(&settings);
        let labelled = labels(&settings, Signal::Logs, &logs(&[log(&body, severity)]));
        prop_assert_eq!(found.class.as_str(), &*labelled[0][0]);
        if let Some(matched) = &found.rule {
            prop_assert!(labelled[0][3].starts_with(&format!("rule {}", matched.name)), "{:?}", found);
            for span in &matched.spans {
                prop_assert_eq!(body.get(span.start..span.end), Some(&*span.text));
            }
            let own = settings.rule.iter().filter(|rule| rule.name == matched.name).cloned();
            let alone = Settings { rule: own.collect(), ..Settings::default() };
            prop_assert_eq!(explain(&alone), found);
        }
    }

    #[test]
    fn a_batch_is_labelled_as_its_records_are_one_by_one(
        records in proptest::collection::vec(("[a-c ]{0,6}(attack|BREACH|)[a-c ]{0,6}", 0_u8..25), 1..12),
    ) {
        let records: Vec<_> = records.iter().map(|(body, severity)| log(body, *severity)).collect();
        let together = labels(&Settings::default(), Signal::Logs, &logs(&records));
        let apart: Vec<_> = records
            .iter()
            .flat_map(|one| labels(&Settings::default(), Signal::Logs, &logs(std::slice::from_ref(one))))
            .collect();
        prop_assert_eq!(together, apart);
    }
}

#[test]
fn the_model_labels_what_no_rule_matches_and_only_when_enabled() {
    let model = ModelSettings { enabled: true, ..ModelSettings::default() };
    let settings = Settings { model, ..Settings::default() };
    let panic = log("kernel panic - not syncing: fatal exception", 0);
    let attacked = log("attack from 10.0.0.1", 0);
    let records = logs(&[panic.clone(), attacked, log("disk failed", 17)]);
    let found = labels(&settings, Signal::Logs, &records);
    assert_eq!((&*found[0][0], &*found[0][2]), ("critical", "model"));
    assert!(found[0][3].starts_with("model "), "{:?}", found[0]);
    assert_eq!((&*found[1][0], &*found[1][2]), ("critical", "rules"));
    assert_eq!((&*found[2][0], &*found[2][2]), ("warning", "rules"));
    check(&Settings::default(), &panic, "info", "0.5", "no rule matches");
}

#[test]
fn a_model_that_is_not_sure_leaves_the_default_label() {
    let model = ModelSettings { enabled: true, confidence_min: 1.0, ..ModelSettings::default() };
    let settings = Settings { model, ..Settings::default() };
    check(&settings, &log("perhaps odd", 0), "info", "0.5", "no rule matches");
}

#[test]
fn a_remembered_label_is_the_label_again() {
    let model = ModelSettings { enabled: true, ..ModelSettings::default() };
    let settings = Settings { model, ..Settings::default() };
    let records: Vec<_> = (10..40).map(|n| log(&format!("worker {n} crashed"), 0)).collect();
    let found = labels(&settings, Signal::Logs, &logs(&records));
    assert!(found.iter().all(|label| *label == found[0]), "{found:?}");
}

#[test]
fn a_model_file_that_is_missing_is_refused_by_its_setting() {
    let model =
        ModelSettings { enabled: true, file: "/nowhere".into(), ..ModelSettings::default() };
    let settings = Settings { model, ..Settings::default() };
    let error = Classify::new(&settings, &Context::detached().of("classify.test")).unwrap_err();
    assert!(error.to_string().contains("model.file"), "{error}");
}

/// Scenario: a config demands a key of a file that nobody signed, and of none at all.
/// Promise: each is refused and says why.
#[test]
fn a_model_file_without_the_demanded_signature_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.model");
    std::fs::write(&path, include_bytes!("../../data/default.model")).unwrap();
    let refused = |file: &str| {
        let public_key = "00".repeat(32);
        let model =
            ModelSettings { enabled: true, file: file.into(), public_key, confidence_min: 0.0 };
        let settings = Settings { model, ..Settings::default() };
        let context = Context::detached().of("classify.test");
        Classify::new(&settings, &context).unwrap_err().to_string()
    };
    let unsigned = refused(path.to_str().unwrap());
    assert!(unsigned.contains("is not signed"), "{unsigned}");
    assert!(refused("").contains("model.public_key"));
}
