//! One page for each code of a diagnostic, from the table that the code itself is explained by.

use std::fmt::Write;

use bessemer_config::Code;
use bessemer_config::diagnostic::Found;

/// The path of a code's page in the reference.
pub fn path(code: Code) -> String {
    format!("errors/{}.md", code.as_str().trim_start_matches("BSM-"))
}

/// What the page of a code says.
pub(super) fn page(code: Code) -> String {
    let told = code.explanation();
    let (code, example) = (code.as_str(), told.example.trim_end());
    let (lead, language) = match told.found {
        Found::ByValidate => (format!("`bessemer validate` finds {code} in:"), "alloy"),
        Found::ByConnecting => (format!("`bessemer validate --connect` finds {code} in:"), "alloy"),
        Found::InShell => (format!("This ends with {code}:"), "sh"),
    };
    format!(
        "# {code}: {}\n\n{}\n\n## What to do\n\n{}\n\n## Example\n\n{lead}\n\n```{language}\n{example}\n```\n",
        told.title,
        wrapped(told.meaning),
        wrapped(told.remedy)
    )
}

/// The list of all codes.
pub(super) fn index() -> String {
    let mut page = String::from("# Errors\n\nWhat a code in a message means.\n\n");
    for code in Code::ALL {
        let (name, title) = (code.as_str(), code.explanation().title);
        let file = path(code);
        let file = file.trim_start_matches("errors/");
        writeln!(page, "- [{name}]({file}): {title}").unwrap_or_default();
    }
    page
}

const WIDTH: usize = 100;

fn wrapped(text: &str) -> String {
    let mut lines = String::with_capacity(text.len());
    let mut width = 0;
    for word in text.split_whitespace() {
        if width > 0 && width + 1 + word.len() > WIDTH {
            lines.push('\n');
            width = 0;
        } else if width > 0 {
            lines.push(' ');
            width += 1;
        }
        lines.push_str(word);
        width += word.len();
    }
    lines
}
