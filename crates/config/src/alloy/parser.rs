//! From words to a tree, with every error that can be told apart.
//!
//! The grammar is LL(1); the comment above each function is its production. After an error the
//! parser goes on at a place where a statement can start, so that one run shows many errors; at
//! most one error a line, because the rest of such a line is noise.
//!
//! One thing that Alloy refuses is accepted unless `strictness` says otherwise: elements of an
//! array or object that are separated by a new line only. It is a slip that many published
//! examples contain, there is one way to read it, and the finding is a warning.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not named is treated alike, whatever it is"
)]

use std::rc::Rc;
use std::sync::Arc;

use super::literal::quote;
use super::scanner::{Fault, Scanner, is_name};
use super::token::{Kind, Token};
use super::tree::{Attribute, Block, Extent, File, Label, Statement};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::source::{Location, Source};

mod expression;

/// How deep blocks, brackets and unary operators may nest.
pub(crate) const DEPTH_MAX: usize = 256;

/// Findings of one text that are kept; the text is hopeless beyond.
const FINDINGS_MAX: usize = 1000;

/// Whether what has only one reading is accepted although it is against the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Exactly Alloy's grammar.
    Alloy,
    /// Commas may be missing at line ends, with a warning.
    Lenient,
}

/// What became of a text.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    pub(crate) file: File,
    pub(crate) findings: Vec<Finding>,
}

/// A finding before it is bound to its text.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) code: Code,
    pub(crate) at: Extent,
    pub(crate) message: String,
    pub(crate) help: Option<&'static str>,
}

impl Finding {
    pub(crate) fn bind(self, source: &Arc<Source>) -> Diagnostic {
        let at = Location::new(source, self.at.range());
        let mut diagnostic = Diagnostic::error(self.code, &at, self.message);
        diagnostic.severity = self.severity;
        diagnostic.help = self.help.map(str::to_owned);
        diagnostic
    }
}

/// Parses a whole file.
pub(crate) fn parse(source: &Source, strictness: Strictness) -> Parsed {
    let mut parser = Parser::new(source, strictness);
    let body = parser.body(Kind::End);
    let file = File { body, comments: parser.comments };
    Parsed { file, findings: parser.findings }
}

/// Parses a text that is one expression.
pub(crate) fn parse_expression(
    source: &Source,
    strictness: Strictness,
) -> (super::tree::Expression, Vec<Finding>) {
    let mut parser = Parser::new(source, strictness);
    let expression = parser.expression();
    parser.expect(Kind::Terminator);
    if parser.token.kind != Kind::End {
        parser.error(format!("expected {}, got {}", Kind::End, parser.token.kind));
    }
    (expression, parser.findings)
}

pub(super) struct Parser<'t> {
    source: &'t Source,
    scanner: Scanner<'t>,
    strictness: Strictness,
    pub(super) token: Token,
    comments: Vec<Extent>,
    findings: Vec<Finding>,
    faults: Vec<Fault>,
    depth: usize,
    /// The line of the last error of the parser itself.
    error_line: usize,
    /// The text nests too deep; what follows says nothing new.
    has_given_up: bool,
}

impl<'t> Parser<'t> {
    fn new(source: &'t Source, strictness: Strictness) -> Self {
        let mut parser = Self {
            source,
            scanner: Scanner::new(source.text()),
            strictness,
            token: Token { kind: Kind::End, start: 0, end: 0 },
            comments: Vec::new(),
            findings: Vec::new(),
            faults: Vec::new(),
            depth: 0,
            error_line: 0,
            has_given_up: false,
        };
        parser.advance();
        parser
    }

    /// Goes to the next word, putting comments aside.
    pub(super) fn advance(&mut self) {
        loop {
            self.token = self.scanner.next(&mut self.faults);
            for (at, message) in std::mem::take(&mut self.faults) {
                self.push(Code::Syntax, Extent { start: at, end: at + 1 }, message);
            }
            if self.token.kind != Kind::Comment {
                return;
            }
            self.comments.push(self.at());
        }
    }

    fn line(&self, at: usize) -> usize {
        self.source.position(at).0
    }

    pub(super) fn at(&self) -> Extent {
        Extent { start: self.token.start, end: self.token.end }
    }

    pub(super) fn text(&self, at: Extent) -> &'t str {
        self.source.text().get(at.range()).unwrap_or_default()
    }

    /// Consumes the current word, which should be of a kind; gives where it stands.
    pub(super) fn expect(&mut self, kind: Kind) -> Extent {
        let at = self.at();
        if self.token.kind != kind {
            self.error(format!("expected {kind}, got {}", self.token.kind));
        }
        self.advance();
        at
    }

    /// An error at the current word, unless this line has one.
    pub(super) fn error(&mut self, message: String) {
        let line = self.line(self.token.start);
        if self.error_line != line && !self.has_given_up {
            self.error_line = line;
            self.push(Code::Syntax, self.at(), message);
        }
    }

    pub(super) fn push(&mut self, code: Code, at: Extent, message: String) {
        if self.findings.len() < FINDINGS_MAX {
            let severity = Severity::Error;
            self.findings.push(Finding { severity, code, at, message, help: None });
        }
    }

    pub(super) fn warn(&mut self, at: Extent, message: &str, help: &'static str) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding {
                severity: Severity::Warning,
                code: Code::Repaired,
                at,
                message: message.to_owned(),
                help: Some(help),
            });
        }
    }

    pub(super) fn skip_to(&mut self, kinds: &[Kind]) {
        while self.token.kind != Kind::End && !kinds.contains(&self.token.kind) {
            self.advance();
        }
    }

    /// Goes to the end of the statement, over what its brackets hold.
    pub(super) fn skip_statement(&mut self) {
        let mut open = [0_isize; 3];
        while self.token.kind != Kind::End {
            let [curly, bracket, paren] = &mut open;
            match self.token.kind {
                Kind::OpenCurly => *curly += 1,
                Kind::CloseCurly => *curly -= 1,
                Kind::OpenBracket => *bracket += 1,
                Kind::CloseBracket => *bracket -= 1,
                Kind::OpenParen => *paren += 1,
                Kind::CloseParen => *paren -= 1,
                Kind::Terminator if open.iter().all(|count| *count <= 0) => return,
                _ => {}
            }
            self.advance();
        }
    }

    /// Runs `inner` one level deeper; beyond the limit the rest of the text is given up.
    pub(super) fn nested<T: Default>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> T {
        if self.depth >= DEPTH_MAX {
            let message = format!("nested deeper than {DEPTH_MAX} levels");
            self.push(Code::Limit, self.at(), message);
            self.has_given_up = true;
            self.skip_to(&[]);
            return T::default();
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// `Body = [ Statement { terminator Statement } ]`
    pub(super) fn body(&mut self, until: Kind) -> Vec<Statement> {
        let mut body = Vec::new();
        while self.token.kind != until && self.token.kind != Kind::End {
            body.extend(self.statement());
            if self.token.kind == until {
                break;
            }
            if self.token.kind != Kind::Terminator {
                self.error(format!("expected {}, got {}", Kind::Terminator, self.token.kind));
                self.skip_statement();
            }
            self.advance();
        }
        body
    }

    /// `Statement = Head ( "=" Expression | "{" Body "}" )`
    fn statement(&mut self) -> Option<Statement> {
        let Some(head) = self.head() else {
            self.skip_to(&[Kind::Identifier]);
            return None;
        };
        match self.token.kind {
            Kind::Assign => Some(self.attribute(head)),
            Kind::OpenCurly => Some(self.block(head)),
            _ => {
                let single = !head.name.contains('.') && head.label_text().is_empty();
                let wanted =
                    if single { "attribute assignment or block body" } else { "block body" };
                self.error(format!("expected {wanted}, got {}", self.token.kind));
                self.skip_to(&[Kind::Identifier]);
                None
            }
        }
    }

    fn attribute(&mut self, head: Head) -> Statement {
        self.advance();
        if head.name.contains('.') {
            let message = "attribute names may only consist of a single identifier with no \".\"";
            self.push(Code::Syntax, head.name_at, message.to_owned());
        } else if let Some(label) = &head.label {
            self.push(Code::Syntax, label.at, "attribute names may not have labels".to_owned());
        }
        let value = self.expression();
        Statement::Attribute(Attribute { name: head.name, name_at: head.name_at, value })
    }

    fn block(&mut self, head: Head) -> Statement {
        let open = self.expect(Kind::OpenCurly).start;
        let body = self.nested(|parser| parser.body(Kind::CloseCurly));
        let close = self.expect(Kind::CloseCurly).start;
        let label = head.label.filter(|label| !label.text.is_empty());
        Statement::Block(Rc::new(Block {
            name: head.name,
            name_at: head.name_at,
            label,
            open,
            close,
            body,
        }))
    }

    /// `Head = identifier { "." identifier } [ string ]`
    fn head(&mut self) -> Option<Head> {
        if self.token.kind != Kind::Identifier {
            self.error(format!("expected {}, got {}", "identifier", self.token.kind));
            return None;
        }
        let mut name = self.text(self.at()).to_owned();
        let mut name_at = self.at();
        self.advance();
        while self.token.kind == Kind::Dot {
            self.advance();
            if self.token.kind != Kind::Identifier {
                self.error(format!("expected {}, got {}", "identifier", self.token.kind));
            }
            name.push('.');
            name.push_str(self.text(self.at()));
            name_at = name_at.to(self.at());
            self.advance();
        }
        let mut label = None;
        if !matches!(self.token.kind, Kind::Assign | Kind::OpenCurly) {
            if self.token.kind == Kind::String {
                label = Some(self.label());
            } else {
                self.error(format!("expected block label, got {}", self.token.kind));
            }
            self.advance();
        }
        Some(Head { name, name_at, label })
    }

    fn label(&mut self) -> Label {
        let at = self.at();
        let literal = self.text(at);
        if !literal.starts_with('"') {
            self.error(format!(
                "expected block label to be a double quoted string, but got {}",
                quote(literal)
            ));
        }
        let text = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
        if !text.is_empty() && !is_name(text) {
            self.error(format!(
                "expected block label to be a valid identifier, but got {}",
                quote(text)
            ));
        }
        Label { text: text.to_owned(), at }
    }

    pub(super) fn is_lenient(&self) -> bool {
        self.strictness == Strictness::Lenient
    }
}

/// What a statement starts with.
struct Head {
    name: String,
    name_at: Extent,
    label: Option<Label>,
}

impl Head {
    fn label_text(&self) -> &str {
        self.label.as_ref().map_or("", |label| &label.text)
    }
}
