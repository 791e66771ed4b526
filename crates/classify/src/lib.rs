//! How critical is a record: every one gets critical, warning or info, a confidence and the
//! reason.

pub mod cache;
pub mod cell;
pub mod class;
pub mod classify;
pub mod dataset;
mod door;
pub mod evaluate;
pub mod llm;
pub mod memo;
pub mod model;
pub mod money;
pub mod rules;
#[cfg(test)]
mod samples;
mod scan;
pub mod similar;
pub mod sorter;
pub mod templates;

use bessemer_pipeline::catalog::{ALL_SIGNALS, Build, Role, Row, Stability, schema_of};

use llm::{components, router};

pub use class::Class;

/// Every component of this crate.
pub const CATALOG: &[Row] = &[
    Row {
        name: "bessemer.processor.classify",
        aliases: &[],
        role: Role::Processor,
        signals: ALL_SIGNALS,
        stability: Stability::Preview,
        summary: "Labels every record critical, warning or info, with a confidence and the reason.",
        example: classify::EXAMPLE,
        ports: &[],
        schema: schema_of::<classify::Settings>,
        build: classify::build,
    },
    Row {
        name: "bessemer.sorter",
        aliases: &[],
        role: Role::Extension,
        signals: &[],
        stability: Stability::Preview,
        summary: "Answers over HTTP which class a record has, with a confidence and the reason.",
        example: sorter::EXAMPLE,
        ports: &[],
        schema: schema_of::<sorter::Settings>,
        build: sorter::build,
    },
    provider(
        "bessemer.llm.xai",
        "Grok of xAI, to be asked by the classify processor and the LLM router.",
        components::XAI_EXAMPLE,
        components::xai,
    ),
    provider(
        "bessemer.llm.openai",
        "A model of OpenAI, to be asked by the classify processor and the LLM router.",
        components::OPENAI_EXAMPLE,
        components::openai,
    ),
    provider(
        "bessemer.llm.anthropic",
        "Claude of Anthropic, to be asked by the classify processor and the LLM router.",
        components::ANTHROPIC_EXAMPLE,
        components::anthropic,
    ),
    provider(
        "bessemer.llm.local",
        "A server of your own that speaks chat completions: Ollama, vLLM, llama.cpp.",
        components::LOCAL_EXAMPLE,
        components::local,
    ),
    Row {
        name: "bessemer.llm.router",
        aliases: &[],
        role: Role::Extension,
        signals: &[],
        stability: Stability::Preview,
        summary: "Answers chat completions, embeddings and Anthropic messages by the LLM providers.",
        example: router::EXAMPLE,
        ports: &[],
        schema: schema_of::<router::Settings>,
        build: router::build,
    },
];

const fn provider(
    name: &'static str,
    summary: &'static str,
    example: &'static str,
    build: Build,
) -> Row {
    Row {
        name,
        aliases: &[],
        role: Role::Extension,
        signals: &[],
        stability: Stability::Preview,
        summary,
        example,
        ports: &[],
        schema: schema_of::<components::Settings>,
        build,
    }
}
