//! Reads configurations and shows what is wrong with them.

use std::sync::Arc;

use bessemer_config::{
    Context as Reading, Diagnostic, DiskSources, Loaded, Request, Severity, Source,
    SystemEnvironment,
};
use bessemer_pipeline::Context;

use crate::arguments::{Configs, Validate};
use crate::{connect, keys, output, wire};

/// What a check of a configuration found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) findings: Vec<Diagnostic>,
    pub(crate) components: usize,
    /// Destinations that were asked and would take records.
    pub(crate) ready: Vec<String>,
}

impl Found {
    pub(crate) fn is_valid(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Error)
    }

    pub(crate) fn render(&self) -> String {
        render(&self.findings)
    }
}

/// Findings with the text they point at.
pub(crate) fn render(findings: &[Diagnostic]) -> String {
    bessemer_config::render(findings, output::errors_are_read())
}

/// Loads a configuration; `None` after its errors were shown. Warnings are shown too.
pub(crate) fn load(configs: &Configs) -> Option<Loaded> {
    shown(read(configs, None))
}

/// The same with files of one dialect, whatever their names say.
pub(crate) fn load_from(configs: &Configs, dialect: Option<&str>) -> Option<Loaded> {
    shown(read(configs, dialect))
}

fn read(configs: &Configs, dialect: Option<&str>) -> Result<Loaded, Vec<Diagnostic>> {
    let catalogs = wire::catalogs();
    let context =
        Reading { sources: &DiskSources, environment: &SystemEnvironment, catalog: &catalogs };
    let request = Request { paths: &configs.paths(), settings: &configs.set, dialect };
    bessemer_config::load_request(&request, &context)
}

/// Loads a configuration that is part of this binary; `None` after its errors were shown.
pub(crate) fn load_text(name: &str, text: String) -> Option<Loaded> {
    let catalogs = wire::catalogs();
    let context =
        Reading { sources: &DiskSources, environment: &SystemEnvironment, catalog: &catalogs };
    let source: Arc<Source> = Source::new(name, text);
    shown(bessemer_config::load_text(&source, &context))
}

fn shown(loaded: Result<Loaded, Vec<Diagnostic>>) -> Option<Loaded> {
    match loaded {
        Ok(loaded) => {
            if !loaded.warnings.is_empty() {
                output::findings(&render(&loaded.warnings));
            }
            Some(loaded)
        }
        Err(findings) => {
            output::findings(&render(&findings));
            None
        }
    }
}

/// Everything that can be said about a configuration without running it.
pub(crate) fn check(arguments: &Validate) -> std::io::Result<Found> {
    let mut findings = keys::check(&arguments.keys, &SystemEnvironment);
    let loaded = match read(&arguments.configs, None) {
        Ok(loaded) => loaded,
        Err(more) => {
            findings.extend(more);
            return Ok(Found { findings, components: 0, ready: Vec::new() });
        }
    };
    let components = loaded.graph.nodes.len();
    let mut ready = Vec::new();
    findings.extend(loaded.warnings);
    match wire::wire(&loaded.graph, &Context::detached()) {
        Err(more) => findings.extend(more),
        Ok(wired) => {
            if arguments.bind {
                findings.extend(occupied(&loaded.graph, &wired));
            }
            if arguments.connect {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                let asked = runtime.block_on(connect::ask(&loaded.graph, &wired));
                findings.extend(asked.findings);
                ready = asked.ready;
            }
        }
    }
    Ok(Found { findings, components, ready })
}

fn occupied(graph: &bessemer_config::Graph, wired: &wire::Wired) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (id, component) in &wired.built {
        for endpoint in component.listens() {
            let Err(error) = std::net::TcpListener::bind(endpoint) else { continue };
            let at = graph.node(id).map(|node| node.at.clone()).unwrap_or_default();
            let message = format!("{id} cannot listen on {endpoint}: {error}");
            findings.push(
                Diagnostic::error(bessemer_config::Code::Wiring, &at, message)
                    .with_help("end what listens there or choose another endpoint"),
            );
        }
    }
    findings
}
