//! The outcome of tests, for people and for the pages of a build.

use std::fmt::Write as _;

/// What became of one test.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) name: String,
    pub(super) problems: Vec<String>,
}

/// One line for each test, and what is wrong below it.
pub(super) fn text(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for Outcome { name, problems } in outcomes {
        let word = if problems.is_empty() { "ok    " } else { "FAILED" };
        // Writing into text cannot fail, here and below.
        writeln!(text, "{word} {name}").unwrap_or_default();
        for problem in problems {
            writeln!(text, "       {problem}").unwrap_or_default();
        }
    }
    writeln!(text, "{} tests, {} failed", outcomes.len(), failed(outcomes)).unwrap_or_default();
    text
}

/// The form that build servers read.
pub(super) fn junit(outcomes: &[Outcome]) -> String {
    let (all, failed) = (outcomes.len(), failed(outcomes));
    let counts = format!("tests=\"{all}\" failures=\"{failed}\"");
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  \
         <testsuite name=\"bessemer\" {counts}>\n"
    );
    for Outcome { name, problems } in outcomes {
        let name = escaped(name);
        if problems.is_empty() {
            writeln!(xml, "    <testcase classname=\"bessemer\" name=\"{name}\"/>")
                .unwrap_or_default();
            continue;
        }
        writeln!(xml, "    <testcase classname=\"bessemer\" name=\"{name}\">").unwrap_or_default();
        for problem in problems {
            let problem = escaped(problem);
            writeln!(xml, "      <failure message=\"{problem}\"/>").unwrap_or_default();
        }
        xml.push_str("    </testcase>\n");
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn failed(outcomes: &[Outcome]) -> usize {
    outcomes.iter().filter(|outcome| !outcome.problems.is_empty()).count()
}

/// Text for an attribute; what XML cannot hold becomes a question mark.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for next in text.chars() {
        match next {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' | '\r' => out.push(' '),
            _ if next.is_control() || matches!(next, '\u{fffe}' | '\u{ffff}') => out.push('?'),
            _ => out.push(next),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes() -> [Outcome; 2] {
        let problem = "got \"<a & b>\"\nnot \u{1}".to_owned();
        [
            Outcome { name: "good".to_owned(), problems: Vec::new() },
            Outcome { name: "b<d".to_owned(), problems: vec![problem] },
        ]
    }

    #[test]
    fn people_read_one_line_a_test_and_what_is_wrong_below_it() {
        let text = text(&outcomes());
        assert!(text.starts_with("ok     good\nFAILED b<d\n       got"), "{text}");
        assert!(text.ends_with("2 tests, 1 failed\n"), "{text}");
    }

    #[test]
    fn build_servers_read_well_formed_text() {
        let xml = junit(&outcomes());
        assert!(xml.contains("<testsuites tests=\"2\" failures=\"1\">"), "{xml}");
        assert!(xml.contains("name=\"b&lt;d\""), "{xml}");
        assert!(xml.contains("message=\"got &quot;&lt;a &amp; b&gt;&quot; not ?\""), "{xml}");
    }
}
