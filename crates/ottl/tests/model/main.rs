//! Statements that change records in place, against two simpler ways to run them: on a record that
//! is decoded and owned, and one statement after the other on the bytes that each leaves.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "numbers are drawn to cover their range"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the model names the types of values that it takes and refuses the rest"
)]

#[cfg(test)]
mod decoded;
#[cfg(test)]
mod written;

use bessemer_ottl::{Compiler, Context, Environment, Functions, Statement};

fn functions() -> &'static Functions {
    static FUNCTIONS: std::sync::LazyLock<Functions> =
        std::sync::LazyLock::new(Functions::standard);
    &FUNCTIONS
}

fn statement(context: Context, text: &str) -> Option<Statement> {
    Compiler::new(context, functions()).statement(text).ok()
}

fn now() -> Environment {
    Environment::at(1_790_000_000_000_000_000)
}
