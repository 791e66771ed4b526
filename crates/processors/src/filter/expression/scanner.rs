//! From the text of an expression to its words.

use std::iter::Peekable;
use std::str::Chars;

/// A word of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name or an operator.
    Word(String),
    /// What stands between quotes.
    Text(String),
}

/// The words that are still to come.
pub(super) struct Scanner {
    tokens: Vec<(usize, Token)>,
    next: usize,
}

impl Scanner {
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text.chars().peekable(), column: 1 };
        let mut tokens = Vec::new();
        while let Some(next) = reader.rest.peek().copied() {
            if next.is_whitespace() {
                reader.take();
                continue;
            }
            let column = reader.column;
            tokens.push((column, reader.token(next)?));
        }
        Ok(Self { tokens, next: 0 })
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    pub(super) fn skip(&mut self) {
        self.next += 1;
    }

    /// Where the next word starts, counted from 1.
    pub(super) fn column(&self) -> usize {
        self.tokens.get(self.next).map_or(0, |(column, _)| *column)
    }
}

struct Reader<'t> {
    rest: Peekable<Chars<'t>>,
    column: usize,
}

impl Reader<'_> {
    fn take(&mut self) -> Option<char> {
        self.column += 1;
        self.rest.next()
    }

    fn token(&mut self, first: char) -> Result<Token, String> {
        match first {
            '\'' | '"' | '`' => self.quoted(first).map(Token::Text),
            '(' | ')' => {
                self.take();
                Ok(Token::Word(first.to_string()))
            }
            '=' | '!' | '&' | '|' => Ok(Token::Word(self.operator(first))),
            _ if first.is_alphabetic() || first == '_' => {
                let mut word = String::new();
                while let Some(next) = self.rest.peek().copied()
                    && (next.is_alphanumeric() || next == '_')
                {
                    word.extend(self.take());
                }
                Ok(Token::Word(word))
            }
            _ => Err(format!("has {first:?} at column {}, which means nothing", self.column)),
        }
    }

    fn operator(&mut self, first: char) -> String {
        self.take();
        let second = if first == '!' { '=' } else { first };
        let mut operator = first.to_string();
        if self.rest.peek() == Some(&second) {
            operator.extend(self.take());
        }
        operator
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let start = self.column;
        self.take();
        let mut text = String::new();
        while let Some(next) = self.take() {
            match next {
                _ if next == quote => return Ok(text),
                '\\' if quote != '`' => match self.take() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some(other) => text.push(other),
                    None => break,
                },
                _ => text.push(next),
            }
        }
        Err(format!("has text at column {start} that is not closed"))
    }
}
