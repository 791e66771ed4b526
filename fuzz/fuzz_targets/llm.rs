//! Answers of LLM providers: any bytes are verdicts within bounds, or a typed failure.
#![no_main]

use std::sync::Arc;

use bessemer_classify::llm::anthropic::Messages;
use bessemer_classify::llm::ask::{REASON_BYTES_MAX, plain};
use bessemer_classify::llm::openai::{ChatCompletions, Flavor};
use bessemer_classify::llm::prompt::{Fences, Prompt};
use bessemer_classify::llm::redact::TEXT_BYTES_MAX;
use bessemer_classify::llm::{Answered, LlmProvider, Local, Question, Redacted, TemplateId};
use bessemer_classify::Class;
use bessemer_net::dial::Answer;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use libfuzzer_sys::fuzz_target;

const QUESTIONS: usize = 3;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, rest)) = input.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    let prompt = prompt(&text);
    let statuses = [200, 200, 200, 400, 429, 500, 529];
    let status = statuses[usize::from(choice) % statuses.len()];
    // The names of the questions cannot be guessed, so the input may ask for them.
    let mut body = text.into_owned();
    for (place, id) in prompt.ids().enumerate() {
        body = body.replace(&format!("#{place}"), id);
    }
    let answer = Answer {
        status: StatusCode::from_u16(status).expect("a status"),
        headers: HeaderMap::new(),
        body: Bytes::from(body.clone()),
    };
    let chat = |flavor| ChatCompletions::new("m", flavor).answer(&prompt, &answer, 0);
    for read in [chat(Flavor::OpenAi), chat(Flavor::Local), Messages::new("m").answer(&prompt, &answer, 0)] {
        if let Ok(answered) = read {
            assert_eq!(status, 200);
            check(&answered);
        }
    }
    if let Ok(answered) = bessemer_classify::llm::parse::judgements(&prompt, &body, None) {
        check(&answered);
    }
});

fn prompt(text: &str) -> Prompt {
    let text = Redacted::new(text);
    assert!(text.as_str().len() <= TEXT_BYTES_MAX);
    let question = Question {
        template: TemplateId(1),
        text,
        tenant: Arc::from(""),
        local: Local { class: Class::Info, confidence: 0.5 },
    };
    let prompt = Prompt::new(&vec![question; QUESTIONS], &Fences::new([1; 32]));
    assert_eq!(prompt.data().lines().count(), QUESTIONS + 2);
    prompt
}

fn check(answered: &Answered) {
    assert!(answered.judged.len() <= QUESTIONS);
    for judged in &answered.judged {
        assert!(judged.question < QUESTIONS);
        assert!((0.0..=1.0).contains(&judged.confidence));
        assert_eq!(plain(&judged.reason, REASON_BYTES_MAX), judged.reason);
    }
}
