//! `bessemer convert`: a configuration in another dialect.

use std::process::ExitCode;

use anyhow::Context as _;

use crate::arguments::{Convert, DialectName};
use crate::{load, output, wire};

pub(super) fn convert(arguments: &Convert) -> anyhow::Result<ExitCode> {
    let from = arguments.from.map(name);
    let Some(loaded) = load::load_from(&arguments.configs, from) else {
        return Ok(ExitCode::FAILURE);
    };
    let wanted = name(arguments.to);
    let dialect = bessemer_config::dialects()
        .into_iter()
        .find(|dialect| dialect.name() == wanted)
        .context("no such dialect")?;
    output::print(&dialect.print(&loaded.graph, &wire::catalogs()))?;
    Ok(ExitCode::SUCCESS)
}

fn name(dialect: DialectName) -> &'static str {
    match dialect {
        DialectName::Alloy => "alloy",
        DialectName::Yaml => "yaml",
        DialectName::Json => "json",
    }
}
