//! `bessemer explain`: why a message gets its class, from the rules or from the model.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use bessemer_classify::classify::explain::{Explainer, Explanation, Question};
use bessemer_classify::classify::{ModelSettings, Settings, TemplateSettings};
use bessemer_pipeline::Context;

use crate::arguments::Explain;
use crate::output;

/// Prints the class, what speaks for it, and what is left without that.
pub(crate) fn explain(arguments: &Explain) -> anyhow::Result<ExitCode> {
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
    let text = if arguments.json {
        format!("{}\n", serde_json::to_string_pretty(&found)?)
    } else {
        written(&found)?
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn written(found: &Explanation) -> Result<String, std::fmt::Error> {
    let class = found.class.as_str();
    let mut text = format!("{class} {:.3} by {}\n", found.confidence, found.tier);
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
    if let Some(template) = &found.template {
        writeln!(text, "template {template}")?;
    }
    Ok(text)
}
