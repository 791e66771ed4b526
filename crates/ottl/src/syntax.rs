//! What a text says, before names mean anything.

/// An expression and where it starts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: usize,
    pub(crate) kind: NodeKind,
}

/// What stands between operators, and what operators make of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NodeKind {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    /// A name in upper case without a call: an enumeration or a function.
    Name(String),
    Path(Vec<Segment>),
    Call(Call),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    Binary(Operator, Box<Node>, Box<Node>),
    Negative(Box<Node>),
    Not(Box<Node>),
}

/// A part of a path: a name and its indexes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Segment {
    pub(crate) at: usize,
    pub(crate) name: String,
    pub(crate) keys: Vec<Node>,
}

/// A function, its arguments, and the indexes into what it returns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) keys: Vec<Node>,
}

/// An argument, which may be given by name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Argument {
    pub(crate) name: Option<String>,
    pub(crate) value: Node,
}

/// An operator between two expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Operator {
    /// How tightly it binds.
    pub(crate) fn power(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Add | Self::Subtract => 5,
            Self::Multiply | Self::Divide => 6,
            _ => COMPARISON,
        }
    }
}

/// The power of comparisons, which do not chain; `not` binds one less.
pub(crate) const COMPARISON: u8 = 4;

/// An editor with its condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    pub(crate) at: usize,
    pub(crate) editor: Call,
    pub(crate) condition: Option<Node>,
}

impl Node {
    /// Whether it can be a condition.
    pub(crate) fn is_boolean(&self) -> bool {
        match &self.kind {
            NodeKind::Bool(_) | NodeKind::Call(_) | NodeKind::Not(_) => true,
            NodeKind::Binary(operator, _, _) => operator.power() <= COMPARISON,
            _ => false,
        }
    }

    /// Whether it can be a value.
    pub(crate) fn is_value(&self) -> bool {
        match &self.kind {
            NodeKind::Not(_) => false,
            NodeKind::Binary(operator, _, _) => operator.power() > COMPARISON,
            _ => true,
        }
    }
}
