//! Elastic tab stops: a column is as wide as its widest cell in a run of neighbouring lines.

use super::weave::Line;

/// The lines as text, aligned, without blanks at line ends, with one line end at the end.
pub(super) fn align(lines: &[Line]) -> String {
    let mut widths: Vec<Vec<usize>> = lines.iter().map(|_| Vec::new()).collect();
    let mut start = 0;
    for (at, line) in lines.iter().enumerate() {
        if line.ends_run || at + 1 == lines.len() {
            measure(lines, &mut widths, start, at + 1, 0);
            start = at + 1;
        }
    }
    let mut out = String::new();
    for (line, widths) in lines.iter().zip(&widths) {
        write(&mut out, line, widths);
    }
    let length = out.trim_end().len();
    out.truncate(length);
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// Sets the width of one column, and of the columns right of it, for the lines of a run.
fn measure(lines: &[Line], widths: &mut [Vec<usize>], start: usize, end: usize, column: usize) {
    let has_column = |at: usize| lines.get(at).is_some_and(|line| line.cells.len() > column + 1);
    let indent = |at: usize| lines.get(at).map_or(0, |line| line.indent);
    let mut at = start;
    while at < end {
        if !has_column(at) {
            at += 1;
            continue;
        }
        let first = at;
        let mut width = 0;
        while at < end && has_column(at) && indent(at) == indent(first) {
            let cell = lines.get(at).and_then(|line| line.cells.get(column));
            width = width.max(cell.map_or(0, |cell| length(cell)));
            at += 1;
        }
        for line in widths.get_mut(first..at).unwrap_or_default() {
            line.push(width);
        }
        measure(lines, widths, first, at, column + 1);
    }
}

/// The width of the last line of a cell in characters.
fn length(cell: &str) -> usize {
    cell.rsplit('\n').next().unwrap_or_default().chars().count()
}

fn write(out: &mut String, line: &Line, widths: &[usize]) {
    let start = out.len();
    let has_text = line.cells.iter().any(|cell| !cell.is_empty());
    if has_text {
        out.extend(std::iter::repeat_n('\t', line.indent));
    }
    for (count, cell) in line.cells.iter().enumerate() {
        out.push_str(cell);
        if count + 1 < line.cells.len() {
            let width = widths.get(count).copied().unwrap_or_default();
            // A column whose cells are all empty takes no room.
            let padding = if width == 0 { 0 } else { width.saturating_sub(length(cell)) + 1 };
            out.extend(std::iter::repeat_n(' ', padding));
        }
    }
    let kept = out.get(start..).unwrap_or_default().trim_end_matches([' ', '\t']).len();
    out.truncate(start + kept);
    out.push('\n');
}
