//! The OpenTelemetry Transformation Language over records that are never decoded.
//!
//! [`Compiler`] turns text into a [`Statement`] or a [`Condition`] for one [`Context`]: names, paths
//! and literals are checked there, and an error says where it is and what was meant. A [`Program`]
//! is a list of statements with an [`ErrorMode`]; it runs over a `Draft` of `bessemer-record`, where
//! it reads fields in place and splices what it changes. A record that no statement changes stays
//! the bytes it was. There is no clock and no I/O: [`Environment`] says what time it is.
//!
//! A function is one entry in a file of [`functions`]: name, parameters, what it does. A processor
//! adds its own with [`Functions::with`].

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a function names the types of values that it takes and refuses the rest"
)]
#![expect(clippy::unnecessary_wraps, reason = "functions of a list share one signature")]
#![expect(
    clippy::format_push_string,
    reason = "`write!` to a `String` would make an error that can only be ignored"
)]

mod compare;
mod compile;
mod context;
mod editors;
mod error;
mod expression;
pub mod functions;
mod grok;
mod guard;
mod index;
mod json;
mod layout;
mod lexer;
mod limits;
mod locale;
mod math;
mod nearest;
mod parser;
mod paths;
mod pattern;
mod program;
mod record;
mod runner;
mod seen;
mod syntax;
mod text;
mod value;
mod xml;
mod xpath;

pub use compare::{Comparison, compare};
pub use compile::{Compiler, check_condition, check_statement, infer_context};
pub use context::Context;
pub use error::{CompileError, RunError};
pub use functions::{Call, Edit, Evaluate, Function, Functions, Kind, Parameter, Site};
pub use limits::Limits;
pub use program::{
    Condition, Conditions, Environment, ErrorMode, Program, Statement, ValueExpression,
};
pub use record::Record;
pub use value::Value;
