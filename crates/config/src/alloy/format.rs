//! Writes a text the way everybody writes it, and changes nothing that it means.
//!
//! Three passes. The *walk* below turns the tree into pieces: words, and wishes for space, for a
//! new line, for a column. `weave` puts the comments between the pieces, where they stand in the
//! source, and decides which wishes come true. `columns` aligns equal signs and trailing comments
//! over runs of lines, as `alloy fmt` does with elastic tab stops.
//!
//! Whether a list is written in one line or several is its author's choice: a new line stays where
//! one was. Trailing commas appear where a closing bracket has a line of its own.

use super::literal::{quote, unquote};
use super::tree::{Attribute, Block, Entry, Expression, Extent, File, Shape, Statement, Step};
use crate::source::Source;

mod breaks;
mod columns;
mod weave;

/// A word, or a wish for what stands between two words.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// A word; with the place of its first byte if it has one in the source.
    Word(String, Option<usize>),
    /// A blank.
    Blank,
    /// The next word starts a column.
    Column,
    /// The next word starts a line in the same run of columns.
    Line,
    /// The next word starts a line, and a run of columns.
    Run,
    /// Lines from here on are one level deeper.
    Indent,
    /// Lines from here on are one level less deep.
    Dedent,
}

/// Formats a text that has been parsed without errors.
pub(crate) fn format(source: &Source, file: &File) -> String {
    let mut walk = Walk { source, comments: &file.comments, pieces: Vec::new() };
    walk.body(&file.body);
    let pieces = std::mem::take(&mut walk.pieces);
    let lines = weave::weave(source, pieces, &file.comments);
    columns::align(&lines)
}

struct Walk<'a> {
    source: &'a Source,
    comments: &'a [Extent],
    pieces: Vec<Piece>,
}

impl Walk<'_> {
    fn push(&mut self, piece: Piece) {
        self.pieces.push(piece);
    }

    fn word(&mut self, text: impl Into<String>, at: usize) {
        self.push(Piece::Word(text.into(), Some(at)));
    }

    /// A word that belongs directly behind the one before, whatever stood there in the source.
    fn mark(&mut self, text: &str) {
        self.push(Piece::Word(text.to_owned(), None));
    }

    fn source_word(&mut self, at: Extent) {
        let text = self.source.text().get(at.range()).unwrap_or_default();
        self.word(text, at.start);
    }

    fn line(&self, at: usize) -> usize {
        self.source.position(at).0
    }

    fn is_broken(&self, from: usize, to: usize) -> bool {
        self.line(from) != self.line(to)
    }

    fn body(&mut self, body: &[Statement]) {
        let mut last_line = None;
        for statement in body {
            let at = statement.at();
            if let Some(last_line) = last_line {
                let is_block = matches!(statement, Statement::Block(_));
                if is_block || self.line(at.start) > last_line + 1 {
                    self.push(Piece::Run);
                }
            }
            last_line = Some(self.line(at.end.saturating_sub(1)));
            match statement {
                Statement::Attribute(attribute) => self.attribute(attribute),
                Statement::Block(block) => self.block(block),
            }
            let breaks = match statement {
                Statement::Attribute(attribute) => self.breaks(&attribute.value),
                Statement::Block(_) => true,
            };
            self.push(if breaks { Piece::Run } else { Piece::Line });
        }
    }

    fn attribute(&mut self, attribute: &Attribute) {
        self.word(&attribute.name, attribute.name_at.start);
        self.assign();
        self.expression(&attribute.value);
    }

    fn assign(&mut self) {
        self.push(Piece::Column);
        self.mark("=");
        self.push(Piece::Blank);
    }

    fn block(&mut self, block: &Block) {
        self.word(&block.name, block.name_at.start);
        if let Some(label) = &block.label {
            self.push(Piece::Blank);
            self.word(quote(&label.text), label.at.start);
        }
        self.push(Piece::Blank);
        self.word("{", block.open);
        self.push(Piece::Indent);
        if block.body.is_empty() {
            self.push(Piece::Blank);
        } else {
            self.push(Piece::Run);
            self.body(&block.body);
        }
        self.push(Piece::Dedent);
        self.word("}", block.close);
    }

    fn expression(&mut self, expression: &Expression) {
        let at = expression.at;
        match &expression.shape {
            Shape::Null
            | Shape::Bool
            | Shape::Number
            | Shape::Float
            | Shape::String
            | Shape::Name(_) => self.source_word(at),
            Shape::List(elements) => self.list(elements, at.start, at.end - 1, ["[", "]"]),
            Shape::Map(entries) => self.map(entries, at),
            Shape::Paren(inner) => {
                self.word("(", at.start);
                self.expression(inner);
                self.word(")", at.end - 1);
            }
            Shape::Unary(operator, operand) => {
                self.word(operator.as_str(), at.start);
                self.expression(operand);
            }
            Shape::Chain(first, links) | Shape::Powers(first, links) => {
                self.expression(first);
                for link in links {
                    self.push(Piece::Blank);
                    self.word(link.operator.as_str(), link.operator_at);
                    self.push(Piece::Blank);
                    self.expression(&link.operand);
                }
            }
            Shape::Path(base, steps) => self.path(base, steps),
        }
    }

    fn path(&mut self, base: &Expression, steps: &[Step]) {
        self.expression(base);
        let mut is_whole_number = matches!(base.shape, Shape::Number);
        for step in steps {
            match step {
                Step::Access { dot, name, name_at } => {
                    if is_whole_number {
                        // Without the blank, number and dot would read as a float.
                        self.push(Piece::Blank);
                    }
                    self.word(".", *dot);
                    self.word(name, name_at.start);
                }
                Step::Index { open, index, close } => {
                    self.word("[", *open);
                    self.expression(index);
                    self.word("]", *close);
                }
                Step::Call { open, arguments, close } => {
                    self.list(arguments, *open, *close, ["(", ")"]);
                }
            }
            is_whole_number = false;
        }
    }

    /// Array elements and call arguments: each stays on the line it is on.
    fn list(&mut self, elements: &[Expression], open: usize, close: usize, marks: [&str; 2]) {
        let [open_mark, close_mark] = marks;
        self.word(open_mark, open);
        let mut last_end = open;
        for (count, element) in elements.iter().enumerate() {
            let has_own_line = self.is_broken(last_end, element.at.start);
            if has_own_line {
                // Before the line, so that comments in front of the element are indented too.
                self.push(Piece::Indent);
                self.push(Piece::Run);
            } else if count > 0 {
                self.push(Piece::Blank);
            }
            last_end = element.at.end.saturating_sub(1);
            self.expression(element);
            if count + 1 < elements.len() {
                self.mark(",");
            }
            if has_own_line {
                self.push(Piece::Dedent);
            }
        }
        if !elements.is_empty() && self.is_broken(last_end, close) {
            self.mark(",");
            self.push(Piece::Indent);
            self.push(Piece::Run);
            self.push(Piece::Dedent);
        }
        self.word(close_mark, close);
    }

    fn map(&mut self, entries: &[Entry], at: Extent) {
        self.word("{", at.start);
        self.push(Piece::Indent);
        let mut last_end = at.start;
        let mut last_breaks = false;
        for (count, entry) in entries.iter().enumerate() {
            if last_breaks || self.is_broken(last_end, entry.name_at.start) {
                let aligned = count > 0 && !last_breaks;
                self.push(if aligned { Piece::Line } else { Piece::Run });
            } else if count > 0 {
                self.push(Piece::Blank);
            }
            last_end = entry.value.at.end.saturating_sub(1);
            last_breaks = self.breaks(&entry.value);
            self.name(entry.name_at);
            self.assign();
            self.expression(&entry.value);
            if count + 1 < entries.len() {
                self.mark(",");
            }
        }
        let close = at.end - 1;
        if !entries.is_empty() && (last_breaks || self.is_broken(last_end, close)) {
            self.mark(",");
            self.push(Piece::Run);
        }
        self.push(Piece::Dedent);
        self.word("}", close);
    }

    /// The name of a field; a raw string becomes a quoted one.
    fn name(&mut self, at: Extent) {
        let text = self.source.text().get(at.range()).unwrap_or_default();
        if text.starts_with('`') {
            self.word(quote(&unquote(text)), at.start);
        } else {
            self.word(text, at.start);
        }
    }
}
