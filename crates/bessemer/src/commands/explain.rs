//! `bessemer explain`: why a message gets its class, from the rules, the model or an LLM.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use bessemer_classify::classify::explain::{Explainer, Explanation, Question};
use bessemer_classify::classify::{ModelSettings, Settings, TemplateSettings};
use bessemer_pipeline::Context;

use super::server::Server;
use crate::arguments::Explain;
use crate::output;

/// Prints the class, what speaks for it, and what is left without that.
pub(crate) fn explain(arguments: &Explain) -> anyhow::Result<ExitCode> {
    let text = match &arguments.server {
        Some(server) => asked(server, arguments)?,
        None => alone(arguments)?,
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// By the answers of a running process, one for each of its classify processors.
fn asked(server: &str, arguments: &Explain) -> anyhow::Result<String> {
    let pairs = [
        ("message", Some(arguments.message.clone())),
        ("severity", Some(arguments.severity.to_string())),
    ];
    let found: BTreeMap<String, Option<Explanation>> =
        Server::at(server)?.get("/api/v1/explain", &pairs)?;
    if arguments.json {
        return Ok(format!("{}\n", serde_json::to_string_pretty(&found)?));
    }
    let mut text = String::new();
    for (id, found) in found {
        let found = found.context("the message is longer than a record may be")?;
        write!(text, "{id}: {}", written(&found)?)?;
    }
    Ok(text)
}

/// By the rules and the model that the arguments name.
fn alone(arguments: &Explain) -> anyhow::Result<String> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let settings = Settings {
        rule_files: arguments.rules.iter().map(|path| text(path)).collect(),
        model: ModelSettings {
            enabled: true,
            file: arguments.model.as_deref().map(text).unwrap_or_default(),
            ..ModelSettings::default()
        },
        templates: TemplateSettings { enabled: true, ..TemplateSettings::default() },
        ..Settings::default()
    };
    let explainer = Explainer::new(&settings, &Context::detached())?;
    let attributes = serde_json::Map::new();
    let found = explainer.explain(&Question {
        body: &arguments.message,
        severity: arguments.severity,
        attributes: &attributes,
    });
    let found = found.context("the message is longer than a record may be")?;
    if arguments.json {
        return Ok(format!("{}\n", serde_json::to_string_pretty(&found)?));
    }
    Ok(written(&found)?)
}

fn written(found: &Explanation) -> Result<String, std::fmt::Error> {
    let class = found.class.as_str();
    let mut text = format!("{class} {:.3} by {}\n", found.confidence, found.tier.as_str());
    if let Some(rule) = &found.rule {
        let weak = if rule.weak { "weak rule" } else { "rule" };
        writeln!(text, "{weak} {}", rule.name)?;
        for span in &rule.spans {
            writeln!(text, "  {:?} at {}..{}", span.text, span.start, span.end)?;
        }
    }
    if let Some(model) = &found.model {
        let class = model.class.as_str();
        writeln!(text, "model {} says {class} {:.3}", model.name, model.confidence)?;
        for word in &model.words {
            let (start, end) = (word.start, word.end);
            writeln!(text, "  {:+.3}  {:?} at {start}..{end}", word.weight, word.text)?;
        }
        writeln!(text, "  without them {class} has {:.3}", model.confidence_without_words)?;
    }
    if let Some(llm) = &found.llm {
        let class = llm.class.as_str();
        writeln!(text, "llm {} says {class} {:.3}: {}", llm.provider, llm.confidence, llm.reason)?;
        writeln!(text, "  model {}, prompt {}, cost {}", llm.model, llm.prompt, llm.cost.0)?;
    }
    if let Some(said) = &found.correction {
        writeln!(text, "an operator says {}: {}", said.class, said.note)?;
    }
    if let Some(template) = &found.template {
        writeln!(text, "template {template}")?;
    }
    Ok(text)
}
