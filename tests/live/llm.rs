//! The official client libraries of `OpenAI` and Anthropic, unchanged, against the LLM router.

use std::process::Command;

use crate::client::{program, run};
use crate::counterparty::{is_live, llm_python};
use crate::fake_llm::{FakeLlm, Mood};
use crate::process::{Bessemer, free_address};

/// Scenario: the first provider fails every other request, so that the libraries meet fallbacks.
/// Promise: models, answers, streams, embeddings and errors are what the libraries expect.
#[test]
fn the_official_libraries_work_against_the_router() {
    if !is_live() {
        return;
    }
    let shaky = FakeLlm::start(|number| match number % 2 {
        0 => Mood::Status(503),
        _ => Mood::Well,
    });
    let steady = FakeLlm::start(|_| Mood::Well);
    let router = free_address();
    let (shaky, well) = (shaky.address, steady.address);
    let mut bessemer = Bessemer::new(format!(
        r#"
bessemer.llm.openai "shaky" {{
  endpoint = "http://{shaky}/v1"
  api_key  = "test"
  attempts = 1
}}
bessemer.llm.openai "well" {{
  endpoint = "http://{well}/v1"
  api_key  = "test"
  priority = 9
}}
bessemer.llm.anthropic "claude" {{
  endpoint = "http://{well}"
  api_key  = "test"
}}
bessemer.llm.router "main" {{
  http {{ endpoint = "{router}" }}
  api_keys  = ["router-key"]
  providers = [bessemer.llm.openai.shaky, bessemer.llm.openai.well, bessemer.llm.anthropic.claude]
  model {{
    name     = "fast"
    provider = bessemer.llm.openai.shaky
    target   = "gpt-4.1-nano"
  }}
  model {{
    name     = "embed"
    provider = bessemer.llm.openai.well
    target   = "text-embedding-3-small"
    price {{
      input  = "0.02"
      output = 0
    }}
  }}
}}
otelcol.receiver.otlp "in" {{
  http {{ endpoint = "127.0.0.1:0" }}
  output {{ logs = [bessemer.exporter.nop.none.input] }}
}}
bessemer.exporter.nop "none" {{}}
"#
    ));
    bessemer.start();
    let mut command = Command::new(llm_python());
    command.arg(program("llm.py")).arg(format!("http://{router}"));
    run(command);
}
