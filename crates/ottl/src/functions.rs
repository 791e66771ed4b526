//! What a function is, and how it gets its arguments.
//!
//! A function is one [`Function`] in a list: its name, its parameters, what it does. Converters are
//! in the files of this folder, editors in those of `editors`.

mod arguments;
mod hashing;
mod lists;
mod maps;
mod numbers;
mod parsing;
mod site;
mod strings;
mod time;
mod types;
mod web;
mod xml;

use std::sync::Arc;

use crate::context::Context;
use crate::editors;
use crate::error::RunError;
use crate::expression::{Expression, Key, Path};
use crate::grok::Grok;
use crate::layout::Layout;
use crate::pattern::Pattern;
use crate::program::Environment;
use crate::record::{Record, index_value};
use crate::seen::Seen;
use crate::text;
use crate::value::Value;
use crate::xpath::Xpath;

pub use arguments::Call;
pub(crate) use arguments::admit;
pub(crate) use site::Rooms;
pub use site::{Edit, Site};

/// What an argument may be. Literals are known when a statement is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any value.
    Any,
    /// Text.
    Text,
    /// What has a text form: it is given as text, nil as nil.
    TextLike,
    /// An integer.
    Int,
    /// What can be made an integer, else nil.
    IntLike,
    /// What can be made a floating point number, else nil.
    FloatLike,
    /// A truth value.
    Bool,
    /// A moment.
    Time,
    /// A duration.
    Duration,
    /// A map.
    Map,
    /// A list.
    List,
    /// A path that is changed.
    Target,
    /// Literal text.
    Word,
    /// A literal list of texts.
    Words,
    /// A literal integer.
    Number,
    /// A literal truth value.
    Flag,
    /// Literal bytes.
    Bytes,
    /// The name of a converter of one text.
    Function,
}

/// A parameter of a function.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name, in snake case.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether it may be left out.
    pub is_optional: bool,
}

/// A parameter that must be given.
pub const fn need(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, is_optional: false }
}

/// A parameter that may be given.
pub const fn may(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, is_optional: true }
}

/// What a function does with its arguments.
#[derive(Debug, Clone, Copy)]
pub enum Evaluate {
    /// Makes a value of them.
    Converter(fn(&Call<'_>) -> Result<Value, RunError>),
    /// Tells something of them, looking at them where they are.
    Asker(fn(&Site<'_>) -> Result<bool, RunError>),
    /// Appends text that it makes of them, looking at them where they are; always UTF-8.
    Writer(fn(&Site<'_>, &mut Vec<u8>) -> Result<(), RunError>),
    /// Makes a value of them and the record.
    Reader(fn(&Call<'_>, &Record<'_>) -> Result<Value, RunError>),
    /// Changes the record.
    Editor(fn(&Call<'_>, &mut Record<'_>) -> Result<(), RunError>),
}

/// What is made of literals once.
#[derive(Debug, Clone, Default)]
pub(crate) enum Prepared {
    #[default]
    Nothing,
    Regex(Pattern),
    Layout(Arc<Layout>),
    Grok(Arc<Grok>),
    Xpath(Arc<Xpath>),
}

/// The literal texts among the arguments, by position.
pub(crate) type Literals<'a> = [Option<&'a Value>];

/// Makes of the literals what every record needs, or says what is wrong with them.
type Prepare = fn(&Literals<'_>) -> Result<Prepared, String>;

/// Says what is wrong with the literal arguments, by position.
pub type Check = fn(&[Option<&Value>]) -> Result<(), String>;

/// Changes a record without a copy of its target and returns true, or leaves the record as it is for
/// the editor itself to change: not every target can be changed so.
type InPlace = fn(&Edit<'_>, &mut Record<'_>) -> Result<bool, RunError>;

/// A function.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Its parameters, optional ones last.
    pub parameters: &'static [Parameter],
    /// What it does.
    pub evaluate: Evaluate,
    /// Checks the literals and makes of them what is needed for every record.
    pub(crate) prepare: Option<Prepare>,
    /// Checks the literals only.
    pub(crate) check: Option<Check>,
    /// Of an editor: how it does the same without a copy.
    pub(crate) in_place: Option<InPlace>,
    /// The only contexts that it works in; all if there are none.
    pub(crate) contexts: &'static [Context],
}

impl Function {
    /// A function that makes a value.
    pub const fn converter(
        name: &'static str,
        parameters: &'static [Parameter],
        evaluate: fn(&Call<'_>) -> Result<Value, RunError>,
    ) -> Self {
        Self::new(name, parameters, Evaluate::Converter(evaluate))
    }

    /// A function that changes a record.
    pub const fn editor(
        name: &'static str,
        parameters: &'static [Parameter],
        evaluate: fn(&Call<'_>, &mut Record<'_>) -> Result<(), RunError>,
    ) -> Self {
        Self::new(name, parameters, Evaluate::Editor(evaluate))
    }

    /// A function of any sort.
    pub const fn new(
        name: &'static str,
        parameters: &'static [Parameter],
        evaluate: Evaluate,
    ) -> Self {
        let (prepare, check, in_place) = (None, None, None);
        Self { name, parameters, evaluate, prepare, check, in_place, contexts: &[] }
    }

    /// A function that tells something of what it looks at.
    pub(crate) const fn asker(
        name: &'static str,
        parameters: &'static [Parameter],
        ask: fn(&Site<'_>) -> Result<bool, RunError>,
    ) -> Self {
        Self::new(name, parameters, Evaluate::Asker(ask))
    }

    /// A function that makes text of what it looks at.
    pub(crate) const fn writer(
        name: &'static str,
        parameters: &'static [Parameter],
        write: fn(&Site<'_>, &mut Vec<u8>) -> Result<(), RunError>,
    ) -> Self {
        Self::new(name, parameters, Evaluate::Writer(write))
    }

    pub(crate) const fn in_place(mut self, in_place: InPlace) -> Self {
        self.in_place = Some(in_place);
        self
    }

    pub(crate) const fn preparing(mut self, prepare: Prepare) -> Self {
        self.prepare = Some(prepare);
        self
    }

    /// The same function, whose literals are checked when a statement is loaded.
    #[must_use]
    pub const fn checking(mut self, check: Check) -> Self {
        self.check = Some(check);
        self
    }

    /// The same function in these contexts only.
    #[must_use]
    pub const fn only_in(mut self, contexts: &'static [Context]) -> Self {
        self.contexts = contexts;
        self
    }

    /// Whether it changes records.
    pub fn is_editor(&self) -> bool {
        matches!(self.evaluate, Evaluate::Editor(_))
    }
}

/// The functions that statements may use.
#[derive(Debug, Clone)]
pub struct Functions {
    all: Vec<&'static Function>,
}

impl Functions {
    /// All functions of the language's own list.
    pub fn standard() -> Self {
        let lists: [&'static [Function]; 11] = [
            editors::LIST,
            hashing::LIST,
            lists::LIST,
            maps::LIST,
            numbers::LIST,
            parsing::LIST,
            strings::LIST,
            time::LIST,
            types::LIST,
            web::LIST,
            xml::LIST,
        ];
        Self { all: lists.into_iter().flatten().collect() }
    }

    /// These and those of a processor.
    #[must_use]
    pub fn with(mut self, more: &'static [Function]) -> Self {
        self.all.extend(more);
        self
    }

    /// The function with this name.
    pub fn get(&self, name: &str) -> Option<&'static Function> {
        self.all.iter().find(|function| function.name == name).copied()
    }

    /// All functions.
    pub fn iter(&self) -> impl Iterator<Item = &'static Function> {
        self.all.iter().copied()
    }
}

impl Default for Functions {
    fn default() -> Self {
        Self::standard()
    }
}

/// An argument of a compiled call.
#[derive(Debug, Clone)]
pub(crate) enum Argument {
    Absent,
    Value(Expression),
    Target(Path),
    Function(&'static Function),
}

/// A function with its arguments.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    pub(crate) function: &'static Function,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) keys: Vec<Key>,
    pub(crate) prepared: Prepared,
}

impl Bound {
    fn call<'c>(
        &'c self,
        record: &Record<'_>,
        environment: &'c Environment,
    ) -> Result<Call<'c>, RunError> {
        let mut values = Vec::with_capacity(self.arguments.len());
        for (argument, parameter) in self.arguments.iter().zip(self.function.parameters) {
            values.push(match argument {
                Argument::Value(expression) => {
                    admit(parameter.kind, expression.evaluate(record, environment)?)?
                }
                Argument::Absent | Argument::Target(_) | Argument::Function(_) => Value::Nil,
            });
        }
        Ok(Call { bound: self, values, environment })
    }

    /// What a converter returns, before it is indexed.
    pub(crate) fn value(
        &self,
        record: &Record<'_>,
        environment: &Environment,
    ) -> Result<Value, RunError> {
        match self.function.evaluate {
            Evaluate::Converter(evaluate) => evaluate(&self.call(record, environment)?),
            Evaluate::Reader(evaluate) => evaluate(&self.call(record, environment)?, record),
            Evaluate::Asker(ask) => ask(&self.site(record, environment)).map(Value::Bool),
            Evaluate::Writer(write) => {
                let mut text = Vec::new();
                write(&self.site(record, environment), &mut text)?;
                Ok(Value::String(text::owned(text)))
            }
            Evaluate::Editor(_) => Ok(Value::Nil),
        }
    }

    fn site<'c>(&'c self, record: &'c Record<'_>, environment: &'c Environment) -> Site<'c> {
        Site { bound: self, record, environment }
    }

    /// How often a record of a context is looked at itself.
    pub(crate) fn looks(&self, context: Context) -> usize {
        let looks = |argument: &Argument| match argument {
            Argument::Value(expression) => expression.looks(context),
            Argument::Target(path) => usize::from(path.context == context),
            Argument::Absent | Argument::Function(_) => 0,
        };
        self.arguments.iter().map(looks).sum()
    }

    /// What [`Bound::returned`] returns, without a copy where it can be seen where it is.
    #[inline]
    pub(crate) fn see<'r>(
        &'r self,
        record: &'r Record<'_>,
        environment: &Environment,
        room: &'r mut Vec<u8>,
    ) -> Result<Seen<'r>, RunError> {
        match self.function.evaluate {
            Evaluate::Asker(ask) if self.keys.is_empty() => {
                record.step()?;
                ask(&self.site(record, environment)).map(Seen::Bool)
            }
            Evaluate::Writer(write) if self.keys.is_empty() => {
                record.step()?;
                room.clear();
                write(&self.site(record, environment), room)?;
                record.fits(room.len())?;
                Ok(Seen::Text(room))
            }
            _ => Ok(Seen::made(self.returned(record, environment)?, room)),
        }
    }

    /// What a converter returns, indexed.
    pub(crate) fn returned(
        &self,
        record: &Record<'_>,
        environment: &Environment,
    ) -> Result<Value, RunError> {
        record.step()?;
        let value = record.bounded(self.value(record, environment)?)?;
        index_value(value, &record.keys(&self.keys, environment)?)
    }

    /// Changes the record.
    pub(crate) fn edit(
        &self,
        record: &mut Record<'_>,
        environment: &Environment,
    ) -> Result<(), RunError> {
        record.step()?;
        if let Some(change) = self.function.in_place
            && change(&Edit { bound: self, environment }, record)?
        {
            return Ok(());
        }
        let call = self.call(record, environment)?;
        match self.function.evaluate {
            Evaluate::Editor(evaluate) => evaluate(&call, record),
            _ => Ok(()),
        }
    }
}
