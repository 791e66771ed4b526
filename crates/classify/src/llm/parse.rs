//! Reads judgements strictly: what was not asked for does not exist.
//!
//! A label outside the three classes, an unknown id, a confidence that is no number from 0 to 1, a
//! question judged twice in different ways: each is ignored and counted, and the rest still holds.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ask::{REASON_BYTES_MAX, plain};
use super::failure::Failed;
use super::prompt::Prompt;
use super::provider::{Answered, Judged, Usage, garbage};
use crate::class::Class;

/// Bytes of an answer's structure that are read.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// Judgements that are looked at for each question; a model that loops is cut off.
const JUDGEMENTS_EACH_MAX: usize = 4;

/// The judgements in the JSON text that a model wrote.
pub fn judgements(prompt: &Prompt, text: &str, usage: Option<Usage>) -> Result<Answered, Failed> {
    if text.len() > ANSWER_BYTES_MAX {
        return Err(garbage("the answer is too long", usage));
    }
    match serde_json::from_str(unfenced(text)) {
        Ok(value) => judgements_in(prompt, &value, usage),
        Err(error) => Err(garbage(error.to_string(), usage)),
    }
}

/// The same for an answer that is JSON already.
pub fn judgements_in(
    prompt: &Prompt,
    answer: &Value,
    usage: Option<Usage>,
) -> Result<Answered, Failed> {
    let Some(items) = answer.get("verdicts").and_then(Value::as_array) else {
        return Err(garbage("the answer has no list of verdicts", usage));
    };
    let mut by_place: BTreeMap<usize, Option<Judged>> = BTreeMap::new();
    let mut ignored = items.len().saturating_sub(prompt.len() * JUDGEMENTS_EACH_MAX);
    for item in items.iter().take(prompt.len() * JUDGEMENTS_EACH_MAX) {
        let Some(judged) = judged(prompt, item) else {
            ignored += 1;
            continue;
        };
        by_place
            .entry(judged.question)
            .and_modify(|known| {
                ignored += 1;
                // Said twice and not the same: neither counts.
                known.take_if(|known| known.class != judged.class);
            })
            .or_insert(Some(judged));
    }
    ignored += by_place.values().filter(|known| known.is_none()).count();
    Ok(Answered { judged: by_place.into_values().flatten().collect(), ignored, usage })
}

fn judged(prompt: &Prompt, item: &Value) -> Option<Judged> {
    let text = |key| item.get(key).and_then(Value::as_str);
    let question = prompt.place_of(text("id")?)?;
    let class = text("class")?;
    let class = Class::ALL.into_iter().find(|known| known.as_str() == class)?;
    let confidence = item.get("confidence")?.as_f64()?;
    let reason = plain(text("reason").unwrap_or_default(), REASON_BYTES_MAX);
    (0.0..=1.0).contains(&confidence).then_some(Judged { question, class, confidence, reason })
}

/// Small local models put JSON into a block of Markdown however they are asked.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let inner = text.strip_prefix("```json").or_else(|| text.strip_prefix("```"));
    inner.and_then(|inner| inner.strip_suffix("```")).map_or(text, str::trim)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::llm::failure::Failure;
    use crate::llm::lab::prompt_of as prompt;

    fn id(prompt: &Prompt, place: usize) -> String {
        prompt.ids().nth(place).unwrap().to_owned()
    }

    fn item(id: &str, class: &str, confidence: f64) -> Value {
        json!({ "id": id, "class": class, "confidence": confidence, "reason": "because" })
    }

    #[test]
    fn what_was_not_asked_for_is_ignored_and_the_rest_holds() {
        let prompt = prompt(3);
        let (first, second) = (id(&prompt, 0), id(&prompt, 1));
        let answer = json!({ "verdicts": [
            item(&first, "critical", 0.9),
            item("0badf00d", "critical", 0.9),
            item(&second, "catastrophe", 0.9),
            item(&second, "Critical", 0.9),
            item(&second, "info", 1.5),
            { "id": id(&prompt, 2), "class": "warning" },
            17,
        ]});
        let answered = judgements(&prompt, &answer.to_string(), None).unwrap();
        assert_eq!(answered.judged.len(), 1);
        assert_eq!(answered.judged[0].class, Class::Critical);
        assert_eq!(answered.ignored, 6);
    }

    #[test]
    fn a_question_judged_in_two_ways_is_not_judged() {
        let prompt = prompt(2);
        let (first, second) = (id(&prompt, 0), id(&prompt, 1));
        let answer = json!({ "verdicts": [
            item(&first, "critical", 0.9), item(&first, "info", 0.9), item(&first, "info", 0.9),
            item(&second, "warning", 0.9), item(&second, "warning", 0.8),
        ]});
        let answered = judgements_in(&prompt, &answer, None).unwrap();
        assert_eq!(answered.judged.len(), 1);
        assert_eq!((answered.judged[0].question, answered.judged[0].class), (1, Class::Warning));
    }

    #[test]
    fn a_block_of_markdown_around_the_answer_is_taken_off() {
        let prompt = prompt(1);
        let answer = json!({ "verdicts": [item(&id(&prompt, 0), "info", 1.0)] });
        let answered = judgements(&prompt, &format!("```json\n{answer}\n```"), None).unwrap();
        assert_eq!(answered.judged.len(), 1);
    }

    #[test]
    fn what_is_no_structure_is_garbage() {
        for text in ["", "sorry", "[]", "{\"verdicts\":{}}", "{\"verdicts\":[", &"[".repeat(4096)] {
            let failed = judgements(&prompt(1), text, None).unwrap_err();
            assert!(matches!(failed.failure, Failure::Garbage { .. }), "{text}");
        }
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let word = prop_oneof![
            Just("verdicts".to_owned()),
            Just("id".to_owned()),
            Just("class".to_owned()),
            Just("critical".to_owned()),
            Just("confidence".to_owned()),
            any::<String>(),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(|number| json!(number)),
            word.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                proptest::collection::vec((word.clone(), inner), 0..6)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_answer_makes_a_judgement_out_of_bounds(answer in json_value(), text in any::<String>()) {
            let prompt = prompt(2);
            for answered in [
                judgements_in(&prompt, &answer, None),
                judgements_in(&prompt, &json!({ "verdicts": [answer] }), None),
                judgements(&prompt, &text, None),
            ].into_iter().flatten() {
                prop_assert!(answered.judged.len() <= 2);
                for judged in answered.judged {
                    prop_assert!(judged.question < 2);
                    prop_assert!((0.0..=1.0).contains(&judged.confidence));
                    prop_assert!(judged.reason.len() <= REASON_BYTES_MAX);
                }
            }
        }
    }
}
