//! `cargo xtask model`: trains the model inside the binary and writes how good it is.
//!
//! Each system in turn is left out of the training and judged by the model of the others; that is
//! what the page shows. The model that ships is trained on all of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use bessemer_classify::evaluate::{self, Evaluation, Votes};
use bessemer_classify::model::train::{Example, HeldOut, Plan, train};
use bessemer_classify::model::{Model, file};

use crate::corpus::{self, System};

/// The model inside the binary.
pub const MODEL: &str = "crates/classify/data/default.model";
/// The page with the measurements.
pub const PAGE: &str = "docs/classification.md";
/// The seed of the messages.
pub const SEED: u64 = 20_261_128;
/// Everything between these lines of the page is written by this command.
const BEGIN: &str = "<!-- measured -->\n";
const END: &str = "<!-- end -->";

/// Trains, measures, writes the model and its page; returns what was measured.
pub fn write(root: &Path) -> Result<String> {
    let systems = corpus::systems(root, SEED)?;
    let model = trained(&systems, None)?;
    let bytes = file::encode(&model)?;
    std::fs::write(root.join(MODEL), &bytes)?;
    let table = measured(root, &systems, &model, bytes.len())?;
    let page = std::fs::read_to_string(root.join(PAGE))?;
    if let (Some((before, _)), Some((_, after))) = (page.split_once(BEGIN), page.split_once(END)) {
        std::fs::write(root.join(PAGE), format!("{before}{BEGIN}{table}{END}{after}"))?;
    }
    Ok(table)
}

/// The messages of all systems but one; those of every fourth come first, to be held out.
fn examples(systems: &[System], without: Option<&str>) -> (Vec<Example>, HeldOut) {
    let kept: Vec<_> = systems.iter().filter(|system| Some(&*system.name) != without).collect();
    let every_fourth = |fourth: bool| {
        let chosen = kept.iter().enumerate().filter(move |(at, _)| (at % 4 == 3) == fourth);
        chosen.flat_map(|(_, system)| system.examples.iter().cloned())
    };
    let mut examples: Vec<Example> = every_fourth(true).collect();
    let held_out = HeldOut::First(examples.len());
    examples.extend(every_fourth(false));
    (examples, held_out)
}

fn trained(systems: &[System], without: Option<&str>) -> Result<Model> {
    let (examples, held_out) = examples(systems, without);
    let plan = Plan {
        name: "bessemer-default".to_owned(),
        sources: vec![format!("generated from {} with seed {SEED}", corpus::FOLDER)],
        base: None,
        held_out,
    };
    Ok(train(&plan, &examples)?)
}

/// What was measured of a model on messages it was not trained on.
#[derive(Debug, Default)]
struct Measures {
    lines: Evaluation,
    templates: Evaluation,
    /// Lines judged with their severity.
    leveled: Evaluation,
}

impl Measures {
    /// Judges messages by `model`; those of one template have one vote together.
    fn add(&mut self, model: &Model, messages: &[(Example, usize)]) {
        let mut votes: BTreeMap<usize, Votes> = BTreeMap::new();
        for (example, template) in messages {
            let verdict = model.judge(&example.text, 0);
            self.lines.add(example.class, verdict);
            self.leveled.add(example.class, model.judge(&example.text, example.severity));
            votes.entry(*template).or_default().add(example.class, verdict);
        }
        for votes in votes.values() {
            self.templates.add(votes.truth(), votes.said());
        }
    }

    /// A line of the table; `after` is the macro-F1 after training on the system, if measured.
    fn row(&self, rows: &mut String, name: &str, after: Option<f64>) -> std::fmt::Result {
        let shown = |measure: Option<f64>| measure.map_or("-".to_owned(), |m| format!("{m:.3}"));
        // Strangers have neither a second half nor a severity.
        let alerts = shown(after.map(|_| self.leveled.summary().alert_precision));
        let after = shown(after);
        let (line, template) = (self.lines.summary(), self.templates.summary());
        writeln!(
            rows,
            "| {name} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} | {alerts} | {after} |",
            line.macro_f1,
            template.macro_f1,
            line.accuracy,
            line.critical_not_info,
            line.calibration_error
        )
    }
}

/// The second half of a system, judged after training on the first as an operator would.
fn after_training(base: &Model, system: &System) -> Result<Measures> {
    let mut halves = (Vec::new(), Vec::new());
    for (at, message) in system.bare.iter().enumerate() {
        let half = if at % 2 == 0 { &mut halves.0 } else { &mut halves.1 };
        half.push(message.clone());
    }
    let first: Vec<Example> = halves.0.into_iter().map(|(example, _)| example).collect();
    let plan = Plan {
        name: "half".to_owned(),
        sources: Vec::new(),
        base: Some(base),
        held_out: HeldOut::Shapes,
    };
    let mut measures = Measures::default();
    measures.add(&train(&plan, &first)?, &halves.1);
    Ok(measures)
}

fn measured(root: &Path, systems: &[System], model: &Model, bytes: usize) -> Result<String> {
    let (mut all, mut rows) = (Measures::default(), String::new());
    let mut trained_on = Measures::default();
    for system in systems {
        let others = trained(systems, Some(&system.name))?;
        let mut own = Measures::default();
        own.add(&others, &system.bare);
        let after = after_training(&others, system)?;
        own.row(&mut rows, &system.name, after.lines.summary().macro_f1.into())?;
        trained_on.lines.merge(&after.lines);
        all.lines.merge(&own.lines);
        all.templates.merge(&own.templates);
        all.leveled.merge(&own.leveled);
    }
    let strangers = corpus::strangers(root)?.into_iter().zip(0..).collect::<Vec<_>>();
    let mut strange = Measures::default();
    strange.add(model, &strangers);
    let mut table = format!(
        "{} features, {bytes} bytes, {} messages of {} patterns in {} systems.\n\n",
        model.features(),
        systems.iter().map(|system| system.examples.len()).sum::<usize>(),
        systems.iter().map(System::patterns).sum::<usize>(),
        systems.len(),
    );
    table.push_str(
        "| system left out | macro-F1, lines | macro-F1, templates | accuracy | critical not info \
         | calibration | alert precision | macro-F1 after training |\n|---|---|---|---|---|---|---|---|\n",
    );
    table.push_str(&rows);
    all.row(&mut table, "all", trained_on.lines.summary().macro_f1.into())?;
    strange.row(&mut table, "strangers", None)?;
    table.push_str("\n| class, all systems | precision | recall | F1 |\n|---|---|---|---|\n");
    for evaluate::ClassSummary { class, precision, recall, f1, .. } in all.lines.summary().classes {
        writeln!(table, "| {} | {precision:.3} | {recall:.3} | {f1:.3} |", class.as_str())?;
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Promise: patterns cannot change without training the model again.
    #[test]
    fn the_embedded_model_was_trained_on_the_corpus_of_this_tree() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let systems = corpus::systems(&root, SEED).unwrap();
        let digest = bessemer_classify::model::train::digest(&examples(&systems, None).0);
        assert_eq!(Model::embedded().unwrap().report().digest, digest, "run `cargo xtask model`");
    }
}
