//! The shape of an Alloy text: blocks, attributes, expressions, each with its place.
//!
//! Chains of operators and of accesses are lists and not nested boxes, so that neither a long sum
//! nor dropping its tree can exhaust the stack; only what is bracketed nests, up to a limit.

use std::ops::Range;
use std::rc::Rc;

use super::token::Operator;

/// The bytes of a part of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Extent {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Extent {
    pub(crate) fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// From the start of this to the end of the other.
    pub(crate) fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end.max(self.end) }
    }
}

/// A whole text.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) body: Vec<Statement>,
    pub(crate) comments: Vec<Extent>,
}

#[derive(Debug)]
pub(crate) enum Statement {
    Attribute(Attribute),
    /// Shared: a definition outlives the walk over its file.
    Block(Rc<Block>),
}

#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) name_at: Extent,
    pub(crate) value: Expression,
}

#[derive(Debug)]
pub(crate) struct Block {
    /// The name with its dots.
    pub(crate) name: String,
    pub(crate) name_at: Extent,
    pub(crate) label: Option<Label>,
    pub(crate) open: usize,
    pub(crate) close: usize,
    pub(crate) body: Vec<Statement>,
}

#[derive(Debug)]
pub(crate) struct Label {
    pub(crate) text: String,
    /// With the quotes.
    pub(crate) at: Extent,
}

#[derive(Debug)]
pub(crate) struct Expression {
    pub(crate) shape: Shape,
    pub(crate) at: Extent,
}

#[derive(Debug)]
pub(crate) enum Shape {
    Null,
    Bool,
    Number,
    Float,
    String,
    Name(String),
    List(Vec<Expression>),
    Map(Vec<Entry>),
    Paren(Box<Expression>),
    Unary(Operator, Box<Expression>),
    /// Binary operators in the order in which they apply, from the left.
    Chain(Box<Expression>, Vec<Link>),
    /// `a ^ b ^ c`, which applies from the right.
    Powers(Box<Expression>, Vec<Link>),
    /// Accesses, indexes and calls in the order in which they apply.
    Path(Box<Expression>, Vec<Step>),
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) operator: Operator,
    pub(crate) operator_at: usize,
    pub(crate) operand: Expression,
}

#[derive(Debug)]
pub(crate) enum Step {
    Access { dot: usize, name: String, name_at: Extent },
    Index { open: usize, index: Expression, close: usize },
    Call { open: usize, arguments: Vec<Expression>, close: usize },
}

impl Step {
    pub(crate) fn end(&self) -> usize {
        match self {
            Self::Access { name_at, .. } => name_at.end,
            Self::Index { close, .. } | Self::Call { close, .. } => close + 1,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// With the quotes, if there are any.
    pub(crate) name_at: Extent,
    pub(crate) value: Expression,
}

impl Statement {
    pub(crate) fn at(&self) -> Extent {
        match self {
            Self::Attribute(attribute) => attribute.name_at.to(attribute.value.at),
            Self::Block(block) => Extent { start: block.name_at.start, end: block.close + 1 },
        }
    }
}

impl Block {
    /// Name and label: what a message about the whole block points at.
    pub(crate) fn head(&self) -> Extent {
        self.label.as_ref().map_or(self.name_at, |label| self.name_at.to(label.at))
    }

    pub(crate) fn label(&self) -> &str {
        self.label.as_ref().map_or("", |label| &label.text)
    }
}
