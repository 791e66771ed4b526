//! Diagnostics as compilers print them: sentence, file, line, the source with a mark, advice.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Severity};
use crate::source::Source;

/// Lines shown above the first offending line.
const LINES_BEFORE: usize = 1;
/// Lines of one finding that are shown at most.
const LINES_MAX: usize = 4;
/// A longer line is cut around its mark: generated configs can be one line of megabytes.
const LINE_BYTES_MAX: usize = 4096;

/// Renders findings one below the other; with `color` for a terminal.
pub fn render(diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for diagnostic in diagnostics {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(plain(&diagnostic.message)).id(diagnostic.code.as_str());
        let mut group = Group::with_title(title);
        if let Some(source) = diagnostic.at.source() {
            group = group.element(snippet(source, diagnostic.at.range()));
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(plain(help)));
        }
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    if out.ends_with("\n\n") {
        out.pop();
    }
    out
}

fn plain(text: &str) -> String {
    annotate_snippets::normalize_untrusted_str(text)
}

fn snippet(source: &Source, range: Range<usize>) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    let (line, _) = source.position(range.start);
    let first = line.saturating_sub(LINES_BEFORE).max(1);
    let start = source.line_start(first);
    let end = source.line_start(first + LINES_MAX);
    let (first, start) = if range.start - start > LINE_BYTES_MAX {
        (line, floor(source.text(), range.start - LINE_BYTES_MAX / 2))
    } else {
        (first, start)
    };
    let end = floor(source.text(), end.min(range.start + LINE_BYTES_MAX));
    let shown = source.text().get(start..end).unwrap_or_default().trim_end_matches('\n');
    let from = (range.start - start).min(shown.len());
    let line_end = shown.get(from..).and_then(|rest| rest.find('\n'));
    let line_end = line_end.map_or(shown.len(), |length| from + length);
    let to = range.end.saturating_sub(start).clamp(from, line_end);
    Snippet::source(shown)
        .line_start(first)
        .path(source.name())
        .annotation(AnnotationKind::Primary.span(from..to))
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
