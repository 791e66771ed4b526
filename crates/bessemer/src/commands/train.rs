//! `bessemer train`: a model from labelled messages.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use bessemer_classify::dataset::{self, Columns, Form, Row};
use bessemer_classify::model::sign::{KEY_BYTES_MAX, SigningKey};
use bessemer_classify::model::train::{Example, HeldOut, Plan, train as fit};
use bessemer_classify::model::{Model, file};

use crate::arguments::Train;
use crate::output;

/// Trains, writes the file and says what was measured.
pub(crate) fn train(arguments: &Train) -> anyhow::Result<ExitCode> {
    let columns = Columns {
        text: arguments.text.clone(),
        label: arguments.label.clone(),
        id: None,
        level: arguments.level.clone(),
    };
    let mut examples: Vec<Example> = Vec::new();
    for path in &arguments.files {
        examples.extend(rows(path, &columns)?.into_iter().map(|row| row.example));
    }
    let base = if arguments.fresh { None } else { Some(model(arguments.base.as_deref())?) };
    let plan = Plan {
        name: arguments.name.clone(),
        sources: sources(&arguments.files, base.as_deref()),
        base: base.as_deref(),
        held_out: HeldOut::Shapes,
    };
    let key = arguments.sign_key.as_deref().map(signing_key).transpose()?;
    let trained = fit(&plan, &examples)?;
    let mut bytes = file::encode(&trained)?;
    if let Some(key) = &key {
        bytes = key.sign(bytes);
    }
    std::fs::write(&arguments.output, bytes)
        .with_context(|| format!("cannot write {}", arguments.output.display()))?;
    output::print(&format!("{}\n", serde_json::to_string_pretty(trained.report())?))?;
    if let Some(key) = &key {
        output::print(&format!("public key: {}\n", key.public()?))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn signing_key(path: &Path) -> anyhow::Result<SigningKey> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(KEY_BYTES_MAX).read_to_string(&mut text))
        .with_context(|| format!("cannot read {}", path.display()))?;
    SigningKey::from_pem(&text).with_context(|| path.display().to_string())
}

fn sources(files: &[std::path::PathBuf], base: Option<&Model>) -> Vec<String> {
    let names = files.iter().filter_map(|path| path.file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names.chain(base.map(|base| format!("model {}", base.report().name))).collect()
}

/// The labelled messages of a file; its name says whether it is CSV.
pub(super) fn rows(path: &Path, columns: &Columns) -> anyhow::Result<Vec<Row>> {
    let is_table = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let form = if is_table { Form::Csv } else { Form::JsonLines };
    let input = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    dataset::read(BufReader::new(input), form, columns).with_context(|| path.display().to_string())
}

/// The model in a file, or the one inside the binary.
pub(super) fn model(path: Option<&Path>) -> anyhow::Result<Arc<Model>> {
    let Some(path) = path else {
        return Model::embedded().context("the model inside the binary is damaged");
    };
    let length = std::fs::metadata(path).with_context(|| path.display().to_string())?.len();
    anyhow::ensure!(length <= file::FILE_BYTES_MAX as u64, "{} is too long", path.display());
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let model = file::decode(&bytes, None).with_context(|| path.display().to_string())?;
    Ok(Arc::new(model))
}
