//! `bessemer explain`: why a message gets its class from the model.

use std::fmt::Write as _;
use std::process::ExitCode;

use bessemer_classify::Class;
use bessemer_classify::model::train::shape;

use super::train::model;
use crate::arguments::Explain;
use crate::output;

/// Prints the class, the tokens that speak for it, and what is left without them.
pub(crate) fn explain(arguments: &Explain) -> anyhow::Result<ExitCode> {
    let model = model(arguments.model.as_deref())?;
    let (message, severity) = (&*arguments.message, arguments.severity);
    let verdict = model.judge(message, severity);
    let named = model.explain(message, severity, verdict.class);
    let without = model.judge_without(message, severity, &named);
    let index = usize::from(verdict.class.code()) - 1;
    let left = without.probabilities.get(index).copied().unwrap_or_default();
    if arguments.json {
        let value = serde_json::json!({
            "class": verdict.class,
            "confidence": verdict.confidence,
            "probabilities": probabilities(verdict.probabilities),
            "tier": "model",
            "model": model.report().name,
            "template": format!("{:016x}", shape(message)),
            "tokens": named,
            "confidence_without_tokens": left,
        });
        output::print(&format!("{}\n", serde_json::to_string_pretty(&value)?))?;
        return Ok(ExitCode::SUCCESS);
    }
    let class = verdict.class.as_str();
    let mut text = format!("{class} {:.3} by model {}\n", verdict.confidence, model.report().name);
    for token in &named {
        let (start, end) = (token.start, token.end);
        writeln!(text, "  {:+.3}  {:?} at {start}..{end}", token.weight, token.text)?;
    }
    writeln!(text, "  without them {class} has {left:.3}")?;
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn probabilities(all: [f32; 3]) -> serde_json::Value {
    let named = Class::ALL.iter().zip(all);
    named
        .map(|(class, probability)| (class.as_str().to_owned(), serde_json::json!(probability)))
        .collect()
}
