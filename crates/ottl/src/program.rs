//! Compiled statements and conditions, and what happens when one fails.

use crate::context::Context;
use crate::error::RunError;
use crate::expression::{Expression, Test};
use crate::functions::Bound;
use crate::index::Index;
use crate::limits::Limits;
use crate::record::Record;
use crate::value::{Time, Value};

/// Looks at a record from which it pays to take it apart before; where there is an index, it looks
/// for all.
const LOOKS_MIN: usize = 3;

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

    /// How often it looks at the record itself.
    fn looks(&self) -> usize {
        let condition = self.condition.as_ref().map_or(0, |test| test.looks(self.context));
        condition + self.editor.looks(self.context)
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

/// Conditions of one context, of which one is enough. A record that none of them can hold for costs
/// about the same, however many they are: see the decision on many statements.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    all: Vec<Condition>,
    index: Option<Index>,
    /// How often they look at the record itself.
    looks: usize,
}

impl Conditions {
    /// Conditions that were compiled for the same context.
    pub fn new(all: Vec<Condition>) -> Self {
        let index = Index::new(all.iter().map(|condition| Some(&condition.test)));
        let looks = all.iter().map(|condition| condition.test.looks(condition.context)).sum();
        Self { all, index, looks }
    }

    /// Takes a record apart if that pays for what the conditions look at.
    pub(crate) fn prepare(&self, record: &mut Record<'_>) {
        if self.index.is_none() && self.looks >= LOOKS_MIN {
            record.open_own();
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The first of them; they share context and bounds.
    pub(crate) fn first(&self) -> Option<&Condition> {
        self.all.first()
    }

    /// Whether one holds for a record; those that fail on it go to `failed` and do not hold.
    pub fn any<E>(
        &self,
        record: &Record<'_>,
        environment: &Environment,
        failed: &mut dyn FnMut(&Condition, RunError) -> Result<(), E>,
    ) -> Result<bool, E> {
        let candidates = match &self.index {
            Some(index) => index.candidates(record, environment).ok(),
            None => None,
        };
        let mut at = 0;
        loop {
            let next = candidates.as_ref().map_or(Some(at), |candidates| candidates.next(at));
            let Some((number, condition)) = next.and_then(|at| Some((at, self.all.get(at)?)))
            else {
                return Ok(false);
            };
            match condition.holds(record, environment) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => failed(condition, error)?,
            }
            at = number + 1;
        }
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
    index: Option<Index>,
    conditions: Conditions,
    error_mode: ErrorMode,
    /// How often the statements look at the record itself.
    looks: usize,
}

impl Program {
    /// Statements that were compiled for this context; others are left out.
    pub fn new(context: Context, statements: Vec<Statement>, error_mode: ErrorMode) -> Self {
        let mut statements = statements;
        statements.retain(|statement| statement.context == context);
        let index = Index::new(statements.iter().map(|statement| statement.condition.as_ref()));
        let looks = statements.iter().map(Statement::looks).sum();
        Self { context, statements, index, conditions: Conditions::default(), error_mode, looks }
    }

    /// Lets the statements run only where one of these conditions holds.
    #[must_use]
    pub fn with_conditions(mut self, conditions: Vec<Condition>) -> Self {
        self.conditions = Conditions::new(conditions);
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
        self.conditions.prepare(record);
        if !self.applies(record, environment, report)? {
            return Ok(());
        }
        if self.index.is_none() && self.looks >= LOOKS_MIN {
            record.open_own();
        }
        let Some(index) = &self.index else {
            return self.run_from(0, record, environment, report);
        };
        let mut edits = record.edits();
        let Ok(mut candidates) = index.candidates(record, environment) else {
            return self.run_from(0, record, environment, report);
        };
        let mut at = 0;
        loop {
            // What was found holds for the record as it was; those that always run need no search.
            if record.edits() != edits && !index.is_always(at) {
                edits = record.edits();
                match index.candidates(record, environment) {
                    Ok(found) => candidates = found,
                    Err(_) => return self.run_from(at, record, environment, report),
                }
            }
            let next = candidates.next(at).and_then(|at| Some((at, self.statements.get(at)?)));
            let Some((number, statement)) = next else { return Ok(()) };
            self.run_one(statement, record, environment, report)?;
            at = number + 1;
        }
    }

    fn run_from(
        &self,
        first: usize,
        record: &mut Record<'_>,
        environment: &Environment,
        report: &mut dyn FnMut(&str, &RunError),
    ) -> Result<(), RunError> {
        let mut rest = self.statements.iter().skip(first);
        rest.try_for_each(|statement| self.run_one(statement, record, environment, report))
    }

    fn run_one(
        &self,
        statement: &Statement,
        record: &mut Record<'_>,
        environment: &Environment,
        report: &mut dyn FnMut(&str, &RunError),
    ) -> Result<(), RunError> {
        match statement.run(record, environment) {
            Ok(_) => Ok(()),
            Err(error) => self.failed(statement.source(), error, report),
        }
    }

    fn applies(
        &self,
        record: &Record<'_>,
        environment: &Environment,
        report: &mut dyn FnMut(&str, &RunError),
    ) -> Result<bool, RunError> {
        let holds = self.conditions.any(record, environment, &mut |condition, error| {
            self.failed(condition.source(), error, report)
        })?;
        Ok(holds || self.conditions.is_empty())
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
