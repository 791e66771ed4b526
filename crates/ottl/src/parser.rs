//! From tokens to syntax: one Pratt parser for values and conditions.

use crate::error::CompileError;
use crate::lexer::{Kind, Token, tokens};
use crate::limits::{NESTING_MAX, SOURCE_BYTES_MAX};
use crate::syntax::{Argument, COMPARISON, Call, Node, NodeKind, Operator, Segment, Statement};

type Parsed<T> = Result<T, CompileError>;

/// Reads `editor(arguments) where condition`.
pub(crate) fn statement(source: &str) -> Parsed<Statement> {
    whole(source, |parser| {
        let at = parser.start();
        let name = match parser.take() {
            Kind::Lower(name) => name,
            Kind::Upper(name) => {
                let message = format!("an editor starts with a lowercase letter, {name} does not");
                return Err(CompileError::new(at, message));
            }
            _ => return Err(CompileError::new(at, "expected an editor")),
        };
        let editor = parser.call(name)?;
        if !editor.keys.is_empty() {
            return Err(CompileError::new(at, "an editor returns nothing to index"));
        }
        let condition = if parser.is_word("where") {
            parser.take();
            Some(parser.condition()?)
        } else {
            None
        };
        Ok(Statement { at, editor, condition })
    })
}

/// Reads a condition.
pub(crate) fn condition(source: &str) -> Parsed<Node> {
    whole(source, Parser::condition)
}

/// Reads a value.
pub(crate) fn value(source: &str) -> Parsed<Node> {
    whole(source, Parser::value)
}

fn whole<T>(source: &str, read: impl FnOnce(&mut Parser) -> Parsed<T>) -> Parsed<T> {
    if source.len() > SOURCE_BYTES_MAX {
        return Err(CompileError::new(0, format!("longer than {SOURCE_BYTES_MAX} bytes")));
    }
    let mut parser = Parser { tokens: tokens(source)?, at: 0, depth: 0 };
    let found = read(&mut parser)?;
    match parser.peek() {
        Kind::End => Ok(found),
        _ => Err(parser.unexpected("the end")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: u32,
}

impl Parser {
    fn peek(&self) -> &Kind {
        self.tokens.get(self.at).map_or(&Kind::End, |token| &token.kind)
    }

    fn start(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(0, |token| token.start)
    }

    fn take(&mut self) -> Kind {
        let kind = self.peek().clone();
        self.at += 1;
        kind
    }

    fn is_mark(&self, mark: &str) -> bool {
        matches!(self.peek(), Kind::Mark(found) if *found == mark)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Kind::Lower(found) if found == word)
    }

    fn eat(&mut self, mark: &str) -> bool {
        let is_found = self.is_mark(mark);
        self.at += usize::from(is_found);
        is_found
    }

    fn expect(&mut self, mark: &str) -> Parsed<()> {
        if self.eat(mark) { Ok(()) } else { Err(self.unexpected(&format!("\"{mark}\""))) }
    }

    fn unexpected(&self, expected: &str) -> CompileError {
        let found = match self.peek() {
            Kind::Lower(name) | Kind::Upper(name) | Kind::Int(name) => format!("{name:?}"),
            Kind::Float(number) => format!("\"{number}\""),
            Kind::Text(_) => "a string".to_owned(),
            Kind::Bytes(_) => "bytes".to_owned(),
            Kind::Mark(mark) => format!("{mark:?}"),
            Kind::End => "the end".to_owned(),
        };
        CompileError::new(self.start(), format!("expected {expected} but found {found}"))
    }

    fn condition(&mut self) -> Parsed<Node> {
        let node = self.expression(0)?;
        if node.is_boolean() {
            return Ok(node);
        }
        Err(CompileError::new(node.at, "expected a condition but found a value"))
    }

    fn value(&mut self) -> Parsed<Node> {
        let node = self.expression(0)?;
        if node.is_value() {
            return Ok(node);
        }
        Err(CompileError::new(node.at, "expected a value but found a condition"))
    }

    fn operator(&self) -> Option<Operator> {
        match self.peek() {
            Kind::Lower(word) if word == "or" => Some(Operator::Or),
            Kind::Lower(word) if word == "and" => Some(Operator::And),
            Kind::Mark(mark) => Some(match *mark {
                "==" => Operator::Equal,
                "!=" => Operator::NotEqual,
                "<" => Operator::Less,
                "<=" => Operator::LessOrEqual,
                ">" => Operator::Greater,
                ">=" => Operator::GreaterOrEqual,
                "+" => Operator::Add,
                "-" => Operator::Subtract,
                "*" => Operator::Multiply,
                "/" => Operator::Divide,
                _ => return None,
            }),
            _ => None,
        }
    }

    /// Reads operands and the operators that bind tighter than `power`.
    fn expression(&mut self, power: u8) -> Parsed<Node> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(CompileError::new(self.start(), "nested too deeply"));
        }
        let mut left = self.operand()?;
        while let Some(operator) = self.operator().filter(|found| found.power() > power) {
            let at = self.start();
            self.take();
            let right = self.expression(operator.power())?;
            left = combine(operator, at, left, right)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operand(&mut self) -> Parsed<Node> {
        let at = self.start();
        let kind = match self.peek().clone() {
            Kind::Lower(word) => return self.word(at, word),
            Kind::Upper(name) => {
                self.take();
                if self.is_mark("(") {
                    NodeKind::Call(self.call(name)?)
                } else {
                    NodeKind::Name(name)
                }
            }
            Kind::Text(text) => self.literal(NodeKind::Text(text)),
            Kind::Bytes(bytes) => self.literal(NodeKind::Bytes(bytes)),
            Kind::Float(number) => self.literal(NodeKind::Float(number)),
            Kind::Int(digits) => self.integer(at, &digits)?,
            Kind::Mark("+" | "-") => self.signed(at)?,
            Kind::Mark("(") => {
                self.take();
                let inner = self.expression(0)?;
                self.expect(")")?;
                return Ok(inner);
            }
            Kind::Mark("[") => {
                self.take();
                NodeKind::List(self.items("]", Self::value)?)
            }
            Kind::Mark("{") => {
                self.take();
                NodeKind::Map(self.items("}", Self::entry)?)
            }
            _ => return Err(self.unexpected("a value")),
        };
        Ok(Node { at, kind })
    }

    fn literal(&mut self, kind: NodeKind) -> NodeKind {
        self.take();
        kind
    }

    fn integer(&mut self, at: usize, digits: &str) -> Parsed<NodeKind> {
        self.take();
        let number = digits.parse();
        let number = number.map_err(|_| CompileError::new(at, "the number has no room in 64 bits"));
        Ok(NodeKind::Int(number?))
    }

    /// A sign belongs to the literal behind it, so that the least integer can be written.
    fn signed(&mut self, at: usize) -> Parsed<NodeKind> {
        let is_negative = self.take() == Kind::Mark("-");
        let sign = if is_negative { "-" } else { "" };
        match self.peek().clone() {
            Kind::Int(digits) => self.integer(at, &format!("{sign}{digits}")),
            Kind::Float(number) => {
                self.take();
                Ok(NodeKind::Float(if is_negative { -number } else { number }))
            }
            _ if is_negative => {
                self.depth += 1;
                if self.depth > NESTING_MAX {
                    return Err(CompileError::new(at, "nested too deeply"));
                }
                let operand = self.operand()?;
                self.depth -= 1;
                Ok(NodeKind::Negative(Box::new(operand)))
            }
            _ => Err(self.unexpected("a number")),
        }
    }

    fn word(&mut self, at: usize, word: String) -> Parsed<Node> {
        let kind = match word.as_str() {
            "true" => self.literal(NodeKind::Bool(true)),
            "false" => self.literal(NodeKind::Bool(false)),
            "nil" => self.literal(NodeKind::Nil),
            "not" => {
                self.take();
                let inner = self.expression(COMPARISON - 1)?;
                if !inner.is_boolean() {
                    return Err(CompileError::new(inner.at, "only a condition can be negated"));
                }
                NodeKind::Not(Box::new(inner))
            }
            "and" | "or" | "where" => return Err(self.unexpected("a value")),
            _ => NodeKind::Path(self.path(word)?),
        };
        Ok(Node { at, kind })
    }

    fn path(&mut self, first: String) -> Parsed<Vec<Segment>> {
        let at = self.start();
        self.take();
        if self.is_mark("(") {
            let message = format!("a converter starts with an uppercase letter, {first} does not");
            return Err(CompileError::new(at, message));
        }
        let mut segments = vec![Segment { at, name: first, keys: self.keys()? }];
        while self.eat(".") {
            let at = self.start();
            let Kind::Lower(name) = self.peek().clone() else {
                return Err(self.unexpected("a name in lower case"));
            };
            self.take();
            segments.push(Segment { at, name, keys: self.keys()? });
        }
        Ok(segments)
    }

    fn keys(&mut self) -> Parsed<Vec<Node>> {
        let mut keys = Vec::new();
        while self.eat("[") {
            keys.push(self.value()?);
            self.expect("]")?;
        }
        Ok(keys)
    }

    fn call(&mut self, name: String) -> Parsed<Call> {
        self.expect("(")?;
        let arguments = self.items(")", Self::argument)?;
        Ok(Call { name, arguments, keys: self.keys()? })
    }

    fn argument(&mut self) -> Parsed<Argument> {
        let is_assignment =
            self.tokens.get(self.at + 1).is_some_and(|token| token.kind == Kind::Mark("="));
        let name = match self.peek().clone() {
            Kind::Lower(name) | Kind::Upper(name) if is_assignment => {
                self.at += 2;
                Some(name)
            }
            _ => None,
        };
        Ok(Argument { name, value: self.value()? })
    }

    fn entry(&mut self) -> Parsed<(String, Node)> {
        let Kind::Text(key) = self.peek().clone() else {
            return Err(self.unexpected("a string"));
        };
        self.take();
        self.expect(":")?;
        Ok((key, self.value()?))
    }

    /// Reads what commas separate, up to the closing mark.
    fn items<T>(
        &mut self,
        close: &str,
        mut item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        let mut items = Vec::new();
        if self.eat(close) {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.eat(close) {
                return Ok(items);
            }
            if !self.eat(",") {
                return Err(self.unexpected(&format!("\",\" or \"{close}\"")));
            }
        }
    }
}

fn combine(operator: Operator, at: usize, left: Node, right: Node) -> Parsed<Node> {
    let is_logic = matches!(operator, Operator::And | Operator::Or);
    for side in [&left, &right] {
        if is_logic && !side.is_boolean() {
            return Err(CompileError::new(side.at, "expected a condition but found a value"));
        }
        if !is_logic && !side.is_value() {
            return Err(CompileError::new(at, "a condition cannot be compared or calculated with"));
        }
    }
    let start = left.at;
    let kind = NodeKind::Binary(operator, Box::new(left), Box::new(right));
    Ok(Node { at: start, kind })
}
