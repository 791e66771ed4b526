//! The binary: arguments, loading, wiring, signals. Nothing else.

mod arguments;
mod commands;
mod connect;
mod demo;
mod keys;
mod load;
mod output;
mod run;
mod wire;

use std::process::ExitCode;

use clap::Parser;

/// Batches are hundreds of KiB and short-lived: mimalloc keeps them out of the kernel.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    match commands::execute(arguments) {
        Ok(code) => code,
        Err(error) => {
            output::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
