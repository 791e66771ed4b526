//! The command line as a page: the help of every command, found by following the help itself.

use std::fmt::Write;

use anyhow::Result;

/// Renders the help of the program and of each command below it; `help` runs it with arguments.
pub(super) fn page(help: &dyn Fn(&[&str]) -> Result<String>) -> Result<String> {
    let mut page = String::from("# Command line\n");
    add(&mut page, help, &[])?;
    Ok(page)
}

fn add(page: &mut String, help: &dyn Fn(&[&str]) -> Result<String>, path: &[&str]) -> Result<()> {
    let text = help(&[path, &["--help"]].concat())?;
    let title = [&["bessemer"], path].concat().join(" ");
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    write!(page, "\n## {title}\n\n```text\n{}\n```\n", lines.join("\n"))?;
    for command in commands(&text) {
        add(page, help, &[path, &[command]].concat())?;
    }
    Ok(())
}

/// The names in the list of commands; `help` only repeats what is printed here.
fn commands(help: &str) -> Vec<&str> {
    help.lines()
        .skip_while(|line| line.trim_end() != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_list_is_followed() {
        let help = |arguments: &[&str]| {
            Ok(match arguments {
                ["--help"] => {
                    "A pipeline.\n\nCommands:\n  run      Runs it\n           for long\n  \
                               journal  Looks  \n  help     Help\n\nOptions:\n  -h  Help\n"
                }
                ["journal", "--help"] => "Looks\n\nCommands:\n  fsck  Checks\n\n",
                _ => "Usage\n",
            }
            .to_owned())
        };
        let page = page(&help).unwrap();
        let titles: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(
            titles,
            ["## bessemer", "## bessemer run", "## bessemer journal", "## bessemer journal fsck"]
        );
        assert!(!page.lines().any(|line| line.ends_with(' ')), "{page}");
    }
}
