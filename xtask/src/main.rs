//! Project commands: docs, tidy, ci, conformance. `cargo xtask` alone lists them.

mod conformance;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use xtask::{model, reference, soak, tidy, trust};

const USAGE: &str = "\
cargo xtask docs [--check]       write docs/reference/ from the binary, or compare it
cargo xtask tidy                 check the rules of the repository
cargo xtask ci                   everything that must hold before a change lands: .ci/run
cargo xtask soak --minutes N     run the crash proofs that long and note what was measured
                 [--seed S]
cargo xtask model                train the model inside the binary and write how good it is
cargo xtask trust [--json]       write docs/trust.md from what was measured, or print the sums
cargo xtask conformance ...      run outside cases against the library
";

fn main() -> ExitCode {
    let Err(error) = run() else { return ExitCode::SUCCESS };
    // Nothing is left to do when standard error is closed.
    writeln!(std::io::stderr(), "{error:#}").unwrap_or_default();
    ExitCode::FAILURE
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["docs"] => docs(Mode::Write),
        ["docs", "--check"] => docs(Mode::Check),
        ["tidy"] => tidy(),
        ["ci"] => ci(),
        ["soak", "--minutes", minutes] => soak(minutes, "1000000"),
        ["soak", "--minutes", minutes, "--seed", seed] => soak(minutes, seed),
        ["model"] => say(&model::write(&root())?),
        ["trust"] => trust_page(),
        ["trust", "--json"] => say(&format!("{}\n", trust::sums(&trust::rows(&root())?))),
        ["conformance", ..] => conformance::run(arguments.get(1..).unwrap_or_default()),
        [] => say(USAGE),
        _ => bail!("unknown command: {}\n{USAGE}", words.join(" ")),
    }
}

#[derive(Clone, Copy)]
enum Mode {
    Write,
    Check,
}

fn docs(mode: Mode) -> Result<()> {
    let root = root();
    let pages = reference::render(&build_binary(&root)?)?;
    match mode {
        Mode::Write => {
            reference::write(&root, &pages)?;
            say(&format!("{} files in {}\n", pages.len(), reference::FOLDER))
        }
        Mode::Check => {
            let differences = reference::differences(&root, &pages)?;
            if differences.is_empty() {
                return say(&format!(
                    "{} files in {} are up to date\n",
                    pages.len(),
                    reference::FOLDER
                ));
            }
            bail!("{}\nrun `cargo xtask docs`", differences.join("\n"))
        }
    }
}

fn tidy() -> Result<()> {
    let tree = tidy::Tree::read(&root())?;
    let mut findings = 0;
    for rule in tidy::RULES {
        for finding in (rule.check)(&tree) {
            findings += 1;
            say(&format!("{finding} ({})\n", rule.name))?;
        }
    }
    if findings > 0 {
        bail!("{findings} findings");
    }
    say(&format!("{} rules hold\n", tidy::RULES.len()))
}

fn ci() -> Result<()> {
    let status = Command::new("bash").arg(".ci/run").current_dir(root()).status()?;
    if !status.success() {
        bail!(".ci/run ended with {status}");
    }
    Ok(())
}

fn soak(minutes: &str, seed: &str) -> Result<()> {
    let minutes = minutes.parse().context("--minutes takes a number")?;
    let seed = seed.parse().context("--seed takes a number")?;
    for row in soak::soak(&root(), minutes, seed)? {
        say(&format!("{row}\n"))?;
    }
    trust_page()
}

fn trust_page() -> Result<()> {
    let root = root();
    let page = trust::page(&trust::rows(&root)?)?;
    std::fs::write(root.join(trust::PAGE), &page)?;
    say(&page)
}

/// Builds `bessemer` in the development profile and returns where cargo put it.
fn build_binary(root: &Path) -> Result<PathBuf> {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "bessemer", "--message-format", "json"])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!("bessemer does not build");
    }
    String::from_utf8(output.stdout)?
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .context("cargo named no executable")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn say(text: &str) -> Result<()> {
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}
