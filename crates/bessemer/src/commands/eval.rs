//! `bessemer eval`: how well a model judges labelled messages, by line and by template.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use bessemer_classify::dataset::{Columns, Row};
use bessemer_classify::evaluate::{Evaluation, Summary, Votes};
use bessemer_classify::model::{Model, train::shape};
use serde::Serialize;

use super::train::{model, rows};
use crate::arguments::Eval;
use crate::output;

/// What was measured.
#[derive(Debug, Serialize)]
struct Measured {
    model: String,
    line: Summary,
    template: Summary,
}

/// Judges every message and prints the measures.
pub(crate) fn eval(arguments: &Eval) -> anyhow::Result<ExitCode> {
    let columns = Columns {
        text: arguments.text.clone(),
        label: arguments.label.clone(),
        id: arguments.id.clone(),
        level: arguments.level.clone(),
    };
    let model = model(arguments.model.as_deref())?;
    let measured = measure(&model, &rows(&arguments.file, &columns)?);
    let text = if arguments.json {
        format!("{}\n", serde_json::to_string_pretty(&measured)?)
    } else {
        let mut text = format!("model {}\n", measured.model);
        write_summary(&mut text, "lines", &measured.line)?;
        write_summary(&mut text, "templates", &measured.template)?;
        text
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn measure(model: &Model, rows: &[Row]) -> Measured {
    let mut line = Evaluation::default();
    let mut templates: BTreeMap<String, Votes> = BTreeMap::new();
    for Row { example, id } in rows {
        let verdict = model.judge(&example.text, example.severity);
        line.add(example.class, verdict);
        let id = id.clone().unwrap_or_else(|| format!("{:016x}", shape(&example.text)));
        templates.entry(id).or_default().add(example.class, verdict);
    }
    let mut template = Evaluation::default();
    for votes in templates.values() {
        template.add(votes.truth(), votes.said());
    }
    Measured {
        model: model.report().name.clone(),
        line: line.summary(),
        template: template.summary(),
    }
}

fn write_summary(text: &mut String, name: &str, found: &Summary) -> std::fmt::Result {
    writeln!(text, "\n{} {name}", found.count)?;
    writeln!(text, "  accuracy           {:.4}", found.accuracy)?;
    writeln!(text, "  macro-F1           {:.4}", found.macro_f1)?;
    writeln!(text, "  critical not info  {:.4}", found.critical_not_info)?;
    writeln!(text, "  alert precision    {:.4}  at recall 0.95", found.alert_precision)?;
    writeln!(text, "  calibration error  {:.4}", found.calibration_error)?;
    writeln!(text, "  class     precision  recall  F1      support  said info/warning/critical")?;
    for (class, said) in found.classes.iter().zip(&found.confusion) {
        let [info, warning, critical] = said;
        writeln!(
            text,
            "  {:9} {:.4}     {:.4}  {:.4}  {:<7}  {info}/{warning}/{critical}",
            class.class.as_str(),
            class.precision,
            class.recall,
            class.f1,
            class.support,
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bessemer_classify::Class;
    use bessemer_classify::model::train::Example;

    fn row(text: &str, class: Class, id: &str) -> Row {
        let example = Example { text: text.into(), severity: 0, class };
        Row { example, id: Some(id.into()) }
    }

    #[test]
    fn a_template_has_one_vote_however_many_lines_it_has() {
        let model = Model::embedded().unwrap();
        let mut rows = vec![row("boiler exploded, hall evacuated", Class::Critical, "a")];
        for number in 0..9 {
            let text = format!("ticket {number} printed at gate 4");
            rows.push(row(&text, Class::Info, "b"));
        }
        let found = measure(&model, &rows);
        assert!((found.line.count - 10.0).abs() < 1e-9);
        assert!((found.template.count - 2.0).abs() < 1e-9);
    }
}
