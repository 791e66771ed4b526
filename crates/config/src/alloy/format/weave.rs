//! Puts the comments between the words and decides where lines end.

use super::Piece;
use crate::alloy::tree::Extent;
use crate::source::Source;

/// More empty lines than this say nothing.
const LINE_ENDS_MAX: usize = 2;

/// One line of output before its columns are aligned.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) indent: usize,
    /// All but the last are columns.
    pub(super) cells: Vec<String>,
    /// Whether a run of columns ends behind this line.
    pub(super) ends_run: bool,
}

pub(super) fn weave(source: &Source, pieces: Vec<Piece>, comments: &[Extent]) -> Vec<Line> {
    let mut weaver = Weaver {
        source,
        comments,
        next_comment: 0,
        pending: Vec::new(),
        indent: 0,
        lines: vec![Line::default()],
        is_line_empty: true,
        last_line: 0,
        last_end: 0,
    };
    for piece in pieces {
        if let Piece::Word(text, at) = piece {
            weaver.word(&text, at);
        } else {
            weaver.pending.push(piece);
        }
    }
    weaver.comments_before(usize::MAX, None);
    weaver.lines
}

struct Weaver<'a> {
    source: &'a Source,
    comments: &'a [Extent],
    next_comment: usize,
    /// Wishes since the last word.
    pending: Vec<Piece>,
    indent: usize,
    lines: Vec<Line>,
    is_line_empty: bool,
    /// The source line on which the last word or comment ended; 0 before the first.
    last_line: usize,
    /// The source offset behind the last word or comment.
    last_end: usize,
}

impl Weaver<'_> {
    fn word(&mut self, text: &str, at: Option<usize>) {
        let was_woven = at.is_some_and(|at| self.comments_before(at, Some(self.line_of(at))));
        if !was_woven {
            self.grant_pending();
        }
        self.write(text);
        if let Some(at) = at {
            self.last_line = self.line_of(at) + newlines(text);
            self.last_end = at + text.len();
        }
    }

    fn line_of(&self, at: usize) -> usize {
        self.source.position(at).0
    }

    /// Writes the comments that stand before a place; whether there were any.
    fn comments_before(&mut self, place: usize, next_line: Option<usize>) -> bool {
        let mut last = None;
        while let Some(comment) = self.comments.get(self.next_comment).copied()
            && comment.start < place
        {
            self.next_comment += 1;
            self.comment(comment, next_line);
            last = Some(comment);
        }
        match (last, next_line) {
            (Some(last), Some(next_line)) => {
                self.after_comments(last, next_line);
                true
            }
            (last, _) => last.is_some(),
        }
    }

    fn comment(&mut self, comment: Extent, next_line: Option<usize>) {
        let text = self.source.text().get(comment.range()).unwrap_or_default().to_owned();
        let line = self.line_of(comment.start);
        if self.last_line == 0 {
            // The first thing in the text.
        } else if line == self.last_line {
            if next_line == Some(line) {
                self.write(" ");
            } else {
                self.column();
            }
        } else {
            self.grant_indents();
            self.end_lines(line.saturating_sub(self.last_line), true);
        }
        self.write(&text.replace('\r', ""));
        self.last_line = line + newlines(&text);
        self.last_end = comment.end;
    }

    /// Indents that were wished before the next line end hold for the comment already.
    fn grant_indents(&mut self) {
        let is_indent = |piece: &Piece| matches!(piece, Piece::Indent | Piece::Dedent);
        let count = self.pending.iter().take_while(|piece| is_indent(piece)).count();
        if count < self.pending.len() {
            for piece in self.pending.drain(..count).collect::<Vec<_>>() {
                self.grant(&piece);
            }
        }
    }

    fn after_comments(&mut self, last: Extent, next_line: usize) {
        let is_line_comment = self.source.text().get(last.start..).is_some_and(is_line_comment);
        let ends_run = self.pending.contains(&Piece::Run);
        for piece in std::mem::take(&mut self.pending) {
            if matches!(piece, Piece::Indent | Piece::Dedent) {
                self.grant(&piece);
            }
        }
        let line_ends = next_line.saturating_sub(self.last_line);
        if line_ends > 0 {
            self.end_lines(line_ends, ends_run);
        } else if is_line_comment {
            // Whatever follows would become part of the comment.
            self.end_lines(1, ends_run);
        } else {
            self.write(" ");
        }
    }

    fn grant_pending(&mut self) {
        for piece in std::mem::take(&mut self.pending) {
            self.grant(&piece);
        }
    }

    fn grant(&mut self, piece: &Piece) {
        match piece {
            Piece::Indent => self.indent += 1,
            Piece::Dedent => self.indent = self.indent.saturating_sub(1),
            Piece::Blank => self.write(" "),
            Piece::Column => self.column(),
            Piece::Line => self.end_lines(1, false),
            Piece::Run => self.end_lines(1, true),
            Piece::Word(..) => {}
        }
    }

    fn end_lines(&mut self, count: usize, ends_run: bool) {
        for _ in 0..count.min(LINE_ENDS_MAX) {
            if let Some(line) = self.lines.last_mut() {
                line.ends_run |= ends_run;
            }
            self.lines.push(Line { ends_run, ..Line::default() });
            self.is_line_empty = true;
        }
        if let Some(line) = self.lines.last_mut() {
            line.ends_run = false;
        }
    }

    fn column(&mut self) {
        if let Some(line) = self.lines.last_mut() {
            if line.cells.is_empty() {
                line.cells.push(String::new());
            }
            line.cells.push(String::new());
        }
    }

    fn write(&mut self, text: &str) {
        let indent = self.indent;
        if let Some(line) = self.lines.last_mut() {
            if self.is_line_empty {
                line.indent = indent;
                self.is_line_empty = false;
            }
            match line.cells.last_mut() {
                Some(cell) => cell.push_str(text),
                None => line.cells.push(text.to_owned()),
            }
        }
    }
}

fn is_line_comment(rest: &str) -> bool {
    rest.starts_with("//")
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}
