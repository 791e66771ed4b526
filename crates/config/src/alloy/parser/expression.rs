//! Expressions: operators by precedence, accesses, literals.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not named is treated alike, whatever it is"
)]

use super::Parser;
use crate::alloy::literal::unquote;
use crate::alloy::token::{Kind, Operator};
use crate::alloy::tree::{Entry, Expression, Extent, Link, Shape, Step};
use crate::diagnostic::Code;

const MISSING_COMMA: &str = "missing comma at the end of the line";
const ADD_COMMA: &str = "write a comma behind each element; `bessemer fmt` does it";

/// Where an expression that can not be read is given up.
const GIVE_UP: [Kind; 5] =
    [Kind::Terminator, Kind::CloseParen, Kind::CloseCurly, Kind::CloseBracket, Kind::Comma];

impl Default for Expression {
    fn default() -> Self {
        Self { shape: Shape::Null, at: Extent::default() }
    }
}

impl Parser<'_> {
    /// `Expression = Binary`
    pub(in crate::alloy) fn expression(&mut self) -> Expression {
        self.nested(|parser| parser.binary(1))
    }

    /// `Binary = Powers { operator Binary-of-higher-precedence }`
    fn binary(&mut self, precedence_min: u8) -> Expression {
        let first = self.powers();
        let mut links = Vec::new();
        while let Kind::Operator(operator) = self.token.kind
            && let Some(precedence) = operator.precedence()
            && precedence >= precedence_min
        {
            let operator_at = self.token.start;
            self.advance();
            let operand = self.binary(precedence + 1);
            links.push(Link { operator, operator_at, operand });
        }
        let Some(last) = links.last() else {
            return first;
        };
        let at = first.at.to(last.operand.at);
        Expression { shape: Shape::Chain(Box::new(first), links), at }
    }

    /// `Powers = Unary { "^" Unary }`
    fn powers(&mut self) -> Expression {
        let first = self.unary();
        if self.token.kind != Kind::Operator(Operator::Power) {
            return first;
        }
        let mut at = first.at;
        let mut links = Vec::new();
        while self.token.kind == Kind::Operator(Operator::Power) {
            let operator_at = self.token.start;
            self.advance();
            let operand = self.unary();
            at = at.to(operand.at);
            links.push(Link { operator: Operator::Power, operator_at, operand });
        }
        Expression { shape: Shape::Powers(Box::new(first), links), at }
    }

    /// `Unary = ( "!" | "-" ) Unary | Path`
    fn unary(&mut self) -> Expression {
        let Kind::Operator(operator @ (Operator::Not | Operator::Minus)) = self.token.kind else {
            return self.path();
        };
        let at = self.at();
        self.advance();
        let operand = self.nested(Self::unary);
        let at = at.to(operand.at);
        Expression { shape: Shape::Unary(operator, Box::new(operand)), at }
    }

    /// `Path = Primary { "." identifier | "[" Expression "]" | "(" [ List ] ")" }`
    fn path(&mut self) -> Expression {
        let base = self.primary();
        let mut steps = Vec::new();
        loop {
            match self.token.kind {
                Kind::Dot => {
                    let dot = self.token.start;
                    self.advance();
                    let name = self.text(self.at()).to_owned();
                    let name_at = self.expect(Kind::Identifier);
                    steps.push(Step::Access { dot, name, name_at });
                }
                Kind::OpenBracket => {
                    let open = self.expect(Kind::OpenBracket).start;
                    let index = self.expression();
                    let close = self.expect(Kind::CloseBracket).start;
                    steps.push(Step::Index { open, index, close });
                }
                Kind::OpenParen => {
                    let open = self.expect(Kind::OpenParen).start;
                    let arguments = self.expressions(Kind::CloseParen);
                    let close = self.expect(Kind::CloseParen).start;
                    steps.push(Step::Call { open, arguments, close });
                }
                Kind::String | Kind::OpenCurly => {
                    let start = base.at.start;
                    if !self.misplaced_block(start) {
                        break;
                    }
                }
                _ => break,
            }
        }
        let Some(last) = steps.last() else {
            return base;
        };
        let at = Extent { start: base.at.start, end: last.end() };
        Expression { shape: Shape::Path(Box::new(base), steps), at }
    }

    /// What follows looks like a block that somebody assigned to an attribute. Reads it as one, to
    /// say what is wrong instead of complaining about each of its words.
    fn misplaced_block(&mut self, start: usize) -> bool {
        if self.token.kind == Kind::String {
            self.advance();
        }
        let opened = self.token.kind == Kind::OpenCurly;
        self.expect(Kind::OpenCurly);
        if !opened {
            self.skip_statement();
            return false;
        }
        self.nested(|parser| parser.body(Kind::CloseCurly));
        let closed = self.token.kind == Kind::CloseCurly;
        let end = self.expect(Kind::CloseCurly).end;
        if !closed {
            self.skip_statement();
            return false;
        }
        let message = "cannot use a block as an expression".to_owned();
        self.push(Code::Syntax, Extent { start, end }, message);
        true
    }

    /// `Primary = literal | identifier | "(" Expression ")" | "[" [ List ] "]" | "{" [ Fields ]
    /// "}"`
    fn primary(&mut self) -> Expression {
        let at = self.at();
        let shape = match self.token.kind {
            Kind::Identifier => Shape::Name(self.text(at).to_owned()),
            Kind::String => Shape::String,
            Kind::Number => Shape::Number,
            Kind::Float => Shape::Float,
            Kind::Bool => Shape::Bool,
            Kind::Null => Shape::Null,
            Kind::OpenParen => {
                self.advance();
                let inner = self.expression();
                let close = self.expect(Kind::CloseParen);
                return Expression { shape: Shape::Paren(Box::new(inner)), at: at.to(close) };
            }
            Kind::OpenBracket => {
                self.advance();
                let elements = self.expressions(Kind::CloseBracket);
                let close = self.expect(Kind::CloseBracket);
                return Expression { shape: Shape::List(elements), at: at.to(close) };
            }
            Kind::OpenCurly => {
                self.advance();
                let entries = self.entries();
                let close = self.expect(Kind::CloseCurly);
                return Expression { shape: Shape::Map(entries), at: at.to(close) };
            }
            _ => {
                self.error(format!("expected expression, got {}", self.token.kind));
                self.skip_to(&GIVE_UP);
                return Expression { shape: Shape::Null, at };
            }
        };
        self.advance();
        Expression { shape, at }
    }

    /// `List = Expression { "," Expression } [ "," ]`
    fn expressions(&mut self, until: Kind) -> Vec<Expression> {
        let mut elements = Vec::new();
        while self.token.kind != until && self.token.kind != Kind::End {
            elements.push(self.expression());
            if self.token.kind == until {
                break;
            }
            self.separator("expression list");
        }
        elements
    }

    /// `Fields = Field { "," Field } [ "," ]`
    fn entries(&mut self) -> Vec<Entry> {
        let mut entries = Vec::new();
        while self.token.kind != Kind::CloseCurly && self.token.kind != Kind::End {
            entries.push(self.entry());
            if self.token.kind == Kind::CloseCurly {
                break;
            }
            self.separator("field list");
        }
        entries
    }

    fn separator(&mut self, list: &str) {
        if self.token.kind == Kind::Terminator && self.is_lenient() {
            let at = Extent { start: self.token.start, end: self.token.start + 1 };
            self.warn(at, MISSING_COMMA, ADD_COMMA);
        } else if self.token.kind != Kind::Comma {
            self.error(format!("missing ',' in {list}"));
        }
        self.advance();
    }

    /// `Field = ( string | identifier ) "=" Expression`
    fn entry(&mut self) -> Entry {
        let name_at = self.at();
        let name = match self.token.kind {
            Kind::Identifier => self.text(name_at).to_owned(),
            Kind::String => unquote(self.text(name_at)),
            _ => {
                let got = self.token.kind;
                self.error(format!("expected field name (string or identifier), got {got}"));
                self.skip_to(&[Kind::Assign]);
                self.expect(Kind::Assign);
                let value = self.expression();
                return Entry { name: String::new(), name_at, value };
            }
        };
        self.advance();
        self.expect(Kind::Assign);
        let value = self.expression();
        Entry { name, name_at, value }
    }
}
