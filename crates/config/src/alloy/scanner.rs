//! Cuts a text into words.
//!
//! Statements end where a line ends, but nobody writes a terminator: one is inserted at the end of
//! a line whose last word can end a statement (a name, a literal, a closing bracket). A comment
//! does not hide the end of its line, so a comment that runs to the end of a line has the
//! terminator in front of it.

use std::sync::LazyLock;

use regex::Regex;

use super::literal;
use super::token::{Kind, Operator, Token};

/// What is wrong with a word, and the byte at which it is.
pub(crate) type Fault = (usize, String);

const BYTE_ORDER_MARK: char = '\u{feff}';

pub(crate) struct Scanner<'t> {
    text: &'t str,
    at: usize,
    /// The last word can end a statement, so the next end of line does.
    may_end: bool,
}

impl<'t> Scanner<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let at = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
        Self { text, at, may_end: false }
    }

    /// The next word; at the end of the text, [`Kind::End`] for ever.
    pub(crate) fn next(&mut self, faults: &mut Vec<Fault>) -> Token {
        self.skip_blanks();
        let start = self.at;
        let Some(first) = self.peek() else {
            return self.line_end(start);
        };
        if first == '\n' {
            self.at += 1;
            return self.line_end(start);
        }
        if first == '/' && matches!(self.peek_at(1), Some('/' | '*')) {
            return self.comment(start, faults);
        }
        let kind = self.word(first, faults);
        self.may_end = match kind {
            Kind::Identifier
            | Kind::Number
            | Kind::Float
            | Kind::String
            | Kind::Bool
            | Kind::Null
            | Kind::CloseCurly
            | Kind::CloseParen
            | Kind::CloseBracket => true,
            Kind::Illegal => self.may_end || first == '\'',
            Kind::End
            | Kind::Comment
            | Kind::Operator(_)
            | Kind::Assign
            | Kind::OpenCurly
            | Kind::OpenParen
            | Kind::OpenBracket
            | Kind::Comma
            | Kind::Dot
            | Kind::Terminator => false,
        };
        Token { kind, start, end: self.at }
    }

    fn line_end(&mut self, start: usize) -> Token {
        let kind = if self.may_end { Kind::Terminator } else { Kind::End };
        self.may_end = false;
        Token { kind, start, end: self.at }
    }

    fn word(&mut self, first: char, faults: &mut Vec<Fault>) -> Kind {
        if is_letter(first) {
            return self.name();
        }
        let fraction = first == '.' && self.peek_at(1).is_some_and(|next| next.is_ascii_digit());
        if first.is_ascii_digit() || fraction {
            return self.number(faults);
        }
        if matches!(first, '"' | '\'' | '`') {
            return self.quoted(first, faults);
        }
        let start = self.at;
        self.at += first.len_utf8();
        match first {
            '{' => Kind::OpenCurly,
            '}' => Kind::CloseCurly,
            '(' => Kind::OpenParen,
            ')' => Kind::CloseParen,
            '[' => Kind::OpenBracket,
            ']' => Kind::CloseBracket,
            ',' => Kind::Comma,
            '.' => Kind::Dot,
            '=' if self.eat('=') => Kind::Operator(Operator::Equal),
            '=' => Kind::Assign,
            '|' => self.doubled(first, Operator::Or, faults),
            '&' => self.doubled(first, Operator::And, faults),
            _ => {
                if let Some(operator) = self.operator(first) {
                    return Kind::Operator(operator);
                }
                faults.push((start, illegal(first)));
                Kind::Illegal
            }
        }
    }

    fn operator(&mut self, first: char) -> Option<Operator> {
        Some(match first {
            '!' if self.eat('=') => Operator::NotEqual,
            '!' => Operator::Not,
            '<' if self.eat('=') => Operator::LessOrEqual,
            '<' => Operator::Less,
            '>' if self.eat('=') => Operator::GreaterOrEqual,
            '>' => Operator::Greater,
            '+' => Operator::Plus,
            '-' => Operator::Minus,
            '*' => Operator::Times,
            '/' => Operator::Divide,
            '%' => Operator::Modulo,
            '^' => Operator::Power,
            _ => return None,
        })
    }

    fn doubled(&mut self, first: char, operator: Operator, faults: &mut Vec<Fault>) -> Kind {
        if !self.eat(first) {
            faults.push((self.at, format!("missing second {first} in {first}{first}")));
        }
        Kind::Operator(operator)
    }

    fn name(&mut self) -> Kind {
        let start = self.at;
        while let Some(next) = self.peek()
            && (is_letter(next) || is_digit(next))
        {
            self.at += next.len_utf8();
        }
        match self.text.get(start..self.at) {
            Some("true" | "false") => Kind::Bool,
            Some("null") => Kind::Null,
            _ => Kind::Identifier,
        }
    }

    fn number(&mut self, faults: &mut Vec<Fault>) -> Kind {
        let start = self.at;
        let mut kind = Kind::Number;
        self.digits();
        if self.eat('.') {
            kind = Kind::Float;
            self.digits();
        }
        if self.eat('e') || self.eat('E') {
            kind = Kind::Float;
            if !self.eat('+') {
                self.eat('-');
            }
            if self.digits() == 0 {
                faults.push((start, "exponent has no digits".to_owned()));
            }
        }
        kind
    }

    fn digits(&mut self) -> usize {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn quoted(&mut self, quote: char, faults: &mut Vec<Fault>) -> Kind {
        let start = self.at;
        if quote == '\'' {
            faults.push((start, "illegal single-quoted string; use double quotes".to_owned()));
        }
        self.at += 1;
        loop {
            match self.peek() {
                None => break faults.push((start, "string literal not terminated".to_owned())),
                Some('\n') if quote != '`' => {
                    break faults.push((start, "string literal not terminated".to_owned()));
                }
                Some(next) if next == quote => {
                    self.at += 1;
                    break;
                }
                Some('\\') if quote != '`' => {
                    let rest = self.text.get(self.at..).unwrap_or_default();
                    match literal::escape(rest) {
                        Ok((_, length)) => self.at += length,
                        Err(fault) => {
                            faults.push((self.at + 1, fault.message));
                            self.at += fault.length;
                        }
                    }
                }
                Some(next) => {
                    self.report_unreadable(next, faults);
                    self.at += next.len_utf8();
                }
            }
        }
        if quote == '\'' { Kind::Illegal } else { Kind::String }
    }

    fn comment(&mut self, start: usize, faults: &mut Vec<Fault>) -> Token {
        if self.may_end && self.comments_end_line() {
            self.may_end = false;
            return Token { kind: Kind::Terminator, start, end: start };
        }
        self.may_end = false;
        let rest = self.text.get(start..).unwrap_or_default();
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(length) = block_comment(rest) {
            length
        } else {
            faults.push((start, "block comment not terminated".to_owned()));
            rest.len()
        };
        let body = rest.get(..length).unwrap_or_default();
        for (offset, _) in body.match_indices(['\0', BYTE_ORDER_MARK]) {
            let unreadable = body.get(offset..).and_then(|tail| tail.chars().next());
            self.report_unreadable_at(start + offset, unreadable.unwrap_or_default(), faults);
        }
        self.at = start + length;
        let text = body.strip_suffix('\r').unwrap_or(body);
        Token { kind: Kind::Comment, start, end: start + text.len() }
    }

    /// Whether nothing but comments stands between here and the end of the line.
    fn comments_end_line(&self) -> bool {
        let mut rest = self.text.get(self.at..).unwrap_or_default();
        loop {
            if rest.starts_with("//") {
                return true;
            }
            if !rest.starts_with("/*") {
                return rest.is_empty() || rest.starts_with('\n');
            }
            let length = block_comment(rest).unwrap_or(rest.len());
            let (comment, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            if comment.contains('\n') {
                return true;
            }
            rest = after.trim_start_matches([' ', '\t', '\r']);
        }
    }

    fn skip_blanks(&mut self) {
        while let Some(next) = self.text.as_bytes().get(self.at)
            && (matches!(next, b' ' | b'\t' | b'\r') || (*next == b'\n' && !self.may_end))
        {
            self.at += 1;
        }
    }

    fn report_unreadable(&self, next: char, faults: &mut Vec<Fault>) {
        self.report_unreadable_at(self.at, next, faults);
    }

    #[expect(clippy::unused_self, reason = "reads as the twin of report_unreadable")]
    fn report_unreadable_at(&self, at: usize, next: char, faults: &mut Vec<Fault>) {
        if matches!(next, '\0' | BYTE_ORDER_MARK) {
            faults.push((at, illegal(next)));
        }
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn peek_at(&self, skip: usize) -> Option<char> {
        self.text.get(self.at..)?.chars().nth(skip)
    }
}

/// The length of a block comment with its marks, if it is closed.
fn block_comment(text: &str) -> Option<usize> {
    text.get(2..)?.find("*/").map(|at| at + 4)
}

fn illegal(character: char) -> String {
    match character {
        '\0' => "illegal character NUL".to_owned(),
        BYTE_ORDER_MARK => "illegal byte order mark".to_owned(),
        control if control.is_control() => format!("illegal character U+{:04X}", control as u32),
        other => format!("illegal character U+{:04X} '{other}'", other as u32),
    }
}

/// Whether a whole text is one name.
pub(crate) fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(is_letter)
        && characters.all(|next| is_letter(next) || is_digit(next))
        && !matches!(text, "true" | "false" | "null")
}

// The general categories L and Nd, which `char::is_alphabetic` and `is_numeric` do not name.
static LETTER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\p{L}$").ok());
static DIGIT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\p{Nd}$").ok());

fn is_letter(next: char) -> bool {
    next.is_ascii_alphabetic() || next == '_' || (!next.is_ascii() && is_in(&LETTER, next))
}

fn is_digit(next: char) -> bool {
    next.is_ascii_digit() || (!next.is_ascii() && is_in(&DIGIT, next))
}

fn is_in(class: &LazyLock<Option<Regex>>, next: char) -> bool {
    let mut buffer = [0; 4];
    class.as_ref().is_some_and(|class| class.is_match(next.encode_utf8(&mut buffer)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> (String, Vec<Fault>) {
        let mut scanner = Scanner::new(text);
        let mut faults = Vec::new();
        let mut out = Vec::new();
        loop {
            let token = scanner.next(&mut faults);
            if token.kind == Kind::End {
                return (out.join(" "), faults);
            }
            out.push(token.kind.to_string());
        }
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(words(text), (expected.to_owned(), Vec::new()), "{text:?}");
    }

    #[test]
    fn a_line_ends_a_statement_only_after_a_word_that_can_end_one() {
        check("a = 1\n\n\nb", "IDENT = NUMBER TERMINATOR IDENT TERMINATOR");
        check("a = [\n1,\n]", "IDENT = [ NUMBER , ] TERMINATOR");
        check("a {\n}\n", "IDENT { } TERMINATOR");
        check("1 +\n2", "NUMBER + NUMBER TERMINATOR");
    }

    #[test]
    fn a_comment_does_not_hide_the_end_of_its_line() {
        check("a // x\nb", "IDENT TERMINATOR COMMENT IDENT TERMINATOR");
        check("a /* x */ = 1", "IDENT COMMENT = NUMBER TERMINATOR");
        check("a /* x */ /* y */\nb", "IDENT TERMINATOR COMMENT COMMENT IDENT TERMINATOR");
        check("a /* x\ny */ b", "IDENT TERMINATOR COMMENT IDENT TERMINATOR");
    }

    #[test]
    fn numbers_floats_and_dots_are_told_apart() {
        check(
            "1 1.5 .5 1. 1e3 2E-4 a.b",
            "NUMBER FLOAT FLOAT FLOAT FLOAT FLOAT IDENT . IDENT TERMINATOR",
        );
        check("0x10", "NUMBER IDENT TERMINATOR");
    }

    #[test]
    fn names_may_use_letters_of_any_script() {
        check("\u{e9}t\u{e9}_1 \u{4e2d}\u{6587}", "IDENT IDENT TERMINATOR");
        assert!(
            is_name("a1") && !is_name("1a") && !is_name("a-b") && !is_name("") && !is_name("null")
        );
    }

    #[test]
    fn faults_stand_at_the_byte_that_is_wrong() {
        let fault = |text: &str| {
            words(text).1.into_iter().next().map(|(at, message)| format!("{at} {message}"))
        };
        assert_eq!(fault("a # b").as_deref(), Some("2 illegal character U+0023 '#'"));
        assert_eq!(fault(r#"a = "x\d""#).as_deref(), Some("7 unknown escape sequence"));
        assert_eq!(fault("a = \"x\n").as_deref(), Some("4 string literal not terminated"));
        assert_eq!(
            fault("'x'").as_deref(),
            Some("0 illegal single-quoted string; use double quotes")
        );
        assert_eq!(fault("a | b").as_deref(), Some("3 missing second | in ||"));
        assert_eq!(fault("/* x").as_deref(), Some("0 block comment not terminated"));
        assert_eq!(fault("1e").as_deref(), Some("0 exponent has no digits"));
        assert_eq!(fault("\u{0}").as_deref(), Some("0 illegal character NUL"));
    }
}
