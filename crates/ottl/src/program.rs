//! Compiled statements and conditions, and what happens when one fails.

use crate::context::Context;
use crate::error::RunError;
use crate::expression::{Expression, Test};
use crate::functions::Bound;
use crate::limits::Limits;
use crate::record::Record;
use crate::value::{Time, Value};

/// What statements know of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Environment {
    pub(crate) now: Time,
}

impl Environment {
    /// A world in which it is this many nanoseconds since 1970.
    pub fn at(unix_nano: u64) -> Self {
        Self { now: Time::utc(i128::from(unix_nano)) }
    }
}

/// What a failed statement does to those after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErrorMode {
    /// The failure is reported and the next statement runs.
    Ignore,
    /// The next statement runs.
    Silent,
    /// The whole batch fails.
    #[default]
    Propagate,
}

/// A compiled statement.
#[derive(Debug, Clone)]
pub struct Statement {
    source: String,
    context: Context,
    editor: Bound,
    condition: Option<Test>,
    limits: Limits,
}

impl Statement {
    pub(crate) fn new(
        source: &str,
        context: Context,
        editor: Bound,
        condition: Option<Test>,
        limits: Limits,
    ) -> Self {
        Self { source: source.to_owned(), context, editor, condition, limits }
    }

    /// The text that it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What it is about.
    pub fn context(&self) -> Context {
        self.context
    }

    /// Runs on one record; returns whether its condition held.
    pub fn run(
        &self,
        record: &mut Record<'_>,
        environment: &Environment,
    ) -> Result<bool, RunError> {
        if let Some(condition) = &self.condition
            && !condition.holds(record, environment)?
        {
            return Ok(false);
        }
        self.editor.edit(record, environment)?;
        Ok(true)
    }
}

/// A compiled condition.
#[derive(Debug, Clone)]
pub struct Condition {
    source: String,
    context: Context,
    test: Test,
    limits: Limits,
}

impl Condition {
    pub(crate) fn new(source: &str, context: Context, test: Test, limits: Limits) -> Self {
        Self { source: source.to_owned(), context, test, limits }
    }

    /// The text that it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What it is about.
    pub fn context(&self) -> Context {
        self.context
    }

    /// The bounds on its work.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether it holds for a record.
    pub fn holds(&self, record: &Record<'_>, environment: &Environment) -> Result<bool, RunError> {
        self.test.holds(record, environment)
    }
}

/// A compiled value.
#[derive(Debug, Clone)]
pub struct ValueExpression {
    context: Context,
    expression: Expression,
    limits: Limits,
}

impl ValueExpression {
    pub(crate) fn new(context: Context, expression: Expression, limits: Limits) -> Self {
        Self { context, expression, limits }
    }

    /// What it is about.
    pub fn context(&self) -> Context {
        self.context
    }

    /// The bounds on its work.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Its value for a record.
    pub fn evaluate(
        &self,
        record: Record<'_>,
        environment: &Environment,
    ) -> Result<Value, RunError> {
        self.expression.evaluate(&record.with_limits(self.limits), environment)
    }
}

/// Statements of one context that run one after the other on each record.
#[derive(Debug, Clone)]
pub struct Program {
    context: Context,
    statements: Vec<Statement>,
    conditions: Vec<Condition>,
    error_mode: ErrorMode,
}

impl Program {
    /// Statements that were compiled for this context; others are left out.
    pub fn new(context: Context, statements: Vec<Statement>, error_mode: ErrorMode) -> Self {
        let mut statements = statements;
        statements.retain(|statement| statement.context == context);
        Self { context, statements, conditions: Vec::new(), error_mode }
    }

    /// Lets the statements run only where one of these conditions holds.
    #[must_use]
    pub fn with_conditions(mut self, conditions: Vec<Condition>) -> Self {
        self.conditions = conditions;
        self
    }

    /// What the statements are about.
    pub fn context(&self) -> Context {
        self.context
    }

    pub(crate) fn limits(&self) -> Limits {
        let first = self.statements.first().map(|statement| statement.limits);
        first.or(self.conditions.first().map(Condition::limits)).unwrap_or_default()
    }

    /// Runs the statements on one record; failures that do not stop it go to `report`.
    pub fn run_record(
        &self,
        record: &mut Record<'_>,
        environment: &Environment,
        report: &mut dyn FnMut(&str, &RunError),
    ) -> Result<(), RunError> {
        if !self.applies(record, environment, report)? {
            return Ok(());
        }
        for statement in &self.statements {
            if let Err(error) = statement.run(record, environment) {
                self.failed(statement.source(), error, report)?;
            }
        }
        Ok(())
    }

    fn applies(
        &self,
        record: &Record<'_>,
        environment: &Environment,
        report: &mut dyn FnMut(&str, &RunError),
    ) -> Result<bool, RunError> {
        for condition in &self.conditions {
            match condition.holds(record, environment) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => self.failed(condition.source(), error, report)?,
            }
        }
        Ok(self.conditions.is_empty())
    }

    fn failed(
        &self,
        source: &str,
        error: RunError,
        report: &mut dyn FnMut(&str, &RunError),
    ) -> Result<(), RunError> {
        match self.error_mode {
            ErrorMode::Propagate => return Err(error),
            ErrorMode::Ignore => report(source, &error),
            ErrorMode::Silent => {}
        }
        Ok(())
    }
}
